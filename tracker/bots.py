"""Who is not a visitor, and what a visitor holds in the hand.

Bots, link previews, prerendering and monitoring (our own included) are no visits and
are never lent a number. The list of crawlers comes from the crawler-user-agents package;
a few words of our own catch what it has not heard of yet. Pure but for
reading that list once.
"""

import re
from functools import lru_cache
from importlib import resources

import msgspec

MAX_USER_AGENT = 512  # characters that are looked at; browsers send about 120

# Patterns of the package that also stand in the browsers of living people: the built-in
# browsers of messengers and apps, which run our snippet as any browser does.
_PEOPLE = frozenset(
    {
        "Daum\\/",
        "Instapaper\\/",
        "Notion\\/",
        "Sogou",
        "Tumblr\\/",
        "Valve\\/Steam",
        "Viber",
        "WhatsApp",
        "^Silk\\/",
        "mail\\.ru",
    }
)


class _Crawler(msgspec.Struct):
    pattern: str


_LIST = resources.files("crawleruseragents") / "crawler-user-agents.json"
_PATTERNS = [
    crawler.pattern
    for crawler in msgspec.json.decode(_LIST.read_bytes(), type=list[_Crawler])
    if crawler.pattern not in _PEOPLE
]
_CHUNK = 25  # one alternation of them all is several times slower
_KNOWN = [
    re.compile("|".join(_PATTERNS[start : start + _CHUNK]))
    for start in range(0, len(_PATTERNS), _CHUNK)
]
_WORDS = re.compile(
    r"(?<!cu)bot(?![a-z])"  # Cubot is a make of phones
    r"|crawl|spider|scraper|headless|phantomjs|lighthouse|pagespeed|preview|prerender"
    r"|selenium|webdriver|puppeteer|playwright|monitoring|uptime|pingdom"
    r"|\bcurl/|\bwget/|python|\bjava/|\bperl\b|\bruby\b|go-http-client|node-fetch"
    r"|whatsapp/\d|top\.mail\.ru|\+https?://|skvoz",
    re.IGNORECASE,
)
_BROWSER = re.compile(r"Mozilla/|Opera/|Dalvik/", re.IGNORECASE)
_PREFETCH = re.compile(r"prefetch|prerender|preview", re.IGNORECASE)
_MOBILE = re.compile(
    r"Mobi|Android|iPhone|iPad|iPod|Tablet|Silk/|Kindle|PlayBook|BlackBerry|BB10"
    r"|Opera M(?:ini|obi)|IEMobile|Windows Phone|Symbian|Series60|webOS|KaiOS"
    r"|OpenHarmony|HarmonyOS",
    re.IGNORECASE,
)


def is_bot(user_agent: str, purpose: str = "") -> bool:
    """Is it no visitor? `purpose` is the `Sec-Purpose`, `Purpose` or `X-Moz` header.

    A missing user agent and one that does not look like a browser's are bots too, and
    so is HeadlessChrome: browser tests must send a usual user agent.
    """
    if purpose and _PREFETCH.search(purpose[:MAX_USER_AGENT]):
        return True
    return _is_bot(user_agent[:MAX_USER_AGENT])


def device(user_agent: str) -> str:
    """`mobile` (tablets too) or `desktop`.

    A rule rather than a parser: an iPad that calls itself a Macintosh looks the same to
    both.
    """
    return _device(user_agent[:MAX_USER_AGENT])


# The caches keep the cut texts: what strangers send must not decide how much we hold.


@lru_cache(maxsize=4096)
def _device(user_agent: str) -> str:
    return "mobile" if _MOBILE.search(user_agent) else "desktop"


@lru_cache(maxsize=4096)
def _is_bot(user_agent: str) -> bool:
    if not _BROWSER.match(user_agent.strip()) or _WORDS.search(user_agent):
        return True
    return any(known.search(user_agent) for known in _KNOWN)
