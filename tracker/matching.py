"""Which session, or at least which source, a contact came from.

An alias or a form names its session exactly; a static number names its source; a number of
a pool is weighed by the posterior over those who were shown it. Every answer carries the
name and version of the rule that gave it.
"""

from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from numberpool import credits, posterior
from tracker import db as database
from tracker import ids, models, source_rows, sources, weighing
from tracker.sites import Dialled, Site

STATIC = "static-number/1"
ALIAS = "alias/1"
SESSION = "session/1"
VISITOR = "visitor/1"
LANDING = "landing/1"
NONE = "none/1"

CERTAIN = 0.8  # from here on a visitor is taken to be the person's own


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """One session, or one source, a contact may have come from."""

    session_id: UUID | None
    visitor_id: UUID | None
    source_id: int
    weight: float  # probability
    why: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Basis:
    """What a call's weights were reckoned with."""

    model: str  # version of the parameters
    learned_from: int  # first calls they were learned from
    noise: float  # unrelated calls per second on that number at that moment
    none: float  # the weight of "none of them"


@dataclass(frozen=True, slots=True, kw_only=True)
class Match:
    """The candidates, heaviest first; what is missing to 1 is "none of them"."""

    rule: str
    candidates: tuple[Candidate, ...] = ()
    test: bool = False  # the heaviest session was marked as a test
    basis: Basis | None = None  # of a call that was weighed

    @property
    def certainty(self) -> float:
        return self.candidates[0].weight if self.candidates else 0.0

    @property
    def source_id(self) -> int | None:
        return self.candidates[0].source_id if self.candidates else None

    @property
    def own_visitors(self) -> list[UUID]:
        """The visitors that are surely the person's."""
        return [
            one.visitor_id
            for one in self.candidates
            if one.visitor_id and one.weight >= CERTAIN
        ]


UNKNOWN = Match(rule=NONE)


async def of_call(
    db: database.Connection,
    site: Site,
    dialled: Dialled | None,
    *,
    call_id: UUID,
    caller: str | None,
    at: datetime,
) -> Match:
    """A call's candidates; the weights are credited to them at once."""
    if dialled is None:
        return UNKNOWN
    if dialled.kind == "static" and dialled.source_id is not None:
        return _source(STATIC, dialled.source_id)
    if dialled.kind != "dynamic" or dialled.pool is None:
        return UNKNOWN
    call = weighing.Call(
        id=call_id,
        pool_id=dialled.pool.id,
        number=dialled.number,
        caller=caller,
        at=at,
    )
    stored = await models.in_force(db, site.id, at=at)
    match = await weighed(db, site, call, stored, rule=posterior.RULE)
    return replace(match, test=await _is_test(db, site.id, match.candidates))


async def weighed(
    db: database.Connection,
    site: Site,
    call: weighing.Call,
    stored: models.Stored | None,
    *,
    rule: str,
) -> Match:
    """The call by that model (None: as on day one); the weights are credited at once."""
    learned = stored.model if stored else None
    answer = await weighing.weigh(db, site, call, learned)
    await credits.credit(
        db,
        site_id=site.id,
        pool_id=call.pool_id,
        call_id=call.id,
        number=call.number,
        caller=call.caller,
        at=call.at,
        answer=answer,
    )
    candidates = tuple(
        Candidate(
            session_id=one.session_id,
            visitor_id=one.visitor_id,
            source_id=one.source_id,
            weight=one.weight,
            why=one.why,
        )
        for one in answer.candidates
    )
    basis = Basis(
        model=answer.model,
        learned_from=learned.calls if learned else 0,
        noise=answer.noise,
        none=answer.none,
    )
    return Match(rule=rule, candidates=candidates, basis=basis)


async def of_alias(
    db: database.Connection,
    site: Site,
    *,
    session_id: UUID | None,
    source_id: int | None,
) -> Match:
    """A letter's session: exact, for an alias is minted for one session only."""
    if session_id is not None:
        return await of_session(db, site, session_id, rule=ALIAS)
    if source_id is not None:
        return _source(ALIAS, source_id)
    return UNKNOWN


async def of_session(
    db: database.Connection, site: Site, session_id: UUID, *, rule: str = SESSION
) -> Match:
    """The session that a form or an alias names."""
    row = await db.fetchrow(
        "SELECT id, visitor_id, source_id, test FROM sessions WHERE site_id = $1 AND id = $2",
        site.id,
        session_id,
    )
    return _session(rule, row) if row else UNKNOWN


async def of_visitor(
    db: database.Connection, site: Site, visitor_id: UUID, *, at: datetime
) -> Match:
    """The visitor's session of that moment."""
    row = await db.fetchrow(
        """
        SELECT id, visitor_id, source_id, test FROM sessions
         WHERE site_id = $1 AND visitor_id = $2 AND id < $3 ORDER BY id DESC LIMIT 1
        """,
        site.id,
        visitor_id,
        ids.floor(at + timedelta(milliseconds=1)),
    )
    return _session(VISITOR, row) if row else UNKNOWN


async def of_landing(
    db: database.Connection, site: Site, url: str, referrer: str
) -> Match:
    """The source that a page address and its referrer tell, without a session."""
    landing = sources.classify(
        url,
        referrer,
        own_domains=site.domains,
        excluded=site.rules.excluded_referrers,
    )
    if landing.source == sources.INTERNAL:
        return UNKNOWN  # the last page of a visit we did not see begin
    await source_rows.keep(db, site.id, [landing.source])
    return _source(LANDING, source_rows.source_id(landing.source))


def _source(rule: str, source_id: int) -> Match:
    candidate = Candidate(
        session_id=None, visitor_id=None, source_id=source_id, weight=1.0
    )
    return Match(rule=rule, candidates=(candidate,))


def _session(rule: str, row: Any) -> Match:
    candidate = Candidate(
        session_id=row["id"],
        visitor_id=row["visitor_id"],
        source_id=row["source_id"],
        weight=1.0,
    )
    return Match(rule=rule, candidates=(candidate,), test=row["test"])


async def _is_test(
    db: database.Connection, site_id: int, candidates: tuple[Candidate, ...]
) -> bool:
    if not candidates or candidates[0].weight < CERTAIN:
        return False
    return bool(
        await db.fetchval(
            "SELECT test FROM sessions WHERE site_id = $1 AND id = $2",
            site_id,
            candidates[0].session_id,
        )
    )
