"""How well calls are attributed, against the best possible and against rules of thumb.

    python -m tests.benchmarks.attribution [--shapes "small shop,noisy"] [--seeds 3]
        [--days 35] [--numbers 4,12,30] [--fresh] [--first-seed N] [--without-ours]

Makes traffic with known truth for sites of many shapes, lets `skvoz replay` answer the calls
and compares. The usual seeds are for development; `--fresh` takes others, which nobody may
look at while changing the model or the lending. The exit status is 1 when a goal is missed.
"""

import argparse
import sys

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

from tests.benchmarks.attribution import report, traffic, trial
from tests.benchmarks.attribution.shapes import SHAPES

DEVELOPMENT, FRESH = 1, 100_001


def main(words: list[str] | None = None) -> int:
    """Run it, print the tables; 1 when a goal is missed."""
    asked = _asked(words)
    names = asked.shapes or list(SHAPES)
    first = asked.first_seed or (FRESH if asked.fresh else DEVELOPMENT)
    seeds = range(first, first + asked.seeds)
    trials = []
    with _progress() as bar:
        task = bar.add_task("", total=len(names) * len(seeds) * len(asked.numbers))
        for name in names:
            for seed in seeds:
                site, events = traffic.make(SHAPES[name], seed=seed, days=asked.days)
                for numbers in asked.numbers:
                    bar.update(task, description=f"{name}, seed {seed}, N = {numbers}")
                    trials.append(
                        trial.run(
                            site,
                            events,
                            numbers,
                            seed=seed,
                            ours=not asked.without_ours,
                        )
                    )
                    bar.advance(task)
    out = Console(width=None if sys.stdout.isatty() else 170)
    out.print(f"Seeds {seeds[0]} to {seeds[-1]}, {asked.days} days each.")
    report.show(out, trials)
    if asked.without_ours:
        return 0
    return int(not all(goal.met for goal in report.goals(trials)))


def _asked(words: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.attribution")
    parser.add_argument(
        "--shapes", type=_shapes, help=f"of: {', '.join(SHAPES)}; usually all"
    )
    parser.add_argument(
        "--seeds", type=_positive, default=1, help="sites of each shape"
    )
    parser.add_argument("--days", type=_positive, default=35)
    parser.add_argument(
        "--numbers",
        type=lambda text: [_positive(one) for one in text.split(",")],
        default=[4, 12, 30],
        help="sizes of the pool",
    )
    parser.add_argument("--fresh", action="store_true", help="seeds not developed on")
    parser.add_argument("--first-seed", type=_positive, help="another first seed")
    parser.add_argument(
        "--without-ours", action="store_true", help="only the oracle and rules of thumb"
    )
    return parser.parse_args(words)


def _shapes(text: str) -> list[str]:
    names = [name.strip() for name in text.split(",")]
    if unknown := [name for name in names if name not in SHAPES]:
        raise argparse.ArgumentTypeError(f"no such shape: {', '.join(unknown)}")
    return names


def _positive(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError("must be at least 1")
    return number


def _progress() -> Progress:
    return Progress(
        TextColumn("{task.description:<38}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
        console=Console(stderr=True),
        transient=True,
    )


if __name__ == "__main__":
    sys.exit(main())
