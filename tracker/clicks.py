"""Click ids of advertising systems: which still mean something, and where from; pure.

A contact carries the ids of the visitor's session whose source it has, which may be an earlier
one, and those of its own. A click that our script did not see may stand in a cookie that the
system's own script left; it counts if it is later than the source we know of. After its
lifetime an id is not told: no system links it to a click any more.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

# How long after a click its system takes conversions. Yandex Metrika: 21 days after the visit,
# https://yandex.ru/dev/metrika/en/management/conversion
# Google Ads: 90 days, https://support.google.com/google-ads/answer/7012522
# Microsoft Ads: 90 days, https://learn.microsoft.com/en-us/advertising/guides/universal-event-tracking
# Meta: 90 days, https://developers.facebook.com/docs/marketing-api/conversions-api/parameters/fbp-and-fbc
LIFETIMES = {"yclid": timedelta(days=21), "ymclid": timedelta(days=21)}
LIFETIME = timedelta(days=90)  # of all others, as of those that tell

# What cookies of the systems' own scripts hold, by the names that `web.collect` keeps them by.
_GOOGLE = re.compile(r"GCL\.(?P<at>\d{1,11})\.(?P<id>[\w.-]+)", re.ASCII)
_GOOGLE_APP = re.compile(r"2\.1\.k(?P<id>[\w.-]+)\$i(?P<at>\d{1,11})(\$.*)?", re.ASCII)
_MICROSOFT = re.compile(r"_uet(?P<id>[0-9a-f]{32})(?P<at>)", re.ASCII)
_COOKIES = {
    "gcl_aw": ("gclid", _GOOGLE),
    "gcl_gb": ("wbraid", _GOOGLE),
    "gcl_ag": ("gbraid", _GOOGLE_APP),
    "uetmsclkid": ("msclkid", _MICROSOFT),
}
_RAW = frozenset({*_COOKIES, "fbc"})  # told only as what is read out of them
_META = re.compile(r"fb\.\d\.(?P<at>\d{13})\.(?P<id>[\w-]+)(\.\w+)?", re.ASCII)


@dataclass(frozen=True, slots=True, kw_only=True)
class Landing:
    """A session as it began: what its address and its cookies told."""

    at: datetime
    click_ids: Mapping[str, str] = field(default_factory=dict)
    ids: Mapping[str, str] = field(default_factory=dict)  # of analytics systems


def told(own: Landing, source: Landing | None, *, now: datetime) -> dict[str, str]:
    """The ids to tell of a session, click ids and analytics ids in one.

    `source` is the visitor's session whose source this one has, often itself; None when nothing
    is known to have brought him.
    """
    known = {name: id_ for name, id_ in own.ids.items() if name not in _RAW}
    known |= _in_cookies(own, source, now)
    for landing in (source, own):
        if landing is not None:
            known |= _alive(landing, now)
    if fbc := _meta(own, source, now):
        known["fbc"] = fbc
    return known


def _alive(landing: Landing, now: datetime) -> dict[str, str]:
    age = now - landing.at
    return {
        name: id_
        for name, id_ in landing.click_ids.items()
        if age < LIFETIMES.get(name, LIFETIME)
    }


def _in_cookies(
    own: Landing, source: Landing | None, now: datetime
) -> Iterator[tuple[str, str]]:
    """Clicks that brought the visitor to a page without our script."""
    for cookie, (name, shape) in _COOKIES.items():
        match = shape.fullmatch(own.ids.get(cookie, ""))
        if match is None:
            continue
        at = datetime.fromtimestamp(int(match["at"]), UTC) if match["at"] else None
        later = source is None or (at is not None and at > source.at)
        if later and (at is None or now - at < LIFETIME):
            yield name, match["id"]


def _meta(own: Landing, source: Landing | None, now: datetime) -> str:
    """Meta's own record of the latest click; made of the address where its script made none."""
    clicks: list[tuple[datetime, str]] = []
    stored = _META.fullmatch(own.ids.get("fbc", ""))
    if stored:
        at = datetime.fromtimestamp(int(stored["at"]) / 1000, UTC)
        clicks.append((at, stored[0]))
    for landing in (source, own):
        fbclid = landing.click_ids.get("fbclid") if landing else None
        if landing and fbclid and not (stored and stored["id"] == fbclid):
            millis = int(landing.at.timestamp() * 1000)
            clicks.append((landing.at, f"fb.1.{millis}.{fbclid}"))
    alive = [click for click in clicks if now - click[0] < LIFETIME]
    return max(alive)[1] if alive else ""
