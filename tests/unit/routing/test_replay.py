"""A recorded week replayed: by hand, against queueing theory, and what each change does."""

from __future__ import annotations

import json
import random
from dataclasses import replace as with_
from heapq import heappop, heappush
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as some

from helpdesk.agents import ranking
from helpdesk.agents.leading import dry_runs
from helpdesk.agents.leading.replay import floor as floor_
from helpdesk.agents.leading.replay.compare import compare, figures, percentile
from helpdesk.agents.leading.replay.floor import Floor
from helpdesk.agents.leading.replay.week import Agent, Change, QueueRules, Week, Work, change_of, changed, plain, week_of
from helpdesk.agents.ranking import BoostRules
from helpdesk.agents.widening import Step

EVERYBODY = Step({})
ALL_WEEK = ((0.0, 1e9),)


def agent(id: int, *queues: int, capacity: int = 1, skills: dict[str, int] | None = None, available: Any = ALL_WEEK, **more: Any) -> Agent:
    states = more.pop("states", tuple(one for a, b in available for one in ((float(a), "available"), (float(b), "offline"))))
    return Agent(id, skills or {}, frozenset(queues or (1,)), capacity, more.pop("live_capacity", 3), {}, {}, states, **more)


def work(id: int, at: float, busy_s: float = 60.0, *, queue: int = 1, **values: Any) -> Work:
    return Work(
        id, queue, values.pop("channel", "ticket"), at, values.pop("priority", "normal"), values.pop("value", 0.0), busy_s, **values
    )


def week(agents: list[Agent], *work: Work, queues: dict[int, QueueRules] | None = None, length_s: float = 10_000.0) -> Week:
    return Week(length_s, queues or {1: QueueRules((EVERYBODY,), 100.0)}, BoostRules(), tuple(agents), tuple(work))


def waits(made: Week) -> dict[int, float | None]:
    return Floor(made).run()


# --- by hand ---------------------------------------------------------------------------------------------------------------


def test_one_agent_takes_what_comes_one_after_the_other() -> None:
    assert waits(week([agent(1)], work(1, 0), work(2, 10), work(3, 100))) == {1: 0, 2: 50, 3: 20}


def test_a_more_urgent_one_goes_first_and_within_its_boost_only() -> None:
    made = week([agent(1)], work(1, 0), work(2, 1), work(3, 2, priority="urgent"))
    assert waits(made) == {1: 0, 3: 58, 2: 119}
    assert waits(with_(made, boost=BoostRules({}, 0, 0))) == {1: 0, 2: 59, 3: 118}


def test_nobody_gets_work_while_they_are_away_and_what_they_have_stays_theirs() -> None:
    here = agent(1, available=[(0, 30), (500, 900)])
    assert waits(week([here], work(1, 0, 200), work(2, 20))) == {1: 0, 2: 480}


def test_what_somebody_had_when_the_week_began_still_weighs_on_them() -> None:
    assert waits(week([agent(1)], work(1, -500, 300, held_by=1), work(2, 0))) == {2: 300}


def test_what_waited_when_the_week_began_has_its_age() -> None:
    made = week([agent(1, available=[(50, 1000)])], work(1, -500), work(2, -10))
    assert waits(made) == {1: 550, 2: 120}
    assert figures(made, waits(made)).n == 0  # it did not come within the week


def test_steps_admit_more_people_with_age_and_overflow_the_people_of_another_queue() -> None:
    rules = QueueRules((Step({"russian": 2}, 40.0), Step({}, 90.0), Step({}, None, overflow_queue=2)), 100.0)
    queues = {1: rules, 2: QueueRules((EVERYBODY,), 100.0)}
    unskilled, other = agent(1), agent(2, 2)
    assert waits(week([unskilled, other], work(1, 0), queues=queues)) == {1: 40}
    assert waits(week([other], work(1, 0), queues=queues)) == {1: 90}
    assert waits(week([agent(3, skills={"russian": 2}), other], work(1, 0), queues=queues)) == {1: 0}


def test_a_call_is_not_kept_waiting_by_tickets_and_a_ticket_is_by_nothing_but_its_own() -> None:
    made = week([agent(1)], work(1, 0), work(2, 5, channel="phone"), work(3, 6))
    assert waits(made) == {1: 0, 2: 0, 3: 59}


def test_what_still_waits_at_the_end_counts_as_late_once_its_target_has_passed() -> None:
    made = week([], work(1, 0), work(2, 9_950), length_s=10_000.0)
    told = figures(made, waits(made))
    assert (told.n, told.taken, told.mean_s, told.level, told.decided) == (2, 0, None, 0.0, 1)


def test_of_nothing_there_are_no_figures() -> None:
    told = figures(week([agent(1)]), {})
    assert (told.n, told.mean_s, told.p90_s, told.level) == (0, None, None, None)


@pytest.mark.parametrize(("values", "wanted"), [([], None), ([5], 5), ([0, 10], 9), (list(range(11)), 9)])
def test_nine_of_ten(values: list[float], wanted: float | None) -> None:
    assert percentile(values, 0.9) == wanted


# --- changes ---------------------------------------------------------------------------------------------------------------


