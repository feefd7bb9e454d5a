"""The one base: engine, mapped types, and the only place that commits.

`transaction()` wraps one verb: everything it writes becomes durable together, then (and only then) pushes and nudges go out.
`read()` is the same for looking, and refuses writes. Inside either, `session()` is the current SQLAlchemy session.

SQLite allows one writer. Inside a process a lock hands out turns, because SQLite's own busy wait would stop the whole event loop;
against other processes BEGIN IMMEDIATE is tried again cooperatively. Nothing may wait for the network, a subprocess or a person while a
transaction is open.
"""

from __future__ import annotations

import contextvars
import enum
import logging
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import BigInteger, DateTime, Dialect, Engine, Enum, Integer, MetaData, create_engine, event, text
from sqlalchemy.exc import OperationalError
from sqlalchemy.orm import DeclarativeBase, Session, registry
from sqlalchemy.types import JSON, TypeDecorator

from helpdesk import db_sqlite
from helpdesk.db_errors import withhold_values
from helpdesk.db_sqlite import LOCK_PATIENCE_S
from helpdesk.errors import Unavailable

log = logging.getLogger(__name__)

#: 64-bit keys; SQLite autoincrements only its own INTEGER.
Id = BigInteger().with_variant(Integer, "sqlite")
POOL_PATIENCE_S = 2.0


class UtcDateTime(TypeDecorator[datetime]):
    """Aware datetimes in UTC on both engines; a naive one is refused before it can lie."""

    impl = DateTime
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> Any:
        return dialect.type_descriptor(DateTime(timezone=dialect.name == "postgresql"))

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError("a time without a zone cannot be stored")
        value = value.astimezone(UTC)
        return value if dialect.name == "postgresql" else value.replace(tzinfo=None)

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


def where(condition: str) -> dict[str, Any]:
    """The condition of a partial index, for both engines: without its own each would make the index total."""
    return {"sqlite_where": text(condition), "postgresql_where": text(condition)}


class Base(DeclarativeBase):
    """Every table's base; constraints are named so that migrations can find them on both engines."""

    registry = registry(
        type_annotation_map={
            datetime: UtcDateTime,
            dict[str, Any]: JSON,
            list[str]: JSON,
            int: Id,
            # Enumerations are stored as their words; a new word needs no change of a database type.
            enum.StrEnum: Enum(enum.StrEnum, native_enum=False, length=16, values_callable=lambda words: [w.value for w in words]),
        }
    )
    metadata = MetaData(
        naming_convention={
            "ix": "ix_%(column_0_N_label)s",
            "uq": "uq_%(table_name)s_%(column_0_N_name)s",
            "ck": "ck_%(table_name)s_%(constraint_name)s",
            "fk": "fk_%(table_name)s_%(column_0_N_name)s",
            "pk": "pk_%(table_name)s",
        }
    )


class Unit:
    """One open transaction: its session and what happens around its end."""

    def __init__(self, session: Session, *, writes: bool) -> None:
        self.session = session
        self.writes = writes
        self.doomed = False
        #: Run inside the transaction just before it commits.
        self.before_commit: list[Callable[[], None]] = []
        #: Run after it committed, outside any transaction; their failures are logged and change nothing.
        self.after_commit: list[Callable[[], None]] = []
        self.notes: dict[str, Any] = {}
        #: How many transactions this process had committed when this one began: what it reads may be older than later ones.
        self.began_at = _commits


_engine: Engine | None = None
#: The same engine, looking: made when it is first needed.
_looking: Engine | None = None
_looked_at: Engine | None = None
_commits = 0
_unit: contextvars.ContextVar[Unit | None] = contextvars.ContextVar("unit", default=None)
_writing = threading.RLock()


def connect(url: str, *, pool_size: int = 10) -> Engine:
    """Bind this process to its database. Called once by the factory, and again by tests that change databases."""
    global _engine, _writing
    disconnect()
    _writing = threading.RLock()  # made now, so that it is gevent's where `serve` has patched threading
    if url.startswith("sqlite"):
        _engine = create_engine(
            url,
            pool_size=5,
            max_overflow=20,
            pool_timeout=POOL_PATIENCE_S,
            pool_use_lifo=True,  # the connection used last has its pages and statements at hand
            hide_parameters=True,  # an error's text goes to the log, and logs hold ids only
            connect_args={"timeout": 0, "check_same_thread": False, "cached_statements": db_sqlite.STATEMENTS},
        )
        event.listen(_engine, "connect", db_sqlite.prepare)
        event.listen(_engine, "begin", db_sqlite.begin)
    else:
        _engine = create_engine(
            url,
            pool_size=pool_size,
            max_overflow=5,
            pool_timeout=POOL_PATIENCE_S,
            pool_pre_ping=True,
            pool_use_lifo=True,
            hide_parameters=True,
            connect_args={"connect_timeout": 5},
        )
        event.listen(_engine, "handle_error", withhold_values)
    return _engine


def disconnect() -> None:
    """Close every connection of this process."""
    global _engine, _looking
    left = (_looking, _engine)
    _looking = _engine = None  # first, so that no other thread begins anything on what is being closed
    for one in left:
        if one is not None:
            one.dispose()


def engine() -> Engine:
    """The bound engine. Raises Unavailable before `connect`."""
    if _engine is None:
        raise Unavailable("no database is connected")
    return _engine


def session() -> Session:
    """The session of the transaction we are in. Outside one there is nothing to talk to, and that is a fault in our code."""
    return unit().session


def unit() -> Unit:
    current = _unit.get()
    if current is None:
        raise RuntimeError("no transaction is open here: the edge opens one with db.transaction() or db.read()")
    return current


def in_transaction() -> bool:
    return _unit.get() is not None


