"""Which of the things that are stored is the one that a set-up speaks of. Pure."""

from collections.abc import Iterable
from typing import TypeVar

from tracker import setup

M = TypeVar("M", bound=setup.Mailbox)


def connection(
    role: str, name: str, kind: str, stored: Iterable[setup.Connection]
) -> setup.Connection | None:
    """The one of this name; of another kind it is another account."""
    return next(
        (one for one in stored if (one.role, one.name, one.kind) == (role, name, kind)),
        None,
    )


def mailbox(wanted: setup.Mailbox, stored: Iterable[M]) -> M | None:
    """One that replaces an address in common, else one that forwards to the same place.

    A mailbox has no name, and the aliases that were minted for it must go on to work.
    """
    stored = list(stored)
    for one in stored:
        if set(one.replaces) & set(wanted.replaces):
            return one
    return next((one for one in stored if one.forward_to == wanted.forward_to), None)
