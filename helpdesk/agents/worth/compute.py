"""Everybody's value, computed in one pass over the facts.

The formulas are those of `crm.value`, `crm.btyd` and `crm.health`, here over whole columns where there are many rows; tests hold both
against each other. Imports numpy and scipy: only the child process may import this.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from typing import Any

import numpy as np
from scipy.special import hyp2f1
from sqlalchemy import func, select, update

from helpdesk import clock, db
from helpdesk.agents.worth import facts, writing
from helpdesk.agents.worth.columns import RULE, Columns, case, take
from helpdesk.crm import btyd, health, money, profile
from helpdesk.crm.models import Contact
from helpdesk.crm.value import Tier
from helpdesk.crm.worth_models import ValueRun
from helpdesk.preferences import Preferences, preferences

#: Customers at most that models are fitted to; more would only take longer.
MOST_FITTED, MOST_SEEN = 100_000, 8_000
#: A customer has left when they bought in the year before a moment and nothing in this time after it.
OUTCOME = timedelta(days=180)
#: Fewer cases, or fewer leavers among them, teach nothing.
FEWEST_CASES, FEWEST_LEAVERS = 100, 10
HORIZON_WEEKS, STEPS = 52.0, 4


@dataclass
class Desk:
    """What the whole desk's facts say, and what was left out; goes into the run's `model`."""

    currency: str
    unconverted: int
    discount: float
    minute_cents: int
    winning_cents: int
    reply_s: int
    mean_satisfaction: float


def compute(run_id: int) -> None:
    """Compute a run that waits; every customer's row is written anew. Raises what went wrong, after noting it on the run."""
    with db.read() as session:
        run = session.get_one(ValueRun, run_id)
        as_of, said, mean = run.as_of, preferences(), profile.mean_of_all()
    try:
        model, customers, orders = _compute(as_of, said, mean)
    except Exception as wrong:
        _end(run_id, state="failed", error=f"{type(wrong).__name__}: {wrong}"[:500])
        raise
    _end(run_id, state="done", model=model, customers=customers, orders=orders)


def _end(run_id: int, **values: Any) -> None:
    with db.transaction() as session:
        session.execute(update(ValueRun).where(ValueRun.id == run_id).values(finished_at=clock.now(), **values))


def _compute(as_of: datetime, said: Preferences, mean: float) -> tuple[dict[str, Any], int, int]:
    rates = money.of_desk(said)
    columns, seen, unconverted = _read(as_of, said, mean, rates)
    desk = Desk(said.currency, unconverted, said.discount, said.minute_cents, said.winning_cents, said.reply_s, mean)
    c = columns.done()
    model: dict[str, Any] = {**asdict(desk), "retention": _retention(c)}
    weights, model["health"] = _learn(seen, as_of)
    bought = c["purchases"] > 0 if len(c["id"]) else np.array([], dtype=bool)
    to_come = _to_come(c, bought, as_of, said.discount, model)
    rfm = _rfm(c, bought)
    tiers, model["key_from"] = _tiers(c)
    model["rule"] = {"period_days": RULE.period_days, "periods": RULE.periods, "regular": RULE.regular, "key_share": RULE.key_share}
    writing.values(c, writing.Figures(columns.habits, to_come, rfm, tiers, model["retention"]["rate"], weights), as_of, said)
    writing.contacts(c)
    return model, len(c["id"]), int(c["purchases"].sum()) if len(c["id"]) else 0


# --- reading -----------------------------------------------------------------------------------------------------------------


