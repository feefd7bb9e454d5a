"""Headers: decoded, on one line, bounded; names of files that cannot lie."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from helpdesk.channels.email import headers
from helpdesk.channels.email.mail import Problems
from tests.unit.email.mails import made, read


def test_a_character_cut_in_half_between_two_encoded_words_is_whole_again() -> None:
    assert read("encoded-word-cut-inside-a-character").subject == "Принтер"


def test_words_of_two_charsets_stand_beside_each_other() -> None:
    assert read("words-of-two-charsets").subject == "Grüßeи привет"


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (b"=?utf-8?Q? Personal=C3=A4nderung?=", " Personaländerung"),
        (b"=?utf-8?Q?=C3=A4?= plain", "ä plain"),
        (b"=?utf-8*en?B?w6Q=?=", "ä"),
        (b"=?utf-8?B?w6Q?=", "ä"),
        (b"=?utf-8?B?*w6Q*=?=", "ä"),
        (b"=?utf-8?X?w6Q=?=", "=?utf-8?X?w6Q=?="),
        (b"=?utf-8?Q?no end", "=?utf-8?Q?no end"),
        (b"folded\r\n\tline", "folded line"),
        (b"", ""),
    ],
)
def test_encoded_words_as_senders_write_them(value: bytes, shown: str) -> None:
    assert headers.text(value, Problems()) == shown


def test_line_breaks_hidden_in_encoded_words_never_come_out() -> None:
    mail = read("line-breaks-hidden-in-the-subject")
    shown = [mail.subject, mail.from_, mail.from_display_name, mail.reply_to, mail.to, *(value for _, value in mail.headers)]
    shown += [one.filename for one in mail.attachments]
    assert mail.subject == "Hello Bcc: everybody@example.org evil"
    assert not [value for value in shown if "\r" in value or "\n" in value]
    assert mail.from_email == "eve@evil.example"


def test_other_line_separators_count_as_line_breaks_too() -> None:
    mail = made(b"x", "X-Odd: =?utf-8?B?YeKAqGLigKljwoVk?=")
    assert mail.header("x-odd") == "a b cd"


def test_a_file_name_cannot_hide_its_ending_or_leave_its_folder() -> None:
    mail = read("file-name-with-direction-override")
    assert [one.filename for one in mail.attachments] == ["invoice-fdp.exe", "evil.dll", "passwd", "_CON.txt", "report.pdf"]
    assert "invisible or direction-changing characters were removed from a file name" in mail.problems
    assert "a file name tried to point outside its folder" in mail.problems


def test_a_file_name_in_pieces_and_in_another_charset_is_put_together() -> None:
    assert [one.filename for one in read("file-name-in-pieces").attachments] == ["Отчёт 2026.pdf", "фото.jpg"]


def test_a_very_long_file_name_keeps_its_ending() -> None:
    name = headers.filename("a" * 5000 + ".pdf", Problems())
    assert name.endswith(".pdf")
    assert len(name) <= headers.MAX_FILENAME


@pytest.mark.parametrize("odd", ["..", ".", "", "///", "\u200b", "a\x00b", 'x"y', "<script>.svg"])
def test_no_file_name_comes_out_as_a_path_or_with_control_characters(odd: str) -> None:
    name = headers.filename(odd, Problems())
    assert name not in ("..", ".")
    assert not set(name) & set('/\\\x00"<>')


@pytest.mark.parametrize(
    ("value", "ids"),
    [
        ("<a@b> <c@d>", ("<a@b>", "<c@d>")),
        ("<a@b>\r\n <c@d>", ("<a@b>", "<c@d>")),
        ("a.b@c", ("<a.b@c>",)),
        ("Your message of Monday", ()),
        ("<spaces inside@b>", ()),
    ],
)
def test_message_ids_are_read(value: str, ids: tuple[str, ...]) -> None:
    assert headers.identifiers(value) == ids


def test_of_very_many_references_the_first_and_the_last_are_kept() -> None:
    ids = headers.identifiers(" ".join(f"<{number}@example.org>" for number in range(150)))
    assert len(ids) == headers.MAX_REFERENCES
    assert ids[0] == "<0@example.org>"
    assert ids[-1] == "<149@example.org>"


@pytest.mark.parametrize(
    ("value", "read_as"),
    [
        ("Mon, 4 May 2026 10:00:00 +0300", datetime(2026, 5, 4, 7, 0, tzinfo=UTC)),
        ("Mon, 4 May 2026 10:00:00", datetime(2026, 5, 4, 10, 0, tzinfo=UTC)),
        ("Mon, 4 May 2026 10:00:00 -0000 (UTC)", datetime(2026, 5, 4, 10, 0, tzinfo=UTC)),
        ("yesterday", None),
        ("Mon, 99 Foo 99999 99:99:99 +9999", None),
        ("Fri, 31 Dec 9999 23:59:59 -2359", None),
    ],
)
def test_dates_come_out_in_utc_or_not_at_all(value: str, read_as: datetime | None) -> None:
    problems = Problems()
    assert headers.date(value, problems) == read_as
    assert (read_as is None) == ("the date cannot be read" in list(problems))


def test_base64_is_read_whatever_was_done_to_it() -> None:
    assert read("base64-with-padding-in-the-middle").body_text == "first piece, second piece!!"
    assert read("base64-with-rubbish").body_text == "readable all the same"
    assert headers.base64_bytes(b"QUJDR") == b"ABC"
    assert headers.base64_bytes(b"====") == b""
