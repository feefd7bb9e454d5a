"""Killed in the middle: nothing that was acknowledged is lost, nothing is doubled, every ticket has one owner."""

from __future__ import annotations

import random
import smtplib
import threading
import time
from collections import Counter
from collections.abc import Callable, Collection
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
from tests.faults.forge import Forge
from tests.imap import ImapServer, running
from tests.running import RunningDesk

pytestmark = pytest.mark.slow
#: From the first mail to the last ticket, whatever is killed meanwhile.
BUDGET_S = 1140
Say = Callable[[Callable[[], str]], None]
Note = Callable[[str, object], None]


def letter(number: int) -> EmailMessage:
    mail = EmailMessage()
    mail["From"] = f"customer{number % 40}@customer.example"
    mail["To"] = "support@example.com"
    mail["Subject"] = f"Request {number}"
    mail["Message-ID"] = f"<{number}@customer.example>"
    mail.set_content(f"This is request {number}.")
    return mail


class Senders:
    """Mail servers that hand over mails, each until the desk says 250."""

    def __init__(self, port: int, mails: int, until: float, servers: int = 3) -> None:
        self.answered: list[int] = []
        self._port, self._until = port, until
        self._threads = [threading.Thread(target=self._send, args=(range(start, mails, servers),), daemon=True) for start in range(servers)]
        for thread in self._threads:
            thread.start()

    def join(self) -> None:
        for thread in self._threads:
            thread.join(max(0.0, self._until - time.monotonic()))

    def busy(self) -> bool:
        return any(thread.is_alive() for thread in self._threads)

    def _send(self, numbers: range) -> None:
        for number in numbers:
            while time.monotonic() < self._until:
                with suppress(OSError, smtplib.SMTPException):
                    with smtplib.SMTP("127.0.0.1", self._port, timeout=10) as server:
                        server.send_message(letter(number))
                    self.answered.append(number)
                    break
                time.sleep(0.2)


def counts() -> tuple[int, int, int]:
    """Tickets, those without an owner, and mails whose fate is open."""
    with db.read() as session:
        tickets = session.scalar(select(func.count()).select_from(Ticket)) or 0
        unowned = session.scalar(select(func.count()).select_from(Ticket).where(Ticket.assignee_id.is_(None))) or 0
        open_ = session.scalar(select(func.count()).select_from(Arrival).where(Arrival.state == ArrivalState.STORED)) or 0
    return tickets, unowned, open_


def wrongs(mails: int, answered: Collection[int] | None = None) -> list[str]:
    """What was lost or doubled, by name, with what the ledger says of it."""
    with db.read() as session:
        tickets: dict[str, list[int]] = {}
        for number, subject in session.execute(select(Ticket.number, Ticket.subject)):
            tickets.setdefault(subject, []).append(number)
        arrivals: dict[str | None, list[str]] = {}
        for row in session.scalars(select(Arrival).order_by(Arrival.id)):
            arrivals.setdefault(row.header_id, []).append(
                f"arrival {row.id} {row.state.value} ticket {row.ticket_id} copies {row.copies} {row.why}".rstrip()
            )
    found = []
    for number in range(mails):
        made = tickets.pop(f"Request {number}", [])
        if len(made) != 1:
            ledger = "; ".join(arrivals.get(f"<{number}@customer.example>", ["not in the ledger"]))
            taken = "" if answered is None else "answered 250, " if number in answered else "never answered, "
            found.append(f"mail {number}: {taken}{'lost' if not made else f'tickets {made}'}; {ledger}")
    return found + [f"nobody wrote {subject!r}: tickets {numbers}" for subject, numbers in tickets.items()]


def note(record_property: Note, **figures: object) -> None:
    for name, value in figures.items():
        record_property(name, value)


def strike(desk: RunningDesk, kills: int, wait_s: Callable[[], float], until: float, say: Say, how_far: Callable[[], str]) -> int:
    """Kill and start the server again and again; how often before the time was over."""
    for done in range(kills):
        time.sleep(wait_s())
        if time.monotonic() > until:
            return done
        desk.kill()
        desk.start_processes()
        say(lambda done=done: f"{done + 1} of {kills} kills, {how_far()}")  # type: ignore[misc]
    return kills


