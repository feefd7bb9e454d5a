"""How an article's row changes: by compare-and-set on the version its author saw, and counted for the indexes when readers can see it."""

from __future__ import annotations

from typing import Any

from flask_babel import lazy_gettext as _
from sqlalchemy import update

from helpdesk import db
from helpdesk.errors import Conflict, Words
from helpdesk.kb.models import Article, KbState

STALE: Words = _("Somebody else edited this article while you were writing. Your text is still here: look at theirs, then save.")


def change(article: Article, seen: int | None, **values: Any) -> None:
    """Set columns and raise the version, if the article still is as it was seen."""
    expected = article.version if seen is None else seen
    kept = db.session().execute(
        update(Article).where(Article.id == article.id, Article.version == expected).values(version=expected + 1, **values),
        execution_options={"synchronize_session": False},
    )
    if kept.rowcount != 1:  # type: ignore[attr-defined]
        raise Conflict(STALE)
    db.session().refresh(article, ["version", *values])


def raise_version(article: Article, seen: int | None) -> None:
    """Take part in the compare-and-set of the article's edits without changing its words. Raises Conflict."""
    change(article, seen)


def visibly_changed(article: Article) -> None:
    """Raise the knowledge base's revision and note it on the article. The row's lock makes revisions become visible in their order."""
    session = db.session()
    raised = update(KbState).where(KbState.id == 1).values(revision=KbState.revision + 1).returning(KbState.revision)
    number = session.scalar(raised, execution_options={"synchronize_session": False})
    if number is None:
        number = 1
        session.add(KbState(id=1, revision=number))
    article.changed = number
    session.flush()


def touch(article_id: int) -> None:
    """Have the indexes read an article again although its words are the same: what was asked about it has changed."""
    article = db.session().get(Article, article_id)
    if article is not None:
        visibly_changed(article)
