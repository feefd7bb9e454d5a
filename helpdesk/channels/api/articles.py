"""The knowledge base for programs: list, search, read, write, publish and withdraw articles.

Who reads is told what is published for them. Colleagues' tokens also see drafts; agents write them, supervisors and admins
publish, as on the pages.
"""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal

from flask_babel import lazy_gettext as _
from pydantic import Field
from sqlalchemy import ColumnElement, exists, select
from sqlalchemy.orm import joinedload, selectinload

from helpdesk import db, web
from helpdesk.auth import Principal, require
from helpdesk.channels.api import bodies, routes
from helpdesk.channels.api.routes import get, patch, post
from helpdesk.channels.api.schemas import PLAIN, SAID, Change, Filters, Key, Named, Page, Paging, Shown, Wish
from helpdesk.crm.models import Organization
from helpdesk.errors import Conflict, Invalid, NotFound
from helpdesk.kb import about, changes, policy, search
from helpdesk.kb import articles as kb
from helpdesk.kb.models import Article, Audience, Category, Translation

Tag = Annotated[str, Field(min_length=1, max_length=40), PLAIN, SAID]
Tongue = Literal["en", "ru"]


# --- what is sent and shown -------------------------------------------------------------------------------------------


class ArticleFilters(Paging):
    """Which articles; several conditions narrow each other."""

    language: Tongue | None = None
    category: Annotated[str, Field(max_length=80, description="A topic's word in addresses."), PLAIN] = ""
    audience: Audience | None = None


class ArticleQuestion(Filters):
    """What somebody wants to know."""

    q: Annotated[str, Field(min_length=1, max_length=500, description="The question, in any words."), PLAIN, SAID]
    language: Annotated[Tongue, Field(description="The reader's language: of two equal answers theirs is given.")] = "en"
    limit: Annotated[int, Field(ge=1, le=50, description="How many to return.")] = 10


class Words(Wish):
    """An article's words in one language. Kept as a draft until `publish` is true."""

    language: Tongue
    title: Annotated[str, Field(min_length=1, max_length=kb.LONGEST_TITLE), PLAIN, SAID]
    body: Annotated[str, Field(min_length=1, max_length=kb.LONGEST_BODY, description="Markdown."), PLAIN, SAID]
    publish: bool = False


class NewArticle(Wish):
    """An article to be begun."""

    translations: Annotated[list[Words], Field(min_length=1, max_length=2)]
    audience: Audience = Audience.PUBLIC
    organizations: Annotated[list[Key], Field(max_length=500, description="For the audience organizations: their ids.")] = []
    category_id: Key | None = None
    tags: Annotated[list[Tag], Field(max_length=20)] = []
    external_id: (
        Annotated[str, Field(min_length=1, max_length=120, description="Its id in another system; used once."), PLAIN, SAID] | None
    ) = None


class ArticleChange(Change):
    """What is to be different; what is left out stays. Publishing a translation brings a withdrawn article back."""

    may_be_null = frozenset(("category_id",))

    translations: Annotated[list[Words], Field(max_length=2)] | None = None
    audience: Audience | None = None
    organizations: Annotated[list[Key], Field(max_length=500)] | None = None
    category_id: Annotated[Key | None, Field(description="A topic's id; null for none.")] = None
    tags: Annotated[list[Tag], Field(max_length=20)] | None = None
    withdrawn: Annotated[Literal[True] | None, Field(description="Show the article to nobody any more.")] = None


class TranslationShown(Shown):
    """One language of an article. `revision` is null until it is published; drafts are null for readers."""

    language: str
    slug: str
    title: str
    body: str | None
    revision: int | None
    published_at: datetime | None
    draft_title: str | None
    draft_body: str | None


class ArticleShown(Shown):
    """An article. A list leaves the bodies out."""

    id: int
    audience: Audience
    category: Named | None
    tags: list[str]
    translations: list[TranslationShown]
    withdrawn_at: datetime | None
    updated_at: datetime
    version: int
    url: str


