"""The health page: what is broken, since when, and the button that mends it."""

from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from aiohttp import web

from tracker import (
    alerts,
    connections,
    crawl_alarm,
    deliveries,
    errors,
    health,
    inbox,
    letters,
)
from tracker.sites import Connection
from web import keys, operations
from web.dashboard.view import View

PAST = timedelta(days=7)  # alerts that ended longer ago are history
MOST_PAST = 20


async def show(view: View) -> web.Response:
    """GET /{site}/health"""
    site, app = view.here, view.request.app
    counts = await deliveries.counts(view.db, site.id)
    stuck = await letters.stuck(view.db, at=view.at, site_id=site.id)
    unread = await health.unread(view.db, site.id)
    heard = await health.heard(view.db, site.id)
    stores = {
        "PostgreSQL": await operations.answers(app[keys.POOL].fetchval("SELECT 1")),
        "Valkey": await operations.answers(_ping(view)),
    }
    waiting = await health.waiting(view.db, site.id, at=view.at)
    past = await alerts.ended(view.db, site.id, since=view.at - PAST, limit=MOST_PAST)
    return view.render(
        "health.html",
        tab="health",
        stores=stores,
        past=past,
        moment=datetime.fromisoformat,
        pages=await crawl_alarm.crawled(view.db, site.id),
        unread=unread,
        waiting=waiting,
        counts=counts,
        dead=await deliveries.dead(view.db, site.id, limit=20),
        stuck=stuck,
        connections=[
            (one, heard.get(one.id), hook(view, one)) for one in site.connections
        ],
        refusals=await health.refusals(view.db, site.id, at=view.at),
        lasts=await health.last_contacts(view.db, site.id),
        well=all(stores.values())
        and not (unread or waiting or stuck or view.notices)
        and not any(one.dead or one.failing for one in counts)
        and not any(state.fault for state in heard.values()),
    )


def hook(view: View, one: Connection) -> str:
    """The address to paste at a provider; destinations that only receive have none."""
    if one.role == "destination" and one.kind not in ("bitrix24", "amocrm"):
        return ""
    return connections.hook_address(view.public_url, one.kind, one.key)


async def _ping(view: View) -> Any:
    return await view.request.app[keys.REDIS].ping()


async def read_again(view: View) -> web.StreamResponse:
    """POST /{site}/health/read-again: unread events are due at once."""
    await inbox.read_again(view.db, at=view.at, site_id=view.here.id)
    return _back(view, "read_again", "inbox")


async def replay(view: View) -> web.StreamResponse:
    """POST /{site}/health/replay: all dead deliveries, or one, are sent again."""
    await deliveries.replay(
        view.db, view.here.id, delivery_id=_id(view, "delivery"), at=view.at
    )
    return _back(view, "replayed", "deliveries")


async def retry(view: View) -> web.StreamResponse:
    """POST /{site}/health/retry: stuck letters, or one, are tried again at once."""
    await letters.retry(
        view.db, at=view.at, site_id=view.here.id, id_=_id(view, "letter")
    )
    return _back(view, "retried", "letters")


def _id(view: View, name: str) -> UUID | None:
    text = str(view.form.get(name, ""))
    try:
        return UUID(text) if text else None
    except ValueError:
        raise errors.BadInput("must be an id", field=name) from None


def _back(view: View, done: str, place: str) -> web.Response:
    return view.go(f"/{view.here.key}/health?done={done}#{place}")
