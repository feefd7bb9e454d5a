"""Who is free and why not, and moving work by hand: what the floor says, who may look, what each deed does and to whom it is refused."""

from __future__ import annotations

import re
from typing import Any

import pytest
from sqlalchemy import select

from helpdesk import clock, db, live
from helpdesk.actor import Actor
from helpdesk.agents import assignments, offers, presence
from helpdesk.agents.leading import floor, moving
from helpdesk.agents.models import AgentProfile, Exclusion, ItemState, Offer, PresenceState, QueueMember, WorkItem
from helpdesk.auth import User
from helpdesk.errors import Conflict, Invalid
from helpdesk.events import Event
from helpdesk.tickets.models import Queue, Ticket
from tests import people
from tests.desks import TestDesk
from tests.forms import Browser
from tests.integration.agents.desk_work import owner, talks


def looks(queue: int | None = None, **how: bool) -> floor.Floor:
    with db.read() as session:
        return floor.floor(session.get_one(Queue, queue) if queue else None, **how)


def rules(queue: int, **how: bool) -> dict[str, str]:
    """Each agent's rule by name; "yes" for who could have the next item."""
    return {agent.name: str(agent.out.rule) if agent.out else "yes" for agent in looks(queue, **how).agents}


def pick(ticket: Ticket) -> str:
    with db.read() as session:
        found = session.get_one(Ticket, ticket.id)
        return f"{found.number}:{found.version}"


def takes(ticket: Ticket, user: int) -> None:
    """Somebody takes a ticket by hand, in a transaction of their own."""
    with db.transaction() as session:
        assignments.assign(session.get_one(Ticket, ticket.id), session.get_one(User, user), how="manual", by=Actor("user", user))


def facts(kind: str) -> list[Event]:
    with db.read() as session:
        return list(session.scalars(select(Event).where(Event.kind == kind).order_by(Event.id)))


# --- why not ---------------------------------------------------------------------------------------------------------------


def test_each_agent_has_the_first_rule_that_keeps_them_from_the_next_item(desk: TestDesk, stopped: clock.Hand) -> None:
    company = desk.people
    with db.transaction() as session:
        session.get_one(Queue, company.support).requirements = {str(company.russian): 2}
        for name in ("Gleb", "Hana", "Igor"):
            someone = people.person(name, people.Role.AGENT)
            session.add(QueueMember(queue_id=company.support, user_id=someone.id))
            session.add(people.AgentSkill(user_id=someone.id, skill_id=company.russian, level=3))
            session.flush()
            people.presence.set_presence(someone.id, PresenceState.AVAILABLE, by=Actor("user", someone.id))
            if name == "Gleb":
                session.get_one(AgentProfile, someone.id).capacity = 0
            if name == "Hana":
                people.presence.set_presence(someone.id, PresenceState.AWAY, by=Actor("user", someone.id), reason="lunch")
    people.arrives(company.bob)
    assert rules(company.support) == {"Alice": "presence", "Bob": "skill", "Gleb": "capacity", "Hana": "presence", "Igor": "yes"}
    assert looks(company.support).eligible == 1 and looks(company.support).next_up is None
    assert rules(company.support, everybody=True)["Eve"] == "membership"


def test_the_floor_agrees_with_what_the_match_then_does(desk: TestDesk) -> None:
    company = desk.people
    people.arrives(company.alice, company.bob)
    with db.transaction() as session:
        session.get_one(AgentProfile, company.alice).capacity = 0
    assert rules(company.support) == {"Alice": "capacity", "Bob": "yes"}
    ticket = people.writes(company.carol, inbox=company.mail)
    desk.work()
    assert owner(ticket) == company.bob


def test_who_declined_the_very_item_is_told_apart_from_who_is_busy(desk: TestDesk, stopped: clock.Hand) -> None:
    company = desk.people
    with db.transaction() as session:
        session.add(QueueMember(queue_id=company.billing, user_id=company.bob))
        session.get_one(AgentProfile, company.bob).capacity = 0
    people.arrives(company.eve, company.bob)
    people.writes(company.carol, inbox=company.billing_mail)
    desk.work()
    with db.transaction() as session:
        offers.decline(session.scalars(select(Offer)).one(), reason="busy", by=Actor("user", company.eve))
        item = session.scalars(select(WorkItem)).one()
        assert item.state is ItemState.WAITING
        assert {user: str(out.rule) for user, out in floor.explained(floor.head_of(item)).items() if out} == {
            company.eve: "excluded",
            company.bob: "capacity",
        }


