"""Bots and the devices of people."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tracker import bots

CHROME = (
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) "
    "Chrome/141.0.0.0 Safari/537.36"
)
ANDROID = (
    "Mozilla/5.0 (Linux; Android 15; {}) AppleWebKit/537.36 (KHTML, like Gecko) "
    "Chrome/141.0.0.0 Mobile Safari/537.36{}"
)
IPHONE = (
    "Mozilla/5.0 (iPhone; CPU iPhone OS 18_5 like Mac OS X) AppleWebKit/605.1.15 "
    "(KHTML, like Gecko) Version/18.5 Mobile/15E148 Safari/604.1{}"
)


@pytest.mark.parametrize(
    "user_agent",
    [
        "",
        " ",
        "-",
        "curl/8.5.0",
        "python-requests/2.32",
        "Googlebot/2.1 (+http://www.google.com/bot.html)",
        "Mozilla/5.0 (compatible; YandexBot/3.0; +http://yandex.com/bots)",
        "Mozilla/5.0 (compatible; YandexMetrika/2.0; +http://yandex.com/bots)",
        "Mozilla/5.0 (compatible; Linux x86_64; Mail.RU_Bot/2.0; +https://help.mail.ru)",
        "Mozilla/5.0 AppleWebKit/537.36; compatible; GPTBot/1.2; +https://openai.com/gptbot",
        "Mozilla/5.0 (compatible; BrandNewBot/1.0)",
        "Mozilla/5.0 (compatible; Something; +https://something.example/why)",
        "Mozilla/5.0+(compatible; UptimeRobot/2.0; http://www.uptimerobot.com/)",
        "facebookexternalhit/1.1",
        "TelegramBot (like TwitterBot)",
        "WhatsApp/2.23.20.0",
        "Mozilla/5.0 (compatible; vkShare; +http://vk.com/dev/Share)",
        CHROME.replace("Chrome/", "HeadlessChrome/"),
        CHROME + " Chrome-Lighthouse",
        "Mozilla/5.0 Skvoz/0.1 doctor",
    ],
)
def test_a_machine_is_no_visitor(user_agent):
    assert bots.is_bot(user_agent)


@pytest.mark.parametrize(
    "user_agent",
    [
        CHROME,
        CHROME + " YaBrowser/25.8.0.0",
        CHROME + " Edg/141.0.0.0",
        "Mozilla/5.0 (X11; Linux x86_64; rv:143.0) Gecko/20100101 Firefox/143.0",
        ANDROID.format("K", ""),
        ANDROID.format("CUBOT X70", ""),
        ANDROID.format("K; wv", " Viber/25.1"),
        ANDROID.format("K", " Instagram 380.0.0.0 Android"),
        IPHONE.format(""),
        IPHONE.format(" [FBAN/FBIOS;FBAV/500.0]"),
        IPHONE.format(" GSA/370.0"),
    ],
)
def test_a_person_s_browser_is_a_visitor(user_agent):
    assert not bots.is_bot(user_agent)


@pytest.mark.parametrize(
    "purpose", ["prefetch", "prefetch;prerender", "Prerender", "preview"]
)
def test_a_page_loaded_ahead_is_not_yet_a_visit(purpose):
    assert bots.is_bot(CHROME, purpose)
    assert not bots.is_bot(CHROME, "")


@pytest.mark.parametrize(
    ("user_agent", "device"),
    [
        (CHROME, "desktop"),
        ("Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) Safari/605.1.15", "desktop"),
        ("Mozilla/5.0 (X11; Linux x86_64; rv:143.0) Gecko/20100101", "desktop"),
        ("", "desktop"),
        (ANDROID.format("K", ""), "mobile"),
        (IPHONE.format(""), "mobile"),
        ("Mozilla/5.0 (iPad; CPU OS 12_5 like Mac OS X)", "mobile"),
        (
            "Mozilla/5.0 (Linux; Android 13; SM-X700) Chrome/141.0 Safari/537.36",
            "mobile",
        ),
        ("Mozilla/5.0 (Android 14; Tablet; rv:143.0) Gecko/143.0", "mobile"),
        ("Opera/9.80 (J2ME/MIDP; Opera Mini/9.80) Presto/2.12", "mobile"),
    ],
)
def test_phones_and_tablets_are_mobile(user_agent, device):
    assert bots.device(user_agent) == device


@given(user_agent=st.text(max_size=600), purpose=st.text(max_size=50))
def test_any_header_is_answered(user_agent, purpose):
    assert bots.is_bot(user_agent, purpose) in (True, False)
    assert bots.device(user_agent) in ("mobile", "desktop")


def test_a_user_agent_of_any_length_is_answered_by_its_beginning():
    assert not bots.is_bot(CHROME + " " * 10_000 + "Googlebot/2.1")
    assert bots.is_bot("Googlebot/2.1" + "x" * 10_000)
