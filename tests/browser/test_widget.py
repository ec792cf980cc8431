"""The widget in the page's corner: asked by keyboard and by finger, read by everybody."""

import gzip
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Protocol

import pytest
import redis.asyncio
from playwright.async_api import Browser, Locator, Page, expect

from tests import whole
from tests.browser import fake_tracker as fake
from tests.browser.conftest import USER_AGENT, Window
from tests.browser.fake_tracker import PATIENCE, FakeTracker
from tests.fakes.smtp import NextHop
from tracker import db as database
from web import snippet_build

AXE = snippet_build.ROOT / "node_modules/axe-core/axe.min.js"
SESSION = "0195f0a0-1111-7000-8000-00000000abcd"
CODE = "AZXwoBERcACAAAAAAACrzQ"  # the session in 22 characters
WEEKDAYS = [[day, 9 * 60, 18 * 60] for day in range(1, 6)]
MESSENGERS = [
    {"kind": "telegram", "address": "https://t.me/acme_bot"},
    {"kind": "whatsapp", "address": "https://wa.me/74950000000"},
    {"kind": "viber", "address": "viber://pa?chatURI=acme"},
    {"kind": "vk", "address": "https://vk.me/acme"},
    {"kind": "max", "address": "https://max.ru/acme_bot"},
]
MONDAY = datetime(2026, 3, 2, 9, 10, tzinfo=UTC)  # 12:10 in Moscow
STYLE = "body{background:#fff;color:#222;font-family:Georgia}@media(prefers-color-scheme:dark){body{background:#15171a;color:#eee}}"


class Corner:
    """A page with the widget in its corner."""

    def __init__(self, page: Page) -> None:
        self.page = page
        self.errors: list[str] = []
        page.on("pageerror", lambda error: self.errors.append(str(error)))
        page.on("console", self._hear)

    def _hear(self, line: Any) -> None:
        # Of requests that are refused on purpose the browser and the snippet tell both.
        if "Failed to load resource" not in line.text and "/v1/" not in line.text:
            self.errors.append(line.text)

    @property
    def launcher(self) -> Locator:
        return self.page.locator("skvoz-widget .launcher")

    @property
    def panel(self) -> Locator:
        return self.page.get_by_role("dialog")

    @property
    def phone(self) -> Locator:
        return self.panel.locator("[type=tel]")

    @property
    def send(self) -> Locator:
        return self.panel.locator("form .send")

    async def open(self) -> None:
        await self.launcher.click()
        await self.panel.wait_for()

    async def ask(self, number: str) -> None:
        """Open the panel and ask to be called back."""
        await self.open()
        await self.phone.press_sequentially(number)
        await self.send.click()

    async def close(self) -> None:
        await self.page.keyboard.press("Escape")
        await self.panel.wait_for(state="hidden")

    async def obstacles(self) -> list[Any]:
        """What keeps somebody from using it: axe's serious and critical findings."""
        await self.page.evaluate(AXE.read_text(encoding="utf-8"))
        found = await self.page.evaluate("axe.run({resultTypes: ['violations']})")
        return [
            (one["id"], [node["html"][:200] for node in one["nodes"]])
            for one in found["violations"]
            if one["impact"] in ("serious", "critical")
        ]


class Visit(Protocol):
    async def __call__(
        self, body: str = ..., *, lang: str = ..., head: str = ..., **options: Any
    ) -> Corner: ...


