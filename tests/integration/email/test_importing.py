"""History comes in from maildirs, mboxes and files: silently, with its own dates, once, and again after a stop."""

from __future__ import annotations

import mailbox
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from sqlalchemy import func, select

from helpdesk import db, files
from helpdesk.channels.email import arrivals as ledger
from helpdesk.channels.email import importer, intake, mailboxes
from helpdesk.channels.email.import_commands import import_mail, mail
from helpdesk.errors import Unavailable
from helpdesk.events import Delivery, Event
from helpdesk.tickets.models import Status
from tests.desks import TestDesk
from tests.integration.email.conftest import arrivals, both_engines, letter, messages, outbox, tickets

Run = Callable[..., Result]


@pytest.fixture
def command(desk: TestDesk, monkeypatch: pytest.MonkeyPatch) -> Run:
    """`helpdesk import …` on the test's desk."""
    monkeypatch.setattr("helpdesk.cli.desk", lambda **_options: desk.app)
    return lambda *words, **options: CliRunner().invoke(import_mail, [str(word) for word in words], **options)


def old(number: int, **headers: str) -> bytes:
    raw = letter(f"Old question {number}.", subject=f"Old {number}", message_id=f"<old{number}@customer.example>", **headers)
    return raw.replace(b"Mon, 02 Mar 2026", f"Mon, {number + 1:02d} Mar 2020".encode())


def maildir(folder: Path, *mails: bytes) -> Path:
    box = mailbox.Maildir(folder / "Maildir")
    for raw in mails:
        box.add(raw)
    return folder / "Maildir"


def mbox(folder: Path, *mails: bytes) -> Path:
    box = mailbox.mbox(folder / "archive.mbox")
    for raw in mails:
        box.add(raw)
    box.flush()
    return folder / "archive.mbox"


def single_files(folder: Path, *mails: bytes) -> Path:
    for number, raw in enumerate(mails):
        (folder / f"{number}.eml").write_bytes(raw)
    return folder


@both_engines
@pytest.mark.parametrize("kind", [maildir, mbox, single_files])
def test_a_mailbox_becomes_tickets_with_their_own_dates_and_nothing_is_sent(
    desk: TestDesk, command: Run, tmp_path: Path, kind: Callable[..., Path]
) -> None:
    desk.work()  # what the company itself owes
    folder = tmp_path / "in"
    folder.mkdir()
    answer = letter("And another thing.", subject="Re: Old 1", In_Reply_To="<old1@customer.example>", message_id="<reply@customer.example>")
    path = kind(folder, answer, old(2), old(1))  # the answer lies before what it answers
    told = command(path)
    assert told.exit_code == 0, told.output
    assert "3 mails: 2 ticket, 1 message" in told.output
    assert [(t.subject, t.opened_at) for t in tickets()] == [
        ("Old 1", datetime(2020, 3, 2, 10, tzinfo=UTC)),
        ("Old 2", datetime(2020, 3, 3, 10, tzinfo=UTC)),
    ]
    assert [m.ticket_id for m in messages()] == [1, 2, 1]
    with db.read() as session:
        assert not session.scalar(select(func.count()).select_from(Delivery).where(Delivery.done_at.is_(None)))
        opened = session.scalars(select(Event.at).where(Event.kind == "ticket_opened").order_by(Event.id)).all()
        assert opened == [t.opened_at for t in tickets()]
    assert desk.work() == 0 and not outbox()


def test_importing_twice_changes_nothing(desk: TestDesk, command: Run, tmp_path: Path) -> None:
    path = mbox(tmp_path, old(1), old(2))
    command(path)
    kept = len(list(files.store().keys()))
    told = command(path)
    assert told.exit_code == 0 and "2 already here" in told.output
    assert len(tickets()) == 2 and len(messages()) == 2 and len(list(files.store().keys())) == kept


def test_a_dry_run_says_what_would_be_and_keeps_nothing(desk: TestDesk, command: Run, tmp_path: Path) -> None:
    told = command(mbox(tmp_path, old(1), old(2, Auto_Submitted="auto-replied")), "--dry-run")
    assert told.exit_code == 0 and "Would be: 2 mails: 1 ticket, 1 noted" in told.output
    assert not tickets() and not arrivals() and not list(files.store().keys())


