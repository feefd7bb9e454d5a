"""A recorded week once more, under other rules: arrivals, handling times and presence as they were, every choice made by `ranking`.

`agents.simulation` draws its customers; this floor is given them. `leading.recorded` reads the week, `leading.dry_runs` runs this module as
a process of its own (`python -m …`: one JSON text in, lines of progress and one JSON text out), because it computes for seconds on end.
Instants are seconds since the week began; a piece of work that came before it has a negative one.
"""

from __future__ import annotations

import json
import statistics
import sys
from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from heapq import heapify, heappop, heappush
from typing import Any

from helpdesk.agents import ranking
from helpdesk.agents.ranking import AgentState, BoostRules, Channel, ItemHead, OrderKey, Presence
from helpdesk.agents.widening import Step, standing

#: Kinds of happening; at one instant agents come before they go, work is done before it is given.
_COMES, _DONE, _GOES, _ARRIVES, _WIDENS = range(5)
#: How often progress is told, in happenings.
TOLD = 500


@dataclass(frozen=True, slots=True)
class QueueRules:
    """What routing asks of a queue. `service_target` is the share to be taken up within `target_s`."""

    steps: tuple[Step, ...]
    target_s: float
    service_target: float = 0.8
    tier: int = 1
    by_proficiency: bool = False
    weights: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Agent:
    """One agent of the week: what they can do and carry, and when they were available, as (from, to) in order of time."""

    id: int
    skills: Mapping[str, int]
    queues: frozenset[int]
    capacity: int
    live_capacity: int
    channel_caps: Mapping[str, int]
    weights: Mapping[str, int]
    available: tuple[tuple[float, float], ...]


@dataclass(frozen=True, slots=True)
class Work:
    """One piece of recorded work. `busy_s`: for how long it weighed on whoever had it. `value`: the customer's, 0 to 1.

    `waited_s`: how long it did wait before somebody had it; None when nobody had it within the week. `held_by`: who had it already when
    the week began, and has it for `busy_s` more.
    """

    id: int
    queue: int
    channel: str
    at: float
    priority: str
    value: float
    busy_s: float
    waited_s: float | None = None
    held_by: int | None = None
    emergency: bool = False


@dataclass(frozen=True, slots=True)
class Week:
    """Everything that was recorded. `length_s` is how long it was; nobody is available beyond it."""

    length_s: float
    queues: Mapping[int, QueueRules]
    boost: BoostRules
    agents: tuple[Agent, ...]
    work: tuple[Work, ...]


@dataclass(frozen=True, slots=True)
class Change:
    """What is tried: a queue's steps, target and members, the boosts, one agent's level of a skill (0: without it). None: as it is."""

    queue: int
    steps: tuple[Step, ...] | None = None
    target_s: float | None = None
    service_target: float | None = None
    members: frozenset[int] | None = None
    boost: BoostRules | None = None
    skill: tuple[int, str, int] | None = None  # agent, skill, level


def changed(week: Week, change: Change) -> Week:
    """The same week with the changed rules in force from its beginning."""
    rules = week.queues[change.queue]
    rules = replace(
        rules,
        steps=rules.steps if change.steps is None else change.steps,
        target_s=rules.target_s if change.target_s is None else change.target_s,
        service_target=rules.service_target if change.service_target is None else change.service_target,
    )
    agents = week.agents
    if change.members is not None:
        agents = tuple(
            replace(agent, queues=agent.queues | {change.queue} if agent.id in change.members else agent.queues - {change.queue})
            for agent in agents
        )
    if change.skill is not None:
        who, skill, level = change.skill
        agents = tuple(replace(agent, skills={**agent.skills, skill: level}) if agent.id == who else agent for agent in agents)
    return replace(week, queues={**week.queues, change.queue: rules}, agents=agents, boost=change.boost or week.boost)


# --- the floor -------------------------------------------------------------------------------------------------------------


