"""Historic and lifetime value, RFM, tiers, and the habit of paying."""

from __future__ import annotations

import random
from datetime import UTC, datetime, timedelta

import pytest

from helpdesk.crm.value import (
    Convention,
    Habit,
    PaidOrder,
    Purchase,
    Tier,
    TierRule,
    historic_value,
    lifetime_value,
    paying,
    quintiles,
    rfm,
    tiers,
)

NOW = datetime(2026, 3, 1, tzinfo=UTC)


def ago(days: float) -> datetime:
    return NOW - timedelta(days=days)


def bought(days_ago: float, amount: float, margin: float | None = None) -> Purchase:
    return Purchase(ago(days_ago), amount, amount / 4 if margin is None else margin)


def test_historic_value_is_margin_minus_acquisition_minus_service() -> None:
    figure = historic_value([100.0, 50.0, -20.0], acquisition_cost=30, handle_seconds=[600, 300], cost_per_minute=2, as_of=NOW)
    assert figure.value == 130 - 30 - 15 * 2
    assert (figure.n, figure.inputs["service_cost"], figure.inputs["contacts"]) == (3, 30, 2)


def test_a_customer_who_only_asked_and_never_bought_has_cost_money() -> None:
    assert historic_value([], handle_seconds=[60], cost_per_minute=1.5, as_of=NOW).value == -1.5


@pytest.mark.parametrize("wrong", [{"handle_seconds": [-1]}, {"cost_per_minute": -1}, {"acquisition_cost": -1}])
def test_negative_costs_are_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(ValueError, match="not negative"):
        historic_value([], as_of=NOW, **wrong)  # type: ignore[arg-type]


@pytest.mark.parametrize(("convention", "value"), [("after_renewal", 266.67), ("at_start", 366.67), ("end_of_year", 333.33)])
def test_lifetime_value_has_its_published_values_by_convention(convention: str, value: float) -> None:
    figure = lifetime_value(100, 0.8, 0.1, convention=Convention(convention), as_of=NOW, n=40)
    assert figure.value == pytest.approx(value, abs=0.005)
    assert figure.formula == f"value.lifetime.{convention}" and figure.n == 40


@pytest.mark.parametrize("convention", list(Convention))
def test_lifetime_value_is_the_sum_it_stands_for(convention: Convention) -> None:
    m, r, d = 70.0, 0.65, 0.12
    terms = {
        Convention.AFTER_RENEWAL: [m * r**t / (1 + d) ** t for t in range(1, 400)],
        Convention.AT_START: [m * r**t / (1 + d) ** t for t in range(400)],
        Convention.END_OF_YEAR: [m * r ** (t - 1) / (1 + d) ** t for t in range(1, 400)],
    }[convention]
    assert lifetime_value(m, r, d, convention=convention, as_of=NOW, n=1).value == pytest.approx(sum(terms))


def test_the_default_convention_is_shown_and_the_cost_of_winning_the_customer_comes_off() -> None:
    figure = lifetime_value(100, 0.8, 0.1, acquisition_cost=66.67, as_of=NOW, n=1)
    assert figure.formula == "value.lifetime.after_renewal"
    assert figure.value == pytest.approx(200, abs=0.01)


@pytest.mark.parametrize(("r", "d"), [(1.0, 0.0), (1.2, 0.5), (-0.1, 0.1), (0.5, -0.2)])
def test_an_endless_or_impossible_lifetime_value_is_refused(r: float, d: float) -> None:
    with pytest.raises(ValueError):
        lifetime_value(100, r, d, as_of=NOW, n=1)


@pytest.mark.parametrize(
    ("values", "classes"),
    [
        ([10, 20, 30, 40, 50], [1, 2, 3, 4, 5]),
        ([5, 4, 3, 2, 1, 10, 9, 8, 7, 6], [3, 2, 2, 1, 1, 5, 5, 4, 4, 3]),
        ([7, 7, 7, 7], [3, 3, 3, 3]),
        ([1, 1, 1, 2, 3], [2, 2, 2, 4, 5]),
        ([42], [3]),
        ([], []),
    ],
)
def test_quintiles_by_mid_rank(values: list[float], classes: list[int]) -> None:
    assert quintiles(values) == classes


def test_equal_customers_get_equal_classes_whatever_the_order_of_rows() -> None:
    values = [random.Random(5).choice([1, 1, 1, 2, 3, 8]) for _ in range(200)]
    by_value = dict(zip(values, quintiles(values), strict=True))
    for seed in range(20):
        shuffled = values[:]
        random.Random(seed).shuffle(shuffled)
        assert [by_value[value] for value in shuffled] == quintiles(shuffled)


def test_rfm_scores_recency_frequency_and_money_of_those_who_bought() -> None:
    customers = {
        "alice": [bought(1, 100), bought(30, 100), bought(60, 100), bought(90, 100), bought(120, 100)],
        "bob": [bought(50, 900)],
        "carol": [bought(10, 20), bought(20, 20), bought(21, 20)],
        "dana": [bought(300, 5), bought(310, 5)],
        "eve": [bought(5, 50), bought(7, 50), bought(8, 50), bought(9, 50)],
        "frank": [],
        "grace": [bought(-3, 1000)],
    }
    classes = {key: str(value) for key, value in rfm(customers, as_of=NOW).items()}
    assert classes == {"alice": "554", "bob": "215", "carol": "332", "dana": "121", "eve": "443"}


