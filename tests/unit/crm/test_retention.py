"""Cohorts, retention rate, the acquisition–retention–profit model, the employee–customer–profit chain."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime

import pytest

from helpdesk.crm.retention import Model, Slope, chain, cohorts, project, retention_rate, slope, what_if

NOW = datetime(2026, 3, 1, tzinfo=UTC)
MODEL = Model(customers=1000, acquired=200, profit=100, cost=50, retention=0.80, discount=0.1, years=5)

PURCHASES = [
    ("alice", date(2025, 12, 3)),
    ("alice", date(2026, 1, 5)),
    ("alice", date(2026, 2, 5)),
    ("bob", date(2025, 12, 31)),
    ("bob", date(2026, 2, 1)),
    ("carol", date(2026, 1, 31)),
    ("dana", date(2026, 3, 4)),
]


def test_cohorts_count_who_came_back_in_each_month_after_the_first() -> None:
    table = cohorts(PURCHASES, as_of=date(2026, 2, 28))
    assert [(c.month, c.size, c.active) for c in table] == [
        (date(2025, 12, 1), 2, (2, 1, 2)),
        (date(2026, 1, 1), 1, (1, 0, None)),
    ]
    assert table[0].rates == (1.0, 0.5, 1.0)


def test_what_is_not_observed_yet_is_none_and_never_0() -> None:
    table = cohorts(PURCHASES, as_of=date(2026, 3, 10))
    assert [c.active for c in table] == [(2, 1, 2, None), (1, 0, None, None), (1, None, None, None)]
    assert table[1].rates == (1.0, 0.0, None, None)


def test_a_month_is_observed_on_its_last_day_and_not_the_day_before() -> None:
    assert cohorts(PURCHASES, as_of=date(2026, 2, 27))[0].active == (2, 1, None)
    assert cohorts(PURCHASES, as_of=date(2026, 2, 28))[0].active == (2, 1, 2)


def test_several_purchases_in_a_month_are_one_customer_coming_back() -> None:
    thrice = [("bob", date(2026, 1, day)) for day in (1, 2, 3)]
    assert cohorts(thrice, as_of=date(2026, 1, 31))[0].active == (1,)


def test_no_purchases_make_no_cohorts() -> None:
    assert cohorts([], as_of=date(2026, 1, 1)) == []
    assert cohorts(PURCHASES, as_of=date(2020, 1, 1)) == []


def test_retention_counts_those_who_stayed_and_not_those_who_came() -> None:
    figure = retention_rate({"alice", "bob", "carol", "dana"}, {"alice", "bob", "carol", "eve"}, as_of=NOW)
    assert (figure.value, figure.n, figure.inputs["new"]) == (0.75, 4, 1)
    assert retention_rate(set(), {"eve"}, as_of=NOW).value is None


@pytest.mark.parametrize(("r", "npv"), [(0.80, 341_170.81), (0.85, 385_421.06)])
def test_the_retention_model_has_its_published_values(r: float, npv: float) -> None:
    assert project(replace(MODEL, retention=r), n=1000, as_of=NOW).value == pytest.approx(npv, abs=0.005)


def test_five_points_of_retention_are_worth_13_percent_here() -> None:
    figure = what_if(MODEL, retention_points=5, n=1000, as_of=NOW)
    assert figure.value == pytest.approx(0.130, abs=0.0005)
    assert (figure.inputs["r"], figure.inputs["r_then"], figure.n) == (0.8, pytest.approx(0.85), 1000)


def test_the_years_of_a_projection_add_up_to_its_value() -> None:
    projection = project(replace(MODEL, retention=0.85), n=1, as_of=NOW)
    assert projection.value == pytest.approx(sum(year.discounted for year in projection.years))
    assert [year.customers for year in projection.years][:2] == pytest.approx([1050, 1092.5])


def test_retention_stops_at_100_percent_and_a_loss_has_no_percentage() -> None:
    assert what_if(MODEL, retention_points=50, n=1, as_of=NOW).inputs["r_then"] == 1.0
    assert what_if(replace(MODEL, profit=0), retention_points=5, n=1, as_of=NOW).value is None


@pytest.mark.parametrize("wrong", [{"retention": 1.1}, {"discount": -1}, {"years": -1}, {"customers": -1}])
def test_an_impossible_model_is_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(ValueError):
        replace(MODEL, **wrong)  # type: ignore[arg-type]


def test_the_chain_from_employees_to_growth_has_its_published_values() -> None:
    figure = chain(5, to_customers=Slope(1.3 / 5), to_growth=Slope(0.5 / 1.3), as_of=NOW)
    assert figure.customer_points == pytest.approx(1.3) and figure.value == pytest.approx(0.5)


def test_the_chain_says_that_it_shows_correlation_only_and_how_much_it_rests_on() -> None:
    figure = chain(5, to_customers=Slope(0.3, 0.6, 40), to_growth=Slope(0.4, 0.2, 12), as_of=NOW)
    assert figure.correlation_only and figure.n == 12
    assert figure.inputs["to_growth_correlation"] == 0.2


def test_a_slope_is_learnt_from_the_desks_own_pairs() -> None:
    found = slope([(1, 3), (2, 5), (3, 7), (4, 9)])
    assert found is not None
    assert (found.value, found.correlation, found.n) == (pytest.approx(2), pytest.approx(1), 4)
    noisy = slope([(1, 2), (2, 1), (3, 4), (4, 3)])
    assert noisy is not None and noisy.value == pytest.approx(0.6) and noisy.correlation == pytest.approx(0.6)


def test_two_points_or_an_unchanging_cause_give_no_slope_and_an_unchanging_effect_gives_0() -> None:
    assert slope([(1, 2), (2, 3)]) is None
    assert slope([(1, 2), (1, 3), (1, 4)]) is None
    assert slope([(1, 2), (2, 2), (3, 2)]) == Slope(0.0, 0.0, 3)
