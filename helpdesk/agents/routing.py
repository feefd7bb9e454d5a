"""Routing: the right free agent, once, at once. Facts are committed first, then matched in a new transaction, from both sides:

- an item begins to wait → the best eligible agent of its queue;
- an agent becomes free → the best item among the heads of the signatures they may serve.

This module answers the facts of a ticket's and an agent's life; `agents.waiting` keeps the order, `agents.matching` makes the match.
"""

from __future__ import annotations

import logging
from datetime import datetime, timedelta

from sqlalchemy import bindparam, select

from helpdesk import clock, db
from helpdesk.actor import SYSTEM, Actor
from helpdesk.agents import assignments, ending, matching, offers, steps, turns, waiting
from helpdesk.agents.models import (
    TICKET,
    ItemState,
    PresenceState,
    WorkItem,
)
from helpdesk.auth import User
from helpdesk.catalog import (
    AssignmentEnded,
    ContactEnded,
    CustomerWrote,
    EmergencyDeclared,
    ItemQueued,
    ItemWidened,
    OfferDeclined,
    OfferExpired,
    OfferWithdrawn,
    PresenceChanged,
    PriorityChanged,
    StatusChanged,
    TicketAssigned,
    TicketClosed,
    TicketMoved,
    TicketOpened,
    TicketReopened,
    TicketSolved,
    UserChanged,
    WrapUpEnded,
)
from helpdesk.crm.models import Contact
from helpdesk.events import Outside, reaction
from helpdesk.preferences import preferences
from helpdesk.tickets.models import UNSOLVED, Priority, Queue, Status, Ticket

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
    for channel in assignments.live_channels(ticket.id):
        item = assignments.hold(ticket.id, channel=channel)
        if item is None or item.queue_id == ticket.queue_id:
            continue
        withdrawn = assignments.withdraw_offer(item)
        if channel == TICKET and (ticket.assignee_id is None or ticket.assignee_id not in assignments.members(ticket.queue_id)):
            assignments.unassign(ticket, by=SYSTEM)
            item.state, item.user_id = ItemState.WAITING, None
        elif withdrawn is not None:
            item.state, item.user_id = ItemState.WAITING, None
        waiting.place(item, ticket, afresh=True)
        steps.moved_on(item)
    return _waits(ticket.id)


@reaction(PriorityChanged, name="routing.reordered")
def reordered(fact: PriorityChanged) -> None:
    """A waiting item's key follows its ticket's priority. What is urgent no longer is no emergency either."""
    ticket = db.session().get_one(Ticket, fact.ticket_id)
    for item in _live_items(ticket):
        item.emergency = item.emergency and ticket.priority is Priority.URGENT
        waiting.place(item, ticket)


@reaction(EmergencyDeclared, name="routing.emergency")
def emergency(fact: EmergencyDeclared) -> Outside | None:
    """It stands before everything else now: whoever is free gets it."""
    ids = [item.id for item in _live_items(db.session().get_one(Ticket, fact.ticket_id)) if item.state is ItemState.WAITING]
    return turns.then_match(ids)


@reaction(ItemQueued, when=lambda fact: bool(fact.next_step_at), delay=lambda fact: _until(fact.next_step_at),
          key=lambda fact: f"item:{fact.item_id}", newcomer="move", name="routing.first_step_over")  # fmt: skip
def first_step_over(fact: ItemQueued) -> Outside | None:
    """It has waited for as long as its step lasts: more agents are admitted."""
    steps.widen(fact.item_id)
    return None


@reaction(ItemWidened, when=lambda fact: bool(fact.next_step_at), delay=lambda fact: _until(fact.next_step_at),
          key=lambda fact: f"item:{fact.item_id}", newcomer="move", name="routing.step_over")  # fmt: skip
def step_over(fact: ItemWidened) -> Outside | None:
    """The next step is over, too."""
    steps.widen(fact.item_id)
    return None


