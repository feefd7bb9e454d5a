"""What people and calendars do in a replay: offers answered as they were, work kept for who knows the customer, finishing up, hours."""

from __future__ import annotations

from dataclasses import replace as with_
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as some

from helpdesk.agents import ranking
from helpdesk.agents.leading.replay.compare import figures
from helpdesk.agents.leading.replay.floor import Floor
from helpdesk.agents.leading.replay.week import QueueRules, Week
from helpdesk.agents.widening import Step
from tests.unit.routing.test_replay import EVERYBODY, agent, waits, week, work

OFFER = {"acceptance": "offer", "offer_s": 30.0}


def offering(*agents: Any, work: list[Any], **values: Any) -> Week:
    """One queue that offers its work for thirty seconds; whoever refused is asked again after five minutes."""
    return week(list(agents), *work, queues={1: QueueRules((EVERYBODY,), 100.0, **{**OFFER, **values})})


# --- offers ----------------------------------------------------------------------------------------------------------------


def test_an_offer_takes_as_long_to_accept_as_it_did() -> None:
    assert waits(offering(agent(1), work=[work(1, 0, answered=((1, "accepted", 12.0),))])) == {1: 12}


def test_an_offer_that_was_never_made_is_answered_as_this_agent_answers_and_else_as_anybody_does() -> None:
    own, others = agent(1, answers={"ticket": (("accepted", 7.0),)}), agent(2, 2, answers={"ticket": (("accepted", 9.0),)})
    assert waits(offering(own, others, work=[work(1, 0)])) == {1: 7}
    assert waits(offering(agent(1), others, work=[work(1, 0)])) == {1: 9}
    assert waits(offering(agent(1), work=[work(1, 0)])) == {1: 0}, "nobody was ever asked: it is taken at once"


def test_a_declined_offer_goes_to_the_next_and_is_made_again_only_after_a_while() -> None:
    declines = ((1, "declined", 5.0), (1, "accepted", 1.0))
    alone, second = agent(1, capacity=9), agent(2)
    busy = work(9, -10, 100, held_by=2)
    assert waits(offering(alone, second, work=[busy, work(1, 0, answered=(*declines, (2, "accepted", 2.0)))])) == {1: 102}
    # Bob is there and full: the exclusion stands, and ends after five minutes.
    full = agent(2, capacity=0)
    assert waits(offering(alone, full, work=[work(1, 0, answered=declines)])) == {1: 5 + 300 + 1}
    # With nobody else left, the refusal is forgotten at once.
    assert waits(offering(alone, work=[work(1, 0, answered=declines)])) == {1: 6}


def test_an_expired_offer_keeps_a_live_agent_away_until_they_come_back_and_a_ticket_does_not() -> None:
    answered = ((1, "expired", 99.0), (1, "accepted", 0.0))
    made = offering(agent(1, returns=(45.0,)), work=[work(1, 0, channel="phone", answered=answered), work(2, 31, channel="ticket")])
    assert waits(made) == {1: 30 + 45, 2: 104}, "who does not answer gets nothing until they are back, and then the call before the ticket"
    made = offering(agent(1, capacity=9), work=[work(1, 0, answered=answered), work(2, 1)])
    assert waits(made) == {1: 30, 2: 0}


def test_shorter_offers_expire_before_they_would_have_been_accepted() -> None:
    answered = ((1, "accepted", 20.0), (1, "accepted", 3.0))
    assert waits(offering(agent(1), work=[work(1, 0, answered=answered)])) == {1: 20}
    assert waits(offering(agent(1), work=[work(1, 0, answered=answered)], offer_s=15.0)) == {1: 18}


def test_who_leaves_with_an_offer_open_gives_it_back() -> None:
    made = offering(agent(1, available=[(0, 10)]), agent(2, available=[(8, 1e9)]), work=[work(1, 0, answered=((1, "accepted", 20.0),))])
    assert waits(made) == {1: 10}


def test_an_offer_that_is_open_takes_room() -> None:
    made = offering(agent(1), work=[work(1, 0, 60, answered=((1, "accepted", 10.0),)), work(2, 5, 60)])
    assert waits(made) == {1: 10, 2: 65}


def test_a_queue_that_assigns_at_once_asks_nobody_but_a_call_is_offered_all_the_same() -> None:
    answers = {"ticket": (("declined", 1.0),), "phone": (("accepted", 4.0),)}
    made = offering(agent(1, answers=answers), work=[work(1, 0), work(2, 0, channel="phone")], acceptance="automatic")
    assert waits(made) == {1: 0, 2: 4}


