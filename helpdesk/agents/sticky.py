"""Who served this customer last, and whether work may wait a while for them. Their time is step 0 of `agents.steps`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from sqlalchemy import and_, bindparam, exists, select

from helpdesk import clock, db
from helpdesk.agents.models import TICKET, AgentSkill, Assignment, Exclusion, Presence, PresenceState, QueueMember, WorkItem
from helpdesk.auth import STAFF, User
from helpdesk.preferences import preferences
from helpdesk.tickets.models import Message, MessageKind, Queue, Ticket

#: Of how many of the customer's latest tickets the answers are looked at.
LATEST = 20


@dataclass(frozen=True)
class Keeper:
    """The agent for whom work is held, and how they are to be reached now."""

    user_id: int
    presence: str


def hold_s(queue: Queue, channel: str) -> float:
    """How long work of this queue is held: as the queue says, else as the desk does."""
    if queue.hold_s is not None:
        return float(queue.hold_s)
    return float(preferences().hold_ticket_s if channel == TICKET else preferences().hold_live_s)


def keeper_of(item: WorkItem, queue: Queue, requester_id: int, *, only: int | None = None) -> Keeper | None:
    """The agent who served the customer last (or `only` that one), if they could have this item now or soon.

    Nobody who is deactivated, not in the queue, lacks a skill of its first step, is excluded for the item, or is offline.
    """
    if hold_s(queue, item.channel) <= 0 or queue.acceptance == "pull":
        return None
    user_id = only if only is not None else last_served_by(requester_id)
    if user_id is None:
        return None
    able = (
        select(Presence.state)
        .join(User, and_(User.id == Presence.user_id, User.active, User.role.in_(STAFF)))
        .join(QueueMember, and_(QueueMember.user_id == User.id, QueueMember.queue_id == queue.id))
        .where(Presence.user_id == user_id, Presence.expires_at >= clock.now(), Presence.state != PresenceState.OFFLINE)
    )
    if item.id is not None:
        out = exists().where(Exclusion.item_id == item.id, Exclusion.user_id == user_id, Exclusion.until > clock.now())
        able = able.where(~out)
    first = (queue.steps[0].get("requirements", {}) if queue.steps else queue.requirements).items()
    for skill, level in first:
        able = able.where(exists().where(AgentSkill.user_id == user_id, AgentSkill.skill_id == int(skill), AgentSkill.level >= int(level)))
    state = db.session().scalar(able)
    return None if state is None else Keeper(user_id, str(state))


def last_served_by(requester_id: int) -> int | None:
    """Who answered this customer last; for somebody who only ever called, who had the last call."""
    answered_by: int | None
    talked_to: int | None
    answered_by, talked_to = db.session().connection().execute(_SERVED, {"requester": requester_id}).one()
    return answered_by if answered_by is not None else talked_to


def _served() -> Any:
    """Who answered last, and who had the last call or chat: one statement, made once, since every new ticket asks."""
    customer = bindparam("requester", type_=Ticket.requester_id.type)
    theirs = select(Ticket.id).where(Ticket.requester_id == customer).order_by(Ticket.last_message_at.desc()).limit(LATEST).subquery()
    answered = (
        select(Message.user_id)
        .where(Message.ticket_id.in_(select(theirs.c.id)), Message.kind == MessageKind.REPLY, Message.user_id.is_not(None))
        .order_by(Message.id.desc())
        .limit(1)
    )
    talked = (
        select(Assignment.user_id)
        .join(WorkItem, WorkItem.id == Assignment.item_id)
        .where(Assignment.ticket_id.in_(select(theirs.c.id)), WorkItem.channel != TICKET)
        .order_by(Assignment.id.desc())
        .limit(1)
    )
    return select(answered.scalar_subquery(), talked.scalar_subquery())


_SERVED = _served()
