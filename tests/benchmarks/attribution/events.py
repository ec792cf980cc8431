"""Events of a site as `skvoz replay` reads them, the truth about the calls included."""

import json
from pathlib import Path
from typing import NamedTuple


class Event(NamedTuple):
    """One line of events.jsonl; the fields that its kind lacks are None."""

    at: float  # Unix seconds
    kind: str  # visit, ping, leave, reveal, tel_click, call
    session: str | None = None  # of a call: who dialled, the truth
    visitor: str | None = None
    device: str | None = None
    source: str | None = None
    call: str | None = None
    caller: str | None = None
    slot: int | None = None  # where an unrelated call goes, modulo the pool's size

    def line(self) -> str:
        fields: dict[str, object] = {"t": self.at, "type": self.kind}
        if self.kind == "call":
            fields |= {"call": self.call, "caller": self.caller, "dialer": self.session}
            if self.session is None:
                fields["slot"] = self.slot
        else:
            fields["session"] = self.session
        if self.kind == "visit":
            fields |= {
                "visitor": self.visitor,
                "device": self.device,
                "source": self.source,
            }
        return json.dumps(fields)


def write(path: Path, events: list[Event]) -> None:
    """The file that `skvoz replay` takes."""
    with path.open("w") as file:
        file.writelines(event.line() + "\n" for event in events)
