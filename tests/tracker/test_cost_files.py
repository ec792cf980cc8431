from datetime import date
from decimal import Decimal

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from tracker import cost_cells, cost_files, costs, sources
from tracker.costs import Cost
from tracker.errors import BadFile

OURS = """\
date,source,medium,campaign_id,campaign,content,term,impressions,clicks,cost,currency
2026-03-01,yandex,cpc,12345,Kitchens,678,,1000,21,350.20,RUB
"""
KITCHENS = Cost(
    day=date(2026, 3, 1),
    source=sources.labelled(
        source="yandex", medium="cpc", campaign="Kitchens", content="678"
    ),
    amount=Decimal("350.20"),
    clicks=21,
    impressions=1000,
    campaign_id="12345",
)


def parse(text: str | bytes, currency: str = "RUB") -> list[Cost]:
    data = text.encode() if isinstance(text, str) else text
    return cost_files.parse(data, currency=currency)


def problems(text: str | bytes) -> list[str]:
    with pytest.raises(BadFile) as caught:
        parse(text)
    return caught.value.problems


def test_our_own_form_is_read() -> None:
    assert parse(OURS) == [KITCHENS]


def test_ga4s_cost_import_is_read() -> None:
    assert parse(
        "utm_id,utm_campaign,utm_source,utm_medium,date,impressions,clicks,cost,"
        "utm_content,utm_term\n"
        "12345,Kitchens,yandex,cpc,2026-03-01,1000,21,350.2,678,\n"
    ) == [KITCHENS]


def test_metrikas_expenses_are_read_and_a_range_is_spread_evenly() -> None:
    found = parse(
        "Date,UTMSource,UTMMedium,UTMCampaign,Expenses,Clicks\n"
        "2026-03-01/2026-03-03,yandex,cpc,Kitchens,100,10\n"
    )
    assert [(one.day.day, one.amount, one.clicks) for one in found] == [
        (1, Decimal("33.33"), 3),
        (2, Decimal("33.33"), 3),
        (3, Decimal("33.34"), 4),
    ]


def test_directs_report_is_read_with_its_title_total_and_stray_quotes() -> None:
    found = parse(
        '"cost_77 (2026-03-01 - 2026-03-07)"\n'
        "Date\tCampaignId\tCampaignName\tAdId\tCriterion\tImpressions\tClicks\tCost\n"
        '2026-03-01\t12345\tKitchens\t678\t"buy a kitchen\t1000\t21\t350.20\n'
        "2026-03-01\t12345\tKitchens\t679\t--\t10\t--\t--\n"
        "Total rows: 2\n"
    )
    assert [(one.source.source, one.source.medium, one.amount) for one in found] == [
        ("yandex", "cpc", Decimal("350.20")),
        ("yandex", "cpc", Decimal(0)),
    ]
    assert found[0].source.term == '"buy a kitchen'
    assert (found[1].source.content, found[1].source.term) == ("679", "")


@pytest.mark.parametrize(
    "data",
    [
        "date;source;medium;cost\n01.03.2026;яндекс;cpc;1 234,50\n".encode("cp1251"),
        "date;source;medium;cost\r\n2026-03-01;яндекс;cpc;1234,5\r\n".encode(
            "utf-8-sig"
        ),
        'date\tsource\tmedium\tcost\n20260301\tяндекс\tcpc\t"1,234.50"\n'.encode(),
        "date\tsource\tmedium\tcost\n2026-03-01\tяндекс\tcpc\t1234.5\n".encode(
            "utf-16"
        ),
        'date,source,medium,cost\n2026-03-01,яндекс,cpc,"1.234,50"\n'.encode(),
        "Date;Source;Medium;Cost\n2026-03-01;яндекс;cpc;1\u00a0234.50 ₽\n".encode(),
    ],
)
def test_the_same_cost_in_other_clothes(data: bytes) -> None:
    (found,) = parse(data)
    assert found.day == date(2026, 3, 1)
    assert found.source.source == "яндекс"
    assert found.amount == Decimal("1234.5")


def test_a_thousand_is_told_from_a_fraction_by_the_other_rows() -> None:
    rows = "date;source;medium;cost\n2026-03-01;a;cpc;1.234\n2026-03-02;a;cpc;{}\n"
    assert parse(rows.format("5,5"))[0].amount == 1234
    assert parse(rows.format("5.5"))[0].amount == Decimal("1.234")
    assert problems(rows.format("7")) == [
        "line 2, column cost: thousands or a fraction? write 1234 or 1.23 for what you mean"
    ]
    assert (
        "another decimal mark"
        in problems(rows.format("5,5") + "2026-03-03;a;cpc;5.5")[0]
    )


