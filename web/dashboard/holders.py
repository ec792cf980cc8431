"""The picture of a number before a call: who held it when, who saw it, who was still there. Pure.

Time runs to the call. Where somebody likely held the number long ago, the hours nearest to
the call take most of the width: there most is decided.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from math import log1p
from uuid import UUID

from numberpool import posterior
from tracker.dossier import BEFORE_CALL, Candidate, Held

STRIPS = 14  # holders in the picture
CALL = 90.0  # percent of the width where the call stands; behind it are the weights
LEAST_WIDTH = 0.6  # percent: a short visit can still be seen
HERE = timedelta(seconds=posterior.HERE)
BEND = (
    60.0  # seconds: later than this before the call, time is drawn shorter and shorter
)
AGES = (60, 600, 3600, 21_600, 86_400, 345_600)  # seconds: ticks of such a picture
LEAST_TICK = 9.0  # percent: further left its words would run out of the picture
QUARTERS = 4  # ticks of an even one


@dataclass(frozen=True, slots=True, kw_only=True)
class Strip:
    """One holder; places are percents of the picture's width."""

    session_id: UUID
    place: int | None  # among the candidates, from 1
    weight: float
    left: float  # shown the number
    width: float  # while here
    here: bool  # still there at the call
    seen: float | None
    clicked: float | None
    parted: float | None  # left, as far as was told
    shared: bool
    held: Held


@dataclass(frozen=True, slots=True, kw_only=True)
class Tick:
    """A mark on the time axis: a moment of the clock, or so long before the call."""

    x: float
    at: datetime
    before: int | None  # seconds, where the picture is not even


@dataclass(frozen=True, slots=True, kw_only=True)
class Picture:
    """Who held the number when; the call stands at `call` percent."""

    call: float
    even: bool
    strips: list[Strip]
    ticks: list[Tick]


def draw(
    held: Collection[Held], candidates: Sequence[Candidate], call: datetime
) -> Picture:
    """A strip a holder, the likely ones always among them; the earliest on top."""
    weights = {one.session_id: (n, one.weight) for n, one in enumerate(candidates, 1)}
    shown = sorted(
        held,
        key=lambda one: (-weights.get(one.session_id, (0, 0.0))[1], call - one.since),
    )[:STRIPS]
    span = max(max((call - one.since for one in shown), default=BEFORE_CALL), HERE)
    axis = _Axis(call, span.total_seconds())
    return Picture(
        call=CALL,
        even=axis.even,
        strips=[
            _strip(one, axis, *weights.get(one.session_id, (None, 0.0)))
            for one in sorted(shown, key=lambda one: one.since)
        ],
        ticks=axis.ticks(),
    )


class _Axis:
    """Where moments before the call stand."""

    def __init__(self, call: datetime, span: float) -> None:
        self.call = call
        self.even = span <= BEFORE_CALL.total_seconds()
        self._span = span

    def __call__(self, moment: datetime | None) -> float | None:
        """Percent of the width; None for what was not, or not before the call."""
        if moment is None or moment > self.call:
            return None
        return self._place((self.call - moment).total_seconds())

    def _place(self, age: float) -> float:
        age = min(age, self._span)
        if self.even:
            share = age / self._span
        else:
            share = log1p(age / BEND) / log1p(self._span / BEND)
        return round(CALL * (1 - share), 2)

    def ticks(self) -> list[Tick]:
        if self.even:
            ages = [self._span * n / QUARTERS for n in range(QUARTERS, 0, -1)]
        else:
            ages = [age for age in AGES if self._place(age) >= LEAST_TICK]
        return [
            Tick(
                x=self._place(age),
                at=self.call - timedelta(seconds=age),
                before=None if self.even else round(age),
            )
            for age in ages
        ]


def here_until(held: Held) -> datetime:
    """Until when the visitor was there, by the rule that weighs him."""
    if held.left_at is not None and held.left_at >= held.last_sign_at:
        return held.left_at
    return held.last_sign_at + HERE


def _strip(held: Held, axis: _Axis, place: int | None, weight: float) -> Strip:
    end = here_until(held)
    here = end > axis.call
    left = axis(held.since) or 0.0
    right = CALL if here else axis(end) or 0.0
    parted = (
        held.left_at if held.left_at and held.left_at >= held.last_sign_at else None
    )
    return Strip(
        session_id=held.session_id,
        place=place,
        weight=weight,
        left=min(left, CALL - LEAST_WIDTH),
        width=round(max(right - left, LEAST_WIDTH), 2),
        here=here,
        seen=axis(held.seen_at),
        clicked=axis(held.clicked_at),
        parted=axis(parted),
        shared=held.shared,
        held=held,
    )
