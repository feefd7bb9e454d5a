"""The search that everybody uses: portal, request form, workspace and REST ask here, with who asks.

The engine finds (index and ranking in this folder); what it finds is checked against the database before anybody sees it, and what was
asked is logged after the response.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from flask import Flask, current_app
from sqlalchemy import select, tuple_
from sqlalchemy.orm import joinedload

from helpdesk import db, web
from helpdesk.auth import Principal
from helpdesk.kb import log, policy, queries, teaching
from helpdesk.kb.engine import Engine, Hit
from helpdesk.kb.models import Article, Category, Translation
from helpdesk.kb.snippets import Run
from helpdesk.kb.source import Articles, from_document_id

logger = logging.getLogger(__name__)

Place = Literal["portal", "form", "workspace", "api"]

#: Both languages of an article may be found; this many more are asked for so that a full page remains.
_SPARE = 2


@dataclass(frozen=True)
class Found:
    """One answer: the article in the language that fits the question best. `title` and `snippet` are runs of text, never HTML."""

    article_id: int
    language: str
    slug: str
    title: tuple[Run, ...]
    snippet: tuple[Run, ...]
    category: Category | None
    score: float

    @property
    def words(self) -> str:
        """The title as plain text."""
        return "".join(run.text for run in self.title)


@dataclass(frozen=True)
class Answers:
    """Best first. `best` only when one stands clear of the others. `key` joins what the searcher does next to this search."""

    query: str
    key: str
    articles: tuple[Found, ...] = ()
    best: Found | None = None
    did_you_mean: str | None = None
    building: bool = False


def find_articles(
    query: str,
    who: Principal,
    language: str,
    place: Place,
    *,
    limit: int = 10,
    only_language: str | None = None,
    category: str | None = None,
    key: str = "",
    visitor: str = "",
) -> Answers:
    """The published articles that answer `query` and that `who` may read.

    `language` is the reader's: of two equally good translations theirs is shown; `only_language` and `category` (its slug) filter. `key`
    continues an earlier search, such as a form that asks again with every word; `visitor` joins the searches of one browser. Any text may
    be asked.
    """
    key = log.usable_key(key) or log.new_key()
    found = engine().find(query, audience=policy.terms(who), limit=limit * _SPARE, language=only_language, category=category)
    articles = _checked(found.answers, who, language)[:limit]
    best = articles[0] if articles and found.best and from_document_id(found.best.id)[0] == articles[0].article_id else None
    web.later(lambda: log.searched(key, query, language=language, place=place, found=len(articles), visitor=visitor))
    return Answers(query, key, tuple(articles), best, found.did_you_mean, found.building)


def suggest_articles(prefix: str, who: Principal, language: str, *, limit: int = 5) -> list[Found]:
    """Articles for what is being typed. Not logged: half a word is no question."""
    return _checked(engine().suggest(prefix, audience=policy.terms(who), limit=limit * _SPARE), who, language)[:limit]


def articles_about(words: str, who: Principal, language: str, *, limit: int = 5) -> list[Found]:
    """Articles for a text that nobody typed as a question, such as a whole ticket. Not logged."""
    return _checked(engine().find(words, audience=policy.terms(who), limit=limit * _SPARE).answers, who, language)[:limit]


def related_articles(shown: Translation, who: Principal, *, limit: int = 4) -> list[Found]:
    """What an author placed beside an article, then others of the same topic that speak of the same, in the same language.

    Nobody asked, so nothing is logged.
    """
    chosen = queries.placed_beside(shown, who)
    beside = [Found(one.article_id, one.language, one.slug, (Run(one.title, False),), (), None, 0.0) for one in chosen]
    category = shown.article.category.slug if shown.article.category else None
    words = f"{shown.title} {shown.text[:300]}"
    hits = (
        engine().find(words, audience=policy.terms(who), limit=limit + 1 + len(beside), language=shown.language, category=category).answers
    )
    known = {shown.article_id, *(one.article_id for one in beside)}
    return [*beside, *(one for one in _checked(hits, who, shown.language) if one.article_id not in known)][: max(limit, len(beside))]


def prepare(app: Flask) -> None:
    """Bring this process's index up to date beside its start, so that the first reader does not wait for it."""

    def run() -> None:
        with app.app_context():
            try:
                engine().refresh()
            except Exception:
                logger.exception("preparing the search index")

    threading.Thread(target=run, name="kb-prepare", daemon=True).start()


def engine() -> Engine:
    """This process's search over the node's index, opened once, with everything it has been taught."""
    made: Engine | None = current_app.extensions.get("kb-engine")
    if made is None:
        made = current_app.extensions["kb-engine"] = Engine(web.settings().data / "kb-index", Articles())
    if db.in_transaction() and current_app.extensions.get("kb-taught") != teaching.taught():
        lessons = teaching.lessons()
        made.weights = lessons.weights
        made.treat_alike(lessons.alike)
        made.know(lessons.familiar)
        current_app.extensions["kb-taught"] = lessons.taught
    return made


def _checked(hits: Iterable[Hit], who: Principal, language: str) -> list[Found]:
    """The hits as the database has them now, each article once: what was withdrawn or hidden a moment ago is not among them."""
    hits = list(hits)
    if not hits:
        return []
    rows = db.session().scalars(
        select(Translation)
        .join(Article, Article.id == Translation.article_id)
        .where(
            tuple_(Translation.article_id, Translation.language).in_([from_document_id(hit.id) for hit in hits]),
            Translation.published_revision.is_not(None),
            Article.withdrawn_at.is_(None),
            policy.readable(who),
        )
        .options(joinedload(Translation.article).joinedload(Article.category))
    )
    known = {(row.article_id, row.language): row for row in rows}
    ranked = sorted(hits, key=lambda hit: (-hit.score, from_document_id(hit.id)[1] != language))
    found: dict[int, Found] = {}
    for hit in ranked:
        row = known.get(from_document_id(hit.id))
        if row is not None and row.article_id not in found:
            found[row.article_id] = Found(
                row.article_id, row.language, row.slug, _telling(hit.title), _telling(hit.snippet), row.article.category, hit.score
            )
    return list(found.values())


def _telling(runs: tuple[Run, ...]) -> tuple[Run, ...]:
    """Without marks on the small words between the others: a page full of marked "the" and "на" tells nothing. Codes stay marked."""
    return tuple(
        Run(run.text, False) if run.is_hit and len(run.text) < 4 and run.text.isalpha() and not run.text.isupper() else run for run in runs
    )
