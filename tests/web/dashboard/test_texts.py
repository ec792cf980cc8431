"""Both languages are whole."""

import re
from pathlib import Path

import pytest
from babel.messages.extract import extract_from_file
from babel.messages.pofile import read_po

from web import pages

WEB = Path(pages.__file__).parent
KEYWORDS = {"_": None, "N_": None, "say": None, "gettext": None, "ngettext": (1, 2)}


def _texts() -> set[str]:
    """Every text of the code and the templates that is shown to people."""
    found = set()
    files = [(file, "python", {}) for file in WEB.rglob("*.py")]
    options = {"newstyle_gettext": "true", "trimmed": "true"}
    files += [(file, "jinja2", options) for file in (WEB / "templates").rglob("*.html")]
    for file, method, more in files:
        for _, message, _, _ in extract_from_file(
            method, str(file), keywords=KEYWORDS, options=more
        ):
            found.add(message if isinstance(message, str) else message[0])
    return found


def test_every_text_is_translated_into_russian_with_the_same_places_to_fill() -> None:
    with (WEB / "locales/ru/LC_MESSAGES/messages.po").open("rb") as file:
        catalog = read_po(file, locale="ru")
    texts = _texts()
    assert len(texts) > 200
    for text in texts:
        message = catalog.get(text)
        assert message is not None, f"not in the catalog: {text}"
        forms = (
            message.string if isinstance(message.string, tuple) else (message.string,)
        )
        for form in forms:
            assert form, f"not translated: {text}"
            assert set(re.findall(r"%\(\w+\)s", form)) == set(
                re.findall(r"%\(\w+\)s", text)
            )


@pytest.mark.parametrize("locale", pages.LOCALES)
def test_every_template_is_sound(locale: str) -> None:
    environment = pages.environment(locale)
    for name in environment.list_templates(["html"]):
        environment.get_template(name)


def test_an_unknown_text_shows_itself() -> None:
    assert pages.translations("ru").gettext("no such text") == "no such text"
