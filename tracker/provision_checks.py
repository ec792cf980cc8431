"""What a set-up's parts must not do to each other: the same number twice, calls in a ring.

Pure; each problem is noted at the place that comes second.
"""

from collections.abc import Iterable

from tracker.setup import SetUp
from tracker.tables import Problems
from tracker.toml_lines import Path

SEPARATOR = "\x1f"  # between what is compared and what is shown
Place = tuple[str, Path]  # a value, and where it stands


def compare(found: SetUp, problems: Problems) -> None:
    """Note everything that does not go together."""
    tracked = _tracked(found)
    _once(tracked, problems, "is a tracking number already")
    _once(_names(found), problems, "is taken; names must differ")
    _once(_replaced(found), problems, "is replaced already by another pool")
    _once(_mailed(found), problems, "is replaced already by another mailbox")
    _once(_keys(found), problems, "belongs to another connection")
    own = {number for number, _ in tracked if number}
    for number, path in _answering(found):
        if number in own:
            problems.add(
                path, f"{number} is a tracking number: calls would go in a ring"
            )
    for number, path in _replaced(found):
        if number in own:
            problems.add(path, f"{number} is a tracking number: it replaces others")


def _once(places: Iterable[Place], problems: Problems, remedy: str) -> None:
    seen = set()
    for value, path in places:
        if value and value in seen:
            shown = value.rpartition(SEPARATOR)[2]
            problems.add(path, f"{shown} {remedy}")
        seen.add(value)


def _tracked(found: SetUp) -> list[Place]:
    places: list[Place] = []
    for index, pool in enumerate(found.pools):
        path = ("pool", index)
        places += [
            (number, (*path, "numbers", place))
            for place, number in enumerate(pool.numbers)
        ]
        if pool.overflow:
            places.append((pool.overflow, (*path, "overflow")))
    for index, static in enumerate(found.statics):
        places.append((static.number, ("static", index, "number")))
    return places


def _names(found: SetUp) -> list[Place]:
    places: list[Place] = [
        (f"pool{SEPARATOR}{pool.name}", ("pool", index, "name"))
        for index, pool in enumerate(found.pools)
        if pool.name
    ]
    counts: dict[str, int] = {}
    for one in found.connections:
        index = counts[one.role] = counts.get(one.role, -1) + 1
        if one.name:
            places.append(
                (f"{one.role}{SEPARATOR}{one.name}", (one.role, index, "name"))
            )
    return places


def _replaced(found: SetUp) -> list[Place]:
    return [
        (number, ("pool", index, "replaces", place))
        for index, pool in enumerate(found.pools)
        for place, number in enumerate(pool.replaces)
    ]


def _mailed(found: SetUp) -> list[Place]:
    return [
        (address, ("mailbox", index, "replaces", place))
        for index, mailbox in enumerate(found.mailboxes)
        for place, address in enumerate(mailbox.replaces)
    ]


def _keys(found: SetUp) -> list[Place]:
    counts: dict[str, int] = {}
    places: list[Place] = []
    for one in found.connections:
        index = counts[one.role] = counts.get(one.role, -1) + 1
        if one.key:
            # The key itself is a secret of sorts: the line says which is meant.
            places.append((f"{one.key}{SEPARATOR}this key", (one.role, index, "key")))
    return places


def _answering(found: SetUp) -> list[Place]:
    """Where calls end."""
    ends = [
        *((one.forward_to, "pool", index) for index, one in enumerate(found.pools)),
        *((one.forward_to, "static", index) for index, one in enumerate(found.statics)),
    ]
    return [
        (number, (name, index, "forward_to")) for number, name, index in ends if number
    ]
