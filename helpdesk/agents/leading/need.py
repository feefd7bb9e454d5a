"""How many agents does the next hour need? The formulas of `agents.staffing`, fed with what this queue saw at this hour of this weekday.

Arrivals are those of the same weekday and hour in the last weeks; handling time (without what waits for the customer or for others) and
patience are the means of the last weeks' work. What has not been seen is None, and the screen says what the answer rests on.
"""

from __future__ import annotations

import json
import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from flask import render_template, request
from flask_babel import gettext as _
from sqlalchemy import func, select

from helpdesk import clock, db, web
from helpdesk.agents import staffing
from helpdesk.agents.leading.recorded import WEEKS, busy_seconds, resting
from helpdesk.agents.leading.views import bp
from helpdesk.agents.models import TICKET, Assignment, Presence, PresenceState, QueueMember, WorkItem
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
    """What was seen. `arrivals`: of each past week in this hour, the newest first. `aht_s` from `handled` pieces, `patience_s` from `left`
    who gave up (live channels only); None: too few. `here`: agents of the queue who are available now.
    """

    begins: datetime
    arrivals: tuple[int, ...]
    aht_s: float | None
    handled: int
    patience_s: float | None
    left: int
    here: int

    @property
    def rate_per_s(self) -> float:
        return statistics.fmean(self.arrivals) / 3600 if self.arrivals else 0.0


@dataclass(frozen=True)
class Need:
    """The answer for a queue: `agents` is None when nothing can be said. `rows` are what fewer and more agents lead to."""

    queue: Queue
    inputs: Inputs
    share: float
    within_s: float
    agents: int | None
    rows: tuple[staffing.Forecast, ...] = ()


def need_of(queue: Queue, begins: datetime, share: float, within_s: float) -> Need:
    """How many agents the hour from `begins` needs, for `share` of the work to be taken up within `within_s`."""
    seen = inputs(queue, begins)
    if seen.aht_s is None or not any(seen.arrivals):
        return Need(queue, seen, share, within_s, 0 if seen.arrivals and not any(seen.arrivals) else None)
    agents = staffing.agents_needed(seen.rate_per_s, seen.aht_s, share, within_s, seen.patience_s)
    around = range(max(1, agents - AROUND), agents + AROUND + 1)
    rows = tuple(staffing.forecast(number, seen.rate_per_s, seen.aht_s, within_s, seen.patience_s) for number in around)
    return Need(queue, seen, share, within_s, agents, rows)


def inputs(queue: Queue, begins: datetime) -> Inputs:
    """What is recorded of this queue about such an hour."""
    session = db.session()
    first = session.scalar(select(func.min(WorkItem.enqueued_at)).where(WorkItem.queue_id == queue.id))
    arrivals = []
    for week in range(1, WEEKS + 1):
        start = _weeks_before(begins, week)
        if first is None or start + HOUR <= first:
            break  # the desk was not there yet: no zero that nobody saw
        came = select(func.count()).where(WorkItem.queue_id == queue.id, WorkItem.enqueued_at >= start, WorkItem.enqueued_at < start + HOUR)
        arrivals.append(session.scalar(came) or 0)
    since = begins - timedelta(weeks=WEEKS)
    ended = (
        select(Assignment.ticket_id, Assignment.started_at, Assignment.ended_at)
        .join(WorkItem, WorkItem.id == Assignment.item_id)
        .where(WorkItem.queue_id == queue.id, Assignment.started_at >= since, Assignment.ended_at.is_not(None))
        .order_by(Assignment.started_at.desc())
    )
    rows = session.execute(ended.limit(MOST)).all()
    rests = resting({row.ticket_id for row in rows}, since)
    handled = [busy_seconds((row.started_at, row.ended_at), rests.get(row.ticket_id, ())) for row in rows if row.ended_at is not None]
    patience, left = _patience(queue.id, since)
    here = (
        select(func.count())
        .select_from(Presence)
        .join(QueueMember, (QueueMember.user_id == Presence.user_id) & (QueueMember.queue_id == queue.id))
        .where(Presence.state == PresenceState.AVAILABLE, Presence.expires_at >= clock.now())
    )
    aht = statistics.fmean(handled) if len(handled) >= FEWEST else None
    return Inputs(begins, tuple(arrivals), aht if aht else None, len(handled), patience, left, session.scalar(here) or 0)


def _patience(queue_id: int, since: datetime) -> tuple[float | None, int]:
    """The mean patience of exponential customers: all the time that chats and calls waited ÷ how many gave up; None from too few."""
    session = db.session()
    taken = select(Assignment.item_id)
    live = (WorkItem.queue_id == queue_id, WorkItem.channel != TICKET, WorkItem.enqueued_at >= since, WorkItem.state == "done")
    left = session.scalar(select(func.count()).select_from(WorkItem).where(*live, WorkItem.id.not_in(taken))) or 0
    if left < FEWEST:
        return None, left
    waited = 0.0
    waits = (
        select(WorkItem.enqueued_at, Assignment.started_at)
        .join(Assignment, Assignment.item_id == WorkItem.id)
        .where(WorkItem.queue_id == queue_id, WorkItem.channel != TICKET, WorkItem.enqueued_at >= since)
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
    needs = [need_of(queue, begins, min(share or queue.service_target, 0.99), within or float(queue.target_s)) for queue in queues]
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
        weeks=WEEKS,
    )
