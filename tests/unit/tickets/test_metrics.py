"""Time metrics of a ticket as a fold over its facts, in calendar and in business time, and how many are summed up."""

from __future__ import annotations

import random
from datetime import UTC, datetime, time, timedelta

import pytest

from helpdesk.tickets.hours import Calendar, Shift
from helpdesk.tickets.metrics import (
    Contact,
    Fact,
    Kind,
    Measure,
    TicketTimes,
    elapsed,
    first_contact_resolution,
    percentile,
    reopen_rate,
    spread,
    ticket_times,
)

OPENED = datetime(2026, 3, 2, 10, tzinfo=UTC)  # a Monday
MINUTE, HOUR = 60.0, 3600.0


def after(minutes: float) -> datetime:
    return OPENED + timedelta(minutes=minutes)


def opened(by: str = "customer", **data: object) -> Fact:
    return Fact(OPENED, Kind.OPENED, {"by": by, **data})


def wrote(minutes: float) -> Fact:
    return Fact(after(minutes), Kind.CUSTOMER_WROTE)


def replied(minutes: float, *, automatic: bool = False) -> Fact:
    return Fact(after(minutes), Kind.AGENT_REPLIED, {"automatic": automatic})


def moved(minutes: float, to: str) -> Fact:
    return Fact(after(minutes), Kind.STATUS_CHANGED, {"to": to})


def times(*facts: Fact, measure: Measure = elapsed, until: datetime | None = None) -> TicketTimes:
    return ticket_times(facts, measure=measure, until=until)


def test_first_reply_time_runs_from_the_opening_to_the_first_reply_by_a_person() -> None:
    assert times(opened(), replied(30), replied(60)).first_reply == 30 * MINUTE


def test_bots_and_automatic_replies_do_not_count() -> None:
    folded = times(opened(), replied(1, automatic=True), replied(30))
    assert (folded.first_reply, folded.agent_replies) == (30 * MINUTE, 1)
    assert times(opened(), replied(1, automatic=True)).waiting_since == OPENED


def test_a_ticket_opened_by_an_agent_gets_its_first_reply_with_the_second_public_message() -> None:
    folded = times(opened(by="agent"), wrote(50), replied(60))
    assert folded.first_reply == 60 * MINUTE
    assert folded.next_replies == (10 * MINUTE,)
    assert times(opened(by="agent")).waiting_since is None


def test_an_unanswered_ticket_has_no_reply_time_rather_than_0() -> None:
    folded = times(opened())
    assert folded.first_reply is None and folded.next_replies == () and folded.waiting_since == OPENED


def test_next_reply_time_runs_from_the_oldest_unanswered_message() -> None:
    folded = times(opened(), replied(10), wrote(20), wrote(25), replied(40), replied(45), wrote(60), replied(61))
    assert folded.next_replies == (20 * MINUTE, 1 * MINUTE)
    assert folded.waiting_since is None


def test_the_wait_that_began_with_the_opening_is_the_first_replys_alone() -> None:
    folded = times(opened(), wrote(5), replied(30))
    assert (folded.first_reply, folded.next_replies) == (30 * MINUTE, ())


def test_a_message_that_waits_is_known_by_its_time() -> None:
    assert times(opened(), replied(10), wrote(20), wrote(30)).waiting_since == after(20)


def test_reopening_moves_the_full_resolution_only() -> None:
    once = times(opened(), moved(60, "solved"))
    assert (once.first_resolution, once.full_resolution, once.reopens) == (HOUR, HOUR, 0)
    again = times(opened(), moved(60, "solved"), moved(90, "open"), moved(180, "solved"))
    assert (again.first_resolution, again.full_resolution, again.reopens) == (HOUR, 3 * HOUR, 1)


def test_a_reopened_ticket_is_not_fully_resolved_and_closing_a_solved_one_is_no_second_solution() -> None:
    reopened = times(opened(), moved(60, "solved"), moved(90, "open"))
    assert (reopened.first_resolution, reopened.full_resolution) == (HOUR, None)
    closed = times(opened(), moved(60, "solved"), moved(600, "closed"))
    assert (closed.full_resolution, closed.reopens, closed.status) == (HOUR, 0, "closed")


def test_requester_wait_counts_new_open_and_on_hold_and_agent_wait_counts_pending() -> None:
    folded = times(opened(), moved(10, "open"), moved(30, "pending"), moved(90, "on_hold"), moved(100, "open"), moved(120, "solved"))
    assert (folded.requester_wait, folded.agent_wait) == (60 * MINUTE, 60 * MINUTE)


def test_the_time_while_solved_is_nobodys_wait() -> None:
    folded = times(opened(), moved(10, "solved"), moved(1000, "open"), moved(1005, "solved"))
    assert (folded.requester_wait, folded.agent_wait) == (15 * MINUTE, 0)


def test_waits_of_an_unsolved_ticket_are_unknown_until_told_when_to_count() -> None:
    facts = [opened(), moved(10, "pending")]
    assert times(*facts).requester_wait is times(*facts).agent_wait is None
    counted = times(*facts, until=after(40))
    assert (counted.requester_wait, counted.agent_wait) == (10 * MINUTE, 30 * MINUTE)


