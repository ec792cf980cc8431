"""Landing addresses and referrers, and the sources they become."""

import base64
from urllib.parse import quote, urlencode

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from tracker import source_tables, sources
from tracker.sources import DIRECT, INTERNAL, Landing

OWN = ("acme.example", "акме.рф")


def land(query="", referrer="", **options) -> Landing:
    url = f"https://acme.example/{query}"
    return sources.classify(url, referrer, own_domains=OWN, **options)


def pair(landing: Landing) -> str:
    return f"{landing.source.source} / {landing.source.medium}"


# --- the worked examples of the reference --------------------------------------------


@pytest.mark.parametrize(
    ("url", "referrer", "expected", "channel", "ga4"),
    [
        (
            "/?utm_source=yandex&utm_medium=cpc&utm_campaign=12345&yclid=59",
            "https://yandex.ru/",
            "yandex / cpc",
            "paid_search",
            "Paid Search",
        ),
        ("/?yclid=59", "", "yandex / cpc", "paid_search", "Paid Search"),
        (
            "/",
            "https://www.google.com/",
            "google / organic",
            "organic_search",
            "Organic Search",
        ),
        ("/?ysclid=m94", "", "yandex / organic", "organic_search", "Organic Search"),
        (
            "/?fbclid=IwAR2",
            "https://l.facebook.com/",
            "facebook / social",
            "organic_social",
            "Organic Social",
        ),
        (
            "/",
            "https://away.vk.com/",
            "vk / social",
            "organic_social",
            "Organic Social",
        ),
        ("/?utm_source=vk&utm_medium=cpc", "", "vk / cpc", "paid_social", "Paid Other"),
        ("/", "https://e.mail.ru/", "mail.ru / email", "email", "Referral"),
        (
            "/",
            "https://blog.example.org/post",
            "blog.example.org / referral",
            "referral",
            "Referral",
        ),
        ("/", "", "(direct) / (none)", "direct", "Direct"),
    ],
)
def test_a_landing_of_the_reference_becomes_the_source_written_beside_it(
    url, referrer, expected, channel, ga4
):
    landing = sources.classify(url, referrer)

    assert pair(landing) == expected
    assert (landing.source.channel, landing.ga4_channel) == (channel, ga4)


def test_a_return_from_payment_keeps_the_source_of_the_live_session():
    landing = sources.classify("/thanks", "https://yookassa.ru/", live=True)

    assert landing.rule == "kept"
    assert not landing.significant
    assert not landing.starts_session


# --- inner referrers -----------------------------------------------------------------


@pytest.mark.parametrize(
    "referrer",
    [
        "https://acme.example/catalogue",
        "https://www.acme.example/",
        "https://shop.ACME.example.:8443/",
        "https://xn--80akoi.xn--p1ai/",
        "https://securepay.tinkoff.ru/x",
        "https://3ds.paypal.com/",
        "https://id.vk.com/auth",
        "https://passport.yandex.kz/",
        "https://metrika.yandex.ru/",
        "https://webmaster.yandex.com.tr/",
        "https://direct.yandex.com/",
    ],
)
def test_own_pages_and_payment_pages_are_no_source(referrer):
    assert land("", referrer, live=True).rule == "kept"

    outside = land("?fbclid=x", referrer)

    assert outside.rule == "self"
    assert outside.source == INTERNAL
    assert not outside.significant


def test_an_owner_can_exclude_hosts_and_apps():
    excluded = ("crm.partner.example", "com.partner.app")

    assert land("", "https://a.crm.partner.example/", excluded=excluded).rule == "self"
    assert land("", "android-app://com.partner.app/", excluded=excluded).rule == "self"
    assert land("", "https://partner.example/", excluded=excluded).rule == "referrer"


def test_the_landing_page_s_own_host_is_an_inner_referrer_even_if_nobody_listed_it():
    landing = sources.classify("https://shop.example/b", "https://www.shop.example/a")

    assert landing.rule == "self"


