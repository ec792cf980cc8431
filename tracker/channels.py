"""The channel of a source: ours, and from it the words Yandex Metrika has for it.

Computed on slugs, so `vk.com`, `VK` and `vkontakte` are one place; knows messengers,
assistants, recommendations and maps, which GA4's groups (`ga4_channels`) do not. Pure;
never case-sensitive.

One addition to the reference: `offline`, for billboards, print, radio and television
that static numbers and imported costs belong to.
"""

from functools import lru_cache

from tracker import source_tables

NOT_SET = "(not set)"
DIRECT_SOURCE, DIRECT_MEDIUM = "(direct)", "(none)"
INTERNAL_SOURCE, INTERNAL_MEDIUM = "(internal)", "internal"

# A visit of one of these says nothing about what brought the visitor.
INSIGNIFICANT = frozenset({"direct", "internal", "unassigned"})

_UNTOLD = frozenset({"", NOT_SET})
SOCIAL_MEDIUMS = frozenset(
    {
        "social",
        "social-network",
        "social-media",
        "sm",
        "social network",
        "social media",
    }
)
DISPLAY_MEDIUMS = frozenset({"display", "banner", "expandable", "interstitial"})
REFERRAL_MEDIUMS = frozenset({"referral", "app", "link"})
_EMAIL_WORDS = ("email", "e-mail", "e_mail", "e mail")

# --- ours ----------------------------------------------------------------------------

_KIND_CHANNELS = {
    "messenger": "messenger",
    "ai": "ai_assistant",
    "recommend": "recommend",
    "maps": "maps",
}
_OWN_WORDS = _KIND_CHANNELS | {"newsletter": "email", "mail": "email"}
_PLAIN_WORDS = {
    "sms": "sms",
    "audio": "audio",
    "qr": "qr",
    "qrcode": "qr",
    "offline": "offline",
    "billboard": "offline",
    "outdoor": "offline",
    "print": "offline",
    "radio": "offline",
    "tv": "offline",
}


def fold(source: str) -> str:
    """The slug behind a `utm_source`: `VK.com` and `vk_ads` are `vk`."""
    source = source.lower()
    return source_tables.ALIASES.get(source, source)


def is_paid(medium: str) -> bool:
    """GA4's `^(.*cp.*|ppc|retargeting|paid.*)$`."""
    medium = medium.lower()
    return (
        "cp" in medium or medium in ("ppc", "retargeting") or medium.startswith("paid")
    )


@lru_cache(maxsize=4096)
def channel(source: str, medium: str) -> str:
    """Our channel code of a source and medium."""
    source, medium = source.lower(), medium.lower()
    if is_direct(source, medium):
        return "direct"
    if (source, medium) == (INTERNAL_SOURCE, INTERNAL_MEDIUM):
        return "internal"
    if medium in ("affiliate", "affiliates", "cpa"):  # before PAID: `cpa` is like `cp`
        return "affiliate"
    if medium in _OWN_WORDS:
        return _OWN_WORDS[medium]
    if says_email(medium):
        return "email"
    kind = source_tables.KINDS.get(fold(source), "")
    return (
        _paid_channel(kind, medium)
        or _told_channel(source, medium)
        or _free_channel(kind, medium)
        or ("referral" if medium in REFERRAL_MEDIUMS else "unassigned")
    )


def _paid_channel(kind: str, medium: str) -> str:
    paid = is_paid(medium)
    if paid and kind == "organic":
        return "paid_search"
    if paid and kind in ("social", "messenger"):
        return "paid_social"
    if medium in ("paid_social", "paidsocial", "target"):
        return "paid_social"
    if paid and kind == "video":
        return "paid_video"
    if medium in DISPLAY_MEDIUMS or medium == "cpm":
        return "display"
    return "paid_other" if paid or medium == "ad" else ""


def _told_channel(source: str, medium: str) -> str:
    """Words that say more than the slug beside them: `vk` / `qr` is a QR code."""
    if medium in _PLAIN_WORDS:
        return _PLAIN_WORDS[medium]
    if source == "sms":
        return "sms"
    if says_push(source, medium):
        return "push"
    return "email" if says_email(source) else ""


