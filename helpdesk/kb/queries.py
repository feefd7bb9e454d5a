"""What the knowledge base's pages read: for readers what is published and theirs to read, for authors everything with its state."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import ColumnElement, and_, column, exists, func, or_, select, table
from sqlalchemy.orm import aliased, joinedload, selectinload

from helpdesk import clock, db
from helpdesk.auth import ANONYMOUS, STAFF, Principal, User
from helpdesk.errors import NotFound
from helpdesk.kb import articles, policy, reviews
from helpdesk.kb.models import (
    AnswerFeedback,
    Article,
    ArticleFile,
    Category,
    FormerAddress,
    RelatedArticle,
    Revision,
    Translation,
)

# --- for readers ----------------------------------------------------------------------------------------------------------------------

_PUBLISHED = and_(Translation.published_revision.is_not(None), Article.withdrawn_at.is_(None))


@dataclass(frozen=True)
class Card:
    """A published article in one language, as lists name it: its text stays where it is."""

    article_id: int
    language: str
    slug: str
    title: str
    published_at: datetime | None = None


@dataclass(frozen=True)
class Shelf:
    """A category, the titles shown of it in one language, and how many there are."""

    category: Category | None
    articles: list[Card]
    count: int = 0


def to_read(who: Principal, language: str, slug: str) -> Translation:
    """The published article at an address, with its article, category and languages. Raises NotFound."""
    found = db.session().scalar(
        select(Translation)
        .join(Article)
        .where(Translation.language == language, Translation.slug == slug, _PUBLISHED, policy.readable(who))
        .options(
            joinedload(Translation.article).options(joinedload(Article.category), selectinload(Article.translations)),
        )
    )
    if found is None:
        raise NotFound
    return found


def moved_to(who: Principal, language: str, slug: str) -> str | None:
    """Where an article went that had this address once."""
    return db.session().scalar(
        select(Translation.slug)
        .join(Article)
        .join(FormerAddress, and_(FormerAddress.article_id == Article.id, FormerAddress.language == Translation.language))
        .where(FormerAddress.language == language, FormerAddress.slug == slug, _PUBLISHED, policy.readable(who))
    )


def address_of(article_id: int, who: Principal, language: str) -> tuple[str, str] | None:
    """Language and slug of an article, in the reader's language if it exists in it."""
    rows = db.session().execute(
        select(Translation.language, Translation.slug).join(Article).where(Article.id == article_id, _PUBLISHED, policy.readable(who))
    )
    known = dict(rows.all())
    chosen = language if language in known else next(iter(sorted(known)), None)
    return (chosen, known[chosen]) if chosen else None


_CARD = (Article.id, Translation.language, Translation.slug, Translation.title, Translation.published_at)
_MOST_USEFUL = ((Article.helpful - Article.unhelpful).desc(), Article.views.desc(), Translation.id)


def shelves(who: Principal, language: str, *, each: int) -> list[Shelf]:
    """What `who` may read in a language, by category: the `each` most useful titles of every one. Two queries, whatever there is."""
    place = func.row_number().over(partition_by=Article.category_id, order_by=_MOST_USEFUL).label("place")
    count = func.count().over(partition_by=Article.category_id).label("count")
    ranked = (
        select(*_CARD, Article.category_id, place, count)
        .join(Article, Article.id == Translation.article_id)
        .where(Translation.language == language, _PUBLISHED, policy.readable(who))
        .subquery()
    )
    shown: dict[int | None, list[Card]] = {}
    counts: dict[int | None, int] = {}
    for *card, category_id, _place, number in db.session().execute(select(ranked).where(ranked.c.place <= each).order_by(ranked.c.place)):
        shown.setdefault(category_id, []).append(Card(*card))
        counts[category_id] = number
    known = [Shelf(one, shown[one.id], counts[one.id]) for one in categories() if one.id in shown]
    return known + ([Shelf(None, shown[None], counts[None])] if None in shown else [])


def in_category(who: Principal, language: str, category: Category, *, limit: int, after: tuple[str, int] | None = None) -> list[Card]:
    """A category's titles by name; one more than `limit` when there are more."""
    found = (
        select(*_CARD)
        .join(Article, Article.id == Translation.article_id)
        .where(Article.category_id == category.id, Translation.language == language, _PUBLISHED, policy.readable(who))
        .order_by(Translation.title, Article.id)
        .limit(limit + 1)
    )
    if after is not None:
        found = found.where(or_(Translation.title > after[0], and_(Translation.title == after[0], Article.id > after[1])))
    return [Card(*row) for row in db.session().execute(found)]


