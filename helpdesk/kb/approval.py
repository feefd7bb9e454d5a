"""From a draft to its readers: sent for review, returned with a reason, or approved: at once, or for a moment to come.

Who may approve is `policy.may(who, "publish")`. What was approved for later is exactly what appears: a draft that is edited meanwhile
loses its date, so that nobody's unapproved words are ever shown.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from flask_babel import lazy_gettext as _
from sqlalchemy import select

from helpdesk import clock, db
from helpdesk.actor import Actor
from helpdesk.catalog import ArticleChanged, ArticleReturned, ArticleScheduled, ArticleSentForReview
from helpdesk.errors import Conflict, Invalid, NotFound
from helpdesk.events import reaction, record
from helpdesk.kb import articles, changes
from helpdesk.kb.models import Article, Translation

LONGEST_NOTE = 500
FURTHEST = timedelta(days=366)


def send_for_review(article: Article, language: str, *, by: Actor, seen: int | None = None) -> Translation:
    """Ask for approval of a draft; asking twice changes nothing. Raises Invalid without title or text, NotFound, Conflict."""
    translation = _draft(article, language)
    if translation.sent_at is not None:
        return translation
    changes.raise_version(article, seen)
    translation.sent_at, translation.sent_by_id, translation.returned_note = clock.now(), by.user_id, ""
    record(ArticleSentForReview(article.id, by, language))
    return translation


def give_back(article: Article, language: str, *, note: str, by: Actor) -> Translation:
    """Return a draft to its author, saying what is to be done. Raises Invalid without a reason, Conflict when it was not sent."""
    translation = _draft(article, language)
    note = " ".join(note.replace("\x00", "").split())[:LONGEST_NOTE]
    if not note:
        raise Invalid(fields={"returned_note": _("Please say what is to be done first.")})
    if translation.sent_at is None:
        raise Conflict(_("This draft is not waiting for a review any more."))
    changes.raise_version(article, None)
    translation.sent_at, translation.sent_by_id, translation.returned_note = None, None, note
    record(ArticleReturned(article.id, by, language))
    return translation


def schedule(article: Article, language: str, at: datetime, *, by: Actor, note: str = "", seen: int | None = None) -> Translation:
    """Approve a draft as it stands now, to appear at `at`. A later call moves the date. Raises Invalid, NotFound, Conflict."""
    translation = _draft(article, language)
    if not clock.now() < at <= clock.now() + FURTHEST:
        raise Invalid(fields={"publish_at": _("Please choose a moment of the coming year.")})
    changes.raise_version(article, seen)
    translation.publish_at, translation.publish_by_id, translation.publish_note = at, by.user_id, " ".join(note.split())[:300]
    translation.sent_at, translation.sent_by_id, translation.returned_note = None, None, ""
    record(ArticleScheduled(article.id, at.timestamp(), by, language))
    return translation


def unschedule(article: Article, language: str, *, by: Actor) -> Translation:
    """Take the date back; the draft stays. Without a date nothing changes."""
    translation = _draft(article, language)
    if translation.publish_at is not None:
        changes.raise_version(article, None)
        articles.forget_approval(translation)
        record(ArticleChanged(article.id, by, language, ("publish_at",)))
    return translation


@reaction(
    ArticleScheduled,
    delay=lambda fact: timedelta(seconds=max(0.0, fact.at - clock.now().timestamp())),
    name="kb.publish_on_time",
)
def publish_on_time(fact: ArticleScheduled) -> None:
    """Show what was approved, unless it was edited, moved or published meanwhile: then another delivery, or nobody, is responsible."""
    translation = db.session().scalar(
        select(Translation).where(Translation.article_id == fact.article_id, Translation.language == fact.language)
    )
    if translation is None or translation.publish_at is None or translation.publish_at > clock.now() + timedelta(seconds=1):
        return
    article = db.session().get_one(Article, fact.article_id)
    by = Actor("user", translation.publish_by_id) if translation.publish_by_id is not None else fact.by
    articles.publish(article, fact.language, by=by.through("schedule"), note=translation.publish_note)


def _draft(article: Article, language: str) -> Translation:
    translation = articles.translation_of(article, language)
    if translation is None:
        raise NotFound
    articles.require_whole(translation)
    return translation
