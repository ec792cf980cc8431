"""Forms that visitors send become contacts, in a real Chromium, whatever they are made of."""

import json
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any, TypeAlias

import pytest
from aiohttp import web
from playwright.async_api import FilePayload

from tests.browser.conftest import Window
from tests.browser.fake_tracker import FakeTracker
from tests.browser.shop import Shop

Visit: TypeAlias = Callable[[str], Awaitable[Window]]

FIELDS = """
    <input name="name" placeholder="Ваше имя">
    <input type="tel" name="phone" required>
    <input type="email" name="email">
    <textarea name="message"></textarea>
    <input type="hidden" name="csrf" value="secret-token">
    <button>Отправить</button>"""
FORM = f'<form name="order" action="/send" method="post">{FIELDS}</form>'
IVAN = {
    "name": "Иван",
    "phone": "+7 (916) 123-45-67",
    "email": "ivan@client.example",
    "message": "Нужен ремонт,\nсрочно",
}
CONTACT = {
    "site": "acme",
    "session": "s1",
    "channel": "form",
    "name": "Иван",
    "phone": "+79161234567",  # as the page sent it, of which it is the same number
    "email": "ivan@client.example",
    "text": "Нужен ремонт,\nсрочно",
    "fields": {"form": "order"},
}


@pytest.fixture
async def shop(tracker: FakeTracker) -> AsyncIterator[Shop]:
    """A shop whose site captures forms."""
    tracker.config["forms"] = {"fields": {"your-city": "city"}}
    shop = Shop(tracker=tracker.api)
    runner = web.AppRunner(shop.app(), shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    shop.port = runner.addresses[0][1]
    yield shop
    await runner.cleanup()


async def known(window: Window) -> None:
    """Wait until the tracker has told who the visitor is."""
    await window.until("document.documentElement.dataset.skvozSession === 's1'")


async def fill(window: Window, values: dict[str, str], inside: str = "") -> None:
    for name, value in values.items():
        await window.page.fill(f"{inside} [name='{name}']", value)


async def contacts(tracker: FakeTracker, window: Window) -> list[dict[str, Any]]:
    """All contacts told so far: the page tells one more, and what came before has come."""
    end = f"end {len(tracker.told)}"
    await window.page.evaluate("id => skvoz('contact', {id})", end)

    def told() -> list[dict[str, Any]]:
        return [one.copy() for one in tracker.bodies("/v1/contacts")]

    await tracker.until(lambda: any(one["id"] == end for one in told()))
    return [one for one in told() if not one["id"].startswith("end ")]


async def the_contact(tracker: FakeTracker) -> dict[str, Any]:
    """The one contact, once it has come."""
    await tracker.until(lambda: bool(tracker.bodies("/v1/contacts")))
    (contact,) = tracker.bodies("/v1/contacts")
    assert contact.pop("id")
    return contact


def calm(window: Window) -> bool:
    """Neither the page nor the console heard of us."""
    return (window.lines(), window.errors) == ([], [])


# ---- the browser sends ---------------------------------------------------------------------


async def test_a_form_that_leaves_the_page_at_once_is_a_contact(
    tracker: FakeTracker, shop: Shop, visit: Visit
) -> None:
    window = await visit(shop.page(FORM))
    await known(window)
    await fill(window, IVAN)

    await window.page.click("button")
    await window.page.wait_for_url("**/send")

    assert await the_contact(tracker) == CONTACT
    (posted,) = await shop.posted()
    assert posted.fields["phone"] == IVAN["phone"]
    assert posted.fields["csrf"] == "secret-token"
    assert posted.fields["skvoz_session"] == "s1"  # for the site's own server
    assert calm(window)


async def test_a_form_that_a_script_submits_is_a_contact(
    tracker: FakeTracker, shop: Shop, visit: Visit
) -> None:
    script = "<script>go = () => document.forms.order.submit()</script>"
    window = await visit(shop.page(FORM + script))
    await known(window)
    await fill(window, IVAN)

    await window.page.evaluate("go()")

    await window.page.wait_for_url("**/send")
    assert await the_contact(tracker) == CONTACT


async def test_a_form_that_the_browser_or_the_page_holds_back_is_none(
    tracker: FakeTracker, shop: Shop, visit: Visit
) -> None:
    script = """<script>
        tries = 0;
        document.forms.order.addEventListener('invalid', () => tries++, true);
        document.forms.order.onsubmit = event => {
            new FormData(event.target);
            tries++;
            return event.target.message.value != '';
        }</script>"""
    window = await visit(shop.page(FORM + script))
    await known(window)
    await fill(window, {"email": "ivan@client.example"})

    await window.page.click("button")  # the phone is required
    await window.until("tries === 1")
    await fill(window, {"phone": "89161234567"})
    await window.page.click("button")
    await window.until("tries === 2")

    assert await contacts(tracker, window) == []
    assert shop.posts == []
    assert calm(window)


async def test_a_form_without_a_phone_or_an_email_is_none(
    tracker: FakeTracker, shop: Shop, visit: Visit
) -> None:
    form = """<form action="/send" method="post" target="frame">
        <input name="name"><input name="phone" value="+7 (___) ___-__-__">
        <input name="sum" value="79161234567"><button>1</button></form>
        <iframe name="frame"></iframe>"""
    window = await visit(shop.page(form))
    await known(window)
    await fill(window, {"name": "Иван"})

    await window.page.click("button")

    (posted,) = await shop.posted()
    assert "skvoz_session" not in posted.fields
    assert await contacts(tracker, window) == []


async def test_a_form_sent_to_somebody_else_is_a_contact_but_gets_no_field_more(
    tracker: FakeTracker, shop: Shop, visit: Visit
) -> None:
    address = f"http://127.0.0.1:{shop.port}/send"
    window = await visit(shop.page(FORM.replace("/send", address)))
    await known(window)
    await fill(window, IVAN)

    await window.page.click("button")
    await window.page.wait_for_url(address)

    assert await the_contact(tracker) == CONTACT
    (posted,) = await shop.posted()
    assert "skvoz_session" not in posted.fields


async def test_inputs_called_as_a_forms_own_properties_do_no_harm(
    tracker: FakeTracker, shop: Shop, visit: Visit
) -> None:
    names = ("action", "method", "id", "name", "submit")
    inputs = "".join(f'<input type="hidden" name="{name}">' for name in names)
    form = FORM.replace('name="order"', "").replace("<button", inputs + "<button")
    window = await visit(shop.page(form))
    await known(window)
    await fill(window, {"phone": "89161234567"})

    await window.page.click("button")

    assert (await the_contact(tracker))["phone"] == "89161234567"
    assert calm(window)


# ---- a script sends ------------------------------------------------------------------------

SENDERS = {
    "fetch, FormData": "fetch('/send', {method: 'POST', body: new FormData(form)})",
    "fetch, URLSearchParams": (
        "fetch('/send', {method: 'post', body: new URLSearchParams(new FormData(form))})"
    ),
    "fetch, JSON": "fetch('/send', {method: 'PUT', body: JSON.stringify(values(form))})",
    "fetch, Request": (
        "fetch(new Request('/send', {method: 'POST', body: JSON.stringify(values(form))}))"
    ),
    "fetch, later": (
        "new Promise(go => setTimeout(go, 300)).then("
        "() => fetch('/send', {method: 'POST', body: new FormData(form)}))"
    ),
    "XHR, FormData": "xhr(new FormData(form))",
    "XHR, urlencoded": (
        "xhr(Object.entries(values(form)).map(pair => pair.map(encodeURIComponent)"
        ".join('=').replace(/%20/g, '+')).join('&'))"
    ),
    "XHR, JSON of digits": (
        "xhr(JSON.stringify({to: values(form).phone.replace(/\\D/g, '').slice(1)}))"
    ),
}
SCRIPT = """<script>
    const values = form => Object.fromEntries(new FormData(form));
    const xhr = body => new Promise(done => {
        const request = new XMLHttpRequest();
        request.open('POST', '/send');
        request.onload = done;
        request.send(body);
    });
    answered = 0;
    document.forms.order.addEventListener('submit', async event => {
        event.preventDefault();
        const form = event.target;
        await SEND;
        form.reset();
        answered++;
    });</script>"""


@pytest.mark.parametrize("sender", SENDERS)
async def test_a_form_that_a_script_sends_is_a_contact_however_it_is_sent(
    tracker: FakeTracker, shop: Shop, visit: Visit, sender: str
) -> None:
    script = SCRIPT.replace("SEND", SENDERS[sender])
    window = await visit(shop.page(FORM.replace("/send", "") + script))
    await known(window)
    await fill(window, IVAN)

    await window.page.press("[name=phone]", "Enter")

    contact = await the_contact(tracker)
    if "digits" in sender:
        assert (
            contact.pop("phone") == IVAN["phone"]
        )  # in full, though ten digits were sent
        assert contact == {name: CONTACT[name] for name in CONTACT if name != "phone"}
    else:
        assert contact == CONTACT
    assert len(shop.posts) == 1
    assert calm(window)


@pytest.mark.parametrize("status", [400, 422])
async def test_what_the_sites_server_refuses_is_no_contact_until_it_is_mended(
    tracker: FakeTracker, shop: Shop, visit: Visit, status: int
) -> None:
    shop.answers["/send"] = (status, '{"error": "name"}')
    script = SCRIPT.replace("form.reset()", "0").replace(
        "SEND", SENDERS["XHR, FormData"]
    )
    window = await visit(shop.page(FORM + script))
    await known(window)
    await fill(window, IVAN | {"name": "I"})

    await window.page.click("button")
    await window.until("answered === 1")
    assert await contacts(tracker, window) == []

    del shop.answers["/send"]
    await fill(window, {"name": "Иван"})
    await window.page.click("button")
    await window.until("answered === 2")

    (contact,) = await contacts(tracker, window)
    assert contact["name"] == "Иван"


@pytest.mark.parametrize("sender", ["fetch, JSON", "XHR, FormData"])
async def test_what_the_sites_server_has_lost_is_a_contact(
    tracker: FakeTracker, shop: Shop, visit: Visit, sender: str
) -> None:
    shop.answers["/send"] = (500, "<h1>Fatal error</h1>")
    window = await visit(shop.page(FORM + SCRIPT.replace("SEND", SENDERS[sender])))
    await known(window)
    await fill(window, IVAN)

    await window.page.click("button")

    assert await the_contact(tracker) == CONTACT


async def test_a_request_that_the_page_did_not_wait_for_is_a_contact(
    tracker: FakeTracker, shop: Shop, visit: Visit
) -> None:
    script = SCRIPT.replace(
        "await SEND",
        "fetch('http://127.0.0.1:9/', {method: 'POST', mode: 'no-cors', keepalive: true,"
        " body: new FormData(form)}).catch(() => {}); location = '/thanks'",
    )
    window = await visit(shop.page(FORM + script))
    await known(window)
    await fill(window, IVAN)

    await window.page.click("button")

    await window.page.wait_for_url("**/thanks")
    assert await the_contact(tracker) == CONTACT


async def test_fields_that_are_in_no_form_are_a_contact(
    tracker: FakeTracker, shop: Shop, visit: Visit
) -> None:
    body = """<input type="search" name="q">
        <div class="popup"><div><input name="fio"></div><div><input id="phone"></div>
        <div class="btn" onclick="fetch('/send', {method: 'POST', body: JSON.stringify(
            {fio: document.querySelector('[name=fio]').value, tel: phone.value})})">
        Перезвоните мне</div></div>"""
    window = await visit(shop.page(body))
    await known(window)
    await fill(window, {"q": "ремонт", "fio": "Пётр"})
    await window.page.fill("#phone", "8 916 123 45 67")

    await window.page.click(".btn")

    contact = await the_contact(tracker)
    assert (contact["name"], contact["phone"]) == ("Пётр", "8 916 123 45 67")
    assert contact["fields"] == {}


async def test_what_was_typed_while_the_page_was_still_loading_is_in_the_contact(
    tracker: FakeTracker, shop: Shop, visit: Visit
) -> None:
    body = """<img src="/slow"><input name="name"><input name="phone">
        <button onclick="fetch('/send', {method: 'POST', body: JSON.stringify(
            Array.from(document.querySelectorAll('input'), one => one.value))})">1</button>"""
    window = await visit("about:blank")
    await window.page.goto(shop.page(body), wait_until="commit")
    await fill(window, {"name": "Пётр", "phone": "89161234567"})

    shop.hurry.set()
    await known(window)
    await window.page.click("button")

    contact = await the_contact(tracker)
    assert (contact["name"], contact["phone"]) == ("Пётр", "89161234567")


async def test_a_button_that_stands_outside_its_form_sends_it(
    tracker: FakeTracker, shop: Shop, visit: Visit
) -> None:
    body = f"""<form name="order"><div>{FIELDS.replace("button", "i")}</div></form>
        <form><button type="button" onclick="fetch('/send',
            {{method: 'POST', body: new FormData(document.forms.order)}})">1</button></form>"""
    window = await visit(shop.page(body))
    await known(window)
    await fill(window, IVAN)

    await window.page.click("button")

    assert await the_contact(tracker) == CONTACT


# ---- builders ------------------------------------------------------------------------------

# Tilda: help.tilda.cc and the forms of published pages; a click on the button checks and sends.
TILDA = """<div id="rec1" class="r t-rec"><form id="form1" name="form1" role="form" method="POST"
    data-formactiontype="2" data-inputbox=".t-input-group" class="t-form js-form-proccess">
    <input type="hidden" name="formservices[]" value="b51b3983" class="js-formaction-services">
    <input type="hidden" name="tildaspec-formname" value="Cart">
    <div class="t-input-group t-input-group_nm"><input type="text" name="Name"
        class="t-input js-tilda-rule" placeholder="Имя" data-tilda-rule="name"></div>
    <div class="t-input-group t-input-group_ph"><div class="t-input t-input-phonemask__wrap">
        <span class="t-input-phonemask__select-code">+375</span>
        <input type="tel" class="t-input t-input-phonemask" name="tildaspec-phone-part[]"
            placeholder="(00) 000-00-00" data-tilda-req="1">
        <input type="hidden" class="js-phonemask-result js-tilda-rule" name="Phone"></div></div>
    <button type="submit" class="t-submit">Отправить</button></form></div>
    <script>
    document.querySelector('.t-submit').addEventListener('click', event => {
        event.preventDefault();
        const form = event.target.closest('form');
        const part = form.querySelector('.t-input-phonemask');
        if (part.value.length < 14) return form.classList.add('js-send-form-error');
        form.Phone.value = '+375 ' + part.value;
        const request = new XMLHttpRequest();
        request.open('POST', '/procces/');
        request.onload = () => form.dispatchEvent(
            new Event('tildaform:aftersuccess', {bubbles: true}));
        request.setRequestHeader('Content-Type', 'application/x-www-form-urlencoded');
        request.send(new URLSearchParams(new FormData(form)).toString());
    });
    </script>"""


async def test_a_form_of_tilda_is_a_contact_with_the_phone_in_full(
    tracker: FakeTracker, shop: Shop, visit: Visit
) -> None:
    window = await visit(shop.page(TILDA))
    await known(window)
    part = "[name='tildaspec-phone-part[]']"
    await window.page.fill("[name=Name]", "Ольга")
    await window.page.fill(part, "(29) 123-45")
    await window.page.click(".t-submit")
    await window.page.locator(".js-send-form-error").wait_for()
    assert await contacts(tracker, window) == []

    await window.page.fill(part, "(29) 123-45-67")
    await window.page.click(".t-submit")
    await shop.posted()
    await tracker.until(lambda: len(tracker.bodies("/v1/contacts")) == 2)

    (contact,) = await contacts(tracker, window)
    assert (contact["name"], contact["phone"]) == ("Ольга", "+375291234567")
    assert contact["fields"] == {"form": "form1"}


# Contact Form 7: includes/js/src/submit.js of the plugin; the answer is always 200.
CF7 = """<div class="wpcf7" id="wpcf7-f5-o1"><form class="wpcf7-form init" novalidate
    action="/#wpcf7-f5-o1" method="post" aria-label="Contact form">
    <input type="hidden" name="_wpcf7" value="5">
    <p><label>Ваше имя<br><span class="wpcf7-form-control-wrap" data-name="text-1">
        <input type="text" name="text-1" class="wpcf7-form-control wpcf7-text"
            placeholder="Имя" value=""></span></label>
    <input type="tel" name="tel-2" class="wpcf7-form-control wpcf7-tel" value="">
    <select name="your-city"><option>Москва<option>Тверь</select>
    <textarea name="your-message" class="wpcf7-form-control wpcf7-textarea"></textarea>
    <input class="wpcf7-form-control wpcf7-submit" type="submit" value="Отправить"></form></div>
    <script>
    heard = [];
    document.querySelector('.wpcf7-form').addEventListener('submit', event => {
        const form = event.target;
        const formData = new FormData(form);
        const tell = (name, detail) => form.dispatchEvent(
            new CustomEvent('wpcf7' + name, {bubbles: true, detail}));
        event.preventDefault();
        fetch('/wp-json/contact-form-7/v1/contact-forms/5/feedback', {
            method: 'POST', body: formData,
        }).then(answer => answer.json()).then(({status}) => {
            const detail = {contactFormId: 5, status, formData};
            tell({mail_sent: 'mailsent', mail_failed: 'mailfailed', spam: 'spam',
                  validation_failed: 'invalid'}[status], detail);
            tell('submit', detail);
            if (status == 'mail_sent') form.reset();
            heard.push(status);
        });
    });
    </script>"""


@pytest.mark.parametrize(
    ("status", "count"),
    [("mail_sent", 1), ("mail_failed", 1), ("validation_failed", 0), ("spam", 0)],
)
async def test_a_form_of_contact_form_7_is_a_contact_unless_it_was_refused(
    tracker: FakeTracker, shop: Shop, visit: Visit, status: str, count: int
) -> None:
    path = "/wp-json/contact-form-7/v1/contact-forms/5/feedback"
    shop.answers[path] = (200, json.dumps({"status": status}))
    window = await visit(shop.page(CF7))
    await known(window)
    await fill(window, {"text-1": "Иван", "tel-2": "+7 916 123-45-67"})
    await window.page.select_option("[name=your-city]", "Тверь")
    await window.page.click("[type=submit]")
    await window.until(f"heard[0] === '{status}'")

    told = await contacts(tracker, window)

    assert len(told) == count
    for contact in told:
        assert (contact["name"], contact["phone"]) == ("Иван", "+79161234567")
        assert contact["fields"] == {"city": "Тверь"}
    assert calm(window)


# Bitrix24 CRM forms: markup of published forms (class b24-form); values go as one JSON text.
B24 = """<div class="b24-form"><div id="b24-1" class="b24-form-wrapper"><form method="post"
    novalidate="novalidate"><div class="b24-form-field b24-form-field-name">
    <input name="name" autocomplete="given-name" type="string" class="b24-form-control"></div>
    <div class="b24-form-field"><input name="lastname" autocomplete="family-name" type="string"
        class="b24-form-control"></div>
    <div class="b24-form-field b24-form-field-phone"><input name="phone" autocomplete="tel"
        type="tel" class="b24-form-control"></div>
    <button type="submit" class="b24-form-btn">Отправить</button></form></div></div>"""
B24_SCRIPT = """
    root.querySelector('form').addEventListener('submit', event => {
        event.preventDefault();
        const [name, last, phone] = event.target.elements;
        const data = new FormData();
        data.set('id', 7);
        data.set('values', JSON.stringify({LEAD_NAME: [name.value], LEAD_LAST_NAME: [last.value],
            LEAD_PHONE: [phone.value]}));
        const request = new view.XMLHttpRequest();
        request.open('POST', '/bitrix/services/main/ajax.php?action=crm.site.form.fill');
        request.send(data);
    });"""
PLACES = {
    "page": f"{B24}<script>root = document; view = window; {B24_SCRIPT}</script>",
    "shadow": f"""<div id="host"></div><script>
        root = host.attachShadow({{mode: 'open'}}); view = window;
        root.innerHTML = `{B24}`; {B24_SCRIPT}</script>""",
    "frame": f"""<iframe id="frame"></iframe><script>
        root = frame.contentDocument; view = frame.contentWindow;
        root.body.innerHTML = `{B24}`; {B24_SCRIPT}</script>""",
}


@pytest.mark.parametrize("place", PLACES)
async def test_a_form_of_bitrix24_is_a_contact_wherever_it_stands(
    tracker: FakeTracker, shop: Shop, visit: Visit, place: str
) -> None:
    window = await visit(shop.page(PLACES[place]))
    await known(window)
    root: Any = window.page.frame_locator("#frame") if place == "frame" else window.page
    await root.locator("[name=name]").fill("Иван")
    await root.locator("[name=lastname]").fill("Петров")
    await root.locator("[name=phone]").fill("+7 916 123-45-67")

    await root.locator("button").click()

    contact = await the_contact(tracker)
    assert (contact["name"], contact["phone"]) == ("Иван Петров", "+79161234567")
    assert calm(window)


async def test_a_native_form_in_a_shadow_root_is_a_contact(
    tracker: FakeTracker, shop: Shop, visit: Visit
) -> None:
    body = f"""<div id="host"></div><script>
        host.attachShadow({{mode: 'open'}}).innerHTML = `{FORM}`</script>"""
    window = await visit(shop.page(body))
    await known(window)
    await fill(window, IVAN)

    await window.page.click("button")
    await window.page.wait_for_url("**/send")

    assert await the_contact(tracker) == CONTACT


# ---- steps ---------------------------------------------------------------------------------

STEPS = {
    "each in a form of its own": """
        const step = (html, done) => {
            quiz.innerHTML = '<form>' + html + '<button>next</button></form>';
            quiz.firstChild.onsubmit = event => {
                event.preventDefault();
                Object.assign(all, Object.fromEntries(new FormData(event.target)));
                done();
            };
        };
        const start = () => step('<input name="your-city">', () =>
            step('<input name="name">', () => step('<input name="tel">', send)));""",
    "in one input": """
        quiz.innerHTML = '<input><button>next</button>';
        const [input, button] = quiz.children;
        const steps = ['your-city', 'name', 'tel'];
        const start = () => {
            input.name = steps.shift() || '';
            input.value = '';
            button.onclick = () => {
                all[input.name] = input.value;
                if (steps.length) start(); else send();
            };
        };""",
}


@pytest.mark.parametrize("steps", STEPS)
async def test_what_was_told_in_earlier_steps_is_in_the_contact(
    tracker: FakeTracker, shop: Shop, visit: Visit, steps: str
) -> None:
    window = await visit(
        shop.page(
            f"""<div id="quiz"></div><script>all = {{}}; {STEPS[steps]}
            const send = () => fetch('/send', {{method: 'POST', body: JSON.stringify(all)}});
            start();</script>"""
        )
    )
    await known(window)
    answers = {"your-city": "Тверь", "name": "Иван", "tel": "8 (916) 123-45-67"}
    for name, value in answers.items():
        await window.page.fill(f"[name='{name}']", value)
        await window.page.click("button")

    contact = await the_contact(tracker)

    assert (contact["name"], contact["phone"]) == ("Иван", "8 (916) 123-45-67")
    assert contact["fields"] == {"city": "Тверь"}


# ---- what is never told --------------------------------------------------------------------


async def test_passwords_cards_files_and_hidden_inputs_are_never_told(
    tracker: FakeTracker, shop: Shop, visit: Visit
) -> None:
    never = {
        "pass": '<input type="password" name="pass" value="hunter2-PRIVATE">',
        "number": '<input name="number" value="4111 1111 1111 1111 PRIVATE">',
        "code": '<input name="code" autocomplete="cc-csc" value="PRIVATE">',
        "cvv": '<input name="CVV" value="123 PRIVATE">',
        "card_name": '<input name="card_name" value="IVAN PRIVATE">',
        "token": '<input type="hidden" name="token" value="PRIVATE">',
        "agree": '<input type="checkbox" name="agree" value="PRIVATE">',
        "off": '<p data-skvoz="off"><input name="off" value="PRIVATE"></p>',
        "message": "<textarea name=message>4111-1111-1111-1111 PRIVATE</textarea>",
        "company": '<input name="company" placeholder="Компания" value="PRIVATE">',
    }
    # The owner's mapping does not let them out either.
    fields = {name: name for name in never if name not in ("message", "company")}
    tracker.config["forms"] = {"fields": fields | {"CVV": "cvv", "doc": "doc"}}
    form = f"""<form action="/send" method="post" enctype="multipart/form-data">
        <input name="name" value="Иван"><input name="tel" value="89161234567">
        {"".join(never.values())}<input type="file" name="doc"><button>1</button></form>"""
    window = await visit(shop.page(form))
    await known(window)
    document: FilePayload = {
        "name": "PRIVATE.txt",
        "mimeType": "text/plain",
        "buffer": b"PRIVATE",
    }
    await window.page.set_input_files("[name=doc]", document)

    await window.page.click("button")

    contact = await the_contact(tracker)
    assert "PRIVATE" not in json.dumps(contact)
    assert contact["phone"] == "89161234567"
    assert contact["fields"] == {}


async def test_a_form_that_opted_out_and_a_login_are_no_contacts_a_registration_is(
    tracker: FakeTracker, shop: Shop, visit: Visit
) -> None:
    def form(name: str, inputs: str) -> str:
        return f"""<form name="{name}" action="/send" method="post" target="frame">
            <input type="email" name="email" value="{name}@client.example">{inputs}
            <button>1</button></form>"""

    password = '<input type="password" name="password" value="hunter2">'
    window = await visit(
        shop.page(
            f'<div data-skvoz="off">{form("off", "")}</div>{form("login", password)}'
            f"{form('register', password + '<input name=name value=Иван>')}"
            '<iframe name="frame"></iframe>'
        )
    )
    await known(window)

    for count, name in enumerate(("off", "login", "register"), 1):
        await window.page.click(f"form[name={name}] button")
        await shop.posted(count)

    told = await contacts(tracker, window)
    assert [one["email"] for one in told] == ["register@client.example"]


async def test_requests_that_the_visitor_did_not_ask_for_are_no_contacts(
    tracker: FakeTracker, shop: Shop, visit: Visit
) -> None:
    script = """<script>
        const phone = document.forms.order.phone;
        answers = 0;
        const post = body => fetch('/send', {method: 'POST', body}).then(() => answers++);
        const send = () => post(JSON.stringify({query: phone.value}));
        document.forms.order.oninput = send;  // suggestions
        document.forms.order.onclick = send;  // a recorder of what visitors do
        const other = () => {
            fetch('/search?q=' + phone.value).then(() => answers++);
            post('nothing of the visitor: 123');
            post();
            post(new Blob([phone.value]));
        };
        </script><ul><li onclick="send()">suggestion</li></ul>
        <button id="other" onclick="other()">1</button>"""
    window = await visit(shop.page(FORM + script))
    await known(window)

    await fill(window, {"phone": "89161234567"})
    await window.page.click("[name=phone]")
    await window.page.click("li")
    await window.page.click("#other")
    await window.until("answers === 7")

    assert await contacts(tracker, window) == []
    assert calm(window)


async def test_a_form_sent_twice_is_one_contact_and_another_one_is_another(
    tracker: FakeTracker, shop: Shop, visit: Visit
) -> None:
    script = SCRIPT.replace("form.reset()", "0").replace("SEND", SENDERS["fetch, JSON"])
    window = await visit(shop.page(FORM + script))
    await known(window)
    await fill(window, IVAN)
    await window.page.dblclick("button")
    await window.until("answered === 2")
    assert len(await contacts(tracker, window)) == 1

    await fill(window, {"name": "Пётр", "phone": "89161234568"})
    await window.page.click("button")
    await window.until("answered === 3")

    told = await contacts(tracker, window)
    assert [one["name"] for one in told] == ["Иван", "Пётр"]
    assert told[0]["id"] != told[1]["id"]


# ---- consent and session -------------------------------------------------------------------


async def test_before_consent_a_form_says_nothing_of_the_visitor_and_after_a_refusal_none_is(
    tracker: FakeTracker, shop: Shop, visit: Visit
) -> None:
    tracker.config["consent"] = "wait"
    script = SCRIPT.replace("SEND", SENDERS["fetch, FormData"])
    window = await visit(shop.page(FORM + script) + "?utm_source=yandex&uid=77")
    await fill(window, IVAN)
    await window.page.click("button")
    await window.until("answered === 1")
    (contact,) = await contacts(tracker, window)
    assert not contact.keys() & {"session", "visitor"}
    assert contact["phone"] == "+79161234567"
    assert "utm_source=yandex" in contact["url"]

    await window.page.evaluate("skvoz('consent', false)")
    await fill(window, IVAN | {"name": "Пётр"})
    await window.page.click("button")
    await window.until("answered === 2")

    assert len(await contacts(tracker, window)) == 1
    assert (
        await window.page.evaluate("document.documentElement.dataset.skvozSession")
        is None
    )


async def test_fields_for_the_session_are_filled_whenever_they_come(
    tracker: FakeTracker, shop: Shop, visit: Visit
) -> None:
    field = '<input type="hidden" name="skvoz_session">'
    window = await visit(
        shop.page(
            f'<form action="/send" method="post">{field}<button>1</button></form>'
        )
    )
    await known(window)
    first = "document.querySelector('[name=skvoz_session]').value === 's1'"
    await window.until(first)
    await window.page.evaluate(
        "document.body.insertAdjacentHTML('beforeend', `<p id=late>${field}</p>`)".replace(
            "${field}", field
        )
    )
    await window.until("late.firstChild.value === 's1'")

    await window.page.click("button")

    (posted,) = await shop.posted()  # though it is no contact
    assert posted.fields == {"skvoz_session": "s1"}


# ---- the page's own ------------------------------------------------------------------------


async def test_the_pages_own_requests_are_what_they_were(
    tracker: FakeTracker, shop: Shop, visit: Visit
) -> None:
    window = await visit(shop.page(FORM))
    await known(window)
    await fill(window, IVAN)
    await window.page.press("[name=phone]", "End")
    await window.page.keyboard.press("Shift")
    seen = await window.page.evaluate(
        """async () => {
            const seen = {};
            const form = document.forms.order;
            const failure = async (work) => {
                try { await work(); } catch (error) { return error.name + ': ' + error.message; }
            };
            // Soon after the visitor's wish to send, as all of it is looked at then.
            form.dispatchEvent(new KeyboardEvent('keydown', {key: 'Enter', bubbles: true}));
            const post = (body, more) => ({method: 'POST', body, ...more});
            seen.name = fetch.name + fetch.length + XMLHttpRequest.prototype.send.name;
            seen.native = fetch.toString().includes('[native code]');
            seen.wrongThis = await failure(() => fetch.call({}, '/send'));
            seen.noArguments = await failure(() => fetch());
            seen.badMethod = await failure(() => fetch('/send', post('x', {method: 'P OST'})));
            seen.xhr = await failure(() => new XMLHttpRequest().send('x'));
            const control = new AbortController();
            const reason = {};
            const aborted = fetch('/send', post(form.phone.value, {signal: control.signal}));
            control.abort(reason);
            seen.reason = await aborted.then(() => false, error => error === reason);
            const request = new Request('/send', post(form.phone.value));
            const answer = await fetch(request);
            seen.request = [request.bodyUsed, answer instanceof Response, answer.bodyUsed];
            seen.again = await failure(() => fetch(request));
            const reader = (await fetch('/send', post(new FormData(form)))).body.getReader();
            seen.stream = new TextDecoder().decode((await reader.read()).value);
            const blob = new Blob([form.phone.value]);
            seen.blob = (await fetch('/send', post(blob))).status;
            seen.url = (await fetch(new URL('/send', location), post(blob))).status;
            const failed = fetch('http://127.0.0.1:9/', post(form.phone.value));
            seen.failure = await failure(() => failed);
            return seen;
        }"""
    )

    assert seen == {
        "name": "fetch1send",
        "native": True,
        "wrongThis": "TypeError: Failed to execute 'fetch' on 'Window': Illegal invocation",
        "noArguments": (
            "TypeError: Failed to execute 'fetch' on 'Window': "
            "1 argument required, but only 0 present."
        ),
        "badMethod": (
            "TypeError: Failed to execute 'fetch' on 'Window': "
            "'P OST' is not a valid HTTP method."
        ),
        "xhr": (
            "InvalidStateError: Failed to execute 'send' on 'XMLHttpRequest': "
            "The object's state must be OPENED."
        ),
        "reason": True,
        "request": [True, True, False],
        "again": (
            "TypeError: Failed to execute 'fetch' on 'Window': "
            "Cannot construct a Request with a Request object that has already been used."
        ),
        "stream": "{}",
        "blob": 200,
        "url": 200,
        "failure": "TypeError: Failed to fetch",
    }


# ---- what fields are -----------------------------------------------------------------------

PHONE = "8 916 123-45-67"
MAIL = "ivan@client.example"
KINDS = {
    "phone": (
        '<input type="tel" name="f1">',
        '<input name="tel">',
        '<input type="number" name="mobile_phone">',
        '<input name="f2" placeholder="Ваш телефон">',
        '<input name="f3" placeholder="+7 (999) 999-99-99" aria-label="Телефон">',
        '<input name="user_tel" autocomplete="tel-national">',
        '<input name="f4" class="js-phone-mask">',
    ),
    "email": (
        '<input type="email" name="f5">',
        '<input name="user_email">',
        '<input name="f6" placeholder="Эл. почта">',
        '<input name="f7" placeholder="Телефон или e-mail">',
    ),
    "name": (
        '<input name="name">',
        '<input name="form_name_1" placeholder="Как вас зовут?">',
        '<input name="f8" placeholder="Ф.И.О. / ФИО">',
        '<input name="userName">',
        '<input name="f9" autocomplete="given-name">',
        '<input name="your-name">',
    ),
    "text": (
        '<textarea name="f10"></textarea>',
        '<input name="comment">',
        '<input name="f11" placeholder="Сообщение">',
    ),
    None: (
        '<input name="company_name">',
        '<input name="f12" placeholder="Город">',
        '<input type="search" name="f13" placeholder="Имя">',
        '<input name="hotel" placeholder="Отель">',
        '<input type="date" name="name_day">',
    ),
}


async def test_fields_are_known_by_what_they_are_called(
    tracker: FakeTracker, shop: Shop, visit: Visit
) -> None:
    cases = [(key, markup) for key, markups in KINDS.items() for markup in markups]
    values = {"phone": PHONE, "email": MAIL, "name": "Иван", "text": "Здравствуйте"}
    forms = []
    for number, (key, markup) in enumerate(cases):
        # One that is known stands beside the one in question, so that each form is a contact.
        other = "email" if key != "email" else "tel"
        value = MAIL if key != "email" else PHONE
        forms.append(
            f'<form name="c{number}">{markup}<input type="{other}" name="known"'
            f' value="{value}"><button>1</button></form>'
        )
    script = """<script>addEventListener('submit', event => {
        event.preventDefault();
        fetch('/send', {method: 'POST', body: new FormData(event.target)});
    })</script>"""
    window = await visit(shop.page("".join(forms) + script))
    await known(window)
    for number, (key, markup) in enumerate(cases):
        value = values[key or "name"]
        if 'type="number"' in markup:
            value = "89161234567"
        if 'type="date"' in markup:
            value = "2026-01-31"
        await window.page.fill(f"form[name=c{number}] > :first-child", value)
        await window.page.click(f"form[name=c{number}] button")

    await tracker.until(lambda: len(tracker.bodies("/v1/contacts")) == len(cases))
    told = {one["fields"]["form"]: one for one in await contacts(tracker, window)}

    def kind(contact: dict[str, Any], known: str) -> str | None:
        found = [key for key in values if key in contact and key != known]
        return found[0] if len(found) == 1 else (None if not found else str(found))

    read = [
        (kind(told[f"c{number}"], "email" if key != "email" else "phone"), markup)
        for number, (key, markup) in enumerate(cases)
    ]
    assert read == cases
