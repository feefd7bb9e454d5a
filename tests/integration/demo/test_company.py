"""The sample company is what it pretends to be: its tickets are the fold of their events, its figures add up, nothing is left to do."""

from __future__ import annotations

import re
from collections import defaultdict
from itertools import pairwise
from typing import Any

import pytest
from sqlalchemy import func, select

from helpdesk import clock, db, events, passwords
from helpdesk.agents.models import AgentProfile, Assignment, ItemState, WorkItem
from helpdesk.app import create_app
from helpdesk.auth import Role, User
from helpdesk.channels.email.models import Outgoing
from helpdesk.config import Settings
from helpdesk.crm import profile
from helpdesk.crm.models import Contact, Interaction, Order, Rating
from helpdesk.demo import articles, company, seed
from helpdesk.events import Delivery, Event
from helpdesk.kb.models import Article, Translation
from helpdesk.tickets.models import DeliveryState, Message, SlaClock, Status, Ticket
from tests.integration.demo.conftest import Sample
from tests.samples import TICKETS

CYRILLIC = re.compile("[а-яА-ЯёЁ]")


def test_every_ticket_is_the_fold_of_its_events(sample: Sample) -> None:
    with db.read() as session:
        told: dict[int, list[Any]] = defaultdict(list)
        for event in session.scalars(select(Event).where(Event.ticket_id.is_not(None)).order_by(Event.at, Event.id)):
            told[event.ticket_id or 0].append(event)
        tickets = list(session.scalars(select(Ticket)))
    assert len(tickets) == TICKETS
    for ticket in tickets:
        state = fold(told[ticket.id])
        assert state == {
            "status": ticket.status, "assignee": ticket.assignee_id, "queue": ticket.queue_id, "priority": ticket.priority,
            "reopens": ticket.reopens_count, "replies": ticket.replies_count,
        }, ticket.number  # fmt: skip


def fold(told: list[Event]) -> dict[str, Any]:
    state: dict[str, Any] = {"assignee": None, "reopens": 0, "replies": 0}
    for event in told:
        match event.kind:
            case "ticket_opened":
                state |= {"status": event.data["status"], "queue": event.data["queue_id"], "priority": event.data["priority"]}
            case "ticket_moved":
                state["queue"] = event.data["new"]
            case "priority_changed":
                state["priority"] = event.data["new"]
            case "status_changed":
                state["status"] = event.data["new"]
            case "ticket_assigned":
                state["assignee"] = event.data["new"]
                if state["status"] == "new" and event.data["new"]:
                    state["status"] = "open"
            case "agent_replied":
                state["replies"] += 1
            case "customer_wrote":
                state["status"] = "open" if state["status"] in ("pending", "on_hold") else state["status"]
            case "ticket_solved":
                state["status"] = "solved"
            case "ticket_reopened":
                state |= {"status": "open", "reopens": state["reopens"] + 1}
            case "ticket_closed":
                state["status"] = "closed"
    return state


def test_an_agents_load_is_the_weight_of_what_they_hold(sample: Sample) -> None:
    with db.read() as session:
        loads = dict(session.execute(select(AgentProfile.user_id, AgentProfile.load)).all())
        held = dict(
            session.execute(
                select(Assignment.user_id, func.sum(Assignment.weight))
                .where(Assignment.ended_at.is_(None), Assignment.counted)
                .group_by(Assignment.user_id)
            ).all()
        )
    assert loads == {user: held.get(user, 0) for user in loads}
    assert sum(loads.values()) > 0


def test_work_waits_and_is_in_hand_and_one_customer_has_waited_too_long(sample: Sample) -> None:
    with db.read() as session:
        states = dict(session.execute(select(WorkItem.state, func.count()).group_by(WorkItem.state)).all())
        overdue = session.scalar(
            select(func.count()).select_from(Ticket).where(Ticket.status.in_(("new", "open")), Ticket.next_due_at < clock.now())
        )
    assert states[ItemState.WAITING] >= 5 and states[ItemState.ASSIGNED] >= 5
    assert overdue


def test_a_finished_ticket_has_no_live_work_and_an_unfinished_one_has_exactly_one(sample: Sample) -> None:
    with db.read() as session:
        live = dict(
            session.execute(
                select(WorkItem.ticket_id, func.count()).where(WorkItem.state != ItemState.DONE).group_by(WorkItem.ticket_id)
            ).all()
        )
        unfinished = set(session.scalars(select(Ticket.id).where(Ticket.status.not_in((Status.SOLVED, Status.CLOSED)))))
    assert live == dict.fromkeys(unfinished, 1)


