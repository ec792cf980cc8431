"""Why a visit has its probability: the factors of the posterior in people's words. Pure."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from web import words
from web.formats import Formats

# Terms that are added rather than multiplied.
TERMS = ("redial", "own_visitor", "new_cookie")
TIMES = ("seconds", "opening_seconds")
RATES = ("rate", "base", "redial", "own_visitor", "new_cookie")  # calls per second
OPENING_FROM = 1800.0  # seconds from which the hour and the opening clock count
LEAST_PART = 0.001  # of the whole: a smaller term is not worth a line
USUAL = 0.05  # a factor that differs less from 1 says nothing


@dataclass(frozen=True, slots=True)
class Factor:
    """One line of an explanation."""

    title: str
    value: str
    words: str  # what the value means; may be empty


def factors(
    why: Mapping[str, Any], fmt: Formats, say: Callable[[str], str]
) -> list[Factor]:
    """In the order of `words.WHY`; terms without a part are left out."""
    found = []
    order = [name for name in words.WHY if name in why]
    for name in order + [name for name in why if name not in words.WHY]:
        value = why[name]
        if not _matters(name, why):
            continue
        title = words.WHY.get(name)
        found.append(
            Factor(
                say(title) if title else name,
                _value(name, value, fmt, say),
                _meaning(name, value, say),
            )
        )
    return found


def hourly(rate: float, fmt: Formats, say: Callable[[str], str]) -> str:
    """Calls per second as people count them."""
    return f"{fmt.rate(rate * 3600)} {say(words.AN_HOUR)}"


def _matters(name: str, why: Mapping[str, Any]) -> bool:
    """Some apply only to visitors who are gone, or after half an hour; some add nothing."""
    if name == "shared":
        return bool(why[name])
    if name in TERMS:
        return float(why[name] or 0) > LEAST_PART * float(why.get("rate") or 0)
    late = float(why.get("seconds") or 0) >= OPENING_FROM
    if name in ("opening_seconds", "opening"):
        return late
    if name == "engagement":
        return late and "gone" in str(why.get("state"))
    return True


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
        plus = "+ " if name in TERMS else ""
        return plus + hourly(value, fmt, say)
    return f"× {fmt.number(value, 2)}"


def _state(state: str, say: Callable[[str], str]) -> str:
    state = state.partition("/")[0]  # seen_gone/mobile
    return say(words.STATE_OF_VISIT[state]) if state in words.STATE_OF_VISIT else state


def _meaning(name: str, value: Any, say: Callable[[str], str]) -> str:
    """What a factor's size says."""
    if name in words.WHY_MEANS:
        return say(words.WHY_MEANS[name])
    said = words.WHY_FACTOR.get(name)
    if said is None or isinstance(value, bool) or not isinstance(value, int | float):
        return ""
    more, usual, less = said
    if abs(value - 1) <= USUAL:
        return say(usual)
    return say(more if value > 1 else less)
