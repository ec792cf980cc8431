"""Click ids: whose are told with a contact, and for how long."""

import dataclasses
from datetime import datetime, timedelta
from uuid import UUID, uuid4

import msgspec
import pytest
import redis.asyncio

from tests import make
from tests.tracker.known import Known
from tracker import clicks, visits
from tracker import db as database
from tracker.clicks import Landing
from tracker.deliveries import Delivery
from tracker.destinations import parcels
from tracker.sites import Site

DAY = timedelta(days=1)
NOW = make.NOON
AD = "https://acme.example/?utm_source=yandex&utm_medium=cpc"
PAGE = "https://acme.example/"


def ago(days: float, **told: dict[str, str]) -> Landing:
    return Landing(at=NOW - days * DAY, **told)


def seconds(days: float) -> int:
    return int((NOW - days * DAY).timestamp())


# What is told ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "days", "alive"),
    [
        ("yclid", 20.9, True),
        ("yclid", 21, False),
        ("gclid", 89.9, True),
        ("gclid", 90, False),
        ("msclkid", 89, True),
        ("rb_clickid", 91, False),
    ],
)
def test_a_click_id_is_told_as_long_as_its_system_takes_it(name, days, alive):
    source = ago(days, click_ids={name: "a1"})

    assert clicks.told(ago(0), source, now=NOW) == ({name: "a1"} if alive else {})
    assert clicks.told(source, source, now=NOW) == ({name: "a1"} if alive else {})


def test_the_sessions_own_click_goes_before_that_of_its_source():
    own = ago(1, click_ids={"gclid": "own", "ysclid": "y"}, ids={"ga_client_id": "1.2"})
    source = ago(2, click_ids={"gclid": "old", "yclid": "5"})

    assert clicks.told(own, source, now=NOW) == {
        "gclid": "own",
        "yclid": "5",
        "ysclid": "y",
        "ga_client_id": "1.2",
    }


@pytest.mark.parametrize(
    ("cookie", "value", "told"),
    [
        ("gcl_aw", f"GCL.{seconds(3)}.Cj0K-a_w.1", {"gclid": "Cj0K-a_w.1"}),
        ("gcl_gb", f"GCL.{seconds(3)}.wb", {"wbraid": "wb"}),
        ("gcl_ag", f"2.1.kgb$i{seconds(3)}$bx", {"gbraid": "gb"}),
        ("gcl_ag", f"2.1.kgb$i{seconds(3)}", {"gbraid": "gb"}),
        ("uetmsclkid", f"_uet{'0a' * 16}", {"msclkid": "0a" * 16}),
        ("gcl_aw", f"GCL.{seconds(91)}.old", {}),
        ("gcl_aw", "GCL.now.x", {}),
        ("gcl_aw", "deleted", {}),
        ("gcl_ag", f"GCL.{seconds(3)}.x", {}),
        ("uetmsclkid", "_uet", {}),
        ("vk_id", "0a" * 16, {"vk_id": "0a" * 16}),
    ],
)
def test_a_click_that_only_a_cookie_knows_is_told_too(cookie, value, told):
    assert clicks.told(ago(0, ids={cookie: value}), None, now=NOW) == told


def test_a_cookies_click_before_the_source_we_know_did_not_bring_the_visitor():
    cookies = {"gcl_aw": f"GCL.{seconds(5)}.g", "uetmsclkid": f"_uet{'0a' * 16}"}
    own = ago(0, ids=cookies)

    assert clicks.told(own, ago(3), now=NOW) == {}
    assert clicks.told(own, ago(7), now=NOW) == {"gclid": "g"}