@pytest.mark.parametrize(
    ("query", "rule"),
    [
        ("?utm_source=vk", "utm"),
        ("?utm_campaign=spring", "utm"),
        ("?roistat=direct1_x", "marker"),
        ("?yclid=1", "click_id"),
    ],
)
def test_tags_and_paid_click_ids_win_over_an_inner_referrer(query, rule):
    for referrer in ("https://acme.example/", "https://yookassa.ru/"):
        landing = land(query, referrer, live=True)
        assert landing.rule == rule
        assert landing.starts_session
        assert "acme" not in landing.source.source
        assert "yookassa" not in landing.source.source


def test_an_unlike_host_that_only_ends_the_same_is_not_an_own_domain():
    assert land("", "https://notacme.example/").rule == "referrer"


# --- utm -----------------------------------------------------------------------------


def test_utm_names_are_of_any_case_and_the_first_value_that_is_not_empty_wins():
    landing = land("?UTM_Source=&utm_source=VK&utm_source=ok&Utm_Medium=CPC")

    assert pair(landing) == "VK / CPC"  # the case of values is kept
    assert landing.source.channel == "paid_social"


def test_values_are_decoded_once_trimmed_and_cut():
    landing = land(
        "?utm_source=a%2520b&utm_campaign=+%20red+shoes+&utm_term=" + "x" * 300
    )

    assert landing.source.source == "a%20b"
    assert landing.source.campaign == "red shoes"
    assert len(landing.source.term) == 255


def test_a_value_in_windows_1251_is_read():
    query = "?utm_source=y&utm_term=" + quote("кухни".encode("cp1251"))

    assert land(query).source.term == "кухни"
    assert land("?utm_source=y&utm_term=" + quote("кухни")).source.term == "кухни"
    assert land("?utm_source=y&utm_term=кухни").source.term == "кухни"


def test_an_address_escaped_for_html_is_read():
    assert pair(land("?utm_source=a&amp;utm_medium=b")) == "a / b"


def test_utm_behind_the_hash_counts_only_if_the_query_has_none():
    assert pair(land("#utm_source=a&utm_medium=b")) == "a / b"
    assert pair(land("?x=1#/page?utm_source=a&utm_medium=b")) == "a / b"
    assert pair(land("?utm_source=q&utm_medium=b#utm_source=a")) == "q / b"
    assert land("#yclid=1").rule == "direct"


def test_missing_source_and_medium_come_from_a_paid_click_id():
    assert pair(land("?utm_campaign=1&gclid=A", "https://yandex.ru/")) == "google / cpc"
    assert pair(land("?utm_source=agency&yclid=5")) == "agency / cpc"
    assert pair(land("?utm_medium=banner&yclid=5")) == "yandex / banner"


def test_a_missing_source_comes_from_the_referrer_and_else_is_not_set():
    assert pair(land("?utm_medium=cpc", "https://m.vk.com/")) == "vk / cpc"
    assert pair(land("?utm_medium=cpc", "https://www.a.example/")) == "a.example / cpc"
    assert pair(land("?utm_medium=cpc")) == "(not set) / cpc"
    assert pair(land("?utm_campaign=c")) == "(not set) / (not set)"
    assert pair(land("?utm_campaign=c&fbclid=1")) == "(not set) / (not set)"


def test_content_and_term_alone_are_no_campaign():
    assert land("?utm_content=a&utm_term=b").rule == "direct"


def test_a_literal_macro_is_kept_and_flagged():
    for macro in ("{campaign_id}", "a|{campaign_name_lat}", "__CAMPAIGN_NAME__"):
        landing = land("?" + urlencode({"utm_source": "y", "utm_campaign": macro}))
        assert landing.source.campaign == macro
        assert landing.flags == ("macro",)
    assert land("?utm_source=y&utm_campaign=sale__2026").flags == ()


def test_a_macro_in_the_place_of_a_click_id_is_no_click_id():
    landing = land("?gclid={gclid}&ttclid=__CLICKID__")

    assert landing.click_ids == {}
    assert landing.rule == "direct"
    assert landing.flags == ("macro",)
    assert land("?gclid=Cj0__AB__x").click_ids == {"gclid": "Cj0__AB__x"}


