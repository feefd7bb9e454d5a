"""What a replay is given: the week as it was recorded, the rules, and the change that is tried; and the same as plain JSON."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field, replace
from functools import cached_property
from typing import Any

from helpdesk.agents.ranking import INTERRUPTS, BoostRules, Interrupts
from helpdesk.agents.widening import Step
from helpdesk.tickets.hours import Calendar, stored

#: How an offer was answered (accepted, declined, expired), and after how many seconds.
Answer = tuple[str, float]


@dataclass(frozen=True)
class QueueRules:
    """What routing asks of a queue. `service_target` is the share to be taken up within `target_s`, in open seconds of `hours` (as stored;
    None: always open). `acceptance` and `offer_s` as the queue says; `holds` by channel: for how long work is kept for whoever served the
    customer last. `wraps`: whether an agent finishes up after the work.
    """

    steps: tuple[Step, ...]
    target_s: float
    service_target: float = 0.8
    tier: int = 1
    by_proficiency: bool = False
    weights: Mapping[str, int] = field(default_factory=dict)
    acceptance: str = "automatic"
    offer_s: float = 30.0
    holds: Mapping[str, float] = field(default_factory=dict)
    wraps: bool = False
    hours: Mapping[str, Any] | None = None

    @cached_property
    def calendar(self) -> Calendar | None:
        return None if self.hours is None else stored(**self.hours)


@dataclass(frozen=True, slots=True)
class Agent:
    """One agent of the week: what they can do and carry, and from when on they were available, away or offline, in order of time.

    Not responding and wrapping up are no states here: the replay makes its own. `answers`: how they answered offers, by channel;
    `returns`: after how many seconds they came back from not responding.
    """

    id: int
    skills: Mapping[str, int]
    queues: frozenset[int]
    capacity: int
    live_capacity: int
    channel_caps: Mapping[str, int]
    weights: Mapping[str, int]
    states: tuple[tuple[float, str], ...]
    answers: Mapping[str, tuple[Answer, ...]] = field(default_factory=dict)
    returns: tuple[float, ...] = ()


@dataclass(frozen=True, slots=True)
class Work:
    """One piece of recorded work. `busy_s`: for how long it weighed on whoever had it; `wrap_s`: for how long they finished up after it.
    `value`: the customer's, 0 to 1. `answered`: who answered an offer of it, how and after how many seconds, in order.

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
    customer: int = 0
    wrap_s: float = 0.0
    answered: tuple[tuple[int, str, float], ...] = ()


@dataclass(frozen=True, slots=True)
class Week:
    """Everything that was recorded. `length_s` is how long it was; nobody is available beyond it. `begins_at`: epoch seconds, for
    calendars. `served`: who had served each customer last when it began. `exclusion_s`: for how long somebody who did not take work is not
    asked about it again.
    """

    length_s: float
    queues: Mapping[int, QueueRules]
    boost: BoostRules
    agents: tuple[Agent, ...]
    work: tuple[Work, ...]
    begins_at: float = 0.0
    exclusion_s: float = 300.0
    served: Mapping[int, int] = field(default_factory=dict)
    interrupts: Interrupts = field(default_factory=lambda: INTERRUPTS)


@dataclass(frozen=True, slots=True)
class Change:
    """What is tried: a queue's steps, target and members, the boosts, one agent's level of a skill (0: without it), the table of
    interruptions. None: as it is.
    """

    queue: int
    steps: tuple[Step, ...] | None = None
    target_s: float | None = None
    service_target: float | None = None
    members: frozenset[int] | None = None
    boost: BoostRules | None = None
    skill: tuple[int, str, int] | None = None  # agent, skill, level
    interrupts: Interrupts | None = None


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
    return replace(
        week,
        queues={**week.queues, change.queue: rules},
        agents=agents,
        boost=change.boost or week.boost,
        interrupts=week.interrupts if change.interrupts is None else change.interrupts,
    )


# --- as plain JSON types -----------------------------------------------------------------------------------------------------


def week_of(given: Mapping[str, Any]) -> Week:
    """A week from plain JSON types, as `plain` made them."""
    return Week(
        **{
            **given,
            "queues": {int(queue): QueueRules(**{**rules, "steps": _steps(rules["steps"])}) for queue, rules in given["queues"].items()},
            "boost": BoostRules(**given["boost"]),
            "agents": tuple(_agent(agent) for agent in given["agents"]),
            "work": tuple(Work(**{**work, "answered": _tuples(work["answered"])}) for work in given["work"]),
            "served": {int(customer): agent for customer, agent in given["served"].items()},
            "interrupts": _interrupts(given["interrupts"]),
        }
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
        None if given.get("interrupts") is None else _interrupts(given["interrupts"]),
    )


def plain(value: Week | Change) -> Any:
    """A week or a change as plain JSON types."""
    if value.interrupts is not None:
        value = replace(value, interrupts=dict(value.interrupts))  # a read-only view cannot be copied
    return _plain(asdict(value))


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {str(key): _plain(one) for key, one in value.items()}
    if isinstance(value, frozenset):
        return sorted(value)
    if isinstance(value, list | tuple):
        return [_plain(one) for one in value]
    return value


def _agent(given: Mapping[str, Any]) -> Agent:
    answers = {channel: _tuples(some) for channel, some in given["answers"].items()}
    return Agent(
        **{
            **given, "queues": frozenset(given["queues"]), "states": _tuples(given["states"]), "answers": answers,
            "returns": tuple(given["returns"]),
        }
    )  # fmt: skip


def _interrupts(given: Mapping[str, Iterable[str]]) -> Interrupts:
    return {channel: frozenset(others) for channel, others in given.items()}


def _steps(given: Iterable[Mapping[str, Any]]) -> tuple[Step, ...]:
    return tuple(Step(**step) for step in given)


def _tuples(given: Iterable[Iterable[Any]]) -> tuple[Any, ...]:
    return tuple(tuple(one) for one in given)
