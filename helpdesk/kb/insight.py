"""How the knowledge base served its readers: what was answered, what was only assumed to be, and what is missing.

A visit is everything that one browser searched for until it was closed; searches of forms and programs without one count by themselves.
It counts as
    confirmed  when the reader said that an article solved it,
    wrote      when a request came from there afterwards,
    refuted    when the reader said that the article did not help, and wrote nothing,
    assumed    when an article was read and nothing else was heard for `deflection_hours`: proof of nothing, so it is never added up
    left       when nothing was opened, or the hours are not over yet.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any, Literal

from sqlalchemy import ColumnElement, Subquery, and_, case, column, func, select, table

from helpdesk import clock, db
from helpdesk.kb.log import Missed, missed
from helpdesk.kb.models import AnswerFeedback, Article, ArticleUse, SearchLog, Translation
from helpdesk.preferences import preferences

PERIODS = (7, 30, 90, 365)
Outcome = Literal["confirmed", "wrote", "refuted", "assumed", "left"]
OUTCOMES: tuple[Outcome, ...] = ("confirmed", "assumed", "refuted", "wrote", "left")
#: Where customers search; colleagues and programs are no readers to be spared a request.
CUSTOMERS = ("portal", "form")

#: Other packages' tables, of which only what became of a ticket and of a reply is read.
_ticket = table("ticket", column("id"), column("status"))
_message = table("message", column("id"), column("delivery"))
_SOLVED = ("solved", "closed")


@dataclass(frozen=True)
class Day:
    """Visits of one day (UTC) by what became of them, and searches that found nothing."""

    day: date
    visits: dict[Outcome, int]
    missed: int


@dataclass(frozen=True)
class Served:
    """One article's part: visits that ended with it, by outcome; opinions of all its readers; tickets that were solved with it."""

    article_id: int
    language: str
    title: str
    outcomes: dict[Outcome, int]
    helpful: int
    unhelpful: int
    tickets: int

    @property
    def confirmed(self) -> int:
        return self.outcomes.get("confirmed", 0)


@dataclass(frozen=True)
class Insight:
    """A period's figures. `searches` are single ones, `visits` what became of them.

    `in_replies`: tickets that were solved with an article in a reply.
    """

    days: int
    since: datetime
    hours: int
    searches: int
    not_found: int
    visits: dict[Outcome, int]
    series: list[Day]
    missed: list[Missed]
    served: list[Served]
    in_replies: int

    @property
    def all_visits(self) -> int:
        return sum(self.visits.values())

    def share(self, outcome: Outcome) -> float | None:
        """Of all visits; None without any."""
        return self.visits[outcome] / self.all_visits if self.all_visits else None


def insight(*, days: int, language: str = "en") -> Insight:
    """Everything that the knowledge manager's screen shows, in a constant number of queries; titles in `language` where there is one."""
    session, since = db.session(), clock.now() - timedelta(days=days)
    where = and_(SearchLog.at >= since, SearchLog.place.in_(CUSTOMERS))
    searches, not_found = session.execute(select(func.count(), _sum(SearchLog.found == 0)).where(where)).one()
    visits = _visits(since)
    by_day: dict[date, dict[Outcome, int]] = {}
    for day, outcome, count in session.execute(
        select(visits.c.day, visits.c.outcome, func.count()).group_by(visits.c.day, visits.c.outcome)
    ):
        by_day.setdefault(_day(day), {})[outcome] = count
    missing: dict[date, int] = {}
    for day, count in session.execute(
        select(func.date(SearchLog.at), func.count()).where(where, SearchLog.found == 0).group_by(func.date(SearchLog.at))
    ):
        missing[_day(day)] = count
    first = since.date()
    series = [
        Day(day, {outcome: by_day.get(day, {}).get(outcome, 0) for outcome in OUTCOMES}, missing.get(day, 0))
        for day in (first + timedelta(days=n) for n in range(days + 1))
    ]
    totals: dict[Outcome, int] = {outcome: sum(one.visits[outcome] for one in series) for outcome in OUTCOMES}
    tickets = session.scalar(select(func.count(func.distinct(ArticleUse.ticket_id))).where(*_used_since(since))) or 0
    return Insight(
        days,
        since,
        preferences().deflection_hours,
        searches,
        not_found,
        totals,
        series,
        missed(since=since),
        served(since, language),
        tickets,
    )