class Floor:
    """Agents who come and go, work that waits, and a clock that is given. `waits` is what became of each piece: None while it waits."""

    def __init__(self, week: Week, *, on_match: Callable[[float, int, int], None] | None = None) -> None:
        self.week = week
        self.now = 0.0
        self.waits: dict[int, float | None] = {}
        self._on_match = on_match
        self._work = {work.id: work for work in week.work}
        self._agents = {agent.id: _arrived(agent) for agent in week.agents}
        self._present: dict[int, set[int]] = {queue: set() for queue in week.queues}
        self._queues_of = {agent.id: agent.queues for agent in week.agents}
        self._waiting: dict[int, ItemHead] = {}
        self._heads: dict[tuple[int, str, int], list[OrderKey]] = {}
        self._served_by = self._lines()
        self._events: list[tuple[float, int, int, int]] = []  # when, kind, work or agent, holder
        for work in week.work:
            if work.held_by is None:
                self._events.append((max(0.0, work.at), _ARRIVES, work.id, 0))
        for agent in week.agents:
            for begins, ends in agent.available:
                self._events += [(begins, _COMES, agent.id, 0), (ends, _GOES, agent.id, 0)]
        heapify(self._events)
        for work in week.work:
            if work.held_by in self._agents:
                self._carry(work, work.held_by, 1)
                heappush(self._events, (work.busy_s, _DONE, work.id, work.held_by))

    def run(self, told: Callable[[float], None] = lambda share: None) -> dict[int, float | None]:
        """Let the week happen; `told` hears how much of it has. Returns the waits by work."""
        count = 0
        while self._events and self._events[0][0] <= self.week.length_s:
            self.now, kind, who, holder = heappop(self._events)
            if kind == _ARRIVES:
                self._arrive(self._work[who])
            elif kind == _DONE:
                self._carry(self._work[who], holder, -1)
                self._agents[holder] = replace(self._agents[holder], idle_since=self.now)
                self._serve(holder)
            elif kind == _WIDENS:
                self._widen(who)
            else:
                self._turn(who, here=kind == _COMES)
            count += 1
            if count % TOLD == 0:
                told(min(1.0, self.now / self.week.length_s))
        return self.waits

    # ---- what happens

    def _arrive(self, work: Work) -> None:
        self.waits[work.id] = None
        self._stand(work, self._head(work, at_least=0))

    def _widen(self, id: int) -> None:
        waiting = self._waiting.get(id)
        if waiting is not None:
            self._stand(self._work[id], self._head(self._work[id], at_least=waiting.step))

    def _stand(self, work: Work, item: ItemHead) -> None:
        """Give the item to the best agent, or let it wait on its step."""
        queues = [item.queue] if item.overflow_queue is None else [item.queue, item.overflow_queue]
        here = sorted({agent for queue in queues for agent in self._present.get(queue, ())})
        decision = ranking.best_agent(item, [self._agents[agent] for agent in here])
        if decision.agent is not None:
            self._waiting.pop(work.id, None)
            self._match(work, decision.agent)
            return
        self._waiting[work.id] = item
        heappush(self._heads.setdefault((item.queue, item.channel, item.step), []), ranking.order_key(item))
        until = self.week.queues[item.queue].steps[item.step - 1].until_age
        if until is not None:
            heappush(self._events, (max(self.now, work.at + until), _WIDENS, work.id, 0))

    def _turn(self, id: int, *, here: bool) -> None:
        state = self._agents[id]
        self._agents[id] = replace(
            state, presence=Presence.AVAILABLE if here else Presence.AWAY, idle_since=self.now if here else state.idle_since
        )
        for queue in self._queues_of[id]:
            if queue in self._present:
                (self._present[queue].add if here else self._present[queue].discard)(id)
        if here:
            self._serve(id)

    def _serve(self, id: int) -> None:
        """The best of what waits for this agent, again and again until there is none or no room."""
        while self._waiting and self._agents[id].presence == Presence.AVAILABLE:
            heads: dict[Hashable, ItemHead] = {line: head for line in self._served_by[id] if (head := self._first(line)) is not None}
            decision = ranking.best_item(self._agents[id], heads)
            if decision.item is None:
                return
            self._waiting.pop(decision.item)
            self._match(self._work[decision.item], id)

    def _match(self, work: Work, id: int) -> None:
        self.waits[work.id] = self.now - work.at
        self._carry(work, id, 1)
        heappush(self._events, (self.now + work.busy_s, _DONE, work.id, id))
        if self._on_match:
            self._on_match(self.now, work.id, id)

    # ---- where everything stands

    def _head(self, work: Work, *, at_least: int) -> ItemHead:
        rules = self.week.queues[work.queue]
        now_at = standing(rules.steps, self.now - work.at, at_least=max(1, at_least))
        boost = ranking.boost(work.priority, work.value, self.week.boost)
        return ItemHead(
            work.id,
            work.channel,
            work.queue,
            0 if work.emergency else rules.tier,
            ranking.vkey(work.at + rules.target_s, boost.total_s),
            work.at,
            now_at.requirements,
            step=now_at.step,
            weight=rules.weights.get(work.channel, 1),
            interruptible=work.channel == Channel.TICKET,
            overflow_queue=now_at.overflow_queue,
            by_proficiency=rules.by_proficiency,
        )

    def _carry(self, work: Work, id: int, sign: int) -> None:
        state = self._agents[id]
        weight = sign * state.weights.get(work.channel, self.week.queues[work.queue].weights.get(work.channel, 1))
        loads = {**state.channel_loads, work.channel: max(0, state.channel_loads.get(work.channel, 0) + sign)}
        if work.channel == Channel.TICKET:
            self._agents[id] = replace(state, channel_loads=loads, interruptible_load=max(0, state.interruptible_load + weight))
        else:
            self._agents[id] = replace(state, channel_loads=loads, load=max(0, state.load + weight))

    def _first(self, line: tuple[int, str, int]) -> ItemHead | None:
        keys = self._heads.get(line, [])
        while keys:
            item = self._waiting.get(keys[0][3])
            if item is not None and item.step == line[2]:
                return item
            heappop(keys)
        return None

    def _lines(self) -> dict[int, list[tuple[int, str, int]]]:
        """For each agent the lines (queue, channel, step) that their queues, and those that overflow into them, have."""
        channels = sorted({work.channel for work in self.week.work})
        lines: dict[int, list[tuple[int, str, int]]] = {agent.id: [] for agent in self.week.agents}
        for queue, rules in self.week.queues.items():
            for number, step in enumerate(rules.steps, start=1):
                for agent in self.week.agents:
                    if queue in agent.queues or (step.overflow_queue is not None and step.overflow_queue in agent.queues):
                        lines[agent.id] += [(queue, channel, number) for channel in channels]
        return lines


