"""What the ranking is asked about, fetched with few statements built once: the agents an item could go to, the items an agent could have.

Cost does not grow with the queue: an agent's side reads the head of each signature they may serve (one probe of a partial index each,
past the few items that exclude them), an item's side reads its queue's people.
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from functools import lru_cache
from typing import Any

from sqlalchemy import (
    Row,
    String,
    and_,
    bindparam,
    case,
    cast,
    exists,
    func,
    inspect,
    literal,
    literal_column,
    or_,
    select,
    union,
    union_all,
)
from sqlalchemy.orm import aliased

from helpdesk import clock, db
from helpdesk.agents import interrupts, ranking
from helpdesk.agents.models import (
    CHANNELS,
    TICKET,
    AgentProfile,
    AgentSkill,
    Assignment,
    Exclusion,
    Presence,
    PresenceState,
    QueueMember,
    Signature,
    WorkItem,
)
from helpdesk.auth import User
from helpdesk.tickets.models import Queue

#: So many people of a queue are looked at one by one, and those who fall out are named. In a larger queue the database sorts out first.
ONE_BY_ONE = 200
_INT = WorkItem.id.type
_TIME = Presence.expires_at.type


@dataclass(frozen=True)
class Seen:
    """Agents as a decision saw them. `turns` guards the claim: who has been given something since is looked at again."""

    states: Sequence[ranking.AgentState]
    turns: Mapping[int, int]

    def weight(self, user_id: int, head: ranking.ItemHead) -> int:
        """What the item weighs on this agent."""
        return next(state for state in self.states if state.id == user_id).weights.get(head.channel, head.weight)


# --- agents for an item --------------------------------------------------------------------------------------------------


def for_item(head: ranking.ItemHead) -> Seen:
    """The people of the item's queue, and of the one it overflows into; of a large queue only the best of those who could take it."""
    values = {"queue": head.queue, "overflow": head.overflow_queue or 0, "now": clock.now(), "item": head.id, "weight": head.weight}
    rows = _fetch(_PEOPLE, values)
    if len(rows) > ONE_BY_ONE:
        asked = [(int(skill), level) for skill, level in head.requirements.items()]
        for number, (skill, level) in enumerate(asked):
            values |= {f"skill{number}": skill, f"level{number}": level}
        table = interrupts.in_force()
        rows = _fetch(_able(head.channel, len(asked), head.by_proficiency, False), values)
        if len(rows) == ONE_BY_ONE and _roomy(rows[-1], head.channel) and ranking.best_agent(head, _seen(rows).states, table).agent is None:
            values["alone"] = [held for held, beside in table.items() if head.channel not in beside]
            rows = _fetch(_able(head.channel, len(asked), head.by_proficiency, True), values)
    if head.held_for is not None and all(row.user_id != head.held_for for row in rows):
        rows = [*rows, *_fetch(_ONE, {"agent": head.held_for})]
    return _seen(rows)


def _roomy(row: Row[Any], channel: str) -> bool:
    """Whether an agent has any room for this kind of work: behind somebody who has none stands nobody who has."""
    return bool(
        row.state == PresenceState.AVAILABLE and (row.load < row.capacity if channel == TICKET else row.live_load < row.live_capacity)
    )


def agent(user_id: int) -> Seen | None:
    """One agent, if they are available; with what they know and have in hand in one statement."""
    rows = _fetch(_AGENT, {"agent": user_id, "ids": [user_id]})
    if not rows or rows[0].state != PresenceState.AVAILABLE or rows[0].expires_at < clock.now():
        return None
    known: tuple[dict[str, int], dict[str, int]] = ({}, {})
    for row in rows:
        if row.kind is not None:
            known[row.kind][row.name] = row.level
    return Seen([_state(rows[0], clock.now(), *known)], {user_id: rows[0].turn})


def at_work() -> Seen:
    """Everybody who is available and has something in hand."""
    seen = _seen(_fetch(_HERE, {"now": clock.now()}))
    return replace(seen, states=[state for state in seen.states if any(state.channel_loads.values())])


