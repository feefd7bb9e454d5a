"""Mail servers as they are found: away, refusing, hanging, dripping, cut. Real sockets, a stopped clock, and never two copies."""

from __future__ import annotations

import itertools
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta

import pytest
from sqlalchemy import select

from helpdesk import clock, db, smtp, vault
from helpdesk.catalog import SettingsChanged
from helpdesk.channels.email import fates, handover, sending
from helpdesk.crm import contacts
from helpdesk.crm.models import Identity
from helpdesk.events import record
from helpdesk.preferences import prefer
from helpdesk.tickets import intake
from helpdesk.tickets.models import Inbox, Ticket
from tests.desks import TestDesk
from tests.integration.email.conftest import MailDoor, Sink, messages, opened_by_mail, outbox, replies, use_server


@pytest.fixture(autouse=True)
def _no_receipts(desk: TestDesk) -> None:
    with db.transaction():
        prefer(acknowledge=False)


def reply_that_is_due(desk: TestDesk, door: MailDoor, stopped: clock.Hand) -> Ticket:
    ticket = opened_by_mail(desk, door)
    replies(desk, ticket)
    desk.work()
    stopped.move(seconds=16)
    return ticket


@contextmanager
def server(talk: Callable[[socket.socket], None]) -> Iterator[str]:
    """A server that treats each connection as `talk` does; its address."""
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        listening.listen()

        def serve() -> None:
            while True:
                try:
                    connection, _peer = listening.accept()
                except OSError:
                    return
                with connection:
                    try:
                        talk(connection)
                    except OSError:
                        continue

        threading.Thread(target=serve, daemon=True).start()
        yield f"smtp://127.0.0.1:{listening.getsockname()[1]}"
        listening.shutdown(socket.SHUT_RDWR)


def drip(connection: socket.socket) -> None:
    """A greeting, a letter at a time: no single wait is long."""
    connection.sendall(b"220-")
    while True:
        connection.sendall(b"x")
        time.sleep(0.05)


def talk(connection: socket.socket, answers: dict[bytes, bytes]) -> None:
    """Speak SMTP, answering commands as given, 250 otherwise; an empty answer hangs up."""
    with connection.makefile("rwb", buffering=0) as line:
        line.write(b"220 here\r\n")
        for said in iter(line.readline, b""):
            answer = answers.get(said[:4].upper().strip(), b"250 ok")
            if not answer:
                return
            line.write(answer + b"\r\n")
            if answer.startswith(b"354"):
                while (read := line.readline()) not in (b".\r\n", b""):
                    pass
                end = answers.get(b".", b"250 kept")
                if not read or not end:
                    return
                line.write(end + b"\r\n")


