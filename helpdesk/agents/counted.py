"""What the wallboard's figures count, as conditions that `agents.figures` counts with and `agents.behind` lists with, so that both agree.

Days are the company's days.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from sqlalchemy import ColumnElement, and_, literal_column, or_

from helpdesk.crm.models import Rating, RatingKind
from helpdesk.tickets.models import SlaClock, Status, Ticket, unsolved

#: How soon a deadline counts as at risk.
RISK = timedelta(minutes=30)
#: The longer window of satisfaction, in days.
MONTH = 30


@dataclass(frozen=True)
class Day:
    """The company's today: `start` ≤ … ≤ `now`; `before` is the start of yesterday."""

    start: datetime
    now: datetime
    before: datetime
    zone: ZoneInfo

    def label(self, at: datetime) -> str:
        """A time of this day as it stands under a chart."""
        return at.astimezone(self.zone).strftime("%H:%M")


def today(now: datetime, zone: str) -> Day:
    """The day that `now` belongs to in this zone."""
    place = ZoneInfo(zone)
    midnight = now.astimezone(place).replace(hour=0, minute=0, second=0, microsecond=0, fold=0)
    before = midnight - timedelta(days=1)  # wall-clock arithmetic: yesterday's midnight, also after a night of 23 hours
    return Day(midnight.astimezone(UTC), now, before.astimezone(UTC), place)


def of_queue(queue_id: int | None) -> ColumnElement[bool]:
    """Tickets of this queue (None: any) that speak for themselves."""
    alone = Ticket.merged_into_id.is_(None)
    return alone if queue_id is None else and_(alone, Ticket.queue_id == queue_id)


def waiting() -> ColumnElement[bool]:
    """The customer's last message has no answer yet, and it is our turn: neither theirs nor somebody else's."""
    return and_(unsolved(), Ticket.status.in_((Status.NEW, Status.OPEN)), Ticket.waiting_since.is_not(None))


def breached(now: datetime) -> ColumnElement[bool]:
    """A running target is past. Paused ones are not owed at this moment."""
    return and_(unsolved(), Ticket.next_due_at <= now, ~Ticket.due_paused)


def at_risk(now: datetime) -> ColumnElement[bool]:
    """A running target ends within the next half hour."""
    return and_(unsolved(), Ticket.next_due_at > now, Ticket.next_due_at <= now + RISK, ~Ticket.due_paused)


_FIRST: ColumnElement[bool] = literal_column("sla_clock.target = 'first_reply'")  # letter by letter as the partial index


def in_time(start: datetime, end: datetime) -> ColumnElement[bool]:
    """First replies made within their target between start and end. Solved without a word is no reply."""
    return and_(
        _FIRST,
        SlaClock.state == "met",
        Ticket.first_reply_at >= start,
        Ticket.first_reply_at < end,
        Ticket.first_reply_at >= SlaClock.started_at,
        Ticket.first_reply_at <= SlaClock.stopped_at,
    )


def too_late(start: datetime, now: datetime) -> ColumnElement[bool]:
    """First-reply targets that ran out between start and now, answered later or not at all. One that was paused before did not run out."""
    ran_out = or_(
        SlaClock.state.in_(("running", "breached")),
        and_(SlaClock.state == "paused", SlaClock.paused_at > SlaClock.due_at),
    )
    return and_(_FIRST, SlaClock.due_at >= start, SlaClock.due_at < now, ran_out)


def rated(since: datetime, queue_id: int | None) -> ColumnElement[bool]:
    """Ratings that count: the last one of each ticket."""
    counted = and_(Rating.kind == RatingKind.CSAT, Rating.superseded_at.is_(None), Rating.at >= since)
    return counted if queue_id is None else and_(counted, Rating.queue_id == queue_id)
