"""The watches as the worker runs them."""

import asyncio
import time
from datetime import timedelta

import aiohttp
import pytest

from tests import make
from tests.conftest import NOON
from tests.tracker.test_crawl import LEAKY, Pages, shop
from tests.tracker.test_leaks import called
from tracker import alerts, leaks, watches
from tracker import db as database
from tracker import worker as workers
from tracker.sites import Directory
from tracker.worker import Worker

__all__ = ["shop"]  # a fixture

HOUR = timedelta(hours=1)
PATIENCE = 20.0


@pytest.fixture
async def directory(pool: database.Pool) -> Directory:
    return Directory(pool, make.SEAL)


async def test_the_worker_finds_leaks_of_both_kinds_and_names_itself(
    pool, directory, http: aiohttp.ClientSession, shop: Pages
):
    shop.put("/", LEAKY)
    site = await make.site(pool, numbers=8, settings={"crawl": [f"{shop.url}/"]})
    now = workers.now()
    for n in range(12):
        await called(pool, site, make.number(3), at=now - (n + 1) * HOUR)
    worker = Worker(pool, directory, http, public_url="https://calls.acme.example")
    stop = asyncio.Event()
    running = asyncio.create_task(worker.run(stop))
    deadline = time.monotonic() + PATIENCE
    while len(found := await alerts.standing(pool, site.id)) < 2:
        assert time.monotonic() < deadline
        await asyncio.sleep(0.05)
    stop.set()
    await asyncio.wait_for(running, PATIENCE)

    assert {(one.kind, one.subject) for one in found} == {
        ("leak.called", make.number(3)),
        ("leak.found", make.number(1)),
    }
    assert all("+https://calls.acme.example" in agent for _, agent in shop.asked)


async def test_a_site_whose_watch_crashes_does_not_keep_the_others_from_theirs(
    pool, directory, monkeypatch, caplog
):
    first = await make.site(pool, key="first", numbers=8)
    second = await make.site(pool, key="second", numbers=8)
    await directory.load()
    for n in range(12):
        await called(pool, second, make.number(3), at=NOON - n * HOUR)
    whole = leaks.watch

    async def watch(pool, site, *, at):
        if site.id == first.id:
            raise ZeroDivisionError
        await whole(pool, site, at=at)

    monkeypatch.setattr(leaks, "watch", watch)
    await watches.figures(pool, directory, at=NOON)

    assert "watch crashed" in caplog.text
    assert len(await alerts.standing(pool, second.id)) == 1
