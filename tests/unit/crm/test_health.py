"""Health with its reasons, weights learnt from the desk's own leavers, and the back-test."""

from __future__ import annotations

import math
import random
from dataclasses import replace
from datetime import UTC, datetime
from itertools import product

import pytest

from helpdesk.crm.health import SIGNALS, STARTING_WEIGHTS, Signals, Weights, assess, auc, back_test, fit

NOW = datetime(2026, 3, 1, tzinfo=UTC)
USUAL = Signals(1.0, 0.0, 0, 0, 0, 1.0, 1.0)


def test_a_usual_customer_gives_no_reasons_either_way() -> None:
    health = assess(USUAL, as_of=NOW)
    assert health.reasons == () and health.unknown == ()
    assert health.leaving == pytest.approx(1 / (1 + math.exp(2)))
    assert health.value == pytest.approx(100 * (1 - health.leaving))


def test_the_reasons_add_up_to_the_result_and_the_strongest_stands_first() -> None:
    health = assess(replace(USUAL, recency_ratio=3.0, breached_tickets=1, tenure_years=5.0), as_of=NOW)
    assert [reason.signal for reason in health.reasons] == ["recency_ratio", "tenure_years", "breached_tickets"]
    assert [reason.worries for reason in health.reasons] == [True, False, True]
    log_odds = -2.0 + sum(reason.effect for reason in health.reasons)
    assert health.leaving == pytest.approx(1 / (1 + math.exp(-log_odds)))


@pytest.mark.parametrize(
    ("signal", "worse"),
    [
        ("recency_ratio", 2.0),
        ("satisfaction_trend", -10.0),
        ("open_tickets", 3),
        ("breached_tickets", 1),
        ("reopens", 2),
        ("use_ratio", 0.2),
        ("tenure_years", 0.1),
    ],
)
def test_every_signal_lowers_health_in_its_bad_direction(signal: str, worse: float) -> None:
    ill = assess(replace(USUAL, **{signal: worse}), as_of=NOW)  # type: ignore[arg-type]
    assert ill.leaving > assess(USUAL, as_of=NOW).leaving
    assert [(reason.signal, reason.value) for reason in ill.reasons] == [(signal, worse)]


def test_what_is_unknown_is_named_and_is_no_reason() -> None:
    health = assess(Signals(recency_ratio=2.0), as_of=NOW)
    assert health.unknown == SIGNALS[1:] and len(health.reasons) == 1
    assert health.inputs["use_ratio"] is None


def test_starting_weights_say_that_they_rest_on_nobody() -> None:
    assert assess(USUAL, as_of=NOW).n == 0


def test_an_endless_silence_says_no_more_than_a_very_long_one() -> None:
    long, endless = (assess(replace(USUAL, recency_ratio=ratio), as_of=NOW) for ratio in (5.0, 1e9))
    assert long.leaving == endless.leaving


def test_a_negative_count_is_refused() -> None:
    with pytest.raises(ValueError, match="open_tickets"):
        Signals(open_tickets=-1)


def test_weights_that_forget_a_signal_are_refused() -> None:
    with pytest.raises(ValueError, match="tenure_years"):
        Weights(0.0, {"recency_ratio": 1.0}, STARTING_WEIGHTS.usual)


def leavers(n: int, seed: int) -> list[tuple[Signals, bool]]:
    """Customers whose chance to leave truly is logistic: −1 + 1.2·(recency − 1) − 0.06·trend."""
    chance = random.Random(seed)
    seen = []
    for _ in range(n):
        signals = replace(USUAL, recency_ratio=chance.uniform(0, 3), satisfaction_trend=chance.gauss(0, 15))
        assert signals.recency_ratio is not None and signals.satisfaction_trend is not None
        log_odds = -1 + 1.2 * (signals.recency_ratio - 1) - 0.06 * signals.satisfaction_trend
        seen.append((signals, chance.random() < 1 / (1 + math.exp(-log_odds))))
    return seen


