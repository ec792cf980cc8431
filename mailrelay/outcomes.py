"""What a try at the next hop means for the letter, and when to try again. Pure."""

import random
import re
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

Stage = Literal[
    "connect", "greet", "tls", "auth", "mail", "rcpt", "data", "dot", "local"
]

_EARLY = ("connect", "greet", "tls", "auth", "mail")
_ENHANCED = re.compile(r"\b([245])\.(\d{1,3})\.(\d{1,3})\b")

# The next hop is one known mailbox: quick at first, then as RFC 5321 section 4.5.4.1 asks.
WAITS = tuple(timedelta(minutes=minutes) for minutes in (1, 2, 5, 10, 15, 30, 60, 120))
LATER = timedelta(hours=3)
LIFE = timedelta(days=5)
HOLD = timedelta(hours=24)  # of a mailbox that is refused: time to mend it
JITTER = 0.1


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """How one try ended."""

    stage: Stage
    taken: bool = False
    permanent: bool = False  # trying again cannot help
    life: timedelta = LIFE  # how long it is worth trying
    unreachable: bool = False  # no conversation at all: the hop rather than the letter
    code: int | None = None
    answer: str = ""
    error: str | None = None


def refused(stage: Stage, code: int, answer: str) -> Outcome:
    """The hop answered with something other than yes."""
    error = f"{_WORDS[stage]}: {code} {' '.join(answer.split())}"
    plain = Outcome(stage=stage, code=code, answer=answer, error=error)
    if code < 500 or stage in _EARLY:
        # 5xx before RCPT is about us (name, reputation, password), not this letter.
        return Outcome(
            stage=stage,
            code=code,
            answer=answer,
            error=error,
            unreachable=stage in ("connect", "greet", "tls", "auth"),
        )
    detail = _detail(answer)
    if detail == "2.2" or (code == 552 and detail != "3.4"):  # the mailbox is full
        return plain
    if stage == "rcpt":
        return Outcome(stage=stage, code=code, answer=answer, error=error, life=HOLD)
    return Outcome(stage=stage, code=code, answer=answer, error=error, permanent=True)


def broken(stage: Stage, trouble: str) -> Outcome:
    """The connection failed or went silent."""
    return Outcome(
        stage=stage,
        unreachable=stage in ("connect", "greet", "tls", "auth"),
        error=f"{_WORDS[stage]}: {trouble}",
    )


def impossible(trouble: str) -> Outcome:
    """The letter cannot be sent whatever the hop does."""
    return Outcome(stage="local", permanent=True, error=trouble)


def missing(trouble: str) -> Outcome:
    """Somebody has to mend the set-up; until then the letter waits."""
    return Outcome(stage="local", error=trouble)


def taken(code: int, answer: str) -> Outcome:
    """The hop has it now."""
    return Outcome(stage="dot", taken=True, code=code, answer=answer)


_WORDS: dict[Stage, str] = {
    "connect": "no connection",
    "greet": "greeting refused",
    "tls": "no encryption",
    "auth": "sign-in refused",
    "mail": "our return path refused",
    "rcpt": "mailbox refused",
    "data": "letter not let in",
    "dot": "letter refused",
    "local": "not sent",
}


def _detail(answer: str) -> str:
    """The class-less enhanced code (RFC 3463): "5.1.1 …" → "1.1"."""
    found = _ENHANCED.search(answer[:200])
    return f"{int(found.group(2))}.{int(found.group(3))}" if found else ""


def next_try(
    outcome: Outcome,
    *,
    attempts: int,
    created_at: datetime,
    at: datetime,
    jitter: float | None = None,
) -> datetime | None:
    """When to try again after `attempts` tries; None: never.

    `jitter` is a number from -1 to 1, random by default.
    """
    if outcome.permanent or at - created_at >= outcome.life:
        return None
    wait = WAITS[attempts - 1] if 0 < attempts <= len(WAITS) else LATER
    if jitter is None:
        jitter = random.uniform(-1, 1)  # noqa: S311 - spreads load, guards nothing
    # The last try is made when the letter's time is up, not before.
    return min(at + wait * (1 + JITTER * jitter), created_at + outcome.life)
