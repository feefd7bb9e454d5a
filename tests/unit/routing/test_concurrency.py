"""Agents with several pieces of work at once: Erlang's formulas, a simulated floor, and how a pace is measured."""

from __future__ import annotations

import math
import random
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from helpdesk.agents import staffing
from helpdesk.agents.concurrency import ENOUGH, Level, Pace, Piece, agents_needed, forecast, levels, measured


@given(
    agents=st.integers(0, 40), load=st.floats(0, 30), within=st.floats(0, 600), patience=st.one_of(st.none(), st.floats(1, 2000)),
)  # fmt: skip
def test_with_one_piece_at_a_time_it_is_erlang(agents: int, load: float, within: float, patience: float | None) -> None:
    found = forecast(agents, load / 180, Pace((1 / 180,)), within, patience)
    exact = staffing.forecast(agents, load / 180, 180, within, patience)
    for part in ("p_wait", "service_level", "p_abandon", "occupancy"):
        assert getattr(found, part) == pytest.approx(getattr(exact, part), abs=1e-6), part
    assert found.mean_wait_s == pytest.approx(exact.mean_wait_s, rel=1e-5, abs=1e-6)


@given(agents=st.integers(1, 12), most=st.integers(1, 4), load=st.floats(0.1, 20))
def test_pieces_that_do_not_slow_each_other_down_are_so_many_more_agents(agents: int, most: int, load: float) -> None:
    pace = Pace(tuple(k / 180 for k in range(1, most + 1)))
    found, exact = forecast(agents, load / 180, pace, 60), staffing.forecast(agents * most, load / 180, 180, 60)
    assert (found.p_wait, found.service_level) == pytest.approx((exact.p_wait, exact.service_level), abs=1e-9)
    assert found.in_hand == pytest.approx(exact.occupancy * most, abs=1e-9)


def test_having_several_does_not_make_more_hands() -> None:
    """Where an agent gets no more done with three than with one, the load that three agents bear is the same; only the waiting moves."""
    one, three = Pace((1 / 180,)), Pace((1 / 180,) * 3)
    assert forecast(3, 2.9 / 180, one, 20).mean_wait_s > forecast(3, 2.9 / 180, three, 20).mean_wait_s
    assert math.isinf(forecast(3, 3.1 / 180, three, 20).mean_wait_s)
    assert agents_needed(10 / 180, three, 0.8, 20) >= 11 > agents_needed(10 / 180, Pace((1 / 180, 2 / 180, 3 / 180)), 0.8, 20)
    assert three.piece_s(3) == 540 and three.most == 3


@pytest.mark.parametrize("patience", [None, 90.0])
def test_the_chain_is_close_to_a_floor_where_work_goes_to_whoever_has_least(patience: float | None) -> None:
    pace = Pace((1 / 200, 1.7 / 200, 2.1 / 200))
    found = forecast(4, 7.3 / 200, pace, 20, patience)
    p_wait, level, busy = floor(4, 7.3 / 200, pace, 20, patience)
    assert found.p_wait == pytest.approx(p_wait, abs=0.03) and found.service_level == pytest.approx(level, abs=0.03)
    assert found.occupancy == pytest.approx(busy, abs=0.03)


def floor(agents: int, rate: float, pace: Pace, within: float, patience: float | None) -> tuple[float, float, float]:
    """A simulated floor of memoryless agents: shares that waited, that were taken up in time, and of the agents' time with work."""
    rng = random.Random(7)
    per_s = (0.0, *pace.per_s)
    held: list[int] = [0] * agents
    line: list[tuple[float, float]] = []  # (arrived, gives up)
    now = busy = 0.0
    waited = in_time = 0
    coming = rng.expovariate(rate)
    served = 0
    while served < 30_000:
        speed = sum(per_s[k] for k in held)
        done = now + rng.expovariate(speed) if speed else math.inf
        at = min(coming, done)
        busy += (at - now) * sum(k > 0 for k in held)
        now = at
        if at == coming:
            coming = now + rng.expovariate(rate)
            served += 1
            least = min(range(agents), key=lambda agent: held[agent])
            if held[least] < pace.most:
                held[least] += 1
                in_time += 1
            else:
                waited += 1
                line.append((now, math.inf if patience is None else now + rng.expovariate(1 / patience)))
        else:
            agent = rng.choices(range(agents), [per_s[k] for k in held])[0]
            held[agent] -= 1
            line = [one for one in line if one[1] > now]
            if line:
                since, _leaves = line.pop(0)
                in_time += now - since <= within
                held[min(range(agents), key=lambda agent: held[agent])] += 1
    return waited / served, in_time / served, busy / now / agents


