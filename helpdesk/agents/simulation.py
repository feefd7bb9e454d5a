"""Routing under a virtual clock: arrivals, agents and patience as events, every choice made by `ranking`.

`helpdesk simulate` runs it. The product finds the few candidates by SQL, this floor finds them with heaps: of each
group of identical agents the one whose `agent_key` is smallest, of each signature the item whose `order_key` is
smallest. Who gets what is then decided by the same `best_agent` and `best_item` as in the product.
"""

from __future__ import annotations

import math
import multiprocessing
import random
import statistics
from collections.abc import Callable, Hashable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from heapq import heapify, heappop, heappush, heapreplace
from typing import Any

from helpdesk.agents import ranking
from helpdesk.agents.ranking import AgentKey, AgentState, ItemHead, OrderKey
from helpdesk.agents.simulation_case import Case, Group

Arrival = tuple[float, int, float, float]  # when, number of the class, service in seconds, patience in seconds
_DONE, _GIVE_UP = 0, 1  # kinds of event; who is done comes before who gives up at the same instant


def simulate(case: Case, jobs: int = 1) -> dict[str, Any]:
    """Run the case once per seed, in up to `jobs` processes; the figures do not depend on how many.

    Returns {"overall": figures, "classes": {name: figures}}; each figure is {"mean", "se"} over the seeds: None where
    no seed has one (the wait of nobody), and no standard error for a single seed.
    """
    if jobs > 1 and len(case.seeds) > 1:
        with ProcessPoolExecutor(min(jobs, len(case.seeds)), multiprocessing.get_context("spawn")) as pool:
            results = list(pool.map(_run, [case] * len(case.seeds), case.seeds))
    else:
        results = [_run(case, seed) for seed in case.seeds]
    overall = _over_seeds([_figures([*result.tallies]) | {"occupancy": result.occupancy} for result in results])
    return {
        "overall": overall,
        "classes": {
            each.name: _over_seeds([_figures([result.tallies[number]]) for result in results]) for number, each in enumerate(case.classes)
        },
    }


@dataclass(slots=True)
class Tally:
    """What became of the counted items of one class."""

    offered: int = 0
    waited: int = 0
    in_time: int = 0
    served: int = 0
    abandoned: int = 0
    wait_s: float = 0.0  # of the served


@dataclass(frozen=True, slots=True)
class Result:
    """One seed's outcome; occupancy is None when the counted time is empty."""

    tallies: Sequence[Tally]
    occupancy: float | None


def _run(case: Case, seed: int) -> Result:
    return Floor(case).run(arrivals(case, seed))


def arrivals(case: Case, seed: int) -> Iterator[Arrival]:
    """The case's arrivals in order of time; each class draws from streams of its own.

    What a class draws depends on the seed, its name and nothing else, so two rules are compared on the same customers.
    """
    gaps, services, patiences, upcoming = [], [], [], []
    for number, each in enumerate(case.classes):
        gap, service, patience = (random.Random(f"{seed} {stream} {each.name}") for stream in ("arrivals", "service", "patience"))
        gaps.append(_exponential(gap, 1 / each.rate_per_s))
        services.append(each.service.sampler(service))
        patiences.append(_exponential(patience, each.patience_mean_s))
        upcoming.append((gaps[number](), number))
    heapify(upcoming)
    for _ in range(case.arrivals):
        now, number = upcoming[0]
        yield now, number, services[number](), patiences[number]()
        heapreplace(upcoming, (now + gaps[number](), number))


def _exponential(stream: random.Random, mean: float | None) -> Callable[[], float]:
    if mean is None:
        return lambda: math.inf
    rate, draw = 1 / mean, stream.expovariate
    return lambda: draw(rate)


@dataclass(slots=True)
class _Group:
    """Identical agents: those with room, by key, and the signatures that they may serve."""

    spec: Group
    free: list[AgentKey] = field(default_factory=list)  # heap; an entry counts while it is its agent's present key
    queues: list[_Waiting] = field(default_factory=list)


@dataclass(slots=True)
class _Waiting:
    """The waiting items of one signature, by key, and the groups that may serve them."""

    signature: ranking.Signature
    keys: list[OrderKey] = field(default_factory=list)  # heap; an entry counts while its item still waits
    groups: list[_Group] = field(default_factory=list)


