"""Every figure of a customer's page computed anew, by pandas from the raw tables, without a line of the product's own arithmetic.

The definitions are those of the metrics page: each is written out here once more, so that two people would have to err alike. Only what a
desk chooses (rates, costs, discount) comes from outside.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd
from scipy.optimize import minimize
from scipy.special import gammaln, hyp2f1
from sqlalchemy import Connection, text

SCALES = {"csat": (1, 5), "nps": (0, 10), "ces": (1, 7)}
TABLES = ("contact", "identity", "order", "order_line", "payment", "order_return", "rating", "interaction", "ticket", "competitor_offer",
          "call_back", "consent", "organization", "user", "membership")  # fmt: skip
DAY = pd.Timedelta(days=1)
#: Weights of the signals and what is usual, while a desk has no leavers of its own to learn from.
INTERCEPT = -2.0
WEIGHT = {"recency_ratio": 0.9, "satisfaction_trend": -0.05, "open_tickets": 0.15, "breached_tickets": 0.5, "reopens": 0.3,
          "use_ratio": -0.8, "tenure_years": -0.15}  # fmt: skip
USUAL = {"recency_ratio": 1.0, "satisfaction_trend": 0.0, "open_tickets": 0.0, "breached_tickets": 0.0, "reopens": 0.0, "use_ratio": 1.0,
         "tenure_years": 1.0}  # fmt: skip


@dataclass(frozen=True)
class Desk:
    """What the desk chose: what a unit of each currency is worth in its own, costs in minor units, seconds, the discount of a year."""

    rates: Mapping[str, float]
    minute_cents: int
    winning_cents: int
    reply_s: int
    discount: float = 0.1


class Raw:
    """The tables as they stand, moments as UTC timestamps, and beside each row who speaks for its contact."""

    def __init__(self, connection: Connection) -> None:
        self._frames: dict[str, pd.DataFrame] = {}
        for table in TABLES:
            frame = pd.read_sql_query(text(f'SELECT * FROM "{table}"'), connection)
            for column in frame.columns:
                if column == "at" or column.endswith(("_at", "_since")):
                    frame[column] = pd.to_datetime(frame[column], utc=True, format="ISO8601").astype("datetime64[us, UTC]")
            self._frames[table] = frame
        contact = self["contact"]
        contact["who"] = contact["merged_into_id"].fillna(contact["id"]).astype(int)
        speaks = contact.set_index("id")["who"]
        for frame in self._frames.values():
            for column in ("contact_id", "requester_id"):
                if column in frame and len(frame):
                    frame["who"] = frame[column].map(speaks)

    def __getitem__(self, table: str) -> pd.DataFrame:
        return self._frames[table]


class Figures:
    """What the night should have found about everybody, as of a moment."""

    def __init__(self, raw: Raw, desk: Desk, as_of: datetime) -> None:
        self.raw, self.desk, self.now = raw, desk, pd.Timestamp(as_of).tz_convert("UTC")

    @cached_property
    def named(self) -> set[str]:
        """How people, companies and colleagues are called, and what stands in their records."""
        return {said for table in ("contact", "organization", "user", "membership", "order_return") for said in texts(self.raw[table])}

    # --- how they feel -------------------------------------------------------------------------------------------------------

    @cached_property
    def ratings(self) -> pd.DataFrame:
        """Ratings that count, on 0–100."""
        one = self.raw["rating"]
        one = one[one["superseded_at"].isna()].copy()
        low, high = (one["kind"].map({kind: ends[end] for kind, ends in SCALES.items()}).astype(float) for end in (0, 1))
        one["points"] = 100 * (one["score"] - low) / (high - low)
        return one

    @cached_property
    def mean(self) -> float:
        return float(self.ratings["points"].mean()) if len(self.ratings) else 75.0

    def score(self, who: int, at: pd.Timestamp) -> dict[str, float]:
        """(Σ w·s + 5·μ) ÷ (Σ w + 5), w = 2^(−age ÷ 90 days)."""
        known = self.ratings[(self.ratings["who"] == who) & (self.ratings["at"] <= at)]
        weights = 2.0 ** -((at - known["at"]) / (90 * DAY))
        weighted, weight = float((weights * known["points"]).sum()), float(weights.sum())
        return {"score": (weighted + 5 * self.mean) / (weight + 5), "weighted": weighted, "weight": weight, "n": len(known)}

    def trend(self, who: int) -> float | None:
        now, then = self.score(who, self.now), self.score(who, self.now - 90 * DAY)
        return now["score"] - then["score"] if then["n"] and now["n"] > then["n"] else None

    # --- what they bought ----------------------------------------------------------------------------------------------------

    @cached_property
    def everybody(self) -> set[int]:
        """Who is computed: neither merged, nor erased, nor against being profiled."""
        contact, consent = self.raw["contact"], self.raw["consent"]
        people = set(contact[contact["merged_into_id"].isna() & contact["erased_at"].isna()]["id"])
        about = consent[(consent["purpose"] == "profiling") & (consent["channel"] == "")]
        newest = about.sort_values("id").groupby("who").tail(1) if len(about) else about
        return people - {int(row.who) for row in newest.itertuples() if not row.given}

    @cached_property
    def bought(self) -> pd.DataFrame:
        """Purchases in minor units of the desk's currency, what came back taken off; what came back whole is none."""
        order, back = self.raw["order"], self.raw["order_return"]
        back = back[back["at"] <= self.now].groupby("order_id")[["amount_cents", "margin_cents"]].sum()
        one = order[~order["status"].isin(["returned", "cancelled", "open"]) & (order["at"] <= self.now)].copy()
        one["rate"] = one["currency"].map(self.desk.rates)
        one = one[one["rate"].notna() & one["who"].isin(self.everybody)]
        lost, margin = (one["id"].map(back[name]).fillna(0) for name in ("amount_cents", "margin_cents"))
        one["amount"] = ((one["total_cents"] - lost) * one["rate"]).round()
        one["margin"] = ((one["margin_cents"] - margin) * one["rate"]).round()
        one["whole"] = (one["total_cents"] > lost) | (lost == 0)
        one["day"] = one["at"].dt.floor("D")
        one["age"] = self.now - one["at"]
        return one.sort_values(["who", "at", "id"])

    @cached_property
    def per(self) -> pd.DataFrame:
        """One row for everybody who has bought: sums, rhythm, classes."""
        one = self.bought[self.bought["whole"]]
        by = one.groupby("who")
        found = pd.DataFrame({"n": by.size(), "total": by["amount"].sum(), "margin": by["margin"].sum(), "first": by["at"].min(),
                              "last": by["at"].max(), "days": by["day"].nunique(), "first_day": by["day"].min(),
                              "last_day": by["day"].max()})  # fmt: skip
        found["year"] = one[one["age"] < 365 * DAY].groupby("who")["margin"].sum().reindex(found.index).fillna(0)
        window = one[one["age"] < 360 * DAY].assign(period=lambda rows: rows["age"] // (30 * DAY)).groupby("who")
        within = {"periods": window["period"].nunique(), "window_n": window["day"].nunique(), "window": window["margin"].sum()}
        for name, column in within.items():
            found[name] = column.reindex(found.index).fillna(0)
        found["x"] = found["days"] - 1
        found["t_x"] = (found["last_day"] - found["first_day"]) / (7 * DAY)
        found["t_all"] = (self.now.floor("D") - found["first_day"]) / (7 * DAY)
        before = one[(one["age"] >= 365 * DAY) & (one["age"] < 730 * DAY)].groupby("who").size()
        found["began"] = before.reindex(found.index).fillna(0) > 0
        found["stayed"] = found["began"] & (one[one["age"] < 365 * DAY].groupby("who").size().reindex(found.index).fillna(0) > 0)
        classes = [(5 * (found[name].rank() - 0.5) / len(found)).map(math.floor).clip(upper=4) + 1 for name in ("last", "n", "total")]
        found["rfm"] = ["".join(str(part) for part in row) for row in zip(*classes, strict=True)]
        return self._with_tiers(found)

    def _with_tiers(self, found: pd.DataFrame) -> pd.DataFrame:
        """Regularity first; the fifth of the regular that earned most is key."""
        regular = (found["periods"] >= 4) & (found["window"] > 0)
        earned = found[regular]["window"].sort_values(ascending=False)
        self.key_from = float(earned.iloc[math.ceil(0.2 * len(earned)) - 1]) if len(earned) else None
        found["tier"] = np.select(
            [regular & (found["window"] >= (self.key_from or math.inf)), regular, found["window_n"] > 1, found["window_n"] == 1],
            ["key", "regular", "occasional", "bought once"], "nothing bought in a year",
        )  # fmt: skip
        return found

    @cached_property
    def retention(self) -> tuple[float, int]:
        began = int(self.per["began"].sum())
        return int(self.per["stayed"].sum()) / began, began

    @cached_property
    def service(self) -> pd.DataFrame:
        """Contacts that cost us time, and the seconds: written answers at the usual length, talks as long as they were."""
        one = self.raw["interaction"]
        one = one[one["at"] <= self.now]
        answered = (one["kind"] == "message") & (one["direction"] == "out")
        talked = one["kind"].isin(["call", "meeting", "visit"]) & one["duration_s"].notna()
        one = one.assign(contacts=answered.astype(int) + talked, seconds=answered * self.desk.reply_s + one["duration_s"].where(talked, 0))
        return one.groupby("who")[["contacts", "seconds"]].sum()

    # --- what they will buy ----------------------------------------------------------------------------------------------------

    @cached_property
    def buying(self) -> dict[str, float]:
        """BG/NBD by maximum likelihood: Fader, Hardie, Lee (2005), equation (6)."""
        x, t_x, age = (self.per[name].to_numpy(dtype=float) for name in ("x", "t_x", "t_all"))

        def unlikely(logs: Any) -> float:
            r, alpha, a, b = np.exp(logs)
            first = gammaln(r + x) - gammaln(r) + r * np.log(alpha)
            second = gammaln(a + b) + gammaln(b + x) - gammaln(b) - gammaln(a + b + x)
            gone = np.where(x > 0, a / (b + np.maximum(x, 1) - 1) * ((alpha + age) / (alpha + t_x)) ** (r + x), 0.0)
            return -float(np.sum(first + second - (r + x) * np.log(alpha + age) + np.log1p(gone)))

        return dict(zip(("r", "alpha", "a", "b"), _climbed(unlikely, [1.0, float(age.mean()), 1.0, 2.0]), strict=True))

    @cached_property
    def spending(self) -> dict[str, float]:
        """Gamma–Gamma by maximum likelihood: Fader, Hardie (2013), on the mean spend of an occasion."""
        told = self.per[self.per["total"] > 0]
        x, z = told["days"].to_numpy(dtype=float), (told["total"] / 100 / told["days"]).to_numpy(dtype=float)

        def unlikely(logs: Any) -> float:
            p, q, gamma = np.exp(logs)
            return -float(np.sum(
                gammaln(p * x + q) - gammaln(p * x) - gammaln(q) + q * np.log(gamma) + (p * x - 1) * np.log(z) + p * x * np.log(x)
                - (p * x + q) * np.log(gamma + z * x)
            ))  # fmt: skip

        return dict(zip(("p", "q", "gamma"), _climbed(unlikely, [2.0, 3.0, float(z.mean())]), strict=True))

    def to_come(self, who: int) -> dict[str, float]:
        """P(alive), purchases of 52 weeks and their discounted margin, quarter by quarter."""
        one, m, s = self.per.loc[who], self.buying, self.spending
        r, alpha, a, b = m["r"], m["alpha"], m["a"], m["b"]
        x, t_x, age = float(one["x"]), float(one["t_x"]), float(one["t_all"])
        gone = a / (b + x - 1) * ((alpha + age) / (alpha + t_x)) ** (r + x) if x else 0.0
        so_far = [0.0]
        for t in (13, 26, 39, 52):
            series = hyp2f1(r + x, b + x, a + b + x - 1, t / (alpha + age + t)) * ((alpha + age) / (alpha + age + t)) ** (r + x)
            so_far.append(float((a + b + x - 1) / (a - 1) * (1 - series) / (1 + gone)))
        spend = s["p"] * (s["gamma"] + one["total"] / 100) / (s["p"] * (x + 1) + s["q"] - 1)
        present = sum((so_far[k] - so_far[k - 1]) / (1 + self.desk.discount) ** (k / 4) for k in range(1, 5))
        share = min(max(one["margin"] / one["total"], 0), 1) if one["total"] else 0.0
        return {"p_alive": 1 / (1 + gone), "expected": so_far[-1], "spend": spend, "value": present * spend * share}

    # --- how they pay, and whether they stay -------------------------------------------------------------------------------------

    def paying(self, who: int) -> dict[str, Any]:
        """One payment of the whole sum within seven days counts as at once."""
        orders, payments = self.bought[self.bought["who"] == who], self.raw["payment"]
        at_once, days = [], []
        for order in orders.itertuples():
            came = payments[(payments["order_id"] == order.id) & (payments["at"] <= self.now)].sort_values(["at", "amount_cents"])
            enough = came[came["amount_cents"].cumsum() >= order.total_cents] if order.total_cents else came[:0]
            if len(enough):
                took = (enough["at"].iloc[0] - order.at) / DAY
                days.append(took)
                at_once.append(len(came) == 1 and took <= 7)
        share = sum(at_once) / len(days) if days else None
        habit = "not known yet" if share is None else "pays at once" if share >= 0.8 else "now so, now so"
        if share is not None and share <= 1 - 0.8:
            habit = "pays by instalments"
        return {"habit": habit, "at_once": sum(at_once), "paid_orders": len(days), "median_days": float(np.median(days)) if days else None}

    def signals(self, who: int) -> dict[str, float]:
        ticket = self.raw["ticket"]
        mine = ticket[(ticket["who"] == who) & ticket["merged_into_id"].isna() & (ticket["opened_at"] <= self.now)]
        found: dict[str, float] = {
            "open_tickets": int(mine["status"].isin(["new", "open", "pending", "on_hold"]).sum()),
            "breached_tickets": int((mine["breached_at"] > self.now - 90 * DAY).sum()),
            "reopens": int(mine[mine["last_message_at"] > self.now - 365 * DAY]["reopens_count"].sum()),
        }
        trend = self.trend(who)
        if trend is not None:
            found["satisfaction_trend"] = trend
        if who in self.per.index:
            one = self.per.loc[who]
            found["tenure_years"] = (self.now - one["first"]) / (365 * DAY)
            if one["x"]:
                found["recency_ratio"] = (self.now - one["last"]) / DAY / max(one["t_x"] * 7 / one["x"], 1.0)
        return found

    def health(self, who: int) -> tuple[dict[str, float], float, list[str]] | None:
        """Signals, health and the three strongest reasons; None for somebody of whom nothing is known."""
        known = self.signals(who)
        quiet = not known["open_tickets"] and not known["breached_tickets"]
        if who not in self.per.index and quiet and not (self.ratings["who"] == who).any():
            return None
        counted = {name: min(value, 5.0) if name.endswith("_ratio") else value for name, value in known.items()}
        effect = {name: WEIGHT[name] * (value - USUAL[name]) for name, value in counted.items()}
        strongest = sorted((name for name in effect if effect[name]), key=lambda name: -abs(effect[name]))
        return known, 100 / (1 + math.exp(INTERCEPT + sum(effect.values()))), strongest[:3]


def _climbed(unlikely: Callable[[Any], float], start: list[float]) -> list[float]:
    """The best parameters, found without a gradient of ours."""
    at = np.log(start)
    for _round in range(6):
        at = minimize(unlikely, at, method="Nelder-Mead", options={"maxiter": 20_000, "xatol": 1e-10, "fatol": 1e-11}).x
    return [float(value) for value in np.exp(at)]


def custom_of(held: Any) -> dict[str, Any]:
    """A JSON column as a dictionary, however the engine gives it."""
    found = json.loads(held) if isinstance(held, str) else held
    return found if isinstance(found, dict) else {}


def texts(frame: pd.DataFrame) -> set[str]:
    """Every text of a table."""
    return {value for column in frame.columns for value in frame[column].dropna() if isinstance(value, str) and value.strip()}
