"""Business time over calendars nobody thought of: add and between undo each other, keep order, and add up."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from itertools import islice, pairwise
from zoneinfo import ZoneInfo

from hypothesis import assume, given, settings
from hypothesis import strategies as st

from helpdesk.tickets.hours import Calendar, NeverOpen, Shift

#: Europe, both hemispheres, half an hour of daylight saving, none at all, a change at midnight.
ZONES = ["Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Asia/Kolkata", "America/Santiago", "UTC"]

clock_times = st.builds(time, st.integers(0, 23), st.sampled_from([0, 15, 30, 59]))
shifts = st.lists(st.builds(Shift, clock_times, clock_times), max_size=3).map(tuple)
days = st.dates(date(2026, 1, 1), date(2026, 12, 31))
calendars = st.builds(
    Calendar,
    st.sampled_from(ZONES),
    st.dictionaries(st.integers(0, 6), shifts, min_size=1),
    st.frozensets(days, max_size=5),
    st.dictionaries(days, shifts, max_size=3),
).filter(lambda calendar: any(calendar.weekly.values()))
moments = st.datetimes(datetime(2026, 1, 1), datetime(2026, 12, 1), timezones=st.just(UTC))
waits = st.integers(0, 10 * 86_400 * 1000).map(lambda ms: ms / 1000)  # up to ten open days, in milliseconds


def added(calendar: Calendar, start: datetime, seconds: float) -> datetime:
    try:
        return calendar.add(start, seconds)
    except NeverOpen:  # every shift of the week lies in the hour of a change, or is a holiday for ever
        assume(False)
        raise


@settings(deadline=None)
@given(calendars, moments, waits)
def test_between_undoes_add(calendar: Calendar, start: datetime, wait: float) -> None:
    assert calendar.between(start, added(calendar, start, wait)) == wait


@settings(deadline=None)
@given(calendars, moments, moments)
def test_add_undoes_between_up_to_closed_time(calendar: Calendar, a: datetime, b: datetime) -> None:
    a, b = min(a, b), max(a, b)
    back = calendar.add(a, calendar.between(a, b))
    assert back <= b and calendar.between(back, b) == 0
    if calendar.is_open(b - timedelta(microseconds=1)):
        assert abs(back - b) <= timedelta(microseconds=1) or back == a


@settings(deadline=None)
@given(calendars, moments, moments, moments)
def test_between_adds_up_across_a_split(calendar: Calendar, a: datetime, b: datetime, c: datetime) -> None:
    whole = timedelta(seconds=calendar.between(a, c))
    parts = timedelta(seconds=calendar.between(a, b)) + timedelta(seconds=calendar.between(b, c))
    assert whole == parts


@settings(deadline=None)
@given(calendars, moments, waits, waits)
def test_adding_in_two_goes_is_adding_at_once(calendar: Calendar, start: datetime, one: float, two: float) -> None:
    total = (timedelta(seconds=one) + timedelta(seconds=two)).total_seconds()
    assert added(calendar, added(calendar, start, one), two) == added(calendar, start, total)


@settings(deadline=None)
@given(calendars, moments, moments, waits, waits)
def test_a_later_start_or_a_longer_wait_never_ends_earlier(calendar: Calendar, a: datetime, b: datetime, short: float, long: float) -> None:
    a, b, short, long = min(a, b), max(a, b), min(short, long), max(short, long)
    assert added(calendar, a, short) <= added(calendar, b, short)
    assert added(calendar, a, short) <= added(calendar, a, long)


@settings(deadline=None)
@given(calendars, moments, moments)
def test_open_time_is_never_more_than_time_itself(calendar: Calendar, a: datetime, b: datetime) -> None:
    assert 0 <= calendar.between(min(a, b), max(a, b)) <= abs(b - a).total_seconds()
    assert calendar.between(a, b) == -calendar.between(b, a)


@settings(deadline=None)
@given(calendars, moments)
def test_open_time_agrees_with_reading_the_wall_clock_every_minute(calendar: Calendar, start: datetime) -> None:
    zone = ZoneInfo(calendar.zone)
    start = start.replace(second=0, microsecond=0)  # shifts and zones change on whole minutes
    minutes = [start + timedelta(minutes=k) for k in range(26 * 60)]
    # Shifts at the very hour of a change have tests of their own; elsewhere wall clocks cannot be misread.
    assume(minutes[0].astimezone(zone).utcoffset() == (minutes[-1] + timedelta(days=1)).astimezone(zone).utcoffset())
    assume(minutes[0].astimezone(zone).utcoffset() == (minutes[0] - timedelta(days=2)).astimezone(zone).utcoffset())
    counted = 60.0 * sum(shows_a_shift(calendar, minute.astimezone(zone)) for minute in minutes)
    assert calendar.between(start, minutes[-1] + timedelta(minutes=1)) == counted


def shows_a_shift(calendar: Calendar, wall: datetime) -> bool:
    today, now = wall.date(), wall.time()
    for shift in calendar.shifts(today):
        if shift.start <= now and (now < shift.end or shift.end <= shift.start):
            return True
    return any(shift.end <= shift.start and now < shift.end for shift in calendar.shifts(today - timedelta(days=1)))


@settings(deadline=None)
@given(calendars, moments)
def test_open_stretches_are_disjoint_in_order_and_never_empty(calendar: Calendar, start: datetime) -> None:
    stretches = list(islice(calendar.segments(start), 20))
    assert all(opens < closes for opens, closes in stretches)
    assert all(before[1] <= after[0] for before, after in pairwise(stretches))
