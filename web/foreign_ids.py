"""Ids of analytics and advertising systems, read out of their first-party cookies; pure.

The page sends the cookies as they are, by their names, or the ids by ours; what has another
shape than its system gives it is dropped. `tracker/clicks.py` reads on in those of clicks.
"""

import re
from collections.abc import Mapping
from typing import Any

from tracker import tags

# Told by name; how they look is for those to judge who use them.
OURS = (
    "ym_client_id", "ga_client_id", "ga_session_id", "vk_id",
    "fbp", "fbc", "gcl_aw", "gcl_gb", "gcl_ag", "uetmsclkid",
)  # fmt: skip

# Cookie, our name, what of the cookie is the id.
COOKIES = (
    # Metrika's ClientID
    ("_ym_uid", "ym_client_id", re.compile(r"(\d{10,20})", re.ASCII)),
    # Google Analytics: the last two parts, https://developers.google.com/analytics/devguides/collection/protocol/ga4
    ("_ga", "ga_client_id", re.compile(r"GA\d[\d.-]*\.(\d+\.\d+)", re.ASCII)),
    ("_fbp", "fbp", re.compile(r"(fb\..+)", re.ASCII)),
    ("_fbc", "fbc", re.compile(r"(fb\..+)", re.ASCII)),
    ("_gcl_aw", "gcl_aw", re.compile(r"(GCL\..+)", re.ASCII)),
    ("_gcl_gb", "gcl_gb", re.compile(r"(GCL\..+)", re.ASCII)),
    ("_gcl_ag", "gcl_ag", re.compile(r"(\d\.\d\..+)", re.ASCII)),
    ("_uetmsclkid", "uetmsclkid", re.compile(r"(_uet.+)", re.ASCII)),
    # The browser's id of VK Ads and Top.Mail.Ru
    ("tmr_lvid", "vk_id", re.compile(r"([0-9a-f]{32})", re.ASCII)),
)
# `GS1.1.<session>.…`, or since 2025 `GS2.1.<letter and value>$…` in any order.
STREAM = "_ga_"
SESSION = re.compile(r"GS(?:1\.\d+\.|2\.\d+\.(?:.*\$)?s)(\d+).*", re.ASCII)


def read(told: Mapping[str, Any] | None, stream: str = "") -> dict[str, str]:
    """The ids by our names; `stream` is the GA4 measurement id, where a page has several."""
    if not told:
        return {}
    texts = {name: str(value) for name, value in told.items() if value}
    found = {}
    for cookie, name, shape in COOKIES:
        match = shape.fullmatch(texts.get(cookie, ""))
        if match:
            found[name] = match[1]
    match = SESSION.fullmatch(texts.get(_session_cookie(texts, stream), ""))
    if match:
        found["ga_session_id"] = match[1]
    found |= {name: texts[name] for name in OURS if name in texts}
    return {  # a longer one is no id: cut, it would be somebody else's
        name: tags.clean(text, tags.MAX_ID)
        for name, text in found.items()
        if len(text) <= tags.MAX_ID
    }


def _session_cookie(texts: Mapping[str, str], stream: str) -> str:
    """The cookie of the site's stream, else of the first on the page."""
    if stream:
        return STREAM + stream.removeprefix("G-")
    return next((name for name in texts if name.startswith(STREAM)), "")
