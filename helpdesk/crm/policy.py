"""Who may see and change a customer: colleagues see everybody, a customer sees themselves. Asked by pages, REST and socket rooms alike."""

from __future__ import annotations

from typing import Literal

from sqlalchemy import ColumnElement, false, true

from helpdesk.auth import Principal
from helpdesk.crm.models import Contact

Deed = Literal["see", "edit"]
READ_SCOPE, WRITE_SCOPE = "contacts:read", "contacts:write"


def may(who: Principal, deed: Deed, contact: Contact) -> bool:
    """Whether `who` may do this."""
    if who.scopes is not None and not who.scopes & ({READ_SCOPE, WRITE_SCOPE} if deed == "see" else {WRITE_SCOPE}):
        return False
    return who.staff or (deed == "see" and who.contact_id == contact.id)


def may_add(who: Principal) -> bool:
    """Whether `who` may add customers."""
    return who.staff and (who.scopes is None or WRITE_SCOPE in who.scopes)


def visible(who: Principal) -> ColumnElement[bool]:
    """The same as `may(who, "see", …)`, as a condition on Contact: permissions are part of the query."""
    if who.scopes is not None and not who.scopes & {READ_SCOPE, WRITE_SCOPE}:
        return false()
    if who.staff:
        return true()
    return Contact.id == who.contact_id if who.contact_id is not None else false()
