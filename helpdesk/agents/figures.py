"""The wallboard's figures, counted from the tables in one snapshot, so that none can drift from the tickets behind it.

`agents.wallboard` shows and pushes them, `agents.counted` says what each counts, `agents.behind` lists the tickets of each. What each
figure means stands on the definitions page (templates/agents/wallboard_definitions.html). What nobody has observed yet is None, never 0.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, Engine, case, exists, func, select
from sqlalchemy.orm import Session

from helpdesk import clock, db
from helpdesk.agents import counted
from helpdesk.agents.models import AgentProfile, Presence, PresenceState, QueueMember
from helpdesk.auth import User
from helpdesk.crm import satisfaction
from helpdesk.crm.models import Rating
from helpdesk.tickets.metrics import Rate, Spread, spread
from helpdesk.tickets.models import Channel, Queue, SlaClock, Survey, Ticket, unsolved

#: How many of the tickets at risk the board names.
NAMED = 20
#: A day that has run longer than this is drawn by the hour.
LONG_DAY = timedelta(hours=12)
#: Figures are not computed more often than this, whoever asks.
FRESH_S = 1.0


# --- what the board holds ------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Longest:
    """The ticket whose customer has waited longest for us, since when, and against which target in seconds."""

    number: int
    channel: Channel
    since: datetime
    waited_s: float
    target_s: int


@dataclass(frozen=True)
class Risk:
    """A ticket whose deadline comes within the next half hour."""

    number: int
    subject: str
    due_at: datetime
    target_s: int
    queue_id: int
    assignee: str


@dataclass(frozen=True)
class AgentNow:
    """One agent: state and since when, guarded load against capacity, and how many unsolved tickets they own in all."""

    name: str
    state: PresenceState
    since: datetime | None
    load: int
    capacity: int
    tickets: int

    @property
    def full(self) -> bool:
        """Available, but no more work fits."""
        return self.state is PresenceState.AVAILABLE and self.load >= self.capacity


@dataclass(frozen=True)
class State:
    """What is so at this moment. `any` says whether this desk has ever had a ticket: before the first, a zero would say too much."""

    at: datetime
    any: bool
    waiting: dict[Channel, int]
    longest: Longest | None
    breached: int
    at_risk: int
    risks: list[Risk]
    agents: list[AgentNow]

    @property
    def waits(self) -> int:
        return sum(self.waiting.values())


@dataclass(frozen=True)
class Slot:
    """Tickets that arrived, and tickets first answered, from `label` on."""

    label: str
    arrived: int
    answered: int


@dataclass(frozen=True)
class Csat:
    """Satisfied ratings of all ratings, with the Wilson 95% interval; None without ratings."""

    rate: Rate
    low: float | None
    high: float | None


@dataclass(frozen=True)
class Rolling:
    """What has happened today so far. Shares are None while there is nothing to divide by.

    service: first replies within target ÷ (those + targets missed); `hours` the same by the hour it was decided.
    targets: the least and the greatest share that the queues aim for; target_s: their target, if they have one in common.
    asked: surveys sent within the month by the whole desk, and how many of those were answered.
    """

    day: counted.Day
    service: Rate
    hours: list[tuple[str, Rate]]
    targets: tuple[float, float]
    target_s: int | None
    first_reply: Spread
    yesterday: Spread
    csat: Csat
    month: Csat
    asked: Rate
    step: timedelta
    slots: list[Slot]


@dataclass(frozen=True)
class Board:
    """Everything the wallboard shows of one queue, or of all."""

    queue_id: int | None
    state: State
    rolling: Rolling
    queues: dict[int, Queue]


# --- one snapshot --------------------------------------------------------------------------------------------------------

_guard = threading.Lock()
_kept: dict[tuple[Engine, int | None], tuple[float, datetime, Board]] = {}


def board(queue_id: int | None, *, zone: str) -> Board:
    """The board of a queue (None: all of them), computed at most once a second in this process."""
    key = (db.engine(), queue_id)
    with _guard:
        found = _kept.get(key)
        if (
            found is not None
            and time.monotonic() - found[0] < FRESH_S
            and found[1] <= clock.now() < found[1] + timedelta(seconds=2 * FRESH_S)
        ):
            return found[2]
    made = compute(queue_id, zone=zone)
    with _guard:
        if len(_kept) > 200:
            _kept.clear()
        _kept[key] = (time.monotonic(), made.state.at, made)
    return made


def forget() -> None:
    """Compute anew, whoever asks next."""
    with _guard:
        _kept.clear()


def compute(queue_id: int | None, *, zone: str, rolling: Rolling | None = None, month: Rolling | None = None) -> Board:
    """The board from one snapshot of its own. `rolling`: figures of a moment ago, if all of today's are good enough; `month`: if
    only those of the last thirty days are.
    """
    with db.outside(), db.read() as session:
        if session.get_bind().dialect.name == "postgresql":
            session.connection(execution_options={"isolation_level": "REPEATABLE READ"})  # READ COMMITTED: one snapshot per statement
        now = clock.now()
        queues = {queue.id: queue for queue in session.scalars(select(Queue))}
        return Board(
            queue_id,
            _state(session, queue_id, now, queues),
            rolling or _rolling(session, queue_id, counted.today(now, zone), queues, month),
            queues,
        )


# --- this moment ---------------------------------------------------------------------------------------------------------


def _state(session: Session, queue_id: int | None, now: datetime, queues: dict[int, Queue]) -> State:
    scope = counted.of_queue(queue_id)
    channels = session.execute(
        select(Ticket.channel, func.count().label("n"))
        .where(scope, counted.waiting())
        .group_by(Ticket.channel)
        .order_by(func.count().desc(), Ticket.channel)
    ).all()
    first = session.execute(
        select(Ticket.number, Ticket.channel, Ticket.waiting_since, Ticket.queue_id)
        .where(scope, counted.waiting())
        .order_by(Ticket.waiting_since, Ticket.id)
        .limit(1)
    ).one_or_none()
    late, soon = session.execute(
        select(func.sum(case((Ticket.next_due_at <= now, 1), else_=0)), func.sum(case((Ticket.next_due_at > now, 1), else_=0))).where(
            scope, unsolved(), Ticket.next_due_at.is_not(None), Ticket.next_due_at <= now + counted.RISK, ~Ticket.due_paused
        )
    ).one()
    return State(
        at=now,
        any=bool(session.scalar(select(exists().where(Ticket.id > 0)))),
        waiting={row.channel: row.n for row in channels},
        longest=None
        if first is None
        else Longest(
            first.number,
            first.channel,
            first.waiting_since,
            (now - first.waiting_since).total_seconds(),
            queues[first.queue_id].target_s,
        ),
        breached=int(late or 0),
        at_risk=int(soon or 0),
        risks=_risks(session, scope, now, queues),
        agents=_agents(session, queue_id, now),
    )


def _risks(session: Session, scope: ColumnElement[bool], now: datetime, queues: dict[int, Queue]) -> list[Risk]:
    rows = session.execute(
        select(Ticket.number, Ticket.subject, Ticket.next_due_at, Ticket.queue_id, User.name)
        .outerjoin(User, User.id == Ticket.assignee_id)
        .where(scope, counted.at_risk(now))
        .order_by(Ticket.next_due_at, Ticket.id)
        .limit(NAMED)
    )
    return [Risk(row.number, row.subject, row.next_due_at, queues[row.queue_id].target_s, row.queue_id, row.name or "") for row in rows]


_ORDER = list(PresenceState)


def _agents(session: Session, queue_id: int | None, now: datetime) -> list[AgentNow]:
    members = select(QueueMember.user_id)
    if queue_id is not None:
        members = members.where(QueueMember.queue_id == queue_id)
    rows = session.execute(
        select(User.id, User.name, Presence.state, Presence.since, Presence.expires_at, AgentProfile.load, AgentProfile.capacity)
        .outerjoin(Presence, Presence.user_id == User.id)
        .outerjoin(AgentProfile, AgentProfile.user_id == User.id)
        .where(User.active, User.id.in_(members))
    ).all()
    owned = session.execute(
        select(Ticket.assignee_id, func.count())
        .where(unsolved(), Ticket.merged_into_id.is_(None), Ticket.assignee_id.in_([row.id for row in rows]))
        .group_by(Ticket.assignee_id)
    ).all()
    tickets: dict[int, int] = {agent: number for agent, number in owned if agent is not None}
    found = []
    for row in rows:
        silent = row.state is None or row.expires_at < now
        offline = silent or row.state is PresenceState.OFFLINE
        # A screen that went silent: since its time to live ended, which is when it began to count as offline.
        since = row.expires_at if silent and row.state not in (None, PresenceState.OFFLINE) else row.since
        state = PresenceState.OFFLINE if offline else row.state
        found.append(AgentNow(row.name, state, since, row.load or 0, row.capacity or 0, tickets.get(row.id, 0)))
    return sorted(found, key=lambda agent: (_ORDER.index(agent.state), agent.full, agent.name))


# --- today ---------------------------------------------------------------------------------------------------------------


def _rolling(session: Session, queue_id: int | None, day: counted.Day, queues: dict[int, Queue], before: Rolling | None) -> Rolling:
    scope = counted.of_queue(queue_id)
    arrived = list(session.scalars(select(Ticket.opened_at).where(scope, Ticket.opened_at >= day.start, Ticket.opened_at <= day.now)))
    answered = session.execute(
        select(Ticket.first_reply_at, Ticket.opened_at).where(scope, Ticket.first_reply_at >= day.before, Ticket.first_reply_at <= day.now)
    ).all()
    met, missed = decided(session, scope, day)
    replies = [row.first_reply_at for row in answered if row.first_reply_at >= day.start]
    step, slots, hours = _course(day, arrived, replies, met, missed)
    held = [queue for queue in queues.values() if (queue.active if queue_id is None else queue.id == queue_id)]
    shares, times = {queue.service_target for queue in held}, {queue.target_s for queue in held}
    return Rolling(
        day=day,
        service=Rate(len(met), len(met) + len(missed)),
        hours=hours,
        targets=(min(shares, default=0.0), max(shares, default=0.0)),
        target_s=times.pop() if len(times) == 1 else None,
        first_reply=spread((row.first_reply_at - row.opened_at).total_seconds() for row in answered if row.first_reply_at >= day.start),
        yesterday=spread((row.first_reply_at - row.opened_at).total_seconds() for row in answered if row.first_reply_at < day.start),
        csat=_csat(session, day.start, queue_id),
        month=before.month if before else _csat(session, day.now - timedelta(days=counted.MONTH), queue_id),
        asked=before.asked if before else _asked(session, day.now - timedelta(days=counted.MONTH)),
        step=step,
        slots=slots,
    )


def decided(session: Session, scope: ColumnElement[bool], day: counted.Day) -> tuple[list[datetime], list[datetime]]:
    """When first replies came in time today, and when targets for one ran out today: each ticket is decided once, on one day."""
    base = select(SlaClock.due_at).join(Ticket, Ticket.id == SlaClock.ticket_id)
    met = base.with_only_columns(Ticket.first_reply_at).where(scope, counted.in_time(day.start, day.now + timedelta(microseconds=1)))
    missed = base.where(scope, counted.too_late(day.start, day.now))
    return [at for at in session.scalars(met) if at is not None], [at for at in session.scalars(missed) if at is not None]


def _course(
    day: counted.Day, arrived: list[datetime], answered: list[datetime], met: list[datetime], missed: list[datetime]
) -> tuple[timedelta, list[Slot], list[tuple[str, Rate]]]:
    """The day from its first busy hour to now. Nothing stands for hours to come."""
    hour = timedelta(hours=1)
    first = min([*arrived, *answered, *met, *missed], default=None)
    if first is None:
        return hour, [], []
    begin = day.start + (first - day.start) // hour * hour
    step = timedelta(minutes=15) if day.now - begin <= LONG_DAY else hour
    came, went = _spread_out(arrived, begin, day.now, step), _spread_out(answered, begin, day.now, step)
    good, bad = _spread_out(met, begin, day.now, hour), _spread_out(missed, begin, day.now, hour)
    slots = [Slot(day.label(begin + number * step), a, b) for number, (a, b) in enumerate(zip(came, went, strict=True))]
    hours = [(day.label(begin + number * hour), Rate(a, a + b)) for number, (a, b) in enumerate(zip(good, bad, strict=True))]
    return step, slots, hours


def _spread_out(moments: Iterable[datetime], begin: datetime, end: datetime, step: timedelta) -> list[int]:
    counts = [0] * ((end - begin) // step + 1)
    for at in moments:
        counts[(at - begin) // step] += 1
    return counts


def _csat(session: Session, since: datetime, queue_id: int | None) -> Csat:
    n, good = session.execute(
        select(func.count(), func.sum(case((Rating.score >= 4, 1), else_=0))).where(counted.rated(since, queue_id))
    ).one()
    rate = Rate(int(good or 0), int(n or 0))
    low, high = satisfaction.wilson(rate.part, rate.n) or (None, None)
    return Csat(rate, low, high)


def _asked(session: Session, since: datetime) -> Rate:
    asked, answered = session.execute(select(func.count(), func.count(Survey.answered_at)).where(Survey.sent_at >= since)).one()
    return Rate(int(answered), int(asked))
