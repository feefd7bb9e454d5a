"""What people searched for, what they opened and whether it helped: search learns from it, and authors see what is missing.

A row is known by a random `key` that the pages of one search carry. It names no person.
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import func, or_, select, update

from helpdesk import clock, db
from helpdesk.kb import changes
from helpdesk.kb.models import Article, SearchLog
from helpdesk.preferences import preferences

LONGEST = 500


@dataclass(frozen=True)
class Missed:
    """A question that found nothing, how often, and when last."""

    query: str
    times: int
    last_at: datetime


def new_key() -> str:
    return secrets.token_urlsafe(12)


def usable_key(word: str) -> str:
    """A key that came back from a page, or nothing when it cannot be one of ours."""
    return word if 8 <= len(word) <= 32 and all(c.isalnum() or c in "-_" for c in word) else ""


def searched(key: str, query: str, *, language: str, place: str, found: int, visitor: str = "") -> None:
    """Keep a search. The same key again is the same person typing on: the last wording counts, until something was opened."""
    query = " ".join(query.split())[:LONGEST]
    if not query:
        return
    row = _row(key)
    if row is None:
        db.session().add(SearchLog(key=key, query=query, language=language, place=place, found=found, visitor=visitor or None))
    elif row.clicked_article_id is None:
        row.query, row.found, row.at = query, found, clock.now()


def read(article_id: int, key: str = "") -> None:
    """Somebody looked at an article. With the key of a search, the searcher did; the last article they looked at counts."""
    once_more = update(Article).where(Article.id == article_id).values(views=Article.views + 1)
    db.session().execute(once_more, execution_options={"synchronize_session": False})
    row = _row(key)
    if row is not None and row.solved is None:
        row.clicked_article_id = article_id


def told(key: str, article_id: int, helpful: bool) -> None:
    """The searcher said whether the article answered. A confirmed answer becomes one of the article's own questions."""
    row = _row(key)
    if row is None or (row.clicked_article_id, row.solved) == (article_id, helpful):
        return
    row.clicked_article_id, row.solved = article_id, helpful
    db.session().flush()
    changes.touch(article_id)


def wrote(visitor: str, key: str = "") -> None:
    """A request came from this browser: what it searched for in the last hours was not enough. A confirmed answer stays one."""
    mine = [SearchLog.key == key] if key else []
    mine += [SearchLog.visitor == visitor] if visitor else []
    if not mine:
        return
    fresh = SearchLog.at >= clock.now() - timedelta(hours=preferences().deflection_hours)
    unanswered = update(SearchLog).where(or_(*mine), fresh, SearchLog.wrote_at.is_(None)).values(wrote_at=clock.now())
    db.session().execute(unanswered, execution_options={"synchronize_session": False})


def missed(*, since: datetime, limit: int = 50) -> list[Missed]:
    """What was asked and not found, the most frequent first."""
    question = func.lower(SearchLog.query)
    found = (
        select(question, func.count(), func.max(SearchLog.at))
        .where(SearchLog.found == 0, SearchLog.at >= since)
        .group_by(question)
        .order_by(func.count().desc(), func.max(SearchLog.at).desc())
        .limit(limit)
    )
    return [Missed(query, times, last_at) for query, times, last_at in db.session().execute(found)]


def _row(key: str) -> SearchLog | None:
    return db.session().scalar(select(SearchLog).where(SearchLog.key == key)) if key else None
