"""A week as it was recorded: work with its waits and handling times, presence, and the rules of now, as `replay` takes it.

Read from the work items, assignments and events; what cannot be known is filled in as `Notes` says, and the screen says it, too.
"""

from __future__ import annotations

import statistics
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from sqlalchemy import or_, select

from helpdesk import clock, db
from helpdesk.agents import interrupts, steps, sticky
from helpdesk.agents.leading import behaviour
from helpdesk.agents.leading.replay.week import Agent, QueueRules, Week, Work
from helpdesk.agents.models import AgentProfile, AgentSkill, Assignment, QueueMember, WorkItem
from helpdesk.agents.ranking import BoostRules, Channel
from helpdesk.auth import STAFF, User
from helpdesk.events import Event
from helpdesk.preferences import preferences
from helpdesk.tickets import calendars
from helpdesk.tickets.models import Priority, Queue, Status, Ticket

#: How many weeks back can be chosen.
WEEKS = 8
#: What a piece of work takes where nobody has ever finished one, in seconds.
UNKNOWN_S = 1800.0
_RESTING = (Status.PENDING, Status.ON_HOLD)

Span = tuple[datetime, datetime]


@dataclass(frozen=True)
class Notes:
    """What the replay rests on: pieces of work; of those the ones whose handling time was filled in, and those given by hand; hours in
    which agents were available, all together; offers that were answered, and of those declined and expired; wrap-ups that were recorded.
    """

    work: int
    filled_in: int
    by_hand: int
    agents: int
    present_h: float
    answered: int = 0
    declined: int = 0
    expired: int = 0
    wraps: int = 0


def weeks(zone: str) -> list[tuple[date, datetime, datetime]]:
    """The weeks that can be chosen, the newest first: (Monday, begin, end); the running one ends now."""
    place = ZoneInfo(zone)
    now = clock.now()
    today = now.astimezone(place).date()
    monday = today - timedelta(days=today.weekday())
    found = []
    for back in range(WEEKS):
        first = monday - timedelta(weeks=back)
        begin = datetime.combine(first, time(), place).astimezone(UTC)
        end = datetime.combine(first + timedelta(weeks=1), time(), place).astimezone(UTC)
        found.append((first, begin, min(end, now)))
    return found


def boost_rules() -> BoostRules:
    """The boosts as the desk's preferences have them now."""
    said = preferences()
    by_priority = {str(Priority.HIGH): float(said.boost_high_s), str(Priority.URGENT): float(said.boost_urgent_s)}
    return BoostRules(by_priority, float(said.boost_value_s), float(said.boost_largest_s))


def rules_of(queue: Queue) -> QueueRules:
    """What routing asks of a queue now."""
    version = calendars.version_of(queue)
    return QueueRules(
        steps.of(queue),
        float(queue.target_s),
        queue.service_target,
        queue.tier,
        queue.prefers_proficiency,
        {channel: int(weight) for channel, weight in queue.weights.items()},
        queue.acceptance,
        float(queue.offer_s),
        {} if queue.acceptance == "pull" else {str(channel): sticky.hold_s(queue, channel) for channel in Channel},
        queue.wrap_up != "none",
        None if version is None else {name: getattr(version, name) for name in ("zone", "weekly", "holidays", "special")},
    )


def week(begin: datetime, end: datetime) -> tuple[Week, Notes]:
    """Everything that was recorded from `begin` to `end`, under the rules of now."""
    queues = {queue.id: rules_of(queue) for queue in db.session().scalars(select(Queue))}
    offered = behaviour.offered(begin, end)
    wraps = behaviour.wraps(begin, end)
    agents = _agents(begin, end, offered)
    work, filled_in, by_hand = _work(begin, end, {agent.id for agent in agents}, offered, wraps)
    present_s = sum(b - a for agent in agents for a, b in spans(agent, (end - begin).total_seconds()))
    served = behaviour.served({one.customer for one in work}, begin)
    made = Week(
        (end - begin).total_seconds(), queues, boost_rules(), agents, work, begin.timestamp(), float(preferences().exclusion_s), served,
        interrupts.in_force(),
    )  # fmt: skip
    said = [answer.how for answer in offered]
    return made, Notes(
        len(work), filled_in, by_hand, sum(bool(spans(agent, made.length_s)) for agent in agents), present_s / 3600,
        len(said), said.count("declined"), said.count("expired"), len(wraps),
    )  # fmt: skip


