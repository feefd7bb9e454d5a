"""Articles for tests, written by Dana in transactions of their own."""

from __future__ import annotations

from typing import Any

from helpdesk import db
from helpdesk.actor import Actor
from helpdesk.kb import articles
from helpdesk.kb.models import Article, Audience
from tests.desks import TestDesk


def writes(
    desk: TestDesk, title: str, body: str = "Words.", *, language: str = "en", audience: Audience = Audience.PUBLIC, **values: Any
) -> Article:
    """A published article."""
    by = Actor("user", desk.people.dana)
    with db.transaction():
        article = articles.create(by=by, audience=audience, **values)
        articles.save_draft(article, language, title=title, body=body, by=by)
        articles.publish(article, language, by=by)
    return article


def says(
    desk: TestDesk, article: Article, title: str, body: str = "Words.", *, language: str = "en", publish: bool = True, **values: Any
) -> None:
    """Other words of an article, published unless told otherwise."""
    by = Actor("user", desk.people.dana)
    with db.transaction() as session:
        again = session.get_one(Article, article.id)
        articles.save_draft(again, language, title=title, body=body, by=by)
        if publish:
            articles.publish(again, language, by=by, **values)


def withdraws(desk: TestDesk, article: Article) -> None:
    with db.transaction() as session:
        articles.withdraw(session.get_one(Article, article.id), by=Actor("user", desk.people.dana))
