"""A contact's page and its buttons."""

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest

from tests.web.dashboard import make, reading
from tests.web.dashboard.conftest import Client
from tracker import dossier, models
from web.dashboard import holders

NOW = datetime.now(UTC).replace(microsecond=0)


async def test_the_page_tells_the_whole_story(
    reader: Client, world: make.World
) -> None:
    id_ = await make.busy(world, at=NOW, contacts=1)
    text = reading.words(await reading.page(reader, f"/acme/contacts/{id_}"))
    assert "Иван Петров" in text
    assert "91.2%" in text  # the candidate's weight
    assert "the visit tapped the number time since then 0:30" in text  # why
    assert "usual at that point 112.32 an hour" in text
    assert "this source × 1.12" in text
    assert "number was shared" not in text
    assert "none of these" in text
    assert "Вопрос о сроках" in text  # the earlier letter, on the path
    assert "/windows" in text
    assert "₽84,500" in text
    assert "HTTP 500: oops" in text
    assert "3 attempts" in text


async def test_a_letter_shows_its_subject_and_text(
    reader: Client, world: make.World
) -> None:
    id_ = await make.contact(
        world,
        at=NOW,
        kind="email",
        email="i@c.example",
        subject="Окна",
        text="Сколько стоит?",
    )
    text = reading.words(await reading.page(reader, f"/acme/contacts/{id_}"))
    assert "Окна" in text
    assert "Сколько стоит?" in text


async def test_only_addresses_of_the_web_become_links(
    reader: Client, world: make.World
) -> None:
    bad = await make.contact(world, at=NOW, recording="javascript:alert(1)")
    good = await make.contact(world, at=NOW, recording="https://pbx.example/1.mp3")
    assert "javascript:" not in await reading.page(reader, f"/acme/contacts/{bad}")
    assert 'href="https://pbx.example/1.mp3"' in await reading.page(
        reader, f"/acme/contacts/{good}"
    )


async def test_a_dead_delivery_is_owed_again_by_its_button(
    reader: Client, world: make.World
) -> None:
    id_ = await make.contact(world, at=NOW)
    delivery = await make.delivery(world, id_, at=NOW, state="dead", error="HTTP 400")
    page = f"/acme/contacts/{id_}"
    place = await reading.send(
        reader, f"{page}/replay", {"delivery": str(delivery)}, from_=page
    )
    assert place == f"{page}?done=replayed#deliveries"
    assert await _state(world, delivery) == "owed"
    assert "It will be sent again." in await reading.page(
        reader, f"{page}?done=replayed"
    )


async def test_a_delivery_of_another_contact_is_not_replayed_from_here(
    reader: Client, world: make.World
) -> None:
    one, other = await make.contact(world, at=NOW), await make.contact(world, at=NOW)
    delivery = await make.delivery(world, other, at=NOW, state="dead", error="HTTP 400")
    page = f"/acme/contacts/{one}"
    for given in (str(delivery), str(uuid4())):
        await reading.send(
            reader, f"{page}/replay", {"delivery": given}, from_=page, status=404
        )
    await reading.send(
        reader, f"{page}/replay", {"delivery": "x"}, from_=page, status=400
    )
    assert await _state(world, delivery) == "dead"


async def test_buttons_need_the_readers_own_token(
    reader: Client, world: make.World
) -> None:
    id_ = await make.contact(world, at=NOW)
    delivery = await make.delivery(world, id_, at=NOW, state="dead", error="HTTP 400")
    for csrf in ("", "x" * 43):
        data = {"delivery": str(delivery), "csrf": csrf}
        async with reader.post(f"/acme/contacts/{id_}/replay", data=data) as response:
            assert response.status == 403
    assert await _state(world, delivery) == "dead"


async def test_spam_is_left_out_and_taken_back(
    reader: Client, world: make.World
) -> None:
    id_ = await make.contact(world, at=NOW)
    page = f"/acme/contacts/{id_}"
    await reading.send(reader, f"{page}/exclude", {"reason": "spam"}, from_=page)
    assert not reading.rows(await reading.page(reader, "/acme/contacts"))
    assert "spam" in reading.words(await reading.page(reader, page))
    await reading.send(reader, f"{page}/exclude", {"reason": ""}, from_=page)
    assert reading.rows(await reading.page(reader, "/acme/contacts")) == [str(id_)]
    await reading.send(
        reader, f"{page}/exclude", {"reason": "rude"}, from_=page, status=400
    )


async def test_an_address_that_names_no_contact_is_not_found(reader: Client) -> None:
    for id_ in ("x", str(uuid4())):
        await reading.page(reader, f"/acme/contacts/{id_}", status=404)


# The picture ------------------------------------------------------------------------------


def held(since: timedelta, until: timedelta, **more: Any) -> dossier.Held:
    """Held from so long before the call, seen alive until so long before it."""
    usual = {"seen_at": None, "clicked_at": None, "left_at": None, "shared": False}
    return dossier.Held(
        session_id=uuid4(), since=NOW - since, last_sign_at=NOW - until, **usual | more
    )


def likely(one: dossier.Held, weight: float = 0.6) -> dossier.Candidate:
    return dossier.Candidate(
        session_id=one.session_id, weight=weight, why={}, channel="direct", source="",
        medium="", campaign="", started_at=NOW, device="mobile", landing_url=None,
    )  # fmt: skip


MINUTE = timedelta(minutes=1)
DAY = timedelta(days=1)


