"""What the tests of routing look at, and how they let time pass: whose a ticket is, where it waits, what is offered to whom."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from sqlalchemy import select

from helpdesk import clock, db
from helpdesk.actor import Actor
from helpdesk.agents import offers, waiting
from helpdesk.agents.models import Offer, Presence, WorkItem
from helpdesk.catalog import QueueChanged
from helpdesk.events import record
from helpdesk.tickets.models import Queue, Ticket
from tests import people
from tests.desks import TestDesk


def owner(ticket: Ticket) -> int | None:
    with db.read() as session:
        return session.get_one(Ticket, ticket.id).assignee_id


def item_of(ticket: Ticket, channel: str = "ticket") -> WorkItem:
    with db.read() as session:
        return session.scalars(select(WorkItem).where(WorkItem.ticket_id == ticket.id, WorkItem.channel == channel)).one()


def offered(user: int) -> list[Offer]:
    with db.read():
        return offers.open_offers(user)


def arrange(queue_id: int, **values: Any) -> None:
    """Change a queue's columns as its form would."""
    with db.transaction() as session:
        queue = session.get_one(Queue, queue_id)
        for name, value in values.items():
            setattr(queue, name, value)
        record(QueueChanged(queue_id, Actor("system")))


def stays(stopped: clock.Hand, *users: int, minutes: float) -> None:
    """Time passes, and these agents' screens stay open."""
    stopped.move(seconds=minutes * 60)
    with db.transaction() as session:
        for user in users:
            session.get_one(Presence, user).expires_at = clock.now() + timedelta(seconds=45)


def talks(desk: TestDesk, contact: int, channel: str, subject: str = "Talk") -> Ticket:
    """A customer wants to talk now: a ticket, and in the same transaction its chat or call."""
    with db.transaction() as session:
        place = session.get_one(people.Inbox, desk.people.portal)
        incoming = people.intake.Incoming(session.get_one(people.Contact, contact), "Hello?", place.channel, subject=subject)
        ticket, _message = people.intake.receive(incoming, place, by=Actor("contact", contact))
        waiting.wait_for(ticket, channel, by=Actor("contact", contact))
    desk.work()
    return ticket
