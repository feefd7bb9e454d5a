"""Who stays: cohorts, retention rate, what retention is worth, and the chain from employees over customers to profit.

Pure arithmetic behind the retention screens and their sliders. Nothing here carries a percentage from a study (sources
disagree widely): slopes and rates come from the desk's own data, with n beside them.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Hashable, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime

from helpdesk.crm.figures import Figure, share


@dataclass(frozen=True, slots=True)
class Cohort:
    """The customers whose first purchase fell into one month.

    active[k]: how many of them bought k months later (k = 0 is the month itself); None for a month that is not over yet
    and therefore not observed. All cohorts of a table have equally many columns.
    """

    month: date  # its first day
    size: int
    active: tuple[int | None, ...]

    @property
    def rates(self) -> tuple[float | None, ...]:
        """The active as shares of the cohort; not observed stays None."""
        return tuple(None if count is None else count / self.size for count in self.active)


def cohorts(purchases: Iterable[tuple[Hashable, date]], *, as_of: date) -> list[Cohort]:
    """Retention cohorts by month of first purchase, oldest first; months without a first purchase are left out.

    purchases: (customer, day), days in the desk's zone; later than `as_of` is ignored. The month of `as_of` counts as
    observed only on its last day. Column 0 is the cohort itself, also while its month still runs.
    """
    months: dict[Hashable, set[int]] = {}
    for customer, day in purchases:
        if day <= as_of:
            months.setdefault(customer, set()).add(_month(day))
    if not months:
        return []
    last_full = _month(date.fromordinal(as_of.toordinal() + 1)) - 1
    members: dict[int, list[set[int]]] = {}
    for bought in months.values():
        members.setdefault(min(bought), []).append(bought)
    width = _month(as_of) - min(members) + 1
    return [
        Cohort(
            month=date(first // 12, first % 12 + 1, 1),
            size=len(group),
            active=tuple(sum(first + k in bought for bought in group) if k == 0 or first + k <= last_full else None for k in range(width)),
        )
        for first, group in sorted(members.items())
    ]


def _month(day: date) -> int:
    """Months since year 0, so that the distance of two is a difference."""
    return day.year * 12 + day.month - 1


def retention_rate(at_start: Collection[Hashable], at_end: Collection[Hashable], *, as_of: datetime) -> Figure:
    """Customers of the start who are still there at the end ÷ customers of the start; newly won ones do not count."""
    start, end = set(at_start), set(at_end)
    stayed = len(start & end)
    return Figure(
        value=share(stayed, len(start)),
        formula="retention.rate",
        inputs={"start": len(start), "end": len(end), "stayed": stayed, "new": len(end - start)},
        n=len(start),
        as_of=as_of,
    )


@dataclass(frozen=True, slots=True)
class Model:
    """The acquisition–retention–profit model; every field is a slider.

    customers N₀ now; acquired A a year; profit π a year of a customer; cost c of acquiring one; retention r and
    discount d a year; years.
    """

    customers: float
    acquired: float
    profit: float
    cost: float
    retention: float
    discount: float
    years: int

    def __post_init__(self) -> None:
        if not 0 <= self.retention <= 1:
            raise ValueError(f"retention lies on 0 to 1, not {self.retention}")
        if self.discount <= -1 or self.years < 0 or self.customers < 0 or self.acquired < 0:
            raise ValueError("customers, acquired and years are not negative, and the discount is above −1")


@dataclass(frozen=True, slots=True)
class Year:
    number: int
    customers: float
    profit: float
    discounted: float


@dataclass(frozen=True, kw_only=True)
class Projection(Figure):
    """The net present value with the years that add up to it."""

    years: tuple[Year, ...]


def project(model: Model, *, n: int, as_of: datetime) -> Projection:
    """Nₜ = r·Nₜ₋₁ + A; profitₜ = π·Nₜ − c·A; NPV = Σ profitₜ ÷ (1 + d)ᵗ for t = 1 … years.

    n: how many customers the model's r and π were estimated from. Source of the form: R. C. Blattberg, J. Deighton,
    "Manage marketing by the customer equity test", Harvard Business Review 74 (1996).
    """
    years, customers = [], model.customers
    for number in range(1, model.years + 1):
        customers = model.retention * customers + model.acquired
        profit = model.profit * customers - model.cost * model.acquired
        years.append(Year(number, customers, profit, profit / (1 + model.discount) ** number))
    return Projection(
        value=math.fsum(year.discounted for year in years),
        formula="retention.model",
        inputs={
            "N0": model.customers,
            "A": model.acquired,
            "pi": model.profit,
            "c": model.cost,
            "r": model.retention,
            "d": model.discount,
            "years": model.years,
        },
        n=n,
        as_of=as_of,
        years=tuple(years),
    )


def what_if(model: Model, *, retention_points: float, n: int, as_of: datetime) -> Figure:
    """Relative change of the NPV (0.13 = +13%) if retention rises by so many points; it stops at 0 and 100%.

    None where the NPV of today is not positive: a percentage of a loss says nothing.
    """
    retention = min(1.0, max(0.0, model.retention + retention_points / 100))
    now = project(model, n=n, as_of=as_of).value or 0.0
    then = project(replace(model, retention=retention), n=n, as_of=as_of).value or 0.0
    return Figure(
        value=then / now - 1 if now > 0 else None,
        formula="retention.what_if",
        inputs={"now": now, "then": then, "r": model.retention, "r_then": retention},
        n=n,
        as_of=as_of,
    )


# --- Employee → customer → profit -----------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Slope:
    """One link of the chain: how much the later quantity moved with the earlier one. Editable, hence a plain value.

    correlation −1 … 1 and n are None and 0 for a slope that somebody typed in.
    """

    value: float
    correlation: float | None = None
    n: int = 0


def slope(pairs: Sequence[tuple[float, float]]) -> Slope | None:
    """Least-squares slope and Pearson correlation of (earlier, later) pairs, such as a team's mood and its ratings.

    None for fewer than three pairs or when the earlier quantity never changed: a line through two points fits anything.
    """
    n = len(pairs)
    if n < 3:
        return None
    mean_x, mean_y = math.fsum(x for x, _ in pairs) / n, math.fsum(y for _, y in pairs) / n
    xx = math.fsum((x - mean_x) ** 2 for x, _ in pairs)
    yy = math.fsum((y - mean_y) ** 2 for _, y in pairs)
    xy = math.fsum((x - mean_x) * (y - mean_y) for x, y in pairs)
    if xx == 0:
        return None
    return Slope(xy / xx, xy / math.sqrt(xx * yy) if yy else 0.0, n)


@dataclass(frozen=True, kw_only=True)
class Chain(Figure):
    """What a change of the employees' mood went along with; value is the revenue growth in percent.

    correlation_only is always true and shown: moving together is not causing.
    """

    employee_points: float
    customer_points: float
    correlation_only: bool = True


def chain(employee_points: float, *, to_customers: Slope, to_growth: Slope, as_of: datetime) -> Chain:
    """Points of agents' mood → points of customer satisfaction → percent of revenue growth.

    to_customers: customer points per employee point. to_growth: percent of growth per customer point. n is that of the
    weaker link. Source of the form: A. J. Rucci, S. P. Kirn, R. T. Quinn, "The employee-customer-profit chain at
    Sears", Harvard Business Review 76 (1998); its numbers hold for that chain of shops alone.
    """
    customer_points = employee_points * to_customers.value
    return Chain(
        value=customer_points * to_growth.value,
        formula="retention.chain",
        inputs={
            "to_customers": to_customers.value,
            "to_customers_correlation": to_customers.correlation,
            "to_growth": to_growth.value,
            "to_growth_correlation": to_growth.correlation,
        },
        n=min(to_customers.n, to_growth.n),
        as_of=as_of,
        employee_points=employee_points,
        customer_points=customer_points,
    )
