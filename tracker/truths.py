"""Who really made a call, where that is known without asking the answer.

Three ways, none of which looks at weights. *Test*: a session marked as a test was shown the
number minutes before. *Click*: somebody tapped the number and it rang at once, though nobody
else had held it for two weeks. *Form*: the caller's phone also stands in a form, letter or
message, whose session is certain. Nothing is stored: truths follow from what happened, and
the answer, given when the call came, cannot have known those that came later.

Truths check certainty (`reports.calibration`); they never change a weight, and calls that
have one are easier than the others. Where two contradict each other, neither is believed.
"""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal
from uuid import UUID

import asyncpg

from numberpool import ledger
from tracker import db as database
from tracker import ids, matching, models

Kind = Literal["test", "click", "form"]
KINDS: tuple[Kind, ...] = ("test", "click", "form")  # the one told first is named

# A stranger rings one of a dozen numbers in these ten minutes less than once in a hundred
# tests; a tester who looks at the number dials it sooner.
TEST_WINDOW = timedelta(minutes=10)
CLICK_WINDOW = timedelta(seconds=15)  # to confirm the dialling, and for it to ring
FORM_WINDOW = timedelta(days=30)  # before or after; a phone changes hands more slowly
LONGEST_HOLD = timedelta(days=14)  # a page may stay open for long after it was shown
LONGEST_VISIT = timedelta(days=1)  # between its beginning and the number it is shown
CERTAIN_RULES = (matching.SESSION, matching.VISITOR, matching.ALIAS)


@dataclass(frozen=True, slots=True, kw_only=True)
class Truth:
    """Who made a call, and how that is known."""

    contact_id: UUID
    kind: Kind
    visitor_id: UUID
    session_id: UUID | None  # None: any session of the visitor is right
    known_at: datetime
    doubted: bool = False  # another call has the same claim to it


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """One truth a call, and how many calls had truths that contradict each other."""

    truths: tuple[Truth, ...]
    contradicted: int


async def of_calls(
    db: database.Db,
    site_id: int,
    *,
    since: datetime,
    until: datetime,
    pool_id: int | None = None,
) -> Found:
    """The known truths of weighed calls from `since` to before `until`; of one pool or all.

    Spam is left out; tests and own staff are not, for their calls are weighed like any.
    """
    asked = (site_id, since, until, pool_id)
    told = [
        *await _tests(db, *asked),
        *await _clicks(db, *asked),
        *await _forms(db, *asked),
    ]
    return settle(told)


def settle(told: Iterable[Truth]) -> Found:
    """One truth for each call; those that contradict each other are only counted."""
    calls: dict[UUID, list[Truth]] = defaultdict(list)
    for one in told:
        calls[one.contact_id].append(one)
    agreed = [_joined(truths) for truths in calls.values() if _agree(truths)]
    return Found(truths=tuple(agreed), contradicted=len(calls) - len(agreed))


def _agree(truths: list[Truth]) -> bool:
    sessions = {one.session_id for one in truths if one.session_id is not None}
    visitors = {one.visitor_id for one in truths}
    sure = not any(one.doubted for one in truths)
    return sure and len(visitors) == 1 and len(sessions) <= 1


def _joined(truths: list[Truth]) -> Truth:
    """The strongest kind, which also names the session, known since the first was."""
    best = min(truths, key=lambda one: KINDS.index(one.kind))
    return Truth(
        contact_id=best.contact_id,
        kind=best.kind,
        visitor_id=best.visitor_id,
        session_id=best.session_id,
        known_at=min(one.known_at for one in truths),
    )


# Each kind ----------------------------------------------------------------------------

# $1 site, $2 since, $3 until, $4 pool or null, $5 the rules. What each call is by its provider
# and the set-up; never what it was answered. LATERAL with LIMIT 1 in the queries below means:
# look each one up by its key, never read the whole table; bounds on session ids leave out the
# partitions of other months.
_CALLS = """
    WITH called AS MATERIALIZED (
        SELECT c.id, c.at, c.number, c.caller, c.person_id
          FROM contacts c
          JOIN numbers n ON n.site_id = c.site_id AND n.number = c.number
         WHERE c.site_id = $1 AND c.at >= $2::timestamptz AND c.at < $3::timestamptz
           AND c.kind = 'call' AND c.rule LIKE $5 AND c.excluded IS DISTINCT FROM 'spam'
           AND n.kind = 'dynamic' AND ($4::bigint IS NULL OR n.pool_id = $4)
    )
"""


async def _tests(
    db: database.Db,
    site_id: int,
    since: datetime,
    until: datetime,
    pool_id: int | None,
) -> list[Truth]:
    """Planned test calls: within ten minutes after a test session was shown the number.

    Believable because somebody opened the page with `skvoz_test=1` in order to call, and a
    stranger seldom dials that very number in these minutes. If two phones do, nobody can
    say which was the tester's: then neither is believed.
    """
    rows = await db.fetch(
        f"""
        {_CALLS}
        SELECT called.id AS contact_id, called.at AS known_at, called.caller,
               lease.session_id, lease.visitor_id
          FROM called
          JOIN leases lease
            ON lease.site_id = $1 AND lease.number = called.number
           AND lease.since <= called.at AND lease.since > called.at - $6::interval
          JOIN sessions s
            ON s.site_id = $1 AND s.id = lease.session_id AND s.test
           AND s.id >= $7::uuid AND s.id < $8::uuid
        """,
        site_id,
        since,
        until,
        pool_id,
        models.WEIGHED,
        TEST_WINDOW,
        ids.floor(since - LONGEST_VISIT),
        ids.floor(until),
    )
    callers: dict[UUID, set[str | None]] = defaultdict(set)
    for row in rows:
        callers[row["session_id"]].add(row["caller"])
    return [
        _truth("test", row, doubted=len(callers[row["session_id"]]) > 1) for row in rows
    ]


