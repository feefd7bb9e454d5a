"""Mails made to exhaust a parser: each ends soon, with an outcome that a person can read."""

from __future__ import annotations

import time

import pytest

from helpdesk.channels.email.mail import Mail
from helpdesk.channels.email.parse import parse

HEAD = b"From: eve@evil.example\nTo: support@desk.example\nSubject: x\n"
HTML = b"Content-Type: text/html; charset=utf-8\n\n"


def understood(raw: bytes, seconds: float = 3.0) -> Mail:
    """The mail, parsed within `seconds` of processor time (the child allows 10; a loaded machine counts slower)."""
    began = time.process_time()
    mail = parse(raw)
    assert time.process_time() - began < seconds
    return mail


def test_ten_thousand_parts_are_cut_at_a_thousand_and_the_rest_is_kept_whole() -> None:
    parts = b"".join(b"--b\nContent-Type: application/pdf; name=p%d.pdf\n\nx\n" % number for number in range(10_000))
    mail = understood(HEAD + b"Content-Type: multipart/mixed; boundary=b\n\n" + parts + b"--b--\n")
    assert "has more than 1000 parts; the rest stays together in one" in mail.problems
    assert len(mail.attachments) <= 1000
    assert mail.attachments[-1].filename == "rest-of-mail.txt"
    assert b"p9999.pdf" in mail.attachments[-1].data


def test_a_thousand_levels_are_opened_to_thirty_and_the_innermost_words_are_kept() -> None:
    opening = b"".join(b"Content-Type: multipart/mixed; boundary=b%d\n\n--b%d\n" % (level, level) for level in range(1000))
    mail = understood(HEAD + opening + b"Content-Type: text/plain\n\ninnermost words\n")
    assert any("nested deeper than 30 levels" in words for words in mail.problems)
    assert any(b"innermost words" in one.data for one in mail.attachments)


@pytest.mark.parametrize(
    "header",
    [
        b"Subject: " + b"x" * 1_000_000,
        b"Subject: x" + b"\n y" * 330_000,
        b"Subject: " + b"=?utf-8?q?x?=\n " * 60_000,
        b"X-A: " + b"(" * 1_000_000,
        b"References: " + b"<a@b> " * 160_000,
        b"Content-Type: text/plain" + b'; a="' * 200_000,
        b"X-A: y\n" * 150_000 + b"X-B: z",
    ],
    ids=["one line", "folds", "encoded words", "parentheses", "references", "parameters", "fields"],
)
def test_a_megabyte_of_header_is_cut_and_the_body_is_read(header: bytes) -> None:
    mail = understood(b"From: eve@evil.example\n" + header + b"\n\nThe body is here.\n")
    assert mail.body_text.strip() == "The body is here."
    assert mail.from_email == "eve@evil.example"
    assert len(mail.subject) <= 64 * 1024
    assert sum(len(value) for _, value in mail.headers) <= 128 * 1024


def test_of_a_hundred_thousand_recipients_a_thousand_are_read() -> None:
    everybody = b",\n ".join(b"u%d@example.org" % number for number in range(100_000))
    mail = understood(b"From: eve@evil.example\nTo: " + everybody + b"\n\nHello all.\n")
    assert len(mail.to_addresses) == 1000
    assert mail.body_text.strip() == "Hello all."
    assert "To names very many people; only the first ones were read" in mail.problems


@pytest.mark.parametrize(
    "value", [b'"\\"' * 20_000, b"(" * 60_000, b"<" * 60_000, b"a@" * 30_000, b'"' * 60_001, b"a:" * 30_000, b"=?a?q?" * 10_000]
)
def test_addresses_that_make_parsers_go_back_are_read_once(value: bytes) -> None:
    understood(b"From: eve@evil.example\nTo: " + value + b"\nCc: " + value + b"\n\nx")


@pytest.mark.parametrize(
    "body",
    [
        b">" * 3_000_000,
        b"> x\n" * 500_000,
        b"On 2020 a@b wrote:\n" * 100_000,
        b"hello\n" + b"From: a\n" * 200_000,
        b"hello\n" + b"-- \n\n" * 300_000,
        b"Best regards\n" * 100_000,
        b"a " * 1_500_000,
        b"- " * 1_000_000,
        b"\r" * 1_000_000,
        b"Sent from my x\n\n" * 100_000,
    ],
    ids=["signs", "quote", "introductions", "headers", "dashes", "closings", "one line", "bullets", "returns", "phones"],
)
def test_text_that_makes_quote_finders_go_back_is_read_once(body: bytes) -> None:
    mail = understood(HEAD + b"\nhello\n" + body)
    assert len(mail.body_text) <= 2 * 1024 * 1024


@pytest.mark.parametrize(
    "html",
    [
        b"<div>" * 200_000,
        b"<b><i>" * 150_000,
        b"<table><tr><td>" * 50_000,
        b"&" * 3_000_000,
        b"<" * 3_000_000,
        b"<img src=http://a/>" * 100_000,
        b"<p " + b" ".join(b"a%d=1" % number for number in range(200_000)) + b">",
        b"<blockquote>" * 900 + b"x<br>" * 20_000,
    ],
    ids=["div", "bold", "tables", "ampersands", "less-than", "images", "attributes", "quotes"],
)
def test_html_that_makes_sanitisers_slow_is_bounded(html: bytes) -> None:
    understood(HEAD + HTML + html, seconds=6)


@pytest.mark.parametrize(
    "part",
    [
        b"Content-Type: text/plain; charset=utf-7\n\n" + b"+AGEAYQ-" * 300_000,
        b"Content-Type: text/plain; charset=punycode\n\n" + b"a-z" * 300_000,
        b"Content-Type: text/plain; charset=iso-2022-jp\n\n" + b"\x1b$B-!\x1b(B" * 200_000,
        b"Content-Type: text/plain; format=flowed\n\n" + b"w \n" * 500_000,
        b"Content-Transfer-Encoding: base64\n\n" + b"QQ==" * 500_000,
        b"Content-Transfer-Encoding: quoted-printable\n\n" + b"=" * 3_000_000,
        b"Content-Type: text/calendar\n\n" + b"SUMMARY;" * 200_000,
        b"Content-Type: message/delivery-status\n\n" + b"Final-Recipient: rfc822; a\n\n" * 100_000,
        b"Content-Type: multipart/mixed; boundary=-\n\n" + b"-" * 3_000_000,
        b"Content-Type: application/ms-tnef\n\n\x78\x9f\x3e\x22\x00\x00" + b"\x02\x02\x90\x06\x00\x00\x00\x00\x00\x00\x00" * 100_000,
    ],
    ids=["utf-7", "punycode", "iso-2022-jp", "flowed", "base64", "quoted-printable", "calendar", "report", "boundary", "tnef"],
)
def test_encodings_and_inner_formats_are_bounded(part: bytes) -> None:
    mail = understood(HEAD + part)
    assert len(mail.deliveries) <= 200
    assert len(mail.attachments) <= 201
