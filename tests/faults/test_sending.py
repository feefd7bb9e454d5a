"""Sending, killed at each of its steps: no mail is lost, and none comes twice unless the server had taken it before the kill."""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from email import message_from_bytes
from pathlib import Path

import pytest
from sqlalchemy import func, select

from helpdesk import clock, db
from helpdesk.actor import Actor
from helpdesk.channels.email.models import Outgoing, OutgoingState
from helpdesk.crm import contacts
from helpdesk.preferences import prefer
from helpdesk.tickets import intake, thread
from helpdesk.tickets.intake import Incoming
from helpdesk.tickets.models import Channel, DeliveryState, Inbox, Message, MessageKind
from tests.faults.crashing import STEPS
from tests.running import RunningDesk

pytestmark = pytest.mark.slow

#: After these the server has the mail, and the desk does not know it.
TOO_LATE = {"server answered, nothing noted", "noted as sent, not committed"}
KILLS = 3
EMPTY_WITHIN_S = 60


class Worker:
    """The program of `crashing`, spoken to."""

    def __init__(self, desk: RunningDesk) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.faults.crashing"],
            env={**os.environ, **desk.environ}, cwd=Path(__file__).parents[2], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        )  # fmt: skip

    def work(self, after_s: float, step: str = "") -> str:
        """Work everything off at a moment from now; how it ended."""
        assert self._process.stdin is not None and self._process.stdout is not None
        told = {"at": (clock.now() + timedelta(seconds=after_s)).isoformat(), "step": step}
        self._process.stdin.write(json.dumps(told) + "\n")
        self._process.stdin.flush()
        return self._process.stdout.readline().strip()

    def close(self) -> None:
        assert self._process.stdin is not None and self._process.stdout is not None
        self._process.stdin.close()
        self._process.wait(10)
        self._process.stdout.close()


@contextmanager
def desk_with_replies(folder: Path, count: int, database_url: str = "") -> Iterator[RunningDesk]:
    """A desk, its processes not started, whose agent has just answered `count` requests; its sink takes mail."""
    desk = RunningDesk(folder, database_url=database_url)
    company = desk.prepare()
    with db.transaction() as session:
        prefer(acknowledge=False)
        inbox = session.get_one(Inbox, company.mail)
        for number in range(count):
            person = contacts.by_email(f"customer{number}@customer.example", by=Actor("system", None))
            asked = Incoming(contact=person, text="Where is it?", channel=Channel.EMAIL, subject=f"Request {number}")
            ticket, _message = intake.receive(asked, inbox, by=Actor("contact", person.id))
            thread.reply(ticket, f"Answer {number}", by=Actor("user", company.alice))
    desk.sink.start()
    try:
        yield desk
    finally:
        desk.stop()
        db.disconnect()


def copies(desk: RunningDesk) -> Counter[str]:
    return Counter(str(message_from_bytes(raw)["Message-ID"]) for raw in desk.sink.mails)


@pytest.mark.parametrize("engine", ["sqlite", pytest.param("postgres", marks=[pytest.mark.postgres, pytest.mark.soak])])
@pytest.mark.parametrize("step", STEPS)
def test_a_sender_killed_three_times_at_a_step_loses_nothing_and_doubles_only_what_the_server_had_taken(
    tmp_path: Path, step: str, engine: str, request: pytest.FixtureRequest
) -> None:
    url = request.getfixturevalue("postgres_url") if engine == "postgres" else ""
    with desk_with_replies(tmp_path / "desk", 1, url) as desk:
        worker = Worker(desk)
        try:
            ended = [worker.work(30 + EMPTY_WITHIN_S * kill, step) for kill in range(KILLS)]
            ended.append(worker.work(30 + EMPTY_WITHIN_S * KILLS))
        finally:
            worker.close()
        with db.read() as session:
            (row,) = session.scalars(select(Outgoing))
            (reply,) = session.scalars(select(Message).where(Message.kind == MessageKind.REPLY))
    assert ended[0] == "killed" and ended[-1] == "done"
    if step != "committed":
        assert ended[1:-1] == ["killed", "killed"]
    assert (row.state, reply.delivery) == (OutgoingState.SENT, DeliveryState.SENT)
    assert copies(desk) == {row.header_id: KILLS + 1 if step in TOO_LATE else 1}


@pytest.mark.parametrize(
    ("mails", "kills"), [(30, 3), pytest.param(150, 12, marks=[pytest.mark.soak, pytest.mark.timeout(900)])], ids=["sample", "full"]
)
def test_the_outbox_of_a_desk_killed_while_it_sends_is_empty_a_minute_later(tmp_path: Path, mails: int, kills: int) -> None:
    rng = random.Random(mails)
    with desk_with_replies(tmp_path / "desk", mails) as desk:
        desk.start_processes()
        for _ in range(kills):
            time.sleep(rng.uniform(0.2, 1.2))
            desk.kill()
            desk.start_processes()
        until = time.monotonic() + EMPTY_WITHIN_S
        while time.monotonic() < until and waiting():
            time.sleep(0.5)
        taken = copies(desk)
        with db.read() as session:
            sent = set(session.scalars(select(Outgoing.header_id).where(Outgoing.state == OutgoingState.SENT)))
        assert not waiting(), desk.log()
    assert len(sent) == mails and set(taken) == sent
    assert sum(taken.values()) - mails <= kills


def waiting() -> int:
    left = select(func.count()).select_from(Outgoing).where(Outgoing.state != OutgoingState.SENT)
    with db.read() as session:
        return (session.scalar(left) or 0) + (0 if session.scalar(select(func.count()).select_from(Outgoing)) else 1)
