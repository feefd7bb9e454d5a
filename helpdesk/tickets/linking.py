"""Links that open one ticket for one person: in mails, on the confirmation page, in the answer to "send me a fresh link".

A link is signed, ends after `preferences().link_valid_days`, stops when it is ended (one person's: `end_of`; everybody's:
`lifecycle.revoke_links`), and counts only while its holder takes part in the ticket.
"""

from __future__ import annotations

from sqlalchemy import select

from helpdesk import clock, db, links
from helpdesk.actor import Actor
from helpdesk.catalog import LinksEnded
from helpdesk.crm import contacts
from helpdesk.crm.models import Identity, IdentityKind
from helpdesk.errors import Gone
from helpdesk.events import record
from helpdesk.preferences import preferences
from helpdesk.tickets.models import LinkEpoch, Participant, Ticket

PURPOSE = "ticket"


def token(ticket: Ticket, contact_id: int) -> str:
    """What the link given to this contact carries."""
    return links.sign(PURPOSE, [ticket.id, contact_id, ticket.link_epoch, _own_epoch(ticket.id, contact_id)])


def opened(word: str) -> tuple[Ticket, int]:
    """The ticket behind a link, and the id of the contact it was given to.

    Raises Gone when the link was altered, is too old or was revoked, or when its holder no longer takes part.
    """
    return _current(links.unsign(PURPOSE, word, valid_days=preferences().link_valid_days))


def holder_of(payload: object) -> tuple[int, int] | None:
    """The ids of the ticket and the contact in a link's payload, whether or not it still opens anything; None for what is no link."""
    match payload:
        case [int(ticket_id), int(contact_id), int(_), *_]:
            return ticket_id, contact_id
    return None


def end_of(ticket: Ticket, contact_id: int, *, by: Actor) -> None:
    """Every link to this ticket given so far to one person, under any of the contacts that are one with them, stops working."""
    session = db.session()
    for id in contacts.group(contact_id):
        row = session.get(LinkEpoch, (ticket.id, id))
        if row is None:
            session.add(LinkEpoch(ticket_id=ticket.id, contact_id=id, epoch=1, ended_at=clock.now()))
        else:
            row.epoch, row.ended_at = row.epoch + 1, clock.now()
    session.flush()
    record(LinksEnded(ticket.id, by, contact_id=contact_id))


def remove_participant(ticket: Ticket, contact_id: int, *, by: Actor) -> None:
    """Somebody no longer takes part: nothing is sent to them any more and their links end. Somebody who did not changes nothing."""
    row = db.session().get(Participant, (ticket.id, contact_id))
    if row is None:
        return
    db.session().delete(row)
    end_of(ticket, contact_id, by=by)


def holders(ticket: Ticket) -> list[tuple[int, str]]:
    """Who can have links: the requester and the participants, as (contact id, address)."""
    copied = db.session().scalars(select(Participant.contact_id).where(Participant.ticket_id == ticket.id).order_by(Participant.added_at))
    ids = [ticket.requester_id, *copied]
    known = select(Identity.contact_id, Identity.value).where(Identity.contact_id.in_(ids), Identity.kind == IdentityKind.EMAIL)
    # Written over by the better one: a proven address before an unproven, a working one before one that fails.
    ranked = known.order_by(Identity.failing_since.is_(None), Identity.verified_at.is_not(None), Identity.id.desc())
    addresses: dict[int, str] = {id: value for id, value in db.session().execute(ranked)}
    return [(id, addresses.get(id, "—")) for id in ids]


def _current(payload: object) -> tuple[Ticket, int]:
    match payload:
        # Links made before persons' links could be ended one by one carry three numbers.
        case [int(ticket_id), int(contact_id), int(epoch), *own] if len(own) < 2:
            ticket = db.session().get(Ticket, ticket_id)
            fresh = ticket is not None and ticket.link_epoch == epoch and (own or [0]) == [_own_epoch(ticket_id, contact_id)]
            if ticket is not None and fresh and _takes_part(ticket, contact_id):
                return ticket, contact_id
    raise Gone


def _own_epoch(ticket_id: int, contact_id: int) -> int:
    row = db.session().get(LinkEpoch, (ticket_id, contact_id))
    return row.epoch if row is not None else 0


def _takes_part(ticket: Ticket, contact_id: int) -> bool:
    if ticket.requester_id == contact_id or db.session().get(Participant, (ticket.id, contact_id)) is not None:
        return True
    theirs = contacts.group(contact_id)
    copied = select(Participant.contact_id).where(Participant.ticket_id == ticket.id, Participant.contact_id.in_(theirs)).limit(1)
    return ticket.requester_id in theirs or db.session().scalar(copied) is not None
