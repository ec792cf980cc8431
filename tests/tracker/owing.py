"""The usual for tests of deliveries: a site with destinations, visits, contacts, leads.

Rows are written as the modules that own them do, so that a test states only what matters.
"""

import itertools
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import aiohttp

from tests.conftest import NOON
from tracker import calls, deliveries, ids, source_rows
from tracker import db as database
from tracker.destinations.wire import Paces
from tracker.dispatch import Dispatcher
from tracker.seal import Seal
from tracker.sites import Directory, Site
from tracker.sources import Source

SECOND = timedelta(seconds=1)
MINUTE = timedelta(minutes=1)
HOUR = timedelta(hours=1)
DAY = timedelta(days=1)

YANDEX = Source(channel="paid_search", source="yandex", medium="cpc", campaign="winter")
GOOGLE = Source(channel="paid_search", source="google", medium="cpc")
RULE = "test/1"
_serial = itertools.count()


@dataclass(frozen=True, kw_only=True)
class Owed:
    """A contact that was made, with its person and lead."""

    contact: UUID
    person: UUID
    lead: UUID


@dataclass(frozen=True, kw_only=True)
class Visit:
    """A session of a visitor."""

    session: UUID
    visitor: UUID
    source: Source


class House:
    """One server with one site."""

    def __init__(
        self, pool: database.Pool, seal: Seal, http: aiohttp.ClientSession
    ) -> None:
        self.pool = pool
        self.seal = seal
        self.directory = Directory(pool, seal)
        # In the middle of the jitter: every wait is exactly the schedule's.
        self.dispatcher = Dispatcher(
            pool, self.directory, http, paces=Paces(), chance=lambda: 0.5
        )
        self.site_id = 0

    @property
    def site(self) -> Site:
        site = self.directory.by_id(self.site_id)
        assert site is not None
        return site

    async def open(self, **destinations: dict[str, Any]) -> None:
        """The site, with a destination a keyword: its name, and `kind` and settings."""
        self.site_id = await self.pool.fetchval(
            "INSERT INTO sites (key, name, domains) VALUES ($1, 'ACME', '{acme.example}') "
            "RETURNING id",
            f"acme{next(_serial)}",
        )
        for name, settings in destinations.items():
            await self.connect(name, **settings)
        await self.directory.load()

    async def connect(self, name: str, *, kind: str, **settings: Any) -> None:
        await self.pool.execute(
            "INSERT INTO connections (site_id, role, name, kind, key, settings) "
            "VALUES ($1, 'destination', $2, $3, $4, $5)",
            self.site_id,
            name,
            kind,
            uuid4().hex,
            self.seal.close(settings),
        )

    async def change(self, name: str, **settings: Any) -> None:
        """The owner saves other settings."""
        await self.pool.execute(
            "UPDATE connections SET settings = $3 WHERE site_id = $1 AND name = $2",
            self.site_id,
            name,
            self.seal.close(settings),
        )
        await self.directory.load()

    def destination(self, name: str) -> int:
        return next(one.id for one in self.site.connections if one.name == name)

    async def visit(
        self,
        *,
        source: Source = YANDEX,
        at: datetime = NOON - HOUR,
        visitor: UUID | None = None,
        **given: str,
    ) -> Visit:
        """A session; `given` are its analytics and click ids."""
        session, visitor = ids.mint(self.site_id, at), visitor or uuid4()
        await source_rows.keep(self.pool, self.site_id, [source])
        source_id = source_rows.source_id(source)
        await self.pool.execute(
            """
            INSERT INTO sessions (site_id, id, visitor_id, started_at, last_seen_at, source_id,
                                  raw_source_id, rule, device, landing_url, details)
            VALUES ($1, $2, $3, $4, $4, $5, $5, 'utm', 'mobile', $6, $7)
            """,
            self.site_id,
            session,
            visitor,
            at,
            source_id,
            "https://acme.example/kitchens",
            {"ids": given},
        )
        await self.pool.execute(
            "INSERT INTO pages (site_id, session_id, at, url) VALUES ($1, $2, $3, $4)",
            self.site_id,
            session,
            at,
            "https://acme.example/kitchens",
        )
        return Visit(session=session, visitor=visitor, source=source)

    async def contact(
        self,
        *visits: tuple[Visit, float],
        kind: str = "form",
        at: datetime = NOON,
        phone: str | None = "+79161234567",
        email: str | None = None,
        like: Owed | None = None,
        text: str = "",
        owe: bool = True,
    ) -> Owed:
        """A contact of a new person, or one more of the same (`like`), with what is owed."""
        contact = uuid4()
        person, lead = (like.person, like.lead) if like else (uuid4(), uuid4())
        channel = {"call": "phone", "message": "telegram"}.get(kind, kind)
        async with self.pool.acquire() as db, db.transaction():
            if like is None:
                await self._person(db, person, phone, email, at)
                await self._lead(db, lead, person, contact, at)
            await db.execute(
                """
                INSERT INTO contacts (site_id, id, channel, kind, at, person_id, lead_id, caller,
                                      email, name, text, rule, certainty, source_id, updated_at)
                VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, 'Ivan', $10, $11, $12, $13, $5)
                """,
                self.site_id,
                contact,
                channel,
                kind,
                at,
                person,
                lead,
                phone,
                email,
                text,
                RULE,
                visits[0][1] if visits else 0.0,
                source_rows.source_id(visits[0][0].source) if visits else None,
            )
            for n, (visit, weight) in enumerate(visits):
                await db.execute(
                    "INSERT INTO attributions (site_id, contact_id, rule, n, session_id, "
                    "source_id, weight) VALUES ($1, $2, $3, $4, $5, $6, $7)",
                    self.site_id,
                    contact,
                    RULE,
                    n,
                    visit.session,
                    source_rows.source_id(visit.source),
                    weight,
                )
        made = Owed(contact=contact, person=person, lead=lead)
        if kind == "call":
            await self._call(contact, at)
        if owe:
            await self.owe(made, "contact.created", at=at)
        return made

    async def _person(
        self,
        db: database.Connection,
        person: UUID,
        phone: str | None,
        email: str | None,
        at: datetime,
    ) -> None:
        await db.execute(
            "INSERT INTO persons (site_id, id, name, created_at) VALUES ($1, $2, 'Ivan', $3)",
            self.site_id,
            person,
            at,
        )
        for kind, value in (("phone", phone), ("email", email)):
            if value:
                await db.execute(
                    "INSERT INTO person_keys (site_id, kind, value, person_id) "
                    "VALUES ($1, $2, $3, $4) ON CONFLICT DO NOTHING",
                    self.site_id,
                    kind,
                    value,
                    person,
                )

    async def _lead(
        self,
        db: database.Connection,
        lead: UUID,
        person: UUID,
        contact: UUID,
        at: datetime,
    ) -> None:
        await db.execute(
            "INSERT INTO leads (site_id, id, person_id, opened_at, last_contact_at, "
            "first_contact_id) VALUES ($1, $2, $3, $4, $4, $5)",
            self.site_id,
            lead,
            person,
            at,
            contact,
        )

    async def _call(self, contact: UUID, at: datetime) -> None:
        ringing = calls.CallEvent(type="ringing", call_key=str(contact), at=at)
        async with self.pool.acquire() as db, db.transaction():
            await calls.merge(
                db,
                site_id=self.site_id,
                connection_id=0,
                contact_id=contact,
                event=ringing,
            )

    async def end_call(
        self, owed: Owed, *, talked: int | None = 61, at: datetime
    ) -> None:
        """The call is over, and whoever wants to know is told."""
        await self.pool.execute(
            "UPDATE calls SET ended_at = $3, ring_seconds = 9, talk_seconds = $4, outcome = $5, "
            "manager = 'Olga' WHERE site_id = $1 AND contact_id = $2",
            self.site_id,
            owed.contact,
            at,
            talked,
            "missed" if talked is None else "answered",
        )
        await self.owe(owed, "contact.updated", key=f"ended:{owed.contact}", at=at)

    async def owe(
        self,
        owed: Owed,
        event: str,
        *,
        key: str | None = None,
        deal: UUID | None = None,
        at: datetime = NOON,
    ) -> None:
        async with self.pool.acquire() as db, db.transaction():
            await deliveries.owe(
                db,
                self.site,
                event=event,
                key=key or f"{event}:{owed.contact}",
                lead_id=owed.lead,
                contact_id=None if deal else owed.contact,
                deal_id=deal,
                at=at,
            )

    async def win(
        self, owed: Owed, *, amount: int, currency: str = "RUB", at: datetime
    ) -> None:
        """The lead's deal is won."""
        deal = uuid4()
        await self.pool.execute(
            """
            INSERT INTO deals (site_id, id, crm, crm_id, person_id, lead_id, state, amount,
                               currency, opened_at, closed_at, updated_at)
            VALUES ($1, $2, 'crm', $8, $3, $4, 'won', $5, $6, $7, $7, $7)
            """,
            self.site_id,
            deal,
            owed.person,
            owed.lead,
            amount,
            currency,
            at,
            str(deal),
        )
        await self.owe(owed, "deal.won", key=f"won:{deal}", deal=deal, at=at)

    async def carry(self, at: datetime = NOON) -> None:
        """Everything that is due at that moment."""
        await self.dispatcher.run_due(at)

    async def shown(self, owed: Owed) -> list[deliveries.Shown]:
        return await deliveries.of_contact(self.pool, self.site_id, [owed.contact])

    async def states(self) -> list[str]:
        """Of all deliveries, in the order they were owed."""
        rows = await self.pool.fetch("SELECT state FROM deliveries ORDER BY seq")
        return [row["state"] for row in rows]

    async def errors(self) -> list[str | None]:
        rows = await self.pool.fetch("SELECT last_error FROM deliveries ORDER BY seq")
        return [row["last_error"] for row in rows]
