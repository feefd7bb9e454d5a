"""An article's life: begun, drafted, published as an immutable revision, withdrawn, brought back to an earlier wording.

Drafts change nothing for readers. What readers can see raises the knowledge base's revision number (`KbState`), which every process's index
follows. An article's edits go by compare-and-set on its `version`, so that two authors never overwrite each other unseen.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any

from flask_babel import lazy_gettext as _
from sqlalchemy import delete, func, select, update

from helpdesk import clock, db
from helpdesk.actor import Actor
from helpdesk.catalog import ArticleAdded, ArticleChanged, ArticlePublished, ArticleWithdrawn
from helpdesk.errors import Conflict, Invalid, NotFound, Words
from helpdesk.events import record
from helpdesk.kb import render
from helpdesk.kb.models import Article, ArticleOrganization, Audience, FormerAddress, KbState, RelatedArticle, Revision, Translation

LANGUAGES = ("en", "ru")
LONGEST_TITLE = 300
LONGEST_BODY = 200_000
MOST_RELATED = 8


def create(
    *,
    by: Actor,
    category_id: int | None = None,
    audience: Audience = Audience.PUBLIC,
    organizations: Iterable[int] = (),
    tags: Iterable[str] = (),
    owner_id: int | None = None,
    source_ticket_id: int | None = None,
    external_id: str | None = None,
) -> Article:
    """Begin an article, without words yet. Its owner is who began it, if nobody else is named."""
    article = Article(
        category_id=category_id,
        audience=audience,
        tags=clean_tags(tags),
        owner_id=owner_id if owner_id is not None else by.user_id,
        source_ticket_id=source_ticket_id,
        external_id=external_id,
    )
    session = db.session()
    session.add(article)
    session.flush()
    _set_organizations(article, organizations)
    record(ArticleAdded(article.id, by))
    return article


def save_draft(article: Article, language: str, *, title: str, body: str, by: Actor, seen: int | None = None) -> Translation:
    """Keep an author's words in one language. Readers see nothing of it before `publish`.

    Raises Invalid for words that are too long or an unknown language, Conflict when somebody edited since `seen`.
    """
    title, body = _clean_title(title), _clean_body(body)
    session = db.session()
    translation = translation_of(article, language)
    if translation is not None and (translation.draft_title, translation.draft_body) == (title, body):
        return translation
    _change(article, seen, updated_at=clock.now())
    if translation is None:
        translation = Translation(article_id=article.id, language=language, slug=_free_slug(slug_of(title), language, article))
        session.add(translation)
    elif translation.published_revision is None:
        # Nobody knows the address yet, so it may still follow the title.
        translation.slug = _free_slug(slug_of(title), language, article)
    translation.draft_title, translation.draft_body, translation.drafted_at = title, body, clock.now()
    forget_approval(translation)
    session.flush()
    record(ArticleChanged(article.id, by, language, ("draft_title", "draft_body")))
    return translation


def publish(article: Article, language: str, *, by: Actor, note: str = "", minor: bool = False, seen: int | None = None) -> Revision:
    """Show the draft to its audience, as a new revision that never changes.

    `minor`: it says nothing new (a typo), so translations stay up to date. A translation that catches up with the others says nothing new
    either. Raises Invalid without title or text, Conflict when somebody edited since `seen`.
    """
    session = db.session()
    translation = translation_of(article, language)
    if translation is None:
        raise Invalid(fields={"title": _("An article needs a title.")})
    require_whole(translation)
    now = clock.now()
    behind = outdated(translation, translations(article)) or translation.said_at is None
    _change(article, seen, updated_at=now, withdrawn_at=None)
    number = 1 + (session.scalar(select(func.max(Revision.number)).where(Revision.translation_id == translation.id)) or 0)
    revision = Revision(
        translation_id=translation.id,
        number=number,
        title=translation.draft_title,
        body=translation.draft_body,
        by_user_id=by.user_id,
        at=now,
        note=" ".join(note.split())[:300],
    )
    session.add(revision)
    translation.title, translation.body = revision.title, revision.body
    translation.text = render.text(revision.body)
    translation.published_revision, translation.published_at, translation.checked_at = number, now, now
    others = [other.said_at for other in translations(article) if other.id != translation.id and other.said_at]
    if behind and others:
        translation.said_at = max(others)
    elif not minor or translation.said_at is None:
        translation.said_at = now
    translation.sent_at, translation.sent_by_id, translation.returned_note = None, None, ""
    forget_approval(translation)
    _visibly_changed(article)
    record(ArticlePublished(article.id, number, by, language))
    return revision


def withdraw(article: Article, *, by: Actor, seen: int | None = None) -> Article:
    """Show the article to nobody any more; publishing it again brings it back. Withdrawing twice changes nothing."""
    if article.withdrawn_at is not None:
        return article
    _change(article, seen, withdrawn_at=clock.now())
    for translation in translations(article):
        forget_approval(translation)
    _visibly_changed(article)
    record(ArticleWithdrawn(article.id, by))
    return article


def restore(article: Article, language: str, number: int, *, by: Actor, seen: int | None = None) -> Translation:
    """Take an earlier revision's words as the draft; publishing them is the next step. Raises NotFound, Conflict."""
    translation = translation_of(article, language)
    revision = revision_of(translation, number) if translation is not None else None
    if revision is None:
        raise NotFound
    return save_draft(article, language, title=revision.title, body=revision.body, by=by, seen=seen)


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
    _change(article, seen, updated_at=clock.now(), **values)
    _set_organizations(article, wanted)
    if "related" in changed:
        _set_related(article, beside or [])
    _visibly_changed(article)
    record(ArticleChanged(article.id, by, "", changed))
    return article