@pytest.mark.parametrize("prefix", ["pk", "piwik", "mtm", "matomo"])
def test_the_matomo_family_tells_campaign_and_term(prefix):
    landing = land(f"?{prefix}_campaign=spring&{prefix}_kwd=sofa", "https://ok.ru/")

    assert landing.rule == "utm"
    assert landing.source.source == "ok"
    assert (landing.source.campaign, landing.source.term) == ("spring", "sofa")
    assert land(f"?{prefix}_cpn=x&{prefix}_keyword=y").source.term == "y"
    assert land(f"?{prefix}_keyword=y").rule == "direct"


def test_utm_goes_before_the_matomo_family():
    landing = land("?pk_campaign=matomo&utm_campaign=utm")

    assert landing.source.campaign == "utm"


def test_utm_referrer_stands_in_for_an_empty_referrer_only():
    again = "?utm_referrer=" + quote("https://yandex.ru/search/?text=кухни", safe="")

    landing = land(again)
    assert pair(landing) == "yandex / organic"
    assert landing.source.term == "кухни"
    assert landing.referrer_host == "yandex.ru"
    assert pair(land(again, "about:blank")) == "yandex / organic"
    assert pair(land(again, "https://ok.ru/")) == "ok / social"
    assert pair(land("?utm_referrer=ya.ru")) == "yandex / organic"
    assert land("?utm_referrer=rubbish").rule == "direct"


def test_labels_are_stored_and_decide_nothing():
    landing = land("?from=partner&frommarket=x&utm_id=77&roistat_pos=premium_1")

    assert landing.rule == "direct"
    assert landing.labels == {
        "from": "partner",
        "frommarket": "x",
        "utm_id": "77",
        "roistat_pos": "premium_1",
    }


# --- click ids -----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "expected", "channel"),
    [
        ("yclid", "yandex / cpc", "paid_search"),
        ("ymclid", "yandex_market / cpc", "paid_other"),
        ("gclid", "google / cpc", "paid_search"),
        ("gbraid", "google / cpc", "paid_search"),
        ("wbraid", "google / cpc", "paid_search"),
        ("gad_source", "google / cpc", "paid_search"),
        ("dclid", "google / display", "display"),
        ("msclkid", "bing / cpc", "paid_search"),
        ("rb_clickid", "vk / cpc", "paid_social"),
        ("ttclid", "tiktok / cpc", "paid_social"),
        ("twclid", "twitter / cpc", "paid_social"),
        ("li_fat_id", "linkedin / cpc", "paid_social"),
        ("ScCid", "snapchat / cpc", "paid_social"),
        ("rdt_cid", "reddit / cpc", "paid_social"),
        ("obclid", "outbrain / cpc", "paid_other"),
        ("dicbo", "outbrain / cpc", "paid_other"),
        ("tblci", "taboola / cpc", "paid_other"),
        ("admitad_uid", "admitad / affiliate", "affiliate"),
    ],
)
def test_a_paid_click_id_names_its_ad_system_whatever_the_referrer(
    name, expected, channel
):
    for referrer in ("", "https://yandex.ru/", "https://blog.example.org/"):
        landing = land(f"?{name}=Ab-1", referrer)
        assert (landing.rule, pair(landing)) == ("click_id", expected)
        assert landing.source.channel == channel
        assert landing.click_ids == {name.lower(): "Ab-1"}
        assert landing.starts_session


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("epik", "pinterest / social"),
        ("fbclid", "facebook / social"),
        ("igshid", "instagram / social"),
        ("igsh", "instagram / social"),
        ("ysclid", "yandex / organic"),
        ("srsltid", "google / organic"),
        ("yadclid", "yandex / referral"),
        ("yadordid", "yandex / referral"),
    ],
)
def test_a_click_id_of_free_links_counts_only_without_a_referrer(name, expected):
    landing = land(f"?{name}=x")

    assert (landing.rule, pair(landing)) == ("click_id_weak", expected)
    assert not landing.starts_session
    other = land(f"?{name}=x", "https://blog.example.org/")
    assert pair(other) == "blog.example.org / referral"
    assert other.click_ids == {name: "x"}


@pytest.mark.parametrize("name", ["gclsrc", "gad_campaignid", "vkclid"])
def test_some_click_ids_are_stored_and_decide_nothing(name):
    landing = land(f"?{name}=x")

    assert landing.rule == "direct"
    assert landing.click_ids == {name: "x"}


