"""The example shop's own test calls: once a week somebody checks that calls are found. Pure.

They have luck of their own, so the rest of the story is the same with them or without.
"""

import random
from collections.abc import Iterator
from datetime import datetime
from zoneinfo import ZoneInfo

from tracker import demo_clock as clock
from tracker import demo_words as words
from tracker.demo_origins import SHOP
from tracker.demo_tape import SECOND, Call, Happening, Line, Page, Sign

TUESDAY = 1
PHONE = f"{words.BLOCKS[0]}0000"


def calls(
    seed: int, since: datetime, until: datetime, zone: ZoneInfo
) -> Iterator[Happening]:
    """A visit marked as a test, a look at the number and a call, on every Tuesday.

    Visits and visitors are numbered downwards from −1: customers have the other numbers.
    """
    rng = random.Random(f"test calls {seed}")  # noqa: S311 - make-believe
    tuesdays = [
        day for day in clock.days(since, until, zone) if day.weekday() == TUESDAY
    ]
    for n, day in enumerate(tuesdays, 1):
        at, visit = clock.by_day(rng, day, zone), -n
        rings = at + rng.uniform(20, 100) * SECOND
        yield Page(
            at=at,
            visit=visit,
            visitor=visit,
            url=f"{SHOP}/?skvoz_test=1",
            referrer="",
            device="mobile" if n % 2 else "desktop",
        )
        yield Sign(at=at + 3 * SECOND, visit=visit, state="visible", did="reveal")
        for beat in range(1, 5):
            yield Sign(at=at + 30 * beat * SECOND, visit=visit, state="visible")
        yield Call(
            at=rings,
            key=f"demo-test-{n}",
            line=Line(visit=visit),
            caller=PHONE,
            rings=6 * SECOND,
            talks=15 * SECOND,
            manager=rng.choice(words.MANAGERS),
        )
        yield Sign(at=at + 130 * SECOND, visit=visit, state="left")
