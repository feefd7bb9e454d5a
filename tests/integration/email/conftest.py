"""Mail in the tests: a running intake beside the desk, a mail server of a customer's side, and letters as people write them."""

from __future__ import annotations

import re
import smtplib
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from email import message_from_bytes
from email.message import EmailMessage, Message
from email.policy import default
from typing import Any

import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, Envelope, Session
from sqlalchemy import select

from helpdesk import db
from helpdesk.actor import Actor
from helpdesk.channels.email import bounded, handover, listener, marks, names
from helpdesk.channels.email.models import Arrival, Outgoing
from helpdesk.preferences import prefer
from helpdesk.tickets import thread
from helpdesk.tickets.models import Message as TicketMessage
from helpdesk.tickets.models import Ticket
from tests.desks import ENGINES, TestDesk
from tests.imap import ImapServer, running
from tests.servers import free_port
from tests.zone import records_in

#: What mail does is tested on SQLite; what the database decides, on both.
both_engines = pytest.mark.parametrize("engine", ENGINES)


#: On this and that side of the time in which an answer can be taken back.
BEFORE, AFTER = {"seconds": 14}, {"seconds": 16}


@pytest.fixture
def engine() -> str:
    return "sqlite"


@dataclass
class MailDoor:
    """The desk's intake, as a mail server sees it."""

    listener: listener.Listener

    def send(self, raw: bytes, *, sender: str = "carol@customer.example", to: tuple[str, ...] = ("support@example.com",)) -> str:
        """Hand one mail over; the server's answer to it."""
        with self.open() as server:
            return self.hand_over(server, raw, sender, to)

    @contextmanager
    def open(self) -> Iterator[smtplib.SMTP]:
        with smtplib.SMTP(self.listener.host, self.listener.port, timeout=30) as server:
            server.ehlo("mx.example")
            yield server

    def hand_over(self, server: smtplib.SMTP, raw: bytes, sender: str, to: tuple[str, ...]) -> str:
        server.mail(sender)
        for address in to:
            code, words = server.rcpt(address)
            if code != 250:
                server.rset()
                return f"{code} {words.decode()}"
        code, words = server.data(re.sub(rb"\r?\n", b"\r\n", raw))
        return f"{code} {words.decode()}"


@pytest.fixture
def door(desk: TestDesk) -> Iterator[MailDoor]:
    """The intake on a free port."""
    running = listener.start(desk.app, replace(desk.settings, mail_listen=("127.0.0.1", 0)))
    yield MailDoor(running)
    running.stop()


@pytest.fixture(autouse=True, scope="session")
def _no_parser_left() -> Iterator[None]:
    yield
    bounded.close()


def letter(
    text: str = "My invoice is wrong.",
    *,
    subject: str = "Invoice",
    sender: str = "Carol Jones <carol@customer.example>",
    to: str = "support@example.com",
    message_id: str = "",
    **headers: str,
) -> bytes:
    """A mail as a person's program writes it. Further headers by name, _ for -."""
    mail = EmailMessage()
    mail["From"], mail["To"], mail["Subject"] = sender, to, subject
    mail["Date"] = "Mon, 02 Mar 2026 10:00:00 +0000"
    mail["Message-ID"] = message_id or f"<{abs(hash((text, subject, sender, tuple(headers.items()))))}@mail.customer.example>"
    for name, value in headers.items():
        mail[name.replace("_", "-")] = value
    mail.set_content(text)
    return mail.as_bytes()


@dataclass
class Sink:
    """A mail server on the other side, keeping what it takes. `say` decides what it answers: None takes the mail."""

    taken: list[tuple[str, list[str], bytes]] = field(default_factory=list)
    say: Callable[[Envelope], str | None] = lambda _envelope: None
    say_rcpt: Callable[[str], str | None] = lambda _address: None
    guard: threading.Lock = field(default_factory=threading.Lock)

    async def handle_RCPT(self, _server: SMTP, _session: Session, envelope: Envelope, address: str, _options: list[str]) -> str:
        refusal = self.say_rcpt(address)
        if refusal is None:
            envelope.rcpt_tos.append(address)
        return refusal or "250 OK"

    async def handle_DATA(self, _server: SMTP, _session: Session, envelope: Envelope) -> str:
        refusal = self.say(envelope)
        if refusal is None:
            with self.guard:
                self.taken.append((envelope.mail_from or "", list(envelope.rcpt_tos), envelope.original_content or b""))
        return refusal or "250 OK queued as 42"

    def mails(self) -> list[Message]:
        return [message_from_bytes(raw, policy=default) for _sender, _recipients, raw in self.taken]

    def raw(self) -> list[bytes]:
        return [raw for _sender, _recipients, raw in self.taken]


@pytest.fixture
def sink(desk: TestDesk) -> Iterator[Sink]:
    """A mail server for the desk to send through; the desk is told about it."""
    kept = Sink()
    port = free_port()
    running = Controller(kept, hostname="127.0.0.1", port=port)
    running.start()
    use_server(desk, f"smtp://127.0.0.1:{port}")
    yield kept
    handover.forget()  # a kept connection would hold it open
    running.stop()


def use_server(desk: TestDesk, url: str) -> None:
    """Let the desk send through this server."""
    desk.settings = replace(desk.settings, smtp_url=url)
    desk.app.config["HELPDESK"] = desk.settings
    handover.forget()


def arrivals() -> list[Arrival]:
    with db.read() as session:
        return list(session.scalars(select(Arrival).order_by(Arrival.id)))


def outbox(*kinds: str) -> list[Outgoing]:
    with db.read() as session:
        return [row for row in session.scalars(select(Outgoing).order_by(Outgoing.id)) if not kinds or row.kind in kinds]


def tickets() -> list[Ticket]:
    with db.read() as session:
        return list(session.scalars(select(Ticket).order_by(Ticket.id)))


def messages(ticket: Ticket | None = None) -> list[TicketMessage]:
    with db.read() as session:
        found = session.scalars(select(TicketMessage).order_by(TicketMessage.id))
        return [message for message in found if ticket is None or message.ticket_id == ticket.id]


def replies(desk: TestDesk, ticket: Ticket, text: str = "It is corrected.", *, user: int = 0, **options: Any) -> int:
    """An agent answers, in a transaction of its own; the message's id."""
    with db.transaction() as session:
        said = thread.reply(session.get_one(Ticket, ticket.id), text, by=Actor("user", user or desk.people.alice), **options)
    return said.id


def opened_by_mail(desk: TestDesk, door: MailDoor, raw: bytes = b"") -> Ticket:
    """Carol's mail, become a ticket."""
    door.send(raw or letter())
    desk.work()
    return tickets()[-1]


def reply_mark(desk: TestDesk, ticket: Ticket, contact: int = 0) -> str:
    """The address that Carol's program answers to."""
    return marks.reply_address("support@example.com", ticket.id, contact or desk.people.carol)


@pytest.fixture(autouse=True)
def dns() -> Iterator[dict[str, bytes | list[bytes] | None]]:
    """What the tests' name server knows (`tests.zone`). Nobody asks a real one."""
    known: dict[str, bytes | list[bytes] | None] = {}
    before = names.use_resolver(lambda name, kind: records_in(known, name, kind))
    yield known
    names.use_resolver(before)


@pytest.fixture
def server() -> Iterator[ImapServer]:
    """A mail server with an account to fetch."""
    with running(ImapServer()) as made:
        yield made


@pytest.fixture
def no_receipts(desk: TestDesk) -> None:
    """New requests are not confirmed: receipts have their own tests."""
    with db.transaction():
        prefer(acknowledge=False)
