"""How many customers a segment holds: counted on its own page, kept for lists with the time it was counted.

Counting reads the profiles, and the more of them there are the longer it takes. So a list never counts what it has a number of, and says
how old that is; the house's round counts anew. A segment's own page counts while that is quick, and shows the kept number where it is not.
What is kept is of the whole desk: who sees only some of the customers is never shown it.
"""

from __future__ import annotations

import contextlib
import time
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import select, update

from helpdesk import clock, db, web
from helpdesk.auth import Principal
from helpdesk.crm import policy, segments
from helpdesk.crm.base_models import Segment
from helpdesk.errors import Invalid

#: Counting that took no longer is done again for whoever opens the segment (milliseconds).
QUICK_MS = 250
#: How long a list may count what has no number yet, and a round all that is old (seconds).
LIST_S, ROUND_S = 0.2, 20.0
#: A kept number older than this is counted anew by the next round.
STALE = timedelta(minutes=10)


@dataclass(frozen=True)
class Counted:
    """How many, None for what this reader cannot have; `at`: when, None for right now."""

    number: int | None
    at: datetime | None = None


def of(who: Principal, segment: Segment) -> Counted:
    """For the segment's own page: now while that is quick, else as kept."""
    if not policy.sees_everybody(who):
        return _now(who, segment)
    if segment.count_ms is None or segment.counted is None or segment.count_ms <= QUICK_MS:
        return _now(who, segment, keep=True)
    return Counted(segment.counted, segment.counted_at) if _may_ask(who, segment) else Counted(None)


def listed(who: Principal) -> list[tuple[Segment, Counted]]:
    """The segments of this reader, each with its kept number; what has none yet is counted as long as that takes a moment."""
    until = time.monotonic() + LIST_S
    rows = []
    for segment in segments.listed(who):
        if not policy.sees_everybody(who) or not _may_ask(who, segment):
            found = Counted(None)
        elif segment.counted is None and segment.count_ms is None and time.monotonic() < until:
            found = _now(who, segment, keep=True)
        else:
            found = Counted(segment.counted, segment.counted_at)
        rows.append((segment, found))
    return rows


def refresh() -> int:
    """Count anew what is old, the oldest first, for as long as a round may take; how many. Outside transactions."""
    until, done = time.monotonic() + ROUND_S, 0
    with db.read() as session:
        old = select(Segment.id).where((Segment.counted_at < clock.now() - STALE) | Segment.counted_at.is_(None))
        waiting = list(session.scalars(old.order_by(Segment.counted_at.is_not(None), Segment.counted_at, Segment.id)))
    for segment_id in waiting:
        if time.monotonic() > until:
            break
        _recount(segment_id)
        done += 1
    return done


# --- below ---------------------------------------------------------------------------------------------------------------


def _now(who: Principal, segment: Segment, *, keep: bool = False) -> Counted:
    began, at = time.monotonic(), clock.now()
    try:
        number = segments.count(who, segment.conditions)
    except Invalid:
        return Counted(None)
    if keep:
        took, seen = _ms(began), (segment.id, segment.version)
        if segment.counted != number or segment.counted_at is None or at - segment.counted_at > STALE:
            web.later(lambda: _keep(*seen, number, at, took))
    return Counted(number)


def _recount(segment_id: int) -> None:
    """Counted while nobody waits for it: the transaction that writes is short."""
    began, at, number = time.monotonic(), clock.now(), None
    with db.read() as session:
        segment = session.get(Segment, segment_id)
        if segment is None:
            return
        with contextlib.suppress(Invalid):  # a field that it asks about may be gone: then there is no number
            number = segments.count_all(segment.conditions)
    with db.transaction():
        _keep(segment_id, segment.version, number, at, _ms(began))


def _keep(segment_id: int, version: int, number: int | None, at: datetime, took: int) -> None:
    """Unless somebody changed the question meanwhile."""
    same = update(Segment).where(Segment.id == segment_id, Segment.version == version)
    kept = same.values(counted=number, counted_at=at, count_ms=took)
    db.session().execute(kept, execution_options={"synchronize_session": False})


def _ms(began: float) -> int:
    return round(1000 * (time.monotonic() - began))


def _may_ask(who: Principal, segment: Segment) -> bool:
    try:
        segments.condition(who, segment.conditions)
    except Invalid:
        return False
    return True