@pytest.mark.parametrize("oldest", [2 * MINUTE, 100 * MINUTE, 2 * DAY, 14 * DAY])
def test_the_picture_keeps_every_strip_within_its_frame(oldest: timedelta) -> None:
    some = [held(oldest * n / 40 + MINUTE, (oldest * n / 40) * 0.9 - MINUTE, seen_at=NOW - oldest * n / 40) for n in range(40)]  # fmt: skip
    picture = holders.draw(some, [likely(some[-1])], NOW)
    assert len(picture.strips) == holders.STRIPS
    assert any(
        one.place == 1 for one in picture.strips
    )  # the likely one, though oldest
    for one in picture.strips:
        assert 0 <= one.left <= one.left + one.width <= picture.call
        assert one.seen is not None
        assert one.left <= one.seen <= picture.call
    places = [tick.x for tick in picture.ticks]
    assert places
    assert all(0 <= x <= picture.call for x in places)


def test_a_number_held_for_days_is_drawn_with_the_last_minutes_wide() -> None:
    old, new = held(4 * DAY, 4 * DAY - MINUTE), held(3 * MINUTE, MINUTE)
    picture = holders.draw([old, new], [likely(old)], NOW)
    assert not picture.even
    assert picture.strips[1].width > 5
    assert [tick.before for tick in picture.ticks] == [60, 600, 3600, 21_600, 86_400]  # fmt: skip


def test_who_is_still_there_and_who_left_is_told_as_it_was_weighed() -> None:
    here = held(9 * MINUTE, 30 * MINUTE / 60)
    silent = held(8 * MINUTE, MINUTE)
    left = held(7 * MINUTE, MINUTE, left_at=NOW - 50 * MINUTE / 60)
    back = held(6 * MINUTE, -MINUTE, left_at=NOW - 5 * MINUTE)  # shown the tab again
    after = held(5 * MINUTE, -MINUTE, clicked_at=NOW + MINUTE, seen_at=NOW - MINUTE)
    strips = holders.draw([here, silent, left, back, after], [], NOW).strips
    assert [one.here for one in strips] == [True, False, False, True, True]
    assert [one.parted is not None for one in strips] == [False, False, True, False, False]  # fmt: skip
    assert strips[-1].clicked is None  # nothing of later
    assert strips[-1].left + strips[-1].width == holders.CALL


MARK = 'class="provisional"'


# A call that was weighed ----------------------------------------------------------------------


async def weighed(
    world: make.World, *, model: str, learned_from: int, none: float = 0.019
) -> UUID:
    """The usual call with the basis of its answer."""
    id_ = await make.busy(world, at=NOW, contacts=1)
    await world.db.execute(
        "INSERT INTO answers (site_id, contact_id, rule, model, learned_from, noise, none) "
        "VALUES ($1, $2, 'pool-posterior/3', $3, $4, 0.0001, $5)",
        world.site_id, id_, model, learned_from, none,
    )  # fmt: skip
    return id_


async def test_the_page_tells_by_which_model_and_how_sure_of_nobody(
    reader: Client, world: make.World
) -> None:
    id_ = await weighed(world, model="learned-1", learned_from=312)
    await models.add(
        world.db, world.site_id, None, made_at=NOW - DAY, since=None, heard=312
    )
    text = reading.words(await reading.page(reader, f"/acme/contacts/{id_}"))
    assert "model learned-1 of" in text
    assert "learned from 312 first calls" in text
    assert "1.9% none of them" in text
    assert "unrelated calls 0.36 an hour" in text
    assert "provisional" not in text
    assert "expected calls of all visits" in text  # the formula


async def test_certainty_is_provisional_until_fifty_callers_were_learned(
    reader: Client, world: make.World
) -> None:
    id_ = await weighed(world, model="day-one", learned_from=49)
    pages = (f"/acme/contacts/{id_}", "/acme/contacts")
    for path in pages:
        assert MARK in await reading.page(reader, path)
    await world.db.execute("UPDATE answers SET learned_from = 50")
    for path in pages:
        assert MARK not in await reading.page(reader, path)


async def test_what_is_certain_is_never_provisional(
    reader: Client, world: make.World
) -> None:
    await make.contact(
        world, at=NOW, kind="form", rule="session/1", email="a@b.example"
    )
    page = reading.words(await reading.page(reader, "/acme/contacts"))
    assert "provisional" not in page


async def test_all_answers_that_are_kept_can_be_compared(
    reader: Client, world: make.World
) -> None:
    id_ = await weighed(world, model="day-one", learned_from=0)
    page = f"/acme/contacts/{id_}"
    assert "answers are kept" not in reading.words(await reading.page(reader, page))
    await world.db.execute(
        "INSERT INTO answers SELECT site_id, contact_id, 'pool-posterior/3+learned-2', 'learned-2', 90, noise, 1 "
        "FROM answers"
    )
    text = reading.words(await reading.page(reader, page))
    assert "2 answers are kept" in text
    assert "pool-posterior/3 counts" in text
    assert "pool-posterior/3+learned-2" in text


async def test_the_likely_holder_of_days_ago_is_in_the_picture(
    reader: Client, world: make.World
) -> None:
    number = "+74951000001"
    old = await make.visit(world, at=NOW - 3 * DAY, source=make.AD, number=number)
    await make.visit(world, at=NOW - 4 * DAY, source=make.AD, number=number)
    id_ = await make.contact(
        world, at=NOW, number=number, candidates=[(old, make.AD, 0.7, {})]
    )
    page = await reading.page(reader, f"/acme/contacts/{id_}")
    assert page.count('<g class="strip') == 1
    assert "−6 hours" in page


async def _state(world: make.World, delivery: UUID) -> str:
    state = await world.db.fetchval(
        "SELECT state FROM deliveries WHERE id = $1", delivery
    )
    return str(state)
