"""A reply leaves as mail once it can no longer be undone, to everybody who takes part, so that answers find their way back."""

from __future__ import annotations

from email.message import EmailMessage
from email.utils import getaddresses

import pytest
from sqlalchemy import select

from helpdesk import clock, db, files
from helpdesk.actor import Actor
from helpdesk.channels.email import answers
from helpdesk.crm.models import Contact, Identity
from helpdesk.tickets import thread
from helpdesk.tickets.inboxes import Shape
from helpdesk.tickets.intake import NewFile
from helpdesk.tickets.models import Inbox, Message, Status, Ticket
from tests import people
from tests.desks import TestDesk
from tests.integration.email.conftest import (
    AFTER,
    BEFORE,
    MailDoor,
    Sink,
    both_engines,
    letter,
    messages,
    opened_by_mail,
    outbox,
    replies,
    tickets,
)

pytestmark = pytest.mark.usefixtures("no_receipts")


@both_engines
def test_a_reply_leaves_after_the_undo_time_and_not_before(desk: TestDesk, door: MailDoor, sink: Sink, stopped: clock.Hand) -> None:
    ticket = opened_by_mail(desk, door)
    replies(desk, ticket)
    stopped.move(**BEFORE)
    desk.work()
    assert not sink.taken and messages(ticket)[-1].delivery == "waiting"
    stopped.move(seconds=2)
    desk.work()
    assert len(sink.taken) == 1 and messages(ticket)[-1].delivery == "sent"
    assert outbox()[0].state == "sent" and "queued as 42" in outbox()[0].server_words
    desk.work()
    assert len(sink.taken) == 1


@both_engines
def test_a_reply_has_the_headers_that_put_it_into_the_customer_s_thread(
    desk: TestDesk, door: MailDoor, sink: Sink, stopped: clock.Hand
) -> None:
    ticket = opened_by_mail(desk, door, letter(message_id="<first@customer.example>"))
    door.send(letter("One more.", subject=f"[#{ticket.number}]", message_id="<second@customer.example>"))
    desk.work()
    replies(desk, ticket, "It is corrected.\n\n<b>Best</b>, Alice")
    stopped.move(**AFTER)
    desk.work()
    (mail,) = sink.mails()
    assert mail["Subject"] == f"Re: Invoice [#{ticket.number}]"
    assert mail["In-Reply-To"] == "<second@customer.example>"
    assert mail["References"].split() == ["<first@customer.example>", "<second@customer.example>"]
    assert mail["From"] == "Support <support@example.com>" and mail["To"] == "Carol Jones <carol@customer.example>"
    assert mail["Reply-To"].startswith("support+r.") and mail["Message-ID"] == outbox()[0].header_id
    assert mail["Auto-Submitted"] is None
    assert isinstance(mail, EmailMessage)
    text, html = mail.get_body(("plain",)), mail.get_body(("html",))
    assert text is not None and text.get_content().startswith("It is corrected.\r\n\r\n<b>Best</b>, Alice")
    assert html is not None and "&lt;b&gt;Best&lt;/b&gt;" in html.get_content()
    link = f"{desk.settings.base_url}/t/"
    assert link in text.get_content() and link in html.get_content()
    assert sink.taken[0][:2] == ("support@example.com", ["carol@customer.example"])
    assert b"\n" not in sink.raw()[0].replace(b"\r\n", b"") and max(map(len, sink.raw()[0].split(b"\r\n"))) < 998


def test_the_second_reply_refers_to_the_first(desk: TestDesk, door: MailDoor, sink: Sink, stopped: clock.Hand) -> None:
    ticket = opened_by_mail(desk, door, letter(message_id="<first@customer.example>"))
    for _ in range(2):
        replies(desk, ticket)
        desk.work()
        stopped.move(**AFTER)
        desk.work()
    first, second = sink.mails()
    assert second["References"].split() == ["<first@customer.example>", first["Message-ID"]]