def _free_channel(kind: str, medium: str) -> str:
    if kind in _KIND_CHANNELS:
        return _KIND_CHANNELS[kind]
    if medium == "organic":
        return "organic_search"
    if kind == "organic" and (medium in _UNTOLD or medium == "referral"):
        return "organic_search"
    if medium in SOCIAL_MEDIUMS or kind == "social":
        return "organic_social"
    return "organic_video" if kind == "video" or medium == "video" else ""


def is_direct(source: str, medium: str) -> bool:
    if source == DIRECT_SOURCE:
        return medium in (DIRECT_MEDIUM, NOT_SET)
    return not source and not medium


def says_email(text: str) -> bool:
    return any(word in text for word in _EMAIL_WORDS)


def says_push(source: str, medium: str) -> bool:
    return (
        medium.endswith("push")
        or "mobile" in medium
        or "notification" in medium
        or source == "firebase"
    )


# --- Yandex Metrika ------------------------------------------------------------------

_METRIKA = {
    "affiliate": "ad",
    "display": "ad",
    "organic_search": "organic",
    "ai_assistant": "organic",  # Metrika has no code of its own for assistants
    "organic_social": "social",
    "organic_video": "referral",
    "messenger": "messenger",
    "recommend": "recommend",
    "email": "email",
    "referral": "referral",
    "maps": "referral",
    "qr": "qrcode",
    "direct": "direct",
    "internal": "internal",
}
_METRIKA_DETAILS: dict[str, dict[str, str]] = {
    "ad": {
        "yandex": "yandex_direct_star",
        "google": "google_adwords",
        "vk": "vk_ads",
        "facebook": "facebook",
        "instagram": "instagram",
        "tiktok": "tiktok",
        "bing": "bingads",
        "yandex_market": "market",
        "admitad": "admitad",
        "criteo": "criteo",
        "taboola": "taboola",
        "ozon": "ozon",
        "avito": "avito_context",
    },
    "organic": {
        "yandex": "yandex",
        "google": "google",
        "bing": "bing",
        "mail.ru": "mail_ru",
        "rambler": "rambler",
        "duckduckgo": "duckduckgo",
        "yahoo": "yahoo",
        "ecosia": "ecosia",
        "baidu": "baidu",
        "qwant": "qwant",
    },
    "social": {
        "vk": "vk",
        "ok": "odnoklassniki",
        "facebook": "facebook",
        "instagram": "instagram",
        "twitter": "twitter",
        "linkedin": "linkedin",
        "pinterest": "pinterest",
        "youtube": "youtube",
    },
    "messenger": {
        "telegram": "telegram",
        "whatsapp": "whatsapp",
        "viber": "viber",
        "vk_messenger": "vk",
        "wechat": "wechat",
    },
    "recommend": {
        "dzen": "zen_yandex",
        "google_discover": "google_discover",
        "flipboard": "flipboard",
        "pulse.mail.ru": "pulse",
        "mirtesen.ru": "mirtesen",
    },
}
_METRIKA_AD_NAMES = {"mytarget": "target_mail_ru", "vkontakte": "vkontakte"}


def metrika(channel: str, source: str, host: str = "") -> tuple[str, str]:
    """Metrika's `TrafficSource` and `TrafficSourceDetail`, as near as they come.

    The detail of a referral is its domain; kinds without details have an empty one.
    """
    slug = fold(source)
    code = "ad" if channel.startswith("paid_") else _METRIKA.get(channel, "undefined")
    if channel == "organic_video" and slug == "youtube":
        code = "social"
    if code == "referral":
        return code, host or source
    details = _METRIKA_DETAILS.get(code)
    if details is None:
        return code, ""
    if code == "ad" and source.lower() in _METRIKA_AD_NAMES:
        return code, _METRIKA_AD_NAMES[source.lower()]
    return code, details.get(slug, "unknown")
