"""Who may see and do what with a ticket: one function, asked by pages, REST and socket rooms alike."""

from __future__ import annotations

from typing import Literal

from sqlalchemy import ColumnElement, and_, exists, false, or_, select, true

from helpdesk.auth import Principal
from helpdesk.crm.models import Membership
from helpdesk.tickets.models import Participant, Status, Ticket

Deed = Literal["see", "reply", "note", "edit", "solve", "assign", "write", "close"]

#: Deeds of colleagues, and deeds of the customers whose ticket it is.
STAFF_DEEDS = frozenset(("see", "reply", "note", "edit", "solve", "assign"))
CUSTOMER_DEEDS = frozenset(("see", "write", "close"))
READ_SCOPE, WRITE_SCOPE = "tickets:read", "tickets:write"


def may(who: Principal, deed: Deed, ticket: Ticket, *, takes_part: bool = False) -> bool:
    """Whether `who` may do this.

    `takes_part`: whether the customer is the requester, a participant, or sees their organization's tickets.
    """
    if who.scopes is not None and not who.scopes & ({READ_SCOPE, WRITE_SCOPE} if deed == "see" else {WRITE_SCOPE}):
        return False
    if who.staff:
        return deed in STAFF_DEEDS and works_on(who, ticket)
    if who.ticket_id is not None:
        return deed in CUSTOMER_DEEDS and who.ticket_id == ticket.id
    if who.contact_id is not None:
        return deed in CUSTOMER_DEEDS and (takes_part or ticket.requester_id in who.contacts)
    return False


def works_on(who: Principal, ticket: Ticket) -> bool:
    """Supervisors and admins lead every queue; an agent works in their own queues and on what they own."""
    return who.leads or ticket.queue_id in who.queues or (who.user_id is not None and ticket.assignee_id == who.user_id)


def visible(who: Principal) -> ColumnElement[bool]:
    """The same as `may(who, "see", …)`, as a condition on Ticket: permissions are part of the query."""
    if who.scopes is not None and not who.scopes & {READ_SCOPE, WRITE_SCOPE}:
        return false()
    if who.leads:
        return true()
    if who.staff:
        return or_(Ticket.queue_id.in_(who.queues), Ticket.assignee_id == who.user_id)
    if who.ticket_id is not None:
        return Ticket.id == who.ticket_id
    if who.contact_id is not None:
        mine = or_(
            Ticket.requester_id.in_(who.contacts),
            exists().where(Participant.ticket_id == Ticket.id, Participant.contact_id.in_(who.contacts)),
        )
        theirs = select(Membership.organization_id).where(Membership.contact_id.in_(who.contacts), Membership.sees_all_tickets)
        return or_(mine, and_(Ticket.organization_id.is_not(None), Ticket.organization_id.in_(theirs)))
    return false()


def open_for_customers(ticket: Ticket) -> bool:
    """Whether the customer may still write here."""
    return ticket.status is not Status.CLOSED
