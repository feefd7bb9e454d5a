"""Routing on the real database: what must hold after any sequence of events, and what each agent is offered."""

from __future__ import annotations

import random
import threading
from datetime import timedelta

import pytest
from sqlalchemy import func, select

from helpdesk import clock, db, worker
from helpdesk.actor import Actor
from helpdesk.agents import assignments, explaining, offers, presence, sweeping, waiting
from helpdesk.agents.models import (
    AgentProfile,
    Assignment,
    Exclusion,
    ItemState,
    Offer,
    OfferState,
    Presence,
    PresenceState,
    QueueMember,
    WorkItem,
)
from helpdesk.auth import User
from helpdesk.catalog import OfferMade
from helpdesk.errors import Conflict, Forbidden, HelpdeskError
from helpdesk.tickets import lifecycle, thread
from helpdesk.tickets.models import UNSOLVED, Priority, Queue, Status, Ticket
from tests import people
from tests.desks import TestDesk
from tests.integration.agents.desk_work import offered, owner

LIFE = timedelta(seconds=45)  # what a heartbeat gives


def check_invariants() -> None:
    """What the house promises at rest: loads add up, caps hold, one owner each, and nobody idles beside work they could do."""
    with db.read() as session:
        for profile in session.scalars(select(AgentProfile)):
            held = session.scalar(
                select(func.coalesce(func.sum(Assignment.weight), 0)).where(
                    Assignment.user_id == profile.user_id, Assignment.ended_at.is_(None), Assignment.counted
                )
            )
            out = session.scalar(
                select(func.coalesce(func.sum(WorkItem.weight), 0))
                .select_from(Offer)
                .join(WorkItem, WorkItem.id == Offer.item_id)
                .where(Offer.user_id == profile.user_id, Offer.state == OfferState.OFFERED)
            )
            assert profile.load == (held or 0) + (out or 0)
            assert profile.load <= profile.capacity
        for item in session.scalars(select(WorkItem).where(WorkItem.state != ItemState.DONE)):
            ticket = session.get_one(Ticket, item.ticket_id)
            assert ticket.status in UNSOLVED
            if item.state is ItemState.ASSIGNED:
                assert ticket.assignee_id == item.user_id
            if item.state is ItemState.WAITING:
                assert ticket.assignee_id is None and item.user_id is None
                assert stranded(item) == []
        unsolved = session.scalar(select(func.count()).select_from(Ticket).where(Ticket.status.in_(UNSOLVED)))
        live = session.scalar(select(func.count()).select_from(WorkItem).where(WorkItem.state != ItemState.DONE))
        assert unsolved == live


def stranded(item: WorkItem) -> list[int]:
    """Free, eligible agents beside a waiting item, found by brute force."""
    session = db.session()
    queue = session.get_one(Queue, item.queue_id)
    found = []
    for user_id in session.scalars(select(QueueMember.user_id).where(QueueMember.queue_id == queue.id)):
        profile, state = session.get_one(AgentProfile, user_id), session.get(Presence, user_id)
        out = session.get(Exclusion, (item.id, user_id))
        if (
            state is not None
            and state.state is PresenceState.AVAILABLE
            and state.expires_at >= clock.now()
            and profile.load + item.weight <= profile.capacity
            and (out is None or out.until <= clock.now())
            and (item.step > 0 or item.sticky_user_id == user_id)  # held for whoever answered the customer last
        ):
            found.append(user_id)
    return found


def test_an_offer_is_held_out_with_its_end_accepted_once_and_owned(desk: TestDesk, stopped: clock.Hand) -> None:
    eve = desk.people.eve
    people.arrives(eve)
    ticket = people.writes(desk.people.carol, inbox=desk.people.billing_mail)
    desk.work()
    [offer] = offered(eve)
    assert owner(ticket) is None and (offer.expires_at - clock.now()).total_seconds() == 30
    with db.transaction() as session:
        offers.accept(session.get_one(Offer, offer.id), by=Actor("user", eve))
        offers.accept(session.get_one(Offer, offer.id, populate_existing=True), by=Actor("user", eve))
    desk.work()
    assert owner(ticket) == eve
    check_invariants()


def test_nobody_accepts_what_was_offered_to_somebody_else(desk: TestDesk) -> None:
    people.arrives(desk.people.eve)
    people.writes(desk.people.carol, inbox=desk.people.billing_mail)
    desk.work()
    [offer] = offered(desk.people.eve)
    with pytest.raises(Forbidden), db.transaction() as session:
        offers.accept(session.get_one(Offer, offer.id), by=Actor("user", desk.people.alice))


