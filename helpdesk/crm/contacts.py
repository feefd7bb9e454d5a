"""Who is this? Any address on any channel resolves to one contact; a new one makes a contact."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from typing import Any

from sqlalchemy import bindparam, func, or_, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import joinedload

from helpdesk import clock, db
from helpdesk.actor import Actor
from helpdesk.catalog import ContactAdded, OrganizationAdded
from helpdesk.crm import addresses
from helpdesk.crm.models import Contact, Identity, IdentityKind, Membership, Organization
from helpdesk.events import record

#: Domains of mail providers: sharing one says nothing about a common employer.
PUBLIC_DOMAINS = frozenset(
    "gmail.com googlemail.com outlook.com hotmail.com live.com yahoo.com icloud.com me.com proton.me protonmail.com gmx.de gmx.net web.de "
    "mail.ru bk.ru list.ru inbox.ru yandex.ru ya.ru yandex.com rambler.ru aol.com".split()
)


def by_email(address: str, *, name: str = "", language: str = "", by: Actor, verified: bool = False) -> Contact:
    """The contact who uses this address; made, with its identity, if nobody does yet. Raises Invalid for what is not an address.

    A name we did not know is filled in; one we know is never overwritten by what a mail claims.
    """
    read = addresses.email(address)
    contact = find_by_email(read.value)
    if contact is None:
        try:
            with _by_myself():
                contact = _new_by_email(read, name=name, language=language, verified=verified)
            record(ContactAdded(contact.id, by))
        except IntegrityError:
            # Two doors met the same stranger at once; the other one's contact counts.
            contact = find_by_email(read.value)
            if contact is None:
                raise
    elif language and not contact.language:
        contact.language = language
    return contact


def _new_by_email(read: addresses.Address, *, name: str, language: str, verified: bool) -> Contact:
    contact = _made(name or read.shown.split("@")[0], language, None)
    contact.identities = [
        Identity(kind=IdentityKind.EMAIL, value=read.shown, value_norm=read.value, verified_at=clock.now() if verified else None)
    ]
    join_by_domain(contact, read.value)
    db.session().flush()
    return contact


def _by_myself() -> AbstractContextManager[Any]:
    """A part that may fail where somebody else writes at the same time; SQLite has one writer, so that nobody can."""
    return nullcontext() if db.engine().dialect.name == "sqlite" else db.session().begin_nested()


def find_by_email(address: str) -> Contact | None:
    """The contact behind an address, or the one it was merged into.

    In a transaction that writes nobody can erase them until its end; who is being erased right now is waited for, and then not found.
    """
    found = db.session().scalar(_WRITING_BY_EMAIL if db.unit().writes else _BY_EMAIL, {"address": address.strip().lower()})
    return canonical(found) if found else None


#: Made once: everything that arrives asks.
_BY_EMAIL = (
    select(Contact)
    .join(Identity, Identity.contact_id == Contact.id)
    .where(Identity.kind == IdentityKind.EMAIL, Identity.value_norm == bindparam("address"), Contact.erased_at.is_(None))
    .order_by(Identity.shared, Identity.id)
    .limit(1)
)
# SQLite has one writer anyway.
_WRITING_BY_EMAIL = _BY_EMAIL.with_for_update(read=True, key_share=True, of=Contact)


def canonical(contact: Contact) -> Contact:
    """Who speaks for a merged contact, with their organization if it is another."""
    seen = {contact.id}
    while contact.merged_into_id is not None and contact.merged_into_id not in seen:
        seen.add(contact.merged_into_id)
        speaker = select(Contact).where(Contact.id == contact.merged_into_id).options(joinedload(Contact.organization))
        contact = db.session().scalars(speaker.execution_options(populate_existing=True)).one()
    return contact


def group(contact_id: int) -> list[int]:
    """The ids of all contacts that are one person with this one, whoever speaks for them first: what reading joins through.

    Every part of a page asks; in a transaction that only reads the answer stays the same.
    """
    unit = db.unit()
    if unit.writes:
        return list(unit.session.scalars(_GROUP, {"of": contact_id})) or [contact_id]
    known: dict[int, list[int]] = unit.notes.setdefault("groups", {})
    if contact_id not in known:
        known[contact_id] = list(unit.session.scalars(_GROUP, {"of": contact_id})) or [contact_id]
    return list(known[contact_id])


_SPEAKER = select(Contact.canonical_id).where(Contact.id == bindparam("of", type_=Contact.id.type)).scalar_subquery()
_GROUP = (
    select(Contact.id)
    .where(or_(Contact.id == _SPEAKER, Contact.merged_into_id == _SPEAKER))
    .order_by(Contact.merged_into_id.is_not(None), Contact.id)
)


def same(first_id: int, second_id: int) -> bool:
    """Whether two contacts are one person."""
    return first_id == second_id or second_id in group(first_id)


def add(*, name: str, language: str = "", organization_id: int | None = None, by: Actor) -> Contact:
    """A new contact, without any address yet."""
    contact = _new(name, language, organization_id)
    record(ContactAdded(contact.id, by))
    return contact


def _new(name: str, language: str, organization_id: int | None) -> Contact:
    contact = _made(name, language, organization_id)
    db.session().flush()
    return contact


def _made(name: str, language: str, organization_id: int | None) -> Contact:
    contact = Contact(name=name.strip()[:200] or "?", language=language, organization_id=organization_id, acquired_at=clock.now())
    db.session().add(contact)
    return contact


def add_organization(name: str, *, domain: str = "", tier: str = "", by: Actor) -> Organization:
    organization = Organization(name=name.strip()[:200], domain=domain.lower(), tier=tier)
    db.session().add(organization)
    db.session().flush()
    record(OrganizationAdded(organization.id, by))
    return organization


def join_by_domain(contact: Contact, email: str) -> None:
    """Put a new contact into the organization whose mail domain they use."""
    domain = email.rpartition("@")[2]
    if contact.organization_id or not domain or domain in PUBLIC_DOMAINS:
        return
    session = db.session()
    with session.no_autoflush:  # the contact is written once, with what is found here
        organization_id = session.scalar(_BY_DOMAIN, {"domain": domain})
    if organization_id is not None:
        contact.organization_id = organization_id
        session.flush()
        session.add(Membership(contact_id=contact.id, organization_id=organization_id))


_BY_DOMAIN = select(Organization.id).where(Organization.domain == bindparam("domain")).order_by(Organization.id).limit(1)


def email_of(contact_id: int) -> str | None:
    """The address to write to: the preferred one, else a verified one, never one that bounces if there is another; also of those
    merged with this one."""
    return db.session().scalar(_ADDRESS, {"of": contact_id})


_ADDRESS = (
    select(Identity.value)
    .where(Identity.contact_id.in_(_GROUP.order_by(None)), Identity.kind == IdentityKind.EMAIL)
    .order_by(
        Identity.failing_since.is_not(None),
        Identity.preferred.desc(),
        Identity.contact_id != bindparam("of"),
        Identity.verified_at.is_(None),
        Identity.id,
    )
    .limit(1)
)


def owns_email(contact_id: int, address: str) -> bool:
    """Whether an address belongs to this contact (or to one merged into it)."""
    found = find_by_email(address)
    return found is not None and same(found.id, contact_id)


def count() -> int:
    return (
        db.session().scalar(select(func.count()).select_from(Contact).where(Contact.merged_into_id.is_(None), Contact.erased_at.is_(None)))
        or 0
    )
