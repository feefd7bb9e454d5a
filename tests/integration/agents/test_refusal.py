"""Offers that are declined, withdrawn, or accepted too late, who is asked again, and what a decision says about who was looked at."""

from __future__ import annotations

import pytest
from sqlalchemy import select

from helpdesk import clock, db
from helpdesk.actor import Actor
from helpdesk.agents import assignments, explaining, offers, presence, sweeping
from helpdesk.agents.models import (
    AgentProfile,
    Exclusion,
    Offer,
    PresenceState,
)
from helpdesk.auth import User
from helpdesk.errors import Conflict
from helpdesk.tickets import lifecycle
from helpdesk.tickets.models import Queue, Ticket
from tests import people
from tests.desks import TestDesk
from tests.forms import Browser
from tests.integration.agents.desk_work import arrange, offered, owner, stays


def declined_while_bob_is_full(desk: TestDesk) -> Ticket:
    """Alice and Bob are there, Bob has no room; Alice declines what is offered to her."""
    c = desk.people
    arrange(c.support, acceptance="offer")
    people.arrives(c.alice, c.bob)
    with db.transaction() as session:
        session.get_one(AgentProfile, c.bob).capacity = 0
    ticket = people.writes(c.oleg, inbox=c.mail)
    desk.work()
    with db.transaction():
        [offer] = offers.open_offers(c.alice)
        offers.decline(offer, reason="busy", by=Actor("user", c.alice))
    desk.work()
    return ticket


def test_who_accepts_too_late_is_told_who_has_it(desk: TestDesk, stopped: clock.Hand) -> None:
    c = desk.people
    arrange(c.support, acceptance="offer")
    people.arrives(c.alice)
    ticket = people.writes(c.oleg, inbox=c.mail)
    desk.work()
    with db.read():
        [offer] = offers.open_offers(c.alice)
    with db.transaction() as session:
        assignments.assign(session.get_one(Ticket, ticket.id), session.get_one(User, c.bob), how="manual", by=Actor("user", c.dana))
    with pytest.raises(Conflict) as late, db.transaction() as session:
        offers.accept(session.get_one(Offer, offer.id), by=Actor("user", c.alice))
    assert "Bob has it" in str(late.value.detail)
    assert owner(ticket) == c.bob


def test_who_declined_is_asked_again_when_the_exclusion_is_over_without_any_sweep(desk: TestDesk, stopped: clock.Hand) -> None:
    c = desk.people
    ticket = declined_while_bob_is_full(desk)
    with db.read():
        assert offers.open_offers(c.alice) == [], "Bob is only full: he may have room soon"
    stays(stopped, c.alice, c.bob, minutes=5.1)
    desk.work()
    with db.read():
        assert [offer.ticket_id for offer in offers.open_offers(c.alice)] == [ticket.id]


def test_when_the_last_who_did_not_decline_leaves_the_others_are_asked_again(desk: TestDesk, stopped: clock.Hand) -> None:
    c = desk.people
    ticket = declined_while_bob_is_full(desk)
    with db.transaction():
        presence.set_presence(c.bob, PresenceState.OFFLINE, by=Actor("user", c.bob))
    desk.work()
    with db.read() as session:
        assert [offer.ticket_id for offer in offers.open_offers(c.alice)] == [ticket.id]
        assert session.scalars(select(Exclusion)).all() == []
        assert explaining.why(ticket.id)["item"]["lapsed"] is True


def test_who_alone_let_it_expire_is_asked_again_as_soon_as_they_are_back(desk: TestDesk, stopped: clock.Hand) -> None:
    c = desk.people
    arrange(c.support, acceptance="offer")
    people.arrives(c.alice)
    ticket = people.writes(c.oleg, inbox=c.mail)
    desk.work()
    with db.transaction():
        presence.set_presence(c.alice, PresenceState.NOT_RESPONDING, by=Actor("system"))
    desk.work()
    assert offered(c.alice) == [] and owner(ticket) is None
    stays(stopped, c.alice, minutes=0.5)
    people.arrives(c.alice)
    desk.work()
    assert [offer.ticket_id for offer in offered(c.alice)] == [ticket.id], "nobody else is left, so the refusal is forgotten"
    with db.read():
        assert explaining.why(ticket.id)["item"]["lapsed"] is True
    assert sweeping.sweep() == 0


