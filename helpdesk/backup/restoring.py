"""Bringing a backup back: first everything is checked, then everything is loaded beside, compared again and put in place, or nothing is.

What waited to be done or sent when the backup was taken is held: the desk it was taken from may have done it since, and nobody shall get a
mail twice. An administrator sets it free.
"""

from __future__ import annotations

import os
import shutil
import sqlite3
import tempfile
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from sqlalchemy import inspect, select, text
from sqlalchemy.engine import Connection

from helpdesk import clock, db, links, schema
from helpdesk.backup import archive, erasing, tables
from helpdesk.backup.archive import Manifest, Unusable
from helpdesk.config import Settings

#: Why deliveries and mails do not run after a restore; shown where parked work is shown.
HELD = "Restored from a backup: release with helpdesk jobs --retry"
#: A desk without rows in these is empty: `helpdesk init` leaves a queue and inboxes.
_TELLING = ("ticket", "contact", "user", "event")
#: What lies beside the database and follows from it or belongs to it.
_INDEX = "kb-index"

Say = Callable[[str], None]


class Refused(Exception):
    """The restore was not begun: the target is in use or not empty, or the archive is unusable. Nothing was changed."""


@dataclass
class Restored:
    """What came back. `held`: deliveries and mails that wait for a word; `aside`: where what was there before lies now;
    `erased`: people who had been erased since, and were erased again."""

    manifest: Manifest
    held: int = 0
    mails: int = 0
    aside: Path | None = None
    secret: bool = False
    erased: int = 0
    notes: list[str] = field(default_factory=list)


def restore(settings: Settings, source: Path, *, force: bool, say: Say) -> Restored:
    """Bring the desk of `source` into the configured data folder and database.

    Raises Refused, Unusable, OSError: then nothing is changed.
    """
    _check_target(settings, force=force)
    staging = Path(tempfile.mkdtemp(dir=settings.data, prefix=".restore-"))
    try:
        say("checking the archive")
        manifest = archive.unpack(source, staging, say)
        if manifest.schema not in _known_steps():
            raise Refused(f"the backup stands at step {manifest.schema}, which this version does not know: it was made by a newer one.")
        done = Restored(manifest)
        links.use(settings.secret_keys)
        erased = erasing.known(settings)
        if settings.sqlite:
            _into_sqlite(settings, staging, done, erased, say)
        else:
            _into_postgresql(settings, staging, done, erased, say)
        erasing.remember(settings, erased)
        return done
    finally:
        db.disconnect()
        shutil.rmtree(staging, ignore_errors=True)


def _check_target(settings: Settings, *, force: bool) -> None:
    """Nobody may be using the target, and it is empty unless `force`."""
    if settings.sqlite:
        place = _place(settings)
        if place.exists():
            _alone(place)
            if not force and not _is_empty_file(place):
                raise Refused(f"{place} holds a desk. With --force it is put aside and replaced.")
        return
    db.connect(settings.database_url, pool_size=2)
    with db.engine().connect() as connection:
        others = connection.scalar(
            text(
                "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid() "
                "AND backend_type = 'client backend'"
            )
        )
        if others:
            raise Refused(f"the database is in use by {others} other connections. Stop the desk first.")
        if not force and not _is_empty_database(connection):
            raise Refused("the database holds a desk. With --force its rows are replaced.")


# --- SQLite: a new file beside the old one, then a rename -----------------------------------------------------------------


def _place(settings: Settings) -> Path:
    return Path(settings.database_url.removeprefix("sqlite:///"))


def _into_sqlite(settings: Settings, staging: Path, done: Restored, erased: erasing.Entries, say: Say) -> None:
    place = _place(settings)
    fresh = staging / "helpdesk.db"
    db.connect(f"sqlite:///{fresh}")
    schema.upgrade(done.manifest.schema)
    with db.engine().connect() as connection:
        connection.exec_driver_sql("PRAGMA defer_foreign_keys=ON")
        _load(connection, staging, done, say)
        connection.commit()
    _finish(say)
    _erase_again(settings, staging, done, erased, say)
    db.disconnect()
    with closing(sqlite3.connect(fresh)) as last:
        last.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    _sync(fresh)
    _put_files(settings, staging, done)
    done.aside = _put_aside(settings, place, done.manifest)
    place.parent.mkdir(parents=True, exist_ok=True)
    fresh.replace(place)
    archive.sync_folder(place.parent)


def _alone(place: Path) -> None:
    """Raise Refused while anybody has the database open: leaving the write-ahead log takes the whole file."""
    probe = sqlite3.connect(place, timeout=0, isolation_level=None)
    try:
        probe.execute("PRAGMA locking_mode=EXCLUSIVE")
        probe.execute("BEGIN EXCLUSIVE")
        probe.execute("ROLLBACK")
    except sqlite3.DatabaseError as wrong:
        if "locked" in str(wrong):
            raise Refused(f"{place} is in use. Stop the desk first.") from wrong
    finally:
        probe.close()