def most_useful(who: Principal, language: str, *, limit: int = 6) -> list[Card]:
    """The articles that helped most, in one language."""
    found = (
        select(*_CARD)
        .join(Article, Article.id == Translation.article_id)
        .where(Translation.language == language, _PUBLISHED, policy.readable(who))
        .order_by(*_MOST_USEFUL)
        .limit(limit)
    )
    return [Card(*row) for row in db.session().execute(found)]


def placed_beside(shown: Translation, who: Principal) -> list[Card]:
    """The articles that an author placed beside one, in its language, of those that `who` may read."""
    found = (
        select(*_CARD)
        .join(Article, Article.id == Translation.article_id)
        .join(RelatedArticle, RelatedArticle.related_id == Article.id)
        .where(RelatedArticle.article_id == shown.article_id, Translation.language == shown.language, _PUBLISHED, policy.readable(who))
        .order_by(RelatedArticle.position)
    )
    return [Card(*row) for row in db.session().execute(found)]


def for_everybody() -> dict[int, list[Card]]:
    """Every public article with its languages, for search engines' sitemap, which may hold 50,000 addresses."""
    found = (
        select(*_CARD)
        .join(Article, Article.id == Translation.article_id)
        .where(_PUBLISHED, policy.readable(ANONYMOUS))
        .order_by(Article.id, Translation.language)
        .limit(50_000)
    )
    known: dict[int, list[Card]] = {}
    for row in db.session().execute(found):
        known.setdefault(row[0], []).append(Card(*row))
    return known


def picture(who: Principal, file_id: int) -> ArticleFile:
    """A file of an article that `who` may read; authors see those of drafts too. Raises NotFound."""
    found = select(ArticleFile).join(Article, Article.id == ArticleFile.article_id).where(ArticleFile.id == file_id)
    if not policy.may(who, "draft"):
        shown = exists().where(Translation.article_id == Article.id, Translation.published_revision.is_not(None))
        found = found.where(shown, Article.withdrawn_at.is_(None), policy.readable(who))
    file = db.session().scalar(found)
    if file is None:
        raise NotFound
    return file


def categories() -> list[Category]:
    """All categories in their order."""
    return list(db.session().scalars(select(Category).order_by(Category.position, Category.id)))


# --- for authors ----------------------------------------------------------------------------------------------------------------------

#: What the list can be narrowed to. draft: words that readers do not see yet; waiting: for approval; planned: approved, with a date;
#: review: its review date has come.
STATES = ("published", "draft", "waiting", "planned", "withdrawn", "outdated", "review")


@dataclass(frozen=True)
class Filter:
    """What an author wants to see; empty means everything."""

    words: str = ""
    state: str = ""
    language: str = ""
    category_id: int | None = None
    owner_id: int | None = None


@dataclass(frozen=True)
class Row:
    """An article in the authors' list. `overdue`: a week after its review date nobody has looked at it."""

    article: Article
    owner: str
    outdated: frozenset[str]
    overdue: bool = False

    def shown(self, language: str) -> Translation | None:
        """The article in the author's own language if it is written in it, otherwise in the other one."""
        written = sorted(self.article.translations, key=lambda t: (not (t.draft_title or t.title), t.language != language))
        return written[0] if written else None


def listed(wanted: Filter, *, limit: int, after: tuple[datetime, int] | None = None) -> list[Row]:
    """Articles as their authors see them, the last edited first; one more than `limit` when there are more. Three queries."""
    session = db.session()
    found = (
        select(Article)
        .where(*conditions(wanted))
        .options(selectinload(Article.translations), joinedload(Article.category))
        .order_by(Article.updated_at.desc(), Article.id.desc())
        .limit(limit + 1)
    )
    if after is not None:
        found = found.where(or_(Article.updated_at < after[0], and_(Article.updated_at == after[0], Article.id < after[1])))
    rows = list(session.scalars(found))
    owners = dict(session.execute(select(User.id, User.name).where(User.id.in_({row.owner_id for row in rows}))).all())
    return [
        Row(
            row,
            owners.get(row.owner_id or 0, ""),
            frozenset(t.language for t in row.translations if articles.outdated(t, row.translations)),
            reviews.is_overdue(row),
        )
        for row in rows
    ]


def to_edit(article_id: int) -> Article:
    """An article with its languages and category, for its authors. Raises NotFound."""
    found = db.session().scalar(
        select(Article)
        .where(Article.id == article_id)
        .options(selectinload(Article.translations), joinedload(Article.category))
        .execution_options(populate_existing=True)
    )
    if found is None:
        raise NotFound
    return found


