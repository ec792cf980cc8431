"""XML from outside: bounded, without a document type, entities or anything external.

Pure, over the standard library's expat, which needs no more than handlers that say no: a
DOCTYPE is refused at its first word, so no entity is ever declared and none expanded.
Names lose their prefixes, since senders bind them as they like or forget to.
"""

from dataclasses import dataclass, field
from typing import NoReturn
from xml.parsers import expat

from tracker.errors import Unreadable

DEEPEST = 32
MOST_ELEMENTS = 2000  # of one document; an event of a call has some thirty


@dataclass(slots=True)
class Element:
    """One element, by its local name."""

    name: str
    attributes: dict[str, str] = field(default_factory=dict)
    children: list["Element"] = field(default_factory=list)
    parts: list[str] = field(default_factory=list)  # of its own text

    @property
    def text(self) -> str:
        return "".join(self.parts).strip()

    def find(self, *path: str) -> "Element | None":
        """The first element at the path below this one."""
        found: Element | None = self
        for name in path:
            found = next((one for one in found.all(name)), None) if found else None
        return found

    def all(self, name: str) -> list["Element"]:
        """The children of this name."""
        return [one for one in self.children if one.name == name]

    def value(self, *path: str) -> str:
        """The text at the path, empty when there is none."""
        found = self.find(*path)
        return found.text if found else ""


def parse(document: bytes) -> Element:
    """The document's root; raises Unreadable."""
    builder = _Builder()
    parser = expat.ParserCreate()
    parser.buffer_text = True
    parser.SetParamEntityParsing(expat.XML_PARAM_ENTITY_PARSING_NEVER)
    parser.StartDoctypeDeclHandler = _refuse
    parser.EntityDeclHandler = _refuse
    parser.ExternalEntityRefHandler = _refuse
    parser.StartElementHandler = builder.start
    parser.EndElementHandler = builder.end
    parser.CharacterDataHandler = builder.data
    try:
        parser.Parse(document.lstrip(), True)
    except (expat.ExpatError, ValueError, LookupError) as error:
        raise Unreadable(f"XML: {error}") from None
    if not builder.top.children:
        raise Unreadable("XML: there is no element")
    return builder.top.children[0]


class _Builder:
    """The tree while it grows."""

    def __init__(self) -> None:
        self.top = Element("")
        self.open = [self.top]
        self.count = 0

    def start(self, name: str, attributes: dict[str, str]) -> None:
        self.count += 1
        if self.count > MOST_ELEMENTS or len(self.open) > DEEPEST:
            raise Unreadable(
                f"XML: at most {MOST_ELEMENTS} elements, {DEEPEST} inside each other"
            )
        told = {local(key): value for key, value in attributes.items()}
        element = Element(local(name), told)
        self.open[-1].children.append(element)
        self.open.append(element)

    def end(self, name: str) -> None:
        self.open.pop()

    def data(self, text: str) -> None:
        self.open[-1].parts.append(text)


def local(name: str) -> str:
    """A name without its prefix."""
    return name.rpartition(":")[2]


def _refuse(*_: object) -> NoReturn:
    raise Unreadable("XML: a DOCTYPE is not accepted")
