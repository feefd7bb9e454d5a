"""An answer that did not arrive: its ticket and the outbox say why, and what can be done about it."""

from __future__ import annotations

import re

import pytest
from flask.testing import FlaskClient
from sqlalchemy import select

from helpdesk import clock, db
from helpdesk.crm.models import Contact, Identity
from helpdesk.errors import Invalid
from helpdesk.preferences import prefer
from helpdesk.tickets.models import Ticket
from tests.desks import TestDesk
from tests.integration.email.conftest import MailDoor, Sink, letter, messages, opened_by_mail, outbox, replies, use_server
from tests.integration.email.test_misbehaving_servers import server, talk


@pytest.fixture
def ticket(desk: TestDesk, door: MailDoor, sink: Sink, stopped: clock.Hand) -> Ticket:
    """Carol's ticket, whose answer her server refused."""
    with db.transaction():
        prefer(acknowledge=False)
    sink.say_rcpt = lambda address: "550 5.1.1 No such user" if address.startswith("carol") else None
    made = opened_by_mail(desk, door)
    replies(desk, made)
    stopped.move(seconds=16)
    desk.work()
    return made


@pytest.fixture
def dana(desk: TestDesk) -> FlaskClient:
    return desk.client(desk.people.dana)


def press(client: FlaskClient, path: str, **fields: str) -> int:
    token = re.search(r'name="csrf-token" content="([^"]+)"', client.get("/inbox").text)
    assert token is not None
    return client.post(path, data={"csrf_token": token[1], **fields}).status_code


def marked() -> tuple[bool, str]:
    with db.read() as session:
        since = session.scalar(select(Identity.failing_since).where(Identity.value_norm == "carol@customer.example"))
        contact = session.scalars(select(Contact).where(Contact.name == "Carol Jones")).one()
        return since is not None, contact.bounce_note


def test_the_thread_shows_the_server_s_words_and_the_composer_warns(ticket: Ticket, dana: FlaskClient) -> None:
    page = dana.get(f"/inbox/{ticket.number}").text
    assert "550 5.1.1 No such user" in page and "Try again" in page and "Another address…" in page
    assert "Mail to carol@customer.example does not arrive: 550 5.1.1 No such user" in page


def test_an_agent_sends_it_to_another_address(desk: TestDesk, ticket: Ticket, dana: FlaskClient, sink: Sink) -> None:
    assert press(dana, f"/messages/{messages(ticket)[-1].id}/delivery", address="new@customer.example") == 303
    desk.work()
    assert [recipients for _sender, recipients, _raw in sink.taken] == [["new@customer.example"]]
    assert messages(ticket)[-1].delivery == "sent" and sink.mails()[0]["To"] == "Carol Jones <new@customer.example>"
    assert marked()[0], "what is known of the old address stays"


@pytest.mark.parametrize("address", ["nobody", "a@b.example\r\nBcc: x@y.example", "a@b.example, c@d.example", " "])
def test_what_is_no_address_is_refused_and_nothing_moves(desk: TestDesk, ticket: Ticket, dana: FlaskClient, address: str) -> None:
    before = outbox()[0].attempts
    status = press(dana, f"/admin/mail/outgoing/{outbox()[0].id}/address", address=address)
    desk.work()
    assert status == Invalid.status and outbox()[0].state == "failed" and outbox()[0].attempts == before


def test_an_agent_tries_again(desk: TestDesk, ticket: Ticket, dana: FlaskClient, sink: Sink) -> None:
    sink.say_rcpt = lambda _address: None
    path = f"/messages/{messages(ticket)[-1].id}/delivery"
    assert press(dana, path) == 303
    desk.work()
    assert messages(ticket)[-1].delivery == "sent"
    assert press(dana, path) == 404


def test_eve_from_another_queue_finds_no_such_message(desk: TestDesk, ticket: Ticket) -> None:
    eve = desk.client(desk.people.eve)
    assert press(eve, f"/messages/{messages(ticket)[-1].id}/delivery", address="eve@example.com") == 404
    assert press(eve, f"/tickets/{ticket.number}/requester-address") == 404
    assert outbox()[0].state == "failed" and marked()[0]


def test_the_mark_is_taken_off_by_hand(ticket: Ticket, dana: FlaskClient) -> None:
    assert marked() == (True, "550 5.1.1 No such user")
    assert press(dana, f"/tickets/{ticket.number}/requester-address") == 303
    assert marked() == (False, "") and "does not arrive" not in dana.get(f"/inbox/{ticket.number}").text


def test_the_mark_goes_when_its_owner_writes_from_there(desk: TestDesk, door: MailDoor, ticket: Ticket) -> None:
    door.send(letter("I am away.", subject="Re: Invoice", Auto_Submitted="auto-replied"))
    desk.work()
    assert marked()[0], "a robot is no proof that somebody reads there"
    door.send(letter("My mailbox works again.", subject="Hello"))
    desk.work()
    assert marked() == (False, "")


def test_the_test_button_says_that_the_server_refuses_our_sender(desk: TestDesk, sink: Sink) -> None:
    ada = desk.client(desk.people.ada)
    path = f"/admin/inboxes/{desk.people.mail}"
    fields = {"csrf_token": re.findall(r'name="csrf-token" content="([^"]+)"', ada.get(path).text)[0]}
    assert "The mail server answers and lets us in." in ada.post(f"{path}/test", data=fields).text
    use_server(desk, "smtp://nowhere.invalid")
    assert "There is no server called nowhere.invalid" in ada.post(f"{path}/test", data=fields).text


def test_a_sender_that_the_server_refuses_is_named_with_its_words(desk: TestDesk) -> None:
    answers = {b"MAIL": b"553 5.7.1 Not your address"}
    with server(lambda connection: talk(connection, answers)) as url:
        use_server(desk, url)
        ada = desk.client(desk.people.ada)
        path = f"/admin/inboxes/{desk.people.mail}"
        fields = {"csrf_token": re.findall(r'name="csrf-token" content="([^"]+)"', ada.get(path).text)[0]}
        shown = ada.post(f"{path}/test", data=fields).text
    assert "does not let us send as support@example.com." in shown and "553 5.7.1 Not your address" in shown
