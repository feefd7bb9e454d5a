"""Whoever owes a customer a call is told of it, once; of what is late they are told again, once, and those who lead with them."""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy import delete, select

from helpdesk import clock, db, schema
from helpdesk.actor import Actor
from helpdesk.agents.models import Notification
from helpdesk.auth import User
from helpdesk.crm import calling
from helpdesk.crm.care_models import CallBack
from helpdesk.crm.models import Contact
from helpdesk.events import Delivery
from helpdesk.preferences import prefer
from helpdesk.tickets import lifecycle, surveys
from helpdesk.tickets.models import Survey, Ticket
from tests import people
from tests.desks import TestDesk
from tests.forms import Browser


def told(desk: TestDesk) -> list[tuple[str, str]]:
    """Who has heard of which call so far, by name and kind."""
    desk.work()
    with db.read() as session:
        rows = session.execute(
            select(User.name, Notification.kind).join(User, User.id == Notification.user_id)
            .where(Notification.kind.like("call%")).order_by(Notification.id)
        )  # fmt: skip
        return [(row.name, row.kind) for row in rows]


def rated_badly(desk: TestDesk, *, agent: int | None) -> int:
    """Carol's ticket of this agent is rated 1; the id of the call that is owed."""
    ticket = people.writes(desk.people.carol, inbox=desk.people.mail)
    with db.transaction() as session:
        mine = session.get_one(Ticket, ticket.id)
        mine.assignee_id = agent
        lifecycle.solve(mine, by=Actor("user", desk.people.bob))
        surveys.answer(surveys.send(mine, session.get_one(Contact, desk.people.carol)), 1, comment="No")
        return session.scalars(select(CallBack.id)).one()


def owes(desk: TestDesk, user: int | None, *, by: int, hours: int = 4) -> int:
    with db.transaction() as session:
        carol, due = session.get_one(Contact, desk.people.carol), clock.now() + timedelta(hours=hours)
        return calling.add(carol, why="Asked for an offer", user_id=user, due_at=due, by=Actor("user", by)).id


def gives(call: int, user: int | None, *, by: int) -> None:
    with db.transaction() as session:
        calling.give(session.get_one(CallBack, call), user, by=Actor("user", by))


def settles(call: int, outcome: str, *, by: int) -> None:
    with db.transaction() as session:
        calling.settle(session.get_one(CallBack, call), outcome, "Talked", by=Actor("user", by))


def test_a_bad_rating_tells_its_agent_at_once_and_again_with_the_supervisor_when_it_is_late(desk: TestDesk, stopped: clock.Hand) -> None:
    rated_badly(desk, agent=desk.people.alice)
    assert told(desk) == [("Alice", "call_owed")]
    stopped.move(hours=23)
    assert told(desk) == [("Alice", "call_owed")]
    stopped.move(hours=2)
    late = [("Alice", "call_owed"), ("Alice", "call_overdue"), ("Dana", "call_overdue")]
    assert told(desk) == late
    stopped.move(days=30)
    assert told(desk) == late


def test_who_took_a_call_themselves_is_told_only_when_it_is_late(desk: TestDesk, stopped: clock.Hand) -> None:
    owes(desk, desk.people.alice, by=desk.people.alice)
    assert told(desk) == []
    stopped.move(hours=5)
    assert told(desk) == [("Alice", "call_overdue"), ("Dana", "call_overdue")]


def test_a_call_that_nobody_has_is_told_to_who_leads_once_it_is_late(desk: TestDesk, stopped: clock.Hand) -> None:
    rated_badly(desk, agent=None)
    assert told(desk) == []
    stopped.move(hours=25)
    assert told(desk) == [("Dana", "call_overdue")]


def test_each_new_owner_is_told_and_nobody_twice(desk: TestDesk, stopped: clock.Hand) -> None:
    call = owes(desk, desk.people.alice, by=desk.people.dana)
    assert told(desk) == [("Alice", "call_owed")]
    gives(call, desk.people.alice, by=desk.people.dana)
    gives(call, desk.people.bob, by=desk.people.dana)
    gives(call, desk.people.bob, by=desk.people.ada)
    assert told(desk) == [("Alice", "call_owed"), ("Bob", "call_owed")]
    gives(call, desk.people.alice, by=desk.people.dana)
    assert told(desk)[2:] == [("Alice", "call_owed")], "it was Bob's in between: she could not know"
    stopped.move(hours=5)
    assert told(desk)[3:] == [("Alice", "call_overdue"), ("Dana", "call_overdue")]
    gives(call, desk.people.eve, by=desk.people.dana)
    assert told(desk)[5:] == [("Eve", "call_overdue")], "late from the first moment; Dana knows already"


def test_a_call_that_was_made_is_told_to_nobody_and_its_notices_are_read(desk: TestDesk, stopped: clock.Hand) -> None:
    call = owes(desk, desk.people.alice, by=desk.people.dana)
    desk.work()
    alice = Browser(desk, desk.people.alice)
    assert "unread" in alice.open("/notifications").text
    settles(call, "reached", by=desk.people.dana)
    assert told(desk) == [("Alice", "call_owed")] and "unread" not in alice.open("/notifications").text
    stopped.move(hours=9)
    assert told(desk) == [("Alice", "call_owed")]


