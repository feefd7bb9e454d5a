"""SQLite's own ways, for `helpdesk.db`: how a connection is prepared, how a transaction begins, and with which connections is only looked.

A connection keeps the statements it has prepared; that saves more than half of what a short statement costs. SQLite throws all of them
away whenever it is told with a PRAGMA whether the connection may write: hence connections of their own for looking, told once.
"""

from __future__ import annotations

import sqlite3
import time
from typing import Any

from sqlalchemy import Engine, event
from sqlalchemy.engine import Connection
from sqlalchemy.engine.base import OptionEngine

LOCK_PATIENCE_S = 30.0
#: How many prepared statements a connection keeps; a desk has some hundreds that come again and again.
STATEMENTS = 512


class Looking(OptionEngine):
    """An engine with connections of its own, which only look."""

    def __init__(self, engine: Engine) -> None:
        self._own = engine.pool.recreate()
        event.listen(self._own, "connect", _forbid_writing)
        super().__init__(engine, {"reading": True})

    pool = property(lambda self: self._own)

    def dispose(self, close: bool = True) -> None:
        self._own.dispose()


def _forbid_writing(connection: Any, _record: Any) -> None:
    connection.execute("PRAGMA query_only=ON").close()


def prepare(connection: Any, _record: Any) -> None:
    """A new connection's settings."""
    connection.isolation_level = None  # the driver's own BEGIN comes too late and loses updates
    cursor = connection.cursor()
    cursor.execute("PRAGMA journal_mode=WAL")
    cursor.execute("PRAGMA synchronous=FULL")
    cursor.execute("PRAGMA foreign_keys=ON")
    cursor.execute("PRAGMA cache_size=-16000")
    cursor.execute("PRAGMA journal_size_limit=67108864")
    cursor.close()


def begin(connection: Connection) -> None:
    """Begin looking at a snapshot, or take the only writer's seat: against other processes, tried again cooperatively.

    Said to the driver itself: each transaction begins here, and SQLAlchemy takes longer to pass such a word on than SQLite to heed it.
    """
    raw: Any = connection.connection.driver_connection
    if connection.get_execution_options().get("reading", False):
        raw.execute("BEGIN")
        return
    durable = connection.get_execution_options().get("durable", True)
    if connection.info.get("durable", True) is not durable:
        raw.execute(f"PRAGMA synchronous={'FULL' if durable else 'NORMAL'}")
        connection.info["durable"] = durable
    until = time.monotonic() + LOCK_PATIENCE_S
    pause = 0.002
    while True:
        try:
            raw.execute("BEGIN IMMEDIATE")
            return
        except sqlite3.OperationalError as busy:
            if "locked" not in str(busy) or time.monotonic() > until:
                connection.exec_driver_sql("BEGIN IMMEDIATE")  # once more, for an error as all others are
                return
            time.sleep(pause)  # cooperative under gevent, unlike SQLite's busy handler
            pause = min(pause * 1.5, 0.05)
