"""The life of a visit: which session it belongs to, its source, and what it is shown.

`web.collect` hands every visit to `Visits.arrive`. Visits that arrive at the same moment are
settled together: what is known of them is read once, one script lends all their numbers, one
statement writes them (`tracker/visit_rows.py`), and only then are they answered. A store that
is away costs the visitor nothing: he is told to keep what is on the page.
"""

import asyncio
import logging
import re
from collections.abc import Awaitable, Sequence
from datetime import datetime, timedelta
from typing import TypeVar
from uuid import UUID

import asyncpg
import msgspec
import redis.asyncio
import redis.exceptions

from numberpool import aliases, ledger, lending, nodes, phones, pools, targeting
from tracker import db as database
from tracker import explanations, ids, pool_waits, source_rows, sources, visit_rows
from tracker.sites import Mailbox, Site, Static
from tracker.together import Together

log = logging.getLogger(__name__)

PATIENCE = 0.25  # seconds until the page is told to keep what it has
BATCH = 64  # visits settled together at most
AT_ONCE = 2  # batches: while one is with the stores, another is made ready
NOTHING = visit_rows.Known()
NOTHING_STOOD = visit_rows.Stood(granted=set(), minted=set())
_TEST_MARK = re.compile(r"[?&#]skvoz_test=([01])(?![^&#])")

_Found = TypeVar("_Found")

# Whatever is wrong, the visitor is answered.
STORES_AWAY = (*database.AWAY, asyncpg.PostgresError, redis.exceptions.RedisError)

NOTHING_LENT = nodes.TROUBLE
NOT_REBUILT = (*NOTHING_LENT, ledger.PoolGone, ledger.Superseded)


class Visit(msgspec.Struct, frozen=True, kw_only=True):
    """A page that asks what to show, as the door read it."""

    site: Site
    at: datetime
    url: str
    referrer: str = ""
    visitor: UUID | None = None
    session: UUID | None = None
    replaces: tuple[str, ...] = ()  # numbers and addresses as they stand on the page
    ids: dict[str, str] = {}  # of analytics systems
    device: str = "desktop"
    region: str = ""  # as a trusted proxy told
    reading: bool = False  # a number is about to be read: lend one even if none is idle
    page: bool = True  # False: the same page asks again
    debug: bool = False  # the page asks why


class Number(msgspec.Struct, frozen=True, kw_only=True):
    """What to show in place of a number."""

    replaces: str
    number: str
    display: str
    kind: str  # dynamic, static, overflow, own


class Email(msgspec.Struct, frozen=True, kw_only=True):
    """What to show in place of an address."""

    replaces: str
    address: str


class Arrival(msgspec.Struct, frozen=True, kw_only=True):
    """The answer to a visit."""

    visitor: UUID | None
    session: UUID | None
    new_session: bool
    numbers: list[Number]
    emails: list[Email]
    lease_seconds: int
    beat_seconds: int
    debug: explanations.Explanation | msgspec.UnsetType = msgspec.UNSET


