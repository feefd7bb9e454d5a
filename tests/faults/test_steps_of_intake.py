"""The process ends at each named step of intake: whoever comes next finds the mail, and makes one ticket of it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from contextlib import suppress
from pathlib import Path

import pytest
from sqlalchemy import select

from helpdesk import config, db, schema
from helpdesk.app import create_app
from helpdesk.channels.email import arrivals, bounded, steps
from helpdesk.channels.email.models import Arrival
from helpdesk.tickets.models import Message, Ticket
from tests import people

pytestmark = pytest.mark.slow

MAIL = (
    b"From: Carol <carol@customer.example>\r\nTo: support@example.com\r\nSubject: Request %d\r\nMessage-ID: <%d@customer.example>\r\n"
    b"MIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\nContent-Type: text/plain\r\n\r\nRequest %d.\r\n"
    b"--b\r\nContent-Type: application/pdf\r\nContent-Disposition: attachment; filename=a.pdf\r\n\r\n%%PDF %d\r\n--b--\r\n"
)
#: What a mail server, or a fetcher, does: hand a mail over until it is told that it is safe; then the desk works.
HAND_OVER = """
import sys
from helpdesk import config, worker
from helpdesk.app import create_app
from helpdesk.channels.email import arrivals, bounded
app = create_app(config.load())
with app.app_context():
    for path in sys.argv[1:]:
        raw = open(path, "rb").read()
        arrivals.store(raw, box="support@example.com", inbox_id=None, sender="carol@customer.example", recipients=["support@example.com"])
        open(path + ".safe", "w").close()
    worker.work_off()
bounded.close()
"""


@pytest.fixture
def environ(tmp_path: Path) -> dict[str, str]:
    made = {"HELPDESK_DATA": str(tmp_path / "desk"), "SECRET_KEYS": "k" * 40, "BASE_URL": "http://localhost"}
    settings = config.load(made)
    db.connect(settings.database_url)
    schema.upgrade()
    create_app(settings)
    with db.transaction():
        people.company()
    return {**os.environ, **made, "PYTHONPATH": os.getcwd()}


@pytest.mark.parametrize("time_", [1, pytest.param(2, marks=pytest.mark.soak), pytest.param(3, marks=pytest.mark.soak)])
@pytest.mark.parametrize("step", steps.STEPS)
def test_a_crash_at_this_step_loses_nothing_and_doubles_nothing(environ: dict[str, str], tmp_path: Path, step: str, time_: int) -> None:
    paths = []
    for number in range(3):
        paths.append(tmp_path / f"{number}.eml")
        paths[-1].write_bytes(MAIL % (number, number, number, number))
    command = [sys.executable, "-c", HAND_OVER]
    crash = subprocess.run([*command, *map(str, paths)], env={**environ, "HELPDESK_TEST_KILL_AT": f"{step}:{time_}"}, timeout=60)
    assert crash.returncode == -signal.SIGKILL, "the step was reached"
    # Its leases run out: the desk that comes next is alone, and releases them as its start does.
    from helpdesk import deliveries

    deliveries.release_leases()
    rest = [str(path) for path in paths if not Path(f"{path}.safe").exists()]
    assert subprocess.run([*command, *rest], env=environ, timeout=60).returncode == 0
    with db.read() as session:
        assert Counter(session.scalars(select(Ticket.subject))) == Counter(f"Request {number}" for number in range(3))
        assert len(list(session.scalars(select(Message.id)))) == 3
        fates = list(session.scalars(select(Arrival).order_by(Arrival.id)))
        assert [row.state for row in fates] == ["accepted"] * 3
        assert all(arrivals.raw_of(row).startswith(b"From: Carol") for row in fates)
    db.disconnect()


def test_the_same_mail_fifty_times_at_once_is_one(environ: dict[str, str]) -> None:
    raw, made = MAIL % (1, 1, 1, 1), []
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
        (row,) = session.scalars(select(Arrival))
        assert row.copies == 49
    bounded.close()
    db.disconnect()


def test_a_desk_that_nobody_tests_ends_at_no_step() -> None:
    began = time.monotonic()
    for step in steps.STEPS:
        steps.reached(step)
    assert time.monotonic() - began < 1
