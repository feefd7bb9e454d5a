"""Will they buy again, how often, for how much: "buy till you die" models for customers who leave without a word.

BG/NBD tells from a purchase history the chance that the customer is still alive and the number of purchases to expect;
Gamma–Gamma tells what a purchase will be worth. Together they give the value still to come. Fitting needs scipy and
numpy, imported inside `fit_…` only: the nightly computation fits, every process may evaluate.

Sources: P. S. Fader, B. G. S. Hardie, K. L. Lee, "“Counting your customers” the easy way: an alternative to the
Pareto/NBD model", Marketing Science 24 (2005), 275–284 (equation numbers below); P. S. Fader, B. G. S. Hardie, "The
Gamma–Gamma model of monetary value" (2013). Times are in any one unit throughout; the desk uses weeks.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, TypeVar

from helpdesk.crm.figures import Figure

#: Fewer customers than this say nothing about four parameters.
FEWEST_CUSTOMERS = 20
#: The hypergeometric series gives up here; a horizon of 100 times the customer's age needs a few thousand terms.
MOST_TERMS = 1_000_000
#: Half the width of the step around a removable singularity (a = 1, or a + b + x = 1).
NUDGE = 1e-5


class TooLittleData(ValueError):
    """The purchases do not say enough to fit a model; the message says what is missing."""


@dataclass(frozen=True, slots=True)
class History:
    """A customer's purchases as the model sees them.

    x: repeat purchases (all but the first). t_x: first → last purchase. T: first purchase → now. 0 ≤ t_x ≤ T.
    """

    x: int
    t_x: float
    T: float

    def __post_init__(self) -> None:
        if self.x < 0 or not 0 <= self.t_x <= self.T or (self.x == 0) != (self.t_x == 0):
            raise ValueError(f"no customer bought {self.x} times again, last after {self.t_x} of {self.T}")


def history(days: Iterable[date], *, as_of: date, unit_days: float = 7) -> History | None:
    """The history of a customer who bought on these days; purchases of one day are one. None before the first."""
    known = sorted({day for day in days if day <= as_of})
    if not known:
        return None
    first, last = known[0], known[-1]
    return History(len(known) - 1, (last - first).days / unit_days, (as_of - first).days / unit_days)


@dataclass(frozen=True, slots=True)
class BgNbd:
    """Purchases: while alive, Poisson with a rate that is gamma(r, α) among customers. Leaving: after each repeat
    purchase with a probability that is beta(a, b) among customers."""

    r: float
    alpha: float
    a: float
    b: float

    def __post_init__(self) -> None:
        if min(self.r, self.alpha, self.a, self.b) <= 0:
            raise ValueError("r, α, a and b are above 0")

    def p_alive(self, seen: History) -> float:
        """The chance (0–1) that the customer still buys. Without a repeat purchase the model knows no way to leave: 1.

        1 ÷ (1 + δ(x>0) · a/(b+x−1) · ((α+T)/(α+t_x))^(r+x)), after equation (7); in logarithms, for x may be large.
        """
        return 1 / (1 + self._odds_gone(seen))

    def _odds_gone(self, seen: History) -> float:
        if seen.x == 0:
            return 0.0
        silent = math.log((self.alpha + seen.T) / (self.alpha + seen.t_x))
        return math.exp(min(700.0, math.log(self.a / (self.b + seen.x - 1)) + (self.r + seen.x) * silent))

    def expected(self, seen: History, t: float) -> float:
        """E[Y(t)]: the number of purchases to expect in the next t.

        (a+b+x−1)/(a−1) · [1 − ((α+T)/(α+T+t))^(r+x) · ₂F₁(r+x, b+x; a+b+x−1; t/(α+T+t))] · P(alive), equation (10).
        """
        if t < 0:
            raise ValueError("purchases are expected forwards in time")
        if t == 0:
            return 0.0
        if min(abs(self.a - 1), abs(self.a + self.b + seen.x - 1)) < NUDGE / 10:
            # Removable singularity: the value is the mean of its two sides, to the square of the step.
            sides = [BgNbd(self.r, self.alpha, self.a + step, self.b) for step in (-NUDGE, NUDGE)]
            return sum(side.expected(seen, t) for side in sides) / 2
        x, end = seen.x, self.alpha + seen.T + t
        top = self.a + self.b + x - 1
        series = hypergeometric(self.r + x, self.b + x, top, t / end, scale=((self.alpha + seen.T) / end, self.r + x))
        return top / (self.a - 1) * (1 - series) * self.p_alive(seen)

    def log_likelihood(self, seen: History) -> float:
        """ln L of one history, equation (6)."""
        r, alpha, a, b, x = self.r, self.alpha, self.a, self.b, seen.x
        gamma = math.lgamma
        common = gamma(r + x) - gamma(r) + r * math.log(alpha) + gamma(a + b) + gamma(b + x) - gamma(b) - gamma(a + b + x)
        alive = -(r + x) * math.log(alpha + seen.T)
        return common + alive + math.log1p(self._odds_gone(seen))


def hypergeometric(a: float, b: float, c: float, z: float, *, scale: tuple[float, float] = (1.0, 0.0)) -> float:
    """₂F₁(a, b; c; z) for 0 ≤ z < 1, times scale[0]^scale[1], which keeps a large value and a small factor together.

    Gauss's series, after Euler's transformation ₂F₁(a, b; c; z) = (1−z)^(c−a−b) ₂F₁(c−a, c−b; c; z) where that one
    converges faster. Source: NIST Digital Library of Mathematical Functions, 15.2.1 and 15.8.1.
    """
    if not 0 <= z < 1:
        raise ValueError(f"the series converges for 0 ≤ z < 1, not at {z}")
    power = scale[1] * math.log(scale[0])
    if c - a - b < 0:
        power += (c - a - b) * math.log1p(-z)
        a, b = c - a, c - b
    term = total = 1.0
    for j in range(MOST_TERMS):
        ratio = (a + j) * (b + j) / ((c + j) * (j + 1)) * z
        term *= ratio
        total += term
        # Past j = |c| the terms shrink steadily and the rest is below term·z/(1−z).
        if abs(term) <= 1e-16 * abs(total) * (1 - z) and j > abs(c):
            return total * math.exp(power)
    raise ArithmeticError(f"the horizon is too long beside the customer's age (z = {z})")


@dataclass(frozen=True, slots=True)
class GammaGamma:
    """Spend per purchase: gamma(p, ν) around a customer's own mean, ν being gamma(q, γ) among customers."""

    p: float
    q: float
    gamma: float

    def __post_init__(self) -> None:
        if min(self.p, self.q, self.gamma) <= 0:
            raise ValueError("p, q and γ are above 0")

    @property
    def mean(self) -> float | None:
        """Mean spend of a random customer, p·γ/(q−1); None for q ≤ 1, where a few giants leave no mean."""
        return self.p * self.gamma / (self.q - 1) if self.q > 1 else None

    def expected(self, spend: float, purchases: int) -> float | None:
        """Spend to expect of the next purchase of a customer who spent `spend` on average in so many purchases.

        p·(γ + x·z̄) ÷ (p·x + q − 1): between the customer's own mean and that of all. Without a purchase, the latter.
        """
        below = self.p * purchases + self.q - 1
        return self.p * (self.gamma + purchases * spend) / below if below > 0 else None

    def log_likelihood(self, spend: float, purchases: int) -> float:
        """ln f(z̄ | p, q, γ; x) of one customer."""
        px, total = self.p * purchases, self.gamma + purchases * spend
        beta = math.lgamma(px) + math.lgamma(self.q) - math.lgamma(px + self.q)
        return -math.log(spend) - beta + self.q * math.log(self.gamma / total) + px * math.log(purchases * spend / total)


