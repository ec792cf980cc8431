"""The plan page: asked for, waited for, read; in both languages, and while there is nothing."""

import re
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from aiohttp.test_utils import TestServer

from numberpool.sizing import Advice, Plan, Question
from tests.make import plan as made_plan
from tests.web.dashboard import make, reading
from tests.web.dashboard.conftest import Client
from tracker import plan_rows
from web import keys
from web.dashboard import plan

PAGE = "/acme/numbers/plan"


async def kept(
    world: make.World,
    question: Question = plan_rows.USUAL,
    *,
    trouble: str | None = None,
    at: datetime | None = None,
    **told: Any,
) -> Plan:
    """A plan of the pool with its six numbers, as the worker writes it."""
    at = at or datetime.now(UTC)
    answer = made_plan(**{"current": 6, "question": question} | told)
    await plan_rows.ask(world.db, world.site_id, world.pool_id, question, at=at)
    one = await plan_rows.find(world.db, world.site_id, world.pool_id, question)
    assert one is not None
    await plan_rows.record(
        world.db, one, None if trouble else answer, trouble=trouble, at=at
    )
    return answer


async def text_of(reader: Client, path: str = PAGE) -> str:
    return reading.words(await reading.page(reader, path))


async def waits(world: make.World) -> list[Question]:
    rows = await world.db.fetch("SELECT key FROM plans WHERE asked_at IS NOT NULL")
    found = []
    for _ in rows:
        one = await plan_rows.claim(world.db, at=datetime.now(UTC))
        assert one is not None
        found.append(one.question)
    return found


async def test_who_opens_it_first_sees_that_it_is_being_made_and_looks_again_by_itself(
    reader: Client, world: make.World
) -> None:
    page = await reading.page(reader, PAGE)

    assert "are being rehearsed" in page
    assert re.search(r'id="plan" hx-get="/acme/numbers/plan\?" hx-trigger="load', page)
    assert await waits(world) == [Question()]


async def test_a_plan_tells_the_advice_the_curve_and_every_figure(
    reader: Client, world: make.World
) -> None:
    await kept(world, current=6)

    page = await reading.page(reader, PAGE)
    text = reading.words(page)

    assert "Advised numbers: 4" in text
    assert (
        "10 more numbers would find only 1.5% more of the callers, less than 2%."
        in text
    )
    assert 'hx-trigger="load' not in page
    assert "₽5,000" in text  # what two numbers misplace a month
    assert "revenue ÷ contacts of the last 90 days" in text
    assert page.count('<circle class="found"') == 3
    for name in ("own", "shared", "blocked", "erlang", "found", "right", "error", "wrong_calls", "loss"):  # fmt: skip
        assert f'popovertarget="f-{name}"' in page
        assert f'id="f-{name}"' in page
    assert await waits(world) == []


@pytest.mark.parametrize(
    ("advice", "words"),
    [
        (Advice(numbers=4, reason="goal", found=0.7, gain=0.1), "The fewest that find 70%"),
        (Advice(numbers=8, reason="goal_unreached", found=0.72, gain=0.1), "Even 8 numbers are not enough"),
        (Advice(numbers=8, reason="unsettled", found=0.72, gain=0.1), "Advised numbers: 8 or more"),
    ],
)  # fmt: skip
async def test_the_reason_is_told_in_words(
    reader: Client, world: make.World, advice: Advice, words: str
) -> None:
    await kept(world, Question(goal=0.7), advice=advice)

    assert words in await text_of(reader, f"{PAGE}?goal=70")


async def test_what_if_is_asked_with_the_words_of_the_form(
    reader: Client, world: make.World
) -> None:
    asked = (
        "?traffic=1,5&source=Yandex/CPC&times=3&rest=600&share=off&late=never&goal=80"
    )

    page = await reading.page(reader, PAGE + asked)

    assert await waits(world) == [
        Question(
            traffic=1.5, sources={"yandex/cpc": 3.0}, rest=600.0, share=False,
            late="never", goal=0.8,
        )
    ]  # fmt: skip
    assert 'value="1,5"' in page
    assert '<option value="600" selected>10 minutes</option>' in page
    assert "traffic=1%2C5" in page  # it looks again for the same


@pytest.mark.parametrize(
    ("query", "words"),
    [
        ("traffic=x", "Times of all visits"),
        ("traffic=0", "Times of all visits"),
        ("source=yandex", "A source is like yandex/cpc"),
        ("source=a/b&times=99", "A source is like yandex/cpc"),
        ("rest=1e9", "Rest: from 0"),
        ("share=maybe", "Sharing is on or off"),
        ("late=soon", "When to wait is"),
        ("goal=nan", "The goal is a percentage"),
        ("goal=100", "The goal is a percentage"),
    ],
)
async def test_what_makes_no_sense_is_named_and_left_out(
    reader: Client, world: make.World, query: str, words: str
) -> None:
    assert words in await text_of(reader, f"{PAGE}?{query}")
    assert await waits(world) == [Question()]


async def test_an_old_plan_is_shown_while_the_new_one_is_made(
    reader: Client, world: make.World
) -> None:
    await kept(world, at=datetime.now(UTC) - timedelta(hours=25))

    text = await text_of(reader)

    assert "are being rehearsed" in text and "Advised numbers: 4" in text


async def test_without_any_visit_it_says_what_to_do(
    reader: Client, world: make.World
) -> None:
    await kept(world, sizes=(), advice=None)

    text = await text_of(reader)

    assert "Nobody was shown a number yet" in text
    assert "one for each 20 visits a day" in text


async def test_a_site_without_a_pool_is_told_the_rule_of_thumb(
    reader: Client, world: make.World, server: TestServer
) -> None:
    await world.db.execute("UPDATE pools SET retired_at = now()")
    await server.app[keys.DIRECTORY].load()

    text = await text_of(reader)

    assert "No pool yet" in text and "one for each 20 visits a day" in text


async def test_a_plan_that_could_not_be_made_says_why(
    reader: Client, world: make.World
) -> None:
    await kept(world, trouble="it could not be made; the server's log tells why")

    assert "The plan could not be made:" in await text_of(reader)
    assert await waits(world) == []  # it is not tried again at once


@pytest.mark.parametrize(
    ("told", "words"),
    [
        ({"provisional": True}, "Provisional"),
        ({"days": 5.0}, "less than the 28 days asked for"),
        ({"every": 3}, "one in 3 was taken"),
        ({"worth": None, "worth_by": None}, "not known yet"),
        ({"worth_by": "cost"}, "cost ÷ contacts"),
    ],
)
async def test_what_weakens_a_plan_is_told(
    reader: Client, world: make.World, told: dict[str, Any], words: str
) -> None:
    await kept(world, **told)

    assert words in await text_of(reader)


async def test_it_speaks_russian(reader: Client, world: make.World) -> None:
    await kept(world)

    async with reader.get(PAGE, headers={"Accept-Language": "ru"}) as response:
        text = reading.words(await response.text())

    assert "Советуем номеров: 4" in text
    assert "звонящих найдено" in text


def test_each_doubling_is_the_same_step_across_and_important_figures_are_named() -> (
    None
):
    marks = plan.draw(made_plan(current=4))

    assert [one.numbers for one in marks] == [2, 4, 8]
    assert marks[1].x - marks[0].x == pytest.approx(marks[2].x - marks[1].x, abs=0.2)
    assert [one.now for one in marks] == [False, True, False]
    assert [one.advised for one in marks] == [False, True, False]
    assert all(one.named for one in marks)
    assert marks[0].found > marks[2].found  # higher is nearer the top
