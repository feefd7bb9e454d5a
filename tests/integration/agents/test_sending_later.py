"""Send later: a reply leaves at its hour; until then nobody sees it as said, and who speaks first sends it back to its author."""

from __future__ import annotations

import io
from datetime import UTC, datetime

import pytest
from flask.testing import FlaskClient
from sqlalchemy import func, select

from helpdesk import clock, db
from helpdesk.actor import Actor
from helpdesk.agents.models import Draft, Notification
from helpdesk.agents.scheduled import replies
from helpdesk.agents.scheduled.models import ScheduledFile, ScheduledReply
from helpdesk.auth import User
from helpdesk.crm.models import Contact
from helpdesk.errors import Invalid
from helpdesk.tickets import intake, lifecycle, thread
from helpdesk.tickets.intake import Incoming
from helpdesk.tickets.models import Attachment, Channel, Message, MessageKind, Status, Ticket
from tests.desks import TestDesk
from tests.integration.agents.test_workspace import assigned, reload, token

HOUR = {"hours": 1, "seconds": 1}


@pytest.fixture
def ticket(desk: TestDesk, stopped: clock.Hand) -> Ticket:
    return assigned(desk)


@pytest.fixture
def alice(desk: TestDesk, ticket: Ticket) -> FlaskClient:
    return desk.client(desk.people.alice)


def later(client: FlaskClient, ticket: Ticket, choice: str = "hour", body: str = "Tomorrow we know.", **fields: object) -> int:
    """Write in the composer and choose an hour; the answer's status."""
    page = client.get(f"/inbox/{ticket.number}").text
    seen = page.split('name="seen" value="')[1].split('"')[0]
    form = {"csrf_token": token(client), "body": body, "seen": seen, "kind": "reply", "later": choice, **fields}
    return client.post(f"/tickets/{ticket.number}/messages", data=form).status_code


def press(client: FlaskClient, row: ScheduledReply, deed: str, **fields: object) -> int:
    path = f"/scheduled/{row.id}" + (f"/{deed}" if deed else "")
    return client.post(path, data={"csrf_token": token(client), **fields}).status_code


def scheduled() -> list[ScheduledReply]:
    with db.read() as session:
        return list(session.scalars(select(ScheduledReply).order_by(ScheduledReply.id)))


def said(ticket: Ticket, kind: MessageKind = MessageKind.REPLY) -> list[Message]:
    with db.read() as session:
        return list(session.scalars(select(Message).where(Message.ticket_id == ticket.id, Message.kind == kind).order_by(Message.id)))


def draft(desk: TestDesk, ticket: Ticket) -> str:
    with db.read() as session:
        kept = session.get(Draft, (desk.people.alice, ticket.id))
        return kept.body if kept else ""


def news(desk: TestDesk) -> list[str]:
    with db.read() as session:
        found = select(Notification.kind).where(Notification.user_id == desk.people.alice).order_by(Notification.id)
        return [kind for kind in session.scalars(found) if kind == "unscheduled"]


def carol_writes(desk: TestDesk, ticket: Ticket, automatic: str = "") -> None:
    with db.transaction() as session:
        carol = session.get_one(Contact, desk.people.carol)
        words = Incoming(contact=carol, text="It came!", channel=Channel.EMAIL, automatic=automatic)
        intake.append(session.get_one(Ticket, ticket.id), words, by=Actor("contact", carol.id))


def test_a_reply_for_later_leaves_at_its_hour_as_alice_s_reply(
    desk: TestDesk, ticket: Ticket, alice: FlaskClient, stopped: clock.Hand
) -> None:
    assert later(alice, ticket, later_then="solved") == 303
    desk.work()
    stopped.move(minutes=59)
    desk.work()
    assert said(ticket) == [] and reload(ticket).first_reply_at is None and reload(ticket).status is Status.OPEN
    stopped.move(minutes=1, seconds=1)
    desk.work()
    (message,) = said(ticket)
    assert (message.text, message.user_id, message.at) == ("Tomorrow we know.", desk.people.alice, clock.now())
    assert reload(ticket).status is Status.SOLVED and scheduled()[0].state == "sent" and scheduled()[0].message_id == message.id
    desk.work()
    assert len(said(ticket)) == 1


def test_it_stands_below_the_thread_with_its_hour_and_what_can_be_done(ticket: Ticket, alice: FlaskClient) -> None:
    later(alice, ticket)
    page = alice.get(f"/inbox/{ticket.number}").text
    card = page.split('id="s1"')[1].split("</article>")[0]
    assert "Tomorrow we know." in card and "leaves" in card
    assert [name in card for name in ("Send now", "Take back", "Change the text or the time")] == [True] * 3
    assert "Tomorrow we know." in alice.get(f"/tickets/{ticket.number}/thread").text


