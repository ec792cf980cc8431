"""What the outside world calls itself: hosts, apps, click ids and tag aliases.

Tables only, kept by hand and looked up by `referrers`, `tags`, `channels` and `sources`.
A `*` at the end of a host stands for a country or general top-level domain, two-part
ones (`com.tr`, `co.uk`) included. Matching is by suffix on label borders, the longest
suffix first, so `mail.yandex.*` beats `yandex.*`.
"""

from typing import NamedTuple


class Origin(NamedTuple):
    """Where a visit came from, as far as a host or a click id alone can tell."""

    source: str
    medium: str
    phrases: tuple[str, ...] = ()  # referrer parameters that may hold the search phrase


class Portal(NamedTuple):
    """A host with many services: the first segment of the path tells which."""

    front: Origin
    sections: dict[str, Origin]
    elsewhere: Origin | None  # any other path; None is a plain referral


# --- search engines: slug → hosts and the parameters that hold the phrase ------------

SEARCH: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "bing": (("bing.com", "cc.bingj.com"), ("q",)),
    "mail.ru": (("go.mail.ru",), ("q",)),
    "rambler": (("nova.rambler.ru", "search.rambler.ru"), ("query", "words")),
    "duckduckgo": (("duckduckgo.com",), ("q",)),
    "yahoo": (("search.yahoo.*",), ("p", "q")),
    "baidu": (("baidu.com",), ("wd", "word", "kw")),
    "ecosia": (("ecosia.org",), ("q",)),
    "qwant": (("qwant.com",), ("q",)),
    "brave": (("search.brave.com",), ("q",)),
    "startpage": (("startpage.com",), ("q",)),
    "naver": (("search.naver.com",), ("query",)),
    "seznam": (("search.seznam.cz",), ("q",)),
    "sogou": (("sogou.com",), ("query",)),
    "kagi": (("kagi.com",), ("q",)),
}

YANDEX = Origin("yandex", "organic", ("text",))
GOOGLE = Origin("google", "organic", ("q",))
YANDEX_MAPS = Origin("yandex_maps", "maps")
GOOGLE_MAPS = Origin("google_maps", "maps")
ALICE = Origin("alice", "ai")
DISCOVER = Origin("google_discover", "recommend")

YANDEX_PORTAL = Portal(
    front=YANDEX,
    sections={
        "search": YANDEX,
        "clck": YANDEX,
        "images": YANDEX,
        "video": YANDEX,
        "touch": YANDEX,
        "yandsearch": YANDEX,
        "maps": YANDEX_MAPS,
        "alice": ALICE,
    },
    elsewhere=None,
)
GOOGLE_PORTAL = Portal(front=GOOGLE, sections={"maps": GOOGLE_MAPS}, elsewhere=GOOGLE)

# Whole hosts, no subdomains: `docs.google.com` or `music.yandex.ru` is not a search.
PORTALS: dict[str, Portal] = {
    "yandex.*": YANDEX_PORTAL,
    "m.yandex.*": YANDEX_PORTAL,
    "clck.yandex.*": YANDEX_PORTAL,
    "search.yandex.*": YANDEX_PORTAL,
    "ya.ru": YANDEX_PORTAL,
    "google.*": GOOGLE_PORTAL,
    "encrypted.google.*": GOOGLE_PORTAL,
    "images.google.*": GOOGLE_PORTAL,
    "news.google.*": GOOGLE_PORTAL,
    "lens.google.*": GOOGLE_PORTAL,
}

# --- everything else that is known by its host: slug → hosts -------------------------

