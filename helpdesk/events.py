"""One table for what happened, one for what is to be done about it.

`record(fact)` writes an Event and, in the same transaction, one Delivery per `@reaction` declared for that fact. What must be true at
once is a plain call inside the verb; what only refreshes screens hangs on `published`; everything that may fail, wait, or belongs to a
package above is a reaction, run by `helpdesk.worker` at least once and in no promised order.
"""

from __future__ import annotations

import enum
import importlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, fields, is_dataclass
from datetime import datetime, timedelta
from functools import lru_cache
from typing import Any, Literal, TypeVar, dataclass_transform

from sqlalchemy import ForeignKey, Index, String, Text, text
from sqlalchemy import insert as sa_insert
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.event import listens_for
from sqlalchemy.orm import Mapped, Session, SessionTransaction, mapped_column

from helpdesk import clock, db
from helpdesk.actor import SYSTEM, Actor
from helpdesk.db import Base, where

Lane = Literal["hot", "io", "heavy"]
Newcomer = Literal["keep", "move", "advance"]
Fact = Any
F = TypeVar("F")


class Event(Base):
    """Something that happened.

    Append-only; ids, enumerations and numbers only, never text or addresses, so that erasing a person leaves it alone.
    """

    __tablename__ = "event"

    id: Mapped[int] = mapped_column(primary_key=True)
    at: Mapped[datetime] = mapped_column(index=True)
    kind: Mapped[str] = mapped_column(String(60))
    actor_kind: Mapped[str] = mapped_column(String(10))
    actor_id: Mapped[int | None]
    actor_for: Mapped[int | None]
    via: Mapped[str] = mapped_column(String(20), default="")
    ticket_id: Mapped[int | None]
    contact_id: Mapped[int | None]
    organization_id: Mapped[int | None]
    user_id: Mapped[int | None]
    data: Mapped[dict[str, Any]] = mapped_column(default=dict)

    __table_args__ = (
        Index("ix_event_ticket", "ticket_id", "id"),
        Index("ix_event_contact", "contact_id", "id"),
        Index("ix_event_kind_at", "kind", "at"),
        Index("ix_event_user", "user_id", "id"),
    )

    @property
    def actor(self) -> Actor:
        return Actor(self.actor_kind, self.actor_id, self.actor_for, self.via)  # type: ignore[arg-type]


_LIVE = "done_at IS NULL AND parked_at IS NULL"
_UNCLAIMED = f"{_LIVE} AND claimed_until IS NULL"


class Delivery(Base):
    """One reaction owed to one event. The claim is a lease: a dead worker's runs out and another takes the row."""

    __tablename__ = "delivery"

    id: Mapped[int] = mapped_column(primary_key=True)
    event_id: Mapped[int | None] = mapped_column(ForeignKey("event.id"))
    reaction: Mapped[str] = mapped_column(String(80))
    key: Mapped[str] = mapped_column(String(120))
    lane: Mapped[str] = mapped_column(String(8))
    due_at: Mapped[datetime]
    claim: Mapped[int] = mapped_column(default=0)
    claimed_until: Mapped[datetime | None]
    attempts: Mapped[int] = mapped_column(default=0)
    done_at: Mapped[datetime | None]
    parked_at: Mapped[datetime | None]
    error: Mapped[str] = mapped_column(Text, default="")

    __table_args__ = (
        Index(
            "uq_delivery_pending",
            "reaction",
            "key",
            unique=True,
            **where(_UNCLAIMED),
        ),
        Index("ix_delivery_due", "lane", "due_at", **where(_LIVE)),
        Index("ix_delivery_claimed", "claimed_until", **where("claimed_until IS NOT NULL")),
        Index("ix_delivery_parked", "parked_at", **where("parked_at IS NOT NULL")),
        Index("ix_delivery_done", "done_at", **where("done_at IS NOT NULL")),
    )  # fmt: skip


# --- the catalogue -------------------------------------------------------------------------------------------------------------------

_facts: dict[str, type] = {}


@dataclass_transform(frozen_default=True)
def event(cls: type[F]) -> type[F]:
    """Declare a fact the desk can state.

    Its fields are ids, enumerations, numbers and one `by: Actor`. Its stored name is its class name in snake_case.
    """
    made = dataclass(frozen=True)(cls)
    _facts[stored_name(made)] = made
    return made


def stored_name(cls: type) -> str:
    return "".join("_" + c.lower() if c.isupper() else c for c in cls.__name__).lstrip("_")


def catalogue() -> dict[str, type]:
    """Every declared fact by its stored name, in the catalogue's order."""
    return dict(_facts)


def fact_of(row: Event) -> Fact:
    """The fact a stored event states. Fields added after it was stored take their defaults."""
    cls = _facts[row.kind]
    values: dict[str, Any] = dict(row.data)
    for name in ("ticket_id", "contact_id", "organization_id", "user_id"):
        values[name] = getattr(row, name)
    values["by"] = row.actor
    known = {field.name for field in fields(cls)}
    return cls(**{name: value for name, value in values.items() if name in known})


