"""What an attribution says about one call, ours, the oracle's or a rule of thumb's."""

from dataclasses import dataclass
from pathlib import Path

import msgspec


class Candidate(msgspec.Struct, frozen=True):
    session: str
    weight: float


class Answer(msgspec.Struct, frozen=True):
    """One line of attributions.jsonl."""

    call: str
    number: str | None  # None: a call to the static number
    candidates: tuple[Candidate, ...] = ()


class Broken(Exception):
    """An answer that breaks the format: not scored, told."""


@dataclass(frozen=True, slots=True)
class Run:
    """All answers about one file of events."""

    answers: list[Answer]
    seconds: float = 0.0


def number_name(index: int | None) -> str | None:
    """The invented number of a pool index."""
    return None if index is None else f"+7800{index:07d}"


def read(path: Path) -> list[Answer]:
    """The answers of a file, checked against the format; raises `Broken`."""
    answers = []
    with path.open("rb") as file:
        for line, text in enumerate(file, 1):
            try:
                answer = msgspec.json.decode(text, type=Answer)
            except msgspec.MsgspecError as error:
                raise Broken(f"line {line}: {error}") from error
            check(answer, f"line {line}")
            answers.append(answer)
    return answers


def check(answer: Answer, where: str) -> None:
    """Weights in (0, 1], sorted downwards, sum at most 1, no session twice."""
    weights = [one.weight for one in answer.candidates]
    if any(not 0 < weight <= 1 + 1e-9 for weight in weights):
        raise Broken(f"{where}: a weight outside (0, 1]")
    if weights != sorted(weights, reverse=True):
        raise Broken(f"{where}: weights are not sorted downwards")
    if sum(weights) > 1 + 1e-6:
        raise Broken(f"{where}: weights sum to {sum(weights):.6f}")
    if len({one.session for one in answer.candidates}) < len(weights):
        raise Broken(f"{where}: a session twice")
    if answer.number is None and weights:
        raise Broken(f"{where}: candidates for a call to the static number")
