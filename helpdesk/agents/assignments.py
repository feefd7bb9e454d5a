"""Who owns a ticket: the one compare-and-set verb through which routing, people, replies and programs assign, and its end.

Lock order everywhere: agents by id, then the item, then the ticket. A chat or a call about a ticket is an item of its own; it leaves the
ticket's owner alone and gives it one only if it has none.
"""

from __future__ import annotations

from typing import Any

from flask_babel import lazy_gettext as _
from sqlalchemy import bindparam, exists, literal, literal_column, select, update

from helpdesk import clock, db
from helpdesk.actor import SYSTEM, Actor
from helpdesk.agents import notifications
from helpdesk.agents.models import (
    TICKET,
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
from helpdesk.catalog import AssignmentEnded, OfferWithdrawn, TicketAssigned
from helpdesk.errors import Conflict, Invalid
from helpdesk.events import record
from helpdesk.tickets.changes import change
from helpdesk.tickets.models import UNSOLVED, Status, Ticket

#: Written as the partial index is: with a bound value no engine would use it.
_LIVE: Any = literal_column("work_item.state <> 'done'")


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
        withdraw_offer(item, by=by)
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


def take_over(item: WorkItem, ticket: Ticket, user_id: int, *, how: str, by: Actor, weight: int | None = None) -> None:
    """Routing's own assignment: the load was raised by `weight`, under its guard, when the item was claimed."""
    item.state, item.user_id = ItemState.ASSIGNED, user_id
    begin(item, user_id, how=how, counted=True, weight=weight)
    if item.channel == TICKET:
        _own(ticket, user_id, how=how, by=by, seen=None)
    elif ticket.assignee_id is None and ticket.status in UNSOLVED:
        assign(ticket, db.session().get_one(User, user_id), how=how, by=by)


def begin(item: WorkItem, user_id: int, *, how: str, counted: bool, weight: int | None = None) -> Assignment:
    made = Assignment(
        item_id=item.id,
        ticket_id=item.ticket_id,
        user_id=user_id,
        started_at=clock.now(),
        how=how,
        counted=counted,
        weight=item.weight if weight is None else weight,
        why=item.why,
    )
    db.session().add(made)
    db.session().flush()
    return made


def owned_by(item: WorkItem) -> Assignment | None:
    """The item's open assignment."""
    return db.session().scalar(select(Assignment).where(Assignment.item_id == item.id, Assignment.ended_at.is_(None)))


def end(item: WorkItem, how: str, *, by: Actor, keep_weight: bool = False) -> int | None:
    """End the item's open assignment and give its weight back, or leave it to the wrap-up. The user who is freer now, or None."""
    session = db.session()
    owned = owned_by(item)
    if owned is None:
        return None
    owned.ended_at = clock.now()
    if owned.counted:
        if not keep_weight:
            lower(owned.user_id, owned.weight, item.channel)
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
    lower(owned.user_id, owned.weight, item.channel)
    return owned.user_id


def wake(item: WorkItem) -> None:
    """The work is the owner's again; it weighs if there is room, and is carried uncounted if not."""
    owned = db.session().scalar(select(Assignment).where(Assignment.item_id == item.id, Assignment.ended_at.is_(None), ~Assignment.counted))
    if owned is not None and owned.how in ("offer", "automatic"):
        owned.counted = raise_load(owned.user_id, owned.weight, item.channel)


def raise_load(user_id: int, weight: int, channel: str = TICKET, *, turn: int | None = None) -> bool:
    """Add work to an agent if it fits the budget of its kind; guard and lock in one statement.

    Routing passes the `turn` that its decision saw: then the agent must be available, and have been given nothing since.
    """
    raising = _RAISING[(channel == TICKET, turn is not None)]
    kept = db.session().connection().execute(raising, {"agent": user_id, "more": weight, "seen": turn, "now": clock.now()})
    return kept.rowcount == 1


def lower(user_id: int, weight: int, channel: str = TICKET) -> None:
    """Give weight back to the budget that it was taken from."""
    db.session().connection().execute(_LOWERING[channel == TICKET], {"agent": user_id, "less": weight})


def _raising(ticket: bool, routed: bool) -> Any:
    profile = AgentProfile
    load, capacity = (profile.load, profile.capacity) if ticket else (profile.live_load, profile.live_capacity)
    more = bindparam("more", type_=load.type)
    raising = update(profile).where(profile.user_id == bindparam("agent", type_=load.type), load + more <= capacity)
    if routed:
        here = exists().where(
            Presence.user_id == profile.user_id, Presence.state == PresenceState.AVAILABLE,
            Presence.expires_at >= bindparam("now", type_=Presence.expires_at.type),
        )  # fmt: skip
        raising = raising.where(profile.turn == bindparam("seen", type_=load.type), here)
    return raising.values({load: load + more, profile.turn: profile.turn + literal(1)})


def _lowering(ticket: bool) -> Any:
    load = AgentProfile.load if ticket else AgentProfile.live_load
    less = bindparam("less", type_=load.type)
    return update(AgentProfile).where(AgentProfile.user_id == bindparam("agent", type_=load.type), load >= less).values({load: load - less})


_RAISING = {(ticket, routed): _raising(ticket, routed) for ticket in (True, False) for routed in (True, False)}
_LOWERING = {ticket: _lowering(ticket) for ticket in (True, False)}


def withdraw_offer(item: WorkItem, *, by: Actor = SYSTEM, told: bool = True) -> Offer | None:
    """End an open offer of this item and give its weight back; `told` unless another fact says that the agent has room again."""
    session = db.session()
    offer = session.scalar(select(Offer).where(Offer.item_id == item.id, Offer.state == OfferState.OFFERED))
    if offer is None:
        return None
    offer.state, offer.decided_at = OfferState.WITHDRAWN, clock.now()
    lower(offer.user_id, offer.weight, item.channel)
    session.flush()
    if told:
        record(OfferWithdrawn(item.ticket_id, offer.id, offer.user_id, by))
    return offer


def hold(ticket_id: int, *users: int, channel: str = TICKET) -> WorkItem | None:
    """The ticket's live item of a channel, locked in the house's order: the agents concerned by id, then the item.

    Raises Conflict when it changed hands meanwhile.
    """
    session = db.session()
    peek = session.execute(
        select(WorkItem.id, WorkItem.user_id).where(WorkItem.ticket_id == ticket_id, WorkItem.channel == channel, _LIVE)
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


def live_item(ticket: Ticket, channel: str = TICKET) -> WorkItem | None:
    """The ticket's item of a channel that waits or is held, only to look at; `hold` locks it."""
    return db.session().scalar(select(WorkItem).where(WorkItem.ticket_id == ticket.id, WorkItem.channel == channel, _LIVE))


def live_items(ticket_id: int) -> dict[str, WorkItem]:
    """Everything of a ticket that waits or is held, by channel, only to look at."""
    return {item.channel: item for item in db.session().scalars(_LIVE_ITEMS, {"ticket": ticket_id})}


_LIVE_ITEMS = select(WorkItem).where(WorkItem.ticket_id == bindparam("ticket", type_=WorkItem.ticket_id.type), _LIVE)


def live_channels(ticket_id: int) -> list[str]:
    """The channels on which a ticket's work waits or is held."""
    return list(db.session().scalars(select(WorkItem.channel).where(WorkItem.ticket_id == ticket_id, _LIVE).order_by(WorkItem.channel)))


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