def head_of(item: WorkItem, queue: Queue) -> ranking.ItemHead:
    """An item as the ranking sees it."""
    session = db.session()
    excluded = session.scalars(_EXCLUDED, {"item": item.id, "now": clock.now()})
    signature = session.get_one(Signature, item.signature_id)
    return _head(item, signature.requirements, signature.overflow_id, queue.prefers_proficiency, frozenset(excluded))


_EXCLUDED = select(Exclusion.user_id).where(
    Exclusion.item_id == bindparam("item", type_=Exclusion.item_id.type), Exclusion.until > bindparam("now", type_=db.UtcDateTime)
)


def _seen(rows: Sequence[Row[Any]]) -> Seen:
    now = clock.now()
    present = [row.user_id for row in rows if row.state == PresenceState.AVAILABLE and row.expires_at >= now]
    wrapping = [row.user_id for row in rows if row.state == PresenceState.WRAP_UP and row.expires_at >= now]
    skills: dict[int, dict[str, int]] = {}
    in_hand: dict[int, dict[str, int]] = {}
    for row in _fetch(_KNOWN, {"ids": [*present, *wrapping]}) if present or wrapping else ():
        (skills if row.kind == 0 else in_hand).setdefault(row.user_id, {})[row.name] = row.level
    return Seen(
        [_state(row, now, skills.get(row.user_id, {}), in_hand.get(row.user_id, {})) for row in rows],
        {row.user_id: row.turn for row in rows},
    )


def _state(row: Row[Any], now: datetime, skills: dict[str, int], in_hand: dict[str, int]) -> ranking.AgentState:
    return ranking.AgentState(
        id=row.user_id,
        presence=str(row.state) if row.expires_at >= now else str(PresenceState.OFFLINE),
        skills=skills,
        capacity=row.live_capacity,
        load=row.live_load,
        idle_since=row.idle_since.timestamp(),
        channel_loads=in_hand,
        channel_caps={channel: int(cap) for channel, cap in (row.channel_caps or {}).items()},
        weights={channel: int(weight) for channel, weight in (row.weights or {}).items()},
        interruptible_load=row.load,
        interruptible_cap=row.capacity,
    )


# --- items for an agent --------------------------------------------------------------------------------------------------


def for_agent(state: ranking.AgentState) -> tuple[dict[Hashable, ranking.ItemHead], dict[int, Row[Any]]]:
    """The first waiting item of each signature the agent may serve, past those that exclude them or are held for somebody else.

    By signature as the ranking sees them, and by id the rows that a claim needs.
    """
    channels = open_channels(state)
    if not channels:
        return {}, {}
    found = _fetch(_HEADS, {"agent": state.id, "now": clock.now(), "channels": channels})
    able = [row for row in found if _knows(state, row.requirements)]
    heads: dict[Hashable, ranking.ItemHead] = {row.signature_id: _head(row, row.requirements, row.overflow_id, False) for row in able}
    return heads, {row.id: row for row in able}


def open_channels(state: ranking.AgentState, table: ranking.Interrupts | None = None) -> list[str]:
    """The channels of which something could be had now: cap, budget and what is in hand, by `table` or by the one in force, leave room."""
    beside = interrupts.in_force() if table is None else table
    return [channel for channel in CHANNELS if ranking.why_not(state, _PROBES[channel], beside) is None]


_PROBES = {channel: ranking.ItemHead(0, channel, 0, 0, 0.0, 0.0, {}, weight=1, interruptible=channel == TICKET) for channel in CHANNELS}


def laden(state: ranking.AgentState, channel: str, weight: int) -> ranking.AgentState:
    """The agent with one more piece of work in hand."""
    in_hand = {**state.channel_loads, channel: state.channel_loads.get(channel, 0) + 1}
    if channel == TICKET:
        return replace(state, channel_loads=in_hand, interruptible_load=state.interruptible_load + weight)
    return replace(state, channel_loads=in_hand, load=state.load + weight)


def _knows(state: ranking.AgentState, asked: dict[str, Any]) -> bool:
    return all(state.skills.get(skill, 0) >= int(level) for skill, level in asked.items())


