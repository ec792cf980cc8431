"""The mail process: listens, reads what was kept, hands letters on.

Starts whether or not PostgreSQL is there: until it is, and whenever it is away, senders are
told to come back.
"""

import asyncio
import logging
import signal
import sys
from datetime import UTC, datetime

import uvloop

from mailrelay import tls
from mailrelay.alerts import Watch
from mailrelay.forwarder import Administrator, Forwarder, Relaying
from mailrelay.parsing import Parser
from mailrelay.reading import Letters
from mailrelay.reception import AWAY, Reception
from mailrelay.server import Relay
from tracker import config, db, inbox, sites, tasks
from tracker import log as logs
from tracker import seal as seals
from tracker.errors import BadInput

log = logging.getLogger(__name__)

READERS = 3  # while one waits for PostgreSQL, another reads
LAST_TRIES = 5.0  # seconds tries under way have at the end


async def main(settings: config.Settings) -> None:
    """Run until told to stop."""
    if not settings.database_url:
        raise BadInput(
            "DATABASE_URL: is needed; `skvoz run` starts a PostgreSQL of its own"
        )
    seal = seals.of(settings)
    pool = await db.connect(settings.database_url, least=0)
    directory = sites.Directory(pool, seal)
    marker_key = seal.key("mail-marker")
    reception = Reception(
        pool, directory, domain=settings.mail_domain, host=settings.mail_host
    )
    certificate = tls.context(settings)
    relay = Relay(
        reception,
        host=settings.mail_host,
        marker_key=marker_key,
        trusted=settings.trusted_networks,
        tls=certificate,
    )
    relaying = Relaying(
        domain=settings.mail_domain,
        host=settings.mail_host,
        marker_key=marker_key,
        administrator=Administrator(
            address=settings.admin_email, next_hop=settings.admin_next_hop
        ),
    )
    parser = Parser()
    forwarder = Forwarder(pool, directory, relaying)
    read = Letters(directory, parser).read
    readers = [inbox.Reader(pool, door="mail", read=read) for _ in range(READERS)]
    reception.on_kept(forwarder.wake, *(reader.wake for reader in readers))
    jobs = [
        directory.follow(),
        *(reader.run() for reader in readers),
        forwarder.run(),
        relay.refusals.run(pool),
        Watch(pool, relaying, at=datetime.now(UTC)).run(),
    ]
    if certificate is not None:
        jobs.append(tls.renew(certificate, settings))
    work = [asyncio.create_task(job) for job in jobs]
    server = await relay.listen(settings.smtp_host, settings.smtp_port)
    log.info("mail relay listening", extra={"port": settings.smtp_port})
    await _told_to_stop(work)
    log.info("mail relay stopping")
    ended = tasks.end(work)
    for trouble in await asyncio.gather(
        relay.stop(server), _stop(forwarder), ended, return_exceptions=True
    ):
        if isinstance(trouble, BaseException):
            log.error("not stopped cleanly", exc_info=trouble)
    await parser.close()
    pool.terminate()


async def _stop(forwarder: Forwarder) -> None:
    try:
        async with asyncio.timeout(LAST_TRIES + 1):
            await forwarder.stop(LAST_TRIES)
    except AWAY:
        log.warning("letters not given back: PostgreSQL is away")  # their leases end


async def _told_to_stop(work: list[asyncio.Task[None]]) -> None:
    """Wait for a signal; a second one ends the process at once. A job never ends by itself."""
    loop = asyncio.get_running_loop()
    told = asyncio.Event()

    def stop() -> None:
        if told.is_set():
            sys.stderr.flush()
            signal.raise_signal(signal.SIGKILL)
        told.set()

    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop)
    waiting = asyncio.create_task(told.wait())
    done, _ = await asyncio.wait([waiting, *work], return_when=asyncio.FIRST_COMPLETED)
    waiting.cancel()
    for task in done:
        if task is not waiting:
            task.result()  # raises: the supervisor starts us anew


if __name__ == "__main__":
    try:
        settings = config.read()
        logs.set_up(settings.log_level)
        uvloop.run(main(settings))
    except BadInput as error:
        sys.exit(f"mailrelay: {error}")