def test_who_was_not_reached_moves_the_call_and_is_told_again_a_day_later_only_if_it_is_late(desk: TestDesk, stopped: clock.Hand) -> None:
    call = owes(desk, desk.people.alice, by=desk.people.dana)
    desk.work()
    stopped.move(hours=3)
    settles(call, "not_reached", by=desk.people.alice)
    stopped.move(hours=2)
    assert told(desk) == [("Alice", "call_owed")]
    stopped.move(hours=24)
    assert told(desk)[1:] == [("Alice", "call_overdue"), ("Dana", "call_overdue")]


def test_a_call_from_before_such_notices_is_told_once_it_is_late_after_the_upgrade(desk: TestDesk, stopped: clock.Hand) -> None:
    late, coming = owes(desk, desk.people.alice, by=desk.people.alice), owes(desk, desk.people.bob, by=desk.people.bob, hours=48)
    made = owes(desk, desk.people.eve, by=desk.people.eve)
    settles(made, "reached", by=desk.people.eve)
    desk.work()
    with db.transaction() as session:  # as it was before: nobody waits for their time
        session.execute(delete(Delivery))
    stopped.move(hours=5)
    assert told(desk) == []
    schema.downgrade("0020")
    schema.upgrade()
    assert told(desk) == [("Alice", "call_overdue"), ("Dana", "call_overdue")]
    schema.downgrade("0020")
    schema.upgrade()
    assert len(told(desk)) == 2, "doing it again tells nobody twice"
    stopped.move(hours=44)
    assert told(desk)[2:] == [("Bob", "call_overdue"), ("Dana", "call_overdue")] and late < coming < made
    stopped.move(days=30)
    assert len(told(desk)) == 4


@pytest.mark.parametrize(("language", "owed", "late"), [
    ("en", "Carol Jones: you owe them a call", "Carol Jones: nobody has called, and the time is past"),
    ("ru", "Carol Jones: вы должны позвонить", "Carol Jones: никто не позвонил, а срок прошёл"),
])  # fmt: skip
def test_the_news_say_whom_to_call_and_lead_to_the_call(desk: TestDesk, stopped: clock.Hand, language: str, owed: str, late: str) -> None:
    with db.transaction() as session:
        session.get_one(User, desk.people.alice).language = language
    call = owes(desk, desk.people.alice, by=desk.people.dana)
    desk.work()
    alice = Browser(desk, desk.people.alice)
    assert owed in " ".join(alice.open("/notifications").text.replace("</svg>", "").split())
    stopped.move(hours=5)
    desk.work()
    page = alice.open("/notifications").text
    assert late in page and f'href="/notifications/calls/{call}"' in page
    opened = alice.open(f"/notifications/calls/{call}")
    assert opened.status_code == 303 and opened.location.endswith(f"/calls?whose=mine#call-{call}")
    assert f'id="call-{call}"' in alice.open("/calls?whose=mine").text
    with db.read() as session:
        unread = session.scalars(select(Notification).where(Notification.read_at.is_(None))).all()
        assert {row.user_id for row in unread} == {desk.people.dana}, "Alice has opened it, Dana has not"
    assert Browser(desk, desk.people.dana).open(f"/notifications/calls/{call}").location.endswith(f"/calls?whose=all#call-{call}")


def test_who_may_not_see_the_customer_is_not_told_and_finds_no_name(desk: TestDesk, stopped: clock.Hand) -> None:
    call = owes(desk, desk.people.eve, by=desk.people.dana)
    assert told(desk) == [("Eve", "call_owed")]
    with db.transaction() as session:
        session.get_one(Contact, desk.people.carol).owner_id = desk.people.alice
        prefer(customers_seen="team")
    eve = Browser(desk, desk.people.eve)
    page = eve.open("/notifications").text
    assert "Carol" not in page and "A customer who is not here any more" in page
    assert eve.open(f"/notifications/calls/{call}").status_code == 404
    stopped.move(hours=5)
    assert told(desk) == [("Eve", "call_owed"), ("Dana", "call_overdue")]


def test_who_left_is_not_told(desk: TestDesk, stopped: clock.Hand) -> None:
    owes(desk, desk.people.bob, by=desk.people.dana)
    with db.transaction() as session:
        session.get_one(User, desk.people.bob).active = False
    stopped.move(hours=5)
    assert told(desk) == [("Dana", "call_overdue")]


def test_the_notice_of_an_erased_customer_tells_nothing(desk: TestDesk, stopped: clock.Hand) -> None:
    call = owes(desk, desk.people.alice, by=desk.people.dana)
    desk.work()
    with db.transaction() as session:
        session.get_one(Contact, desk.people.carol).erased_at = clock.now()
    alice = Browser(desk, desk.people.alice)
    assert "Carol" not in alice.open("/notifications").text and alice.open(f"/notifications/calls/{call}").status_code == 404
    stopped.move(hours=5)
    assert told(desk) == [("Alice", "call_owed")]


def test_a_better_rating_drops_the_call_before_anybody_is_told_that_it_is_late(desk: TestDesk, stopped: clock.Hand) -> None:
    rated_badly(desk, agent=desk.people.alice)
    desk.work()
    with db.transaction() as session:
        surveys.answer(session.scalars(select(Survey)).one(), 5)
    stopped.move(hours=30)
    assert told(desk) == [("Alice", "call_owed")]