def test_who_comes_back_while_a_colleague_is_left_is_not_asked_again_before_the_time(desk: TestDesk, stopped: clock.Hand) -> None:
    c = desk.people
    ticket = declined_while_bob_is_full(desk)
    for state in (PresenceState.AWAY, PresenceState.AVAILABLE):
        with db.transaction():
            presence.set_presence(c.alice, state, by=Actor("user", c.alice))
        desk.work()
    assert offered(c.alice) == [] and owner(ticket) is None, "Bob is only full: he may have room soon"


def test_who_comes_back_gets_the_most_urgent_also_when_they_refused_it(desk: TestDesk, stopped: clock.Hand) -> None:
    c = desk.people
    arrange(c.support, acceptance="offer")
    with db.transaction() as session:
        session.get_one(AgentProfile, c.alice).capacity = 1
    people.arrives(c.alice)
    first = people.writes(c.oleg, inbox=c.mail)
    desk.work()
    with db.transaction():
        presence.set_presence(c.alice, PresenceState.AWAY, by=Actor("user", c.alice))
    desk.work()
    stopped.move(seconds=5)
    second = people.writes(c.oleg, inbox=c.mail, subject="Later")
    desk.work()
    people.arrives(c.alice)
    desk.work()
    assert [offer.ticket_id for offer in offered(c.alice)] == [first.id] and owner(second) is None
    assert sweeping.sweep() == 0


def test_the_only_other_who_could_have_it_loses_the_skill_and_whoever_refused_is_asked_again(desk: TestDesk, stopped: clock.Hand) -> None:
    c = desk.people
    ticket = declined_while_bob_is_full(desk)
    Browser(desk, c.ada).save(f"/admin/people/{c.bob}", queues=[str(c.billing)])
    desk.work()
    assert [offer.ticket_id for offer in offered(c.alice)] == [ticket.id]


@pytest.mark.parametrize("how", ["given", "solved", "moved"])
def test_an_offer_that_is_withdrawn_leaves_room_which_is_used_at_once(desk: TestDesk, stopped: clock.Hand, how: str) -> None:
    c = desk.people
    arrange(c.support, acceptance="offer")
    with db.transaction() as session:
        session.get_one(AgentProfile, c.alice).capacity = 1
    people.arrives(c.alice)
    first = people.writes(c.oleg, inbox=c.mail)
    second = people.writes(c.oleg, inbox=c.mail, subject="Next")
    desk.work()
    assert [offer.ticket_id for offer in offered(c.alice)] == [first.id]
    with db.transaction() as session:
        ticket, dana = session.get_one(Ticket, first.id), Actor("user", c.dana)
        if how == "given":
            assignments.assign(ticket, session.get_one(User, c.bob), how="manual", by=dana)
        elif how == "solved":
            lifecycle.solve(ticket, by=dana)
        else:
            lifecycle.move(ticket, session.get_one(Queue, c.billing), by=dana)
    desk.work()
    assert [offer.ticket_id for offer in offered(c.alice)] == [second.id] and sweeping.sweep() == 0


def test_a_decision_says_who_was_looked_at_and_who_fell_out_by_which_rule(desk: TestDesk, stopped: clock.Hand) -> None:
    c = desk.people
    arrange(c.support, requirements={str(c.russian): 2})
    people.arrives(c.alice, c.bob)
    with db.transaction() as session:
        session.get_one(AgentProfile, c.alice).capacity = 0
    ticket = people.writes(c.oleg, inbox=c.mail)
    desk.work()
    with db.read():
        why = explaining.why(ticket.id)["item"]
    assert why["candidates"] == 2 and why["exclusions"] == {"capacity": 1, "skill": 1} and why["agent"] is None
    assert {(out["agent"], out["rule"]) for out in why["named"]} == {(c.alice, "capacity"), (c.bob, "skill")}