def test_an_offer_nobody_answers_ends_and_the_next_agent_gets_it_with_its_place_kept(desk: TestDesk, stopped: clock.Hand) -> None:
    company = desk.people
    with db.transaction() as session:
        session.add(QueueMember(queue_id=company.billing, user_id=company.bob))
    people.arrives(company.eve)
    ticket = people.writes(company.carol, inbox=company.billing_mail)
    desk.work()
    with db.read() as session:
        key = session.scalars(select(WorkItem.vkey)).one()
    stopped.move(seconds=10)
    people.arrives(company.bob)
    stopped.move(seconds=21)
    desk.work()
    assert offered(company.eve) == [] and [o.ticket_id for o in offered(company.bob)] == [ticket.id]
    with db.read() as session:
        assert session.scalars(select(WorkItem.vkey)).one() == key
    check_invariants()


def test_accepting_too_late_is_refused_and_changes_nothing(desk: TestDesk, stopped: clock.Hand) -> None:
    eve = desk.people.eve
    people.arrives(eve)
    ticket = people.writes(desk.people.carol, inbox=desk.people.billing_mail)
    desk.work()
    [offer] = offered(eve)
    stopped.move(seconds=31)
    with pytest.raises(Conflict), db.transaction() as session:
        offers.accept(session.get_one(Offer, offer.id), by=Actor("user", eve))
    assert owner(ticket) is None


def test_declining_excludes_for_a_while_and_when_nobody_is_left_the_exclusions_lapse(desk: TestDesk, stopped: clock.Hand) -> None:
    eve = desk.people.eve
    people.arrives(eve)
    people.writes(desk.people.carol, inbox=desk.people.billing_mail)
    desk.work()
    [first] = offered(eve)
    with db.transaction() as session:
        offers.decline(session.get_one(Offer, first.id), reason="lunch", by=Actor("user", eve))
    desk.work()
    # Eve is the only one in the queue: everybody is excluded, so nobody is.
    assert [offer.id != first.id for offer in offered(eve)] == [True]


def test_a_skill_the_queue_asks_for_decides(desk: TestDesk) -> None:
    company = desk.people
    with db.transaction() as session:
        session.get_one(Queue, company.support).requirements = {str(company.russian): 2}
    people.arrives(company.bob)
    ticket = people.writes(company.oleg, inbox=company.mail)
    desk.work()
    assert owner(ticket) is None
    people.arrives(company.alice)
    desk.work()
    assert owner(ticket) == company.alice
    with db.read():
        assert explaining.why(ticket.id)["item"]["agent"] == company.alice


def test_the_more_urgent_waits_less_and_a_valuable_customer_comes_first(desk: TestDesk, stopped: clock.Hand) -> None:
    company = desk.people
    plain = people.writes(company.carol, inbox=company.mail)
    stopped.move(minutes=5)
    urgent = people.writes(company.carol, inbox=company.mail, priority=Priority.URGENT)
    desk.work()
    with db.transaction() as session:
        session.get_one(AgentProfile, company.alice).capacity = 1
    people.arrives(company.alice)
    desk.work()
    assert owner(urgent) == company.alice and owner(plain) is None


def test_going_away_gives_open_offers_back(desk: TestDesk) -> None:
    eve = desk.people.eve
    people.arrives(eve)
    people.writes(desk.people.carol, inbox=desk.people.billing_mail)
    desk.work()
    with db.transaction():
        presence.set_presence(eve, PresenceState.AWAY, by=Actor("user", eve), reason="lunch")
    desk.work()
    assert offered(eve) == []
    check_invariants()


def test_a_silent_screen_counts_as_offline(desk: TestDesk, stopped: clock.Hand) -> None:
    people.arrives(desk.people.alice)
    stopped.move(seconds=46)
    ticket = people.writes(desk.people.carol, inbox=desk.people.mail)
    desk.work()
    assert owner(ticket) is None and presence.expire() == 1


def test_work_by_hand_may_exceed_the_cap_but_is_not_counted(desk: TestDesk) -> None:
    company = desk.people
    with db.transaction() as session:
        session.get_one(AgentProfile, company.alice).capacity = 1
    for _ in range(3):
        ticket = people.writes(company.carol, inbox=company.mail)
        with db.transaction() as session:
            assignments.assign(
                session.get_one(Ticket, ticket.id), session.get_one(User, company.alice), how="manual", by=Actor("user", company.dana)
            )
    desk.work()
    with db.read() as session:
        assert session.get_one(AgentProfile, company.alice).load == 0
    check_invariants()


