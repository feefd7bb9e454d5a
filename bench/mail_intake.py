"""How many mails a second the intake answers for, and how many become tickets, with everything on.

    .venv/bin/python bench/mail_intake.py [--mails 400] [--folder ../shared/data/mail/zammad] [--postgres]

Starts a desk of its own (listener, parser, routing, receipts through a real SMTP sink) and hands it mails from 1 and from 8 connections.
"answered" ends with the last 250, "tickets" when the last fate stands in the ledger. The folder's mails are used too, where it exists:
each time with another Message-ID and sender, so that every one is new. The floor beside it is the same number of durable one-row
transactions plus one synced file each, one after the other, on the same disk in the same minute.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import re
import smtplib
import sqlite3
import sys
import tempfile
import threading
import time
from email.message import EmailMessage
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from sqlalchemy import func, select

from helpdesk import db
from helpdesk.actor import Actor
from helpdesk.agents import presence
from helpdesk.agents.models import PresenceState
from helpdesk.channels.email.models import Arrival, ArrivalState
from tests.running import RunningDesk, running
from tests.servers import PostgresServer

PATIENCE_S = 300.0


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    options.add_argument("--mails", type=int, default=400)
    options.add_argument("--folder", type=Path, default=Path(__file__).parents[2] / "shared" / "data" / "mail" / "zammad")
    options.add_argument("--postgres", action="store_true")
    chosen = options.parse_args()
    with contextlib.ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        url = stack.enter_context(PostgresServer(durable=True)).create() if chosen.postgres else ""
        desk = stack.enter_context(running(folder / "desk", database_url=url))
        with db.transaction():
            for user in (desk.people.alice, desk.people.bob):
                presence.set_presence(user, PresenceState.AVAILABLE, by=Actor("user", user))
        for name, kinds in (("plain mails of a few lines", plain), ("mails that others wrote", lambda n: found(chosen.folder, n))):
            for connections in (1, 8):
                mails = kinds(chosen.mails)
                if mails:
                    measure(desk, name, mails, connections)
        print(f"floor: {floor(folder, chosen.mails):.0f}/s durable rows with a synced file each")
        print(f"memory of the desk afterwards: {desk.memory_kb() / 1024:.0f} MB")


def measure(desk: RunningDesk, name: str, mails: list[bytes], connections: int) -> None:
    before, spent = decided(), cpu(desk)
    began = time.monotonic()
    threads = [threading.Thread(target=hand_over, args=(desk.mail_port, mails[number::connections])) for number in range(connections)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    answered = time.monotonic() - began
    while decided() - before < len(mails) and time.monotonic() - began < PATIENCE_S:
        time.sleep(0.05)
    done = time.monotonic() - began
    lost = len(mails) - (decided() - before)
    print(
        f"{name}, {connections} connection{'s' if connections > 1 else ''}: answered {len(mails) / answered:.0f}/s, "
        f"tickets {len(mails) / done:.0f}/s, {(cpu(desk) - spent) / len(mails) * 1000:.1f} CPU ms each, {lost} undecided"
    )


def hand_over(port: int, mails: list[bytes]) -> None:
    with smtplib.SMTP("127.0.0.1", port) as server:
        for number, raw in enumerate(mails):
            server.sendmail(f"s{number}@bench.example", ["support@example.com"], raw)


def decided() -> int:
    with db.read() as session:
        return session.scalar(select(func.count()).select_from(Arrival).where(Arrival.state != ArrivalState.STORED)) or 0


_round = 0


def plain(count: int) -> list[bytes]:
    global _round
    _round += 1
    made = []
    for number in range(count):
        mail = EmailMessage()
        mail["From"], mail["To"] = f"Customer {number} <c{_round}.{number}@bench.example>", "support@example.com"
        mail["Subject"], mail["Message-ID"] = f"Question {number}", f"<{_round}.{number}@bench.example>"
        mail.set_content(f"Hello,\n\nmy order {number} has not arrived. Where is it?\n\nThank you\nCustomer {number}\n")
        made.append(mail.as_bytes().replace(b"\n", b"\r\n"))
    return made


def found(folder: Path, count: int) -> list[bytes]:
    """The folder's mails again and again, each time a new one."""
    global _round
    _round += 1
    raw = [path.read_bytes() for path in sorted(folder.glob("*.box"))]
    raw = [re.sub(rb"\r?\n", b"\r\n", one.partition(b"\n")[2] if one.startswith(b"From ") else one) for one in raw]
    plain_ids = re.compile(rb"(?im)^message-id:[^\r]*\r\n(?:[ \t][^\r]*\r\n)*")
    news = [plain_ids.sub(b"", one) for one in raw]
    return [b"Message-ID: <%d.%d@again.example>\r\n" % (_round, n) + news[n % len(news)] for n in range(count)] if news else []


def cpu(desk: RunningDesk) -> float:
    """Seconds of processor time that the desk's processes and their children have taken."""
    ticks = os.sysconf("SC_CLK_TCK")
    total = 0.0
    for process in desk.processes:
        for pid in {process.pid, *children(process.pid)}:
            with contextlib.suppress(OSError):
                fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
                total += (int(fields[11]) + int(fields[12])) / ticks
    return total


def children(pid: int) -> list[int]:
    found_: list[int] = []
    with contextlib.suppress(OSError):
        for task in Path(f"/proc/{pid}/task").iterdir():
            for child in (task / "children").read_text().split():
                found_ += [int(child), *children(int(child))]
    return found_


def floor(folder: Path, count: int) -> float:
    store = sqlite3.connect(folder / "floor.db", isolation_level=None)
    store.executescript("PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; CREATE TABLE t (x TEXT)")
    began = time.monotonic()
    for number in range(count):
        with (folder / f"floor-{number}").open("wb") as file:
            file.write(b"x" * 2000)
            file.flush()
            os.fsync(file.fileno())
        store.execute("BEGIN IMMEDIATE")
        store.execute("INSERT INTO t VALUES ('x')")
        store.execute("COMMIT")
    return count / (time.monotonic() - began)


if __name__ == "__main__":
    main()
