"""Links that open one ticket for one person: in mails, on the confirmation page, in the answer to "send me a fresh link".

A link is signed, ends after `preferences().link_valid_days`, stops when the ticket's `link_epoch` is raised (`lifecycle.revoke_links`),
and counts only while its holder takes part in the ticket.
"""

from __future__ import annotations

from sqlalchemy import select

from helpdesk import db, links
from helpdesk.crm import contacts
from helpdesk.errors import Gone
from helpdesk.preferences import preferences
from helpdesk.tickets.models import Participant, Ticket

PURPOSE = "ticket"


def token(ticket: Ticket, contact_id: int) -> str:
    """What the link given to this contact carries."""
    return links.sign(PURPOSE, [ticket.id, contact_id, ticket.link_epoch])


def opened(word: str) -> tuple[Ticket, int]:
    """The ticket behind a link, and the id of the contact it was given to.

    Raises Gone when the link was altered, is too old or was revoked, or when its holder no longer takes part.
    """
    return _current(links.unsign(PURPOSE, word, valid_days=preferences().link_valid_days))


def _current(payload: object) -> tuple[Ticket, int]:
    match payload:
        case [int(ticket_id), int(contact_id), int(epoch)]:
            ticket = db.session().get(Ticket, ticket_id)
            if ticket is not None and ticket.link_epoch == epoch and _takes_part(ticket, contact_id):
                return ticket, contact_id
    raise Gone


def _takes_part(ticket: Ticket, contact_id: int) -> bool:
    if ticket.requester_id == contact_id or db.session().get(Participant, (ticket.id, contact_id)) is not None:
        return True
    theirs = contacts.group(contact_id)
    copied = select(Participant.contact_id).where(Participant.ticket_id == ticket.id, Participant.contact_id.in_(theirs)).limit(1)
    return ticket.requester_id in theirs or db.session().scalar(copied) is not None
