"""The automatic receipt for a new request, within the limits that keep it from being a weapon (backscatter, loops).

At most one an hour and three a day to an address; never to automatic mail, robots' addresses, forged senders or ourselves (RFC 3834, 2);
and no word in it comes from the mail it answers, so that nobody can send theirs through us.
"""

from __future__ import annotations

import re
from datetime import timedelta

from sqlalchemy import func, select

from helpdesk import clock, db
from helpdesk.catalog import TicketOpened
from helpdesk.channels.email import compose, inboxes, out, turns, warnings
from helpdesk.channels.email.models import Arrival, Outgoing, OutgoingKind
from helpdesk.crm import contacts
from helpdesk.crm.models import Contact
from helpdesk.events import reaction
from helpdesk.preferences import preferences
from helpdesk.tickets.models import Channel, Message, MessageKind, Ticket

LIMITS = ((timedelta(hours=1), 1), (timedelta(days=1), 3))
_ROBOT = re.compile(
    r"(?i)^(?:no-?_?reply|do-?_?not-?_?reply|mailer-daemon|postmaster|daemon|root|bounces?|owner|majordomo|listserv|nobody|robot|auto.?reply)"
    r"(?:[-+._=].*)?@|.*(?:-bounces?|-request|-owner|-outgoing|-noreply|-daemon)@"
)


@reaction(TicketOpened, lane="io", key=lambda fact: f"ticket:{fact.ticket_id}", name="mail.receipt")
def acknowledge(fact: TicketOpened) -> None:
    """Tell the customer that the request has arrived, its number and where to follow it, unless that could do harm."""
    session = db.session()
    ticket = session.get_one(Ticket, fact.ticket_id)
    if not preferences().acknowledge or ticket.channel not in (Channel.EMAIL, Channel.PORTAL):
        return
    message = session.scalar(
        select(Message).where(Message.ticket_id == ticket.id, Message.kind == MessageKind.INBOUND).order_by(Message.id).limit(1)
    )
    contact = contacts.canonical(session.get_one(Contact, ticket.requester_id))
    address = out.address_of(ticket, contact)
    if message is None or address is None or not _may_answer(message, address) or not within_limits(address):
        return
    link = out.ticket_link(ticket, ticket.requester_id)
    words = compose.words(OutgoingKind.RECEIPT, out.language_of(ticket, contact), number=ticket.number, link=link)
    # Without the name that the mail gave itself: that would be a stranger's text too.
    out.put(OutgoingKind.RECEIPT, ticket, contact, address, words, message=message, shown=[["", address]])


def within_limits(address: str) -> bool:
    """Whether this address may get one more automatic answer now. Holds the address's turn until the transaction ends."""
    turns.take(f"receipt:{address.lower()}")
    sent = select(func.count()).where(Outgoing.recipient == address, Outgoing.kind == OutgoingKind.RECEIPT)
    return all((db.session().scalar(sent.where(Outgoing.created_at > clock.now() - span)) or 0) < most for span, most in LIMITS)


def _may_answer(message: Message, address: str) -> bool:
    if message.automatic or warnings.FORGED_SENDER in message.warnings or _ROBOT.match(address) or inboxes.doors().ours(address):
        return False
    arrival = db.session().scalar(select(Arrival).where(Arrival.message_id == message.id).limit(1))
    # A null sender in the envelope: whatever it is, it wants no answer.
    return arrival is None or bool(arrival.sender) or not arrival.recipients
