"""BG/NBD and Gamma–Gamma: published values, the likelihood by hand, recovery of known parameters, and no scipy to evaluate."""

from __future__ import annotations

import math
import random
import subprocess
import sys
from datetime import UTC, date, datetime
from itertools import pairwise

import pytest

from helpdesk.crm.btyd import (
    BgNbd,
    Fit,
    GammaGamma,
    History,
    TooLittleData,
    fit_bg_nbd,
    fit_gamma_gamma,
    history,
    hypergeometric,
    value_to_come,
)

NOW = datetime(2026, 3, 1, tzinfo=UTC)
#: Fader, Hardie and Lee's estimates for the CDNOW customers, and their customer 1.
CDNOW = BgNbd(r=0.243, alpha=4.414, a=0.793, b=2.426)
FIRST = History(x=2, t_x=30.43, T=38.86)
SPEND = GammaGamma(p=6.25, q=3.74, gamma=15.44)


def test_the_expected_purchases_and_the_chance_to_be_alive_have_their_published_values() -> None:
    assert CDNOW.expected(FIRST, 39) == pytest.approx(1.226, abs=0.0005)
    assert CDNOW.p_alive(FIRST) == pytest.approx(0.7266, abs=0.00005)


def test_the_mean_spend_has_its_published_value() -> None:
    assert SPEND.mean == pytest.approx(35.22, abs=0.005)


def test_the_likelihood_is_the_one_of_the_paper_written_with_beta_functions() -> None:
    def beta(a: float, b: float) -> float:
        return math.gamma(a) * math.gamma(b) / math.gamma(a + b)

    r, alpha, a, b = 0.243, 4.414, 0.793, 2.426
    for seen in (FIRST, History(0, 0, 20), History(7, 12, 30)):
        x = seen.x
        front = math.gamma(r + x) * alpha**r / math.gamma(r)
        whole = beta(a, b + x) / beta(a, b) * front / (alpha + seen.T) ** (r + x)
        if x:
            whole += beta(a + 1, b + x - 1) / beta(a, b) * front / (alpha + seen.t_x) ** (r + x)
        assert CDNOW.log_likelihood(seen) == pytest.approx(math.log(whole), rel=1e-12)


def test_who_never_came_back_cannot_have_left_and_who_has_long_been_silent_probably_has() -> None:
    assert CDNOW.p_alive(History(0, 0, 100)) == 1
    assert CDNOW.p_alive(History(20, 10, 39)) < 0.01 < 0.9 < CDNOW.p_alive(History(20, 38.9, 39))


def test_expected_purchases_grow_with_time_and_with_what_was_bought() -> None:
    ahead = [CDNOW.expected(FIRST, t) for t in (0, 1, 10, 39, 100, 500)]
    assert ahead[0] == 0 and ahead == sorted(ahead)
    assert CDNOW.expected(History(9, 38, 39), 39) > CDNOW.expected(History(1, 38, 39), 39)


def test_a_huge_number_of_purchases_does_not_overflow() -> None:
    busy = History(5000, 38, 39)
    assert 0 <= CDNOW.p_alive(busy) <= 1 and math.isfinite(CDNOW.expected(busy, 39))
    assert CDNOW.p_alive(History(5000, 1, 39)) == pytest.approx(0, abs=1e-300)


@pytest.mark.parametrize(("a", "b"), [(1.0, 2.426), (0.6, 0.4)])
def test_the_gaps_in_the_formula_are_bridged(a: float, b: float) -> None:
    # At a = 1, and at a + b = 1 for x = 0, the formula is 0/0 or ∞·0 and its value the limit from both sides.
    seen = History(0, 0, 10)
    at, near = (BgNbd(0.243, 4.414, a + step, b).expected(seen, 39) for step in (0, 1e-4))
    assert at == pytest.approx(near, rel=1e-3)


@pytest.mark.parametrize(
    ("a", "b", "c", "z", "value"),
    [
        (1, 1, 2, 0.5, 2 * math.log(2)),  # −ln(1−z)/z
        (0.5, 1, 1.5, 0.25, math.atanh(0.5) / 0.5),
        (3, 2.5, 2.5, 0.6, 0.4**-3),  # (1−z)^−a
        (2, 5, 3, 0.0, 1.0),
        (0.5, 0.5, 1.5, 0.81, math.asin(0.9) / 0.9),
    ],
)
def test_the_hypergeometric_series_has_known_values(a: float, b: float, c: float, z: float, value: float) -> None:
    assert hypergeometric(a, b, c, z) == pytest.approx(value, rel=1e-13)


