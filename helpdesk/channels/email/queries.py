"""What the mail screens read: pages of the two ledgers, by keyset, and how much waits for a person."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, Select, func, or_, select
from sqlalchemy.orm import InstrumentedAttribute

from helpdesk import clock, db
from helpdesk.channels.email.models import Arrival, ArrivalState, Outgoing, OutgoingState
from helpdesk.tickets.models import Inbox, Ticket

#: Counts beyond this are shown as "999+".
CAP = 1000


@dataclass(frozen=True)
class ArrivalRow:
    arrival: Arrival
    ticket_number: int | None
    inbox_name: str


@dataclass(frozen=True)
class OutgoingRow:
    outgoing: Outgoing
    ticket_number: int | None


def arrivals(*, state: ArrivalState | None, words: str, before: int | None, limit: int) -> list[ArrivalRow]:
    """The newest arrivals first, one more than `limit`; `words` stand in the sender's address or the subject."""
    found = (
        select(Arrival, Ticket.number, Inbox.name)
        .outerjoin(Ticket, Ticket.id == Arrival.ticket_id)
        .outerjoin(Inbox, Inbox.id == Arrival.inbox_id)
        .order_by(Arrival.id.desc())
        .limit(limit + 1)
    )
    if state is not None:
        found = found.where(Arrival.state == state)
    if before is not None:
        found = found.where(Arrival.id < before)
    if words:
        found = found.where(_holds(words, Arrival.subject, Arrival.author, Arrival.sender))
    return [ArrivalRow(arrival, number, name or "") for arrival, number, name in db.session().execute(found)]


def outgoing(*, state: OutgoingState | None, words: str, before: int | None, limit: int) -> list[OutgoingRow]:
    """The newest outgoing mails first, one more than `limit`."""
    found = select(Outgoing, Ticket.number).outerjoin(Ticket, Ticket.id == Outgoing.ticket_id).order_by(Outgoing.id.desc()).limit(limit + 1)
    if state is not None:
        found = found.where(Outgoing.state == state)
    if before is not None:
        found = found.where(Outgoing.id < before)
    if words:
        found = found.where(_holds(words, Outgoing.subject, Outgoing.recipient))
    return [OutgoingRow(row, number) for row, number in db.session().execute(found)]


def put_aside() -> int:
    """How many mails are in quarantine, up to CAP."""
    return _count(select(Arrival.id).where(Arrival.state == ArrivalState.QUARANTINED).limit(CAP))


def failed() -> int:
    """How many mails could not be sent, up to CAP."""
    return _count(select(Outgoing.id).where(Outgoing.state == OutgoingState.FAILED).limit(CAP))


def overdue() -> int:
    """How many mails wait although their time has come, up to CAP."""
    late = select(Outgoing.id).where(Outgoing.state == OutgoingState.WAITING, Outgoing.not_before < clock.now())
    return _count(late.limit(CAP))


def ticket_number(ticket_id: int | None) -> int | None:
    return db.session().scalar(select(Ticket.number).where(Ticket.id == ticket_id)) if ticket_id is not None else None


def _count(rows: Select[Any]) -> int:
    return int(db.session().scalar(select(func.count()).select_from(rows.subquery())) or 0)


def _holds(words: str, *columns: InstrumentedAttribute[str]) -> ColumnElement[bool]:
    """Case does not matter: SQLite folds ASCII alone, therefore the usual writings are tried."""
    writings = {words, words.lower(), words.upper(), words.capitalize()}
    return or_(*(column.icontains(writing, autoescape=True) for column in columns for writing in sorted(writings)))
