"""People, their sign-ins and links; tokens of scripts."""

import asyncio
from datetime import timedelta

import pytest

from tests.conftest import NOON
from tracker import tokens, users
from tracker.errors import BadInput

PASSWORD = "correct horse battery"
A_DAY = timedelta(days=1)


async def test_a_person_is_found_however_the_address_is_capitalised(db):
    added = await users.add(db, " Anna@Acme.Example", name="Анна", at=NOON)

    assert added.email == "anna@acme.example"
    assert await users.find(db, "ANNA@acme.example ") == added
    assert await users.everyone(db) == [added]


async def test_the_same_address_is_refused_twice(db):
    await users.add(db, "anna@acme.example", at=NOON)

    with pytest.raises(BadInput, match="is there already"):
        await users.add(db, "Anna@acme.example", at=NOON)


@pytest.mark.parametrize(
    "email", ["", "anna", "a@", "@b", "a b@c.d", "a@b\n.c", "x" * 255]
)
async def test_what_is_no_address_is_refused(db, email):
    with pytest.raises(BadInput, match="must be an address"):
        await users.add(db, email, at=NOON)


async def test_only_the_right_password_signs_in(db):
    anna = await users.add(db, "anna@acme.example", password=PASSWORD, at=NOON)
    await users.add(db, "link@acme.example", at=NOON)

    assert await users.check(db, "Anna@acme.example", PASSWORD) == anna
    assert await users.check(db, "anna@acme.example", PASSWORD + "!") is None
    assert await users.check(db, "nobody@acme.example", PASSWORD) is None
    assert await users.check(db, "link@acme.example", "") is None


async def test_the_password_is_kept_as_argon2id(db):
    await users.add(db, "anna@acme.example", password=PASSWORD, at=NOON)

    kept = await db.fetchval("SELECT password_hash FROM users")

    assert kept.startswith("$argon2id$")


async def test_a_short_password_is_refused_and_nobody_added(db):
    with pytest.raises(BadInput, match="8 to 1000"):
        await users.add(db, "anna@acme.example", password="short", at=NOON)

    assert await users.everyone(db) == []


async def test_a_hash_of_weaker_terms_is_made_anew_when_its_person_signs_in(db):
    anna = await users.add(db, "anna@acme.example", at=NOON)
    weak = users.PasswordHasher(time_cost=1, memory_cost=8, parallelism=1).hash(
        PASSWORD
    )
    await db.execute("UPDATE users SET password_hash = $1", weak)

    assert await users.check(db, anna.email, PASSWORD) == anna
    assert await db.fetchval("SELECT password_hash FROM users") != weak
    assert await users.check(db, anna.email, PASSWORD) == anna


async def test_a_sign_in_lasts_thirty_days(db):
    anna = await users.add(db, "anna@acme.example", at=NOON)
    token = await users.sign_in(db, anna.id, at=NOON)

    login = await users.login(db, token, at=NOON + 29 * A_DAY)
    assert login is not None
    assert login.user == anna
    assert len(login.csrf) >= 43
    assert await users.login(db, token, at=NOON + 30 * A_DAY) is None
    assert await users.login(db, token + "x", at=NOON) is None


async def test_nothing_in_the_database_opens_a_session(db):
    anna = await users.add(db, "anna@acme.example", at=NOON)
    token = await users.sign_in(db, anna.id, at=NOON)
    link = await users.make_link(db, anna.id, at=NOON)

    rows = str(
        await db.fetch(
            "SELECT logins::text, signin_links::text FROM logins, signin_links"
        )
    )

    assert token not in rows
    assert link not in rows


async def test_signing_out_ends_this_browser_only(db):
    anna = await users.add(db, "anna@acme.example", at=NOON)
    one, other = [await users.sign_in(db, anna.id, at=NOON) for _ in range(2)]

    await users.sign_out(db, one)

    assert await users.login(db, one, at=NOON) is None
    assert await users.login(db, other, at=NOON) is not None


async def test_a_new_password_signs_every_browser_out(db):
    anna = await users.add(db, "anna@acme.example", password=PASSWORD, at=NOON)
    token = await users.sign_in(db, anna.id, at=NOON)

    await users.set_password(db, anna.id, "another one, long enough")

    assert await users.login(db, token, at=NOON) is None
    assert await users.check(db, anna.email, "another one, long enough") == anna