def test_nothing_of_the_past_is_sent_scheduled_or_still_leaving(sample: Sample) -> None:
    with db.read() as session:
        assert not session.scalar(select(func.count()).select_from(Delivery))
        assert not session.scalar(select(func.count()).select_from(Outgoing))
        assert not session.scalar(select(func.count()).select_from(Message).where(Message.delivery == DeliveryState.WAITING))


def test_targets_were_met_and_missed_and_customers_were_pleased_and_not(sample: Sample) -> None:
    with db.read() as session:
        clocks = set(session.scalars(select(SlaClock.state)))
        scores = list(session.scalars(select(Rating.score)))
        kinds = set(session.scalars(select(Interaction.kind)))
    assert {"met", "breached", "running"} <= clocks
    assert len(scores) >= 8 and len(set(scores)) > 1
    assert {"message", "rating", "call", "order"} <= kinds


def test_nothing_happens_in_the_future_and_messages_follow_each_other(sample: Sample) -> None:
    with db.read() as session:
        rows = session.execute(select(Message.ticket_id, Message.at).order_by(Message.ticket_id, Message.id)).all()
        last_event = session.scalar(select(func.max(Event.at)))
    assert last_event is not None and last_event <= clock.now()
    for (ticket, at), (following, later) in pairwise(rows):
        assert ticket != following or at <= later


def test_no_placeholder_is_left_in_what_people_wrote(sample: Sample) -> None:
    with db.read() as session:
        written = [*session.scalars(select(Message.text)), *session.scalars(select(Ticket.subject))]
    assert not [text for text in written if "{" in text or "}" in text]


def test_customers_figures_follow_from_their_ratings_and_orders(sample: Sample) -> None:
    with db.transaction() as session:
        for contact in session.scalars(select(Contact)):
            bought = session.scalar(
                select(func.coalesce(func.sum(Order.total_cents), 0)).where(Order.contact_id == contact.id, Order.status != "returned")
            )
            assert contact.value_cents == bought
            figure = profile.satisfaction_of(contact)
            assert contact.ratings_count == figure.n
            assert contact.satisfaction == (pytest.approx(figure.value, abs=0.5) if figure.n else None)


def test_everybody_who_is_named_in_the_console_can_sign_in(sample: Sample) -> None:
    with db.read() as session:
        named = company.to_sign_in_as()
        users = {user.email: user for user in session.scalars(select(User))}
    assert sorted(role for _name, role, _address in named) == sorted([*[Role.AGENT] * 4, Role.SUPERVISOR, Role.ADMIN, *[Role.CUSTOMER] * 2])
    with sample.app.app_context():
        assert passwords.right(company.PASSWORD, users["anna@samovar.example"].password)
        assert not passwords.right(company.PASSWORD + "!", users["anna@samovar.example"].password)
    assert {user.password for user in users.values()} == {users["anna@samovar.example"].password}


def test_forty_articles_stand_in_both_languages_each_long_enough_to_help(sample: Sample) -> None:
    with db.read() as session:
        assert session.scalar(select(func.count()).select_from(Article)) == 40
        published = list(session.scalars(select(Translation).where(Translation.published_revision == 1)))
    assert len(published) == 80
    for text in published:
        assert len(re.findall(r"\w+", text.text)) >= 120, (text.language, text.title)
        assert bool(CYRILLIC.search(text.title)) == (text.language == "ru")
        if text.language == "en":
            assert not CYRILLIC.search(text.body), text.title


def test_the_files_of_both_languages_hold_the_same_articles() -> None:
    for topic, *_names in company.CATEGORIES:
        english, russian = articles.texts("en", topic), articles.texts("ru", topic)
        assert len(english) == len(russian) == 5
        assert all(text.tags and text.body for text in (*english, *russian))


@pytest.mark.parametrize("engine", [pytest.param("postgresql", marks=pytest.mark.postgres)])
def test_the_company_can_be_made_on_postgresql_too(settings: Settings) -> None:
    app = create_app(settings)
    with app.app_context():
        made = seed.fill(lambda _done: None, tickets=15)
    with db.read() as session:
        assert session.scalar(select(func.count()).select_from(Ticket)) == made.tickets == 15
        assert session.scalar(select(func.sum(AgentProfile.load))) == (
            session.scalar(select(func.sum(Assignment.weight)).where(Assignment.ended_at.is_(None), Assignment.counted)) or 0
        )
    assert events.catalogue()
    db.disconnect()
