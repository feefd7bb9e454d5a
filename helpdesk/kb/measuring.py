"""Questions whose answer is known because a reader confirmed it: what this desk's own search can be measured and fitted with."""

from __future__ import annotations

import hashlib
from collections import defaultdict
from dataclasses import dataclass, replace

from sqlalchemy import select

from helpdesk import db
from helpdesk.kb.documents import Document
from helpdesk.kb.models import SearchLog
from helpdesk.kb.source import Articles, from_document_id

#: Fewer confirmed questions tell chance apart from quality too badly.
LEAST = 30
MOST = 2_000


@dataclass(frozen=True)
class Material:
    """Articles, questions as {"id", "text"}, and question → the articles (in any language) that answer it."""

    documents: list[Document]
    queries: list[dict[str, str]]
    answers: dict[str, set[str]]


def from_log() -> Material:
    """The newest confirmed questions of the search log, in two halves: one stands as `asked` in its articles, the other is asked.

    So a question is never found because it was learnt by heart. Articles are taken as everybody may find them.
    """
    rows = db.session().execute(
        select(SearchLog.query, SearchLog.clicked_article_id)
        .where(SearchLog.solved.is_(True), SearchLog.clicked_article_id.is_not(None))
        .order_by(SearchLog.id.desc())
        .limit(MOST)
    )
    confirmed: dict[str, set[int]] = defaultdict(set)
    for query, article_id in rows:
        if article_id is not None:
            confirmed[" ".join(query.lower().split())].add(article_id)
    learnt: dict[int, list[str]] = defaultdict(list)
    for question, ids in confirmed.items():
        if not _is_asked(question):
            for article_id in ids:
                learnt[article_id].append(question)
    known = [document for document in Articles().all() if "public" in document.audience]
    names: dict[int, set[str]] = defaultdict(set)
    for document in known:
        names[from_document_id(document.id)[0]].add(document.id)
    asked = {question: set().union(*(names[id] for id in ids)) for question, ids in confirmed.items() if _is_asked(question)}
    asked = {question: found for question, found in asked.items() if found}
    return Material(
        [replace(document, asked=tuple(learnt[from_document_id(document.id)[0]])) for document in known],
        [{"id": question, "text": question} for question in asked],
        asked,
    )


def _is_asked(question: str) -> bool:
    return hashlib.md5(question.encode()).digest()[0] % 2 == 0