def test_fitting_recovers_the_weights_that_made_the_leavers() -> None:
    weights = fit(leavers(3000, 1), ridge=0.1)
    assert weights.weight["recency_ratio"] == pytest.approx(1.2, abs=0.2)
    assert weights.weight["satisfaction_trend"] == pytest.approx(-0.06, abs=0.01)
    assert weights.weight["open_tickets"] == 0 and weights.n == 3000


def test_a_fitted_model_predicts_customers_it_has_not_seen_better_than_a_coin_and_calibrated() -> None:
    weights, unseen = fit(leavers(2000, 1)), leavers(2000, 2)
    predicted = [assess(signals, as_of=NOW, weights=weights).leaving for signals, _ in unseen]
    test = back_test(predicted, [gone for _, gone in unseen], as_of=NOW)
    assert test.value is not None and test.value > 0.75
    assert test.calibration_error is not None and test.calibration_error < 0.05
    assert len(test.calibration) == 10 and sum(b.n for b in test.calibration) == test.n == 2000


def test_a_signal_that_separates_perfectly_keeps_finite_weights() -> None:
    seen = [(replace(USUAL, recency_ratio=ratio), ratio > 2) for ratio in (0.5, 1.0, 1.5, 2.5, 3.0, 3.5)]
    weight = fit(seen).weight["recency_ratio"]
    assert 0 < weight < 10


@pytest.mark.parametrize("outcome", [True, False])
def test_leavers_alone_or_stayers_alone_teach_nothing(outcome: bool) -> None:
    with pytest.raises(ValueError, match="some must have left"):
        fit([(USUAL, outcome)] * 10)


def test_a_ridge_of_0_is_refused() -> None:
    with pytest.raises(ValueError, match="ridge"):
        fit([(USUAL, True), (USUAL, False)], ridge=0)


@pytest.mark.parametrize(
    ("predicted", "left", "value"),
    [
        ([0.9, 0.8, 0.2, 0.1], [True, True, False, False], 1.0),
        ([0.1, 0.2, 0.8, 0.9], [True, True, False, False], 0.0),
        ([0.5, 0.5, 0.5, 0.5], [True, False, True, False], 0.5),
        ([0.8, 0.4, 0.35, 0.1], [True, False, True, False], 0.75),
        ([0.3], [True], None),
        ([], [], None),
    ],
)
def test_the_auc_has_known_values(predicted: list[float], left: list[bool], value: float | None) -> None:
    assert auc(predicted, left) == value


def test_the_auc_equals_counting_all_pairs() -> None:
    chance = random.Random(4)
    predicted = [round(chance.random(), 1) for _ in range(120)]
    left = [chance.random() < 0.3 for _ in predicted]
    gone = [p for p, outcome in zip(predicted, left, strict=True) if outcome]
    stayed = [p for p, outcome in zip(predicted, left, strict=True) if not outcome]
    wins = sum((a > b) + (a == b) / 2 for a, b in product(gone, stayed))
    assert auc(predicted, left) == pytest.approx(wins / (len(gone) * len(stayed)))


def test_calibration_compares_what_was_predicted_with_what_came() -> None:
    test = back_test([0.2] * 5 + [0.8] * 5, [True] + [False] * 4 + [True] * 4 + [False], as_of=NOW, bins=2)
    assert [(b.n, b.predicted, b.observed) for b in test.calibration] == [
        (5, pytest.approx(0.2), 0.2),
        (5, pytest.approx(0.8), 0.8),
    ]
    assert test.calibration_error == pytest.approx(0, abs=1e-12)
    assert test.brier == pytest.approx(0.16) and test.leavers == 5


def test_equal_predictions_share_a_bin() -> None:
    assert [b.n for b in back_test([0.3] * 20, [True] * 5 + [False] * 15, as_of=NOW).calibration] == [20]


def test_a_back_test_of_nobody_is_unknown_and_mismatched_lists_are_refused() -> None:
    empty = back_test([], [], as_of=NOW)
    assert (empty.value, empty.brier, empty.calibration_error, empty.calibration) == (None, None, None, ())
    with pytest.raises(ValueError, match="1 predictions for 2"):
        back_test([0.5], [True, False], as_of=NOW)
    with pytest.raises(ValueError, match="0 to 1"):
        back_test([1.5], [True], as_of=NOW)