def test_nobody_else_sees_it_as_a_message_before(desk: TestDesk, ticket: Ticket, alice: FlaskClient) -> None:
    later(alice, ticket)
    with db.read() as session:
        assert session.scalar(select(func.count()).select_from(Message).where(Message.text.contains("Tomorrow"))) == 0
    bob = desk.client(desk.people.bob).get(f"/inbox/{ticket.number}").text
    assert "Alice" in bob.split('id="s1"')[1].split("</article>")[0] and "Change the text" not in bob


def test_when_the_customer_writes_first_it_goes_back_to_its_author_with_a_notice(
    desk: TestDesk, ticket: Ticket, alice: FlaskClient, stopped: clock.Hand
) -> None:
    later(alice, ticket)
    carol_writes(desk, ticket)
    desk.work()
    assert scheduled()[0].state == "cancelled" and scheduled()[0].why == "customer"
    assert draft(desk, ticket) == "Tomorrow we know." and news(desk) == ["unscheduled"]
    assert "a reply of yours did not leave" in alice.get("/notifications").text
    stopped.move(**HOUR)
    desk.work()
    assert said(ticket) == []


def test_what_alice_writes_meanwhile_is_kept_above_the_text_that_comes_back(desk: TestDesk, ticket: Ticket, alice: FlaskClient) -> None:
    later(alice, ticket)
    alice.put(f"/tickets/{ticket.number}/draft", data={"csrf_token": token(alice), "kind": "note", "body": "Ask Bob"})
    carol_writes(desk, ticket)
    desk.work()
    assert draft(desk, ticket) == "Ask Bob\n\nTomorrow we know."


def test_the_thread_brings_what_came_back_to_its_author_for_an_hour_and_to_nobody_else(
    desk: TestDesk, ticket: Ticket, alice: FlaskClient, stopped: clock.Hand
) -> None:
    path = f"/tickets/{ticket.number}/thread"
    assert later(alice, ticket, body="Tomorrow <we> know.") == 303
    assert "data-returned" not in alice.get(path).text
    carol_writes(desk, ticket)
    desk.work()
    came_back = f'data-returned="{scheduled()[0].id}" data-at="{int(clock.now().timestamp())}">Tomorrow &lt;we&gt; know.</template>'
    assert came_back in alice.get(path).text
    assert "data-returned" not in desk.client(desk.people.dana).get(path).text
    stopped.move(hours=1, seconds=1)
    assert "data-returned" not in alice.get(path).text


def test_a_robot_s_answer_stops_nothing(desk: TestDesk, ticket: Ticket, alice: FlaskClient, stopped: clock.Hand) -> None:
    later(alice, ticket)
    carol_writes(desk, ticket, automatic="vacation")
    stopped.move(**HOUR)
    desk.work()
    assert len(said(ticket)) == 1


def test_a_colleague_s_answer_stops_it_and_alice_s_own_does_not(
    desk: TestDesk, ticket: Ticket, alice: FlaskClient, stopped: clock.Hand
) -> None:
    for author, sent in ((desk.people.alice, 2), (desk.people.bob, 3)):
        later(alice, ticket)
        with db.transaction() as session:
            thread.reply(session.get_one(Ticket, ticket.id), "Meanwhile", by=Actor("user", author))
        stopped.move(**HOUR)
        desk.work()
        assert len(said(ticket)) == sent
    assert [row.state for row in scheduled()] == ["sent", "cancelled"] and scheduled()[1].why == "answered"
    assert draft(desk, ticket) == "Tomorrow we know."


def test_a_closed_ticket_gets_no_reply(desk: TestDesk, ticket: Ticket, alice: FlaskClient, stopped: clock.Hand) -> None:
    later(alice, ticket)
    with db.transaction() as session:
        row = session.get_one(Ticket, ticket.id)
        lifecycle.solve(row, by=Actor("user", desk.people.alice))
        lifecycle.close(row, by=Actor("system", None))
    stopped.move(**HOUR)
    desk.work()
    assert said(ticket) == [] and scheduled()[0].why == "closed" and news(desk) == ["unscheduled"]


def test_send_now_sends_once_and_not_past_a_message_that_alice_has_not_read(desk: TestDesk, ticket: Ticket, alice: FlaskClient) -> None:
    later(alice, ticket)
    seen = {"seen": said(ticket, MessageKind.INBOUND)[0].id}
    assert press(alice, scheduled()[0], "departure", **seen) == 303
    assert press(alice, scheduled()[0], "departure", **seen) == 409
    assert len(said(ticket)) == 1
    later(alice, ticket)
    carol_writes(desk, ticket)
    assert press(alice, scheduled()[1], "departure", **seen) == 409
    assert len(said(ticket)) == 1