def readdress(article: Article, language: str, slug: str, *, by: Actor) -> Translation:
    """Give an article another address; the former one leads there. Raises Invalid for one that is taken, NotFound."""
    translation = translation_of(article, language)
    if translation is None:
        raise NotFound
    slug = slug_of(slug)
    if not slug:
        raise Invalid(fields={"slug": _("An address consists of letters and digits.")})
    if slug == translation.slug:
        return translation
    if _free_slug(slug, language, article) != slug:
        raise Invalid(fields={"slug": _("Another article has this address.")})
    session = db.session()
    session.execute(delete(FormerAddress).where(FormerAddress.language == language, FormerAddress.slug == slug))
    if translation.published_revision is not None:
        session.merge(FormerAddress(language=language, slug=translation.slug, article_id=article.id))
    translation.slug = slug
    _visibly_changed(article)
    record(ArticleChanged(article.id, by, language, ("slug",)))
    return translation


def confirm(article: Article, language: str, *, by: Actor) -> Translation:
    """Say that a translation still agrees with the others although they were changed."""
    translation = translation_of(article, language)
    if translation is None or translation.published_revision is None:
        raise NotFound
    translation.checked_at = clock.now()
    record(ArticleChanged(article.id, by, language, ("checked_at",)))
    return translation


def discard(article: Article, *, by: Actor) -> None:
    """Throw a draft away that never was published. Raises Conflict for an article that readers have seen."""
    if any(translation.published_revision is not None for translation in translations(article)):
        raise Conflict(_("This article has been published. Withdraw it instead: links to it may exist."))
    session = db.session()
    session.execute(delete(ArticleOrganization).where(ArticleOrganization.article_id == article.id))
    session.execute(delete(Translation).where(Translation.article_id == article.id))
    session.delete(article)
    session.flush()
    record(ArticleChanged(article.id, by, "", ("discarded",)))


def look_again(article: Article, *, by: Actor) -> Article:
    """Say that the whole article was looked at and still holds; the next look is `review_days` from now, or on no date."""
    days = article.review_days
    raise_version(article, None)
    article.review_at = clock.now() + timedelta(days=days) if days else None
    db.session().flush()
    record(ArticleChanged(article.id, by, "", ("review_at",)))
    return article


def touch(article_id: int) -> None:
    """Have the indexes read an article again although its words are the same: what was asked about it has changed."""
    article = db.session().get(Article, article_id)
    if article is not None:
        _visibly_changed(article)


# --- what belongs to an article ----------------------------------------------------------------------------------------------------------


def translations(article: Article) -> list[Translation]:
    """The article's languages, in alphabetical order."""
    return list(db.session().scalars(select(Translation).where(Translation.article_id == article.id).order_by(Translation.language)))


def translation_of(article: Article, language: str) -> Translation | None:
    """The article in one language. Raises Invalid for a language the desk does not speak."""
    if language not in LANGUAGES:
        raise Invalid(fields={"language": _("This language is not known here.")})
    return db.session().scalar(select(Translation).where(Translation.article_id == article.id, Translation.language == language))


def revision_of(translation: Translation, number: int) -> Revision | None:
    return db.session().scalar(select(Revision).where(Revision.translation_id == translation.id, Revision.number == number))


def organizations_of(article: Article) -> list[int]:
    """The organizations whose customers may read it, when its audience is organizations."""
    return list(db.session().scalars(select(ArticleOrganization.organization_id).where(ArticleOrganization.article_id == article.id)))


def related_to(article: Article) -> list[int]:
    """The articles that an author placed beside this one, in their order."""
    chosen = select(RelatedArticle.related_id).where(RelatedArticle.article_id == article.id)
    return list(db.session().scalars(chosen.order_by(RelatedArticle.position)))


