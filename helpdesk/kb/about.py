"""What is known about an article beside its words: topic, readers, owner, what stands beside it, its next look, its address."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta

from flask_babel import lazy_gettext as _
from sqlalchemy import delete, select

from helpdesk import clock, db
from helpdesk.actor import Actor
from helpdesk.catalog import ArticleChanged
from helpdesk.errors import Invalid, NotFound
from helpdesk.events import record
from helpdesk.kb import reviews
from helpdesk.kb.changes import change, raise_version, visibly_changed
from helpdesk.kb.models import Article, ArticleOrganization, Audience, FormerAddress, RelatedArticle, Translation
from helpdesk.kb.slugs import free_slug, slug_of

MOST_RELATED = 8


def describe(
    article: Article,
    *,
    by: Actor,
    category_id: int | None,
    audience: Audience,
    organizations: Iterable[int] = (),
    tags: Iterable[str] = (),
    owner_id: int | None = None,
    review_at: datetime | None = None,
    review_days: int | None = None,
    related: Iterable[int] | None = None,
    seen: int | None = None,
) -> Article:
    """Change what is known about an article: where it stands, for whom, whose it is, when it wants another look. Raises Conflict, Invalid.

    Whoever may publish calls this for a published article: its audience is what readers see.
    """
    wanted = sorted(set(organizations))
    if audience is Audience.ORGANIZATIONS and not wanted:
        raise Invalid(fields={"organizations": _("Choose at least one organization.")})
    values = {
        "category_id": category_id,
        "audience": audience,
        "tags": clean_tags(tags),
        "owner_id": owner_id,
        "review_at": review_at,
        "review_days": review_days,
    }
    changed = tuple(name for name, value in values.items() if getattr(article, name) != value)
    if wanted != sorted(organizations_of(article)):
        changed += ("organizations",)
    beside = None if related is None else [id for id in dict.fromkeys(related) if id != article.id][:MOST_RELATED]
    if beside is not None and beside != related_to(article):
        changed += ("related",)
    if not changed:
        return article
    change(article, seen, updated_at=clock.now(), **values)
    set_organizations(article, wanted)
    if "related" in changed:
        _set_related(article, beside or [])
    visibly_changed(article)
    record(ArticleChanged(article.id, by, "", changed))
    if "review_at" in changed:
        reviews.plan(article, by=by)
    return article


def look_again(article: Article, *, by: Actor) -> Article:
    """Say that the whole article was looked at and still holds; the next look is `review_days` from now, or on no date."""
    days = article.review_days
    raise_version(article, None)
    article.review_at = clock.now() + timedelta(days=days) if days else None
    db.session().flush()
    record(ArticleChanged(article.id, by, "", ("review_at",)))
    reviews.plan(article, by=by)
    return article


def readdress(article: Article, language: str, slug: str, *, by: Actor) -> Translation:
    """Give an article another address; the former one leads there. Raises Invalid for one that is taken, NotFound."""
    translation = db.session().scalar(select(Translation).where(Translation.article_id == article.id, Translation.language == language))
    if translation is None:
        raise NotFound
    slug = slug_of(slug)
    if not slug:
        raise Invalid(fields={"slug": _("An address consists of letters and digits.")})
    if slug == translation.slug:
        return translation
    if free_slug(slug, language, article) != slug:
        raise Invalid(fields={"slug": _("Another article has this address.")})
    session = db.session()
    session.execute(delete(FormerAddress).where(FormerAddress.language == language, FormerAddress.slug == slug))
    if translation.published_revision is not None:
        session.merge(FormerAddress(language=language, slug=translation.slug, article_id=article.id))
    translation.slug = slug
    visibly_changed(article)
    record(ArticleChanged(article.id, by, language, ("slug",)))
    return translation


def organizations_of(article: Article) -> list[int]:
    """The organizations whose customers may read it, when its audience is organizations."""
    return list(db.session().scalars(select(ArticleOrganization.organization_id).where(ArticleOrganization.article_id == article.id)))


def related_to(article: Article) -> list[int]:
    """The articles that an author placed beside this one, in their order."""
    chosen = select(RelatedArticle.related_id).where(RelatedArticle.article_id == article.id)
    return list(db.session().scalars(chosen.order_by(RelatedArticle.position)))


def clean_tags(tags: Iterable[str]) -> list[str]:
    """Tags in small letters, each once, in their order."""
    cleaned = (" ".join(tag.lower().split())[:40] for tag in tags)
    return list(dict.fromkeys(tag for tag in cleaned if tag))[:20]


def set_organizations(article: Article, wanted: Iterable[int]) -> None:
    """Let the customers of these organizations read it, and of no others."""
    session = db.session()
    session.execute(delete(ArticleOrganization).where(ArticleOrganization.article_id == article.id))
    session.add_all(ArticleOrganization(article_id=article.id, organization_id=id) for id in sorted(set(wanted)))
    session.flush()


def _set_related(article: Article, wanted: list[int]) -> None:
    session = db.session()
    session.execute(delete(RelatedArticle).where(RelatedArticle.article_id == article.id))
    known = set(session.scalars(select(Article.id).where(Article.id.in_(wanted))))
    session.add_all(
        RelatedArticle(article_id=article.id, related_id=id, position=position) for position, id in enumerate(wanted) if id in known
    )
    session.flush()
