"""The article tables as search sees them: an implementation of `documents.Source` over the committed state of the database."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager

from sqlalchemy import ColumnElement, select
from sqlalchemy.orm import Session, joinedload, selectinload

from helpdesk import db
from helpdesk.kb import policy
from helpdesk.kb.documents import Document
from helpdesk.kb.models import Article, ArticleOrganization, KbState, SearchLog, Translation

#: Articles read at a time: none of them keeps a snapshot open while somebody writes an index.
CHUNK = 100
#: Different questions an article must have solved before they count as its own: one slip of a finger must not lead others astray.
TRUSTED_AT = 5
MOST_ASKED = 40
_CYRILLIC = re.compile("[а-яё]", re.IGNORECASE)


class Articles:
    """What can be found, and the number that grows with every change of it. Holds nothing itself."""

    def revision(self) -> int:
        """The knowledge base's revision; one indexed read."""
        with _committed() as session:
            return session.scalar(select(KbState.revision).where(KbState.id == 1)) or 0

    def changed_since(self, revision: int) -> Iterator[Document]:
        """Every article changed after `revision`, oldest change first; languages that cannot be found any more as gone."""
        position = (revision, 0)
        while True:
            changed, id = position
            found = self._read((Article.changed > changed) | ((Article.changed == changed) & (Article.id > id)), by_change=True)
            yield from (document for _article, documents in found for document in documents)
            if len(found) < CHUNK:
                return
            position = (found[-1][0].changed, found[-1][0].id)

    def all(self) -> Iterator[Document]:
        """Every published article in each of its languages."""
        last = 0
        while True:
            found = self._read((Article.id > last) & Article.withdrawn_at.is_(None), by_change=False)
            yield from (document for _article, documents in found for document in documents if not document.gone)
            if len(found) < CHUNK:
                return
            last = found[-1][0].id

    def _read(self, which: ColumnElement[bool], *, by_change: bool) -> list[tuple[Article, list[Document]]]:
        """One chunk: four queries."""
        order = (Article.changed, Article.id) if by_change else (Article.id,)
        with _committed() as session:
            articles = list(
                session.scalars(
                    select(Article)
                    .where(which)
                    .options(selectinload(Article.translations), joinedload(Article.category))
                    .order_by(*order)
                    .limit(CHUNK)
                    .execution_options(populate_existing=True)
                )
            )
            ids = [article.id for article in articles]
            organizations: dict[int, list[int]] = defaultdict(list)
            chosen = select(ArticleOrganization.article_id, ArticleOrganization.organization_id)
            for article_id, organization_id in session.execute(chosen.where(ArticleOrganization.article_id.in_(ids))):
                organizations[article_id].append(organization_id)
            asked = _asked(session, ids)
        return [
            (
                article,
                [_document(article, translation, organizations[article.id], asked[article.id]) for translation in article.translations],
            )
            for article in articles
        ]


def document_id(article_id: int, language: str) -> str:
    """The name of an article's language in the index."""
    return f"{article_id}-{language}"


def from_document_id(name: str) -> tuple[int, str]:
    """The article and language behind a name of the index."""
    article_id, _, language = name.partition("-")
    return int(article_id), language


def _document(article: Article, translation: Translation, organizations: list[int], asked: list[str]) -> Document:
    name = document_id(article.id, translation.language)
    if article.withdrawn_at is not None or translation.published_revision is None:
        return Document(name, "", gone=True)
    category = article.category
    category_name = "" if category is None else category.name_ru if translation.language == "ru" else category.name_en
    alone = len([other for other in article.translations if other.published_revision is not None]) == 1
    return Document(
        name,
        translation.title,
        translation.text,
        translation.language,
        category.slug if category else "",
        (*article.tags, *([category_name] if category_name else [])),
        policy.audience_terms(article, organizations),
        tuple(question for question in asked if alone or bool(_CYRILLIC.search(question)) == (translation.language == "ru")),
    )


def _asked(session: Session, ids: list[int]) -> dict[int, list[str]]:
    """The questions that each article solved, newest first, each once."""
    questions: dict[int, dict[str, None]] = defaultdict(dict)
    solved = (
        select(SearchLog.clicked_article_id, SearchLog.query)
        .where(SearchLog.clicked_article_id.in_(ids), SearchLog.solved.is_(True))
        .order_by(SearchLog.id.desc())
        .limit(CHUNK * MOST_ASKED * 2)
    )
    for article_id, query in session.execute(solved):
        if article_id is not None:
            questions[article_id].setdefault(" ".join(query.lower().split()))
    trusted = {article_id: list(asked)[:MOST_ASKED] for article_id, asked in questions.items() if len(asked) >= TRUSTED_AT}
    return defaultdict(list, trusted)


@contextmanager
def _committed() -> Iterator[Session]:
    """A snapshot of what is committed: never the surrounding transaction, which may still be rolled back."""
    with ExitStack() as stack:
        if db.in_transaction() and db.unit().writes:
            stack.enter_context(db.outside())
        reading: AbstractContextManager[Session] = db.read()
        yield stack.enter_context(reading)
