"""The numbers page: who holds what now, and how full each pool is."""

import asyncio
from dataclasses import dataclass
from datetime import datetime

from aiohttp import web

from numberpool import lending, nodes, pools
from tracker import dossier, health
from tracker.reports import calibration
from web import keys
from web.dashboard.view import View

PATIENCE = 1.0  # seconds Valkey has to answer


@dataclass(frozen=True, slots=True, kw_only=True)
class State:
    """A pool and what its numbers are doing."""

    pool: pools.Pool
    away: bool  # who holds which number is unknown: of a cluster one node may be away
    held: list[lending.Held]
    busy: int
    shared: int
    resting: int  # idle ones that the owner lets rest
    misfit: pools.Misfit | None  # why visitors may wonder at its numbers

    @property
    def total(self) -> int:
        return len(self.pool.numbers)

    @property
    def idle(self) -> int:
        return self.total - self.busy - self.resting

    @property
    def share(self) -> float:
        lent = self.total - self.resting
        return min(self.busy / lent, 1.0) if lent else 0.0


async def show(view: View) -> web.Response:
    """GET /{site}/numbers"""
    site = view.here
    states = []
    for pool in site.pools:
        held: list[lending.Held] | None
        try:
            held = await asyncio.wait_for(
                lending.snapshot(view.request.app[keys.REDIS], pool), PATIENCE
            )
        except (*nodes.TROUBLE, TimeoutError):
            held = None
        states.append(state(pool, held, view.at))
    return view.render(
        "numbers.html",
        tab="numbers",
        away=any(one.away for one in states),
        states=states,
        holders=await dossier.sessions(
            view.db,
            site.id,
            [one.session for state in states for one in state.held if one.session],
        ),
        calls=await health.last_calls(view.db, site.id, at=view.at),
        crowded={
            one.id
            for one in site.pools
            if (await calibration.crowd(view.db, site.id, one, at=view.at)).too_small
        },
    )


def state(pool: pools.Pool, held: list[lending.Held] | None, at: datetime) -> State:
    """The pool with all its numbers, those never lent too; None: its Valkey is away."""
    known = {one.number: one for one in held or ()}
    rows = [
        known.get(number) or _unused(place, number) for place, number in pool.numbers
    ]
    busy = [one for one in rows if not one.idle(at)]
    return State(
        pool=pool,
        away=held is None,
        held=rows,
        busy=len(busy),
        shared=sum(one.shared for one in busy),
        resting=sum(one.idle(at) and one.number in pool.resting for one in rows),
        misfit=pools.misfit(pool.replaces, (number for _, number in pool.numbers)),
    )


def _unused(position: int, number: str) -> lending.Held:
    return lending.Held(
        position=position,
        number=number,
        session=None,
        visitor=None,
        shared=False,
        last_sign=None,
        last_seen=None,
    )