def _is_empty_file(place: Path) -> bool:
    with closing(sqlite3.connect(place)) as link:
        try:
            return not any(link.execute(f"SELECT 1 FROM {tables.quoted(name)} LIMIT 1").fetchone() for name in _TELLING)
        except sqlite3.OperationalError:
            return not link.execute("SELECT 1 FROM sqlite_master LIMIT 1").fetchone()
        except sqlite3.DatabaseError:
            return False


def _put_aside(settings: Settings, place: Path | None, manifest: Manifest) -> Path | None:
    """Move the database that was there, and the files that only it knew, into a folder of its own; its index is thrown away."""
    aside = settings.data / f"before-restore-{clock.now():%Y%m%d-%H%M%S}"
    old = [place.with_name(place.name + ending) for ending in ("", "-wal", "-shm")] if place is not None else []
    old += [path for path in (settings.data / "files").glob("??/*") if path.name not in manifest.files]
    present = [path for path in old if path.exists()]
    for path in present:
        within = aside / "files" / path.parent.name if path.parent.parent == settings.data / "files" else aside
        within.mkdir(mode=0o700, parents=True, exist_ok=True)
        shutil.move(path, within / path.name)
    shutil.rmtree(settings.data / _INDEX, ignore_errors=True)
    return aside if present else None


def _put_files(settings: Settings, staging: Path, done: Restored) -> None:
    """Files before the rows that point at them."""
    store = settings.data / "files"
    if (staging / "files").is_dir():
        for folder in (staging / "files").iterdir():
            (store / folder.name).mkdir(parents=True, exist_ok=True)
            for file in folder.iterdir():
                file.replace(store / folder.name / file.name)
            archive.sync_folder(store / folder.name)
    if done.manifest.secret:
        keys = (staging / archive.SECRET).read_text().split("\n")
        if tuple(keys) != settings.secret_keys:
            if len(keys) == 1 and not os.environ.get("SECRET_KEYS"):
                (settings.data / "secret").write_text(keys[0])
                done.secret = True
            else:
                done.notes.append("The backup holds other keys than SECRET_KEYS: set SECRET_KEYS to those of the desk it was taken from.")


def _sync(path: Path) -> None:
    with path.open("rb") as file:
        os.fsync(file.fileno())


# --- PostgreSQL: one transaction -----------------------------------------------------------------------------------------


def _is_empty_database(connection: Connection) -> bool:
    there = set(inspect(connection).get_table_names())
    return not any(connection.exec_driver_sql(f"SELECT 1 FROM {tables.quoted(name)} LIMIT 1").first() for name in _TELLING if name in there)


def _into_postgresql(settings: Settings, staging: Path, done: Restored, erased: erasing.Entries, say: Say) -> None:
    standing = schema.current()
    with db.engine().connect() as connection:
        empty = _is_empty_database(connection)
    if standing not in (None, done.manifest.schema):
        if not empty:
            raise Refused(
                f"the database stands at step {standing}, the backup at {done.manifest.schema}. Restore into an empty database instead."
            )
        schema.downgrade("base")
        standing = None
    if standing is None:
        schema.upgrade(done.manifest.schema)
    say("loading")
    with db.engine().connect() as connection:
        names = ", ".join(tables.quoted(table.name) for table in tables.tables(connection))
        connection.exec_driver_sql(f"TRUNCATE {names} CASCADE")  # with the words by which messages and customers are found
        _load(connection, staging, done, say)
        _put_files(settings, staging, done)
        connection.commit()
    done.aside = _put_aside(settings, None, done.manifest)
    _finish(say)
    _erase_again(settings, staging, done, erased, say)


def _set_sequences(connection: Connection, manifest: Manifest) -> None:
    """New rows get ids after the restored ones, new tickets numbers after the last that was given."""
    for name in manifest.tables:
        table = manifest.table(name)
        if table.key == ("id",) and dict(table.columns)["id"] == "int":
            connection.execute(
                text(
                    "SELECT setval(pg_get_serial_sequence(:name, 'id'), greatest(coalesce(max(id), 0), 1), max(id) IS NOT NULL) "
                    f"FROM {tables.quoted(name)}"
                ),
                {"name": tables.quoted(name)},
            )
    last = max(manifest.ticket_number, connection.scalar(text("SELECT coalesce(max(number), 0) FROM ticket")) or 0)
    if last:
        connection.execute(text("SELECT setval('ticket_number', :last)"), {"last": last})


# --- both ----------------------------------------------------------------------------------------------------------------