def test_what_each_agent_holds_and_what_waits_stand_on_the_page(desk: TestDesk) -> None:
    company = desk.people
    people.arrives(company.alice)
    held = people.writes(company.carol, inbox=company.mail, subject="Held by Alice")
    desk.work()
    waits = people.writes(company.carol, inbox=company.billing_mail, subject="Waits for Eve")
    desk.work()
    page = Browser(desk, company.dana).open("/floor").text
    assert f"#{held.number} Held by Alice" in page and f"#{waits.number} Waits for Eve" in page
    page = Browser(desk, company.dana).open(f"/floor?queue={company.billing}").text
    assert "Waits for Eve" in page and "Held by Alice" not in page and "is offline" in page


def test_the_reasons_are_said_in_russian_too(desk: TestDesk) -> None:
    page = Browser(desk, desk.people.dana).open(f"/floor?queue={desk.people.support}&lang=ru").text
    main = page[page.index("<main") : page.index("</main>")]
    assert "не в сети" in main.lower() and not re.search(r">[^<]*\bis offline\b", main)


# --- who may ---------------------------------------------------------------------------------------------------------------


def test_the_floor_is_for_those_who_lead(desk: TestDesk) -> None:
    company = desk.people
    for agent in (company.alice, company.eve):
        browser = Browser(desk, agent)
        assert browser.open("/floor").status_code == browser.open("/floor/agents").status_code == 404
        for deed in ("returns", "assignments", "presences"):
            assert browser.send(f"/floor/{deed}", agent=str(company.bob), state="away", work="1001:1", to=str(agent)).status_code == 404
    assert Browser(desk, company.dana).open("/floor").status_code == Browser(desk, company.ada).open("/floor").status_code == 200
    assert facts("presence_changed") == []


def test_agents_do_not_watch_the_floor_and_supervisors_do(desk: TestDesk) -> None:
    assert not live.may_watch(people.principal(desk.people.alice), "floor:all")
    assert live.may_watch(people.principal(desk.people.dana), "floor:all")
    assert not live.may_watch(people.principal(desk.people.dana), "floor:1")


# --- moving work -----------------------------------------------------------------------------------------------------------


def test_work_taken_back_waits_and_goes_to_somebody_else(desk: TestDesk) -> None:
    company = desk.people
    people.arrives(company.alice)
    ticket = people.writes(company.carol, inbox=company.mail)
    desk.work()
    people.arrives(company.bob)
    assert owner(ticket) == company.alice
    answer = Browser(desk, company.dana).send("/floor/returns", work=pick(ticket))
    assert answer.status_code == 303
    desk.work()
    assert owner(ticket) == company.bob
    with db.read() as session:
        assert session.get_one(AgentProfile, company.alice).load == 0 and session.get_one(AgentProfile, company.bob).load == 1
        assert session.scalars(select(Exclusion.user_id)).all() == [company.alice]


def test_an_offer_can_be_taken_back_before_it_is_accepted(desk: TestDesk) -> None:
    company = desk.people
    with db.transaction() as session:
        session.add(QueueMember(queue_id=company.billing, user_id=company.bob))
    people.arrives(company.eve)
    ticket = people.writes(company.carol, inbox=company.billing_mail)
    desk.work()
    people.arrives(company.bob)
    with db.transaction() as session:
        moving.give_back(session.get_one(Ticket, ticket.id), seen=None, by=Actor("user", company.dana))
    desk.work()
    with db.read():
        assert offers.open_offers(company.eve) == [] and len(offers.open_offers(company.bob)) == 1
    assert facts("offer_declined")[0].actor.id == company.dana


def test_what_nobody_has_cannot_be_taken_back(desk: TestDesk) -> None:
    ticket = people.writes(desk.people.carol, inbox=desk.people.mail)
    desk.work()
    with pytest.raises(Conflict), db.transaction() as session:
        moving.give_back(session.get_one(Ticket, ticket.id), seen=None, by=Actor("user", desk.people.dana))


def test_work_given_beyond_capacity_is_theirs_and_goes_into_the_history(desk: TestDesk) -> None:
    company = desk.people
    with db.transaction() as session:
        session.get_one(AgentProfile, company.eve).capacity = 0
    first = people.writes(company.carol, inbox=company.mail)
    desk.work()
    Browser(desk, company.dana).send("/floor/assignments", work=pick(first), to=str(company.eve))
    assert owner(first) == company.eve
    [over] = facts("capacity_exceeded")
    assert (over.user_id, over.actor.id, over.data) == (company.eve, company.dana, {"load": 0, "capacity": 0})
    with db.read() as session:
        assert session.get_one(AgentProfile, company.eve).load == 0


def test_work_given_within_capacity_exceeds_nothing(desk: TestDesk) -> None:
    company = desk.people
    ticket = people.writes(company.carol, inbox=company.mail)
    desk.work()
    Browser(desk, company.dana).send("/floor/assignments", work=pick(ticket), to=str(company.eve))
    assert owner(ticket) == company.eve and facts("capacity_exceeded") == []


