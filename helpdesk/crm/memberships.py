"""Organizations as colleagues keep them: correcting one, and who has which part in it.

A person may belong to several; `contact.organization_id` is the first, whose tickets and terms theirs are. Seeing all tickets of an
organization is a right that only those who lead grant.
"""

from __future__ import annotations

from typing import Any

from flask_babel import lazy_gettext as _
from sqlalchemy import select

from helpdesk import db
from helpdesk.actor import Actor
from helpdesk.catalog import ContactChanged
from helpdesk.crm import contacts, editing, history, organizations
from helpdesk.crm.models import Contact, Membership, Organization
from helpdesk.errors import Conflict, Invalid, Words
from helpdesk.events import record

KINDS = ("client", "partner", "supplier", "competitor")
MOST_TAGS, LONGEST_TERMS, LONGEST_ROLE = 30, 5000, 60
FIELD = "membership"


def add(name: str, *, kind: str = "client", domain: str = "", by: Actor) -> Organization:
    """A new organization. Raises Invalid with every fault at once."""
    values = checked(None, {"name": name, "kind": kind, "domain": domain})
    made = contacts.add_organization(values["name"], domain=values["domain"], by=by)
    made.kind = values["kind"]
    return made


def checked(organization: Organization | None, said: dict[str, Any]) -> dict[str, Any]:
    """Name, kind, mail domain, tags and terms as typed, in their one way of writing; what is left out stays out.

    Raises Invalid with every fault at once: a name or domain that another organization has would leave people between the two.
    """
    faults: dict[str, Words] = {}
    values = dict(said)
    if "name" in said:
        values["name"] = name = " ".join(said["name"].split())[:200]
        if not name:
            faults["name"] = _("Please fill this in.")
        elif _other(organization, name) is not None:
            faults["name"] = _("There is an organization of this name.")
    if "kind" in said and said["kind"] not in KINDS:
        faults["kind"] = _("Choose one of these.")
    if "domain" in said:
        values["domain"] = domain = said["domain"].strip().lower().lstrip("@")[:200]
        if domain and ("." not in domain or " " in domain):
            faults["domain"] = _("This is not a mail domain, such as example.com.")
        elif domain in contacts.PUBLIC_DOMAINS:
            faults["domain"] = _("Everybody can have an address there: it says nothing about a company.")
        elif domain and _with_domain(organization, domain):
            faults["domain"] = _("Another organization has this mail domain.")
    if "tags" in said:
        values["tags"] = list(dict.fromkeys(word for given in said["tags"] if (word := " ".join(given.split())[:60])))
        if len(values["tags"]) > MOST_TAGS:
            faults["tags"] = _("Give at most %(n)s of these.", n=MOST_TAGS)
    if "terms" in said:
        values["terms"] = said["terms"].strip()
        if len(values["terms"]) > LONGEST_TERMS:
            faults["terms"] = _("Please shorten this to %(n)s characters.", n=LONGEST_TERMS)
    if faults:
        raise Invalid(fields=faults)
    return values


def belong(contact: Contact, organization: Organization, *, role: str = "", sees_all: bool = False, by: Actor) -> Membership:
    """Give a person a part in an organization; their first one, if they had none. Raises Conflict when they have one there."""
    session = db.session()
    if session.get(Membership, (contact.id, organization.id)) is not None:
        raise Conflict(_("They belong to it already."))
    made = Membership(contact_id=contact.id, organization_id=organization.id, role=_role(role), sees_all_tickets=sees_all)
    session.add(made)
    session.flush()
    if contact.organization_id is None:
        history.change(contact, {"organization_id": organization.id}, by=by)
    _noted(contact, None, _written(made, organization), by)
    return made


def change(member: Membership, *, role: str, sees_all: bool, by: Actor) -> None:
    """Another role, another right."""
    session = db.session()
    organization, contact = session.get_one(Organization, member.organization_id), session.get_one(Contact, member.contact_id)
    before = _written(member, organization)
    member.role, member.sees_all_tickets = _role(role), sees_all
    if (after := _written(member, organization)) != before:
        _noted(contact, before, after, by)


def leave(contact: Contact, organization: Organization, *, by: Actor) -> None:
    """They have no part in it any more and see none of its tickets; their own stay where they were. Raises Conflict when they had none.

    If it was their first, another one of theirs takes its place.
    """
    session = db.session()
    member = session.get(Membership, (contact.id, organization.id))
    if member is None and contact.organization_id != organization.id:
        raise Conflict(_("They do not belong to it any more."))
    before = _written(member, organization) if member is not None else None
    if member is not None:
        session.delete(member)
        session.flush()
    if contact.organization_id == organization.id:
        rest = select(Membership.organization_id).where(Membership.contact_id == contact.id).order_by(Membership.organization_id).limit(1)
        following = session.scalar(rest)
        editing.join(contact, session.get_one(Organization, following) if following is not None else None, by=by)
    if before is not None:
        _noted(contact, before, None, by)


def _noted(contact: Contact, old: str | None, new: str | None, by: Actor) -> None:
    history.write(contact, FIELD, old, new, by=by)
    record(ContactChanged(contact.id, by, (FIELD,)))


def _written(member: Membership, organization: Organization) -> str:
    """A part as the history keeps it; the eye says that they see all tickets."""
    return f"{organization.name}{f': {member.role}' if member.role else ''}{' 👁' if member.sees_all_tickets else ''}"


def _role(said: str) -> str:
    role = " ".join(said.split())
    if len(role) > LONGEST_ROLE:
        raise Invalid(fields={"role": _("Please shorten this to %(n)s characters.", n=LONGEST_ROLE)})
    return role


def _other(organization: Organization | None, name: str) -> Organization | None:
    found = organizations.called(name)
    return found if found is not None and (organization is None or found.id != organization.id) else None


def _with_domain(organization: Organization | None, domain: str) -> bool:
    found = select(Organization.id).where(Organization.domain == domain)
    if organization is not None:
        found = found.where(Organization.id != organization.id)
    return db.session().scalar(found.limit(1)) is not None
