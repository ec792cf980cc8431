"""The shape of a site's delays in a few figures, found where its calls are likeliest.

Pure. Day one believes in round figures: many calls within minutes, some hours or days later,
one in twenty unrelated. A site may differ, and contested calls tell single cells little of
how. So first a handful of figures (how many call later and how much later, how much a long
stay tells, how much noise there is) moves to where the likelihood of all first calls, times
a wide prior, is greatest; cells are fitted from there. The calls are a Poisson process: the
logarithm of its likelihood is the sum of those of all rates at the calls, less all calls
expected.
"""

from collections.abc import Callable

import numpy as np

from numberpool.exposure import Floats
from numberpool.model import EDGES, ENGAGEMENT_EDGES, FLOOR, day_one_masses, mass
from numberpool.posterior import STATES

# Each is the natural logarithm of what day one's figure is multiplied by, but for `stay`.
FIGURES = ("level", "late", "hours", "days", "far", "stay", "noise")
# How far a site is expected to differ: standard deviations.
SPREAD = np.array([1.0, 0.7, 0.7, 0.7, 0.5, 0.3, 0.8])
DAY_ONE = np.zeros(len(FIGURES))
NOISE = FIGURES.index("noise")

STAY = 0.3  # who stays twice as long is 2^0.3 times as likely to call later
_TYPICAL = np.array([4.0, 20.0, 77.0, 300.0])  # visible seconds of each band
assert len(_TYPICAL) == len(ENGAGEMENT_EDGES) + 1

_STEP, _LEAST_STEP = 0.4, 0.03
_WIDTHS = np.diff(np.array(EDGES, float))


def table(figures: Floats) -> Floats:
    """Calls per second by state and bin, (STATES, BINS)."""
    level, late, hours, days, far, _, _ = np.exp(figures)
    later = 0.02 * late * (
        np.array(mass(5400 * hours, 1.5)) + 0.3 * days * np.array(mass(129600 * far, 1.2))
    )  # fmt: skip
    masses = day_one_masses(later.tolist())
    found = np.array([masses[name] for name in STATES]) * level
    return np.asarray(np.maximum(found / _WIDTHS, FLOOR))


def engagement(figures: Floats) -> Floats:
    """The factor of each band of visible time, for those who call later."""
    stay = STAY + figures[FIGURES.index("stay")]
    return np.asarray((_TYPICAL / 40) ** stay)


def best(
    likelihood: Callable[[Floats], float], start: Floats, spread: Floats
) -> Floats:
    """The figures where likelihood times prior is greatest, by steps along each in turn."""

    def height(figures: Floats) -> float:
        return likelihood(figures) - float(((figures / spread) ** 2).sum() / 2)

    found, top = start.copy(), height(start)
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