@pytest.fixture
async def corner(browser: Browser, tracker: FakeTracker) -> AsyncIterator[Visit]:
    """Open a page of the site in a visitor's browser of any kind, at noon of a Monday."""
    tracker.answers["/v1/visits"] = fake.says(fake.visit_answer(session=SESSION))
    tracker.config["widget"] = usual()
    contexts = []
    corners = []

    async def visit(
        body: str = "",
        *,
        lang: str = "ru",
        head: str = "",
        at: datetime = MONDAY,
        **options: Any,
    ) -> Corner:
        tracker.pages["/"] = (
            f'<!doctype html><html lang="{lang}"><head><meta charset="utf-8"><title>Shop</title>'
            f'<meta name="viewport" content="width=device-width"><link rel="icon" href="data:,">'
            f'{head or f"<style>{STYLE}</style>"}<script src="{tracker.api}/s/acme.js"></script>'
            f"</head><body><main><h1>Окна</h1>{body}</main></body></html>"
        )
        usually = {"locale": "ru-RU", "timezone_id": "Europe/Moscow"}
        context = await browser.new_context(user_agent=USER_AGENT, **usually | options)
        contexts.append(context)
        context.set_default_timeout(PATIENCE * 1000)
        corner = Corner(await context.new_page())
        corners.append(corner)
        await corner.page.clock.set_fixed_time(at)
        await corner.page.goto(f"http://localhost:{tracker.port}/", wait_until="load")
        return corner

    yield visit
    for context in contexts:
        await context.close()
    assert [corner.errors for corner in corners if corner.errors] == []


def usual(**other: Any) -> dict[str, Any]:
    """The widget's settings as most owners have them."""
    return {
        "callback": True,
        "zone": "Europe/Moscow",
        "hours": WEEKDAYS,
        "messengers": MESSENGERS,
    } | other


async def says(locator: Locator, text: str) -> None:
    await expect(locator).to_contain_text(text, timeout=PATIENCE * 1000)


async def has_focus(locator: Locator) -> None:
    """Wait until it is where keys go; another window of the browser may be in front."""
    await locator.page.wait_for_function(
        "one => one.getRootNode().activeElement === one",
        arg=await locator.element_handle(),
    )


async def contacts(tracker: FakeTracker, count: int = 1) -> list[dict[str, Any]]:
    """What was asked, once it is so much."""
    await tracker.until(lambda: len(tracker.bodies("/v1/contacts")) >= count)
    return tracker.bodies("/v1/contacts")


def test_the_widget_fits_into_seven_kilobytes(snippet: dict[str, str]) -> None:
    assert len(gzip.compress(snippet["widget"].encode(), 9)) <= 7 * 1024


# Asking ---------------------------------------------------------------------------------


async def test_a_visitor_asks_to_be_called_back_by_keyboard_alone(
    corner: Visit, tracker: FakeTracker
) -> None:
    shop = await corner('<button id="own">Купить</button>')
    await shop.launcher.wait_for()
    await tracker.until(lambda: bool(tracker.bodies("/v1/visits")))
    await shop.page.wait_for_function("window.skvoz && skvoz.S.session()")
    keyboard = shop.page.keyboard
    await keyboard.press("Tab")
    await keyboard.press("Tab")
    await has_focus(shop.launcher)
    await keyboard.press("Enter")

    await has_focus(shop.phone)
    await keyboard.type("89161234567")
    await keyboard.press("Tab")
    await keyboard.type("Иван")
    await keyboard.press("Enter")

    await says(shop.panel, "Перезвоним в течение нескольких минут")
    await says(shop.panel, "8 (916) 123-45-67")
    [told] = await contacts(tracker)
    assert told["channel"] == "callback"
    assert (told["phone"], told["name"]) == ("+79161234567", "Иван")
    assert (told["session"], told["fields"]) == (SESSION, {})
    await keyboard.press("Enter")  # Close has the focus
    await expect(shop.panel).to_have_count(0)
    await has_focus(shop.launcher)


async def test_a_touch_screens_keyboard_waits_until_it_is_wanted(corner: Visit) -> None:
    shop = await corner(has_touch=True, is_mobile=True)
    await shop.launcher.tap()
    await has_focus(shop.panel.get_by_role("heading"))