SOCIAL: dict[str, tuple[str, ...]] = {
    "vk": ("vk.com", "vk.ru", "vkontakte.ru"),
    "ok": ("ok.ru", "odnoklassniki.ru"),
    "mailru_my": ("my.mail.ru",),
    "facebook": ("facebook.com", "fb.me", "fb.com"),
    "instagram": ("instagram.com",),
    "threads": ("threads.net", "threads.com"),
    "twitter": ("twitter.com", "t.co", "x.com"),
    "linkedin": ("linkedin.com", "lnkd.in"),
    "tiktok": ("tiktok.com",),
    "pinterest": ("pinterest.*", "pin.it"),
    "reddit": ("reddit.com", "redd.it"),
    "snapchat": ("snapchat.com",),
    "livejournal": ("livejournal.com",),
    "pikabu": ("pikabu.ru",),
    "habr": ("habr.com",),
}
MESSENGERS: dict[str, tuple[str, ...]] = {
    "telegram": ("t.me", "telegram.me", "web.telegram.org"),
    "whatsapp": ("wa.me", "whatsapp.com"),
    "viber": ("viber.com",),
    "vk_messenger": ("vk.me",),
    "max": ("max.ru",),
    "discord": ("discord.com", "discordapp.com", "discord.gg"),
    "wechat": ("wechat.com", "weixin.qq.com"),
}
MAIL: dict[str, tuple[str, ...]] = {
    "yandex": ("mail.yandex.*",),
    "mail.ru": ("e.mail.ru", "touch.mail.ru"),
    "rambler.ru": ("mail.rambler.ru",),
    "gmail": ("mail.google.com",),
    "outlook.live.com": ("outlook.live.com",),
    "outlook.office.com": ("outlook.office.com",),
    "yahoo.com": ("mail.yahoo.com",),
    "proton.me": ("mail.proton.me",),
    "email.seznam.cz": ("email.seznam.cz",),
}
VIDEO: dict[str, tuple[str, ...]] = {
    "youtube": ("youtube.com", "youtu.be"),
    "rutube": ("rutube.ru",),
    "vkvideo": ("vkvideo.ru",),
    "vimeo": ("vimeo.com",),
    "twitch": ("twitch.tv",),
}
RECOMMEND: dict[str, tuple[str, ...]] = {
    "dzen": ("dzen.ru", "zen.yandex.*"),
    "flipboard": ("flipboard.com",),
    "pulse.mail.ru": ("pulse.mail.ru",),
    "mirtesen.ru": ("mirtesen.ru",),
    "smi2.ru": ("smi2.ru",),
}
MAPS: dict[str, tuple[str, ...]] = {
    "yandex_maps": ("maps.yandex.*",),
    "google_maps": ("maps.google.*",),
    "2gis": ("2gis.*",),
}
ASSISTANTS: dict[str, tuple[str, ...]] = {
    "chatgpt": ("chatgpt.com", "chat.openai.com"),
    "perplexity": ("perplexity.ai",),
    "gemini": ("gemini.google.com",),
    "copilot": ("copilot.microsoft.com",),
    "claude": ("claude.ai",),
    "deepseek": ("chat.deepseek.com",),
    "grok": ("grok.com",),
    "alice": ("alice.yandex.ru",),
    "gigachat": ("giga.chat",),
    "mistral": ("chat.mistral.ai",),
    "meta_ai": ("meta.ai",),
    "qwen": ("chat.qwen.ai",),
}

# Advertising redirectors: the click passed through an ad system on its way to us.
AD_HOSTS: dict[str, Origin] = {
    **dict.fromkeys(
        (
            "yabs.yandex.ru",
            "yabs.yandex.by",
            "yabs.yandex.kz",
            "yabs.yandex.com",
            "an.yandex.ru",
            "direct.yandex.ru",
        ),
        Origin("yandex", "cpc"),
    ),
    **dict.fromkeys(
        (
            "googleads.g.doubleclick.net",
            "ad.doubleclick.net",
            "googleadservices.com",
            "googlesyndication.com",
        ),
        Origin("google", "cpc"),
    ),
    **dict.fromkeys(
        ("r.mail.ru", "ad.mail.ru", "target.my.com", "ads.vk.com", "ads.vk.ru"),
        Origin("vk", "cpc"),
    ),
    # Yandex Market is paid only with `ymclid`.
    "market.yandex.ru": Origin("yandex_market", "referral"),
    "market-click2.yandex.ru": Origin("yandex_market", "referral"),
    "ad.admitad.com": Origin("admitad", "affiliate"),
    "ad.adriver.ru": Origin("adriver", "cpm"),
    "ads.adfox.ru": Origin("adfox", "cpm"),
}


def _hosts(medium: str, table: dict[str, tuple[str, ...]]) -> dict[str, Origin]:
    return {
        host: Origin(slug, medium) for slug, hosts in table.items() for host in hosts
    }


HOSTS: dict[str, Origin] = (
    {
        host: Origin(slug, "organic", phrases)
        for slug, (hosts, phrases) in SEARCH.items()
        for host in hosts
    }
    | _hosts("social", SOCIAL)
    | _hosts("messenger", MESSENGERS)
    | _hosts("email", MAIL)
    | _hosts("video", VIDEO)
    | _hosts("recommend", RECOMMEND)
    | _hosts("maps", MAPS)
    | _hosts("ai", ASSISTANTS)
    | AD_HOSTS
)

QUICK_SEARCH = "com.google.android.googlequicksearchbox"  # search and Discover in one

# Android packages, as in `android-app://<package>/`.
PACKAGES: dict[str, Origin] = {
    QUICK_SEARCH: GOOGLE,
    "com.google.android.gm": Origin("gmail", "email"),
    "com.vkontakte.android": Origin("vk", "social"),
    "ru.ok.android": Origin("ok", "social"),
    "com.facebook.katana": Origin("facebook", "social"),
    "com.instagram.android": Origin("instagram", "social"),
    "com.twitter.android": Origin("twitter", "social"),
    "com.linkedin.android": Origin("linkedin", "social"),
    "com.pinterest": Origin("pinterest", "social"),
    "com.reddit.frontpage": Origin("reddit", "social"),
    "org.telegram.messenger": Origin("telegram", "messenger"),
    "com.whatsapp": Origin("whatsapp", "messenger"),
    "com.viber.voip": Origin("viber", "messenger"),
}