def test_the_hypergeometric_series_agrees_with_scipy() -> None:
    from scipy.special import hyp2f1

    chance = random.Random(3)
    for _ in range(500):
        x, r, a, b, z = chance.choice([0, 1, 2, 5, 40]), *(chance.uniform(0.05, k) for k in (3, 5, 9)), chance.random()
        z *= 0.98
        assert hypergeometric(r + x, b + x, a + b + x - 1, z) == pytest.approx(float(hyp2f1(r + x, b + x, a + b + x - 1, z)), rel=1e-10)


def test_the_hypergeometric_series_refuses_where_it_does_not_converge() -> None:
    with pytest.raises(ValueError, match="converges"):
        hypergeometric(1, 1, 2, 1.0)


def test_evaluating_imports_neither_scipy_nor_numpy() -> None:
    program = (
        "import sys; from datetime import UTC, datetime\n"
        "from helpdesk.crm import addresses, btyd, figures, health, retention, satisfaction, value\n"
        "buying, spending = btyd.BgNbd(.243, 4.414, .793, 2.426), btyd.GammaGamma(6.25, 3.74, 15.44)\n"
        "btyd.value_to_come(buying, spending, btyd.History(2, 30.43, 38.86), spend=20, as_of=datetime.now(UTC))\n"
        "assert not {'scipy', 'numpy', 'pandas'} & set(sys.modules), 'imported'"
    )
    subprocess.run([sys.executable, "-c", program], check=True, timeout=60)


def test_a_history_is_read_from_the_days_of_purchase() -> None:
    days = [date(2026, 1, 1), date(2026, 1, 15), date(2026, 1, 15), date(2026, 1, 29), date(2026, 6, 1)]
    assert history(days, as_of=date(2026, 2, 12)) == History(2, 4.0, 6.0)
    assert history(days[:1], as_of=date(2026, 1, 1)) == History(0, 0.0, 0.0)
    assert history(days, as_of=date(2025, 1, 1)) is None


@pytest.mark.parametrize(("x", "t_x", "T"), [(-1, 0, 5), (2, 6, 5), (0, 3, 5), (2, 0, 5), (0, 0, -1)])
def test_a_history_that_cannot_be_is_refused(x: int, t_x: float, T: float) -> None:
    with pytest.raises(ValueError):
        History(x, t_x, T)


def test_parameters_are_above_0_and_time_runs_forwards() -> None:
    with pytest.raises(ValueError):
        BgNbd(0, 1, 1, 1)
    with pytest.raises(ValueError):
        GammaGamma(1, -1, 1)
    with pytest.raises(ValueError):
        CDNOW.expected(FIRST, -1)


def test_the_expected_spend_moves_from_the_mean_of_all_to_the_customers_own() -> None:
    own = 100.0
    expected = [SPEND.expected(own, n) for n in (0, 1, 5, 1000)]
    assert expected[0] == pytest.approx(SPEND.mean)
    assert all(a is not None and b is not None and a < b for a, b in pairwise(expected))
    assert expected[-1] == pytest.approx(own, rel=0.01)


def test_where_a_few_giants_leave_no_mean_there_is_none() -> None:
    assert GammaGamma(2, 0.9, 10).mean is None
    assert GammaGamma(0.01, 0.5, 10).expected(50, 1) is None


def test_the_value_to_come_is_purchases_times_spend_times_margin_discounted_and_shows_its_inputs() -> None:
    plain = value_to_come(CDNOW, SPEND, FIRST, spend=20, as_of=NOW, horizon=39, margin=0.3)
    per_purchase = SPEND.expected(20, 3)
    assert per_purchase is not None
    assert plain.value == pytest.approx(CDNOW.expected(FIRST, 39) * per_purchase * 0.3)
    assert (plain.n, plain.inputs["p_alive"]) == (3, pytest.approx(0.7266, abs=5e-5))
    dear = value_to_come(CDNOW, SPEND, FIRST, spend=20, as_of=NOW, horizon=39, margin=0.3, discount=0.2, steps=39)
    assert plain.value is not None and dear.value is not None
    assert plain.value / 1.2 < dear.value < plain.value


def test_a_horizon_of_nothing_is_refused() -> None:
    with pytest.raises(ValueError):
        value_to_come(CDNOW, SPEND, FIRST, spend=20, as_of=NOW, horizon=0)


# --- Fitting --------------------------------------------------------------------------------------------------------