REGULAR = [bought(30 * k + 3, 10) for k in range(12)]
ONE_BIG = [bought(20, 100_000)]


def test_a_small_regular_buyer_outranks_a_one_off_big_one() -> None:
    standings = tiers({"small": REGULAR, "big": ONE_BIG}, as_of=NOW, rule=TierRule(key_share=0))
    assert (standings["small"].tier, standings["big"].tier) == (Tier.REGULAR, Tier.SINGLE)
    assert sorted(standings, key=lambda key: standings[key].order) == ["small", "big"]


def test_a_big_order_entered_in_five_parts_on_one_day_is_still_a_one_off() -> None:
    assert tiers({"big": ONE_BIG * 5}, as_of=NOW)["big"].tier is Tier.SINGLE


def test_money_tells_key_customers_among_the_regular_ones_only() -> None:
    rich = [bought(30 * k + 3, 500) for k in range(12)]
    customers = {"rich": rich, "big": ONE_BIG} | {f"small {k}": REGULAR for k in range(4)}
    standings = tiers(customers, as_of=NOW)
    assert standings["rich"].tier is Tier.KEY
    assert {standings[f"small {k}"].tier for k in range(4)} == {Tier.REGULAR}
    assert standings["big"].tier is Tier.SINGLE


def test_a_regular_buyer_at_a_loss_is_only_occasional() -> None:
    losing = [bought(30 * k + 3, 100, -5) for k in range(12)]
    assert tiers({"losing": losing}, as_of=NOW)["losing"].tier is Tier.OCCASIONAL


@pytest.mark.parametrize(
    ("purchases", "tier"),
    [
        ([], Tier.NONE),
        ([bought(400, 1000)], Tier.NONE),
        ([bought(-5, 1000)], Tier.NONE),
        ([bought(10, 5)], Tier.SINGLE),
        ([bought(10, 5), bought(12, 5)], Tier.OCCASIONAL),
        ([bought(k, 5) for k in range(25)], Tier.OCCASIONAL),  # one busy month is no habit
        ([bought(30 * k + 1, 5) for k in range(4)], Tier.KEY),
    ],
)
def test_the_tier_follows_from_the_rhythm_of_buying(purchases: list[Purchase], tier: Tier) -> None:
    assert tiers({"carol": purchases}, as_of=NOW)["carol"].tier is tier


def test_a_tier_shows_what_it_rests_on() -> None:
    standing = tiers({"small": REGULAR}, as_of=NOW)["small"]
    assert (standing.inputs["periods_bought"], standing.inputs["regular_from"], standing.n) == (12, 4, 12)
    assert standing.as_of == NOW and standing.value == pytest.approx(30)


@pytest.mark.parametrize("wrong", [{"regular": 1}, {"regular": 13}, {"period_days": 0}, {"key_share": 1.5}])
def test_a_rule_that_calls_everybody_or_nobody_regular_is_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(ValueError):
        TierRule(**wrong)  # type: ignore[arg-type]


def order(total: float, *payments: tuple[float, float]) -> PaidOrder:
    """Ordered a hundred days ago; payments as (days after the order, amount)."""
    return PaidOrder(total, ago(100), tuple((ago(100 - days), amount) for days, amount in payments))


@pytest.mark.parametrize(
    ("orders", "habit", "share", "n"),
    [
        ([order(100, (0, 100)), order(50, (3, 50))], Habit.AT_ONCE, 1.0, 2),
        ([order(100, (0, 50), (30, 50))], Habit.INSTALMENTS, 0.0, 1),
        ([order(100, (0, 100)), order(100, (0, 50), (30, 50))], Habit.MIXED, 0.5, 2),
        ([order(100, (40, 100))], Habit.INSTALMENTS, 0.0, 1),  # whole, but not at once
        ([order(100, (0, 99.999))], Habit.AT_ONCE, 1.0, 1),  # a rounding, not a debt
        ([order(100, (0, 60))], None, None, 0),  # not paid yet: says nothing
        ([order(0)], None, None, 0),
        ([], None, None, 0),
    ],
)
def test_who_pays_at_once_and_who_by_instalments(orders: list[PaidOrder], habit: Habit | None, share: float | None, n: int) -> None:
    figure = paying(orders, as_of=NOW)
    assert (figure.habit, figure.value, figure.n) == (habit, share, n)


def test_the_days_to_full_payment_are_told_by_their_median() -> None:
    assert paying([order(9, (1, 9)), order(9, (2, 9)), order(9, (1, 4), (60, 5))], as_of=NOW).median_days == 2


def test_a_negative_payment_is_refused() -> None:
    with pytest.raises(ValueError, match="return"):
        order(100, (0, 150), (1, -50))
