"""The command `skvoz` with small parts in place of ours, for tests of the supervisor.

`STUBBORN` adds a part that does not stop when it is asked to.
"""

import os
import sys

from tracker import cli, config, supervisor

WEB = """
import http.server, os, socket
class Health(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.end_headers()
        self.wfile.write(os.environ["DATABASE_URL"].encode())
    def log_message(self, *_):
        pass
class Server(http.server.HTTPServer):
    def server_bind(self):
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        super().server_bind()
Server(("127.0.0.1", int(os.environ["SKVOZ_HTTP_PORT"])), Health).serve_forever()
"""
STUBBORN = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); time.sleep(600)"
IDLE = "import time; time.sleep(600)"


def parts(_: config.Settings) -> list[supervisor.Part]:
    codes = {"web 1": WEB, "tracker": IDLE}
    if "STUBBORN" in os.environ:
        codes["stubborn"] = STUBBORN
    return [
        supervisor.Part(name=name, command=(sys.executable, "-c", code))
        for name, code in codes.items()
    ]


if __name__ == "__main__":
    supervisor.usual_parts = parts
    cli.main()