@reaction(ItemWidened, key=lambda fact: f"item:{fact.item_id}", name="routing.widened")
def widened(fact: ItemWidened) -> Outside | None:
    """Somebody whom the new step admits may be free."""
    return turns.then(lambda: matching.match_item(fact.item_id))


@reaction(TicketSolved, key=lambda fact: f"ticket:{fact.ticket_id}", name="routing.release")
def release_solved(fact: TicketSolved) -> None:
    """Solved work no longer waits and holds nobody."""
    ending.finish(fact.ticket_id, "solved")


@reaction(TicketClosed, key=lambda fact: f"ticket:{fact.ticket_id}", name="routing.release_closed")
def release_closed(fact: TicketClosed) -> None:
    """Closed work no longer waits and holds nobody."""
    ending.finish(fact.ticket_id, "closed")


@reaction(StatusChanged, name="routing.rest_or_wake")
def rest_or_wake(fact: StatusChanged) -> Outside | None:
    """Work that waits for the customer or for others weighs nothing until it is ours again."""
    ticket = db.session().get_one(Ticket, fact.ticket_id)
    item = assignments.hold(ticket.id)
    if item is None or ticket.status not in UNSOLVED:
        return None
    if item.state is ItemState.WAITING:
        waiting.place(item, ticket)  # the clock that paused or goes on has another deadline
        return None
    if ticket.status in (Status.PENDING, Status.ON_HOLD):
        freed = assignments.rest(item)
        return turns.then_serve(freed) if freed else None
    assignments.wake(item)
    return None


@reaction(CustomerWrote, name="routing.wake")
def customer_wrote(fact: CustomerWrote) -> Outside | None:
    """The customer answered: the work weighs again; without an owner it waits."""
    return _waits(fact.ticket_id)


@reaction(AssignmentEnded, name="routing.freed")
def freed(fact: AssignmentEnded) -> Outside | None:
    """An agent has room again."""
    return turns.then_serve(fact.user_id)


@reaction(PresenceChanged, name="routing.presence")
def presence_changed(fact: PresenceChanged) -> Outside | None:
    """An agent who became available is asked at once, also what they refused if nobody else is there; one who left gives offers back."""
    if fact.new == PresenceState.AVAILABLE:
        return turns.then(lambda: turns.ask_again(waiting.refused(fact.user_id), [fact.user_id]))
    if fact.new in (PresenceState.OFFLINE, PresenceState.AWAY, PresenceState.NOT_RESPONDING):
        for offer in offers.open_offers(fact.user_id):
            offers.decline(offer, reason="left", by=_as(fact.user_id))
        if fact.new == PresenceState.OFFLINE:
            steps.release(fact.user_id)
        left = waiting.refused(fact.user_id)
        if left:
            return turns.then_match(left)
    return None


@reaction(OfferDeclined, name="routing.declined")
def declined(fact: OfferDeclined) -> Outside | None:
    """Somebody else may want it, and the agent has room for something else."""
    return _next_for(fact.ticket_id, fact.user_id)


@reaction(OfferExpired, name="routing.expired")
def expired(fact: OfferExpired) -> Outside | None:
    """Somebody else gets it."""
    return _next_for(fact.ticket_id, fact.user_id)


@reaction(OfferDeclined, delay=lambda _fact: _exclusion(), name="routing.may_ask_again")
def may_ask_again(fact: OfferDeclined) -> Outside | None:
    """Whoever declined may be asked again from now on."""
    return turns.then_serve(fact.user_id)


@reaction(OfferExpired, delay=lambda _fact: _exclusion(), name="routing.may_ask_again_after_expiry")
def may_ask_again_after_expiry(fact: OfferExpired) -> Outside | None:
    """Whoever let it expire may be asked again from now on."""
    return turns.then_serve(fact.user_id)


@reaction(OfferWithdrawn, name="routing.offer_withdrawn")
def offer_withdrawn(fact: OfferWithdrawn) -> Outside | None:
    """What was held out to an agent went elsewhere: they have room again."""
    return turns.then_serve(fact.user_id)


