"""What visitors are shown, whatever the stores do."""

import asyncio
from datetime import timedelta
from uuid import UUID, uuid4

import msgspec
import pytest
import redis.asyncio

from tests import make, outage
from tracker import beats, ids, sites, visits
from tracker import db as database

AD = "https://acme.example/?utm_source=yandex&utm_medium=cpc&utm_campaign=k&yclid=59"
PLAIN = "https://acme.example/"
SECOND = timedelta(seconds=1)


@pytest.fixture
def door(pool: database.Pool, valkey: redis.asyncio.Redis) -> visits.Visits:
    # The machine may be busy with other tests.
    return visits.Visits(pool, valkey, mail_domain="track.example", patience=20)


def ask(site: sites.Site, **changes: object) -> visits.Visit:
    visit = visits.Visit(
        site=site,
        at=make.NOON,
        url=PLAIN,
        replaces=(make.OWN, make.MAILBOX),
    )
    return msgspec.structs.replace(visit, **changes)  # type: ignore[arg-type]


def number_of(arrival: visits.Arrival) -> tuple[str, str]:
    return arrival.numbers[0].kind, arrival.numbers[0].number


async def test_a_visitor_gets_a_number_and_an_address_of_his_own(pool, door):
    site = await make.site(pool)

    first, second = await door.arrive(ask(site)), await door.arrive(ask(site))

    assert number_of(first) == ("dynamic", make.number(1))
    assert number_of(second) == ("dynamic", make.number(2))
    assert first.numbers[0].display == "+7 495 100-00-01"
    assert first.emails[0].address.startswith("info-")
    assert first.emails[0].address.endswith("@track.example")
    assert first.emails[0].address != second.emails[0].address
    assert first.new_session


async def test_what_is_shown_is_in_the_ledger_with_its_source(pool, door):
    site = await make.site(pool)

    shown = await door.arrive(ask(site, url=AD, referrer="https://yandex.ru/"))

    row = await pool.fetchrow(
        """
        SELECT l.number, s.rule, o.channel, o.source, o.medium, o.campaign, s.details
          FROM leases l JOIN sessions s ON s.id = l.session_id
          JOIN sources o ON o.id = l.source_id WHERE l.session_id = $1
        """,
        shown.session,
    )
    assert dict(row) == {
        "number": make.number(1),
        "rule": "utm",
        "channel": "paid_search",
        "source": "yandex",
        "medium": "cpc",
        "campaign": "k",
        "details": {"click_ids": {"yclid": "59"}},
    }
    token = shown.emails[0].address.partition("@")[0].rpartition("-")[2]
    assert (
        await pool.fetchval("SELECT session_id FROM aliases WHERE token = $1", token)
        == shown.session
    )


async def test_the_next_page_of_a_session_shows_the_same(pool, door):
    site = await make.site(pool)
    first = await door.arrive(ask(site, url=AD))

    second = await door.arrive(
        ask(
            site,
            url="https://acme.example/prices",
            referrer=AD,
            session=first.session,
            visitor=first.visitor,
            at=make.NOON + 60 * SECOND,
        )
    )

    assert not second.new_session
    assert second.session == first.session
    assert (second.numbers, second.emails) == (first.numbers, first.emails)
    assert await pool.fetchval("SELECT count(*) FROM sessions") == 1
    assert await pool.fetchval("SELECT url FROM pages") == "https://acme.example/prices"


async def test_a_reload_of_the_tagged_page_stays_in_the_session(pool, door):
    site = await make.site(pool)
    first = await door.arrive(ask(site, url=AD))

    again = await door.arrive(
        ask(site, url=AD, session=first.session, at=make.NOON + SECOND)
    )

    assert again.session == first.session


async def test_another_advertisement_opens_another_session(pool, door):
    site = await make.site(pool)
    first = await door.arrive(ask(site, url=AD))

    second = await door.arrive(
        ask(
            site,
            url=PLAIN + "?utm_source=vk&utm_medium=cpc",
            session=first.session,
            visitor=first.visitor,
            at=make.NOON + 60 * SECOND,
        )
    )

    assert second.new_session
    assert second.visitor == first.visitor
    # His own earlier session is still the holder: the number comes back to him.
    assert number_of(second) == number_of(first)


async def test_a_session_ends_after_half_an_hour_of_silence(pool, door):
    site = await make.site(pool)
    first = await door.arrive(ask(site))

    later = await door.arrive(
        ask(
            site,
            session=first.session,
            visitor=first.visitor,
            at=make.NOON + timedelta(minutes=31),
        )
    )

    assert later.new_session
    assert later.visitor == first.visitor


async def test_a_direct_visit_keeps_the_last_significant_source(pool, door):
    site = await make.site(pool)
    first = await door.arrive(ask(site, url=AD))

    await door.arrive(ask(site, visitor=first.visitor, at=make.NOON + make.DAY))
    late = make.NOON + 100 * make.DAY
    await door.arrive(ask(site, visitor=first.visitor, at=late))

    rows = await pool.fetch(
        """
        SELECT o.source AS own, a.source AS attributed FROM sessions s
          JOIN sources o ON o.id = s.raw_source_id JOIN sources a ON a.id = s.source_id
         ORDER BY s.id
        """
    )
    assert [tuple(row) for row in rows] == [
        ("yandex", "yandex"),
        ("(direct)", "yandex"),
        ("(direct)", "(direct)"),
    ]


