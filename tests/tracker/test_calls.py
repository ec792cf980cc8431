"""Calls are joined from events of any order, twice, or missing."""

import asyncio
from dataclasses import replace
from datetime import datetime, timedelta
from itertools import permutations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.conftest import NOON
from tracker import calls
from tracker import db as database
from tracker.calls import CallEvent, Recording

SECOND = timedelta(seconds=1)
HOUR = timedelta(hours=1)


def event(type_: str, after: float = 0, **rest: object) -> CallEvent:
    return CallEvent(type=type_, call_key="c1", at=NOON + after * SECOND, **rest)  # type: ignore[arg-type]


def joined(*events: CallEvent) -> calls.Call:
    call = None
    for one in events:
        call = calls.join(call, one)
    assert call is not None
    return call


RANG = event(
    "ringing", started_at=NOON, caller="+79161234567", tracked="+74951000001", ours=True
)
ANSWERED = event("answered", 8, manager="Anna")
ENDED = event("ended", 69, outcome="missed")
RECORDED = event(
    "recording", 80, recording=Recording(id="r1", url="https://pbx/r1.mp3")
)


def test_an_answered_call_knows_how_long_it_rang_and_how_long_they_spoke() -> None:
    call = joined(RANG, ANSWERED, ENDED, RECORDED)

    assert (call.answered, call.missed, call.outcome) == (True, False, "answered")
    assert (call.ring_seconds, call.talk_seconds) == (8, 61)
    assert (call.caller, call.tracked) == ("+79161234567", "+74951000001")
    assert (call.manager, call.recording) == ("Anna", "https://pbx/r1.mp3")


def test_a_call_that_ended_without_an_answer_is_missed() -> None:
    call = joined(RANG, ENDED)

    assert (call.missed, call.answered, call.outcome) == (True, False, "missed")
    assert (call.ring_seconds, call.talk_seconds) == (69, 0)


def test_a_call_that_still_rings_is_neither_answered_nor_missed() -> None:
    call = joined(RANG)

    assert (call.missed, call.answered, call.outcome) == (False, False, None)
    assert (call.ring_seconds, call.talk_seconds, call.recording) == (None, None, None)


def test_a_lone_end_with_a_duration_tells_the_whole_call() -> None:
    call = joined(event("ended", 100, talk_seconds=61, outcome="answered"))

    assert call.answered
    assert call.started_at == call.answered_at == NOON + 39 * SECOND
    assert (call.talk_seconds, call.outcome) == (61, "answered")


def test_every_order_with_repetition_gives_the_same_call() -> None:
    told = (RANG, ANSWERED, ENDED, RECORDED, event("transferred", 30, manager="Boris", answered_at=NOON + 30 * SECOND))  # fmt: skip
    expected = joined(*told)
    assert expected.manager == "Boris"
    assert "answered by Anna" in expected.notes

    for order in permutations(told):
        assert joined(*order) == expected
        twice = joined(*order, *reversed(order))
        assert twice == expected
        assert twice.facts == expected.facts


moments = st.integers(0, 30).map(lambda seconds: NOON + seconds * SECOND)
maybe = st.none() | moments
events = st.builds(
    CallEvent,
    type=st.sampled_from(calls.TRUST),
    call_key=st.just("c1"),
    at=moments,
    seq=st.none() | st.integers(0, 3),
    direction=st.sampled_from(("inbound", "outbound", "internal")),
    caller=st.none() | st.sampled_from(("+79160000001", "+79160000002")),
    hidden=st.booleans(),
    tracked=st.none() | st.sampled_from(("+74951000001", "+74951000002")),
    ours=st.booleans(),
    started_at=maybe,
    answered_at=maybe,
    ended_at=maybe,
    ring_seconds=st.none() | st.integers(0, 9),
    talk_seconds=st.none() | st.integers(0, 9),
    outcome=st.none() | st.sampled_from(calls.OUTCOMES),
    manager=st.none() | st.sampled_from(("Anna", "Boris")),
    recording=st.none()
    | st.builds(
        Recording,
        id=st.sampled_from(("a", "b")),
        url=st.sampled_from(("", "https://a/", "https://b/")),
        seconds=st.none() | st.integers(0, 5),
    ),
    note=st.none() | st.sampled_from(("x", "y")),
)