def test_a_decimal_comma_in_a_file_of_commas_does_not_lose_half_of_the_sum() -> None:
    found = problems("date,source,medium,cost\n2026-03-01,a,cpc,350,20\n")
    assert found == [
        "line 2: has 5 cells, the header 4: put quotes around cells with ','"
    ]


def test_rows_of_one_day_and_source_are_added_up() -> None:
    row = OURS.splitlines()[1]
    (found,) = parse(OURS + row + "\n" + row)
    assert (found.amount, found.clicks) == (Decimal("1050.60"), 63)


def test_every_problem_is_named_with_its_line_and_column() -> None:
    found = problems(
        "date,source,medium,cost,clicks,currency\n"
        "2026-02-30,yandex,cpc,1.5,1,RUB\n"
        "\n"
        "2026-03-01,,cpc,-5,1.5,USD\n"
        "03/04/2026,yandex,,12e3,x,\n"
        "2026-03-09/2026-03-01,yandex,cpc,,,\n"
    )
    assert [one.split(":")[0] for one in found] == [
        "line 2, column date",
        "line 4, column cost",
        "line 4, column clicks",
        "line 4, column currency",
        "line 4, column source",
        "line 5, column date",
        "line 5, column cost",
        "line 5, column clicks",
        "line 5, column medium",
        "line 6, column date",
        "line 6, column cost",
    ]


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "header"),
        ("a,b,c\n1,2,3\n", "header"),
        ("date,source,cost\n2026-03-01,a,1\n", "the column medium is missing"),
        ("date,source,utm_source,medium,cost\n", "means the same as source"),
        ('date,source,medium,cost\n2026-03-01,"a,cpc,1\n', "broken"),
        ("date,source,medium,cost\n2026-03-01/2029-03-01,a,cpc,1\n", "366 days"),
        ("date,source,medium,cost\n2026-03-01,a,cpc,99999999999999\n", "must be below"),
        (
            "date,source,medium,cost\n2026-03-01,a,cpc," + "1" * 5000 + "\n",
            "characters",
        ),
    ],
)
def test_a_file_that_makes_no_sense_is_refused(text: str, says: str) -> None:
    assert says in problems(text)[0]


def test_a_file_full_of_problems_names_the_first_and_counts_the_rest() -> None:
    found = problems("date,source,medium,cost\n" + "x,a,cpc,1\n" * 500)
    assert len(found) == cost_files.MOST_PROBLEMS + 1
    assert found[-1] == "… and 450 more"


def test_a_file_that_is_too_large_is_refused_unread() -> None:
    assert "50 MB" in problems(b"\0" * (cost_files.MOST_BYTES + 1))[0]


def test_reading_tells_how_far_it_is() -> None:
    heard: list[tuple[int, int]] = []
    rows = "2026-03-01,a,cpc,1\n" * 12_000
    cost_files.parse(
        b"date,source,medium,cost\n" + rows.encode(),
        currency="RUB",
        told=lambda done, total: heard.append((done, total)),
    )
    assert [done for done, _ in heard] == [5000, 10_000, 12_000]
    assert heard[-1] == (12_000, 12_000)


@given(st.binary(max_size=400))
@example(b"date,source,medium,cost\n2026-03-01,\0,cpc,1\n")
@example(b"\xff\xfe\x00")
@example("date,source,medium,cost\n2026-03-01,a,cpc,٣\n".encode())
def test_whatever_comes_is_read_or_refused(data: bytes) -> None:
    for body in (data, b"date,source,medium,cost,clicks\n2026-03-01,a,cpc," + data):
        try:
            found = parse(body)
        except BadFile as error:
            assert error.problems
        else:
            assert all(one.amount >= 0 for one in found)


@given(
    st.decimals(min_value=0, max_value=10**9, places=2),
    st.sampled_from([".", ","]),
    st.booleans(),
)
def test_a_sum_written_in_any_way_is_read_as_it_was_meant(
    amount: Decimal, mark: str, grouped: bool
) -> None:
    text = f"{amount:,.2f}" if grouped else f"{amount:.2f}"
    if mark == ",":
        text = text.translate(str.maketrans(",.", ".,"))
    assert cost_cells.vote(text) == mark
    assert cost_cells.money(text, mark) == amount


@given(
    st.decimals(min_value=0, max_value=10**9, places=2),
    st.dates(date(2020, 1, 1), date(2022, 1, 1)),
    st.integers(0, 400),
)
def test_a_spread_sum_is_exact_and_even(
    amount: Decimal, since: date, days: int
) -> None:
    shares = costs.even(amount, since, since + costs.DAY * days)
    assert sum(shares.values()) == amount
    assert len(shares) == days + 1
    assert max(shares.values()) - min(shares.values()) <= Decimal("0.01")
