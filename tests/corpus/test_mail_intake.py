"""Mails that others wrote: each ends as a ticket, a message or a visible entry, by listener and importer; none stops the others."""

from __future__ import annotations

import smtplib
from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest
from click.testing import CliRunner
from sqlalchemy import select

from helpdesk import db
from helpdesk.channels.email import listener
from helpdesk.channels.email.import_commands import import_mail
from helpdesk.channels.email.models import Arrival
from helpdesk.tickets.models import Message, Ticket
from tests.desks import TestDesk

DATA = Path(__file__).parents[3] / "shared" / "data" / "mail"
FOLDERS = {"zammad": "*.box", "bounces": "*.eml"}
FINAL = {"accepted", "threaded", "noted", "duplicate", "quarantined", "refused"}

pytestmark = pytest.mark.corpus


@pytest.fixture
def engine() -> str:
    return "sqlite"


def mails(folder: str) -> list[Path]:
    found = sorted((DATA / folder).glob(FOLDERS[folder]))
    if not found:
        pytest.skip(f"no mails in {DATA / folder}")
    return found


def without_mbox_line(raw: bytes) -> bytes:
    return raw.partition(b"\n")[2] if raw.startswith(b"From ") else raw


def fates() -> list[Arrival]:
    with db.read() as session:
        return list(session.scalars(select(Arrival).order_by(Arrival.id)))


def each_is_somewhere(count: int) -> Counter[str]:
    """One row for each mail, its fate decided and in its place: a message, a ticket it belongs to, or a reason to read."""
    rows = fates()
    assert len(rows) == count
    with db.read() as session:
        written = {message.id: message for message in session.scalars(select(Message))}
        tickets = {ticket.id for ticket in session.scalars(select(Ticket))}
    for row in rows:
        assert row.state in FINAL, row.why
        if row.state in ("accepted", "threaded"):
            assert row.message_id in written and row.ticket_id in tickets
            assert written[row.message_id].text.strip() or written[row.message_id].html or row.subject is not None
        else:
            assert row.why
    return Counter(str(row.state) for row in rows)


@pytest.mark.parametrize("folder", FOLDERS)
def test_every_mail_through_the_listener_ends_somewhere_to_be_seen(desk: TestDesk, folder: str) -> None:
    files = mails(folder)
    door = listener.start(desk.app, replace(desk.settings, mail_listen=("127.0.0.1", 0)))
    try:
        with smtplib.SMTP(door.host, door.port) as server:
            for file in files:
                raw = without_mbox_line(file.read_bytes()).replace(b"\r\n", b"\n").replace(b"\n", b"\r\n")
                assert server.sendmail("someone@elsewhere.example", ["support@example.com"], raw) == {}
        desk.work()
    finally:
        door.stop()
    counts = each_is_somewhere(len(files))
    if folder == "zammad":
        assert counts["accepted"] >= 45 and counts["quarantined"] <= 2
    else:
        assert counts["noted"] >= 25 and not counts["quarantined"]
    assert desk.work() == 0


@pytest.mark.parametrize("folder", FOLDERS)
def test_every_mail_through_the_importer_ends_somewhere_to_be_seen(desk: TestDesk, folder: str, monkeypatch: pytest.MonkeyPatch) -> None:
    files = mails(folder)
    monkeypatch.setattr("helpdesk.cli.desk", lambda **_options: desk.app)
    told = CliRunner().invoke(import_mail, [str(DATA / folder)])
    assert told.exit_code == 0, told.output
    assert all(file.name in told.output for file in files)
    counts = each_is_somewhere(len(files))
    assert sum(counts.values()) == len(files)
    again = CliRunner().invoke(import_mail, [str(DATA / folder)])
    assert f"{len(files)} mails: {len(files)} already here" in again.output and len(fates()) == len(files)


def test_the_same_mails_by_both_ways_are_no_second_tickets(desk: TestDesk, monkeypatch: pytest.MonkeyPatch) -> None:
    """What came live and lies in the imported mailbox too is known by its words, though its line ends and transport marks differ."""
    files = [file for file in mails("zammad") if b"\nMessage-I" in file.read_bytes()][:20]
    door = listener.start(desk.app, replace(desk.settings, mail_listen=("127.0.0.1", 0)))
    try:
        with smtplib.SMTP(door.host, door.port) as server:
            for file in files:
                raw = without_mbox_line(file.read_bytes()).replace(b"\r\n", b"\n").replace(b"\n", b"\r\n")
                server.sendmail("someone@elsewhere.example", ["support@example.com"], raw)
        desk.work()
    finally:
        door.stop()
    with db.read() as session:
        before = len(session.scalars(select(Ticket)).all()), len(session.scalars(select(Message)).all())
    monkeypatch.setattr("helpdesk.cli.desk", lambda **_options: desk.app)
    told = CliRunner().invoke(import_mail, [str(file) for file in files])
    assert told.exit_code == 0
    with db.read() as session:
        assert (len(session.scalars(select(Ticket)).all()), len(session.scalars(select(Message)).all())) == before, told.output
