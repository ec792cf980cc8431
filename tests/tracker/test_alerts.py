"""One alert a cause, told once, gone when the cause is."""

from datetime import timedelta

from tests import make
from tests.conftest import NOON
from tests.fakes.webhook import SECRET, Receiver
from tests.tracker.owing import House
from tracker import alerts
from tracker.alerts import Cause

HOUR = timedelta(hours=1)
NUMBER = make.number(1)
OTHER = make.number(2)


def cause(subject: str = NUMBER, *, calls: int = 5) -> Cause:
    return Cause(
        subject=subject,
        since=NOON,
        figures={"unexplained": calls, "days": 14, "expected": 0.4, "calls": []},
    )


async def test_raised_twice_is_one_alert_with_the_latest_figures(pool, db):
    site = await make.site(pool)
    first = await alerts.settle(db, site, alerts.CALLED, [cause()], at=NOON)
    again = await alerts.settle(
        db, site, alerts.CALLED, [cause(calls=8)], at=NOON + HOUR
    )

    (alert,) = await alerts.standing(db, site.id)
    assert [one.id for one in first] == [alert.id]
    assert again == []
    assert alert.figures["unexplained"] == 8
    assert (alert.since, alert.last_seen_at) == (NOON, NOON + HOUR)


async def test_it_ends_by_itself_when_its_cause_is_gone_and_may_come_again(pool, db):
    site = await make.site(pool)
    await alerts.settle(db, site, alerts.CALLED, [cause(), cause(OTHER)], at=NOON)
    await alerts.settle(db, site, alerts.CALLED, [cause(OTHER)], at=NOON + HOUR)

    (gone,) = await alerts.ended(db, site.id, since=NOON, limit=9)
    assert (gone.subject, gone.ended_at) == (NUMBER, NOON + HOUR)
    assert [one.subject for one in await alerts.standing(db, site.id)] == [OTHER]
    (anew,) = await alerts.settle(
        db, site, alerts.CALLED, [cause(), cause(OTHER)], at=NOON + 2 * HOUR
    )
    assert anew.subject == NUMBER
    assert anew.id != gone.id


async def test_what_could_not_be_found_out_stays_as_it_was(pool, db):
    site = await make.site(pool)
    await alerts.settle(db, site, alerts.FOUND, [cause(), cause(OTHER)], at=NOON)
    await alerts.settle(db, site, alerts.FOUND, [], keep=[OTHER], at=NOON + HOUR)

    (alert,) = await alerts.standing(db, site.id)
    assert (alert.subject, alert.last_seen_at) == (OTHER, NOON)


async def test_kinds_and_sites_do_not_end_each_others_alerts(pool, db):
    site, other = await make.site(pool), await make.site(pool, key="other")
    await alerts.settle(db, site, alerts.CALLED, [cause()], at=NOON)
    await alerts.settle(db, site, alerts.FOUND, [], at=NOON)
    await alerts.settle(db, other, alerts.CALLED, [], at=NOON)

    assert len(await alerts.standing(db, site.id)) == 1


async def test_a_dismissed_alert_stays_dismissed_while_its_cause_goes_on(pool, db):
    site, other = await make.site(pool), await make.site(pool, key="other")
    (alert,) = await alerts.settle(db, site, alerts.CALLED, [cause()], at=NOON)

    assert not await alerts.dismiss(db, other.id, alert.id, at=NOON)
    assert await alerts.dismiss(db, site.id, alert.id, at=NOON + HOUR)
    await alerts.settle(db, site, alerts.CALLED, [cause()], at=NOON + 2 * HOUR)
    (standing,) = await alerts.standing(db, site.id)
    assert standing.dismissed_at == NOON + HOUR


async def test_more_causes_than_anybody_reads_do_not_all_become_alerts(pool, db):
    site = await make.site(pool)
    many = [cause(make.number(n)) for n in range(alerts.MOST + 20)]

    assert len(await alerts.settle(db, site, alerts.CALLED, many, at=NOON)) == (
        alerts.MOST
    )


async def test_destinations_that_want_it_are_told_once(house: House):
    async with Receiver() as crm, Receiver() as deals:
        await house.open(
            crm={"kind": "webhook", "url": crm.url, "secret": SECRET},
            deals={
                "kind": "webhook",
                "url": deals.url,
                "secret": SECRET,
                "only": ["deal.won"],
            },
        )
        for hours in range(3):
            at = NOON + hours * HOUR
            async with house.pool.acquire() as db:
                await alerts.settle(db, house.site, alerts.CALLED, [cause()], at=at)
            await house.carry(at)

    assert crm.types == ["alert.raised"]
    assert deals.types == []
    (message,) = crm.messages
    assert message.signed
    assert message.data["kind"] == "leak.called"
    assert message.data["subject"] == NUMBER
    assert message.data["figures"]["unexplained"] == 5
    assert message.data["since"] == "2026-11-02T12:00:00.000Z"
    assert message.data["text"].startswith(f"Calls to {NUMBER} fit no visitor")
