"""A mail server hands a mail over; it is safe before it is answered for, and becomes a ticket."""

from __future__ import annotations

from tests.desks import TestDesk
from tests.integration.email.conftest import MailDoor, arrivals, letter, messages, tickets


def test_a_mail_becomes_a_ticket_in_the_inbox_it_was_sent_to(desk: TestDesk, door: MailDoor) -> None:
    assert door.send(letter("The invoice shows the wrong address.", subject="Invoice 2231")).startswith("250")
    desk.work()
    (arrival,) = arrivals()
    (ticket,) = tickets()
    (message,) = messages()
    assert arrival.state == "accepted" and arrival.ticket_id == ticket.id and arrival.message_id == message.id
    assert (ticket.subject, ticket.inbox_id, ticket.requester_id) == ("Invoice 2231", desk.people.mail, desk.people.carol)
    assert message.text.strip() == "The invoice shows the wrong address."