@given(st.lists(events, min_size=1, max_size=6), st.randoms())
@settings(deadline=None)
def test_joining_does_not_depend_on_order_or_repetition(
    told: list[CallEvent], random: object
) -> None:
    shuffled = told + told[:3]
    random.shuffle(shuffled)  # type: ignore[attr-defined]

    assert joined(*shuffled).facts == joined(*told).facts
    assert joined(*shuffled).revision == joined(*told).revision


def test_an_answer_outweighs_what_each_phone_of_the_group_reports() -> None:
    call = joined(
        event("ended", 69, outcome="cancelled"),
        event("ended", 69, outcome="answered", talk_seconds=50),
        event("ended", 70, outcome="busy"),
    )
    assert (call.outcome, call.talk_seconds) == ("answered", 50)


def test_the_number_that_is_ours_wins_over_the_one_told_first() -> None:
    call = joined(
        event("started", tracked="+74957654321"),
        event("ringing", 1, tracked="+74951000001", ours=True),
    )
    assert call.tracked == "+74951000001"
    assert call.notes == ("also dialled +74957654321",)


def test_a_caller_who_becomes_known_is_no_longer_hidden() -> None:
    assert joined(event("started", hidden=True)).hidden
    assert not joined(event("started", hidden=True), RANG).hidden


def test_the_report_on_the_whole_call_tells_its_direction_best() -> None:
    call = joined(RANG, event("ended", 9, direction="outbound"))
    assert call.direction == "outbound"


def test_a_recording_told_in_parts_is_one_recording() -> None:
    call = joined(
        event("recording", 80, recording=Recording(id="r1", url="")),
        event(
            "recording",
            90,
            recording=Recording(id="r1", url="https://pbx/1", seconds=7),
        ),
    )
    assert call.recordings == (Recording(id="r1", url="https://pbx/1", seconds=7),)


def test_only_what_people_see_makes_a_new_revision() -> None:
    rang = joined(RANG)
    assert calls.join(rang, event("progress", 3)).revision == rang.revision
    assert calls.join(rang, ANSWERED).revision != rang.revision


@pytest.mark.parametrize(
    ("ahead", "type_", "expected"),
    [
        (3 * HOUR, "ringing", -3 * HOUR),
        (3 * HOUR + 40 * SECOND, "ended", -3 * HOUR),  # a zone, told a little early
        (-3 * HOUR - 40 * SECOND, "ringing", 3 * HOUR),  # a zone, told a little late
        (timedelta(minutes=22), "ringing", -timedelta(minutes=22)),  # a wrong clock
        (-timedelta(minutes=22), "answered", timedelta(minutes=22)),
        (-5 * HOUR, "ended", timedelta(0)),  # reports may be late
        (-5 * HOUR, "recording", timedelta(0)),
        (timedelta(minutes=9), "ringing", timedelta(0)),
        (-timedelta(minutes=9), "ringing", timedelta(0)),
    ],
)
def test_a_wrong_clock_is_corrected_and_a_late_report_is_not(
    ahead: timedelta, type_: str, expected: timedelta
) -> None:
    told = event(type_, ahead.total_seconds(), started_at=NOON + ahead - 5 * SECOND)
    moved, shift = calls.corrected(told, NOON)

    assert shift == expected
    assert moved.at == told.at + expected
    assert moved.started_at == NOON + ahead - 5 * SECOND + expected


# The table ----------------------------------------------------------------------------

KEY = {"site_id": 1, "connection_id": 7}
ID = calls.contact_id(1, 7, "c1")


async def merge(db: database.Connection, one: CallEvent) -> calls.Merged:
    async with db.transaction():
        return await calls.merge(db, **KEY, contact_id=ID, event=one)