def spans(agent: Agent, length_s: float) -> list[tuple[float, float]]:
    """When an agent was available, as (from, to)."""
    following = [*agent.states[1:], (length_s, "")]
    return [(since, until) for (since, state), (until, _next) in zip(agent.states, following, strict=True) if state == "available"]


# --- agents ----------------------------------------------------------------------------------------------------------------


def _agents(begin: datetime, end: datetime, offered: Sequence[behaviour.Answered]) -> tuple[Agent, ...]:
    session = db.session()
    skills: dict[int, dict[str, int]] = {}
    for known in session.scalars(select(AgentSkill)):
        skills.setdefault(known.user_id, {})[str(known.skill_id)] = known.level
    queues: dict[int, set[int]] = {}
    for member in session.scalars(select(QueueMember)):
        queues.setdefault(member.user_id, set()).add(member.queue_id)
    rows = session.execute(
        select(User.id, AgentProfile).join(AgentProfile, AgentProfile.user_id == User.id).where(User.role.in_(STAFF)).order_by(User.id)
    ).all()
    here = behaviour.presence([row.id for row in rows], begin, end)
    answers = behaviour.habits(offered)
    return tuple(
        Agent(
            row.id,
            skills.get(row.id, {}),
            frozenset(queues.get(row.id, ())),
            row.AgentProfile.capacity,
            row.AgentProfile.live_capacity,
            {channel: int(cap) for channel, cap in row.AgentProfile.channel_caps.items()},
            {channel: int(weight) for channel, weight in row.AgentProfile.weights.items()},
            here[row.id].states,
            answers.get(row.id, {}),
            here[row.id].returns,
        )
        for row in rows
    )


# --- work ------------------------------------------------------------------------------------------------------------------


@dataclass
class _Record:
    item: WorkItem
    priority: str
    customer: int
    owned: list[tuple[datetime, datetime | None, int, str]]  # from, to, whose, how


def _work(
    begin: datetime, end: datetime, agents: set[int], offered: Sequence[behaviour.Answered], wraps: Mapping[int, float]
) -> tuple[tuple[Work, ...], int, int]:
    """The week's work; how many handling times were filled in; how many pieces a person gave, or took, past routing."""
    records = _records(begin, end)
    rests = resting({record.item.ticket_id for record in records}, begin)
    rules = boost_rules()
    answered: dict[int, list[tuple[int, str, float]]] = {}
    for answer in offered:
        answered.setdefault(answer.item, []).append((answer.agent, answer.how, answer.after_s))
    now = clock.now()
    found: list[Work] = []
    unknown: list[int] = []
    by_hand = 0
    for record in records:
        item = record.item
        first = record.owned[0] if record.owned else None
        spans = [(max(a, begin), b or now) for a, b, _whose, _how in record.owned if b is None or b > begin]
        busy = sum(busy_seconds(span, rests.get(item.ticket_id, ())) for span in spans)
        held_by = first[2] if first is not None and first[0] < begin else None
        if held_by is not None and held_by not in agents:
            continue
        if first is None:
            unknown.append(len(found))
        by_hand += first is not None and first[3] not in ("offer", "automatic")
        value = float(item.boost.get("value_s", 0.0)) / rules.value_s if rules.value_s else 0.0
        waited = (first[0] - item.enqueued_at).total_seconds() if first is not None and begin <= first[0] < end else None
        given = tuple(answered.get(item.id, ()))
        found.append(
            Work(
                item.id,
                item.queue_id,
                item.channel,
                (item.enqueued_at - begin).total_seconds(),
                record.priority,
                min(1.0, value),
                busy,
                waited,
                held_by,
                item.emergency,
                record.customer,
                wraps.get(item.id, 0.0),
                given,
            )
        )
    return _filled(found, unknown), len(unknown), by_hand


