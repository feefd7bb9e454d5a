"""A reply leaves as mail once it can no longer be undone; what servers say is kept; nothing is lost and nothing sent twice."""

from __future__ import annotations

import socket
import threading
from datetime import timedelta
from email.message import EmailMessage
from email.utils import getaddresses

import pytest
from sqlalchemy import select

from helpdesk import clock, db, files, vault
from helpdesk.actor import Actor
from helpdesk.channels.email import answers, handover, mending, sending
from helpdesk.channels.email.models import Outgoing
from helpdesk.crm.models import Contact, Identity
from helpdesk.errors import Conflict
from helpdesk.events import Event
from helpdesk.preferences import prefer
from helpdesk.tickets import thread
from helpdesk.tickets.inboxes import Shape
from helpdesk.tickets.intake import NewFile
from helpdesk.tickets.models import Inbox, Message, Status, Ticket
from tests import people
from tests.desks import TestDesk
from tests.integration.email.conftest import (
    MailDoor,
    Sink,
    both_engines,
    letter,
    messages,
    opened_by_mail,
    outbox,
    replies,
    tickets,
    use_server,
)

BEFORE, AFTER = {"seconds": 14}, {"seconds": 16}


@pytest.fixture(autouse=True)
def _no_receipts(desk: TestDesk) -> None:
    """Receipts have their own tests."""
    with db.transaction():
        prefer(acknowledge=False)


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


# --- servers ---------------------------------------------------------------------------------------------------------------


@both_engines
def test_without_a_mail_server_mails_wait_visibly_and_leave_once_there_is_one(
    desk: TestDesk, door: MailDoor, stopped: clock.Hand, request: pytest.FixtureRequest
) -> None:
    ticket = opened_by_mail(desk, door)
    replies(desk, ticket)
    stopped.move(**AFTER)
    desk.work()
    (row,) = outbox()
    assert (row.state, row.server_words) == ("waiting", sending.NO_SERVER) and messages(ticket)[-1].delivery_note == sending.NO_SERVER
    sink: Sink = request.getfixturevalue("sink")
    with desk.app.app_context(), db.transaction():
        assert sending.wake_held() == 1
    desk.work()
    assert len(sink.taken) == 1 and outbox()[0].state == "sent" and messages(ticket)[-1].delivery_note == ""


@both_engines
def test_a_server_that_is_down_is_tried_again_with_the_same_message_id_until_it_takes_the_mail(
    desk: TestDesk, door: MailDoor, stopped: clock.Hand, request: pytest.FixtureRequest
) -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        dead = probe.getsockname()[1]
    use_server(desk, f"smtp://127.0.0.1:{dead}")
    ticket = opened_by_mail(desk, door)
    replies(desk, ticket)
    stopped.move(**AFTER)
    for _ in range(3):
        desk.work()
        handover.forget()
        stopped.move(seconds=20)
    (row,) = outbox()
    assert row.state == "waiting" and row.attempts == 3 and "Nothing listens" in row.server_words
    sink: Sink = request.getfixturevalue("sink")
    desk.work()
    assert [mail["Message-ID"] for mail in sink.mails()] == [row.header_id] and outbox()[0].attempts == 4


def test_a_temporary_refusal_is_tried_again_and_its_words_are_kept(desk: TestDesk, door: MailDoor, sink: Sink, stopped: clock.Hand) -> None:
    sink.say = lambda _envelope: "451 4.7.1 Greylisted, come back later"
    ticket = opened_by_mail(desk, door)
    replies(desk, ticket)
    stopped.move(**AFTER)
    desk.work()
    assert "Greylisted" in outbox()[0].server_words and messages(ticket)[-1].delivery == "waiting"
    sink.say = lambda _envelope: None
    stopped.move(minutes=1)
    desk.work()
    assert len(sink.taken) == 1 and outbox()[0].state == "sent"


@both_engines
def test_a_refused_recipient_is_shown_on_the_reply_the_address_and_the_contact(
    desk: TestDesk, door: MailDoor, sink: Sink, stopped: clock.Hand
) -> None:
    sink.say_rcpt = lambda _address: "550 5.1.1 No such user here"
    ticket = opened_by_mail(desk, door)
    replies(desk, ticket)
    stopped.move(**AFTER)
    desk.work()
    (row,) = outbox()
    message = messages(ticket)[-1]
    assert row.state == "failed" and "No such user" in row.server_words
    assert message.delivery == "failed" and "No such user" in message.delivery_note
    with db.read() as session:
        identity = session.scalars(select(Identity).where(Identity.contact_id == desk.people.carol)).one()
        assert identity.failing_since is not None and "No such user" in session.get_one(Contact, desk.people.carol).bounce_note
        kinds = list(session.scalars(select(Event.kind).where(Event.ticket_id == ticket.id, Event.kind.like("%failed"))))
    assert sorted(kinds) == ["delivery_failed", "mail_failed"]


def test_a_refused_content_does_not_accuse_the_address(desk: TestDesk, door: MailDoor, sink: Sink, stopped: clock.Hand) -> None:
    sink.say = lambda _envelope: "554 5.7.1 Looks like spam"
    ticket = opened_by_mail(desk, door)
    replies(desk, ticket)
    stopped.move(**AFTER)
    desk.work()
    with db.read() as session:
        assert outbox()[0].state == "failed"
        assert session.scalars(select(Identity.failing_since).where(Identity.contact_id == desk.people.carol)).one() is None


