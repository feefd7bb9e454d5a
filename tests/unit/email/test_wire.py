"""What goes to the mail server: the words come out of it as they went in, in lines and letters that every server takes."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default

import pytest
from hypothesis import given
from hypothesis import strategies as st

from helpdesk.channels.email import compose

RUSSIAN = "Здравствуйте!\n\nСчёт за февраль мы отправили ещё раз.\n"


def wire(text: str, html: str = "<p>Hello</p>") -> bytes:
    at, people = datetime(2026, 3, 2, tzinfo=UTC), [["Carol", "carol@customer.example"]]
    words = compose.Words("Hello", text, html)
    letter = compose.Letter("<1@example.com>", at, "Support", "support@example.com", people, [], "", words)
    return compose.wire(letter)


def read(raw: bytes) -> tuple[str, str]:
    """Both texts, as a mail program finds them."""
    mail = message_from_bytes(raw, policy=default)
    assert isinstance(mail, EmailMessage) and mail.get_content_type() == "multipart/alternative" and not mail.defects
    plain, html = mail.iter_parts()
    assert (plain.get_content_type(), html.get_content_type()) == ("text/plain", "text/html") and not plain.defects and not html.defects
    return plain.get_content(), html.get_content()


TEXTS = [
    "Hello\n", "Hello", "", "\n", "a\r\nb\rc\n", ".\n..\n.hidden\n", "From the beginning\n", "ends in a blank \n and a tab\t\n", "x" * 5000,
    "café " * 500, RUSSIAN, RUSSIAN * 200, "=20 =\n= =3D\n", "🙂" * 300, "--=_0\n", "a\u2028b\x0bc\x85d", "one line in 1000\n" + "é" * 1200,
]  # fmt: skip


@pytest.mark.parametrize("text", TEXTS)
def test_a_mails_words_come_out_as_they_went_in(text: str) -> None:
    raw = wire(text, f"<p>{text}</p>")
    as_lines = re.sub(r"\r\n|\r|\n", "\n", text)
    found = [part.replace("\r\n", "\n") for part in read(raw)]
    assert found == [as_lines, f"<p>{as_lines}</p>"]
    assert raw.isascii() and b"\n" not in raw.replace(b"\r\n", b"") and b"\r" not in raw.replace(b"\r\n", b"")
    assert max(len(line) for line in raw.split(b"\r\n")) <= 998 and b"\0" not in raw


@given(st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\r\n\0"), max_size=300))
def test_any_line_of_any_script_comes_out_as_it_went_in(line: str) -> None:
    assert read(wire(line))[0] == line


def test_the_same_mail_is_the_same_bytes_on_every_try() -> None:
    assert wire(RUSSIAN) == wire(RUSSIAN)


@pytest.mark.parametrize(
    ("text", "encoding"), [("Hello\n", b"7bit"), ("A café for everybody\n" * 3, b"quoted-printable"), (RUSSIAN, b"base64")]
)
def test_the_shortest_safe_encoding_is_taken(text: str, encoding: bytes) -> None:
    assert wire(text).count(b"Content-Transfer-Encoding: " + encoding) >= 1
