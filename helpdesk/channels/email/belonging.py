"""Which ticket a mail belongs to: signed mark first, then references, then the number in the subject; each only if the sender takes part.

A stranger who knows a mark, a Message-ID or a number (a CC, a forwarded mail, a guess) gets a ticket of their own, linked to the one they
meant: linking shows colleagues the connection and shows the stranger nothing.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

from sqlalchemy import select

from helpdesk import db
from helpdesk.channels.email import marks, warnings
from helpdesk.channels.email.mail import Mail
from helpdesk.channels.email.models import Outgoing
from helpdesk.crm import contacts
from helpdesk.crm.models import Contact, Membership
from helpdesk.tickets import intake
from helpdesk.tickets.models import Message, Status, Ticket

_NUMBER = re.compile(r"\[#(\d{1,10})\]")
MAX_REFERENCES = 30


@dataclass
class Belonging:
    """`ticket`: append there. Otherwise open a new ticket, linked to `linked_to` if given. `warnings` go onto the message.

    `meant`: the ticket of a mark of ours that this sender knows without taking part; perhaps a customer from another address.
    """

    ticket: Ticket | None = None
    linked_to: Ticket | None = None
    warnings: list[str] = field(default_factory=list)
    meant: Ticket | None = None


def find(mail: Mail, sender: Contact, addresses: list[str], *, forged: bool = False) -> Belonging:
    """Where this contact's mail belongs. `addresses`: everything it was sent to, envelope first.

    `forged`: a server says that the sender may be. Then only a mark of ours counts, which nobody but those who got our mail can know.
    """
    found = Belonging()
    for ticket_id, claim in claims(mail, addresses, found.warnings):
        ticket = standing(ticket_id)
        if ticket is None:
            continue
        if not takes_part(ticket, sender):
            _warn(found, warnings.STRANGER)
            if claim == "mark" and not forged:
                found.meant = found.meant or ticket
        elif claim != "mark" and forged:
            _warn(found, warnings.NUMBER_ONLY)
        elif ticket.status is not Status.CLOSED:
            return Belonging(ticket, None, [w for w in found.warnings if w != warnings.STRANGER])
        found.linked_to = found.linked_to or ticket
    return found


def takes_part(ticket: Ticket, contact: Contact) -> bool:
    """Whether this person may write here: requester, participant (or merged with one), or who sees all tickets of its organization."""
    if intake.takes_part(ticket, contact):
        return True
    session = db.session()
    if ticket.organization_id is None:
        return False
    theirs = contacts.group(contact.id)
    sees = select(Membership.contact_id).where(
        Membership.contact_id.in_(theirs), Membership.organization_id == ticket.organization_id, Membership.sees_all_tickets
    )
    return session.scalar(sees.limit(1)) is not None


def tickets_referred_to(header_ids: list[str]) -> list[int]:
    """Ids of the tickets whose mails, ours or theirs, bear these Message-IDs; in the order of `header_ids`."""
    wanted = list(dict.fromkeys(header_ids))[:MAX_REFERENCES]
    if not wanted:
        return []
    session = db.session()
    by_id: dict[str, int] = {}
    for header_id, ticket_id in session.execute(
        select(Message.header_id, Message.ticket_id).where(Message.header_id.in_(wanted)).order_by(Message.id)
    ):
        by_id.setdefault(header_id or "", ticket_id)
    sent = select(Outgoing.header_id, Outgoing.ticket_id).where(Outgoing.header_id.in_(wanted), Outgoing.ticket_id.is_not(None))
    by_id.update({header_id: ticket_id for header_id, ticket_id in session.execute(sent) if ticket_id is not None})
    for header_id in wanted:
        mark = marks.in_message_id(header_id)
        if mark is not None and mark.genuine:
            by_id.setdefault(header_id, mark.ticket_id)
    return [by_id[header_id] for header_id in wanted if header_id in by_id]


def claims(mail: Mail, addresses: list[str], said: list[str]) -> Iterator[tuple[int, str]]:
    """(ticket id, kind of claim), the strongest first. A forged mark claims nothing and is warned about."""
    for address in addresses:
        mark = marks.in_address(address)
        if mark is not None and mark.genuine:
            yield mark.ticket_id, "mark"
        elif mark is not None and warnings.FORGED_MARK not in said:
            said.append(warnings.FORGED_MARK)
    referred = [*((mail.in_reply_to,) if mail.in_reply_to else ()), *reversed(mail.references)]
    if any((mark := marks.in_message_id(header_id)) is not None and not mark.genuine for header_id in referred[:MAX_REFERENCES]):
        said.append(warnings.FORGED_MARK)
    for header_id in referred[:MAX_REFERENCES]:
        mark = marks.in_message_id(header_id)
        if mark is not None and mark.genuine and mark.ticket_id:
            yield mark.ticket_id, "mark"
    for ticket_id in tickets_referred_to(referred):
        yield ticket_id, "reference"
    number = _NUMBER.search(mail.subject)
    if number is not None:
        ticket_id_of = db.session().scalar(select(Ticket.id).where(Ticket.number == min(int(number[1]), 2**31 - 1)))
        if ticket_id_of is not None:
            yield ticket_id_of, "subject"


def standing(ticket_id: int) -> Ticket | None:
    """The ticket, or the one it was merged into."""
    ticket = db.session().get(Ticket, ticket_id)
    seen: set[int] = set()
    while ticket is not None and ticket.merged_into_id is not None and ticket.id not in seen:
        seen.add(ticket.id)
        ticket = db.session().get(Ticket, ticket.merged_into_id)
    return ticket


def _warn(found: Belonging, sentence: str) -> None:
    if sentence not in found.warnings:
        found.warnings.append(sentence)
