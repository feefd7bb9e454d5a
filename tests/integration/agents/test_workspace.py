"""The workspace as an agent's browser meets it: pages, deeds, what is refused."""

from __future__ import annotations

import re

import pytest
from flask.testing import FlaskClient
from sqlalchemy import select

from helpdesk import clock, db
from helpdesk.agents.models import Draft
from helpdesk.tickets.models import DeliveryState, Message, MessageKind, Priority, Status, Ticket
from tests import people
from tests.desks import TestDesk


def token(client: FlaskClient, page: str = "/inbox") -> str:
    """The CSRF token of a page."""
    found = re.search(r'name="csrf-token" content="([^"]+)"', client.get(page).text)
    assert found
    return found[1]


def assigned(desk: TestDesk, **values: object) -> Ticket:
    """A ticket of Carol's that Alice owns."""
    people.arrives(desk.people.alice)
    ticket = people.writes(desk.people.carol, inbox=desk.people.mail, **values)  # type: ignore[arg-type]
    desk.work()
    return ticket


def reload(ticket: Ticket) -> Ticket:
    with db.read() as session:
        return session.get_one(Ticket, ticket.id)


def test_alice_sees_her_ticket_in_the_list_and_opens_it(desk: TestDesk) -> None:
    ticket = assigned(desk, subject="Where is my parcel?")
    alice = desk.client(desk.people.alice)
    page = alice.get("/inbox")
    assert page.status_code == 200 and "Where is my parcel?" in page.text
    opened = alice.get(f"/inbox/{ticket.number}").text
    assert "My invoice is wrong." in opened and "Carol Jones" in opened and "Alice got this from the queue" in opened


@pytest.mark.parametrize("target", ["main", "section#main"])
def test_the_script_gets_the_middle_alone(desk: TestDesk, target: str) -> None:
    ticket = assigned(desk)
    middle = desk.client(desk.people.alice).get(f"/inbox/{ticket.number}", headers={"HX-Request": "true", "HX-Target": target}).text
    assert "<html" not in middle and 'id="thread"' in middle


def test_eve_from_another_queue_gets_the_same_404_as_for_a_ticket_that_never_was(desk: TestDesk) -> None:
    ticket = assigned(desk)
    eve = desk.client(desk.people.eve)
    foreign, missing = eve.get(f"/inbox/{ticket.number}"), eve.get("/inbox/999999")
    assert foreign.status_code == missing.status_code == 404
    strip = re.compile(r'content="[^"]+"|data-now="\d+"|value="[^"]+"')
    assert strip.sub("", foreign.text) == strip.sub("", missing.text)


def test_customers_and_strangers_do_not_enter_the_workspace(desk: TestDesk) -> None:
    ticket = assigned(desk)
    anonymous = desk.client().get(f"/inbox/{ticket.number}")
    assert anonymous.status_code == 303 and "/sign-in" in anonymous.headers["Location"]
    assert desk.client().post(f"/tickets/{ticket.number}/solution").status_code in (400, 401)


def test_a_reply_is_kept_waits_to_leave_and_can_be_undone_with_its_text(desk: TestDesk, stopped: clock.Hand) -> None:
    ticket = assigned(desk)
    alice = desk.client(desk.people.alice)
    form = {"csrf_token": token(alice), "kind": "reply", "body": "Looking into it.", "client_id": "one"}
    assert alice.post(f"/tickets/{ticket.number}/messages", data=form).status_code == 303
    with db.read() as session:
        message = session.scalars(select(Message).where(Message.kind == MessageKind.REPLY)).one()
        assert message.delivery is DeliveryState.WAITING and reload(ticket).first_reply_at is not None
    assert alice.post(f"/messages/{message.id}/withdrawal", data={"csrf_token": form["csrf_token"]}).status_code == 303
    with db.read() as session:
        assert session.scalars(select(Draft)).one().body == "Looking into it."
    again = reload(ticket)
    assert again.first_reply_at is None and again.waiting_since is not None and again.next_due_at is not None