async def test_without_an_idle_number_the_visitor_waits_until_he_reads(pool, door):
    site = await make.site(pool, numbers=1, overflow="+74951000099")
    await door.arrive(ask(site))

    waiting = await door.arrive(ask(site, at=make.NOON + SECOND))
    reading = await door.arrive(
        ask(
            site,
            session=waiting.session,
            reading=True,
            page=False,
            at=make.NOON + 2 * SECOND,
        )
    )

    assert number_of(waiting) == ("overflow", "+74951000099")
    assert number_of(reading) == ("dynamic", make.number(1))
    shared = "SELECT shared FROM leases WHERE session_id = $1"
    assert await pool.fetchval(shared, waiting.session) is True


async def test_a_reveal_told_by_a_beat_gives_the_number_on_the_next_page(pool, door):
    site = await make.site(pool, numbers=1)
    await door.arrive(ask(site))
    waiting = await door.arrive(ask(site, at=make.NOON + SECOND))
    assert waiting.session is not None
    reveal = beats.Happening(type="reveal", at=make.NOON + 2 * SECOND)
    beat = beats.Beat(
        session=waiting.session,
        at=make.NOON + 2 * SECOND,
        state="visible",
        events=(reveal,),
    )
    await beats.write(pool, [beat])

    again = await door.arrive(
        ask(site, session=waiting.session, at=make.NOON + 3 * SECOND)
    )

    assert number_of(waiting)[0] == "own"
    assert number_of(again) == ("dynamic", make.number(1))


async def test_the_channels_static_number_is_shown_while_waiting(pool, door):
    static = ("+74951000100", {"source": "yandex", "medium": "cpc"})
    site = await make.site(pool, numbers=1, statics=[static])
    await door.arrive(ask(site))

    waiting = await door.arrive(ask(site, url=AD, at=make.NOON + SECOND))
    other = await door.arrive(ask(site, at=make.NOON + SECOND))

    assert number_of(waiting) == ("static", "+74951000100")
    assert number_of(other) == ("own", make.OWN)


async def test_without_consent_nothing_is_kept(pool):
    static = ("+74951000100", {"source": "yandex", "medium": "cpc"})
    site = await make.site(pool, statics=[static])

    shown = visits.without_consent(ask(site, url=AD))

    assert number_of(shown) == ("static", "+74951000100")
    assert (shown.visitor, shown.session, shown.emails) == (None, None, [])
    assert await pool.fetchval("SELECT count(*) FROM sessions") == 0


async def test_a_session_of_another_site_is_none(pool, door):
    other = await make.site(pool, key="other", numbers=0, mailbox=False)
    foreign = ids.mint(other.id, make.NOON)
    site = await make.site(pool)

    shown = await door.arrive(ask(site, session=foreign, visitor=uuid4()))

    assert shown.new_session
    assert shown.session != foreign


async def test_spelled_numbers_are_understood(pool, door):
    site = await make.site(pool)

    shown = await door.arrive(ask(site, replaces=("8 (495) 000-00-00",)))

    assert shown.numbers[0].replaces == "8 (495) 000-00-00"
    assert number_of(shown) == ("dynamic", make.number(1))


async def test_with_valkey_gone_visitors_keep_their_own_number_and_get_an_address(
    pool, redis_url
):
    site = await make.site(pool)
    nobody = redis.asyncio.Redis.from_url("unix:///nowhere/at/all")
    door = visits.Visits(pool, nobody, mail_domain="track.example")

    shown = await door.arrive(ask(site))

    assert number_of(shown) == ("own", make.OWN)
    assert len(shown.emails) == 1
    assert await pool.fetchval("SELECT count(*) FROM sessions") == 1


async def test_with_postgres_gone_the_page_keeps_what_it_has(pool, door, database_url):
    site = await make.site(pool)

    async with outage.of(database_url):
        shown = await door.arrive(ask(site))

    assert number_of(shown) == ("own", make.OWN)
    assert (shown.session, shown.emails) == (None, [])


async def test_valkey_emptied_lends_no_living_holders_number(pool, door, valkey):
    site = await make.site(pool, numbers=3)
    holders = [await door.arrive(ask(site)) for _ in range(2)]

    await valkey.flushall()
    newcomer = await door.arrive(ask(site, at=make.NOON + SECOND))
    crowd = await door.arrive(ask(site, at=make.NOON + SECOND))

    assert number_of(newcomer) == ("dynamic", make.number(3))
    assert number_of(crowd)[0] == "own"
    again = await door.arrive(
        ask(site, session=holders[0].session, at=make.NOON + 2 * SECOND)
    )
    assert again.numbers == holders[0].numbers


async def test_many_at_once_each_get_their_own(pool, door):
    site = await make.site(pool, numbers=150)

    shown = await asyncio.gather(*(door.arrive(ask(site)) for _ in range(150)))

    assert {number_of(one)[1] for one in shown} == {
        make.number(n) for n in range(1, 151)
    }
    assert len({one.emails[0].address for one in shown}) == 150
    assert await pool.fetchval("SELECT count(*) FROM leases") == 150


async def test_a_forgotten_visitor_id_is_taken_over(pool, door):
    site = await make.site(pool)
    visitor = UUID("11111111-1111-4111-8111-111111111111")

    shown = await door.arrive(ask(site, visitor=visitor))

    assert shown.visitor == visitor
