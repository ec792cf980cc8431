"""A contact's page and its buttons."""

from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

from tests.web.dashboard import make, reading
from tests.web.dashboard.conftest import Client
from tracker import dossier
from web.dashboard import contact

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


def test_the_picture_keeps_every_strip_within_its_frame() -> None:
    call = NOW
    held = [
        dossier.Held(
            session_id=uuid4(),
            since=call - timedelta(minutes=7 * n + 1),
            last_sign_at=call + timedelta(minutes=9) - timedelta(minutes=6 * n),
            seen_at=call - timedelta(minutes=7 * n) if n % 2 else None,
            clicked_at=None,
            left_at=None,
            shared=n == 3,
        )
        for n in range(40)
    ]
    likely = dossier.Candidate(
        session_id=held[-1].session_id, weight=0.6, why={}, channel="direct", source="",
        medium="", campaign="", started_at=call, device="mobile", landing_url=None,
    )  # fmt: skip
    picture = contact.draw(held, [likely], call)
    assert len(picture.strips) == contact.STRIPS
    assert any(
        one.place == 1 for one in picture.strips
    )  # the likely one, though oldest
    for one in picture.strips:
        assert 0 <= one.left <= 100
        assert one.width > 0
        assert one.left + one.width <= 100.7
    assert 0 <= picture.call <= 100


async def _state(world: make.World, delivery: UUID) -> str:
    state = await world.db.fetchval(
        "SELECT state FROM deliveries WHERE id = $1", delivery
    )
    return str(state)
