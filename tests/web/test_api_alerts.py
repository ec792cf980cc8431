"""Alerts by the REST API."""

from datetime import timedelta

import msgspec

from tests import make
from tests.web.test_api import Api, door
from tracker import alerts
from tracker.alerts import Cause
from web import api_shapes

__all__ = ["door"]  # a fixture

HOUR = timedelta(hours=1)
FIGURES = {"pool": "main", "days": 14, "unexplained": 9.5, "expected": 0.4, "calls": []}


async def settle(door: Api, *numbers: str, hours: int) -> None:
    at = make.NOON + hours * HOUR
    causes = [Cause(subject=one, since=at, figures=FIGURES) for one in numbers]
    async with door.pool.acquire() as db:
        await alerts.settle(db, door.site, alerts.CALLED, causes, at=at)


async def test_standing_alerts_are_listed_and_ended_ones_where_asked_for(door: Api):
    await settle(door, make.number(1), hours=0)
    await settle(door, make.number(2), hours=1)

    status, body = await door.ask("alerts?site=acme")
    assert status == 200
    (item,) = body["items"]
    assert item["kind"] == "leak.called"
    assert item["subject"] == make.number(2)
    assert item["since"] == "2026-11-02T13:00:00.000Z"
    assert (item["ended"], item["dismissed"]) == (None, None)
    assert item["figures"] == FIGURES
    assert "about 9.5 such calls in 14 days" in item["text"]
    msgspec.convert(body, api_shapes.Alerts)  # as described

    _, ended = await door.ask("alerts?state=ended")
    assert [one["subject"] for one in ended["items"]] == [make.number(1)]
    assert ended["items"][0]["ended"] == "2026-11-02T13:00:00.000Z"
    _, both = await door.ask("alerts?state=all&limit=1")
    assert [one["subject"] for one in both["items"]] == [make.number(2)]


async def test_alerts_are_the_owners_own(door: Api):
    other = await make.site(door.pool, key="other")
    async with door.pool.acquire() as db:
        cause = Cause(subject=make.number(1), since=make.NOON, figures=FIGURES)
        await alerts.settle(db, other, alerts.CALLED, [cause], at=make.NOON)

    assert (await door.ask("alerts"))[1] == {"items": []}
    assert (await door.ask("alerts?site=other"))[0] == 403
    assert (await door.ask("alerts", token=""))[0] == 401
    assert (await door.ask("alerts?state=some"))[0] == 400
    assert (await door.ask("alerts?limit=0"))[0] == 400