def _head(
    item: WorkItem | Row[Any], asked: dict[str, Any], overflow: int | None, by_proficiency: bool, excluded: frozenset[int] = frozenset()
) -> ranking.ItemHead:
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
        interruptible=item.channel == TICKET,
        held_for=item.sticky_user_id if item.step == 0 else None,
        overflow_queue=overflow,
        excluded_agents=excluded,
        by_proficiency=by_proficiency,
    )


# --- the statements, built once ------------------------------------------------------------------------------------------


def _fetch(statement: Any, values: dict[str, Any]) -> Sequence[Row[Any]]:
    session = db.session()
    session.flush()
    return session.connection().execute(statement, values).all()


_PROFILE = (
    AgentProfile.user_id, AgentProfile.capacity, AgentProfile.load, AgentProfile.live_capacity, AgentProfile.live_load,
    AgentProfile.channel_caps, AgentProfile.weights, AgentProfile.turn, Presence.state, Presence.idle_since, Presence.expires_at,
)  # fmt: skip


def _agents() -> Any:
    return (
        select(*_PROFILE)
        .join(Presence, Presence.user_id == AgentProfile.user_id)
        .join(User, and_(User.id == AgentProfile.user_id, User.active))
    )


def _people(*conditions: Any) -> Any:
    queues = (bindparam("queue", type_=_INT), bindparam("overflow", type_=_INT))
    return _agents().where(AgentProfile.user_id.in_(select(QueueMember.user_id).where(QueueMember.queue_id.in_(queues))), *conditions)


@lru_cache
def _able(channel: str, skills: int, by_proficiency: bool, exactly: bool) -> Any:
    """The best of those who could take the item, sorted out by the database; all of them when proficiency decides.

    First come, in the ranking's order, those who are here, have any room and did not refuse: whoever the ranking takes of them is the best.
    Where it takes none of so many, `exactly` looks again by every rule, and puts those who keep refusals standing before who refused.
    """
    profile = AgentProfile
    load, capacity = (profile.load, profile.capacity) if channel == TICKET else (profile.live_load, profile.live_capacity)
    conditions = [
        Presence.state.in_((PresenceState.AVAILABLE, PresenceState.WRAP_UP)),
        Presence.expires_at >= bindparam("now", type_=_TIME),
    ]
    for number in range(skills):
        known = aliased(AgentSkill)
        conditions.append(
            exists().where(
                known.user_id == profile.user_id,
                known.skill_id == bindparam(f"skill{number}", type_=_INT),
                known.level >= bindparam(f"level{number}", type_=_INT),
            )
        )
    out = exists().where(
        Exclusion.item_id == bindparam("item", type_=_INT), Exclusion.user_id == profile.user_id,
        Exclusion.until > bindparam("now", type_=_TIME),
    )  # fmt: skip
    free = [Presence.state == PresenceState.AVAILABLE, load < capacity, ~out]
    if exactly:
        free += _by_every_rule(channel, load, capacity)
    able = _people(*conditions).order_by(~and_(*free), out)
    able = able.order_by(load * literal(1.0) / func.nullif(capacity, 0), Presence.idle_since, profile.user_id)
    return able if by_proficiency else able.limit(ONE_BY_ONE)


def _by_every_rule(channel: str, load: Any, capacity: Any) -> list[Any]:
    """What costs more to look at: an agent's own weight of the channel, their limit of it, and what they have in hand."""
    profile, busy, same = AgentProfile, aliased(WorkItem, name="busy"), aliased(WorkItem, name="same")
    room = load + func.coalesce(profile.weights[channel].as_integer(), bindparam("weight", type_=_INT)) <= capacity
    alone = exists().where(*_weighing(busy), busy.user_id == profile.user_id, busy.channel.in_(bindparam("alone", expanding=True)))
    cap = profile.channel_caps[channel].as_integer()
    of_it = select(func.count()).where(*_weighing(same), same.user_id == profile.user_id, same.channel == literal(channel))
    return [room, ~alone, or_(cap.is_(None), of_it.correlate(profile).scalar_subquery() < cap)]