class ArticlePage(Page[ArticleShown]):
    pass


class Answer(Shown):
    """An article that answers the question. `snippet` is plain text."""

    article: int
    language: str
    title: str
    snippet: str
    url: str


class AnswerPage(Shown):
    """Best first. `did_you_mean` proposes other words when these are rare."""

    items: list[Answer]
    did_you_mean: str | None


# --- routes -----------------------------------------------------------------------------------------------------------


@get("/articles", scope="articles:read", asks=ArticleFilters, gives=ArticlePage)
def articles(asked: ArticleFilters) -> Page[ArticleShown]:
    """List articles, newest first, without their bodies."""
    who = web.principal()
    found = _rows(who).where(*_conditions(who, asked)).order_by(Article.id.desc()).limit(asked.limit + 1)
    if position := web.uncursor(asked.cursor, int):
        found = found.where(Article.id < position[0])
    paged = web.paged(list(db.session().scalars(found)), asked.limit, lambda row: (row.id,))
    return routes.page(ArticlePage, paged, [_shown(who, row, whole=False) for row in paged.rows], asked)


@get("/articles/search", scope="articles:read", asks=ArticleQuestion, gives=AnswerPage)
def answers(asked: ArticleQuestion) -> AnswerPage:
    """Search the knowledge base: the same search as on the pages."""
    found = search.find_articles(asked.q, web.principal(), asked.language, "api", limit=asked.limit)
    items = [
        Answer(
            article=one.article_id,
            language=one.language,
            title=one.words,
            snippet="".join(run.text for run in one.snippet),
            url=routes.address(article, id=one.article_id),
        )
        for one in found.articles
    ]
    return AnswerPage(items=items, did_you_mean=found.did_you_mean)


@post("/articles", scope="articles:write", takes=NewArticle, gives=ArticleShown, conflicts=True)
def add_article(sent: NewArticle) -> ArticleShown:
    """Begin an article; publishing it needs a supervisor's or an admin's token."""
    who = web.principal()
    require(policy.may(who, "draft") and (policy.may(who, "publish") or not any(words.publish for words in sent.translations)))
    _check_audience(sent.audience, sent.organizations)
    if sent.external_id is not None and db.session().scalar(select(Article.id).where(Article.external_id == sent.external_id)):
        raise Conflict(_("There is an article with this external_id already."))
    by = web.current_actor()
    made = kb.create(
        by=by,
        category_id=_category(sent.category_id),
        audience=sent.audience,
        organizations=_organizations(sent.organizations),
        tags=sent.tags,
        external_id=sent.external_id,
    )
    _write(made, sent.translations)
    return _look(who, made.id)


@get("/articles/{id}", scope="articles:read", gives=ArticleShown)
def article(id: int) -> ArticleShown:
    """Read one article in all its languages."""
    return _look(web.principal(), id)


@patch("/articles/{id}", scope="articles:write", takes=ArticleChange, gives=ArticleShown)
def change_article(id: int, sent: ArticleChange) -> ArticleShown:
    """Change an article's words, audience, topic or tags, or withdraw it.

    What readers see at once (publishing, withdrawing, all but the words of a published article) needs a supervisor's or an admin's token.
    """
    who = web.principal()
    one = _find(who, id)
    require(policy.may(who, "draft"))
    seen = bodies.seen_version()
    if seen is not None and seen != one.version:
        raise Conflict(changes.STALE)
    given = sent.model_fields_set
    facts = given & {"audience", "organizations", "category_id", "tags"}
    published = any(words.published_revision is not None for words in one.translations)
    if sent.withdrawn or any(words.publish for words in sent.translations or ()) or (facts and published):
        require(policy.may(who, "publish"))
    by = web.current_actor()
    if facts:
        audience = sent.audience or one.audience
        organizations = sent.organizations if sent.organizations is not None else about.organizations_of(one)
        _check_audience(audience, organizations)
        about.describe(
            one,
            by=by,
            category_id=_category(sent.category_id) if "category_id" in given else one.category_id,
            audience=audience,
            organizations=_organizations(organizations),
            tags=sent.tags if sent.tags is not None else one.tags,
            owner_id=one.owner_id,
            review_at=one.review_at,
            review_days=one.review_days,
        )
    _write(one, sent.translations or [])
    if sent.withdrawn:
        kb.withdraw(one, by=by)
    return _look(who, id)


