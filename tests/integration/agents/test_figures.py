"""The wallboard's figures, each against values worked out by hand, and the tickets behind it."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import event

from helpdesk import clock, db
from helpdesk.actor import Actor
from helpdesk.agents import behind, counted, figures, presence
from helpdesk.agents.models import AgentProfile, Presence, PresenceState
from helpdesk.preferences import prefer
from helpdesk.tickets import lifecycle, surveys, thread
from helpdesk.tickets.metrics import Rate
from helpdesk.tickets.models import Channel, Message, Queue, Status, Ticket
from tests import people
from tests.desks import TestDesk


@pytest.fixture(autouse=True)
def fresh() -> Iterator[None]:
    figures.forget()
    yield
    figures.forget()


def board(queue_id: int | None = None, zone: str = "UTC") -> figures.Board:
    return figures.compute(queue_id, zone=zone)


def replies(desk: TestDesk, ticket: Ticket, then: Status | None = None) -> Message:
    """Alice answers, in a transaction of her own."""
    with db.transaction() as session:
        return thread.reply(session.get_one(Ticket, ticket.id), "Here it is.", by=Actor("user", desk.people.alice), then=then)


def becomes(desk: TestDesk, ticket: Ticket, status: Status) -> None:
    with db.transaction() as session:
        lifecycle.set_status(session.get_one(Ticket, ticket.id), status, by=Actor("user", desk.people.alice))


def rates(ticket: Ticket, contact: int, score: int) -> None:
    """The customer is asked and answers at once."""
    with db.transaction() as session:
        survey = surveys.send(session.get_one(Ticket, ticket.id), session.get_one(people.Contact, contact))
        surveys.answer(survey, score)


def asks(desk: TestDesk, inbox: int | None = None, **values: object) -> Ticket:
    return people.writes(desk.people.carol, inbox=inbox or desk.people.mail, **values)  # type: ignore[arg-type]


# --- nothing yet ----------------------------------------------------------------------------------------------------------


def test_before_the_first_ticket_there_are_dashes_and_no_zero_lies(desk: TestDesk, stopped: clock.Hand) -> None:
    made = board()
    assert not made.state.any and made.state.longest is None and made.rolling.service.value is None
    assert made.rolling.first_reply.median is None and made.rolling.csat.rate.value is None and made.rolling.csat.low is None
    assert made.rolling.slots == [] and made.rolling.hours == []
    page = desk.client(desk.people.dana).get("/wallboard").text
    assert page.count(">—</p>") == 6 and ">0</p>" not in page and "no tickets yet" in page


# --- this moment ----------------------------------------------------------------------------------------------------------


def test_waiting_counts_by_channel_and_names_the_longest(desk: TestDesk, stopped: clock.Hand) -> None:
    first = asks(desk, desk.people.portal)
    stopped.move(minutes=7)
    asks(desk), asks(desk)
    stopped.move(minutes=3)
    state = board().state
    assert state.waiting == {Channel.EMAIL: 2, Channel.PORTAL: 1} and state.waits == 3
    assert state.longest is not None and (state.longest.number, state.longest.waited_s) == (first.number, 600)
    replies(desk, first)
    assert (longest := board().state.longest) is not None and longest.waited_s == 180


def test_who_waits_for_the_customer_or_for_others_does_not_wait_for_us(desk: TestDesk, stopped: clock.Hand) -> None:
    pending, held, solved = asks(desk), asks(desk), asks(desk)
    becomes(desk, pending, Status.PENDING)
    becomes(desk, held, Status.ON_HOLD)
    becomes(desk, solved, Status.SOLVED)
    state = board().state
    assert state.any and state.waiting == {} and state.longest is None
    people.answers(pending, desk.people.carol)
    assert board().state.waiting == {Channel.EMAIL: 1}


def test_a_customer_who_writes_again_waits_since_the_first_unanswered_message(desk: TestDesk, stopped: clock.Hand) -> None:
    ticket = asks(desk)
    stopped.move(minutes=5)
    replies(desk, ticket)
    stopped.move(minutes=5)
    people.answers(ticket, desk.people.carol)
    stopped.move(minutes=5)
    people.answers(ticket, desk.people.carol, "Anybody there?")
    stopped.move(minutes=5)
    assert (longest := board().state.longest) is not None and longest.waited_s == 600


def test_breached_and_at_risk_are_told_apart_to_the_second(desk: TestDesk, stopped: clock.Hand) -> None:
    ticket = asks(desk)  # due at 11:00
    stopped.move(minutes=29, seconds=59)
    assert (board().state.breached, board().state.at_risk) == (0, 0)
    stopped.move(seconds=1)
    state = board().state
    assert (state.breached, state.at_risk) == (0, 1) and [risk.number for risk in state.risks] == [ticket.number]
    stopped.move(minutes=30)
    state = board().state
    assert (state.breached, state.at_risk, state.risks) == (1, 0, [])


def test_a_paused_ticket_is_neither_at_risk_nor_breached_and_its_pause_is_given_back(desk: TestDesk, stopped: clock.Hand) -> None:
    ticket = asks(desk)  # due at 11:00
    stopped.move(minutes=40)
    becomes(desk, ticket, Status.PENDING)
    assert board().state.at_risk == 0
    stopped.move(hours=3)
    made = board()
    assert (made.state.breached, made.state.at_risk, made.rolling.service) == (0, 0, Rate(0, 0))
    people.answers(ticket, desk.people.carol)  # runs again: 20 minutes are left
    assert board().state.at_risk == 1
    stopped.move(minutes=10)
    replies(desk, ticket)
    assert board().rolling.service == Rate(1, 1)


def test_one_queue_shows_its_own(desk: TestDesk, stopped: clock.Hand) -> None:
    asks(desk)
    asks(desk, desk.people.billing_mail)
    asks(desk, desk.people.billing_mail)
    assert board(desk.people.support).state.waits == 1 and board(desk.people.billing).state.waits == 2 and board().state.waits == 3
    assert {agent.name for agent in board(desk.people.billing).state.agents} == {"Eve"}


def test_agents_stand_by_state_with_their_load_and_a_silent_screen_is_offline(desk: TestDesk, stopped: clock.Hand) -> None:
    people.arrives(desk.people.alice, desk.people.bob)
    with db.transaction() as session:
        presence.set_presence(desk.people.bob, PresenceState.AWAY, by=Actor("user", desk.people.bob))
        session.get_one(AgentProfile, desk.people.alice).capacity = 2
    asks(desk), asks(desk)
    desk.work()
    stopped.move(seconds=30)
    alice, bob, eve = board().state.agents
    assert (alice.name, alice.state, alice.load, alice.capacity, alice.tickets, alice.full) == (
        "Alice",
        PresenceState.AVAILABLE,
        2,
        2,
        2,
        True,
    )
    assert (bob.state, bob.since, eve.state) == (PresenceState.AWAY, clock.now() - timedelta(seconds=30), PresenceState.OFFLINE)
    stopped.move(seconds=16)
    silent = {agent.name: agent for agent in board().state.agents}["Alice"]
    with db.read() as session:
        assert (silent.state, silent.since) == (PresenceState.OFFLINE, session.get_one(Presence, desk.people.alice).expires_at)


# --- today ----------------------------------------------------------------------------------------------------------------


def test_the_service_level_counts_each_ticket_once_when_it_is_decided(desk: TestDesk, stopped: clock.Hand) -> None:
    quick, slow, silent, wordless = asks(desk), asks(desk), asks(desk), asks(desk)
    stopped.move(minutes=10)
    becomes(desk, wordless, Status.SOLVED)
    assert board().rolling.service == Rate(0, 0), "nothing is decided yet: no level, and not 0"
    stopped.move(minutes=20)
    replies(desk, quick)
    assert board().rolling.service == Rate(1, 1)
    stopped.move(hours=1)  # 11:30; two targets ran out at 11:00
    made = board().rolling
    assert made.service == Rate(1, 3) and made.hours == [("10:00", Rate(1, 1)), ("11:00", Rate(0, 2))]
    replies(desk, slow)
    replies(desk, silent, Status.SOLVED)
    assert board().rolling.service == Rate(1, 3), "an answer that came too late changes nothing"


def test_a_target_missed_yesterday_is_yesterdays_also_when_it_is_answered_today(desk: TestDesk, stopped: clock.Hand) -> None:
    ticket = asks(desk)  # due at 11:00 on Monday
    stopped.move(hours=14, minutes=30)  # 00:30 on Tuesday
    assert board().rolling.service == Rate(0, 0) and board().state.breached == 1
    replies(desk, ticket)
    made = board()
    assert made.rolling.service == Rate(0, 0) and made.state.breached == 0
    assert made.rolling.first_reply.n == 1 and made.rolling.first_reply.median == 14.5 * 3600


def test_a_reply_taken_back_was_never_given(desk: TestDesk, stopped: clock.Hand) -> None:
    ticket = asks(desk)
    stopped.move(minutes=10)
    message = replies(desk, ticket)
    assert board().rolling.first_reply.median == 600
    with db.transaction() as session:
        thread.withdraw(session.get_one(Message, message.id), session.get_one(Ticket, ticket.id), by=Actor("user", desk.people.alice))
    made = board()
    assert made.rolling.first_reply.n == 0 and made.rolling.service == Rate(0, 0) and made.state.waits == 1
    stopped.move(minutes=50, seconds=1)
    assert board().rolling.service == Rate(0, 1) and board().state.breached == 1


def test_a_reopened_ticket_breaches_its_next_reply_and_not_the_service_level(desk: TestDesk, stopped: clock.Hand) -> None:
    ticket = asks(desk)
    stopped.move(minutes=30)
    replies(desk, ticket, Status.SOLVED)
    stopped.move(minutes=10)
    people.answers(ticket, desk.people.carol)
    stopped.move(minutes=61)
    made = board()
    assert made.state.breached == 1 and made.rolling.service == Rate(1, 1) and made.rolling.first_reply.n == 1


def test_a_ticket_solved_without_a_word_and_reopened_is_decided_by_its_second_clock(desk: TestDesk, stopped: clock.Hand) -> None:
    ticket = asks(desk)
    becomes(desk, ticket, Status.SOLVED)
    stopped.move(minutes=50)
    people.answers(ticket, desk.people.carol)
    stopped.move(minutes=50)
    replies(desk, ticket)
    assert board().rolling.service == Rate(1, 1)


def test_the_median_of_today_stands_beside_yesterdays(desk: TestDesk, stopped: clock.Hand) -> None:
    first = asks(desk)
    stopped.move(minutes=4)
    replies(desk, first)
    stopped.move(days=1)
    late = [asks(desk) for _ in range(4)]
    for ticket, minutes in zip(late, (1, 2, 5, 12), strict=True):  # answered after 1, 3, 8 and 20 minutes
        stopped.move(minutes=minutes)
        replies(desk, ticket)
    made = board().rolling
    assert (made.first_reply.n, made.first_reply.median, made.first_reply.p90) == (4, 330, pytest.approx(984))
    assert (made.yesterday.n, made.yesterday.median) == (1, 240)


def test_the_day_is_the_companys(desk: TestDesk) -> None:
    with clock.frozen(datetime(2026, 3, 2, 20, 50, tzinfo=UTC)) as hand:
        ticket = asks(desk)
        hand.move(minutes=20)  # ten past midnight in Moscow
        replies(desk, ticket)
        moscow, london = board(zone="Europe/Moscow").rolling, board(zone="Europe/London").rolling
    assert moscow.first_reply.n == 1 and [(slot.label, slot.arrived, slot.answered) for slot in moscow.slots] == [("00:00", 0, 1)]
    assert [(slot.label, slot.arrived, slot.answered) for slot in london.slots] == [
        ("20:00", 0, 0), ("20:15", 0, 0), ("20:30", 0, 0), ("20:45", 1, 0), ("21:00", 0, 1),
    ]  # fmt: skip


@pytest.mark.parametrize(("day", "hours"), [(29, 23), (30, 24)])
def test_a_day_with_a_changed_clock_has_its_own_length(day: int, hours: int) -> None:
    made = counted.today(datetime(2026, 3, day + 1, 0, 30, tzinfo=UTC), "Europe/Berlin")
    assert made.start - made.before == timedelta(hours=hours)


def test_the_line_goes_from_the_first_busy_hour_to_now_and_no_further(desk: TestDesk, stopped: clock.Hand) -> None:
    stopped.move(minutes=20)
    tickets = [asks(desk), asks(desk)]
    stopped.move(minutes=30)
    replies(desk, tickets[0])
    made = board().rolling
    assert made.step == timedelta(minutes=15)
    assert [(slot.label, slot.arrived, slot.answered) for slot in made.slots] == [
        ("10:00", 0, 0), ("10:15", 2, 0), ("10:30", 0, 0), ("10:45", 0, 1),
    ]  # fmt: skip
    stopped.move(hours=13)
    made = board().rolling
    assert made.step == timedelta(hours=1) and [slot.label for slot in made.slots][-1] == "23:00"
    assert sum(slot.arrived for slot in made.slots) == 2


def test_satisfaction_counts_the_last_rating_of_a_ticket_with_its_interval(desk: TestDesk, stopped: clock.Hand) -> None:
    with db.transaction():
        prefer(survey_quiet_days=0)
    old = asks(desk)
    rates(old, desk.people.carol, 1)
    stopped.move(days=10)
    tickets = [asks(desk) for _ in range(3)]
    for ticket, score in zip(tickets, (5, 4, 5), strict=True):
        rates(ticket, desk.people.carol, score)
    stopped.move(minutes=1)
    rates(tickets[2], desk.people.carol, 2)  # thought better of it
    with db.transaction() as session:
        surveys.send(session.get_one(Ticket, old.id), session.get_one(people.Contact, desk.people.carol))
    made = board().rolling
    assert made.csat.rate == Rate(2, 3)
    assert (made.csat.low, made.csat.high) == (pytest.approx(0.2077, abs=1e-4), pytest.approx(0.9385, abs=1e-4))
    assert made.month.rate == Rate(2, 4) and made.asked == Rate(5, 6)
    assert board(desk.people.billing).rolling.csat.rate == Rate(0, 0)
    stopped.move(days=25)
    made = board().rolling
    assert made.csat.rate.value is None and made.month.rate == Rate(2, 3)


def test_queues_that_aim_differently_are_said_so(desk: TestDesk, stopped: clock.Hand) -> None:
    with db.transaction() as session:
        session.get_one(Queue, desk.people.billing).service_target = 0.9
    assert board().rolling.targets == (0.8, 0.9) and board().rolling.target_s is None
    one = board(desk.people.billing).rolling
    assert one.targets == (0.9, 0.9) and one.target_s == 7200


# --- the tickets behind a figure ----------------------------------------------------------------------------------------------


def test_behind_each_figure_stand_exactly_the_tickets_it_counts(desk: TestDesk, stopped: clock.Hand) -> None:
    tickets = [asks(desk) for _ in range(5)]
    stopped.move(minutes=20)
    replies(desk, tickets[0])
    replies(desk, tickets[1], Status.SOLVED)
    rates(tickets[1], desk.people.carol, 3)
    becomes(desk, tickets[2], Status.PENDING)
    stopped.move(minutes=45)  # tickets 3 and 4 are late
    asks(desk), asks(desk, desk.people.billing_mail)
    stopped.move(minutes=35)
    for queue_id in (None, desk.people.support, desk.people.billing):
        made = board(queue_id)
        counted = {
            "waiting": made.state.waits, "breached": made.state.breached, "at-risk": made.state.at_risk,
            "service-level": made.rolling.service.n, "first-reply": made.rolling.first_reply.n,
            "csat": made.rolling.csat.rate.n, "csat-month": made.rolling.month.rate.n,
            "arrived": sum(slot.arrived for slot in made.rolling.slots), "answered": sum(slot.answered for slot in made.rolling.slots),
        }  # fmt: skip
        assert set(counted) == set(behind.FIGURES)
        with db.read():
            listed = {name: behind.page(name, queue_id, zone="UTC").rows for name in behind.FIGURES}
        assert {name: len(rows) for name, rows in listed.items()} == counted
        assert sum(bool(row.good) for row in listed["service-level"]) == made.rolling.service.part
    assert {name: number for name, number in counted.items() if number} == {"waiting": 1, "arrived": 1}
    made = board()
    assert (made.state.waits, made.state.breached, made.state.at_risk, made.rolling.service) == (4, 2, 1, Rate(2, 4))


def test_a_long_list_is_paged_without_gaps(desk: TestDesk, stopped: clock.Hand) -> None:
    made = [asks(desk).number for _ in range(5)]
    seen: list[int] = []
    cursor: str | None = None
    with db.read():
        while True:
            page = behind.page("waiting", None, zone="UTC", cursor=cursor, limit=2)
            seen += [row.number for row in page.rows]
            cursor = page.next
            if cursor is None:
                break
    assert seen == made


@pytest.mark.parametrize("engine", ["sqlite"], indirect=True)
def test_no_figure_reads_what_is_solved_and_old(desk: TestDesk) -> None:
    """Every look at tickets, clocks and ratings goes through an index: closed years do not weigh on the board."""
    asked: list[tuple[str, Any]] = []

    def note(_connection: Any, _cursor: Any, statement: str, values: Any, *_more: Any) -> None:
        asked.append((statement, values))

    event.listen(db.engine(), "before_cursor_execute", note)
    board(), board(desk.people.support)
    event.remove(db.engine(), "before_cursor_execute", note)
    with db.read() as session:
        plans = [
            (step[3], statement)
            for statement, values in asked
            if statement.startswith("SELECT")
            for step in session.connection().exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", values)
        ]
    assert len(plans) > 20
    assert not [plan for plan in plans if plan[0] in ("SCAN ticket", "SCAN sla_clock", "SCAN rating", "SCAN message")]