def test_click_ids_are_kept_verbatim_even_when_utm_wins():
    landing = land("?utm_source=a&gclid=Cj0K%2Bq-_w&fbclid=IwAR+2&yclid=")

    assert landing.rule == "utm"
    assert landing.click_ids == {"gclid": "Cj0K+q-_w", "fbclid": "IwAR+2"}


def test_a_click_id_too_long_to_be_one_is_not_cut_into_another():
    assert land("?gclid=" + "a" * 512).click_ids == {"gclid": "a" * 512}
    assert land("?gclid=" + "a" * 513).click_ids == {}


# --- Openstat and Roistat ------------------------------------------------------------

OPENSTAT = "ZGlyZWN0LnlhbmRleC5ydTsxMjM0NTs2Nzg7eWFuZGV4LnJ1OnByZW1pdW0="


@pytest.mark.parametrize(
    "query",
    [
        f"?_openstat={OPENSTAT}",
        f"?_openstat={OPENSTAT.rstrip('=')}",
        f"?_openstat={quote(OPENSTAT)}",
        "?_openstat=direct.yandex.ru;12345;678;yandex.ru:premium",
        "?_openstat=direct.yandex.ru%3B12345%3B678%3Byandex.ru",
        "?openstat_service=direct.yandex.ru&openstat_campaign=12345&openstat_ad=678",
    ],
)
def test_openstat_is_read_in_every_form(query):
    landing = land(query, "https://yandex.ru/")

    assert landing.rule == "openstat"
    assert pair(landing) == "yandex / cpc"
    assert (landing.source.campaign, landing.source.content) == ("12345", "678")
    assert landing.ga4_channel == "Paid Search"


def test_openstat_of_another_service_is_named_by_its_host():
    packed = base64.urlsafe_b64encode("www.Begun.ru;летo?>;7;x".encode()).decode()

    landing = land(f"?_openstat={packed}")

    assert pair(landing) == "begun.ru / cpc"
    assert landing.source.campaign == "летo?>"


@pytest.mark.parametrize("rubbish", ["%%%", "abc", "////", ";;;", "0JA", "я"])
def test_openstat_that_cannot_be_read_is_passed_over(rubbish):
    assert land(f"?_openstat={rubbish}").rule == "direct"


@pytest.mark.parametrize(
    ("marker", "expected", "campaign", "content", "term"),
    [
        (
            "direct1_search_16167361433_---autotargeting",
            "yandex / cpc",
            "",
            "search.16167361433",
            "---autotargeting",
        ),
        (
            "direct19_search_10726459292_Все_двери",
            "yandex / cpc",
            "",
            "search.10726459292",
            "Все_двери",
        ),
        ("google2_context_5", "google / cpc", "", "context.5", ""),
        ("adwords_brand_7_sofa", "google / cpc", "brand", "7", "sofa"),
        ("vk3_spring", "vk / cpc", "spring", "", ""),
        ("vkads_a", "vk / cpc", "a", "", ""),
        ("mytarget1_a", "vk / cpc", "a", "", ""),
        ("facebook_a", "facebook / cpc", "a", "", ""),
        ("fb12_a", "facebook / cpc", "a", "", ""),
        ("seo_google_", "google / organic", "", "", ""),
        ("seo_yandex_sofa_red", "yandex / organic", "", "", "sofa_red"),
        ("partner_a_b_c_d", "partner / (not set)", "a", "b", "c_d"),
        ("directory_a", "directory / (not set)", "a", "", ""),
    ],
)
def test_a_roistat_marker_is_unpacked(marker, expected, campaign, content, term):
    for name in ("roistat", "rs"):
        landing = land("?" + urlencode({name: marker}), "https://blog.example.org/")
        assert (landing.rule, pair(landing)) == ("marker", expected)
        source = landing.source
        assert (source.campaign, source.content, source.term) == (
            campaign,
            content,
            term,
        )


def test_a_marker_that_names_no_medium_takes_it_from_the_paid_click_id():
    assert pair(land("?roistat=agency_x&yclid=5")) == "agency / cpc"


def test_utm_wins_over_a_marker_and_a_marker_over_a_click_id():
    assert land("?roistat=vk1_x&utm_source=a").rule == "utm"
    assert pair(land("?roistat=vk1_x&yclid=5")) == "vk / cpc"


