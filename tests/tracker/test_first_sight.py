"""What a new server shows, and for how long."""

from dataclasses import replace
from datetime import timedelta

import pytest

from tests.conftest import NOON
from tracker import config, example, first_sight, users

LATER = NOON + timedelta(days=3)


@pytest.fixture
def settings() -> config.Settings:
    return replace(config.read({}), public_url="https://calls.acme.example")


async def test_an_empty_database_gets_an_example_and_its_first_person_a_link(
    pool, settings, seal
):
    welcome = await first_sight.prepare(pool, settings, seal, at=NOON)

    assert welcome.demo
    assert await pool.fetchval("SELECT demo FROM sites WHERE key = $1", example.KEY)
    assert welcome.link is not None
    address, _, token = welcome.link.rpartition("/")
    assert address == "https://calls.acme.example/sign-in"
    almost_a_day = NOON + timedelta(hours=23)
    person = await users.use_link(pool, token, at=almost_a_day)
    assert person is not None
    assert person.email == first_sight.FIRST_PERSON
    words = first_sight.words(settings, welcome)
    assert welcome.link in words
    assert "https://calls.acme.example/demo/" in words


async def test_each_start_prints_a_link_until_somebody_signed_in(pool, settings, seal):
    first = await first_sight.prepare(pool, settings, seal, at=NOON)
    second = await first_sight.prepare(pool, settings, seal, at=LATER)
    assert second.link not in (None, first.link)
    [person] = await users.everyone(pool)

    await users.sign_in(pool, person.id, at=LATER)

    third = await first_sight.prepare(pool, settings, seal, at=LATER)
    assert third.link is None
    assert "sign-in" not in first_sight.words(settings, third)


async def test_the_first_person_is_the_administrator_where_one_is_named(
    pool, settings, seal
):
    named = replace(settings, admin_email="Olga@acme.example")

    await first_sight.prepare(pool, named, seal, at=NOON)

    assert [one.email for one in await users.everyone(pool)] == ["olga@acme.example"]


async def test_an_example_that_was_taken_away_stays_away(pool, settings, seal):
    await first_sight.prepare(pool, settings, seal, at=NOON)
    async with pool.acquire() as db:
        assert await example.remove(db)

    again = await first_sight.prepare(pool, settings, seal, at=LATER)

    assert not again.demo
    assert await pool.fetchval("SELECT count(*) FROM sites") == 0
