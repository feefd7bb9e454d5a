"""Samovar & Co, the sample company: who works there, which queues and doors it has, and who its customers are.

Everything is made through the verbs that a real desk uses. Addresses end in `.example`, which belongs to nobody, so no mail can reach a
real person.
"""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from datetime import timedelta

from sqlalchemy import select

from helpdesk import clock, db
from helpdesk.actor import SYSTEM
from helpdesk.agents.models import AgentProfile, AgentSkill, QueueMember, Skill, Team, TeamMember
from helpdesk.auth import Role, User
from helpdesk.catalog import UserInvited
from helpdesk.crm import addresses, contacts
from helpdesk.crm.models import Contact, Identity, IdentityKind, Membership, Organization
from helpdesk.demo.customers import COMPANIES, PRIVATE, Person, people_of
from helpdesk.events import record
from helpdesk.kb.models import Category
from helpdesk.preferences import prefer
from helpdesk.setup import first_records
from helpdesk.tickets.models import Channel, Inbox, Queue

NAME = "Samovar & Co"
DOMAIN = "samovar.example"
#: How the company's shop numbers its customers; who has such a number was invented.
CUSTOMER_NUMBER = "shop:"
#: Everybody's password, printed in the console. Only a demo has one.
PASSWORD = "samovar-and-tea"


@dataclass(frozen=True)
class Colleague:
    """Somebody who works at the sample company. `female` decides Russian endings; `queues` maps a queue's key to the level of its skill."""

    name: str
    name_ru: str
    role: Role
    female: bool
    language: str
    speaks: dict[str, int] = field(default_factory=dict)
    queues: dict[str, int] = field(default_factory=dict)

    @property
    def email(self) -> str:
        return f"{self.name.split()[0].lower()}@{DOMAIN}"


STAFF = (
    Colleague("Anna Orlova", "Анна", Role.AGENT, True, "ru", {"Russian": 3, "English": 2}, {"support": 3, "payments": 2}),
    Colleague("Boris Klein", "Борис", Role.AGENT, False, "en", {"Russian": 1, "English": 3}, {"support": 2, "delivery": 3}),
    Colleague("Vera Sokolova", "Вера", Role.AGENT, True, "ru", {"Russian": 3, "English": 2}, {"payments": 3, "delivery": 2}),
    Colleague("Daniel Reed", "Даниил", Role.AGENT, False, "en", {"Russian": 1, "English": 3}, {"support": 2, "payments": 2, "delivery": 2}),
    Colleague("Irina Belova", "Ирина", Role.SUPERVISOR, True, "ru", {"Russian": 3, "English": 3}),
    Colleague("Max Weber", "Макс", Role.ADMIN, False, "en"),
)

#: key → name, Russian name, target in hours, acceptance, inbox.
QUEUES = {
    "support": ("Support", "Поддержка", 4, "offer", "support"),
    "payments": ("Payments", "Платежи", 8, "offer", "payments"),
    "delivery": ("Delivery", "Доставка", 2, "automatic", "delivery"),
}

CATEGORIES = (
    ("machines", "Machines", "Аппараты", "coffee"),
    ("care", "Care and cleaning", "Уход и чистка", "droplet"),
    ("trouble", "When something goes wrong", "Если что-то не так", "tool"),
    ("orders", "Orders and payment", "Заказы и оплата", "credit-card"),
    ("delivery", "Delivery", "Доставка", "truck-delivery"),
    ("returns", "Returns and warranty", "Возврат и гарантия", "arrow-back-up"),
    ("subscription", "Subscription", "Подписка", "refresh"),
    ("account", "Account and data", "Кабинет и данные", "user"),
)


@dataclass
class Company:
    """Ids of everybody and everything that the history needs. `customers`: contacts and what is invented about them."""

    staff: dict[str, int] = field(default_factory=dict)
    queues: dict[str, int] = field(default_factory=dict)
    inboxes: dict[tuple[str, Channel], int] = field(default_factory=dict)
    customers: list[tuple[int, Person]] = field(default_factory=list)
    categories: dict[str, int] = field(default_factory=dict)


def found(password_hash: str, rng: random.Random) -> Company:
    """Make the company in the current transaction, as of `clock.now()`.

    `password_hash` is everybody's: hashing takes too long for a transaction.
    """
    first_records()
    prefer(company=NAME, survey_delay_s=60)
    made = Company()
    _queues(made)
    _staff(made, password_hash)
    _categories(made)
    _customers(made, rng)
    _customer_accounts(made, password_hash)
    return made


