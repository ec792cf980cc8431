"""A pool's terms: whose numbers it replaces, for whom, and how its own are lent.

Pure. Where several pools replace one page number, a `Choice` of them says which lends.
"""

from collections import Counter
from collections.abc import Callable, Container, Iterable, Sequence
from dataclasses import dataclass, field
from hashlib import blake2b

from numberpool import phones
from numberpool.targeting import Facts, Target


@dataclass(frozen=True, slots=True, kw_only=True)
class Pool:
    """Numbers that share a purpose, as the owner set them up."""

    site_id: int
    id: int
    name: str
    replaces: tuple[str, ...]  # E.164, what stands on the page
    numbers: tuple[tuple[int, str], ...]  # (position, E.164) of those not retired
    forward_to: str | None = None
    share: bool = True  # when no number is idle, share one at the reveal
    late: str = "peak"  # always, peak, never: when to wait for the reveal
    rest: int = 0  # seconds a number must be unseen before it is given at once
    overflow: str | None = None  # shown while waiting; None leaves the page's own
    target: Target | None = None  # None: for everybody
    resting: frozenset[str] = frozenset()  # of its numbers: not lent anew
    # Changes with the numbers: so the live state knows that it was loaded with others.
    fingerprint: str = field(init=False, compare=False, repr=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "fingerprint", fingerprint(self.numbers, self.resting))

    def is_for(self, facts: Facts) -> bool:
        """Whether a session with these facts is one of those it was set up for."""
        return self.target is None or self.target.fits(facts, self.name)


@dataclass(frozen=True, slots=True)
class Choice:
    """The pools that replace one page number, those of its own kind apart."""

    alike: tuple[Pool, ...]  # first to lend first
    others: tuple[Pool, ...]

    def of(self, facts: Callable[[], Facts], held: Container[int]) -> Pool | None:
        """The pool that lends to a session; `held` are those it holds a number of.

        A pool of the page number's own kind goes first; then the one the session knows;
        then the first in the owner's order that is for it, one without a target last.
        """
        for group in (self.alike, self.others):
            for pool in group:
                if pool.id in held:
                    return pool
            for pool in group:
                if pool.is_for(facts()):
                    return pool
        return None


def replacing(pools: Iterable[Pool]) -> dict[str, Pool | Choice]:
    """What lends in place of each page number; the usual one pool stands by itself."""
    found: dict[str, list[Pool]] = {}
    for pool in pools:
        for number in pool.replaces:
            found.setdefault(number, []).append(pool)
    return {number: _choice(number, among) for number, among in found.items()}


def _choice(number: str, among: Sequence[Pool]) -> Pool | Choice:
    if len(among) == 1 and among[0].target is None:
        return among[0]
    ranked = sorted(among, key=lambda pool: pool.target is None)  # stable
    wanted = {phones.kind(number)}
    same = [pool for pool in ranked if kinds(one for _, one in pool.numbers) <= wanted]
    return Choice(tuple(same), tuple(pool for pool in ranked if pool not in same))


def kinds(numbers: Iterable[str]) -> set[str]:
    """The kinds of these numbers (`phones.kind`)."""
    return {phones.kind(number) for number in numbers}


@dataclass(frozen=True, slots=True)
class Misfit:
    """Why the visitors of a pool may wonder at its numbers."""

    kinds: tuple[str, ...]  # of its numbers, the most frequent first
    replaced: tuple[str, ...]  # page numbers that are of none of them


def misfit(replaces: Iterable[str], numbers: Iterable[str]) -> Misfit | None:
    """What does not go together in a pool; None: its numbers are of one kind, and fit."""
    counts = Counter(phones.kind(number) for number in numbers)
    odd = tuple(one for one in replaces if counts and phones.kind(one) not in counts)
    if len(counts) < 2 and not odd:
        return None
    return Misfit(tuple(one for one, _ in counts.most_common()), odd)


def fingerprint(
    numbers: Iterable[tuple[int, str]], resting: Container[str] = frozenset()
) -> str:
    """A short text that differs for different lists of numbers, whatever their order."""
    text = ";".join(
        f"{position}:{number}{'!' if number in resting else ''}"
        for position, number in sorted(numbers)
    )
    return blake2b(text.encode(), digest_size=8).hexdigest()
