"""Opening hours as an administrator keeps them: the rows behind `tickets.hours`. A change makes a new version; what runs keeps its own.

Queues without opening hours are always open.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from flask_babel import lazy_gettext as _
from sqlalchemy import func, select

from helpdesk import clock, db, versions
from helpdesk.actor import Actor
from helpdesk.catalog import QueueChanged, SettingsChanged
from helpdesk.errors import Conflict, Invalid, Words
from helpdesk.events import record
from helpdesk.tickets.hours import Calendar, NeverOpen, Spans, shifts, stored
from helpdesk.tickets.models import Hours, HoursVersion, Queue, SlaClock

MOST_SHIFTS = 6
MOST_DAYS = 400
#: When hours open again that have ended for good: an epoch second beyond every screen's life.
NEVER = 4102444800.0


@dataclass(frozen=True)
class Shape:
    """Opening hours as the form says them. `weekly`: {0 (Monday) to 6: shifts}; `special`: {ISO day: shifts}, no shift meaning closed."""

    name: str
    zone: str = "UTC"
    weekly: Mapping[int, Spans] = field(default_factory=dict)
    special: Mapping[str, Spans] = field(default_factory=dict)


def add(shape: Shape, *, by: Actor) -> Hours:
    """New opening hours. Raises Invalid."""
    checked(shape)
    made = Hours(name=_free_name(shape.name, None))
    db.session().add(made)
    db.session().flush()
    _add_version(made, shape)
    record(SettingsChanged(by, what=f"hours:{made.id}"))
    return made


def edit(hours: Hours, shape: Shape, *, seen: int | None, by: Actor) -> Hours:
    """Change opening hours from now on: clocks that run keep the hours they began with. Raises Stale, Invalid."""
    checked(shape)
    versions.change(hours, seen, name=_free_name(shape.name, hours))
    if shape_of(hours) != shape:
        _add_version(hours, shape)
    record(SettingsChanged(by, what=f"hours:{hours.id}"))
    for queue in used_by(hours):
        record(QueueChanged(queue.id, by))
    return hours


def remove(hours: Hours, *, by: Actor) -> None:
    """Take opening hours out of the desk. Raises Conflict while a queue keeps them."""
    using = used_by(hours)
    if using:
        names = ", ".join(queue.name for queue in using)
        raise Conflict(_("These hours are kept by: %(names)s. Give those queues other hours first.", names=names))
    session = db.session()
    versions_ = list(session.scalars(select(HoursVersion).where(HoursVersion.hours_id == hours.id)))
    if session.scalar(select(func.count()).where(SlaClock.hours_version_id.in_([one.id for one in versions_]))):
        raise Conflict(_("Clocks of tickets were counted in these hours, so they stay. No queue has to use them."))
    for one in versions_:
        session.delete(one)
    session.flush()
    session.delete(hours)
    session.flush()
    record(SettingsChanged(by, what=f"hours:{hours.id}"))


# --- asked by clocks, routing and screens ----------------------------------------------------------------------------------------


def listed() -> list[tuple[Hours, list[Queue]]]:
    """All opening hours by name, each with the queues that keep them."""
    queues: dict[int, list[Queue]] = {}
    for queue in db.session().scalars(select(Queue).where(Queue.hours_id.is_not(None), Queue.active).order_by(Queue.name)):
        queues.setdefault(queue.hours_id or 0, []).append(queue)
    return [(hours, queues.get(hours.id, [])) for hours in db.session().scalars(select(Hours).order_by(Hours.name))]


def used_by(hours: Hours) -> list[Queue]:
    return list(db.session().scalars(select(Queue).where(Queue.hours_id == hours.id).order_by(Queue.name)))


def version_of(queue: Queue) -> HoursVersion | None:
    """The version of a queue's opening hours that is in force now; None: always open. Asked once per transaction."""
    if queue.hours_id is None:
        return None
    notes: dict[int, HoursVersion] = db.unit().notes.setdefault("hours", {})
    if queue.hours_id not in notes:
        notes[queue.hours_id] = newest(queue.hours_id)
    return notes[queue.hours_id]


def newest(hours_id: int) -> HoursVersion:
    found = select(HoursVersion).where(HoursVersion.hours_id == hours_id).order_by(HoursVersion.id.desc()).limit(1)
    return db.session().scalars(found).one()


def of(queue: Queue) -> Calendar | None:
    """The queue's calendar now; None: always open. Built once per transaction."""
    version = version_of(queue)
    if version is None:
        return None
    notes: dict[int, Calendar] = db.unit().notes.setdefault("calendars", {})
    if version.id not in notes:
        notes[version.id] = calendar(version)
    return notes[version.id]


def calendar(version: HoursVersion) -> Calendar:
    """A stored version as the value that counts."""
    return stored(version.zone, version.weekly, version.holidays, version.special)


def later(hours: Calendar | None, start: datetime, seconds: float) -> datetime:
    """When so many seconds have passed since `start`: open ones if there are hours. A calendar that never opens counts none."""
    if hours is None:
        return start + timedelta(seconds=seconds)
    try:
        return hours.add(start, seconds)
    except NeverOpen:
        return start + timedelta(seconds=seconds)


