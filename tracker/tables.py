"""Reading a TOML table value by value, collecting what is wrong instead of stopping at it.

A value that is refused is replaced by a harmless one: the caller gets its problems at the
end and throws the record away.
"""

import re
from typing import Any, TypeVar
from urllib.parse import unquote, urlsplit
from zoneinfo import available_timezones

import babel.numbers
import idna
import msgspec
import phonenumbers

from numberpool import phones
from tracker import connections, users
from tracker.errors import BadInput
from tracker.toml_lines import Path

T = TypeVar("T")

LONGEST_TEXT = 255  # characters; a source's label has no more
MOST_ITEMS = 10_000
HIGHEST_RULE = 100_000
_LABEL = re.compile(r"[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?")  # of a host's name


class Problems:
    """What is wrong, and where."""

    def __init__(self, lines: dict[Path, int]) -> None:
        self._lines = lines
        self.found: list[tuple[int, str]] = []

    def add(self, path: Path, remedy: str) -> None:
        """Note it at the line of the path, or of the nearest table above."""
        line = next(
            (
                self._lines[path[:length]]
                for length in range(len(path), 0, -1)
                if path[:length] in self._lines
            ),
            1,
        )
        name = re.sub(r"\.(\d+)", r"[\1]", ".".join(map(str, path)))
        self.found.append((line, f"line {line}: {name}: {remedy}"))

    def lines(self) -> list[str]:
        """In the order of the file."""
        return [text for _, text in sorted(dict.fromkeys(self.found))]


