"""Who looks at the pages of a customer's own: the person who speaks for everything that was merged into them."""

from __future__ import annotations

from helpdesk import db, web
from helpdesk.auth import Principal, User
from helpdesk.crm import contacts
from helpdesk.crm.models import Contact
from helpdesk.errors import NotFound, NotSignedIn


def me() -> Contact:
    """The customer who is signed in. Colleagues have nothing of their own here: they are told there is no such page."""
    return contacts.canonical(db.session().get_one(Contact, _customer().contact_id))


def account() -> User:
    """The account they signed in with; for others as `me`."""
    return db.session().get_one(User, _customer().user_id)


def _customer() -> Principal:
    who = web.principal()
    if who.user_id is None:
        raise NotSignedIn
    if who.staff or who.contact_id is None:
        raise NotFound
    return who