def test_an_import_that_was_stopped_goes_on_where_it_was(
    desk: TestDesk, command: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = mbox(tmp_path, *(old(number) for number in range(1, 21)))
    accept, calls = intake.accept, []

    def killed(*arguments: Any) -> Any:
        calls.append(1)
        if len(calls) > 11:
            raise KeyboardInterrupt
        return accept(*arguments)

    with monkeypatch.context() as patch:
        patch.setattr(intake, "accept", killed)
        stopped = command(path)
    assert stopped.exit_code == 130 and 0 < len(tickets()) < 20
    told = command(path)
    assert told.exit_code == 0 and len(tickets()) == 20 and len(messages()) == 20
    assert "already here" in told.output


def test_a_mail_left_half_way_by_a_killed_import_is_finished(desk: TestDesk, command: Run, tmp_path: Path) -> None:
    desk.work()  # what the company itself owes
    path = mbox(tmp_path, old(1))
    (place,) = mailboxes.find(path)
    ledger.store(mailboxes.read(place), box=importer.BOX, inbox_id=None, sender="", recipients=[], silent=True)
    assert desk.work() == 0 and arrivals()[0].state == "stored"
    command(path)
    assert [a.state for a in arrivals()] == ["accepted"] and len(tickets()) == 1


def test_one_mail_that_breaks_everything_stops_none_of_the_others(
    desk: TestDesk, command: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from helpdesk.tickets import intake as verbs

    receive = verbs.receive

    def breaks(incoming: Any, *arguments: Any, **options: Any) -> Any:
        if incoming.subject == "Old 3":
            raise RuntimeError("a fault of ours")
        return receive(incoming, *arguments, **options)

    monkeypatch.setattr(verbs, "receive", breaks)
    told = command(mbox(tmp_path, *(old(number) for number in range(1, 7))))
    assert told.exit_code == 0 and "6 mails: 5 ticket, 1 quarantine" in told.output
    assert sorted(t.subject for t in tickets()) == ["Old 1", "Old 2", "Old 4", "Old 5", "Old 6"]
    assert [a.state for a in arrivals()].count("quarantined") == 1


def test_a_full_disk_stops_the_import_with_a_clear_word_and_nothing_half_done(
    desk: TestDesk, command: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_arguments: Any, **_options: Any) -> None:
        raise Unavailable("the disk is full; nothing was saved")

    monkeypatch.setattr(files.Store, "put", full)
    told = command(mbox(tmp_path, old(1)))
    assert isinstance(told.exception, Unavailable) and not tickets() and not arrivals()


def test_the_same_mail_in_two_folders_is_one(desk: TestDesk, command: Run, tmp_path: Path) -> None:
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "x.eml").write_bytes(old(1))
    told = command(tmp_path / "a", tmp_path / "b")
    assert "1 ticket" in told.output and "1 already here" in told.output and len(tickets()) == 1


def test_an_archive_can_be_closed_at_once_but_what_somebody_works_on_stays_open(desk: TestDesk, command: Run, tmp_path: Path) -> None:
    command(mbox(tmp_path, old(1)))
    with db.transaction() as session:
        session.get_one(type(tickets()[0]), tickets()[0].id).assignee_id = desk.people.alice
    (tmp_path / "more").mkdir()
    told = command(mbox(tmp_path / "more", old(2)), "--closed")
    assert "1 tickets closed" in told.output
    assert [(t.status, t.closed_at) for t in tickets()] == [(Status.NEW, None), (Status.CLOSED, datetime(2020, 3, 3, 10, tzinfo=UTC))]


def test_an_inbox_is_chosen_by_name_or_by_whom_the_mail_was_sent_to(desk: TestDesk, command: Run, tmp_path: Path) -> None:
    path = mbox(tmp_path, old(1, to="billing@example.com"), old(2, to="somebody@else.example"))
    command(path)
    assert [t.inbox_id for t in tickets()] == [desk.people.billing_mail, desk.people.mail]
    (tmp_path / "more").mkdir()
    command(mbox(tmp_path / "more", old(3)), "--inbox", "billing@example.com")
    assert tickets()[-1].inbox_id == desk.people.billing_mail


@pytest.mark.parametrize(
    ("words", "said"),
    [(["/nowhere"], "does not exist"), (["."], "holds no mail"), (["x.eml", "--inbox", "nobody@example.com"], "no inbox has the address")],
)
def test_a_path_or_inbox_that_is_none_is_said_plainly(
    desk: TestDesk, command: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, words: list[str], said: str
) -> None:
    (tmp_path / "empty").mkdir()
    monkeypatch.chdir(tmp_path / "empty")
    if "x.eml" in words:
        Path("x.eml").write_bytes(old(1))
    told = command(*words)
    assert told.exit_code == 2 and said in told.output


def test_an_mbox_with_from_lines_inside_is_cut_at_the_right_places(tmp_path: Path) -> None:
    path = mbox(tmp_path, letter("From here on\n\nFrom nowhere to you, 10:00"), letter("second"))
    places = mailboxes.find(path)
    assert len(places) == 2
    assert b"\nFrom here on\n\nFrom nowhere" in mailboxes.read(places[0])


def test_an_empty_file_and_one_too_large_are_told_and_stop_nothing(desk: TestDesk, command: Run, tmp_path: Path) -> None:
    (tmp_path / "a.eml").write_bytes(b"")
    with (tmp_path / "b.eml").open("wb") as file:
        file.truncate(120 * 2**20)
    (tmp_path / "c.eml").write_bytes(old(1))
    told = command(tmp_path)
    assert told.exit_code == 1 and "FAILED  b.eml  (larger than 100 MB)" in told.output and len(tickets()) == 1


# --- the pipe ------------------------------------------------------------------------------------------------------------


@pytest.fixture
def pipe(command: Run) -> Run:
    return lambda *words, **options: CliRunner().invoke(mail, ["receive", *words], **options)


def test_a_mail_from_a_pipe_is_safe_when_the_command_ends_and_becomes_a_ticket(desk: TestDesk, pipe: Run) -> None:
    told = pipe("--recipient", "billing@example.com", "--sender", "carol@customer.example", input=letter())
    assert told.exit_code == 0 and arrivals()[0].state == "stored"
    desk.work()
    assert tickets()[0].inbox_id == desk.people.billing_mail
    assert "was here already" in pipe("--recipient", "billing@example.com", input=letter()).output


def test_a_pipe_tells_the_mail_server_what_to_do_by_its_exit_code(desk: TestDesk, pipe: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    assert pipe("--recipient", "nobody@example.com", input=letter()).exit_code == 67
    assert pipe(input=b"x" * (desk.settings.max_mail_bytes + 1)).exit_code == 65

    def full(*_arguments: Any, **_options: Any) -> None:
        raise Unavailable("the disk is full; nothing was saved")

    monkeypatch.setattr(files.Store, "put", full)
    assert pipe(input=letter()).exit_code == 75 and not arrivals()
