"""Tells the example site's story to the functions that real visits and contacts go through.

`demo_story` has made it up; here it is played in the order of time, each thing with its own
moment. So numbers are lent, calls weighed, people recognised and leads joined just as they
would have been. Weeks-old contacts owe no deliveries; those of the last day do.
"""

import asyncio
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime
from uuid import UUID

import redis.asyncio

from numberpool import ledger, lending
from tracker import beats, contacts, costs, deals, demo_records, visits
from tracker import db as database
from tracker.demo_tape import (
    DAY,
    SECOND,
    Call,
    Deal,
    Form,
    Happening,
    Letter,
    Line,
    Page,
    Sign,
    Story,
)
from tracker.reports import rollup
from tracker.sites import Site

OWED = DAY  # contacts older than this are told to nobody
TOGETHER = 60 * SECOND  # visits that close are settled together
SIGNS = 200  # written at once, unless somebody calls meanwhile
PATIENCE = 60.0  # seconds; no page waits for its number here
CRM = "crm"  # the connection that tells of deals
ORIGIN = "demo"  # of the costs

Told = Callable[[datetime], None]


async def tell(
    pool: database.Pool,
    valkey: redis.asyncio.Redis,
    site: Site,
    story: Story,
    *,
    mail_domain: str,
    told: Told = lambda moment: None,
) -> None:
    """Play the story to its end; `told` hears how far it has come.

    The site must be new: nothing of it may have happened yet.
    """
    async with pool.acquire() as db:
        await database.partition(db, since=story.since, until=story.until)
    doors = visits.Visits(pool, valkey, mail_domain=mail_domain, patience=PATIENCE)
    player = _Player(pool, valkey, doors, site, story.until)
    for one in story.happenings:
        await player.play(one)
        told(one.at)
    await player.settle()
    await doors.waits.flush()
    async with pool.acquire() as db:
        await costs.replace_days(
            db, site, demo_records.day_costs(story.costs), origin=ORIGIN
        )
        days = (
            at.astimezone(site.timezone).date() for at in (story.since, story.until)
        )
        await rollup.rebuild(db, site.id, *days)
    for one_pool in site.pools:
        await ledger.rebuild(pool, valkey, one_pool, story.until)


class _Player:
    """What was told so far: who each visitor is, what each visit was shown."""

    def __init__(
        self,
        pool: database.Pool,
        valkey: redis.asyncio.Redis,
        doors: visits.Visits,
        site: Site,
        until: datetime,
    ) -> None:
        self._pool = pool
        self._valkey = valkey
        self._doors = doors
        self._site = site
        self._silent = _without_destinations(site)
        self._pbx = next(one.id for one in site.connections if one.role == "telephony")
        self._replaces = (*site.pools[0].replaces, *site.mailboxes[0].replaces)
        self._owed_since = until - OWED
        self._visitors: dict[int, UUID | None] = {}
        self._arrivals: dict[int, visits.Arrival] = {}
        self._pages: list[Page] = []  # wait to be settled together
        self._signs: list[Sign] = []  # wait to be told to the pool
        self._written: list[beats.Beat] = []  # wait to be written

    async def play(self, one: Happening) -> None:
        """The next thing that happens."""
        if isinstance(one, Page):
            if self._is_apart(one):
                await self._arrive()
            self._pages.append(one)
        elif isinstance(one, Sign):
            self._signs.append(one)
        else:
            await self.settle()
            async with self._pool.acquire() as db, db.transaction():
                await self._reach(db, one)

    async def settle(self) -> None:
        """Write all that waits."""
        await self._arrive()
        waiting, self._written = self._written, []
        if waiting:
            await beats.write(self._pool, waiting)

    # Visits ---------------------------------------------------------------------------

    def _is_apart(self, page: Page) -> bool:
        """A visitor's next page must know what the one before was answered."""
        return any(
            one.visitor == page.visitor or page.at - one.at > TOGETHER
            for one in self._pages
        )

    async def _arrive(self) -> None:
        """The pages that wait, and then what they told."""
        pages, self._pages = self._pages, []
        arrivals = await asyncio.gather(
            *(self._doors.arrive(self._visit(one)) for one in pages)
        )
        for page, arrival in zip(pages, arrivals, strict=True):
            self._arrivals[page.visit] = arrival
            self._visitors[page.visitor] = arrival.visitor
        signs, self._signs = self._signs, []
        told = [beat for one in signs if (beat := self._beat(one))]
        if told:
            await self._touch(told)
            self._written += told
        if len(self._written) >= SIGNS:
            waiting, self._written = self._written, []
            await beats.write(self._pool, waiting)

    def _visit(self, page: Page) -> visits.Visit:
        before = self._arrivals.get(page.visit)
        return visits.Visit(
            site=self._site,
            at=page.at,
            url=page.url,
            referrer=page.referrer,
            visitor=self._visitors.get(page.visitor),
            session=before.session if before else None,
            replaces=self._replaces,
            ids=page.ids,
            device=page.device,
        )

    def _beat(self, sign: Sign) -> beats.Beat | None:
        session = self._arrivals[sign.visit].session
        if session is None:
            return None
        did = beats.Happening(type=sign.did, at=sign.at) if sign.did else None
        return beats.Beat(
            session=session,
            at=sign.at,
            state=sign.state,
            events=(did,) if did else (),
        )

    async def _touch(self, told: list[beats.Beat]) -> None:
        """The pool keeps the numbers of open pages."""
        signs = [
            lending.Sign(
                pool_id=self._site.pools[0].id,
                session=beat.session,
                at=beat.at,
                seen=any(one.type in beats.SEEING for one in beat.events),
            )
            for beat in told
            if beat.state == "visible"
        ]
        await lending.touch(self._valkey, signs)

    # Contacts and deals -----------------------------------------------------------------

    async def _reach(
        self, db: database.Connection, one: Call | Letter | Form | Deal
    ) -> None:
        site = self._site if one.at >= self._owed_since else self._silent
        if isinstance(one, Call):
            number = self._number(one.line)
            events = demo_records.call_events(one, number) if number else ()
            for event in events:
                await contacts.capture_call(db, site, self._pbx, event, at=event.at)
        elif isinstance(one, Letter):
            shown = self._arrivals[one.visit]
            for email in shown.emails[:1]:
                letter = demo_records.letter(site, one, email.address, shown.session)
                await contacts.capture_letter(db, site, letter, at=one.at)
        elif isinstance(one, Form):
            form = demo_records.form(one, self._arrivals[one.visit].session)
            await contacts.capture_form(db, site, form, at=one.at)
        else:
            await deals.upsert(db, site, demo_records.deal(one), crm=CRM, at=one.at)

    def _number(self, line: Line) -> str | None:
        """What was dialled; None when the visitor was shown the shop's own number."""
        if line.static is not None:
            statics = self._site.statics
            return statics[line.static % len(statics)].number if statics else None
        if line.visit is None:
            numbers = self._site.pools[0].numbers
            return numbers[(line.number or 0) % len(numbers)][1]
        shown = self._arrivals[line.visit].numbers[0]
        return shown.number if shown.kind == "dynamic" else None


def _without_destinations(site: Site) -> Site:
    connections = tuple(one for one in site.connections if one.role == "telephony")
    return replace(site, connections=connections)
