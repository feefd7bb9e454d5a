"""The simulated floor: the same as trying everybody each time, nobody idle beside their work, figures as in theory."""

import math
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from helpdesk.agents import ranking, staffing
from helpdesk.agents.simulation import Arrival, Floor, arrivals, simulate
from helpdesk.agents.simulation_case import Case, read_case

EXPONENTIAL = {"distribution": "exponential", "mean_s": 180.0}


def case(classes: list[dict[str, Any]], agents: list[dict[str, Any]], **rest: Any) -> Case:
    classes = [{"rate_per_s": 1.0, "name": f"class {number}", "service": EXPONENTIAL, **each}
               for number, each in enumerate(classes)]
    return Case.model_validate({"seeds": (1,), "arrivals": 100, **rest, "classes": tuple(classes),
                                "agents": tuple(agents)})


# ---- the same as trying everybody, with whole seconds so that much happens at the same instant

SKILLS = st.dictionaries(st.sampled_from("abc"), st.integers(0, 2), max_size=2)
CASES = st.builds(
    case,
    st.lists(st.fixed_dictionaries({
        "skills": SKILLS, "tier": st.integers(0, 2), "target_s": st.integers(0, 4).map(float),
        "boost_s": st.integers(0, 3).map(float), "patience_mean_s": st.just(1.0)}), min_size=1, max_size=4),
    st.lists(st.fixed_dictionaries({"count": st.integers(1, 3), "skills": SKILLS, "capacity": st.integers(1, 3)}),
             min_size=1, max_size=3))
# gap to the one before, number of the class, service, patience
ARRIVALS = st.lists(st.tuples(st.integers(0, 2), st.integers(0, 3), st.integers(0, 6),
                              st.integers(1, 9) | st.just(math.inf)), max_size=40)


def at_times(case: Case, raw: list[tuple[int, int, int, float]]) -> list[Arrival]:
    now, made = 0.0, []
    for gap, kind, service_s, patience_s in raw:
        now += gap
        made.append((now, kind % len(case.classes), float(service_s), float(patience_s)))
    return made


def by_trying_everybody(case: Case, arriving: list[Arrival]) -> list[tuple[float, int, int]]:
    """Who got what and when, by looking at every agent and every item each time; shares no code with the product."""
    agents = [{"id": id, "group": group, "load": 0, "idle": 0.0}
              for id, group in enumerate(group for group in case.agents for _ in range(group.count))]
    waiting: list[tuple[Any, ...]] = []        # tier, due minus boost, arrived, id, skills, service
    pending: list[tuple[float, int, int]] = []
    matches = []

    def may(agent: Any, skills: Any) -> bool:
        return (agent["load"] < agent["group"].capacity
                and all(agent["group"].skills.get(skill, 0) >= level for skill, level in skills.items()))

    def match(now: float, agent: Any, id: int, service_s: float) -> None:
        agent["load"] += 1
        pending.append((now + service_s, 0, agent["id"]))
        matches.append((now, id, agent["id"]))

    def until(then: float) -> None:
        while pending and min(pending)[0] <= then:
            event = min(pending)
            pending.remove(event)
            now, kind, who = event
            if kind == 1:
                waiting[:] = [item for item in waiting if item[3] != who]
                continue
            agent = agents[who]
            agent["load"] -= 1
            agent["idle"] = now
            mine = [item for item in waiting if may(agent, item[4])]
            if mine:
                item = min(mine, key=lambda item: item[:4])
                waiting.remove(item)
                match(now, agent, item[3], item[5])

    for id, (now, number, service_s, patience_s) in enumerate(arriving):
        until(now)
        kind = case.classes[number]
        free = [agent for agent in agents if may(agent, kind.skills)]
        if free:
            match(now, min(free, key=lambda agent: (agent["load"] / agent["group"].capacity, agent["idle"],
                                                    agent["id"])), id, service_s)
        else:
            waiting.append((kind.tier, now + kind.target_s - kind.boost_s, now, id, kind.skills, service_s))
            if patience_s < math.inf:
                pending.append((now + patience_s, 1, id))
    until(math.inf)
    return matches