def test_each_change_does_what_it_says() -> None:
    rules = {1: QueueRules((Step({"russian": 2}),), 100.0), 2: QueueRules((EVERYBODY,), 100.0)}
    made = week([agent(1), agent(2, 2)], work(1, 0), queues=rules)
    assert waits(made) == {1: None}
    assert waits(changed(made, Change(1, steps=(EVERYBODY,)))) == {1: 0}
    assert waits(changed(made, Change(1, skill=(1, "russian", 3)))) == {1: 0}
    assert waits(changed(made, Change(1, skill=(2, "russian", 3)))) == {1: None}
    assert waits(changed(made, Change(1, skill=(2, "russian", 3), members=frozenset([2])))) == {1: 0}
    assert figures(changed(made, Change(1, target_s=20_000.0)), {1: None}).decided == 0
    assert made.queues[1].steps == (Step({"russian": 2}),)  # nothing is changed in place


def test_a_change_that_changes_nothing_gives_the_same_figures() -> None:
    rng = random.Random(3)
    made = week([agent(1), agent(2)], *(work(n, rng.uniform(0, 9000), rng.expovariate(1 / 200)) for n in range(80)))
    row = compare(made, Change(1))["1"]
    assert row["as_is"] == row["changed"] and row["recorded"]["taken"] == 0


# --- against another way of counting --------------------------------------------------------------------------------------------


def drawn(seed: int, agents: int, n: int) -> Week:
    """Poisson arrivals at 100 in 30 minutes, handling times of three minutes on average, exponential."""
    rng = random.Random(seed)
    at, made = 0.0, []
    for number in range(n):
        at += rng.expovariate(100 / 1800)
        made.append(work(number, at, rng.expovariate(1 / 180)))
    return week([agent(number) for number in range(agents)], *made, queues={1: QueueRules((EVERYBODY,), 20.0)}, length_s=at + 3600)


@pytest.mark.parametrize("agents", [10, 12, 14])
def test_one_line_before_many_agents_is_the_recursion_of_kiefer_and_wolfowitz(agents: int) -> None:
    made = drawn(agents, agents, 4_000)
    free = [0.0] * agents
    wanted = {}
    for one in made.work:
        begins = max(heappop(free), one.at)
        heappush(free, begins + one.busy_s)
        wanted[one.id] = begins - one.at
    assert waits(made) == pytest.approx(wanted)


# --- nobody idles beside work ------------------------------------------------------------------------------------------------


PRIORITIES = some.sampled_from(["low", "normal", "urgent"])


@settings(max_examples=60, deadline=None)
@given(
    some.lists(some.tuples(some.integers(0, 400), some.integers(1, 300), PRIORITIES, some.integers(1, 2)), max_size=25),
    some.lists(some.tuples(some.integers(0, 300), some.integers(1, 500), some.integers(1, 3), some.integers(0, 3)), min_size=1, max_size=4),
)
def test_at_no_instant_does_somebody_free_stand_beside_work_that_they_may_have(arriving: Any, staff: Any) -> None:
    rules = {
        1: QueueRules((Step({"russian": 2}, 60.0), Step({"russian": 1}, 150.0), Step({}, None, overflow_queue=2)), 100.0),
        2: QueueRules((EVERYBODY,), 300.0),
    }
    agents = [
        agent(n, 1 + n % 2, capacity=cap, skills={"russian": level}, available=[(a, a + length)])
        for n, (a, length, cap, level) in enumerate(staff, start=1)
    ]
    made = week(
        agents,
        *(work(n, at, busy, queue=queue, priority=p) for n, (at, busy, p, queue) in enumerate(arriving)),
        queues=rules,
        length_s=2000.0,
    )
    floor = Floor(made)

    def look(_share: float) -> None:
        for item in floor._waiting.values():
            for state in floor._agents.values():
                assert ranking.why_not(state, with_(item, excluded_agents=floor.excluded(item.id))) is not None, (floor.now, item, state)

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(floor_, "TOLD", 1)
        # Happenings of one instant are one: look only when the next is later.
        floor.run(lambda share: look(share) if not floor._events or floor._events[0][0] > floor.now else None)
    for id, wait in floor.waits.items():
        assert wait is None or wait >= 0, id


# --- as a process ------------------------------------------------------------------------------------------------------------


def test_a_week_and_a_change_survive_the_way_as_json() -> None:
    made = week([agent(1, 1, 2, skills={"7": 3})], work(1, -5, held_by=1), work(2, 3, emergency=True, waited_s=4.0))
    assert week_of(json.loads(json.dumps(plain(made)))) == made
    change = Change(
        1, (Step({"7": 1}, 60.0), Step({}, None, 2)), 60.0, 0.9, frozenset([1, 2]), BoostRules({"high": 1.0}, 2.0, 3.0), (1, "7", 4),
        {"phone": frozenset(["chat"]), "chat": frozenset()},
    )  # fmt: skip
    assert change_of(json.loads(json.dumps(plain(change)))) == change
    assert change_of(plain(Change(3))) == Change(3)


def test_the_process_answers_as_the_function_does_and_tells_how_far_it_is() -> None:
    rng = random.Random(5)
    made = week([agent(1), agent(2)], *(work(n, rng.uniform(0, 9000), rng.expovariate(1 / 200)) for n in range(3000)))
    told: list[int] = []
    change = Change(1, members=frozenset([1]))
    found = dry_runs.outcome({"week": plain(made), "change": plain(change)}, told.append)
    assert found["queues"] == json.loads(json.dumps(compare(made, change)))
    assert told == sorted(told) and len(told) > 2


def test_a_process_that_breaks_says_so() -> None:
    with pytest.raises(dry_runs.ReplayFailed):
        dry_runs.outcome({"week": {}, "change": {}}, lambda percent: None)