# --- referrers -----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("referrer", "expected"),
    [
        # search engines
        ("https://yandex.ru", "yandex / organic"),
        ("https://www.yandex.com.tr/search/touch/?x", "yandex / organic"),
        ("https://m.yandex.kz/yandsearch", "yandex / organic"),
        ("https://clck.yandex.ru/", "yandex / organic"),
        ("https://ya.ru/images", "yandex / organic"),
        ("https://www.google.co.uk/", "google / organic"),
        ("https://www.google.com.ua/url", "google / organic"),
        ("https://images.google.de/", "google / organic"),
        ("https://lens.google.com/x", "google / organic"),
        ("https://cn.bing.com/search", "bing / organic"),
        ("https://cc.bingj.com/", "bing / organic"),
        ("https://go.mail.ru/search", "mail.ru / organic"),
        ("https://nova.rambler.ru/", "rambler / organic"),
        ("https://r.duckduckgo.com/", "duckduckgo / organic"),
        ("https://r.search.yahoo.com/", "yahoo / organic"),
        ("https://de.search.yahoo.com/", "yahoo / organic"),
        ("https://search.yahoo.co.jp/", "yahoo / organic"),
        ("https://www.baidu.com/link", "baidu / organic"),
        ("https://search.brave.com/", "brave / organic"),
        ("https://kagi.com/", "kagi / organic"),
        # under the same domains, and no search
        ("https://yandex.ru/company/", "yandex.ru / referral"),
        ("https://yandex.ru/searching", "yandex.ru / referral"),
        ("https://music.yandex.ru/", "music.yandex.ru / referral"),
        ("https://translate.yandex.ru/", "translate.yandex.ru / referral"),
        ("https://translate.google.com/", "translate.google.com / referral"),
        ("https://docs.google.com/document/", "docs.google.com / referral"),
        ("https://play.google.com/", "play.google.com / referral"),
        ("https://mail.yandex.ru/", "yandex / email"),
        ("https://mail.yandex.com.tr/", "yandex / email"),
        ("https://mail.google.com/mail", "gmail / email"),
        ("https://gemini.google.com/", "gemini / ai"),
        ("https://zen.yandex.ru/", "dzen / recommend"),
        ("https://yandex.ru/maps/213/moscow", "yandex_maps / maps"),
        ("https://yandex.by/alice", "alice / ai"),
        ("https://alice.yandex.ru/", "alice / ai"),
        ("https://maps.google.de/", "google_maps / maps"),
        ("https://www.google.com/maps/place", "google_maps / maps"),
        ("https://2gis.ru/spb", "2gis / maps"),
        ("https://m.2gis.kz/", "2gis / maps"),
        ("https://mail.ru/", "mail.ru / referral"),
        # ad redirectors
        ("https://yabs.yandex.by/count", "yandex / cpc"),
        ("https://an.yandex.ru/", "yandex / cpc"),
        ("https://direct.yandex.ru/", "yandex / cpc"),
        ("https://googleads.g.doubleclick.net/", "google / cpc"),
        ("https://www.googleadservices.com/pagead", "google / cpc"),
        ("https://tpc.googlesyndication.com/", "google / cpc"),
        ("https://r.mail.ru/", "vk / cpc"),
        ("https://target.my.com/", "vk / cpc"),
        ("https://ads.vk.com/", "vk / cpc"),
        ("https://market.yandex.ru/product", "yandex_market / referral"),
        ("https://ad.admitad.com/g/", "admitad / affiliate"),
        ("https://ad.adriver.ru/", "adriver / cpm"),
        ("https://ads.adfox.ru/", "adfox / cpm"),
        # social networks and messengers
        ("https://m.vk.com/", "vk / social"),
        ("https://vkontakte.ru/", "vk / social"),
        ("https://ok.ru/", "ok / social"),
        ("https://my.mail.ru/", "mailru_my / social"),
        ("https://lm.facebook.com/", "facebook / social"),
        ("https://l.instagram.com/", "instagram / social"),
        ("https://t.co/abc", "twitter / social"),
        ("https://www.pinterest.co.uk/", "pinterest / social"),
        ("https://old.reddit.com/", "reddit / social"),
        ("https://pikabu.ru/", "pikabu / social"),
        ("https://someone.livejournal.com/", "livejournal / social"),
        ("https://t.me/channel", "telegram / messenger"),
        ("https://web.telegram.org/", "telegram / messenger"),
        ("https://api.whatsapp.com/", "whatsapp / messenger"),
        ("https://web.max.ru/", "max / messenger"),
        ("https://vk.me/", "vk_messenger / messenger"),
        # letters, video, recommendations, assistants
        ("https://touch.mail.ru/", "mail.ru / email"),
        ("https://outlook.live.com/", "outlook.live.com / email"),
        ("https://m.youtube.com/", "youtube / video"),
        ("https://rutube.ru/", "rutube / video"),
        ("https://dzen.ru/a/x", "dzen / recommend"),
        ("https://pulse.mail.ru/", "pulse.mail.ru / recommend"),
        ("https://chatgpt.com/", "chatgpt / ai"),
        ("https://www.perplexity.ai/", "perplexity / ai"),
        ("https://giga.chat/", "gigachat / ai"),
        # apps
        ("android-app://com.vkontakte.android/", "vk / social"),
        ("android-app://org.telegram.messenger", "telegram / messenger"),
        ("android-app://com.google.android.gm/", "gmail / email"),
        (
            "android-app://com.google.android.googlequicksearchbox/https/www.google.com",
            "google / organic",
        ),
        (
            "android-app://com.google.android.googlequicksearchbox/https/x/discover",
            "google_discover / recommend",
        ),
        ("android-app://com.slack/", "com.slack / referral"),
        # plain links, and hosts that only look like known ones
        ("https://www.Blog.Example.org.:8080/p?q=1", "blog.example.org / referral"),
        ("https://user:pw@blog.example.org/", "blog.example.org / referral"),
        ("https://notvk.com/", "notvk.com / referral"),
        ("https://vk.com.evil.example/", "vk.com.evil.example / referral"),
        ("https://google.evil.ru/", "google.evil.ru / referral"),
        ("https://yandex.shop/", "yandex.shop / referral"),
        ("https://xn--e1afmkfd.xn--p1ai/", "пример.рф / referral"),
        ("http://192.0.2.7/", "192.0.2.7 / referral"),
        ("http://[2001:db8::1]:80/", "[2001:db8::1] / referral"),
    ],
)
def test_a_referrer_is_recognised_by_the_longest_suffix_of_its_host(referrer, expected):
    landing = land("", referrer)

    assert (landing.rule, pair(landing)) == ("referrer", expected)
    assert not landing.starts_session
    assert landing.significant


