"""On which line of a TOML text each value stands; `tomllib` does not tell.

For texts that `tomllib` has taken: what is wrong with the form itself it says, with the
line. Paths are those of the parsed value: `("pool", 0, "numbers", 2)`. Pure.
"""

import re
import tomllib

Path = tuple[str | int, ...]

_TOKEN = re.compile(
    r"""
      (?P<space>[ \t\r]+ | \#[^\n]*)
    | (?P<line>\n)
    | (?P<text>\"{3}(?:[^\\]|\\.)*?\"{3,5} | '{3}.*?'{3,5}
              | "(?:[^"\\\n]|\\.)*" | '[^'\n]*')
    | (?P<mark>[\[\]{}=,.])
    | (?P<bare>[^\s\[\]{}=,."'\#]+)
    """,
    re.VERBOSE | re.DOTALL,
)


def locate(text: str) -> dict[Path, int]:
    """The line, from 1, of every table, key and array element."""
    return _Reader(text).read()


class _Reader:
    """Walks the tokens; `_at` is the one that is looked at."""

    def __init__(self, text: str) -> None:
        self._tokens: list[tuple[str, str, int]] = []
        line = 1
        for found in _TOKEN.finditer(text):
            kind = str(found.lastgroup)
            if kind != "space":
                self._tokens.append((kind, found[0], line))
            line += found[0].count("\n")
        self._tokens.append(("end", "", line))
        self._at = 0
        self._counts: dict[Path, int] = {}  # elements of each array of tables so far
        self.lines: dict[Path, int] = {}

    def read(self) -> dict[Path, int]:
        table: Path = ()
        while self._kind != "end":
            if self._kind == "line":
                self._at += 1
            elif self._text == "[":
                table = self._header()
            else:
                self._pair(table)
        return self.lines

    @property
    def _kind(self) -> str:
        return self._tokens[self._at][0]

    @property
    def _text(self) -> str:
        return self._tokens[self._at][1]

    def _header(self) -> Path:
        """`[a.b]` or `[[a.b]]`, from the first bracket to the end of the line."""
        line = self._tokens[self._at][2]
        self._at += 1
        array = self._text == "["
        self._at += array
        names = self._key()
        self._at += 1 + array
        path = self._resolved(names[:-1])
        path = (*path, names[-1])
        self.lines.setdefault(path, line)
        if array:
            index = self._counts[path] = self._counts.get(path, -1) + 1
            path = (*path, index)
            self.lines[path] = line
        elif path in self._counts:
            path = (*path, self._counts[path])
        return path

    def _resolved(self, names: tuple[str, ...]) -> Path:
        """The path of a header's parents: of an array of tables the latest is meant."""
        path: Path = ()
        for name in names:
            path = (*path, name)
            if path in self._counts:
                path = (*path, self._counts[path])
        return path

    def _pair(self, table: Path) -> None:
        line = self._tokens[self._at][2]
        path = table
        for name in self._key():
            path = (*path, name)
            self.lines.setdefault(path, line)
        self._at += 1  # =
        self._value(path)

    def _key(self) -> tuple[str, ...]:
        names = [self._name()]
        while self._text == ".":
            self._at += 1
            names.append(self._name())
        return tuple(names)

    def _name(self) -> str:
        kind, text, _ = self._tokens[self._at]
        self._at += 1
        if kind == "bare":
            return text
        return next(iter(tomllib.loads(f"{text} = 0")))

    def _value(self, path: Path) -> None:
        if self._text == "[":
            self._array(path)
        elif self._text == "{":
            self._inline(path)
        else:  # a text, or the pieces of a number, a moment or a word
            while self._kind not in ("line", "end") and self._text not in (
                ",",
                "]",
                "}",
            ):
                self._at += 1

    def _array(self, path: Path) -> None:
        self._at += 1
        index = 0
        while self._text != "]":
            if self._kind == "line" or self._text == ",":
                self._at += 1
                continue
            self.lines[(*path, index)] = self._tokens[self._at][2]
            self._value((*path, index))
            index += 1
        self._at += 1

    def _inline(self, path: Path) -> None:
        self._at += 1
        while self._text != "}":
            if self._kind == "line" or self._text == ",":
                self._at += 1
            else:
                self._pair(path)
        self._at += 1
