"""Erlang's formulas against published figures, against the balance equations, and at their edges."""

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from helpdesk.agents.staffing import agents_for_wait, agents_needed, erlang_a, erlang_b, erlang_c, forecast

RATE = 100 / 1800       # 100 calls per half-hour


def by_balance(agents: int, rate: float, aht: float, patience: float) -> tuple[float, float]:
    """P(wait) and P(abandon) of M/M/n+M from its birth and death rates."""
    states, k = [1.0], 0
    while k < agents + 2 or states[-1] > 1e-14 * max(states):
        k += 1
        states.append(states[-1] * rate / (min(k, agents) / aht + max(0, k - agents) / patience))
    total = math.fsum(states)
    queue = math.fsum((k - agents) * share for k, share in enumerate(states) if k > agents) / total
    return math.fsum(states[agents:]) / total, queue / patience / rate


@pytest.mark.parametrize(("agents", "load", "blocked"), [
    (0, 5.0, 1.0), (1, 1.0, 0.5), (2, 1.0, 0.2), (10, 10.0, 0.21458), (10, 0.0, 0.0), (1000, 10.0, 0.0)])
def test_erlang_b(agents, load, blocked):
    assert erlang_b(agents, load) == pytest.approx(blocked, abs=5e-6)


@pytest.mark.parametrize(("agents", "load", "waits"), [
    (14, 10.0, 0.17413), (12, 10.0, 0.44939), (1, 0.5, 0.5), (10, 10.0, 1.0), (10, 50.0, 1.0), (0, 0.0, 0.0)])
def test_erlang_c(agents, load, waits):
    assert erlang_c(agents, load) == pytest.approx(waits, abs=5e-6)


@pytest.mark.parametrize(("agents", "wait", "level"), [(14, 7.836, 0.88835), (12, 40.445, 0.64016), (7, math.inf, 0.0)])
def test_waits_and_service_levels_of_those_who_stay(agents, wait, level):
    found = forecast(agents, RATE, 180, 20)
    assert found.mean_wait_s == pytest.approx(wait, abs=5e-4)
    assert found.service_level == pytest.approx(level, abs=5e-6)


def test_erlang_a_of_the_specification():
    found = erlang_a(10, RATE, 180, 20, 120)
    assert [found.p_abandon, found.service_level, found.occupancy] == pytest.approx([0.13746, 0.63994, 0.86254], abs=5e-6)


@settings(max_examples=60, deadline=None)
@given(st.integers(1, 60), st.floats(0.001, 0.5), st.floats(10, 400), st.floats(0.01, 2000))
def test_erlang_a_agrees_with_the_balance_equations(agents, rate, aht, patience):
    found = erlang_a(agents, rate, aht, 20, patience)
    waits, gone = by_balance(agents, rate, aht, patience)
    assert found.p_wait == pytest.approx(waits, abs=1e-6)
    assert found.p_abandon == pytest.approx(gone, abs=1e-6)
    assert found.occupancy == pytest.approx(rate * aht * (1 - gone) / agents, abs=1e-6)
    assert found.mean_wait_s >= 0
    assert 1 - found.p_wait - 1e-6 <= found.service_level <= 1 - found.p_abandon + 1e-6


def test_endless_patience_is_erlang_c_and_none_at_all_is_erlang_b():
    patient, firm = erlang_a(14, RATE, 180, 20, 1e8), forecast(14, RATE, 180, 20)
    assert patient.service_level == pytest.approx(firm.service_level, abs=1e-5)
    assert patient.mean_wait_s == pytest.approx(firm.mean_wait_s, rel=1e-4)
    assert erlang_a(14, RATE, 180, 20, 1e-6).p_abandon == pytest.approx(erlang_b(14, 10.0), abs=1e-6)


@pytest.mark.parametrize(("agents", "rate", "patience"), [(10, 50.0, 120.0), (2000, 12.0, 600.0), (10, RATE, 1e9),
                                                          (500, RATE, 60.0), (1, 1e-9, 60.0)])
def test_erlang_a_stays_a_probability_far_from_the_usual(agents, rate, patience):
    found = erlang_a(agents, rate, 180, 20, patience)
    for share in (found.p_wait, found.p_abandon, found.service_level, found.occupancy):
        assert -1e-9 <= share <= 1 + 1e-9
    assert math.isfinite(found.mean_wait_s)


@pytest.mark.parametrize(("share", "patience", "agents"), [
    (0.8, None, 14), (0.888, None, 14), (0.889, None, 15), (0.64, None, 12), (0.641, None, 13), (0.6399, 120.0, 10),
    (0.64, 120.0, 11), (0.0, None, 0)])
def test_the_next_hour_needs_the_fewest_agents_who_keep_the_promise(share, patience, agents):
    assert agents_needed(RATE, 180, share, 20, patience) == agents


@settings(max_examples=60, deadline=None)
@given(st.floats(0.001, 1), st.floats(10, 400), st.floats(0.05, 0.99), st.floats(0, 120), st.none() | st.floats(20, 900))
def test_one_agent_fewer_breaks_the_promise(rate, aht, share, within, patience):
    agents = agents_needed(rate, aht, share, within, patience)
    assert forecast(agents, rate, aht, within, patience).service_level >= share
    assert forecast(agents - 1, rate, aht, within, patience).service_level < share


def test_the_wait_as_a_promise():
    assert agents_for_wait(RATE, 180, 40.5) == 12
    assert agents_for_wait(RATE, 180, 40.4) == 13
    assert agents_for_wait(RATE, 180, 40.5, patience_s=120) < 12


def test_nothing_offered_needs_nobody():
    assert agents_needed(0, 180, 0.8, 20) == 0
    assert agents_needed(0, 180, 0.8, 20, 120) == 0


@pytest.mark.parametrize("ask", [
    lambda: agents_needed(RATE, 180, 1.0, 20), lambda: agents_needed(RATE, 180, -0.1, 20),
    lambda: agents_needed(-1, 180, 0.8, 20), lambda: agents_needed(RATE, math.nan, 0.8, 20),
    lambda: agents_needed(RATE, 180, 0.8, 20, 0), lambda: erlang_b(-1, 10), lambda: erlang_c(1, math.inf),
    lambda: agents_for_wait(RATE, 180, 0), lambda: forecast(1, RATE, 180, -1)])
def test_figures_that_mean_nothing_are_refused(ask):
    with pytest.raises(ValueError, match=r"negative|share|patience|mean wait"):
        ask()