def test_facts_after_the_moment_of_counting_are_not_known_then() -> None:
    folded = times(opened(), replied(30), moved(60, "solved"), until=after(45))
    assert (folded.first_reply, folded.full_resolution, folded.requester_wait) == (30 * MINUTE, None, 45 * MINUTE)


@pytest.mark.parametrize(
    ("facts", "one_touch"),
    [
        ([opened(), replied(5), moved(6, "solved")], True),
        ([opened(), moved(6, "solved")], True),
        ([opened(), replied(5), replied(6), moved(7, "solved")], False),
        ([opened(), replied(5), moved(6, "solved"), moved(7, "open"), moved(8, "solved")], False),
        ([opened(), replied(5)], None),
        ([opened(), replied(5), replied(6)], False),
    ],
)
def test_one_touch_is_at_most_one_reply_and_never_reopened(facts: list[Fact], one_touch: bool | None) -> None:
    assert times(*facts).one_touch is one_touch


def test_the_order_in_which_facts_arrive_does_not_matter() -> None:
    facts = [opened(), replied(10), wrote(20), moved(25, "open"), replied(40), moved(50, "solved")]
    for seed in range(20):
        shuffled = facts[:]
        random.Random(seed).shuffle(shuffled)
        assert times(*shuffled) == times(*facts)


def test_the_same_fold_counts_business_time_segment_by_segment() -> None:
    office = Calendar("UTC", dict.fromkeys(range(5), (Shift(time(9), time(18)),)))
    day = 24 * 60.0
    folded = times(
        opened(), moved(day, "pending"), moved(2 * day, "open"), replied(7 * day), moved(7 * day, "solved"),
        measure=office.between,
    )  # fmt: skip
    # Monday to Tuesday and Wednesday to next Monday wait for us, Tuesday to Wednesday for the customer.
    assert folded.first_reply == folded.full_resolution == 45 * HOUR
    assert (folded.requester_wait, folded.agent_wait) == (36 * HOUR, 9 * HOUR)


@pytest.mark.parametrize("facts", [[], [replied(5)], [opened(), opened()]])
def test_a_ticket_is_opened_exactly_once(facts: list[Fact]) -> None:
    with pytest.raises(ValueError, match="opened once"):
        times(*facts)


def test_mean_median_and_90th_percentile_stand_side_by_side_and_the_unknown_is_left_out() -> None:
    summary = spread([*map(float, range(1, 11)), None])
    assert (summary.n, summary.mean, summary.median, summary.p90) == (10, 5.5, 5.5, pytest.approx(9.1))


@pytest.mark.parametrize(
    ("values", "q", "value"),
    [([5.0], 0.9, 5.0), ([1.0, 3.0], 0.5, 2.0), ([1.0, 2.0, 10.0], 0.5, 2.0), ([1.0, 2.0], 1.0, 2.0), ([], 0.5, None)],
)
def test_percentiles_are_interpolated_as_spreadsheets_do(values: list[float], q: float, value: float | None) -> None:
    assert percentile(values, q) == value


def test_nothing_to_sum_up_is_unknown() -> None:
    summary = spread([None, None])
    assert (summary.n, summary.mean, summary.median, summary.p90) == (0, None, None, None)


def test_the_reopen_rate_is_of_solved_tickets() -> None:
    rate = reopen_rate(
        [
            times(opened(), moved(1, "solved")),
            times(opened(), moved(1, "solved"), moved(2, "open"), moved(3, "solved"), moved(4, "open")),
            times(opened()),
        ]
    )
    assert (rate.part, rate.n, rate.value) == (1, 2, 0.5)
    assert reopen_rate([]).value is None


def contact(day: float, customer: str = "carol", reason: str = "printer", *, solved: bool = True) -> Contact:
    return Contact(customer, reason, OPENED + timedelta(days=day), solved)


@pytest.mark.parametrize(
    ("contacts", "part", "n"),
    [
        ([contact(0)], 1, 1),
        ([contact(0, solved=False)], 0, 1),
        ([contact(0), contact(3)], 0, 1),  # came back: the second is no first contact
        ([contact(0), contact(7)], 0, 1),  # the seventh day still counts
        ([contact(0), contact(8)], 2, 2),
        ([contact(0), contact(3, "dana")], 2, 2),
        ([contact(0), contact(3, reason="invoice")], 2, 2),
        ([contact(0), contact(25)], 1, 1),  # not matured: nobody knows yet
        ([contact(0), contact(40)], 1, 1),  # in the future
        ([], 0, 0),
    ],
)
def test_first_contact_resolution_looks_a_week_ahead_and_counts_matured_contacts_only(contacts: list[Contact], part: int, n: int) -> None:
    rate = first_contact_resolution(reversed(contacts), as_of=OPENED + timedelta(days=30))
    assert (rate.part, rate.n) == (part, n)