@pytest.mark.parametrize(
    "referrer",
    ["", " ", "about:blank", "file:///etc/passwd", "vk.com", "https://", "https:///x",
     "ftp://vk.com/", "https://../", "https://a b/", "javascript:1", "https://vk.com:x/"],
)  # fmt: skip
def test_garbage_is_no_referrer(referrer):
    landing = land("", referrer)

    assert landing.source == DIRECT
    assert landing.referrer_host == ""


@pytest.mark.parametrize(
    ("referrer", "phrase"),
    [
        (
            "https://yandex.ru/search/?text=%D0%BA%D1%83%D1%85%D0%BD%D0%B8&lr=213",
            "кухни",
        ),
        ("https://yandex.ru/clck/jsredir?text=&etext=2202.x", ""),
        ("https://www.google.ru/search?q=red+sofa", "red sofa"),
        ("https://nova.rambler.ru/search?words=b&query=a", "a"),
        ("https://www.baidu.com/s?word=w", "w"),
        ("https://search.yahoo.com/?p=&q=second", "second"),
        ("https://yandex.ru/maps/?text=cafe", ""),
        ("https://duckduckgo.com/", ""),
    ],
)
def test_the_search_phrase_becomes_the_term(referrer, phrase):
    assert land("", referrer).source.term == phrase


def test_an_advertising_label_turns_a_referral_into_an_ad():
    landing = land("?erid=2VtzqX", "https://blog.example.org/")

    assert pair(landing) == "blog.example.org / ad"
    assert landing.source.channel == "paid_other"
    assert landing.flags == ("erid",)
    assert landing.labels == {"erid": "2VtzqX"}
    assert pair(land("?erid=2VtzqX", "https://t.me/x")) == "telegram / messenger"
    assert land("?erid=2VtzqX").rule == "direct"


