"""The floor of a recorded week: agents who come and go, offers held out and answered, work that waits, and a clock that is given.

Who gets what is decided by `ranking.best_agent` and `ranking.best_item`, who may by `widening.standing`, as in the product; how people
answer and when they come back is `replay.people`.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from heapq import heapify, heappop, heappush

from helpdesk.agents import ranking
from helpdesk.agents.leading.replay.people import Manners, Person
from helpdesk.agents.leading.replay.week import Agent, Week, Work
from helpdesk.agents.ranking import AgentState, Channel, ItemHead, OrderKey, Presence
from helpdesk.agents.widening import standing
from helpdesk.tickets.hours import NeverOpen

#: Kinds of happening; at one instant agents come before they go, work is done before it is given.
_COMES, _WRAPPED, _DONE, _ANSWERED, _GOES, _AGAIN, _ARRIVES, _WIDENS = range(8)
#: How often progress is told, in happenings.
TOLD = 500

Line = tuple[int, str, int, int]  # queue, channel, step, and on step 0 the agent for whom it is held


@dataclass(frozen=True, slots=True)
class _Offer:
    work: Work
    agent: int
    how: str


class Floor:
    """`run` lets the week happen. `waits` is what became of each piece: None while it waits. `on_match` hears who took what, and when."""

    def __init__(self, week: Week, *, on_match: Callable[[float, int, int], None] | None = None) -> None:
        self.week = week
        self.now = 0.0
        self.waits: dict[int, float | None] = {}
        self._on_match = on_match
        self._work = {work.id: self._turned(work) for work in week.work}
        self._people = {agent.id: Person(agent) for agent in week.agents}
        self._manners = Manners(week)
        self._agents = {agent.id: _arrived(agent) for agent in week.agents}
        self._here: dict[int, set[int]] = {queue: set() for queue in week.queues}
        self._waiting: dict[int, ItemHead] = {}
        self._heads: dict[Line, list[OrderKey]] = {}
        self._excluded: dict[int, dict[int, float]] = {}
        self._offers: dict[int, _Offer] = {}
        self._made = 0
        self._served = dict(week.served)
        self._lines = self._lines_of_agents()
        self._events: list[tuple[float, int, int, int]] = []  # when, kind, work, agent or offer, more
        for work in self._work.values():
            if work.held_by is None:
                self._events.append((max(0.0, work.at), _ARRIVES, work.id, 0))
        for agent in week.agents:
            for number, (since, state) in enumerate(agent.states):
                self._events.append((since, _COMES if state == "available" else _GOES, agent.id, number))
        heapify(self._events)
        for work in self._work.values():
            if work.held_by in self._agents:
                self._hold(work, work.held_by, 1)
                self._weigh(work, work.held_by, 1)
                heappush(self._events, (work.busy_s, _DONE, work.id, work.held_by))

    def run(self, told: Callable[[float], None] = lambda share: None) -> dict[int, float | None]:
        """Let the week happen; `told` hears how much of it has. Returns the waits by work."""
        happens: dict[int, Callable[[int, int], None]] = {
            _COMES: self._recorded, _GOES: self._recorded, _WRAPPED: self._wrapped, _DONE: self._done, _ANSWERED: self._answered,
            _AGAIN: self._again, _ARRIVES: self._arrive, _WIDENS: self._widen,
        }  # fmt: skip
        count = 0
        while self._events and self._events[0][0] <= self.week.length_s:
            self.now, kind, who, more = heappop(self._events)
            happens[kind](who, more)
            count += 1
            if count % TOLD == 0:
                told(min(1.0, self.now / self.week.length_s))
        return self.waits

    def excluded(self, work_id: int) -> frozenset[int]:
        """Who is not asked about a piece of work now."""
        return frozenset(agent for agent, until in self._excluded.get(work_id, {}).items() if until > self.now)

    # ---- work

    def _arrive(self, work_id: int, _more: int) -> None:
        work = self._work[work_id]
        if self.week.queues[work.queue].acceptance == "pull" and work.channel == Channel.TICKET:
            self.waits[work.id] = work.waited_s  # nobody is asked: agents took it when they took it
            return
        self.waits[work.id] = None
        self._stand(work)

    def _widen(self, work_id: int, _more: int) -> None:
        if work_id in self._waiting:
            self._stand(self._work[work_id])

    def _stand(self, work: Work) -> None:
        """Hold the item out to the best agent, or let it wait on the step of its age."""
        item = self._head(work)
        while True:
            states = self._around(item)
            asked = replace(item, excluded_agents=self.excluded(work.id))
            decision = ranking.best_agent(asked, states, self.week.interrupts)
            if decision.agent is not None:
                self._waiting.pop(work.id, None)
                self._give(work, decision.agent)
                return
            if not self._lapse(asked, states):
                break
        self._waiting[work.id] = item
        heappush(self._heads.setdefault(_line(item), []), ranking.order_key(item))
        until = self._until(work, item)
        if until is not None:
            heappush(self._events, (max(self.now, work.at + until), _WIDENS, work.id, 0))

    def _until(self, work: Work, item: ItemHead) -> float | None:
        rules = self.week.queues[work.queue]
        return rules.holds.get(work.channel, 0.0) if item.step == 0 else rules.steps[item.step - 1].until_age

    def _serve(self, id: int) -> None:
        """The best of what waits for this agent, again and again until there is none or no room."""
        while self._waiting and self._agents[id].presence == Presence.AVAILABLE:
            heads: dict[Hashable, ItemHead] = {line: head for line in self._lines[id] if (head := self._first(line, id)) is not None}
            decision = ranking.best_item(self._agents[id], heads, self.week.interrupts)
            if decision.item is None:
                return
            self._waiting.pop(decision.item)
            self._give(self._work[decision.item], id)

    def _done(self, work_id: int, id: int) -> None:
        work = self._work[work_id]
        self._hold(work, id, -1)
        self._idle(id)
        self._served[work.customer] = id
        if self.week.queues[work.queue].wraps and work.wrap_s > 0:
            self._people[id].wrapping += work.channel != Channel.TICKET
            heappush(self._events, (self.now + work.wrap_s, _WRAPPED, work.id, id))
            self._turn(id)
        else:
            self._weigh(work, id, -1)
        self._serve(id)

    def _wrapped(self, work_id: int, id: int) -> None:
        work = self._work[work_id]
        self._weigh(work, id, -1)
        self._people[id].wrapping -= work.channel != Channel.TICKET
        self._idle(id)
        self._turn(id)
        self._serve(id)

    # ---- offers

    def _give(self, work: Work, id: int) -> None:
        """Assign it where the queue does so at once, else hold it out until the agent answers."""
        self._hold(work, id, 1)
        self._weigh(work, id, 1)
        rules = self.week.queues[work.queue]
        if rules.acceptance == "automatic" and work.channel == Channel.TICKET:
            self._take(work, id)
            return
        how, after = self._manners.answer(work, self._people[id].agent, rules.offer_s)
        if how == "accepted" and after <= 0:
            self._take(work, id)
            return
        self._made += 1
        self._offers[self._made] = _Offer(work, id, how)
        heappush(self._events, (self.now + after, _ANSWERED, self._made, 0))

    def _answered(self, number: int, _more: int) -> None:
        offer = self._offers.pop(number, None)
        if offer is None:
            return  # withdrawn meanwhile
        if offer.how == "accepted":
            self._take(offer.work, offer.agent)
            return
        if offer.how == "expired" and offer.work.channel != Channel.TICKET:
            self._miss(offer.agent)
        self._refused(offer)
        self._serve(offer.agent)

    def _take(self, work: Work, id: int) -> None:
        self.waits[work.id] = self.now - work.at
        heappush(self._events, (self.now + work.busy_s, _DONE, work.id, id))
        if self._on_match:
            self._on_match(self.now, work.id, id)

    def _refused(self, offer: _Offer) -> None:
        """The work waits again with its place kept; this agent is not asked about it for a while."""
        self._hold(offer.work, offer.agent, -1)
        self._weigh(offer.work, offer.agent, -1)
        until = self.now + self.week.exclusion_s
        self._excluded.setdefault(offer.work.id, {})[offer.agent] = until
        heappush(self._events, (until, _AGAIN, offer.agent, 0))
        self._stand(offer.work)

    # ---- people

    def _recorded(self, id: int, number: int) -> None:
        """What the agent did in that week."""
        person = self._people[id]
        person.recorded, person.missing = person.agent.states[number][1], 0
        self._turn(id)
        self._back(id)

    def _miss(self, id: int) -> None:
        """Nobody answered a chat or a call: not responding until they come back, as they did in that week."""
        person = self._people[id]
        person.absences += 1
        person.missing = person.absences
        heappush(self._events, (self.now + self._manners.back_after(person), _AGAIN, id, person.absences))
        self._turn(id)

    def _again(self, id: int, absence: int) -> None:
        """They may be asked again about what they did not take, or are back from not responding."""
        if absence and self._people[id].missing == absence:
            self._people[id].missing = 0
            self._turn(id)
        self._back(id)

    def _turn(self, id: int) -> None:
        """Let everything follow an agent's presence: who may be asked, offers that are open, what is held for them."""
        state, now_is = self._agents[id], self._people[id].presence
        if now_is == state.presence:
            return
        idle = self.now if now_is == Presence.AVAILABLE else state.idle_since
        self._agents[id] = replace(state, presence=now_is, idle_since=idle)
        for queue in self._people[id].agent.queues:
            if queue in self._here:
                (self._here[queue].add if now_is in (Presence.AVAILABLE, Presence.WRAP_UP) else self._here[queue].discard)(id)
        if now_is in (Presence.AVAILABLE, Presence.WRAP_UP):
            return
        for number in [number for number, offer in self._offers.items() if offer.agent == id]:
            self._refused(self._offers.pop(number))
        if now_is == Presence.OFFLINE:
            for held in [item.id for item in self._waiting.values() if item.held_for == id]:
                self._stand(self._work[held])
        self._ask_again()

    def _back(self, id: int) -> None:
        """Whoever comes gets the best of everything, also of what they refused where nobody else is left."""
        for work_id in [work_id for work_id in self._excluded if work_id in self._waiting]:
            item = self._waiting[work_id]
            self._lapse(replace(item, excluded_agents=self.excluded(work_id)), self._around(item))
        self._serve(id)

    def _lapse(self, asked: ItemHead, states: list[AgentState]) -> bool:
        """Forget who refused, if nobody who could have the item is left; whether so."""
        if not asked.excluded_agents or not ranking.exclusions_lapse(asked, states):
            return False
        del self._excluded[asked.id]
        return True

    def _around(self, item: ItemHead) -> list[AgentState]:
        """The people of the item's queue, and of the one it overflows into, who are here."""
        queues = [item.queue] if item.overflow_queue is None else [item.queue, item.overflow_queue]
        return [self._agents[agent] for agent in sorted({agent for queue in queues for agent in self._here.get(queue, ())})]

    def _ask_again(self) -> None:
        """Somebody went: perhaps nobody is left now who did not refuse what waits."""
        for work_id in [work_id for work_id in self._excluded if work_id in self._waiting]:
            if work_id in self._waiting:
                self._stand(self._work[work_id])

    def _idle(self, id: int) -> None:
        self._agents[id] = replace(self._agents[id], idle_since=self.now)

    # ---- where everything stands

    def _turned(self, work: Work) -> Work:
        """A chat or a call that comes while its queue is closed waits as a ticket."""
        calendar = self.week.queues[work.queue].calendar
        if work.channel == Channel.TICKET or calendar is None or calendar.is_open(self._instant(work.at)):
            return work
        return replace(work, channel=Channel.TICKET)

    def _instant(self, at: float) -> datetime:
        return datetime.fromtimestamp(self.week.begins_at + at, UTC)

    def _due(self, work: Work) -> float:
        """When the queue's target ends, in its open time."""
        rules = self.week.queues[work.queue]
        if rules.calendar is not None:
            try:
                return rules.calendar.add(self._instant(work.at), rules.target_s).timestamp() - self.week.begins_at
            except NeverOpen:
                pass
        return work.at + rules.target_s

    def _head(self, work: Work) -> ItemHead:
        rules, before = self.week.queues[work.queue], self._waiting.get(work.id)
        keeper = self._keeper(work, before)
        now_at = standing(
            rules.steps,
            self.now - work.at,
            sticky_agent=keeper,
            sticky_presence=Presence.OFFLINE if keeper is None else self._agents[keeper].presence,
            hold_s=rules.holds.get(work.channel, 0.0),
            at_least=0 if before is None else before.step,
        )
        boost = ranking.boost(work.priority, work.value, self.week.boost)
        return ItemHead(
            work.id,
            work.channel,
            work.queue,
            0 if work.emergency else rules.tier,
            ranking.vkey(self._due(work), boost.total_s) if before is None else before.vkey,
            work.at,
            now_at.requirements,
            step=now_at.step,
            weight=rules.weights.get(work.channel, 1),
            interruptible=work.channel == Channel.TICKET,
            held_for=now_at.held_for,
            overflow_queue=now_at.overflow_queue,
            by_proficiency=rules.by_proficiency,
        )

    def _keeper(self, work: Work, before: ItemHead | None) -> int | None:
        """Who served the customer last, if they could have this; nobody once it is held no longer."""
        keeper = self._served.get(work.customer) if before is None else before.held_for
        if keeper not in self._people or keeper in self.excluded(work.id):
            return None
        agent, first = self._people[keeper].agent, self.week.queues[work.queue].steps[0].requirements
        able = work.queue in agent.queues and all(agent.skills.get(skill, 0) >= level for skill, level in first.items())
        return keeper if able else None

    def _hold(self, work: Work, id: int, sign: int) -> None:
        """One piece more or less in hand."""
        state = self._agents[id]
        loads = {**state.channel_loads, work.channel: max(0, state.channel_loads.get(work.channel, 0) + sign)}
        self._agents[id] = replace(state, channel_loads=loads)

    def _weigh(self, work: Work, id: int, sign: int) -> None:
        state = self._agents[id]
        weight = sign * state.weights.get(work.channel, self.week.queues[work.queue].weights.get(work.channel, 1))
        if work.channel == Channel.TICKET:
            self._agents[id] = replace(state, interruptible_load=max(0, state.interruptible_load + weight))
        else:
            self._agents[id] = replace(state, load=max(0, state.load + weight))

    def _first(self, line: Line, id: int) -> ItemHead | None:
        """The first of a line that this agent is not excluded from."""
        keys, past = self._heads.get(line, []), []
        found = None
        while keys:
            item = self._waiting.get(keys[0][3])
            if item is None or _line(item) != line or ranking.order_key(item) != keys[0]:
                heappop(keys)
            elif id in self.excluded(item.id):
                past.append(heappop(keys))
            else:
                found = item
                break
        for key in past:
            heappush(keys, key)
        return found

    def _lines_of_agents(self) -> dict[int, list[Line]]:
        """For each agent the lines that their queues, and those that overflow into them, have, and what is held for them."""
        channels = sorted({work.channel for work in self._work.values()})
        lines: dict[int, list[Line]] = {agent.id: [] for agent in self.week.agents}
        for queue, rules in self.week.queues.items():
            for agent in self.week.agents:
                if queue in agent.queues:
                    lines[agent.id] += [(queue, channel, 0, agent.id) for channel in channels if rules.holds.get(channel)]
                for number, step in enumerate(rules.steps, start=1):
                    if queue in agent.queues or (step.overflow_queue is not None and step.overflow_queue in agent.queues):
                        lines[agent.id] += [(queue, channel, number, 0) for channel in channels]
        return lines


def _line(item: ItemHead) -> Line:
    return (item.queue, item.channel, item.step, item.held_for or 0)


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