def revisions(translation: Translation) -> list[tuple[Revision, str]]:
    """Everything that was published in one language, newest first, with who published it."""
    rows = db.session().execute(
        select(Revision, User.name)
        .outerjoin(User, User.id == Revision.by_user_id)
        .where(Revision.translation_id == translation.id)
        .order_by(Revision.number.desc())
    )
    return [(revision, name or "") for revision, name in rows]


def said_until(translation: Translation, at: datetime) -> Revision | None:
    """The revision that readers saw at a moment, if there was one."""
    known = select(Revision).where(Revision.translation_id == translation.id, Revision.at <= at)
    return db.session().scalar(known.order_by(Revision.number.desc()).limit(1))


def titles(ids: Iterable[int], language: str) -> dict[int, str]:
    """The articles' titles for their authors, in one language where they have it."""
    rows = db.session().execute(
        select(Translation.article_id, Translation.language, Translation.draft_title, Translation.title)
        .where(Translation.article_id.in_(list(ids)))
        .order_by(Translation.language == language)
    )
    return {article_id: draft or shown for article_id, _language, draft, shown in rows}


def files_of(article_id: int) -> list[ArticleFile]:
    return list(db.session().scalars(select(ArticleFile).where(ArticleFile.article_id == article_id).order_by(ArticleFile.id)))


def conditions(wanted: Filter) -> Iterable[ColumnElement[bool]]:
    """What an author wants to see, as conditions on Article."""
    language = Translation.language == wanted.language if wanted.language else Translation.language.in_(articles.LANGUAGES)
    of_it = exists().where(Translation.article_id == Article.id, language)
    if wanted.category_id is not None:
        yield Article.category_id == wanted.category_id
    if wanted.owner_id is not None:
        yield Article.owner_id == wanted.owner_id
    if wanted.words:
        # SQLite folds the case of ASCII letters only.
        spelled = {wanted.words, wanted.words.lower(), wanted.words.capitalize()}
        columns = (Translation.draft_title, Translation.draft_body)
        yield of_it.where(or_(*(column.icontains(words, autoescape=True) for column in columns for words in sorted(spelled))))
    match wanted.state:
        case "published":
            yield of_it.where(Translation.published_revision.is_not(None))
            yield Article.withdrawn_at.is_(None)
        case "draft":
            unseen = or_(
                Translation.published_revision.is_(None),
                Translation.draft_title != Translation.title,
                Translation.draft_body != Translation.body,
            )
            yield of_it.where(unseen)
        case "waiting":
            yield of_it.where(Translation.sent_at.is_not(None))
        case "planned":
            yield of_it.where(Translation.publish_at.is_not(None))
        case "withdrawn":
            yield Article.withdrawn_at.is_not(None)
        case "outdated":
            other = aliased(Translation)
            newer = exists().where(
                other.article_id == Translation.article_id, other.id != Translation.id, other.said_at > Translation.checked_at
            )
            yield of_it.where(Translation.published_revision.is_not(None), newer)
        case "review":
            yield Article.review_at <= clock.now()
            yield Article.withdrawn_at.is_(None)
        case _ if wanted.language:
            yield of_it


def counts() -> dict[str, int]:
    """How many articles there are in each state."""
    return {
        state: db.session().scalar(select(func.count()).select_from(Article).where(*conditions(Filter(state=state)))) or 0
        for state in STATES
    }


#: Another package's table, of which only the names are read: for whom an article may be meant.
_organizations = table("organization", column("id"), column("name"))


def organizations() -> list[tuple[int, str]]:
    """Every organization's id and name, by name."""
    rows = db.session().execute(select(_organizations.c.id, _organizations.c.name).order_by(_organizations.c.name))
    return [(id, name) for id, name in rows]


def authors() -> list[User]:
    """Colleagues who may own articles, by name."""
    return list(db.session().scalars(select(User).where(User.active, User.role.in_(STAFF)).order_by(User.name)))


@dataclass(frozen=True)
class Verdict:
    """What a reader said did not help, and why."""

    article_id: int
    language: str
    title: str
    reason: str
    at: datetime


def latest_verdicts(article_id: int | None = None, *, limit: int = 20) -> list[Verdict]:
    """The newest reasons why an article (or any) did not help."""
    found = (
        select(AnswerFeedback, Translation.title)
        .outerjoin(Translation, and_(Translation.article_id == AnswerFeedback.article_id, Translation.language == AnswerFeedback.language))
        .where(AnswerFeedback.helpful.is_(False), AnswerFeedback.reason != "")
        .order_by(AnswerFeedback.at.desc(), AnswerFeedback.id.desc())
        .limit(limit)
    )
    if article_id is not None:
        found = found.where(AnswerFeedback.article_id == article_id)
    rows = db.session().execute(found)
    return [Verdict(said.article_id, said.language, title or "", said.reason, said.at) for said, title in rows]
