"""The channel Google Analytics 4 would show for a source: its 18 default groups.

GA4 compares the source with lists of its own, by exact match: `google` is a search
engine there, `google.com` and `vk` are nothing. Kept apart from our `channels`, which
disagree on purpose. Pure; not case-sensitive.
https://support.google.com/analytics/answer/9756891
"""

import re

from tracker import channels


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


_SEARCH = _words(
    """
    google google-play news.google.com lens.google.com search.google.com play.google.com
    bing cn.bing.com msn msn.com ntp.msn.com yahoo yahoo.com yahoo.co.jp
    yandex yandex.ru yandex.com yandex.by yandex.kz yandex.ua yandex.uz yandex.fr
    yandex.com.tr zen.yandex.ru mail.yandex.ru webmaster.yandex.ru go.mail.ru
    rambler rambler.ru mail.rambler.ru ukr search.ukr.net tut.by duckduckgo ecosia.org
    qwant qwant.com lite.qwant.com baidu m.baidu.com naver naver.com
    seznam seznam.cz email.seznam.cz sogou sogou.com so.com 360.cn daum daum.net
    aol search.aol.com ask avg babylon conduit dogpile lycos onet onet.pl startsiden
    virgilio
    """
)
_YAHOO_COUNTRY = re.compile(r"[a-z]{2}\.search\.yahoo\.com")
_SOCIAL = _words(
    """
    facebook facebook.com m.facebook.com l.facebook.com lm.facebook.com web.facebook.com
    business.facebook.com fb fb.me instagram instagram.com l.instagram.com ig
    vk.com m.vk.com away.vk.com vkontakte.ru odnoklassniki.ru odnoklassniki.ua t.me
    whatsapp whatsapp.com skype wechat wechat.com line line.me messenger messenger.com
    twitter twitter.com t.co linkedin linkedin.com lnkd.in tiktok tiktok.com
    pinterest pinterest.com pinterest.ru reddit reddit.com old.reddit.com
    snapchat snapchat.com tumblr tumblr.com livejournal livejournal.com medium.com
    quora quora.com flipboard flipboard.com blogger blogspot wordpress wordpress.com
    stackoverflow.com yelp yelp.com tripadvisor tripadvisor.com bit.ly goo.gl
    sites.google.com groups.google.com social
    """
)
_VIDEO = _words(
    """
    youtube youtube.com m.youtube.com music.youtube.com vimeo vimeo.com player.vimeo.com
    dailymotion dailymotion.com twitch twitch.tv m.twitch.tv netflix netflix.com
    hulu hulu.com youku iqiyi ted ted.com wistia veoh crackle disneyplus
    """
)
_SHOPPING = _words(
    """
    amazon amazon.com amazon.co.uk s3.amazonaws.com ebay ebay.com ebay.de ebay.co.uk
    etsy etsy.com alibaba alibaba.com walmart walmart.com shopify shopify.com shop.app
    stripe stripe.com checkout.stripe.com shopzilla mercadolibre igshopping
    shopping.naver.com shopping.yahoo.com
    """
) | {"google shopping"}
_SHOP = re.compile(r"(?:[^a-df-z]|^)shop|shopping")  # "eshop", not "workshop"


def ga4_channel(source: str, medium: str, campaign: str) -> str:
    """The GA4 default channel group, or `Unassigned`."""
    source, medium, campaign = source.lower(), medium.lower(), campaign.lower()
    if channels.is_direct(source, medium):
        return "Direct"
    if "cross-network" in campaign:
        return "Cross-network"
    shopping = source in _SHOPPING or _SHOP.search(campaign) is not None
    place = _place(source)
    if channels.is_paid(medium):
        return _paid(place, shopping, medium)
    if medium in channels.DISPLAY_MEDIUMS:
        return "Display"
    if shopping:
        return "Organic Shopping"
    return _organic(place, medium) or _other(source, medium)


def _place(source: str) -> str:
    if source in _SEARCH or _YAHOO_COUNTRY.fullmatch(source):
        return "Search"
    if source in _SOCIAL:
        return "Social"
    return "Video" if source in _VIDEO else ""


def _paid(place: str, shopping: bool, medium: str) -> str:
    if shopping:
        return "Paid Shopping"
    if place:
        return f"Paid {place}"
    return "Display" if medium == "cpm" else "Paid Other"


def _organic(place: str, medium: str) -> str:
    if place == "Social" or medium in channels.SOCIAL_MEDIUMS:
        return "Organic Social"
    if place == "Video" or "video" in medium:
        return "Organic Video"
    if place == "Search" or medium == "organic":
        return "Organic Search"
    return ""


def _other(source: str, medium: str) -> str:
    if medium in channels.REFERRAL_MEDIUMS:
        return "Referral"
    if channels.says_email(source) or channels.says_email(medium):
        return "Email"
    if medium == "affiliate":
        return "Affiliates"
    if medium == "audio":
        return "Audio"
    if "sms" in (source, medium):
        return "SMS"
    return (
        "Mobile Push Notifications"
        if channels.says_push(source, medium)
        else "Unassigned"
    )
