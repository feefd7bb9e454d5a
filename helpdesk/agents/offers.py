"""Offers: work held out to one agent for seconds. Accept, decline with a reason, expiry, withdrawal."""

from __future__ import annotations

from datetime import datetime, timedelta

from flask_babel import lazy_gettext as _
from sqlalchemy import bindparam, insert, literal_column, select, update

from helpdesk import clock, db
from helpdesk.actor import SYSTEM, Actor
from helpdesk.agents import assignments, presence
from helpdesk.agents.models import TICKET, Exclusion, ItemState, Offer, OfferState, PresenceState, WorkItem
from helpdesk.auth import User
from helpdesk.catalog import OfferAccepted, OfferDeclined, OfferExpired, OfferMade
from helpdesk.errors import Conflict, Forbidden, Words
from helpdesk.events import reaction, record
from helpdesk.preferences import preferences
from helpdesk.tickets.models import Queue, Ticket

_OFFERING = insert(Offer)


def make(item: WorkItem, user_id: int, queue: Queue, why: dict[str, object], *, weight: int | None = None) -> Offer:
    """Hold a claimed item out to an agent. The database refuses a second open offer."""
    weight = item.weight if weight is None else weight
    return db.session().get_one(Offer, hold_out(item.id, item.ticket_id, user_id, seconds=queue.offer_s, weight=weight, why=why))


def hold_out(item_id: int, ticket_id: int, user_id: int, *, seconds: int, weight: int, why: dict[str, object]) -> int:
    """The same by ids, as routing's many decisions need it: the offer's id."""
    now = clock.now()
    until = now + timedelta(seconds=seconds)
    values = {
        "item_id": item_id, "ticket_id": ticket_id, "user_id": user_id, "state": OfferState.OFFERED, "weight": weight, "offered_at": now,
        "expires_at": until, "reason": "", "why": why,
    }  # fmt: skip
    made = db.session().connection().execute(_OFFERING, values).inserted_primary_key
    assert made is not None
    offer_id = int(made[0])
    record(OfferMade(ticket_id, offer_id, item_id, user_id, SYSTEM, until=until.isoformat()))
    return offer_id


def accept(offer: Offer, *, by: Actor) -> Ticket:
    """Take the offered work. Accepting twice changes nothing. Raises Conflict, saying who has it, when it is too late."""
    _mine(offer, by)
    session = db.session()
    ticket = session.get_one(Ticket, offer.ticket_id)
    if offer.state is OfferState.ACCEPTED:
        return ticket
    kept = session.execute(
        update(Offer)
        .where(Offer.id == offer.id, Offer.state == OfferState.OFFERED, Offer.expires_at >= clock.now())
        .values(state=OfferState.ACCEPTED, decided_at=clock.now()),
        execution_options={"synchronize_session": False},
    )
    if kept.rowcount != 1:  # type: ignore[attr-defined]
        raise Conflict(_too_late(offer))
    item = session.get_one(WorkItem, offer.item_id)
    assignments.take_over(item, ticket, offer.user_id, how="offer", by=by, weight=offer.weight)
    record(OfferAccepted(ticket.id, offer.id, offer.user_id, by))
    return ticket


def decline(offer: Offer, *, reason: str, by: Actor) -> None:
    """Would rather not. The work waits again with its place kept, and this agent is not asked about it for a while."""
    _mine(offer, by)
    if _end(offer, OfferState.DECLINED, reason):
        record(OfferDeclined(offer.ticket_id, offer.id, offer.user_id, by, reason=reason[:60]))


@reaction(OfferMade, delay=lambda fact: _life_of(fact), key=lambda fact: f"offer:{fact.offer_id}", name="offers.expire")
def expire(fact: OfferMade) -> None:
    """Nobody reacted in time: the work waits again, and somebody on a live channel counts as not responding."""
    expire_late(fact.offer_id)


def overdue() -> list[int]:
    """Open offers whose end has passed: a timer was lost. For the sweep."""
    grace = clock.now() - timedelta(seconds=2)
    return list(
        db.session().scalars(select(Offer.id).where(literal_column("offer.state = 'offered'"), Offer.expires_at < grace).limit(500))
    )


def expire_late(offer_id: int) -> None:
    """End an open offer that nobody answered in time; anything else stays as it is."""
    offer = db.session().get(Offer, offer_id)
    if offer is None or offer.state is not OfferState.OFFERED or offer.expires_at > clock.now():
        return
    item = db.session().get_one(WorkItem, offer.item_id)
    if _end(offer, OfferState.EXPIRED, ""):
        record(OfferExpired(offer.ticket_id, offer.id, offer.user_id, SYSTEM))
        if item.channel != TICKET:
            presence.set_presence(offer.user_id, PresenceState.NOT_RESPONDING, by=SYSTEM)


def open_offers(user_id: int) -> list[Offer]:
    """What is held out to an agent right now, the most urgent first."""
    return list(db.session().scalars(_HELD_OUT, {"whom": user_id, "now": clock.now()}))


#: Made once: every assignment draws it.
_HELD_OUT = (
    select(Offer)
    .where(
        Offer.user_id == bindparam("whom", type_=Offer.user_id.type),
        Offer.state == OfferState.OFFERED,
        Offer.expires_at > bindparam("now", type_=Offer.expires_at.type),
    )
    .order_by(Offer.expires_at)
)


def _life_of(fact: OfferMade) -> timedelta:
    ends = datetime.fromisoformat(fact.until) if fact.until else db.session().get_one(Offer, fact.offer_id).expires_at
    return ends - clock.now()


def _end(offer: Offer, state: OfferState, reason: str) -> bool:
    """Close an open offer, free the agent's load, let the item wait with its original key, exclude the agent for a while."""
    session = db.session()
    item = session.get_one(WorkItem, offer.item_id)
    assignments.lower(offer.user_id, offer.weight, item.channel)  # the agent first: lock order
    kept = session.execute(
        update(Offer)
        .where(Offer.id == offer.id, Offer.state == OfferState.OFFERED)
        .values(state=state, decided_at=clock.now(), reason=reason[:200]),
        execution_options={"synchronize_session": False},
    )
    if kept.rowcount != 1:  # type: ignore[attr-defined]
        raise Conflict(_too_late(offer))
    session.execute(
        update(WorkItem).where(WorkItem.id == item.id, WorkItem.state == ItemState.OFFERED).values(state=ItemState.WAITING, user_id=None),
        execution_options={"synchronize_session": False},
    )
    session.merge(Exclusion(item_id=item.id, user_id=offer.user_id, until=clock.now() + timedelta(seconds=preferences().exclusion_s)))
    return True


def _too_late(offer: Offer) -> Words:
    """What became of the work: who has it, whom it is offered to, or that it is done."""
    session = db.session()
    now = session.execute(
        select(WorkItem.state, WorkItem.user_id, User.name).outerjoin(User, User.id == WorkItem.user_id).where(WorkItem.id == offer.item_id)
    ).one()
    if now.state is ItemState.DONE:
        return _("Too late: this work is done.")
    if now.user_id == offer.user_id:
        return _("Too late: this offer has ended.")
    if now.name and now.state is ItemState.ASSIGNED:
        return _("Too late: %(name)s has it.", name=now.name)
    if now.name:
        return _("Too late: it is offered to %(name)s now.", name=now.name)
    return _("Too late: this offer has ended. The work waits for somebody else.")


def _mine(offer: Offer, by: Actor) -> None:
    if offer.user_id != by.user_id:
        raise Forbidden(_("This was offered to somebody else."))