def test_whoever_came_too_late_is_told_who_has_it(desk: TestDesk) -> None:
    company = desk.people
    ticket = people.writes(company.carol, inbox=company.mail)
    desk.work()
    seen = pick(ticket)
    with db.transaction() as session:
        assignments.assign(
            session.get_one(Ticket, ticket.id), session.get_one(User, company.bob), how="manual", by=Actor("user", company.bob)
        )
    answer = Browser(desk, company.dana).send("/floor/assignments", work=seen, to=str(company.alice))
    assert answer.status_code == 409 and "Bob has it now" in answer.text
    assert owner(ticket) == company.bob


def test_of_several_the_refused_ones_do_not_keep_back_the_others(desk: TestDesk) -> None:
    company = desk.people
    tickets = [people.writes(company.carol, inbox=company.mail) for _ in range(3)]
    desk.work()
    picks = [pick(ticket) for ticket in tickets]
    with db.transaction() as session:
        assignments.assign(
            session.get_one(Ticket, tickets[1].id), session.get_one(User, company.bob), how="manual", by=Actor("user", company.bob)
        )
    browser = Browser(desk, company.dana)
    answer = browser.send("/floor/assignments", work=picks, to=str(company.alice), queue=str(company.support))
    assert answer.status_code == 303 and answer.headers["Location"].endswith(f"/floor?queue={company.support}")
    assert [owner(ticket) for ticket in tickets] == [company.alice, company.bob, company.alice]
    page = browser.open("/floor").text
    assert "2 tickets belong to Alice now." in page and f"#{tickets[1].number}: Bob has it now" in page
    desk.work()
    with db.read() as session:
        held = session.scalars(select(WorkItem.user_id).order_by(WorkItem.id)).all()
    assert held == [company.alice, company.bob, company.alice]


@pytest.mark.parametrize("form", [{}, {"work": "rubbish"}, {"work": "1:"}, {"work": "999999:1"}])
def test_nothing_picked_or_nonsense_moves_nothing(desk: TestDesk, form: dict[str, Any]) -> None:
    answer = Browser(desk, desk.people.dana).send("/floor/assignments", to=str(desk.people.alice), **form)
    assert answer.status_code in (404, 422)
    assert Browser(desk, desk.people.dana).send("/floor/assignments", work="1001:1").status_code == 422


def test_both_budgets_stand_there_and_a_chat_says_what_it_is_and_cannot_be_picked(desk: TestDesk) -> None:
    company = desk.people
    people.arrives(company.alice)
    ticket = people.writes(company.carol, inbox=company.mail)
    desk.work()
    chat = talks(desk, company.oleg, "chat")
    waits = talks(desk, company.oleg, "phone", "Ring me")
    page = Browser(desk, company.dana).open("/floor").text
    assert 'Tickets <span class="mono">1/6</span>' in page and 'Chats and calls <span class="mono">1/3</span>' in page
    assert f"#{chat.number}" in page and "· a chat, being offered" in page and "· a call, " in page
    picks = re.findall(r'name="work" value="(\d+):', page)
    assert str(ticket.number) in picks and str(chat.number) not in picks and str(waits.number) not in picks


# --- presence --------------------------------------------------------------------------------------------------------------


def test_a_supervisor_sets_several_agents_and_the_history_says_who_did(desk: TestDesk) -> None:
    company = desk.people
    people.arrives(company.alice, company.bob)
    Browser(desk, company.dana).send("/floor/presences", agent=[str(company.alice), str(company.bob)], state="away", reason="training")
    with db.read() as session:
        states = [session.get_one(presence.Presence, user).state for user in (company.alice, company.bob)]
    assert states == [PresenceState.AWAY] * 2
    assert {(event.user_id, event.actor.id) for event in facts("presence_changed")[-2:]} == {
        (company.alice, company.dana),
        (company.bob, company.dana),
    }


def test_only_states_that_people_choose_can_be_set_and_only_for_colleagues(desk: TestDesk) -> None:
    company = desk.people
    with db.transaction() as session:
        carla = people.person("Carla", people.Role.CUSTOMER, contact_id=company.carol)
        with pytest.raises(Invalid):
            moving.place([carla], PresenceState.AWAY, by=Actor("user", company.dana))
        with pytest.raises(Invalid):
            moving.place([session.get_one(User, company.alice)], PresenceState.WRAP_UP, by=Actor("user", company.dana))
    browser = Browser(desk, company.dana)
    assert browser.send("/floor/presences", agent=str(company.alice), state="wrap_up").status_code == 422
    assert browser.send("/floor/presences", state="away").status_code == 422
    assert browser.send("/floor/presences", agent="999999", state="away").status_code == 404


def test_a_queue_that_is_not_there_is_not_there(desk: TestDesk) -> None:
    browser = Browser(desk, desk.people.dana)
    assert [browser.open(f"/floor?queue={word}").status_code for word in ("999", "x", "9" * 30)] == [404, 404, 404]
