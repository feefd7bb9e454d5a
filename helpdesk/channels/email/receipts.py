"""The automatic receipt for a new request, within the limits that keep it from being a weapon (backscatter, loops).

At most one an hour and three a day to an address; never to automatic mail, robots' addresses, forged senders or ourselves (RFC 3834, 2);
and no word in it comes from the mail it answers, so that nobody can send theirs through us.
"""

from __future__ import annotations

import re
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import and_, bindparam, or_, select

from helpdesk import clock, db
from helpdesk.catalog import TicketOpened
from helpdesk.channels.email import compose, inboxes, languages, outbox, sending, turns, warnings
from helpdesk.channels.email.models import Arrival, Outgoing, OutgoingKind
from helpdesk.crm import contacts
from helpdesk.crm.models import Contact
from helpdesk.events import Outside, reaction
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
def acknowledge(fact: TicketOpened) -> Outside | None:
    """Tell the customer that the request has arrived, its number and where to follow it, unless that could do harm.

    Nobody takes a receipt back: it is handed over at once, without another delivery.
    """
    if not preferences().acknowledge or fact.channel not in CONFIRMED:
        return None
    ticket, requester, inbox, message, arrival = db.session().execute(_REQUEST, {"id": fact.ticket_id}).one()
    contact = contacts.canonical(requester)
    address = (arrival.author if arrival is not None and contact.erased_at is None else "") or outbox.address_of(ticket, contact)
    if not address or not _may_answer(message, arrival, address):
        return None
    earlier = _earlier(address, message)
    begun = next((one.id for one in earlier if one.message_id == message.id), None)
    if begun is not None:
        sending.owe(begun)
    if begun is not None or not _within_limits([one.created_at for one in earlier]):
        return None
    link = outbox.ticket_link(ticket, ticket.requester_id)
    words = compose.words(OutgoingKind.RECEIPT, languages.of(ticket, contact), number=ticket.number, link=link)
    # Without the name that the mail gave itself: that would be a stranger's text too.
    row = outbox.put(
        OutgoingKind.RECEIPT,
        ticket,
        contact,
        address,
        words,
        inbox=inbox,
        message=message,
        shown=[["", address]],
        thread=[message.header_id or ""],
        queued=False,
    )
    return sending.leave_at_once(row, inbox) if row is not None else None


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


def _earlier(address: str, message: Message) -> list[Any]:
    """Receipts that this address got of late, and the one for this very message: id, message_id, created_at.

    Holds the address's turn until the transaction ends: nobody else counts meanwhile.
    """
    turns.take(f"receipt:{address.lower()}")
    values = {"recipient": address, "since": clock.now() - LIMITS[-1][0], "message": message.id}
    return list(db.session().execute(_EARLIER, values))


#: Made once: each new request asks.
_EARLIER = select(Outgoing.id, Outgoing.message_id, Outgoing.created_at).where(
    Outgoing.recipient == bindparam("recipient"),
    Outgoing.kind == OutgoingKind.RECEIPT,
    or_(
        Outgoing.created_at > bindparam("since", type_=Outgoing.created_at.type),
        Outgoing.message_id == bindparam("message", type_=Outgoing.message_id.type),
    ),
)


def _within_limits(times: list[datetime]) -> bool:
    """Whether one more automatic answer may go to an address that got some at these times."""
    now = clock.now()
    return all(sum(at > now - span for at in times) < most for span, most in LIMITS)


def _may_answer(message: Message, arrival: Arrival | None, address: str) -> bool:
    if message.automatic or warnings.FORGED_SENDER in message.warnings or _ROBOT.match(address) or inboxes.doors().ours(address):
        return False
    # A null sender in the envelope: whatever it is, it wants no answer.
    return arrival is None or bool(arrival.sender) or not arrival.recipients
