"""Why a visit was answered as it was: told to an owner who looks at his own page.

`visits` fills it in only when the page asks (`"debug": true`, the panel of the snippet), and
only with facts of the visit's own session. Codes rather than sentences: the panel has the
words in the reader's language.
"""

import msgspec

from tracker.sources import Landing, Source


class Lent(msgspec.Struct, frozen=True, kw_only=True):
    """Why this number stands in place of that one."""

    replaces: str
    kind: str  # dynamic, static, overflow, own
    pool: str | None  # its name; None: no pool replaces the number for this visitor
    why: str  # lent, held, shared, none_idle, no_pool, not_targeted, away


class Explanation(msgspec.Struct, frozen=True, kw_only=True):
    """Where the session's source comes from, and each number's reason."""

    why: str  # of the source: landing, session, visitor, nothing; or no_consent, not_kept
    source: Source | None
    rule: str  # by which this landing was read, see `sources.Landing`
    landing: Source  # what this landing alone tells
    click_ids: dict[str, str]
    labels: dict[str, str]
    flags: tuple[str, ...]
    device: str
    region: str
    test: bool
    numbers: list[Lent]


def explain(
    landing: Landing,
    *,
    why: str,
    source: Source | None = None,
    device: str = "",
    region: str = "",
    test: bool = False,
    numbers: list[Lent] | None = None,
) -> Explanation:
    """The explanation of a visit with this landing."""
    return Explanation(
        why=why,
        source=source,
        rule=landing.rule,
        landing=landing.source,
        click_ids=landing.click_ids,
        labels=landing.labels,
        flags=landing.flags,
        device=device,
        region=region,
        test=test,
        numbers=numbers or [],
    )