def _load(connection: Connection, staging: Path, done: Restored, say: Say) -> None:
    """Fill the tables, compare them with the manifest, hold what waited; in the connection's open transaction."""
    manifest = done.manifest
    here = {table.name: table for table in tables.tables(connection)}
    if here.keys() != manifest.tables.keys():
        odd = sorted(here.keys() ^ manifest.tables.keys())
        raise Unusable(f"its tables are not those of step {manifest.schema}: {', '.join(odd)}.")
    for name in reversed(here):
        connection.exec_driver_sql(f"DELETE FROM {tables.quoted(name)}")
    for name in here:
        with (staging / "tables" / f"{name}.copy").open("rb") as content:
            rows = tables.read(connection, manifest.table(name), content)
        say(f"{name}: {max(rows, 0)} rows")
    with open(os.devnull, "wb") as nowhere:
        for name in here:
            again = tables.write(connection, manifest.table(name), nowhere)
            if (again.rows, again.sha256) != (manifest.tables[name]["rows"], manifest.tables[name]["sha256"]):
                raise Unusable(f"the table {name} did not come back as it was taken.")
    if connection.dialect.name == "postgresql":
        _set_sequences(connection, manifest)
    _hold(connection, done)


def _hold(connection: Connection, done: Restored) -> None:
    """Park every delivery that waited or ran, and make sure that each mail which waited has one, parked too."""
    at = _moment(connection, clock.now())
    parked = connection.execute(
        text("UPDATE delivery SET parked_at = :at, claimed_until = NULL, error = :why WHERE done_at IS NULL AND parked_at IS NULL"),
        {"at": at, "why": HELD},
    )
    mails = connection.execute(
        text("UPDATE outgoing SET state = 'waiting', server_words = :why WHERE state IN ('waiting', 'sending')"), {"why": HELD}
    )
    owed = connection.execute(
        text(
            "INSERT INTO delivery (event_id, reaction, key, lane, due_at, claim, attempts, parked_at, error) "
            "SELECT (SELECT max(e.id) FROM event e WHERE e.kind = 'mail_queued' AND (e.ticket_id = o.ticket_id OR o.ticket_id IS NULL) "
            f"AND {_outgoing_id(connection)} = o.id), 'mail.send', 'outgoing:' || o.id, 'io', CAST(:due AS {_time(connection)}), 0, 0, "
            f"CAST(:at AS {_time(connection)}), :why "
            "FROM outgoing o WHERE o.state = 'waiting' AND NOT EXISTS (SELECT 1 FROM delivery d "
            "WHERE d.reaction = 'mail.send' AND d.key = 'outgoing:' || o.id AND d.done_at IS NULL)"
        ),
        {"at": at, "due": at, "why": HELD},
    )
    done.held, done.mails = parked.rowcount + owed.rowcount, mails.rowcount


def _outgoing_id(connection: Connection) -> str:
    if connection.dialect.name == "postgresql":
        return "CAST(e.data ->> 'outgoing_id' AS BIGINT)"
    return "json_extract(e.data, '$.outgoing_id')"


def _time(connection: Connection) -> str:
    return "TIMESTAMPTZ" if connection.dialect.name == "postgresql" else "TEXT"


def _moment(connection: Connection, at: datetime) -> Any:
    return at if connection.dialect.name == "postgresql" else at.replace(tzinfo=None).isoformat(" ", "microseconds")


def _finish(say: Say) -> None:
    """Bring an older backup to this version, and make every message and customer findable again."""
    schema.upgrade()
    from helpdesk.crm import finding
    from helpdesk.crm.models import Contact
    from helpdesk.tickets import search
    from helpdesk.tickets.models import Message, Ticket

    say("ticket search")
    with db.transaction() as session:
        session.execute(text("DELETE FROM message_words"))
        begun: set[int] = set()
        found = (
            select(Message.id, Message.ticket_id, Message.text, Ticket.subject, Contact.name)
            .join(Ticket, Ticket.id == Message.ticket_id)
            .join(Contact, Contact.id == Ticket.requester_id)
            .order_by(Message.id)
        )
        rows = session.execute(found.execution_options(yield_per=1000))
        search.remember_all((row.id, "\n".join((*_named_once(row, begun), row.text))) for row in rows)
    say("customer search")
    with db.transaction():
        finding.rebuild()


def _named_once(row: Any, begun: set[int]) -> tuple[str, ...]:
    """A ticket's first message is found by its subject and the customer's name, too."""
    if row.ticket_id in begun:
        return ()
    begun.add(row.ticket_id)
    return (row.subject, row.name)


def _erase_again(settings: Settings, staging: Path, done: Restored, erased: erasing.Entries, say: Say) -> None:
    """Who was erased since the backup was taken does not come back with it: not from the rows, and not from the files."""
    say("erasures")

    def drop(key: str) -> None:
        for folder in (staging / "files", settings.data / "files"):
            (folder / key[:2] / key).unlink(missing_ok=True)

    done.erased = erasing.replay(erased, drop)
    if foreign := erasing.foreign(erased):
        done.notes.append(f"{foreign} erasures were noted under another secret key: of those only the same contacts could be told.")


def _known_steps() -> set[str]:
    from alembic.script import ScriptDirectory

    return {script.revision for script in ScriptDirectory(str(schema.FOLDER)).walk_revisions()}
