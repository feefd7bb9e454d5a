"""Who wrote: a person, or a robot whose mail must open nothing."""

from __future__ import annotations

import pytest

from helpdesk.channels.email.mail import Delivery
from tests.unit.email.mails import made, read


@pytest.mark.parametrize(
    ("oddity", "kind", "opens_nothing"),
    [
        ("automatic-reply-of-exchange", "auto_reply", True),
        ("automatic-reply-by-the-rules", "auto_reply", True),
        ("vacation-of-an-old-robot", "vacation", True),
        ("bounce", "bounce", True),
        ("delivery-delayed", "bounce", True),
        ("bounce-in-words-only", "bounce", True),
        ("abuse-report", "feedback_report", True),
        ("read-receipt", "read_receipt", True),
        ("invitation-accepted", "calendar_reply", True),
        ("mailing-list", "list", False),
        ("monitoring-alert", "auto_generated", False),
        ("newsletter", "bulk", False),
        ("customer-writes-about-out-of-office", None, False),
        ("customer-forwards-a-bounce", None, False),
        ("person-whose-client-says-auto-submitted-no", None, False),
        ("invitation", None, False),
        ("reply-in-html-outlook", None, False),
    ],
)
def test_a_mail_is_known_by_its_kind(oddity: str, kind: str | None, opens_nothing: bool) -> None:
    mail = read(oddity)
    assert mail.automatic == kind
    assert mail.opens_nothing is opens_nothing


def test_a_bounce_names_the_address_that_failed_and_why() -> None:
    mail = read("bounce")
    assert mail.failed == (Delivery("nobody@customer.example", "failed", "5.1.1", "550 5.1.1 User unknown"),)
    assert [one.filename for one in mail.attachments] == ["Delivery report.txt", "Re_ your ticket.eml"]


def test_a_delay_is_no_failure() -> None:
    mail = read("delivery-delayed")
    assert [one.action for one in mail.deliveries] == ["delayed"]
    assert mail.failed == ()


def test_a_bounce_in_words_only_gives_its_address_too() -> None:
    (one,) = read("bounce-in-words-only").failed
    assert (one.address, one.status) == ("nobody@customer.example", "5.1.1")
    assert "no mailbox here by that name" in one.reason


@pytest.mark.parametrize("subject", ["Автоответ: принтер", "Automatic reply: x", "Out of office"])
def test_a_subject_alone_never_silences_a_customer(subject: str) -> None:
    mail = made(b"I am on vacation and the printer is broken", f"Subject: {subject}", "Return-Path: <carol@example.org>")
    assert mail.automatic is None


def test_a_person_named_postmaster_is_heard() -> None:
    assert made(b"Please open port 25", "From: postmaster@customer.example", "Return-Path: <postmaster@customer.example>").automatic is None
