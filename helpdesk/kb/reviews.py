"""The day on which an article is to be looked at again: its owner is told once when it comes, and once more when it was a week ago.

Each date has its own two deliveries. They re-read the article: who moved the date, looked again or withdrew the article meanwhile made them
void.
"""

from __future__ import annotations

from datetime import timedelta

from helpdesk import clock, db
from helpdesk.actor import SYSTEM, Actor
from helpdesk.catalog import ReviewDue, ReviewPlanned
from helpdesk.events import reaction, record
from helpdesk.kb.models import Article

#: After so long without a look it is called overdue.
PATIENCE = timedelta(days=7)


def plan(article: Article, *, by: Actor) -> None:
    """Have the owner told when the article's date comes. Without a date nobody is told."""
    if article.review_at is not None:
        record(ReviewPlanned(article.id, article.review_at.timestamp(), by))


def is_overdue(article: Article) -> bool:
    """Whether the date was long enough ago to be called overdue."""
    return article.review_at is not None and article.review_at + PATIENCE <= clock.now()


def _key(fact: ReviewPlanned) -> str:
    return f"article:{fact.article_id}:{fact.at:.0f}"


def _until(fact: ReviewPlanned, later: timedelta = timedelta()) -> timedelta:
    return max(timedelta(), timedelta(seconds=fact.at - clock.now().timestamp()) + later)


@reaction(ReviewPlanned, delay=_until, key=_key, name="kb.review_due")
def come_due(fact: ReviewPlanned) -> None:
    """The day has come."""
    if _still_stands(fact):
        record(ReviewDue(fact.article_id, False, SYSTEM))


@reaction(ReviewPlanned, delay=lambda fact: _until(fact, PATIENCE), key=_key, name="kb.review_overdue")
def come_overdue(fact: ReviewPlanned) -> None:
    """A week has gone by since."""
    if _still_stands(fact):
        record(ReviewDue(fact.article_id, True, SYSTEM))


def _still_stands(fact: ReviewPlanned) -> bool:
    article = db.session().get(Article, fact.article_id)
    if article is None or article.withdrawn_at is not None or article.review_at is None:
        return False
    return abs(article.review_at.timestamp() - fact.at) < 1
