"""What an import does to the articles: compared with what readers see, only what is new or differs is published."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from sqlalchemy import and_, select

from helpdesk import db
from helpdesk.actor import Actor
from helpdesk.kb import articles, categories
from helpdesk.kb.exchange.reading import Written
from helpdesk.kb.models import Article, Category, Translation

Outcome = Literal["new", "changed", "same"]
OUTCOMES: tuple[Outcome, ...] = ("new", "changed", "same")


@dataclass(frozen=True)
class Planned:
    """What an entry would do. `article_id` and `before`, the revision readers see, when the article is known."""

    entry: Written
    outcome: Outcome
    article_id: int | None = None
    before: int | None = None


@dataclass(frozen=True)
class Done:
    """What an entry did: the revision that readers see now, and whether the article began with it."""

    planned: Planned
    article_id: int
    began: bool
    after: int


def plan(entries: Sequence[Written]) -> list[Planned]:
    """What taking these in would do; one query. A withdrawn article comes back: that changes it."""
    found = (
        select(Article.external_id, Article.id, Article.withdrawn_at, Translation)
        .outerjoin(Translation, and_(Translation.article_id == Article.id, Translation.published_revision.is_not(None)))
        .where(Article.external_id.in_({one.key for one in entries}))
    )
    ids: dict[str, int] = {}
    known: dict[tuple[str, str], tuple[Translation, bool]] = {}
    for key, article_id, withdrawn_at, translation in db.session().execute(found):
        ids[key or ""] = article_id
        if translation is not None:
            known[key or "", translation.language] = (translation, withdrawn_at is not None)
    planned = []
    for one in entries:
        shown, withdrawn = known.get((one.key, one.language), (None, False))
        outcome: Outcome = "new"
        if shown is not None:
            outcome = "same" if (shown.title, shown.body) == (one.title, one.body) and not withdrawn else "changed"
        planned.append(Planned(one, outcome, ids.get(one.key), shown.published_revision if shown is not None else None))
    return planned


def take_in(entries: Sequence[Written], *, by: Actor) -> tuple[list[Planned], list[Done]]:
    """Publish these in the current transaction: what was planned for each, and what was done for those that were not the same."""
    session, planned, done = db.session(), plan(entries), []
    begun: dict[str, Article] = {}
    for one in planned:
        if one.outcome == "same":
            continue
        entry, began = one.entry, one.article_id is None and one.entry.key not in begun
        if began:
            begun[entry.key] = articles.create(
                by=by, category_id=_category(entry.topic, by), audience=entry.audience, tags=entry.tags, external_id=entry.key
            )
        article = begun.get(entry.key) or session.get_one(Article, one.article_id)
        articles.save_draft(article, entry.language, title=entry.title, body=entry.body, by=by)
        revision = articles.publish(article, entry.language, by=by)
        done.append(Done(one, article.id, began, revision.number))
    return planned, done


def new_topics(names: set[str]) -> list[str]:
    """Those of these topics that taking in would make."""
    return sorted(name for name in names if name and _known(name) is None)


def _category(topic: str, by: Actor) -> int | None:
    """The category of that slug or name, made if there is none."""
    topic = " ".join(topic.split())[:120]
    if not topic:
        return None
    return (_known(topic) or categories.add(name_en=topic, name_ru=topic, by=by)).id


def _known(topic: str) -> Category | None:
    return db.session().scalar(
        select(Category).where((Category.slug == topic) | (Category.name_en == topic) | (Category.name_ru == topic)).limit(1)
    )