def _heads() -> Any:
    """For each signature of the agent's queues its first item: of step 0 the first held for this agent, else the first of all."""
    me, item = bindparam("agent", type_=_INT), aliased(WorkItem, name="head")
    out = exists().where(Exclusion.item_id == item.id, Exclusion.user_id == me, Exclusion.until > bindparam("now", type_=_TIME))

    def first(*conditions: Any) -> Any:
        return (
            select(item.id)
            .where(item.signature_id == Signature.id, *conditions, ~out)
            .order_by(item.tier, item.vkey, item.enqueued_at, item.id)
            .limit(1)
            .correlate(Signature)
            .scalar_subquery()
        )

    held = first(item.sticky_user_id == me, literal_column("head.state = 'waiting' AND head.step = 0"))
    head = case((Signature.step == 0, held), else_=first(literal_column("head.state = 'waiting'")))
    own = select(Signature.id).join(QueueMember, QueueMember.queue_id == Signature.queue_id).where(QueueMember.user_id == me)
    overflowing = select(Signature.id).join(QueueMember, QueueMember.queue_id == Signature.overflow_id).where(QueueMember.user_id == me)
    heads = (
        select(Signature.requirements, Signature.overflow_id, Queue.acceptance, Queue.offer_s, head.label("item_id"))
        .join(Queue, and_(Queue.id == Signature.queue_id, Queue.active, Queue.acceptance != literal("pull")))
        .where(
            Signature.id.in_(union(own, overflowing)),
            Signature.channel.in_(bindparam("channels", expanding=True, type_=String())),
        )
        .subquery("heads")
    )
    return select(
        WorkItem.id, WorkItem.ticket_id, WorkItem.signature_id, WorkItem.channel, WorkItem.queue_id, WorkItem.tier, WorkItem.vkey,
        WorkItem.enqueued_at, WorkItem.step, WorkItem.weight, WorkItem.sticky_user_id, WorkItem.boost, heads.c.requirements,
        heads.c.overflow_id, heads.c.acceptance, heads.c.offer_s,
    ).join_from(heads, WorkItem, WorkItem.id == heads.c.item_id)  # fmt: skip


def _weighing(item: Any) -> tuple[Any, ...]:
    """What is in somebody's hands and counts. Tickets that rest with their owner, or were given beyond the cap, do not."""
    name = inspect(item).name
    weighs = exists().where(Assignment.item_id == item.id, literal_column("assignment.ended_at IS NULL"), Assignment.counted)
    return (
        literal_column(f"{name}.state IN ('offered','assigned')"),
        or_(item.channel != literal(TICKET), literal_column(f"{name}.state = 'offered'"), weighs),
    )


def _known() -> Any:
    """Of some agents: what they know (kind 0: skill, level) and what weighs on them (kind 1: channel, number)."""
    ids: Any = bindparam("ids", expanding=True, type_=_INT)
    item = aliased(WorkItem, name="held")
    skills = select(literal(0).label("kind"), AgentSkill.user_id, cast(AgentSkill.skill_id, String).label("name"), AgentSkill.level)
    in_hand = (
        select(literal(1), item.user_id, item.channel, func.count())
        .where(item.user_id.in_(ids), *_weighing(item))
        .group_by(item.user_id, item.channel)
    )
    return union_all(skills.where(AgentSkill.user_id.in_(ids)), in_hand)


_ONE = _agents().where(AgentProfile.user_id == bindparam("agent", type_=_INT))
_PEOPLE = _people().limit(ONE_BY_ONE + 1)
_HERE = _agents().where(Presence.state == PresenceState.AVAILABLE, Presence.expires_at >= bindparam("now", type_=_TIME))
_HEADS = _heads()
_KNOWN = _known()
_OF_ONE = _KNOWN.subquery("known")
_AGENT = _ONE.add_columns(_OF_ONE.c.kind, _OF_ONE.c.name, _OF_ONE.c.level).outerjoin(_OF_ONE, _OF_ONE.c.user_id == AgentProfile.user_id)
