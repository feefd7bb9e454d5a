"""A customer's place in line and how long that will take, as far as anybody can know; what cannot be known is None, never a guess.

The estimate is a pure function of what was lately recorded: how long each of the last pieces of work of this queue took to be taken up
once it could have been. The customers' pages show it through the portal.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from itertools import pairwise
from typing import Any

from sqlalchemy import func, select, tuple_

from helpdesk import catalog, clock, db, live
from helpdesk.agents import lists
from helpdesk.agents.models import Assignment, ItemState, Presence, PresenceState, QueueMember, Signature, WorkItem
from helpdesk.auth import User
from helpdesk.tickets.models import Ticket

#: The estimate rests on at most so many of the last pieces of work, taken up within so much time, and on no fewer than this.
LAST, WITHIN, FEWEST = 30, timedelta(hours=2), 4
#: A place beyond this is not counted out, an expected wait beyond this is none.
COUNTED, LONGEST_S = 1000, 24 * 3600.0
_HERE = (PresenceState.AVAILABLE, PresenceState.WRAP_UP, PresenceState.NOT_RESPONDING)


class Stage(StrEnum):
    """waiting in line; offered to an agent at this moment; in an agent's hands, or not in line at all."""

    WAITING = "waiting"
    OFFERED = "offered"
    TAKEN = "taken"


@dataclass(frozen=True)
class Taken:
    """One piece of work that was taken up: since when it had waited, and when that ended."""

    since: datetime
    at: datetime


@dataclass(frozen=True)
class Place:
    """Where a request stands. `ahead` pieces of work come first (`COUNTED`: or more); `wait_s` is None when it cannot be known.

    The expected wait rests on `rests_on` pieces of work, taken up one every `each_s` seconds. `anybody`: somebody works there now.
    """

    stage: Stage
    ahead: int = 0
    wait_s: float | None = None
    rests_on: int = 0
    each_s: float | None = None
    anybody: bool = True

    @property
    def number(self) -> int:
        return self.ahead + 1


def pace_s(taken: Sequence[Taken], now: datetime, head_since: datetime | None) -> float | None:
    """Seconds between one piece of work being taken up and the next, while there was something to take; None from too few.

    `taken` in order of time. The maximum-likelihood mean of exponential gaps, of which the last, since when the first in line
    (`head_since`) could have been taken, has not ended: all the time ÷ the number of gaps that have. Time in which nothing waited does
    not count, so a quiet hour makes nobody's wait look long. Estimating from the delays of those just served is what R. Ibrahim and
    W. Whitt, "Real-time delay estimation based on delay history" (2009), found to hold when rates change during the day.
    """
    gaps = [max(0.0, (b.at - max(a.at, b.since)).total_seconds()) for a, b in pairwise(taken)]
    if len(gaps) + 1 < FEWEST:
        return None
    going = max(0.0, (now - max(taken[-1].at, head_since)).total_seconds()) if head_since is not None else 0.0
    return (sum(gaps) + going) / len(gaps)


def place_of(ticket: Ticket) -> Place:
    """The ticket's place now. Work that is being offered counts as ahead of those that wait."""
    session = db.session()
    item = session.scalar(select(WorkItem).where(WorkItem.ticket_id == ticket.id, WorkItem.state != ItemState.DONE).limit(1))
    if item is None or item.state is ItemState.ASSIGNED or item.queue_id != ticket.queue_id:
        return Place(Stage.TAKEN)
    if item.state is ItemState.OFFERED:
        return Place(Stage.OFFERED)
    ahead = _ahead(item)
    if not _anybody(item.queue_id):
        return Place(Stage.WAITING, ahead, anybody=False)
    now = clock.now()
    taken = _taken(item.queue_id, now)
    each = pace_s(taken, now, _head_since(item.queue_id))
    wait = None if each is None or ahead >= COUNTED or each * (ahead + 1) > LONGEST_S else each * (ahead + 1)
    return Place(Stage.WAITING, ahead, wait, len(taken), each)


def _ahead(item: WorkItem) -> int:
    """How many waiting items come first: for each signature of the queue a stretch of the index that routing itself reads."""
    session = db.session()
    key = tuple_(WorkItem.tier, WorkItem.vkey, WorkItem.enqueued_at, WorkItem.id)
    mine = tuple_(item.tier, item.vkey, item.enqueued_at, item.id)
    count = 0
    for signature in session.scalars(select(Signature.id).where(Signature.queue_id == item.queue_id)):
        before = select(WorkItem.id).where(WorkItem.signature_id == signature, WorkItem.state == ItemState.WAITING, key < mine)
        count += session.scalar(select(func.count()).select_from(before.limit(COUNTED).subquery())) or 0
        if count >= COUNTED:
            return COUNTED
    return count


def _anybody(queue_id: int) -> bool:
    at_work = (
        select(Presence.user_id)
        .join(QueueMember, (QueueMember.user_id == Presence.user_id) & (QueueMember.queue_id == queue_id))
        .join(User, (User.id == Presence.user_id) & User.active)
        .where(Presence.state.in_(_HERE), Presence.expires_at >= clock.now())
    )
    return db.session().scalar(at_work.limit(1)) is not None


def _taken(queue_id: int, now: datetime) -> list[Taken]:
    rows = db.session().execute(
        select(WorkItem.enqueued_at, func.min(Assignment.started_at).label("at"))
        .join(WorkItem, WorkItem.id == Assignment.item_id)
        .where(WorkItem.queue_id == queue_id, Assignment.started_at > now - WITHIN)
        .group_by(WorkItem.id, WorkItem.enqueued_at)
        .order_by(func.min(Assignment.started_at).desc())
        .limit(LAST)
    )
    return [Taken(row.enqueued_at, row.at) for row in rows][::-1]


def _head_since(queue_id: int) -> datetime | None:
    waiting = select(WorkItem.enqueued_at).where(WorkItem.queue_id == queue_id, WorkItem.state == ItemState.WAITING)
    return db.session().scalar(waiting.order_by(WorkItem.enqueued_at).limit(1))


# --- live ------------------------------------------------------------------------------------------------------------------


@live.shows(
    catalog.ItemQueued, catalog.OfferMade, catalog.OfferDeclined, catalog.OfferExpired, catalog.TicketAssigned, catalog.PriorityChanged,
    catalog.TicketMoved, catalog.TicketSolved, catalog.TicketClosed,
)  # fmt: skip
def moved(facts: Sequence[Any]) -> None:
    """The line of each queue concerned moved; those who stand in it look again. The push says nothing but that."""
    queues = {ticket.queue_id for ticket in lists.looked_at(fact.ticket_id for fact in facts)}
    queues |= {fact.old for fact in facts if isinstance(fact, catalog.TicketMoved)}
    for queue_id in sorted(queues):
        live.push(f"line:{queue_id}", "changed")
