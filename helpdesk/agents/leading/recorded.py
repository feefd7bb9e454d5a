"""A week as it was recorded: work with its waits and handling times, presence, and the rules of now, as `replay` takes it.

Read from the work items, assignments and events; what cannot be known is filled in as `Notes` says, and the screen says it, too.
"""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from sqlalchemy import func, or_, select

from helpdesk import clock, db
from helpdesk.agents import steps
from helpdesk.agents.leading.replay import Agent, QueueRules, Week, Work
from helpdesk.agents.models import AgentProfile, AgentSkill, Assignment, Presence, PresenceState, QueueMember, WorkItem
from helpdesk.agents.ranking import BoostRules
from helpdesk.auth import STAFF, User
from helpdesk.events import Event
from helpdesk.preferences import preferences
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
    which agents were available, all together.
    """

    work: int
    filled_in: int
    by_hand: int
    agents: int
    present_h: float


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
    return QueueRules(
        steps.of(queue),
        float(queue.target_s),
        queue.service_target,
        queue.tier,
        queue.prefers_proficiency,
        {channel: int(weight) for channel, weight in queue.weights.items()},
    )


def week(begin: datetime, end: datetime) -> tuple[Week, Notes]:
    """Everything that was recorded from `begin` to `end`, under the rules of now."""
    queues = {queue.id: rules_of(queue) for queue in db.session().scalars(select(Queue))}
    agents = _agents(begin, end)
    work, filled_in, by_hand = _work(begin, end, {agent.id for agent in agents})
    present_s = sum(b - a for agent in agents for a, b in agent.available)
    made = Week((end - begin).total_seconds(), queues, boost_rules(), agents, work)
    return made, Notes(len(work), filled_in, by_hand, sum(bool(agent.available) for agent in agents), present_s / 3600)


# --- agents ----------------------------------------------------------------------------------------------------------------


def _agents(begin: datetime, end: datetime) -> tuple[Agent, ...]:
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
    here = _presence([row.id for row in rows], begin, end)
    return tuple(
        Agent(
            row.id,
            skills.get(row.id, {}),
            frozenset(queues.get(row.id, ())),
            row.AgentProfile.capacity,
            row.AgentProfile.live_capacity,
            {channel: int(cap) for channel, cap in row.AgentProfile.channel_caps.items()},
            {channel: int(weight) for channel, weight in row.AgentProfile.weights.items()},
            tuple(((a - begin).total_seconds(), (b - begin).total_seconds()) for a, b in here.get(row.id, ())),
        )
        for row in rows
    )


def _presence(users: Sequence[int], begin: datetime, end: datetime) -> dict[int, list[Span]]:
    """When each of these people was available, from the history of their presence."""
    session = db.session()
    said: dict[int, list[tuple[datetime, str, str]]] = {}
    changes = select(Event).where(Event.kind == "presence_changed", Event.at >= begin, Event.at < end, Event.user_id.in_(users))
    for event in session.scalars(changes.order_by(Event.at, Event.id)):
        said.setdefault(event.user_id or 0, []).append((event.at, str(event.data["old"]), str(event.data["new"])))
    silent = [user for user in users if user not in said]
    last = (
        select(func.max(Event.id))
        .where(Event.kind == "presence_changed", Event.at < begin, Event.user_id.in_(silent))
        .group_by(Event.user_id)
    )
    before = {event.user_id: str(event.data["new"]) for event in session.scalars(select(Event).where(Event.id.in_(last)))}
    for row in session.scalars(select(Presence).where(Presence.user_id.in_(silent), Presence.since < begin)):
        before.setdefault(row.user_id, str(row.state) if row.expires_at > begin else str(PresenceState.OFFLINE))
    return {user: _spans(said.get(user, []), before.get(user, ""), begin, end) for user in users}


def _spans(changes: Sequence[tuple[datetime, str, str]], before: str, begin: datetime, end: datetime) -> list[Span]:
    since = begin if (changes[0][1] if changes else before) == PresenceState.AVAILABLE else None
    found: list[Span] = []
    for at, _old, new in changes:
        if new == PresenceState.AVAILABLE:
            since = since or at
        elif since is not None:
            found.append((since, at))
            since = None
    if since is not None:
        found.append((since, end))
    return [span for span in found if span[0] < span[1]]


# --- work ------------------------------------------------------------------------------------------------------------------


@dataclass
class _Record:
    item: WorkItem
    priority: str
    owned: list[tuple[datetime, datetime | None, int, str]]  # from, to, whose, how


def _work(begin: datetime, end: datetime, agents: set[int]) -> tuple[tuple[Work, ...], int, int]:
    """The week's work; how many handling times were filled in; how many pieces a person gave, or took, past routing."""
    records = _records(begin, end)
    rests = resting({record.item.ticket_id for record in records}, begin)
    rules = boost_rules()
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
        at = (item.enqueued_at - begin).total_seconds()
        found.append(
            Work(item.id, item.queue_id, item.channel, at, record.priority, min(1.0, value), busy, waited, held_by, item.emergency)
        )
    return _filled(found, unknown), len(unknown), by_hand


def _records(begin: datetime, end: datetime) -> list[_Record]:
    """Items that came within the week, or had come before it and were waiting or in hand when it began."""
    session = db.session()
    owned = select(Assignment.item_id).where(Assignment.started_at < end, or_(Assignment.ended_at.is_(None), Assignment.ended_at > begin))
    rows = session.execute(
        select(WorkItem, Ticket.priority)
        .join(Ticket, Ticket.id == WorkItem.ticket_id)
        .where(WorkItem.enqueued_at < end, or_(WorkItem.enqueued_at >= begin, WorkItem.id.in_(owned), WorkItem.state == "waiting"))
        .order_by(WorkItem.enqueued_at, WorkItem.id)
    ).all()
    records = {row.WorkItem.id: _Record(row.WorkItem, str(row.priority), []) for row in rows}
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
    """Work that nobody has had takes as long as half of its queue's do; as half of all where its queue has none."""
    by_queue: dict[int, list[float]] = {}
    for number, one in enumerate(work):
        if number not in set(unknown):
            by_queue.setdefault(one.queue, []).append(one.busy_s)
    everything = [busy for some in by_queue.values() for busy in some]
    usual: Mapping[int, float] = {queue: statistics.median(some) for queue, some in by_queue.items()}
    of_all = statistics.median(everything) if everything else UNKNOWN_S
    for number in unknown:
        one = work[number]
        work[number] = Work(
            one.id, one.queue, one.channel, one.at, one.priority, one.value, usual.get(one.queue, of_all), None, None, one.emergency
        )
    return tuple(work)
