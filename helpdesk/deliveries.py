"""The rows of owed work: who holds which and until when, when the next one is due, and what becomes of one that failed.

A claim is a lease with a number: who overslept it finds another number, and may not write. `helpdesk.worker` runs what is claimed here.
"""

from __future__ import annotations

import random
from datetime import datetime, timedelta
from functools import lru_cache
from typing import Any, cast

from sqlalchemy import Table, bindparam, func, literal, literal_column, or_, select, union_all, update
from sqlalchemy.exc import IntegrityError

from helpdesk import clock, db, events
from helpdesk.events import Delivery

LANES = ("hot", "io", "heavy")
#: How long a claim lasts before its delivery runs; one that waits on the network then asks for more (`Outside.patience`). Short, because
#: what a killed process had claimed rests until then.
LEASE = timedelta(seconds=30)


class LeaseLost(Exception):
    """Somebody else took the row over meanwhile: what was done for it must not stay."""


# --- claiming -------------------------------------------------------------------------------------------------------------------------


def take(lane: str) -> Any:
    """Claim the next due row: (id, claim, event_id, reaction), or None."""
    now = clock.now()
    return db.session().connection().execute(_taking(tuple(events.reactions())), {"of": lane, "now": now, "until": now + LEASE}).first()


@lru_cache(maxsize=8)
def _taking(known: tuple[str, ...]) -> Any:
    """The statement that claims, built once."""
    table = cast(Table, Delivery.__table__)
    row = table.c
    next_one = (
        select(row.id)
        .where(
            row.lane == bindparam("of"),
            row.done_at.is_(None),
            row.parked_at.is_(None),
            row.due_at <= bindparam("now", type_=db.UtcDateTime),
            or_(row.claimed_until.is_(None), row.claimed_until < bindparam("now", type_=db.UtcDateTime)),
            row.reaction.in_([literal_column(f"'{name}'") for name in known]),  # words of ours, and a hundred of them
        )
        .order_by(row.due_at, row.id)
        .limit(1)
        .scalar_subquery()
    )
    return (
        update(table)
        .where(row.id == next_one)
        .values(claim=row.claim + 1, claimed_until=bindparam("until", type_=db.UtcDateTime), attempts=row.attempts + 1)
        .returning(row.id, row.claim, row.event_id, row.reaction)
    )


def claim(lane: str, limit: int) -> list[tuple[int, int]]:
    """Take up to `limit` due rows whose reaction this process knows: [(id, claim number)]."""
    now = clock.now()
    with db.transaction() as session:
        free = (
            select(Delivery.id)
            .where(
                Delivery.lane == lane,
                Delivery.done_at.is_(None),
                Delivery.parked_at.is_(None),
                Delivery.due_at <= now,
                or_(Delivery.claimed_until.is_(None), Delivery.claimed_until < now),
                Delivery.reaction.in_(list(events.reactions())),
            )
            .order_by(Delivery.due_at, Delivery.id)
            .limit(limit)
        )
        if session.get_bind().dialect.name == "postgresql":
            free = free.with_for_update(skip_locked=True)
        ids = list(session.scalars(free))
        if not ids:
            return []
        taken = session.execute(
            update(Delivery)
            .where(Delivery.id.in_(ids))
            .values(
                claim=Delivery.claim + 1,
                claimed_until=now + LEASE,
                attempts=Delivery.attempts + 1,
            )
            .returning(Delivery.id, Delivery.claim),
            execution_options={"synchronize_session": False},
        )
        return sorted((row.id, row.claim) for row in taken)


# --- while it runs, and afterwards ---------------------------------------------------------------------------------------------------


def hold(delivery_id: int, claim: int, patience: timedelta) -> None:
    """Keep the claim while the network is waited for. Raises LeaseLost."""
    values = {"of": delivery_id, "as": claim, "until": clock.now() + patience}
    if db.session().connection().execute(_HOLDING, values).rowcount != 1:
        raise LeaseLost


