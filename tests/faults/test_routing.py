"""Routing while processes die, the database is killed and clocks are set: one owner each, no cap exceeded, nothing beside the free."""

from __future__ import annotations

import random
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import func, select

from helpdesk import clock, config, db, schema, worker
from helpdesk.actor import Actor
from helpdesk.agents import offers, presence, sweeping
from helpdesk.agents.models import AgentProfile, Assignment, ItemState, Offer, OfferState, PresenceState, QueueMember, WorkItem
from helpdesk.app import Desk, create_app
from helpdesk.auth import Role
from helpdesk.preferences import prefer
from helpdesk.tickets.models import Queue, Ticket
from tests import people
from tests.desks import TestDesk
from tests.faults.routers import Router, Routers
from tests.servers import PostgresServer

FULL = pytest.param(1000, 40, 100, marks=[pytest.mark.soak, pytest.mark.timeout(900)], id="full")
SIZES = pytest.mark.parametrize(("items", "agents", "workers"), [pytest.param(80, 8, 8, id="sample"), FULL])


@pytest.fixture
def house(own_postgres: PostgresServer, tmp_path: Path) -> Iterator[tuple[Desk, people.Company, str]]:
    """A company on a PostgreSQL server of this test's own, which keeps what it acknowledged."""
    url = own_postgres.create()
    settings = config.load({"HELPDESK_DATA": str(tmp_path), "DATABASE_URL": url, "SECRET_KEYS": "k" * 40, "BASE_URL": "http://localhost"})
    app = create_app(replace(settings, pool_size=5))
    schema.upgrade()
    with db.transaction():
        company = people.company()
        prefer(presence_ttl_s=3600)
    yield app, company, url
    worker.employ(None)
    db.disconnect()


def waits(app: Desk, company: people.Company, items: int, agents: int) -> list[int]:
    """So many tickets wait, and agents with room for exactly all of them are there. Their ids."""
    with db.transaction() as session:
        queue = session.get_one(Queue, company.support)
        queue.acceptance, queue.offer_s, queue.hold_s = "offer", 600, 0
    for begin in range(0, items, 100):
        with db.transaction():
            for number in range(begin, min(begin + 100, items)):
                people.writes(company.carol, inbox=company.mail, subject=f"Request {number}")
    with app.app_context():
        worker.work_off(lanes=("hot",), patience_s=300)
    with db.transaction() as session:
        users = [people.person(f"Agent {number}", Role.AGENT, email=f"n{number}@example.com").id for number in range(agents)]
        session.flush()
        session.add_all(QueueMember(queue_id=company.support, user_id=user) for user in users)
        for user in users:
            session.get_one(AgentProfile, user).capacity = items // agents
            presence.set_presence(user, PresenceState.AVAILABLE, by=Actor("user", user))
        session.execute(worker.Delivery.__table__.delete().where(worker.Delivery.done_at.is_(None)))  # only the routers route
    return users


@pytest.fixture(scope="module")
def routers() -> Iterator[Routers]:
    program = Routers()
    yield program
    program.close()


def finish(processes: list[Router], patience_s: float) -> None:
    for process in processes:
        if not process.ended(patience_s):
            process.kill()


def reach(held_out: float) -> None:
    """Wait until so many items are held out."""
    until = time.monotonic() + 120
    while time.monotonic() < until:
        with db.read() as session:
            if (session.scalar(select(func.count()).select_from(Offer)) or 0) >= held_out:
                return
        time.sleep(0.02)
    raise AssertionError(f"{held_out:.0f} items were never held out")