# --- below ------------------------------------------------------------------------------------------------------------


def _rows(who: Principal) -> Any:
    found = select(Article).where(policy.readable(who)).options(joinedload(Article.category), selectinload(Article.translations))
    return found if who.staff else found.where(Article.withdrawn_at.is_(None), _in_language(who, None))


def _in_language(who: Principal, language: str | None) -> ColumnElement[bool]:
    """The article has words in this language (any, if None) that `who` may read."""
    has = exists().where(Translation.article_id == Article.id)
    if language is not None:
        has = has.where(Translation.language == language)
    return has if who.staff else has.where(Translation.published_revision.is_not(None))


def _conditions(who: Principal, asked: ArticleFilters) -> list[ColumnElement[bool]]:
    wanted: list[ColumnElement[bool]] = []
    if asked.language is not None:
        wanted.append(_in_language(who, asked.language))
    if asked.category:
        wanted.append(Article.category_id.in_(select(Category.id).where(Category.slug == asked.category)))
    if asked.audience is not None:
        wanted.append(Article.audience == asked.audience)
    return wanted


def _find(who: Principal, id: int) -> Article:
    """The article, if `who` may read it; NotFound otherwise."""
    found: Article | None = db.session().scalar(_rows(who).where(Article.id == id))
    if found is None:
        raise NotFound
    return found


def _look(who: Principal, id: int) -> ArticleShown:
    """An article as it is now, its languages read anew."""
    db.session().flush()
    found = db.session().scalar(_rows(who).where(Article.id == id).execution_options(populate_existing=True))
    if found is None:
        raise NotFound
    return _shown(who, found, whole=True)


def _shown(who: Principal, row: Article, *, whole: bool) -> ArticleShown:
    readable = [words for words in row.translations if who.staff or words.published_revision is not None]
    drafts = who.staff and whole
    return ArticleShown(
        id=row.id,
        audience=row.audience,
        category=Named(id=row.category.id, name=row.category.name_en) if row.category else None,
        tags=row.tags,
        translations=[
            TranslationShown(
                language=words.language,
                slug=words.slug,
                title=words.title or (words.draft_title if who.staff else ""),
                body=words.body if whole else None,
                revision=words.published_revision,
                published_at=words.published_at,
                draft_title=words.draft_title if drafts else None,
                draft_body=words.draft_body if drafts else None,
            )
            for words in readable
        ],
        withdrawn_at=row.withdrawn_at,
        updated_at=row.updated_at,
        version=row.version,
        url=routes.address(article, id=row.id),
    )


def _write(one: Article, translations: list[Words]) -> None:
    by = web.current_actor()
    if len({words.language for words in translations}) < len(translations):
        raise Invalid(fields={"translations": _("Give each language once.")})
    for words in translations:
        kb.save_draft(one, words.language, title=words.title, body=words.body, by=by)
        if words.publish:
            kb.publish(one, words.language, by=by)


def _check_audience(audience: Audience, organizations: list[int]) -> None:
    if audience is Audience.ORGANIZATIONS and not organizations:
        raise Invalid(fields={"organizations": _("Choose at least one organization.")})


def _category(id: int | None) -> int | None:
    if id is not None and db.session().get(Category, id) is None:
        raise Invalid(fields={"category_id": _("There is no such topic.")})
    return id


def _organizations(ids: list[int]) -> list[int]:
    known = set(db.session().scalars(select(Organization.id).where(Organization.id.in_(ids)))) if ids else set()
    if set(ids) - known:
        raise Invalid(fields={"organizations": _("There is no such company.")})
    return sorted(known)