async def test_a_number_is_spelt_while_it_is_typed(corner: Visit) -> None:
    shop = await corner()
    await shop.open()
    for typed, shown in {
        "8916123": "8 (916) 123",
        "+79161234567": "+7 (916) 123-45-67",
        "79161234567": "7 (916) 123-45-67",
        "9161234567": "(916) 123-45-67",
        "8 916 abc 12": "8 (916) 12",
        "+375291234567": "+375 291 234 56 7",
        "+12025550123": "+1 (202) 555-0123",
        "+": "+",
        "+99": "+99",
        "+998901234567": "+998 901 234 56 7",
        "12345678901234567890": "(123) 456-78-9012345",
    }.items():
        await shop.phone.fill("")
        await shop.phone.press_sequentially(typed)
        assert await shop.phone.input_value() == shown, typed


async def test_a_pasted_number_is_spelt(corner: Visit) -> None:
    shop = await corner()
    await shop.open()
    await shop.phone.focus()
    await shop.page.keyboard.insert_text("тел. +7-916-123 45 67")
    assert await shop.phone.input_value() == "+7 (916) 123-45-67"


async def test_every_digit_can_be_deleted_from_either_side(corner: Visit) -> None:
    shop = await corner()
    await shop.open()
    await shop.phone.press_sequentially("89161234567")
    for left in range(10, -1, -1):
        await shop.phone.press("Backspace")
        shown = await shop.phone.input_value()
        assert (
            shown.translate({ord(one): None for one in " ()-"}) == "89161234567"[:left]
        )

    await shop.phone.press_sequentially("89161234567")
    await shop.phone.press("Home")
    for right in range(10, -1, -1):
        await shop.phone.press("Delete")
        shown = await shop.phone.input_value()
        digits = "".join(one for one in shown if one.isdigit())
        assert digits == "89161234567"[11 - right :]


async def test_the_caret_stays_where_a_digit_is_mended(corner: Visit) -> None:
    shop = await corner()
    await shop.open()
    await shop.phone.press_sequentially("89165234567")
    await shop.phone.press("Home")
    for _ in range(len("8 (916) 5")):
        await shop.phone.press("ArrowRight")
    await shop.phone.press("Backspace")
    await shop.page.keyboard.type("12")
    await shop.page.keyboard.press("Delete")
    assert await shop.phone.input_value() == "8 (916) 123-45-67"[:17]
    assert await shop.phone.evaluate("field => field.selectionStart") == len(
        "8 (916) 12"
    )

    await shop.page.keyboard.press("Home")  # a separator is no wall
    for _ in range(len("8 (916) ")):
        await shop.page.keyboard.press("ArrowRight")
    await shop.page.keyboard.press("Backspace")
    assert await shop.phone.input_value() == "8 (911) 234-56-7"


async def test_the_number_is_sent_as_the_world_writes_it(
    corner: Visit, tracker: FakeTracker
) -> None:
    shop = await corner()
    numbers = {
        "89161234567": "+79161234567",
        "9161234568": "+79161234568",
        "79161234569": "+79161234569",
        "+789161234560": "+79161234560",
        "+375291234567": "+375291234567",
        "375291234568": "+375291234568",
        "+442079460000": "+442079460000",
    }
    for typed in numbers:
        await shop.open()
        await shop.phone.fill(typed)
        await shop.phone.press("Enter")
        await says(shop.panel, "Спасибо!")
        await shop.close()
    assert [told["phone"] for told in await contacts(tracker)] == [*numbers.values()]


async def test_numbers_of_a_country_with_other_habits_are_left_to_the_server(
    corner: Visit, tracker: FakeTracker
) -> None:
    tracker.config["numbers"] = ["+442079460000"]
    shop = await corner()
    await shop.ask("020 7946 0123")
    [told] = await contacts(tracker)
    assert told["phone"] == "02079460123"


async def test_half_a_number_is_not_sent_and_the_field_says_why(
    corner: Visit, tracker: FakeTracker
) -> None:
    shop = await corner()
    await shop.ask("8916")
    await has_focus(shop.phone)
    await expect(shop.phone).to_have_attribute("aria-invalid", "true")
    await expect(shop.phone).to_have_accessible_description(
        "Введите номер целиком, с кодом"
    )
    assert tracker.bodies("/v1/contacts") == []

    await shop.phone.press_sequentially("1234567")
    await expect(shop.phone).to_have_attribute("aria-invalid", "false")
    await expect(shop.phone).to_have_accessible_description("")
    await shop.phone.press("Enter")
    assert [told["phone"] for told in await contacts(tracker)] == ["+79161234567"]