def customers(n: int, seed: int, model: BgNbd = CDNOW) -> list[History]:
    """Histories made by the model's own story, first bought 27 to 39 weeks ago."""
    chance = random.Random(seed)
    made = []
    for _ in range(n):
        rate, leave = chance.gammavariate(model.r, 1 / model.alpha), chance.betavariate(model.a, model.b)
        age = chance.uniform(27, 39)
        x, t_x, t = 0, 0.0, 0.0
        while rate > 1e-12:
            t += chance.expovariate(rate)
            if t > age:
                break
            x, t_x = x + 1, t
            if chance.random() < leave:
                break
        made.append(History(x, t_x, age))
    return made


def spends(n: int, seed: int, model: GammaGamma = SPEND) -> list[tuple[float, int]]:
    chance = random.Random(seed)
    made = []
    for _ in range(n):
        scale = 1 / chance.gammavariate(model.q, 1 / model.gamma)
        x = chance.choice([1, 1, 2, 3, 5, 8])
        made.append((sum(chance.gammavariate(model.p, scale) for _ in range(x)) / x, x))
    return made


def assert_recovered(true: BgNbd | GammaGamma, found: BgNbd | GammaGamma, fit: Fit) -> None:
    """Each parameter within 3.5 of its own standard errors: a seeded draw far inside, a wrong likelihood far outside."""
    assert fit.converged
    for name, error in zip(type(true).__dataclass_fields__, fit.errors, strict=True):
        assert error is not None and error < 0.4
        assert abs(math.log(getattr(found, name) / getattr(true, name))) < 3.5 * error, name


def test_bg_nbd_recovers_the_parameters_that_made_the_customers() -> None:
    made = customers(4000, seed=1)
    found, fit = fit_bg_nbd(made, as_of=NOW)
    assert_recovered(CDNOW, found, fit)
    assert fit.n == 4000
    assert fit.log_likelihood == pytest.approx(math.fsum(found.log_likelihood(seen) for seen in made), rel=1e-9)
    assert fit.log_likelihood > math.fsum(CDNOW.log_likelihood(seen) for seen in made)


def test_gamma_gamma_recovers_the_parameters_that_made_the_spends() -> None:
    made = spends(4000, seed=1)
    found, fit = fit_gamma_gamma(made, as_of=NOW)
    assert_recovered(SPEND, found, fit)
    assert fit.log_likelihood == pytest.approx(math.fsum(found.log_likelihood(*pair) for pair in made), rel=1e-9)
    assert found.mean == pytest.approx(35.22, rel=0.05)


@pytest.mark.soak
@pytest.mark.timeout(900)
def test_many_customers_pin_the_parameters_down_over_many_draws() -> None:
    for seed in range(10):
        found, fit = fit_bg_nbd(customers(50_000, seed), as_of=NOW)
        assert_recovered(CDNOW, found, fit)
        assert (found.r, found.alpha) == (pytest.approx(0.243, rel=0.05), pytest.approx(4.414, rel=0.08))
        assert_recovered(SPEND, *fit_gamma_gamma(spends(50_000, seed), as_of=NOW))


def test_a_fitted_model_foresees_the_purchases_of_the_next_weeks() -> None:
    # The story told 39 weeks on: what was foreseen for all customers together against what they did.
    chance, foreseen, came = random.Random(9), 0.0, 0
    for _ in range(3000):
        rate, leave = chance.gammavariate(0.243, 1 / 4.414), chance.betavariate(0.793, 2.426)
        times, t = [], 0.0
        while rate > 1e-12:
            t += chance.expovariate(rate)
            if t > 78:
                break
            times.append(t)
            if chance.random() < leave:
                break
        seen = [t for t in times if t <= 39]
        foreseen += CDNOW.expected(History(len(seen), seen[-1] if seen else 0.0, 39), 39)
        came += len(times) - len(seen)
    assert foreseen == pytest.approx(came, rel=0.1)


def test_too_few_customers_or_none_who_came_back_are_refused_with_what_is_missing() -> None:
    with pytest.raises(TooLittleData, match="3 customers"):
        fit_bg_nbd([FIRST] * 3, as_of=NOW)
    with pytest.raises(TooLittleData, match="second time"):
        fit_bg_nbd([History(0, 0, 10)] * 100, as_of=NOW)
    with pytest.raises(TooLittleData, match="second time"):
        fit_gamma_gamma([(20.0, 1)] * 100, as_of=NOW)
    with pytest.raises(TooLittleData, match="0 customers"):
        fit_gamma_gamma([(0.0, 3), (10.0, 0)] * 100, as_of=NOW)


def test_customers_who_are_all_alike_leave_parameters_open_and_the_errors_say_so() -> None:
    _, fit = fit_bg_nbd([History(3, 30.0, 39.0)] * 100, as_of=NOW)
    assert any(error is None or error > 1 for error in fit.errors)
