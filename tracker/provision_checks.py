"""What a set-up's parts must not do to each other: the same number twice, calls in a ring.

Pure; each problem is noted at the place that comes second.
"""

from collections.abc import Iterable

from numberpool import pools
from tracker import own_pages
from tracker.setup import Pool, SetUp
from tracker.tables import Problems
from tracker.toml_lines import Path

SEPARATOR = "\x1f"  # between what is compared and what is shown
Place = tuple[str, Path]  # a value, and where it stands


def compare(found: SetUp, problems: Problems) -> None:
    """Note everything that does not go together."""
    tracked = _tracked(found)
    _once(tracked, problems, "is a tracking number already")
    _once(_names(found), problems, "is taken; names must differ")
    _lendable(found, problems)
    _once(_mailed(found), problems, "is replaced already by another mailbox")
    _once(_keys(found), problems, "belongs to another connection")
    own = {number for number, _ in tracked if number}
    for number, path in _resting(found):
        problems.add(path, f"{number} is none of this pool's numbers: add it there too")
    for number, path in _answering(found):
        if number in own:
            problems.add(
                path, f"{number} is a tracking number: calls would go in a ring"
            )
    for number, path in _replaced(found):
        if number in own:
            problems.add(path, f"{number} is a tracking number: it replaces others")
    for index, url in enumerate(found.rules.get("crawl", ())):
        if remedy := own_pages.problem(url, found.domains):
            problems.add(("site", "crawl", index), remedy)


def warnings(found: SetUp) -> list[str]:
    """What may be meant so, but visitors may wonder at; a line each."""
    told = []
    for pool in found.pools:
        misfit = pools.misfit(pool.replaces, pool.numbers)
        if misfit is None:
            continue
        kinds = ", ".join(misfit.kinds)
        if len(misfit.kinds) > 1:
            told.append(f"pool {pool.name}: its numbers are of several kinds: {kinds}")
        if misfit.replaced:
            told.append(
                f"pool {pool.name}: replaces {', '.join(misfit.replaced)} by numbers "
                f"of another kind: {kinds}"
            )
    return told


def _lendable(found: SetUp, problems: Problems) -> None:
    """Several pools may replace a number, but each must have a chance to lend."""
    rivals: dict[tuple[str, bool], int] = {}
    for index, pool in enumerate(found.pools):
        _once(_replaced_by(index, pool), problems, "is in the list already")
        if pool.target is not None:
            continue
        own = pools.kinds(one for one in pool.numbers if one)
        for number, path in _replaced_by(index, pool):
            fits = bool(number) and own <= pools.kinds([number])
            first = rivals.setdefault((number, fits), index)
            if number and first != index:
                problems.add(
                    path,
                    f"{number} is replaced already, for everybody, by pool "
                    f"{found.pools[first].name}: "
                    "give one of the two a target",
                )


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
        place
        for index, pool in enumerate(found.pools)
        for place in _replaced_by(index, pool)
    ]


def _replaced_by(index: int, pool: Pool) -> list[Place]:
    return [
        (number, ("pool", index, "replaces", place))
        for place, number in enumerate(pool.replaces)
    ]


def _resting(found: SetUp) -> list[Place]:
    """Numbers that rest in a pool that does not have them."""
    places: list[Place] = []
    for index, pool in enumerate(found.pools):
        own = {*pool.numbers, ""}
        places += [
            (number, ("pool", index, "resting", place))
            for place, number in enumerate(pool.resting)
            if number not in own
        ]
    return places


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