@reaction(WrapUpEnded, name="routing.wrapped_up")
def wrapped_up(fact: WrapUpEnded) -> Outside | None:
    """An agent has room again."""
    return turns.then_serve(fact.user_id)


@reaction(ContactEnded, name="routing.contact_ended")
def contact_ended(fact: ContactEnded) -> Outside | None:
    """What is still open after a chat or a call is ordinary work: its owner's, or it waits."""
    return _waits(fact.ticket_id)


@reaction(TicketAssigned, when=lambda fact: fact.new is None, name="routing.handed_back")
def handed_back(fact: TicketAssigned) -> Outside | None:
    """Work handed back waits again and is offered anew."""
    return _waits(fact.ticket_id)


@reaction(UserChanged, key=lambda fact: f"user:{fact.user_id}", name="routing.person_changed")
def person_changed(fact: UserChanged) -> Outside | None:
    """Another queue, a new skill, more capacity: there may be work for this agent now. Or fewer, and only those are left who refused."""
    return turns.then(lambda: _changed(fact.user_id))


# --- waiting, and its end ------------------------------------------------------------------------------------------------


@reaction(ItemQueued, when=lambda fact: fact.channel != TICKET, key=lambda fact: f"item:{fact.item_id}", name="routing.queued")
def queued(fact: ItemQueued) -> Outside | None:
    """Look for an agent for a chat or a call; tickets are looked after by what made them wait."""
    item = db.session().get(WorkItem, fact.item_id)
    if item is None or item.channel == TICKET or item.state is not ItemState.WAITING:
        return None
    return turns.then(lambda: matching.match_item(fact.item_id))


def _waits(ticket_id: int) -> Outside | None:
    """Make sure an unsolved ticket either waits or is owned; then match what waits, in a new transaction."""
    session = db.session()
    ticket, *with_it = session.execute(_WAITING, {"id": ticket_id}).one()
    if ticket.status not in UNSOLVED:
        return None
    db.keep(*with_it)
    live = assignments.live_items(ticket_id)
    if live and TICKET not in live:
        return None  # somebody is talking, or about to talk, to the customer: that is the work
    item = live.get(TICKET) or waiting.begin(ticket)
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
    if item.state is ItemState.WAITING and TICKET in live:
        waiting.place(item, ticket)  # one that just began to wait stands where it belongs
    item_id = item.id
    return turns.then(lambda: matching.match_item(item_id))


#: A ticket with the queue and the customer that say where it stands: one look instead of three, made once.
_WAITING = (
    select(Ticket, Queue, Contact)
    .join(Queue, Queue.id == Ticket.queue_id)
    .join(Contact, Contact.id == Ticket.requester_id)
    .where(Ticket.id == bindparam("id", type_=Ticket.id.type))
)


# --- small connections -----------------------------------------------------------------------------------------------------


def _next_for(ticket_id: int, user_id: int) -> Outside | None:
    """Somebody let work go: it goes on to the next, and they have room for something else."""
    items = [item for item in _live_items(db.session().get_one(Ticket, ticket_id)) if item.state is ItemState.WAITING]
    for item in items:
        steps.restand(item)  # time has passed, and a hold for somebody who declined is over
    ids = [item.id for item in items]

    def both() -> None:
        turns.match_all(ids)
        turns.afterwards(lambda: turns.serve(user_id))

    return turns.then(both)


def _live_items(ticket: Ticket) -> list[WorkItem]:
    found = (assignments.hold(ticket.id, channel=channel) for channel in assignments.live_channels(ticket.id))
    return [item for item in found if item is not None]


def _changed(user_id: int) -> None:
    turns.match_all(waiting.refused())
    turns.ask_again((), [user_id])


def _until(moment: str) -> timedelta:
    return max(datetime.fromisoformat(moment) - clock.now(), timedelta())


def _exclusion() -> timedelta:
    return timedelta(seconds=preferences().exclusion_s)


def _as(user_id: int) -> Actor:
    return Actor("user", user_id)