# --- What is still to come ------------------------------------------------------------------------------------------


def value_to_come(
    buying: BgNbd,
    spending: GammaGamma,
    seen: History,
    *,
    spend: float,
    as_of: datetime,
    horizon: float = 52.0,
    steps: int = 4,
    discount: float = 0.0,
    margin: float = 1.0,
) -> Figure:
    """Discounted margin of the purchases expected within `horizon`; n counts the purchases seen.

    spend: mean amount of the purchases so far. discount: of one horizon (0.1 = a tenth a year for 52 weeks). margin:
    its share of the amount (0–1). The horizon is cut into `steps`; the purchases of a step are discounted from its end,
    which errs on the careful side. None where Gamma–Gamma has no mean.
    """
    if steps < 1 or horizon <= 0 or discount <= -1:
        raise ValueError("a horizon above 0 is cut into at least one step")
    per_purchase = spending.expected(spend, seen.x + 1)
    so_far = [buying.expected(seen, horizon * step / steps) for step in range(steps + 1)]
    present = math.fsum((so_far[step] - so_far[step - 1]) / (1 + discount) ** (step / steps) for step in range(1, steps + 1))
    return Figure(
        value=None if per_purchase is None else present * per_purchase * margin,
        formula="value.to_come",
        inputs={
            "x": seen.x,
            "t_x": seen.t_x,
            "T": seen.T,
            "p_alive": buying.p_alive(seen),
            "expected_purchases": so_far[-1],
            "spend_per_purchase": per_purchase,
            "horizon": horizon,
            "discount": discount,
            "margin": margin,
        },
        n=seen.x + 1,
        as_of=as_of,
    )