async def _clicks(
    db: database.Db,
    site_id: int,
    since: datetime,
    until: datetime,
    pool_id: int | None,
) -> list[Truth]:
    """A tap on the number at most 15 s before it rang, that nobody else held for 14 days.

    Believable because no other visitor can know the number, and a tap opens the dialler.
    Such calls have one candidate: the easiest there are.
    """
    rows = await db.fetch(
        f"""
        {_CALLS},
        tapped AS MATERIALIZED (
            SELECT called.*, lease.session_id, lease.visitor_id
              FROM called
             CROSS JOIN LATERAL (
                   SELECT session_id, visitor_id, clicked_at
                     FROM leases
                    WHERE site_id = $1 AND number = called.number AND since <= called.at
                    ORDER BY since DESC
                    LIMIT 1) AS lease
              LEFT JOIN LATERAL (
                   SELECT since
                     FROM leases
                    WHERE site_id = $1 AND number = called.number
                      AND visitor_id <> lease.visitor_id
                      AND since <= called.at AND since > called.at - $7::interval
                    ORDER BY since DESC
                    LIMIT 1) AS other ON true
             WHERE lease.clicked_at >= called.at - $6::interval AND other.since IS NULL
        )
        SELECT tapped.id AS contact_id, tapped.at AS known_at,
               tapped.session_id, tapped.visitor_id
          FROM tapped
         CROSS JOIN LATERAL (
               SELECT FROM events
                WHERE site_id = $1 AND session_id = tapped.session_id
                  AND type = 'tel_click' AND target IN ('', tapped.number)
                  AND at BETWEEN tapped.at - $6::interval AND tapped.at
                LIMIT 1) AS tap
         WHERE NOT EXISTS (
               SELECT FROM leases other
                WHERE other.site_id = $1 AND other.number = tapped.number
                  AND other.visitor_id <> tapped.visitor_id
                  AND other.since <= tapped.at - $7::interval
                  AND other.since > tapped.at - $7::interval - $8::interval
                  AND other.last_sign_at > tapped.at - $7::interval)
        """,
        site_id,
        since,
        until,
        pool_id,
        models.WEIGHED,
        CLICK_WINDOW,
        ledger.HORIZON,
        LONGEST_HOLD,
    )
    return [_truth("click", row) for row in rows]


async def _forms(
    db: database.Db,
    site_id: int,
    since: datetime,
    until: datetime,
    pool_id: int | None,
) -> list[Truth]:
    """A form, letter or message with the caller's phone, within 30 days before or after.

    Believable because its session is exact, and its visitor was shown the dialled number in
    the 14 days before the call. Without that he may have called from what another of his
    devices showed him, so nothing is said. A withheld caller has no phone to compare. The
    person is asked only to find the form quickly: it must have the very same phone.
    """
    rows = await db.fetch(
        f"""
        {_CALLS}
        SELECT called.id AS contact_id, s.visitor_id, NULL::uuid AS session_id,
               min(greatest(called.at, f.at)) AS known_at
          FROM called
          JOIN contacts f
            ON f.site_id = $1 AND f.person_id = called.person_id
           AND f.kind <> 'call' AND f.caller = called.caller
           AND f.at BETWEEN called.at - $6::interval AND called.at + $6::interval
           AND f.excluded IS DISTINCT FROM 'spam' AND f.rule = ANY ($7::text[])
          JOIN attributions a
            ON a.site_id = $1 AND a.contact_id = f.id AND a.rule = f.rule
          JOIN sessions s ON s.site_id = $1 AND s.id = a.session_id
         WHERE EXISTS (
               SELECT FROM sessions v
                 JOIN leases lease ON lease.site_id = $1 AND lease.session_id = v.id
                WHERE v.site_id = $1 AND v.visitor_id = s.visitor_id
                  AND v.id >= $9::uuid AND v.id < $10::uuid
                  AND lease.number = called.number
                  AND lease.since <= called.at AND lease.since > called.at - $8::interval)
         GROUP BY called.id, s.visitor_id
        """,
        site_id,
        since,
        until,
        pool_id,
        models.WEIGHED,
        FORM_WINDOW,
        list(CERTAIN_RULES),
        ledger.HORIZON,
        ids.floor(since - ledger.HORIZON - LONGEST_HOLD),
        ids.floor(until),
    )
    return [_truth("form", row) for row in rows]


def _truth(kind: Kind, row: asyncpg.Record, *, doubted: bool = False) -> Truth:
    return Truth(
        contact_id=row["contact_id"],
        kind=kind,
        visitor_id=row["visitor_id"],
        session_id=row["session_id"],
        known_at=row["known_at"],
        doubted=doubted,
    )
