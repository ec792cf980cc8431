"""For the machines that watch us: alive, ready, and numbers to draw.

`/healthz` says the process answers; `/readyz` that both stores do; `/metrics` is Prometheus'
text format, kept by each web process for itself except for the queues, which are everybody's.
"""

import asyncio
from collections.abc import Awaitable

import msgspec
from aiohttp import web
from prometheus_client import CollectorRegistry, Gauge, generate_latest
from prometheus_client.process_collector import ProcessCollector

from numberpool import nodes
from tracker import db as database
from tracker import queues
from web import keys

PATIENCE = 1.0  # seconds for one store to answer


def routes() -> list[web.RouteDef]:
    return [
        web.get("/healthz", healthz),
        web.get("/readyz", readyz),
        web.get("/metrics", metrics),
    ]


async def healthz(request: web.Request) -> web.Response:
    """This process answers; whether the stores do is `/readyz`'s."""
    return web.Response(text="ok\n")


async def readyz(request: web.Request) -> web.Response:
    """200 when PostgreSQL and Valkey answer, else 503 naming who does not."""
    postgres, valkey = await asyncio.gather(
        answers(request.app[keys.POOL].fetchval("SELECT 1")),
        answers(request.app[keys.REDIS].ping()),
    )
    state = {"postgres": postgres, "valkey": valkey}
    return web.Response(
        status=200 if all(state.values()) else 503,
        body=msgspec.json.encode(state),
        content_type="application/json",
    )


async def answers(question: Awaitable[object]) -> bool:
    """Whether the store answers in time."""
    try:
        await asyncio.wait_for(question, PATIENCE)
    except (*database.AWAY, *nodes.TROUBLE):
        return False
    return True


async def metrics(request: web.Request) -> web.Response:
    """The queues and this process, in Prometheus' text format 0.0.4."""
    registry = CollectorRegistry()
    ProcessCollector(registry=registry)
    gauge = Gauge("skvoz_queue", "Rows waiting", ["queue", "state"], registry=registry)
    for (queue, state), count in (await queues.lengths(request.app[keys.POOL])).items():
        gauge.labels(queue, state).set(count)
    return web.Response(
        body=generate_latest(registry),
        headers={"Content-Type": "text/plain; version=0.0.4; charset=utf-8"},
    )