async def test_personal_data_are_sent_with_consent_only_where_the_owner_asks_for_it(
    corner: Visit, tracker: FakeTracker
) -> None:
    tracker.config["widget"] = usual(policy="https://acme.example/data")
    shop = await corner()
    await shop.ask("89161234567")
    consent = shop.panel.get_by_role("checkbox")
    await has_focus(consent)
    await expect(consent).to_have_accessible_description(
        "Без согласия мы не примем номер"
    )
    link = shop.panel.get_by_role("link", name="обработку персональных данных")
    assert await link.get_attribute("href") == "https://acme.example/data"
    assert tracker.bodies("/v1/contacts") == []

    await consent.check()
    await shop.send.click()
    assert len(await contacts(tracker)) == 1


# Hours ----------------------------------------------------------------------------------


async def test_the_form_promises_what_the_opening_hours_allow(corner: Visit) -> None:
    shop = await corner()
    closed = "Сейчас мы не работаем. Перезвоним "
    for (day, hour, minute), lead in {
        (2, 9, 10): "Перезвоним в течение нескольких минут",
        (2, 5, 10): closed + "сегодня в 9:00",
        (2, 6, 0): "Перезвоним в течение нескольких минут",
        (2, 14, 59): "Перезвоним в течение нескольких минут",
        (2, 15, 0): closed + "завтра в 9:00",
        (2, 21, 30): closed + "сегодня в 9:00",  # it is Tuesday there
        (6, 15, 0): closed + "в понедельник в 9:00",
    }.items():
        at = datetime(2026, 3, day, hour, minute, tzinfo=UTC)
        await shop.page.clock.set_fixed_time(at)
        await shop.open()
        assert await shop.panel.locator(".lead").inner_text() == lead, at
        await shop.close()


async def test_days_are_declined_as_people_say_them(
    corner: Visit, tracker: FakeTracker
) -> None:
    for day, said in {
        1: "в понедельник в 10:30",
        2: "во вторник в 10:30",
        3: "в среду в 10:30",
        5: "в пятницу в 10:30",
        7: "в воскресенье в 10:30",
    }.items():
        tracker.config["widget"] = usual(hours=[[day, 630, 700]])
        at = datetime(2026, 3, (day + 3) % 7 + 2, 9, 0, tzinfo=UTC)
        shop = await corner(at=at)
        await shop.open()
        await says(shop.panel.locator(".lead"), said)


async def test_a_visitor_elsewhere_is_told_whose_clock_is_meant(corner: Visit) -> None:
    shop = await corner(
        timezone_id="Asia/Vladivostok",
        at=datetime(2026, 3, 2, 4, 0, tzinfo=UTC),
    )
    await shop.open()
    await says(shop.panel.locator(".lead"), "Перезвоним сегодня в 9:00 (GMT+3)")


async def test_without_opening_hours_somebody_is_always_there(
    corner: Visit, tracker: FakeTracker
) -> None:
    tracker.config["widget"] = {"callback": True}
    shop = await corner(at=datetime(2026, 3, 1, 1, 0, tzinfo=UTC))
    await shop.open()
    await says(shop.panel.locator(".lead"), "Перезвоним в течение нескольких минут")


async def test_the_visitor_may_choose_an_hour_of_the_sites_own_clock(
    corner: Visit, tracker: FakeTracker
) -> None:
    shop = await corner(at=datetime(2026, 3, 2, 12, 40, tzinfo=UTC))
    await shop.open()
    choice = shop.panel.get_by_label("Когда перезвонить")
    options = await choice.locator("option").all_inner_texts()
    assert options[:4] == [
        "как можно скорее",
        "сегодня в 17:00",
        "завтра в 9:00",
        "завтра в 10:00",
    ]
    assert len(options) == 11
    await choice.select_option("завтра в 10:00")
    await shop.phone.fill("89161234567")
    await shop.send.click()

    await says(shop.panel, "Перезвоним завтра в 10:00")
    [told] = await contacts(tracker)
    assert told["fields"] == {"call_at": "2026-03-03 10:00"}


