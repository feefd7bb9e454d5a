"""The circle of agents that widens with age, and who gets work back from a customer they know."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import delete, select

from helpdesk import clock, db
from helpdesk.actor import Actor
from helpdesk.agents import assignments, explaining, offers, presence, queues, steps, sweeping, waiting
from helpdesk.agents.models import (
    ItemState,
    PresenceState,
    Signature,
    WorkItem,
)
from helpdesk.auth import User
from helpdesk.catalog import ItemWidened
from helpdesk.errors import Invalid
from helpdesk.events import Delivery, Event
from helpdesk.preferences import prefer
from helpdesk.tickets import thread
from helpdesk.tickets.models import Queue, Status, Ticket
from tests import people
from tests.desks import TestDesk
from tests.integration.agents.desk_work import arrange, item_of, owner, stays


def russian_first(desk: TestDesk, *more: dict[str, Any]) -> list[dict[str, Any]]:
    """Russian 3 for five minutes, then English 1."""
    c = desk.people
    return [{"requirements": {str(c.russian): 3}, "until_age_s": 300}, *(more or ({"requirements": {}},))]


# --- steps ---------------------------------------------------------------------------------------------------------------


def test_a_step_admits_more_agents_when_its_time_is_over_by_a_timer_not_by_a_sweep(desk: TestDesk, stopped: clock.Hand) -> None:
    c = desk.people
    arrange(c.support, requirements={str(c.russian): 3}, steps=russian_first(desk))
    people.arrives(c.bob)
    ticket = people.writes(c.oleg, inbox=c.mail)
    desk.work()
    assert owner(ticket) is None and item_of(ticket).step == 1
    stays(stopped, c.bob, minutes=4.9)
    desk.work()
    assert owner(ticket) is None, "not a second early"
    stays(stopped, c.bob, minutes=0.1)
    desk.work()
    assert owner(ticket) == c.bob and item_of(ticket).step == 2
    with db.read() as session:
        assert session.scalars(select(Event.data).where(Event.kind == "item_widened")).one()["step"] == 2
    assert sweeping.sweep() == 0


def test_the_last_step_admits_the_people_of_the_overflow_queue_and_nobody_before(desk: TestDesk, stopped: clock.Hand) -> None:
    c = desk.people
    overflow = {"requirements": {str(c.english): 2}, "overflow": True}
    arrange(c.support, steps=[{"requirements": {str(c.english): 2}, "until_age_s": 600}, overflow], overflow_id=c.billing)
    people.arrives(c.eve)
    ticket = people.writes(c.carol, inbox=c.mail)
    desk.work()
    stays(stopped, c.eve, minutes=9)
    desk.work()
    assert owner(ticket) is None
    stays(stopped, c.eve, minutes=1)
    desk.work()
    assert owner(ticket) == c.eve
    # From the other side: who becomes free finds what has overflowed.
    second = people.writes(c.carol, inbox=c.mail, subject="Second")
    with db.transaction():
        presence.set_presence(c.eve, PresenceState.AWAY, by=Actor("user", c.eve))
    desk.work()
    stopped.move(minutes=11)
    desk.work()
    assert owner(second) is None
    people.arrives(c.eve)
    desk.work()
    assert owner(second) == c.eve


def test_age_counts_on_while_work_is_offered_handed_back_or_moved(desk: TestDesk, stopped: clock.Hand) -> None:
    c = desk.people
    arrange(c.support, steps=russian_first(desk), requirements={str(c.russian): 3})
    people.arrives(c.alice)
    ticket = people.writes(c.oleg, inbox=c.mail)
    desk.work()
    assert owner(ticket) == c.alice
    stays(stopped, c.alice, minutes=20)
    with db.transaction() as session:
        presence.set_presence(c.alice, PresenceState.AWAY, by=Actor("user", c.alice))
        assignments.unassign(session.get_one(Ticket, ticket.id), by=Actor("user", c.alice))
    desk.work()
    item = item_of(ticket)
    assert (item.step, item.state) == (2, ItemState.WAITING) and item.enqueued_at == ticket.opened_at


def test_a_lost_timer_is_made_good_by_the_sweep(desk: TestDesk, stopped: clock.Hand) -> None:
    c = desk.people
    people.arrives(c.bob)
    arrange(c.support, requirements={str(c.russian): 3})
    desk.work()
    ticket = people.writes(c.oleg, inbox=c.mail)
    desk.work()
    arrange(c.support, steps=russian_first(desk))
    desk.work()
    with db.transaction() as session:
        assert session.execute(delete(Delivery).where(Delivery.reaction == "reordering.steps_coming", Delivery.done_at.is_(None))).rowcount
    stays(stopped, c.bob, minutes=6)
    desk.work()
    assert owner(ticket) is None and [item_of(ticket).id] == within(steps.overdue)
    sweeping.sweep()
    desk.work()
    assert owner(ticket) == c.bob


def test_a_clock_that_is_set_back_an_hour_narrows_nothing_and_forward_widens_at_once(desk: TestDesk, stopped: clock.Hand) -> None:
    c = desk.people
    arrange(c.support, requirements={str(c.russian): 3}, steps=russian_first(desk))
    ticket = people.writes(c.oleg, inbox=c.mail)
    desk.work()
    stopped.move(minutes=6)
    desk.work()
    assert item_of(ticket).step == 2
    stopped.move(minutes=-60)
    with db.transaction() as session:
        waiting.place(session.get_one(WorkItem, item_of(ticket).id), session.get_one(Ticket, ticket.id))
    assert item_of(ticket).step == 2
    people.arrives(c.bob)
    desk.work()
    assert owner(ticket) == c.bob


def test_a_changed_queue_reshapes_what_waits_by_its_age(desk: TestDesk, stopped: clock.Hand) -> None:
    c = desk.people
    arrange(c.support, requirements={str(c.russian): 5})
    old = people.writes(c.oleg, inbox=c.mail)
    stopped.move(minutes=10)
    new = people.writes(c.oleg, inbox=c.mail, subject="New")
    desk.work()
    arrange(c.support, steps=russian_first(desk), weights={"ticket": 2}, tier=4)
    desk.work()
    assert (item_of(old).step, item_of(new).step) == (2, 1)
    assert item_of(new).step_until == new.opened_at + timedelta(minutes=5)
    assert item_of(old).weight == 2 and item_of(old).tier == 4
    with db.read() as session:
        assert session.get_one(Signature, item_of(old).signature_id).requirements == {}


def test_overflow_in_a_circle_and_steps_that_narrow_are_refused_with_names(desk: TestDesk) -> None:
    c = desk.people
    ada = Actor("user", c.ada)
    with db.transaction() as session:
        billing = session.get_one(Queue, c.billing)
        queues.edit(billing, shape(billing, overflow_id=c.support, overflow_min=10), seen=None, by=ada)
    with pytest.raises(Invalid) as circle, db.transaction() as session:
        support = session.get_one(Queue, c.support)
        queues.edit(support, shape(support, overflow_id=c.billing, overflow_min=10), seen=None, by=ada)
    assert "Support → Billing → Support" in str(circle.value.fields["steps"])
    with pytest.raises(Invalid) as narrow, db.transaction() as session:
        support = session.get_one(Queue, c.support)
        stricter = queues.Widening(5, {c.russian: 2})
        queues.edit(support, shape(support, requirements={c.russian: 1}, widenings=(stricter,)), seen=None, by=ada)
    assert "Russian 2" in str(narrow.value.fields["steps"])
    with pytest.raises(Invalid) as order, db.transaction() as session:
        support = session.get_one(Queue, c.support)
        late_then_early = (queues.Widening(10, {}), queues.Widening(5, {}))
        queues.edit(support, shape(support, widenings=late_then_early), seen=None, by=ada)
    assert "later than the one before" in str(order.value.fields["steps"])


def shape(queue: Queue, **values: Any) -> queues.Shape:
    from dataclasses import replace

    return replace(queues.shape_of(queue), **values)


def within(call: Any) -> Any:
    with db.read():
        return call()


# --- who knows the customer ------------------------------------------------------------------------------------------------


def served_by_alice(desk: TestDesk, stopped: clock.Hand) -> None:
    """Alice has answered Carol, and it is solved."""
    c = desk.people
    people.arrives(c.alice)
    first = people.writes(c.carol, inbox=c.mail, subject="First")
    desk.work()
    with db.transaction() as session:
        thread.reply(session.get_one(Ticket, first.id), "Done.", by=Actor("user", c.alice), then=Status.SOLVED)
    desk.work()
    stopped.move(seconds=5)


def test_a_customer_s_next_request_waits_for_the_agent_who_answered_last(desk: TestDesk, stopped: clock.Hand) -> None:
    c = desk.people
    served_by_alice(desk, stopped)
    with db.transaction():
        presence.set_presence(c.alice, PresenceState.AWAY, by=Actor("user", c.alice), reason="lunch")
    people.arrives(c.bob)
    ticket = people.writes(c.carol, inbox=c.mail)
    desk.work()
    item = item_of(ticket)
    assert owner(ticket) is None and (item.step, item.sticky_user_id) == (0, c.alice), "Bob is free, but Carol is Alice's for a while"
    stays(stopped, c.alice, c.bob, minutes=30)
    people.arrives(c.alice)
    desk.work()
    assert owner(ticket) == c.alice
    with db.read():
        assert explaining.why(ticket.id)["item"]["step"] == 0


def test_the_hold_ends_after_its_time(desk: TestDesk, stopped: clock.Hand) -> None:
    c = desk.people
    served_by_alice(desk, stopped)
    with db.transaction():
        presence.set_presence(c.alice, PresenceState.AWAY, by=Actor("user", c.alice))
    people.arrives(c.bob)
    ticket = people.writes(c.carol, inbox=c.mail)
    desk.work()
    for _ in range(12):
        stays(stopped, c.alice, c.bob, minutes=10)
        desk.work()
    assert owner(ticket) == c.bob and item_of(ticket).step == 1


@pytest.mark.parametrize(
    "why", ["offline", "left the queue", "lacks the skill", "deactivated", "queue does not hold", "desk does not hold"]
)
def test_nobody_is_waited_for_who_could_not_have_it(desk: TestDesk, stopped: clock.Hand, why: str) -> None:
    c = desk.people
    served_by_alice(desk, stopped)
    with db.transaction() as session:
        alice = session.get_one(User, c.alice)
        presence.set_presence(c.alice, PresenceState.OFFLINE if why == "offline" else PresenceState.AWAY, by=Actor("user", c.alice))
        if why == "left the queue":
            session.execute(people.QueueMember.__table__.delete().where(people.QueueMember.user_id == c.alice))
        elif why == "lacks the skill":
            session.get_one(Queue, c.support).requirements = {str(c.english): 3}
            session.get_one(people.AgentSkill, (c.alice, c.english)).level = 1
        elif why == "deactivated":
            alice.active = False
        elif why == "queue does not hold":
            session.get_one(Queue, c.support).hold_s = 0
        elif why == "desk does not hold":
            prefer(hold_ticket_s=0)
    people.arrives(c.bob)
    ticket = people.writes(c.carol, inbox=c.mail)
    desk.work()
    assert owner(ticket) == c.bob


def test_work_held_for_somebody_who_goes_offline_goes_on_at_once(desk: TestDesk, stopped: clock.Hand) -> None:
    c = desk.people
    served_by_alice(desk, stopped)
    with db.transaction():
        presence.set_presence(c.alice, PresenceState.AWAY, by=Actor("user", c.alice))
    people.arrives(c.bob)
    ticket = people.writes(c.carol, inbox=c.mail)
    desk.work()
    assert owner(ticket) is None
    with db.transaction():
        presence.set_presence(c.alice, PresenceState.OFFLINE, by=Actor("user", c.alice))
    desk.work()
    assert owner(ticket) == c.bob


def test_declining_what_was_held_ends_the_hold(desk: TestDesk, stopped: clock.Hand) -> None:
    c = desk.people
    served_by_alice(desk, stopped)
    arrange(c.support, acceptance="offer")
    people.arrives(c.bob)
    ticket = people.writes(c.carol, inbox=c.mail)
    desk.work()
    with db.transaction():
        [offer] = offers.open_offers(c.alice)
        offers.decline(offer, reason="busy", by=Actor("user", c.alice))
    desk.work()
    with db.read():
        assert [offer.ticket_id for offer in offers.open_offers(c.bob)] == [ticket.id] and offers.open_offers(c.alice) == []


def test_work_that_is_looked_at_just_after_its_step_s_end_moves_on_then_and_keeps_its_timers(desk: TestDesk, stopped: clock.Hand) -> None:
    c = desk.people
    second = {"requirements": {str(c.russian): 2}, "until_age_s": 600}
    arrange(c.support, requirements={str(c.russian): 3}, steps=russian_first(desk, second, {"requirements": {}}))
    people.arrives(c.bob)
    ticket = people.writes(c.carol, inbox=c.mail)
    desk.work()
    stays(stopped, c.bob, minutes=5.01)
    with db.transaction() as session:  # its timer is due, but something else is heard of first
        item = session.scalars(select(WorkItem).where(WorkItem.ticket_id == ticket.id)).one()
        waiting.place(item, session.get_one(Ticket, ticket.id))
    assert item_of(ticket).step == 2
    desk.work()
    stays(stopped, c.bob, minutes=5)
    desk.work()
    assert item_of(ticket).step == 3 and owner(ticket) == c.bob and sweeping.sweep() == 0


def test_widening_is_a_fact_of_the_ticket_s_history(desk: TestDesk) -> None:
    from helpdesk.agents.admin.words import FACTS
    from helpdesk.events import stored_name

    assert stored_name(ItemWidened) in FACTS
