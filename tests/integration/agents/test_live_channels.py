"""Chats and calls beside tickets: two budgets, limits per channel, what may interrupt what, and wrap-up."""

from __future__ import annotations

import pytest
from sqlalchemy import select

from helpdesk import clock, db
from helpdesk.actor import Actor
from helpdesk.agents import assignments, ending, explaining, offers, presence, queries, sweeping, waiting, wrap_up
from helpdesk.agents.models import AgentProfile, Disposition, ItemState, Offer, OfferState, PresenceState, WorkItem, WrapUp
from helpdesk.auth import User
from helpdesk.errors import Forbidden, Invalid
from helpdesk.tickets import lifecycle
from helpdesk.tickets.models import Status, Ticket
from tests import people
from tests.desks import TestDesk
from tests.forms import Browser
from tests.integration.agents.desk_work import arrange, item_of, offered, owner, stays, talks


def takes(desk: TestDesk, user: int) -> None:
    with db.transaction():
        [offer] = offers.open_offers(user)
        offers.accept(offer, by=Actor("user", user))
    desk.work()


def profile(user: int) -> AgentProfile:
    with db.read() as session:
        return session.get_one(AgentProfile, user)


def state(user: int) -> PresenceState:
    with db.read():
        return queries.presence_of(user)


def test_tickets_do_not_keep_a_call_waiting_and_a_call_keeps_everything_else_away(desk: TestDesk, stopped: clock.Hand) -> None:
    c = desk.people
    people.arrives(c.alice)
    with db.transaction() as session:
        session.get_one(AgentProfile, c.alice).capacity = 1
    mail = people.writes(c.carol, inbox=c.mail)
    desk.work()
    assert owner(mail) == c.alice, "full of tickets now"
    call = talks(desk, c.oleg, "phone")
    assert [offer.ticket_id for offer in offered(c.alice)] == [call.id]
    takes(desk, c.alice)
    assert item_of(call, "phone").state is ItemState.ASSIGNED and owner(call) == c.alice
    assert (profile(c.alice).load, profile(c.alice).live_load) == (1, 1)
    with db.transaction() as session:
        session.get_one(AgentProfile, c.alice).capacity = 6
    second = people.writes(c.carol, inbox=c.mail, subject="Second")
    chat = talks(desk, c.carol, "chat", "Third")
    assert owner(second) is None and offered(c.alice) == [], "nothing joins a call"
    with db.read():
        assert explaining.why(second.id)["item"]["exclusions"] == {"interrupt": 1}
    with db.transaction() as session:
        ending.end_contact(session.get_one(Ticket, call.id), "phone", by=Actor("user", c.alice))
    desk.work()
    assert [offer.ticket_id for offer in offered(c.alice)] == [chat.id] or owner(second) == c.alice
    assert item_of(call, "phone").state is ItemState.DONE and item_of(call).user_id == c.alice, "what is open goes on as her ticket"


def test_a_ticket_with_a_call_is_one_item_of_each_channel_and_asking_twice_makes_no_second(desk: TestDesk) -> None:
    c = desk.people
    ticket = people.writes(c.carol, inbox=c.mail)
    desk.work()
    for _ in range(2):
        with db.transaction() as session:
            made = waiting.wait_for(session.get_one(Ticket, ticket.id), "phone", by=Actor("contact", c.carol))
        desk.work()
    with db.read() as session:
        channels = list(session.scalars(select(WorkItem.channel).where(WorkItem.ticket_id == ticket.id).order_by(WorkItem.channel)))
    assert channels == ["phone", "ticket"] and made.opens_at is None
    with pytest.raises(Invalid), db.transaction() as session:
        waiting.wait_for(session.get_one(Ticket, ticket.id), "pigeon", by=Actor("contact", c.carol))


def test_a_call_that_nobody_answers_makes_the_agent_not_responding_and_goes_on(desk: TestDesk, stopped: clock.Hand) -> None:
    c = desk.people
    people.arrives(c.alice)
    call = talks(desk, c.oleg, "phone")
    stays(stopped, c.alice, minutes=0)
    people.arrives(c.bob)
    stopped.move(seconds=31)
    people.arrives(c.bob)
    desk.work()
    assert state(c.alice) is PresenceState.NOT_RESPONDING
    assert [offer.ticket_id for offer in offered(c.bob)] == [call.id] and profile(c.alice).live_load == 0
    # A ticket's offer that ran out does not: she may just be reading.
    assert sweeping.sweep() == 0


def test_limits_per_channel_and_weights_of_a_person_are_kept(desk: TestDesk) -> None:
    c = desk.people
    with db.transaction() as session:
        alice = session.get_one(AgentProfile, c.alice)
        alice.channel_caps, alice.weights, alice.live_capacity = {"chat": 2, "ticket": 1}, {"chat": 2}, 5
    people.arrives(c.alice)
    for number in range(3):
        talks(desk, c.carol, "chat", f"Chat {number}")
    assert len(offered(c.alice)) == 2 and profile(c.alice).live_load == 4
    with db.transaction() as session:
        session.get_one(AgentProfile, c.alice).channel_caps = {"ticket": 1}
    desk.work()
    with db.read():
        why = [explaining.why(offer.ticket_id)["item"] for offer in offered(c.alice)]
    assert all(part["agent"] == c.alice for part in why)
    # Two of weight two leave one of five: a third chat does not fit, whatever the limit.
    talks(desk, c.oleg, "chat", "Fourth")
    assert len(offered(c.alice)) == 2


