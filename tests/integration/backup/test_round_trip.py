"""A backup taken from either engine comes back on either engine: equal rows, equal files, nothing sent again."""

from __future__ import annotations

import io
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import func, select, text

from helpdesk import clock, db, files, schema, worker
from helpdesk.app import create_app
from helpdesk.backup import restoring, tables, taking
from helpdesk.backup.archive import Manifest
from helpdesk.channels.email.models import Outgoing, OutgoingState
from helpdesk.config import Settings
from helpdesk.crm.models import Contact
from helpdesk.events import Delivery, Event
from helpdesk.tickets import search
from helpdesk.tickets.models import Attachment, Message, Ticket
from tests import people
from tests.desks import ENGINES, TestDesk
from tests.integration.backup.conftest import ODD, Filled

Elsewhere = Callable[[str], Settings]
BOTH = pytest.mark.parametrize("onto", ENGINES)


def quiet(_words: str) -> None:
    pass


def take(desk: TestDesk, target: Path, **options: Any) -> Manifest:
    return taking.take(db.engine(), desk.settings, target, with_secret=options.get("with_secret", False), say=quiet)


def bring_back(settings: Settings, source: Path, *, force: bool = False) -> restoring.Restored:
    """Restore and connect to what came back."""
    db.disconnect()
    done = restoring.restore(settings, source, force=force, say=quiet)
    db.connect(settings.database_url, pool_size=3)
    files.use(settings.data / "files")
    return done


def content() -> dict[str, tuple[int, str]]:
    """Every table's number of rows and hash, in the connected database."""
    with db.engine().connect() as connection:
        written = {table.name: tables.write(connection, table, io.BytesIO()) for table in tables.tables(connection)}
    return {name: (one.rows, one.sha256) for name, one in written.items()}


@BOTH
def test_everything_comes_back_equal_in_number_and_hash(filled: Filled, elsewhere: Elsewhere, tmp_path: Path, onto: str) -> None:
    before = content()
    original = files.store().read(filled.file)
    manifest = take(filled.desk, tmp_path / "desk.tar.gz")
    assert {name: (one["rows"], one["sha256"]) for name, one in manifest.tables.items()} == before
    assert list(manifest.files) == [filled.file] and not manifest.missing

    settings = elsewhere(onto)
    done = bring_back(settings, tmp_path / "desk.tar.gz")
    after = content()
    held = {"delivery", "outgoing"}
    assert {name: one for name, one in after.items() if name not in held} == {name: one for name, one in before.items() if name not in held}
    assert schema.current() == schema.newest()
    assert files.store().read(filled.file) == original
    assert list(files.store().keys()) == [filled.file], "litter stays behind"
    with db.read() as session:
        assert session.scalar(select(Message.text).where(Message.ticket_id == filled.ticket).order_by(Message.id)) == ODD
        assert session.get_one(Contact, filled.desk.people.oleg).custom == {"a": [1, None, "ё"], "b": 0.1}
        assert session.scalars(select(Attachment.object_key)).one() == filled.file
    assert done.manifest.rows == manifest.rows and done.aside is None


def test_nothing_is_sent_or_done_again_until_somebody_says_so(filled: Filled, elsewhere: Elsewhere, tmp_path: Path) -> None:
    take(filled.desk, tmp_path / "desk.tar.gz")
    settings = elsewhere(db.engine().dialect.name)
    done = bring_back(settings, tmp_path / "desk.tar.gz")
    app = create_app(settings)
    with app.app_context():
        assert worker.work_off() == 0, "nothing may run by itself"
    with db.read() as session:
        waiting, sent = session.get_one(Outgoing, filled.waiting_mail), session.get_one(Outgoing, filled.sent_mail)
        assert waiting.state is OutgoingState.WAITING and waiting.server_words == restoring.HELD and waiting.header_id == "<waiting@x>"
        assert sent.state is OutgoingState.SENT and sent.server_words == ""
        owed = session.scalars(select(Delivery).where(Delivery.done_at.is_(None))).all()
        assert owed and all(row.parked_at is not None and row.error == restoring.HELD and row.claimed_until is None for row in owed)
        mails = list(session.scalars(select(Outgoing.id).where(Outgoing.state == OutgoingState.WAITING)))
        assert sorted(row.key for row in owed if row.reaction == "mail.send") == sorted(f"outgoing:{mail}" for mail in mails)
        assert done.mails == len(mails) and done.held == len(owed)
        mine = [row for row in owed if row.key == f"outgoing:{filled.waiting_mail}"]
    with app.app_context():
        with db.transaction():
            worker.retry(mine[0].id)
        assert worker.work_off() >= 1, "released, it runs"


