"""Intake: a request from any channel becomes a ticket, or another message on one. The doors call it; it calls nobody above."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import Sequence, func, select

from helpdesk import clock, db
from helpdesk.actor import Actor
from helpdesk.catalog import CustomerWrote, TicketOpened, TicketReopened
from helpdesk.crm import contacts, timeline
from helpdesk.crm.models import Contact
from helpdesk.errors import Conflict
from helpdesk.events import record
from helpdesk.files import Stored
from helpdesk.tickets import search, sla
from helpdesk.tickets.changes import change
from helpdesk.tickets.models import (
    Attachment,
    Channel,
    Inbox,
    Message,
    MessageKind,
    Participant,
    Priority,
    Queue,
    Status,
    Ticket,
    ticket_number,
)

FIRST_NUMBER = 1001


@dataclass(frozen=True)
class NewFile:
    """A file already kept in the store, to be attached. `content_id` names it inside the HTML."""

    name: str
    content_type: str
    stored: Stored
    content_id: str = ""


@dataclass(frozen=True)
class Incoming:
    """What a customer wrote, on any channel, understood and made safe by its door. `html` is sanitised, `quote` folds below the text.

    `topic_id` and `custom`: what a new ticket is about, and the values of that topic's fields.
    """

    contact: Contact
    text: str
    channel: Channel
    subject: str = ""
    html: str = ""
    quote: str = ""
    language: str = ""
    header_id: str | None = None
    in_reply_to: str | None = None
    client_id: str | None = None
    automatic: str = ""
    files: tuple[NewFile, ...] = ()
    participants: tuple[Contact, ...] = ()
    warnings: tuple[str, ...] = ()
    at: datetime | None = None
    sender_checks: dict[str, str] = field(default_factory=dict)
    topic_id: int | None = None
    custom: dict[str, Any] = field(default_factory=dict)


def receive(
    incoming: Incoming,
    inbox: Inbox,
    *,
    by: Actor,
    priority: Priority = Priority.NORMAL,
    linked_to: Ticket | None = None,
    queue: Queue | None = None,
) -> tuple[Ticket, Message]:
    """Open a ticket for a request: ticket, first message, participants, running clock, timeline. Records TicketOpened.

    `queue` is where it waits when the customer named a topic; otherwise the inbox's own.
    """
    session = db.session()
    contact, at = incoming.contact, incoming.at or clock.now()
    queue = queue or session.get_one(Queue, inbox.queue_id)
    ticket = Ticket(
        number=_next_number(),
        subject=_subject(incoming),
        status=Status.NEW,
        priority=priority,
        channel=incoming.channel,
        language=incoming.language or contact.language or inbox.language,
        inbox_id=inbox.id,
        queue_id=queue.id,
        requester_id=contact.id,
        organization_id=contact.organization_id,
        opened_at=at,
        last_message_at=at,
        waiting_since=at,
        next_due_at=sla.first_due(queue, at),
        snippet=snippet_of(incoming.text),
        messages_count=1,
        linked_to_id=linked_to.id if linked_to else None,
        topic_id=incoming.topic_id,
        custom=dict(incoming.custom),
    )
    session.add(ticket)
    session.flush()
    sla.begin(ticket, queue, at=at)
    message = _add_message(ticket, incoming, at)
    search.remember(message, ticket.subject, contact.name)
    for other in incoming.participants:
        add_participant(ticket, other)
    record(
        TicketOpened(
            ticket.id,
            contact.id,
            queue.id,
            inbox.id,
            ticket.channel,
            ticket.status,
            ticket.priority,
            by,
            organization_id=contact.organization_id,
        )
    )
    return ticket, message


def append(ticket: Ticket, incoming: Incoming, *, by: Actor) -> Message:
    """Add a customer's message to their ticket; a solved one reopens, a waiting one is ours again. Automatic mail changes nothing
    but the thread.

    Raises Conflict on a closed ticket: the door opens a new, linked one instead.
    """
    if ticket.status is Status.CLOSED:
        raise Conflict
    at = incoming.at or clock.now()
    message = _add_message(ticket, incoming, at)
    ticket.messages_count = (ticket.messages_count or 0) + 1
    ticket.last_message_at = at
    ticket.snippet = snippet_of(incoming.text)
    search.remember(message)
    if incoming.automatic:
        return message
    if ticket.waiting_since is None:
        ticket.waiting_since = at
    reopened = ticket.status is Status.SOLVED
    old = ticket.status
    if old in (Status.SOLVED, Status.PENDING, Status.ON_HOLD):
        change(ticket, None, status=Status.OPEN, **({"solved_at": None, "reopens_count": ticket.reopens_count + 1} if reopened else {}))
        sla.resume(ticket, "customer_wrote")
    sla.start(ticket, sla.FIRST_REPLY if ticket.first_reply_at is None else sla.NEXT_REPLY, db.session().get_one(Queue, ticket.queue_id))
    if reopened:
        record(TicketReopened(ticket.id, old, by))
    record(CustomerWrote(ticket.id, incoming.contact.id, message.id, by, reopened=reopened))
    return message


def add_participant(ticket: Ticket, contact: Contact) -> None:
    """Let another person take part, once."""
    if contact.id != ticket.requester_id and db.session().get(Participant, (ticket.id, contact.id)) is None:
        db.session().add(Participant(ticket_id=ticket.id, contact_id=contact.id))


def takes_part(ticket: Ticket, contact: Contact) -> bool:
    """Whether this person is the requester or a participant, under any of the contacts that were merged into one."""
    if ticket.requester_id == contact.id or db.session().get(Participant, (ticket.id, contact.id)) is not None:
        return True
    theirs = contacts.group(contact.id)
    copied = select(Participant.contact_id).where(Participant.ticket_id == ticket.id, Participant.contact_id.in_(theirs)).limit(1)
    return ticket.requester_id in theirs or db.session().scalar(copied) is not None


def snippet_of(text: str) -> str:
    """The first words, on one line, for lists."""
    return " ".join(text.split())[:200]


def attach(message: Message, files: tuple[NewFile, ...]) -> None:
    for file in files:
        db.session().add(
            Attachment(
                message_id=message.id,
                object_key=file.stored.key,
                name=file.name[:255] or "file",
                content_type=file.content_type[:120] or "application/octet-stream",
                size=file.stored.size,
                sha256=file.stored.sha256,
                content_id=file.content_id[:255],
            )
        )


def _add_message(ticket: Ticket, incoming: Incoming, at: datetime) -> Message:
    message = Message(
        ticket_id=ticket.id,
        kind=MessageKind.INBOUND,
        channel=incoming.channel,
        contact_id=incoming.contact.id,
        at=at,
        html=incoming.html,
        text=incoming.text,
        quote=incoming.quote,
        header_id=incoming.header_id,
        in_reply_to=incoming.in_reply_to,
        client_id=incoming.client_id,
        automatic=incoming.automatic,
        warnings=list(incoming.warnings),
        sender_checks=dict(incoming.sender_checks),
    )
    db.session().add(message)
    db.session().flush()
    attach(message, incoming.files)
    timeline.note(
        incoming.contact.id,
        "message",
        at=at,
        channel=incoming.channel,
        direction="in",
        organization_id=ticket.organization_id,
        ticket_id=ticket.id,
        message_id=message.id,
        title=ticket.subject,
    )
    return message


def _subject(incoming: Incoming) -> str:
    return (" ".join(incoming.subject.split()) or snippet_of(incoming.text)[:80] or "—")[:300]


def _next_number() -> int:
    """From the sequence on PostgreSQL (gaps are fine); under the write lock on SQLite."""
    return int(db.session().connection().scalar(_NUMBERS[db.engine().dialect.name]) or FIRST_NUMBER)


_NUMBERS: dict[str, Any] = {
    "postgresql": select(Sequence(ticket_number.name).next_value()),
    "sqlite": select(func.coalesce(func.max(Ticket.number), FIRST_NUMBER - 1) + 1),
}
