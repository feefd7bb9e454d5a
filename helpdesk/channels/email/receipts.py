"""The automatic receipt for a new request, within the limits that keep it from being a weapon (backscatter, loops).

At most one an hour and three a day to an address; never to automatic mail, robots' addresses, forged senders or ourselves (RFC 3834, 2);
and no word in it comes from the mail it answers, so that nobody can send theirs through us.
"""

from __future__ import annotations

import re
from datetime import timedelta

from sqlalchemy import and_, bindparam, select

from helpdesk import clock, db
from helpdesk.catalog import TicketOpened
from helpdesk.channels.email import compose, inboxes, languages, outbox, turns, warnings
from helpdesk.channels.email.models import Arrival, Outgoing, OutgoingKind
from helpdesk.crm import contacts
from helpdesk.crm.models import Contact
from helpdesk.events import reaction
from helpdesk.preferences import preferences
from helpdesk.tickets.models import Channel, Inbox, Message, MessageKind, Ticket

#: Channels on which a new request is confirmed by mail.
CONFIRMED = (Channel.EMAIL, Channel.PORTAL)
LIMITS = ((timedelta(hours=1), 1), (timedelta(days=1), 3))
_ROBOT = re.compile(
    r"(?i)^(?:no-?_?reply|do-?_?not-?_?reply|mailer-daemon|postmaster|daemon|root|bounces?|owner|majordomo|listserv|nobody|robot|auto.?reply)"
    r"(?:[-+._=].*)?@|.*(?:-bounces?|-request|-owner|-outgoing|-noreply|-daemon)@"
)


@reaction(
    TicketOpened, lane="io", when=lambda fact: fact.channel in CONFIRMED, key=lambda fact: f"ticket:{fact.ticket_id}", name="mail.receipt"
)
def acknowledge(fact: TicketOpened) -> None:
    """Tell the customer that the request has arrived, its number and where to follow it, unless that could do harm."""
    if not preferences().acknowledge or fact.channel not in CONFIRMED:
        return
    ticket, requester, inbox, message, arrival = db.session().execute(_REQUEST, {"id": fact.ticket_id}).one()
    contact = contacts.canonical(requester)
    address = (arrival.author if arrival is not None and contact.erased_at is None else "") or outbox.address_of(ticket, contact)
    if not address or not _may_answer(message, arrival, address) or not within_limits(address):
        return
    link = outbox.ticket_link(ticket, ticket.requester_id)
    words = compose.words(OutgoingKind.RECEIPT, languages.of(ticket, contact), number=ticket.number, link=link)
    # Without the name that the mail gave itself: that would be a stranger's text too.
    outbox.put(
        OutgoingKind.RECEIPT,
        ticket,
        contact,
        address,
        words,
        inbox=inbox,
        message=message,
        shown=[["", address]],
        thread=[message.header_id or ""],
    )


#: Everything that a receipt needs to know of a new request, made once: each one asks.
_REQUEST = (
    select(Ticket, Contact, Inbox, Message, Arrival)
    .join(Contact, Contact.id == Ticket.requester_id)
    .join(Inbox, Inbox.id == Ticket.inbox_id)
    .join(Message, and_(Message.ticket_id == Ticket.id, Message.kind == MessageKind.INBOUND))
    .outerjoin(Arrival, Arrival.message_id == Message.id)
    .where(Ticket.id == bindparam("id", type_=Ticket.id.type))
    .order_by(Message.id)
    .limit(1)
)


def within_limits(address: str) -> bool:
    """Whether this address may get one more automatic answer now. Holds the address's turn until the transaction ends."""
    turns.take(f"receipt:{address.lower()}")
    now = clock.now()
    sent = select(Outgoing.created_at).where(
        Outgoing.recipient == address, Outgoing.kind == OutgoingKind.RECEIPT, Outgoing.created_at > now - LIMITS[-1][0]
    )
    times = list(db.session().scalars(sent))
    return all(sum(at > now - span for at in times) < most for span, most in LIMITS)


def _may_answer(message: Message, arrival: Arrival | None, address: str) -> bool:
    if message.automatic or warnings.FORGED_SENDER in message.warnings or _ROBOT.match(address) or inboxes.doors().ours(address):
        return False
    # A null sender in the envelope: whatever it is, it wants no answer.
    return arrival is None or bool(arrival.sender) or not arrival.recipients
