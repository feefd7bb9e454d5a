"""How customers feel, over all of them and over time.

The three figures month by month, reasons for dissatisfaction with what is behind them, promoters, the restless.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, String, and_, cast, func, or_, select

from helpdesk import clock, db, web
from helpdesk.auth import Principal
from helpdesk.crm import beside, calling, policy, profile, satisfaction
from helpdesk.crm import contacts as people
from helpdesk.crm.models import Contact, Order, Rating, RatingKind
from helpdesk.crm.worth_models import CustomerValue, Return

MONTHS = 12
LATELY = timedelta(days=90)
PAGE = 50
#: A bad rating, as a condition.
BAD: ColumnElement[bool] = or_(*(and_(Rating.kind == kind, Rating.score <= most) for kind, most in calling.BAD.items()))


@dataclass(frozen=True)
class Month:
    """The figures of one month, None without ratings; n by question. csat and easy are shares, nps −100 to 100, ces 1 to 7."""

    first: date
    csat: float | None
    csat_n: int
    nps: float | None
    nps_n: int
    ces: float | None
    ces_n: int


@dataclass(frozen=True)
class Named:
    """A reason for dissatisfaction: how many bad ratings name it, their share of all bad ones, and how many customers they come from."""

    reason: str
    n: int
    share: float
    customers: int
    returns: int = 0


def months(who: Principal) -> list[Month]:
    """The last MONTHS months, oldest first; the running one is among them."""
    now, found = clock.now(), []
    first = now.date().replace(day=1)
    for back in range(MONTHS - 1, -1, -1):
        begin = _month_before(first, back)
        end = _month_before(first, back - 1)
        rows = db.session().execute(
            select(Rating.kind, Rating.score, func.count())
            .join(Contact, Contact.id == Rating.contact_id)
            .where(policy.visible(who), Rating.superseded_at.is_(None), Rating.at >= _start(begin), Rating.at < _start(end))
            .group_by(Rating.kind, Rating.score)
        )
        counts: dict[str, dict[int, int]] = {}
        for kind, score, n in rows:
            counts.setdefault(str(kind), {})[score] = n
        found.append(_month(begin, counts))
    return found


def reasons(who: Principal, *, since: datetime | None = None) -> tuple[list[Named], int]:
    """The reasons that bad ratings name since then, the most frequent first; and how many bad ratings there are."""
    since = since or clock.now() - LATELY
    when = (policy.visible(who), Rating.superseded_at.is_(None), Rating.at >= since, BAD)
    of = select(Rating.reason, func.count().label("n"), func.count(Rating.contact_id.distinct()).label("customers"))
    rows = db.session().execute(of.join(Contact, Contact.id == Rating.contact_id).where(*when).group_by(Rating.reason)).all()
    came_back = select(Return.reason, func.count().label("n")).join(Order, Order.id == Return.order_id)
    came_back = came_back.join(Contact, Contact.id == Order.contact_id).where(policy.visible(who), Return.at >= since)
    back = {row.reason: int(row.n) for row in db.session().execute(came_back.group_by(Return.reason))}
    total = sum(row.n for row in rows)
    named = [Named(row.reason, row.n, row.n / total, row.customers, back.pop(row.reason, 0)) for row in rows]
    named += [Named(reason, 0, 0.0, 0, n) for reason, n in back.items()]
    return sorted(named, key=lambda one: (-one.n, -one.returns, one.reason)), total


def behind(who: Principal, reason: str, *, cursor: str | None = None) -> web.Paged[tuple[Rating, Contact]]:
    """The bad ratings that name a reason, with whose they are, the newest first."""
    rows = (
        select(Rating, Contact)
        .join(Contact, Contact.id == Rating.contact_id)
        .where(policy.visible(who), Contact.erased_at.is_(None), Rating.superseded_at.is_(None), Rating.reason == reason, BAD)
        .order_by(Rating.at.desc(), Rating.id.desc())
    )
    if place := web.uncursor(cursor, datetime, int):
        rows = rows.where(or_(Rating.at < place[0], and_(Rating.at == place[0], Rating.id < place[1])))
    found = [(row.Rating, row.Contact) for row in db.session().execute(rows.limit(PAGE + 1))]
    return web.paged(found, PAGE, lambda one: (one[0].at, one[0].id))


def promoters(who: Principal, *, limit: int | None = 20) -> list[tuple[Contact, Rating]]:
    """Customers whose last answer to "would you recommend us" is 9 or 10, the newest first; without `limit` all of them."""
    last = select(func.max(Rating.id)).where(Rating.kind == RatingKind.NPS, Rating.superseded_at.is_(None)).group_by(Rating.contact_id)
    rows = (
        select(Contact, Rating)
        .join(Rating, Rating.contact_id == Contact.id)
        .where(policy.visible(who), Contact.erased_at.is_(None), Rating.id.in_(last), Rating.score >= 9)
        .order_by(Rating.at.desc())
        .limit(limit)
    )
    return [(row.Contact, row.Rating) for row in db.session().execute(rows)]


#: Rules are kept as an object, empty when none fired; as text it is compared alike by both engines.
_FIRED = cast(CustomerValue.restless, String) != "{}"


def restless(who: Principal, *, limit: int | None = 20) -> list[tuple[Contact, CustomerValue]]:
    """Customers for whom a rule fired last night, the least healthy first; without `limit` all of them."""
    rows = (
        select(Contact, CustomerValue)
        .join(CustomerValue, CustomerValue.contact_id == Contact.id)
        .where(policy.visible(who), Contact.erased_at.is_(None), CustomerValue.health.is_not(None), _FIRED)
        .order_by(CustomerValue.health, Contact.id)
        .limit(limit)
    )
    return [(row.Contact, row.CustomerValue) for row in db.session().execute(rows)]


@beside.part("crm/_feelings.html")
def _on_the_page(who: Principal, contacts: Collection[int]) -> dict[str, Any]:
    """A customer's score at the end of each of the last months, and the calls owed to them."""
    ids = list(contacts)
    if not ids or set(people.group(ids[0])) != set(ids):
        return {"scores": [], "points": "", "calls": calling.of(ids), "one": False, "now": clock.now()}
    rows = db.session().scalars(select(Rating).where(Rating.contact_id.in_(ids), Rating.superseded_at.is_(None)).order_by(Rating.at))
    given = [satisfaction.Rating(satisfaction.Question(row.kind), row.score, row.at, row.ticket_id) for row in rows]
    mean, now = profile.mean_of_all(), clock.now()
    ends = [now - timedelta(days=30 * back) for back in range(MONTHS - 1, -1, -1)]
    scores = [(end, satisfaction.score(given, mean=mean, as_of=end)) for end in ends]
    known = [(end, figure) for end, figure in scores if figure.n]
    width = max(len(known) - 1, 1)
    points = " ".join(f"{80 * place / width:.1f},{20 - (figure.value or 0) / 5:.1f}" for place, (_end, figure) in enumerate(known))
    return {"scores": known, "points": points, "calls": calling.of(ids), "one": True, "contact_id": ids[0], "now": now}


def _month(first: date, counts: dict[str, dict[int, int]]) -> Month:
    csat, nps, ces = (counts.get(kind, {}) for kind in ("csat", "nps", "ces"))
    n, m, k = sum(csat.values()), sum(nps.values()), sum(ces.values())
    promote = sum(count for score, count in nps.items() if score >= 9) - sum(count for score, count in nps.items() if score <= 6)
    return Month(
        first,
        sum(count for score, count in csat.items() if score >= 4) / n if n else None, n,
        100 * promote / m if m else None, m,
        sum(score * count for score, count in ces.items()) / k if k else None, k,
    )  # fmt: skip


def _month_before(first: date, months_back: int) -> date:
    number = first.year * 12 + first.month - 1 - months_back
    return date(number // 12, number % 12 + 1, 1)


def _start(day: date) -> datetime:
    return datetime(day.year, day.month, day.day, tzinfo=UTC)
