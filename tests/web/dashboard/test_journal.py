"""The journal: order, filters, search, pages, what is escaped."""

from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest

from tests.web.dashboard import make, reading
from tests.web.dashboard.conftest import Client
from tracker import journal

NOW = datetime.now(UTC).replace(microsecond=0)
MINUTE = timedelta(minutes=1)


async def test_an_empty_journal_says_what_to_do_next(reader: Client) -> None:
    html = await reading.page(reader, "/acme/contacts")
    assert "Nobody has called or written yet" in html
    assert "/s/acme.js" in html


async def test_contacts_stand_newest_first_with_all_that_is_asked_of_a_row(
    reader: Client, world: make.World
) -> None:
    old = await make.contact(world, at=NOW - 3 * MINUTE)
    new = await make.contact(
        world,
        at=NOW - 2 * MINUTE,
        caller="+79031112233",
        outcome="missed",
        certainty=0.42,
    )
    html = await reading.page(reader, "/acme/contacts")
    assert reading.rows(html) == [str(new), str(old)]
    text = reading.words(html)
    assert "+7 903 111-22-33" in text
    assert "Paid search yandex / windows_moscow 42% missed" in text
    assert "90% 1:01" in text


async def test_a_callers_name_is_text_and_nothing_else(
    reader: Client, world: make.World
) -> None:
    id_ = await make.contact(
        world,
        at=NOW,
        name="<script>alert(1)</script>",
        kind="form",
        text='"><img src=x>',
    )
    for path in ("/acme/contacts", f"/acme/contacts/{id_}"):
        html = await reading.page(reader, path)
        assert "<script>alert" not in html
        assert "<img" not in html
        assert "&lt;script&gt;alert(1)&lt;/script&gt;" in html


async def test_what_was_typed_into_a_filter_comes_back_as_text(reader: Client) -> None:
    html = await reading.page(
        reader, "/acme/contacts?q=%22%3E%3Cscript%3E&source=%3Cb%3E"
    )
    assert '"><script>' not in html
    assert "<b>" not in html


@pytest.fixture
async def six(world: make.World) -> dict[str, str]:
    """One contact of each sort, a minute apart."""
    made: dict[str, UUID] = {
        "call": await make.contact(world, at=NOW - 1 * MINUTE, caller="+79161234567"),
        "missed": await make.contact(
            world, at=NOW - 2 * MINUTE, caller="+74957654321", outcome="busy", source=make.SEARCH,
            certainty=0.6,
        ),
        "letter": await make.contact(
            world, at=NOW - 3 * MINUTE, kind="email", email="Ivan_P@client.example",
            source=make.BILLBOARD, certainty=1.0,
        ),
        "form": await make.contact(
            world, at=NOW - 4 * MINUTE, kind="form", source=None, caller="+79990001122"
        ),
        "spam": await make.contact(world, at=NOW - 5 * MINUTE, excluded="spam"),
        "old": await make.contact(world, at=NOW - timedelta(days=40), certainty=0.85),
    }  # fmt: skip
    return {str(id_): name for name, id_ in made.items()}


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("", ["call", "missed", "letter", "form", "old"]),
        ("kind=email", ["letter"]),
        ("channel=paid_search", ["call", "old"]),
        ("channel=unknown", ["form"]),
        ("source=GOOGLE", ["missed"]),
        ("campaign=ring-road", ["letter"]),
        ("missed=1", ["missed"]),
        ("certainty=80", ["call", "letter", "form", "old"]),
        ("certainty=95", ["letter"]),
        ("excluded=1", ["call", "missed", "letter", "form", "spam", "old"]),
        ("period=30d", ["call", "missed", "letter", "form"]),
        ("q=765-43", ["missed"]),
        ("q=8+(916)+123", ["call", "old"]),
        ("q=%2B7+916", ["call", "old"]),
        ("q=IVAN_P%40", ["letter"]),
        ("q=client%25", []),
        (
            "kind=nonsense&certainty=x&period=x&from=x",
            ["call", "missed", "letter", "form", "old"],
        ),
    ],
)
async def test_filters_and_search_leave_what_fits(
    reader: Client, six: dict[str, str], query: str, found: list[str]
) -> None:
    if "certainty=80" in query or "certainty=95" in query:
        found = [name for name in found if name != "form"]  # a contact without a source
    html = await reading.page(reader, f"/acme/contacts?{query}")
    assert [six[id_] for id_ in reading.rows(html)] == found
    if not found:
        assert "Nothing fits these filters" in html


async def test_days_of_ones_own_choice_are_the_sites_days(
    reader: Client, world: make.World
) -> None:
    # 21:30 UTC is half past midnight of the next day in Moscow.
    late = await make.contact(world, at=datetime(2026, 11, 2, 21, 30, tzinfo=UTC))
    assert reading.rows(
        await reading.page(reader, "/acme/contacts?from=2026-11-03&to=2026-11-03")
    ) == [str(late)]
    assert not reading.rows(
        await reading.page(reader, "/acme/contacts?from=2026-11-02&to=2026-11-02")
    )


async def test_pages_follow_one_another_without_loss_even_within_one_moment(
    world: make.World,
) -> None:
    made = {await make.contact(world, at=NOW - (n // 4) * MINUTE) for n in range(10)}
    seen: list[UUID] = []
    after = None
    while True:
        page = await journal.find(
            world.db, world.site_id, journal.Filter(), after=after, limit=3
        )
        seen += [row.id for row in page.rows]
        if page.next is None:
            break
        after = page.next
    assert len(seen) == 10
    assert set(seen) == made


async def test_earlier_contacts_are_one_link_away(
    reader: Client, world: make.World
) -> None:
    for n in range(journal.PAGE + 1):
        await make.contact(world, at=NOW - n * MINUTE)
    html = await reading.page(reader, "/acme/contacts")
    assert len(reading.rows(html)) == journal.PAGE
    link = html.split("data-more")[0].rsplit('href="', 1)[1].split('"')[0]
    assert len(reading.rows(await reading.page(reader, link))) == 1


async def test_sites_do_not_see_each_others_contacts(
    reader: Client, world: make.World, pool, seal, server
) -> None:
    from web import keys

    other = await make.site(pool, seal, key="other", name="Other")
    id_ = await make.contact(other, at=NOW)
    await server.app[keys.DIRECTORY].load()
    assert not reading.rows(await reading.page(reader, "/acme/contacts"))
    await reading.page(reader, f"/acme/contacts/{id_}", status=404)
    assert reading.rows(await reading.page(reader, "/other/contacts")) == [str(id_)]
