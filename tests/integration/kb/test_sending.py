"""Articles in an agent's reply: found in the workspace, sent as a link or as text in the customer's language, and counted."""

from __future__ import annotations

import re

import pytest
from sqlalchemy import select

from helpdesk import db
from helpdesk.actor import Actor
from helpdesk.crm.models import Organization
from helpdesk.kb import insight
from helpdesk.kb.models import Article, ArticleOrganization, ArticleUse, Audience, SearchLog
from helpdesk.tickets import lifecycle
from helpdesk.tickets.models import Message, Ticket
from tests import people
from tests.desks import TestDesk
from tests.forms import Browser
from tests.integration.kb.shelf import says, withdraws, writes


@pytest.fixture
def ticket(desk: TestDesk) -> Ticket:
    return people.writes(desk.people.oleg, "Где мой возврат денег?", inbox=desk.people.mail, subject="Возврат")


@pytest.fixture
def refund(desk: TestDesk) -> Article:
    made = writes(desk, "Getting a refund", "## Ask us\n\n1. Write\n2. Wait, see [hours](/kb/en/hours)\n\n![shot](/kb/files/1)")
    says(desk, made, "Возврат денег", "Напишите нам.", language="ru")
    return made


def links(page: str) -> list[str]:
    return re.findall(r'data-insert="([^"]+)"', page)


def found(agent: Browser, ticket: Ticket, words: str = "", key: str = "") -> str:
    return agent.open(f"/tickets/{ticket.number}/articles", query_string={"q": words, "key": key}).text


def uses() -> set[int]:
    with db.read() as session:
        return set(session.scalars(select(ArticleUse.article_id)))


def test_what_is_found_is_offered_in_the_customers_language(desk: TestDesk, ticket: Ticket, refund: Article) -> None:
    english_only = writes(desk, "Refund of delivery costs")
    page = found(Browser(desk, desk.people.alice), ticket, "refund")
    assert set(links(page)) == {"http://localhost/kb/ru/vozvrat-deneg", "http://localhost/kb/en/refund-of-delivery-costs"}
    assert f"/tickets/{ticket.number}/articles/{english_only.id}/en" in page


def test_without_words_the_ticket_itself_is_the_question_and_nothing_is_logged(desk: TestDesk, ticket: Ticket, refund: Article) -> None:
    writes(desk, "Opening hours")
    agent = Browser(desk, desk.people.alice)
    assert links(found(agent, ticket)) == ["http://localhost/kb/ru/vozvrat-deneg"]
    for words in ("ref", "refund"):
        found(agent, ticket, words, key="composer-key-1")
    with db.read() as session:
        assert [(row.query, row.place) for row in session.scalars(select(SearchLog))] == [("refund", "workspace")]


def test_the_text_comes_as_a_mail_can_carry_it(desk: TestDesk, ticket: Ticket, refund: Article) -> None:
    agent = Browser(desk, desk.people.alice)
    text = agent.open(f"/tickets/{ticket.number}/articles/{refund.id}/en").get_json()["text"]
    assert text == "Getting a refund\n\nAsk us\n\n1. Write\n2. Wait, see hours (http://localhost/kb/en/hours)"


def test_no_link_is_offered_to_what_the_customer_may_not_open(desk: TestDesk, ticket: Ticket) -> None:
    with db.transaction() as session:
        theirs, others = Organization(name="Cups"), Organization(name="Plates")
        session.add_all([theirs, others])
        session.flush()
        session.get_one(Ticket, ticket.id).organization_id = theirs.id
    inner = writes(desk, "Refund limits", audience=Audience.AGENTS)
    for organization, title in ((theirs, "Refund for Cups"), (others, "Refund for Plates")):
        article = writes(desk, title, audience=Audience.ORGANIZATIONS)
        with db.transaction() as session:
            session.add(ArticleOrganization(article_id=article.id, organization_id=organization.id))
    page = found(Browser(desk, desk.people.alice), ticket, "refund")
    assert links(page) == ["http://localhost/kb/en/refund-for-cups"]
    assert f'data-article-text="/tickets/{ticket.number}/articles/{inner.id}/en"' in page and "colleagues only" in page


def test_what_was_sent_counts_once_the_ticket_is_solved(desk: TestDesk, ticket: Ticket, refund: Article) -> None:
    named, silent = writes(desk, "Opening hours"), writes(desk, "Never sent")
    agent = Browser(desk, desk.people.alice)
    body = "See http://localhost/kb/en/opening-hours"
    sent = agent.send(f"/tickets/{ticket.number}/messages", kind="reply", body=body, client_id="a", article=[refund.id, "99999", "x"])
    assert sent.status_code == 303
    assert uses() == {refund.id}
    desk.work()
    assert uses() == {refund.id, named.id} and silent.id not in uses()
    with db.transaction() as session:
        lifecycle.solve(session.get_one(Ticket, ticket.id), by=Actor("user", desk.people.alice))
    with db.read():
        assert insight.insight(days=7).in_replies == 1


def test_a_note_sends_nothing(desk: TestDesk, ticket: Ticket, refund: Article) -> None:
    agent = Browser(desk, desk.people.alice)
    agent.send(f"/tickets/{ticket.number}/messages", kind="note", body="Look.", article=[refund.id])
    desk.work()
    assert uses() == set()
    with db.read() as session:
        assert session.scalars(select(Message.kind).where(Message.user_id == desk.people.alice)).all() == ["note"]


def test_neither_strangers_nor_customers_nor_withdrawn_articles(desk: TestDesk, ticket: Ticket, refund: Article) -> None:
    url = f"/tickets/{ticket.number}/articles"
    assert Browser(desk).open(url).status_code in (303, 401, 404)
    assert Browser(desk, desk.people.eve).open(url).status_code == 404
    assert Browser(desk, desk.people.eve).open(f"{url}/{refund.id}/en").status_code == 404
    agent = Browser(desk, desk.people.alice)
    assert agent.open(f"{url}/{refund.id + 50}/en").status_code == 404
    withdraws(desk, refund)
    assert agent.open(f"{url}/{refund.id}/en").status_code == 404 and links(found(agent, ticket, "refund")) == []
    assert "No article answers this yet" in found(agent, ticket, "refund")


def test_the_palette_finds_articles_too(desk: TestDesk, refund: Article) -> None:
    names = Browser(desk, desk.people.alice).open("/find?q=refu").get_json()
    assert {"name": "Getting a refund", "kind": "Article", "url": "/kb/en/getting-a-refund"} in names