@pytest.mark.parametrize("seed", range(2))
def test_after_any_sequence_loads_add_up_and_nobody_idles_beside_work(desk: TestDesk, stopped: clock.Hand, seed: int) -> None:
    rng = random.Random(seed)
    company = desk.people
    agents = [company.alice, company.bob, company.eve]
    with db.transaction() as session:
        for agent in agents:
            session.get_one(AgentProfile, agent).capacity = rng.randint(1, 3)
        session.get_one(Queue, company.support).acceptance = rng.choice(["offer", "automatic"])
    tickets: list[Ticket] = []

    def act() -> None:
        choice = rng.random()
        if choice < 0.3 or not tickets:
            inbox = rng.choice([company.mail, company.billing_mail, company.portal])
            tickets.append(people.writes(rng.choice([company.carol, company.oleg]), inbox=inbox, priority=rng.choice(list(Priority))))
            return
        with db.transaction() as session:
            ticket = session.get_one(Ticket, rng.choice(tickets).id)
            agent = rng.choice(agents)
            by = Actor("user", agent)
            if choice < 0.45:
                presence.set_presence(agent, rng.choice(list(presence.CHOSEN)), by=by)
            elif choice < 0.65 and (open_ := offers.open_offers(agent)):
                offers.accept(open_[0], by=by) if rng.random() < 0.7 else offers.decline(open_[0], reason="", by=by)
            elif choice < 0.75:
                thread.reply(ticket, "Answer.", by=by, then=rng.choice([None, Status.PENDING, Status.SOLVED]))
            elif choice < 0.82:
                lifecycle.solve(ticket, by=by)
            elif choice < 0.87:
                lifecycle.reopen(ticket, by=by)
            elif choice < 0.92:
                lifecycle.move(ticket, session.get_one(Queue, rng.choice([company.support, company.billing])), by=by)
            elif choice < 0.96:
                assignments.assign(ticket, session.get_one(User, agent), how="manual", by=by)
            else:
                assignments.unassign(ticket, by=by)

    for _ in range(40):
        try:
            act()
        except HelpdeskError:
            continue
        finally:
            stopped.move(seconds=rng.choice([0, 1, 7, 31]))
            for agent in agents:
                with db.transaction() as session:
                    row = session.get(Presence, agent)
                    if row is not None and row.state is not PresenceState.OFFLINE:
                        row.expires_at = clock.now() + LIFE
        desk.work()
        check_invariants()
    with db.read():
        open_items = waiting.waiting_ids()
    assert sweeping.sweep() == 0
    with db.read():
        assert waiting.waiting_ids() == open_items


def test_many_workers_at_once_give_each_ticket_one_owner_within_the_caps(desk: TestDesk) -> None:
    company = desk.people
    with db.transaction() as session:
        for agent in (company.alice, company.bob):
            session.get_one(AgentProfile, agent).capacity = 12
    people.arrives(company.alice, company.bob)
    for _ in range(30):
        people.writes(company.carol, inbox=company.mail)

    def drain() -> None:
        with desk.app.app_context():
            worker.drain("hot", limit=4)

    threads = [threading.Thread(target=drain) for _ in range(5)]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    desk.work()
    with db.read() as session:
        owned = session.scalar(select(func.count()).select_from(Ticket).where(Ticket.assignee_id.is_not(None)))
        twice = session.scalar(select(func.count(Assignment.id)).where(Assignment.ended_at.is_(None)))
    assert owned == twice == 24
    check_invariants()


def test_an_expiry_that_comes_after_the_acceptance_changes_nothing(desk: TestDesk, stopped: clock.Hand) -> None:
    eve = desk.people.eve
    people.arrives(eve)
    ticket = people.writes(desk.people.carol, inbox=desk.people.billing_mail)
    desk.work()
    [offer] = offered(eve)
    with db.transaction() as session:
        offers.accept(session.get_one(Offer, offer.id), by=Actor("user", eve))
    stopped.move(minutes=2)
    with db.transaction():
        offers.expire(OfferMade(ticket.id, offer.id, offer.item_id, eve, Actor("system")))
    desk.work()
    assert owner(ticket) == eve