def test_an_unknown_page_of_a_search_engine_is_a_referral_and_not_a_search():
    assert land("", "https://yandex.ru/company/").source.channel == "referral"
    assert land("", "https://mail.ru/").source.channel == "referral"


def test_the_referrer_s_host_is_kept_as_it_came():
    assert land("", "https://WWW.google.com:443/x").referrer_host == "www.google.com"
    assert land("?yclid=1", "https://yandex.ru/").referrer_host == "yandex.ru"


# --- assistants ----------------------------------------------------------------------


@pytest.mark.parametrize("source", ["chatgpt.com", "ChatGPT", "perplexity.ai", "grok"])
def test_an_assistant_s_own_tag_without_a_medium_means_an_assistant(source):
    landing = land(f"?utm_source={source}", "https://chatgpt.com/")

    assert pair(landing) == f"{source} / ai"
    assert landing.source.channel == "ai_assistant"
    assert landing.ga4_channel == "Unassigned"


def test_an_assistant_with_a_medium_keeps_it():
    assert pair(land("?utm_source=chatgpt.com&utm_medium=cpc")) == "chatgpt.com / cpc"
    assert land("", "https://chatgpt.com/").ga4_channel == "Referral"


# --- what Google and Yandex would say ------------------------------------------------


@pytest.mark.parametrize(
    ("query", "referrer", "ga4"),
    [
        ("", "https://mail.yandex.ru/", "Organic Search"),  # in its search list
        ("", "https://zen.yandex.ru/", "Organic Search"),
        ("", "https://ok.ru/", "Referral"),  # not in its social list
        ("", "https://t.me/x", "Organic Social"),
        ("", "https://www.youtube.com/", "Organic Video"),
        ("", "https://yabs.yandex.ru/", "Referral"),
        ("", "https://ya.ru/", "Organic Search"),  # by our slug
        ("?erid=1", "https://blog.example.org/", "Referral"),
        (
            "?utm_source=google&utm_medium=cpc&utm_campaign=summer-shop",
            "",
            "Paid Shopping",
        ),
    ],
)
def test_ga4_sees_search_engines_by_slug_and_other_referrers_by_host(
    query, referrer, ga4
):
    assert land(query, referrer).ga4_channel == ga4


@pytest.mark.parametrize(
    ("query", "referrer", "expected"),
    [
        ("?yclid=1", "", ("ad", "yandex_direct_star")),
        ("", "https://ya.ru/", ("organic", "yandex")),
        ("", "https://blog.example.org/", ("referral", "blog.example.org")),
        ("", "https://2gis.ru/", ("referral", "2gis.ru")),
        ("", "https://www.youtube.com/", ("social", "youtube")),
        ("", "https://rutube.ru/", ("referral", "rutube.ru")),
        ("", "https://vk.me/", ("messenger", "vk")),
        ("", "https://dzen.ru/", ("recommend", "zen_yandex")),
        ("", "https://chatgpt.com/", ("organic", "unknown")),
        ("", "https://acme.example/", ("internal", "")),
        ("", "", ("direct", "")),
    ],
)
def test_a_landing_is_told_in_metrika_s_words(query, referrer, expected):
    landing = land(query, referrer)

    assert (landing.metrika_source, landing.metrika_detail) == expected


# --- significance, sources by hand ---------------------------------------------------


def test_direct_internal_and_unassigned_sources_are_not_significant():
    assert not DIRECT.significant
    assert not INTERNAL.significant
    assert not sources.labelled(source="a", medium="b").significant
    assert not land("").significant
    assert land("?utm_source=a&utm_medium=sms").significant
    assert land("", "https://blog.example.org/").significant


def test_what_an_advertiser_tagged_is_significant_even_with_an_unknown_medium():
    landing = land("?utm_source=a&utm_medium=b")

    assert landing.source.channel == "unassigned"
    assert landing.significant


