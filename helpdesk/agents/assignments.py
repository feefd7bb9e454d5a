"""Who owns a ticket: the one compare-and-set verb through which routing, people, replies and programs assign, and its end.

Lock order everywhere: agents by id, then the item, then the ticket.
"""

from __future__ import annotations

from flask_babel import lazy_gettext as _
from sqlalchemy import exists, select, update

from helpdesk import clock, db
from helpdesk.actor import Actor
from helpdesk.agents import notifications
from helpdesk.agents.models import (
    AgentProfile,
    Assignment,
    ItemState,
    Offer,
    OfferState,
    Presence,
    PresenceState,
    QueueMember,
    WorkItem,
)
from helpdesk.agents.presence import became_idle, profile_of
from helpdesk.auth import STAFF, User
from helpdesk.catalog import AssignmentEnded, TicketAssigned
from helpdesk.errors import Conflict, Invalid
from helpdesk.events import record
from helpdesk.tickets.changes import change
from helpdesk.tickets.models import UNSOLVED, Status, Ticket


def assign(ticket: Ticket, user: User, *, how: str, by: Actor, seen: int | None = None) -> Ticket:
    """Give a ticket to an agent by hand. It may exceed their capacity, so it is kept out of routing's guarded load.

    Assigning it to its owner changes nothing. Raises StaleTicket when it changed meanwhile, Conflict when it is solved or closed,
    Invalid when the person cannot work on tickets.
    """
    if ticket.assignee_id == user.id:
        return ticket
    if ticket.status not in UNSOLVED:
        raise Conflict(_("This ticket is solved. Reopen it to assign it."))
    if not user.active or user.role not in STAFF:
        raise Invalid(_("%(name)s does not work on tickets.", name=user.name))
    profile_of(user.id)
    item = hold(ticket.id, user.id)
    if item is not None:
        withdraw_offer(item)
        end(item, "transfer", by=by)
        item.state, item.user_id = ItemState.ASSIGNED, user.id
        begin(item, user.id, how=how, counted=False)
    _own(ticket, user.id, how=how, by=by, seen=seen)
    return ticket


def unassign(ticket: Ticket, *, by: Actor, seen: int | None = None) -> Ticket:
    """Hand a ticket back: it waits again with its original place."""
    if ticket.assignee_id is None:
        return ticket
    item = hold(ticket.id)
    if item is not None:
        end(item, "handed_back", by=by)
        item.state, item.user_id = ItemState.WAITING, None
    _own(ticket, None, how="handed_back", by=by, seen=seen)
    return ticket


def take_over(item: WorkItem, ticket: Ticket, user_id: int, *, how: str, by: Actor) -> None:
    """Routing's own assignment: the load was raised, under its guard, when the item was claimed."""
    item.state, item.user_id = ItemState.ASSIGNED, user_id
    begin(item, user_id, how=how, counted=True)
    _own(ticket, user_id, how=how, by=by, seen=None)


def begin(item: WorkItem, user_id: int, *, how: str, counted: bool) -> Assignment:
    made = Assignment(
        item_id=item.id,
        ticket_id=item.ticket_id,
        user_id=user_id,
        started_at=clock.now(),
        how=how,
        counted=counted,
        weight=item.weight,
        why=item.why,
    )
    db.session().add(made)
    db.session().flush()
    return made


def end(item: WorkItem, how: str, *, by: Actor) -> int | None:
    """End the item's open assignment and give its weight back. The user who is freer now, or None."""
    session = db.session()
    owned = session.scalar(select(Assignment).where(Assignment.item_id == item.id, Assignment.ended_at.is_(None)))
    if owned is None:
        return None
    owned.ended_at = clock.now()
    if owned.counted:
        lower(owned.user_id, owned.weight)
        owned.counted = False
    became_idle(owned.user_id)
    session.execute(
        update(Offer)
        .where(Offer.item_id == item.id, Offer.state == OfferState.ACCEPTED)
        .values(state=OfferState.WITHDRAWN, decided_at=clock.now())
    )
    record(AssignmentEnded(item.ticket_id, item.id, owned.user_id, how, by))
    return owned.user_id


