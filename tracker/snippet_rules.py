"""How a site's script behaves, as its owner set it up; part of the site's rules.

`provision_snippet` reads it from the file, `web.snippets` tells the browser. What is left
out is off, so that a site without settings has the smallest script.
"""

from typing import Any

import msgspec

TABLES = ("snippet", "widget")  # the rules that are tables of their own in the file
MESSENGERS = ("telegram", "whatsapp", "viber", "vk", "max")
CONSENTS = ("auto", "wait", "tcf", "google")  # who has to agree; auto: nobody
SIDES = ("right", "left")


class Snippet(msgspec.Struct, frozen=True, kw_only=True):
    """`[snippet]`: the script itself."""

    address: str = ""  # where the site reaches us; empty: the server's own address
    consent: str = CONSENTS[0]  # before which nothing is stored
    privacy_signals: bool = False  # Do-not-track and Global Privacy Control are a no
    within: str = ""  # CSS selectors: swapped only inside …
    skip: str = ""  # … and never inside
    chats: bool = False  # numbers inside links to chats are replaced too
    pictures: bool = False  # images and pseudo-elements
    forms: bool = False  # forms become contacts by themselves
    messengers: bool = False  # links to messengers carry the session
    session_cookie: bool = False  # for pages that are rendered by a server
    ga4: str = ""  # measurement id, where several tags stand on a page
    fields: dict[str, str] = {}  # of forms: name on the page → name in the contact


class Messenger(msgspec.Struct, frozen=True, kw_only=True):
    """A button of the widget."""

    kind: str
    address: str


class Widget(msgspec.Struct, frozen=True, kw_only=True):
    """`[widget]`: what stands in the corner of the page."""

    callback: bool = False  # the form that asks for a call
    side: str = SIDES[0]
    colour: str = ""  # #rrggbb; empty: from the page
    hours: str = ""  # as `opening_hours` reads them; empty: always
    greeting: dict[str, str] = {}  # by language
    policy: str = (
        ""  # where personal data are spoken of; empty: no consent is asked for
    )
    messenger: list[Messenger] = []

    @property
    def shown(self) -> bool:
        """Whether there is anything in it."""
        return self.callback or bool(self.messenger)


def told(rules: Snippet | Widget) -> dict[str, Any]:
    """What differs from the usual, as the owner writes it."""
    usual = msgspec.to_builtins(type(rules)())
    given = msgspec.to_builtins(rules)
    return {name: value for name, value in given.items() if value != usual[name]}
