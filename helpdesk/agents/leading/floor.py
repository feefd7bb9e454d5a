"""Who is free and why not: every agent with state, load and what they hold, and the rule that keeps them from a queue's next item.

The rule is asked of the same ranking that makes the matches, with the same rows. `leading.views` shows it, `leading.moving` moves work.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from sqlalchemy import func, select

from helpdesk import catalog, clock, db, live
from helpdesk.agents import candidates, interrupts, ranking, steps
from helpdesk.agents.models import AgentProfile, Assignment, ItemState, Offer, OfferState, Presence, PresenceState, QueueMember, WorkItem
from helpdesk.auth import STAFF, Principal, User
from helpdesk.tickets.models import Queue, Ticket

#: How many waiting items the screen names.
NAMED = 30
ORDER = (WorkItem.tier, WorkItem.vkey, WorkItem.enqueued_at, WorkItem.id)
_STATES = list(PresenceState)


@dataclass(frozen=True)
class Held:
    """One piece of work in somebody's hands; `offered` while it is only held out. `version` is the ticket's, for the compare-and-set."""

    number: int
    subject: str
    version: int
    channel: str
    since: datetime
    offered: bool


@dataclass(frozen=True)
class Waits:
    """One piece of work that waits in the chosen queue, in routing's order."""

    number: int
    subject: str
    version: int
    channel: str
    customer_id: int
    since: datetime


@dataclass(frozen=True)
class AgentHere:
    """One agent. `out` says why they cannot have the queue's next item: None when they can, or when no queue is chosen."""

    id: int
    name: str
    state: PresenceState
    reason: str
    since: datetime | None
    load: int
    capacity: int
    live_load: int
    live_capacity: int
    channels: dict[str, int] = field(default_factory=dict)
    held: tuple[Held, ...] = ()
    out: ranking.Exclusion | None = None

    @property
    def full(self) -> bool:
        return self.state is PresenceState.AVAILABLE and self.load >= self.capacity


@dataclass(frozen=True)
class Floor:
    """Everything the screen shows. `next_up` is the queue's next item; None when nothing waits: the reasons are for one to come."""

    at: datetime
    queue: Queue | None
    agents: list[AgentHere]
    waiting: list[Waits]
    waits: int
    next_up: Waits | None

    @property
    def eligible(self) -> int:
        """How many could have the queue's next item at this moment."""
        return sum(agent.out is None for agent in self.agents) if self.queue is not None else 0


def floor(queue: Queue | None, *, everybody: bool = False) -> Floor:
    """The floor as it is now, those who can have the queue's next item first; without a queue everybody, and nothing is asked of them.

    `everybody` shows also those who do not work in the queue.
    """
    waiting, waits = _waiting(queue)
    agents = _agents(queue, everybody=everybody or queue is None)
    if queue is not None:
        agents = _asked(queue, agents)
    agents.sort(key=lambda agent: (agent.out is not None, _STATES.index(agent.state), agent.full, agent.name))
    return Floor(clock.now(), queue, agents, waiting, waits, waiting[0] if waiting and queue is not None else None)


def explained(head: ranking.ItemHead) -> dict[int, ranking.Exclusion | None]:
    """Each member of the item's queue, and of the one it overflows into, with the rule that keeps them from it now; None: nothing does.

    Of a queue with very many people those who could not take it in any case may be missing.
    """
    table = interrupts.in_force()
    found = {state.id: ranking.why_not(state, head, table) for state in candidates.for_item(head).states}
    for user_id in _members(head.queue) - set(found):  # has never been here, or is one of very many
        found[user_id] = ranking.Exclusion(user_id, head.id, ranking.Rule.PRESENCE, {"presence": str(PresenceState.OFFLINE)})
    return found


def head_of(item: WorkItem) -> ranking.ItemHead:
    """A stored item as the ranking sees it now."""
    return candidates.head_of(item, db.session().get_one(Queue, item.queue_id))


def next_item(queue: Queue) -> ranking.ItemHead:
    """The queue's next item as the ranking sees it; what a new ticket would ask for when nothing waits."""
    first = select(WorkItem).where(WorkItem.state == ItemState.WAITING, WorkItem.queue_id == queue.id).order_by(*ORDER).limit(1)
    found = db.session().scalar(first)
    if found is not None:
        return head_of(found)
    return ranking.ItemHead(
        0,
        ranking.Channel.TICKET,
        queue.id,
        queue.tier,
        0.0,
        0.0,
        steps.of(queue)[0].requirements,
        weight=steps.weight_of(queue, ranking.Channel.TICKET),
        interruptible=True,
    )


