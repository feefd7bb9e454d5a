"""What a customer is worth: historic value, lifetime value, RFM classes, tiers and the habit of paying.

Pure arithmetic; the profile, segments and the routing boost stand on it. Money is in the desk's currency, main units:
derived figures are estimates and use floats, the ledgers of orders and payments stay exact.
"""

from __future__ import annotations

import math
from bisect import bisect_left, bisect_right
from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from statistics import median
from typing import TypeVar

from helpdesk.crm.figures import Figure, share

Key = TypeVar("Key", bound=Hashable)


def historic_value(
    margins: Iterable[float],
    *,
    as_of: datetime,
    acquisition_cost: float = 0.0,
    handle_seconds: Iterable[float] = (),
    cost_per_minute: float = 0.0,
) -> Figure:
    """Σ margin − acquisition cost − service cost; n counts the purchases.

    margins: of each purchase, returns as negative ones. handle_seconds: of each contact that was served; the service
    cost is their sum times the cost of a minute, so that ten short calls may cost less than one long one.
    """
    earned, handled = list(margins), list(handle_seconds)
    if any(seconds < 0 for seconds in handled) or cost_per_minute < 0 or acquisition_cost < 0:
        raise ValueError("handle times and costs are not negative")
    margin, service = math.fsum(earned), math.fsum(handled) / 60 * cost_per_minute
    return Figure(
        value=margin - acquisition_cost - service,
        formula="value.historic",
        inputs={
            "margin": margin,
            "acquisition_cost": acquisition_cost,
            "service_cost": service,
            "contacts": len(handled),
            "handle_seconds": math.fsum(handled),
            "cost_per_minute": cost_per_minute,
        },
        n=len(earned),
        as_of=as_of,
    )


class Convention(StrEnum):
    """When the first yearly margin m arrives; each later one needs another retention r and a discount d."""

    AFTER_RENEWAL = "after_renewal"  # at the end of year 1, of those who stay: Σ m·rᵗ/(1+d)ᵗ, t ≥ 1
    AT_START = "at_start"  # now, of everybody: Σ m·rᵗ/(1+d)ᵗ, t ≥ 0
    END_OF_YEAR = "end_of_year"  # at the end of year 1, of everybody: Σ m·rᵗ⁻¹/(1+d)ᵗ, t ≥ 1


def lifetime_value(
    margin: float,
    retention: float,
    discount: float,
    *,
    as_of: datetime,
    n: int,
    convention: Convention = Convention.AFTER_RENEWAL,
    acquisition_cost: float = 0.0,
) -> Figure:
    """Present value of a customer's margins for ever, minus what it cost to win the customer.

    margin m a year, retention r a year (0–1), discount d a year: m·r/(1+d−r) by default, m·(1+d)/(1+d−r) paid at the
    start, m/(1+d−r) at the end of each year. n: how many customers or purchases r and m were estimated from.
    Source: S. Gupta, D. R. Lehmann, "Customers as assets", Journal of Interactive Marketing 17 (2003); the conventions
    are told apart in P. Fader, B. Hardie, "Reconciling and clarifying CLV formulas" (2012).
    Raises ValueError where the sum does not converge (r ≥ 1 + d).
    """
    if not 0 <= retention <= 1:
        raise ValueError(f"retention lies on 0 to 1, not {retention}")
    if discount < 0 or retention >= 1 + discount:
        raise ValueError("with full retention and no discount the value is endless: give a discount above 0")
    factor = {
        Convention.AFTER_RENEWAL: retention,
        Convention.AT_START: 1 + discount,
        Convention.END_OF_YEAR: 1.0,
    }[convention] / (1 + discount - retention)
    return Figure(
        value=margin * factor - acquisition_cost,
        formula=f"value.lifetime.{convention.value}",
        inputs={"m": margin, "r": retention, "d": discount, "acquisition_cost": acquisition_cost},
        n=n,
        as_of=as_of,
    )


# --- RFM: recency, frequency, monetary ------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Purchase:
    """One purchase: when, for how much, and what it earned. Lines bought together are one purchase."""

    at: datetime
    amount: float
    margin: float


