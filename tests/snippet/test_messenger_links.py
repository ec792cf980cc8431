"""Links to messengers carry the session, each in the way its messenger hands on."""

import json
import subprocess
from urllib.parse import parse_qs, urlsplit
from uuid import UUID

import pytest

from tests import make
from tracker import ids
from web import snippet_build

MODULE = snippet_build.ROOT / "web/snippet/messenger_links.js"
SESSION = UUID("01a2025f-fec5-801e-8902-ef52ae16dd6b")
OTHER = UUID("01a2025f-fec5-801e-8902-ef52ae16dd6c")
CODE = ids.code(SESSION)
LINE = f"Номер обращения: {CODE}"
SCRIPT = """
import { code, withSession } from '%s';
import { readFileSync } from 'fs';
const asked = JSON.parse(readFileSync(0));
const answers = asked.map(([name, ...given]) => ({ code, withSession })[name](...given));
console.log(JSON.stringify(answers));
"""


def ask(*questions: tuple[str, ...]) -> list[str | None]:
    """The module's answers, in one run of Node."""
    script = SCRIPT % MODULE.as_uri()
    done = subprocess.run(
        [*snippet_build.find_node().node, "--input-type=module", "-e", script],
        input=json.dumps(questions),
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    answers: list[str | None] = json.loads(done.stdout)
    return answers


def dress(url: str, language: str = "ru") -> str | None:
    (answer,) = ask(("withSession", url, str(SESSION), language))
    return answer


def parameters(url: str | None) -> dict[str, str]:
    assert url is not None
    return {name: value for name, (value,) in parse_qs(urlsplit(url).query).items()}


def test_a_page_writes_codes_as_the_server_reads_them():
    sessions = [ids.mint(n, make.NOON + n * make.HOUR) for n in range(1, 300)]

    codes = ask(*(("code", str(session)) for session in sessions))

    assert codes == [ids.code(session) for session in sessions]


@pytest.mark.parametrize(
    ("link", "name"),
    [
        ("https://t.me/acme_bot", "start"),
        ("//t.me/AcmeBot/", "start"),
        ("https://telegram.me/acme_bot", "start"),
        ("tg://resolve?domain=acme_bot", "start"),
        ("https://max.ru/id7701234567_bot", "start"),
        ("https://vk.me/acme", "ref"),
        ("https://vk.com/write-123", "ref"),
        ("https://m.vk.com/write-123", "ref"),
        ("https://vk.me/acme?ref=banner", "ref_source"),
        ("https://m.me/acme.shop", "ref"),
        ("viber://pa?chatURI=acme", "context"),
    ],
)
def test_a_bot_is_handed_the_code_by_its_messengers_own_parameter(link, name):
    dressed = dress(link)

    assert parameters(dressed) == {**parameters(link), name: CODE}
    assert dressed is not None
    assert dressed.partition("?")[0] == link.partition("?")[0]


@pytest.mark.parametrize(
    "link",
    [
        "https://wa.me/79161234567",
        "https://api.whatsapp.com/send?phone=79161234567",
        "https://web.whatsapp.com/send/?phone=79161234567",
        "whatsapp://send?phone=79161234567",
        "https://t.me/acme_manager",
        "https://t.me/+79161234567",
        "tg://resolve?phone=79161234567",
    ],
)
def test_a_person_reads_a_line_that_the_visitor_is_about_to_send(link):
    bare, begun = dress(link), dress(with_text(link, "Хочу%20кухню%20%2B%20стол"))
    english = dress(link, "en-GB")

    assert parameters(bare) == {**parameters(link), "text": f"{LINE}\n\n"}
    assert parameters(begun)["text"] == f"Хочу кухню + стол\n\n{LINE}"
    assert parameters(english)["text"] == f"Reference number: {CODE}\n\n"
    for dressed in (bare, begun, english):
        assert dressed is not None
        assert "+" not in dressed.partition("?")[2]  # apps show it as it is


def with_text(link: str, text: str) -> str:
    return f"{link}{'&' if '?' in link else '?'}text={text}"


@pytest.mark.parametrize(
    "link",
    [
        "https://acme.example/t.me/acme_bot",
        "https://evil-t.me/acme_bot",
        "/prices?next=https://t.me/acme_bot",
        "mailto:info@acme.example",
        "tel:+74950000000",
        "https://t.me/share?url=https://acme.example",
        "https://t.me/joinchat/AAAA",
        "https://t.me/+AbCdEfGh",
        "https://t.me/acme_news/15",
        "https://t.me/acme_bot?startapp=shop",
        "https://t.me/acme_bot?startgroup=1",
        "https://t.me/acme_bot?start=promo",
        f"https://t.me/acme_bot?start={'a' * 42}_",
        "https://wa.me/message/ABCDEF1234",
        "https://max.ru/acme",
        "https://vk.com/acme",
        "https://instagram.com/acme",
        "viber://chat?number=%2B79161234567",
        "#top",
        "",
    ],
)
def test_any_other_link_stays_as_it_is(link):
    assert dress(link) is None


def test_a_parameter_that_ends_in_a_joint_goes_on_with_the_code():
    for own in ("promo_", "promo-"):
        told = dress(f"https://t.me/acme_bot?start={own}#x")

        assert told == f"https://t.me/acme_bot?start={own}{CODE}#x"
        site_id = ids.site(SESSION)
        assert ids.find_code(parameters(told)["start"], site_id) == SESSION


def test_a_link_that_carries_the_session_already_stays():
    for link in (
        f"https://t.me/acme_bot?start={CODE}",
        f"https://wa.me/79161234567?text={CODE}",
    ):
        assert dress(link) == link