def _arrived(agent: Agent) -> AgentState:
    return AgentState(
        agent.id,
        Presence.OFFLINE,
        agent.skills,
        agent.live_capacity,
        queues=agent.queues,
        channel_caps=agent.channel_caps,
        weights=agent.weights,
        interruptible_cap=agent.capacity,
    )


# --- figures ---------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Figures:
    """What became of the work that came within the week. `level`: taken up in time ÷ those of which that is known (`decided`)."""

    n: int
    taken: int
    mean_s: float | None
    p90_s: float | None
    level: float | None
    decided: int


def figures(week: Week, waits: Mapping[int, float | None], queue: int | None = None) -> Figures:
    """The figures of one queue, or of all. A wait that had not ended with the week counts as late once its target had passed."""
    rows = [(work, waits.get(work.id)) for work in week.work if work.at >= 0 and work.held_by is None and queue in (None, work.queue)]
    taken = sorted(wait for _work, wait in rows if wait is not None)
    good = decided = 0
    for work, wait in rows:
        target = week.queues[work.queue].target_s
        if wait is None and week.length_s - work.at <= target:
            continue
        decided += 1
        good += wait is not None and wait <= target
    return Figures(
        len(rows),
        len(taken),
        statistics.fmean(taken) if taken else None,
        percentile(taken, 0.9),
        good / decided if decided else None,
        decided,
    )


