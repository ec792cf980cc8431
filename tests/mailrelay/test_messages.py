"""Raw bytes → facts: Russian mail as it really is, and bytes meant to hurt."""

import base64
import time
import unicodedata

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from mailrelay import charsets, messages, texts

HELLO = "Здравствуйте! Сколько стоит доставка?"


def _word(text: str, charset: str, how: str = "B") -> str:
    raw = text.encode(charset)
    if how == "B":
        return f"=?{charset}?B?{base64.b64encode(raw).decode()}?="
    return f"=?{charset}?Q?{''.join(f'={byte:02X}' for byte in raw)}?="


def _facts(
    head: str, body: str = "", *, mail_from: str = "env@client.example"
) -> messages.Facts:
    raw = f"{head}\r\n\r\n{body}".replace("\r\n", "\n").replace("\n", "\r\n")
    return messages.facts(raw.encode("utf-8", "surrogateescape"), mail_from=mail_from)


class TestHeaders:
    @pytest.mark.parametrize(
        "charset", ["windows-1251", "koi8-r", "utf-8", "iso-8859-5", "cp866"]
    )
    @pytest.mark.parametrize("how", ["B", "Q"])
    def test_encoded_words_of_every_russian_charset_are_read(
        self, charset: str, how: str
    ) -> None:
        found = _facts(
            f"From: {_word('Иван Петров', charset, how)} <Ivan@Client.example>\n"
            f"Subject: {_word('Вопрос', charset, how)}\n {_word(' о цене', charset, how)}"
        )

        assert (found.from_name, found.from_address) == (
            "Иван Петров",
            "ivan@client.example",
        )
        assert found.subject == "Вопрос о цене"

    def test_a_character_cut_between_two_words_is_whole_again(self) -> None:
        raw = "Привет".encode()
        one, two = (base64.b64encode(part).decode() for part in (raw[:5], raw[5:]))

        assert (
            _facts(f"Subject: =?utf-8?B?{one}?=\n =?UTF-8?B?{two}?=").subject
            == "Привет"
        )

    @pytest.mark.parametrize("charset", ["cp1251", "koi8-r", "utf-8"])
    @pytest.mark.parametrize(
        "text", ["Вопрос о доставке", "Счёт на оплату", "Иван Петров", "Заявка"]
    )
    def test_raw_8bit_subjects_are_guessed(self, charset: str, text: str) -> None:
        raw = b"Subject: " + text.encode(charset) + b"\r\n\r\n"

        assert messages.facts(raw).subject == text

    def test_a_raw_header_is_read_by_the_charset_the_body_names(self) -> None:
        raw = (
            b"Subject: " + "ЦЕНЫ".encode("koi8-r")
            + b"\r\nContent-Type: text/plain; charset=koi8-r\r\n\r\n"
        )  # fmt: skip
        assert messages.facts(raw).subject == "ЦЕНЫ"

    @pytest.mark.parametrize(
        ("value", "address", "name"),
        [
            ("Ivan <ivan@client.example>", "ivan@client.example", "Ivan"),
            ("ivan@client.example", "ivan@client.example", ""),
            ("ivan@client.example (Ivan Petrov)", "ivan@client.example", "Ivan Petrov"),
            ('"Petrov, Ivan" <i@client.example>', "i@client.example", "Petrov, Ivan"),
            (
                '"boss@bank.example" <i@client.example>',
                "i@client.example",
                "boss@bank.example",
            ),
            ("a@x.example, b@y.example", "a@x.example", ""),
            ("<>", "env@client.example", ""),
            ("Ivan", "env@client.example", "Ivan"),
            ("", "env@client.example", ""),
            ("<ivan@почта.рф>", "ivan@почта.рф", ""),
        ],
    )
    def test_who_wrote(self, value: str, address: str, name: str) -> None:
        found = _facts(f"From: {value}")

        assert (found.from_address, found.from_name) == (address, name)

    def test_the_person_of_a_website_form_stands_in_reply_to(self) -> None:
        found = _facts(
            "From: noreply@site.example\nReply-To: Anna <anna@client.example>"
        )

        assert found.reply_to == "anna@client.example"
        assert _facts("Reply-To: a@x.example, b@y.example").reply_to == ""

    def test_nothing_that_postgresql_cannot_hold_comes_out(self) -> None:
        raw = b"Subject: a\0b\xff\xfe =?utf-8?B?7aCA?= \xe2\x80\xaex\r\n\r\n\0"

        assert "\0" not in messages.facts(raw).subject
        messages.facts(raw).subject.encode()
        assert "\u202e" not in messages.facts(raw).subject


