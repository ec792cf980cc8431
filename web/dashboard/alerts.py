"""The button that takes an alert's notice away.

The notices stand on every page of the site (`layout.html`), all alerts on its Health page.
"""

from uuid import UUID

from aiohttp import web

from tracker import alerts, errors
from web.dashboard.view import View


async def dismiss(view: View) -> web.StreamResponse:
    """POST /{site}/alerts/dismiss: no notice of this one any more."""
    try:
        id_ = UUID(str(view.form.get("alert", "")))
    except ValueError:
        raise errors.BadInput("must be an id", field="alert") from None
    if not await alerts.dismiss(view.db, view.here.id, id_, at=view.at):
        raise errors.UnknownAddress("no such alert")
    return view.go(_back(str(view.form.get("back", "")), f"/{view.here.key}/"))


def _back(asked: str, home: str) -> str:
    """Only to a page of this site: a form must not lead anywhere else."""
    safe = asked.startswith(home) and asked.isprintable() and "\\" not in asked
    return asked if safe else f"{home}health#alerts"
