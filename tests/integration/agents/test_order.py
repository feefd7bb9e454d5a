"""What comes before what: value, urgency, emergencies, clocks that pause."""

from __future__ import annotations

import pytest

from helpdesk import clock, db
from helpdesk.actor import Actor
from helpdesk.agents import emergencies
from helpdesk.agents.models import (
    AgentProfile,
)
from helpdesk.crm.models import Contact
from helpdesk.errors import Conflict
from helpdesk.preferences import prefer
from helpdesk.tickets import lifecycle
from helpdesk.tickets.models import Priority, Status, Ticket
from tests import people
from tests.desks import TestDesk
from tests.integration.agents.desk_work import item_of, owner


def first_of(desk: TestDesk, *tickets: Ticket) -> int | None:
    """Whose ticket Alice, with room for one, gets."""
    with db.transaction() as session:
        session.get_one(AgentProfile, desk.people.alice).capacity = 1
    people.arrives(desk.people.alice)
    desk.work()
    return next((ticket.id for ticket in tickets if owner(ticket) == desk.people.alice), None)


def test_a_valuable_customer_comes_first_within_the_bound_and_it_is_said_why(desk: TestDesk, stopped: clock.Hand) -> None:
    c = desk.people
    with db.transaction() as session:
        session.get_one(Contact, c.oleg).tier = "vip"
    plain = people.writes(c.carol, inbox=c.mail)
    stopped.move(minutes=14)
    vip = people.writes(c.oleg, inbox=c.mail)
    desk.work()
    assert item_of(vip).boost == {"total_s": 900.0, "priority_s": 0.0, "value_s": 900.0}
    assert first_of(desk, plain, vip) == vip.id
    page = desk.client(c.alice).get(f"/tickets/{vip.number}/why").text
    assert "15 minutes before its deadline" in page and "for the customer" in page


def test_nobody_is_overtaken_by_what_comes_later_than_the_largest_boost(desk: TestDesk, stopped: clock.Hand) -> None:
    c = desk.people
    with db.transaction() as session:
        session.get_one(Contact, c.oleg).tier = "vip"
        prefer(boost_urgent_s=100_000, boost_largest_s=1200)
    plain = people.writes(c.carol, inbox=c.mail)
    stopped.move(minutes=21)
    grand = people.writes(c.oleg, inbox=c.mail, priority=Priority.URGENT)
    desk.work()
    assert item_of(grand).boost["total_s"] == 1200
    assert first_of(desk, plain, grand) == plain.id


def test_an_emergency_goes_before_everything_until_it_is_urgent_no_longer(desk: TestDesk, stopped: clock.Hand) -> None:
    c = desk.people
    old = people.writes(c.carol, inbox=c.mail)
    stopped.move(hours=3)
    fire = people.writes(c.oleg, inbox=c.mail)
    desk.work()
    with db.transaction() as session:
        emergencies.declare(session.get_one(Ticket, fire.id), by=Actor("user", c.dana))
    desk.work()
    assert (item_of(fire).tier, item_of(old).tier) == (0, 1)
    assert first_of(desk, old, fire) == fire.id
    with db.transaction() as session:
        lifecycle.set_priority(session.get_one(Ticket, fire.id), Priority.NORMAL, by=Actor("user", c.dana))
    desk.work()
    assert item_of(fire).tier == 1 and not item_of(fire).emergency
    with pytest.raises(Conflict), db.transaction() as session:
        lifecycle.solve(session.get_one(Ticket, old.id), by=Actor("user", c.dana))
        emergencies.declare(session.get_one(Ticket, old.id), by=Actor("user", c.dana))


def test_only_those_who_lead_declare_emergencies(desk: TestDesk) -> None:
    from tests.forms import Browser

    c = desk.people
    people.arrives(c.alice)
    ticket = people.writes(c.carol, inbox=c.mail)
    desk.work()
    path = f"/tickets/{ticket.number}/emergency"
    assert Browser(desk, c.alice).send(path, page="/inbox").status_code in (403, 404)
    assert not item_of(ticket).emergency
    assert Browser(desk, c.dana).send(path, page="/inbox").status_code == 303
    assert item_of(ticket).emergency


def test_the_key_follows_a_clock_that_pauses_and_goes_on(desk: TestDesk, stopped: clock.Hand) -> None:
    c = desk.people
    ticket = people.writes(c.carol, inbox=c.mail)
    desk.work()
    before = item_of(ticket).vkey
    with db.transaction() as session:
        lifecycle.set_status(session.get_one(Ticket, ticket.id), Status.ON_HOLD, by=Actor("user", c.dana))
    stopped.move(minutes=30)
    with db.transaction() as session:
        lifecycle.set_status(session.get_one(Ticket, ticket.id), Status.OPEN, by=Actor("user", c.dana))
    desk.work()
    assert item_of(ticket).vkey == before + 30 * 60 * 1000