class TestText:
    def test_quotations_are_cut_off(self) -> None:
        for quotation in (
            "пн, 2 нояб. 2026 г. в 12:00, ACME <info@acme.example>:\n> старое",
            "02.11.2026 12:00, ACME пишет:\n> старое",
            "On Mon, Nov 2, 2026 at 12:00 PM ACME <info@acme.example>\nwrote:\n> старое",
            "-----Original Message-----\nFrom: ACME\nстарое",
            "-------- Пересылаемое сообщение --------\nстарое",
            "От: ACME <info@acme.example>\nОтправлено: 2 ноября\nТема: цена\nстарое",
            "> старое",
        ):
            text = _facts(
                "Subject: x\nContent-Type: text/plain; charset=utf-8",
                f"{HELLO}\n\n{quotation}",
            ).text
            assert text.startswith(HELLO)
            assert "старое" not in text, quotation

    def test_a_letter_that_only_speaks_of_writing_is_whole(self) -> None:
        text = _facts(
            "X: y", f"{HELLO}\nМне никто не написал\nОт: меня вам привет\nконец"
        ).text

        assert text.endswith("конец")

    @pytest.mark.parametrize(
        "named", ["us-ascii", "iso-8859-1", "utf-8", "x-unknown", "koi9"]
    )
    def test_a_body_whose_charset_lies_is_guessed(self, named: str) -> None:
        raw = (
            f"Content-Type: text/plain; charset={named}\r\n\r\n".encode()
            + HELLO.encode("cp1251")
        )

        assert messages.facts(raw).text == HELLO

    def test_western_text_stays_western(self) -> None:
        raw = "Content-Type: text/plain; charset=iso-8859-1\r\n\r\nUn café très bon".encode(
            "latin-1"
        )

        assert messages.facts(raw).text == "Un café très bon"

    def test_html_alone_becomes_text(self) -> None:
        html = (
            "<html><head><style>p{}</style></head><body><!-- no --><p>Добрый&nbsp;день</p>"
            "<div style='display:none'>скрыто</div><a href='tel:+79161234567'>звоните</a><br>ждём"
            "<blockquote>старое</blockquote></body></html>"
        )
        found = _facts("Content-Type: text/html; charset=utf-8", html)

        assert found.text == "Добрый день\n\n+79161234567 звоните\nждём"
        assert found.phones == ("+79161234567",)

    def test_the_plain_part_is_preferred_and_files_are_listed(self) -> None:
        found = _facts(
            "Content-Type: multipart/mixed; boundary=b",
            "--b\nContent-Type: text/html\n\n<p>html</p>\n"
            "--b\nContent-Type: text/plain; charset=utf-8\n\nпростой\n"
            "--b\nContent-Type: application/pdf; name*=utf-8''%D1%81%D1%87%D1%91%D1%82.pdf\n"
            "Content-Disposition: attachment\nContent-Transfer-Encoding: base64\n\nAAAAAAAA\n"
            f'--b\nContent-Type: image/png\nContent-Disposition: inline; filename="../{_word("фото.png", "koi8-r")}"\n\nx\n'
            "--b--\n",
        )

        assert found.text == "простой"
        assert [(one.name, one.type, one.size) for one in found.attachments] == [
            ("счёт.pdf", "application/pdf", 6),
            ("фото.png", "image/png", 1),
        ]


class TestPhones:
    @pytest.mark.parametrize(
        ("text", "phones"),
        [
            ("Звоните 8 (916) 123-45-67", ("+79161234567",)),
            (
                "тел. +7 495 100 00 01, моб. 9161234567",
                ("+74951000001", "+79161234567"),
            ),
            ("ИНН 7701234567, р/с 40702810900000001234", ()),
            ("ИНН: 9161234567", ()),
            ("заказ № 89161234567", ()),
            ("7701234567", ()),
            ("из Минска +375 29 123-45-67", ("+375291234567",)),
            ("2026-11-02 12:00", ()),
        ],
    )
    def test_only_phones_are_taken_for_phones(
        self, text: str, phones: tuple[str, ...]
    ) -> None:
        assert texts.phones(text) == phones