@settings(max_examples=300, deadline=None)
@given(CASES, ARRIVALS)
def test_the_floor_matches_like_one_who_tries_everybody_each_time(case, raw):
    arriving, matches = at_times(case, raw), []
    Floor(case, on_match=lambda *match: matches.append(match)).run(iter(arriving))
    assert matches == by_trying_everybody(case, arriving)


@settings(max_examples=300, deadline=None)
@given(CASES, ARRIVALS)
def test_no_free_agent_ever_stands_beside_an_item_that_admits_them(case, raw):
    def check(floor: Floor) -> None:
        for item, _, _ in floor.waiting.values():
            assert ranking.best_agent(item, floor.agents).agent is None

    Floor(case, after_event=check).run(iter(at_times(case, raw)))


@settings(max_examples=300, deadline=None)
@given(CASES, ARRIVALS)
def test_nobody_carries_more_than_their_capacity_and_nothing_is_given_twice_or_lost(case, raw):
    arriving, given_to, holding = at_times(case, raw), {}, []

    def check(floor: Floor) -> None:
        holding.append(sum(agent.load for agent in floor.agents))
        assert all(0 <= agent.load <= agent.capacity for agent in floor.agents)

    def note(now: float, item: int, agent: int) -> None:
        assert item not in given_to
        given_to[item] = agent

    floor = Floor(case, on_match=note, after_event=check)
    result = floor.run(iter(arriving))
    assert not holding or holding[-1] == 0      # everybody is done in the end
    assert len(given_to) == sum(tally.served for tally in result.tallies)
    gone = sum(tally.abandoned for tally in result.tallies)
    assert len(given_to) + gone + len(floor.waiting) == len(arriving)
    assert all(math.isinf(arriving[id][3]) for id in floor.waiting)     # left are those who wait for nobody, for ever


def test_who_gives_up_at_the_instant_in_which_an_agent_gets_free_is_served():
    one = case([{}], [{"count": 1}])
    result = Floor(one).run(iter([(0.0, 0, 10.0, math.inf), (5.0, 0, 1.0, 5.0)]))
    assert (result.tallies[0].served, result.tallies[0].abandoned) == (2, 0)


# ---- what is counted

def test_by_hand_two_served_one_gone_and_the_agent_busy_from_the_first_to_the_last_arrival():
    one = case([{}], [{"count": 1}], threshold_s=4.0)
    result = Floor(one).run(iter([(0.0, 0, 10.0, math.inf), (5.0, 0, 1.0, math.inf), (20.0, 0, 30.0, 1.0),
                                  (22.0, 0, 1.0, 1.0)]))
    tally = result.tallies[0]
    assert (tally.offered, tally.served, tally.abandoned, tally.waited, tally.in_time) == (4, 3, 1, 2, 2)
    assert tally.wait_s == 5.0
    assert result.occupancy == pytest.approx((10 + 1 + 2) / 22)


def test_what_arrives_during_the_warm_up_is_served_but_not_counted():
    one = case([{}], [{"count": 1}], warmup=1)
    result = Floor(one).run(iter([(0.0, 0, 10.0, math.inf), (4.0, 0, 1.0, math.inf), (14.0, 0, 1.0, math.inf)]))
    assert (result.tallies[0].offered, result.tallies[0].wait_s) == (2, 6.0)
    assert result.occupancy == pytest.approx(7 / 10)


def test_the_figures_are_means_over_the_seeds_with_their_standard_error():
    two = case([{}], [{"count": 2}], seeds=(1, 2), arrivals=200)
    both, first, second = (simulate(two.model_copy(update={"seeds": seeds}))["overall"]["p_wait"]
                           for seeds in ((1, 2), (1,), (2,)))
    assert both["mean"] == pytest.approx((first["mean"] + second["mean"]) / 2)
    assert both["se"] == pytest.approx(abs(first["mean"] - second["mean"]) / 2)
    assert first["se"] is None


