"""How many agents does the next hour need? Erlang's formulas, pure; supervisors ask, the simulation is held to them.

Rates are arrivals per second, times seconds, `load` is in erlangs (rate × average handling time), shares are 0 to 1.
Sources: A. K. Erlang (1917), "Solution of some problems in the theory of probabilities of significance in automatic
telephone exchanges" (B and C); C. Palm (1946), "Research on telephone traffic carried by full availability groups", and
F. Baccelli, G. Hébuterne (1981), "On queues with impatient customers" (A, with the density of the offered wait).
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

_PANELS = 1000  # Simpson panels; the integrands are smooth and have one hump
_NEGLIGIBLE = 45.0  # e⁻⁴⁵ is below what a double adds to 1


@dataclass(frozen=True, slots=True)
class Forecast:
    """What so many agents lead to: `service_level` of all offered, `mean_wait_s` of the served (infinite: overload).

    `occupancy`: the share of time in which an agent has something in hand; `in_hand`: how many pieces on average, where that is counted.
    """

    agents: int
    p_wait: float
    mean_wait_s: float
    service_level: float
    p_abandon: float
    occupancy: float
    in_hand: float = 0.0


def agents_needed(rate_per_s: float, aht_s: float, target_share: float, within_s: float, patience_s: float | None = None) -> int:
    """The fewest agents who answer at least `target_share` of all offered work within `within_s` seconds.

    Without `patience_s` everybody waits (Erlang C); with it, patience is exponential with that mean (Erlang A).
    Nothing offered needs nobody. Raises ValueError for a share outside 0 to below 1, or a negative figure.
    """
    if not 0 <= target_share < 1:
        raise ValueError("The target share is at least 0 and below 1: no number of agents promises all of it.")

    def enough(agents: int) -> bool:
        return forecast(agents, rate_per_s, aht_s, within_s, patience_s).service_level >= target_share

    return fewest(rate_per_s, aht_s, enough)


def agents_for_wait(rate_per_s: float, aht_s: float, mean_wait_s: float, patience_s: float | None = None) -> int:
    """The fewest agents with whom the served wait at most `mean_wait_s` seconds on average."""
    if not mean_wait_s > 0:
        raise ValueError("The mean wait is above 0: no number of agents promises none at all.")

    def enough(agents: int) -> bool:
        return forecast(agents, rate_per_s, aht_s, 0.0, patience_s).mean_wait_s <= mean_wait_s

    return fewest(rate_per_s, aht_s, enough)


def forecast(agents: int, rate_per_s: float, aht_s: float, within_s: float, patience_s: float | None = None) -> Forecast:
    """What `agents` agents lead to under Poisson arrivals and exponential handling times."""
    if patience_s is not None:
        return erlang_a(agents, rate_per_s, aht_s, within_s, patience_s)
    _check(agents, rate_per_s, aht_s, within_s)
    load = rate_per_s * aht_s
    p_wait = erlang_c(agents, load)
    if load >= agents:
        overloaded = load > 0
        return Forecast(agents, p_wait, math.inf if overloaded else 0.0, 0.0 if overloaded else 1.0, 0.0, 1.0 if overloaded else 0.0)
    spare = agents / aht_s - rate_per_s
    return Forecast(agents, p_wait, p_wait / spare, 1 - p_wait * math.exp(-spare * within_s), 0.0, load / agents)


def erlang_b(agents: int, load: float) -> float:
    """P(all busy) when nobody waits: B₀ = 1, Bₖ = aBₖ₋₁ / (k + aBₖ₋₁) (Erlang 1917, in the stable recursion)."""
    _check(agents, load)
    blocked = 1.0
    for k in range(1, agents + 1):
        blocked = load * blocked / (k + load * blocked)
    return blocked


def erlang_c(agents: int, load: float) -> float:
    """P(wait) when everybody waits: C = B / (1 − ρ(1 − B)), ρ = a/c (Erlang 1917); 1 when the load is too much."""
    blocked = erlang_b(agents, load)
    if load >= agents:
        return 1.0 if load else 0.0
    return blocked / (1 - load / agents * (1 - blocked))


def erlang_a(agents: int, rate_per_s: float, aht_s: float, within_s: float, patience_s: float) -> Forecast:
    """M/M/n+M: who waits leaves after an exponential patience (Palm 1946).

    The offered wait has, beside its mass at 0, the density λπₙ₋₁·exp((λ/θ)(1 − e^(−θx)) − nμx) (Baccelli, Hébuterne
    1981); who meets the wait x stays with probability e^(−θx). It is integrated relative to its peak, so that neither
    heavy overload nor a large team overflows.
    """
    _check(agents, rate_per_s, aht_s, within_s)
    if not patience_s > 0:
        raise ValueError("The mean patience is above 0 seconds.")
    if rate_per_s == 0:
        return Forecast(agents, 0.0, 0.0, 1.0, 0.0, 0.0)
    if agents == 0:
        return Forecast(0, 1.0, math.inf, 0.0, 1.0, 1.0)
    served_rate = agents / aht_s
    wait = impatient(erlang_b(agents - 1, rate_per_s * aht_s), rate_per_s, served_rate, within_s, patience_s)
    return Forecast(
        agents, wait.p_wait, wait.mean_wait_s, wait.service_level, wait.p_abandon, rate_per_s * (1 - wait.p_abandon) / served_rate
    )


@dataclass(frozen=True, slots=True)
class Wait:
    """What waiting comes to, as in `Forecast`."""

    p_wait: float
    mean_wait_s: float
    service_level: float
    p_abandon: float


def patient(all_but_one: float, rate: float, served_rate: float, within_s: float) -> Wait:
    """Everybody waits while all places are taken and `served_rate` pieces a second get done; below that rate.

    `all_but_one`: the share of the state with one free place among the states in which nobody waits. With one piece for each agent this
    is Erlang C, since B of one agent less is that share.
    """
    if rate >= served_rate:
        return Wait(1.0, math.inf, 0.0, 0.0)
    waiting = all_but_one * rate / (served_rate - rate)
    p_wait, spare = waiting / (1 + waiting), served_rate - rate
    return Wait(p_wait, p_wait / spare, 1 - p_wait * math.exp(-spare * within_s), 0.0)


def impatient(all_but_one: float, rate: float, served_rate: float, within_s: float, patience_s: float) -> Wait:
    """The same with exponential patience; the integrals of `erlang_a`, which hold for any way in which the states without waiting arise."""
    theta = 1 / patience_s

    def exponent(x: float) -> float:
        return rate / theta * -math.expm1(-theta * x) - served_rate * x

    peak_at = max(0.0, math.log(rate / served_rate) / theta)
    peak = exponent(peak_at)
    low, high = _reach(exponent, peak_at, peak, 1 / served_rate)

    def mass(weight: Callable[[float], float], until: float = math.inf) -> float:
        """In two parts, because patience may be far shorter than anything else."""
        until = max(low, min(high, until))
        middle = min(until, low + _NEGLIGIBLE * patience_s)
        return sum(_simpson(lambda x: math.exp(exponent(x) - peak) * weight(x), *part) for part in ((low, middle), (middle, until)))

    at_once = math.exp(-peak)
    scale = all_but_one * rate
    total = at_once + scale * mass(lambda x: 1.0)
    stay = scale * mass(lambda x: math.exp(-theta * x))
    served = (at_once + stay) / total
    waited_s = scale * mass(lambda x: x * math.exp(-theta * x)) / total
    in_time = (at_once + scale * mass(lambda x: math.exp(-theta * x), within_s)) / total
    return Wait(1 - at_once / total, waited_s / served, in_time, 1 - served)


def _reach(exponent: Callable[[float], float], peak_at: float, peak: float, unit: float) -> tuple[float, float]:
    """The interval around the peak outside of which the (concave) exponent has fallen by more than _NEGLIGIBLE."""
    high = peak_at + unit
    while peak - exponent(high) < _NEGLIGIBLE:
        high = peak_at + 2 * (high - peak_at)
    if peak - exponent(0.0) <= _NEGLIGIBLE:
        return 0.0, high
    outside, inside = 0.0, peak_at
    for _ in range(60):
        middle = (outside + inside) / 2
        outside, inside = (middle, inside) if peak - exponent(middle) > _NEGLIGIBLE else (outside, middle)
    return outside, high


def _simpson(function: Callable[[float], float], low: float, high: float) -> float:
    if high <= low:
        return 0.0
    step = (high - low) / _PANELS
    inner = sum((4 if k % 2 else 2) * function(low + k * step) for k in range(1, _PANELS))
    return (function(low) + inner + function(high)) * step / 3


def fewest(rate_per_s: float, aht_s: float, enough: Callable[[int], bool]) -> int:
    """The smallest number that is enough; more agents never make a figure worse, so halving finds it."""
    _check(0, rate_per_s, aht_s)
    if rate_per_s == 0 or enough(0):
        return 0
    low, high = 0, max(1, math.ceil(rate_per_s * aht_s))
    while not enough(high):
        low, high = high, high * 2
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if enough(middle) else (middle, high)
    return high


def _check(agents: int, *figures: float) -> None:
    if agents < 0 or not all(0 <= figure < math.inf for figure in figures):
        raise ValueError("Agents, rates, loads and times are finite and not negative.")
