"""Who stays: what the retention screens read from the desk's own purchases.

Cohorts, the retention rate and why customers left come straight from the ledger; the model's sliders begin with what the last night found.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any

from sqlalchemy import CompoundSelect, Select, except_, extract, func, intersect, select

from helpdesk import clock, db
from helpdesk.crm.bought import NOT_BOUGHT
from helpdesk.crm.figures import Figure, share
from helpdesk.crm.models import Contact, Order, Rating
from helpdesk.crm.retention import Cohort, Model
from helpdesk.crm.worth_models import CustomerValue, Return, ValueRun

YEAR = timedelta(days=365)
#: Cohorts older than this are left out of the table.
MONTHS = 13
#: A customer has left who bought in the year before the last and not since. Why: what they complained of last, no longer than this before
#: that year.
COMPLAINED = timedelta(days=180)


@dataclass(frozen=True)
class Score:
    """One line of the scorecard: a figure now and a year ago. `money`: in the desk's currency; `share`: 0 to 1."""

    name: str
    now: float | None
    before: float | None
    n: int
    kind: str


def of_months() -> list[Cohort]:
    """Cohorts of the last MONTHS months by first purchase, as `retention.cohorts` defines them; counted by the database, months in UTC."""
    today = clock.now().date()
    month = extract("year", Order.at) * 12 + extract("month", Order.at) - 1
    bought = select(Contact.canonical_id.label("who"), month.label("month")).join(Contact, Contact.id == Order.contact_id)
    per = bought.where(Order.status.not_in(NOT_BOUGHT), Order.at <= clock.now(), Contact.erased_at.is_(None)).distinct().subquery()
    first = select(per.c.who, func.min(per.c.month).label("month")).group_by(per.c.who).subquery()
    rows = db.session().execute(
        select(first.c.month, per.c.month, func.count()).join(per, per.c.who == first.c.who).group_by(first.c.month, per.c.month)
    )
    counts: dict[int, dict[int, int]] = {}
    for begun, later, n in rows:
        counts.setdefault(int(begun), {})[int(later) - int(begun)] = n
    running = _month(today)
    last_full = _month(date.fromordinal(today.toordinal() + 1)) - 1
    shown = sorted(begun for begun in counts if begun > running - MONTHS)
    width = running - shown[0] + 1 if shown else 0
    return [
        Cohort(
            date(begun // 12, begun % 12 + 1, 1),
            counts[begun].get(0, 0),
            tuple(counts[begun].get(k, 0) if k == 0 or begun + k <= last_full else None for k in range(width)),
        )
        for begun in shown
    ]


def rate(as_of: datetime) -> Figure:
    """Who bought in the year before the last and again in the last one ÷ who bought in the year before the last."""
    start, end = _buyers(as_of - 2 * YEAR, as_of - YEAR), _buyers(as_of - YEAR, as_of)
    n, ended, stayed = _count(start), _count(end), _count(intersect(start, end))
    return Figure(
        value=share(stayed, n),
        formula="retention.rate",
        inputs={"start": n, "end": ended, "stayed": stayed, "new": ended - stayed},
        n=n,
        as_of=as_of,
    )


def leavers(as_of: datetime) -> list[tuple[str, int]]:
    """Why customers left, by what they named last: [(reason, customers)], the most frequent first; "" where nobody said anything."""
    start, end = _buyers(as_of - 2 * YEAR, as_of - YEAR), _buyers(as_of - YEAR, as_of)
    gone = except_(start, end).subquery()
    total, since = _count(except_(start, end)), as_of - 2 * YEAR - COMPLAINED
    told = Contact.canonical_id.in_(select(gone.c.who))
    complaints = select(Contact.canonical_id, Rating.at, Rating.reason).join(Contact, Contact.id == Rating.contact_id)
    back = select(Contact.canonical_id, Return.at, Return.reason).join(Order, Order.id == Return.order_id)
    back = back.join(Contact, Contact.id == Order.contact_id)
    named: dict[int, tuple[datetime, str]] = {}
    for rows in (
        db.session().execute(complaints.where(told, Rating.reason != "", Rating.superseded_at.is_(None), Rating.score100 <= 50)),
        db.session().execute(back.where(told, Return.reason != "")),
    ):
        for who, at, reason in rows:
            if at > since and (who not in named or named[who][0] < at):
                named[who] = (at, reason)
    counts = Counter(reason for _at, reason in named.values())
    if total > len(named):
        counts[""] = total - len(named)
    return sorted(counts.items(), key=lambda pair: (pair[0] == "", -pair[1], pair[0]))


def model_of(run: ValueRun | None) -> Model | None:
    """The model's sliders as the desk's own figures set them; None before there is a year to compare with."""
    if run is None or run.model["retention"]["rate"] is None:
        return None
    now = clock.now()
    last = _buyers(now - YEAR, now)
    buyers, won = _count(last), _count(except_(last, _buyers(datetime(1970, 1, 2, tzinfo=UTC), now - YEAR)))
    year = db.session().scalar(select(func.sum(CustomerValue.year_cents - CustomerValue.service_cents))) or 0
    return Model(
        customers=buyers,
        acquired=won,
        profit=round(float(year) / 100 / max(buyers, 1), 2),
        cost=run.model["winning_cents"] / 100,
        retention=round(run.model["retention"]["rate"], 4),
        discount=run.model["discount"],
        years=5,
    )


def scorecard(as_of: datetime, rates: Mapping[str, float]) -> list[Score]:
    """The programme's figures: sales per customer, margin, retention, returns, loyalty, cost of service."""
    (total, margin, n), (total_b, margin_b, n_b) = (_sold(as_of - back * YEAR, rates) for back in (0, 1))
    stay, stayed = rate(as_of), rate(as_of - YEAR)
    regular = db.session().scalar(select(func.count()).select_from(CustomerValue).where(CustomerValue.tier.in_(("key", "regular")))) or 0
    buyers = db.session().scalar(select(func.count()).select_from(CustomerValue).where(CustomerValue.tier != "none")) or 0
    service = db.session().scalar(select(func.sum(CustomerValue.service_cents))) or 0
    return [
        Score("buyers", float(n), float(n_b), n, "count"),
        Score("sales", total / n if n else None, total_b / n_b if n_b else None, n, "money"),
        Score("margin", margin / total if total else None, margin_b / total_b if total_b else None, n, "share"),
        Score("retention", stay.value, stayed.value, stay.n, "share"),
        Score("loyalty", regular / buyers if buyers else None, None, buyers, "share"),
        Score("service", float(service) / 100 / buyers if buyers else None, None, buyers, "money"),
    ]


def _sold(until: datetime, rates: Mapping[str, float]) -> tuple[float, float, int]:
    """Revenue and margin of a year in the desk's currency, and how many bought."""
    rows = (
        db.session()
        .execute(
            select(Order.currency, func.sum(Order.total_cents).label("total"), func.sum(Order.margin_cents).label("margin"))
            .where(Order.status.not_in(NOT_BOUGHT), Order.at > until - YEAR, Order.at <= until)
            .group_by(Order.currency)
        )
        .all()
    )
    total = sum(float(row.total) * rates.get(row.currency, 0.0) for row in rows) / 100
    margin = sum(float(row.margin) * rates.get(row.currency, 0.0) for row in rows) / 100
    return total, margin, _count(_buyers(until - YEAR, until))


def _buyers(since: datetime, until: datetime) -> Select[Any]:
    """Who bought in this time, as a question to the database."""
    found: Select[Any] = select(Contact.canonical_id.label("who")).join(Order, Order.contact_id == Contact.id).distinct()
    return found.where(Order.status.not_in(NOT_BOUGHT), Order.at > since, Order.at <= until, Contact.erased_at.is_(None))


def _count(of: Select[Any] | CompoundSelect[Any]) -> int:
    return db.session().scalar(select(func.count()).select_from(of.subquery())) or 0


def _month(day: date) -> int:
    """Months since year 0."""
    return day.year * 12 + day.month - 1
