"""Who may see and change a customer, see their worth, take lists in and out. Asked by pages, REST and socket rooms alike.

Colleagues see everybody, or their teams' customers where the desk wants it so; a customer sees themselves.
"""

from __future__ import annotations

from typing import Literal

from sqlalchemy import ColumnElement, false, or_, true

from helpdesk.auth import Principal
from helpdesk.crm.models import Contact
from helpdesk.preferences import preferences

Deed = Literal["see", "edit"]
Who = Literal["admins", "leads", "all"]
READ_SCOPE, WRITE_SCOPE = "contacts:read", "contacts:write"


def may(who: Principal, deed: Deed, contact: Contact) -> bool:
    """Whether `who` may do this."""
    if who.scopes is not None and not who.scopes & ({READ_SCOPE, WRITE_SCOPE} if deed == "see" else {WRITE_SCOPE}):
        return False
    if who.staff:
        return _theirs(who, contact.owner_id)
    return deed == "see" and contact.id in who.contacts


def may_add(who: Principal) -> bool:
    """Whether `who` may add customers."""
    return who.staff and (who.scopes is None or WRITE_SCOPE in who.scopes)


def visible(who: Principal) -> ColumnElement[bool]:
    """The same as `may(who, "see", …)`, as a condition on Contact: permissions are part of the query."""
    if who.scopes is not None and not who.scopes & {READ_SCOPE, WRITE_SCOPE}:
        return false()
    if who.staff:
        if who.leads or preferences().customers_seen != "team":
            return true()
        return or_(Contact.owner_id.is_(None), Contact.owner_id.in_(who.teammates | {who.user_id or 0}))
    return Contact.id.in_(who.contacts) if who.contact_id is not None else false()


def sees_everybody(who: Principal) -> bool:
    """Whether no customer of the desk is hidden from `who`: what was counted over all of them is theirs to know."""
    allowed = who.scopes is None or bool(who.scopes & {READ_SCOPE, WRITE_SCOPE})
    return allowed and who.staff and (who.leads or preferences().customers_seen != "team")


def may_see_value(who: Principal) -> bool:
    """Whether `who` sees what customers are worth: revenue, margin, lifetime value. Programs see it with their owner's eyes."""
    return _among(who, preferences().value_seen_by)


def may_export(who: Principal) -> bool:
    """Whether `who` may take lists out of the desk as files."""
    return who.scopes is None and _among(who, preferences().exported_by)


def may_import(who: Principal) -> bool:
    """Whether `who` may take in files of customers, and undo what they did."""
    return who.leads and who.scopes is None


def may_erase(who: Principal) -> bool:
    """Whether `who` may erase customers, say that they must be kept, and take one whole out of the desk."""
    return who.leads and who.scopes is None


def _among(who: Principal, whom: str) -> bool:
    return who.admin if whom == "admins" else who.leads if whom == "leads" else who.staff


def _theirs(who: Principal, owner_id: int | None) -> bool:
    """Teams' own customers: where the desk wants it so, an agent sees those of their team's people and those nobody owns."""
    if who.leads or preferences().customers_seen != "team":
        return True
    return owner_id is None or owner_id == who.user_id or owner_id in who.teammates
