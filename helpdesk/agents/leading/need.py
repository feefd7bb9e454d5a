"""How many agents does the next hour need? Erlang's formulas, fed with what this queue saw at this hour of this weekday.

For each channel of a queue that had work then: arrivals are those of the same weekday and hour in the last weeks; how fast agents are
with so many pieces in hand (`agents.concurrency`; without what waits for the customer or for others) and patience come from the last
weeks' work. What has not been seen is None, and the screen says what the answer rests on.
"""

from __future__ import annotations

import json
import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from flask import render_template, request
from flask_babel import gettext as _
from sqlalchemy import func, or_, select

from helpdesk import clock, db, web
from helpdesk.agents import concurrency, interrupts, reasons, staffing, steps
from helpdesk.agents.leading.recorded import WEEKS, resting
from helpdesk.agents.leading.views import bp
from helpdesk.agents.models import CHANNELS, TICKET, AgentProfile, Assignment, Presence, PresenceState, QueueMember, WorkItem
from helpdesk.auth import User
from helpdesk.durations import duration
from helpdesk.tickets.models import Queue

HOUR = timedelta(hours=1)
#: The chart and table show so many numbers of agents on either side of the answer.
AROUND = 4
#: At least so many pieces of work for a mean.
FEWEST = 3
#: The last so many pieces of work are looked at.
MOST = 5000
SHARES = (0.5, 0.6, 0.7, 0.8, 0.9, 0.95)


@dataclass(frozen=True)
class Inputs:
    """What was seen of one channel of a queue. `arrivals`: of each past week in this hour, the newest first. `aht_s` from `handled` pieces,
    `patience_s` from `left` who gave up (live channels only); None: too few. `here`: agents of the queue who are available now. `most`: how
    many pieces an agent of the queue may have at once, on average; `measured`: how fast they are with so many in hand.
    """

    begins: datetime
    channel: str
    arrivals: tuple[int, ...]
    aht_s: float | None
    handled: int
    patience_s: float | None
    left: int
    here: int
    most: int
    measured: concurrency.Measured | None

    @property
    def rate_per_s(self) -> float:
        return statistics.fmean(self.arrivals) / 3600 if self.arrivals else 0.0


@dataclass(frozen=True)
class Need:
    """The answer for a channel of a queue: `agents` None when nothing can be said. `rows` are what fewer and more agents lead to."""

    queue: Queue
    inputs: Inputs
    share: float
    within_s: float
    agents: int | None
    rows: tuple[staffing.Forecast, ...] = ()


def needs_of(queue: Queue, begins: datetime, share: float, within_s: float) -> list[Need]:
    """One answer for each channel that had work in such an hour, else one for the first that ever had any."""
    ever = set(db.session().scalars(select(WorkItem.channel).where(WorkItem.queue_id == queue.id).distinct()))
    found = [need_of(queue, channel, begins, share, within_s) for channel in CHANNELS if channel in ever]
    busy = [need for need in found if any(need.inputs.arrivals)]
    return busy or found[:1] or [need_of(queue, TICKET, begins, share, within_s)]


def need_of(queue: Queue, channel: str, begins: datetime, share: float, within_s: float) -> Need:
    """How many agents the hour from `begins` needs, for `share` of a channel's work to be taken up within `within_s`."""
    seen = inputs(queue, channel, begins)
    if seen.measured is None or not any(seen.arrivals):
        return Need(queue, seen, share, within_s, 0 if seen.arrivals and not any(seen.arrivals) else None)
    pace = seen.measured.pace
    agents = concurrency.agents_needed(seen.rate_per_s, pace, share, within_s, seen.patience_s)
    around = range(max(1, agents - AROUND), agents + AROUND + 1)
    rows = tuple(concurrency.forecast(number, seen.rate_per_s, pace, within_s, seen.patience_s) for number in around)
    return Need(queue, seen, share, within_s, agents, rows)


