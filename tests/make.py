"""Builders of the usual, so that a test states only what matters to it."""

import json
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from numberpool import sizing
from tracker import db as database
from tracker import seal as sealing
from tracker import sites, source_rows, sources

NOON = datetime(2026, 11, 2, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)
DAY = timedelta(days=1)

OWN = "+74950000000"
MAILBOX = "info@acme.example"
SEAL = sealing.Seal("only for tests")


def number(n: int) -> str:
    """The nth pool number, from 1."""
    return f"+7495100{n:04d}"


async def site(
    db: database.Pool,
    *,
    key: str = "acme",
    numbers: int = 2,
    overflow: str | None = None,
    late: str = "peak",
    share: bool = True,
    statics: Sequence[tuple[str, dict[str, str]]] = (),
    mailbox: bool = True,
    next_hop: str = "smtp://127.0.0.1:25",
    telephony: Sequence[tuple[str, str, dict[str, Any]]] = (),
    destinations: Sequence[tuple[str, str, dict[str, Any]]] = (),
    settings: dict[str, Any] | None = None,
) -> sites.Site:
    """A site with one pool; connections are (name, kind, settings)."""
    # All at once, as provisioning does: nobody ever sees half a site.
    async with db.acquire() as one, one.transaction():
        site_id = await one.fetchval(
            "INSERT INTO sites (key, name, domains, settings) "
            "VALUES ($1, $1, ARRAY['acme.example', 'localhost'], $2) RETURNING id",
            key,
            settings or {},
        )
        pool_id = await one.fetchval(
            "INSERT INTO pools (site_id, name, replaces, forward_to, overflow, late, share) "
            "VALUES ($1, 'main', $2, $3, $4, $5, $6) RETURNING id",
            site_id,
            [OWN],
            OWN,
            overflow,
            late,
            share,
        )
        for n in range(1, numbers + 1):
            await one.execute(
                "INSERT INTO numbers (site_id, number, kind, pool_id, position) "
                "VALUES ($1, $2, 'dynamic', $3, $4)",
                site_id,
                number(n),
                pool_id,
                n,
            )
        if overflow:
            await one.execute(
                "INSERT INTO numbers (site_id, number, kind, pool_id) "
                "VALUES ($1, $2, 'overflow', $3)",
                site_id,
                overflow,
                pool_id,
            )
        for static, labels in statics:
            source = sources.labelled(**labels)
            await source_rows.keep(one, site_id, [source])
            await one.execute(
                "INSERT INTO numbers (site_id, number, kind, source_id, forward_to) "
                "VALUES ($1, $2, 'static', $3, $4)",
                site_id,
                static,
                source_rows.source_id(source),
                OWN,
            )
        if mailbox:
            await one.execute(
                "INSERT INTO mailboxes (site_id, replaces, forward_to, next_hop) "
                "VALUES ($1, $2, $3, $4)",
                site_id,
                [MAILBOX],
                MAILBOX,
                SEAL.close(next_hop),
            )
        for role, connections in (
            ("telephony", telephony),
            ("destination", destinations),
        ):
            for name, kind, values in connections:
                await one.execute(
                    "INSERT INTO connections (site_id, role, name, kind, key, settings) "
                    "VALUES ($1, $2, $3, $4, $5, $6)",
                    site_id,
                    role,
                    name,
                    kind,
                    f"{key}-{name}-key",
                    SEAL.close(json.loads(json.dumps(values))),
                )
    return await found(db, key)


async def found(db: database.Pool, key: str) -> sites.Site:
    """The site as a process keeps it in memory."""
    return (await sites.load(db, SEAL)).by_key[key]


def plan(current: int = 4, **told: Any) -> sizing.Plan:
    """A plan that compares 2, 4 and 8 numbers and advises 4."""
    usual: dict[str, Any] = dict(
        question=sizing.Question(), current=current, since=NOON.timestamp() - 28 * 86400,
        until=NOON.timestamp(), days=28.0, asked_days=28, visits_a_day=80.0,
        peak_visits=9.0, visible_seconds=120.0, load=0.7, model="learned-1",
        provisional=False, drawn_calls=1200, calls=190, sure=0.65, month_calls=200.0,
        worth=Decimal(100), worth_by="revenue", currency="RUB",
        sizes=tuple(
            sizing.Size(
                numbers=numbers, own=own, shared=1 - own, blocked=0.0, erlang=0.1,
                found=found, right=found - 0.02, sure=found, error=0.02,
                wrong_calls=wrong, loss=Decimal(100) * wrong,
            )
            for numbers, own, found, wrong in ((2, 0.9, 0.5, 50), (4, 1.0, 0.7, 30), (8, 1.0, 0.72, 28))
        ),
        advice=sizing.Advice(numbers=4, reason="knee", found=0.7, gain=0.015),
    )  # fmt: skip
    return sizing.Plan(**usual | told)
