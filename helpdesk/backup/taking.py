"""Taking a backup while the desk works: one snapshot of the database, then the files its rows point at.

SQLite is copied by its online backup, in one step that holds up no writer; PostgreSQL is read in one REPEATABLE READ transaction. A file is
written before its row and never changed, so whatever a snapshot points at is there, unless it was erased meanwhile.
"""

from __future__ import annotations

import hashlib
import io
import sqlite3
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from sqlalchemy import create_engine, event, text
from sqlalchemy.engine import Connection, Engine

from helpdesk import __version__, clock
from helpdesk.backup import archive, tables
from helpdesk.backup.archive import Manifest
from helpdesk.config import Settings
from helpdesk.errors import NotFound
from helpdesk.files import Store

Say = Callable[[str], None]


def take(engine: Engine, settings: Settings, target: Path, *, with_secret: bool, say: Say) -> Manifest:
    """Write a backup of the connected desk to `target`. Raises OSError (a full disk, a forbidden folder); then there is no new file."""
    with archive.writing(target) as writer, snapshot(engine, target.parent) as connection:
        manifest = Manifest(
            version=__version__,
            schema=str(connection.scalar(text("SELECT version_num FROM alembic_version"))),
            engine=engine.dialect.name,
            taken_at=clock.now().isoformat(),
            ticket_number=_ticket_number(connection),
        )
        keys: list[str] = []
        for table in tables.tables(connection):
            with tempfile.TemporaryFile(dir=target.parent) as aside:
                written = tables.write(connection, table, aside)
                size = aside.tell()
                aside.seek(0)
                writer.add(f"tables/{table.name}.copy", aside, size)
            manifest.add(table, written)
            keys += _files_of(connection, table)
            say(f"{table.name}: {written.rows} rows")
        _add_files(writer, manifest, Store(settings.data / "files"), keys, say)
        if with_secret:
            secret = "\n".join(settings.secret_keys).encode()
            writer.add(archive.SECRET, io.BytesIO(secret), len(secret))
            manifest.secret = hashlib.sha256(secret).hexdigest()
        writer.finish(manifest)
    return manifest


@contextmanager
def snapshot(engine: Engine, aside: Path) -> Iterator[Connection]:
    """A connection that sees the database as it is at this moment, however long it is read."""
    if engine.dialect.name == "postgresql":
        with engine.connect().execution_options(isolation_level="REPEATABLE READ", postgresql_readonly=True) as connection:
            yield connection
        return
    with tempfile.TemporaryDirectory(dir=aside, prefix=".backup-") as folder:
        copy = Path(folder) / "snapshot.db"
        source, target = sqlite3.connect(f"file:{engine.url.database}?mode=ro", uri=True, timeout=30), sqlite3.connect(copy)
        try:
            source.backup(target)
        finally:
            target.close()
            source.close()
        frozen = create_engine(f"sqlite:///{copy}")
        event.listen(frozen, "connect", lambda raw, _record: setattr(raw, "isolation_level", None))
        try:
            with frozen.connect() as connection:
                yield connection
        finally:
            frozen.dispose()


def _ticket_number(connection: Connection) -> int:
    """The last number given, so that a restored desk does not give a deleted ticket's number again."""
    if connection.dialect.name == "postgresql":
        return int(connection.scalar(text("SELECT CASE WHEN is_called THEN last_value ELSE 0 END FROM ticket_number")) or 0)
    return int(connection.scalar(text("SELECT max(number) FROM ticket")) or 0)


def _files_of(connection: Connection, table: tables.Table) -> list[str]:
    """The files a table's rows point at: every table with an `object_key` has some."""
    if "object_key" not in dict(table.columns):
        return []
    rows = connection.exec_driver_sql(f"SELECT DISTINCT object_key FROM {tables.quoted(table.name)} WHERE object_key <> ''")
    return [row[0] for row in rows]


def _add_files(writer: archive.Writer, manifest: Manifest, store: Store, keys: list[str], say: Say) -> None:
    for number, key in enumerate(sorted(set(keys)), 1):
        try:
            path = store.path(key)
            size = path.stat().st_size
            with path.open("rb") as content:
                hashing = Hashing(content)
                writer.add(f"files/{key}", hashing, size)  # type: ignore[arg-type]
        except (NotFound, FileNotFoundError):
            manifest.missing.append(key)
            continue
        manifest.files[key] = (size, hashing.digest.hexdigest())
        if number % 200 == 0 or number == len(keys):
            say(f"files: {number} of {len(keys)}")


class Hashing:
    """A file that hashes what is read from it."""

    def __init__(self, content: BinaryIO) -> None:
        self._content = content
        self.digest = hashlib.sha256()

    def read(self, size: int = -1) -> bytes:
        chunk = self._content.read(size)
        self.digest.update(chunk)
        return chunk
