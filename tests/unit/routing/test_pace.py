"""How long a place in line takes: the pace of what was lately taken up, worked out by hand, and known to be unknown."""

from __future__ import annotations

import random
from datetime import UTC, datetime, timedelta

import pytest

from helpdesk.agents.place import FEWEST, Taken, pace_s

START = datetime(2026, 3, 2, 10, tzinfo=UTC)


def at(minutes: float) -> datetime:
    return START + timedelta(minutes=minutes)


def queue_of(*minutes: float) -> list[Taken]:
    """Everything had waited since the beginning; these were taken up then."""
    return [Taken(at(0), at(minute)) for minute in minutes]


def test_the_pace_is_the_time_between_two_that_are_taken_up() -> None:
    assert pace_s(queue_of(1, 4, 7, 10), at(10), None) == 180


def test_time_in_which_nothing_waited_does_not_count() -> None:
    quiet = [*queue_of(1, 3, 5), Taken(at(60), at(62)), Taken(at(60), at(64))]
    assert pace_s(quiet, at(64), None) == 120


def test_the_gap_that_is_still_running_makes_the_pace_slower_and_never_faster() -> None:
    steady = queue_of(2, 4, 6, 8)
    assert pace_s(steady, at(8), at(0)) == 120
    assert pace_s(steady, at(14), at(0)) == pytest.approx((360 + 360) / 3)
    assert pace_s(steady, at(14), at(13)) == pytest.approx((360 + 60) / 3)  # who is first came only just now


@pytest.mark.parametrize("n", range(FEWEST - 1))
def test_from_too_few_nothing_can_be_said(n: int) -> None:
    assert pace_s(queue_of(*range(n)), at(60), at(0)) is None


def test_work_taken_up_at_once_makes_no_wait() -> None:
    assert pace_s([Taken(at(n), at(n)) for n in range(6)], at(6), None) == 0


def test_it_finds_the_pace_that_the_gaps_were_drawn_from() -> None:
    rng = random.Random(7)
    now, taken = 0.0, []
    for _ in range(4000):
        now += rng.expovariate(1 / 3)
        taken.append(Taken(at(0), at(now)))
    assert pace_s(taken, at(now), None) == pytest.approx(180, rel=0.05)
