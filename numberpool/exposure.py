"""How long shown sessions stood in each state at each delay: the calls they might have made.

Pure; NumPy, for a site shows numbers to very many. A session passes through the states of
`posterior.state` at every moment of its fourteen days whether or not it calls; the seconds
it spends in each cell, times the cell's rate, are the calls expected of it. Below half an
hour of delay seconds are those of the wall, above it those of the opening clock, exactly
as a call's delay is counted; a property test holds the two together.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from numberpool.model import BINS, EDGES, ENGAGEMENT_EDGES, HORIZON, STAYS
from numberpool.opening import DAY, HOUR, MONDAY, WEEK, Opening, offset
from numberpool.posterior import (
    CLICK_QUIET,
    CLICK_SEEN,
    GONE,
    HERE,
    OPENING_FROM,
    STATES,
    Holding,
)

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

BEAT = 30.0  # seconds between pings: the first after a click comes within one
HALF_LIFE = 45 * DAY  # of what was learned
BANDS = 2 * STAYS  # of those who had seen the number, then of those who had not
LOW = EDGES.index(OPENING_FROM)  # bins below half an hour
_LOW_EDGES = np.array(EDGES[: LOW + 1], float)
_HIGH_EDGES = np.array([-np.inf, *EDGES[LOW + 1 : -1], np.inf], float)


# A row is a state, and for those who are gone a band of engagement with it.
def _bands(state: str) -> Sequence[int | None]:
    if state not in GONE:
        return (None,)
    first = STAYS * state.startswith("unseen")
    return range(first, first + STAYS)


ROWS = [(state, band) for state in STATES for band in _bands(state)]
ROW = {row: place for place, row in enumerate(ROWS)}
STATE_OF_ROW = np.array([STATES.index(state) for state, _ in ROWS])
BAND_OF_ROW = np.array([BANDS if band is None else band for _, band in ROWS])


@dataclass(frozen=True, slots=True)
class Sessions:
    """Holdings as columns; a moment that never came is infinite."""

    source: Ints
    mobile: NDArray[np.bool_]
    since: Floats
    last_sign: Floats
    seen: Floats
    clicked: Floats
    pinged: Floats
    left: Floats
    first_left: Floats

    @classmethod
    def of(
        cls, holdings: Iterable[Holding], sources: Mapping[Any, int], *, reveals: bool
    ) -> "Sessions":
        """`sources` gives each source's place; without `reveals` a visit counts as seen."""
        rows = [
            (
                sources[one.source_id],
                one.device == "mobile",
                one.since,
                one.last_sign_at,
                one.since if not reveals and one.seen_at is None else one.seen_at,
                one.clicked_at,
                one.pinged_at,
                one.left_at,
                one.first_left_at,
            )
            for one in holdings
        ]
        table = np.array(rows, float).reshape(len(rows), 9)  # None becomes NaN
        table[np.isnan(table)] = np.inf
        columns = table.T
        return cls(columns[0].astype(int), columns[1] > 0, *columns[2:])


def count(
    sessions: Sessions,
    *,
    until: float,
    opening: Opening,
    sources: int,
    after: float = -np.inf,
) -> Floats:
    """Seconds by source, row and bin up to `until`, older sessions counting for less.

    With `after`, only seconds from that moment on; of calls before it nothing is known.

    The shape is (sources, len(ROWS), BINS); a session of `HALF_LIFE` ago counts half.
    """
    found = np.zeros((sources * len(ROWS), BINS))
    if sessions.since.size:
        clock = _Clock(opening)
        weight = 0.5 ** ((until - sessions.since) / HALF_LIFE)
        for state, reference, start, end in stretches(sessions, until):
            end = np.minimum(end, np.minimum(until, reference + HORIZON))
            start = np.maximum(start, after)
            kept = start < end
            if kept.any():
                row = sessions.source * len(ROWS) + rows(state, sessions)
                _add(
                    found, row[kept], weight[kept], clock, reference[kept], start[kept], end[kept]
                )  # fmt: skip
    return found.reshape(sources, len(ROWS), BINS)