def between(hours: Calendar | None, start: datetime, end: datetime) -> float:
    """Seconds between two moments: open ones if there are hours."""
    return (end - start).total_seconds() if hours is None else hours.between(start, end)


def is_open(queue: Queue, at: datetime | None = None) -> bool:
    """Whether somebody is meant to answer in this queue at that moment (now)."""
    hours = of(queue)
    return hours is None or hours.is_open(at or clock.now())


def opens_at(queue: Queue, at: datetime | None = None) -> datetime | None:
    """When a queue that is closed opens next; `at` itself while it is open, None when it never does again."""
    hours, moment = of(queue), at or clock.now()
    if hours is None:
        return moment
    try:
        return hours.next_opening(moment)
    except NeverOpen:
        return None


@dataclass(frozen=True)
class Closed:
    """A stretch in which a queue is closed, epoch seconds, and how many open seconds are left to a deadline meanwhile."""

    start: float
    end: float
    left: float
    now: bool


def closed_before(queue: Queue, due: datetime) -> Closed | None:
    """The closed stretch that runs now, or else the first to come before `due`: the clock stands still in it."""
    hours, now = of(queue), clock.now()
    if hours is None:
        return None
    start = now
    for opens, closes in hours.segments(now):
        if opens > start:
            return Closed(start.timestamp(), opens.timestamp(), hours.between(start, due), start == now)
        start = closes
        if start >= due:
            return None
    return Closed(start.timestamp(), NEVER, hours.between(start, due), start == now)


def coming(shape: Shape, *, days: int = 14) -> list[tuple[date, list[tuple[datetime, datetime]]]]:
    """The next days in the calendar's own zone, each with its open stretches cut at midnight: what the screen previews."""
    checked(shape)
    hours = _calendar_of(shape)
    zone = ZoneInfo(shape.zone)
    today = clock.now().astimezone(zone).date()
    found = []
    for number in range(days):
        day = today + timedelta(days=number)
        starts = datetime.combine(day, time(), zone)
        ends = datetime.combine(day + timedelta(days=1), time(), zone)
        spans = []
        for opens, closes in hours.segments(starts):
            if opens >= ends:
                break
            spans.append((opens.astimezone(zone), min(closes, ends).astimezone(zone)))
        found.append((day, spans))
    return found


def shape_of(hours: Hours) -> Shape:
    """Opening hours as their form shows them; holidays are days with no shift."""
    version = newest(hours.id)
    special = {day: [list(span) for span in spans] for day, spans in version.special.items()}
    special |= {day: [] for day in version.holidays}
    return Shape(
        hours.name,
        version.zone,
        {int(day): [list(span) for span in spans] for day, spans in sorted(version.weekly.items()) if spans},
        dict(sorted(special.items())),
    )


# --- what may be said --------------------------------------------------------------------------------------------------------


def checked(shape: Shape) -> None:
    """Raises Invalid with every fault at once."""
    faults: dict[str, Words] = {}
    if not shape.name.strip():
        faults["name"] = _("Please fill this in.")
    try:
        Calendar(shape.zone, {})
    except ValueError:
        faults["zone"] = _("There is no such time zone. Write it like Europe/Moscow.")
    for day, spans in shape.weekly.items():
        if day not in range(7) or not _sound(spans):
            faults[f"day-{day}"] = _("Give each range a beginning and an end; at most %(n)s ranges a day.", n=MOST_SHIFTS)
    if len(shape.special) > MOST_DAYS or not all(_is_day(day) and _sound(spans) for day, spans in shape.special.items()):
        faults["special"] = _("Write one day per line, like 2027-01-01 for a holiday or 2026-12-31 10:00-14:00 for a short day.")
    if not faults and not any(shape.weekly.values()) and not any(shape.special.values()):
        faults["day-0"] = _("These hours never open.")
    if faults:
        raise Invalid(fields=faults)


def _sound(spans: Spans) -> bool:
    try:
        return len(shifts(spans)) <= MOST_SHIFTS
    except (ValueError, TypeError):
        return False


def _is_day(text: str) -> bool:
    try:
        return bool(date.fromisoformat(text))
    except ValueError:
        return False


def _calendar_of(shape: Shape) -> Calendar:
    weekly = {day: shifts(spans) for day, spans in shape.weekly.items()}
    return Calendar(shape.zone, weekly, frozenset(), {date.fromisoformat(day): shifts(spans) for day, spans in shape.special.items()})


def _add_version(hours: Hours, shape: Shape) -> None:
    db.session().add(
        HoursVersion(
            hours_id=hours.id,
            zone=shape.zone,
            weekly={str(day): [list(span) for span in spans] for day, spans in shape.weekly.items() if spans},
            holidays=sorted(day for day, spans in shape.special.items() if not spans),
            special={day: [list(span) for span in spans] for day, spans in shape.special.items() if spans},
            made_at=clock.now(),
        )
    )
    db.session().flush()
    db.unit().notes.pop("hours", None)


def _free_name(typed: str, owner: Hours | None) -> str:
    name = " ".join(typed.split())[:120]
    if db.session().scalar(select(Hours.id).where(Hours.name == name, Hours.id != (owner.id if owner else 0))) is not None:
        raise Invalid(fields={"name": _("This name is taken.")})
    return name
