"""Why did I get this, why is it still waiting: routing's stored decision, and a look at each member now, in plain words.

The decision says what was so when it was made; who waits is looked at again, with the very rows that the next match will use.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import select

from helpdesk import db
from helpdesk.agents import place, reasons
from helpdesk.agents.leading import floor
from helpdesk.agents.models import Assignment, ItemState, Offer, WorkItem
from helpdesk.auth import User
from helpdesk.tickets.models import Queue, Ticket

#: The second part of an agent's key is a share, of an item's key an instant; nothing is loaded a million times over.
_INSTANT = 1e6


@dataclass(frozen=True)
class Member:
    """Somebody of the queue; `why_not` is empty for somebody who may have the work."""

    name: str
    why_not: str


@dataclass(frozen=True)
class Story:
    """What is known about where a ticket's work is.

    state: waiting, offered, assigned, done, or empty when it has never waited. chosen: whom the last decision gave it to, `tie` what
    tipped it before `runner_up`. freed: the agent became free and this came first; otherwise it came and the agent was the best.
    by_hand: how it was given past routing (manual, reply, transfer), if it was. members: each one now, while it waits.
    """

    state: str
    chosen: str = ""
    chosen_id: int | None = None
    by_hand: str = ""
    tie: str = ""
    runner_up: str = ""
    freed: bool = False
    candidates: int = 0
    not_chosen: list[Member] = field(default_factory=list)
    counted: dict[str, int] = field(default_factory=dict)
    step: int | None = None
    lapsed: bool = False
    boost: dict[str, float] = field(default_factory=dict)
    members: list[Member] = field(default_factory=list)
    ahead: int = 0
    widens_at: datetime | None = None
    pulled: bool = False


def why(ticket_id: int) -> dict[str, Any]:
    """What routing decided last about a ticket: the accepted offer's reasons, the assignment's, or why it still waits."""
    session = db.session()
    item = session.scalar(select(WorkItem).where(WorkItem.ticket_id == ticket_id).order_by(WorkItem.id.desc()).limit(1))
    if item is None:
        return {}
    last = session.scalar(select(Assignment).where(Assignment.item_id == item.id).order_by(Assignment.id.desc()).limit(1))
    offer = session.scalar(select(Offer).where(Offer.item_id == item.id).order_by(Offer.id.desc()).limit(1))
    return {"state": str(item.state), "item": item.why, "offer": offer.why if offer else None, "how": last.how if last else None}


def story(ticket: Ticket) -> Story:
    """Everything the page tells about a ticket."""
    session = db.session()
    item = session.scalar(select(WorkItem).where(WorkItem.ticket_id == ticket.id).order_by(WorkItem.id.desc()).limit(1))
    if item is None:
        return Story("")
    kept = why(ticket.id)
    waits = item.state is ItemState.WAITING
    decision: dict[str, Any] = item.why if waits else kept.get("offer") or kept.get("item") or {}
    by_hand = "" if waits or kept.get("how") in (None, "offer", "automatic") else str(kept["how"])
    if not waits:
        return _decided(str(item.state), decision, by_hand, ticket)
    looked = floor.explained(floor.head_of(item))
    held_for = {out.detail["held_for"] for out in looked.values() if out is not None and "held_for" in out.detail}
    known = reasons.names({*looked, *(int(person) for person in held_for)})
    members = [Member(known.person(user), reasons.why_not(out, known)) for user, out in looked.items()]
    queue = session.get_one(Queue, item.queue_id)
    return Story(
        str(item.state),
        candidates=int(decision.get("candidates", 0)),
        step=item.step,
        lapsed=bool(decision.get("lapsed")),
        boost=item.boost,
        members=sorted(members, key=lambda member: (member.why_not != "", member.name)),
        ahead=place.place_of(ticket).ahead,
        widens_at=item.step_until,
        pulled=queue.acceptance == "pull",
    )


def _decided(state: str, decision: dict[str, Any], by_hand: str, ticket: Ticket) -> Story:
    if by_hand:
        name = db.session().scalar(select(User.name).where(User.id == ticket.assignee_id)) if ticket.assignee_id else ""
        return Story(state, chosen=name or "", chosen_id=ticket.assignee_id, by_hand=by_hand)
    key = decision.get("key") or [0, 0]
    freed = float(key[1] or 0) > _INSTANT
    named = [] if freed else decision.get("named", [])
    other = None if freed else decision.get("runner_up")
    held_for = [out["detail"]["held_for"] for out in named if "held_for" in out.get("detail", {})]
    known = reasons.names({out["agent"] for out in named} | {int(person) for person in (*held_for, decision.get("agent"), other) if person})
    not_chosen = [Member(known.person(out["agent"]), reasons.words(out["rule"], out.get("detail", {}), known)) for out in named]
    return Story(
        state,
        chosen=known.person(decision["agent"]) if decision.get("agent") else "",
        chosen_id=decision.get("agent"),
        tie=str(reasons.TIES.get(decision.get("tie_break") or "", "")),
        runner_up=known.person(other) if other else "",
        freed=freed,
        candidates=int(decision.get("candidates", 0)),
        not_chosen=sorted(not_chosen, key=lambda member: member.name),
        counted={str(reasons.RULES.get(rule, rule)): int(n) for rule, n in decision.get("exclusions", {}).items()},
        step=decision.get("step"),
        lapsed=bool(decision.get("lapsed")),
        boost=decision.get("boost") or {},
    )