def percentile(ordered: Sequence[float], share: float) -> float | None:
    """Linear between the two nearest; None of nothing."""
    if not ordered:
        return None
    place = share * (len(ordered) - 1)
    low = int(place)
    return ordered[low] + (ordered[min(low + 1, len(ordered) - 1)] - ordered[low]) * (place - low)


def compare(week: Week, change: Change, told: Callable[[float], None] = lambda share: None) -> dict[str, Any]:
    """Each queue three times: as it was recorded, replayed under the rules of now, replayed with the change; {"all" or queue id: …}.

    Where recorded and as-it-is differ, the replay does not see everything that people did; the change is to be read against as-it-is.
    """
    recorded = {work.id: work.waited_s for work in week.work}
    as_is = Floor(week).run(lambda share: told(share / 2))
    tried = changed(week, change)
    with_change = Floor(tried).run(lambda share: told(0.5 + share / 2))
    shown = [None, *sorted(queue for queue in week.queues if any(work.queue == queue for work in week.work))]
    return {
        "all" if queue is None else str(queue): {
            "recorded": asdict(figures(week, recorded, queue)),
            "as_is": asdict(figures(week, as_is, queue)),
            "changed": asdict(figures(tried, with_change, queue)),
        }
        for queue in shown
    }


# --- as a process ------------------------------------------------------------------------------------------------------------


def week_of(given: Mapping[str, Any]) -> Week:
    """A week from plain JSON types, as `asdict` made them."""
    return Week(
        given["length_s"],
        {int(queue): _rules(rules) for queue, rules in given["queues"].items()},
        BoostRules(**given["boost"]),
        tuple(
            Agent(**{**agent, "queues": frozenset(agent["queues"]), "available": tuple((a, b) for a, b in agent["available"])})
            for agent in given["agents"]
        ),
        tuple(Work(**work) for work in given["work"]),
    )


def change_of(given: Mapping[str, Any]) -> Change:
    return Change(
        given["queue"],
        None if given.get("steps") is None else _steps(given["steps"]),
        given.get("target_s"),
        given.get("service_target"),
        None if given.get("members") is None else frozenset(given["members"]),
        None if given.get("boost") is None else BoostRules(**given["boost"]),
        None if given.get("skill") is None else (given["skill"][0], str(given["skill"][1]), given["skill"][2]),
    )


def plain(value: Any) -> Any:
    """A week or a change as plain JSON types."""
    return _plain(asdict(value))


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {str(key): _plain(one) for key, one in value.items()}
    if isinstance(value, frozenset):
        return sorted(value)
    if isinstance(value, list | tuple):
        return [_plain(one) for one in value]
    return value


def _rules(given: Mapping[str, Any]) -> QueueRules:
    return QueueRules(**{**given, "steps": _steps(given["steps"])})


def _steps(given: Iterable[Mapping[str, Any]]) -> tuple[Step, ...]:
    return tuple(Step(**step) for step in given)


def main() -> None:
    """{"week": …, "change": …} on standard input; "progress <percent>" lines, then the comparison, on standard output."""
    given = json.load(sys.stdin)
    last = -1

    def told(share: float) -> None:
        nonlocal last
        if int(share * 100) > last:
            last = int(share * 100)
            print(f"progress {last}", flush=True)

    result = compare(week_of(given["week"]), change_of(given["change"]), told)
    print(json.dumps(result), flush=True)


if __name__ == "__main__":
    main()
