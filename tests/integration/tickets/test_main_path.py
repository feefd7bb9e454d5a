"""One ticket from arrival to rating, through the verbs and the deliveries, on both engines."""

from __future__ import annotations

from sqlalchemy import func, select

from helpdesk import clock, db
from helpdesk.actor import Actor
from helpdesk.agents.models import AgentProfile, Assignment, ItemState, Notification, WorkItem
from helpdesk.crm.models import Contact, Interaction
from helpdesk.events import Event
from helpdesk.tickets import surveys, thread
from helpdesk.tickets.models import Status, Survey, Ticket
from tests import people
from tests.desks import TestDesk


def test_a_request_is_routed_answered_solved_rated_and_stands_in_the_profile(desk: TestDesk, stopped: clock.Hand) -> None:
    company = desk.people
    people.arrives(company.alice)
    ticket = people.writes(company.carol, inbox=company.portal)
    desk.work()

    with db.read() as session:
        ticket = session.get_one(Ticket, ticket.id)
        assert ticket.assignee_id == company.alice and ticket.status is Status.OPEN
        assert session.scalars(select(WorkItem)).one().state is ItemState.ASSIGNED
        assert session.get_one(AgentProfile, company.alice).load == 1

    stopped.move(minutes=12)
    with db.transaction() as session:
        ticket = session.get_one(Ticket, ticket.id)
        thread.reply(ticket, "It is corrected.", by=Actor("user", company.alice), then=Status.SOLVED)
    desk.work()
    with db.read() as session:
        assert session.get_one(AgentProfile, company.alice).load == 0
        assert session.scalars(select(WorkItem)).one().state is ItemState.DONE
        assert session.scalar(select(func.count()).select_from(Survey)) == 0

    stopped.move(hours=1, minutes=1)
    desk.work()
    with db.transaction() as session:
        survey = session.scalars(select(Survey)).one()
        surveys.answer(surveys.opened(surveys.token(survey)), 5, comment="Quick!")
    desk.work()
    with db.read() as session:
        carol = session.get_one(Contact, company.carol)
        assert round(carol.satisfaction or 0) == 100 and carol.ratings_count == 1
        kinds = list(session.scalars(select(Interaction.kind).where(Interaction.contact_id == carol.id).order_by(Interaction.id)))
        assert kinds == ["message", "message", "rating"]
        assert session.scalars(select(Notification.kind).order_by(Notification.id)).all() == ["assigned", "rated"]
        assert session.get_one(Ticket, ticket.id).first_reply_at == ticket.opened_at.replace(minute=12)


def test_two_agents_never_own_one_ticket_and_the_least_loaded_is_chosen(desk: TestDesk, stopped: clock.Hand) -> None:
    company = desk.people
    people.arrives(company.alice, company.bob)
    for _ in range(6):
        people.writes(company.carol, inbox=company.mail)
        stopped.move(seconds=1)
        desk.work()
    with db.read() as session:
        owners = session.execute(select(Assignment.user_id, func.count()).group_by(Assignment.user_id)).all()
    assert sorted(tuple(row) for row in owners) == sorted([(company.alice, 3), (company.bob, 3)])


def test_work_waits_when_everybody_is_full_and_is_taken_when_somebody_is_free(desk: TestDesk, stopped: clock.Hand) -> None:
    company = desk.people
    people.arrives(company.alice)
    with db.transaction() as session:
        session.get_one(AgentProfile, company.alice).capacity = 1
    first = people.writes(company.carol, inbox=company.mail)
    second = people.writes(company.oleg, inbox=company.mail)
    desk.work()
    with db.read() as session:
        assert session.get_one(Ticket, second.id).assignee_id is None
    with db.transaction() as session:
        thread.reply(session.get_one(Ticket, first.id), "Done.", by=Actor("user", company.alice), then=Status.SOLVED)
    desk.work()
    with db.read() as session:
        assert session.get_one(Ticket, second.id).assignee_id == company.alice


def test_eve_in_another_queue_gets_nothing_of_support(desk: TestDesk) -> None:
    people.arrives(desk.people.eve)
    ticket = people.writes(desk.people.carol, inbox=desk.people.mail)
    desk.work()
    with db.read() as session:
        assert session.get_one(Ticket, ticket.id).assignee_id is None


def test_every_step_left_an_event_in_order(desk: TestDesk, stopped: clock.Hand) -> None:
    people.arrives(desk.people.alice)
    ticket = people.writes(desk.people.carol, inbox=desk.people.mail)
    desk.work()
    with db.read() as session:
        kinds = list(session.scalars(select(Event.kind).where(Event.ticket_id == ticket.id).order_by(Event.id)))
    assert [kind for kind in kinds if not kind.startswith("mail_")] == ["ticket_opened", "item_queued", "ticket_assigned"]