def _asked(queue: Queue, agents: list[AgentHere]) -> list[AgentHere]:
    rules = explained(next_item(queue))
    stranger = ranking.Rule.MEMBERSHIP
    return [replace(agent, out=rules.get(agent.id, ranking.Exclusion(agent.id, 0, stranger, {"queue": queue.id}))) for agent in agents]


def _members(queue_id: int) -> set[int]:
    at_work = select(QueueMember.user_id).join(User, User.id == QueueMember.user_id).where(QueueMember.queue_id == queue_id, User.active)
    return set(db.session().scalars(at_work))


def _agents(queue: Queue | None, *, everybody: bool) -> list[AgentHere]:
    members = select(QueueMember.user_id)
    if queue is not None and not everybody:
        members = members.where(QueueMember.queue_id == queue.id)
    rows = (
        db.session()
        .execute(
            select(User.id, User.name, Presence, AgentProfile)
            .outerjoin(Presence, Presence.user_id == User.id)
            .outerjoin(AgentProfile, AgentProfile.user_id == User.id)
            .where(User.active, User.role.in_(STAFF), User.id.in_(members))
        )
        .all()
    )
    held = _held(row.id for row in rows)
    now = clock.now()
    found = []
    for row in rows:
        presence, profile = row.Presence, row.AgentProfile
        silent = presence is None or presence.expires_at < now
        work = held.get(row.id, ())
        channels: dict[str, int] = {}
        for one in work:
            channels[one.channel] = channels.get(one.channel, 0) + 1
        found.append(
            AgentHere(
                row.id,
                row.name,
                PresenceState.OFFLINE if silent else presence.state,
                "" if presence is None else presence.reason,
                None
                if presence is None
                else presence.expires_at
                if silent and presence.state is not PresenceState.OFFLINE
                else presence.since,
                profile.load if profile else 0,
                profile.capacity if profile else 0,
                profile.live_load if profile else 0,
                profile.live_capacity if profile else 0,
                channels,
                work,
            )
        )
    return found


def _held(users: Iterable[int]) -> dict[int, tuple[Held, ...]]:
    rows = db.session().execute(
        select(WorkItem, Ticket.number, Ticket.subject, Ticket.version, Assignment.started_at, Offer.offered_at)
        .join(Ticket, Ticket.id == WorkItem.ticket_id)
        .outerjoin(Assignment, (Assignment.item_id == WorkItem.id) & Assignment.ended_at.is_(None))
        .outerjoin(Offer, (Offer.item_id == WorkItem.id) & (Offer.state == OfferState.OFFERED))
        .where(WorkItem.user_id.in_(list(users)), WorkItem.state.in_((ItemState.OFFERED, ItemState.ASSIGNED)))
        .order_by(WorkItem.user_id, WorkItem.enqueued_at, WorkItem.id)
    )
    found: dict[int, list[Held]] = {}
    for row in rows:
        item = row.WorkItem
        since = row.started_at or row.offered_at or item.enqueued_at
        offered = item.state is ItemState.OFFERED
        found.setdefault(item.user_id, []).append(Held(row.number, row.subject, row.version, item.channel, since, offered))
    return {user: tuple(work) for user, work in found.items()}


def _waiting(queue: Queue | None) -> tuple[list[Waits], int]:
    session = db.session()
    here = [WorkItem.state == ItemState.WAITING]
    if queue is not None:
        here.append(WorkItem.queue_id == queue.id)
    rows = session.execute(
        select(WorkItem.channel, WorkItem.enqueued_at, Ticket.number, Ticket.subject, Ticket.version, Ticket.requester_id)
        .join(Ticket, Ticket.id == WorkItem.ticket_id)
        .where(*here)
        .order_by(*ORDER)
        .limit(NAMED)
    )
    named = [Waits(row.number, row.subject, row.version, row.channel, row.requester_id, row.enqueued_at) for row in rows]
    return named, session.scalar(select(func.count()).select_from(WorkItem).where(*here)) or 0


# --- live ------------------------------------------------------------------------------------------------------------------


@live.room("floor")
def may_watch(who: Principal, key: str, _token: str) -> bool:
    """`floor:all`: those who lead."""
    return who.leads and who.scopes is None and key == "all"


@live.shows(
    catalog.PresenceChanged, catalog.ItemQueued, catalog.OfferMade, catalog.OfferAccepted, catalog.OfferDeclined, catalog.OfferExpired,
    catalog.OfferWithdrawn, catalog.TicketAssigned, catalog.AssignmentEnded, catalog.StatusChanged, catalog.TicketMoved,
    catalog.QueueChanged, catalog.UserChanged,
)  # fmt: skip
def moved(_facts: list[Any]) -> None:
    """The screens fetch themselves again; the push says nothing but that it is time to."""
    live.push("floor:all", "changed")
