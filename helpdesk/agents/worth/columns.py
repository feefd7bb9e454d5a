"""The facts as columns: a few numbers for each customer in arrays, never objects. Part of the child process, like `compute`."""

from __future__ import annotations

import math
from array import array
from datetime import datetime, timedelta
from typing import Any

import numpy as np

from helpdesk.agents.worth.facts import Person, Trouble
from helpdesk.crm import health, satisfaction
from helpdesk.crm.value import TierRule, paying

YEAR = timedelta(days=365)
RULE = TierRule()

_INTS = ("id", "purchases", "total", "margin", "year", "contacts", "handle_s", "occasions", "periods", "window_n", "window_margin",
         "paid", "at_once", "open", "breached", "reopens", "broken", "ratings", "stayed")  # fmt: skip
_FLOATS = ("first", "last", "t_x", "t_all", "median_days", "trend", "points", "last_points", "last_rated")


class Columns:
    """One array for each figure, one place for each customer; nan where nothing is known."""

    def __init__(self) -> None:
        self._ints = {name: array("q") for name in _INTS}
        self._floats = {name: array("d") for name in _FLOATS}
        self.habits: list[str] = []

    def add(self, **values: float) -> None:
        for name, ints in self._ints.items():
            ints.append(int(values.get(name, 0)))
        for name, floats in self._floats.items():
            floats.append(values.get(name, math.nan))

    def done(self) -> dict[str, Any]:
        """The columns by name."""
        whole = {name: np.array(kept, dtype=np.int64) for name, kept in self._ints.items()}
        return {**whole, **{name: np.array(kept, dtype=np.float64) for name, kept in self._floats.items()}}


def take(columns: Columns, person: Person, as_of: datetime, mean: float) -> None:
    values: dict[str, float] = {
        "id": person.id, "contacts": person.contacts, "handle_s": person.handle_s, "broken": person.broken,
        "open": person.trouble.open, "breached": person.trouble.breached, "reopens": person.trouble.reopens, "ratings": len(person.ratings),
    }  # fmt: skip
    if person.bought:
        values |= _rhythm(person, as_of)
    if person.ratings:
        score, trend = (make(person.ratings, mean=mean, as_of=as_of) for make in (satisfaction.score, satisfaction.trend))
        values["points"] = score.value if score.value is not None else math.nan
        values["trend"] = trend.value if trend.value is not None else math.nan
        values["last_points"], values["last_rated"] = person.ratings[-1].points, person.ratings[-1].at.timestamp()
    habit = ""
    if person.paid:
        found = paying(person.paid, as_of=as_of)
        habit = found.habit.value if found.habit is not None else ""
        values["paid"], values["at_once"] = found.n, int(found.inputs["at_once"] or 0)
        values["median_days"] = found.median_days if found.median_days is not None else math.nan
    columns.habits.append(habit)
    columns.add(**values)


def _rhythm(person: Person, as_of: datetime) -> dict[str, float]:
    """What the purchases say about amounts and rhythm; `stayed`: 1 bought in the year before the last, 2 in the last, 3 both."""
    bought = person.bought
    days = sorted({one.at.date() for one in bought})
    window = [one for one in bought if one.at > as_of - RULE.window]
    year = [one for one in bought if one.at > as_of - YEAR]
    before = any(as_of - 2 * YEAR < one.at <= as_of - YEAR for one in bought)
    return {
        "purchases": len(bought),
        "total": sum(one.amount for one in bought),
        "margin": sum(one.margin for one in bought),
        "year": sum(one.margin for one in year),
        "first": bought[0].at.timestamp(),
        "last": bought[-1].at.timestamp(),
        "occasions": len(days),
        "t_x": (days[-1] - days[0]).days / 7,
        "t_all": max((as_of.date() - days[0]).days, (days[-1] - days[0]).days) / 7,
        "periods": len({(as_of - one.at) // timedelta(days=RULE.period_days) for one in window}),
        "window_n": len({one.at.date() for one in window}),
        "window_margin": sum(one.margin for one in window),
        "stayed": (1 if before else 0) + (2 if year else 0),
    }


def case(person: Person, past: datetime, mean: float) -> tuple[health.Signals, bool] | None:
    """A customer as they looked at an earlier moment, and whether they have bought since; None for who was no customer then."""
    before = [one for one in person.bought if one.at <= past]
    if not any(one.at > past - YEAR for one in before):
        return None
    days = sorted({one.at.date() for one in before})
    known = [rating for rating in person.ratings if rating.at <= past]
    trend = satisfaction.trend(known, mean=mean, as_of=past).value if known else None
    signals = signals_of(
        last=before[-1].at.timestamp(), first=before[0].at.timestamp(), occasions=len(days), t_x=(days[-1] - days[0]).days / 7,
        trend=math.nan if trend is None else trend, trouble=person.past, as_of=past, reopens_known=False,
    )  # fmt: skip
    return signals, len(before) == len(person.bought)


def signals_of(
    *, last: float, first: float, occasions: int, t_x: float, trend: float, trouble: Trouble, as_of: datetime, reopens_known: bool = True
) -> health.Signals:
    """The signals of a customer at a moment. The usual gap is that between the days of purchases; one purchase shows none."""
    now = as_of.timestamp()
    gap = t_x * 7 / (occasions - 1) if occasions > 1 else 0.0
    return health.Signals(
        recency_ratio=max(0.0, now - last) / 86400 / max(gap, 1.0) if occasions > 1 else None,
        satisfaction_trend=None if math.isnan(trend) else trend,
        open_tickets=trouble.open,
        breached_tickets=trouble.breached,
        reopens=trouble.reopens if reopens_known else None,
        tenure_years=max(0.0, now - first) / 86400 / 365 if occasions else None,
    )
