"""What replayed calls were credited to, and what that says about the next one.

The plain Python of `credits`, which keeps the same in PostgreSQL. Pure.
"""

from collections.abc import Hashable

from numberpool import posterior
from numberpool.posterior import Id, LastCall, Memory

LEAST = 0.001  # lighter candidates are not remembered
SURE = 1 - 1e-9  # nothing is claimed wholly: a surer claim takes its place


class Past:
    """All calls of one pool so far."""

    def __init__(self) -> None:
        self._last: dict[str, LastCall] = {}
        self._own: dict[str, dict[Id, float]] = {}  # by phone, by visitor
        self._other: dict[Id, float] = {}  # by visitor, any known phone
        self._credited: dict[Id, float] = {}  # by session, of each phone once
        self._claims: dict[tuple[Id, str], float] = {}  # by session and phone

    def last(self, caller: str | None) -> LastCall | None:
        """The phone's last call; None: it has not called, or is withheld."""
        return self._last.get(caller) if caller is not None else None

    def own(self, caller: str) -> dict[Id, float]:
        """The largest weight with which the phone was credited to each visitor."""
        return self._own.get(caller, {})

    def memory(self, caller: str | None) -> Memory:
        """What is known of a call by this phone."""
        last = self.last(caller)
        return Memory(
            withheld=caller is None,
            last=last,
            own=self.own(caller) if caller is not None and last else {},
            # Only asked for phones that have not called: all others are other phones.
            other=self._other,
            credited=self._credited,
        )

    def credit(
        self,
        answer: posterior.Answer,
        *,
        caller: str | None,
        number: Hashable,
        at: float,
    ) -> None:
        """Remember whom a call was laid to."""
        kept = [one for one in answer.candidates if one.weight > LEAST]
        for one in kept:
            self._claim(one.session_id, caller, one.weight)
        if caller is None:
            return
        own = self._own.setdefault(caller, {})
        for one in kept:
            visitor, weight = one.visitor_id, one.weight
            own[visitor] = max(own.get(visitor, 0.0), weight)
            self._other[visitor] = max(self._other.get(visitor, 0.0), weight)
        self._last[caller] = LastCall(
            at=at,
            number=number,
            weights={one.session_id: one.weight for one in kept},
            none=answer.none,
        )

    def _claim(self, session: Id, caller: str | None, weight: float) -> None:
        """Credit the session; calling again, a phone claims it no more than before."""
        weight, before = min(weight, SURE), 0.0
        if caller is not None:
            before = self._claims.get((session, caller), 0.0)
            if weight <= before:
                return
            self._claims[session, caller] = weight
        free = (1 - self._credited.get(session, 0.0)) * (1 - weight) / (1 - before)
        self._credited[session] = 1 - free
