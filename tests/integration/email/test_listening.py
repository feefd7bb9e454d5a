"""The conversation with a mail server: who may be written to, what is too large, how SMTP and LMTP share one port."""

from __future__ import annotations

import smtplib
import socket
import threading
from dataclasses import replace

import pytest

from helpdesk import db, files
from helpdesk.channels.email import arrivals as ledger
from helpdesk.channels.email import intake, listener
from helpdesk.tickets.models import Inbox
from tests.desks import TestDesk
from tests.integration.email.conftest import MailDoor, arrivals, letter, tickets


def test_the_bytes_of_a_mail_are_kept_to_the_letter_dots_and_long_lines_included(desk: TestDesk, door: MailDoor) -> None:
    raw = b"From: carol@customer.example\r\nSubject: dots\r\n\r\n.\r\n..two\r\n" + b"x" * 300_000 + b"\r\nend\r\n"
    with door.open() as server:
        server.mail("carol@customer.example")
        server.rcpt("support@example.com")
        server.docmd("DATA")
        server.send(raw.replace(b"\r\n.", b"\r\n..") + b".\r\n")
        assert server.getreply()[0] == 250
    assert ledger.raw_of(arrivals()[0]) == raw


def test_an_empty_mail_is_taken_and_put_aside_with_the_reason(desk: TestDesk, door: MailDoor) -> None:
    with door.open() as server:
        server.mail("carol@customer.example")
        server.rcpt("support@example.com")
        server.docmd("DATA")
        server.send(b".\r\n")
        assert server.getreply()[0] == 250
        server.mail("carol@customer.example")  # the conversation goes on
    desk.work()
    assert [(a.state, a.why) for a in arrivals()] == [("quarantined", intake.NO_SENDER)]


def test_a_port_that_is_taken_is_said_plainly(desk: TestDesk) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        taken = replace(desk.settings, mail_listen=("127.0.0.1", other.getsockname()[1]))
        with pytest.raises(listener.CannotListen, match="cannot be taken in on 127.0.0.1"):
            listener.start(desk.app, taken)


def test_stopping_while_a_conversation_is_open_is_quick(desk: TestDesk, door: MailDoor) -> None:
    server = smtplib.SMTP(door.listener.host, door.listener.port, timeout=5)
    server.ehlo("mx.example")
    stopper = threading.Thread(target=door.listener.stop)
    stopper.start()
    stopper.join(3)
    assert not stopper.is_alive()
    server.close()


# --- who may be written to ---------------------------------------------------------------------------------------------


def test_an_unknown_address_is_refused_and_a_plus_address_is_known(desk: TestDesk, door: MailDoor) -> None:
    assert door.send(letter(), to=("nobody@example.com",)).startswith("550 5.1.1")
    assert door.send(letter(), to=("Support+Invoices@Example.com",)).startswith("250")
    assert len(arrivals()) == 1


def test_a_catch_all_inbox_takes_what_nobody_else_takes(desk: TestDesk, door: MailDoor) -> None:
    with db.transaction() as session:
        session.get_one(Inbox, desk.people.billing_mail).address = "*@example.com"
    assert door.send(letter("a", to="sales@example.com"), to=("sales@example.com",)).startswith("250")
    assert door.send(letter("b"), to=("support@example.com",)).startswith("250")
    assert door.send(letter("c"), to=("sales@elsewhere.example",)).startswith("550")
    desk.work()
    assert [t.inbox_id for t in tickets()] == [desk.people.billing_mail, desk.people.mail]


def test_a_closed_inbox_refuses(desk: TestDesk, door: MailDoor) -> None:
    with db.transaction() as session:
        session.get_one(Inbox, desk.people.mail).active = False
    assert door.send(letter()).startswith("550")


def test_one_mail_to_two_inboxes_goes_to_the_first_and_is_one_ticket(desk: TestDesk, door: MailDoor) -> None:
    door.send(letter(), to=("billing@example.com", "support@example.com"))
    desk.work()
    assert [t.inbox_id for t in tickets()] == [desk.people.billing_mail]


def test_lmtp_speaks_on_the_same_port_and_answers_once_per_recipient(desk: TestDesk, door: MailDoor) -> None:
    with smtplib.SMTP(door.listener.host, door.listener.port) as server:
        assert server.docmd("LHLO", "mx.example")[0] == 250
        for words, recipients in (("One", ["support@example.com", "billing@example.com"]), ("Another", ["support@example.com"])):
            assert server.docmd("MAIL", "FROM:<carol@customer.example>")[0] == 250
            assert all(server.docmd("RCPT", f"TO:<{address}>")[0] == 250 for address in recipients)
            assert server.docmd("DATA")[0] == 354
            server.send(letter(words).replace(b"\n", b"\r\n") + b".\r\n")
            assert [server.getreply()[0] for _ in recipients] == [250] * len(recipients)
        assert server.docmd("NOOP")[0] == 250  # nothing is left unread
    assert len(arrivals()) == 2


# --- what goes wrong ---------------------------------------------------------------------------------------------------


def test_a_mail_of_a_hundred_megabytes_is_refused_and_leaves_nothing(desk: TestDesk, door: MailDoor) -> None:
    line = b"x" * 998 + b"\r\n"
    with door.open() as server:
        assert server.docmd("MAIL", f"FROM:<carol@customer.example> SIZE={100 * 2**20}")[0] == 552
        server.mail("carol@customer.example")  # a sender that does not say how much comes
        server.rcpt("support@example.com")
        server.docmd("DATA")
        for _ in range(100):
            server.send(line * 1049)
        server.send(b"\r\n.\r\n")
        assert server.getreply()[0] == 552
        assert door.hand_over(server, letter(), "carol@customer.example", ("support@example.com",)).startswith("250")
    assert len(arrivals()) == 1 and len(list(files.store().keys())) == 1


@pytest.mark.parametrize(
    "sender", ["taro..yamada@docomo.example", ".dot@x.example", "олег@klient.example", "a@[192.0.2.1]", '"two words"@x.example']
)
def test_odd_senders_are_heard(desk: TestDesk, door: MailDoor, sender: str) -> None:
    with door.open() as server:
        server.command_encoding = "utf-8"
        assert server.docmd("MAIL", f"FROM:<{sender}> BODY=8BITMIME{'' if sender.isascii() else ' SMTPUTF8'}")[0] == 250
        assert server.docmd("RCPT", "TO:<support@example.com>")[0] == 250
        assert server.data(letter().replace(b"\n", b"\r\n"))[0] == 250
    assert arrivals()[0].sender == sender


def test_a_null_sender_is_kept_as_none(desk: TestDesk, door: MailDoor) -> None:
    door.send(letter(), sender="")
    assert arrivals()[0].sender == "" and arrivals()[0].recipients == ["support@example.com"]
