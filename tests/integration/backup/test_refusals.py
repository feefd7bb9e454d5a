"""What a restore must not do: overwrite a desk, disturb one that runs, leave half of one. And what a backup must not: leave half a file."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from sqlalchemy import func, select

from helpdesk import db, files
from helpdesk.backup import restoring, taking
from helpdesk.backup.commands import backup, restore
from helpdesk.backup.restoring import Refused
from helpdesk.config import Settings
from helpdesk.tickets.models import Ticket
from tests.desks import ENGINES
from tests.integration.backup.conftest import Filled
from tests.integration.backup.test_round_trip import bring_back, quiet, take

Elsewhere = Callable[[str], Settings]


@pytest.fixture
def good(filled: Filled, tmp_path: Path) -> Path:
    take(filled.desk, tmp_path / "desk.tar.gz")
    return tmp_path / "desk.tar.gz"


def test_a_desk_is_not_overwritten_without_force_and_put_aside_with_it(good: Path, filled: Filled) -> None:
    settings = filled.desk.settings
    with db.transaction() as session:
        session.get_one(Ticket, filled.ticket).subject = "Changed since"
    other = files.store().put(b"came later")
    db.disconnect()
    with pytest.raises(Refused, match="--force"):
        restoring.restore(settings, good, force=False, say=quiet)
    db.connect(settings.database_url)
    with db.read() as session:
        assert session.get_one(Ticket, filled.ticket).subject == "Changed since"
    done = bring_back(settings, good, force=True)
    with db.read() as session:
        assert session.get_one(Ticket, filled.ticket).subject == "Odd characters"
    assert done.aside is not None and (done.aside / "files" / other.key[:2] / other.key).read_bytes() == b"came later"
    assert list(files.store().keys()) == [filled.file]
    if settings.sqlite:
        with sqlite3.connect(done.aside / "helpdesk.db") as old:
            assert old.execute("SELECT subject FROM ticket WHERE id = ?", (filled.ticket,)).fetchone() == ("Changed since",)
        old.close()


def test_a_desk_that_runs_is_not_replaced_even_with_force(good: Path, filled: Filled) -> None:
    settings = filled.desk.settings
    with db.engine().connect() as open_elsewhere:
        open_elsewhere.exec_driver_sql("SELECT count(*) FROM ticket").fetchall()
        # The desk's own connection stays open while another process tries.
        kept, db._engine = db._engine, None
        try:
            with pytest.raises(Refused, match="Stop the desk first"):
                restoring.restore(settings, good, force=True, say=quiet)
        finally:
            db.disconnect()
            db._engine = kept
    with db.read() as session:
        assert session.scalar(select(func.count()).select_from(Ticket)) == 2


@pytest.mark.parametrize("engine", ENGINES)
def test_a_failure_in_the_middle_of_loading_changes_nothing(
    good: Path, elsewhere: Elsewhere, engine: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = elsewhere(engine)
    bring_back(settings, good)
    with db.transaction() as session:
        session.scalars(select(Ticket).limit(1)).one().subject = "Mine"
    db.disconnect()

    def full(*_args: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(restoring, "_hold", full)
    with pytest.raises(OSError, match="No space"):
        restoring.restore(settings, good, force=True, say=quiet)
    db.connect(settings.database_url)
    with db.read() as session:
        assert session.scalar(select(func.count()).select_from(Ticket).where(Ticket.subject == "Mine")) == 1
    assert not [path for path in settings.data.iterdir() if path.name.startswith((".restore", "before"))]


# --- the commands ----------------------------------------------------------------------------------------------------------


def call(settings: Settings, command: object, *words: str) -> Result:
    """Run a command as an administrator would."""
    db.disconnect()
    environ = {
        "HELPDESK_DATA": str(settings.data),
        "SECRET_KEYS": "k" * 40,
        "DATABASE_URL": "" if settings.sqlite else settings.database_url,
    }
    return CliRunner().invoke(command, list(words), env=environ)  # type: ignore[arg-type]


@pytest.mark.parametrize("engine", ["sqlite"])
def test_the_commands_say_what_they_did(filled: Filled, elsewhere: Elsewhere, tmp_path: Path) -> None:
    target = tmp_path / "backups"
    target.mkdir()
    made = call(filled.desk.settings, backup, str(target))
    assert made.exit_code == 0, made.output
    (path,) = target.iterdir()
    assert path.name.startswith("helpdesk-20") and path.name.endswith(".tar.gz")
    assert "1 files" in made.output and "SECRET_KEYS" in made.output
    again = call(filled.desk.settings, backup, str(path))
    assert again.exit_code == 1 and "exists" in again.output and "--force" in again.output
    assert call(filled.desk.settings, backup, str(path), "--force").exit_code == 0
    back = call(elsewhere("sqlite"), restore, str(path))
    assert back.exit_code == 0, back.output
    assert "equal in number and hash" in back.output and "helpdesk jobs --retry" in back.output


@pytest.mark.parametrize("engine", ["sqlite"])
def test_faults_are_said_with_exit_code_1_and_leave_no_half_backup(
    filled: Filled, elsewhere: Elsewhere, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    nothing = call(elsewhere("sqlite"), backup, str(tmp_path / "x.tar.gz"))
    assert nothing.exit_code == 1 and "not been set up" in nothing.output
    nowhere = call(filled.desk.settings, backup, str(tmp_path / "no" / "x.tar.gz"))
    assert nowhere.exit_code == 1 and "is not a folder" in nowhere.output
    (tmp_path / "broken.tar.gz").write_bytes(b"\x1f\x8bbroken")
    broken = call(elsewhere("sqlite"), restore, str(tmp_path / "broken.tar.gz"))
    assert broken.exit_code == 1 and "Nothing was changed" in broken.output

    def full(*_args: object, **_options: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(taking, "_add_files", full)
    failed = call(filled.desk.settings, backup, str(tmp_path / "x.tar.gz"))
    assert failed.exit_code == 1 and "No space left on device. No backup was written." in failed.output
    assert not [name for name in os.listdir(tmp_path) if "x.tar.gz" in name or name.startswith((".backup", "tmp"))]