def test_a_ticket_limit_does_not_count_what_rests_or_was_given_beyond_it(desk: TestDesk) -> None:
    c = desk.people
    with db.transaction() as session:
        session.get_one(AgentProfile, c.alice).channel_caps = {"ticket": 1}
    people.arrives(c.alice)
    first = people.writes(c.carol, inbox=c.mail, subject="First")
    second = people.writes(c.oleg, inbox=c.mail, subject="Second")
    desk.work()
    assert [owner(first), owner(second)] == [c.alice, None]
    with db.transaction() as session:
        lifecycle.set_status(session.get_one(Ticket, first.id), Status.PENDING, by=Actor("user", c.alice))
    desk.work()
    assert owner(second) == c.alice
    third = people.writes(c.oleg, inbox=c.billing_mail, subject="Third")
    desk.work()
    with db.transaction() as session:
        assignments.assign(session.get_one(Ticket, third.id), session.get_one(User, c.alice), how="manual", by=Actor("user", c.dana))
    assert owner(third) == c.alice and profile(c.alice).load == 1


# --- wrap-up ---------------------------------------------------------------------------------------------------------------


def code(name: str = "Answered") -> int:
    with db.transaction():
        return wrap_up.add(name, "Отвечено", by=Actor("system")).id


def test_mandatory_wrap_up_after_a_call_keeps_the_agent_busy_until_a_code_is_chosen(desk: TestDesk, stopped: clock.Hand) -> None:
    c = desk.people
    answered = code()
    arrange(c.support, wrap_up="mandatory")
    people.arrives(c.alice)
    call = talks(desk, c.carol, "phone")
    takes(desk, c.alice)
    with db.transaction() as session:
        ending.end_contact(session.get_one(Ticket, call.id), "phone", by=Actor("user", c.alice))
    desk.work()
    assert state(c.alice) is PresenceState.WRAP_UP and profile(c.alice).live_load == 1
    waiting = talks(desk, c.oleg, "phone", "Next")
    assert offered(c.alice) == []
    alice = Browser(desk, c.alice)
    page = alice.open("/offers").text
    assert "Wrap-up: Talk" in page and "Answered" in page
    with db.read() as session:
        wrapping = session.scalars(select(WrapUp)).one()
    assert alice.send(f"/wrap-ups/{wrapping.id}/end", page="/inbox").status_code == 422, "a code is asked for"
    assert Browser(desk, c.bob).send(f"/wrap-ups/{wrapping.id}/end", page="/inbox", disposition=str(answered)).status_code == 404
    assert alice.send(f"/wrap-ups/{wrapping.id}/end", page="/inbox", disposition=str(answered)).status_code == 303
    desk.work()
    assert state(c.alice) is PresenceState.AVAILABLE and [offer.ticket_id for offer in offered(c.alice)] == [waiting.id]
    with db.read() as session:
        assert session.get_one(WrapUp, wrapping.id).disposition_id == answered
    with pytest.raises(Forbidden), db.transaction() as session:
        wrap_up.finish(session.get_one(WrapUp, wrapping.id), None, by=Actor("user", c.bob))


@pytest.mark.parametrize("mode", ["timed", "optional"])
def test_timed_wrap_up_of_a_ticket_weighs_until_its_time_is_over(desk: TestDesk, stopped: clock.Hand, mode: str) -> None:
    c = desk.people
    arrange(c.support, wrap_up=mode, wrap_up_s=40)
    with db.transaction() as session:
        session.get_one(AgentProfile, c.alice).capacity = 1
    people.arrives(c.alice)
    first = people.writes(c.carol, inbox=c.mail, subject="First")
    desk.work()
    second = people.writes(c.oleg, inbox=c.mail, subject="Second")
    with db.transaction() as session:
        lifecycle.solve(session.get_one(Ticket, first.id), by=Actor("user", c.alice))
    desk.work()
    assert profile(c.alice).load == 1 and owner(second) is None and state(c.alice) is PresenceState.AVAILABLE
    stays(stopped, c.alice, minutes=39 / 60)
    desk.work()
    assert owner(second) is None
    stays(stopped, c.alice, minutes=1 / 60)
    desk.work()
    assert owner(second) == c.alice and profile(c.alice).load == 1
    assert "Wrap-up" not in desk.client(c.alice).get("/offers").text


def test_without_wrap_up_and_for_work_handed_on_nothing_is_asked(desk: TestDesk) -> None:
    c = desk.people
    people.arrives(c.alice)
    ticket = people.writes(c.carol, inbox=c.mail)
    desk.work()
    arrange(c.support, wrap_up="timed")
    with db.transaction() as session:
        assignments.unassign(session.get_one(Ticket, ticket.id), by=Actor("user", c.alice))
    arrange(c.support, wrap_up="none")
    with db.transaction() as session:
        lifecycle.solve(session.get_one(Ticket, ticket.id), by=Actor("user", c.alice))
    desk.work()
    with db.read() as session:
        assert session.scalars(select(WrapUp)).all() == []
    assert profile(c.alice).load == 0


