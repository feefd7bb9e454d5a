"""The product's ranking under Poisson arrivals reproduces queueing theory: the cases of bench/routing, in full."""

import os
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from helpdesk.agents.simulation import simulate
from helpdesk.agents.simulation_case import read_case

BENCH = Path(__file__).parents[3] / "bench" / "routing"
FLOORS = {"mean_wait_s": 0.02, "occupancy": 0.002}      # the wait's is a share of it; all others are absolute
PROBABILITY = 0.005

# case, class or overall, figure, exact
TABLE = [
    ("erlang-c-14", "overall", "p_wait", 0.17413),
    ("erlang-c-14", "overall", "mean_wait_s", 7.836),
    ("erlang-c-14", "overall", "service_level", 0.88835),
    ("erlang-c-14", "overall", "occupancy", 0.71429),
    ("erlang-c-12", "overall", "mean_wait_s", 40.445),
    ("erlang-c-12", "overall", "service_level", 0.64016),
    ("erlang-a-10", "overall", "p_abandon", 0.13746),
    ("erlang-a-10", "overall", "service_level", 0.63994),
    ("erlang-a-10", "overall", "occupancy", 0.86254),
    ("strict-priority", "urgent", "mean_wait_s", 8.988),
    ("strict-priority", "normal", "mean_wait_s", 53.927),
    ("skills", "A", "mean_wait_s", 0.4034),
    ("skills", "B", "mean_wait_s", 0.3158),
    ("two-pools", "overall", "mean_wait_s", 29.17),
    ("one-pool", "overall", "mean_wait_s", 7.84),
]


@cache
def figures(name: str) -> dict[str, Any]:
    return simulate(read_case((BENCH / f"{name}.json").read_bytes()), jobs=os.cpu_count() or 1)


@pytest.mark.soak
@pytest.mark.timeout(1800)
@pytest.mark.parametrize(("name", "part", "figure", "exact"), TABLE)
def test_the_simulation_reproduces_theory(name, part, figure, exact):
    outcome = figures(name)
    found = outcome["overall"][figure] if part == "overall" else outcome["classes"][part][figure]
    floor = FLOORS.get(figure, PROBABILITY) * (exact if figure == "mean_wait_s" else 1)
    assert abs(found["mean"] - exact) <= max(3 * found["se"], floor)


@pytest.mark.soak
@pytest.mark.timeout(1800)
def test_by_deadline_the_waits_of_both_classes_together_are_conserved():
    gold, standard = (figures("deadline-order")["classes"][name]["mean_wait_s"] for name in ("gold", "standard"))
    found, error = 0.3 * gold["mean"] + 0.7 * standard["mean"], 0.3 * gold["se"] + 0.7 * standard["se"]
    assert abs(found - 40.445) <= max(3 * error, 0.02 * 40.445)
    assert gold["mean"] < standard["mean"]
