"""Why did I get this, why is it still waiting: the page tells the stored decision and each member's rule, in both languages."""

from __future__ import annotations

import re

from sqlalchemy import select

from helpdesk import clock, db
from helpdesk.actor import Actor
from helpdesk.agents import assignments, offers
from helpdesk.agents.models import AgentProfile, Offer, QueueMember
from helpdesk.auth import User
from helpdesk.tickets.models import Queue, Ticket
from tests import people
from tests.desks import TestDesk


def page(desk: TestDesk, user: int, ticket: Ticket, lang: str = "en") -> str:
    html = desk.client(user).get(f"/tickets/{ticket.number}/why?lang={lang}").text
    return html[html.index("<main") : html.index("</main>")]


def test_who_was_chosen_when_it_came_why_and_why_not_the_others(desk: TestDesk, stopped: clock.Hand) -> None:
    company = desk.people
    with db.transaction() as session:
        session.get_one(Queue, company.support).requirements = {str(company.russian): 2}
    people.arrives(company.alice, company.bob)
    ticket = people.writes(company.oleg, inbox=company.mail)
    desk.work()
    mine = page(desk, company.alice, ticket)
    assert "Why did I get this?" in mine and "Alice was chosen: was the only one possible" in mine
    assert "does not have Russian, and level 2 is asked for" in mine and "2 candidates were looked at" in mine
    assert "Why this agent?" in page(desk, company.dana, ticket)
    russian = page(desk, company.alice, ticket, "ru")
    assert "Почему это досталось мне?" in russian and "нет навыка «Russian», а нужен уровень 2" in russian
    assert not re.search(r">[^<]*(was chosen|is asked for|candidates)", russian)


def test_somebody_who_became_free_got_what_came_first(desk: TestDesk, stopped: clock.Hand) -> None:
    company = desk.people
    first = people.writes(company.carol, inbox=company.mail)
    stopped.move(minutes=5)
    people.writes(company.carol, inbox=company.mail)
    desk.work()
    with db.transaction() as session:
        session.get_one(AgentProfile, company.bob).capacity = 1
    people.arrives(company.bob)
    desk.work()
    assert "Bob had room again, and of the work that waited for them this came first" in page(desk, company.bob, first)


def test_what_waits_names_each_member_with_the_rule_of_this_moment(desk: TestDesk, stopped: clock.Hand) -> None:
    company = desk.people
    with db.transaction() as session:
        session.get_one(AgentProfile, company.bob).capacity = 0
    people.arrives(company.bob)
    ticket = people.writes(company.carol, inbox=company.mail)
    desk.work()
    shown = page(desk, company.dana, ticket)
    assert "Why is it still waiting?" in shown and "at this moment. It is first in line." in shown
    assert "has no room: 0 of 0 are taken, and it takes 1" in shown and "is offline" in shown
    with db.transaction() as session:
        session.get_one(AgentProfile, company.bob).capacity = 5
    assert "may have it" in page(desk, company.dana, ticket)  # asked of this moment, not of when it came


def test_work_by_hand_says_so_and_claims_no_decision(desk: TestDesk) -> None:
    company = desk.people
    ticket = people.writes(company.carol, inbox=company.mail)
    desk.work()
    with db.transaction() as session:
        bob = session.get_one(User, company.bob)
        assignments.assign(session.get_one(Ticket, ticket.id), bob, how="manual", by=Actor("user", company.dana))
    shown = page(desk, company.bob, ticket)
    assert "Somebody gave it to Bob by hand. Routing did not choose." in shown and "was chosen" not in shown


def test_an_offer_explains_itself_before_it_is_accepted(desk: TestDesk) -> None:
    company = desk.people
    with db.transaction() as session:
        session.add(QueueMember(queue_id=company.billing, user_id=company.bob))
        people.presence.set_presence(company.bob, people.PresenceState.AWAY, by=Actor("user", company.bob), reason="lunch")
    people.arrives(company.eve)
    ticket = people.writes(company.carol, inbox=company.billing_mail)
    desk.work()
    shown = page(desk, company.eve, ticket)
    assert "Eve was chosen" in shown and "Bob" in shown and "is away" in shown
    with db.transaction() as session:
        offers.decline(session.scalars(select(Offer)).one(), reason="busy", by=Actor("user", company.eve))
    assert "Why is it still waiting?" in page(desk, company.eve, ticket)


def test_the_page_is_for_those_who_may_see_the_ticket(desk: TestDesk) -> None:
    ticket = people.writes(desk.people.carol, inbox=desk.people.mail)
    assert desk.client(desk.people.eve).get(f"/tickets/{ticket.number}/why").status_code == 404
    assert "No decision is recorded" in page(desk, desk.people.dana, ticket)
