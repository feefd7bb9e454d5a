"""What mail servers do with a reply, and what is kept of it: nothing is lost, nothing sent twice, and somebody sees what failed."""

from __future__ import annotations

import socket
import threading
from datetime import timedelta

import pytest
from sqlalchemy import select

from helpdesk import clock, db, vault
from helpdesk.actor import Actor
from helpdesk.channels.email import handover, mending, sending
from helpdesk.channels.email.models import Outgoing
from helpdesk.crm.models import Contact, Identity
from helpdesk.errors import Conflict
from helpdesk.events import Event
from helpdesk.tickets.models import Inbox
from tests.desks import TestDesk
from tests.integration.email.conftest import (
    AFTER,
    MailDoor,
    Sink,
    both_engines,
    messages,
    opened_by_mail,
    outbox,
    replies,
    use_server,
)

pytestmark = pytest.mark.usefixtures("no_receipts")


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
