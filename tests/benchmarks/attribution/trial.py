"""One trial: one site's events on one pool size, answered by everybody and scored."""

from dataclasses import dataclass

from tests.benchmarks.attribution import baselines, kinds, scores, skvoz
from tests.benchmarks.attribution.events import Event
from tests.benchmarks.attribution.oracle import Oracle
from tests.benchmarks.attribution.scores import Score
from tests.benchmarks.attribution.site import Site


@dataclass(frozen=True, slots=True, kw_only=True)
class Trial:
    """What came of it."""

    shape: str
    seed: int
    numbers: int
    calls: int
    events: int
    seconds: float  # that ours took
    scores: dict[str, Score]  # ours, oracle and each rule of thumb
    right: dict[str, dict[str, list[bool]]]  # the same, by kind of call

    @property
    def behind(self) -> float:
        """How much smaller a share of callers we find than the oracle does."""
        return self.scores["oracle"].found - self.scores["ours"].found

    def ahead(self, baseline: str) -> float:
        """How much larger a share of callers we find than a rule of thumb does."""
        return self.scores["ours"].found - self.scores[baseline].found


def run(
    site: Site, events: list[Event], numbers: int, *, seed: int, ours: bool = True
) -> Trial:
    """Let everybody answer; without `ours` only the oracle and the rules of thumb."""
    answered = baselines.all_answers(events, numbers)
    answered["oracle"] = Oracle(site, events, numbers).answers()
    seconds = 0.0
    if ours:
        replayed = skvoz.replay(events, numbers)
        answered["ours"], seconds = replayed.answers, replayed.seconds
    return Trial(
        shape=site.shape.name,
        seed=seed,
        numbers=numbers,
        calls=sum(event.kind == "call" for event in events),
        events=len(events),
        seconds=seconds,
        scores={name: scores.score(events, each) for name, each in answered.items()},
        right={name: kinds.right(events, each) for name, each in answered.items()},
    )