# --- reactions -----------------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Outside:
    """What a reaction returns when it must wait for the network: `call` runs with no transaction open, `then(result)` in a new one.

    `then` receives what `call` returned, or the exception it raised. `patience` is the longest that `call` may take: until then nobody else
    does the work, even if this process died.
    """

    call: Callable[[], Any]
    then: Callable[[Any], object]
    patience: timedelta = timedelta(minutes=2)


@dataclass(frozen=True)
class Reaction:
    """A capability's answer to a fact. `name` is stored: it stays when the function moves."""

    name: str
    fact: type
    run: Callable[[Fact], Outside | None]
    lane: Lane
    delay: Callable[[Fact], timedelta] | None
    key: Callable[[Fact], str] | None
    newcomer: Newcomer
    attempts: int
    when: Callable[[Fact], bool] | None


_reactions: dict[str, Reaction] = {}
_by_fact: dict[type, list[Reaction]] = {}

#: Modules whose reactions every process must know before it records anything.
REACTING = (
    "helpdesk.crm.duplicates",
    "helpdesk.crm.exchange.importing",
    "helpdesk.crm.consent",
    "helpdesk.crm.erasure",
    "helpdesk.crm.sweeping",
    "helpdesk.kb.approval",
    "helpdesk.kb.reviews",
    "helpdesk.kb.exchange.runs",
    "helpdesk.tickets.knowledge",
    "helpdesk.tickets.surveys",
    "helpdesk.agents.routing",
    "helpdesk.agents.reordering",
    "helpdesk.agents.worth.nightly",
    "helpdesk.agents.wrap_up",
    "helpdesk.agents.notifications",
    "helpdesk.agents.call_notices",
    "helpdesk.agents.scheduled.replies",
    "helpdesk.agents.people",
    "helpdesk.agents.leading.dry_runs",
    "helpdesk.channels.email.intake",
    "helpdesk.channels.email.answers",
    "helpdesk.channels.email.link_mails",
    "helpdesk.channels.email.survey_mails",
    "helpdesk.channels.email.receipts",
    "helpdesk.channels.email.sending",
    "helpdesk.channels.portal.screens",
)


def load_reactions() -> None:
    """Import every module that reacts. The factory calls it before the first event."""
    for module in ("helpdesk.catalog", *REACTING):
        importlib.import_module(module)


def reaction(
    fact: type,
    *,
    lane: Lane = "hot",
    delay: Callable[[Fact], timedelta] | timedelta | None = None,
    key: Callable[[Fact], str] | None = None,
    newcomer: Newcomer = "keep",
    attempts: int = 12,
    when: Callable[[Fact], bool] | None = None,
    name: str = "",
) -> Callable[[Callable[[Any], Outside | None]], Callable[[Any], Outside | None]]:
    """Declare that a function answers `fact`, in its own transaction, at least once.

    `key` makes rows collapse: among those nobody has claimed yet one per key stays, and `newcomer` says what a later one does to
    its `due_at`:
    keep (the first stays), move (the later time counts), advance (the earlier counts). Without a key each event gets its own row.
    `when` looks at the fact alone, while it is recorded, and spares deliveries that would have nothing to do.
    `attempts` are made with growing pauses, then the row is parked where an administrator sees it.
    """

    def declare(run: Callable[[Any], Outside | None]) -> Callable[[Any], Outside | None]:
        stored = name or f"{run.__module__.removeprefix('helpdesk.')}.{run.__name__}"
        if stored in _reactions and _reactions[stored].run.__module__ != run.__module__:
            raise ValueError(f"two reactions are called {stored}")
        wait = (lambda _fact, fixed=delay: fixed) if isinstance(delay, timedelta) else delay
        made = Reaction(stored, fact, run, lane, wait, key, newcomer, attempts, when)
        _reactions[stored] = made
        _by_fact[fact] = [r for r in _by_fact.get(fact, []) if r.name != stored] + [made]
        return run

    return declare


def reactions() -> dict[str, Reaction]:
    return dict(_reactions)


def reactions_to(fact: type) -> list[Reaction]:
    return list(_by_fact.get(fact, []))


# --- recording -----------------------------------------------------------------------------------------------------------------------

#: Stands among the lanes for deliveries that are not due yet: only the timer has to know of them.
LATER = "later"
#: Called after a commit with the facts it made true and the lanes where work is due: the live push and the worker's nudge hang here.
published: list[Callable[[list[Fact], set[str]], None]] = []

_history: ContextVar[datetime | None] = ContextVar("history", default=None)
_silent: ContextVar[bool] = ContextVar("silent", default=False)
_COLUMNS = ("ticket_id", "contact_id", "organization_id", "user_id")


@contextmanager
def history(at: datetime | None = None) -> Iterator[None]:
    """Tell the past: facts keep `at` (or the frozen clock's time) and nothing is scheduled, pushed or sent. For seeds and imports."""
    first, second = _history.set(at), _silent.set(True)
    try:
        yield
    finally:
        _history.reset(first)
        _silent.reset(second)