def _queues(made: Company) -> None:
    session = db.session()
    session.add_all(Skill(name=name) for name in ("Russian", "English", *(names[0] for names in QUEUES.values())))
    session.flush()
    skills = _skills()
    first = session.scalars(select(Queue).order_by(Queue.id).limit(1)).one()  # `first_records` made it: it becomes Support
    for key, (name, russian, hours, acceptance, address) in QUEUES.items():
        queue = first if key == "support" else Queue()
        queue.name, queue.name_ru, queue.target_s, queue.acceptance = name, russian, hours * 3600, acceptance
        queue.requirements = {str(skills[name]): 1}
        queue.offer_s = 45
        session.add(queue)
        session.flush()
        made.queues[key] = queue.id
        inbox = Inbox(
            name=f"{name} mail", channel=Channel.EMAIL, address=f"{address}@{DOMAIN}", queue_id=queue.id, sender_name=f"{NAME} · {name}"
        )
        session.add(inbox)
        session.flush()
        made.inboxes[key, Channel.EMAIL] = inbox.id
    for inbox in session.scalars(select(Inbox).where(Inbox.channel != Channel.EMAIL)):
        made.inboxes["support", inbox.channel] = inbox.id


def _skills() -> dict[str, int]:
    return {skill.name: skill.id for skill in db.session().scalars(select(Skill))}


def _staff(made: Company, password_hash: str) -> None:
    session = db.session()
    skills = _skills()
    team = Team(name="First line")
    session.add(team)
    for colleague in STAFF:
        user = User(email=colleague.email, name=colleague.name, role=colleague.role, password=password_hash, language=colleague.language)
        session.add(user)
        session.flush()
        record(UserInvited(user.id, colleague.role, SYSTEM))
        made.staff[colleague.name] = user.id
        known = colleague.speaks | {QUEUES[key][0]: level for key, level in colleague.queues.items()}
        session.add_all(AgentSkill(user_id=user.id, skill_id=skills[name], level=level) for name, level in known.items())
        session.add_all(QueueMember(queue_id=made.queues[key], user_id=user.id) for key in colleague.queues)
        if colleague.role is Role.AGENT:
            session.add(AgentProfile(user_id=user.id, capacity=5, signature=f"{colleague.name}\n{NAME}"))
            session.add(TeamMember(team_id=team.id, user_id=user.id))


def _categories(made: Company) -> None:
    for position, (slug, english, russian, icon) in enumerate(CATEGORIES):
        category = Category(slug=slug, name_en=english, name_ru=russian, icon=icon, position=position)
        db.session().add(category)
        db.session().flush()
        made.categories[slug] = category.id


def _customers(made: Company, rng: random.Random) -> None:
    session = db.session()
    for name, domain, tier, language, size in COMPANIES:
        organization = contacts.add_organization(name, domain=domain, tier=tier, by=SYSTEM)
        for place, person in enumerate(people_of(domain, language, size, rng)):
            contact = _contact(made, person, organization, tier, rng)
            role = (
                ("Office manager", "Accountant", "Director")[place % 3]
                if language == "en"
                else ("Офис-менеджер", "Бухгалтер", "Директор")[place % 3]
            )
            session.merge(Membership(contact_id=contact.id, organization_id=organization.id, role=role, sees_all_tickets=place == 0))
    for domain, language, size in PRIVATE:
        for person in people_of(domain, language, size, rng):
            _contact(made, person, None, rng.choice(("", "", "", "silver", "gold")), rng)


def _contact(made: Company, person: Person, organization: Organization | None, tier: str, rng: random.Random) -> Contact:
    session = db.session()
    contact = contacts.by_email(person.email, name=person.name, language=person.language, by=SYSTEM, verified=True)
    contact.tier = tier
    contact.preferred_channel = rng.choice(("email", "email", "portal", "phone"))
    contact.time_zone = "Europe/Moscow" if person.language == "ru" else rng.choice(("Europe/Berlin", "Europe/London", "Europe/Vienna"))
    contact.acquired_at = clock.now() - timedelta(days=rng.randint(20, 1200))
    contact.organization_id = organization.id if organization else None
    contact.tags = rng.sample(["office", "coffee", "tea", "subscription", "newsletter", "events"], rng.randint(0, 2))
    number = addresses.phone(person.phone)
    shop = addresses.external(CUSTOMER_NUMBER.rstrip(":"), f"K-{1000 + len(made.customers)}")
    for kind, address in ((IdentityKind.PHONE, number), (IdentityKind.EXTERNAL, shop)):
        session.add(Identity(contact_id=contact.id, kind=kind, value=address.shown, value_norm=address.value))
    session.flush()
    made.customers.append((contact.id, person))
    return contact


def _customer_accounts(made: Company, password_hash: str) -> None:
    """Two customers who can sign in to the portal: one in each language."""
    for language in ("en", "ru"):
        contact_id, person = next((id, person) for id, person in made.customers if person.language == language)
        user = User(
            email=person.email, name=person.name, role=Role.CUSTOMER, password=password_hash, contact_id=contact_id, language=language
        )
        db.session().add(user)


def to_sign_in_as() -> list[tuple[str, str, str]]:
    """Whom a visitor may sign in as: (name, role, address). Inside a transaction."""
    users = db.session().scalars(select(User).where(User.active).order_by(User.id))
    return [(user.name, str(user.role), user.email) for user in users]