def test_what_agents_take_themselves_is_taken_when_it_was() -> None:
    assert waits(offering(agent(1), work=[work(1, 0, waited_s=77.0), work(2, 0)], acceptance="pull")) == {1: 77, 2: None}


# --- who knows the customer --------------------------------------------------------------------------------------------------


HOLDS = {"ticket": 600.0, "chat": 20.0, "phone": 20.0}


def holding(*agents: Any, work: list[Any], served: dict[int, int] | None = None, **values: Any) -> Week:
    made = week(list(agents), *work, queues={1: QueueRules((EVERYBODY,), 100.0, holds=HOLDS, **values)})
    return with_(made, served=served or {})


def test_work_waits_for_whoever_served_the_customer_last_and_no_longer_than_it_is_held() -> None:
    away = agent(1, states=((0.0, "away"), (50.0, "available")))
    assert waits(holding(away, agent(2), work=[work(1, 0, customer=7)], served={7: 1})) == {1: 50}
    gone = agent(1, states=((0.0, "away"),))
    assert waits(holding(gone, agent(2), work=[work(1, 0, customer=7)], served={7: 1})) == {1: 600}
    assert waits(holding(gone, agent(2), work=[work(1, 0, customer=8)], served={7: 1})) == {1: 0}, "nobody knows this one"


def test_in_the_replay_it_is_whoever_served_them_there() -> None:
    first, second = agent(1), agent(2, available=[(0, 10), (100, 1e9)])
    made = holding(first, second, work=[work(1, 0, 20, customer=7), work(2, 200, 20, customer=7)])
    taken: list[tuple[int, int]] = []
    Floor(made, on_match=lambda _at, piece, who: taken.append((piece, who))).run()
    assert taken[1] == (2, taken[0][1])


@pytest.mark.parametrize(
    ("why", "values"),
    [
        ("offline", {"states": ((0.0, "offline"),)}),
        ("in another queue", {"queues": frozenset([2]), "states": ((0.0, "away"),)}),
        ("without the skill", {"skills": {}, "states": ((0.0, "away"),)}),
    ],
)
def test_nobody_is_waited_for_who_could_not_have_it(why: str, values: Any) -> None:
    keeper = with_(agent(1, skills={"7": 1}), **values)
    made = holding(keeper, agent(2, skills={"7": 1}), work=[work(1, 0, customer=7)], served={7: 1})
    made = with_(made, queues={1: with_(made.queues[1], steps=(Step({"7": 1}),))})
    assert waits(made) == {1: 0}, why


def test_what_is_held_for_somebody_who_goes_offline_goes_on_at_once() -> None:
    keeper = agent(1, states=((0.0, "away"), (30.0, "offline")))
    assert waits(holding(keeper, agent(2), work=[work(1, 0, customer=7)], served={7: 1})) == {1: 30}


def test_declining_what_was_held_ends_the_hold() -> None:
    made = holding(agent(1), agent(2), work=[work(1, 0, customer=7, answered=((1, "declined", 3.0),))], served={7: 1}, **OFFER)
    taken: list[int] = []
    Floor(made, on_match=lambda _at, _piece, who: taken.append(who)).run()
    assert taken == [2]


# --- finishing up ------------------------------------------------------------------------------------------------------------


def test_finishing_up_weighs_like_the_work_did_and_after_a_call_nothing_new_comes() -> None:
    rules = {"wraps": True}
    made = week([agent(1)], work(1, 0, 60, wrap_s=20.0), work(2, 1), queues={1: QueueRules((EVERYBODY,), 100.0, **rules)})
    assert waits(made) == {1: 0, 2: 79}
    call = work(1, 0, 60, channel="phone", wrap_s=20.0)
    made = week([agent(1, capacity=9)], call, work(2, 61), queues={1: QueueRules((EVERYBODY,), 100.0, **rules)})
    assert waits(made) == {1: 0, 2: 19}, "who finishes up after a call gets no ticket either"
    made = week([agent(1)], work(1, 0, 60, wrap_s=20.0), work(2, 1))
    assert waits(made) == {1: 0, 2: 59}, "this queue asks for none"


# --- hours -------------------------------------------------------------------------------------------------------------------


HOUR = 3600.0
#: Monday, 2026-03-02, 00:00 UTC, and a desk that is open from nine to five.
MONDAY = 1772409600.0
OFFICE = {"zone": "UTC", "weekly": {str(day): [["09:00", "17:00"]] for day in range(5)}, "holidays": [], "special": {}}


