"""The people of the tests, and the small company they work for. They appear in every test as themselves:

Alice and Bob answer tickets in the queue Support (Alice speaks Russian and English, Bob English), Eve answers in another queue,
Billing; Dana
supervises, Ada administrates. Carol (English) and Oleg (Russian) are customers.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from helpdesk import db
from helpdesk.actor import SYSTEM, Actor
from helpdesk.agents import presence
from helpdesk.agents.models import AgentProfile, AgentSkill, PresenceState, QueueMember, Skill, Team, TeamMember
from helpdesk.agents.queries import principal_of
from helpdesk.auth import Principal, Role, User
from helpdesk.crm import contacts
from helpdesk.crm.models import Contact
from helpdesk.tickets import intake
from helpdesk.tickets.models import Channel, Inbox, Message, Priority, Queue, Ticket

PASSWORD = "correct horse battery staple"


@dataclass
class Company:
    """Ids of everybody and everything, so that tests can load them in their own transaction."""

    alice: int
    bob: int
    eve: int
    dana: int
    ada: int
    carol: int
    oleg: int
    support: int
    billing: int
    mail: int
    portal: int
    billing_mail: int
    russian: int
    english: int


def company() -> Company:
    """Everybody, in the current transaction. Nobody is available yet: see `arrives`."""
    session = db.session()
    russian, english = Skill(name="Russian"), Skill(name="English")
    support = Queue(name="Support", name_ru="Поддержка", target_s=3600, acceptance="automatic")
    billing = Queue(name="Billing", name_ru="Счета", target_s=7200, acceptance="offer")
    session.add_all([russian, english, support, billing])
    session.flush()
    mail = Inbox(name="Support mail", channel=Channel.EMAIL, address="support@example.com", queue_id=support.id, sender_name="Support")
    portal = Inbox(name="Portal", channel=Channel.PORTAL, queue_id=support.id)
    billing_mail = Inbox(name="Billing mail", channel=Channel.EMAIL, address="billing@example.com", queue_id=billing.id)
    session.add_all([mail, portal, billing_mail])
    team = Team(name="First line")
    session.add(team)
    session.flush()
    people = {
        name: person(name, role)
        for name, role in (("Alice", Role.AGENT), ("Bob", Role.AGENT), ("Eve", Role.AGENT), ("Dana", Role.SUPERVISOR), ("Ada", Role.ADMIN))
    }
    for name, queue in (("Alice", support), ("Bob", support), ("Eve", billing)):
        session.add(QueueMember(queue_id=queue.id, user_id=people[name].id))
        session.add(AgentSkill(user_id=people[name].id, skill_id=english.id, level=3))
    session.add(AgentSkill(user_id=people["Alice"].id, skill_id=russian.id, level=3))
    session.add_all(TeamMember(team_id=team.id, user_id=people[name].id) for name in ("Alice", "Bob"))
    carol = contacts.by_email("carol@customer.example", name="Carol Jones", language="en", by=SYSTEM)
    oleg = contacts.by_email("oleg@klient.example", name="Олег Тарасенко", language="ru", by=SYSTEM)
    session.flush()
    return Company(
        alice=people["Alice"].id, bob=people["Bob"].id, eve=people["Eve"].id, dana=people["Dana"].id, ada=people["Ada"].id,
        carol=carol.id, oleg=oleg.id, support=support.id, billing=billing.id, mail=mail.id, portal=portal.id, billing_mail=billing_mail.id,
        russian=russian.id, english=english.id,
    )  # fmt: skip


def person(name: str, role: Role, *, email: str = "", **values: Any) -> User:
    """Somebody who signs in with PASSWORD (see `sign_in`; its hash is made only when asked for)."""
    user = User(email=email or f"{name.lower()}@example.com", name=name, role=role, **values)
    db.session().add(user)
    db.session().flush()
    if role in (Role.AGENT, Role.SUPERVISOR):
        db.session().add(AgentProfile(user_id=user.id))
    return user


def arrives(*users: int) -> None:
    """These agents become available, in a transaction of their own."""
    with db.transaction():
        for user in users:
            presence.set_presence(user, PresenceState.AVAILABLE, by=Actor("user", user))


def principal(user: int) -> Principal:
    with db.read() as session:
        return principal_of(session.get_one(User, user))


def writes(
    contact: int,
    text: str = "My invoice is wrong.",
    *,
    inbox: int,
    subject: str = "Invoice",
    priority: Priority = Priority.NORMAL,
    **values: Any,
) -> Ticket:
    """A customer's request becomes a ticket, in a transaction of its own."""
    with db.transaction() as session:
        place = session.get_one(Inbox, inbox)
        incoming = intake.Incoming(session.get_one(Contact, contact), text, place.channel, subject=subject, **values)
        ticket, _message = intake.receive(incoming, place, by=Actor("contact", contact), priority=priority)
    return ticket


def answers(ticket: Ticket, contact: int, text: str = "Still wrong.") -> Message:
    """The customer writes again on a ticket, in a transaction of its own."""
    with db.transaction() as session:
        incoming = intake.Incoming(session.get_one(Contact, contact), text, ticket.channel)
        return intake.append(session.get_one(Ticket, ticket.id), incoming, by=Actor("contact", contact))
