"""What pages, programs and reactions read of tickets. Each loads what its reader shows, in a constant number of queries."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import joinedload, selectinload

from helpdesk import db
from helpdesk.auth import Principal, User, require
from helpdesk.crm.models import Contact
from helpdesk.errors import NotFound
from helpdesk.events import Event
from helpdesk.tickets import policy
from helpdesk.tickets.models import Message, MessageKind, Queue, Ticket

#: Events that a thread tells between its messages.
TOLD = (
    "ticket_assigned",
    "status_changed",
    "ticket_solved",
    "ticket_reopened",
    "ticket_closed",
    "ticket_moved",
    "priority_changed",
    "answers_corrected",
    "offer_declined",
    "ticket_rated",
)
FOLD_OVER = 40


@dataclass(frozen=True)
class Entry:
    """One thing in a thread, in its order: a message, or something the desk did (`event` with its `names`)."""

    at: datetime
    message: Message | None = None
    author: str = ""
    mine: bool = False
    event: Event | None = None
    names: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Thread:
    """A ticket's history for one reader: `older` folds, `entries` shows; `newest` is the newest message's id."""

    older: list[Entry]
    entries: list[Entry]
    newest: int


def find(who: Principal, number: int, *, deed: policy.Deed = "see") -> Ticket:
    """The ticket with this number, with requester and assignee.

    NotFound when it is missing or not for this person; Forbidden when they may only look.
    """
    ticket = db.session().scalar(
        select(Ticket)
        .where(Ticket.number == number, policy.visible(who))
        .options(joinedload(Ticket.requester).joinedload(Contact.organization), joinedload(Ticket.assignee))
    )
    if ticket is None:
        raise NotFound
    require(policy.may(who, deed, ticket, takes_part=True))
    return ticket


def by_id(ticket_id: int) -> Ticket:
    """A ticket with requester and assignee, for the desk's own use."""
    return (
        db.session()
        .scalars(
            select(Ticket)
            .where(Ticket.id == ticket_id)
            .options(joinedload(Ticket.requester).joinedload(Contact.organization), joinedload(Ticket.assignee))
            .execution_options(populate_existing=True)
        )
        .one()
    )


def messages(ticket: Ticket, *, public: bool = False) -> list[Message]:
    """A ticket's messages with their attachments, oldest first; without notes if `public`."""
    found = select(Message).where(Message.ticket_id == ticket.id).options(selectinload(Message.attachments)).order_by(Message.id)
    if public:
        found = found.where(Message.kind != MessageKind.NOTE)
    return list(db.session().scalars(found))


def thread(ticket: Ticket) -> Thread:
    """Messages and what the desk did between them, for a colleague. Four queries, however long it is."""
    session = db.session()
    written = messages(ticket)
    told = list(session.scalars(select(Event).where(Event.ticket_id == ticket.id, Event.kind.in_(TOLD)).order_by(Event.id)))
    users = names_of(session, _user_ids(written, told))
    contacts = dict(
        session.execute(select(Contact.id, Contact.name).where(Contact.id.in_({m.contact_id for m in written if m.contact_id}))).all()
    )
    queues = {queue.id: queue for queue in session.scalars(select(Queue))} if any(e.kind == "ticket_moved" for e in told) else {}
    entries = [
        Entry(
            m.at,
            message=m,
            author=users.get(m.user_id or 0, "") or contacts.get(m.contact_id or 0, ""),
            mine=m.kind is not MessageKind.INBOUND,
        )
        for m in written
    ]
    entries += [Entry(e.at, event=e, names=_names(e, users, queues)) for e in told if _worth_telling(e)]
    entries.sort(key=lambda entry: (entry.at, entry.event is not None))
    cut = max(0, len(entries) - FOLD_OVER) if len(entries) > FOLD_OVER + 10 else 0
    return Thread(entries[:cut], entries[cut:], written[-1].id if written else 0)


def names_of(session: Any, ids: Iterable[int]) -> dict[int, str]:
    """The names of users by id."""
    wanted = set(ids)
    if not wanted:
        return {}
    return dict(session.execute(select(User.id, User.name).where(User.id.in_(wanted))).all())


def _user_ids(written: list[Message], told: list[Event]) -> set[int]:
    ids = {m.user_id for m in written if m.user_id}
    for event in told:
        if event.actor_kind == "user" and event.actor_id:
            ids.add(event.actor_id)
        if event.kind == "ticket_assigned":
            ids.update(user for user in (event.data.get("old"), event.data.get("new")) if user)
        if event.user_id:
            ids.add(event.user_id)
    return ids


def _names(event: Event, users: dict[int, str], queues: dict[int, Queue]) -> dict[str, str]:
    names = {"by": users.get(event.actor_id or 0, "") if event.actor_kind == "user" else ""}
    if event.kind == "ticket_assigned":
        names["old"], names["new"] = users.get(event.data.get("old") or 0, ""), users.get(event.data.get("new") or 0, "")
    if event.kind == "offer_declined":
        names["by"] = users.get(event.user_id or 0, "")
    if event.kind == "ticket_moved" and (queue := queues.get(event.data.get("new") or 0)):
        names["new"], names["new_ru"] = queue.name, queue.name_ru or queue.name
    return names


def _worth_telling(event: Event) -> bool:
    """A first reply makes a new ticket open: the reply itself says so."""
    return not (event.kind == "status_changed" and event.data.get("old") == "new" and event.data.get("new") == "open")
