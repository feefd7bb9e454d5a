"""Putting a mail into the outbox: one row per reason and person, with its place in the conversation, and MailQueued.

Whoever wants a mail sent (`answers`, `survey_mails`, `link_mails`, `receipts`, `claims`) calls `put`; `sending` takes it once its
`not_before` has passed. Running twice makes nothing new: the database keeps one mail per reason and person.
"""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import bindparam, select

from helpdesk import clock, db, web
from helpdesk.catalog import MailQueued
from helpdesk.channels.email import compose, inboxes, languages, marks
from helpdesk.channels.email.arrivals import DOOR
from helpdesk.channels.email.models import Arrival, Outgoing, OutgoingKind, OutgoingState
from helpdesk.crm import contacts
from helpdesk.crm.models import Contact
from helpdesk.events import record
from helpdesk.tickets import linking
from helpdesk.tickets.models import Inbox, Message, MessageKind, Ticket


def put(
    kind: OutgoingKind,
    ticket: Ticket | None,
    contact: Contact,
    address: str,
    words: compose.Words,
    *,
    inbox: Inbox | None = None,
    message: Message | None = None,
    survey_id: int | None = None,
    thread: list[str] | None = None,
    shown: list[list[str]] | None = None,
    not_before: datetime | None = None,
    queued: bool = True,
) -> Outgoing | None:
    """One mail to one person, about a ticket if there is one; None when it stands there already.

    `shown`: the people of its To and Cc, if more than the recipient. `thread`: Message-IDs it continues, if not the whole conversation's.
    Not `queued`: only written; the caller has looked whether it stands, and sees to it that it leaves (`sending.leave_at_once`).
    """
    if queued and standing(kind, address, message, survey_id) is not None:
        return None
    if inbox is None and ticket is not None:
        inbox = db.session().get(Inbox, ticket.inbox_id)
    if thread is None:
        in_reply_to, known = (_newest_inbound(ticket), _thread(ticket, address)) if ticket is not None else ("", [])
    else:
        in_reply_to, known = next(iter(thread), ""), thread
    people = shown or [[contact.name, address]]
    now = clock.now()
    row = Outgoing(
        kind=kind,
        ticket_id=ticket.id if ticket is not None else None,
        message_id=message.id if message is not None else None,
        survey_id=survey_id,
        inbox_id=ticket.inbox_id if ticket is not None else None,
        contact_id=contact.id,
        recipient=address,
        to=people[:1],
        cc=people[1:],
        language=languages.of(ticket, contact),
        subject=words.subject,
        body_text=words.text,
        body_html=words.html,
        header_id=new_id(inbox, ticket),
        in_reply_to=in_reply_to,
        references=compose.references(known),
        not_before=not_before or now,
        created_at=now,
    )
    return queue(row) if queued else row


def new_id(inbox: Inbox | None = None, ticket: Ticket | None = None) -> str:
    """A Message-ID for a mail that leaves from an inbox, marked with the ticket it is about."""
    return marks.message_id(
        ticket.id if ticket is not None else 0, inboxes.from_address(inbox, web.settings().mail_from).rpartition("@")[2]
    )


def address_of(ticket: Ticket, contact: Contact) -> str | None:
    """Where to write to this person about this ticket: the address they last wrote from here, else their own best one."""
    session = db.session()
    if contact.erased_at is not None:
        return None
    wrote = session.scalar(
        select(Arrival.author)
        .join(Message, Message.id == Arrival.message_id)
        .where(Message.ticket_id == ticket.id, Message.contact_id == contact.id, Message.automatic == "")
        .order_by(Message.id.desc())
        .limit(1)
    )
    if wrote and contacts.owns_email(contact.id, wrote):
        return wrote
    return contacts.email_of(contact.id)


def ticket_link(ticket: Ticket, contact_id: int) -> str:
    """This person's own link to the ticket, from the configured address."""
    return f"{web.settings().base_url}/t/{linking.token(ticket, contact_id)}"


def queue(row: Outgoing, *, at_once: bool = False) -> Outgoing:
    """A mail that stands written, into the outbox; it leaves once its `not_before` has passed, or is being handed over `at_once`."""
    row.created_at = clock.now()
    db.session().add(row)
    db.session().flush()
    record(MailQueued(row.id, DOOR, ticket_id=row.ticket_id, not_before=row.not_before.isoformat(), at_once=at_once))
    return row


def standing(kind: OutgoingKind, address: str, message: Message | None, survey_id: int | None = None) -> int | None:
    """The mail for this reason that is in the outbox: one per message and person; one per survey, whatever address it went to."""
    if message is not None:
        return db.session().scalar(_FOR_MESSAGE, {"message": message.id, "recipient": address, "kind": kind})
    if survey_id is not None:
        return db.session().scalar(select(Outgoing.id).where(Outgoing.survey_id == survey_id))
    return None


#: Made once: every receipt and every reply asks.
_FOR_MESSAGE = select(Outgoing.id).where(
    Outgoing.message_id == bindparam("message"), Outgoing.recipient == bindparam("recipient"), Outgoing.kind == bindparam("kind")
)


def _thread(ticket: Ticket, address: str) -> list[str]:
    """Message-IDs of the conversation as this recipient knows it, oldest first."""
    session = db.session()
    theirs = select(Message.at, Message.header_id).where(
        Message.ticket_id == ticket.id, Message.kind == MessageKind.INBOUND, Message.header_id.is_not(None)
    )
    ours = select(Outgoing.created_at, Outgoing.header_id).where(
        Outgoing.ticket_id == ticket.id, Outgoing.recipient == address, Outgoing.state == OutgoingState.SENT
    )
    rows = [*session.execute(theirs.order_by(Message.id)), *session.execute(ours.order_by(Outgoing.id))]
    return [header_id for _at, header_id in sorted(rows, key=lambda row: row[0]) if header_id]  # of one moment: as they came


def _newest_inbound(ticket: Ticket) -> str:
    newest = (
        select(Message.header_id)
        .where(Message.ticket_id == ticket.id, Message.kind == MessageKind.INBOUND, Message.header_id.is_not(None), Message.automatic == "")
        .order_by(Message.id.desc())
        .limit(1)
    )
    return db.session().scalar(newest) or ""
