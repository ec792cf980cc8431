"""Why a visit has its probability: the factors of the posterior in people's words. Pure."""

from collections.abc import Callable, Mapping
from typing import Any

from web import words
from web.formats import Formats

# Terms that are added rather than multiplied: zero means that they have no part in it.
TERMS = ("redial", "own_visitor", "new_cookie", "shared")
TIMES = ("seconds", "opening_seconds")
RATES = ("rate", "base", "redial", "own_visitor", "new_cookie")  # calls per second


def factors(
    why: Mapping[str, Any], fmt: Formats, say: Callable[[str], str]
) -> list[tuple[str, str]]:
    """Names and values in the order of `words.WHY`; terms without a part are left out."""
    found = []
    order = [name for name in words.WHY if name in why]
    for name in order + [name for name in why if name not in words.WHY]:
        value = why[name]
        if name in TERMS and not value:
            continue
        title = words.WHY.get(name)
        found.append((say(title) if title else name, _value(name, value, fmt, say)))
    return found


def _value(name: str, value: Any, fmt: Formats, say: Callable[[str], str]) -> str:
    if isinstance(value, bool):
        return say(words.YES if value else words.NO)
    if name == "state":
        return _state(str(value), say)
    if not isinstance(value, int | float):
        return str(value)[:200]
    if name in TIMES:
        return fmt.duration(value)
    if name in RATES:
        return f"{fmt.rate(value * 3600)} {say(words.AN_HOUR)}"
    return f"× {fmt.number(value, 2)}"


def _state(state: str, say: Callable[[str], str]) -> str:
    state = state.partition("/")[0]  # seen_gone/mobile
    return say(words.STATE_OF_VISIT[state]) if state in words.STATE_OF_VISIT else state