def test_a_source_written_by_hand_gets_its_channel():
    billboard = sources.labelled(
        source="billboard", medium="offline", campaign=" ring-road\x00 "
    )

    assert (billboard.channel, billboard.campaign) == ("offline", "ring-road")
    assert sources.labelled(source="VK.com", medium="cpc").channel == "paid_social"
    assert sources.labelled(source="(direct)", medium="(none)") == DIRECT
    assert sources.labelled(source="", medium="").channel == "unassigned"
    assert sources.labelled(source="Leaflets", medium="Print").channel == "offline"


# --- whatever comes ------------------------------------------------------------------


def texts_of(landing: Landing) -> list[str]:
    source = landing.source
    return [
        source.channel, source.source, source.medium, source.campaign, source.content,
        source.term, landing.rule, landing.ga4_channel, landing.metrika_source,
        landing.metrika_detail, landing.referrer_host, *landing.flags,
        *landing.click_ids, *landing.click_ids.values(),
        *landing.labels, *landing.labels.values(),
    ]  # fmt: skip


def assert_fit_to_store(landing: Landing) -> None:
    for text in texts_of(landing):
        assert "\x00" not in text
        assert len(text.encode()) >= len(text)  # raises on a lone surrogate
        assert len(text) <= 512
    for text in (landing.source.source, landing.source.medium, landing.source.term):
        assert len(text) <= 255
    assert landing.source.source
    assert landing.source.medium
    assert landing.rule in {
        "utm", "marker", "click_id", "openstat", "click_id_weak", "referrer", "direct",
        "self", "kept",
    }  # fmt: skip


ANY_TEXT = st.text(st.characters(), max_size=300)
NAMES = st.sampled_from(
    ["utm_source", "utm_medium", "UTM_TERM", "utm_referrer", "_openstat", "roistat",
     "rs", "erid", "pk_kwd", "openstat_service", *source_tables.CLICK_IDS]
)  # fmt: skip
VALUES = ANY_TEXT | st.binary(max_size=40).map(quote) | st.binary(max_size=40).map(
    lambda data: base64.b64encode(data).decode()
)  # fmt: skip
QUERIES = st.lists(st.tuples(NAMES, VALUES), max_size=6).map(
    lambda pairs: "&".join(f"{name}={value}" for name, value in pairs)
)
HOSTS = ANY_TEXT | st.sampled_from(
    ["yandex.ru", "xn--a.ru", "xn--", "www.", "İ.com", "a" * 300, "vk.com", "ß.de"]
)


@given(url=ANY_TEXT, referrer=ANY_TEXT, live=st.booleans())
@example(
    url="\ud800?utm_source=\ud800%ED%A0%80%00", referrer="https://\udfff/", live=True
)
@example(
    url="?utm_source=a" + "%" * 5000, referrer="https://" + "a." * 4000, live=False
)
def test_any_two_strings_become_a_landing_that_can_be_stored(url, referrer, live):
    assert_fit_to_store(sources.classify(url, referrer, live=live))


@given(query=QUERIES, host=HOSTS, path=ANY_TEXT)
def test_any_tags_with_any_values_become_a_landing_that_can_be_stored(
    query, host, path
):
    for url in (f"https://acme.example/?{query}", f"/#{query}"):
        for scheme in ("https", "android-app"):
            landing = sources.classify(
                url, f"{scheme}://{host}/{path}", own_domains=OWN, excluded=[host]
            )
            assert_fit_to_store(landing)


@given(
    values=st.fixed_dictionaries(
        {name: st.text(st.characters(codec="utf-8"), min_size=1, max_size=60)
         for name in ("utm_source", "utm_medium", "utm_campaign")}
    )
)  # fmt: skip
def test_what_a_link_builder_wrote_is_what_we_read(values):
    landing = sources.classify("/?" + urlencode(values), "")

    def readable(text: str) -> str:
        return "".join(
            c for c in text if c >= " " and not "\x7f" <= c <= "\x9f"
        ).strip()

    expected = [
        readable(values[f"utm_{name}"]) for name in ("source", "medium", "campaign")
    ]
    if all(expected):
        source = landing.source
        assert [source.source, source.medium, source.campaign] == expected


@given(source=ANY_TEXT, medium=ANY_TEXT)
def test_any_source_written_by_hand_can_be_stored(source, medium):
    made = sources.labelled(source=source, medium=medium)

    assert made.source.encode()
    assert made.medium.encode()
    assert "\x00" not in made.source + made.medium
