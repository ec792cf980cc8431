"""Writes what happened at a site as rows, and remembers it to count it in its own way."""

import itertools
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from decimal import Decimal
from uuid import UUID, uuid5
from zoneinfo import ZoneInfo

from tracker import db as database
from tracker import ids, source_rows, sources, stale
from tracker.sites import Rules, Site

Shares = Sequence[tuple[sources.Source, float]]

YANDEX = sources.labelled(source="yandex", medium="cpc", campaign="kitchens")
YANDEX_DOORS = sources.labelled(source="yandex", medium="cpc", campaign="doors")
GOOGLE = sources.labelled(source="google", medium="cpc", campaign="kitchens")
SEARCH = sources.labelled(source="google", medium="organic")
DIRECT = sources.DIRECT
MEASURES = (
    "visits",
    "calls",
    "missed",
    "emails",
    "forms",
    "messages",
    "leads",
    "deals",
)
PLURALS = {"call": "calls", "email": "emails", "form": "forms", "message": "messages"}


async def make_site(
    db: database.Db, *, key: str = "acme", timezone: str = "Europe/Moscow"
) -> Site:
    """A site with nothing set up."""
    site_id = await db.fetchval(
        "INSERT INTO sites (key, name, domains, timezone) VALUES ($1, 'ACME', '{}', $2) "
        "RETURNING id",
        key,
        timezone,
    )
    return Site(
        id=site_id,
        key=key,
        name="ACME",
        domains=(),
        timezone=ZoneInfo(timezone),
        currency="RUB",
        demo=False,
        rules=Rules(),
    )