def done(delivery_id: int, claim: int) -> None:
    """Mark it done, if the claim still counts. Raises LeaseLost."""
    db.session().flush()
    values = {"of": delivery_id, "as": claim, "now": clock.now()}
    if db.session().connection().execute(_DONE, values).rowcount != 1:
        raise LeaseLost


def _ours(**values: Any) -> Any:
    """A change of a row whose claim is still ours: made once, since every delivery ends with one."""
    table = cast(Table, Delivery.__table__)
    row = table.c
    mine = (row.id == bindparam("of", type_=row.id.type), row.claim == bindparam("as", type_=row.claim.type), row.done_at.is_(None))
    return update(table).where(*mine).values(**values)


_HOLDING = _ours(claimed_until=bindparam("until", type_=db.UtcDateTime))
_DONE = _ours(done_at=bindparam("now", type_=db.UtcDateTime), claimed_until=None, error="")


def put_back(delivery_id: int, claim: int, failure: Exception) -> None:
    """Free the row for a later try, or park it where an administrator sees it. A newer row of the same key makes this one superfluous."""
    try:
        with db.part():
            row = db.session().get(Delivery, delivery_id)
            if row is None or row.claim != claim or row.done_at is not None:
                return
            known = events.reactions().get(row.reaction)
            row.error = f"{type(failure).__name__}: {failure}"[:2000]
            row.claimed_until = None
            if row.attempts >= (known.attempts if known else 12):
                row.parked_at = clock.now()
            else:
                row.due_at = clock.now() + backoff(row.attempts)
    except IntegrityError:
        db.session().execute(
            update(Delivery).where(Delivery.id == delivery_id, Delivery.claim == claim).values(done_at=clock.now(), claimed_until=None)
        )


def backoff(attempts: int) -> timedelta:
    """Pause before the next try: 2 s doubling up to an hour, a tenth of it random so that failures do not march in step."""
    seconds = min(3600.0, 2.0 ** min(attempts, 12))
    return timedelta(seconds=seconds * random.uniform(0.95, 1.05))


def release_leases() -> int:
    """Embedded, at the start: whoever held a claim is dead, so nothing has to wait for its end. How many were freed."""
    with db.transaction() as session:
        freed = session.execute(
            update(Delivery).where(Delivery.done_at.is_(None), Delivery.claimed_until > clock.now()).values(claimed_until=clock.now()),
            execution_options={"synchronize_session": False},
        )
        return int(freed.rowcount)  # type: ignore[attr-defined]


def purge(older_than: timedelta = timedelta(days=1)) -> int:
    """Remove deliveries done long ago, a thousand at a time; how many went."""
    gone = 0
    while True:
        with db.transaction() as session:
            ids = list(session.scalars(select(Delivery.id).where(Delivery.done_at < clock.now() - older_than).limit(1000)))
            if ids:
                session.query(Delivery).where(Delivery.id.in_(ids)).delete(synchronize_session=False)
        gone += len(ids)
        if len(ids) < 1000:
            return gone


def earliest_due() -> dict[str, datetime]:
    """When the next delivery of each lane wants to run, or a lease runs out; lanes without any are left out."""
    found: dict[str, datetime] = {}
    with db.read() as session:
        for lane, due in session.connection().execute(_EARLIEST):
            if due is not None and (lane not in found or due < found[lane]):
                found[lane] = due
    return found


def _earliest() -> Any:
    """One statement, each part of which reads the head of an index."""
    row = Delivery.__table__.c
    live = (row.done_at.is_(None), row.parked_at.is_(None))
    unclaimed = [
        select(literal(lane).label("lane"), func.min(row.due_at).label("due")).where(row.lane == lane, row.claimed_until.is_(None), *live)
        for lane in LANES
    ]
    leases = select(row.lane, func.min(row.claimed_until)).where(row.claimed_until.is_not(None), *live).group_by(row.lane)
    return union_all(*unclaimed, leases)


_EARLIEST = _earliest()