def test_a_mail_that_waited_without_any_delivery_gets_a_held_one(filled: Filled, elsewhere: Elsewhere, tmp_path: Path) -> None:
    with db.transaction() as session:
        session.execute(text("DELETE FROM delivery WHERE reaction = 'mail.send'"))
        session.get_one(Outgoing, filled.waiting_mail).state = OutgoingState.SENDING
    take(filled.desk, tmp_path / "desk.tar.gz")
    bring_back(elsewhere(db.engine().dialect.name), tmp_path / "desk.tar.gz")
    with db.read() as session:
        key = f"outgoing:{filled.waiting_mail}"
        held = session.scalars(select(Delivery).where(Delivery.reaction == "mail.send", Delivery.key == key)).one()
        assert held.parked_at is not None and held.lane == "io"
        fact = session.get_one(Event, held.event_id)
        assert fact.kind == "mail_queued" and fact.data["outgoing_id"] == filled.waiting_mail
        assert session.get_one(Outgoing, filled.waiting_mail).state is OutgoingState.WAITING


def test_the_restored_desk_goes_on_where_it_was(filled: Filled, elsewhere: Elsewhere, tmp_path: Path) -> None:
    take(filled.desk, tmp_path / "desk.tar.gz")
    company = filled.desk.people
    with db.read() as session:
        last = session.scalar(select(func.max(Ticket.number)))
    bring_back(elsewhere(db.engine().dialect.name), tmp_path / "desk.tar.gz")
    fresh = people.writes(company.carol, "Again me.", inbox=company.mail, subject="New")
    assert last is not None and fresh.number == last + 1
    with db.read() as session:
        found = list(session.scalars(select(Ticket.id).where(search.matching("заказы")).order_by(Ticket.id)))
        assert len(found) == 1 and found != [fresh.id], "words of restored messages are found"
        assert list(session.scalars(select(Ticket.id).where(search.matching("Carol quotes")))) == [filled.ticket]


def test_a_backup_during_writes_holds_one_moment_and_no_half_ticket(filled: Filled, elsewhere: Elsewhere, tmp_path: Path) -> None:
    company, stop, wrong = filled.desk.people, threading.Event(), []
    clock.freeze(None)

    def write() -> None:
        try:
            while not stop.is_set():
                people.writes(company.carol, "In the middle of it.", inbox=company.mail)
        except Exception as failure:
            wrong.append(failure)

    writers = [threading.Thread(target=write) for _number in range(3)]
    for writer in writers:
        writer.start()
    manifests = [take(filled.desk, tmp_path / f"{number}.tar.gz") for number in range(3)]
    stop.set()
    for writer in writers:
        writer.join(20)
    assert not wrong
    assert manifests[0].tables["ticket"]["rows"] < manifests[-1].tables["ticket"]["rows"], "the writers were not held up"
    done = bring_back(elsewhere(db.engine().dialect.name), tmp_path / "2.tar.gz")
    with db.read() as session:
        tickets = session.scalar(select(func.count()).select_from(Ticket))
        assert tickets == done.manifest.tables["ticket"]["rows"]
        opened = session.scalar(select(func.count()).select_from(Event).where(Event.kind == "ticket_opened"))
        without = session.scalar(select(func.count()).select_from(Ticket).where(Ticket.id.not_in(select(Message.ticket_id))))
        assert opened == tickets and without == 0


@pytest.mark.parametrize("engine", ["sqlite"])
def test_a_file_that_is_gone_is_named_and_the_rest_is_kept(filled: Filled, elsewhere: Elsewhere, tmp_path: Path) -> None:
    files.store().delete(filled.file)
    manifest = take(filled.desk, tmp_path / "desk.tar.gz")
    assert manifest.missing == [filled.file] and not manifest.files
    assert bring_back(elsewhere("sqlite"), tmp_path / "desk.tar.gz").manifest.missing == [filled.file]


@pytest.mark.parametrize("engine", ["sqlite"])
def test_secret_keys_travel_only_when_asked_to(
    filled: Filled, elsewhere: Elsewhere, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert not take(filled.desk, tmp_path / "without.tar.gz").secret
    take(filled.desk, tmp_path / "with.tar.gz", with_secret=True)
    settings = elsewhere("sqlite")
    (settings.data / "secret").write_text("o" * 40)
    monkeypatch.delenv("SECRET_KEYS", raising=False)
    with_other_key = Settings(**{**settings.__dict__, "secret_keys": ("o" * 40,)})
    assert not bring_back(with_other_key, tmp_path / "without.tar.gz").secret
    assert (settings.data / "secret").read_text() == "o" * 40
    assert bring_back(with_other_key, tmp_path / "with.tar.gz", force=True).secret
    assert (settings.data / "secret").read_text() == "k" * 40
