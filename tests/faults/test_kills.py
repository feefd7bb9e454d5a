"""Killed in the middle: nothing that was acknowledged is lost, nothing is doubled, every ticket has one owner."""

from __future__ import annotations

import random
import smtplib
import threading
import time
from collections import Counter
from contextlib import suppress
from email.message import EmailMessage
from pathlib import Path

import pytest
from sqlalchemy import func, select

from helpdesk import db
from helpdesk.actor import SYSTEM, Actor
from helpdesk.agents import presence
from helpdesk.agents.models import AgentProfile, Assignment, ItemState, PresenceState, WorkItem
from helpdesk.channels.email.imap import accounts
from helpdesk.channels.email.models import Arrival, ArrivalState
from helpdesk.preferences import prefer
from helpdesk.tickets.models import Inbox, Message, MessageKind, Ticket
from tests.imap import ImapServer, running
from tests.running import RunningDesk

pytestmark = pytest.mark.slow
PATIENCE_S = 300


def letter(number: int) -> EmailMessage:
    mail = EmailMessage()
    mail["From"] = f"customer{number % 40}@customer.example"
    mail["To"] = "support@example.com"
    mail["Subject"] = f"Request {number}"
    mail["Message-ID"] = f"<{number}@customer.example>"
    mail.set_content(f"This is request {number}.")
    return mail


def deliver(desk: RunningDesk, numbers: list[int]) -> None:
    """Send each mail until the desk says 250, as a mail server does."""
    for number in numbers:
        until = time.monotonic() + PATIENCE_S
        while time.monotonic() < until:
            with suppress(OSError, smtplib.SMTPException):
                with smtplib.SMTP("127.0.0.1", desk.mail_port, timeout=10) as server:
                    server.send_message(letter(number))
                break
            time.sleep(0.2)
        else:
            raise AssertionError(f"mail {number} was never taken")


def settle(mails: int) -> None:
    """Wait until every mail has met its fate and every ticket its agent."""
    until = time.monotonic() + PATIENCE_S + mails / 5
    while time.monotonic() < until:
        with db.read() as session:
            open_ = session.scalar(select(func.count()).select_from(Arrival).where(Arrival.state == ArrivalState.STORED))
            waiting = session.scalar(select(func.count()).select_from(Ticket).where(Ticket.assignee_id.is_(None)))
            tickets = session.scalar(select(func.count()).select_from(Ticket))
        if not open_ and not waiting and tickets == mails:
            return
        time.sleep(0.5)


@pytest.mark.parametrize(
    ("mails", "kills"),
    [
        (20, 1),
        pytest.param(200, 10, marks=[pytest.mark.soak, pytest.mark.timeout(900)]),
        pytest.param(5000, 200, marks=[pytest.mark.soak, pytest.mark.timeout(4 * 3600)]),
    ],
    ids=["sample", "full", "promised"],
)
def test_mails_survive_the_server_being_killed_at_random_moments(tmp_path: Path, mails: int, kills: int) -> None:
    rng = random.Random(mails)
    desk = RunningDesk(tmp_path / "desk")
    company = desk.prepare()
    with db.transaction() as session:
        prefer(presence_ttl_s=3600)
        for user in (company.alice, company.bob):
            session.get_one(AgentProfile, user).capacity = mails
            presence.set_presence(user, PresenceState.AVAILABLE, by=Actor("user", user))
    desk.start()
    try:
        senders = [threading.Thread(target=deliver, args=(desk, list(range(start, mails, 3)))) for start in range(3)]
        for sender in senders:
            sender.start()
        for _ in range(kills):
            time.sleep(rng.uniform(0.1, 1.5))
            desk.kill()
            desk.start_processes()
        for sender in senders:
            sender.join()
        settle(mails)
        with db.read() as session:
            subjects = Counter(session.scalars(select(Ticket.subject)))
            inbound = session.scalar(select(func.count()).select_from(Message).where(Message.kind == MessageKind.INBOUND))
            owners = Counter(session.scalars(select(Assignment.item_id).where(Assignment.ended_at.is_(None))))
            states = Counter(session.scalars(select(WorkItem.state)))
            loads = session.scalar(select(func.sum(AgentProfile.load)))
        assert subjects == Counter({f"Request {number}": 1 for number in range(mails)})
        assert inbound == mails
        assert set(owners.values()) == {1} and len(owners) == mails
        assert states == Counter({ItemState.ASSIGNED: mails}) and loads == mails
    finally:
        desk.stop()
        db.disconnect()


@pytest.mark.parametrize(
    ("mails", "kills"), [(20, 1), pytest.param(1000, 40, marks=[pytest.mark.soak, pytest.mark.timeout(3600)])], ids=["sample", "full"]
)
def test_mails_survive_the_fetcher_being_killed_at_random_moments(tmp_path: Path, mails: int, kills: int) -> None:
    rng = random.Random(mails)
    desk = RunningDesk(tmp_path / "desk")
    company = desk.prepare()
    with running(ImapServer()) as server:
        for number in range(mails):
            server.deliver(letter(number).as_bytes())
        with db.transaction() as session:
            shape = accounts.Shape(
                host="127.0.0.1",
                port=server.port,
                tls="none",
                username="support",
                password="app pass word",
                afterwards="move",
                move_to="Done",
            )
            accounts.add(session.get_one(Inbox, company.mail), shape, by=SYSTEM)
        desk.start()
        try:
            for _ in range(kills):
                time.sleep(rng.uniform(0.1, 2.5))
                desk.kill()
                desk.start_processes()
            until = time.monotonic() + PATIENCE_S + mails / 5
            while time.monotonic() < until:
                with db.read() as session:
                    subjects = Counter(session.scalars(select(Ticket.subject)))
                if len(subjects) == mails and not server.inbox.mails:
                    break
                time.sleep(0.5)
            assert subjects == Counter({f"Request {number}": 1 for number in range(mails)})
            assert not server.inbox.mails and len(server.folders["Done"].mails) == mails
        finally:
            desk.stop()
            db.disconnect()