def test_the_customer_answers_the_reply_and_it_joins_the_ticket(desk: TestDesk, door: MailDoor, sink: Sink, stopped: clock.Hand) -> None:
    ticket = opened_by_mail(desk, door)
    replies(desk, ticket)
    stopped.move(**AFTER)
    desk.work()
    mail = sink.mails()[0]
    address = getaddresses([mail["Reply-To"]])[0][1]
    door.send(letter("Thank you!", subject=str(mail["Subject"]), to=address, In_Reply_To=mail["Message-ID"]), to=(address,))
    desk.work()
    assert len(tickets()) == 1 and len(messages(ticket)) == 3


@both_engines
def test_a_withdrawn_reply_never_leaves(desk: TestDesk, door: MailDoor, sink: Sink, stopped: clock.Hand) -> None:
    ticket = opened_by_mail(desk, door)
    said = replies(desk, ticket, "Oops")
    desk.work()
    stopped.move(**BEFORE)
    with db.transaction() as session:
        thread.withdraw(session.get_one(Message, said), session.get_one(Ticket, ticket.id), by=Actor("user", desk.people.alice))
    stopped.move(minutes=10)
    desk.work()
    assert not sink.taken and [row.state for row in outbox()] == ["withdrawn"]


def test_a_reply_withdrawn_before_it_reached_the_outbox_never_gets_there(
    desk: TestDesk, door: MailDoor, sink: Sink, stopped: clock.Hand
) -> None:
    ticket = opened_by_mail(desk, door)
    said = replies(desk, ticket, "Oops")
    with db.transaction() as session:
        thread.withdraw(session.get_one(Message, said), session.get_one(Ticket, ticket.id), by=Actor("user", desk.people.alice))
    stopped.move(minutes=10)
    desk.work()
    assert not sink.taken and not outbox()


@both_engines
def test_everybody_who_takes_part_is_answered_each_with_a_link_of_their_own(
    desk: TestDesk, door: MailDoor, sink: Sink, stopped: clock.Hand
) -> None:
    ticket = opened_by_mail(desk, door, letter(Cc="Oleg <oleg@klient.example>"))
    replies(desk, ticket)
    stopped.move(**AFTER)
    desk.work()
    assert sorted(to for _sender, (to,), _raw in sink.taken) == ["carol@customer.example", "oleg@klient.example"]
    mails = sink.mails()
    assert all(mail["To"] == "Carol Jones <carol@customer.example>" for mail in mails)
    assert all("oleg@klient.example" in mail["Cc"] for mail in mails)
    assert len({mail["Message-ID"] for mail in mails}) == len({mail["Reply-To"] for mail in mails}) == 2
    links = {line for row in outbox() for line in row.body_text.splitlines() if "/t/" in line}
    assert len(links) == 2


def test_a_portal_request_is_answered_from_an_inbox_that_can_be_answered(desk: TestDesk, sink: Sink, stopped: clock.Hand) -> None:
    ticket = people.writes(desk.people.carol, inbox=desk.people.portal)
    replies(desk, ticket)
    stopped.move(**AFTER)
    desk.work()
    mail = sink.mails()[0]
    assert "support@example.com" in mail["From"] and mail["Reply-To"].startswith("support+r.")


def test_a_customer_without_an_address_is_answered_in_the_portal_alone_and_the_agent_sees_it(
    desk: TestDesk, sink: Sink, stopped: clock.Hand
) -> None:
    ticket = people.writes(desk.people.carol, inbox=desk.people.portal)
    with db.transaction() as session:
        for identity in session.scalars(select(Identity).where(Identity.contact_id == desk.people.carol)):
            session.delete(identity)
    replies(desk, ticket)
    stopped.move(**AFTER)
    desk.work()
    assert not outbox() and messages(ticket)[-1].delivery_note == answers.NO_ADDRESS


