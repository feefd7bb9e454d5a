"""How likely a customer is to stay, with the reasons: a logistic model over a few signals anybody can check.

Pure Python. The profile shows `assess`; the nightly computation calls `fit` once the desk knows enough of its own leavers,
and `back_test` says how good the model was on customers it had not seen.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import groupby
from statistics import fmean

from helpdesk.crm.figures import Figure

#: Ratios above this say no more than "very late" or "very much".
HIGHEST_RATIO = 5.0


@dataclass(frozen=True, slots=True)
class Signals:
    """What is known of a customer now; None where nothing is.

    recency_ratio: days since the last purchase or contact ÷ the customer's usual gap between two (1 = just due).
    satisfaction_trend: points of the 0–100 score over the last 90 days. open_tickets, breached_tickets (missed a target
    in the last 90 days), reopens: counts. use_ratio: use in the last 30 days ÷ the usual (1 = as always).
    tenure_years: since the first purchase.
    """

    recency_ratio: float | None = None
    satisfaction_trend: float | None = None
    open_tickets: int | None = None
    breached_tickets: int | None = None
    reopens: int | None = None
    use_ratio: float | None = None
    tenure_years: float | None = None

    def __post_init__(self) -> None:
        for name in SIGNALS:
            value = getattr(self, name)
            if name != "satisfaction_trend" and value is not None and value < 0:
                raise ValueError(f"{name} is not negative")


SIGNALS = tuple(Signals.__dataclass_fields__)


@dataclass(frozen=True, slots=True)
class Weights:
    """The model: log-odds of leaving = intercept + Σ weight × (signal − usual). Every number may be edited.

    usual: the value of each signal at which it gives no reason either way; an unknown signal counts as usual.
    n: from how many customers the weights were estimated, 0 for weights somebody chose.
    """

    intercept: float
    weight: Mapping[str, float]
    usual: Mapping[str, float]
    n: int = 0

    def __post_init__(self) -> None:
        if set(self.weight) != set(SIGNALS) or set(self.usual) != set(SIGNALS):
            raise ValueError(f"a weight and a usual value for each of {', '.join(SIGNALS)}")


#: A starting point until the desk has outcomes of its own: signs and order of size are judgement, not measurement,
#: and n = 0 says so wherever the figure is shown.
STARTING_WEIGHTS = Weights(
    intercept=-2.0,
    weight={
        "recency_ratio": 0.9,
        "satisfaction_trend": -0.05,
        "open_tickets": 0.15,
        "breached_tickets": 0.5,
        "reopens": 0.3,
        "use_ratio": -0.8,
        "tenure_years": -0.15,
    },
    usual={
        "recency_ratio": 1.0,
        "satisfaction_trend": 0.0,
        "open_tickets": 0.0,
        "breached_tickets": 0.0,
        "reopens": 0.0,
        "use_ratio": 1.0,
        "tenure_years": 1.0,
    },
)


@dataclass(frozen=True, slots=True)
class Reason:
    """One signal's part in the result: its value, and how far it moved the log-odds of leaving (> 0: towards leaving)."""

    signal: str
    value: float
    effect: float

    @property
    def worries(self) -> bool:
        return self.effect > 0


@dataclass(frozen=True, kw_only=True)
class Health(Figure):
    """Health 0–100 (100 × the chance to stay), the chance to leave, the reasons (strongest first) and what is unknown."""

    leaving: float
    reasons: tuple[Reason, ...]
    unknown: tuple[str, ...]


def assess(signals: Signals, *, as_of: datetime, weights: Weights = STARTING_WEIGHTS) -> Health:
    """A customer's health with its reasons; n is the number of customers behind the weights."""
    known = {name: float(value) for name in SIGNALS if (value := getattr(signals, name)) is not None}
    reasons = [Reason(name, value, weights.weight[name] * (_bounded(name, value) - weights.usual[name])) for name, value in known.items()]
    leaving = _logistic(weights.intercept + math.fsum(reason.effect for reason in reasons))
    telling = sorted((reason for reason in reasons if reason.effect), key=lambda reason: -abs(reason.effect))
    return Health(
        value=100 * (1 - leaving),
        formula="health.logistic",
        inputs={name: known.get(name) for name in SIGNALS} | {"intercept": weights.intercept},
        n=weights.n,
        as_of=as_of,
        leaving=leaving,
        reasons=tuple(telling),
        unknown=tuple(name for name in SIGNALS if name not in known),
    )


