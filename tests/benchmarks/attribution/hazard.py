"""How likely each visit is to call at a moment, by one who knows all true parameters.

For every way a visit can go (nobody looked; looked and will not call; will call in the n-th
way; taps and calls; taps for nothing) stands its prior share, and how well it explains the
page's life as told so far: when it was left, or that it is still open, and the tap. The rate
of a call is the sum over the ways of share x explanation x density of the call now, divided
by that of all ways in which no call has come yet. A look that was not told is averaged over
when it may have been.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tests.benchmarks.attribution.events import Event
from tests.benchmarks.attribution.site import FARTHEST, READIEST, Site
from tests.benchmarks.attribution.spreads import (
    HOUR,
    Numbers,
    Spread,
    moment_density,
    moment_share,
)
from tests.benchmarks.attribution.traffic import BEAT, BOT_STAY, EMPTY_TAP

Indices = NDArray[np.intp]

LATE = 0.5  # seconds that a ping may be late
TINY = 1e-300


class Sessions:
    """All visits so far, as columns."""

    def __init__(self, site: Site, most: int) -> None:
        self.site = site
        self.index: dict[str, int] = {}
        self.visitors: list[str] = []
        self.began = np.zeros(most)
        self.mobile = np.zeros(most, dtype=bool)
        self.ready = np.zeros(most)
        self.looking = np.zeros(most)
        self.stretch = np.ones(most)
        self.revealed = np.full(most, np.nan)
        self.tapped = np.full(most, np.nan)
        self.pinged = np.zeros(most, dtype=bool)  # since the tap
        self.last = np.zeros(most)  # sign of the page's first stretch
        self.left = np.zeros(most, dtype=bool)  # at `last`
        self.again = np.zeros(most, dtype=bool)  # shown again; `last` stays

    def open(self, event: Event) -> None:
        at, shape = len(self.visitors), self.site.shape
        mobile = event.device == "mobile"
        self.index[str(event.session)] = at
        self.visitors.append(str(event.visitor))
        self.began[at] = self.last[at] = event.at
        self.mobile[at] = mobile
        self.ready[at] = self.site.readiness(str(event.source), mobile=mobile)
        self.looking[at] = shape.looking_mobile if mobile else shape.looking_desktop
        self.stretch[at] = self.site.stretch(event.at)

    def tell(self, event: Event) -> None:
        at = self.index[str(event.session)]
        if self.left[at] or event.at - self.last[at] > BEAT + 10:
            self.again[at] = True
        if self.again[at]:
            return
        self.last[at] = event.at
        if event.kind == "leave":
            self.left[at] = True
        elif event.kind == "ping":
            self.pinged[at] = not np.isnan(self.tapped[at])
        elif event.kind == "tel_click":
            self.tapped[at] = event.at
        elif event.kind == "reveal":
            self.revealed[at] = event.at

    def rates(self, which: Indices, at: float, *, times: float = 1.0) -> Numbers:
        """Calls a second expected now of each, not having called yet.

        `times` is how much readier than a stranger the visitor is.
        """
        rates = np.zeros(len(which))
        told = ~np.isnan(self.revealed[which])
        recent = at - self.began[which] < 2 * HOUR
        for group, nodes in (
            (told, 0),
            (~told & recent, 12),
            (~told & ~recent, 3),
        ):
            if group.any():
                rates[group] = self._rates(which[group], at, nodes, times)
        return rates

    def _rates(self, which: Indices, at: float, nodes: int, times: float) -> Numbers:
        shape = self.site.shape
        pages = self._pages(which, at, times)
        if not nodes:
            calls, explained = pages.given(self.revealed[which][:, None])
            return np.asarray(calls / np.maximum(explained, TINY))[:, 0]
        looks = _middles(shape.view, nodes)
        seen = self.began[which][:, None] + looks
        calls, explained = pages.given(seen)
        # A look that is still to come explains a page that is open and nothing else.
        coming = pages.open & (seen > at) & ~pages.tapped_ever
        within = seen <= np.where(pages.open, at, pages.last)
        calls = np.where(within, calls, 0.0).mean(axis=1)
        explained = np.where(within, explained, 0.0).mean(axis=1)
        people = (1 - shape.bots) * self.looking[which]
        told = people * (shape.reveals_lost * explained + coming.mean(axis=1))
        none = self.began[which][:, None]
        idle = (
            (1 - shape.bots) * (1 - self.looking[which][:, None])
            * pages.life(shape.stay.unseen, none)
            + shape.bots * pages.life(BOT_STAY, none)
        ) * ~pages.tapped_ever  # fmt: skip
        rates = people * shape.reveals_lost * calls
        return np.asarray(rates / np.maximum(told + idle[:, 0], TINY))

    def _pages(self, which: Indices, at: float, times: float) -> "Pages":
        def column(values: NDArray[Any]) -> NDArray[Any]:
            return values[which][:, None]

        last, left, again = column(self.last), column(self.left), column(self.again)
        tapped = column(self.tapped)
        return Pages(
            site=self.site,
            at=at,
            mobile=column(self.mobile),
            ready=np.minimum(column(self.ready) * times, READIEST),
            stretch=column(self.stretch),
            last=last,
            left=left,
            open=~left & ~again & (at - last <= BEAT + LATE),
            tapped=tapped,
            tapped_ever=~np.isnan(tapped),
            pinged=column(self.pinged),
            left_by_tap=left & (last - tapped < 1.0),
        )


def _middles(spread: Spread, count: int) -> Numbers:
    """Moments that stand for equal shares of the spread."""
    grid = np.geomspace(0.01, 1e5, 2000)
    shares = (np.arange(count) + 0.5) / count
    return np.interp(shares, spread.share_by(grid), grid)


@dataclass(frozen=True, slots=True, kw_only=True)
class Pages:
    """What is told of some pages by `at`: one row each, columns for moments of the look."""

    site: Site
    at: float
    mobile: NDArray[np.bool_]
    ready: Numbers
    stretch: Numbers
    last: Numbers
    left: NDArray[np.bool_]
    open: NDArray[np.bool_]
    tapped: Numbers
    tapped_ever: NDArray[np.bool_]
    pinged: NDArray[np.bool_]
    left_by_tap: NDArray[np.bool_]

    def life(self, stay: Spread, since: Numbers) -> Numbers:
        """How well a stay from `since` explains what was told of the page."""
        lost = self.site.shape.leaves_lost
        age, now = self.last - since, self.at - since
        by_age = stay.share_by(age)
        left = (1 - lost) * stay.density(age)
        silent = lost * (stay.share_by(age + BEAT) - by_age)
        still = (1 - lost) * (1 - stay.share_by(now)) + lost * (1 - by_age)
        explained = np.where(self.left, left, np.where(self.open, still, silent))
        return np.maximum(explained, 1e-12)

    def given(self, seen: Numbers) -> tuple[Numbers, Numbers]:
        """For looks at `seen`: the density of a call now, and of no call yet."""
        safe = np.minimum(seen, self.at)
        calls, waiting = self._untapped(safe)
        tapped = self._tapped(safe) if self.tapped_ever.any() else (0.0, 0.0)
        calls = np.where(self.tapped_ever, tapped[0], calls)
        waiting = np.where(self.tapped_ever, tapped[1], waiting)
        return np.where(self.at - seen > FARTHEST, 0.0, calls), waiting

    def _ways(self, seen: Numbers) -> list[tuple[Numbers, Numbers, Numbers]]:
        """Share, density now and share by now of each way of calling."""
        ways = []
        for place, part in enumerate(self.site.shape.delays.parts):
            share = self.ready * part.share * np.ones_like(seen)
            if place == 0:
                share = share * self.site.openness(seen)
            density = moment_density(
                part, seen, self.at, self.site.calling, self.stretch
            )
            by_now = moment_share(part, seen, self.at, self.site.calling, self.stretch)
            ways.append((share, density, by_now))
        return ways

    def _mix(
        self,
        ways: list[tuple[Numbers, Numbers, Numbers]],
        plain: Numbers,
        keen: Numbers,
        stayed: Numbers,
    ) -> tuple[Numbers, Numbers]:
        """All ways but the tap; the last three: how well each kind of stay explains it."""
        shape = self.site.shape
        (first, density, by_now), *later = ways
        untapping = first * np.where(self.mobile, 1 - shape.taps, 1.0)
        kept = shape.staying * stayed + (1 - shape.staying) * keen
        calls = untapping * density * kept
        waiting = untapping * (1 - by_now) * kept
        waiting = waiting + (1 - sum(way[0] for way in ways)) * plain
        for share, density, by_now in later:
            calls = calls + share * density * keen
            waiting = waiting + share * (1 - by_now) * keen
        return calls, waiting

    def _untapped(self, seen: Numbers) -> tuple[Numbers, Numbers]:
        shape, ways = self.site.shape, self._ways(seen)
        plain, keen = (
            self.life(shape.stay.plain, seen),
            self.life(shape.stay.keen, seen),
        )
        calls, waiting = self._mix(ways, plain, keen, self._still_open())
        until = np.where(self.open, self.at, self.last) - seen
        none = 1 - np.where(self.mobile, shape.empty_taps, 0) * EMPTY_TAP.share_by(
            until
        )
        first, _, by_now = ways[0]
        to_come = first * np.where(self.mobile, shape.taps, 0.0) * (1 - by_now)
        return calls * none, waiting * none + to_come * self._still_open()

    def _still_open(self) -> Numbers:
        """How well a page that stays until the call explains what was told."""
        return np.where(self.open, 1.0, 1e-9)

    def _tapped(self, seen: Numbers) -> tuple[Numbers, Numbers]:
        shape, lost = self.site.shape, self.site.shape.leaves_lost
        tapped = np.where(self.tapped_ever, self.tapped, self.at)
        until_tap, since_tap = tapped - seen, self.at - tapped
        ways = self._ways(seen)
        due = since_tap > BEAT + LATE

        def explains(stays: float, after: Numbers | float = 1.0) -> Numbers:
            """The page's way on from the tap; `after`: what a stay makes of it."""
            unknown = (1 - stays) * lost + np.where(due, 0.0, stays)
            return np.where(
                self.left_by_tap, (1 - stays) * (1 - lost),
                np.where(self.pinged | self.left, stays * after, unknown),
            )  # fmt: skip

        part = shape.delays.parts[0]
        taps = (
            ways[0][0] * shape.taps
            * part.spread.density(until_tap / self.stretch) / self.stretch
            * explains(shape.tap_stays, self.life(shape.stay.plain, tapped))
        )  # fmt: skip
        calls = taps * shape.tap_to_call.density(since_tap)
        waiting = taps * (1 - shape.tap_to_call.share_by(since_tap))

        def life(stay: Spread) -> Numbers:
            survived = 1 - stay.share_by(until_tap)
            stayed = np.where(self.pinged | self.left, self.life(stay, seen), survived)
            return np.where(self.left_by_tap, survived, stayed)

        told_nothing = ~self.left & ~self.pinged
        kept = np.where(self.left_by_tap | self.open | told_nothing, 1.0, 1e-9)
        others, none = self._mix(
            ways, life(shape.stay.plain), life(shape.stay.keen), kept
        )
        empty = (
            shape.empty_taps
            * EMPTY_TAP.density(until_tap)
            * explains(shape.empty_tap_stays)
        )
        valid = until_tap > 0
        return (
            np.where(valid, calls + empty * others, 0.0),
            np.where(valid, waiting + empty * none, 0.0),
        )
