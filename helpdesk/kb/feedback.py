"""Did this help? Readers answer without signing in; each reader counts once and may change their mind."""

from __future__ import annotations

from sqlalchemy import update

from helpdesk import clock, db
from helpdesk.actor import Actor
from helpdesk.catalog import ArticleJudged
from helpdesk.events import record
from helpdesk.kb.models import AnswerFeedback, Article

LONGEST_REASON = 500


def judge(
    article: Article,
    language: str,
    helpful: bool,
    *,
    by: Actor,
    reason: str = "",
    contact_id: int | None = None,
    earlier_id: int | None = None,
) -> AnswerFeedback:
    """Keep a reader's verdict with its reason. `earlier_id` is what the same reader said of this article before: it is replaced."""
    session = db.session()
    earlier = session.get(AnswerFeedback, earlier_id) if earlier_id is not None else None
    if earlier is not None and earlier.article_id == article.id:
        if earlier.helpful != helpful:
            _count(article, helpful, 1)
            _count(article, earlier.helpful, -1)
            record(ArticleJudged(article.id, helpful, by))
        earlier.helpful, earlier.at = helpful, clock.now()
        earlier.reason = _clean(reason) or ("" if helpful else earlier.reason)
        return earlier
    verdict = AnswerFeedback(article_id=article.id, language=language, helpful=helpful, reason=_clean(reason), contact_id=contact_id)
    session.add(verdict)
    session.flush()
    _count(article, helpful, 1)
    record(ArticleJudged(article.id, helpful, by))
    return verdict


def _count(article: Article, helpful: bool, by: int) -> None:
    """A counter is raised where it stands, so that two readers at once both count."""
    column = Article.helpful if helpful else Article.unhelpful
    db.session().execute(
        update(Article).where(Article.id == article.id).values({column: column + by}), execution_options={"synchronize_session": False}
    )


def _clean(reason: str) -> str:
    return " ".join(reason.replace("\x00", "").split())[:LONGEST_REASON]
