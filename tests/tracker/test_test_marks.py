"""`skvoz_test=1`: what the owner tries out is kept and left out of figures."""

from uuid import UUID

import msgspec
import pytest
import redis.asyncio

from tests import make
from tests.tracker.known import Known
from tracker import contacts, ids, letters, visits
from tracker import db as database
from tracker.sites import Site

PAGE = "https://acme.example/"


@pytest.fixture
def door(pool: database.Pool, valkey: redis.asyncio.Redis) -> visits.Visits:
    # The machine may be busy with other tests.
    return visits.Visits(pool, valkey, mail_domain="track.example", patience=20)


def ask(site: Site, **changes: object) -> visits.Visit:
    visit = visits.Visit(
        site=site, at=make.NOON, url=PAGE, replaces=(make.OWN, make.MAILBOX)
    )
    return msgspec.structs.replace(visit, **changes)  # type: ignore[arg-type]


async def is_test(pool: database.Pool, shown: visits.Arrival) -> bool:
    return await pool.fetchval("SELECT test FROM sessions WHERE id = $1", shown.session)


@pytest.mark.parametrize(
    ("address", "mark"),
    [
        (PAGE, None),
        (f"{PAGE}?skvoz_test=1", True),
        (f"{PAGE}?a=b&skvoz_test=1#top", True),
        (f"{PAGE}#/cart?skvoz_test=1", True),
        (f"{PAGE}?skvoz_test=0&a=b", False),
        (f"{PAGE}?skvoz_test=10", None),
        (f"{PAGE}?skvoz_test=", None),
        (f"{PAGE}?q=skvoz_test=1", None),
        (f"{PAGE}?not_skvoz_test=1", None),
    ],
)
def test_the_mark_is_a_parameter_of_its_own(address, mark):
    assert visits.test_mark(address) is mark


async def test_a_running_session_is_marked_and_the_mark_taken_back(pool, door):
    site = await make.site(pool)
    shown = await door.arrive(ask(site))
    marks = [await is_test(pool, shown)]

    for end in ("?skvoz_test=1", "about", "?skvoz_test=0", "about"):
        again = await door.arrive(
            ask(site, url=PAGE + end, session=shown.session, visitor=shown.visitor)
        )
        assert again.session == shown.session
        marks.append(await is_test(pool, shown))

    assert marks == [False, True, True, False, False]


async def test_contacts_of_a_session_marked_on_its_way_are_tests_by_every_door(
    pool, door
):
    site = await make.site(pool, numbers=1)
    shown = await door.arrive(ask(site))
    await door.arrive(
        ask(site, url=f"{PAGE}?skvoz_test=1", session=shown.session, reading=True)
    )
    known = Known(db=pool, site=site)
    at = make.NOON + make.HOUR / 60

    call = await known.call(at, make.number(1))
    form = await known.form(at, shown.session)
    letter = await write(pool, site, shown)

    rows = await pool.fetch("SELECT id, kind, excluded, lead_id FROM contacts")
    assert {row["id"] for row in rows} == {call, form, letter}
    assert {row["kind"]: row["excluded"] for row in rows} == {
        "call": "test",
        "form": "test",
        "email": "test",
    }
    assert {row["lead_id"] for row in rows} == {None}


async def test_contacts_after_the_mark_was_taken_back_count(pool, door):
    site = await make.site(pool)
    shown = await door.arrive(ask(site, url=f"{PAGE}?skvoz_test=1"))
    await door.arrive(ask(site, url=f"{PAGE}?skvoz_test=0", session=shown.session))

    form = await Known(db=pool, site=site).form(make.NOON, shown.session)

    assert (
        await pool.fetchval("SELECT excluded FROM contacts WHERE id = $1", form) is None
    )


async def write(pool: database.Pool, site: Site, shown: visits.Arrival) -> UUID:
    """A letter to the session's own address."""
    address = shown.emails[0].address
    letter = letters.Letter(
        site_id=site.id,
        inbox_id=ids.mint(site.id, make.NOON),
        digest="0" * 64,
        alias=address,
        token=address.partition("@")[0],
        mailbox_id=site.mailboxes[0].id,
        session_id=shown.session,
        source_id=None,
        from_address="ivan@client.example",
        from_name="",
        reply_to="",
        phones=(),
        subject="",
        text="",
        message_id="",
        size=1,
        attachments=(),
        received_at=make.NOON,
    )
    async with pool.acquire() as db, db.transaction():
        return await contacts.capture_letter(db, site, letter, at=make.NOON)