def _read(as_of: datetime, said: Preferences, mean: float, rates: Mapping[str, float]) -> tuple[Columns, list[Any], int]:
    columns, seen, unconverted = Columns(), [], 0
    past = as_of - OUTCOME
    with db.read() as session:
        everybody = session.scalar(select(func.count()).select_from(Contact)) or 0
        step = max(1, everybody // MOST_SEEN)
        for person in facts.people(session.connection(), as_of=as_of, past=past, rates=rates, reply_s=said.reply_s):
            unconverted += person.unconverted
            take(columns, person, as_of, mean)
            if person.id % step == 0 and (one := case(person, past, mean)) is not None:
                seen.append(one)
    return columns, seen, unconverted


# --- the whole desk ----------------------------------------------------------------------------------------------------------


def _retention(c: Mapping[str, Any]) -> dict[str, Any]:
    """Who bought in the year before the last and in the last one ÷ who bought in the year before the last."""
    start = int(np.isin(c["stayed"], (1, 3)).sum())
    stayed = int((c["stayed"] == 3).sum())
    return {"rate": stayed / start if start else None, "n": start, "stayed": stayed, "end": int((c["stayed"] >= 2).sum())}


def _learn(seen: list[tuple[health.Signals, bool]], as_of: datetime) -> tuple[health.Weights, dict[str, Any]]:
    """Weights from the desk's own leavers, and how well they told the leavers among customers they had not seen."""
    learnt, tried = seen[::2], seen[1::2]
    weights = health.STARTING_WEIGHTS
    if len(learnt) >= FEWEST_CASES and FEWEST_LEAVERS <= sum(gone for _, gone in learnt) <= len(learnt) - FEWEST_LEAVERS:
        weights = health.fit(learnt)
    else:
        tried = seen
    test = health.back_test(
        [health.assess(signals, as_of=as_of, weights=weights).leaving for signals, _ in tried], [gone for _, gone in tried], as_of=as_of
    )
    return weights, {
        "intercept": weights.intercept, "weight": dict(weights.weight), "usual": dict(weights.usual), "n": weights.n,
        "test": {"auc": test.value, "n": test.n, "leavers": test.leavers, "brier": test.brier, "error": test.calibration_error,
                 "bins": [[one.n, one.predicted, one.observed] for one in test.calibration]},
    }  # fmt: skip


# --- everybody ---------------------------------------------------------------------------------------------------------------


def _to_come(c: Mapping[str, Any], bought: Any, as_of: datetime, discount: float, model: dict[str, Any]) -> dict[str, Any]:
    """P(alive), purchases expected in a year and their discounted margin; nan where the models could not be fitted."""
    size = len(c["id"])
    out = {name: np.full(size, np.nan) for name in ("p_alive", "expected", "to_come", "spend")}
    rows = np.flatnonzero(bought)
    x, t_x, T = c["occasions"][rows] - 1, c["t_x"][rows], c["t_all"][rows]
    chosen = rows[:: max(1, -(-len(rows) // MOST_FITTED))]
    try:
        histories = [btyd.History(int(c["occasions"][row]) - 1, float(c["t_x"][row]), float(c["t_all"][row])) for row in chosen]
        buying, fit = btyd.fit_bg_nbd(histories, as_of=as_of)
    except btyd.TooLittleData as wrong:
        model["buying"] = {"why": str(wrong), "n": len(chosen)}
        return out
    model["buying"] = {**asdict(buying), "n": fit.n, "converged": fit.converged, "errors": list(fit.errors)}
    if not fit.converged:
        return out
    so_far = expected(buying, x, t_x, T, [HORIZON_WEEKS * step / STEPS for step in range(1, STEPS + 1)])
    out["p_alive"][rows], out["expected"][rows] = p_alive(buying, x, t_x, T), so_far[-1]
    mean = np.divide(c["total"][rows], c["occasions"][rows])
    try:
        spends = [(float(c["total"][row]) / 100 / int(c["occasions"][row]), int(c["occasions"][row])) for row in chosen]
        spending, spent = btyd.fit_gamma_gamma(spends, as_of=as_of)
    except btyd.TooLittleData as wrong:
        model["spending"] = {"why": str(wrong)}
        return out
    model["spending"] = {**asdict(spending), "n": spent.n, "converged": spent.converged, "errors": list(spent.errors)}
    below = spending.p * (x + 1) + spending.q - 1
    per_purchase = np.where(below > 0, spending.p * (spending.gamma + (x + 1) * mean / 100) / np.where(below > 0, below, 1), np.nan)
    present = sum(
        (now - before) / (1 + discount) ** (step / STEPS)
        for step, (before, now) in enumerate(zip([np.zeros(len(rows)), *so_far[:-1]], so_far, strict=True), start=1)
    )
    share = np.clip(np.divide(c["margin"][rows], c["total"][rows], out=np.zeros(len(rows)), where=c["total"][rows] > 0), 0, 1)
    if spent.converged:
        out["spend"][rows] = per_purchase * 100
        out["to_come"][rows] = present * per_purchase * 100 * share
    return out


def p_alive(model: btyd.BgNbd, x: Any, t_x: Any, T: Any) -> Any:
    """`btyd.BgNbd.p_alive` over columns."""
    again = x > 0
    past = np.where(again, x, 1.0)
    logs = np.log(model.a / (model.b + past - 1)) + (model.r + x) * np.log((model.alpha + T) / (model.alpha + t_x))
    return 1 / (1 + np.where(again, np.exp(np.minimum(700.0, logs)), 0.0))


def expected(model: btyd.BgNbd, x: Any, t_x: Any, T: Any, horizons: list[float]) -> list[Any]:
    """`btyd.BgNbd.expected` over columns, for each horizon; where the fast series overflows, the careful one."""
    alive, found = p_alive(model, x, t_x, T), []
    for t in horizons:
        end = model.alpha + T + t
        top = model.a + model.b + x - 1
        with np.errstate(all="ignore"):
            series = hyp2f1(model.r + x, model.b + x, top, t / end) * np.exp((model.r + x) * np.log((model.alpha + T) / end))
            values = top / (model.a - 1) * (1 - series) * alive
        careful = ~np.isfinite(values) | (values < 0) | (abs(model.a - 1) < 1e-3)
        for row in np.flatnonzero(careful):
            values[row] = model.expected(btyd.History(int(x[row]), float(t_x[row]), float(T[row])), t)
        found.append(values)
    return found


def _rfm(c: Mapping[str, Any], bought: Any) -> list[str]:
    out = [""] * len(c["id"])
    rows = np.flatnonzero(bought)
    classes = [_quintiles(c[name][rows]) for name in ("last", "purchases", "total")]
    for place, row in enumerate(rows):
        out[row] = "".join(str(one[place]) for one in classes)
    return out


def _quintiles(values: Any) -> Any:
    """`crm.value.quintiles` over a column."""
    ordered = np.sort(values)
    ranks = np.searchsorted(ordered, values, "left") + np.searchsorted(ordered, values, "right")
    return np.minimum(5 * ranks // (2 * max(len(values), 1)), 4) + 1


def _tiers(c: Mapping[str, Any]) -> tuple[list[str], float | None]:
    """`crm.value.tiers` over columns, and the smallest margin of a key customer."""
    if not len(c["id"]):
        return [], None
    regular = (c["periods"] >= RULE.regular) & (c["window_margin"] > 0)
    margins = np.sort(c["window_margin"][regular])
    count = math.ceil(len(margins) * RULE.key_share)
    key_from = float(margins[-count]) if count else math.inf
    words = np.select(
        [regular & (c["window_margin"] >= key_from), regular, c["window_n"] > 1, c["window_n"] == 1],
        [Tier.KEY.value, Tier.REGULAR.value, Tier.OCCASIONAL.value, Tier.SINGLE.value],
        Tier.NONE.value,
    )
    return [str(word) for word in words], None if math.isinf(key_from) else key_from
