"""How the make-believe customers of the example site call and write. Pure."""

import random
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from tracker import demo_clock as clock
from tracker import demo_words as words
from tracker.demo_tape import MINUTE, SECOND, Call, Form, Happening, Letter, Line
from tracker.demo_words import Customer

ANSWERED, ANSWERED_AT_NIGHT = 0.9, 0.08
REDIALS = 0.55  # of callers whom nobody answered
CALLED_BACK = 0.7  # of the others
LONGEST_TALK = 20 * MINUTE


@dataclass(slots=True, kw_only=True)
class Talking:
    """Makes up calls, letters and forms and writes them on the tape."""

    rng: random.Random
    zone: ZoneInfo
    tape: list[Happening]
    _keys: int = 0

    def call(self, line: Line, phone: str | None, at: datetime) -> datetime:
        """A call, with the redial or the call back if nobody answers; when it is over."""
        chance = ANSWERED if clock.open_at(at, self.zone) else ANSWERED_AT_NIGHT
        if self.rng.random() < chance:
            return self._ring(line, phone, at, answered=True)
        over = self._ring(line, phone, at, answered=False)
        if phone is None:
            return over
        if self.rng.random() < REDIALS:
            return self._ring(line, phone, self._after(over, 9 * MINUTE), answered=True)
        if self.rng.random() < CALLED_BACK:
            back = self._after(over, 25 * MINUTE)
            return self._ring(line, phone, back, answered=True, outbound=True)
        return over

    def form(self, visit: int, customer: Customer, at: datetime) -> None:
        """The form of the page, with an email address or without."""
        self.tape.append(
            Form(
                at=at,
                key=self.key("form"),
                visit=visit,
                name=customer.name.split()[0],
                phone=customer.phone,
                email=customer.email if self.rng.random() < 0.5 else "",
                text=self.rng.choice(words.REQUESTS),
            )
        )

    def letter(
        self,
        visit: int,
        customer: Customer,
        at: datetime,
        texts: Sequence[str],
        *,
        with_phone: bool,
    ) -> None:
        """A letter to the address of the page."""
        text = self.rng.choice(texts)
        if with_phone:
            text += f"\n\n{customer.name}\n{customer.phone}"
        self.tape.append(
            Letter(
                at=at,
                key=self.key("letter"),
                visit=visit,
                name=customer.name,
                email=customer.email,
                phone=customer.phone if with_phone else None,
                subject=self.rng.choice(words.SUBJECTS),
                text=text,
            )
        )

    def key(self, kind: str) -> str:
        """A name that nothing else in the story has."""
        self._keys += 1
        return f"demo-{kind}-{self._keys}"

    def _after(self, moment: datetime, pause: timedelta) -> datetime:
        later = moment + clock.about(self.rng, pause)
        return clock.when_open(self.rng, later, self.zone)

    def _ring(
        self,
        line: Line,
        phone: str | None,
        at: datetime,
        *,
        answered: bool,
        outbound: bool = False,
    ) -> datetime:
        rings = self.rng.uniform(4, 16) if answered else self.rng.uniform(18, 45)
        talks = min(clock.about(self.rng, 105 * SECOND), LONGEST_TALK)
        call = Call(
            at=at,
            key=self.key("call"),
            line=line,
            caller=phone,
            rings=round(rings) * SECOND,
            talks=round(talks / SECOND) * SECOND if answered else None,
            manager=self.rng.choice(words.MANAGERS) if answered else None,
            outbound=outbound,
        )
        self.tape.append(call)
        return call.over