class Table:
    """One table of the file; each name that is read is known, `done` refuses the others."""

    def __init__(self, given: dict[str, Any], path: Path, problems: Problems) -> None:
        self.given = given
        self._path = path
        self._problems = problems
        self._read: set[str] = set()

    def refuse(self, name: str, remedy: str, index: int | None = None) -> None:
        """Note a problem with a value, or with one of its elements."""
        path = (*self._path, *([name] if name else []))
        self._problems.add(path if index is None else (*path, index), remedy)

    def done(self) -> None:
        """Refuse what nobody asked for."""
        for name in self.given:
            if name not in self._read:
                names = ", ".join(sorted(self._read))
                self.refuse(name, f"is not known here; there are {names}")

    def rest(self) -> dict[str, Any]:
        """What was not read yet, for a kind that knows its settings itself."""
        left = {name: one for name, one in self.given.items() if name not in self._read}
        self._read.update(left)
        return left

    def table(self, name: str) -> "Table":
        """A table within this one, which must be there."""
        value = self._value(name, dict, {}, "a table", needed=True)
        return Table(value, (*self._path, name), self._problems)

    def optional(self, name: str) -> "Table | None":
        """A table within this one; None when it is left out, or is none."""
        value = self._value(name, dict, {}, "a table")
        if not isinstance(self.given.get(name), dict):
            return None
        return Table(value, (*self._path, name), self._problems)

    def tables(self, name: str, *, meant: str = "") -> "list[Table]":
        """The tables under `[[name]]`, or in a list."""
        found = self._items(name, dict, meant or f"tables, each begun by [[{name}]]")
        return [
            Table(one, (*self._path, name, index), self._problems)
            for index, one in found
        ]

    def text(
        self,
        name: str,
        *,
        needed: bool = True,
        form: re.Pattern[str] | None = None,
        like: str = "one line of text in quotes",
    ) -> str:
        """One line; empty when it is left out and not needed."""
        value = self._value(name, str, "", like, needed=needed).strip()
        if name not in self.given or not isinstance(self.given[name], str):
            return ""
        fits = form.fullmatch(value) if form else (value or not needed)
        if not fits or len(value) > LONGEST_TEXT or not (value or "-").isprintable():
            self.refuse(name, f"must be {like}")
            return ""
        return value

    def flag(self, name: str, usual: bool) -> bool:
        return self._value(name, bool, usual, "true or false")

    def whole(self, name: str, usual: int, *, low: int, high: int) -> int:
        """A whole number within its bounds."""
        meant = f"a whole number from {low} to {high}"
        value = self._value(name, int, usual, meant)
        if not low <= value <= high:
            self.refuse(name, f"must be {meant}")
            return usual
        return value

    def fraction(self, name: str, usual: float) -> float:
        """A number above 0 and at most 1."""
        self._read.add(name)
        value = self.given.get(name, usual)
        if type(value) not in (int, float) or not 0 < value <= 1:
            self.refuse(name, "must be a number above 0 and at most 1, such as 0.5")
            return usual
        return float(value)

    def texts(self, name: str, *, like: str) -> tuple[str, ...]:
        """Lines of text; those that are refused are empty, so that places stay theirs."""
        found = []
        for index, text in self._items(name, str, like):
            fits = text.strip() and text.isprintable() and len(text) <= LONGEST_TEXT
            if not fits:
                self.refuse(name, f"must be among {like}", index)
            found.append(text.strip() if fits else "")
        return tuple(found)

    def choice(self, name: str, known: tuple[str, ...], *, needed: bool = False) -> str:
        """One of the known words; the first when it is left out and not needed."""
        meant = f"one of {', '.join(known)}"
        value = self._value(name, str, known[0] if known else "", meant, needed=needed)
        if value not in known:
            self.refuse(name, f"must be {meant}")
        return value

    def phone(self, name: str, country: str, *, needed: bool = False) -> str | None:
        """A number in E.164; None when it is left out."""
        text = self._value(name, str, "", "a phone number in quotes", needed=needed)
        if name not in self.given or not isinstance(self.given[name], str):
            return None
        return self._e164(text, country, name, None)

    def phones(
        self, name: str, country: str, *, needed: bool = True
    ) -> tuple[str, ...]:
        """Numbers in E.164; empty where one was refused, so that places stay theirs."""
        found = self._items(name, str, "phone numbers in quotes", needed=needed)
        return tuple(
            self._e164(text, country, name, index) or "" for index, text in found
        )

    def emails(self, name: str) -> tuple[str, ...]:
        """Addresses of mail, in lower case; empty where one was refused."""
        found = self._items(name, str, "addresses in quotes", needed=True)
        return tuple(self._email(text, name, index) for index, text in found)

    def email(self, name: str) -> str:
        text = self._value(name, str, "", "an address in quotes", needed=True)
        return self._email(text, name, None) if text or name in self.given else ""

    def hosts(self, name: str) -> tuple[str, ...]:
        """Names of hosts as they stand in an address bar, in their ASCII form."""
        meant = "domains such as acme.example"
        found = self._items(name, str, meant, needed=True)
        read = []
        for index, text in found:
            try:
                read.append(host(text))
            except BadInput as error:
                self.refuse(name, str(error), index)
        return tuple(dict.fromkeys(read))

    def timezone(self, name: str, usual: str) -> str:
        """A name of the time zone database."""
        value = self._value(name, str, usual, "a time zone like Europe/Moscow")
        if value not in available_timezones():
            self.refuse(name, "is no time zone; write one such as Europe/Moscow")
        return value

    def currency(self, name: str, usual: str) -> str:
        """An ISO 4217 code."""
        value = self._value(name, str, usual, "a currency's code such as RUB").upper()
        if not babel.numbers.is_currency(value, "en"):
            self.refuse(name, "is no currency's code (ISO 4217); write one such as RUB")
        return value

    def next_hop(self, name: str) -> str:
        """Where mail is handed on: smtp://[user:password@]host[:port]."""
        text = self._value(name, str, "", "an address in quotes", needed=True).strip()
        if name in self.given and text != connections.KEPT and not _is_next_hop(text):
            self.refuse(
                name,
                "must be like smtp://mx.acme.example:25 (or smtps://, user:password@)",
            )
        return text

    def rule(self, name: str, type_: Any, usual: T) -> T:
        """One of a site's own rules."""
        self._read.add(name)
        if name not in self.given:
            return usual
        value = self.given[name]
        try:
            read: T = msgspec.convert(value, type_)
        except msgspec.ValidationError as error:
            self.refuse(name, str(error).split(" - at `$")[0])
            return usual
        if isinstance(read, int) and not 1 <= read <= HIGHEST_RULE:
            self.refuse(name, f"must be a whole number from 1 to {HIGHEST_RULE}")
        if name == "country" and read not in phonenumbers.SUPPORTED_REGIONS:
            self.refuse(name, "is no country's code (ISO 3166); write one such as RU")
        return read

    def _value(
        self, name: str, type_: type[T], usual: T, meant: str, *, needed: bool = False
    ) -> T:
        self._read.add(name)
        if name not in self.given:
            if needed:
                self.refuse(name, f"is required: {meant}")
            return usual
        value = self.given[name]
        if type(value) is not type_:  # a bool is an int, but not here
            self.refuse(name, f"must be {meant}")
            return usual
        return value

    def _items(
        self, name: str, type_: type[T], meant: str, *, needed: bool = False
    ) -> list[tuple[int, T]]:
        """The elements of an array with their places; those of another type refused."""
        meant_list = f"a list of {meant}"
        values: list[Any] = self._value(name, list, [], meant_list, needed=needed)
        if needed and name in self.given and values == []:
            self.refuse(name, f"must have at least one: {meant}")
        if len(values) > MOST_ITEMS:
            self.refuse(name, f"must have at most {MOST_ITEMS}")
        found = []
        for index, value in enumerate(values[:MOST_ITEMS]):
            if isinstance(value, type_):
                found.append((index, value))
            else:
                self.refuse(name, f"must be among {meant}", index)
        return found

    def _e164(
        self, text: str, country: str, name: str, index: int | None
    ) -> str | None:
        number = phones.e164(text, country)
        if number is None:
            self.refuse(name, "is no phone number; write it like +74950000000", index)
        return number

    def _email(self, text: str, name: str, index: int | None) -> str:
        try:
            return users.normal(text)
        except BadInput:
            self.refuse(name, "must be an address like info@acme.example", index)
            return ""


def host(text: str) -> str:
    """A host's name in lower case and ASCII; raises BadInput."""
    text = text.strip().lower()
    try:
        name = text if text.isascii() else idna.encode(text, uts46=True).decode()
    except UnicodeError:
        name = ""
    labels = name.split(".")
    if len(name) > 253 or not all(_LABEL.fullmatch(label) for label in labels):
        raise BadInput(
            "must be a domain such as acme.example, without https://, port or path"
        )
    return name


def _is_next_hop(text: str) -> bool:
    try:
        parts = urlsplit(text)
        port = parts.port
        host(parts.hostname or "")
    except (ValueError, BadInput):
        return False
    return (
        parts.scheme in ("smtp", "smtps")
        and port != 0
        and parts.path in ("", "/")
        and not parts.query
        and not parts.fragment
        and unquote(text).isprintable()
    )