@given(share=st.floats(0, 0.99), load=st.floats(0.1, 20), patience=st.one_of(st.none(), st.floats(10, 500)))
def test_the_answer_is_the_fewest_agents_that_are_enough(share: float, load: float, patience: float | None) -> None:
    pace = Pace((1 / 180, 1.5 / 180, 1.6 / 180))
    agents = agents_needed(load / 180, pace, share, 30, patience)
    assert forecast(agents, load / 180, pace, 30, patience).service_level >= share
    assert agents == 0 or forecast(agents - 1, load / 180, pace, 30, patience).service_level < share


@pytest.mark.parametrize("wrong", [{"agents": -1}, {"rate_per_s": math.nan}, {"within_s": -1.0}, {"patience_s": 0.0}])
def test_nonsense_is_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(ValueError):
        forecast(**{"agents": 1, "rate_per_s": 0.1, "pace": Pace((1.0,)), "within_s": 1.0, **wrong})  # type: ignore[arg-type]
    with pytest.raises(ValueError):
        agents_needed(0.1, Pace((1.0,)), 1.0, 20)


# --- how a pace is measured ----------------------------------------------------------------------------------------------------


def test_time_and_ends_count_at_the_number_in_hand() -> None:
    pieces = [Piece(1, ((0, 100),)), Piece(1, ((40, 70), (90, 120))), Piece(2, ((0, 50),)), Piece(1, ((60, 65),), counts=False)]
    assert levels(pieces) == {
        1: Level(2, 40 + 20 + 20 + 50),  # 0–40 and 70–90 of the first, 100–120 of the second, all of the other agent's
        2: Level(1, 2 * (20 + 5 + 10)),
        3: Level(0, 2 * 5),  # the one that does not count is in hand all the same
    }


def test_two_that_end_together_ended_with_two_in_hand_and_one_that_took_no_time_counts() -> None:
    assert levels([Piece(1, ((0, 10),)), Piece(1, ((0, 10),))]) == {2: Level(2, 20)}
    assert levels([Piece(1, ((5, 5),))]) == {1: Level(1, 0)}


def test_levels_that_were_seen_often_count_and_the_rest_is_never_taken_for_better() -> None:
    found = measured({2: Level(ENOUGH, ENOUGH * 300), 4: Level(ENOUGH, ENOUGH * 400), 5: Level(ENOUGH - 1, 10.0)}, 6)
    assert found is not None and set(found.seen) == {2, 4} and found.pooled is None
    assert [round(found.pace.piece_s(k)) for k in (1, 2, 4, 5, 6)] == [300, 300, 400, 500, 600]
    assert 300 < found.pace.piece_s(3) < 400


def test_a_level_that_seems_faster_than_a_lower_one_counts_with_it() -> None:
    found = measured({1: Level(ENOUGH, ENOUGH * 300), 2: Level(ENOUGH, ENOUGH * 100)}, 2)
    assert found is not None and found.pace.piece_s(1) == found.pace.piece_s(2) == pytest.approx(200, rel=0.25)


def test_of_little_all_counts_together_at_the_mean_number_in_hand_and_of_nothing_nothing_is_said() -> None:
    found = measured({1: Level(2, 200), 3: Level(4, 1800)}, 4)
    assert found is not None and not found.seen and found.pooled == round(2000 / (200 + 600)) == 2
    assert found.pace.piece_s(2) == pytest.approx(2000 / 6) and found.pace.piece_s(4) == pytest.approx(2 * 2000 / 6)
    assert measured({}, 3) is None and measured({1: Level(0, 50)}, 3) is None and measured({1: Level(3, 0)}, 3) is None


@given(st.dictionaries(st.integers(1, 6), st.tuples(st.integers(0, 60), st.floats(1, 1e5)), max_size=6), st.integers(1, 6))
def test_a_piece_never_takes_less_time_with_more_in_hand(seen: dict[int, tuple[int, float]], most: int) -> None:
    found = measured({k: Level(n, s) for k, (n, s) in seen.items()}, most)
    if found is not None:
        times = [found.pace.piece_s(k) for k in range(1, most + 1)]
        assert all(a <= b * (1 + 1e-9) for a, b in pairwise(times))


def test_a_measured_pace_is_found_again() -> None:
    """A floor of one agent who may have two, memoryless, at paces that are known."""
    rng, pieces = random.Random(3), []
    now, held = 0.0, []
    while len(pieces) < 2000:
        rate = (0.0, 1 / 100, 1.4 / 100)[len(held)]
        comes, goes = rng.expovariate(1 / 90), rng.expovariate(rate) if rate else math.inf
        now += min(comes, goes)
        if comes <= goes:
            if len(held) < 2:
                held.append(now)
        else:
            pieces.append(Piece(1, ((held.pop(rng.randrange(len(held))), now),)))
    found = measured(levels(pieces), 2)
    assert found is not None and [found.pace.piece_s(k) for k in (1, 2)] == pytest.approx([100, 143], rel=0.1)