def inputs(queue: Queue, channel: str, begins: datetime) -> Inputs:
    """What is recorded of this channel of the queue about such an hour."""
    session = db.session()
    of = (WorkItem.queue_id == queue.id, WorkItem.channel == channel)
    first = session.scalar(select(func.min(WorkItem.enqueued_at)).where(WorkItem.queue_id == queue.id))
    arrivals = []
    for week in range(1, WEEKS + 1):
        start = _weeks_before(begins, week)
        if first is None or start + HOUR <= first:
            break  # the desk was not there yet: no zero that nobody saw
        came = select(func.count()).where(*of, WorkItem.enqueued_at >= start, WorkItem.enqueued_at < start + HOUR)
        arrivals.append(session.scalar(came) or 0)
    since = begins - timedelta(weeks=WEEKS)
    pieces = _pieces(queue, channel, since)
    handled = [sum(until - since for since, until in piece.spans) for piece in pieces if piece.counts]
    most = _most(queue, channel)
    measured = concurrency.measured(concurrency.levels(pieces), most) if len(handled) >= FEWEST else None
    patience, left = (None, 0) if channel == TICKET else _patience(queue.id, channel, since)
    here = (
        select(func.count())
        .select_from(Presence)
        .join(QueueMember, (QueueMember.user_id == Presence.user_id) & (QueueMember.queue_id == queue.id))
        .where(Presence.state == PresenceState.AVAILABLE, Presence.expires_at >= clock.now())
    )
    aht = statistics.fmean(handled) if measured is not None else None
    return Inputs(
        begins, channel, tuple(arrivals), aht, len(handled), patience, left, session.scalar(here) or 0, most, measured,
    )  # fmt: skip


def _most(queue: Queue, channel: str) -> int:
    """How many pieces an agent of the queue may have at once: room ÷ weight, within their limit; one where nothing of its kind may join.

    The mean of those who work there and have any room, rounded down: the formulas know agents of one kind.
    """
    members = (
        select(AgentProfile)
        .join(QueueMember, (QueueMember.user_id == AgentProfile.user_id) & (QueueMember.queue_id == queue.id))
        .join(User, (User.id == AgentProfile.user_id) & User.active)
    )
    joins = channel in interrupts.in_force().get(channel, CHANNELS)
    found = []
    for profile in db.session().scalars(members):
        room = profile.capacity if channel == TICKET else profile.live_capacity
        number = room // int(profile.weights.get(channel, steps.weight_of(queue, channel)))
        number = min(number, int(profile.channel_caps.get(channel, number)), number if joins else 1)
        if number > 0:
            found.append(number)
    return int(statistics.fmean(found)) if found else 1


def _pieces(queue: Queue, channel: str, since: datetime) -> list[concurrency.Piece]:
    """The last pieces of this channel that were finished, and what else of it their agents had in hand meanwhile, in whatever queue."""
    session = db.session()
    held = (
        select(Assignment.id, Assignment.user_id, Assignment.ticket_id, Assignment.started_at, Assignment.ended_at, WorkItem.queue_id)
        .join(WorkItem, WorkItem.id == Assignment.item_id)
        .where(WorkItem.channel == channel, Assignment.started_at >= since)
        .order_by(Assignment.started_at.desc())
    )
    rows = list(session.execute(held.where(WorkItem.queue_id == queue.id, Assignment.ended_at.is_not(None)).limit(MOST)))
    if not rows:
        return []
    mine = {row.id for row in rows}
    beside = held.where(
        Assignment.user_id.in_({row.user_id for row in rows}),
        or_(Assignment.ended_at.is_(None), Assignment.ended_at > min(row.started_at for row in rows)),
    )
    rows += [row for row in session.execute(beside.limit(4 * MOST)) if row.id not in mine]
    # Only tickets rest: a chat or a call weighs until it is over.
    rests = resting({row.ticket_id for row in rows}, since) if channel == TICKET else {}
    now = clock.now()
    return [concurrency.Piece(row.user_id, _weighed(row, rests.get(row.ticket_id, ()), now), row.id in mine) for row in rows]