def in_hours(*pieces: Any, agents: list[Any], target_s: float = HOUR, **rules: Any) -> Week:
    queues = {1: QueueRules((EVERYBODY,), target_s, hours=OFFICE), 2: QueueRules((EVERYBODY,), target_s)}
    return with_(week(agents, *pieces, queues=queues, length_s=7 * 24 * HOUR), begins_at=MONDAY, **rules)


def test_the_deadline_counts_open_hours_only_so_the_order_does() -> None:
    one = agent(1, 1, 2, available=[(20 * HOUR, 1e9)])
    evening, night = work(1, 16.5 * HOUR, queue=1), work(2, 19 * HOUR, queue=2)
    made = in_hours(evening, night, agents=[one])
    taken: list[int] = []
    Floor(made, on_match=lambda _at, piece, _who: taken.append(piece)).run()
    assert taken == [2, 1], "at 16:30 with half an hour left that day it is due at 9:30 of the next"
    always = with_(made, queues={**made.queues, 1: QueueRules((EVERYBODY,), HOUR)})
    taken.clear()
    Floor(always, on_match=lambda _at, piece, _who: taken.append(piece)).run()
    assert taken == [1, 2]


def test_what_waits_over_night_is_in_time_by_open_hours() -> None:
    made = in_hours(work(1, 16.5 * HOUR), agents=[agent(1, available=[(33.4 * HOUR, 1e9)])])
    told = figures(made, waits(made))
    assert (told.level, told.mean_s) == (1.0, pytest.approx(16.9 * HOUR))
    late = in_hours(work(1, 16.5 * HOUR), agents=[agent(1, available=[(33.6 * HOUR, 1e9)])])
    assert figures(late, waits(late)).level == 0.0


def test_a_call_that_comes_while_the_queue_is_closed_waits_as_a_ticket() -> None:
    nobody_on_the_phone = agent(1, live_capacity=0)
    assert waits(in_hours(work(1, 20 * HOUR, channel="phone"), agents=[nobody_on_the_phone])) == {1: 0}
    assert waits(in_hours(work(1, 10 * HOUR, channel="phone"), agents=[nobody_on_the_phone])) == {1: None}


def test_the_matrix_of_interruptions_is_the_desk_s_own() -> None:
    pieces = (work(1, 0, 100), work(2, 10, channel="phone"))
    assert waits(week([agent(1)], *pieces)) == {1: 0, 2: 0}
    only = with_(week([agent(1)], *pieces), interrupts={"ticket": frozenset(["ticket"])})
    assert waits(only) == {1: 0, 2: 90}


# --- nobody idles beside work, whatever people do ------------------------------------------------------------------------------


ANSWERS = some.sampled_from([("accepted", 0.0), ("accepted", 8.0), ("declined", 4.0), ("expired", 30.0)])


@settings(max_examples=60, deadline=None)
@given(
    some.lists(
        some.tuples(some.integers(0, 300), some.integers(1, 200), some.sampled_from(["ticket", "chat", "phone"]), some.integers(0, 4)),
        max_size=18,
    ),
    some.lists(
        some.tuples(some.integers(0, 200), some.integers(1, 500), some.lists(ANSWERS, min_size=1, max_size=4)), min_size=1, max_size=4
    ),
)
def test_at_no_instant_does_somebody_free_stand_beside_work_that_they_may_have(arriving: Any, staff: Any) -> None:
    agents = [
        agent(n, answers=dict.fromkeys(("ticket", "chat", "phone"), tuple(answers)), available=[(a, a + length)], capacity=2)
        for n, (a, length, answers) in enumerate(staff, start=1)
    ]
    rules = QueueRules((EVERYBODY,), 100.0, holds=HOLDS, wraps=True, **OFFER)
    pieces = [work(n, at, busy, channel=channel, customer=who, wrap_s=15.0) for n, (at, busy, channel, who) in enumerate(arriving)]
    made = with_(week(agents, *pieces, queues={1: rules}, length_s=1500.0), exclusion_s=50.0)
    floor = Floor(made)

    def look(_share: float) -> None:
        if floor._events and floor._events[0][0] <= floor.now:
            return  # happenings of one instant are one
        for item in floor._waiting.values():
            for state in floor._agents.values():
                asked = with_(item, excluded_agents=floor.excluded(item.id))
                assert ranking.why_not(state, asked) is not None, (floor.now, item, state)

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr("helpdesk.agents.leading.replay.floor.TOLD", 1)
        floor.run(look)
    for state in floor._agents.values():
        assert state.load <= state.capacity and state.interruptible_load <= state.interruptible_cap
