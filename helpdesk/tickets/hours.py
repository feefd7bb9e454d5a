"""Business time: when the desk is open, how long it was so between two moments, when so many open seconds have passed.

Below the SLA clocks, the out-of-hours rules of queues and every metric in business time. Pure: a calendar is a value,
and the schedule version in force is the caller's to pin.

Shifts are read off the wall clock of the calendar's zone; time passes on the real one. So a night shift 00:00–06:00
holds five hours on the day the clocks go forward and seven on the day they go back. Business time is added up segment
by segment, never taken as a difference of two totals.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from functools import cached_property
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

#: A calendar that stays shut for so many days running never opens again, as far as a deadline is concerned.
LONGEST_CLOSURE_DAYS = 3660


class NeverOpen(ValueError):
    """The calendar has no more opening hours, so no deadline can be given."""


@dataclass(frozen=True, slots=True)
class Shift:
    """A stretch of opening by the wall clock, `start` included, `end` not.

    An end at or before the start lies on the next day: 22:00–06:00 is a night shift, 18:00–00:00 ends at midnight and
    00:00–00:00 is the whole day. A shift belongs to the day on which it starts.
    """

    start: time
    end: time

    def __post_init__(self) -> None:
        if self.start.tzinfo or self.end.tzinfo:
            raise ValueError("a shift is read off the calendar's own wall clock: give times without a zone")


#: A day's shifts as text: [["09:00", "13:00"], ["14:00", "18:00"]].
Spans = Sequence[Sequence[str]]
#: Monday is 0, as in `date.weekday()`.
Week = Mapping[int, Sequence[Shift]]


@dataclass(frozen=True, eq=False)
class Calendar:
    """Opening hours of a desk or a queue.

    zone: IANA name, such as "Europe/Moscow".
    weekly: the shifts of each weekday (Monday = 0); a missing weekday is closed.
    holidays: days without any shift. A night shift that began the evening before still runs to its end.
    special: days with shifts of their own (a shortened day, a working Saturday); they outrank week and holidays.
    """

    zone: str
    weekly: Week
    holidays: frozenset[date] = frozenset()
    special: Mapping[date, Sequence[Shift]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        try:
            ZoneInfo(self.zone)
        except (ZoneInfoNotFoundError, ValueError, OSError) as unknown:
            raise ValueError(f"no time zone is called {self.zone!r}") from unknown
        if wrong := [day for day in self.weekly if day not in range(7)]:
            raise ValueError(f"weekdays run from 0 (Monday) to 6 (Sunday), not {wrong[0]}")

    @cached_property
    def _zone(self) -> ZoneInfo:
        return ZoneInfo(self.zone)

    def shifts(self, day: date) -> Sequence[Shift]:
        """The shifts that start on a local day."""
        if day in self.special:
            return self.special[day]
        if day in self.holidays:
            return ()
        return self.weekly.get(day.weekday(), ())

    def segments(self, since: datetime) -> Iterator[tuple[datetime, datetime]]:
        """Open stretches from `since` on, in UTC, disjoint and in order; overlapping shifts count once.

        Ends when the calendar has nothing more to give (see LONGEST_CLOSURE_DAYS).
        """
        done = _utc(since)
        day = since.astimezone(self._zone).date() - timedelta(days=1)  # yesterday's night shift may still run
        closed = 0
        while closed < LONGEST_CLOSURE_DAYS and day < date.max - timedelta(days=2):
            closed += 1
            for shift in sorted(self.shifts(day), key=lambda shift: shift.start):
                opens, closes = self._span(day, shift)
                opens = max(opens, done)
                if opens < closes:  # else it is over, or lies whole in the hour that the spring skips
                    yield opens, closes
                    done, closed = closes, 0
            day += timedelta(days=1)

    def _span(self, day: date, shift: Shift) -> tuple[datetime, datetime]:
        last_day = day if shift.end > shift.start else day + timedelta(days=1)
        return (
            _instant(datetime.combine(day, shift.start), self._zone, last=False),
            _instant(datetime.combine(last_day, shift.end), self._zone, last=True),
        )

    def between(self, a: datetime, b: datetime) -> float:
        """Open seconds from `a` to `b`; negative when `b` lies before `a`."""
        a, b = _utc(a), _utc(b)
        if b < a:
            return -self.between(b, a)
        total = timedelta()
        for opens, closes in self.segments(a):
            if opens >= b:
                break
            total += min(closes, b) - opens
        return total.total_seconds()

    def add(self, start: datetime, business_seconds: float) -> datetime:
        """The first moment, UTC, at which that many open seconds have passed since `start`.

        Nothing to wait for is `start` itself; a wait that ends with a shift ends when the shift does, not at the next
        opening. Raises NeverOpen if the calendar runs out first, ValueError for a negative wait.
        """
        start, left = _utc(start), timedelta(seconds=business_seconds)
        if left < timedelta():
            raise ValueError(f"business time is added forwards only, not {business_seconds} s")
        if not left:
            return start
        for opens, closes in self.segments(start):
            if opens + left <= closes:
                return opens + left
            left -= closes - opens
        raise NeverOpen(f"this calendar has no opening hours left after {start:%Y-%m-%d}")

    def is_open(self, at: datetime) -> bool:
        """Whether a shift runs at that moment; at its last instant it no longer does."""
        following = next(self.segments(at), None)
        return following is not None and following[0] == _utc(at)

    def next_opening(self, at: datetime) -> datetime:
        """`at` itself while open, else the moment the next shift starts. Raises NeverOpen if none does."""
        for opens, _ in self.segments(at):
            return opens
        raise NeverOpen(f"this calendar has no opening hours left after {at:%Y-%m-%d}")


def stored(zone: str, weekly: Mapping[str, Spans], holidays: Sequence[str], special: Mapping[str, Spans]) -> Calendar:
    """A calendar from plain JSON, as versions of opening hours are stored: {"0": [["09:00", "18:00"]]}, ISO days."""
    return Calendar(
        zone,
        {int(day): shifts(spans) for day, spans in weekly.items()},
        frozenset(date.fromisoformat(day) for day in holidays),
        {date.fromisoformat(day): shifts(spans) for day, spans in special.items()},
    )


def shifts(spans: Spans) -> tuple[Shift, ...]:
    """Shifts from text; 24:00 is midnight. Raises ValueError or TypeError for what are none."""
    return tuple(Shift(time.fromisoformat(start), time.fromisoformat("00:00" if end == "24:00" else end)) for start, end in spans)


#: Open day and night.
ALWAYS = Calendar("UTC", {day: (Shift(time(0), time(0)),) for day in range(7)})


def _utc(at: datetime) -> datetime:
    if at.tzinfo is None:
        raise ValueError("business time is counted between aware times: give the datetime a zone")
    return at.astimezone(UTC)


def _instant(wall: datetime, zone: ZoneInfo, *, last: bool) -> datetime:
    """The moment, UTC, at which the zone's wall clock shows `wall`.

    Shown twice (clocks go back): the first time for a start, the `last` for an end, so that neither hour is lost.
    Never shown (clocks go forward): the moment of the change, at which the clock jumps past it.
    """
    first = wall.replace(tzinfo=zone, fold=0).astimezone(UTC)
    second = wall.replace(tzinfo=zone, fold=1).astimezone(UTC)
    if first <= second:
        return second if last else first
    # In a gap fold=1 reads the wall with the new offset, before the change, and fold=0 with the old one, after it.
    new = first.astimezone(zone).utcoffset()
    before, after = second, first
    while after - before > timedelta(seconds=1):  # changes happen on whole seconds
        middle = before + timedelta(seconds=(after - before) // timedelta(seconds=1) // 2)
        if middle.astimezone(zone).utcoffset() == new:
            after = middle
        else:
            before = middle
    return after
