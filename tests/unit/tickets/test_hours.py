"""Business time: split shifts, shifts past midnight, holidays, and both daylight-saving days in three zones."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest

from helpdesk.tickets.hours import ALWAYS, Calendar, NeverOpen, Shift

HOUR = 3600.0
WEEKDAYS = range(5)
OFFICE = (Shift(time(9), time(18)),)
SPLIT = (Shift(time(9), time(13)), Shift(time(14), time(18)))
NIGHT = (Shift(time(22), time(6)),)
ALL_DAY = (Shift(time(0), time(0)),)

MOSCOW = Calendar("Europe/Moscow", dict.fromkeys(WEEKDAYS, OFFICE), holidays=frozenset({date(2026, 3, 9)}))


def at(text: str, zone: str = "Europe/Moscow", fold: int = 0) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(zone), fold=fold)


@pytest.mark.parametrize(
    ("start", "hours", "end"),
    # 2026-03-02 is a Monday, 2026-03-06 a Friday, Monday the 9th a holiday
    [
        ("2026-03-02T10:00", 1, "2026-03-02T11:00"),
        ("2026-03-02T10:00", 8, "2026-03-02T18:00"),  # ends with the shift, not at the next opening
        ("2026-03-02T10:00", 8.5, "2026-03-03T09:30"),
        ("2026-03-02T07:00", 1, "2026-03-02T10:00"),
        ("2026-03-02T20:00", 1, "2026-03-03T10:00"),
        ("2026-03-06T17:00", 2, "2026-03-10T10:00"),  # over the weekend and the holiday
        ("2026-03-07T12:00", 1, "2026-03-10T10:00"),
        ("2026-03-02T09:00", 9 * 10, "2026-03-16T18:00"),
        ("2026-03-07T12:00", 0, "2026-03-07T12:00"),
    ],
)
def test_a_deadline_skips_nights_weekends_and_holidays(start: str, hours: float, end: str) -> None:
    assert MOSCOW.add(at(start), hours * HOUR) == at(end)
    assert MOSCOW.between(at(start), at(end)) == hours * HOUR


@pytest.mark.parametrize(
    ("a", "b", "hours"),
    [
        ("2026-03-02T08:00", "2026-03-02T08:59", 0),
        ("2026-03-02T08:00", "2026-03-02T20:00", 9),
        ("2026-03-06T17:00", "2026-03-10T10:00", 2),
        ("2026-03-07T00:00", "2026-03-09T23:59", 0),
        ("2026-03-02T10:00", "2026-03-02T10:00", 0),
        ("2026-03-02T11:00", "2026-03-02T10:00", -1),
    ],
)
def test_the_open_time_between_two_moments(a: str, b: str, hours: float) -> None:
    assert MOSCOW.between(at(a), at(b)) == hours * HOUR


def test_a_split_shift_leaves_out_the_lunch_break() -> None:
    desk = Calendar("Europe/Moscow", dict.fromkeys(WEEKDAYS, SPLIT))
    assert desk.add(at("2026-03-02T12:30"), HOUR) == at("2026-03-02T14:30")
    assert desk.add(at("2026-03-02T13:20"), HOUR) == at("2026-03-02T15:00")
    assert desk.between(at("2026-03-02T12:00"), at("2026-03-02T15:00")) == 2 * HOUR
    assert not desk.is_open(at("2026-03-02T13:00")) and desk.is_open(at("2026-03-02T14:00"))


def test_a_night_shift_runs_past_midnight_and_belongs_to_the_evening_it_began() -> None:
    desk = Calendar("Europe/Moscow", {4: NIGHT})  # Friday evening to Saturday morning
    assert desk.between(at("2026-03-06T00:00"), at("2026-03-08T00:00")) == 8 * HOUR
    assert desk.add(at("2026-03-07T05:00"), 2 * HOUR) == at("2026-03-13T23:00")
    assert desk.is_open(at("2026-03-07T05:59")) and not desk.is_open(at("2026-03-06T05:00"))


def test_a_holiday_cancels_the_shift_that_begins_on_it_and_not_the_one_that_reaches_into_it() -> None:
    desk = Calendar("Europe/Moscow", dict.fromkeys(range(7), NIGHT), holidays=frozenset({date(2026, 3, 4)}))
    assert desk.is_open(at("2026-03-04T05:00"))
    assert not desk.is_open(at("2026-03-04T23:00")) and not desk.is_open(at("2026-03-05T05:00"))
    assert desk.between(at("2026-03-03T12:00"), at("2026-03-06T12:00")) == 16 * HOUR


def test_special_days_outrank_the_week_and_the_holidays() -> None:
    desk = Calendar(
        "Europe/Moscow",
        dict.fromkeys(WEEKDAYS, OFFICE),
        holidays=frozenset({date(2026, 3, 9)}),
        special={
            date(2026, 3, 6): (Shift(time(9), time(17)),),  # the short day before a holiday
            date(2026, 3, 7): OFFICE,  # a working Saturday
            date(2026, 3, 9): (Shift(time(12), time(14)),),
            date(2026, 3, 10): (),
        },
    )
    assert desk.between(at("2026-03-06T00:00"), at("2026-03-11T00:00")) == (8 + 9 + 2) * HOUR


def test_overlapping_shifts_count_once() -> None:
    desk = Calendar("UTC", {0: (Shift(time(8), time(12)), Shift(time(10), time(11)), Shift(time(11), time(15)))})
    assert desk.between(at("2026-03-02T00:00", "UTC"), at("2026-03-03T00:00", "UTC")) == 7 * HOUR


def test_a_desk_that_is_always_open_counts_calendar_time() -> None:
    a, b = at("2026-03-02T03:00", "UTC"), at("2026-03-30T04:30:01.25", "UTC")
    assert ALWAYS.between(a, b) == (b - a).total_seconds()
    assert ALWAYS.add(a, 1e6) == a + timedelta(seconds=1e6)


#: zone, the day the clocks go forward, the day they go back. Sydney's autumn is April; Santiago jumps at midnight, so
#: that a day there begins at 01:00.
ZONES = [
    ("Europe/Berlin", date(2026, 3, 29), date(2026, 10, 25)),
    ("America/New_York", date(2026, 3, 8), date(2026, 11, 1)),
    ("Australia/Sydney", date(2026, 10, 4), date(2026, 4, 5)),
    ("America/Santiago", date(2026, 9, 6), date(2026, 4, 5)),
]


@pytest.mark.parametrize(("zone", "forward", "back"), ZONES)
def test_a_whole_day_has_23_hours_in_spring_and_25_in_autumn(zone: str, forward: date, back: date) -> None:
    desk = Calendar(zone, dict.fromkeys(range(7), ALL_DAY))
    for day, hours in ((forward, 23), (back, 25), (forward + timedelta(days=1), 24)):
        # From noon to noon, for midnight itself may be shown twice or not at all.
        a = datetime.combine(day - timedelta(days=1), time(12), ZoneInfo(zone))
        b = datetime.combine(day + timedelta(days=1), time(12), ZoneInfo(zone))
        assert desk.between(a, b) == (24 + hours) * HOUR
        assert desk.add(a, (24 + hours) * HOUR) == b


@pytest.mark.parametrize(("zone", "forward", "back"), ZONES[:3])
def test_a_night_shift_is_an_hour_shorter_in_spring_and_longer_in_autumn(zone: str, forward: date, back: date) -> None:
    desk = Calendar(zone, dict.fromkeys(range(7), NIGHT))
    for day, hours in ((forward, 7), (back, 9), (forward + timedelta(days=1), 8)):
        evening = datetime.combine(day - timedelta(days=1), time(20), ZoneInfo(zone))
        morning = datetime.combine(day, time(8), ZoneInfo(zone))
        assert desk.between(evening, morning) == hours * HOUR
        assert desk.add(evening, hours * HOUR) == datetime.combine(day, time(6), ZoneInfo(zone))


@pytest.mark.parametrize(("zone", "forward", "back"), ZONES)
def test_office_hours_do_not_notice_the_change(zone: str, forward: date, back: date) -> None:
    desk = Calendar(zone, dict.fromkeys(range(7), OFFICE))
    for day in (forward, back):
        midnight = datetime.combine(day, time(4), ZoneInfo(zone))
        assert desk.between(midnight, midnight + timedelta(hours=18)) == 9 * HOUR
        assert desk.add(midnight, HOUR) == datetime.combine(day, time(10), ZoneInfo(zone))


@pytest.mark.parametrize(
    ("shift", "hours"),
    [
        (Shift(time(2, 30), time(6)), 3),  # begins in the hour that is skipped: opens when the clock jumps, at 03:00
        (Shift(time(0), time(2, 30)), 2),  # ends in it: closes when the clock jumps
        (Shift(time(2, 15), time(2, 45)), 0),  # lies whole in it: does not happen
    ],
)
def test_a_shift_at_the_skipped_hour_of_spring(shift: Shift, hours: float) -> None:
    desk = Calendar("Europe/Berlin", {6: (shift,)})
    before, after = at("2026-03-29T00:00", "Europe/Berlin"), at("2026-03-29T12:00", "Europe/Berlin")
    assert desk.between(before, after) == hours * HOUR
    if not hours:
        assert desk.next_opening(before) == at("2026-04-05T02:15", "Europe/Berlin")


@pytest.mark.parametrize(
    ("shift", "hours"),
    [
        (Shift(time(2, 30), time(6)), 4.5),  # begins in the doubled hour: the first time round
        (Shift(time(0), time(2, 30)), 3.5),  # ends in it: the second time round
        (Shift(time(2, 15), time(2, 45)), 1.5),
    ],
)
def test_a_shift_at_the_doubled_hour_of_autumn(shift: Shift, hours: float) -> None:
    desk = Calendar("Europe/Berlin", {6: (shift,)})
    assert desk.between(at("2026-10-25T00:00", "Europe/Berlin"), at("2026-10-25T12:00", "Europe/Berlin")) == hours * HOUR


def test_the_two_passes_of_a_doubled_hour_are_two_moments() -> None:
    desk = Calendar("Europe/Berlin", {6: ALL_DAY})
    first, second = (at("2026-10-25T02:30", "Europe/Berlin", fold) for fold in (0, 1))
    assert desk.between(first, second) == HOUR
    assert desk.add(first, HOUR) == second.astimezone(UTC)


def test_a_zone_that_skipped_a_whole_day_had_no_shift_on_it() -> None:
    desk = Calendar("Pacific/Apia", dict.fromkeys(range(7), OFFICE))  # 2011-12-30 did not happen there
    assert desk.between(at("2011-12-29T00:00", "Pacific/Apia"), at("2011-12-31T23:00", "Pacific/Apia")) == 18 * HOUR


@pytest.mark.parametrize(
    ("moment", "is_open", "opening"),
    [
        ("2026-03-02T09:00", True, "2026-03-02T09:00"),
        ("2026-03-02T17:59:59", True, "2026-03-02T17:59:59"),
        ("2026-03-02T18:00", False, "2026-03-03T09:00"),
        ("2026-03-06T18:00", False, "2026-03-10T09:00"),
    ],
)
def test_whether_the_desk_is_open_and_when_it_opens_next(moment: str, is_open: bool, opening: str) -> None:
    assert MOSCOW.is_open(at(moment)) is is_open
    assert MOSCOW.next_opening(at(moment)) == at(opening)


def test_the_zone_of_the_question_does_not_matter_and_the_answer_is_utc() -> None:
    answer = MOSCOW.add(at("2026-03-02T02:00", "America/New_York"), HOUR)
    assert answer == at("2026-03-02T11:00") and answer.tzinfo is UTC


def test_a_calendar_that_never_opens_gives_no_deadline_and_no_endless_search() -> None:
    closed = Calendar("UTC", {}, special={date(2020, 1, 1): OFFICE})
    start = at("2026-03-02T10:00", "UTC")
    with pytest.raises(NeverOpen, match="2026-03-02"):
        closed.add(start, 1)
    with pytest.raises(NeverOpen):
        closed.next_opening(start)
    assert not closed.is_open(start)
    assert closed.between(start, start + timedelta(days=400)) == 0
    assert closed.add(start, 0) == start


def test_a_last_special_day_that_is_too_short_gives_no_deadline() -> None:
    desk = Calendar("UTC", {}, special={date(2026, 3, 2): OFFICE})
    with pytest.raises(NeverOpen):
        desk.add(at("2026-03-02T10:00", "UTC"), 8 * HOUR + 1)


def test_what_cannot_be_meant_is_refused() -> None:
    with pytest.raises(ValueError, match="zone"):
        MOSCOW.add(datetime(2026, 3, 2), 1)
    with pytest.raises(ValueError, match="forwards"):
        MOSCOW.add(at("2026-03-02T10:00"), -1)
    with pytest.raises(ValueError, match="Mars/Base"):
        Calendar("Mars/Base", {})
    with pytest.raises(ValueError, match="weekdays"):
        Calendar("UTC", {7: OFFICE})
    with pytest.raises(ValueError, match="wall clock"):
        Shift(time(9, tzinfo=UTC), time(18))
