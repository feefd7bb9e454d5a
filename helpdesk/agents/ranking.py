"""Which agent for this item, which item for this agent: the heart of routing, without SQL, clock or I/O.

Routing fetches the few candidate rows and asks here; the simulation asks the very same functions under a virtual
clock. Instants are seconds as float since one fixed origin (the epoch in the product, zero in the simulation);
durations are seconds. Nothing here depends on now. How the circle of agents widens with age is `agents.widening`.
"""

from __future__ import annotations

import math
from collections.abc import Hashable, Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from types import MappingProxyType
from typing import Any

Requirements = Mapping[str, int]  # skill → minimum level
OrderKey = tuple[int, float, float, int]  # tier, vkey, enqueued_at, item id: smallest first
AgentKey = tuple[int, float, float, int]  # −proficiency (0 unless asked), load fraction, idle since, agent id

NAMED = 50  # exclusions kept by name in a stored decision; all are counted
_NONE: Mapping[str, int] = MappingProxyType({})


class Presence(StrEnum):
    """What an agent is doing, as routing sees it. Only `AVAILABLE` is routable."""

    AVAILABLE = "available"
    AWAY = "away"
    NOT_RESPONDING = "not_responding"
    WRAP_UP = "wrap_up"
    OFFLINE = "offline"


class Channel(StrEnum):
    """Kinds of work. Functions take plain strings, so that a plugged-in channel may bring its own."""

    TICKET = "ticket"
    CHAT = "chat"
    PHONE = "phone"


Interrupts = Mapping[str, frozenset[str]]  # channel of work in hand → channels that may be offered beside it

# Nothing joins a call; chats come together; anything may interrupt a ticket. A channel missing here hinders nothing.
INTERRUPTS: Interrupts = MappingProxyType(
    {
        Channel.PHONE: frozenset(),
        Channel.CHAT: frozenset({Channel.CHAT}),
        Channel.TICKET: frozenset(Channel),
    }
)


class Rule(StrEnum):
    """Why an agent may not have an item, in the order in which the rules are tried; the first that fails is named."""

    PRESENCE = "presence"
    CHANNEL = "channel"
    MEMBERSHIP = "membership"
    HELD = "held"
    SKILL = "skill"
    EXCLUDED = "excluded"
    CHANNEL_MAXIMUM = "channel_maximum"
    INTERRUPT = "interrupt"
    CAPACITY = "capacity"


@dataclass(frozen=True, slots=True)
class AgentState:
    """One agent as the match sees them. Offers, assignments and wrap-up all count in the loads.

    `load` is the guarded counter, in weight units, without interruptible work and without what a person assigned
    beyond the cap. `channel_loads` counts items in hand per channel, interruptible ones too. `channels` and `queues`
    None: all of them. `idle_since`: when the last work ended, or when the agent became available if that is later.
    """

    id: int
    presence: str
    skills: Requirements
    capacity: int = 1
    load: int = 0
    idle_since: float = 0.0
    channels: frozenset[str] | None = None
    queues: frozenset[int] | None = None
    channel_loads: Mapping[str, int] = field(default_factory=lambda: _NONE)
    channel_caps: Mapping[str, int] = field(default_factory=lambda: _NONE)
    weights: Mapping[str, int] = field(default_factory=lambda: _NONE)  # by channel; overrides the item's weight
    interruptible_load: int = 0
    interruptible_cap: int = 0


@dataclass(frozen=True, slots=True)
class ItemHead:
    """A waiting item as the match sees it, with the requirements of its current step.

    `held_for`: the sticky agent during step 0. `excluded_agents`: who declined or let an offer expire lately.
    `overflow_queue`: from the last step on, that queue's members may take it too. `by_proficiency`: the queue asks
    for the most proficient agent first. `interruptible`: draws on the agent's interruptible cap, not on the capacity.
    """

    id: int
    channel: str
    queue: int
    tier: int
    vkey: float
    enqueued_at: float
    requirements: Requirements
    step: int = 1
    weight: int = 1
    interruptible: bool = False
    held_for: int | None = None
    overflow_queue: int | None = None
    excluded_agents: frozenset[int] = frozenset()
    by_proficiency: bool = False


@dataclass(frozen=True, slots=True)
class Signature:
    """What items that the same agents may take have in common. Few exist, however many items wait."""

    channel: str
    queue: int
    requirements: tuple[tuple[str, int], ...]  # sorted
    step: int


@dataclass(frozen=True, slots=True)
class Exclusion:
    """Why this agent may not have this item; `detail` fills the sentence that a screen shows for the rule."""

    agent: int
    item: int
    rule: Rule
    detail: Mapping[str, str | int]


