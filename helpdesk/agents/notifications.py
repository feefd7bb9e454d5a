"""What happened for an agent while they were not looking: assigned to them, answered by their customer, rated."""

from __future__ import annotations

from typing import Any, cast

from sqlalchemy import Table, bindparam, exists, func, insert, select, update

from helpdesk import clock, db
from helpdesk.agents.models import Notification
from helpdesk.catalog import CustomerWrote, NoteAdded, TicketRated
from helpdesk.events import reaction
from helpdesk.tickets.models import Ticket


@reaction(CustomerWrote, key=lambda fact: f"message:{fact.message_id}", name="notifications.answered")
def tell_owner_of_answer(fact: CustomerWrote) -> None:
    """Your customer wrote."""
    ticket = db.session().get_one(Ticket, fact.ticket_id)
    if ticket.assignee_id is not None:
        add(ticket.assignee_id, ticket.id, "answered")


@reaction(NoteAdded, key=lambda fact: f"message:{fact.message_id}", name="notifications.note")
def tell_owner_of_note(fact: NoteAdded) -> None:
    """A colleague left a note on your ticket."""
    ticket = db.session().get_one(Ticket, fact.ticket_id)
    if ticket.assignee_id is not None and fact.by.user_id != ticket.assignee_id:
        add(ticket.assignee_id, ticket.id, "note")


@reaction(TicketRated, key=lambda fact: f"rating:{fact.rating_id}", name="notifications.rated")
def tell_owner_of_rating(fact: TicketRated) -> None:
    """Your customer said how it was."""
    ticket = db.session().get_one(Ticket, fact.ticket_id)
    if ticket.assignee_id is not None:
        add(ticket.assignee_id, ticket.id, "rated")


def add(user_id: int, ticket_id: int, kind: str) -> None:
    """One unread notification per ticket and kind: more of the same only renews it."""
    connection = db.session().connection()
    values = {"whom": user_id, "what": ticket_id, "as": kind, "now": clock.now()}
    if connection.execute(_ADDING, values).rowcount != 1:
        connection.execute(_RENEWING, values)


def _made_once() -> tuple[Any, Any]:
    """Add unless one waits, and renew the one that waits: made once, since every assignment asks."""
    table = cast(Table, Notification.__table__)
    row = table.c
    whom, what, kind = (
        bindparam("whom", type_=row.user_id.type),
        bindparam("what", type_=row.ticket_id.type),
        bindparam("as", type_=row.kind.type),
    )
    now = bindparam("now", type_=row.at.type)
    same = (row.user_id == whom, row.ticket_id == what, row.kind == kind, row.read_at.is_(None))
    new = select(whom, what, kind, now).where(~exists().where(*same))
    return insert(table).from_select(["user_id", "ticket_id", "kind", "at"], new), update(table).where(*same).values(at=now)


_ADDING, _RENEWING = _made_once()


def unread_count(user_id: int) -> int:
    return db.session().connection().scalar(_UNREAD, {"whom": user_id}) or 0


_UNREAD = (
    select(func.count())
    .select_from(Notification)
    .where(Notification.user_id == bindparam("whom", type_=Notification.user_id.type), Notification.read_at.is_(None))
)


def latest(user_id: int, *, limit: int = 30) -> list[tuple[Notification, Ticket]]:
    """The newest notifications with their tickets, unread first."""
    found = (
        select(Notification, Ticket)
        .join(Ticket, Ticket.id == Notification.ticket_id)
        .where(Notification.user_id == user_id)
        .order_by(Notification.read_at.is_not(None), Notification.at.desc())
        .limit(limit)
    )
    return [(row.Notification, row.Ticket) for row in db.session().execute(found)]


def read(user_id: int, *, ticket_id: int | None = None) -> None:
    """Mark as read: of one ticket, because it was opened, or all."""
    done = update(Notification).where(Notification.user_id == user_id, Notification.read_at.is_(None))
    if ticket_id is not None:
        done = done.where(Notification.ticket_id == ticket_id)
    db.session().execute(done.values(read_at=clock.now()), execution_options={"synchronize_session": False})
