"""One transaction at the edge: what stays, what does not, and who is told when."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest
from sqlalchemy import event, func, select, text

from helpdesk import config, db, files
from helpdesk.actor import SYSTEM
from helpdesk.agents.models import Skill
from helpdesk.crm import contacts
from helpdesk.errors import NotFound, SettingsError, TooLarge, Unavailable
from helpdesk.tickets import lifecycle
from helpdesk.tickets.models import Status, Ticket
from tests import people
from tests.desks import TestDesk


def skills() -> int:
    with db.read() as session:
        return session.scalar(select(func.count()).select_from(Skill)) or 0


def test_a_failed_verb_leaves_nothing(desk: TestDesk) -> None:
    before = skills()
    with pytest.raises(NotFound), db.transaction() as session:
        session.add(Skill(name="Juggling"))
        session.flush()
        raise NotFound
    assert skills() == before


def test_a_refusal_leaves_nothing_whatever_the_handler_did_with_it(desk: TestDesk) -> None:
    before = skills()
    with db.transaction() as session:
        session.add(Skill(name="Juggling"))
        db.doom()
    assert skills() == before


def test_an_inner_transaction_joins_the_outer_and_falls_with_it(desk: TestDesk) -> None:
    before = skills()
    with pytest.raises(NotFound), db.transaction():
        with db.transaction() as session:
            session.add(Skill(name="Juggling"))
        raise NotFound
    assert skills() == before


def test_looking_cannot_write(desk: TestDesk) -> None:
    with pytest.raises(Exception, match="(?i)read"), db.read() as session:
        session.execute(text("INSERT INTO skill (name) VALUES ('Juggling')"))
    with pytest.raises(RuntimeError), db.read(), db.transaction():
        pass


@pytest.mark.parametrize("engine", ["sqlite"], indirect=True)
def test_sqlite_is_not_told_anew_at_each_turn_whether_it_may_write(desk: TestDesk) -> None:
    """It would throw away every statement that it has prepared."""
    skills()
    told: list[str] = []

    def note(_connection: object, _cursor: object, statement: str, *_more: object) -> None:
        told.append(statement)

    event.listen(db.engine(), "before_cursor_execute", note)
    try:
        for number in range(3):
            with db.transaction() as session:
                session.add(Skill(name=f"Juggling {number}"))
            skills()
    finally:
        event.remove(db.engine(), "before_cursor_execute", note)
    assert sum("INSERT" in one for one in told) == sum("SELECT" in one for one in told) == 3
    assert not any("query_only" in one for one in told)


def test_followers_hear_only_of_what_was_kept(desk: TestDesk) -> None:
    heard: list[str] = []
    with db.transaction():
        db.after_commit(lambda: heard.append("kept"))
        assert heard == []
    with pytest.raises(NotFound), db.transaction():
        db.after_commit(lambda: heard.append("lost"))
        raise NotFound
    assert heard == ["kept"]


def test_many_writers_at_once_lose_no_update(desk: TestDesk) -> None:
    ticket = people.writes(desk.people.carol, inbox=desk.people.mail)

    def count() -> None:
        for _ in range(20):
            with db.transaction() as session:
                row = session.get_one(Ticket, ticket.id, with_for_update=True)
                row.link_epoch += 1

    threads = [threading.Thread(target=count) for _ in range(5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    with db.read() as session:
        assert session.get_one(Ticket, ticket.id).link_epoch == 100


def test_two_agents_solving_at_once_leave_one_event(desk: TestDesk) -> None:
    ticket = people.writes(desk.people.carol, inbox=desk.people.mail)
    refused: list[Exception] = []
    gate = threading.Barrier(4)

    def solve() -> None:
        gate.wait()
        try:
            with db.transaction() as session:
                lifecycle.solve(session.get_one(Ticket, ticket.id), by=SYSTEM)
        except Exception as wrong:
            refused.append(wrong)

    threads = [threading.Thread(target=solve) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    with db.read() as session:
        assert session.get_one(Ticket, ticket.id).status is Status.SOLVED
        told = session.scalar(text("SELECT count(*) FROM event WHERE kind = 'ticket_solved'"))
    assert told == 1 and all(type(wrong).__name__ == "StaleTicket" for wrong in refused)


def test_a_customer_s_double_message_makes_one_contact(desk: TestDesk) -> None:
    gate = threading.Barrier(4)
    faults: list[Exception] = []

    def arrive() -> None:
        gate.wait()
        try:
            with db.transaction():
                contacts.by_email("new@customer.example", name="New", by=SYSTEM)
        except Exception as wrong:
            faults.append(wrong)

    threads = [threading.Thread(target=arrive) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    with db.read() as session:
        assert session.scalar(text("SELECT count(*) FROM identity WHERE value_norm = 'new@customer.example'")) == 1


def test_a_lost_database_is_said_plainly_and_the_desk_comes_back(desk: TestDesk, tmp_path: Path) -> None:
    client = desk.client()
    url = desk.settings.database_url
    db.connect("sqlite:////nowhere/at/all.db" if url.startswith("sqlite") else url.rsplit("/", 1)[0] + "/no_such_database")
    lost = client.get("/kb")
    assert lost.status_code == 503
    db.connect(url)
    assert client.get("/kb").status_code == 200


class TestFiles:
    def test_a_file_is_complete_or_absent(self, tmp_path: Path) -> None:
        store = files.Store(tmp_path)
        kept = store.put(b"hello")
        assert store.read(kept.key) == b"hello" and kept.size == 5
        with pytest.raises(TooLarge):
            store.put(b"x" * 100, limit=99)
        assert list(store.keys()) == [kept.key]

    def test_a_full_disk_is_said_and_leaves_nothing(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        import errno
        import os

        def full(_handle: int) -> None:
            raise OSError(errno.ENOSPC, "No space left on device")

        monkeypatch.setattr(os, "fsync", full)
        store = files.Store(tmp_path)
        with pytest.raises(Unavailable, match="full"):
            store.put(b"hello")
        assert not [path for path in tmp_path.rglob("*") if path.is_file()]

    @pytest.mark.parametrize("key", ["../../etc/passwd", "", "a/b", "short", "..%2f..%2f"])
    def test_a_key_never_leaves_the_folder(self, tmp_path: Path, key: str) -> None:
        with pytest.raises(NotFound):
            files.Store(tmp_path).open(key)


class TestSettings:
    def faults(self, tmp_path: Path, **environ: str) -> str:
        with pytest.raises(SettingsError) as told:
            config.load({"HELPDESK_DATA": str(tmp_path), **environ})
        return str(told.value)

    def test_every_fault_is_told_at_once_with_what_would_be_right(self, tmp_path: Path) -> None:
        words = self.faults(tmp_path, BASE_URL="help.example.com", MAX_MAIL_MB="many", TIME_ZONE="Mars/Olympus")
        assert "BASE_URL" in words and "https://help.example.com" in words
        assert "MAX_MAIL_MB" in words and "1 to 500" in words and "TIME_ZONE" in words

    def test_a_password_in_an_address_is_never_repeated(self, tmp_path: Path) -> None:
        words = self.faults(tmp_path, DATABASE_URL="mysql://root:hunter2@host/db", SMTP_URL="mail:hunter2@host")
        assert "DATABASE_URL" in words and "hunter2" not in words

    def test_redis_without_postgresql_is_refused(self, tmp_path: Path) -> None:
        assert "DATABASE_URL" in self.faults(tmp_path, REDIS_URL="redis://localhost:6379/0")

    def test_short_keys_are_refused(self, tmp_path: Path) -> None:
        assert "SECRET_KEYS" in self.faults(tmp_path, SECRET_KEYS="short")

    def test_the_key_made_at_the_first_start_stays(self, tmp_path: Path) -> None:
        first = config.load({"HELPDESK_DATA": str(tmp_path)})
        assert config.load({"HELPDESK_DATA": str(tmp_path)}).secret_keys == first.secret_keys
