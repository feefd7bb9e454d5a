"""An article's life: begun, drafted, published as an immutable revision, withdrawn, brought back to an earlier wording.

Drafts change nothing for readers. What readers can see raises the knowledge base's revision number (`KbState`), which every process's index
follows. An article's edits go by compare-and-set on its `version`, so that two authors never overwrite each other unseen.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable

from flask_babel import lazy_gettext as _
from sqlalchemy import delete, func, select

from helpdesk import clock, db
from helpdesk.actor import Actor
from helpdesk.catalog import ArticleAdded, ArticleChanged, ArticlePublished, ArticleWithdrawn
from helpdesk.errors import Conflict, Invalid, NotFound
from helpdesk.events import record
from helpdesk.kb import render
from helpdesk.kb.about import clean_tags, set_organizations
from helpdesk.kb.changes import change, visibly_changed
from helpdesk.kb.models import Article, ArticleOrganization, Audience, Revision, Translation
from helpdesk.kb.slugs import free_slug, slug_of

LANGUAGES = ("en", "ru")
LONGEST_TITLE = 300
LONGEST_BODY = 200_000


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
    set_organizations(article, organizations)
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
    change(article, seen, updated_at=clock.now())
    if translation is None:
        translation = Translation(article_id=article.id, language=language, slug=free_slug(slug_of(title), language, article))
        session.add(translation)
    elif translation.published_revision is None:
        # Nobody knows the address yet, so it may still follow the title.
        translation.slug = free_slug(slug_of(title), language, article)
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
    change(article, seen, updated_at=now, withdrawn_at=None)
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
    visibly_changed(article)
    record(ArticlePublished(article.id, number, by, language))
    return revision


def withdraw(article: Article, *, by: Actor, seen: int | None = None) -> Article:
    """Show the article to nobody any more; publishing it again brings it back. Withdrawing twice changes nothing."""
    if article.withdrawn_at is not None:
        return article
    change(article, seen, withdrawn_at=clock.now())
    for translation in translations(article):
        forget_approval(translation)
    visibly_changed(article)
    record(ArticleWithdrawn(article.id, by))
    return article


def restore(article: Article, language: str, number: int, *, by: Actor, seen: int | None = None) -> Translation:
    """Take an earlier revision's words as the draft; publishing them is the next step. Raises NotFound, Conflict."""
    translation = translation_of(article, language)
    revision = revision_of(translation, number) if translation is not None else None
    if revision is None:
        raise NotFound
    return save_draft(article, language, title=revision.title, body=revision.body, by=by, seen=seen)


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


def outdated(translation: Translation, all_of_them: Iterable[Translation]) -> bool:
    """Whether another language has said something new since this one was published or confirmed."""
    if translation.published_revision is None or translation.checked_at is None:
        return False
    checked = translation.checked_at
    return any(other.id != translation.id and other.said_at is not None and other.said_at > checked for other in all_of_them)


# --- words -----------------------------------------------------------------------------------------------------------------


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


def require_whole(translation: Translation) -> None:
    """Refuse to show anybody a draft without title or text. Raises Invalid."""
    if not translation.draft_title:
        raise Invalid(fields={"title": _("An article needs a title.")})
    if not translation.draft_body:
        raise Invalid(fields={"body": _("An article needs a text.")})


def forget_approval(translation: Translation) -> None:
    """Other words than the approved ones: they need their own approval."""
    translation.publish_at, translation.publish_by_id, translation.publish_note = None, None, ""