# When it does not go well ---------------------------------------------------------------


async def test_a_request_that_fails_shows_the_visitors_own_number_as_the_way_out(
    corner: Visit, tracker: FakeTracker
) -> None:
    tracker.answers["/v1/contacts"] = fake.says("no", 400)
    shop = await corner("<p>8 (495) 000-00-00</p>")
    await says(shop.page.locator("main p"), "8 (495) 100-00-01")
    await shop.ask("89161234567")

    alert = shop.panel.get_by_role("alert")
    await says(alert, "Не получилось отправить. Попробуйте ещё раз. Или позвоните:")
    link = alert.get_by_role("link", name="+7 495 100-00-01")
    assert await link.get_attribute("href") == f"tel:{fake.NUMBER}"
    await tracker.until(lambda: bool(tracker.events("reveal")))
    assert await shop.phone.input_value() == "8 (916) 123-45-67"
    await expect(shop.send).to_have_text("Жду звонка")

    await link.evaluate(
        "link => link.addEventListener('click', e => e.preventDefault())"
    )
    await link.click()
    await tracker.until(lambda: bool(tracker.events("tel_click")))
    assert [one["target"] for one in tracker.events("tel_click")] == [fake.NUMBER]


async def test_what_is_sent_again_is_the_same_request(
    corner: Visit, tracker: FakeTracker
) -> None:
    tracker.answers["/v1/contacts"] = fake.says("no", 400)
    shop = await corner()
    await shop.ask("89161234567")
    await says(shop.panel, "Не получилось отправить")
    tracker.answers["/v1/contacts"] = fake.says({"contact": "c1"}, 202)
    await shop.send.click()

    await says(shop.panel, "Спасибо!")
    first, second = await contacts(tracker, 2)
    assert first["id"] == second["id"]


async def test_a_slow_line_is_admitted_and_nothing_is_sent_twice(
    corner: Visit, tracker: FakeTracker
) -> None:
    tracker.answers["/v1/contacts"] = tracker.stall
    shop = await corner()
    await shop.open()
    await shop.phone.fill("89161234567")
    await shop.page.clock.install(time=MONDAY)
    await shop.send.click()
    await expect(shop.send).to_have_text("Отправляем…")
    await expect(shop.send).to_have_attribute("aria-disabled", "true")
    await contacts(tracker)
    await shop.phone.press("Enter")
    await shop.page.clock.run_for(9000)

    await says(shop.panel.get_by_role("alert"), "Ещё отправляем: связь медленная.")
    assert len(tracker.bodies("/v1/contacts")) == 1


async def test_without_consent_the_form_works_and_names_nobody(
    corner: Visit, tracker: FakeTracker
) -> None:
    tracker.config["consent"] = "wait"
    shop = await corner()
    await shop.ask("89161234567")
    await says(shop.panel, "Спасибо!")
    [told] = await contacts(tracker)
    assert told["phone"] == "+79161234567"
    assert not told.get("session")
    assert not told.get("visitor")
    hrefs = await shop.panel.get_by_role("link").evaluate_all(
        "links => links.map(link => link.href)"
    )
    assert not any(CODE in href for href in hrefs)


# Messengers -----------------------------------------------------------------------------


async def test_messengers_carry_the_session_and_tell_of_the_click(
    corner: Visit, tracker: FakeTracker
) -> None:
    shop = await corner()
    await shop.page.wait_for_function("window.skvoz && skvoz.S.session()")
    await shop.open()
    links = shop.panel.locator("li a")
    assert await links.all_inner_texts() == [
        "Telegram",
        "WhatsApp",
        "Viber",
        "VK",
        "MAX",
    ]
    hrefs = await links.evaluate_all("all => all.map(one => one.href)")
    assert hrefs[0] == f"https://t.me/acme_bot?start={CODE}"
    assert all(CODE in href for href in hrefs)

    telegram = links.first
    await telegram.evaluate(
        "link => link.addEventListener('click', e => e.preventDefault())"
    )
    await telegram.click()
    await tracker.until(lambda: bool(tracker.events("messenger_click")))
    assert [one["target"] for one in tracker.events("messenger_click")] == ["telegram"]