def served(since: datetime, language: str = "en") -> list[Served]:
    """Every article that a search ended with, that was judged or that an agent sent, the most helpful first."""
    session, visits = db.session(), _visits(since)
    outcomes: dict[int, dict[Outcome, int]] = {}
    for article_id, outcome, count in session.execute(
        select(visits.c.article_id, visits.c.outcome, func.count())
        .where(visits.c.article_id.is_not(None))
        .group_by(visits.c.article_id, visits.c.outcome)
    ):
        outcomes.setdefault(article_id, {})[outcome] = count
    judged = {
        id: (yes, no)
        for id, yes, no in session.execute(
            select(AnswerFeedback.article_id, _sum(AnswerFeedback.helpful.is_(True)), _sum(AnswerFeedback.helpful.is_(False)))
            .where(AnswerFeedback.at >= since)
            .group_by(AnswerFeedback.article_id)
        )
    }
    used = dict(
        session.execute(
            select(ArticleUse.article_id, func.count(func.distinct(ArticleUse.ticket_id)))
            .where(*_used_since(since))
            .group_by(ArticleUse.article_id)
        ).all()
    )
    ids = outcomes.keys() | judged.keys() | used.keys()
    names = {
        article_id: (spoken, title)
        for article_id, spoken, title in session.execute(
            select(Translation.article_id, Translation.language, func.coalesce(func.nullif(Translation.title, ""), Translation.draft_title))
            .join(Article)
            .where(Translation.article_id.in_(ids))
            .order_by(Translation.language == language)
        )
    }
    rows = [Served(id, *names[id], outcomes.get(id, {}), *judged.get(id, (0, 0)), used.get(id, 0)) for id in ids if id in names]
    return sorted(rows, key=lambda one: (-one.confirmed - one.tickets, one.unhelpful - one.helpful, one.title))


@dataclass(frozen=True)
class Searched:
    """One search as the log has it. `outcome` is that of its visit."""

    at: datetime
    query: str
    place: str
    found: int
    title: str
    outcome: Outcome


def searches(since: datetime, *, outcome: str = "", missed_only: bool = False, limit: int = 500) -> list[Searched]:
    """The newest searches behind a figure."""
    visits = _visits(since)
    title = select(func.max(Translation.title)).where(Translation.article_id == SearchLog.clicked_article_id).scalar_subquery()
    found = (
        select(SearchLog.at, SearchLog.query, SearchLog.place, SearchLog.found, title, visits.c.outcome)
        .join(visits, visits.c.visit == _visit())
        .where(SearchLog.at >= since, SearchLog.place.in_(CUSTOMERS))
        .order_by(SearchLog.id.desc())
        .limit(limit)
    )
    if outcome:
        found = found.where(visits.c.outcome == outcome)
    if missed_only:
        found = found.where(SearchLog.found == 0)
    return [Searched(at, query, place, count, name or "", became) for at, query, place, count, name, became in db.session().execute(found)]


def _visits(since: datetime) -> Subquery:
    """Each visit of the period with its day, its outcome and the article that it ended with."""
    quiet = clock.now() - timedelta(hours=preferences().deflection_hours)
    confirmed, refuted = _most(SearchLog.solved.is_(True)), _most(SearchLog.solved.is_(False))
    outcome = case(
        (confirmed == 1, "confirmed"),
        (_most(SearchLog.wrote_at.is_not(None)) == 1, "wrote"),
        (refuted == 1, "refuted"),
        (and_(func.max(SearchLog.clicked_article_id).is_not(None), func.max(SearchLog.at) <= quiet), "assumed"),
        else_="left",
    )
    solved_by = func.max(case((SearchLog.solved.is_(True), SearchLog.clicked_article_id), else_=None))
    return (
        select(
            _visit().label("visit"),
            func.date(func.min(SearchLog.at)).label("day"),
            outcome.label("outcome"),
            func.coalesce(solved_by, func.max(SearchLog.clicked_article_id)).label("article_id"),
        )
        .where(SearchLog.at >= since, SearchLog.place.in_(CUSTOMERS))
        .group_by(_visit())
        .subquery()
    )


def _visit() -> ColumnElement[Any]:
    return func.coalesce(SearchLog.visitor, SearchLog.key)


def _used_since(since: datetime) -> tuple[ColumnElement[bool], ...]:
    """Articles in replies that were not taken back, of tickets that are solved."""
    solved = select(_ticket.c.id).where(_ticket.c.status.in_(_SOLVED))
    withdrawn = select(_message.c.id).where(_message.c.delivery == "withdrawn")
    return (ArticleUse.at >= since, ArticleUse.ticket_id.in_(solved), ArticleUse.message_id.not_in(withdrawn))


def _sum(condition: ColumnElement[bool]) -> ColumnElement[int]:
    return func.coalesce(func.sum(case((condition, 1), else_=0)), 0)


def _most(condition: ColumnElement[bool]) -> ColumnElement[int]:
    return func.max(case((condition, 1), else_=0))


def _day(value: Any) -> date:
    return value if isinstance(value, date) else date.fromisoformat(str(value))