def test_a_server_that_drips_is_left_when_the_whole_try_has_taken_too_long(
    desk: TestDesk, door: MailDoor, stopped: clock.Hand, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(handover, "TRY_S", 0.6)
    with server(drip) as url:
        use_server(desk, url)
        reply_that_is_due(desk, door, stopped)
        began = time.monotonic()
        desk.work()
        assert time.monotonic() - began < 5
    assert outbox()[0].state == "waiting" and outbox()[0].server_words


@pytest.mark.parametrize(
    ("answers", "state", "words"),
    [
        ({b"MAIL": b"550 5.1.8 Sender rejected"}, "failed", "5.1.8 Sender rejected"),
        ({b"MAIL": b"451 4.3.0 Not now"}, "waiting", "4.3.0 Not now"),
        ({b"RCPT": b"450 4.2.1 Greylisted"}, "waiting", "Greylisted"),
        ({b"RCPT": b"550 5.1.1 Unknown"}, "failed", "Unknown"),
        ({b"DATA": b"554 5.5.1 No data here"}, "failed", "No data here"),
        ({b"DATA": b"354 go on", b".": b"452 4.2.2 Mailbox full"}, "waiting", "Mailbox full"),
        ({b"DATA": b"354 go on", b".": b"552 5.3.4 Too large"}, "failed", "Too large"),
        ({b"DATA": b"354 go on", b".": b""}, "waiting", "broke off"),
        ({b"RCPT": b""}, "waiting", "broke off"),
    ],
)
def test_a_server_s_refusal_waits_or_fails_by_its_class_and_its_words_are_shown(
    desk: TestDesk, door: MailDoor, stopped: clock.Hand, answers: dict[bytes, bytes], state: str, words: str
) -> None:
    with server(lambda connection: talk(connection, answers)) as url:
        use_server(desk, url)
        ticket = reply_that_is_due(desk, door, stopped)
        desk.work()
    (row,) = outbox()
    assert row.state == state and words in row.server_words
    message = messages(ticket)[-1]
    assert message.delivery == state and (state == "waiting" or words in message.delivery_note)
    if state == "waiting":
        assert timedelta(seconds=1) < row.not_before - clock.now() < timedelta(seconds=3)


def test_the_pauses_between_tries_grow_to_an_hour(desk: TestDesk, door: MailDoor, sink: Sink, stopped: clock.Hand) -> None:
    sink.say = lambda _envelope: "451 4.7.1 Not yet"
    reply_that_is_due(desk, door, stopped)
    pauses = []
    for _ in range(14):
        desk.work()
        pauses.append((outbox()[0].not_before - clock.now()).total_seconds())
        stopped.move(seconds=pauses[-1] + 0.1)
    assert all(later > earlier * 1.5 for earlier, later in itertools.pairwise(pauses[:11]))
    assert 3400 < pauses[-1] < 3800 and outbox()[0].attempts == 14


def test_of_two_recipients_the_refused_one_fails_and_the_other_gets_the_mail_once(
    desk: TestDesk, door: MailDoor, sink: Sink, stopped: clock.Hand
) -> None:
    sink.say_rcpt = lambda address: "550 5.1.1 No such user" if address.startswith("dora") else None
    ticket = opened_by_mail(desk, door)
    with db.transaction() as session:
        dora = contacts.by_email("dora@customer.example", by=sending.DOOR)
        intake.add_participant(session.get_one(Ticket, ticket.id), dora)
    replies(desk, ticket)
    stopped.move(seconds=16)
    for _ in range(3):
        desk.work()
        stopped.move(minutes=5)
    assert [recipients for _sender, recipients, _raw in sink.taken] == [["carol@customer.example"]]
    assert {row.recipient: row.state for row in outbox()} == {"carol@customer.example": "sent", "dora@customer.example": "failed"}
    message = messages(ticket)[-1]
    assert message.delivery == "sent" and message.delivery_note.startswith(f"{fates.COPY_FAILED}\ndora@customer.example: 550")
    with db.read() as session:
        failing = list(session.scalars(select(Identity.value).where(Identity.failing_since.is_not(None))))
    assert failing == ["dora@customer.example"]


def test_a_password_that_the_server_refuses_keeps_the_mail_until_somebody_mends_it(
    desk: TestDesk, door: MailDoor, stopped: clock.Hand
) -> None:
    answers = {b"EHLO": b"250-here\r\n250 AUTH PLAIN LOGIN", b"AUTH": b"535 5.7.8 Bad credentials"}
    with server(lambda connection: talk(connection, answers)) as url:
        use_server(desk, url.replace("smtp://", "smtp://me:secret-canary@") + "?tls=none")
        reply_that_is_due(desk, door, stopped)
        desk.work()
    (row,) = outbox()
    assert row.state == "waiting" and "Bad credentials" in row.server_words and "canary" not in row.server_words


def test_a_mail_whose_server_s_address_cannot_be_read_waits_and_says_so_and_leaves_when_it_is_entered_again(
    desk: TestDesk, door: MailDoor, sink: Sink, stopped: clock.Hand
) -> None:
    with db.transaction() as session:
        session.get_one(Inbox, desk.people.mail).smtp_url = vault.seal("smtp://x")[:-4] + "AAA="
    ticket = reply_that_is_due(desk, door, stopped)
    desk.work()
    assert outbox()[0].server_words == sending.UNREADABLE and messages(ticket)[-1].delivery_note == sending.UNREADABLE
    assert not sink.taken
    with db.transaction() as session:
        session.get_one(Inbox, desk.people.mail).smtp_url = ""
        record(SettingsChanged(sending.DOOR, what=f"inbox:{desk.people.mail}"))
    desk.work()
    assert len(sink.taken) == 1


def test_a_conversation_ends_at_its_deadline_even_between_words() -> None:
    with smtp.Deadline(0.05) as deadline:
        time.sleep(0.1)
        with pytest.raises(TimeoutError):
            deadline.check()