def _records(begin: datetime, end: datetime) -> list[_Record]:
    """Items that came within the week, or had come before it and were waiting or in hand when it began."""
    session = db.session()
    owned = select(Assignment.item_id).where(Assignment.started_at < end, or_(Assignment.ended_at.is_(None), Assignment.ended_at > begin))
    rows = session.execute(
        select(WorkItem, Ticket.priority, Ticket.requester_id)
        .join(Ticket, Ticket.id == WorkItem.ticket_id)
        .where(WorkItem.enqueued_at < end, or_(WorkItem.enqueued_at >= begin, WorkItem.id.in_(owned), WorkItem.state == "waiting"))
        .order_by(WorkItem.enqueued_at, WorkItem.id)
    ).all()
    records = {row.WorkItem.id: _Record(row.WorkItem, str(row.priority), row.requester_id, []) for row in rows}
    wanted = select(WorkItem.id).where(WorkItem.enqueued_at < end, or_(WorkItem.enqueued_at >= begin, WorkItem.id.in_(owned)))
    held = select(Assignment).where(Assignment.item_id.in_(wanted)).order_by(Assignment.started_at, Assignment.id)
    for assignment in session.scalars(held):
        record = records.get(assignment.item_id)
        if record is not None:
            record.owned.append((assignment.started_at, assignment.ended_at, assignment.user_id, assignment.how))
    return list(records.values())


def resting(tickets: set[int], begin: datetime) -> dict[int, list[Span]]:
    """When each ticket waited for its customer or for others: then it weighed on nobody."""
    changes = select(Event).where(Event.kind == "status_changed", Event.at >= begin).order_by(Event.at, Event.id)
    since: dict[int, datetime] = {}
    found: dict[int, list[Span]] = {}
    for event in db.session().scalars(changes):
        ticket = event.ticket_id or 0
        if ticket not in tickets:
            continue
        rests = event.data.get("new") in _RESTING
        if rests:
            since.setdefault(ticket, event.at)
        elif ticket in since:
            found.setdefault(ticket, []).append((since.pop(ticket), event.at))
    for ticket, at in since.items():
        found.setdefault(ticket, []).append((at, datetime.max.replace(tzinfo=UTC)))
    return found


def busy_seconds(span: Span, without: Sequence[Span]) -> float:
    """How long a span is without those others."""
    a, b = span
    out = sum(max(0.0, (min(b, end) - max(a, start)).total_seconds()) for start, end in without)
    return max(0.0, (b - a).total_seconds() - out)


def _filled(work: list[Work], unknown: Sequence[int]) -> tuple[Work, ...]:
    """Work that nobody has had takes as long as half of its queue's do, the finishing up too; as half of all where its queue has none."""
    missing = set(unknown)
    busy, wrapped = _usual(work, missing, lambda one: one.busy_s), _usual(work, missing, lambda one: one.wrap_s)
    of_all = statistics.median([one.busy_s for number, one in enumerate(work) if number not in missing] or [UNKNOWN_S])
    return tuple(
        replace(one, busy_s=busy.get(one.queue, of_all), waited_s=None, held_by=None, wrap_s=wrapped.get(one.queue, 0.0))
        if number in missing
        else one
        for number, one in enumerate(work)
    )


def _usual(work: Sequence[Work], without: set[int], seconds: Callable[[Work], float]) -> dict[int, float]:
    """The median by queue."""
    found: dict[int, list[float]] = {}
    for number, one in enumerate(work):
        if number not in without:
            found.setdefault(one.queue, []).append(seconds(one))
    return {queue: statistics.median(some) for queue, some in found.items()}
