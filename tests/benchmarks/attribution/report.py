"""What the trials showed: a table by shape and pool size, and the goals."""

from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass

from rich.console import Console
from rich.table import Table

from tests.benchmarks.attribution import kinds, scores
from tests.benchmarks.attribution.scores import Score, mean
from tests.benchmarks.attribution.trial import Trial

BASELINES = {
    "random": "random re-use, last holder",
    "held": "held 30 min, last holder",
    "last hour": "last visitor within an hour",
    "oldest": "oldest first, last holder",
}
BEATEN = ("random", "held", "last hour")


@dataclass(frozen=True, slots=True)
class Goal:
    """Something asked for, and what came of it."""

    what: str
    reached: float
    limit: float
    aim: float | None = None
    at_least: bool = False

    @property
    def met(self) -> bool:
        return (
            self.reached >= self.limit if self.at_least else self.reached <= self.limit
        )


def goals(trials: list[Trial]) -> list[Goal]:
    """What the product is asked for, over all trials."""
    asked = [
        Goal("found behind the oracle, mean", mean(t.behind for t in trials), 0.03, 0.015),
        Goal("found behind the oracle, worst", max(t.behind for t in trials), 0.06),
        Goal("calibration error, mean", over(trials, "ours", "calibration"), 0.055, 0.04),
        Goal("count error per source, mean", over(trials, "ours", "by_source"), 0.11),
    ]  # fmt: skip
    asked += [
        Goal(
            f"found ahead of: {BASELINES[name]}, mean",
            mean(t.ahead(name) for t in trials),
            0.12,
            at_least=True,
        )
        for name in BEATEN
    ]
    return asked


def over(trials: list[Trial], who: str, figure: str) -> float:
    """The mean of one figure of a `Score` over trials."""
    return mean(getattr(trial.scores[who], figure) for trial in trials)


def show(console: Console, trials: list[Trial]) -> None:
    """The tables; goals only where ours took part."""
    whole = "ours" in trials[0].scores
    console.print(_by_shape(trials, whole=whole))
    console.print(_figures(trials))
    console.print(_by_kind(trials))
    if whole:
        console.print(_goals(trials))
        events = sum(trial.events for trial in trials)
        seconds = sum(trial.seconds for trial in trials)
        console.print(
            f"skvoz replay: {events / seconds:,.0f} events/s over {events:,} events, "
            f"{len(trials)} starts of the command included"
        )


def _by_shape(trials: list[Trial], *, whole: bool) -> Table:
    table = Table(
        title="Share of callers found, means over seeds", title_justify="left"
    )
    table.add_column("shape")
    names = (["ours"] if whole else []) + ["oracle", *BASELINES]
    heads = ["N", "runs", "calls", *names]
    heads += ["behind", "worst", "ECE", "oracle's", "per source", "oracle's"] * whole
    for head in heads:
        table.add_column(head, justify="right")
    groups: dict[tuple[str, int], list[Trial]] = defaultdict(list)
    for trial in trials:
        groups[trial.shape, trial.numbers].append(trial)
    for (shape, numbers), group in groups.items():
        row = [shape, str(numbers), str(len(group)), str(sum(t.calls for t in group))]
        row += [f"{over(group, name, 'found'):.3f}" for name in names]
        if whole:
            behind = [trial.behind for trial in group]
            row += [f"{mean(behind):+.3f}", f"{max(behind):+.3f}"]
            row += [
                f"{over(group, who, figure):.3f}"
                for figure in ("calibration", "by_source")
                for who in ("ours", "oracle")
            ]
        last = next(reversed(groups)) == (shape, numbers) or numbers == max(
            key[1] for key in groups if key[0] == shape
        )
        table.add_row(*row, end_section=last)
    return table


def _figures(trials: list[Trial]) -> Table:
    """Every figure of everybody: the mean over all trials, and the worst of them."""
    table = Table(title="All figures: mean (worst)", title_justify="left")
    table.add_column("who")
    figures: dict[str, Callable[..., float]] = {
        "found": min, "accuracy": min, "log_loss": max,
        "brier": max, "calibration": max, "by_source": max,
    }  # fmt: skip
    assert figures.keys() == set(Score.__dataclass_fields__)
    for figure in figures:
        table.add_column(figure.replace("_", " "), justify="right")
    for who in ("ours", "oracle", *BASELINES):
        if who not in trials[0].scores:
            continue
        cells = []
        for figure, worst in figures.items():
            values = [getattr(trial.scores[who], figure) for trial in trials]
            cells.append(f"{mean(values):.3f} ({worst(values):.3f})")
        table.add_row(BASELINES.get(who, who), *cells)
    return table


def _by_kind(trials: list[Trial]) -> Table:
    """Where the difficulty lies, by size of the pool."""
    sizes = sorted({trial.numbers for trial in trials})
    who = [name for name in ("ours", "oracle") if name in trials[0].scores]
    table = Table(
        title="Right visit, or rightly none, held likeliest", title_justify="left"
    )
    table.add_column("call")
    table.add_column("share of calls", justify="right")
    for size in sizes:
        table.add_column(f"N = {size}: {' / '.join(who)}", justify="right")
    everything = sum(trial.calls for trial in trials)
    for kind in kinds.KINDS:
        calls, cells = 0, []
        for size in sizes:
            shares = []
            for name in who:
                rights = [
                    one
                    for trial in trials
                    if trial.numbers == size
                    for one in trial.right[name].get(kind, ())
                ]
                shares.append(f"{scores.share(rights):.2f}" if rights else "–")
            calls += len(rights)
            cells.append(" / ".join(shares))
        table.add_row(kind, f"{calls / everything:.1%}", *cells)
    return table


def _goals(trials: list[Trial]) -> Table:
    table = Table(title=f"Goals, over {len(trials)} runs", title_justify="left")
    table.add_column("what")
    for head in ("reached", "goal", "aim", ""):
        table.add_column(head, justify="right")
    for goal in goals(trials):
        sign = "≥" if goal.at_least else "≤"
        table.add_row(
            goal.what,
            f"{goal.reached:.3f}",
            f"{sign} {goal.limit:.3f}",
            "" if goal.aim is None else f"{sign} {goal.aim:.3f}",
            "[green]met[/]" if goal.met else "[red]missed[/]",
        )
    return table
