"""Any bytes are a mail: broken ones are understood as far as they go, and nothing unsafe comes out of them."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from helpdesk.channels.email import bounded
from helpdesk.channels.email.mail import Mail, as_json, from_wire, to_wire
from helpdesk.channels.email.parse import parse
from tests.unit.email.mutants import mutants


def check(raw: bytes) -> Mail:
    """What must hold for every mail, however broken."""
    mail = parse(raw)
    for line in (
        mail.from_,
        mail.from_email,
        mail.from_display_name,
        mail.to,
        mail.cc,
        mail.reply_to,
        mail.subject,
        mail.message_id,
        mail.in_reply_to,
        *mail.references,
        *mail.delivered_to,
        *mail.authentication,
        *(value for _, value in mail.headers),
        *(one.filename for one in mail.attachments),
        *(one.reason for one in mail.deliveries),
    ):
        assert not set(line) & set("\r\n\x00"), line
    for one in mail.attachments:
        assert one.filename not in ("", ".", "..")
        assert not set(one.filename) & set("/\\")
    assert "<script" not in mail.body_html.lower()
    for text in (mail.body_text, mail.body_html, mail.reply_text, mail.quote_text, mail.reply_html, mail.quote_html):
        assert not set(text) & {"\x00", "\r"}
        text.encode()  # no lone surrogates
    json.dumps(as_json(mail)).encode()
    assert from_wire(to_wire(mail)) == mail
    return mail


def test_500_broken_mails_are_understood_as_far_as_they_go() -> None:
    for raw in mutants(500, seed=7):
        check(raw)


def test_what_a_broken_mail_says_is_shown_or_attached() -> None:
    """Words that every reader would see in the raw bytes of a text mail are never dropped in silence."""
    for number, raw in enumerate(mutants(300, seed=11)):
        marked = b"From: carol@example.org\nSubject: s\nContent-Type: text/plain\n\n" + f"canary{number} ".encode() + raw
        mail = check(marked)
        assert f"canary{number}" in mail.body_text


#: As many as asked for: MUTANTS=100000 make soak.
MANY = int(os.environ.get("MUTANTS", "5000"))


@pytest.mark.soak
@pytest.mark.timeout(6 * 3600)
def test_thousands_of_broken_mails_take_no_long_time_either(record_property: Callable[[str, object], None]) -> None:
    longest = 0.0
    for raw in mutants(MANY, seed=2026):
        began = time.process_time()
        check(raw)
        longest = max(longest, time.process_time() - began)
        assert longest < 10
    record_property("mails", MANY)
    record_property("longest, s", round(longest, 2))


@pytest.mark.parametrize("count", [60, pytest.param(MANY, marks=[pytest.mark.soak, pytest.mark.timeout(6 * 3600)])], ids=["sample", "full"])
def test_broken_mails_stay_within_the_childs_ten_seconds_and_512_megabytes(count: int) -> None:
    """In the very process that parses for the desk: going out of its bounds would raise ParseFailed."""
    parser = bounded.Parser()
    try:
        for raw in mutants(count, seed=2027):
            assert isinstance(parser.parse(raw), Mail)
    finally:
        parser.close()


@settings(max_examples=150, deadline=None)
@given(st.binary(max_size=2000))
@example(b"")
@example(b"\n")
@example(b":\n\n")
@example(b"From: \xff\n\n\xff")
@example(b"Content-Type: multipart/mixed; boundary=\n\n--\n")
@example(b"Content-Type: text/plain; charset=\x00\n\nx\xff")
def test_any_bytes_are_a_mail(raw: bytes) -> None:
    check(raw)


@settings(max_examples=100, deadline=None)
@given(st.text(max_size=300), st.text(max_size=300), st.text(max_size=300))
def test_any_text_survives_in_subject_name_and_body(subject: str, name: str, body: str) -> None:
    raw = f"From: {name} <carol@example.org>\nSubject: {subject}\nContent-Type: text/plain; charset=utf-8\n\n{body}"
    check(raw.encode("utf-8", "surrogatepass"))