def _weighed(row: Any, rests: Sequence[tuple[datetime, datetime]], now: datetime) -> tuple[tuple[float, float], ...]:
    """When an assignment weighed on its agent, in epoch seconds: without the time in which its ticket rested."""
    spans, at, end = [], row.started_at, row.ended_at or now
    for begin, until in sorted(rests):
        if begin > at:
            spans.append((at.timestamp(), min(begin, end).timestamp()))
        at = max(at, until)
        if at >= end:
            break
    if at < end or not spans:
        spans.append((min(at, end).timestamp(), end.timestamp()))
    return tuple(spans)


def _patience(queue_id: int, channel: str, since: datetime) -> tuple[float | None, int]:
    """The mean patience of exponential customers: all the time that chats and calls waited ÷ how many gave up; None from too few."""
    session = db.session()
    taken = select(Assignment.item_id)
    live = (WorkItem.queue_id == queue_id, WorkItem.channel == channel, WorkItem.enqueued_at >= since, WorkItem.state == "done")
    left = session.scalar(select(func.count()).select_from(WorkItem).where(*live, WorkItem.id.not_in(taken))) or 0
    if left < FEWEST:
        return None, left
    waited = 0.0
    waits = (
        select(WorkItem.enqueued_at, Assignment.started_at)
        .join(Assignment, Assignment.item_id == WorkItem.id)
        .where(WorkItem.queue_id == queue_id, WorkItem.channel == channel, WorkItem.enqueued_at >= since)
    )
    for row in session.execute(waits.limit(MOST)):
        waited += (row.started_at - row.enqueued_at).total_seconds()
    return (waited / left if waited else None), left


def _weeks_before(moment: datetime, weeks: int) -> datetime:
    """The same weekday and hour by the company's clock, whatever daylight saving did in between."""
    place = ZoneInfo(web.settings().time_zone)
    local = moment.astimezone(place)
    return (local - timedelta(weeks=weeks)).astimezone(UTC)


def chart(rows: Sequence[staffing.Forecast], share: float) -> str:
    """The share taken up in time by number of agents, as charts.js reads it."""
    return json.dumps(
        {
            "type": "bar",
            "labels": [str(row.agents) for row in rows],
            "series": [{"name": _("Taken up in time, %"), "values": [round(row.service_level * 100, 1) for row in rows], "tone": "ok"}],
            "min": 0,
            "max": 100,
            "target": {"value": round(share * 100), "label": f"{share:.0%}"},
        },
        ensure_ascii=False,
    )


@bp.get("/staffing")
def staffing_page() -> str:
    """How many agents the coming hour needs, for each queue; `within` minutes and `share` in the address say the target."""
    now = clock.now()
    begins = now.replace(minute=0, second=0, microsecond=0) + HOUR
    word, minutes = request.args.get("share", ""), request.args.get("within", "")
    share = next((one for one in SHARES if f"{one:g}" == word), None)
    within = int(minutes) * 60.0 if minutes.isdigit() and 0 < int(minutes[:6]) <= 43200 else None
    queues = db.session().scalars(select(Queue).where(Queue.active).order_by(Queue.name))
    needs = [
        (queue, needs_of(queue, begins, min(share or queue.service_target, 0.99), within or float(queue.target_s))) for queue in queues
    ]
    return render_template(
        "agents/staffing.html",
        here="floor",
        needs=needs,
        begins=begins,
        share=word if share else "",
        within=minutes if within else "",
        shares=[(f"{one:g}", f"{one:.0%}") for one in SHARES],
        chart=chart,
        time_words=lambda seconds: "—" if seconds is None or math.isinf(seconds) else duration(seconds, web.lang()),
        endless=math.isinf,
        channel_words=reasons.CHANNELS,
    )