def test_a_class_of_which_nobody_is_served_has_no_mean_wait():
    nobody = case([{"skills": {"welsh": 1}, "patience_mean_s": 5.0}, {}], [{"count": 1}])
    figures = simulate(nobody)["classes"]["class 0"]
    assert figures["mean_wait_s"] == {"mean": None, "se": None}
    assert figures["p_abandon"]["mean"] == 1.0


def test_the_same_seed_gives_the_same_figures_in_one_process_or_in_two():
    two = case([{"rate_per_s": 0.1}], [{"count": 14}], seeds=(1, 2), arrivals=300)
    assert simulate(two) == simulate(two, jobs=2)


def test_a_class_draws_the_same_customers_whatever_else_arrives():
    alone = case([{"name": "A"}], [{"count": 1}])
    beside = case([{"name": "B", "rate_per_s": 3.0}, {"name": "A"}], [{"count": 1}], arrivals=1000)
    drawn = list(arrivals(alone, 7))
    also = [arrival for arrival in arrivals(beside, 7) if arrival[1] == 1]
    assert [(when, service) for when, _, service, _ in also][:50] == [(when, service) for when, _, service, _ in drawn][:50]


@pytest.mark.parametrize(("service", "mean", "variance"), [
    ({"distribution": "exponential", "mean_s": 180}, 180, 180**2),
    ({"distribution": "deterministic", "mean_s": 180}, 180, 0),
    ({"distribution": "lognormal", "mean_s": 180, "cv": 0.5}, 180, 90**2),
    ({"distribution": "lognormal", "mean_s": 180, "cv": 0}, 180, 0),
    ({"distribution": "empirical", "values": (100, 200, 300)}, 200, 20000 / 3),
])
def test_durations_have_the_mean_and_the_spread_that_the_case_asks_for(service, mean, variance):
    drawn = [arrival[2] for arrival in arrivals(case([{"service": service}], [{"count": 1}], arrivals=40_000), 3)]
    average = math.fsum(drawn) / len(drawn)
    assert average == pytest.approx(mean, rel=0.02)
    assert math.fsum((each - average) ** 2 for each in drawn) / len(drawn) == pytest.approx(variance, rel=0.06, abs=1e-9)


# ---- near theory already in a second; the whole table is in test_theory.py

@pytest.mark.parametrize(("agents", "patience"), [(14, None), (10, 120.0)])
def test_a_short_simulation_comes_near_erlang(agents, patience):
    desk = case([{"rate_per_s": 100 / 1800, "patience_mean_s": patience}], [{"count": agents}],
                seeds=(1, 2), arrivals=40_000, warmup=2_000)
    exact, found = staffing.forecast(agents, 100 / 1800, 180, 20, patience), simulate(desk)["overall"]
    assert found["mean_wait_s"]["mean"] == pytest.approx(exact.mean_wait_s, rel=0.1)
    assert found["p_wait"]["mean"] == pytest.approx(exact.p_wait, abs=0.015)
    assert found["service_level"]["mean"] == pytest.approx(exact.service_level, abs=0.015)
    assert found["p_abandon"]["mean"] == pytest.approx(exact.p_abandon, abs=0.01)
    assert found["occupancy"]["mean"] == pytest.approx(exact.occupancy, abs=0.01)


def test_the_case_of_the_specification_is_read_as_written():
    read = read_case(
        '{"seeds": [1, 2, 3, 4, 5, 6, 7, 8], "arrivals": 1000000, "warmup": 50000, "threshold_s": 20, '
        '"classes": [{"name": "A", "rate_per_s": 0.0556, "skills": {"russian": 1}, "tier": 1, "target_s": 60, '
        '"boost_s": 0, "patience_mean_s": null, "service": {"distribution": "exponential", "mean_s": 180}}], '
        '"agents": [{"count": 14, "skills": {"russian": 3}, "capacity": 1}]}')
    assert (read.capacity, read.load) == (14, pytest.approx(10.008))