def test_a_russian_customer_is_answered_in_russian_headers(desk: TestDesk, door: MailDoor, sink: Sink, stopped: clock.Hand) -> None:
    subject = "Не приходит счёт за февраль, " * 6
    ticket = opened_by_mail(
        desk, door, letter("Здравствуйте, счёт не приходит.", sender="Олег Тарасенко <oleg@klient.example>", subject=subject)
    )
    replies(desk, ticket, "Отправили ещё раз.")
    stopped.move(**AFTER)
    desk.work()
    mail = sink.mails()[0]
    assert mail["Subject"] == f"Re: {' '.join(subject.split())} [#{ticket.number}]" and mail["Content-Language"] == "ru"
    assert mail["To"] == "Олег Тарасенко <oleg@klient.example>"
    assert isinstance(mail, EmailMessage) and (body := mail.get_body(("plain",))) is not None
    assert "Отправили ещё раз." in body.get_content()


def test_long_message_ids_are_never_broken_into_encoded_words(desk: TestDesk, door: MailDoor, sink: Sink, stopped: clock.Hand) -> None:
    long = f"<{'a' * 180}@customer.example>"
    ticket = opened_by_mail(desk, door, letter(message_id=long))
    replies(desk, ticket)
    stopped.move(**AFTER)
    desk.work()
    assert f"In-Reply-To: {long}".encode() in sink.raw()[0] and b"=?utf-8?q?=3C" not in sink.raw()[0]


def test_a_subject_and_a_name_full_of_line_breaks_make_no_headers_of_their_own(
    desk: TestDesk, door: MailDoor, sink: Sink, stopped: clock.Hand
) -> None:
    ticket = opened_by_mail(desk, door)
    with db.transaction() as session:
        session.get_one(Ticket, ticket.id).subject = "Hi\r\nBcc: victim@evil.example\r\n\r\nbody"
        session.get_one(Contact, desk.people.carol).name = 'Carol"\r\nX-Evil: 1'
        session.get_one(Inbox, desk.people.mail).sender_name = "Sup\nport"
    replies(desk, ticket)
    stopped.move(**AFTER)
    desk.work()
    mail = sink.mails()[0]
    assert mail["Bcc"] is None and mail["X-Evil"] is None and "Bcc: victim" in mail["Subject"]
    assert sink.taken[0][1] == ["carol@customer.example"]


def test_attachments_go_along_within_the_limit_and_as_a_link_beyond_it(
    desk: TestDesk, door: MailDoor, sink: Sink, stopped: clock.Hand
) -> None:
    ticket = opened_by_mail(desk, door)
    small = NewFile("отчёт за март.pdf", "application/pdf", files.store().put(b"%PDF small"))
    large = NewFile("film.bin", "application/octet-stream", files.store().put(b"\x00" * (Shape.files_mb * 2**20 + 1)))
    replies(desk, ticket, files=(small, large))
    stopped.move(**AFTER)
    desk.work()
    mail = sink.mails()[0]
    assert isinstance(mail, EmailMessage)
    (file,) = mail.iter_attachments()
    assert file.get_filename() == "отчёт за март.pdf" and file.get_content() == b"%PDF small"
    assert "- film.bin" in outbox()[0].body_text and "отчёт" not in outbox()[0].body_text


@both_engines
def test_a_solved_ticket_brings_the_survey_with_a_link_that_rates(desk: TestDesk, door: MailDoor, sink: Sink, stopped: clock.Hand) -> None:
    ticket = opened_by_mail(desk, door)
    replies(desk, ticket, then=Status.SOLVED)
    desk.work()
    stopped.move(hours=1, minutes=1)
    desk.work()
    (row,) = outbox("survey")
    assert row.state == "sent" and f"{desk.settings.base_url}/rate/" in row.body_text
    mail = next(mail for mail in sink.mails() if mail["Message-ID"] == row.header_id)
    assert mail["Auto-Submitted"] == "auto-generated" and "?score=5" in row.body_html
