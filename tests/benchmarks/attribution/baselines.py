"""What the trade does by rule of thumb: lend somehow, name one session as if it were sure."""

from tests.benchmarks.attribution import lending
from tests.benchmarks.attribution.answers import Answer, Candidate, number_name
from tests.benchmarks.attribution.events import Event

SEEN = {"reveal", "tel_click"}
SIGNS = SEEN | {"ping"}
HOUR = 3600.0


def dialled(lent: lending.Lending, call: Event, numbers: int) -> int | None:
    """The pool index that this call went to; None: the static number."""
    if call.session is None:
        return None if call.slot is None else call.slot % numbers
    return lent.number.get(call.session)


def tell(lent: lending.Lending, event: Event) -> None:
    """Passes one event that is no call to the lending."""
    if event.kind == "visit":
        lent.visit(str(event.session), str(event.visitor), event.at)
    elif event.kind in SIGNS:
        lent.sign(str(event.session), event.at, seen=event.kind in SEEN)


def last_holder(way: lending.Way, events: list[Event], numbers: int) -> list[Answer]:
    """Every call to the session that was shown its number last."""
    lent, answers = way(numbers), []
    for event in events:
        if event.kind != "call":
            tell(lent, event)
            continue
        number = dialled(lent, event, numbers)
        holder = None if number is None else lent.holder[number]
        answers.append(_sure(event, number, holder))
    return answers


def last_visitor(events: list[Event]) -> list[Answer]:
    """Every call to the latest visit of the last hour, whatever number was dialled."""
    latest: Event | None = None
    answers = []
    for event in events:
        if event.kind == "visit":
            latest = event
        elif event.kind == "call":
            recent = latest and event.at - latest.at <= HOUR
            session = latest.session if latest and recent else None
            # The rule needs no pool: all its calls count as calls to a number.
            answers.append(_sure(event, 0, session))
    return answers


def _sure(call: Event, number: int | None, session: str | None) -> Answer:
    candidates = () if session is None else (Candidate(session, 1.0),)
    return Answer(str(call.call), number_name(number), candidates)


def all_answers(events: list[Event], numbers: int) -> dict[str, list[Answer]]:
    """Each rule of thumb's answers, by its name."""
    return {
        "random": last_holder(lending.Random, events, numbers),
        "held": last_holder(lending.Held, events, numbers),
        "last hour": last_visitor(events),
        "oldest": last_holder(lending.OldestFirst, events, numbers),
    }
