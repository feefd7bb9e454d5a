"""Sending, killed at each of its steps: no mail is lost, and none comes twice unless the server had taken it before the kill."""

from __future__ import annotations

import itertools
import random
import time
from collections import Counter
from collections.abc import Callable, Iterator
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
from helpdesk.tickets.models import Channel, DeliveryState, Inbox, Message
from tests import people
from tests.faults.crashing import STEPS, Worker
from tests.faults.forge import Forge
from tests.running import RunningDesk

pytestmark = pytest.mark.slow

#: After these the server has the mail, and the desk does not know it.
TOO_LATE = {"server answered, nothing noted", "noted as sent, not committed"}
NUMBERS = itertools.count()
EMPTY_WITHIN_S = 60


def answered(company: people.Company, count: int) -> list[int]:
    """An agent answers `count` new requests; the messages' ids."""
    with db.transaction() as session:
        inbox = session.get_one(Inbox, company.mail)
        replies = []
        for _ in range(count):
            person = contacts.by_email(f"customer{next(NUMBERS)}@customer.example", by=Actor("system", None))
            asked = Incoming(contact=person, text="Where is it?", channel=Channel.EMAIL, subject="Where is it?")
            ticket, _message = intake.receive(asked, inbox, by=Actor("contact", person.id))
            replies.append(thread.reply(ticket, "On its way.", by=Actor("user", company.alice)))
    return [reply.id for reply in replies]


@contextmanager
def prepared(folder: Path, database_url: str = "", forge: Forge | None = None) -> Iterator[RunningDesk]:
    """A desk, its processes not started; its sink takes mail."""
    desk = RunningDesk(folder, database_url=database_url, forge=forge)
    desk.prepare()
    with db.transaction():
        prefer(acknowledge=False)
    desk.sink.start()
    try:
        yield desk
    finally:
        desk.stop()
        db.disconnect()


@pytest.fixture(scope="module", params=["sqlite", pytest.param("postgres", marks=[pytest.mark.postgres, pytest.mark.soak])])
def sender(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[RunningDesk, Worker]]:
    """One desk and one worker for all the steps; each step sends a mail of its own."""
    url = request.getfixturevalue("postgres_server").create() if request.param == "postgres" else ""
    with prepared(tmp_path_factory.mktemp("desk"), url) as desk:
        worker = Worker(desk.environ)
        yield desk, worker
        worker.close()


def copies(desk: RunningDesk) -> Counter[str]:
    return Counter(str(message_from_bytes(raw)["Message-ID"]) for raw in desk.sink.mails)


@pytest.mark.parametrize("kills", [1, pytest.param(3, marks=pytest.mark.soak)])
@pytest.mark.parametrize("step", STEPS)
def test_a_sender_killed_at_a_step_loses_nothing_and_doubles_only_what_the_server_had_taken(
    sender: tuple[RunningDesk, Worker], step: str, kills: int
) -> None:
    desk, worker = sender
    db.connect(desk.settings.database_url)
    (reply_id,) = answered(desk.people, 1)
    begun = clock.now() + timedelta(seconds=30)
    ended = [worker.work(begun + timedelta(seconds=EMPTY_WITHIN_S * kill), step=step) for kill in range(kills)]
    ended.append(worker.work(begun + timedelta(seconds=EMPTY_WITHIN_S * kills)))
    with db.read() as session:
        (row,) = session.scalars(select(Outgoing).where(Outgoing.message_id == reply_id))
        reply = session.get_one(Message, reply_id)
    assert ended[0] == "killed" and ended[-1] == "done"
    if step != "committed":
        assert ended[1:-1] == ["killed"] * (kills - 1)
    assert (row.state, reply.delivery) == (OutgoingState.SENT, DeliveryState.SENT)
    assert copies(desk)[row.header_id] == (kills + 1 if step in TOO_LATE else 1)


@pytest.mark.parametrize(
    ("mails", "kills"), [(20, 1), pytest.param(150, 12, marks=[pytest.mark.soak, pytest.mark.timeout(900)])], ids=["sample", "full"]
)
def test_the_outbox_of_a_desk_killed_while_it_sends_is_empty_a_minute_later(
    tmp_path: Path,
    forge: Forge,
    say: Callable[[Callable[[], str]], None],
    record_property: Callable[[str, object], None],
    mails: int,
    kills: int,
) -> None:
    rng = random.Random(mails)
    with prepared(tmp_path / "desk", forge=forge) as desk:
        answered(desk.people, mails)
        desk.start_processes()
        for kill in range(kills):
            time.sleep(rng.uniform(0.2, 1.2))
            desk.kill()
            desk.start_processes()
            say(lambda kill=kill: f"{kill + 1} of {kills} kills, {waiting()} of {mails} mails wait")  # type: ignore[misc]
        until = time.monotonic() + EMPTY_WITHIN_S
        while time.monotonic() < until and waiting():
            say(lambda: f"{waiting()} of {mails} mails wait")
            time.sleep(0.5)
        taken = copies(desk)
        with db.read() as session:
            rows = {
                row.header_id: f"{row.state.value}, {row.attempts} tries, {row.server_words}" for row in session.scalars(select(Outgoing))
            }
        left = [f"{header_id}: {said}" for header_id, said in rows.items() if not said.startswith(f"{OutgoingState.SENT.value},")]
        assert not left, "\n".join(left) + desk.log()
    lost = [f"{header_id}: {said}, not at the server" for header_id, said in rows.items() if not taken[header_id]]
    assert not lost and len(rows) == mails and set(taken) == set(rows), "\n".join(lost)
    for name, figure in (("mails", mails), ("kills", kills), ("at the server", sum(taken.values()))):
        record_property(name, figure)
    doubled = {header_id: count for header_id, count in taken.items() if count > 1}
    assert sum(taken.values()) - mails <= kills, doubled


def waiting() -> int:
    left = select(func.count()).select_from(Outgoing).where(Outgoing.state != OutgoingState.SENT)
    with db.read() as session:
        return (session.scalar(left) or 0) + (0 if session.scalar(select(func.count()).select_from(Outgoing)) else 1)