async def test_messengers_alone_make_a_widget(
    corner: Visit, tracker: FakeTracker
) -> None:
    tracker.config["widget"] = {"messengers": MESSENGERS[:1], "side": "left"}
    shop = await corner()
    await expect(shop.launcher).to_have_accessible_name("Напишите нам")
    await shop.open()
    await expect(shop.panel).to_have_accessible_name("Напишите нам")
    await has_focus(shop.panel.get_by_role("heading"))
    assert await shop.panel.locator("form").count() == 0
    box = await shop.panel.bounding_box()
    assert box is not None
    assert box["x"] < 30


# On the page ----------------------------------------------------------------------------


async def test_anything_on_the_page_can_open_it_and_gets_the_focus_back(
    corner: Visit,
) -> None:
    shop = await corner(
        '<a id="ask" href="/callback" data-skvoz-open="callback"><b>Перезвоните</b></a>'
        '<p data-skvoz="off"><button id="off" data-skvoz-open>Нет</button></p>'
    )
    await shop.launcher.wait_for()
    await shop.page.click("#off")
    assert not await shop.panel.is_visible()
    await shop.page.click("#ask b")
    await shop.panel.wait_for()
    await shop.page.keyboard.press("Escape")
    await expect(shop.panel).to_have_count(0)
    await has_focus(shop.page.locator("#ask"))
    assert shop.page.url.endswith("/")


async def test_a_click_beside_the_panel_closes_it_and_one_inside_does_not(
    corner: Visit,
) -> None:
    shop = await corner()
    await shop.open()
    box = await shop.panel.bounding_box()
    assert box is not None
    await shop.page.mouse.click(box["x"] + 5, box["y"] + 20)
    await expect(shop.panel).to_be_visible()
    await shop.page.mouse.click(20, 20)
    await expect(shop.panel).to_have_count(0)


async def test_the_focus_does_not_leave_the_open_panel_for_the_page(
    corner: Visit,
) -> None:
    shop = await corner('<button id="own">Купить</button>')
    await shop.open()
    for _ in range(25):
        await shop.page.keyboard.press("Tab")
        assert await shop.page.evaluate("document.activeElement.id") != "own"


async def test_shortcuts_of_the_page_do_not_hear_what_is_typed(corner: Visit) -> None:
    shop = await corner(
        "<script>heard = 0; addEventListener('keydown', () => heard++)</script>"
    )
    await shop.open()
    await shop.phone.press_sequentially("8916")
    assert await shop.page.evaluate("heard") == 0


async def test_the_page_is_left_alone_where_its_owner_says_so(corner: Visit) -> None:
    shop = await corner(
        "<script>document.body.dataset.skvoz = 'off'; document.addEventListener('load', event => {"
        " if (/widget/.test(event.target.src)) came = true }, true)</script>"
    )
    await shop.page.wait_for_function("window.came")
    idle = "new Promise(idle => requestIdleCallback(() => requestIdleCallback(idle)))"
    await shop.page.evaluate(f"{idle}.then(() => 0)")
    assert await shop.page.locator("skvoz-widget").count() == 0


async def test_it_speaks_the_pages_language_else_the_browsers(corner: Visit) -> None:
    for lang, locale, title in (
        ("en", "ru-RU", "Request a call"),
        ("ru-RU", "en-GB", "Заказать звонок"),
        ("", "en-GB", "Request a call"),
        ("", "ru-RU", "Заказать звонок"),
        ("de", "ru-RU", "Request a call"),
    ):
        shop = await corner(lang=lang, locale=locale)
        await expect(shop.launcher).to_have_accessible_name(title)
        host = shop.page.locator("skvoz-widget")
        assert await host.get_attribute("lang") == ("en" if title[0] == "R" else "ru")