def record(fact: Fact) -> int:
    """State a fact inside the current transaction and owe what is to be done about it. Returns its event's id."""
    cls = type(fact)
    if not is_dataclass(cls) or _facts.get(stored_name(cls)) is not cls:
        raise TypeError(f"{cls.__name__} is not in the catalogue")
    by: Actor = getattr(fact, "by", SYSTEM)
    values = {f.name: _plain(getattr(fact, f.name)) for f in fields(cls) if f.name != "by"}
    row = {
        "at": _history.get() or clock.now(), "kind": stored_name(cls), "actor_kind": by.kind, "actor_id": by.id,
        "actor_for": by.on_behalf_of, "via": by.via, **{name: values.pop(name, None) for name in _COLUMNS}, "data": values,
    }  # fmt: skip
    unit = db.unit()
    made = unit.session.connection().execute(_STATING, row).inserted_primary_key
    assert made is not None
    if not _silent.get():
        _owed(unit).append(Stated(fact, int(made[0]), row["at"]))
    return int(made[0])


#: Built once, and past the session: an event is never changed, so that nobody needs its object.
_STATING = sa_insert(Event)


@dataclass(frozen=True, slots=True)
class Stated:
    """A fact with the id and time of its event, until its transaction commits."""

    fact: Fact
    event_id: int
    at: datetime


def _plain(value: Any) -> Any:
    if isinstance(value, enum.Enum):
        return value.value
    if isinstance(value, datetime):
        return value.isoformat()
    return value


def _owed(unit: db.Unit) -> list[Stated]:
    owed: list[Stated] | None = unit.notes.get("owed")
    if owed is None:
        owed = unit.notes["owed"] = []
        unit.before_commit.append(lambda: _insert_deliveries(unit))
        unit.after_commit.append(lambda: _publish(unit))
    return owed


@listens_for(Session, "after_transaction_create")
def _savepoint_began(session: Session, transaction: SessionTransaction) -> None:
    if transaction.nested:
        session.info.setdefault("owed before", {})[transaction] = len(db.unit().notes.get("owed", ()))


@listens_for(Session, "after_soft_rollback")
def _savepoint_rolled_back(session: Session, transaction: SessionTransaction) -> None:
    """What was stated inside a savepoint that was rolled back is no fact: nothing is owed for it."""
    before = session.info.get("owed before", {}).pop(transaction, None)
    if before is not None and db.in_transaction():
        del db.unit().notes.get("owed", [])[before:]


def _insert_deliveries(unit: db.Unit) -> None:
    """Write the deliveries sorted by key, at the very end, so that two transactions never wait for each other's rows crosswise."""
    rows = [
        (made, {
            "event_id": one.event_id, "reaction": made.name, "key": made.key(one.fact) if made.key else f"e{one.event_id}",
            "lane": made.lane, "due_at": one.at + (made.delay(one.fact) if made.delay else timedelta()), "claim": 0, "attempts": 0,
            "error": "",
        })
        for one in unit.notes["owed"]
        for made in _by_fact.get(type(one.fact), ())
        if made.when is None or made.when(one.fact)
    ]  # fmt: skip
    now = clock.now()
    unit.notes["lanes"] = {row["lane"] if row["due_at"] <= now else LATER for _, row in rows}
    rows.sort(key=lambda pair: (pair[1]["reaction"], pair[1]["key"]))
    for newcomer in ("keep", "move", "advance"):
        chosen = [row for made, row in rows if made.newcomer == newcomer]
        if chosen:
            put(chosen, newcomer)


def put(rows: list[dict[str, Any]], newcomer: Newcomer = "keep") -> None:
    """Insert deliveries, or let each meet the row of the same key that nobody has claimed yet."""
    connection = db.session().connection()
    connection.execute(_insert(connection.dialect.name, newcomer), rows)


@lru_cache
def _insert(engine: str, newcomer: Newcomer) -> Any:
    """The statement for one kind of newcomer, built once."""
    insert = (sqlite if engine == "sqlite" else postgresql).insert(Delivery.__table__)
    target: dict[str, Any] = {"index_elements": ["reaction", "key"], "index_where": text(_UNCLAIMED)}
    if newcomer == "keep":
        return insert.on_conflict_do_nothing(**target)
    later = {"due_at": insert.excluded.due_at, "event_id": insert.excluded.event_id}
    sooner = Delivery.due_at > insert.excluded.due_at if newcomer == "advance" else None
    return insert.on_conflict_do_update(**target, set_=later, where=sooner)


def _publish(unit: db.Unit) -> None:
    facts = [one.fact for one in unit.notes["owed"]]
    for listener in published:
        listener(facts, unit.notes.get("lanes", set()))


__all__ = ["Delivery", "Event", "Outside", "catalogue", "event", "fact_of", "history", "reaction", "record"]
