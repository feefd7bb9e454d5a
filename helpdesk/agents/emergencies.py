"""Emergencies: work that goes before everything else. Declared by those who lead; over when the ticket is urgent no longer."""

from __future__ import annotations

from flask_babel import lazy_gettext as _

from helpdesk.actor import Actor
from helpdesk.agents import assignments, waiting
from helpdesk.agents.models import ItemState
from helpdesk.catalog import EmergencyDeclared
from helpdesk.errors import Conflict
from helpdesk.events import record
from helpdesk.tickets import lifecycle
from helpdesk.tickets.models import UNSOLVED, Priority, Ticket


def declare(ticket: Ticket, *, by: Actor, seen: int | None = None) -> Ticket:
    """Put a ticket before all other work: urgent, and in tier 0. Twice changes nothing. Raises Conflict for a solved one, StaleTicket."""
    if ticket.status not in UNSOLVED:
        raise Conflict(_("This ticket is solved. Reopen it first."))
    lifecycle.set_priority(ticket, Priority.URGENT, by=by, seen=seen)
    changed = False
    for channel in assignments.live_channels(ticket.id):
        item = assignments.hold(ticket.id, channel=channel)
        if item is not None and not item.emergency:
            item.emergency = changed = True
            if item.state is ItemState.WAITING:
                waiting.place(item, ticket)
            item.tier = 0
    if changed:
        record(EmergencyDeclared(ticket.id, by))
    return ticket


def is_one(ticket: Ticket) -> bool:
    """Whether a ticket's work counts as an emergency now."""
    item = assignments.live_item(ticket)
    return item is not None and item.emergency