def stretches(one: Sessions, until: float) -> list[tuple[str, Floats, Floats, Floats]]:
    """Each state with its reference moment, when it began and when it ended."""
    left = np.isfinite(one.left) & (one.left >= one.last_sign)
    end = np.where(left, one.left, one.last_sign + HERE)
    click, seen = one.clicked, one.seen
    resumed = np.where(
        np.isfinite(one.pinged) & (one.pinged > click),
        np.minimum(one.pinged, click + BEAT),
        np.inf,
    )
    shown = np.maximum(seen, one.since)
    return [
        ("unseen_here", one.since, one.since, np.minimum(np.minimum(end, seen), click)),
        ("unseen_gone", one.since, end, np.minimum(seen, click)),
        ("seen_here", seen, shown, np.minimum(end, click)),
        ("seen_gone", seen, np.maximum(end, shown), click),
        (CLICK_QUIET, click, click, resumed),
        (CLICK_SEEN, click, resumed, np.full_like(click, np.inf)),
    ]


def rows(state: str, sessions: Sessions) -> Ints:
    """The row of each session in that state."""
    if (state, None) in ROW:
        return np.full(sessions.source.shape, ROW[state, None])
    names = [f"{state}/desktop", f"{state}/mobile"]
    device = sessions.mobile.astype(int)
    if names[0] not in GONE:
        return np.array([ROW[name, None] for name in names]).take(device)
    first = _bands(names[0])[0]
    start = sessions.seen if first == 0 else sessions.since
    left = np.isfinite(sessions.first_left) & (sessions.first_left >= start)
    end = np.where(left, sessions.first_left, sessions.last_sign)
    band = np.searchsorted(ENGAGEMENT_EDGES, end - start, side="left")
    return np.array([ROW[name, first] for name in names]).take(device) + band


def _add(
    found: Floats,
    row: Ints,
    weight: Floats,
    clock: "_Clock",
    reference: Floats,
    start: Floats,
    end: Floats,
) -> None:
    """Lay the stretches [start, end] into the bins of their delays."""
    early = start < reference + OPENING_FROM
    if early.any():
        r = reference[early]
        _spread(
            found[:, :LOW], row[early], weight[early], _LOW_EDGES, start[early] - r, end[early] - r
        )  # fmt: skip
    late = end > reference + OPENING_FROM
    if late.any():
        r = reference[late]
        begin = np.maximum(start[late], r + OPENING_FROM)
        zero = clock.passed(r)
        _spread(
            found[:, LOW:],
            row[late],
            weight[late],
            _HIGH_EDGES,
            clock.passed(begin) - zero,
            clock.passed(end[late]) - zero,
        )


def _spread(
    found: Floats, row: Ints, weight: Floats, edges: Floats, low: Floats, high: Floats
) -> None:
    for place in range(len(edges) - 1):
        overlap = np.minimum(high, edges[place + 1]) - np.maximum(low, edges[place])
        inside = overlap > 0
        if inside.any():
            found[:, place] += np.bincount(
                row[inside],
                weights=overlap[inside] * weight[inside],
                minlength=len(found),
            )


class _Clock:
    """`Opening.seconds` for many moments at once; an hour is lost where clocks change."""

    def __init__(self, opening: Opening) -> None:
        self._opening = opening
        self._rates = np.array(opening.week)
        self._sums = np.concatenate([[0.0], np.cumsum(self._rates * HOUR)])

    def passed(self, at: Floats) -> Floats:
        days, place = np.unique(at // DAY, return_inverse=True)
        zone = self._opening.timezone
        ahead = np.array([offset(zone, day * DAY) for day in days])[place]
        local = at + ahead + MONDAY
        weeks, rest = np.divmod(local, WEEK)
        hour = (rest // HOUR).astype(int)
        within = (rest - hour * HOUR) * self._rates[hour]
        return np.asarray(weeks * self._sums[-1] + self._sums[hour] + within)