class Visits:
    """Settles visits; one a process."""

    def __init__(
        self,
        pool: database.Pool,
        valkey: redis.asyncio.Redis,
        *,
        mail_domain: str,
        patience: float = PATIENCE,
    ) -> None:
        self._pool = pool
        self._valkey = valkey
        self._writer = visit_rows.Writer(pool)
        self.waits = pool_waits.Waits(pool)
        self._mail_domain = mail_domain
        self._patience = patience
        self._together: Together[Visit, Arrival] = Together(
            self._settle, most=BATCH, at_once=AT_ONCE, patience=patience
        )

    async def arrive(self, visit: Visit) -> Arrival:
        """What to show; everything in the answer is durable when it is given."""
        try:
            return await self._together.add(visit)
        except STORES_AWAY as error:
            log.warning("visit not kept", extra={"error": type(error).__name__})
            return keep_own(visit)

    async def standing(self, visit: Visit) -> Arrival:
        """What the session is shown now, for a page that the site's own server makes.

        Nothing is lent or written. Of a session that is over, or of none, nothing is known:
        the page keeps the numbers of pools, so that the script on it finds and swaps them.
        """
        past = await self._look(self._past(visit))
        return past or without_session(visit)

    async def session_of(self, site: Site, visitor: UUID, at: datetime) -> UUID | None:
        """The session the visitor may be in; whether it goes on is for `arrive` to tell."""
        return await self._look(visit_rows.latest(self._pool, site.id, visitor, at=at))

    async def _look(self, reading: Awaitable[_Found | None]) -> _Found | None:
        """What was read, or nothing while PostgreSQL is away: nobody waits for it."""
        try:
            return await asyncio.wait_for(reading, self._patience)
        except STORES_AWAY as error:
            log.warning("session not read", extra={"error": type(error).__name__})
            return None

    async def _past(self, visit: Visit) -> Arrival | None:
        (step,) = await self._known([visit])
        return step.standing()

    async def finish(self) -> None:
        """Wait for the visits under way."""
        await self._together.finish()

    async def _settle(self, visits: list[Visit]) -> list[Arrival]:
        steps = await self._known(visits)
        await self._lend(steps)
        batch = visit_rows.Batch()
        for n, step in enumerate(steps):
            step.write(batch, n)
        stood = await self._writer.write(batch)
        return [step.arrival(stood) for step in steps]

    async def _known(self, visits: list[Visit]) -> list["_Step"]:
        """The visits, each with what is known of its session and visitor."""
        known = NOTHING
        if any(visit.session or visit.visitor for visit in visits):
            known = await visit_rows.known(
                self._pool,
                sessions=[visit.session for visit in visits if visit.session],
                visitors=[
                    (visit.site.id, visit.visitor, visit.site.lookback)
                    for visit in visits
                    if visit.visitor
                ],
                at=visits[-1].at,
            )
        return [_Step(visit, known, self._mail_domain) for visit in visits]

    async def _lend(self, steps: Sequence["_Step"]) -> None:
        wants = [(step, want) for step in steps for want in step.wants()]
        if not wants:
            return
        try:
            loans = await self._loans([want for _, want in wants], steps[-1].visit.at)
        except NOTHING_LENT as error:
            # Without Valkey nobody is lent anything; what is held already stays held.
            log.warning("numbers not lent", extra={"error": type(error).__name__})
            return
        for (step, want), loan in zip(wants, loans, strict=True):
            if loan is not None:
                step.lent(want.pool, loan)
                self.waits.note(
                    want.pool,
                    loan,
                    session=step.session,
                    new=step.new,
                    reading=step.visit.reading,
                )

    async def _loans(
        self, wants: Sequence[lending.Want], at: datetime
    ) -> list[lending.Loan | None]:
        try:
            return await lending.lend(self._valkey, wants, at)
        except lending.NotLoaded as missing:
            ready = await self._rebuilt(missing.pools, at)
            loans = missing.loans
        again = [n for n, want in enumerate(wants) if want.pool.id in ready]
        try:
            found = await lending.lend(self._valkey, [wants[n] for n in again], at)
        except lending.NotLoaded as missing:  # lost anew in the meantime
            found = missing.loans
        for n, loan in zip(again, found, strict=True):
            loans[n] = loan
        return loans

    async def _rebuilt(self, missing: Sequence[pools.Pool], at: datetime) -> set[int]:
        """The ids of those pools whose live state could be made anew."""
        ready = set()
        for pool in missing:
            try:
                await ledger.rebuild(self._pool, self._valkey, pool, at)
            except NOT_REBUILT as error:
                told = {"pool": pool.id, "error": type(error).__name__}
                log.warning("pool not rebuilt", extra=told)
            else:
                ready.add(pool.id)
        return ready


def keep_own(visit: Visit) -> Arrival:
    """The answer when nothing can be promised: the page keeps what it has."""
    return _answer(
        visit,
        [_own(number) for number in visit.replaces if "@" not in number],
        session=visit.session,
        why="not_kept",
    )


