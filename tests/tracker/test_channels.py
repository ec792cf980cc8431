"""Our channel codes, GA4's default channel groups and Metrika's words."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tracker import channels, source_tables
from tracker.ga4_channels import ga4_channel

# --- ours ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("source", "medium", "expected"),
    [
        ("(direct)", "(none)", "direct"),
        ("(internal)", "internal", "internal"),
        # before PAID, although `cpa` contains `cp`
        ("google", "cpa", "affiliate"),
        ("shop", "Affiliates", "affiliate"),
        # mediums that say it themselves
        ("vk", "messenger", "messenger"),
        ("anything", "ai", "ai_assistant"),
        ("anything", "recommend", "recommend"),
        ("google", "maps", "maps"),
        ("vk", "email", "email"),
        ("unisender", "newsletter", "email"),
        ("shop", "e-mail_promo", "email"),
        ("shop", "mail", "email"),
        # paid
        ("yandex", "cpc", "paid_search"),
        ("mail.ru", "ppc", "paid_search"),
        ("duckduckgo", "paid", "paid_search"),
        ("google", "cpm", "paid_search"),
        ("ok", "cpm", "paid_social"),
        ("telegram", "cpm", "paid_social"),
        ("x.agency", "target", "paid_social"),
        ("x.agency", "paid_social", "paid_social"),
        ("x.agency", "paidsocial", "paid_social"),
        ("rutube", "cpv_cpm", "paid_video"),
        ("adriver", "cpm", "display"),
        ("google", "display", "display"),
        ("telegram", "banner", "display"),
        ("dzen", "cpc", "paid_other"),
        ("avito", "retargeting", "paid_other"),
        ("blog.example.org", "ad", "paid_other"),
        # free
        ("yandex", "organic", "organic_search"),
        ("anything", "organic", "organic_search"),
        ("google", "(not set)", "organic_search"),
        ("bing", "referral", "organic_search"),
        ("blog", "social", "organic_social"),
        ("blog", "social media", "organic_social"),
        ("ok", "(not set)", "organic_social"),
        ("vk", "post", "organic_social"),
        ("youtube", "referral", "organic_video"),
        ("blog", "video", "organic_video"),
        ("telegram", "(not set)", "messenger"),
        ("telegram", "social", "messenger"),
        ("max", "post", "messenger"),
        ("chatgpt.com", "referral", "ai_assistant"),
        ("dzen.ru", "referral", "recommend"),
        ("2gis", "referral", "maps"),
        ("email", "(not set)", "email"),
        # other
        ("vk", "qr", "qr"),
        ("box", "QRcode", "qr"),
        ("sms", "(not set)", "sms"),
        ("shop", "sms", "sms"),
        ("spotify", "audio", "audio"),
        ("site", "web_push", "push"),
        ("site", "mobile", "push"),
        ("firebase", "x", "push"),
        ("shop", "referral", "referral"),
        ("shop", "app", "referral"),
        ("shop", "link", "referral"),
        ("ring-road", "billboard", "offline"),
        ("shop", "tv", "offline"),
        ("(not set)", "(not set)", "unassigned"),
        ("shop", "y", "unassigned"),
    ],
)
def test_a_source_and_medium_belong_to_one_channel(source, medium, expected):
    assert channels.channel(source, medium) == expected
    assert channels.channel(source.upper(), medium.upper()) == expected


@pytest.mark.parametrize(
    ("written", "slug"),
    [
        *((name, "vk") for name in ("vk", "VK.com", "vkontakte", "vk_ads", "vkads")),
        ("mytarget", "vk"),
        ("ok.ru", "ok"),
        ("odnoklassniki", "ok"),
        ("fb", "facebook"),
        ("facebook.com", "facebook"),
        ("meta", "facebook"),
        ("ig", "instagram"),
        ("tg", "telegram"),
        ("t.me", "telegram"),
        ("telegram.org", "telegram"),
        *(
            (name, "yandex")
            for name in ("ya", "yandex.ru", "yandex_direct", "yandex-direct", "direct")
        ),
        *((name, "google") for name in ("google_ads", "adwords", "gads", "google.com")),
        ("yt", "youtube"),
        ("youtube.com", "youtube"),
        ("x", "twitter"),
        ("x.com", "twitter"),
        ("zen", "dzen"),
        ("dzen.ru", "dzen"),
        ("chat.openai.com", "chatgpt"),
        ("e.mail.ru", "e.mail.ru"),  # a mailbox is not the search engine mail.ru
        ("nobody", "nobody"),
    ],
)
def test_names_of_one_place_fold_into_its_slug(written, slug):
    assert channels.fold(written) == slug


def test_every_slug_a_table_gives_is_of_a_known_kind():
    free = {"organic", "social", "messenger", "video", "recommend", "maps", "ai"}
    for origin in source_tables.HOSTS.values():
        if origin.medium in free:
            assert source_tables.KINDS[origin.source] == origin.medium


# --- GA4 -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("source", "medium", "campaign", "expected"),
    [
        ("(direct)", "(none)", "", "Direct"),
        ("(direct)", "(not set)", "", "Direct"),
        ("", "", "", "Direct"),
        ("(direct)", "(none)", "cross-network", "Direct"),
        ("google", "cpc", "My Cross-Network 1", "Cross-network"),
        ("amazon", "cpc", "", "Paid Shopping"),
        ("Google Shopping", "cpc", "", "Paid Shopping"),
        ("google", "cpc", "summer-shop", "Paid Shopping"),
        ("google", "ppc", "", "Paid Search"),
        ("Yandex", "CPC", "", "Paid Search"),
        ("de.search.yahoo.com", "cpc", "", "Paid Search"),
        ("vk.com", "cpc", "", "Paid Social"),
        ("instagram", "paid_social", "", "Paid Social"),
        ("youtube", "cpv,cpc", "", "Paid Video"),
        ("x", "display", "", "Display"),
        ("google", "banner", "", "Display"),
        ("x", "expandable", "", "Display"),
        ("x", "interstitial", "", "Display"),
        ("x", "retargeting", "", "Paid Other"),
        ("ozon", "cpc", "", "Paid Other"),
        ("etsy", "referral", "", "Organic Shopping"),
        ("x", "y", "shopping", "Organic Shopping"),
        ("t.me", "referral", "", "Organic Social"),
        ("x", "sm", "", "Organic Social"),
        ("vimeo.com", "referral", "", "Organic Video"),
        ("x", "my-videos", "", "Organic Video"),
        ("duckduckgo", "(not set)", "", "Organic Search"),
        ("x", "organic", "", "Organic Search"),
        ("x", "app", "", "Referral"),
        ("x", "link", "", "Referral"),
        ("e_mail", "y", "", "Email"),
        ("x", "e mail", "", "Email"),
        ("x", "affiliate", "", "Affiliates"),
        ("x", "audio", "", "Audio"),
        ("sms", "y", "", "SMS"),
        ("x", "SMS", "", "SMS"),
        ("x", "webpush", "", "Mobile Push Notifications"),
        ("x", "mobile-x", "", "Mobile Push Notifications"),
        ("x", "notification", "", "Mobile Push Notifications"),
        ("firebase", "y", "", "Mobile Push Notifications"),
        ("x", "y", "", "Unassigned"),
        ("chatgpt.com", "ai", "", "Unassigned"),
    ],
)
def test_ga4_s_first_matching_rule_decides(source, medium, campaign, expected):
    assert ga4_channel(source, medium, campaign) == expected


def test_cpm_is_paid_search_for_a_listed_engine_and_display_otherwise():
    assert ga4_channel("google", "cpm", "") == "Paid Search"
    assert ga4_channel("adriver", "cpm", "") == "Display"


@pytest.mark.parametrize(
    "source",
    ["vk", "ok", "ok.ru", "telegram", "dzen.ru", "ya.ru", "x.com", "rutube.ru"],
)
def test_ga4_does_not_know_some_of_our_places(source):
    assert ga4_channel(source, "cpc", "") == "Paid Other"
    assert ga4_channel(source, "referral", "") == "Referral"


@pytest.mark.parametrize(
    "source", ["vk.com", "m.vk.com", "away.vk.com", "vkontakte.ru", "odnoklassniki.ru"]
)
def test_ga4_knows_the_hosts_of_its_social_list(source):
    assert ga4_channel(source, "referral", "") == "Organic Social"


def test_yandex_mail_and_zen_are_search_engines_to_ga4():
    assert ga4_channel("mail.yandex.ru", "referral", "") == "Organic Search"
    assert ga4_channel("zen.yandex.ru", "referral", "") == "Organic Search"


def test_ga4_s_lists_are_exact():
    assert ga4_channel("google.com", "cpc", "") == "Paid Other"
    assert ga4_channel("old.vk.com", "referral", "") == "Referral"


@pytest.mark.parametrize(
    ("campaign", "shop"),
    [
        ("summer-shop", True),
        ("eshop", True),
        ("Shop", True),
        ("shopping", True),
        ("workshopping", True),
        ("workshop", False),
        ("barbershops", False),
    ],
)
def test_a_shop_stands_alone_or_behind_an_e(campaign, shop):
    assert (ga4_channel("x", "y", campaign) == "Organic Shopping") is shop


# --- Metrika -------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("source", "medium", "expected"),
    [
        ("google_ads", "cpc", ("ad", "google_adwords")),
        ("vk", "cpc", ("ad", "vk_ads")),
        ("mytarget", "cpc", ("ad", "target_mail_ru")),
        ("bing", "cpc", ("ad", "bingads")),
        ("yandex_market", "cpc", ("ad", "market")),
        ("avito", "cpc", ("ad", "avito_context")),
        ("adriver", "cpm", ("ad", "unknown")),
        ("admitad", "cpa", ("ad", "admitad")),
        ("mail.ru", "organic", ("organic", "mail_ru")),
        ("kagi", "organic", ("organic", "unknown")),
        ("claude", "ai", ("organic", "unknown")),
        ("ok.ru", "social", ("social", "odnoklassniki")),
        ("habr", "social", ("social", "unknown")),
        ("youtube", "video", ("social", "youtube")),
        ("whatsapp", "messenger", ("messenger", "whatsapp")),
        ("max", "messenger", ("messenger", "unknown")),
        ("pulse.mail.ru", "recommend", ("recommend", "pulse")),
        ("unisender", "email", ("email", "")),
        ("box", "qr", ("qrcode", "")),
        ("partner", "referral", ("referral", "partner")),
        ("shop", "y", ("undefined", "")),
    ],
)
def test_a_channel_is_told_in_metrika_s_words(source, medium, expected):
    assert channels.metrika(channels.channel(source, medium), source) == expected


def test_the_detail_of_a_referral_is_the_domain_it_came_from():
    assert channels.metrika("maps", "2gis", "m.2gis.ru") == ("referral", "m.2gis.ru")


@given(source=st.text(max_size=50), medium=st.text(max_size=50), campaign=st.text())
def test_any_words_have_a_channel_everywhere(source, medium, campaign):
    code = channels.channel(source, medium)

    assert code
    assert ga4_channel(source, medium, campaign)
    assert channels.metrika(code, source)[0]