class TestKinds:
    @pytest.mark.parametrize(
        ("head", "body", "mail_from", "kind"),
        [
            ("Subject: цена", "сколько?", "a@b.example", "human"),
            ("Subject: Автоматические ворота — цена", "", "a@b.example", "human"),
            ("X-Auto-Response-Suppress: All", "", "a@b.example", "human"),
            ("List-Unsubscribe: <mailto:x@y>", "", "a@b.example", "human"),
            ("Auto-Submitted: no", "", "a@b.example", "human"),
            ("Subject: hi", "ordinary words", "", "human"),
            ("From: postmaster@client.example", "it is me", "a@b.example", "human"),
            ("Auto-Submitted: (vacation) auto-replied; x=1", "", "a@b.example", "auto"),
            ("Auto-Submitted: auto-generated", "", "a@b.example", "auto"),
            ("Precedence: auto_reply", "", "a@b.example", "auto"),
            ("X-Autoreply: yes", "", "a@b.example", "auto"),
            ("List-Id: <news.example>", "", "a@b.example", "list"),
            ("Precedence: bulk", "", "a@b.example", "list"),
            ("From: MAILER-DAEMON@x.example", "", "", "bounce"),
            ("Subject: failure", "This is the mail system at host x.", "", "bounce"),
            (
                "Content-Type: multipart/report; boundary=b",
                "--b\nContent-Type: message/delivery-status\n\nStatus: 5.1.1\n--b--\n",
                "a@b.example",
                "bounce",
            ),
            (
                "Content-Type: multipart/report; report-type=disposition-notification; boundary=b",
                "--b--\n",
                "a@b.example",
                "report",
            ),
            (
                "Content-Type: text/calendar; method=REPLY",
                "",
                "a@b.example",
                "calendar",
            ),
        ],
    )
    def test_a_person_is_told_from_a_machine(
        self, head: str, body: str, mail_from: str, kind: str
    ) -> None:
        assert _facts(head, body, mail_from=mail_from).kind == kind


def _strings(found: messages.Facts) -> list[str]:
    return [
        found.kind, found.from_address, found.from_name, found.reply_to, found.subject,
        found.message_id, found.text, *found.phones, *(one.name for one in found.attachments),
        *(one.type for one in found.attachments),
    ]  # fmt: skip


def _check(raw: bytes, mail_from: str) -> None:
    found = messages.facts(raw, mail_from=mail_from)
    for text in _strings(found):
        assert "\0" not in text
        text.encode("utf-8")  # no lone surrogate
        assert len(text) <= messages.TEXT
    assert unicodedata.is_normalized("NFC", found.subject)


PIECES = st.sampled_from(
    [
        b"From: ", b"To: \"", b"Cc: (x): a@b;", b"Subject: ", b"Reply-To: ", b"\r\n", b"\n", b"\r",
        b"\r\n\r\n", b"=?utf-8?B?", b"=?koi8-r?Q?", b"?=", b"=?\0?b?x?=", b"Content-Type: ",
        b"multipart/mixed; boundary=b", b"text/html; charset=", b"text/plain; name*0*=x''%", b"--b",
        b"--b--", b"Content-Disposition: attachment; filename*0*", b"message/rfc822", b"\xff\xfe",
        b"\xed\xa0\x80", b"<a href='tel:", b"<!", b"<![", b"&#xD800;", b"idna", b"punycode", b"hex",
        b"utf-7", b"=", b";", b"\0", b"<ivan@client.example>", b"Content-Transfer-Encoding: ",
        b"base64", b"quoted-printable", b"x-uuencode", b"begin 666 x", b"+7 916 123-45-67",
    ]
)  # fmt: skip


@settings(max_examples=300, deadline=None)
@given(raw=st.binary(max_size=400), mail_from=st.text(max_size=30))
def test_any_bytes_have_facts(raw: bytes, mail_from: str) -> None:
    _check(raw, mail_from)


@settings(max_examples=300, deadline=None)
@given(pieces=st.lists(PIECES | st.binary(max_size=6), max_size=30))
@example(pieces=[b'To: "\r\n\r\n'])
@example(pieces=[b'Content-Type: text/plain; charset="a\0b"\r\n\r\n\xff'])
@example(pieces=[b"Message-ID: <[x]>\r\n\r\n"])
@example(pieces=[b"Content-Disposition: x; filename*0*\r\n\r\n"])
def test_any_shuffle_of_a_letter_has_facts(pieces: list[bytes]) -> None:
    _check(b"".join(pieces), "a@b.example")


@settings(max_examples=200, deadline=None)
@given(raw=st.binary(max_size=200), charset=st.text(max_size=20))
def test_any_bytes_of_any_charset_decode(raw: bytes, charset: str) -> None:
    charsets.clean(charsets.decode(raw, charset), 100).encode()


def test_letters_built_to_exhaust_are_read_within_bounds() -> None:
    deep = b"".join(
        b"Content-Type: multipart/mixed; boundary=b%d\r\n\r\n--b%d\r\n" % (n, n)
        for n in range(500)
    )
    wide = (
        b"Content-Type: multipart/mixed; boundary=b\r\n\r\n"
        + b"--b\r\n\r\nx\r\n" * 20_000
        + b"--b--\r\n"
    )
    began = time.perf_counter()
    for raw in (
        deep,
        wide,
        b"Subject: " + b"=?utf-8?B?" * 50_000,
        b"A: b\r\n" * 50_000,
    ):
        _check(raw, "a@b.example")

    assert time.perf_counter() - began < 30
