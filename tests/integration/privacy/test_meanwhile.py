"""Somebody is erased while their mail arrives: the mail is not lost, its writer is new here, and the old ticket stays closed to it."""

from __future__ import annotations

import threading

from sqlalchemy import select

from helpdesk import clock, db
from helpdesk.actor import SYSTEM, Actor
from helpdesk.channels.email import arrivals
from helpdesk.channels.email.models import Arrival, ArrivalState
from helpdesk.crm import contacts, erasure
from helpdesk.crm.models import Contact
from helpdesk.privacy import MARK
from helpdesk.tickets import intake
from helpdesk.tickets.models import Channel, Inbox, Message, Ticket
from tests import people
from tests.desks import TestDesk

MAIL = b"""From: Carol Jones <carol@customer.example>\r\nTo: support@example.com\r\nSubject: Re: Invoice [#%d]\r
Message-ID: <again@customer.example>\r\nDate: Mon, 2 Mar 2026 10:00:00 +0000\r\n\r\nAnd another thing.\r\n"""


def erase(desk: TestDesk, contact_id: int) -> None:
    with desk.app.app_context(), db.transaction() as session:
        erasure.erase(session.get_one(Contact, contact_id), by=Actor("user", desk.people.ada))


def test_a_mail_that_nobody_has_read_yet_opens_a_ticket_of_somebody_new(desk: TestDesk, stopped: clock.Hand) -> None:
    people.writes(desk.people.carol, inbox=desk.people.mail)
    with db.read() as session:
        old = session.scalars(select(Ticket)).one()
    arrivals.store(
        MAIL % old.number, box="support@example.com", inbox_id=desk.people.mail, sender="carol@customer.example",
        recipients=["support@example.com"],
    )  # fmt: skip
    erase(desk, desk.people.carol)
    desk.work()
    with db.read() as session:
        arrival = session.scalars(select(Arrival)).one()
        assert arrival.state is ArrivalState.ACCEPTED and arrival.ticket_id != old.id
        ticket = session.get_one(Ticket, arrival.ticket_id)
        writer = session.get_one(Contact, ticket.requester_id)
        assert writer.id != desk.people.carol and writer.erased_at is None and writer.name == "Carol Jones"
        assert "And another thing." in session.scalars(select(Message.text).where(Message.ticket_id == ticket.id)).one()
        assert set(session.scalars(select(Message.text).where(Message.ticket_id == old.id))) == {MARK}


def test_who_writes_at_the_very_moment_of_being_erased_is_erased_with_it_or_is_new(desk: TestDesk, stopped: clock.Hand) -> None:
    """Whichever comes first, no word of an erased person stays under their number."""
    wrong: list[BaseException] = []

    def write() -> None:
        try:
            with desk.app.app_context(), db.transaction() as session:
                contact = contacts.by_email("carol@customer.example", by=SYSTEM)
                place = session.get_one(Inbox, desk.people.mail)
                intake.receive(intake.Incoming(contact, "Now.", Channel.EMAIL, subject="Now"), place, by=Actor("contact", contact.id))
        except BaseException as failure:
            wrong.append(failure)

    writers = [threading.Thread(target=write) for _ in range(4)]
    for thread in writers[:2]:
        thread.start()
    erase(desk, desk.people.carol)
    for thread in writers[2:]:
        thread.start()
    for thread in writers:
        thread.join(30)
    assert not wrong
    with db.read() as session:
        rows = list(
            session.execute(
                select(Message.text, Contact.erased_at)
                .join(Ticket, Ticket.id == Message.ticket_id)
                .join(Contact, Contact.id == Ticket.requester_id)
            )
        )
    assert len(rows) == 4 and all((said == MARK) is (gone is not None) for said, gone in rows)
