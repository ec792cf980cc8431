"""A pool's terms: whose numbers it replaces, and how its own are lent."""

from dataclasses import dataclass, field
from hashlib import blake2b


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
    # Changes with the numbers: so the live state knows that it was loaded with others.
    fingerprint: str = field(init=False, compare=False, repr=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "fingerprint", fingerprint(self.numbers))


def fingerprint(numbers: tuple[tuple[int, str], ...]) -> str:
    """A short text that differs for different lists of numbers, whatever their order."""
    text = ";".join(f"{position}:{number}" for position, number in sorted(numbers))
    return blake2b(text.encode(), digest_size=8).hexdigest()