@contextmanager
def transaction(*, durable: bool = True) -> Iterator[Session]:
    """One unit of work: commits at the end, rolls back on an error or after `doom()`. A nested one joins the outer.

    What is not `durable` may be lost with the power (never by a crash of ours), whole and from the newest back: for what follows from
    facts that are durable, and would follow again. SQLite then spares the wait for the disk; PostgreSQL keeps it either way.
    Raises Unavailable when the database cannot be had; then nothing of the unit was kept.
    """
    outer = _unit.get()
    if outer is not None:
        if not outer.writes:
            raise RuntimeError("this code only reads: what reading leaves behind goes through web.later()")
        yield outer.session
        return
    done: Unit | None = None
    with _turn(), Session(engine(), expire_on_commit=False) as opened:
        current = Unit(opened, writes=True)
        token = _unit.set(current)
        try:
            with _failures_told():
                opened.connection(execution_options={"durable": durable})  # begins now: the turn must cover the whole transaction
                yield opened
                if current.doomed:
                    opened.rollback()
                else:
                    opened.flush()  # what is written may itself have something to be done before the end
                    while current.before_commit:
                        current.before_commit.pop(0)()
                        opened.flush()
                    opened.commit()
                    done = current
        finally:
            _unit.reset(token)
    if done is not None:
        _run_after(done)


@contextmanager
def read() -> Iterator[Session]:
    """A snapshot to look at. Writing in it is an error. Joins an open transaction."""
    outer = _unit.get()
    if outer is not None:
        yield outer.session
        return
    with Session(_reading(), expire_on_commit=False, autoflush=False) as opened:
        token = _unit.set(Unit(opened, writes=False))
        try:
            with _failures_told():
                yield opened
                if opened.new or opened.dirty or opened.deleted:
                    raise RuntimeError("something was changed while only reading")
        finally:
            _unit.reset(token)


def _reading() -> Engine:
    global _looking, _looked_at
    bound = engine()
    looking = _looking
    if looking is None or _looked_at is not bound:
        looking = db_sqlite.Looking(bound) if bound.dialect.name == "sqlite" else bound.execution_options(postgresql_readonly=True)
        _looking, _looked_at = looking, bound
    return looking


@contextmanager
def part() -> Iterator[None]:
    """A part of the open transaction that may fail alone: an error takes back what was written, recorded and promised since its
    beginning, and goes on to the caller. Either way objects loaded before are forgotten, so that the next part reads anew.
    """
    current = unit()
    before, after = list(current.before_commit), list(current.after_commit)
    notes = {name: list(note) if isinstance(note, list) else note for name, note in current.notes.items()}
    connection = current.session.connection()
    connection.exec_driver_sql("SAVEPOINT part")
    try:
        yield
        current.session.flush()
    except BaseException:
        current.session.expunge_all()
        connection.exec_driver_sql("ROLLBACK TO part")
        current.before_commit, current.after_commit, current.notes = before, after, notes
        raise
    finally:
        connection.exec_driver_sql("RELEASE part")
    current.session.expunge_all()


def doom() -> None:
    """The answer will be a refusal: whatever this transaction wrote must not stay."""
    unit().doomed = True


def keep(*rows: object) -> None:
    """Hold rows until the transaction ends: a session forgets what nobody holds, and would read it again."""
    unit().notes.setdefault("kept", []).extend(rows)


def after_commit(call: Callable[[], None]) -> None:
    """Do something best-effort once the current transaction is durable."""
    unit().after_commit.append(call)


@contextmanager
def outside() -> Iterator[None]:
    """A block that must not see the surrounding transaction: streams and follow-ups that open their own."""
    token = _unit.set(None)
    try:
        yield
    finally:
        _unit.reset(token)


def compact(tables: Sequence[str]) -> None:
    """Make sure that what was deleted is gone from the database's file too, not only from its rows; outside any transaction.

    SQLite is rewritten whole and its write-ahead log emptied: nobody writes meanwhile. PostgreSQL frees the rows of these tables for
    overwriting and goes on working. Raises Unavailable when somebody reads for too long; try again later.
    """
    if engine().dialect.name == "postgresql":
        with engine().connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            for table in tables:
                connection.exec_driver_sql(f'VACUUM "{table}"')
        return
    with _turn(), engine().connect() as connection, _failures_told():
        raw: Any = connection.connection.driver_connection
        raw.execute("VACUUM")
        until = time.monotonic() + LOCK_PATIENCE_S
        while raw.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()[0]:
            if time.monotonic() > until:
                raise Unavailable("somebody reads the database for too long to empty its log")
            time.sleep(0.05)


def commits() -> int:
    """How many transactions this process has committed; tells our own writes from other processes'."""
    return _commits


def _run_after(done: Unit) -> None:
    global _commits
    _commits += 1
    for call in done.after_commit:
        try:
            call()
        except Exception:
            log.exception("after the commit")


@contextmanager
def _turn() -> Iterator[None]:
    """SQLite's only writer's seat, inside this process."""
    if engine().dialect.name != "sqlite":
        yield
        return
    if not _writing.acquire(timeout=LOCK_PATIENCE_S):
        raise Unavailable("the database has been busy for too long")
    try:
        yield
    finally:
        _writing.release()


@contextmanager
def _failures_told() -> Iterator[None]:
    """A lost database or a full disk becomes an answer; other database errors are faults of ours and stay loud."""
    try:
        yield
    except OperationalError as wrong:
        if "readonly" in str(wrong.orig):
            raise RuntimeError("something was changed while only reading") from wrong
        log.error("the database failed: %s", wrong.orig)
        raise Unavailable("the database does not answer or has no room left; nothing of this was saved") from wrong
