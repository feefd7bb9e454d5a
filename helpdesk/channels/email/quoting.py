"""The customer's message under an answer, for inboxes that want it: shown only to people who took part when it was written."""

from __future__ import annotations

from dataclasses import dataclass

from flask_babel import force_locale, format_datetime, gettext
from sqlalchemy import select

from helpdesk import db
from helpdesk.channels.email import languages
from helpdesk.crm import contacts
from helpdesk.crm.models import Contact
from helpdesk.tickets.models import Message, MessageKind, Participant, Ticket

LONGEST_LINES = 200


@dataclass(frozen=True)
class Quoted:
    """Who wrote when, in the reader's language, and the lines that they wrote."""

    opening: str
    lines: list[str]


def below(ticket: Ticket, answer: Message, reader: Contact) -> Quoted | None:
    """What an answer quotes for this reader: the customer's newest message before it; None when they may not have it, or there is none."""
    session = db.session()
    asked = session.scalar(
        select(Message)
        .where(Message.ticket_id == ticket.id, Message.kind == MessageKind.INBOUND, Message.automatic == "", Message.id < answer.id)
        .order_by(Message.id.desc())
        .limit(1)
    )
    if asked is None or not asked.text.strip() or not _took_part(ticket, reader, asked):
        return None
    author = session.get(Contact, asked.contact_id) if asked.contact_id is not None else None
    with force_locale(languages.of(ticket, reader)):
        opening = gettext(
            "On %(when)s, %(who)s wrote:",
            when=format_datetime(asked.at, "medium"),
            who=author.name if author is not None else gettext("somebody"),
        )
    lines = asked.text.split("\n")
    return Quoted(" ".join(opening.split()), lines[:LONGEST_LINES] + (["…"] if len(lines) > LONGEST_LINES else []))


def _took_part(ticket: Ticket, reader: Contact, message: Message) -> bool:
    """Whoever joined later does not get by mail what was written before."""
    session = db.session()
    if contacts.canonical(session.get_one(Contact, ticket.requester_id)).id == reader.id:
        return True
    row = session.get(Participant, (ticket.id, reader.id))
    return row is not None and row.added_at <= message.at