def check(users: list[int], items: int) -> None:
    """Each item is held out exactly once, no cap is exceeded, loads add up."""
    with db.read() as session:
        held = Counter(session.scalars(select(Offer.item_id).where(Offer.state == OfferState.OFFERED)))
        states = Counter(session.scalars(select(WorkItem.state)))
        loads = dict(session.execute(select(AgentProfile.user_id, AgentProfile.load).where(AgentProfile.user_id.in_(users))).all())
        per_agent = Counter(session.scalars(select(Offer.user_id).where(Offer.state == OfferState.OFFERED)))
    assert len(held) == items and set(held.values()) == {1}
    assert states == Counter({ItemState.OFFERED: items})
    assert loads == {user: items // len(users) for user in users} and per_agent == Counter(loads)


@pytest.mark.postgres
@pytest.mark.slow
@pytest.mark.parametrize(("items", "agents", "workers"), [FULL])  # with kills, below, a small number shows it too
def test_many_workers_of_several_processes_give_each_item_one_agent(
    house: tuple[Desk, people.Company, str], routers: Routers, items: int, agents: int, workers: int
) -> None:
    app, company, url = house
    users = waits(app, company, items, agents)
    finish(routers.start(url, workers, processes=2, seconds=200), 240)
    check(users, items)


@pytest.mark.postgres
@pytest.mark.slow
@SIZES
def test_routers_killed_at_random_moments_leave_nothing_half_done(
    house: tuple[Desk, people.Company, str], routers: Routers, items: int, agents: int, workers: int
) -> None:
    app, company, url = house
    users = waits(app, company, items, agents)
    rng = random.Random(items)
    for part in (0.1, 0.35, 0.6):
        running = routers.start(url, workers, processes=2, seconds=200)
        reach(part * items)
        time.sleep(rng.uniform(0, 0.05))
        for process in running:
            process.kill()
    finish(routers.start(url, workers, processes=2, seconds=200), 240)
    check(users, items)


@pytest.mark.postgres
@pytest.mark.slow
@SIZES
def test_a_database_that_is_killed_and_started_again_loses_and_doubles_nothing(
    house: tuple[Desk, people.Company, str],
    routers: Routers,
    own_postgres: PostgresServer,
    items: int,
    agents: int,
    workers: int,
) -> None:
    app, company, url = house
    users = waits(app, company, items, agents)
    running = routers.start(url, workers, processes=2, seconds=200)
    for part in (0.2, 0.5):
        reach(part * items)
        own_postgres.kill()
        own_postgres.start()
    finish(running, 240)
    check(users, items)


@pytest.mark.parametrize("minutes", [60, -60])
def test_a_clock_that_is_set_by_an_hour_strands_and_doubles_nothing(desk: TestDesk, stopped: clock.Hand, minutes: int) -> None:
    c = desk.people
    with db.transaction() as session:
        session.get_one(Queue, c.support).acceptance = "offer"
        for user in (c.alice, c.bob):
            session.get_one(AgentProfile, user).capacity = 2
    people.arrives(c.alice, c.bob)
    tickets = [people.writes(c.carol, inbox=c.mail, subject=str(number)) for number in range(5)]
    desk.work()
    stopped.move(minutes=minutes)
    for _ in range(3):  # screens are heard again by the new time, and the timers run
        with db.transaction() as session:
            for user in (c.alice, c.bob):
                row = session.get_one(presence.Presence, user)
                row.expires_at = clock.now() + timedelta(seconds=45)
        sweeping.sweep()
        desk.work()
    accepted = 0
    for _ in range(6):
        for user in (c.alice, c.bob):
            with db.transaction():
                for offer in offers.open_offers(user):
                    offers.accept(offer, by=Actor("user", user))
                    accepted += 1
            desk.work()
    with db.read() as session:
        owned = session.scalar(select(func.count()).select_from(Ticket).where(Ticket.assignee_id.is_not(None)))
        open_ = Counter(session.scalars(select(Assignment.item_id).where(Assignment.ended_at.is_(None))))
        loads = list(session.scalars(select(AgentProfile.load).where(AgentProfile.user_id.in_((c.alice, c.bob)))))
    assert (owned, accepted, set(open_.values()), loads) == (4, 4, {1}, [2, 2]) and len(tickets) == 5
    assert sweeping.sweep() == 0