def without_consent(visit: Visit) -> Arrival:
    """Nothing is kept of the visitor: his source's static number, or the page's own."""
    return _answer(visit, _by_source(visit), why="no_consent")


def without_session(visit: Visit) -> Arrival:
    """As without consent, but what pools replace is left for the page's script to find."""
    pooled = visit.site.pool_of
    numbers = [
        _own(one.replaces) if _e164(visit.site, one.replaces) in pooled else one
        for one in _by_source(visit)
    ]
    return _answer(visit, numbers, why="not_kept")


def _by_source(visit: Visit) -> list[Number]:
    landing = _classify(visit, live=False)
    numbers = []
    for text in visit.replaces:
        if "@" in text:
            continue
        static = _static(visit.site, landing.source, text)
        numbers.append(_show(text, static.number, "static") if static else _own(text))
    return numbers


def _answer(
    visit: Visit, numbers: list[Number], *, why: str, session: UUID | None = None
) -> Arrival:
    return Arrival(
        visitor=None,
        session=session,
        new_session=False,
        numbers=numbers,
        emails=[],
        lease_seconds=visit.site.rules.lease_seconds,
        beat_seconds=visit.site.rules.beat_seconds,
        debug=explanations.explain(_classify(visit, live=False), why=why)
        if visit.debug
        else msgspec.UNSET,
    )


def test_mark(url: str) -> bool | None:
    """Whether the owner begins or ends trying things out; None: the address says nothing.

    What is done in a session under test is kept and left out of figures.
    """
    mark = _TEST_MARK.search(url)
    return mark[1] == "1" if mark else None


def _own(text: str) -> Number:
    return Number(replaces=text, number=text, display=text, kind="own")


def _show(text: str, number: str, kind: str) -> Number:
    return Number(
        replaces=text, number=number, display=phones.display(number), kind=kind
    )


def _classify(visit: Visit, *, live: bool) -> sources.Landing:
    return sources.classify(
        visit.url,
        visit.referrer,
        own_domains=visit.site.domains,
        excluded=visit.site.rules.excluded_referrers,
        live=live,
    )


def _static(site: Site, source: sources.Source, text: str) -> Static | None:
    """The source's static number that may stand in place of this one."""
    for static in site.statics:
        wanted = static.source
        if (
            (not static.replaces or _e164(site, text) in static.replaces)
            and wanted["source"].lower() == source.source.lower()
            and wanted["medium"].lower() == source.medium.lower()
            and wanted["campaign"].lower() in ("", source.campaign.lower())
        ):
            return static
    return None


def _e164(site: Site, text: str) -> str | None:
    if text in site.pool_of:
        return text
    return phones.e164(text, site.rules.country)


