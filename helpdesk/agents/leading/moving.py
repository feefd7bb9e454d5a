"""Moving work by hand: take it back from an agent, give it to one, over capacity if need be; and saying for somebody that they are away.

Through the same compare-and-set verbs as everybody; whoever came too late is told who has the work now.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import timedelta

from flask_babel import gettext as _
from sqlalchemy import select

from helpdesk import clock, db
from helpdesk.actor import Actor
from helpdesk.agents import assignments, presence
from helpdesk.agents.models import AgentProfile, Exclusion, ItemState, PresenceState, WorkItem
from helpdesk.auth import STAFF, User
from helpdesk.catalog import CapacityExceeded, OfferDeclined
from helpdesk.errors import Conflict, HelpdeskError, Invalid, NotFound, StaleTicket
from helpdesk.events import record
from helpdesk.preferences import preferences
from helpdesk.tickets.models import Ticket


@dataclass(frozen=True)
class Pick:
    """A ticket as it was seen on the screen: its number and version."""

    number: int
    version: int


@dataclass
class Outcome:
    """What became of several at once: the numbers done, and for each refused one why, in words."""

    done: list[int] = field(default_factory=list)
    refused: dict[int, str] = field(default_factory=dict)


Deed = Callable[[Ticket, int], object]


def give_back(ticket: Ticket, *, seen: int | None, by: Actor) -> Ticket:
    """Take work out of its agent's hands, or an offer back. It waits with its old place, and that agent is not asked for a while.

    Raises StaleTicket when the ticket changed meanwhile, Conflict when nobody has it.
    """
    session = db.session()
    item = assignments.hold(ticket.id)
    if item is None or item.user_id is None:
        raise Conflict(_("It is waiting in its queue already."))
    holder = item.user_id
    session.merge(Exclusion(item_id=item.id, user_id=holder, until=clock.now() + timedelta(seconds=preferences().exclusion_s)))
    if item.state is ItemState.ASSIGNED:
        return assignments.unassign(ticket, by=by, seen=seen)
    offer = assignments.withdraw_offer(item, by=by, told=False)
    item.state, item.user_id = ItemState.WAITING, None
    if offer is not None:
        record(OfferDeclined(ticket.id, offer.id, holder, by, reason="taken_back"))
    return ticket


def give_to(ticket: Ticket, user: User, *, seen: int | None, by: Actor) -> Ticket:
    """Give work to an agent, wherever it is. Beyond their capacity it is allowed, and goes into the history as such.

    Raises StaleTicket when the ticket changed meanwhile, Conflict when it is solved, Invalid for somebody who does not work on tickets.
    """
    profile = presence.profile_of(user.id)
    item = assignments.live_item(ticket)
    weight = item.weight if item is not None else 1
    over = ticket.assignee_id != user.id and profile.load + weight > profile.capacity
    assignments.assign(ticket, user, how="manual", by=by, seen=seen)
    if over:
        record(CapacityExceeded(ticket.id, user.id, by, load=profile.load, capacity=profile.capacity))
    return ticket


def several(picks: Iterable[Pick], deed: Deed, *, also: Iterable[int] = ()) -> Outcome:
    """Do one deed to each of several tickets; one that is refused does not keep back the others.

    `also`: agents whom the deed concerns besides the present holders; all are locked first, in the house's order. Raises Conflict,
    naming who has each, when every one is refused; NotFound for a number that is none.
    """
    wanted = {pick.number: pick for pick in picks}
    if not wanted:
        raise Invalid(_("Pick some work first."))
    session = db.session()
    tickets = list(session.scalars(select(Ticket).where(Ticket.number.in_(wanted)).order_by(Ticket.id)))
    if len(tickets) != len(wanted):
        raise NotFound
    _lock([ticket.id for ticket in tickets], also)
    outcome = Outcome()
    for ticket in tickets:
        number = ticket.number
        try:
            _unchanged(ticket, wanted[number].version)
            deed(ticket, wanted[number].version)
            outcome.done.append(number)
        except HelpdeskError as refused:
            outcome.refused[number] = _who_has_it(number) if isinstance(refused, StaleTicket) else str(refused.detail or refused.title)
    if not outcome.done:
        raise Conflict(said(outcome.refused))
    return outcome


def said(refused: dict[int, str]) -> str:
    """Each refusal as one sentence after its number."""
    return " ".join(f"#{number}: {why}" for number, why in refused.items())


def place(users: Iterable[User], state: PresenceState, *, by: Actor, reason: str = "") -> int:
    """Say for agents that they are available, away or offline; how many. Raises Invalid for another state, or for nobody."""
    chosen = sorted(users, key=lambda user: user.id)
    if not chosen:
        raise Invalid(_("Pick some people first."))
    if state not in presence.CHOSEN:
        raise Invalid(fields={"state": _("Please choose one of the list.")})
    for user in chosen:
        if not user.active or user.role not in STAFF:
            raise Invalid(_("%(name)s does not work on tickets.", name=user.name))
        presence.set_presence(user.id, state, by=by, reason=reason)
    return len(chosen)


def _lock(tickets: list[int], also: Iterable[int]) -> None:
    session = db.session()
    holders = select(WorkItem.user_id).where(
        WorkItem.ticket_id.in_(tickets), WorkItem.state != ItemState.DONE, WorkItem.user_id.is_not(None)
    )
    agents = {user for user in session.scalars(holders) if user is not None} | set(also)
    for user in sorted(agents):
        presence.profile_of(user)
    session.execute(select(AgentProfile.user_id).where(AgentProfile.user_id.in_(agents)).order_by(AgentProfile.user_id).with_for_update())


def _unchanged(ticket: Ticket, seen: int) -> None:
    """Lock item and ticket, in the house's order, and refuse before anything is written: what a deed recorded could not be taken back."""
    assignments.hold(ticket.id)
    db.session().refresh(ticket, with_for_update=True)
    if ticket.version != seen:
        raise StaleTicket


def _who_has_it(number: int) -> str:
    """Where a ticket is that was not where the screen had it."""
    found = db.session().execute(
        select(User.name, Ticket.status).select_from(Ticket).outerjoin(User, User.id == Ticket.assignee_id).where(Ticket.number == number)
    ).one()  # fmt: skip
    if found.name:
        return str(_("%(name)s has it now. Look again, then decide.", name=found.name))
    return str(_("It changed a moment ago, and nobody has it now. Look again, then decide."))
