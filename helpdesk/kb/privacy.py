"""Privacy of the knowledge base's tables. Articles are the desk's own words; what people searched for may name somebody."""

from __future__ import annotations

from datetime import datetime

from flask_babel import lazy_gettext as _
from sqlalchemy import delete, func, select

from helpdesk import db
from helpdesk.kb import changes, search
from helpdesk.kb.models import SearchLog, Translation
from helpdesk.privacy import Retention, classify, follows, retain, swept

classify("category", operational="slug name_en name_ru icon")
classify("article", fact="external_id", operational="tags", erase="kept")
classify("article_file", fact="content_type sha256", operational="object_key name", erase="kept")
classify("article_template", operational="name language title body")
classify("article_organization")
classify("article_import", fact="shape state", operational="name", secret="object_key", erase="kept")
classify("article_taken", fact="language")
classify("article_use")
classify("related_article")
classify("former_address", fact="language", operational="slug")
classify("revision", content="title body note", erase="kept")
classify("synonym_group", operational="words")
classify("kb_state", operational="tuning tuned familiar")
classify(
    "translation",
    fact="language",
    operational="slug",
    content="title body text draft_title draft_body returned_note publish_note",
    erase="kept",
)
classify("search_log", fact="key language place visitor", content="query")
classify("answer_feedback", fact="language", content="reason", belongs="contact_id")


@swept("search_log")
def asked_differently(rows: list[int]) -> None:
    """What was asked stands in the index as an article's own question: it is read again."""
    for article_id in set(
        db.session().scalars(select(SearchLog.clicked_article_id).where(SearchLog.id.in_(rows), SearchLog.clicked_article_id.is_not(None)))
    ):
        if article_id is not None:
            changes.touch(article_id)


@swept("translation")
def said_differently(rows: list[int]) -> None:
    """An article that named somebody is read again by the indexes."""
    for article_id in set(db.session().scalars(select(Translation.article_id).where(Translation.id.in_(rows)))):
        changes.touch(article_id)


@follows
def rewrite_index(changed: set[str]) -> None:
    """An index keeps what was taken out in its older segments until it is written anew."""
    if changed & {"search_log", "translation"}:
        search.engine().rebuild()


def _count(before: datetime) -> int:
    return db.session().scalar(select(func.count()).select_from(SearchLog).where(SearchLog.at < before)) or 0


def _drop(before: datetime, limit: int) -> int:
    ids = list(db.session().scalars(select(SearchLog.id).where(SearchLog.at < before).order_by(SearchLog.id).limit(limit)))
    db.session().execute(delete(SearchLog).where(SearchLog.id.in_(ids)))
    return len(ids)


retain(
    Retention(
        "search_log",
        _("What people searched for"),
        _("Search learns from it; without it, what answered a question is forgotten."),
        730,
        _count,
        _drop,
    )
)
