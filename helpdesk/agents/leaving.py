"""Going away with work in hand: keep it, hand it over to a colleague, or let it wait for anybody. Called by the agent's own screen."""

from __future__ import annotations

from dataclasses import dataclass

from flask_babel import lazy_gettext as _
from sqlalchemy import select

from helpdesk import db
from helpdesk.actor import Actor
from helpdesk.agents import assignments, presence
from helpdesk.agents.models import LIVE, PresenceState, WorkItem
from helpdesk.auth import STAFF, User
from helpdesk.errors import Conflict, Invalid
from helpdesk.tickets.models import UNSOLVED, Ticket

CHOICES = ("keep", "hand_over", "return")
AWAY = (PresenceState.AWAY, PresenceState.OFFLINE)


@dataclass(frozen=True)
class Left:
    """What became of the work: how many tickets went, and how many could not because somebody was faster."""

    went: int
    stayed: int


def in_hand(user_id: int) -> list[Ticket]:
    """The unsolved tickets of an agent, the oldest first: what is asked about before they go."""
    mine = select(Ticket).where(Ticket.assignee_id == user_id, Ticket.status.in_(UNSOLVED), Ticket.merged_into_id.is_(None))
    return list(db.session().scalars(mine.order_by(Ticket.id)))


def leave(user: User, state: PresenceState, choice: str, to: User | None, *, by: Actor, reason: str = "") -> Left:
    """Go away or offline, after the work went where the agent says. Nothing new comes meanwhile.

    `hand_over` gives the tickets to `to`, above their capacity if need be; `return` lets them wait in their queues with their place kept.
    Raises Invalid for an unknown choice or nobody to hand over to, Conflict while the agent is talking to a customer.
    """
    if state not in AWAY or choice not in CHOICES:
        raise Invalid(fields={"work": _("Please choose one of the list.")})
    if choice == "hand_over" and (to is None or to.id == user.id or not to.active or to.role not in STAFF):
        raise Invalid(fields={"colleague": _("Please say who takes it.")})
    talking = select(WorkItem.id).where(WorkItem.user_id == user.id, WorkItem.channel.in_(LIVE), WorkItem.state == "assigned").limit(1)
    if choice != "keep" and db.session().scalar(talking) is not None:
        raise Conflict(_("You are talking to a customer. End that first, or keep your work."))
    presence.set_presence(user.id, state, by=by, reason=reason)
    db.session().flush()
    went = stayed = 0
    for ticket in in_hand(user.id) if choice != "keep" else ():
        try:
            with db.session().begin_nested():
                if to is not None and choice == "hand_over":
                    assignments.assign(ticket, to, how="transfer", by=by)
                else:
                    assignments.unassign(ticket, by=by)
            went += 1
        except Conflict:
            stayed += 1
    return Left(went, stayed)
