"""Work ends: its ticket is solved or closed, or the chat or call about it is over. Whoever had it wraps up."""

from __future__ import annotations

from sqlalchemy import delete

from helpdesk import db
from helpdesk.actor import SYSTEM, Actor
from helpdesk.agents import assignments, wrap_up
from helpdesk.agents.models import LIVE, Exclusion, ItemState, WorkItem
from helpdesk.catalog import ContactEnded
from helpdesk.events import record
from helpdesk.tickets.models import UNSOLVED, Ticket


def finish(ticket_id: int, how: str) -> None:
    """A ticket that is solved or closed holds nobody and waits for nobody, on any channel; one that was opened again is left alone."""
    if db.session().get_one(Ticket, ticket_id).status in UNSOLVED:
        return
    for channel in assignments.live_channels(ticket_id):
        item = assignments.hold(ticket_id, channel=channel)
        if item is not None:
            _end_item(item, how, by=SYSTEM)


def end_contact(ticket: Ticket, channel: str, *, by: Actor) -> None:
    """The chat or the call is over: its agent wraps up, and what is still open goes on as ordinary work. Twice changes nothing."""
    item = assignments.hold(ticket.id, channel=channel)
    if channel not in LIVE or item is None:
        return
    _end_item(item, "finished", by=by)
    record(ContactEnded(ticket.id, item.id, channel, by))


def _end_item(item: WorkItem, how: str, *, by: Actor) -> None:
    """Nothing more is to be done about an item: whoever had it wraps up, if their queue wants that."""
    assignments.withdraw_offer(item, by=by)
    wrapping = wrap_up.begin(item, by=by)
    assignments.end(item, how, by=by, keep_weight=wrapping)
    item.state = ItemState.DONE
    db.session().execute(delete(Exclusion).where(Exclusion.item_id == item.id))
