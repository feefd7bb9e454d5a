"""Routing: the right free agent, once, at once. Facts are committed first, then matched in a new transaction, from both sides:

- an item begins to wait → the best eligible agent of its queue;
- an agent becomes free → the best item among the heads of the signatures they may serve.

This module answers the facts of a ticket's and an agent's life; `agents.waiting` keeps the order, `agents.matching` makes the match.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from typing import Any

from sqlalchemy import delete, select

from helpdesk import clock, db
from helpdesk.actor import SYSTEM
from helpdesk.agents import assignments, matching, offers, waiting
from helpdesk.agents.models import (
    AgentProfile,
    Assignment,
    Exclusion,
    ItemState,
    Offer,
    Presence,
    PresenceState,
    WorkItem,
)
from helpdesk.auth import User
from helpdesk.catalog import (
    AssignmentEnded,
    CustomerWrote,
    OfferDeclined,
    OfferExpired,
    PresenceChanged,
    PriorityChanged,
    QueueChanged,
    StatusChanged,
    TicketAssigned,
    TicketClosed,
    TicketMoved,
    TicketOpened,
    TicketReopened,
    TicketSolved,
    UserChanged,
    WorkStranded,
)
from helpdesk.events import Outside, reaction, record
from helpdesk.tickets.models import UNSOLVED, Queue, Status, Ticket

log = logging.getLogger(__name__)


# --- facts that make work wait, or end it ------------------------------------------------------------------------------


@reaction(TicketOpened, key=lambda fact: f"ticket:{fact.ticket_id}", name="routing.enqueue")
def enqueue_opened(fact: TicketOpened) -> Outside | None:
    """Let the new ticket wait in its queue, then look for an agent."""
    return _waits(fact.ticket_id)


@reaction(TicketReopened, key=lambda fact: f"ticket:{fact.ticket_id}", name="routing.enqueue_reopened")
def enqueue_reopened(fact: TicketReopened) -> Outside | None:
    """A reopened ticket goes back to its owner if they are there, and waits for anybody otherwise."""
    return _waits(fact.ticket_id)


@reaction(TicketMoved, name="routing.moved")
def moved(fact: TicketMoved) -> Outside | None:
    """In another queue the work waits anew for somebody who works there; its age counts on."""
    ticket = db.session().get_one(Ticket, fact.ticket_id)
    item = assignments.hold(ticket.id)
    if item is not None and item.queue_id != ticket.queue_id:
        assignments.withdraw_offer(item)
        if ticket.assignee_id is None or ticket.assignee_id not in assignments.members(ticket.queue_id):
            assignments.unassign(ticket, by=SYSTEM)
            item.state, item.user_id = ItemState.WAITING, None
        waiting.place(item, ticket)
    return _waits(ticket.id)


@reaction(PriorityChanged, name="routing.reordered")
def reordered(fact: PriorityChanged) -> None:
    """A waiting item's key follows its ticket's priority."""
    ticket = db.session().get_one(Ticket, fact.ticket_id)
    item = assignments.live_item(ticket)
    if item is not None:
        waiting.place(item, ticket)


@reaction(TicketSolved, key=lambda fact: f"ticket:{fact.ticket_id}", name="routing.release")
def release_solved(fact: TicketSolved) -> None:
    """Solved work no longer waits and holds nobody."""
    _finish(fact.ticket_id, "solved")


@reaction(TicketClosed, key=lambda fact: f"ticket:{fact.ticket_id}", name="routing.release_closed")
def release_closed(fact: TicketClosed) -> None:
    """Closed work no longer waits and holds nobody."""
    _finish(fact.ticket_id, "closed")


@reaction(StatusChanged, name="routing.rest_or_wake")
def rest_or_wake(fact: StatusChanged) -> Outside | None:
    """Work that waits for the customer or for others weighs nothing until it is ours again."""
    ticket = db.session().get_one(Ticket, fact.ticket_id)
    item = assignments.hold(ticket.id)
    if item is None or ticket.status not in UNSOLVED:
        return None
    if ticket.status in (Status.PENDING, Status.ON_HOLD):
        freed = assignments.rest(item)
        return _then_serve(freed) if freed else None
    assignments.wake(item)
    return None


@reaction(CustomerWrote, name="routing.wake")
def customer_wrote(fact: CustomerWrote) -> Outside | None:
    """The customer answered: the work weighs again; without an owner it waits."""
    return _waits(fact.ticket_id)


@reaction(AssignmentEnded, name="routing.freed")
def freed(fact: AssignmentEnded) -> Outside | None:
    """An agent has room again."""
    return _then_serve(fact.user_id)


@reaction(PresenceChanged, name="routing.presence")
def presence_changed(fact: PresenceChanged) -> Outside | None:
    """An agent who became available is asked at once; one who left gives open offers back."""
    if fact.new == PresenceState.AVAILABLE:
        return _then_serve(fact.user_id)
    if fact.new in (PresenceState.OFFLINE, PresenceState.AWAY):
        for offer in offers.open_offers(fact.user_id):
            offers.decline(offer, reason="left", by=_as(fact.user_id))
    return None


@reaction(OfferDeclined, name="routing.declined")
def declined(fact: OfferDeclined) -> Outside | None:
    """Somebody else may want it, and the agent has room for something else."""
    return _next_for(fact.ticket_id, fact.user_id)


@reaction(OfferExpired, name="routing.expired")
def expired(fact: OfferExpired) -> Outside | None:
    """Somebody else gets it."""
    return _next_for(fact.ticket_id, fact.user_id)


@reaction(TicketAssigned, when=lambda fact: fact.new is None, name="routing.handed_back")
def handed_back(fact: TicketAssigned) -> Outside | None:
    """Work handed back waits again and is offered anew."""
    return _waits(fact.ticket_id)


@reaction(UserChanged, key=lambda fact: f"user:{fact.user_id}", name="routing.person_changed")
def person_changed(fact: UserChanged) -> Outside | None:
    """Another queue, a new skill, more capacity: there may be work for this agent now."""
    return _then_serve(fact.user_id)


@reaction(QueueChanged, key=lambda fact: f"queue:{fact.queue_id}", name="routing.queue_changed")
def queue_changed(fact: QueueChanged) -> Outside | None:
    """What waits follows what its queue asks for now, and everybody who works there is asked again."""
    queue = db.session().get(Queue, fact.queue_id)
    if queue is None:
        return None
    waiting.reshape(queue)
    members = sorted(assignments.members(queue.id))
    return Outside(call=lambda: None, then=lambda _result: _serve_all(members))


# --- waiting, and its end ------------------------------------------------------------------------------------------------


def _waits(ticket_id: int) -> Outside | None:
    """Make sure an unsolved ticket either waits or is owned; then match what waits, in a new transaction."""
    session = db.session()
    ticket = session.get_one(Ticket, ticket_id)
    if ticket.status not in UNSOLVED:
        return None
    item = waiting.enqueue(ticket)
    if item.state is ItemState.ASSIGNED:
        if ticket.status not in (Status.PENDING, Status.ON_HOLD):
            assignments.wake(item)
        return None
    if ticket.assignee_id is not None and item.state is ItemState.WAITING:
        # Reopened, and the owner never left it: it is theirs again, above any cap.
        owner = session.get(User, ticket.assignee_id)
        if owner is not None and owner.active:
            item.state, item.user_id = ItemState.ASSIGNED, owner.id
            assignments.begin(item, owner.id, how="reply", counted=False)
            return None
    item_id = item.id
    return _then(lambda: matching.match_item(item_id))


def _finish(ticket_id: int, how: str) -> None:
    item = assignments.hold(ticket_id)
    if item is None or db.session().get_one(Ticket, ticket_id).status in UNSOLVED:
        return
    assignments.withdraw_offer(item)
    assignments.end(item, how, by=SYSTEM)
    item.state = ItemState.DONE
    db.session().execute(delete(Exclusion).where(Exclusion.item_id == item.id))


# --- small connections -----------------------------------------------------------------------------------------------------


def _then(match: Callable[[], object]) -> Outside | None:
    """Match in a new transaction, once the fact is committed: two that overlap would each miss what the other has not committed yet.

    SQLite's writers take turns, so none overlaps, and the match may follow at once.
    """
    if db.engine().dialect.name == "sqlite":
        db.session().flush()
        match()
        return None
    return Outside(call=lambda: None, then=lambda _result: match())


def _then_serve(user_id: int) -> Outside | None:
    return _then(lambda: matching.serve(user_id))


def _serve_all(users: Iterable[int]) -> None:
    for user_id in users:
        matching.serve(user_id)


def _next_for(ticket_id: int, user_id: int) -> Outside | None:
    def both() -> None:
        item = assignments.live_item(db.session().get_one(Ticket, ticket_id))
        if item is not None:
            matching.match_item(item.id)
        matching.serve(user_id)

    return _then(both)


def _as(user_id: int) -> Any:
    from helpdesk.actor import Actor

    return Actor("user", user_id)


# --- the sweep ---------------------------------------------------------------------------------------------------------------


def sweep() -> int:
    """Look for an eligible item waiting beside a free agent. There must be none; each found is matched, logged and counted."""
    with db.read() as session:
        free = list(
            session.scalars(
                select(AgentProfile.user_id)
                .join(Presence, Presence.user_id == AgentProfile.user_id)
                .where(
                    Presence.state == PresenceState.AVAILABLE, Presence.expires_at >= clock.now(), AgentProfile.load < AgentProfile.capacity
                )
            )
        )
    stranded = 0
    for user_id in free:
        with db.transaction():
            if matching.serve(user_id):
                stranded += 1
                record(WorkStranded(user_id, SYSTEM))
                log.warning("the sweep found work waiting beside free agent %s", user_id)
    return stranded


def why(ticket_id: int) -> dict[str, Any]:
    """What routing decided last about a ticket: the accepted offer's reasons, the assignment's, or why it still waits."""
    session = db.session()
    item = session.scalar(select(WorkItem).where(WorkItem.ticket_id == ticket_id).order_by(WorkItem.id.desc()).limit(1))
    if item is None:
        return {}
    last = session.scalar(select(Assignment).where(Assignment.item_id == item.id).order_by(Assignment.id.desc()).limit(1))
    offer = session.scalar(select(Offer).where(Offer.item_id == item.id).order_by(Offer.id.desc()).limit(1))
    return {"state": str(item.state), "item": item.why, "offer": offer.why if offer else None, "how": last.how if last else None}
