"""A match, from either side: the best agent for an item that waits, the best item for an agent who is free. In the caller's transaction.

Raise the agent's load under its guard (that locks the agent), claim the item by a guarded UPDATE, make the offer or the assignment; whoever
loses the race puts back what it had taken and looks again. The choice itself is `agents.ranking`: this module only finds the few
candidates and writes down what was decided and why.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from typing import Any

from sqlalchemy import Row, and_, delete, exists, func, select, update
from sqlalchemy.orm import aliased
from sqlalchemy.orm.attributes import set_committed_value

from helpdesk import clock, db
from helpdesk.actor import SYSTEM
from helpdesk.agents import assignments, offers, ranking
from helpdesk.agents.models import (
    AgentProfile,
    AgentSkill,
    Exclusion,
    ItemState,
    Presence,
    PresenceState,
    QueueMember,
    Signature,
    WorkItem,
)
from helpdesk.auth import User
from helpdesk.tickets.models import Queue, Ticket

CANDIDATES = 50
ROUNDS = 20


def match_item(item_id: int) -> bool:
    """Find the best agent for a waiting item and hold it out to them; whether somebody got it. In its own transaction."""
    session = db.session()
    for again in range(ROUNDS):
        item = session.get(WorkItem, item_id, populate_existing=bool(again))
        if item is None or item.state is not ItemState.WAITING:
            return False
        queue = session.get_one(Queue, item.queue_id)
        if queue.acceptance == "pull":
            return False
        head = _head(item, queue)
        states = _candidates(item, queue)
        decision = ranking.best_agent(head, states)
        if decision.agent is None:
            if head.excluded_agents and ranking.exclusions_lapse(head, _everybody(item, queue)):
                session.execute(delete(Exclusion).where(Exclusion.item_id == item.id))
                continue
            item.why = decision.as_json()
            return False
        if _claim(item, queue, decision):
            return True
    return False


def serve(user_id: int) -> bool:
    """Find the best waiting item for an agent who has room; whether they got one. In its own transaction."""
    session = db.session()
    got = False
    for _round in range(ROUNDS):
        state = _state_of(user_id)
        if state is None:
            return got
        heads = _heads(user_id, state)
        decision = ranking.best_item(state, heads)
        if decision.item is None:
            return got
        item = session.get_one(WorkItem, decision.item, populate_existing=True)
        if item.state is ItemState.WAITING and _claim(item, session.get_one(Queue, item.queue_id), decision):
            got = True
    return got


def _claim(item: WorkItem, queue: Queue, decision: ranking.Decision) -> bool:
    """Agent, then item, then offer or assignment; whoever loses the race puts back what it had taken."""
    session = db.session()
    user_id = decision.agent
    assert user_id is not None
    why = decision.as_json()
    if not assignments.raise_load(user_id, item.weight, present=True):
        return False
    state = ItemState.ASSIGNED if queue.acceptance == "automatic" else ItemState.OFFERED
    taken = session.execute(
        update(WorkItem).where(WorkItem.id == item.id, WorkItem.state == ItemState.WAITING).values(state=state, user_id=user_id, why=why),
        execution_options={"synchronize_session": False},
    )
    if taken.rowcount != 1:  # type: ignore[attr-defined]
        assignments.lower(user_id, item.weight)
        return False
    for name, value in (("state", state), ("user_id", user_id), ("why", why)):
        set_committed_value(item, name, value)
    if state is ItemState.ASSIGNED:
        assignments.take_over(item, session.get_one(Ticket, item.ticket_id), user_id, how="automatic", by=SYSTEM)
    else:
        offers.make(item, user_id, queue, why)
    return True


def looked_at(item: WorkItem) -> tuple[ranking.ItemHead, list[ranking.AgentState]]:
    """An item and every member of its queue as the ranking sees them now: for screens that explain, never for the match itself.

    An item that is not stored (id 0, no signature) stands for the next one that its queue will get.
    """
    queue = db.session().get_one(Queue, item.queue_id)
    head = _head(item, queue) if item.id else _as_head(item, queue.requirements, queue)
    return head, _everybody(item, queue)


# --- what the ranking is asked about -------------------------------------------------------------------------------------


def _head(item: WorkItem, queue: Queue) -> ranking.ItemHead:
    session = db.session()
    excluded = frozenset(session.scalars(select(Exclusion.user_id).where(Exclusion.item_id == item.id, Exclusion.until > clock.now())))
    asked = session.get_one(Signature, item.signature_id).requirements
    return _as_head(item, asked, queue, excluded)


def _as_head(item: WorkItem | Row[Any], asked: dict[str, Any], queue: Queue, excluded: frozenset[int] = frozenset()) -> ranking.ItemHead:
    return ranking.ItemHead(
        id=item.id,
        channel=item.channel,
        queue=item.queue_id,
        tier=item.tier,
        vkey=item.vkey / 1000,
        enqueued_at=item.enqueued_at.timestamp(),
        requirements={skill: int(level) for skill, level in asked.items()},
        step=item.step,
        weight=item.weight,
        excluded_agents=excluded,
        by_proficiency=queue.prefers_proficiency,
    )


def _candidates(item: WorkItem, queue: Queue) -> list[ranking.AgentState]:
    """The few best by load and idleness among the queue's present members with room and the skills; the ranking decides between them."""
    profile = AgentProfile
    found = (
        _agents()
        .join(QueueMember, and_(QueueMember.user_id == profile.user_id, QueueMember.queue_id == queue.id))
        .where(
            Presence.state == PresenceState.AVAILABLE,
            Presence.expires_at >= clock.now(),
            profile.load + item.weight <= profile.capacity,
            ~exists().where(Exclusion.item_id == item.id, Exclusion.user_id == profile.user_id, Exclusion.until > clock.now()),
        )
        .order_by(profile.load * 1.0 / func.nullif(profile.capacity, 0), Presence.idle_since, profile.user_id)
    )
    for skill, level in db.session().get_one(Signature, item.signature_id).requirements.items():
        knows = aliased(AgentSkill)
        found = found.where(exists().where(knows.user_id == profile.user_id, knows.skill_id == int(skill), knows.level >= int(level)))
    if not queue.prefers_proficiency:
        found = found.limit(CANDIDATES)
    return _states(db.session().execute(found).all())