def _bounded(name: str, value: float) -> float:
    return min(value, HIGHEST_RATIO) if name.endswith("_ratio") else value


def _logistic(log_odds: float) -> float:
    # Written so that exp never overflows on either side.
    if log_odds >= 0:
        return 1 / (1 + math.exp(-log_odds))
    odds = math.exp(log_odds)
    return odds / (1 + odds)


# --- Learning from the desk's own leavers ---------------------------------------------------------------------------


def fit(seen: Sequence[tuple[Signals, bool]], *, ridge: float = 1.0, rounds: int = 50) -> Weights:
    """Weights from customers of whom it is known whether they left (True).

    Logistic regression with a ridge penalty on the weights (not on the intercept), by Newton's method on standardised
    signals; the usual value of a signal is its mean, and stands in where it is unknown. The penalty keeps the weights
    finite when a signal separates the two groups. Source: T. Hastie, R. Tibshirani, J. Friedman, "The Elements of
    Statistical Learning" (2009), 4.4. Raises ValueError unless some left and some stayed, or for a ridge not above 0.
    """
    left = [float(gone) for _, gone in seen]
    if not 0 < sum(left) < len(left):
        raise ValueError("to tell leavers from stayers, some must have left and some stayed")
    if ridge <= 0:
        raise ValueError("the ridge is above 0")
    usual, spread = {}, {}
    for name in SIGNALS:
        values = [_bounded(name, float(v)) for signals, _ in seen if (v := getattr(signals, name)) is not None]
        usual[name] = fmean(values) if values else STARTING_WEIGHTS.usual[name]
        spread[name] = math.sqrt(fmean((v - usual[name]) ** 2 for v in values)) if values else 0.0
    rows = [[1.0, *(_standard(signals, name, usual, spread) for name in SIGNALS)] for signals, _ in seen]
    beta = [math.log(sum(left) / (len(left) - sum(left)))] + [0.0] * len(SIGNALS)
    penalty = [0.0] + [ridge] * len(SIGNALS)
    for _ in range(rounds):
        step = _newton_step(rows, left, beta, penalty)
        beta = [b + s for b, s in zip(beta, step, strict=True)]
        if max(map(abs, step)) < 1e-10:
            break
    weight = {name: b / spread[name] if spread[name] else 0.0 for name, b in zip(SIGNALS, beta[1:], strict=True)}
    return Weights(beta[0], weight, usual, n=len(seen))


def _standard(signals: Signals, name: str, usual: Mapping[str, float], spread: Mapping[str, float]) -> float:
    value = getattr(signals, name)
    if value is None or not spread[name]:
        return 0.0
    return (_bounded(name, float(value)) - usual[name]) / spread[name]


def _newton_step(rows: Sequence[Sequence[float]], left: Sequence[float], beta: Sequence[float], penalty: Sequence[float]) -> list[float]:
    """(XᵀWX + P)⁻¹ (Xᵀ(y − p) − P·β)"""
    size = len(beta)
    gradient = [-p * b for p, b in zip(penalty, beta, strict=True)]
    hessian = [[penalty[i] if i == j else 0.0 for j in range(size)] for i in range(size)]
    for row, gone in zip(rows, left, strict=True):
        chance = _logistic(math.fsum(x * b for x, b in zip(row, beta, strict=True)))
        curve = chance * (1 - chance)
        for i, x in enumerate(row):
            gradient[i] += x * (gone - chance)
            for j in range(i + 1):
                hessian[i][j] += curve * x * row[j]
    for i in range(size):
        for j in range(i):
            hessian[j][i] = hessian[i][j]
    return _solve(hessian, gradient)


