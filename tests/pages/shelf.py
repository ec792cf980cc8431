"""The shelf of pages: shapes that real sites have, each with its expected result.

`NAME.html` is a page as its owner wrote it, with the line that loads the script from
`https://track.example`. `NAME.toml` beside it says what is expected:

    about = "what the page is like"
    swapped = '''
    +7 (495) 000-00-00 → +7 (495) 100-00-01
    href: tel:+74950000000 → href: tel:+74951000001
    '''

Each line of `swapped` is a line of the page (see `lines.js`) before and after, in the order
of the document. It is the whole truth: every other text, attribute and field of the page has
to be as if the script were not there. Optional tables: `[numbers]` (what stands on the page =
what is lent), `[emails]` (likewise) and `[config]` (the site's settings of the script, with its
`parts` by name).

A page that lives (adds content, changes routes) keeps what it does in `window.steps`, an array
of functions that are called one after another once the numbers are known. Files that a page
needs lie in a folder of its name.
"""

import tomllib
from dataclasses import dataclass, field
from difflib import ndiff
from mimetypes import guess_type
from pathlib import Path

import msgspec
from aiohttp import web

from numberpool import phones
from tests.browser import fake_tracker as fake
from tests.browser.fake_tracker import FakeTracker
from web import snippet_build

FOLDER = Path(__file__).parent
LINES = (FOLDER / "lines.js").read_text(encoding="utf-8").partition("*/")[2].strip()
TRACKER = (
    b"https://track.example"  # what pages call it; tests put their own in its place
)
ARROW = " → "


class Expected(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """What `NAME.toml` says."""

    about: str
    swapped: str
    numbers: dict[str, str] = msgspec.field(
        default_factory=lambda: {fake.OWN: fake.NUMBER}
    )
    emails: dict[str, str] = msgspec.field(
        default_factory=lambda: {fake.MAIL: fake.ALIAS}
    )
    config: dict[str, object] = msgspec.field(default_factory=dict)
    parts: list[str] = msgspec.field(default_factory=list)

    def changes(self) -> list[str]:
        return [line.strip() for line in self.swapped.splitlines() if line.strip()]


def expected(name: str, folder: Path = FOLDER) -> Expected:
    text = (folder / f"{name}.toml").read_text(encoding="utf-8")
    return msgspec.convert(tomllib.loads(text), Expected)


def names(folder: Path = FOLDER) -> list[str]:
    """Every page whose result is told in a folder."""
    return sorted(path.stem for path in folder.glob("*.toml"))


@dataclass(slots=True, kw_only=True)
class Shelf(FakeTracker):
    """The usual tracker; its site is the shelf."""

    headers: dict[str, str] = field(default_factory=dict)  # of every page
    folders: list[Path] = field(default_factory=lambda: [FOLDER])
    loads: int = 0  # of the script

    def lend(self, expected: Expected) -> None:
        """Be the tracker of the site that this page belongs to."""
        self.parts = expected.parts
        self.config = {
            "numbers": list(expected.numbers),
            "emails": list(expected.emails),
        } | expected.config
        answer = fake.visit_answer(
            *(
                fake.number(number=lent, replaces=own, display=phones.display(lent))
                for own, lent in expected.numbers.items()
            ),
            emails=[
                {"replaces": own, "address": alias}
                for own, alias in expected.emails.items()
            ],
        )
        self.answers["/v1/visits"] = fake.says(answer)

    def url(self, path: str) -> str:
        return f"http://localhost:{self.port}/{path}"

    async def _serve_script(self, request: web.Request) -> web.Response:
        self.loads += 1
        return await FakeTracker._serve_script(self, request)

    async def _serve_page(self, request: web.Request) -> web.Response:
        name = request.path.lstrip("/")
        places = [folder / name for folder in self.folders]
        if name.startswith("npm/"):  # a library as its package publishes it
            places = [snippet_build.ROOT / "node_modules" / name.removeprefix("npm/")]
        found = next((place for place in places if place.is_file()), None)
        if request.path in self.pages or found is None:
            return await FakeTracker._serve_page(self, request)
        return web.Response(
            body=found.read_bytes().replace(TRACKER, self.api.encode()),
            content_type=guess_type(found)[0],  # a page says its own character set
            headers=self.headers,
        )


def difference(before: list[str], after: list[str]) -> list[str]:
    """The lines that differ, as `swapped` writes them; with signs where some came or went."""
    if len(before) != len(after):
        return [line for line in ndiff(before, after) if line[0] in "+-"]
    return [
        f"{old}{ARROW}{new}"
        for old, new in zip(before, after, strict=True)
        if old != new
    ]
