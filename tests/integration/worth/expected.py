"""What a customer's page should say, figure by figure: the keys of its markup, and for each what pandas found in the raw tables."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import pandas as pd

from tests.integration.worth.by_pandas import DAY, SCALES, Desk, Figures, custom_of, texts
from tests.integration.worth.page import Seen

PATTERNS = ("%-d %b", "%-d %b %Y", "%b %Y", "%-d %b %H:%M", "%-d %b %Y %H:%M", "%-m/%-d/%y, %-I:%M %p")
UNIT = {"d": 86400, "h": 3600, "m": 60}


@dataclass(frozen=True)
class Number:
    """A number shown with at most so many digits after the point; `loose` as a share, for what a search for a maximum leaves open.

    around: the words before and after it, where they have numbers of their own.
    """

    value: float
    digits: int = 0
    loose: float = 0.0
    around: tuple[str, str] = ("", "")

    def agrees(self, seen: Seen) -> bool:
        before, after = self.around
        if not (seen.text.startswith(before) and seen.text.endswith(after)):
            return False
        found = re.search(r"[-+−]?\d[\d,]*(\.\d+)?", seen.text.removeprefix(before).removesuffix(after).replace("\u00a0", ""))
        if found is None:
            return False
        shown = float(found[0].replace(",", "").replace("−", "-"))
        shown = shown / 100 if "%" in seen.text else shown
        # What a page rounds to whole numbers here and to a tenth there is held to the tenth where it shows one.
        digits = max(self.digits + 2 if "%" in seen.text else self.digits, len(found[1] or ".") - 1)
        near = 0.5 * 10**-digits * (1 + 1e-6) + self.loose * abs(self.value)
        return abs(shown - self.value) <= near and (seen.meter is None or abs(seen.meter - self.value) <= 0.5)


@dataclass(frozen=True)
class Moment:
    """A moment, as a ticking element or in one of the forms in which pages write it."""

    at: pd.Timestamp

    def agrees(self, seen: Seen) -> bool:
        if seen.moment is not None:
            return abs(seen.moment - self.at.timestamp()) < 1
        shown = seen.text.removeprefix("since ").replace("\u202f", " ")
        return shown in {self.at.strftime(pattern) for pattern in PATTERNS}


@dataclass(frozen=True)
class Length:
    """Seconds, shown in whole units: never more than it was, and less than one unit short of it."""

    seconds: float

    def agrees(self, seen: Seen) -> bool:
        shown = seen.text.replace("\u202f", " ")
        if clock := re.fullmatch(r"(\d+):(\d\d)", shown):
            return int(clock[1]) * 60 + int(clock[2]) == int(self.seconds)
        parts = [(int(number), UNIT[unit]) for number, unit in re.findall(r"(\d+)([dhm])", shown)]
        whole = sum(number * unit for number, unit in parts)
        return bool(parts) and whole <= self.seconds < whole + parts[-1][1]


@dataclass(frozen=True)
class Words:
    """Exactly these words."""

    text: str

    def agrees(self, seen: Seen) -> bool:
        return seen.text == " ".join(self.text.split())


Expected = Number | Moment | Length | Words


class Whole:
    """Everything that the page of one customer should show to somebody who leads."""

    def __init__(self, figures: Figures, who: int) -> None:
        self.figures, self.raw, self.now, self.who = figures, figures.raw, figures.now, who
        contact = self.raw["contact"]
        self.contact = contact[contact["id"] == who].iloc[0]

    def all(self) -> dict[str, Expected]:
        parts = (self._card, self._timeline, self._mood, self._bought, self._orders, self._promised, self._tickets, self._months)
        found = {key: value for part in parts for key, value in part()}
        return found | (dict(self._worth()) if self.who in self.figures.everybody else {})

    def said(self) -> set[str]:
        """Whatever people wrote: names, addresses, subjects, texts."""
        everybodys = self.figures.named
        rows = (self._mine(table) for table in ("identity", "order", "interaction", "ticket", "rating", "competitor_offer", "call_back"))
        mine = self.raw["order_line"]["order_id"].isin(self._mine("order")["id"])
        custom = {str(value) for value in custom_of(self.contact["custom"]).values()}
        return everybodys | custom | {text for frame in (*rows, self.raw["order_line"][mine]) for text in texts(frame)}

    # --- parts of the page ---------------------------------------------------------------------------------------------------

    def _card(self) -> Iterator[tuple[str, Expected]]:
        c = self.contact
        since = c["acquired_at"] if pd.notna(c["acquired_at"]) else c["created_at"]
        yield "since", Words(f"customer since {since.year}")
        yield "checked_at", Moment(c["checked_at"]) if pd.notna(c["checked_at"]) else Words("never")
        if c["reach_from"] or c["reach_until"]:
            yield "reach", Words(f"{c['reach_from'] or '00:00'}–{c['reach_until'] or '24:00'} {c['time_zone'] or ''}")
        for one in self._mine("identity").itertuples():
            if pd.notna(one.failing_since):
                yield f"identity/{one.id}/failing_since", Moment(one.failing_since)
        for one in self._newest("competitor_offer", 8):
            yield f"offer/{one.id}/at", Moment(one.at)
            if pd.notna(one.price_cents):
                yield f"offer/{one.id}/price", Number(one.price_cents / 100, 3)

    def _timeline(self) -> Iterator[tuple[str, Expected]]:
        mine = self._mine("interaction")
        yield "entries", Number(len(mine))
        for kind, n in mine.groupby("kind").size().items():
            yield f"entries/{kind}", Number(n)
        ratings = self.raw["rating"].set_index("id")
        for one in self._newest("interaction", 30):
            key = f"entry/{one.id}"
            yield f"{key}/at", Moment(one.at)
            kind = one.kind.capitalize() if one.kind != "offer" else "Competitor's offer"
            title = {"message": one.title, "order": f"Order {one.title}"}.get(one.kind, f"{kind}: {one.title}" if one.title else kind)
            if one.kind == "rating":
                given = ratings.loc[int(one.rating_id)]
                title = f"Rated {given['score']}/{SCALES[given['kind']][1]}"
            yield f"{key}/title", Words(title)
            if pd.notna(one.duration_s) and one.duration_s:
                yield f"{key}/duration", Length(one.duration_s)
            if pd.notna(one.amount_cents) and one.amount_cents:
                yield f"{key}/amount", Number(one.amount_cents / 100, 3)
            if one.next_step and pd.notna(one.next_at):
                yield f"{key}/next_at", Moment(one.next_at)

    def _mood(self) -> Iterator[tuple[str, Expected]]:
        mine = self.figures.ratings[self.figures.ratings["who"] == self.who]
        if not len(mine):
            return
        found = self.figures.score(self.who, self.now)
        for name, digits in (("score", 0), ("n", 0), ("weighted", 2), ("weight", 2)):
            yield f"satisfaction/{name}", Number(found[name], digits)
        yield "satisfaction/mean", Number(self.figures.mean, 2)
        yield "satisfaction/prior", Number(5)
        yield "satisfaction/as_of", Moment(self.now)
        if (trend := self.figures.trend(self.who)) is not None:
            yield "satisfaction/trend", Number(trend)
        for one in mine.sort_values(["at", "id"], ascending=False).head(5).itertuples():
            yield f"rating/{one.id}/score", Words(f"{one.score} of {SCALES[one.kind][1]}")
            yield f"rating/{one.id}/at", Moment(one.at)

    def _months(self) -> Iterator[tuple[str, Expected]]:
        """The score at the end of each of the last twelve months, where anything was known; and the calls owed."""
        ends = [(back, self.now - 30 * back * DAY) for back in range(12)]
        known = [(back, end, found) for back, end in ends if (found := self.figures.score(self.who, end))["n"]]
        for back, end, found in known if len(known) > 1 else []:
            yield f"score/{back}/day", Moment(end)
            yield f"score/{back}/score", Number(found["score"], 1)
            yield f"score/{back}/n", Number(found["n"])
        calls = self._mine("call_back")
        waiting, done = calls[calls["done_at"].isna()], calls[calls["done_at"].notna()]
        shown = pd.concat([waiting.sort_values("due_at"), done.sort_values("done_at", ascending=False)]).head(5)
        for one in shown.itertuples():
            if pd.isna(one.done_at):
                yield f"call/{one.id}/due_at", Moment(one.due_at)

    def _bought(self) -> Iterator[tuple[str, Expected]]:
        """In each currency by itself, whether it has a rate or not."""
        order, back = self._mine("order"), self.raw["order_return"]
        order = order[~order["status"].isin(["returned", "cancelled", "open"])]
        lost = back.groupby("order_id")[["amount_cents", "margin_cents"]].sum()
        for currency, rows in order.groupby("currency"):
            taken = lost.reindex(rows["id"]).fillna(0).sum()
            yield f"bought/total/{currency}", Number((rows["total_cents"].sum() - taken["amount_cents"]) / 100)
            yield f"bought/margin/{currency}", Number((rows["margin_cents"].sum() - taken["margin_cents"]) / 100)
        if len(order):
            yield "bought/orders", Number(len(order))
            yield "bought/first", Moment(order["at"].min())
            yield "bought/last", Moment(order["at"].max())

    def _orders(self) -> Iterator[tuple[str, Expected]]:
        lines, payments, returns = (self.raw[table] for table in ("order_line", "payment", "order_return"))
        for one in self._newest("order", 8):
            key = f"order/{one.id}"
            yield f"{key}/total", Number(one.total_cents / 100, 3)
            yield f"{key}/at", Moment(one.at)
            for line in lines[lines["order_id"] == one.id].itertuples():
                yield f"{key}/quantity/{line.id}", Number(line.quantity)
            back = returns[returns["order_id"] == one.id]
            for came in back.itertuples():
                yield f"{key}/return/{came.id}/amount", Number(came.amount_cents / 100, 3)
                yield f"{key}/return/{came.id}/at", Moment(came.at)
            paid = payments[payments["order_id"] == one.id]
            asked = one.status not in ("returned", "cancelled") and (len(paid) > 0 or one.status == "open")
            due = max(0, one.total_cents - back["amount_cents"].sum() - paid["amount_cents"].sum()) if asked else 0
            if len(paid) or due:
                yield f"{key}/paid", Number(paid["amount_cents"].sum() / 100, 3)
            if len(paid):
                yield f"{key}/paid_at", Moment(paid["at"].max())
            if len(paid) > 1:
                yield f"{key}/payments", Number(len(paid))
            if due:
                yield f"{key}/due", Number(due / 100, 3)

    def _promised(self) -> Iterator[tuple[str, Expected]]:
        one = self._mine("interaction")
        one = one[one["next_at"].notna()]
        waiting = one[one["next_done_at"].isna() & (one["next_at"] > self.now - 30 * DAY)]
        for step in waiting.sort_values(["next_at", "id"]).head(10).itertuples():
            yield f"promise/{step.id}/at", Moment(step.next_at)
        kept, done = one["next_outcome"] == "kept", one["next_done_at"]
        in_time, late = int((kept & (done <= one["next_at"])).sum()), int((kept & (done > one["next_at"])).sum())
        broken, dropped = int((done.isna() & (one["next_at"] < self.now)).sum()), int((one["next_outcome"] == "dropped").sum())
        if in_time or late or broken or dropped:
            yield "word", Words(f"Our word: {in_time} kept in time, {late} late, {broken} past and not done, {dropped} dropped.")

    def _tickets(self) -> Iterator[tuple[str, Expected]]:
        mine = self._mine("ticket")
        mine = mine[mine["status"].isin(["new", "open", "pending", "on_hold"]) & mine["merged_into_id"].isna()]
        yield "tickets", Number(len(mine)) if len(mine) else Words("")
        for one in mine.sort_values(["last_message_at", "id"], ascending=False).head(10).itertuples():
            yield f"ticket/{one.id}/number", Words(f"#{one.number}")

    # --- what they are worth -------------------------------------------------------------------------------------------------

    def _worth(self) -> Iterator[tuple[str, Expected]]:
        f, desk = self.figures, self.figures.desk
        service = f.service.loc[self.who] if self.who in f.service.index else pd.Series({"contacts": 0, "seconds": 0})
        cost = round(service["seconds"] / 60 * desk.minute_cents) / 100
        yield from self._grounds("value.service", service["contacts"], handle_seconds=service["seconds"],
                                 cost_per_minute=desk.minute_cents / 100, reply_seconds=desk.reply_s)  # fmt: skip
        yield "value.service", Number(cost, 2)
        bought = self.who in f.per.index
        yield from self._earned(cost, desk) if bought else self._nothing(cost)
        habit = f.paying(self.who)
        yield "habit", Words(habit.pop("habit"))
        yield from self._grounds("value.paying", habit["paid_orders"], **habit)
        if (health := f.health(self.who)) is not None:
            signals, value, strongest = health
            yield "health", Number(value)
            yield from self._grounds("health.logistic", 0, intercept=-2.0, **signals)
            for name in strongest:
                yield f"reason/{name}", Number(signals[name], 2)
        yield from self._restless(health[0] if health is not None else {})

    def _earned(self, cost: float, desk: Desk) -> Iterator[tuple[str, Expected]]:
        f, one = self.figures, self.figures.per.loc[self.who]
        won, n, (stay, began) = desk.winning_cents / 100, int(one["n"]), f.retention
        yield "tier", Words(one["tier"])
        yield "rfm", Words(one["rfm"])
        yield from self._tier(one["window_n"], one["periods"])
        yield "value.historic", Number(one["margin"] / 100 - won - cost, 2)
        yield from self._grounds("value.historic", n, margin=one["margin"] / 100, acquisition_cost=won, service_cost=cost)
        year = one["year"] / 100
        yield "value.lifetime.after_renewal", Number(year * stay / (1 + desk.discount - stay) - won, 2)
        yield from self._grounds("value.lifetime.after_renewal", began, m=year, r=stay, d=desk.discount, acquisition_cost=won)
        come, occasions = f.to_come(self.who), int(one["days"])
        rhythm = {"x": one["x"], "t_x": one["t_x"], "T": one["t_all"]}
        yield "value.to_come", Number(come["value"], 2, loose=2e-3)
        yield from self._grounds(
            "value.to_come", occasions, loose=2e-3, expected_purchases=come["expected"], spend_per_purchase=come["spend"],
            customers=len(f.per), discount=desk.discount, **rhythm, **f.buying, **f.spending,
        )  # fmt: skip
        yield "value.p_alive", Number(come["p_alive"], 0, loose=2e-3)
        yield from self._grounds("value.p_alive", occasions, **rhythm)

    def _nothing(self, cost: float) -> Iterator[tuple[str, Expected]]:
        """Who bought nothing has cost us time, no more; what cannot be known is not 0."""
        f = self.figures
        stay, began = f.retention
        yield "tier", Words("nothing bought in a year")
        yield from self._tier(0, 0)
        yield "value.historic", Number(-cost, 2)
        yield from self._grounds("value.historic", 0, margin=0, acquisition_cost=0, service_cost=cost)
        yield from self._grounds("value.lifetime.after_renewal", began, m=0, r=stay, d=f.desk.discount, acquisition_cost=0)
        none = {"x": 0, "t_x": 0, "T": 0}
        models = {**f.buying, **f.spending, "customers": len(f.per), "discount": f.desk.discount}
        yield from self._grounds("value.to_come", 0, loose=2e-3, **none, **models)
        yield from self._grounds("value.p_alive", 0, **none)
        for name in ("value.lifetime.after_renewal", "value.to_come", "value.p_alive"):
            yield name, Words("not known yet")

    def _tier(self, n: int, periods: int) -> Iterator[tuple[str, Expected]]:
        key_from = None if self.figures.key_from is None else self.figures.key_from / 100
        yield from self._grounds("value.tier", n, periods_bought=periods, regular_from=4, periods=12, period_days=30, key_from=key_from)

    def _restless(self, signals: dict[str, float]) -> Iterator[tuple[str, Expected]]:
        """The rules that fire, in words with their figures."""
        late, trend = signals.get("recency_ratio", 0), signals.get("satisfaction_trend", 0)
        if late >= 2 and self.figures.per.loc[self.who]["days"] >= 3:
            yield "restless/late", Number(late, 1, around=("buys later than usual: ", " times the usual gap"))
        given = self.figures.ratings[self.figures.ratings["who"] == self.who].sort_values(["at", "id"])
        if len(given) and given.iloc[-1]["points"] <= 40 and self.now - given.iloc[-1]["at"] < 30 * DAY:
            yield "restless/bad_rating", Words("rated badly in the last 30 days")
        if trend <= -10:
            yield "restless/falling", Number(-trend, 1, around=("satisfaction fell by ", " points in 90 days"))
        counts = (("breached", "breached_tickets", 2, "targets missed in 90 days: "), ("reopened", "reopens", 2, "tickets opened again: "),
                  ("waiting", "open_tickets", 3, "tickets open: "))  # fmt: skip
        for rule, name, least, words in counts:
            if signals.get(name, 0) >= least:
                yield f"restless/{rule}", Number(signals[name], 1, around=(words, ""))
        one = self._mine("interaction")
        past = int(((one["next_at"] < self.now) & one["next_done_at"].isna()).sum())
        if past:
            yield "restless/promises", Number(past, around=("promises of ours that are past: ", ""))

    # --- below ---------------------------------------------------------------------------------------------------------------

    def _grounds(self, formula: str, n: float, *, loose: float = 0.0, **inputs: float | None) -> Iterator[tuple[str, Expected]]:
        yield f"{formula}/n", Number(n)
        yield f"{formula}/as_of", Moment(self.now)
        for name, value in inputs.items():
            if value is not None:
                yield f"{formula}/{name}", Number(value, 4, loose)

    def _mine(self, table: str) -> pd.DataFrame:
        frame = self.raw[table]
        return frame[frame["who"] == self.who] if len(frame) else frame

    def _newest(self, table: str, n: int) -> Iterable[Any]:
        mine = self._mine(table)
        return mine.sort_values(["at", "id"], ascending=False).head(n).itertuples() if len(mine) else ()