@dataclass
class History:
    """What happened, written and remembered."""

    db: database.Db
    site: Site
    visits: list[tuple[datetime, int]] = field(default_factory=list)
    contacts: dict[UUID, dict] = field(default_factory=dict)
    leads: dict[UUID, tuple[datetime, UUID]] = field(default_factory=dict)
    deals: dict[UUID, dict] = field(default_factory=dict)
    costs: list[tuple[date, int, Decimal]] = field(default_factory=list)
    serial: itertools.count = field(default_factory=itertools.count)

    def new_id(self) -> UUID:
        return uuid5(ids.NATURAL, f"{self.site.id}/{next(self.serial)}")

    async def source(self, source: sources.Source) -> int:
        await source_rows.keep(self.db, self.site.id, [source])
        return source_rows.source_id(source)

    async def visit(
        self, at: datetime, source: sources.Source, *, test: bool = False
    ) -> UUID:
        """A session; visits mark no day as stale."""
        source_id = await self.source(source)
        session = ids.mint(self.site.id, at)
        await self.db.execute(
            """
            INSERT INTO sessions (site_id, id, visitor_id, started_at, last_seen_at, source_id,
                                  raw_source_id, rule, device, landing_url, test)
            VALUES ($1, $2, $2, $3, $3, $4, $4, 'utm', 'desktop', 'https://acme.example/', $5)
            """,
            self.site.id,
            session,
            at,
            source_id,
            test,
        )
        if not test:
            self.visits.append((at, source_id))
        return session

    async def contact(
        self,
        at: datetime,
        shares: Shares = (),
        *,
        kind: str = "call",
        outcome: str | None = "answered",
        excluded: str | None = None,
    ) -> UUID:
        """A contact with its candidates, and an older answer that no longer counts."""
        contact = self.new_id()
        weights = [(await self.source(source), weight) for source, weight in shares]
        await self.db.execute(
            """
            INSERT INTO contacts (site_id, id, channel, kind, at, person_id, rule, certainty,
                                  excluded, updated_at)
            VALUES ($1, $2, 'x', $3, $4, $2, 'now/2', 1, $5, $4)
            """,
            self.site.id,
            contact,
            kind,
            at,
            excluded,
        )
        old = [("old/1", 0, await self.source(DIRECT), 1.0)]
        new = [("now/2", n, *pair) for n, pair in enumerate(weights)]
        await self.db.executemany(
            "INSERT INTO attributions (site_id, contact_id, rule, n, source_id, weight) "
            "VALUES ($1, $2, $3, $4, $5, $6)",
            [(self.site.id, contact, *row) for row in old + new],
        )
        if kind == "call":
            await self.db.execute(
                """
                INSERT INTO calls (site_id, contact_id, connection_id, call_key, started_at,
                                   ended_at, outcome)
                VALUES ($1, $2, 1, $3, $4, $5, $6)
                """,
                self.site.id,
                contact,
                str(contact),
                at,
                None if outcome is None else at + timedelta(minutes=1),
                outcome,
            )
        self.contacts[contact] = {
            "at": at,
            "kind": kind,
            "weights": weights,
            "missed": kind == "call" and outcome not in (None, "answered"),
            "excluded": excluded,
        }
        await stale.mark(self.db, self.site, at)
        return contact

    async def lead(self, contact: UUID) -> UUID:
        """The lead that the contact opened."""
        lead, at = self.new_id(), self.contacts[contact]["at"]
        await self.db.execute(
            """
            INSERT INTO leads (site_id, id, person_id, opened_at, last_contact_at,
                               first_contact_id)
            VALUES ($1, $2, $3, $4, $4, $3)
            """,
            self.site.id,
            lead,
            contact,
            at,
        )
        self.leads[lead] = at, contact
        await stale.mark(self.db, self.site, at)
        return lead

    async def deal(
        self,
        at: datetime,
        amount: str,
        *,
        lead: UUID | None = None,
        state: str = "won",
        currency: str = "RUB",
    ) -> UUID:
        deal = self.new_id()
        closed = None if state == "open" else at
        await self.db.execute(
            """
            INSERT INTO deals (site_id, id, crm, crm_id, lead_id, state, amount, currency,
                               opened_at, closed_at, updated_at)
            VALUES ($1, $2, 'api', $3, $4, $5, $6, $7, $8, $9, $8)
            """,
            self.site.id,
            deal,
            str(deal),
            lead,
            state,
            Decimal(amount),
            currency,
            at,
            closed,
        )
        self.deals[deal] = {
            "at": at,
            "amount": Decimal(amount),
            "lead": lead,
            "state": state,
            "currency": currency,
        }
        await stale.mark(self.db, self.site, at)
        return deal

    async def cost(self, day: date, source: sources.Source, amount: str) -> None:
        source_id = await self.source(source)
        await self.db.execute(
            """
            INSERT INTO costs (site_id, day, origin, source_id, amount, currency)
            VALUES ($1, $2, $3, $4, $5, 'RUB')
            """,
            self.site.id,
            day,
            f"test-{next(self.serial)}",
            source_id,
            Decimal(amount),
        )
        self.costs.append((day, source_id, Decimal(amount)))
        await stale.mark_days(self.db, [(self.site.id, day)])

    def expected(self) -> dict[tuple[date, int], dict]:
        """The daily rows as plain Python counts them."""
        cells: dict = defaultdict(lambda: defaultdict(float))
        money: dict = defaultdict(Decimal)
        for at, source_id in self.visits:
            cells[self.day(at), source_id]["visits"] += 1
        for one in self.contacts.values():
            if one["excluded"]:
                continue
            for source_id, weight in self.shares(one):
                cell = cells[self.day(one["at"]), source_id]
                cell[PLURALS[one["kind"]]] += weight
                if one["missed"]:
                    cell["missed"] += weight
        for at, contact in self.leads.values():
            if not self.contacts[contact]["excluded"]:
                for source_id, weight in self.shares(self.contacts[contact]):
                    cells[self.day(at), source_id]["leads"] += weight
        for deal in self.deals.values():
            if deal["state"] != "won":
                continue
            shares = [(0, 1.0)]
            if deal["lead"] is not None:
                shares = self.shares(self.contacts[self.leads[deal["lead"]][1]])
            for source_id, weight in shares:
                key = self.day(deal["at"]), source_id
                cells[key]["deals"] += weight
                if deal["currency"] == "RUB":
                    money[key, "revenue"] += deal["amount"] * Decimal(str(weight))
        for day, source_id, amount in self.costs:
            cells[day, source_id]["cost"] += 0
            money[(day, source_id), "cost"] += amount
        return {
            key: {
                **{name: round(cell[name], 6) for name in MEASURES},
                **{name: round(money[key, name], 2) for name in ("revenue", "cost")},
            }
            for key, cell in cells.items()
        }

    def shares(self, contact: dict) -> list[tuple[int, float]]:
        given = contact["weights"]
        rest = round(1 - sum(weight for _, weight in given), 6)
        return [*given, (0, rest)] if rest > 0 else list(given)

    def day(self, at: datetime) -> date:
        return at.astimezone(self.site.timezone).date()

    async def stored(self) -> dict[tuple[date, int], dict]:
        """The daily rows as they stand."""
        rows = await self.db.fetch(
            "SELECT * FROM daily WHERE site_id = $1", self.site.id
        )
        return {
            (row["day"], row["source_id"]): {
                **{name: round(float(row[name]), 6) for name in MEASURES},
                **{name: round(row[name], 2) for name in ("revenue", "cost")},
            }
            for row in rows
        }