def test_a_server_that_hangs_is_left_in_time_and_the_mails_behind_it_do_not_wait_for_it(
    desk: TestDesk, door: MailDoor, stopped: clock.Hand, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(handover, "PATIENCE_S", 0.3)
    with socket.socket() as hanging:
        hanging.bind(("127.0.0.1", 0))
        hanging.listen()
        use_server(desk, f"smtp://127.0.0.1:{hanging.getsockname()[1]}")
        ticket = opened_by_mail(desk, door)
        for _ in range(10):
            replies(desk, ticket)
        stopped.move(**AFTER)
        worker = threading.Thread(target=desk.work)
        worker.start()
        worker.join(5)
        assert not worker.is_alive()
    assert {row.state for row in outbox()} == {"waiting"} and all(row.server_words for row in outbox())


def test_a_server_that_hangs_up_after_the_mail_gets_it_again_with_the_same_message_id(
    desk: TestDesk, door: MailDoor, stopped: clock.Hand, request: pytest.FixtureRequest
) -> None:
    with socket.socket() as rude:
        rude.bind(("127.0.0.1", 0))
        rude.listen()
        threading.Thread(target=_take_and_hang_up, args=(rude,), daemon=True).start()
        use_server(desk, f"smtp://127.0.0.1:{rude.getsockname()[1]}")
        ticket = opened_by_mail(desk, door)
        replies(desk, ticket)
        stopped.move(**AFTER)
        desk.work()
    assert outbox()[0].state == "waiting"
    sink: Sink = request.getfixturevalue("sink")
    stopped.move(minutes=1)
    desk.work()
    assert [mail["Message-ID"] for mail in sink.mails()] == [outbox()[0].header_id]


def _take_and_hang_up(listening: socket.socket) -> None:
    connection, _peer = listening.accept()
    with connection, connection.makefile("rwb", buffering=0) as talk:
        talk.write(b"220 rude\r\n")
        for line in iter(talk.readline, b""):
            if line.upper().startswith(b"DATA"):
                talk.write(b"354 go on\r\n")
                while talk.readline() != b".\r\n":
                    pass
                return
            talk.write(b"250 ok\r\n")


def test_three_days_of_failures_end_as_failed_and_an_administrator_can_try_again(
    desk: TestDesk, door: MailDoor, sink: Sink, stopped: clock.Hand
) -> None:
    sink.say = lambda _envelope: "421 4.3.2 Closing"
    ticket = opened_by_mail(desk, door)
    replies(desk, ticket)
    stopped.move(**AFTER)
    desk.work()
    stopped.move(days=4)
    desk.work()
    assert outbox()[0].state == "failed" and outbox()[0].server_words.startswith(sending.GAVE_UP)
    sink.say = lambda _envelope: None
    with db.transaction() as session:
        mending.retry(session.get_one(Outgoing, outbox()[0].id), by=Actor("user", desk.people.ada))
    desk.work()
    assert outbox()[0].state == "sent" and messages(ticket)[-1].delivery == "sent"


def test_a_mail_taken_out_of_the_outbox_never_leaves_and_one_that_left_cannot_be_taken_out(
    desk: TestDesk, door: MailDoor, sink: Sink, stopped: clock.Hand
) -> None:
    ticket = opened_by_mail(desk, door)
    replies(desk, ticket, "one")
    replies(desk, ticket, "two")
    desk.work()
    with db.transaction() as session:
        mending.withdraw(session.get_one(Outgoing, outbox()[0].id), by=Actor("user", desk.people.ada))
    stopped.move(**AFTER)
    desk.work()
    assert [row.state for row in outbox()] == ["withdrawn", "sent"] and len(sink.taken) == 1
    assert messages(ticket)[1].delivery_note == mending.TAKEN_OUT
    with pytest.raises(Conflict), db.transaction() as session:
        mending.withdraw(session.get_one(Outgoing, outbox()[1].id), by=Actor("user", desk.people.ada))


def test_an_inbox_sends_through_its_own_server_with_its_own_name(desk: TestDesk, door: MailDoor, sink: Sink, stopped: clock.Hand) -> None:
    with db.transaction() as session:
        inbox = session.get_one(Inbox, desk.people.mail)
        inbox.smtp_url, inbox.sender_name, inbox.signature = vault.seal(desk.settings.smtp_url), "Happy Help", "Your team\nTel. 1"
    use_server(desk, "")
    ticket = opened_by_mail(desk, door)
    replies(desk, ticket)
    stopped.move(**AFTER)
    desk.work()
    assert sink.mails()[0]["From"] == "Happy Help <support@example.com>"
    assert "\n-- \nYour team\nTel. 1\n" in outbox()[0].body_text


@both_engines
def test_a_worker_that_died_while_sending_leaves_the_mail_to_another_but_two_never_send_at_once(
    desk: TestDesk, door: MailDoor, sink: Sink, stopped: clock.Hand
) -> None:
    ticket = opened_by_mail(desk, door)
    replies(desk, ticket)
    desk.work()
    with db.transaction() as session:
        row = session.scalars(select(Outgoing)).one()
        stopped.move(**AFTER)
        row.state, row.tried_at, row.attempts = sending.OutgoingState.SENDING, clock.now(), 1
        row.not_before = clock.now() + timedelta(seconds=35)
    desk.work()
    assert not sink.taken
    stopped.move(seconds=36)
    desk.work()
    assert len(sink.taken) == 1


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
