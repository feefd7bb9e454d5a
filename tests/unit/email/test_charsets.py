"""Charsets as found in the wild: right, wrong, unknown, unsaid. Each mail stays readable and says what was odd."""

from __future__ import annotations

import pytest

from helpdesk.channels.email.charsets import decode, guess
from tests.unit.email.mails import made, read

RUSSIAN = "Здравствуйте! Принтер на третьем этаже не печатает, помогите пожалуйста."


@pytest.mark.parametrize(
    ("oddity", "text", "problem"),
    [
        ("russian-in-koi8-r", RUSSIAN, None),
        ("windows-1251-called-koi8-r", RUSSIAN, "the text says koi8-r but reads as windows-1251"),
        ("windows-1251-called-iso-8859-1", RUSSIAN, "the text says iso-8859-1 but reads as windows-1251"),
        ("utf-8-called-us-ascii", "Schöne Grüße, я тоже здесь", "the text says us-ascii but is utf-8"),
        ("charset-not-named", RUSSIAN, "the text does not name its charset; read as windows-1251"),
        ("circled-digits-in-iso-2022-jp", "① first, ② second 東徒", None),
        ("gb2312-that-is-gb18030", "打印机不工作 朱镕基 ▅", None),
        ("charset-nobody-knows", RUSSIAN, "the text names an unknown charset (x-klingon-8); read as utf-8"),
        ("charset-that-is-no-charset", "still readable: äöü", "the text names an unknown charset (base64); read as utf-8"),
        ("saved-as-utf-16", "Привет из блокнота", "was saved as UTF-16"),
    ],
)
def test_a_mail_stays_readable_and_says_what_was_odd_about_its_charset(oddity: str, text: str, problem: str | None) -> None:
    mail = read(oddity)
    assert mail.body_text.strip() == text
    assert problem is None or problem in mail.problems
    assert (problem is None) == (not mail.problems)


@pytest.mark.parametrize("codec", ["cp1251", "koi8_r", "cp866"])
@pytest.mark.parametrize(
    "text", [RUSSIAN, "Привет", "ПРИНТЕР НЕ ПЕЧАТАЕТ", "Карина Клиентова", "Заказ 12345 не пришёл", "Возврат", "Юрий Щукин"]
)
def test_russian_without_a_charset_is_recognised(text: str, codec: str) -> None:
    assert guess(text.encode(codec)) == codec


@pytest.mark.parametrize("label", ["windows-1251", "koi8-r", "ibm866"])
@pytest.mark.parametrize("text", ["Счёт 42", "Ждём съёмщика: щётка, эхо, юла", "Добрый день", "ПРИВЕТ", "Щука", "ЭХО"])
def test_a_right_label_is_never_overruled(text: str, label: str) -> None:
    assert decode(text.encode(label), label) == (text, None)


@pytest.mark.parametrize(
    "text", ["Schöne Grüße aus Köln", "Où êtes-vous? Ça va très bien", "Señor Muñoz añadió", "Åse på Ærø", "Müller", "ÄÖÜ äöüß"]
)
def test_accents_are_not_taken_for_russian(text: str) -> None:
    assert decode(text.encode("cp1252"), "iso-8859-1") == (text, None)
    assert decode(text.encode("cp1252"), None)[0] == text


@pytest.mark.parametrize(
    ("text", "codec"), [("打印机不工作，请帮忙", "gb18030"), ("プリンターが動きません", "cp932"), ("プリンターが動きません", "euc_jp")]
)
def test_chinese_and_japanese_without_a_charset_are_recognised(text: str, codec: str) -> None:
    assert guess(text.encode(codec)) == codec


def test_a_few_broken_bytes_do_not_turn_utf_8_into_something_else() -> None:
    text, odd = decode("Привет, мир, ".encode() * 20 + b"caf\xe9", "utf-8")
    assert text.endswith("Привет, мир, café")
    assert odd == "has broken characters in utf-8"


@pytest.mark.parametrize("label", ["punycode", "idna", "zip", "rot13", "unicode_escape", "undefined", "no\x00good", "x" * 10_000, "утф-8"])
def test_codecs_that_are_no_charsets_are_not_used(label: str) -> None:
    text, odd = decode("café".encode(), label)
    assert text == "café"
    assert odd is not None and odd.startswith("names an unknown charset")


def test_half_characters_of_utf_7_and_controls_never_reach_the_text() -> None:
    text, _ = decode(b"a+2AA-b\x00\x1bc", "utf-7")
    assert text == "a\ufffdbc"


def test_raw_8_bit_headers_are_read_with_the_charset_of_the_body() -> None:
    mail = read("raw-8-bit-header")
    assert mail.subject == "Не печатает принтер, срочно"
    assert mail.from_display_name == "Карина"
    assert "a header has raw 8-bit characters" in mail.problems


def test_html_names_its_charset_itself_when_its_header_does_not() -> None:
    html = '<html><head><meta charset="koi8-r"></head><body>Привет</body></html>'.encode("koi8-r")
    assert made(html, "Content-Type: text/html").body_text == "Привет"
