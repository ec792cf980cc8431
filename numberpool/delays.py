"""The shape of a site's delays in a few figures, found where its calls are likeliest.

Pure. Day one believes in round figures: many calls within minutes, some hours or days later,
one in twenty unrelated. A site may differ, and contested calls tell single cells little of
how. So first a handful of figures (how soon those in haste call, how many call later and how
much later, how much a long stay tells, how many looks are not told, how much noise there is)
moves to where the likelihood of all first calls, times a wide prior, is greatest; cells are
fitted from there. The calls are a Poisson process: the logarithm of its likelihood is the sum
of those of all rates at the calls, less all calls expected.
"""

from collections.abc import Callable

import numpy as np

from numberpool.exposure import Floats
from numberpool.model import EDGES, FLOOR, STAYS, day_one_masses, mass
from numberpool.posterior import STATES

# Each is the natural logarithm of what day one's figure is multiplied by.
FIGURES = ("level", "soon", "late", "hours", "days", "far", "stay", "unseen", "noise")
# How far a site is expected to differ: standard deviations, and around what.
SPREAD = np.array([1.0, 0.4, 0.7, 0.7, 1.0, 0.5, 0.5, 0.7, 0.8])
DAY_ONE = np.zeros(len(FIGURES))
NOISE = FIGURES.index("noise")
USUAL = DAY_ONE.copy()
# Most sites have fewer calls after days than day one grants; what looks like one of them is
# oftener nobody's, and the calls themselves can hardly tell the two apart.
USUAL[FIGURES.index("days")] = -0.5

# Visible seconds of each band, and those after which half of what a stay tells is told: of
# who saw the number, and of who was not told to have seen it and needed time to.
_TYPICAL = np.array([2.5, 7.0, 14.0, 28.0, 56.0, 110.0, 210.0, 420.0, 1000.0])
_HALF_TOLD, _HALF_TOLD_UNSEEN = 60.0, 80.0
_MINUTE = 4  # the band of a usual stay, whose factor is 1
assert len(_TYPICAL) == STAYS

_STEP, _LEAST_STEP = 0.4, 0.03
_WIDTHS = np.diff(np.array(EDGES, float))


def table(figures: Floats) -> Floats:
    """Calls per second by state and bin, (STATES, BINS)."""
    level, soon, late, hours, days, far, _, unseen, _ = np.exp(figures).tolist()
    later = 0.02 * late * (
        np.array(mass(5400 * hours, 1.5)) + 0.3 * days * np.array(mass(129600 * far, 1.2))
    )  # fmt: skip
    masses = day_one_masses(later.tolist(), now=60 * soon, unseen=0.04 * unseen)
    found = np.array([masses[name] for name in STATES]) * level
    return np.asarray(np.maximum(found / _WIDTHS, FLOOR))


def engagement(figures: Floats) -> Floats:
    """The factor of each band of visible time: who leaves at once seldom calls later."""
    times = np.exp(figures[FIGURES.index("stay")])
    seen = _told(_TYPICAL, _HALF_TOLD * times)
    unseen = _told(_TYPICAL**2, (_HALF_TOLD_UNSEEN * times) ** 2)
    return np.concatenate([seen, unseen])


def _told(stay: Floats, half: float) -> Floats:
    shares = stay / (stay + half)
    return np.asarray(shares / shares[_MINUTE])


def best(
    likelihood: Callable[[Floats], float], usual: Floats, spread: Floats
) -> Floats:
    """The figures where likelihood times prior is greatest, by steps along each in turn."""

    def height(figures: Floats) -> float:
        return likelihood(figures) - float(
            (((figures - usual) / spread) ** 2).sum() / 2
        )

    found, top = usual.copy(), height(usual)
    steps = np.full(len(found), _STEP)
    while steps.max() > _LEAST_STEP:
        for place in np.flatnonzero(steps > _LEAST_STEP):
            for way in (steps[place], -steps[place]):
                trial = found.copy()
                trial[place] += way
                if (there := height(trial)) > top:
                    found, top = trial, there
                    steps[place] *= 1.3
                    break
            else:
                steps[place] *= 0.5
    return found