def rest(item: WorkItem) -> int | None:
    """The work waits for the customer or for others: it stays with its owner but weighs nothing. Who is freer now."""
    owned = db.session().scalar(select(Assignment).where(Assignment.item_id == item.id, Assignment.ended_at.is_(None), Assignment.counted))
    if owned is None:
        return None
    owned.counted = False
    lower(owned.user_id, owned.weight)
    return owned.user_id


def wake(item: WorkItem) -> None:
    """The work is the owner's again; it weighs if there is room, and is carried uncounted if not."""
    owned = db.session().scalar(select(Assignment).where(Assignment.item_id == item.id, Assignment.ended_at.is_(None), ~Assignment.counted))
    if owned is not None and owned.how in ("offer", "automatic"):
        owned.counted = raise_load(owned.user_id, owned.weight)


def raise_load(user_id: int, weight: int, *, present: bool = False) -> bool:
    """Add work to an agent if it fits their capacity (and, with `present`, if they are available); guard and lock in one statement."""
    fits = update(AgentProfile).where(AgentProfile.user_id == user_id, AgentProfile.load + weight <= AgentProfile.capacity)
    if present:
        here = exists().where(Presence.user_id == user_id, Presence.state == PresenceState.AVAILABLE, Presence.expires_at >= clock.now())
        fits = fits.where(here)
    kept = db.session().execute(fits.values(load=AgentProfile.load + weight), execution_options={"synchronize_session": False})
    return kept.rowcount == 1  # type: ignore[attr-defined,no-any-return]


def lower(user_id: int, weight: int) -> None:
    db.session().execute(
        update(AgentProfile).where(AgentProfile.user_id == user_id, AgentProfile.load >= weight).values(load=AgentProfile.load - weight),
        execution_options={"synchronize_session": False},
    )


def withdraw_offer(item: WorkItem, state: OfferState = OfferState.WITHDRAWN) -> Offer | None:
    """End an open offer of this item and give its weight back."""
    session = db.session()
    offer = session.scalar(select(Offer).where(Offer.item_id == item.id, Offer.state == OfferState.OFFERED))
    if offer is None:
        return None
    offer.state, offer.decided_at = state, clock.now()
    lower(offer.user_id, item.weight)
    session.flush()
    return offer


def hold(ticket_id: int, *users: int) -> WorkItem | None:
    """The ticket's live item, locked in the house's order: the agents concerned by id, then the item.

    Raises Conflict when it changed hands meanwhile.
    """
    session = db.session()
    peek = session.execute(
        select(WorkItem.id, WorkItem.user_id).where(WorkItem.ticket_id == ticket_id, WorkItem.state != ItemState.DONE)
    ).first()
    if peek is None:
        return None
    agents = {user for user in (peek.user_id, *users) if user is not None}
    if agents:
        session.execute(
            select(AgentProfile.user_id).where(AgentProfile.user_id.in_(agents)).order_by(AgentProfile.user_id).with_for_update()
        )
    item = session.scalar(select(WorkItem).where(WorkItem.id == peek.id).with_for_update().execution_options(populate_existing=True))
    if item is not None and item.user_id is not None and item.user_id not in agents:
        raise Conflict(_("Somebody was faster. Look at the ticket again."))
    return item if item is not None and item.state is not ItemState.DONE else None


def live_item(ticket: Ticket) -> WorkItem | None:
    """The ticket's item that waits or is held, only to look at; `hold` locks it."""
    return db.session().scalar(select(WorkItem).where(WorkItem.ticket_id == ticket.id, WorkItem.state != ItemState.DONE))


def members(queue_id: int) -> set[int]:
    return set(db.session().scalars(select(QueueMember.user_id).where(QueueMember.queue_id == queue_id)))


def _own(ticket: Ticket, user_id: int | None, *, how: str, by: Actor, seen: int | None) -> None:
    old = ticket.assignee_id
    values: dict[str, object] = {"assignee_id": user_id}
    if user_id is not None and ticket.status is Status.NEW and how != "import":
        values["status"] = Status.OPEN
    change(ticket, seen, **values)
    if user_id is not None and user_id != by.user_id:
        notifications.add(user_id, ticket.id, "assigned")
    record(TicketAssigned(ticket.id, old, user_id, how, by, user_id=user_id))
