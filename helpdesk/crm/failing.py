"""Addresses where mail does not arrive: marked by a server's word, trusted again by hand or when its owner writes from there."""

from __future__ import annotations

from sqlalchemy import select

from helpdesk import db
from helpdesk.actor import Actor
from helpdesk.catalog import ContactChanged
from helpdesk.crm.models import Contact, Identity, IdentityKind
from helpdesk.events import record


def addresses_of(contact_id: int) -> list[Identity]:
    """A contact's addresses that are marked, the first marked first."""
    found = select(Identity).where(
        Identity.contact_id == contact_id, Identity.kind == IdentityKind.EMAIL, Identity.failing_since.is_not(None)
    )
    return list(db.session().scalars(found.order_by(Identity.failing_since, Identity.id)))


def trust_again(contact: Contact, *, by: Actor, address: str = "") -> int:
    """Take the mark off a contact's addresses, or off one of them; how many were marked."""
    marked = [one for one in addresses_of(contact.id) if not address or one.value_norm == address.lower()]
    for identity in marked:
        identity.failing_since, identity.failing_why = None, ""
    if not addresses_of(contact.id):
        contact.bounce_note = ""
    if marked:
        record(ContactChanged(contact.id, by, fields=("failing_since",)))
    return len(marked)