# Never a source: payment and 3-D Secure pages, sign-in pages, tools of the trade.
# `direct.yandex.ru` is missing on purpose: it is a redirector above.
EXCLUDED = frozenset(
    {
        "yookassa.ru",
        "securepay.tinkoff.ru",
        "pay.tbank.ru",
        "securepayments.sberbank.ru",
        "robokassa.ru",
        "cloudpayments.ru",
        "checkout.stripe.com",
        "paypal.com",
        "id.vk.com",
        "passport.yandex.*",
        "accounts.google.com",
        "gosuslugi.ru",
        "metrika.yandex.*",
        "webmaster.yandex.*",
        "direct.yandex.com",
        "direct.yandex.by",
        "direct.yandex.kz",
    }
)

# --- click identifiers, in order of precedence; names in lower case ------------------

STRONG_IDS: dict[str, Origin] = {  # added by an ad system to paid clicks only
    "yclid": Origin("yandex", "cpc"),
    "ymclid": Origin("yandex_market", "cpc"),
    "gclid": Origin("google", "cpc"),
    "gbraid": Origin("google", "cpc"),
    "wbraid": Origin("google", "cpc"),
    "dclid": Origin("google", "display"),
    "msclkid": Origin("bing", "cpc"),
    "rb_clickid": Origin("vk", "cpc"),
    "ttclid": Origin("tiktok", "cpc"),
    "twclid": Origin("twitter", "cpc"),
    "li_fat_id": Origin("linkedin", "cpc"),
    "sccid": Origin("snapchat", "cpc"),
    "rdt_cid": Origin("reddit", "cpc"),
    "obclid": Origin("outbrain", "cpc"),
    "dicbo": Origin("outbrain", "cpc"),
    "tblci": Origin("taboola", "cpc"),
    "admitad_uid": Origin("admitad", "affiliate"),
    "gad_source": Origin("google", "cpc"),  # a companion, telling enough when alone
}
WEAK_IDS: dict[str, Origin] = {  # also on free links: they only name the platform
    "epik": Origin("pinterest", "social"),
    "fbclid": Origin("facebook", "social"),
    "igshid": Origin("instagram", "social"),
    "igsh": Origin("instagram", "social"),
    "ysclid": Origin("yandex", "organic"),
    "srsltid": Origin("google", "organic"),
    "yadclid": Origin("yandex", "referral"),
    "yadordid": Origin("yandex", "referral"),
}
SILENT_IDS = ("gclsrc", "gad_campaignid", "vkclid")  # stored, they decide nothing
CLICK_IDS = frozenset({*STRONG_IDS, *WEAK_IDS, *SILENT_IDS})

# --- names people and systems write into tags ----------------------------------------

# The first segment of a Roistat marker, its number dropped.
MARKERS: dict[str, Origin] = {
    "direct": Origin("yandex", "cpc"),
    "google": Origin("google", "cpc"),
    "adwords": Origin("google", "cpc"),
    "vk": Origin("vk", "cpc"),
    "vkads": Origin("vk", "cpc"),
    "mytarget": Origin("vk", "cpc"),
    "facebook": Origin("facebook", "cpc"),
    "fb": Origin("facebook", "cpc"),
}

# What kind of place a slug is, in the words of our mediums.
KINDS: dict[str, str] = (
    dict.fromkeys((*SEARCH, "yandex", "google"), "organic")
    | dict.fromkeys(SOCIAL, "social")
    | dict.fromkeys(MESSENGERS, "messenger")
    | dict.fromkeys(VIDEO, "video")
    | dict.fromkeys((*RECOMMEND, "google_discover"), "recommend")
    | dict.fromkeys(MAPS, "maps")
    | dict.fromkeys(ASSISTANTS, "ai")
)

# `utm_source` values that mean a slug; hosts of the tables above mean their own.
ALIASES: dict[str, str] = {
    host: origin.source
    for host, origin in HOSTS.items()
    if origin.medium == KINDS.get(origin.source)
} | {
    **dict.fromkeys(("vkontakte", "vk_ads", "vkads", "mytarget"), "vk"),
    "odnoklassniki": "ok",
    **dict.fromkeys(("fb", "meta"), "facebook"),
    "ig": "instagram",
    **dict.fromkeys(("tg", "telegram.org"), "telegram"),
    **dict.fromkeys(
        ("ya", "ya.ru", "yandex.ru", "yandex_direct", "yandex-direct", "direct"),
        "yandex",
    ),
    **dict.fromkeys(("google_ads", "adwords", "gads", "google.com"), "google"),
    "yt": "youtube",
    "x": "twitter",
    "zen": "dzen",
}