# --- Fitting (scipy) ------------------------------------------------------------------------------------------------

Parameters = TypeVar("Parameters", BgNbd, GammaGamma)


@dataclass(frozen=True, slots=True)
class Fit:
    """How a model was found. errors: standard errors of the logarithms of the parameters (0.1 ≈ ±10%), in the order of
    the model's fields; above 1, or None, for a parameter the data do not pin down."""

    log_likelihood: float
    errors: tuple[float | None, ...]
    converged: bool
    n: int
    as_of: datetime


def fit_bg_nbd(histories: Sequence[History], *, as_of: datetime) -> tuple[BgNbd, Fit]:
    """The maximum-likelihood BG/NBD of these customers, everybody who ever bought included.

    Raises TooLittleData for fewer than FEWEST_CUSTOMERS, or when nobody bought again. Half a million customers take
    seconds: equal histories are counted, not repeated.
    """
    import numpy as np
    from scipy.special import digamma, gammaln

    if len(histories) < FEWEST_CUSTOMERS:
        raise TooLittleData(f"{len(histories)} customers: the model needs at least {FEWEST_CUSTOMERS}")
    if not any(seen.x for seen in histories):
        raise TooLittleData("nobody has bought a second time yet")
    table = np.array([(seen.x, seen.t_x, seen.T) for seen in histories])
    unique, count = np.unique(table, axis=0, return_counts=True)
    x, t_x, T = unique.T
    again = x > 0
    # Where x = 0 the second summand of the likelihood is absent; 1 keeps its logarithm harmless there.
    past = np.where(again, x, 1.0)

    def minus_log_likelihood(logs: Any) -> tuple[float, Any]:
        r, alpha, a, b = np.exp(logs)
        log_alive = -(r + x) * np.log(alpha + T)
        log_gone = np.where(again, np.log(a / (b + past - 1)) - (r + x) * np.log(alpha + t_x), -np.inf)
        either = np.logaddexp(log_alive, log_gone)
        alive, gone = np.exp(log_alive - either), np.exp(log_gone - either)
        value = gammaln(r + x) - gammaln(r) + r * np.log(alpha) + either
        value += gammaln(a + b) + gammaln(b + x) - gammaln(b) - gammaln(a + b + x)
        of_ab = digamma(a + b) - digamma(a + b + x)
        slopes = (
            digamma(r + x) - digamma(r) + np.log(alpha) - alive * np.log(alpha + T) - gone * np.log(alpha + t_x),
            r / alpha - (r + x) * (alive / (alpha + T) + gone / (alpha + t_x)),
            of_ab + gone / a,
            of_ab + digamma(b + x) - digamma(b) - gone / (b + past - 1),
        )
        gradient = np.array([np.dot(count, slope) for slope in slopes]) * np.exp(logs)
        return -float(np.dot(count, value)), -gradient

    mean_age = float(np.dot(count, T)) / len(histories)
    return _maximise(minus_log_likelihood, (1.0, max(mean_age, 1e-3), 1.0, 2.0), BgNbd, len(histories), as_of)