async def test_the_owners_greeting_stands_above_the_form(
    corner: Visit, tracker: FakeTracker
) -> None:
    tracker.config["widget"] = usual(greeting={"ru": "Поможем выбрать"})
    shop = await corner()
    await shop.open()
    await expect(shop.panel).to_have_accessible_name("Поможем выбрать")


# Looks ----------------------------------------------------------------------------------


async def test_it_looks_as_if_it_belonged_to_the_page(
    corner: Visit, tracker: FakeTracker
) -> None:
    buy = '<button style="background:#0a7d4b">Купить</button>'
    shop = await corner(f"<style>{STYLE}</style>{buy}")
    look = "one => [getComputedStyle(one).backgroundColor, getComputedStyle(one).color]"
    assert await shop.launcher.evaluate(look) == [
        "rgb(10, 125, 75)",
        "rgb(255, 255, 255)",
    ]
    font = await shop.launcher.evaluate("one => getComputedStyle(one).fontFamily")
    assert font == "Georgia"

    tracker.config["widget"] = usual(colour="#ffe14d")
    shop = await corner(buy)
    assert await shop.launcher.evaluate(look) == ["rgb(255, 225, 77)", "rgb(0, 0, 0)"]

    tracker.config["widget"] = usual()
    shop = await corner(
        '<a href="/">Ссылка</a>', head="<style>body{color:#345}</style>"
    )
    assert await shop.launcher.evaluate(look) == [
        "rgb(51, 68, 85)",
        "rgb(255, 255, 255)",
    ]


async def test_owners_change_its_looks_by_properties_and_parts(corner: Visit) -> None:
    shop = await corner(
        head="<style>html{--skvoz-y:90px;--skvoz-font:monospace}"
        "skvoz-widget::part(launcher){border-radius:4px}</style>"
    )
    look = "one => { const s = getComputedStyle(one); return [s.bottom, s.fontFamily, s.borderTopLeftRadius] }"
    assert await shop.launcher.evaluate(look) == ["90px", "monospace", "4px"]


async def test_it_is_not_printed(corner: Visit) -> None:
    shop = await corner()
    await shop.launcher.wait_for()
    await shop.page.emulate_media(media="print")
    assert not await shop.launcher.is_visible()


@pytest.mark.parametrize(("wish", "moves"), [("reduce", 0), ("no-preference", 1)])
async def test_nothing_moves_for_who_wants_it_still(
    corner: Visit, wish: str, moves: int
) -> None:
    shop = await corner(reduced_motion=wish)
    await shop.launcher.wait_for()
    started = await shop.launcher.evaluate(
        "one => { one.click(); return one.getRootNode().getAnimations().length }"
    )
    assert started == moves


@pytest.mark.parametrize(
    ("scheme", "width"),
    [("light", 1280), ("dark", 1280), ("light", 320), ("dark", 320)],
)
async def test_nobody_is_kept_out(
    corner: Visit, tracker: FakeTracker, scheme: str, width: int
) -> None:
    tracker.answers["/v1/contacts"] = fake.says("no", 400)
    tracker.config["widget"] = usual(policy="https://acme.example/data")
    shop = await corner(
        color_scheme=scheme,
        viewport={"width": width, "height": 700},
        reduced_motion="reduce",
    )
    await shop.launcher.wait_for()
    assert await shop.obstacles() == []
    dark = "getComputedStyle(document.querySelector('skvoz-widget').shadowRoot.querySelector('dialog')).colorScheme"
    await shop.ask("8916")
    assert await shop.page.evaluate(dark) == scheme
    assert await shop.obstacles() == []

    assert await shop.page.evaluate(
        "document.documentElement.scrollWidth <= innerWidth"
    )
    small = await shop.panel.evaluate(
        """panel => [...panel.querySelectorAll('button, a, select, input, label')]
            .filter(one => !one.closest('.agree') || one.matches('.agree'))
            .map(one => [one.outerHTML.slice(0, 80), one.getBoundingClientRect()])
            .filter(([, box]) => box.height < 44 || box.width < 44 || box.right > innerWidth)"""
    )
    assert small == []

    await shop.phone.fill("89161234567")
    await shop.panel.get_by_role("checkbox").check()
    await shop.send.click()
    await says(shop.panel.get_by_role("alert"), "Не получилось")
    assert await shop.obstacles() == []
    tracker.answers["/v1/contacts"] = fake.says({"contact": "c1"}, 202)
    await shop.send.click()
    await says(shop.panel.get_by_role("status"), "Перезвоним")
    assert await shop.obstacles() == []