def test_the_only_code_stays_while_a_queue_insists_on_one_and_a_queue_cannot_insist_without(desk: TestDesk) -> None:
    c = desk.people
    ada = Browser(desk, c.ada)
    answer = ada.save(f"/admin/queues/{c.support}", wrap_up="mandatory")
    assert answer.status_code == 422 and "Add one under Wrap-up codes first" in answer.text
    assert ada.save("/admin/dispositions", name="Answered", name_ru="Отвечено").status_code == 303
    assert ada.save("/admin/dispositions", name="answered ", name_ru="").status_code == 303
    with db.read() as session:
        first, second = session.scalars(select(Disposition).order_by(Disposition.id)).all()
    assert ada.save(f"/admin/queues/{c.support}", wrap_up="mandatory").status_code == 303
    send = {"page": "/admin/dispositions", "name": "x", "name_ru": ""}
    assert ada.send(f"/admin/dispositions/{second.id}", version=str(second.version), **send).status_code == 303
    refused = ada.send(f"/admin/dispositions/{first.id}", version=str(first.version), **{**send, "name": "y"})
    assert refused.status_code == 409 and "this is the only one" in refused.text
    assert ada.send("/admin/dispositions", page="/admin/dispositions", name="").status_code == 422


# --- going away ----------------------------------------------------------------------------------------------------------------


def works(desk: TestDesk) -> list[Ticket]:
    """Alice has two tickets."""
    c = desk.people
    people.arrives(c.alice)
    tickets = [people.writes(c.carol, inbox=c.mail, subject=str(number)) for number in range(2)]
    desk.work()
    assert [owner(ticket) for ticket in tickets] == [c.alice, c.alice]
    return tickets


@pytest.mark.parametrize("work", ["keep", "return", "hand_over"])
def test_going_away_the_agent_says_what_becomes_of_the_work(desk: TestDesk, work: str) -> None:
    c = desk.people
    tickets = works(desk)
    alice = Browser(desk, c.alice)
    assert "2 tickets are yours" in alice.open("/presence/leaving").text
    answer = alice.save("/presence/leaving", state="away", reason="lunch", work=work, colleague=str(c.eve))
    assert answer.status_code == 303
    desk.work()
    assert state(c.alice) is PresenceState.AWAY and profile(c.alice).load == (2 if work == "keep" else 0)
    expected = {"keep": c.alice, "return": None, "hand_over": c.eve}[work]
    assert [owner(ticket) for ticket in tickets] == [expected, expected]
    if work == "return":
        people.arrives(c.bob)
        desk.work()
        assert [owner(ticket) for ticket in tickets] == [c.bob, c.bob]


def test_nobody_hands_over_to_nobody_or_to_themselves_and_nothing_changes_then(desk: TestDesk) -> None:
    c = desk.people
    tickets = works(desk)
    alice = Browser(desk, c.alice)
    for to in ("", str(c.alice), "999999"):
        answer = alice.save("/presence/leaving", state="offline", work="hand_over", colleague=to)
        assert answer.status_code == 422 and "Please say who takes it" in answer.text
    assert alice.save("/presence/leaving", state="available", work="keep").status_code == 422
    assert state(c.alice) is PresenceState.AVAILABLE and owner(tickets[0]) == c.alice


def test_lowering_somebody_s_capacity_below_their_load_says_what_happens(desk: TestDesk) -> None:
    c = desk.people
    works(desk)
    ada = Browser(desk, c.ada)
    answer = ada.save(f"/admin/people/{c.alice}", capacity="1", **{"cap-chat": "2", "weight-phone": "3", "live_capacity": "4"})
    assert answer.status_code == 303
    assert "They keep it, and get nothing new until there is room" in ada.open(f"/admin/people/{c.alice}").text
    row = profile(c.alice)
    assert (row.load, row.capacity, row.live_capacity, row.channel_caps, row.weights) == (2, 1, 4, {"chat": 2}, {"phone": 3})
    third = people.writes(c.oleg, inbox=c.mail)
    desk.work()
    assert owner(third) is None
    assert ada.save(f"/admin/people/{c.alice}", **{"weight-phone": "11"}).status_code == 422


def test_offers_of_an_agent_who_does_not_respond_go_to_others(desk: TestDesk, stopped: clock.Hand) -> None:
    c = desk.people
    arrange(c.support, acceptance="offer", offer_s=120)
    people.arrives(c.alice)
    people.writes(c.oleg, inbox=c.mail)
    desk.work()
    assert len(offered(c.alice)) == 1
    with db.transaction():
        presence.set_presence(c.alice, PresenceState.NOT_RESPONDING, by=Actor("system"))
    desk.work()
    with db.read() as session:
        assert session.scalars(select(Offer.state)).all() == [OfferState.DECLINED]