def outdated(translation: Translation, all_of_them: Iterable[Translation]) -> bool:
    """Whether another language has said something new since this one was published or confirmed."""
    if translation.published_revision is None or translation.checked_at is None:
        return False
    checked = translation.checked_at
    return any(other.id != translation.id and other.said_at is not None and other.said_at > checked for other in all_of_them)


# --- words and addresses -----------------------------------------------------------------------------------------------------------------

_LATIN = dict(zip(
    "абвгдеёжзийклмнопрстуфхцчшщъыьэюя",
    [*"abvgdee", "zh", *"ziyklmnoprstuf", "kh", "ts", "ch", "sh", "sch", "", "y", "", "e", "yu", "ya"],
    strict=True,
))  # fmt: skip


def slug_of(title: str) -> str:
    """A title as the last part of an address: Latin letters, digits and hyphens, so that it survives every mail program."""
    plain = "".join(_LATIN.get(letter, letter) for letter in unicodedata.normalize("NFC", title).lower())
    ascii_ = unicodedata.normalize("NFKD", plain).encode("ascii", "ignore").decode()
    return re.sub(r"[^a-z0-9]+", "-", ascii_).strip("-")[:80].strip("-")


def clean_tags(tags: Iterable[str]) -> list[str]:
    """Tags in small letters, each once, in their order."""
    cleaned = (" ".join(tag.lower().split())[:40] for tag in tags)
    return list(dict.fromkeys(tag for tag in cleaned if tag))[:20]


def _free_slug(slug: str, language: str, article: Article) -> str:
    slug = slug or f"article-{article.id}"
    taken = select(Translation.slug).where(
        Translation.language == language, Translation.article_id != article.id, Translation.slug.startswith(slug, autoescape=True)
    )
    former = select(FormerAddress.slug).where(
        FormerAddress.language == language, FormerAddress.article_id != article.id, FormerAddress.slug.startswith(slug, autoescape=True)
    )
    used = set(db.session().scalars(taken)) | set(db.session().scalars(former))
    if slug not in used:
        return slug
    return next(f"{slug}-{n}" for n in range(2, len(used) + 3) if f"{slug}-{n}" not in used)


def _clean_title(title: str) -> str:
    title = " ".join(unicodedata.normalize("NFC", title).replace("\x00", "").split())
    if len(title) > LONGEST_TITLE:
        raise Invalid(fields={"title": _("Please shorten this to %(n)s characters.", n=LONGEST_TITLE)})
    return title


def _clean_body(body: str) -> str:
    body = unicodedata.normalize("NFC", body).replace("\x00", "").replace("\r\n", "\n").strip()
    if len(body) > LONGEST_BODY:
        raise Invalid(fields={"body": _("Please shorten this to %(n)s characters.", n=LONGEST_BODY)})
    return body


# --- changing ------------------------------------------------------------------------------------------------------------------------

STALE: Words = _("Somebody else edited this article while you were writing. Your text is still here: look at theirs, then save.")


def _change(article: Article, seen: int | None, **values: Any) -> None:
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
    _change(article, seen)


def require_whole(translation: Translation) -> None:
    """Refuse to show anybody a draft without title or text. Raises Invalid."""
    if not translation.draft_title:
        raise Invalid(fields={"title": _("An article needs a title.")})
    if not translation.draft_body:
        raise Invalid(fields={"body": _("An article needs a text.")})


def forget_approval(translation: Translation) -> None:
    """Other words than the approved ones: they need their own approval."""
    translation.publish_at, translation.publish_by_id, translation.publish_note = None, None, ""


def _visibly_changed(article: Article) -> None:
    """Raise the knowledge base's revision and note it on the article. The row's lock makes revisions become visible in their order."""
    session = db.session()
    raised = update(KbState).where(KbState.id == 1).values(revision=KbState.revision + 1).returning(KbState.revision)
    number = session.scalar(raised, execution_options={"synchronize_session": False})
    if number is None:
        number = 1
        session.add(KbState(id=1, revision=number))
    article.changed = number
    session.flush()


def _set_related(article: Article, wanted: list[int]) -> None:
    session = db.session()
    session.execute(delete(RelatedArticle).where(RelatedArticle.article_id == article.id))
    known = set(session.scalars(select(Article.id).where(Article.id.in_(wanted))))
    session.add_all(
        RelatedArticle(article_id=article.id, related_id=id, position=position) for position, id in enumerate(wanted) if id in known
    )
    session.flush()


def _set_organizations(article: Article, wanted: Iterable[int]) -> None:
    session = db.session()
    session.execute(delete(ArticleOrganization).where(ArticleOrganization.article_id == article.id))
    session.add_all(ArticleOrganization(article_id=article.id, organization_id=id) for id in sorted(set(wanted)))
    session.flush()
