"""The dashboard: pages for people, rendered on the server, one module a page."""

from aiohttp import web

from web import keys
from web.dashboard import (
    alerts,
    assets,
    calibration,
    channels,
    contact,
    costs,
    example,
    health,
    journal,
    live,
    numbers,
    plan,
    pool_health,
    signin,
    snippet,
)
from web.dashboard.view import guarded


def routes() -> list[web.RouteDef]:
    """Every address of the dashboard."""
    return [
        web.get("/static/{path:.+}", assets.serve),
        web.get("/", guarded(signin.home)),
        web.get("/sign-in", guarded(signin.show, public=True)),
        web.post("/sign-in", guarded(signin.enter, public=True)),
        web.get("/sign-in/{token}", guarded(signin.link, public=True)),
        web.post("/sign-in/{token}", guarded(signin.use_link, public=True)),
        web.post("/sign-out", guarded(signin.leave, public=True)),
        web.post("/language", guarded(signin.language, public=True)),
        web.get("/{site}/contacts", guarded(journal.show)),
        web.get("/{site}/contacts/live", guarded(live.show)),
        web.get("/{site}/contacts/{id}", guarded(contact.show)),
        web.post("/{site}/contacts/{id}/replay", guarded(contact.replay)),
        web.post("/{site}/contacts/{id}/exclude", guarded(contact.exclude)),
        web.get("/{site}/channels", guarded(channels.show)),
        web.get("/{site}/channels.csv", guarded(channels.export)),
        web.get("/{site}/numbers", guarded(numbers.show)),
        web.get("/{site}/numbers/plan", guarded(plan.show)),
        web.get("/{site}/numbers/calibration", guarded(calibration.show)),
        web.get("/{site}/numbers/health", guarded(pool_health.show)),
        web.get("/{site}/costs", guarded(costs.show)),
        web.post("/{site}/costs", guarded(costs.enter)),
        web.get("/{site}/snippet", guarded(snippet.show)),
        web.get("/{site}/snippet/check", guarded(snippet.check)),
        web.post("/{site}/alerts/dismiss", guarded(alerts.dismiss)),
        web.get("/{site}/health", guarded(health.show)),
        web.post("/{site}/health/read-again", guarded(health.read_again)),
        web.post("/{site}/health/replay", guarded(health.replay)),
        web.post("/{site}/health/retry", guarded(health.retry)),
        web.post("/{site}/demo/remove", guarded(example.remove)),
    ]


def setup(app: web.Application) -> None:
    """What the pages keep in the application; `keys.POOL` must be there already."""
    app[live.LIVE] = live.Live(app[keys.POOL])
    app.on_shutdown.append(_close)


async def _close(app: web.Application) -> None:
    await app[live.LIVE].close()
