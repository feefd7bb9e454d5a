"""Traffic keeps the sample company alive, and keeps its hands off whoever is real."""

from __future__ import annotations

import random
from collections.abc import Iterator

import pytest
from sqlalchemy import func, select, update

from helpdesk import clock, db, live, worker
from helpdesk.actor import Actor
from helpdesk.agents.models import Presence, PresenceState
from helpdesk.auth import Principal, Role
from helpdesk.crm import contacts
from helpdesk.demo import traffic as module
from helpdesk.demo.traffic import Traffic
from helpdesk.tickets import intake
from helpdesk.tickets.models import Channel, Inbox, Message, MessageKind, Status, Survey, Ticket
from tests.integration.demo.conftest import Sample


@pytest.fixture
def hand() -> Iterator[clock.Hand]:
    with clock.frozen(clock.now()) as hand:
        yield hand


def run(sample: Sample, traffic: Traffic, hand: clock.Hand, *, steps: int, seconds: float = 5.0) -> list[str]:
    """Let the company live: look around, move on, let the desk do its deliveries."""
    done = []
    for _step in range(steps):
        with sample.app.app_context():
            done.append(traffic.step())
            worker.work_off()
        hand.move(seconds=seconds)
    return [word for line in done for word in line.split()]


def test_customers_write_and_agents_accept_and_answer_by_themselves(sample: Sample, hand: clock.Hand) -> None:
    with db.read() as session:
        before = session.scalar(select(func.max(Ticket.id))) or 0
        replies = session.scalar(select(func.count()).select_from(Message).where(Message.kind == MessageKind.REPLY)) or 0
    done = run(sample, Traffic(sample.app, sample.settings, rng=random.Random(3)), hand, steps=40)
    assert {"requested", "accepted", "answered"} <= set(done)
    with db.read() as session:
        new = list(session.scalars(select(Ticket).where(Ticket.id > before)))
        assert new and all(ticket.requester_id for ticket in new)
        assert (session.scalar(select(func.count()).select_from(Message).where(Message.kind == MessageKind.REPLY)) or 0) > replies
        states = set(session.scalars(select(Presence.state)))
        assert states <= {PresenceState.AVAILABLE, PresenceState.AWAY}


def test_a_customer_who_was_asked_says_how_it_was(sample: Sample, hand: clock.Hand) -> None:
    with db.transaction() as session:
        traffic = Traffic(sample.app, sample.settings, rng=random.Random(4))
        traffic._meet()
        solved = session.scalars(select(Ticket).where(Ticket.status == Status.SOLVED, Ticket.requester_id.in_(traffic._customers))).all()
        made = [Survey(ticket_id=ticket.id, contact_id=ticket.requester_id, sent_at=clock.now()) for ticket in solved[:5]]
        session.add_all(made)
    hand.move(minutes=3)
    run(sample, traffic, hand, steps=20)
    with db.read() as session:
        answered = list(session.scalars(select(Survey.answered_at).where(Survey.id.in_([survey.id for survey in made]))))
    assert any(answered) and not all(answered)


def test_an_agent_as_whom_somebody_is_signed_in_is_left_alone(sample: Sample, hand: clock.Hand, monkeypatch: pytest.MonkeyPatch) -> None:
    traffic = Traffic(sample.app, sample.settings, rng=random.Random(5))
    with sample.app.app_context():
        traffic._meet()
    anna, *others = list(traffic._agents)
    monkeypatch.setitem(live._watchers, "real", live.Watcher(Principal(Actor("user", anna), role=Role.AGENT, user_id=anna)))
    with db.transaction() as session:
        session.execute(update(Presence).where(Presence.user_id == anna).values(state=PresenceState.AVAILABLE, expires_at=clock.now()))
        replies = session.scalar(select(func.count()).select_from(Message).where(Message.user_id == anna))
    hand.move(minutes=5)
    run(sample, traffic, hand, steps=25)
    with db.read() as session:
        assert session.scalar(select(func.count()).select_from(Message).where(Message.user_id == anna)) == replies
        mine = session.scalars(select(Presence).where(Presence.user_id == anna)).first()
        assert mine is None or mine.expires_at < clock.now(), "nobody kept Anna present"
        assert session.scalar(
            select(func.count()).select_from(Presence).where(Presence.user_id.in_(others), Presence.expires_at > clock.now())
        )


def test_nobody_speaks_for_a_customer_who_was_not_invented(sample: Sample, hand: clock.Hand) -> None:
    with db.transaction() as session:
        visitor = contacts.by_email("me@visitor.example", name="A visitor", language="en", by=Actor("link"))
        session.flush()
        inbox = session.scalars(select(Inbox).where(Inbox.channel == Channel.PORTAL).limit(1)).one()
        incoming = intake.Incoming(visitor, "Is anybody there?", Channel.PORTAL, subject="Hello")
        ticket, _message = intake.receive(incoming, inbox, by=Actor("contact", visitor.id))
        ticket.status = Status.PENDING
    hand.move(minutes=10)
    run(sample, Traffic(sample.app, sample.settings, rng=random.Random(6)), hand, steps=25)
    with db.read() as session:
        said = select(func.count()).select_from(Message).where(Message.ticket_id == ticket.id, Message.kind == MessageKind.INBOUND)
        assert session.scalar(said) == 1


def test_it_stops_asking_before_it_fills_the_visitors_disk(sample: Sample, hand: clock.Hand, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MOST_TICKETS", 1)
    done = run(sample, Traffic(sample.app, sample.settings, rng=random.Random(7)), hand, steps=15, seconds=20)
    assert "requested" not in done