def _solve(matrix: list[list[float]], right: list[float]) -> list[float]:
    """Gaussian elimination with partial pivoting; the ridge keeps the matrix regular."""
    size = len(right)
    rows = [[*row, value] for row, value in zip(matrix, right, strict=True)]
    for i in range(size):
        pivot = max(range(i, size), key=lambda k: abs(rows[k][i]))
        rows[i], rows[pivot] = rows[pivot], rows[i]
        for k in range(i + 1, size):
            factor = rows[k][i] / rows[i][i]
            rows[k] = [a - factor * b for a, b in zip(rows[k], rows[i], strict=True)]
    solution = [0.0] * size
    for i in reversed(range(size)):
        solution[i] = (rows[i][-1] - math.fsum(rows[i][k] * solution[k] for k in range(i + 1, size))) / rows[i][i]
    return solution


# --- How good was it ------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Bin:
    """Customers of similar predicted chance: how many, what was predicted on average, what came."""

    n: int
    predicted: float
    observed: float


@dataclass(frozen=True, kw_only=True)
class BackTest(Figure):
    """How predictions fared; value is the AUC.

    The AUC is the chance that a leaver had been given a higher chance to leave than a stayer: 0.5 is a coin, 1 perfect,
    None when all left or all stayed. brier: mean squared error of the predictions. calibration: the bins, ascending;
    calibration_error: mean |predicted − observed| over the customers.
    """

    leavers: int
    brier: float | None
    calibration: tuple[Bin, ...]
    calibration_error: float | None


def back_test(predicted: Sequence[float], left: Sequence[bool], *, as_of: datetime, bins: int = 10) -> BackTest:
    """Compare predictions made at `as_of` with what became of those customers; equal predictions share a bin."""
    if len(predicted) != len(left):
        raise ValueError(f"{len(predicted)} predictions for {len(left)} outcomes")
    if any(not 0 <= p <= 1 for p in predicted):
        raise ValueError("a prediction is a chance, 0 to 1")
    n, leavers = len(left), sum(left)
    calibration = _calibration(predicted, left, bins)
    return BackTest(
        value=auc(predicted, left),
        formula="health.auc",
        inputs={"leavers": leavers, "stayers": n - leavers},
        n=n,
        as_of=as_of,
        leavers=leavers,
        brier=fmean((p - gone) ** 2 for p, gone in zip(predicted, left, strict=True)) if n else None,
        calibration=calibration,
        calibration_error=math.fsum(b.n * abs(b.predicted - b.observed) for b in calibration) / n if n else None,
    )


def auc(predicted: Sequence[float], left: Sequence[bool]) -> float | None:
    """Area under the ROC curve as Mann and Whitney's U ÷ (leavers × stayers); a tie counts one half.

    Source: J. A. Hanley, B. J. McNeil, "The meaning and use of the area under a ROC curve", Radiology 143 (1982).
    """
    leavers = sum(left)
    pairs = leavers * (len(left) - leavers)
    if not pairs:
        return None
    better, stayers_below = 0.0, 0
    for _, tied in groupby(sorted(zip(predicted, left, strict=True)), key=lambda pair: pair[0]):
        gone = [outcome for _, outcome in tied]
        stayers = len(gone) - sum(gone)
        better += sum(gone) * (stayers_below + stayers / 2)
        stayers_below += stayers
    return better / pairs


def _calibration(predicted: Sequence[float], left: Sequence[bool], bins: int) -> tuple[Bin, ...]:
    """About equally filled bins by prediction."""
    ordered = sorted(zip(predicted, left, strict=True))
    filled: list[list[tuple[float, bool]]] = []
    for place, pair in enumerate(ordered):
        new_bin = place * bins // len(ordered) != (place - 1) * bins // len(ordered)
        if not filled or (new_bin and filled[-1][-1][0] != pair[0]):
            filled.append([])
        filled[-1].append(pair)
    return tuple(Bin(len(group), fmean(p for p, _ in group), fmean(gone for _, gone in group)) for group in filled)