@dataclass(frozen=True, slots=True)
class Rfm:
    """Classes 1 (worst) to 5 (best): how recently, how often, for how much."""

    recency: int
    frequency: int
    monetary: int

    def __str__(self) -> str:
        return f"{self.recency}{self.frequency}{self.monetary}"


def rfm(customers: Mapping[Key, Sequence[Purchase]], *, as_of: datetime) -> dict[Key, Rfm]:
    """Classify everybody who has bought, by quintiles among themselves; who has not bought has no class.

    Ties are stable: equal customers get equal classes, whatever the order of the rows. Source: A. M. Hughes, "Strategic
    Database Marketing" (1994).
    """
    bought = {key: known for key, all_of in customers.items() if (known := [p for p in all_of if p.at <= as_of])}
    recency = quintiles([max(p.at for p in known).timestamp() for known in bought.values()])
    frequency = quintiles([len(known) for known in bought.values()])
    monetary = quintiles([math.fsum(p.amount for p in known) for known in bought.values()])
    return {key: Rfm(*classes) for key, *classes in zip(bought, recency, frequency, monetary, strict=True)}


def quintiles(values: Sequence[float]) -> list[int]:
    """The fifth (1 lowest … 5 highest) in which each value lies, by its mid-rank.

    Equal values share the middle of the ranks they fill, so that a class never depends on the order of rows. Where most
    customers bought once, some classes are empty, and honestly so.
    """
    ordered = sorted(values)
    n = len(ordered)
    # Twice the mid-rank, in integers: (below + up to and including) / 2n of the way, cut into five.
    return [min(5 * (bisect_left(ordered, v) + bisect_right(ordered, v)) // (2 * n), 4) + 1 for v in values]


# --- Tiers ----------------------------------------------------------------------------------------------------------


class Tier(StrEnum):
    """Whom to serve first. Ordered from the best; `rank` 0 is served first."""

    KEY = "key"  # regular, and among the regular ones those who earn most
    REGULAR = "regular"  # comes back, however small the amounts
    OCCASIONAL = "occasional"  # bought more than once, or regularly but at a loss
    SINGLE = "single"  # bought once, however much
    NONE = "none"  # has not bought, or not for a long time

    @property
    def rank(self) -> int:
        return list(Tier).index(self)


#: Tiers that the computation gives to a contact; any other one was given by a person and stays.
DERIVED_TIERS = ("", *(tier.value for tier in Tier if tier is not Tier.NONE))


@dataclass(frozen=True, slots=True)
class TierRule:
    """What counts as regular; a desk that sells yearly contracts sets other lengths than a canteen.

    period_days: one beat of buying. periods: how many beats are looked at. regular: in how many of them a regular
    customer bought. key_share: the part of the regular customers, by margin in that time, that is key.
    """

    period_days: int = 30
    periods: int = 12
    regular: int = 4
    key_share: float = 0.2

    def __post_init__(self) -> None:
        if self.period_days < 1 or not 2 <= self.regular <= self.periods or not 0 <= self.key_share <= 1:
            raise ValueError("a regular customer buys in at least two periods, and in no more than are looked at")

    @property
    def window(self) -> timedelta:
        return timedelta(days=self.period_days * self.periods)


@dataclass(frozen=True, kw_only=True)
class Standing(Figure):
    """A customer's tier; value is the margin of the time looked at, which orders the customers of one tier."""

    tier: Tier

    @property
    def order(self) -> tuple[int, float]:
        """Sorts the customers to be served first to the front."""
        return self.tier.rank, -(self.value or 0.0)


def tiers(
    customers: Mapping[Key, Sequence[Purchase]],
    *,
    as_of: datetime,
    rule: TierRule = TierRule(),
) -> dict[Key, Standing]:
    """Place everybody in a tier so that a small regular buyer outranks a big one-off one.

    Regularity comes first: the number of periods in which the customer bought. Money only tells key customers from the
    other regular ones, and orders the customers within a tier. Who buys regularly but at a loss is occasional.
    """
    seen = {key: _rhythm(purchases, as_of, rule) for key, purchases in customers.items()}
    regular = sorted(margin for active, _, margin in seen.values() if active >= rule.regular and margin > 0)
    # The smallest margin of a key customer; equal margins are key together.
    key_count = math.ceil(len(regular) * rule.key_share)
    key_from = regular[-key_count] if key_count else math.inf
    standings = {}
    for key, (active, count, margin) in seen.items():
        if active >= rule.regular and margin > 0:
            tier = Tier.KEY if margin >= key_from else Tier.REGULAR
        else:
            tier = Tier.OCCASIONAL if count > 1 else Tier.SINGLE if count else Tier.NONE
        standings[key] = Standing(
            value=margin,
            formula="value.tier",
            inputs={
                "periods_bought": active,
                "purchases": count,
                "regular_from": rule.regular,
                "periods": rule.periods,
                "period_days": rule.period_days,
                "key_from": key_from if regular and key_count else None,
            },
            n=count,
            as_of=as_of,
            tier=tier,
        )
    return standings


def _rhythm(purchases: Sequence[Purchase], as_of: datetime, rule: TierRule) -> tuple[int, int, float]:
    """Periods bought in, occasions (days) and margin within the rule's window, which ends at `as_of`."""
    known = [p for p in purchases if as_of - rule.window < p.at <= as_of]
    periods = {(as_of - p.at) // timedelta(days=rule.period_days) for p in known}
    # A big order entered as five on one day is still one occasion.
    days = {p.at.date() for p in known}
    return len(periods), len(days), math.fsum(p.margin for p in known)


# --- Paying ---------------------------------------------------------------------------------------------------------


class Habit(StrEnum):
    AT_ONCE = "at_once"
    MIXED = "mixed"
    INSTALMENTS = "instalments"


@dataclass(frozen=True, slots=True)
class PaidOrder:
    """An order with its payments (moment, amount); what was given back is a return, not a negative payment."""

    total: float
    ordered_at: datetime
    payments: tuple[tuple[datetime, float], ...]

    def __post_init__(self) -> None:
        if any(amount < 0 for _, amount in self.payments):
            raise ValueError("a payment is not negative: money given back is a return")


@dataclass(frozen=True, kw_only=True)
class Paying(Figure):
    """How a customer pays; value is the share (0–1) of paid orders that were paid at once."""

    habit: Habit | None
    median_days: float | None  # order → paid in full


def paying(orders: Iterable[PaidOrder], *, as_of: datetime, at_once: timedelta = timedelta(days=7), clear: float = 0.8) -> Paying:
    """Tell the customer who pays at once from the one who pays by instalments.

    At once: one payment of the whole sum within `at_once` of the order. Orders not yet paid in full, and free ones,
    tell nothing and are left out; n counts the rest. A habit is named when a share of `clear` points to it.
    """
    single, days = [], []
    for order in orders:
        made = sorted((at, amount) for at, amount in order.payments if at <= as_of and amount)
        paid_at = _paid_in_full(order.total, made)
        if paid_at is None:
            continue
        days.append((paid_at - order.ordered_at) / timedelta(days=1))
        single.append(len(made) == 1 and paid_at - order.ordered_at <= at_once)
    part = share(sum(single), len(single))
    habit = None
    if part is not None:
        habit = Habit.AT_ONCE if part >= clear else Habit.INSTALMENTS if part <= 1 - clear else Habit.MIXED
    return Paying(
        value=part,
        formula="value.paying",
        inputs={"at_once": sum(single), "paid_orders": len(single), "within_days": at_once / timedelta(days=1)},
        n=len(single),
        as_of=as_of,
        habit=habit,
        median_days=median(days) if days else None,
    )


def _paid_in_full(total: float, payments: Sequence[tuple[datetime, float]]) -> datetime | None:
    """The moment at which ascending payments reach the total (to half a cent), None if they do not."""
    paid = 0.0
    for at, amount in payments:
        paid += amount
        if total > 0 and paid >= total - 0.005:
            return at
    return None