class _Step:
    """One visit on its way through a batch."""

    def __init__(self, visit: Visit, known: visit_rows.Known, mail_domain: str) -> None:
        self.visit = visit
        self._mail_domain = mail_domain
        past = known.sessions.get(visit.session) if visit.session else None
        if past is not None and past.site_id != visit.site.id:
            past = None
        live = past is not None and visit.at - past.last_seen_at < timedelta(
            minutes=visit.site.rules.session_minutes
        )
        self.landing = _classify(visit, live=live)
        self._raw_source_id = source_rows.source_id(self.landing.source)
        self.past = past if live and not self._is_new_source(past) else None
        self.new = self.past is None
        self.visitor = past.visitor_id if past else visit.visitor or ids.visitor()
        self.session = self.past.id if self.past else ids.mint(visit.site.id, visit.at)
        self._attribute(known.significant.get((visit.site.id, self.visitor)))
        self._facts: targeting.Facts | None = None
        self._targets = self._find_targets()
        self._loans: dict[int, lending.Loan] = {}
        self._minted: dict[int, aliases.Alias] = {}

    def _is_new_source(self, past: visit_rows.Past | None) -> bool:
        """Whether this landing ends the live session: another tag or click, not a reload."""
        if past is None or not self.landing.starts_session:
            return False
        return (
            self._raw_source_id != past.raw_source_id
            or self.landing.click_ids != past.click_ids
        )

    def _find_targets(self) -> list[tuple[str, pools.Pool | None, Mailbox | None]]:
        site = self.visit.site
        targets: list[tuple[str, pools.Pool | None, Mailbox | None]] = []
        for text in self.visit.replaces:
            if "@" in text:
                targets.append((text, None, site.mailbox_of.get(text.casefold())))
            else:
                pool = site.pool_of.get(_e164(site, text) or "")
                if isinstance(pool, pools.Choice):
                    held = self.past.numbers if self.past else ()
                    pool = pool.of(self._known, held)
                targets.append((text, pool, None))
        return targets

    def _known(self) -> targeting.Facts:
        """What pools are chosen by: of the session as it began, on every page of it."""
        if self._facts is None:
            visit, past = self.visit, self.past
            self._facts = targeting.Facts(
                source=self.source.source,
                medium=self.source.medium,
                campaign=self.source.campaign,
                path=targeting.path_of(past.landing_url if past else visit.url),
                region=(past.region if past else "") or visit.region,
                device=past.device if past else visit.device,
                visitor=self.visitor,
            )
        return self._facts

    def _attribute(self, significant: sources.Source | None) -> None:
        """The session's source: its own if significant, else the visitor's latest."""
        if self.past is not None:
            self.source = self.past.source
        elif self.landing.significant:
            self.source = self.landing.source
        else:
            self.source = significant or sources.DIRECT

    def wants(self) -> list[lending.Want]:
        """One number of each pool whose number stands on the page."""
        held = self.past.numbers if self.past else {}
        reading = self.visit.reading or bool(self.past and self.past.has_read)
        found = {pool.id: pool for _, pool, _ in self._targets if pool is not None}
        return [
            lending.Want(
                pool=pool,
                session=self.session,
                visitor=self.visitor,
                keep=held.get(pool.id),
                reading=reading,
            )
            for pool in found.values()
        ]

    def lent(self, pool: pools.Pool, loan: lending.Loan) -> None:
        self._loans[pool.id] = loan

    def write(self, batch: visit_rows.Batch, n: int) -> None:
        """Add what is to be written of this visit to the batch."""
        visit, past = self.visit, self.past
        site_id = visit.site.id
        if past is None:
            batch.sources.append((site_id, self.source))
            if self.landing.source is not self.source:
                batch.sources.append((site_id, self.landing.source))
        batch.rows.append(
            visit_rows.Row(
                n=n,
                new=past is None,
                site_id=site_id,
                id=self.session,
                visitor_id=self.visitor,
                at=visit.at,
                source_id=past.source_id if past else self._source_id(),
                raw_source_id=self._raw_source_id,
                significant=self.landing.significant,
                rule=self.landing.rule,
                device=visit.device,
                landing_url=visit.url[: visit_rows.URL],
                referrer_url=visit.referrer[: visit_rows.URL],
                details=self._details(),
                test=test_mark(visit.url),
                page=visit.url[: visit_rows.URL] if past and visit.page else None,
            )
        )
        seen = visit.reading or bool(past and past.has_read)
        batch.leases += [
            visit_rows.LeaseRow(
                n=n,
                pool_id=pool_id,
                number=loan.number,
                shared=loan.shared,
                epoch=loan.epoch,
                seen=seen,
            )
            for pool_id, loan in self._loans.items()
            if loan.fresh and loan.number is not None
        ]
        self._mint()
        batch.aliases += [
            visit_rows.AliasRow(n=n, token=alias.token, mailbox_id=box, base=alias.base)
            for box, alias in self._minted.items()
        ]

    def _source_id(self) -> int:
        if self.source is self.landing.source:
            return self._raw_source_id
        return source_rows.source_id(self.source)

    def _details(self) -> dict[str, dict[str, str] | str] | None:
        named = (
            ("click_ids", self.landing.click_ids),
            ("labels", self.landing.labels),
            ("ids", self.visit.ids),
            ("region", self.visit.region if self.new else ""),
        )
        return {name: found for name, found in named if found} or None

    def _mint(self) -> None:
        held = self.past.aliases if self.past else {}
        for text, _, box in self._targets:
            if box is not None and box.id not in held and box.id not in self._minted:
                self._minted[box.id] = aliases.mint(text.partition("@")[0])

    def standing(self) -> Arrival | None:
        """What the session shows now; None once its numbers may be another's."""
        visit, past = self.visit, self.past
        lease = timedelta(seconds=visit.site.rules.lease_seconds)
        if past is None or visit.at - past.last_seen_at >= lease:
            return None
        return self.arrival(NOTHING_STOOD)

    def arrival(self, stood: visit_rows.Stood) -> Arrival:
        """The answer, given what really was written."""
        numbers, emails = [], []
        for text, pool, box in self._targets:
            if "@" not in text:
                numbers.append(self._number(text, pool, stood))
            elif box is not None and (address := self._address(box, stood)):
                emails.append(Email(replaces=text, address=address))
        return Arrival(
            visitor=self.visitor,
            session=self.session,
            new_session=self.new,
            numbers=numbers,
            emails=emails,
            lease_seconds=self.visit.site.rules.lease_seconds,
            beat_seconds=self.visit.site.rules.beat_seconds,
            debug=self._explain(numbers) if self.visit.debug else msgspec.UNSET,
        )

    def _explain(self, shown: Sequence[Number]) -> explanations.Explanation:
        visit, kinds = self.visit, {one.replaces: one.kind for one in shown}
        # A session's id travels in links; the visitor's does not leave his browser.
        known = self.past is None or self.past.visitor_id == visit.visitor
        return explanations.explain(
            self.landing,
            why=self._why_source(),
            source=self.source if known else None,
            device=visit.device,
            region=visit.region,
            test=self._is_test(),
            numbers=[
                explanations.Lent(
                    replaces=text,
                    kind=kinds[text],
                    pool=pool.name if pool else None,
                    why=self._why_number(text, pool, kinds[text]),
                )
                for text, pool, _ in self._targets
                if text in kinds
            ],
        )

    def _is_test(self) -> bool:
        mark = test_mark(self.visit.url)
        return bool(self.past and self.past.test) if mark is None else mark

    def _why_source(self) -> str:
        if self.past is not None:
            return "session"
        if self.landing.significant:
            return "landing"
        return "nothing" if self.source is sources.DIRECT else "visitor"

    def _why_number(self, text: str, pool: pools.Pool | None, kind: str) -> str:
        if pool is None:
            known = _e164(self.visit.site, text) in self.visit.site.pool_of
            return "not_targeted" if known else "no_pool"
        loan = self._loans.get(pool.id)
        if loan is None:
            return "away"
        if kind != "dynamic":
            return "none_idle"
        return "shared" if loan.shared else "lent" if loan.fresh else "held"

    def _number(
        self, text: str, pool: pools.Pool | None, stood: visit_rows.Stood
    ) -> Number:
        if pool is not None:
            number = self._held(pool, stood)
            if number is not None:
                return _show(text, number, "dynamic")
        static = _static(self.visit.site, self.source, text)
        if static is not None:
            return _show(text, static.number, "static")
        if pool is not None and pool.overflow:
            return _show(text, pool.overflow, "overflow")
        return _own(text)

    def _held(self, pool: pools.Pool, stood: visit_rows.Stood) -> str | None:
        loan = self._loans.get(pool.id)
        if loan is None:  # Valkey is away
            return self.past.numbers.get(pool.id) if self.past else None
        if loan.fresh and (self.session, loan.number) not in stood.granted:
            return None  # lent from a state that was rebuilt meanwhile
        return loan.number

    def _address(self, box: Mailbox, stood: visit_rows.Stood) -> str | None:
        minted = self._minted.get(box.id)
        if minted is not None and minted.token in stood.minted:
            return f"{minted.local_part}@{self._mail_domain}"
        held = self.past.aliases.get(box.id) if self.past else None
        return f"{held}@{self._mail_domain}" if held else None