class Floor:
    """Agents, waiting items and a virtual clock.

    `on_match(now, item id, agent id)` hears every match, `after_event(floor)` runs when an instant's event is done;
    both are for those who check the floor.
    """

    def __init__(
        self, case: Case, *, on_match: Callable[[float, int, int], None] | None = None, after_event: Callable[[Floor], None] | None = None
    ) -> None:
        self.case = case
        self.now = 0.0
        self.tallies = [Tally() for _ in case.classes]
        self.waiting: dict[int, tuple[ItemHead, int, float]] = {}  # item id → head, class, service
        self.agents: list[AgentState] = []
        self._on_match, self._after_event = on_match, after_event
        self._groups = [_Group(spec) for spec in case.agents]
        self._group_of: list[_Group] = []
        self._keys: list[AgentKey | None] = []  # by agent: the key under which it stands among the free
        self._queues = self._by_signature()
        self._events: list[tuple[float, int, int]] = []  # when, kind, agent or item
        self._any_item = case.classes[0].item(0, 0.0)  # no queue here asks for proficiency: one agent key for all
        self._busy, self._busy_s, self._changed_at = 0, 0.0, 0.0
        for group in self._groups:
            for _ in range(group.spec.count):
                self._group_of.append(group)
                self._keys.append(None)
                self.agents.append(group.spec.agent(len(self.agents), 0, 0.0))
                self._stand_free(self.agents[-1])

    def run(self, arriving: Iterator[Arrival]) -> Result:
        """Let everybody arrive and be served. Whoever comes after the warm-up counts; so does the time since then."""
        events, warmup, watched = self._events, self.case.warmup, self._after_event
        since = 0.0
        for number, (when, kind, service_s, patience_s) in enumerate(arriving):
            while events and events[0][0] <= when:
                self._next_event()
            self.now = when
            if number == warmup:
                self._count_busy(0)
                since, self._busy_s = when, 0.0
            self._arrive(number, kind, service_s, patience_s)
            if watched:
                watched(self)
        self._count_busy(0)
        counted_s = self.now - since
        occupancy = self._busy_s / (counted_s * self.case.capacity) if counted_s > 0 else None
        while events:
            self._next_event()
        return Result(self.tallies, occupancy)

    # ---- what happens

    def _arrive(self, id: int, kind: int, service_s: float, patience_s: float) -> None:
        item = self.case.classes[kind].item(id, self.now)
        if id >= self.case.warmup:
            self.tallies[kind].offered += 1
        queue = self._queues[kind]
        candidates = [self.agents[head[3]] for group in queue.groups if (head := self._head_of(group)) is not None]
        if candidates:
            decision = ranking.best_agent(item, candidates)
            if decision.agent is not None:
                self._match(item, kind, service_s, self.agents[decision.agent])
                return
        self.waiting[id] = (item, kind, service_s)
        heappush(queue.keys, ranking.order_key(item))
        if id >= self.case.warmup:
            self.tallies[kind].waited += 1
        if patience_s < math.inf:
            heappush(self._events, (self.now + patience_s, _GIVE_UP, id))

    def _next_event(self) -> None:
        self.now, what, who = heappop(self._events)
        if what == _DONE:
            self._finish(who)
        elif who in self.waiting:
            _, kind, _ = self.waiting.pop(who)
            if who >= self.case.warmup:
                self.tallies[kind].abandoned += 1
        if self._after_event:
            self._after_event(self)

    def _finish(self, id: int) -> None:
        """The agent is done with one item and takes the best of what waits, if anything may be theirs."""
        self._count_busy(-1)
        group = self._group_of[id]
        agent = self.agents[id] = group.spec.agent(id, self.agents[id].load - 1, self.now)
        if self.waiting:
            heads: dict[Hashable, ItemHead] = {
                queue.signature: head for queue in group.queues if (head := self._head_of_waiting(queue)) is not None
            }
            decision = ranking.best_item(agent, heads)
            if decision.item is not None:
                self._match(*self.waiting.pop(decision.item), agent)
                return
        self._stand_free(agent)

    def _match(self, item: ItemHead, kind: int, service_s: float, agent: AgentState) -> None:
        self._count_busy(1)
        if item.id >= self.case.warmup:
            tally, wait_s = self.tallies[kind], self.now - item.enqueued_at
            tally.served += 1
            tally.wait_s += wait_s
            tally.in_time += wait_s <= self.case.threshold_s
        self._keys[agent.id] = None
        agent = self.agents[agent.id] = self._group_of[agent.id].spec.agent(agent.id, agent.load + 1, agent.idle_since)
        if agent.load < agent.capacity:
            self._stand_free(agent)
        heappush(self._events, (self.now + service_s, _DONE, agent.id))
        if self._on_match:
            self._on_match(self.now, item.id, agent.id)

    # ---- where everybody stands

    def _by_signature(self) -> list[_Waiting]:
        """One queue per signature, and for each class the queue of its own."""
        queues: dict[ranking.Signature, _Waiting] = {}
        by_class = []
        for each in self.case.classes:
            item = each.item(0, 0.0)
            signature = ranking.signature(item)
            if signature not in queues:
                queue = queues[signature] = _Waiting(signature)
                for group in self._groups:
                    if ranking.why_not(group.spec.agent(0, 0, 0.0), item) is None:
                        queue.groups.append(group)
                        group.queues.append(queue)
            by_class.append(queues[signature])
        return by_class

    def _stand_free(self, agent: AgentState) -> None:
        key = self._keys[agent.id] = ranking.agent_key(agent, self._any_item)
        heappush(self._group_of[agent.id].free, key)

    def _head_of(self, group: _Group) -> AgentKey | None:
        free, keys = group.free, self._keys
        while free and keys[free[0][3]] is not free[0]:
            heappop(free)
        return free[0] if free else None

    def _head_of_waiting(self, queue: _Waiting) -> ItemHead | None:
        keys, waiting = queue.keys, self.waiting
        while keys and keys[0][3] not in waiting:
            heappop(keys)
        return waiting[keys[0][3]][0] if keys else None

    def _count_busy(self, change: int) -> None:
        self._busy_s += self._busy * (self.now - self._changed_at)
        self._busy += change
        self._changed_at = self.now


# ---- figures


def _figures(tallies: Sequence[Tally]) -> dict[str, float | None]:
    def total(part: str) -> float:
        return math.fsum(getattr(tally, part) for tally in tallies)

    def share(part: float, of: float) -> float | None:
        return part / of if of else None

    offered, served = total("offered"), total("served")
    return {
        "served": served,
        "abandoned": total("abandoned"),
        "mean_wait_s": share(total("wait_s"), served),
        "p_wait": share(total("waited"), offered),
        "service_level": share(total("in_time"), offered),
        "p_abandon": share(total("abandoned"), offered),
    }


def _over_seeds(figures: Sequence[dict[str, float | None]]) -> dict[str, dict[str, float | None]]:
    summary: dict[str, dict[str, float | None]] = {}
    for name in figures[0]:
        values = [value for each in figures if (value := each[name]) is not None]
        summary[name] = {
            "mean": statistics.fmean(values) if values else None,
            "se": statistics.stdev(values) / math.sqrt(len(values)) if len(values) > 1 else None,
        }
    return summary
