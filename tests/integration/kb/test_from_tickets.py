"""A solved ticket becomes an article in two clicks: the draft, and its publication."""

from __future__ import annotations

from sqlalchemy import select

from helpdesk import db
from helpdesk.actor import Actor
from helpdesk.kb.models import Article, Translation
from helpdesk.tickets import thread
from helpdesk.tickets.models import Ticket
from tests import people
from tests.desks import TestDesk
from tests.integration.portal.visitors import account, token


def test_the_draft_holds_question_and_answer_but_no_note(desk: TestDesk) -> None:
    ticket = people.writes(desk.people.carol, "It leaks.\nFrom below.", inbox=desk.people.mail, subject="Water under the machine")
    with db.transaction() as session:
        again = session.get_one(Ticket, ticket.id)
        thread.note(again, "He is angry.", by=Actor("user", desk.people.alice))
        thread.reply(again, "Please tighten the **tank**.", by=Actor("user", desk.people.alice))
    alice = desk.client(desk.people.alice)
    made = alice.post(f"/tickets/{ticket.number}/article", data={"csrf_token": token(alice)})
    assert made.status_code == 303 and alice.get(made.location).status_code == 200
    assert alice.post(f"/tickets/{ticket.number}/article", data={"csrf_token": token(alice)}).location == made.location
    with db.read() as session:
        article, draft = session.scalars(select(Article)).one(), session.scalars(select(Translation)).one()
    assert article.source_ticket_id == ticket.id and draft.published_revision is None
    assert draft.draft_title == "Water under the machine"
    assert draft.draft_body == "> It leaks.\n> From below.\n\nPlease tighten the **tank**."


def test_a_russian_ticket_becomes_a_russian_draft(desk: TestDesk) -> None:
    ticket = people.writes(desk.people.oleg, "Протекает.", inbox=desk.people.mail, subject="Вода")
    alice = desk.client(desk.people.alice)
    made = alice.post(f"/tickets/{ticket.number}/article", data={"csrf_token": token(alice)})
    assert made.location.endswith("/ru")


def test_nobody_makes_an_article_of_a_ticket_they_may_not_see(desk: TestDesk) -> None:
    ticket = people.writes(desk.people.carol, inbox=desk.people.mail)
    eve, customer = desk.client(desk.people.eve), desk.client(account(desk.people.carol))
    for client in (eve, customer):
        assert client.post(f"/tickets/{ticket.number}/article", data={"csrf_token": token(client)}).status_code == 404
    with db.read() as session:
        assert session.scalars(select(Article)).all() == []
