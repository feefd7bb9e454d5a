"""What we change because customers were dissatisfied, and whether it helped.

Measured: satisfaction, and the share of ratings that name the reason, as long before the change as has passed since.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from flask_babel import lazy_gettext as _
from sqlalchemy import ColumnElement, and_, case, func, select

from helpdesk import clock, db, versions
from helpdesk.actor import Actor
from helpdesk.auth import STAFF, User
from helpdesk.catalog import CorrectionChanged
from helpdesk.crm.care_models import CorrectiveAction
from helpdesk.crm.models import Rating, RatingKind
from helpdesk.crm.satisfaction import wilson
from helpdesk.errors import Conflict, Invalid, Words
from helpdesk.events import record

#: How long before and after the change is looked at.
WINDOW = timedelta(days=90)


@dataclass(frozen=True)
class Part:
    """A share with the count behind it and its Wilson 95% interval; all None without ratings."""

    share: float | None
    n: int
    low: float | None
    high: float | None


@dataclass(frozen=True)
class Effect:
    """Satisfied (CSAT 4 and 5) and naming the reason, each before and after. `clear`: the intervals of satisfaction do not overlap."""

    satisfied: tuple[Part, Part]
    naming: tuple[Part, Part]
    since: datetime
    until: datetime

    @property
    def clear(self) -> bool:
        before, after = self.satisfied
        return before.low is not None and after.low is not None and (after.low > (before.high or 0) or (after.high or 0) < before.low)


def plan(
    *, reason: str, title: str, text: str = "", queue_id: int | None = None, owner_id: int | None, due_at: datetime | None, by: Actor
) -> CorrectiveAction:
    """A change that is to be made. Raises Invalid without a reason, a title, an owner who works here or a day."""
    title, faults = " ".join(title.split()), dict[str, Words]()
    owner = db.session().get(User, owner_id) if owner_id is not None else None
    if not 0 < len(reason) <= 60:
        faults["reason"] = _("Choose a reason.")
    if not 0 < len(title) <= 200:
        faults["title"] = _("Please write from %(least)s to %(most)s characters.", least=1, most=200)
    if owner is None or not owner.active or owner.role not in STAFF:
        faults["owner"] = _("Please choose one of the list.")
    if due_at is None:
        faults["due_at"] = _("Say when it is to be done.")
    if faults:
        raise Invalid(fields=faults)
    made = CorrectiveAction(
        reason=reason, title=title, text=text.strip()[:5000], queue_id=queue_id, owner_id=owner_id, due_at=due_at,
        created_at=clock.now(), created_by_id=by.user_id,
    )  # fmt: skip
    db.session().add(made)
    db.session().flush()
    record(CorrectionChanged(made.id, "planned", by))
    return made


def put_in_force(action: CorrectiveAction, *, seen: int | None, by: Actor) -> None:
    """From now on the change holds; its effect is measured from here. Raises Stale, Conflict when it holds already or was dropped."""
    if action.in_force_at is not None or action.dropped_at is not None:
        raise Conflict(_("This was settled already."))
    versions.change(action, seen, in_force_at=clock.now())
    record(CorrectionChanged(action.id, "in_force", by))


def drop(action: CorrectiveAction, *, seen: int | None, by: Actor) -> None:
    """Give a change up. Raises Stale, Conflict when that was done already."""
    if action.dropped_at is not None:
        raise Conflict(_("This was settled already."))
    versions.change(action, seen, dropped_at=clock.now())
    record(CorrectionChanged(action.id, "dropped", by))


def listed() -> list[tuple[CorrectiveAction, User | None]]:
    """Every change, those to be made first, then the newest."""
    rows = (
        select(CorrectiveAction, User)
        .outerjoin(User, User.id == CorrectiveAction.owner_id)
        .order_by(CorrectiveAction.dropped_at.is_not(None), CorrectiveAction.in_force_at.is_not(None), CorrectiveAction.id.desc())
        .limit(200)
    )
    return [(row.CorrectiveAction, row.User) for row in db.session().execute(rows)]


def effect(action: CorrectiveAction) -> Effect | None:
    """What changed since it holds; None while it does not. Ratings of its queue, or of all; as long before as has passed since."""
    if action.in_force_at is None:
        return None
    until = min(clock.now(), action.in_force_at + WINDOW)
    since = action.in_force_at - (until - action.in_force_at)
    here = [] if action.queue_id is None else [Rating.queue_id == action.queue_id]
    before = and_(Rating.at >= since, Rating.at < action.in_force_at, *here)
    after = and_(Rating.at >= action.in_force_at, Rating.at < until, *here)
    parts = [_parts(when, action.reason) for when in (before, after)]
    return Effect((parts[0][0], parts[1][0]), (parts[0][1], parts[1][1]), since, until)


def _parts(when: ColumnElement[bool], reason: str) -> tuple[Part, Part]:
    row = (
        db.session()
        .execute(
            select(
                func.count().label("n"),
                func.sum(case((Rating.score >= 4, 1), else_=0)).label("satisfied"),
                func.sum(case((Rating.reason == reason, 1), else_=0)).label("naming"),
            ).where(when, Rating.kind == RatingKind.CSAT, Rating.superseded_at.is_(None))
        )
        .one()
    )
    return _part(int(row.satisfied or 0), row.n), _part(int(row.naming or 0), row.n)


def _part(some: int, n: int) -> Part:
    low, high = wilson(some, n) or (None, None)
    return Part(some / n if n else None, n, low, high)