@pytest.mark.parametrize(
    ("mails", "kills"),
    [
        (20, 1),
        pytest.param(200, 10, marks=[pytest.mark.soak, pytest.mark.timeout(600)]),
        pytest.param(1000, 40, marks=[pytest.mark.soak, pytest.mark.timeout(1200)]),
        pytest.param(5000, 200, marks=[pytest.mark.soak, pytest.mark.timeout(1300)]),
    ],
    ids=["sample", "tenth", "fifth", "promised"],
)
def test_mails_survive_the_server_being_killed_at_random_moments(
    tmp_path: Path, forge: Forge, say: Say, record_property: Note, mails: int, kills: int
) -> None:
    rng = random.Random(mails)
    desk = RunningDesk(tmp_path / "desk", forge=forge)
    company = desk.prepare()
    with db.transaction() as session:
        prefer(presence_ttl_s=3600)
        for user in (company.alice, company.bob):
            session.get_one(AgentProfile, user).capacity = mails
            presence.set_presence(user, PresenceState.AVAILABLE, by=Actor("user", user))
    desk.start()
    begun = time.monotonic()
    until = begun + BUDGET_S
    try:
        senders = Senders(desk.mail_port, mails, until)

        def how_far() -> str:
            tickets, unowned, open_ = counts()
            return f"{len(senders.answered)} of {mails} mails answered, {tickets} tickets, {unowned} without owner, {open_} undecided"

        struck = strike(desk, kills, lambda: rng.uniform(0.1, 1.5), until, say, how_far)
        while time.monotonic() < until and (senders.busy() or counts() != (mails, 0, 0)):
            say(how_far)
            time.sleep(0.5)
        senders.join()
        left = how_far()
        wrong = wrongs(mails, set(senders.answered))
        note(record_property, mails=mails, kills=struck, wrong=len(wrong), seconds=round(time.monotonic() - begun))
        with db.read() as session:
            inbound = session.scalar(select(func.count()).select_from(Message).where(Message.kind == MessageKind.INBOUND))
            owners = Counter(session.scalars(select(Assignment.item_id).where(Assignment.ended_at.is_(None))))
            states = Counter(session.scalars(select(WorkItem.state)))
            loads = session.scalar(select(func.sum(AgentProfile.load)))
        assert not wrong, f"{left}\n" + "\n".join(wrong) + desk.log()
        assert inbound == mails
        assert set(owners.values()) == {1} and len(owners) == mails, {item: count for item, count in owners.items() if count != 1}
        assert states == Counter({ItemState.ASSIGNED: mails}) and loads == mails
        assert struck == kills, f"the time was over after {struck} kills"
    finally:
        desk.stop()
        db.disconnect()


@pytest.mark.parametrize(
    ("mails", "kills"), [(20, 1), pytest.param(1000, 40, marks=[pytest.mark.soak, pytest.mark.timeout(1300)])], ids=["sample", "full"]
)
def test_mails_survive_the_fetcher_being_killed_at_random_moments(
    tmp_path: Path, forge: Forge, say: Say, record_property: Note, mails: int, kills: int
) -> None:
    rng = random.Random(mails)
    desk = RunningDesk(tmp_path / "desk", forge=forge)
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
        begun = time.monotonic()
        until = begun + BUDGET_S
        try:

            def how_far() -> str:
                return f"{counts()[0]} tickets of {mails}, {len(server.inbox.mails)} mails still in the account"

            struck = strike(desk, kills, lambda: rng.uniform(0.1, 2.5), until, say, how_far)
            while time.monotonic() < until and (server.inbox.mails or counts()[0] < mails or counts()[2]):
                say(how_far)
                time.sleep(0.5)
            left, wrong = how_far(), wrongs(mails)
            note(record_property, mails=mails, kills=struck, wrong=len(wrong), seconds=round(time.monotonic() - begun))
            assert not wrong, f"{left}\n" + "\n".join(wrong) + desk.log()
            assert not server.inbox.mails and len(server.folders["Done"].mails) == mails
            assert struck == kills, f"the time was over after {struck} kills"
        finally:
            desk.stop()
            db.disconnect()