def test_meta_is_told_its_own_record_or_one_made_of_the_landing():
    stored = f"fb.1.{seconds(4)}123.IwAR2"
    own = ago(0, ids={"fbc": stored})
    landed = ago(2, click_ids={"fbclid": "Other"})
    made = f"fb.1.{seconds(2)}000.Other"

    def fbc(own: Landing, source: Landing | None) -> str | None:
        return clicks.told(own, source, now=NOW).get("fbc")

    assert fbc(own, None) == stored
    assert fbc(ago(0), landed) == made
    assert fbc(own, landed) == made  # a later click than its script has seen
    assert fbc(own, ago(2, click_ids={"fbclid": "IwAR2"})) == stored
    assert fbc(own, ago(9, click_ids={"fbclid": "Older"})) == stored
    assert fbc(ago(0, ids={"fbc": f"fb.1.{seconds(91)}000.x"}), None) is None
    assert fbc(ago(0, ids={"fbc": "fb.rubbish"}), None) is None


# Through the doors -------------------------------------------------------------------------


class Shop:
    """A site whose visitors come again and again."""

    def __init__(self, pool: database.Pool, door: visits.Visits, site: Site) -> None:
        self.pool = pool
        self.door = door
        self.site = site
        self.known = Known(db=pool, site=site)
        self.visitor = uuid4()

    async def visit(self, at: datetime, url: str, **ids: str) -> UUID:
        visit = visits.Visit(
            site=self.site, at=at, url=url, visitor=self.visitor, ids=ids
        )
        session = (await self.door.arrive(visit)).session
        assert session is not None
        return session

    async def told(self, session: UUID, at: datetime) -> dict[str, str]:
        """The ids a destination is told of a form that was sent in this session."""
        contact = await self.known.form(at, session)
        delivery = Delivery(
            site_id=self.site.id, id=uuid4(), destination_id=1, key="", seq=1,
            event="contact.created", contact_id=contact, lead_id=None, deal_id=None,
            alert_id=None, at=at, attempts=1, tries=1, batch=None,
        )  # fmt: skip
        parcel = await parcels.load(self.pool, self.site, delivery, now=at)
        return parcel.candidates[0].ids


@pytest.fixture
async def shop(pool: database.Pool, valkey: redis.asyncio.Redis) -> Shop:
    # The machine may be busy with other tests.
    door = visits.Visits(pool, valkey, mail_domain="track.example", patience=20)
    async with pool.acquire() as db:
        await database.partition(db, since=NOW - 100 * DAY, until=NOW)
    return Shop(pool, door, await make.site(pool))


async def test_a_later_direct_visit_tells_the_click_of_its_source_while_that_lives(
    shop: Shop,
):
    await shop.visit(NOW - 40 * DAY, f"{PAGE}?gclid=G1")
    await shop.visit(NOW - 20 * DAY, f"{AD}&yclid=59")
    direct = await shop.visit(NOW, PAGE, ym_client_id="1734680388574908198")

    assert await shop.told(direct, NOW) == {
        "yclid": "59",
        "ym_client_id": "1734680388574908198",
    }
    later = await shop.visit(NOW + 2 * DAY, PAGE)
    assert await shop.told(later, NOW + 2 * DAY) == {}


async def test_a_visit_with_a_source_of_its_own_tells_no_earlier_click(shop: Shop):
    await shop.visit(NOW - 5 * DAY, f"{PAGE}?gclid=G1")
    mail = await shop.visit(NOW, f"{PAGE}?utm_source=news&utm_medium=email")

    assert await shop.told(mail, NOW) == {}


async def test_a_click_beyond_the_sites_look_back_is_not_the_visits(shop: Shop):
    short = msgspec.structs.replace(shop.site.rules, lookback_days=3)
    shop.site = dataclasses.replace(shop.site, rules=short)
    await shop.visit(NOW - 5 * DAY, f"{PAGE}?gclid=G1")
    direct = await shop.visit(NOW, PAGE)

    assert await shop.told(direct, NOW) == {}


async def test_other_visitors_clicks_are_their_own(shop: Shop):
    await shop.visit(NOW - DAY, f"{PAGE}?gclid=G1")
    shop.visitor = uuid4()
    direct = await shop.visit(NOW, PAGE, gcl_aw=f"GCL.{seconds(2)}.G2")

    assert await shop.told(direct, NOW) == {"gclid": "G2"}
