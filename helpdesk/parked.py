"""Work that failed: what an administrator sees of the deliveries, and decides about those that were given up.

A delivery that failed is tried again with growing pauses (`deliveries.backoff`); after its last try it is parked here until somebody says
"again" or "never mind". Both are recorded.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import ColumnElement, case, exists, func, select, update
from sqlalchemy.orm import aliased

from helpdesk import clock, db, deliveries, worker
from helpdesk.actor import Actor
from helpdesk.catalog import DeliveryDiscarded, DeliveryRetried
from helpdesk.events import Delivery, Event, record

#: How many are set free at once by "retry all", so that the transaction stays short.
BATCH = 500


@dataclass(frozen=True)
class LaneCount:
    """One lane's deliveries: `due` now, `failing` among all that are still tried, `later` by their timer, `parked`."""

    lane: str
    due: int = 0
    failing: int = 0
    later: int = 0
    parked: int = 0


@dataclass(frozen=True)
class Troubled:
    """A delivery that failed at least once, with the event it is owed to (gone when a restore left it out)."""

    delivery: Delivery
    event: Event | None


def lanes() -> list[LaneCount]:
    """How much there is to do, per lane."""
    open_, now = Delivery.parked_at.is_(None), clock.now()

    def count(condition: ColumnElement[bool]) -> ColumnElement[int]:
        return func.coalesce(func.sum(case((condition, 1), else_=0)), 0)

    found = (
        select(
            Delivery.lane,
            count(open_ & (Delivery.due_at <= now)).label("due"),
            count(open_ & (Delivery.error != "")).label("failing"),
            count(open_ & (Delivery.due_at > now)).label("later"),
            count(~open_).label("parked"),
        )
        .where(Delivery.done_at.is_(None))
        .group_by(Delivery.lane)
    )
    rows = {row.lane: LaneCount(row.lane, row.due, row.failing, row.later, row.parked) for row in db.session().execute(found)}
    return [rows.get(lane, LaneCount(lane)) for lane in deliveries.LANES]


def troubled(*, parked: bool, after: int | None = None, limit: int = 50) -> list[Troubled]:
    """Given up (`parked`) or still being tried, the newest first, one more than `limit`; `after` is the id of the last one seen."""
    found = select(Delivery, Event).outerjoin(Event, Event.id == Delivery.event_id).where(Delivery.done_at.is_(None))
    found = found.where(Delivery.parked_at.is_not(None)) if parked else found.where(Delivery.parked_at.is_(None), Delivery.error != "")
    if after is not None:
        found = found.where(Delivery.id < after)
    rows = db.session().execute(found.order_by(Delivery.id.desc()).limit(limit + 1))
    return [Troubled(row.Delivery, row.Event) for row in rows]


def retry(delivery: Delivery, *, by: Actor) -> bool:
    """Try parked work again, now. False when the same work is already waiting under its key: then the old row is done with."""
    if delivery.parked_at is None or delivery.done_at is not None:
        return True
    record(DeliveryRetried(delivery.id, by))
    if _waits_already(delivery):
        _finish(delivery.id)
        return False
    worker.retry(delivery.id)
    return True


def retry_all(*, by: Actor) -> int:
    """Try everything parked again, the oldest first; how many at once is bounded by BATCH."""
    parked = select(Delivery).where(Delivery.parked_at.is_not(None), Delivery.done_at.is_(None)).order_by(Delivery.id).limit(BATCH)
    rows = list(db.session().scalars(parked))
    for row in rows:
        retry(row, by=by)
    return len(rows)


def discard(delivery: Delivery, *, by: Actor) -> None:
    """Never mind this work: it is not tried again."""
    if delivery.parked_at is not None and delivery.done_at is None:
        _finish(delivery.id)
        record(DeliveryDiscarded(delivery.id, by))


def oldest_due() -> datetime | None:
    """Since when the longest waiting delivery has been due; None when nothing is."""
    due = select(func.min(Delivery.due_at)).where(Delivery.done_at.is_(None), Delivery.parked_at.is_(None), Delivery.due_at <= clock.now())
    return db.session().scalar(due)


def _waits_already(delivery: Delivery) -> bool:
    other = aliased(Delivery)
    twin = exists().where(
        other.reaction == delivery.reaction,
        other.key == delivery.key,
        other.id != delivery.id,
        other.done_at.is_(None),
        other.parked_at.is_(None),
        other.claimed_until.is_(None),
    )
    return bool(db.session().scalar(select(twin)))


def _finish(delivery_id: int) -> None:
    db.session().execute(update(Delivery).where(Delivery.id == delivery_id, Delivery.done_at.is_(None)).values(done_at=clock.now()))
