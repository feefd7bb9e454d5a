"""The process ends at each named step of intake: whoever comes next finds the mail, and makes one ticket of it."""

from __future__ import annotations

import itertools
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from sqlalchemy import func, select

from helpdesk import config, db, deliveries, schema
from helpdesk.app import create_app
from helpdesk.channels.email import arrivals, bounded, steps
from helpdesk.channels.email.models import Arrival
from helpdesk.config import Settings
from helpdesk.tickets.models import Message, Ticket
from tests import people
from tests.faults.crashing import Worker

pytestmark = pytest.mark.slow

NUMBERS = itertools.count(1)
MAIL = (
    b"From: Carol <carol@customer.example>\r\nTo: support@example.com\r\nSubject: Request %d\r\nMessage-ID: <%d@customer.example>\r\n"
    b"MIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\nContent-Type: text/plain\r\n\r\nRequest %d.\r\n"
    b"--b\r\nContent-Type: application/pdf\r\nContent-Disposition: attachment; filename=a.pdf\r\n\r\n%%PDF %d\r\n--b--\r\n"
)


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Settings, Worker]]:
    """One desk and one worker for all the steps; each step takes in mails of its own."""
    environ = {"HELPDESK_DATA": str(tmp_path_factory.mktemp("desk")), "SECRET_KEYS": "k" * 40, "BASE_URL": "http://localhost"}
    settings = config.load(environ)
    db.connect(settings.database_url)
    schema.upgrade()
    create_app(settings)
    with db.transaction():
        people.company()
    worker = Worker(environ)
    yield settings, worker
    worker.close()
    bounded.close()
    db.disconnect()


@pytest.mark.parametrize("time_", [1, pytest.param(2, marks=pytest.mark.soak), pytest.param(3, marks=pytest.mark.soak)])
@pytest.mark.parametrize("step", steps.STEPS)
def test_a_crash_at_this_step_loses_nothing_and_doubles_nothing(
    desk: tuple[Settings, Worker], tmp_path: Path, step: str, time_: int
) -> None:
    worker = desk[1]
    numbers = [next(NUMBERS) for _ in range(3)]
    paths = [tmp_path / f"{number}.eml" for number in numbers]
    for number, path in zip(numbers, paths, strict=True):
        path.write_bytes(MAIL % (number, number, number, number))
    assert worker.work(kill_at=f"{step}:{time_}", mails=paths) == "killed", "the step was reached"
    # Its leases run out: the desk that comes next is alone, and releases them as its start does.
    deliveries.release_leases()
    assert worker.work(mails=[path for path in paths if not path.with_suffix(".safe").exists()]) == "done"
    with db.read() as session:
        made = select(Ticket.subject).where(Ticket.subject.in_([f"Request {number}" for number in numbers]))
        assert Counter(session.scalars(made)) == Counter(f"Request {number}" for number in numbers)
        assert session.scalar(select(func.count()).select_from(Message)) == session.scalar(select(func.count()).select_from(Ticket))
        fates = list(session.scalars(select(Arrival).order_by(Arrival.id.desc()).limit(3)))
        assert [row.state for row in fates] == ["accepted"] * 3
        assert all(arrivals.raw_of(row).startswith(b"From: Carol") for row in fates)
        assert session.scalar(select(func.count()).select_from(Arrival)) == session.scalar(select(func.count()).select_from(Ticket))


def test_the_same_mail_fifty_times_at_once_is_one(desk: tuple[Settings, Worker]) -> None:
    raw, made = MAIL % (0, 0, 0, 0), []
    gate = threading.Barrier(50)

    def deliver() -> None:
        with suppress(threading.BrokenBarrierError):
            gate.wait(20)
        made.append(
            arrivals.store(raw, box="support@example.com", inbox_id=None, sender="c@customer.example", recipients=["support@example.com"])
        )

    threads = [threading.Thread(target=deliver) for _ in range(50)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert len(made) == 50 and sum(new for _, new in made) == 1
    with db.read() as session:
        (row,) = session.scalars(select(Arrival).where(Arrival.header_id == "<0@customer.example>"))
        assert row.copies == 49
    assert desk[1].work() == "done"


def test_a_desk_that_nobody_tests_ends_at_no_step() -> None:
    began = time.monotonic()
    for step in steps.STEPS:
        steps.reached(step)
    assert time.monotonic() - began < 1
