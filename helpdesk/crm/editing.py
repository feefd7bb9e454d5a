"""Correcting what we know about a customer: name, language, tags and the company they belong to."""

from __future__ import annotations

from collections.abc import Iterable

from flask_babel import lazy_gettext as _
from sqlalchemy import delete

from helpdesk import db
from helpdesk.actor import Actor
from helpdesk.crm import history
from helpdesk.crm.models import Contact, Membership, Organization
from helpdesk.errors import Invalid

MOST_TAGS = 30


def rename(contact: Contact, name: str, *, by: Actor) -> Contact:
    """Call a customer by another name. Raises Invalid for an empty one."""
    name = " ".join(name.split())[:200]
    if not name:
        raise Invalid(fields={"name": _("A customer needs a name.")})
    return _set(contact, "name", name, by)


def speak(contact: Contact, language: str, *, by: Actor) -> Contact:
    """Write to a customer in this language from now on; empty when it is not known."""
    return _set(contact, "language", language, by)


def tag(contact: Contact, tags: Iterable[str], *, by: Actor) -> Contact:
    """Replace a customer's tags; each counts once, in the order given. Raises Invalid for too many."""
    wanted = list(dict.fromkeys(word for given in tags if (word := " ".join(given.split())[:60])))
    if len(wanted) > MOST_TAGS:
        raise Invalid(fields={"tags": _("Give at most %(n)s of these.", n=MOST_TAGS)})
    return _set(contact, "tags", wanted, by)


def join(contact: Contact, organization: Organization | None, *, by: Actor) -> Contact:
    """Move a customer to another company, or to none. What the former one let them see ends with it; tickets stay where they were."""
    session = db.session()
    old, new = contact.organization_id, organization.id if organization is not None else None
    if old == new:
        return contact
    if old is not None:
        session.execute(delete(Membership).where(Membership.contact_id == contact.id, Membership.organization_id == old))
    if new is not None and session.get(Membership, (contact.id, new)) is None:
        session.add(Membership(contact_id=contact.id, organization_id=new))
    return _set(contact, "organization_id", new, by)


def _set(contact: Contact, column: str, value: object, by: Actor) -> Contact:
    history.change(contact, {column: value}, by=by)
    return contact