@dataclass(frozen=True, slots=True)
class Decision:
    """Who gets what, and why. `agent` or `item` is None when nobody, or nothing, was eligible.

    `candidates` counts what was looked at, `exclusions` all who fell out, by rule; `named` keeps the first `NAMED` of
    them. `key` is the chosen one's key; `tie_break` names its first part that differs from `runner_up`'s, or "only".
    """

    item: int | None
    agent: int | None
    candidates: int
    exclusions: Mapping[str, int]
    named: tuple[Exclusion, ...]
    step: int | None
    key: OrderKey | AgentKey | None
    tie_break: str | None
    runner_up: int | None

    def as_json(self) -> dict[str, Any]:
        """The decision as plain JSON types, for the row that answers "why did I get this?"."""
        return {
            "item": self.item,
            "agent": self.agent,
            "candidates": self.candidates,
            "exclusions": dict(self.exclusions),
            "named": [{"agent": each.agent, "item": each.item, "rule": str(each.rule), "detail": dict(each.detail)} for each in self.named],
            "step": self.step,
            "key": None if self.key is None else list(self.key),
            "tie_break": self.tie_break,
            "runner_up": self.runner_up,
        }


# ---- the choice

ITEM_PARTS = ("tier", "vkey", "enqueued_at", "id")
AGENT_PARTS = ("proficiency", "load", "longest_idle", "id")


def best_agent(item: ItemHead, candidates: Iterable[AgentState], interrupts: Interrupts = INTERRUPTS) -> Decision:
    """The eligible agent with the smallest `agent_key`: proficiency if asked, load fraction, longest idle, id."""
    best: AgentState | None = None
    best_key: AgentKey | None = None
    second_key: AgentKey | None = None
    out: list[Exclusion] = []
    count = 0
    for agent in candidates:
        count += 1
        exclusion = why_not(agent, item, interrupts)
        if exclusion is not None:
            out.append(exclusion)
            continue
        key = agent_key(agent, item)
        if best_key is None or key < best_key:
            best, best_key, second_key = agent, key, best_key
        elif second_key is None or key < second_key:
            second_key = key
    return _decision(item.id, None if best is None else best.id, count, out, item.step, best_key, second_key, AGENT_PARTS)


def best_item(agent: AgentState, heads_by_signature: Mapping[Hashable, ItemHead], interrupts: Interrupts = INTERRUPTS) -> Decision:
    """The eligible item with the smallest `order_key` among the heads.

    The caller probes one head per signature, past the items that exclude this agent or are held for another: a head
    that falls out here hides the items behind it.
    """
    best: ItemHead | None = None
    best_key: OrderKey | None = None
    second_key: OrderKey | None = None
    out: list[Exclusion] = []
    for item in heads_by_signature.values():
        exclusion = why_not(agent, item, interrupts)
        if exclusion is not None:
            out.append(exclusion)
            continue
        key = order_key(item)
        if best_key is None or key < best_key:
            best, best_key, second_key = item, key, best_key
        elif second_key is None or key < second_key:
            second_key = key
    return _decision(
        None if best is None else best.id,
        agent.id,
        len(heads_by_signature),
        out,
        None if best is None else best.step,
        best_key,
        second_key,
        ITEM_PARTS,
    )


def order_key(item: ItemHead) -> OrderKey:
    """The item's place among those that wait; independent of now, so one index serves it."""
    return (item.tier, item.vkey, item.enqueued_at, item.id)


def agent_key(agent: AgentState, item: ItemHead) -> AgentKey:
    """The agent's place among those eligible for this item. The load fraction is that of the budget it draws on."""
    proficiency = sum(agent.skills.get(skill, 0) for skill in item.requirements) if item.by_proficiency else 0
    used, budget = (agent.interruptible_load, agent.interruptible_cap) if item.interruptible else (agent.load, agent.capacity)
    return (-proficiency, used / budget if budget else math.inf, agent.idle_since, agent.id)


def _decision(
    item: int | None,
    agent: int | None,
    candidates: int,
    out: list[Exclusion],
    step: int | None,
    best: OrderKey | AgentKey | None,
    second: OrderKey | AgentKey | None,
    parts: tuple[str, ...],
) -> Decision:
    exclusions: Mapping[str, int] = _NONE
    if out:
        exclusions = {}
        for each in out:
            exclusions[each.rule.value] = exclusions.get(each.rule.value, 0) + 1
    if best is None:
        tie_break = runner_up = None
    elif second is None:
        tie_break, runner_up = "only", None
    else:
        tie_break = next(part for part, mine, other in zip(parts, best, second, strict=True) if mine != other)
        runner_up = second[3]
    return Decision(item, agent, candidates, exclusions, tuple(out[:NAMED]), step, best, tie_break, runner_up)


