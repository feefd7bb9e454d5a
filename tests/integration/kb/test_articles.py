"""An article's life, through its verbs."""

from __future__ import annotations

import pytest
from sqlalchemy import select

from helpdesk import clock, db
from helpdesk.actor import Actor
from helpdesk.errors import Conflict, Invalid, NotFound
from helpdesk.events import Event
from helpdesk.kb import about, articles
from helpdesk.kb.models import Article, KbState, Revision, Translation
from tests.desks import TestDesk
from tests.integration.kb.shelf import says, withdraws, writes

DANA = Actor("user", 4)


def revision() -> int:
    with db.read() as session:
        return session.scalar(select(KbState.revision)) or 0


def words(article: Article, language: str = "en") -> Translation:
    with db.read() as session:
        return session.scalars(select(Translation).where(Translation.article_id == article.id, Translation.language == language)).one()


def test_a_draft_changes_nothing_for_readers_until_it_is_published(desk: TestDesk) -> None:
    article = writes(desk, "Old title", "Old words")
    before = revision()
    says(desk, article, "New title", "New words", publish=False)
    assert revision() == before and (words(article).title, words(article).body) == ("Old title", "Old words")
    says(desk, article, "New title", "New words")
    assert revision() == before + 1 and (words(article).title, words(article).text) == ("New title", "New words")


def test_each_publication_is_a_revision_that_stays_as_it_was(desk: TestDesk) -> None:
    article = writes(desk, "One", "first")
    says(desk, article, "Two", "second", note="better")
    with db.transaction() as session:
        articles.restore(session.get_one(Article, article.id), "en", 1, by=DANA)
        articles.publish(session.get_one(Article, article.id), "en", by=DANA)
    with db.read() as session:
        kept = session.execute(select(Revision.number, Revision.title, Revision.body, Revision.note).order_by(Revision.number)).all()
    assert [tuple(row) for row in kept] == [(1, "One", "first", ""), (2, "Two", "second", "better"), (3, "One", "first", "")]


def test_publishing_needs_a_title_and_a_text(desk: TestDesk) -> None:
    with db.transaction():
        article = articles.create(by=DANA)
    for title, body, field in (("", "text", "title"), ("Title", "", "body")):
        with pytest.raises(Invalid) as refused, db.transaction() as session:
            again = session.get_one(Article, article.id)
            articles.save_draft(again, "en", title=title, body=body, by=DANA)
            articles.publish(again, "en", by=DANA)
        assert list(refused.value.fields) == [field]
    with pytest.raises(Invalid), db.transaction() as session:
        articles.publish(session.get_one(Article, article.id), "tlh", by=DANA)


def test_two_authors_never_overwrite_each_other_unseen(desk: TestDesk) -> None:
    article = writes(desk, "Shared", "start")
    with db.read() as session:
        seen = session.get_one(Article, article.id).version
    with db.transaction() as session:
        articles.save_draft(session.get_one(Article, article.id), "en", title="Shared", body="Alice's words", by=DANA, seen=seen)
    with pytest.raises(Conflict), db.transaction() as session:
        articles.save_draft(session.get_one(Article, article.id), "en", title="Shared", body="Bob's words", by=DANA, seen=seen)
    assert words(article).draft_body == "Alice's words"


def test_withdrawing_hides_and_publishing_brings_back(desk: TestDesk) -> None:
    article = writes(desk, "Here")
    withdraws(desk, article)
    withdraws(desk, article)
    with db.read() as session:
        assert session.get_one(Article, article.id).withdrawn_at is not None
        assert session.scalars(select(Event.kind).order_by(Event.id)).all().count("article_withdrawn") == 1
    says(desk, article, "Here", "again")
    with db.read() as session:
        assert session.get_one(Article, article.id).withdrawn_at is None


def test_slugs_are_latin_in_both_languages_and_unique_in_each(desk: TestDesk) -> None:
    first = writes(desk, "Как вернуть товар?", language="ru")
    second = writes(desk, "Как вернуть товар", language="ru")
    english = writes(desk, "Kak vernut tovar", language="en")
    nameless = writes(desk, "!!!")
    assert words(first, "ru").slug == "kak-vernut-tovar" and words(second, "ru").slug == "kak-vernut-tovar-2"
    assert words(english).slug == "kak-vernut-tovar" and words(nameless).slug == f"article-{nameless.id}"


def test_an_address_stays_when_the_title_changes_and_moves_only_on_purpose(desk: TestDesk) -> None:
    article, other = writes(desk, "Send it back"), writes(desk, "Something else")
    says(desk, article, "Return a parcel")
    assert words(article).slug == "send-it-back"
    with db.transaction() as session:
        about.readdress(session.get_one(Article, article.id), "en", "Return a parcel", by=DANA)
    assert words(article).slug == "return-a-parcel"
    for taken in ("something-else", "?!"):
        with pytest.raises(Invalid), db.transaction() as session:
            about.readdress(session.get_one(Article, article.id), "en", taken, by=DANA)
    with pytest.raises(Invalid), db.transaction() as session:
        about.readdress(session.get_one(Article, other.id), "en", "send-it-back", by=DANA)
    with pytest.raises(NotFound), db.transaction() as session:
        about.readdress(session.get_one(Article, article.id), "ru", "vozvrat", by=DANA)


def test_a_translation_is_outdated_when_the_other_language_says_something_new(desk: TestDesk, stopped: clock.Hand) -> None:
    def outdated() -> set[str]:
        with db.read() as session:
            both = articles.translations(session.get_one(Article, article.id))
            return {one.language for one in both if articles.outdated(one, both)}

    article = writes(desk, "Prices", "10")
    stopped.move(minutes=1)
    says(desk, article, "Цены", "10", language="ru")
    assert outdated() == set()
    stopped.move(minutes=1)
    says(desk, article, "Prices", "10 euro", minor=True)
    assert outdated() == set()
    stopped.move(minutes=1)
    says(desk, article, "Prices", "20 euro")
    assert outdated() == {"ru"}
    stopped.move(minutes=1)
    says(desk, article, "Цены", "20 евро", language="ru")
    assert outdated() == set()
    stopped.move(minutes=1)
    says(desk, article, "Цены", "30 евро", language="ru")
    assert outdated() == {"en"}
    with db.transaction() as session:
        articles.confirm(session.get_one(Article, article.id), "en", by=DANA)
    assert outdated() == set()


def test_only_what_was_never_published_can_be_thrown_away(desk: TestDesk) -> None:
    shown = writes(desk, "Shown")
    with db.transaction():
        draft = articles.create(by=DANA)
        articles.save_draft(draft, "en", title="Draft", body="", by=DANA)
    with db.transaction() as session:
        articles.discard(session.get_one(Article, draft.id), by=DANA)
    with pytest.raises(Conflict), db.transaction() as session:
        articles.discard(session.get_one(Article, shown.id), by=DANA)
    with db.read() as session:
        assert [article.id for article in session.scalars(select(Article))] == [shown.id]


def test_too_long_words_are_refused_not_cut(desk: TestDesk) -> None:
    article = writes(desk, "Short")
    for title, body in (("x" * 301, "fine"), ("fine", "x" * 200_001)):
        with pytest.raises(Invalid), db.transaction() as session:
            articles.save_draft(session.get_one(Article, article.id), "en", title=title, body=body, by=DANA)
