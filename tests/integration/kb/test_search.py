"""The search that pages, forms and programs share, over the real index on both engines."""

from __future__ import annotations

import shutil

from flask import Flask
from sqlalchemy import select

from helpdesk import db
from helpdesk.actor import SYSTEM, Actor
from helpdesk.auth import ANONYMOUS, Principal
from helpdesk.crm import contacts
from helpdesk.crm.models import Membership
from helpdesk.kb import articles, log, search
from helpdesk.kb.models import Article, Audience, SearchLog
from helpdesk.kb.source import TRUSTED_AT
from tests import people
from tests.desks import TestDesk
from tests.integration.kb.shelf import says, withdraws, writes
from tests.integration.portal.visitors import account, token


def found(app: Flask, query: str, who: Principal = ANONYMOUS, language: str = "en") -> list[str]:
    """The titles that a search finds, best first."""
    with app.app_context(), db.read():
        return [one.words for one in search.find_articles(query, who, language, "portal").articles]


def test_what_was_just_published_is_found_and_what_was_withdrawn_is_not(desk: TestDesk) -> None:
    article = writes(desk, "Return a parcel", "Put it back into its box.")
    assert found(desk.app, "how do I return parcels?") == ["Return a parcel"]
    says(desk, article, "Send goods back", "Print the label first.")
    assert found(desk.app, "label") == ["Send goods back"] and found(desk.app, "parcel") == []
    withdraws(desk, article)
    assert found(desk.app, "label") == []


def test_drafts_are_never_found(desk: TestDesk) -> None:
    article = writes(desk, "Public words")
    says(desk, article, "Public words", "The secret launch is in May.", publish=False)
    assert found(desk.app, "secret launch") == []


def test_what_is_not_committed_is_not_indexed(desk: TestDesk) -> None:
    article = writes(desk, "First")
    by = Actor("user", desk.people.dana)
    with desk.app.app_context(), db.transaction() as session:
        again = session.get_one(Article, article.id)
        articles.save_draft(again, "en", title="Phantom", body="Words.", by=by)
        articles.publish(again, "en", by=by)
        search.find_articles("phantom", ANONYMOUS, "en", "portal")
        db.doom()
    assert found(desk.app, "phantom") == []
    says(desk, article, "Second")
    assert found(desk.app, "second") == ["Second"]


def test_each_reader_finds_what_is_meant_for_them(desk: TestDesk) -> None:
    with db.transaction() as session:
        company = contacts.add_organization("Jones Ltd", by=SYSTEM)
        session.add(Membership(contact_id=desk.people.carol, organization_id=company.id))
        company_id = company.id
    writes(desk, "Discount for everybody")
    writes(desk, "Discount for Jones", audience=Audience.ORGANIZATIONS, organizations=[company_id])
    writes(desk, "Discount we may grant", audience=Audience.AGENTS)
    carol, oleg = account(desk.people.carol), account(desk.people.oleg, name="Oleg", email="oleg@klient.example")
    assert found(desk.app, "discount") == ["Discount for everybody"]
    assert found(desk.app, "discount", people.principal(oleg)) == ["Discount for everybody"]
    assert set(found(desk.app, "discount", people.principal(carol))) == {"Discount for everybody", "Discount for Jones"}
    everything = {"Discount for everybody", "Discount for Jones", "Discount we may grant"}
    assert set(found(desk.app, "discount", people.principal(desk.people.alice))) == everything


def test_the_index_is_only_a_cache_what_it_says_is_checked(desk: TestDesk) -> None:
    article = writes(desk, "For all to read")
    assert found(desk.app, "read") == ["For all to read"]
    with db.transaction() as session:  # behind the index's back: no revision is raised
        session.get_one(Article, article.id).audience = Audience.AGENTS
    assert found(desk.app, "read") == []


def test_an_article_stands_once_and_in_the_language_of_the_question(desk: TestDesk) -> None:
    article = writes(desk, "Pay with PayPal", "Choose PayPal at the end.")
    says(desk, article, "Оплата через PayPal", "Выберите PayPal в конце.", language="ru")
    assert found(desk.app, "оплата") == ["Оплата через PayPal"]
    assert found(desk.app, "paypal", language="ru") == ["Оплата через PayPal"]
    assert found(desk.app, "paypal pay", language="en") == ["Pay with PayPal"]


def test_a_lost_index_builds_itself_anew(desk: TestDesk) -> None:
    writes(desk, "Return a parcel")
    assert found(desk.app, "parcel") == ["Return a parcel"]
    shutil.rmtree(desk.settings.data / "kb-index")
    desk.app.extensions.pop("kb-engine")
    assert found(desk.app, "parcel") == ["Return a parcel"]


def test_searches_are_logged_with_what_was_opened_and_whether_it_helped(desk: TestDesk) -> None:
    article = writes(desk, "Return a parcel")
    carol = desk.client()
    page = carol.get("/kb/search?q=return").text
    link = page.split('href="/kb/en/return-a-parcel')[1].split('"')[0]
    carol.get(f"/kb/en/return-a-parcel{link}")
    key = link.removeprefix("?s=")
    carol.post("/kb/en/return-a-parcel/feedback", data={"csrf_token": token(carol), "helpful": "yes", "s": key})
    carol.get("/kb/search?q=teleport")
    with db.read() as session:
        rows = [
            (row.query, row.found, row.clicked_article_id, row.solved) for row in session.scalars(select(SearchLog).order_by(SearchLog.id))
        ]
        assert rows == [("return", 1, article.id, True), ("teleport", 0, None, None)]
        assert session.get_one(Article, article.id).views == 1 and session.get_one(Article, article.id).helpful == 1


def test_questions_that_an_article_solved_find_it_once_enough_people_said_so(desk: TestDesk) -> None:
    article = writes(desk, "Return a parcel", "Put it back into its box.")
    questions = [f"my kettle arrived broken {word}" for word in ("today", "again", "sadly", "help", "twice")]
    for number, question in enumerate(questions, 1):
        with db.transaction():
            key = log.new_key()
            log.searched(key, question, language="en", place="portal", found=0)
            log.told(key, article.id, True)
        hits = found(desk.app, "broken kettle")
        assert hits == (["Return a parcel"] if number >= TRUSTED_AT else [])


def test_one_form_is_one_search_however_often_it_asks(desk: TestDesk) -> None:
    key = log.new_key()
    for words in ("pri", "printer", "printer jams"):
        with db.transaction():
            log.searched(key, words, language="en", place="form", found=1)
    with db.read() as session:
        assert [row.query for row in session.scalars(select(SearchLog))] == ["printer jams"]