@pytest.mark.parametrize("colour", ["#ffe14d", "#777777", "#ff0000"])
async def test_any_colour_of_the_owners_can_be_read(
    corner: Visit, tracker: FakeTracker, colour: str
) -> None:
    tracker.config["widget"] = usual(colour=colour)
    shop = await corner(reduced_motion="reduce")
    await shop.open()
    assert await shop.obstacles() == []


async def test_nothing_on_the_page_moves(corner: Visit) -> None:
    shop = await corner(
        "<p>Текст</p>" * 60,
        head="<script>moved = 0; new PerformanceObserver(list => { for (const one of list.getEntries())"
        " moved += one.value }).observe({type: 'layout-shift', buffered: true})</script>",
    )
    before = await shop.page.evaluate("document.documentElement.scrollHeight")
    await shop.open()
    await shop.page.keyboard.press("Escape")
    await shop.page.evaluate(
        "new Promise(drawn => requestAnimationFrame(() => requestAnimationFrame(drawn)))"
    )
    assert await shop.page.evaluate("moved") == 0
    assert await shop.page.evaluate("document.documentElement.scrollHeight") == before


async def test_the_strictest_policy_finds_nothing_to_refuse(
    corner: Visit, tracker: FakeTracker
) -> None:
    policy = (
        f"default-src 'none'; script-src {tracker.api}; connect-src {tracker.api}; "
        "require-trusted-types-for 'script'; trusted-types skvoz"
    )
    shop = await corner(
        head=f'<meta http-equiv="Content-Security-Policy" content="{policy}">'
    )
    await shop.ask("89161234567")
    await says(shop.panel, "Спасибо!")
    radius = await shop.send.evaluate(
        "one => getComputedStyle(one).borderTopLeftRadius"
    )
    assert radius == "10px"  # it is dressed


# On the real server ---------------------------------------------------------------------


async def test_a_request_becomes_a_contact_with_its_source(
    database_url: str,
    redis_url: str,
    valkey: redis.asyncio.Redis,
    pool: database.Pool,
    tmp_path: Path,
    tracker: FakeTracker,  # for its pages only
    visit: Callable[[str], Awaitable[Window]],
) -> None:
    async with NextHop() as hop:
        await whole.acme(pool, next_hop=hop.address)
        await pool.execute(
            """UPDATE sites SET settings = settings || '{"widget": {"callback": true}}'"""
        )
        async with whole.server(database_url, redis_url, pool, tmp_path) as server:
            page = tracker.page(
                "", head=f'<script src="{server.address}/s/acme.js"></script>'
            )
            window = await visit(page + "?utm_source=yandex&utm_medium=cpc")
            await window.until("window.skvoz && skvoz.S.session()")
            corner = Corner(window.page)
            await corner.ask("89161234567")
            await corner.panel.get_by_role("status").locator("button").wait_for()

            found = await whole.until(
                lambda: pool.fetchrow(
                    """
                    SELECT c.kind, c.channel, c.caller, o.source FROM contacts c
                      JOIN sources o ON o.id = c.source_id
                    """
                )
            )
    assert found is not None
    assert tuple(found) == ("form", "callback", "+79161234567", "yandex")
    assert window.errors + corner.errors == []
