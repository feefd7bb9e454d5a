"""A ticket's life after intake: status, priority, queue, subject, solve, reopen, close.

Called by views, macros, triggers and the API alike.
"""

from __future__ import annotations

from flask_babel import lazy_gettext as _

from helpdesk import clock, db
from helpdesk.actor import Actor
from helpdesk.catalog import (
    LinksEnded,
    PriorityChanged,
    StatusChanged,
    SubjectChanged,
    TicketClosed,
    TicketMoved,
    TicketReopened,
    TicketSolved,
)
from helpdesk.errors import Conflict, Invalid
from helpdesk.events import record
from helpdesk.tickets import sla
from helpdesk.tickets.changes import change
from helpdesk.tickets.models import UNSOLVED, Priority, Queue, Status, Ticket

PAUSING = (Status.PENDING, Status.ON_HOLD)


def solve(ticket: Ticket, *, by: Actor, seen: int | None = None) -> Ticket:
    """Say that the request is answered; solving twice changes nothing. Raises StaleTicket, Conflict on a closed one."""
    if ticket.status is Status.SOLVED:
        return ticket
    _not_closed(ticket)
    old = ticket.status
    change(ticket, seen, status=Status.SOLVED, solved_at=clock.now())
    ticket.waiting_since = None
    sla.stop(ticket, "solved")
    record(TicketSolved(ticket.id, old, by))
    return ticket


def reopen(ticket: Ticket, *, by: Actor, seen: int | None = None) -> Ticket:
    """It was not answered after all; reopening an open ticket changes nothing. Raises StaleTicket, Conflict on a closed one."""
    if ticket.status in UNSOLVED:
        return ticket
    _not_closed(ticket)
    old = ticket.status
    change(ticket, seen, status=Status.OPEN, solved_at=None, reopens_count=ticket.reopens_count + 1)
    record(TicketReopened(ticket.id, old, by))
    return ticket


def close(ticket: Ticket, *, by: Actor) -> Ticket:
    """Nothing more will be said here. Closing twice changes nothing."""
    if ticket.status is Status.CLOSED:
        return ticket
    old = ticket.status
    change(ticket, None, status=Status.CLOSED, closed_at=clock.now(), solved_at=ticket.solved_at or clock.now())
    sla.stop(ticket, "closed")
    record(TicketClosed(ticket.id, old, by))
    return ticket


def set_status(ticket: Ticket, status: Status, *, by: Actor, seen: int | None = None) -> Ticket:
    """Move between new, open, pending and on hold; solving, reopening and closing have their own verbs and are called from here
    for those.
    """
    if status is Status.SOLVED:
        return solve(ticket, by=by, seen=seen)
    if status is Status.CLOSED:
        return close(ticket, by=by)
    if ticket.status is Status.SOLVED:
        reopen(ticket, by=by, seen=seen)
        seen = None
    _not_closed(ticket)
    if status is Status.NEW and ticket.status is not Status.NEW:
        raise Invalid(_("A ticket is new only until somebody has worked on it."))
    if ticket.status is status:
        return ticket
    old = ticket.status
    change(ticket, seen, status=status)
    if status in PAUSING and old not in PAUSING:
        sla.pause(ticket, status)
    elif old in PAUSING and status not in PAUSING:
        sla.resume(ticket, status)
    record(StatusChanged(ticket.id, old, status, by))
    return ticket


def set_priority(ticket: Ticket, priority: Priority, *, by: Actor, seen: int | None = None) -> Ticket:
    """Make a ticket more or less urgent; routing reorders it if it waits. Raises StaleTicket."""
    if ticket.priority is priority:
        return ticket
    old = ticket.priority
    change(ticket, seen, priority=priority)
    record(PriorityChanged(ticket.id, old, priority, by))
    return ticket


def move(ticket: Ticket, queue: Queue, *, by: Actor, seen: int | None = None) -> Ticket:
    """Give the ticket to another queue; whoever owned it there no longer does. Raises StaleTicket, Conflict."""
    if ticket.queue_id == queue.id:
        return ticket
    _not_closed(ticket)
    if not queue.active:
        raise Invalid(_("This queue is switched off."))
    old = ticket.queue_id
    change(ticket, seen, queue_id=queue.id)
    record(TicketMoved(ticket.id, old, queue.id, by))
    return ticket


def rename(ticket: Ticket, subject: str, *, by: Actor, seen: int | None = None) -> Ticket:
    """Give the ticket a better subject. Raises Invalid for an empty one, StaleTicket."""
    subject = " ".join(subject.split())[:300]
    if not subject:
        raise Invalid(fields={"subject": _("A ticket needs a subject.")})
    if subject != ticket.subject:
        change(ticket, seen, subject=subject)
        record(SubjectChanged(ticket.id, by))
    return ticket


def revoke_links(ticket: Ticket, *, by: Actor) -> None:
    """Every link to this ticket given so far stops working."""
    ticket.link_epoch += 1
    db.session().flush()
    record(LinksEnded(ticket.id, by))


def _not_closed(ticket: Ticket) -> None:
    if ticket.status is Status.CLOSED:
        raise Conflict(_("This ticket is closed."))
