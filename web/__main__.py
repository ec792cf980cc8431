"""The web process: `python -m web`. Several may share one port."""

import asyncio
import logging
import signal
import socket

import uvloop
from aiohttp import web

from tracker import config, log, valkey_client
from tracker import db as database
from web import app

logger = logging.getLogger("web")

CONNECTIONS = 10  # to PostgreSQL, by one process
SHUTDOWN = 6.0  # seconds for the requests under way; the supervisor gives ten
VALKEY_SHARE = 0.4  # of a visitor's patience that Valkey may take


def main() -> None:
    """Serve until told to stop."""
    settings = config.read()
    log.set_up(settings.log_level)
    uvloop.run(serve(settings))


async def serve(settings: config.Settings) -> None:
    """Listen, and stop at SIGTERM or SIGINT."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for sign in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(sign, stop.set)
    pool = await database.open_lazily(settings.database_url, most=CONNECTIONS)
    valkey = valkey_client.connect(
        settings.redis_url, patience=settings.visit_patience * VALKEY_SHARE
    )
    runner = web.AppRunner(
        app.build(settings, pool, valkey), access_log=None, shutdown_timeout=SHUTDOWN
    )
    await runner.setup()
    site = web.SockSite(runner, _listen(settings.http_host, settings.http_port))
    await site.start()
    logger.info("web listening", extra={"port": settings.http_port})
    await stop.wait()
    await runner.cleanup()
    await valkey.aclose()
    pool.terminate()


def _listen(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    listener.bind((host, port))
    listener.listen(1024)
    return listener


if __name__ == "__main__":
    main()
