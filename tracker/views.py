"""A contact as others see it: the REST API and the webhooks give the same record."""

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import asyncpg

from tracker import db as database
from tracker import models

LABELS = ("channel", "source", "medium", "campaign", "term", "content")


async def contacts(
    db: database.Db, site_id: int, ids: Sequence[UUID]
) -> list[dict[str, Any]]:
    """The contacts in the order asked for, as `GET /api/v1/contacts` gives them."""
    rows = await db.fetch(
        f"""
        SELECT c.*, b.model, {models.PROVISIONAL} AS provisional, s.channel AS s_channel, s.source, s.medium, s.campaign, s.term, s.content,
               k.answered_at, k.ended_at, k.talk_seconds, k.ring_seconds, k.outcome,
               k.recordings, k.manager, k.contact_id IS NOT NULL AS has_call,
               l.from_address, l.from_name, l.subject, l.contact_id IS NOT NULL AS has_letter
          FROM contacts c
          LEFT JOIN sources s ON s.site_id = c.site_id AND s.id = c.source_id
          LEFT JOIN calls k ON k.site_id = c.site_id AND k.contact_id = c.id
          LEFT JOIN letters l ON l.site_id = c.site_id AND l.contact_id = c.id
          LEFT JOIN {models.BASIS}
         WHERE c.site_id = $1 AND c.id = ANY($2::uuid[])
        """,
        site_id,
        list(ids),
    )
    candidates = _grouped(
        await db.fetch(
            """
            SELECT a.contact_id, a.session_id AS session, a.weight
              FROM attributions a
              JOIN contacts c ON c.site_id = a.site_id AND c.id = a.contact_id AND c.rule = a.rule
             WHERE a.site_id = $1 AND a.contact_id = ANY($2::uuid[])
             ORDER BY a.n
            """,
            site_id,
            list(ids),
        )
    )
    deliveries = _grouped(
        await db.fetch(
            """
            SELECT d.contact_id, n.name AS destination, n.kind, d.state, d.attempts, d.last_error
              FROM deliveries d
              JOIN connections n ON n.site_id = d.site_id AND n.id = d.destination_id
             WHERE d.site_id = $1 AND d.contact_id = ANY($2::uuid[])
             ORDER BY d.seq
            """,
            site_id,
            list(ids),
        )
    )
    built = {
        row["id"]: _contact(
            row, candidates.get(row["id"], []), deliveries.get(row["id"], [])
        )
        for row in rows
    }
    return [built[id_] for id_ in ids if id_ in built]


def _grouped(rows: Iterable[asyncpg.Record]) -> dict[UUID, list[dict[str, Any]]]:
    found: dict[UUID, list[dict[str, Any]]] = {}
    for row in rows:
        item = dict(row)
        found.setdefault(item.pop("contact_id"), []).append(item)
    return found


def _contact(
    row: asyncpg.Record,
    candidates: list[dict[str, Any]],
    deliveries: list[dict[str, Any]],
) -> dict[str, Any]:
    return {
        "id": str(row["id"]),
        "channel": row["channel"],
        "kind": row["kind"],
        "at": instant(row["at"]),
        "caller": row["caller"],
        "from": row["caller"] or row["email"],
        "number": row["number"],
        "alias": row["alias"],
        "name": row["name"],
        "email": row["email"],
        "text": row["text"],
        "fields": row["fields"],
        "person": str(row["person_id"]),
        "lead": str(row["lead_id"]) if row["lead_id"] else None,
        "source": _source(row),
        "certainty": round(row["certainty"], 4),
        "candidates": [
            {
                "session": str(one["session"]) if one["session"] else None,
                "weight": round(one["weight"], 4),
            }
            for one in candidates
        ],
        "rule": row["rule"],
        "model": row["model"],
        "provisional": row["provisional"],
        "excluded": row["excluded"],
        "call": _call(row) if row["has_call"] else None,
        "mail": _mail(row) if row["has_letter"] else None,
        "deliveries": deliveries,
        "updated": instant(row["updated_at"]),
    }


def _source(row: asyncpg.Record) -> dict[str, str] | None:
    if row["source_id"] is None:
        return None
    return {
        label: row["s_channel" if label == "channel" else label] or ""
        for label in LABELS
    }


def _call(row: asyncpg.Record) -> dict[str, Any]:
    recordings = [one["url"] for one in row["recordings"] if one["url"]]
    return {
        "answered": row["answered_at"] is not None or row["outcome"] == "answered",
        "talk_seconds": row["talk_seconds"],
        "ring_seconds": row["ring_seconds"],
        "missed": row["ended_at"] is not None and row["outcome"] != "answered",
        "outcome": row["outcome"],
        "recording": recordings[0] if recordings else None,
        "manager": row["manager"],
        "ended": row["ended_at"] is not None,
    }


def _mail(row: asyncpg.Record) -> dict[str, Any]:
    return {
        "from": row["from_address"],
        "from_name": row["from_name"],
        "subject": row["subject"],
    }


async def deals(
    db: database.Db, site_id: int, ids: Sequence[UUID]
) -> list[dict[str, Any]]:
    """The deals in the order asked for, as the API and the webhooks give them."""
    rows = await db.fetch(
        "SELECT * FROM deals WHERE site_id = $1 AND id = ANY($2::uuid[])",
        site_id,
        list(ids),
    )
    built = {
        row["id"]: {
            "id": row["crm_id"],
            "crm": row["crm"],
            "person": str(row["person_id"]) if row["person_id"] else None,
            "lead": str(row["lead_id"]) if row["lead_id"] else None,
            "title": row["title"],
            "stage": row["stage"],
            "state": row["state"],
            "amount": str(row["amount"]),
            "currency": row["currency"],
            "manager": row["manager"],
            "opened": instant(row["opened_at"]),
            "closed": instant(row["closed_at"]) if row["closed_at"] else None,
        }
        for row in rows
    }
    return [built[id_] for id_ in ids if id_ in built]


def instant(at: datetime) -> str:
    """RFC 3339 in UTC, to the millisecond."""
    text = at.astimezone(UTC).isoformat(timespec="milliseconds")
    return text.replace("+00:00", "Z")