def _everybody(item: WorkItem, queue: Queue) -> list[ranking.AgentState]:
    """All members of the queue, whatever they are doing: to see whether exclusions have left nobody."""
    return _states(
        db.session()
        .execute(_agents().join(QueueMember, and_(QueueMember.user_id == AgentProfile.user_id, QueueMember.queue_id == queue.id)))
        .all()
    )


def _state_of(user_id: int) -> ranking.AgentState | None:
    found = db.session().execute(_agents().where(AgentProfile.user_id == user_id)).all()
    states = _states(found)
    return states[0] if states and states[0].presence == PresenceState.AVAILABLE else None


def _agents() -> Any:
    profile = AgentProfile
    return (
        select(
            profile.user_id, profile.capacity, profile.load, profile.channel_caps, Presence.state, Presence.idle_since, Presence.expires_at
        )
        .join(Presence, Presence.user_id == profile.user_id)
        .join(User, and_(User.id == profile.user_id, User.active))
    )


def _states(rows: Sequence[Row[Any]]) -> list[ranking.AgentState]:
    ids = {row.user_id for row in rows}
    skills: dict[int, dict[str, int]] = {user: {} for user in ids}
    in_hand: dict[int, dict[str, int]] = {user: {} for user in ids}
    if ids:
        session = db.session()
        for known in session.execute(select(AgentSkill.user_id, AgentSkill.skill_id, AgentSkill.level).where(AgentSkill.user_id.in_(ids))):
            skills[known.user_id][str(known.skill_id)] = known.level
        held = (
            select(WorkItem.user_id, WorkItem.channel, func.count().label("n"))
            .where(WorkItem.user_id.in_(ids), WorkItem.state.in_((ItemState.OFFERED, ItemState.ASSIGNED)))
            .group_by(WorkItem.user_id, WorkItem.channel)
        )
        for busy in session.execute(held):
            in_hand[busy.user_id][busy.channel] = busy.n
    now = clock.now()
    return [
        ranking.AgentState(
            id=row.user_id,
            presence=str(row.state) if row.expires_at >= now else str(PresenceState.OFFLINE),
            skills=skills[row.user_id],
            capacity=row.capacity,
            load=row.load,
            idle_since=row.idle_since.timestamp(),
            channel_loads=in_hand[row.user_id],
            channel_caps={channel: int(cap) for channel, cap in (row.channel_caps or {}).items()},
        )
        for row in rows
    ]


def _heads(user_id: int, state: ranking.AgentState) -> dict[Hashable, ranking.ItemHead]:
    """The first waiting item of each signature of the agent's queues, past those that exclude the agent: one index probe each."""
    session = db.session()
    waiting = aliased(WorkItem)
    excluded = exists().where(Exclusion.item_id == waiting.id, Exclusion.user_id == user_id, Exclusion.until > clock.now())
    first = (
        select(waiting.id)
        .where(waiting.signature_id == Signature.id, waiting.state == ItemState.WAITING, ~excluded)
        .order_by(waiting.tier, waiting.vkey, waiting.enqueued_at, waiting.id)
        .limit(1)
        .correlate(Signature)
        .scalar_subquery()
    )
    probes = (
        select(Signature.id, Signature.requirements, first.label("item_id"))
        .join(QueueMember, and_(QueueMember.queue_id == Signature.queue_id, QueueMember.user_id == user_id))
        .join(Queue, and_(Queue.id == Signature.queue_id, Queue.acceptance != "pull", Queue.active))
    )
    found = [row for row in session.execute(probes) if row.item_id is not None and _knows(state, row.requirements)]
    if not found:
        return {}
    items = {item.id: item for item in session.scalars(select(WorkItem).where(WorkItem.id.in_([row.item_id for row in found])))}
    queues = {queue.id: queue for queue in session.scalars(select(Queue).where(Queue.id.in_({item.queue_id for item in items.values()})))}
    return {row.id: _as_head(items[row.item_id], row.requirements, queues[items[row.item_id].queue_id]) for row in found}


def _knows(state: ranking.AgentState, asked: dict[str, Any]) -> bool:
    return all(state.skills.get(skill, 0) >= int(level) for skill, level in asked.items())