async def test_the_row_is_what_the_events_make(db: database.Connection) -> None:
    first = await merge(db, ENDED)
    second = await merge(db, RANG)
    third = await merge(db, ANSWERED)
    again = await merge(db, RANG)
    sign = await merge(db, event("progress", 20))

    assert [one.new for one in (first, second, third, again)] == [
        True,
        False,
        False,
        False,
    ]
    assert [one.changed for one in (first, second, third, again, sign)] == [True, True, True, False, False]  # fmt: skip
    assert first.call.contact_id == ID
    assert second.before == first.call
    assert again.call == third.call
    assert replace(third.call, contact_id=calls.NIL) == joined(RANG, ANSWERED, ENDED)
    row = await db.fetchrow("SELECT * FROM calls")
    assert row["site_id"] == 1 and row["connection_id"] == 7 and row["call_key"] == "c1"
    assert row["started_at"] == NOON
    assert row["answered_at"] == NOON + 8 * SECOND
    assert row["ended_at"] == NOON + 69 * SECOND
    assert (row["ring_seconds"], row["talk_seconds"]) == (8, 61)
    assert (row["outcome"], row["manager"]) == ("answered", "Anna")


async def test_a_call_is_found_as_it_was_merged(db: database.Connection) -> None:
    assert await calls.find(db, 1, ID) is None
    for one in (RANG, RECORDED, replace(ENDED, note="Привет", hidden=True)):
        merged = await merge(db, one)

    found = await calls.find(db, 1, ID)
    assert found == merged.call
    assert found.facts == merged.call.facts
    recordings = await db.fetchval("SELECT recordings FROM calls")
    assert recordings == [{"id": "r1", "url": "https://pbx/r1.mp3", "seconds": None}]


async def test_events_at_the_same_moment_are_all_joined(pool: database.Pool) -> None:
    async def one_by_one(told: CallEvent) -> calls.Merged:
        async with pool.acquire() as db:
            return await merge(db, told)

    told = [RANG, ANSWERED, ENDED, RECORDED] * 3
    results = await asyncio.gather(*map(one_by_one, told))

    assert sum(result.new for result in results) == 1
    async with pool.acquire() as db:
        found = await calls.find(db, 1, ID)
    assert found == replace(joined(RANG, ANSWERED, ENDED, RECORDED), contact_id=ID)


async def close(db: database.Connection, at: datetime) -> list[calls.Closed]:
    async with db.transaction():
        return await calls.close_stale(db, at=at)


async def test_a_call_that_is_never_ended_is_closed_by_the_limit(
    db: database.Connection,
) -> None:
    await merge(db, RANG)
    await merge(db, ANSWERED)
    await merge(db, event("progress", 100))

    assert await close(db, NOON + 4 * HOUR - SECOND) == []
    (closed,) = await close(db, NOON + 4 * HOUR + SECOND)
    assert await close(db, NOON + 5 * HOUR) == []

    assert (closed.site_id, closed.call.contact_id) == (1, ID)
    assert closed.call.answered
    assert closed.call.ended_at == NOON + 100 * SECOND
    assert closed.call.talk_seconds == 92
    assert "no end was told" in closed.call.notes


async def test_a_true_end_told_after_closing_wins(db: database.Connection) -> None:
    await merge(db, RANG)
    (closed,) = await close(db, NOON + 5 * HOUR)
    assert closed.call.missed

    merged = await merge(db, event("ended", 69, talk_seconds=61))
    assert merged.call.answered
    assert merged.call.ended_at == NOON + 69 * SECOND
    assert merged.call.notes == ()


async def test_a_silent_answered_call_is_closed_without_inventing_its_length(
    db: database.Connection,
) -> None:
    await merge(db, RANG)
    await merge(db, ANSWERED)

    (closed,) = await close(db, NOON + 5 * HOUR)
    assert closed.call.answered and not closed.call.missed
    assert closed.call.talk_seconds is None