def test_a_reply_that_has_left_cannot_be_undone(desk: TestDesk, stopped: clock.Hand) -> None:
    ticket = assigned(desk)
    alice = desk.client(desk.people.alice)
    form = {"csrf_token": token(alice), "kind": "reply", "body": "Looking into it."}
    alice.post(f"/tickets/{ticket.number}/messages", data=form)
    stopped.move(seconds=16)
    with db.read() as session:
        message = session.scalars(select(Message).where(Message.kind == MessageKind.REPLY)).one()
    assert alice.post(f"/messages/{message.id}/withdrawal", data=form).status_code == 409


def test_a_form_sent_twice_is_one_reply(desk: TestDesk) -> None:
    ticket = assigned(desk)
    alice = desk.client(desk.people.alice)
    form = {"csrf_token": token(alice), "kind": "reply", "body": "Once.", "client_id": "same"}
    for _ in range(2):
        assert alice.post(f"/tickets/{ticket.number}/messages", data=form).status_code == 303
    with db.read() as session:
        assert len(session.scalars(select(Message).where(Message.kind == MessageKind.REPLY)).all()) == 1


def test_a_reply_against_an_older_thread_is_held_and_loses_no_text(desk: TestDesk) -> None:
    ticket = assigned(desk)
    alice = desk.client(desk.people.alice)
    page = alice.get(f"/inbox/{ticket.number}").text
    seen = re.search(r'name="seen" value="(\d+)"', page)
    assert seen
    people.answers(ticket, desk.people.carol, "I found it myself!")
    form = {"csrf_token": token(alice), "kind": "reply", "body": "We are still searching.", "seen": seen[1]}
    held = alice.post(f"/tickets/{ticket.number}/messages", data=form)
    assert held.status_code == 409
    assert "We are still searching." in held.text and "I found it myself!" in held.text
    with db.read() as session:
        assert not session.scalars(select(Message).where(Message.kind == MessageKind.REPLY)).all()


def test_an_edit_against_an_older_version_changes_nothing(desk: TestDesk) -> None:
    ticket = assigned(desk)
    alice = desk.client(desk.people.alice)
    csrf = token(alice)
    stale = reload(ticket).version
    assert (
        alice.post(f"/tickets/{ticket.number}/priority", data={"csrf_token": csrf, "priority": "high", "version": stale}).status_code == 303
    )
    late = alice.post(f"/tickets/{ticket.number}/solution", data={"csrf_token": csrf, "version": stale})
    assert late.status_code == 409
    assert reload(ticket).priority is Priority.HIGH and reload(ticket).status is Status.OPEN


def test_a_note_stays_inside_and_does_not_stop_the_clock(desk: TestDesk) -> None:
    ticket = assigned(desk)
    alice = desk.client(desk.people.alice)
    alice.post(f"/tickets/{ticket.number}/messages", data={"csrf_token": token(alice), "kind": "note", "body": "Ask the warehouse."})
    after = reload(ticket)
    assert after.first_reply_at is None and after.next_due_at is not None


def test_moving_a_ticket_out_of_ones_queues_takes_it_from_the_owner(desk: TestDesk) -> None:
    ticket = assigned(desk)
    people.arrives(desk.people.eve)
    alice = desk.client(desk.people.alice)
    moved = alice.post(f"/tickets/{ticket.number}/queue", data={"csrf_token": token(alice), "queue": desk.people.billing})
    assert moved.status_code == 303
    desk.work()
    after = reload(ticket)
    assert after.queue_id == desk.people.billing and after.assignee_id is None
    assert desk.client(desk.people.eve).get("/offers").text.count("data-offer") == 1


def test_without_the_forms_token_nothing_happens(desk: TestDesk) -> None:
    ticket = assigned(desk)
    refused = desk.client(desk.people.alice).post(f"/tickets/{ticket.number}/solution")
    assert refused.status_code == 400 and reload(ticket).status is Status.OPEN
