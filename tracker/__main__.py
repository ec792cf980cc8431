"""The worker process: `python -m tracker`. Several may run at once."""

import asyncio
import logging
import signal
import sys

import uvloop

from tracker import config, log, seal, sites
from tracker import db as database
from tracker.destinations import wire
from tracker.errors import BadInput, TrackerError
from tracker.worker import Worker

logger = logging.getLogger("tracker")

CONNECTIONS = 10  # to PostgreSQL


def main() -> None:
    """Work until told to stop."""
    try:
        settings = config.read()
        if not settings.database_url:
            raise BadInput("is not set; `skvoz run` sets it", field="DATABASE_URL")
    except BadInput as error:
        sys.exit(str(error))
    log.set_up(settings.log_level)
    try:
        uvloop.run(work(settings))
    except TrackerError as error:  # settings sealed with another key
        sys.exit(str(error))


async def work(settings: config.Settings) -> None:
    """The loops, until SIGTERM or SIGINT."""
    stop = asyncio.Event()
    for sign in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(sign, stop.set)
    pool = await database.open_lazily(settings.database_url, most=CONNECTIONS)
    directory = sites.Directory(pool, seal.of(settings))
    async with wire.session(private_hosts=settings.private_hosts) as http:
        logger.info("worker started")
        worker = Worker(pool, directory, http, public_url=settings.public_url)
        await worker.run(stop)
    pool.terminate()
    logger.info("worker stopped")


if __name__ == "__main__":
    main()
