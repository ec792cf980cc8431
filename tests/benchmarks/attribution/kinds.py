"""Where the difficulty lies: calls by how they came about, and how many of each are right."""

from collections import defaultdict
from collections.abc import Mapping

from tests.benchmarks.attribution import scores
from tests.benchmarks.attribution.answers import Answer
from tests.benchmarks.attribution.events import Event

BANDS = (
    (300.0, "within 5 min"),
    (1800.0, "5 to 30 min"),
    (14400.0, "30 min to 4 h"),
    (86400.0, "4 to 24 h"),
    (float("inf"), "later"),
)
REDIAL, UNTOLD, UNRELATED = "redial", "first call, look not told", "no visit at all"
KINDS = (*(f"first call, {name}" for _, name in BANDS), UNTOLD, REDIAL, UNRELATED)


def of_calls(events: list[Event]) -> list[str]:
    """The kind of each call, in order. Times count from the look at the number."""
    looked: dict[str | None, float] = {}
    called: set[str | None] = set()
    kinds = []
    for event in events:
        if event.kind in ("reveal", "tel_click"):
            looked.setdefault(event.session, event.at)
        elif event.kind == "call":
            kinds.append(_kind(event, looked, called))
            called.add(event.session)
    return kinds


def _kind(
    call: Event, looked: Mapping[str | None, float], called: set[str | None]
) -> str:
    if call.session is None:
        return UNRELATED
    if call.session in called:
        return REDIAL
    if call.session not in looked:
        return UNTOLD
    passed = call.at - looked[call.session]
    return next(f"first call, {name}" for band, name in BANDS if passed < band)


def right(events: list[Event], answers: list[Answer]) -> dict[str, list[bool]]:
    """For each kind of call, whether the right visit (or none) was held likeliest."""
    calls = [event for event in events if event.kind == "call"]
    by_kind: dict[str, list[bool]] = defaultdict(list)
    judged = scores.judge(calls, answers)
    for kind, one in zip(of_calls(events), judged, strict=True):
        by_kind[kind].append(one.first == one.truth)
    return dict(by_kind)
