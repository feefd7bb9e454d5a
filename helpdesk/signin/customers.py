"""Customers who only ever wrote to us sign in too: their first sign-in link makes their account.

The link goes to the address itself, so whoever uses it has proven that the address is theirs.
"""

from __future__ import annotations

from sqlalchemy import select
from sqlalchemy.exc import IntegrityError

from helpdesk import db
from helpdesk.auth import Role, User
from helpdesk.crm import contacts
from helpdesk.crm.models import Identity, IdentityKind


def account_for(address: str) -> User | None:
    """A new account, without a password, for the customer with this address.

    None for an address that nobody has or several share, and for a customer who has an account under another address.
    """
    own = select(Identity.id).where(Identity.kind == IdentityKind.EMAIL, Identity.value_norm == address, Identity.shared.is_(False))
    contact = contacts.find_by_email(address) if db.session().scalar(own) is not None else None
    if contact is None or db.session().scalar(select(User.id).where(User.contact_id == contact.id)) is not None:
        return None
    made = User(email=address, name=contact.name[:120] or address, role=Role.CUSTOMER, contact_id=contact.id, language=contact.language)
    made.time_zone = contact.time_zone
    try:
        with db.session().begin_nested():
            db.session().add(made)
            db.session().flush()
    except IntegrityError:  # asked for twice at once: the other one made it
        return db.session().scalar(select(User).where(User.email == address))
    return made
