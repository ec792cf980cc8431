"""Several pools on one site: who is lent which number, by the visit and for the session's life."""

from datetime import timedelta

import pytest
import redis.asyncio

from tests import make
from tests.tracker.test_visits import AD, PLAIN, ask, number_of
from tracker import connections, provision, sites, visits
from tracker import db as database

SECOND = timedelta(seconds=1)
SITE = """
[site]
key = "acme"
name = "ACME"
domains = ["acme.example"]
"""
EVERYBODY = f"""
[[pool]]
name = "main"
replaces = ["{make.OWN}"]
numbers = ["+74951000001", "+74951000002"]
"""


def pool_for(target: str, *, numbers: str = '"+74952000001", "+74952000002"') -> str:
    return f"""
[[pool]]
name = "special"
replaces = ["{make.OWN}"]
numbers = [{numbers}]
target = {{ {target} }}
"""


@pytest.fixture
def door(pool: database.Pool, valkey: redis.asyncio.Redis) -> visits.Visits:
    return visits.Visits(pool, valkey, mail_domain="track.example", patience=20)


async def set_up(pool: database.Pool, text: str) -> sites.Site:
    async with pool.acquire() as db:
        await provision.apply_text(
            db, SITE + text, make.SEAL, connections.known(), at=make.NOON
        )
    return await make.found(pool, "acme")


async def shown(door: visits.Visits, site: sites.Site, **changes: object) -> str:
    return number_of(await door.arrive(ask(site, **changes)))[1]


SPECIAL, MAIN = "+74952000001", "+74951000001"


@pytest.mark.parametrize(
    ("target", "fits", "other"),
    [
        ('sources = [{ source = "yandex" }]', {"url": AD}, {"url": PLAIN}),
        ('paths = ["/moscow*"]', {"url": PLAIN + "moscow/?a=1"}, {"url": PLAIN}),
        ('devices = ["mobile"]', {"device": "mobile"}, {"device": "desktop"}),
        ('regions = ["Moscow"]', {"region": "moscow"}, {"region": "Tver"}),
    ],
)
async def test_a_pool_lends_to_those_it_is_for_and_the_other_to_the_rest(
    pool, door, target, fits, other
):
    site = await set_up(pool, EVERYBODY + pool_for(target))

    assert await shown(door, site, **fits) == SPECIAL
    assert await shown(door, site, **other) == MAIN


async def test_a_share_of_visitors_falls_alike_in_every_session(pool, door):
    lists = ", ".join(f'"+7495200{n:04d}"' for n in range(40))
    site = await set_up(pool, EVERYBODY + pool_for("traffic = 0.5", numbers=lists))
    first = [await door.arrive(ask(site)) for _ in range(20)]
    special = [number_of(one)[1].startswith("+7495200") for one in first]
    assert 2 < sum(special) < 18

    later = make.NOON + make.DAY
    again = [
        await door.arrive(ask(site, visitor=one.visitor, at=later)) for one in first
    ]

    assert [number_of(one)[1].startswith("+7495200") for one in again] == special


async def test_what_a_session_began_with_chooses_its_pool_on_every_page(pool, door):
    targets = 'paths = ["/moscow/*"], regions = ["Moscow"], devices = ["mobile"]'
    site = await set_up(pool, EVERYBODY + pool_for(targets, numbers=f'"{SPECIAL}"'))
    first = ask(site, url=PLAIN + "moscow/", region="Moscow", device="mobile")
    assert number_of(await door.arrive(first))[1] == SPECIAL
    waiting = await door.arrive(first)
    assert number_of(waiting)[0] == "own"

    # A reveal knows neither the address nor the device.
    reading = await door.arrive(
        ask(site, url="", session=waiting.session, reading=True, page=False, at=make.NOON + SECOND)
    )  # fmt: skip

    assert number_of(reading) == ("dynamic", SPECIAL)


async def test_a_session_stays_with_its_pool_when_a_better_one_is_set_up(pool, door):
    site = await set_up(pool, EVERYBODY)
    first = await door.arrive(ask(site, url=AD))
    site = await set_up(pool, EVERYBODY + pool_for('sources = [{ medium = "cpc" }]'))

    again = ask(site, session=first.session, at=make.NOON + SECOND)
    assert number_of(await door.arrive(again)) == ("dynamic", MAIN)
    assert await shown(door, site, url=AD, at=make.NOON + SECOND) == SPECIAL


async def test_a_page_number_is_replaced_by_one_of_its_own_kind(pool, door):
    toll_free = "+78000000000"
    text = EVERYBODY.replace(f'"{make.OWN}"', f'"{make.OWN}", "{toll_free}"')
    second = text.replace("main", "second").replace("+7495100", "+7800100")
    site = await set_up(pool, text + second)

    shown = await door.arrive(ask(site, replaces=(toll_free, make.OWN)))

    assert [one.number for one in shown.numbers] == ["+78001000001", MAIN]


async def test_without_a_pool_for_him_a_visitor_keeps_the_pages_number(pool, door):
    site = await set_up(pool, pool_for('devices = ["mobile"]'))
    assert await shown(door, site) == make.OWN
    assert await pool.fetchval("SELECT count(*) FROM sessions") == 1


async def test_a_second_page_without_new_ids_keeps_those_that_are_known(pool, door):
    site = await set_up(pool, EVERYBODY)
    first = await door.arrive(ask(site, url=AD, ids={"ym_client_id": "59"}))

    await door.arrive(ask(site, url=AD, session=first.session, at=make.NOON + SECOND))

    details = await pool.fetchval("SELECT details FROM sessions")
    assert details["ids"] == {"ym_client_id": "59"}