def test_taking_it_back_puts_the_text_into_the_composer(desk: TestDesk, ticket: Ticket, alice: FlaskClient, stopped: clock.Hand) -> None:
    later(alice, ticket)
    assert press(alice, scheduled()[0], "withdrawal") == 303
    assert draft(desk, ticket) == "Tomorrow we know." and news(desk) == []
    stopped.move(**HOUR)
    desk.work()
    assert said(ticket) == [] and press(alice, scheduled()[0], "withdrawal") == 409


def test_the_author_changes_text_and_hour_and_a_colleague_may_not(
    desk: TestDesk, ticket: Ticket, alice: FlaskClient, stopped: clock.Hand
) -> None:
    later(alice, ticket)
    at = (clock.now().replace(second=0, microsecond=0)).strftime("%Y-%m-%dT") + "23:30"
    assert press(alice, scheduled()[0], "", body="Other words", later_at=at) == 303
    assert press(desk.client(desk.people.bob), scheduled()[0], "", body="Bob's words", later_at=at) == 409
    desk.work()
    stopped.move(**HOUR)
    desk.work()
    assert said(ticket) == []
    stopped.move(days=1)
    desk.work()
    assert [message.text for message in said(ticket)] == ["Other words"]


@pytest.mark.parametrize("deed", ["", "departure", "withdrawal"])
def test_eve_from_another_queue_finds_no_such_reply(desk: TestDesk, ticket: Ticket, alice: FlaskClient, deed: str) -> None:
    later(alice, ticket)
    assert press(desk.client(desk.people.eve), scheduled()[0], deed, body="x", later_at="2099-01-01T10:00") == 404
    assert scheduled()[0].state == "waiting" and scheduled()[0].body == "Tomorrow we know."


def test_a_stale_reply_is_held_and_not_scheduled(desk: TestDesk, ticket: Ticket, alice: FlaskClient) -> None:
    carol_writes(desk, ticket)
    form = {"seen": said(ticket, MessageKind.INBOUND)[0].id}
    assert later(alice, ticket, **form) == 409 and scheduled() == []


def test_a_note_cannot_leave_later(ticket: Ticket, alice: FlaskClient) -> None:
    assert later(alice, ticket, kind="note") == 422 and scheduled() == [] and said(ticket, MessageKind.NOTE) == []


def test_its_files_go_with_it_and_stay_on_the_ticket_when_it_does_not(
    desk: TestDesk, ticket: Ticket, alice: FlaskClient, stopped: clock.Hand
) -> None:
    for _ in range(2):
        later(alice, ticket, files=(io.BytesIO(b"plan"), "plan.txt"))
    press(alice, scheduled()[1], "withdrawal")
    stopped.move(**HOUR)
    desk.work()
    with db.read() as session:
        kinds = session.scalars(select(Message.kind).join(Attachment, Attachment.message_id == Message.id).order_by(Message.id))
        assert list(kinds) == [MessageKind.NOTE, MessageKind.REPLY]
        assert session.scalar(select(func.count()).select_from(ScheduledFile)) == 0


def test_a_form_sent_twice_is_one_reply(ticket: Ticket, alice: FlaskClient) -> None:
    for _ in range(2):
        later(alice, ticket, client_id="same")
    assert len(scheduled()) == 1


def test_a_dismissed_agent_s_reply_still_leaves(desk: TestDesk, ticket: Ticket, alice: FlaskClient, stopped: clock.Hand) -> None:
    later(alice, ticket)
    with db.transaction() as session:
        session.get_one(User, desk.people.alice).active = False
    stopped.move(**HOUR)
    desk.work()
    assert len(said(ticket)) == 1


def test_the_hours_are_the_agent_s() -> None:
    with clock.frozen(datetime(2026, 3, 28, 20, 30, tzinfo=UTC)):
        assert replies.when("hour", "", "Europe/Berlin") == datetime(2026, 3, 28, 21, 30, tzinfo=UTC)
        # Berlin's clocks go forward that night: nine o'clock is seven in UTC, not eight.
        assert replies.when("tomorrow", "", "Europe/Berlin") == datetime(2026, 3, 29, 7, 0, tzinfo=UTC)
        assert replies.when("tomorrow", "", "Asia/Vladivostok") == datetime(2026, 3, 29, 23, 0, tzinfo=UTC)
        assert replies.when("own", "2026-07-01T09:15", "Europe/Moscow") == datetime(2026, 7, 1, 6, 15, tzinfo=UTC)


@pytest.mark.parametrize(
    ("choice", "typed"),
    [("own", ""), ("own", "soon"), ("own", "2026-03-28T20:29"), ("own", "2028-01-01T00:00"), ("yesterday", ""), ("", "2026-03-29T09:00")],
)
def test_an_hour_that_is_none_or_past_or_too_far_is_refused(choice: str, typed: str) -> None:
    with clock.frozen(datetime(2026, 3, 28, 20, 30, tzinfo=UTC)), pytest.raises(Invalid):
        replies.when(choice, typed, "UTC")
