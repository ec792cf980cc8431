"""Visits that were shown numbers, and the calls and forms that follow, through the real doors."""

import itertools
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from uuid import UUID

from tracker import calls, contacts, ids, source_rows, sources
from tracker import db as database
from tracker.sites import Site

ANNA, BORIS = "+79161234567", "+79031112233"
MINUTE = timedelta(minutes=1)
SECOND = timedelta(seconds=1)


@dataclass
class Known:
    """A site where the test says who did what."""

    db: database.Pool
    site: Site
    serial: itertools.count = field(default_factory=itertools.count)

    async def visit(
        self,
        at: datetime,
        number: str,
        *,
        visitor: UUID | None = None,
        stay: timedelta = 4 * MINUTE,
        clicked: datetime | None = None,
        test: bool = False,
    ) -> UUID:
        """A session that was shown the number and looked at it."""
        session, visitor = ids.mint(self.site.id, at), visitor or ids.visitor()
        source_id = source_rows.source_id(sources.DIRECT)
        await source_rows.keep(self.db, self.site.id, [sources.DIRECT])
        await self.db.execute(
            "INSERT INTO sessions (site_id, id, visitor_id, started_at, last_seen_at, source_id, "
            "raw_source_id, rule, device, landing_url, test) "
            "VALUES ($1, $2, $3, $4, $5, $6, $6, 'utm', 'mobile', 'https://acme.example/', $7)",
            self.site.id, session, visitor, at, at + stay, source_id, test,
        )  # fmt: skip
        await self.db.execute(
            "INSERT INTO leases (site_id, number, since, session_id, visitor_id, pool_id, source_id, "
            "device, last_sign_at, seen_at, clicked_at) "
            "VALUES ($1, $2, $3, $4, $5, $6, $7, 'mobile', $8, $9, $10)",
            self.site.id, number, at, session, visitor, self.site.numbers[number].pool.id,
            source_id, at + stay, at + 5 * SECOND, clicked,
        )  # fmt: skip
        if clicked is not None:
            await self.db.execute(
                "INSERT INTO events VALUES ($1, $2, $3, 'tel_click', $4)",
                self.site.id, session, clicked, number,
            )  # fmt: skip
        return session

    async def call(
        self, at: datetime, number: str, *, caller: str | None = ANNA
    ) -> UUID:
        event = calls.CallEvent(
            type="ringing",
            call_key=str(next(self.serial)),
            at=at,
            caller=caller,
            hidden=caller is None,
            tracked=number,
            ours=True,
        )
        async with self.db.acquire() as db, db.transaction():
            contact = await contacts.capture_call(db, self.site, 1, event, at=at)
        assert contact is not None
        return contact

    async def form(
        self, at: datetime, session: UUID | None, *, phone: str | None = ANNA
    ) -> UUID:
        form = contacts.Form(
            id=str(next(self.serial)),
            channel="form",
            at=at,
            session_id=session,
            url="https://acme.example/",
            phone=phone,
        )
        async with self.db.acquire() as db, db.transaction():
            return await contacts.capture_form(db, self.site, form, at=at)

    async def visitor_of(self, session: UUID) -> UUID:
        visitor: UUID = await self.db.fetchval(
            "SELECT visitor_id FROM sessions WHERE id = $1", session
        )
        return visitor