# ---- who is eligible


def why_not(agent: AgentState, item: ItemHead, interrupts: Interrupts = INTERRUPTS) -> Exclusion | None:
    """The first rule that keeps this agent from this item, or None when they are eligible."""
    if agent.presence != Presence.AVAILABLE:
        return Exclusion(agent.id, item.id, Rule.PRESENCE, {"presence": str(agent.presence)})
    return _unqualified(agent, item) or _excluded(agent, item) or _busy(agent, item, interrupts)


def exclusions_lapse(item: ItemHead, candidates: Iterable[AgentState]) -> bool:
    """Whether everybody who could ever take the item is excluded for it, so that the exclusions are to be cleared.

    Who is merely busy or in wrap-up will be free soon and keeps the exclusions standing; who is absent does not count.
    """
    excluded = False
    for agent in candidates:
        if agent.presence in (Presence.AVAILABLE, Presence.WRAP_UP) and _unqualified(agent, item) is None:
            if agent.id not in item.excluded_agents:
                return False
            excluded = True
    return excluded


def _unqualified(agent: AgentState, item: ItemHead) -> Exclusion | None:
    if agent.channels is not None and item.channel not in agent.channels:
        return Exclusion(agent.id, item.id, Rule.CHANNEL, {"channel": item.channel})
    if agent.queues is not None and item.queue not in agent.queues and item.overflow_queue not in agent.queues:
        return Exclusion(agent.id, item.id, Rule.MEMBERSHIP, {"queue": item.queue})
    if item.held_for is not None and item.held_for != agent.id:
        return Exclusion(agent.id, item.id, Rule.HELD, {"held_for": item.held_for})
    for skill, level in item.requirements.items():
        if agent.skills.get(skill, 0) < level:
            return Exclusion(agent.id, item.id, Rule.SKILL, {"skill": skill, "needs": level, "has": agent.skills.get(skill, 0)})
    return None


def _excluded(agent: AgentState, item: ItemHead) -> Exclusion | None:
    if agent.id in item.excluded_agents:
        return Exclusion(agent.id, item.id, Rule.EXCLUDED, {})
    return None


def _busy(agent: AgentState, item: ItemHead, interrupts: Interrupts) -> Exclusion | None:
    channel = item.channel
    maximum = agent.channel_caps.get(channel)
    if maximum is not None and agent.channel_loads.get(channel, 0) >= maximum:
        return Exclusion(agent.id, item.id, Rule.CHANNEL_MAXIMUM, {"channel": channel, "maximum": maximum})
    for held, number in agent.channel_loads.items():
        if number and held in interrupts and channel not in interrupts[held]:
            return Exclusion(agent.id, item.id, Rule.INTERRUPT, {"channel": channel, "in_hand": held})
    weight = agent.weights.get(channel, item.weight)
    used, budget = (agent.interruptible_load, agent.interruptible_cap) if item.interruptible else (agent.load, agent.capacity)
    if used + weight > budget:
        return Exclusion(agent.id, item.id, Rule.CAPACITY, {"load": used, "weight": weight, "capacity": budget})
    return None


# ---- the key's parts


@dataclass(frozen=True, slots=True)
class BoostRules:
    """How many seconds earlier than its deadline an item counts. `value_s` is for a customer of value 1."""

    priority_s: Mapping[str, float] = field(default_factory=lambda: {"high": 600.0, "urgent": 1800.0})
    value_s: float = 900.0
    largest_s: float = 2400.0


@dataclass(frozen=True, slots=True)
class Boost:
    """The boost and where it comes from, to be shown; `total_s` is at most the rules' `largest_s`."""

    total_s: float
    priority_s: float
    value_s: float


def boost(priority: str, value: float, rules: BoostRules) -> Boost:
    """The bounded boost of a priority and of the customer's value (0 to 1; outside of that it is clamped, NaN is 0).

    The bound is what keeps everybody from starving: inside a tier nothing is overtaken by an item that arrives more
    than (spread of targets + largest boost) later.
    """
    of_priority = max(0.0, rules.priority_s.get(priority, 0.0))
    of_value = max(0.0, rules.value_s) * (min(1.0, max(0.0, value)) if value == value else 0.0)
    return Boost(min(of_priority + of_value, max(0.0, rules.largest_s)), of_priority, of_value)


def vkey(due_at: float, boost_s: float) -> float:
    """The time-invariant part of the order: deadline first, ageing and priority together."""
    return due_at - boost_s


def signature(item: ItemHead) -> Signature:
    """The item's signature; two items with the same one may be taken by the same agents, exclusions and holds apart."""
    return Signature(item.channel, item.queue, tuple(sorted(item.requirements.items())), item.step)