async def test_sign_ins_that_have_run_out_are_swept(db):
    anna = await users.add(db, "anna@acme.example", at=NOON)
    await users.sign_in(db, anna.id, at=NOON)

    await users.sign_in(db, anna.id, at=NOON + 31 * A_DAY)

    assert await db.fetchval("SELECT count(*) FROM logins") == 1


async def test_a_link_signs_in_once_even_when_two_ask_at_the_same_moment(pool):
    anna = await users.add(pool, "anna@acme.example", at=NOON)
    token = await users.make_link(pool, anna.id, at=NOON)

    assert await users.link_works(pool, token, at=NOON)
    found = await asyncio.gather(
        *(users.use_link(pool, token, at=NOON) for _ in range(5))
    )

    assert sorted(found, key=bool)[-1] == anna
    assert found.count(None) == 4
    assert not await users.link_works(pool, token, at=NOON)


async def test_a_link_does_not_work_after_its_time(db):
    anna = await users.add(db, "anna@acme.example", at=NOON)
    token = await users.make_link(db, anna.id, at=NOON)

    late = NOON + users.LINK_LASTS

    assert not await users.link_works(db, token, at=late)
    assert await users.use_link(db, token, at=late) is None


async def test_somebody_has_a_way_in_once_there_is_a_sign_in_or_a_password(db):
    anna = await users.add(db, "anna@acme.example", at=NOON)
    await users.make_link(db, anna.id, at=NOON)
    assert not await users.anybody_signed_in(db)

    await users.sign_in(db, anna.id, at=NOON)
    assert await users.anybody_signed_in(db)

    await db.execute("DELETE FROM logins")
    await users.set_password(db, anna.id, PASSWORD)
    assert await users.anybody_signed_in(db)


async def test_removing_a_person_ends_his_sign_ins(db):
    anna = await users.add(db, "anna@acme.example", at=NOON)
    token = await users.sign_in(db, anna.id, at=NOON)

    assert await users.remove(db, "Anna@acme.example")

    assert await users.login(db, token, at=NOON) is None
    assert not await users.remove(db, "anna@acme.example")


async def test_a_token_allows_its_scopes_on_its_site(db):
    made = await tokens.add(db, 7, scopes=["read", "write"], name="BI", at=NOON)

    found = await tokens.find(db, made, at=NOON)

    assert found is not None
    assert (found.site_id, found.name, found.scopes) == (7, "BI", {"read", "write"})
    assert made.startswith("skv_")
    assert len(made) > 40
    assert await tokens.find(db, made[:-1], at=NOON) is None
    assert await tokens.find(db, "anything", at=NOON) is None


async def test_the_last_use_of_a_token_is_written_at_most_once_a_minute(db):
    made = await tokens.add(db, 7, scopes=["read"], at=NOON)
    second = timedelta(seconds=1)

    await tokens.find(db, made, at=NOON)
    await tokens.find(db, made, at=NOON + 59 * second)
    [one] = await tokens.of_site(db, 7)
    assert one.last_used_at == NOON

    await tokens.find(db, made, at=NOON + 60 * second)
    [one] = await tokens.of_site(db, 7)
    assert one.last_used_at == NOON + 60 * second


async def test_a_revoked_token_is_worthless_and_others_are_not(db):
    made = [await tokens.add(db, 7, scopes=["read"], at=NOON) for _ in range(2)]
    first = await tokens.find(db, made[0], at=NOON)
    assert first is not None

    assert not await tokens.revoke(db, 8, first.id)
    assert await tokens.revoke(db, 7, first.id)

    assert await tokens.find(db, made[0], at=NOON) is None
    assert await tokens.find(db, made[1], at=NOON) is not None


@pytest.mark.parametrize("scopes", [[], ["everything"], ["read", "root"]])
async def test_an_unknown_scope_is_refused(db, scopes):
    with pytest.raises(BadInput, match="read, write, contacts"):
        await tokens.add(db, 7, scopes=scopes, at=NOON)