def fit_gamma_gamma(spends: Sequence[tuple[float, int]], *, as_of: datetime) -> tuple[GammaGamma, Fit]:
    """The maximum-likelihood Gamma–Gamma of (mean spend, purchases) pairs.

    Customers without purchases or with a mean of 0 tell nothing and are left out. The model takes spend and frequency
    as independent; a strong correlation between them is a reason to doubt it. Raises TooLittleData below
    FEWEST_CUSTOMERS, or when nobody bought twice: then own and common spread cannot be told apart.
    """
    import numpy as np
    from scipy.special import digamma, gammaln

    told = [(spend, purchases) for spend, purchases in spends if purchases > 0 and spend > 0]
    if len(told) < FEWEST_CUSTOMERS:
        raise TooLittleData(f"{len(told)} customers with a spend: the model needs at least {FEWEST_CUSTOMERS}")
    if all(purchases == 1 for _, purchases in told):
        raise TooLittleData("nobody has bought a second time yet")
    unique, count = np.unique(np.array(told, dtype=float), axis=0, return_counts=True)
    m, x = unique.T

    def minus_log_likelihood(logs: Any) -> tuple[float, Any]:
        p, q, gamma = np.exp(logs)
        log_total = np.log(gamma + m * x)
        value = gammaln(p * x + q) - gammaln(p * x) - gammaln(q) + q * (np.log(gamma) - log_total) - np.log(m)
        value += p * x * (np.log(m * x) - log_total)
        of_pq = digamma(p * x + q)
        slopes = (
            x * (of_pq - digamma(p * x) + np.log(m * x) - log_total),
            of_pq - digamma(q) + np.log(gamma) - log_total,
            q / gamma - (p * x + q) / (gamma + m * x),
        )
        gradient = np.array([np.dot(count, slope) for slope in slopes]) * np.exp(logs)
        return -float(np.dot(count, value)), -gradient

    mean_spend = float(np.dot(count, m)) / len(told)
    return _maximise(minus_log_likelihood, (2.0, 3.0, mean_spend), GammaGamma, len(told), as_of)


def _maximise(
    minus: Callable[[Any], tuple[float, Any]],
    start: tuple[float, ...],
    model: type[Parameters],
    n: int,
    as_of: datetime,
) -> tuple[Parameters, Fit]:
    """Climb from `start` over the logarithms of the parameters, which keeps them positive."""
    import numpy as np
    from scipy.optimize import minimize

    # e^±15 is as good as "not pinned down": the likelihood is flat out there.
    found = minimize(
        minus,
        np.log(start),
        jac=True,
        method="L-BFGS-B",
        bounds=[(-15.0, 15.0)] * len(start),
        options={"maxiter": 1000, "ftol": 1e-13, "gtol": 1e-6 * n},
    )
    errors = _errors(minus, found.x)
    inside = bool(np.all(np.abs(found.x) < 14.9))
    fit = Fit(-float(found.fun), errors, bool(found.success) and inside, n, as_of)
    return model(*(float(value) for value in np.exp(found.x))), fit


def _errors(minus: Callable[[Any], tuple[float, Any]], at: Any) -> tuple[float | None, ...]:
    """Roots of the diagonal of the inverse of the observed information, by central differences of the gradient."""
    import numpy as np

    step = 1e-4
    information = np.array([(minus(at + d)[1] - minus(at - d)[1]) / (2 * step) for d in np.eye(len(at)) * step])
    information = (information + information.T) / 2
    try:
        variances = np.diag(np.linalg.inv(information))
    except np.linalg.LinAlgError:
        return (None,) * len(at)
    return tuple(math.sqrt(variance) if variance > 0 else None for variance in variances.tolist())
