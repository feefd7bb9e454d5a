"""The history of each field: who changed what, when, from what to what; and from it how fresh a field is.

Values live in `field_change`, which erasing a person empties; the event beside it names the fields alone.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

from sqlalchemy import func, select

from helpdesk import clock, db
from helpdesk.actor import Actor
from helpdesk.catalog import ContactChanged, OrganizationChanged
from helpdesk.crm.base_models import FieldChange
from helpdesk.crm.models import Contact, Organization
from helpdesk.events import record

#: What nobody has touched or confirmed for so long is marked as old.
STALE = timedelta(days=365)
PAGE = 50


@dataclass(frozen=True)
class Freshness:
    """When a field was last written or confirmed, and by whom (a user's id); `stale` when that is long ago."""

    at: datetime
    user_id: int | None
    stale: bool


def change(subject: Contact | Organization, values: dict[str, Any], *, by: Actor, quiet: bool = False) -> tuple[str, ...]:
    """Set fields and remember what they were; the names of those that really changed. Fields of the desk's own are called custom.KEY.

    quiet: the caller records one event for many changes (an import, a merge).
    """
    changed = []
    for name, new in values.items():
        old = value_of(subject, name)
        if old == new:
            continue
        changed.append(name)
        put(subject, name, new)
        write(subject, name, plain(old), plain(new), by=by)
    if changed and not quiet:
        record(
            ContactChanged(subject.id, by, tuple(changed))
            if isinstance(subject, Contact)
            else OrganizationChanged(subject.id, by, tuple(changed))
        )
    return tuple(changed)


def write(subject: Contact | Organization, field: str, old: Any, new: Any, *, by: Actor) -> FieldChange:
    """Remember a change that was made elsewhere; `old` and `new` as JSON keeps them."""
    about = {"contact_id": subject.id} if isinstance(subject, Contact) else {"organization_id": subject.id}
    made = FieldChange(**about, field=field, old=old, new=new, at=clock.now(), actor_kind=by.kind, actor_id=by.id, via=by.via)
    db.session().add(made)
    return made


def value_of(subject: Contact | Organization, name: str) -> Any:
    """What stands in a field now; None for a field of the desk's own that was never filled in."""
    return (subject.custom or {}).get(name[7:]) if name.startswith("custom.") else getattr(subject, name)


def put(subject: Contact | Organization, name: str, value: Any) -> None:
    """Set a field without a word in the history: for undoing what left one."""
    if not name.startswith("custom."):
        setattr(subject, name, value)
        return
    held = {key: kept for key, kept in (subject.custom or {}).items() if key != name[7:]}
    subject.custom = held if value in (None, "") else {**held, name[7:]: value}


def plain(value: Any) -> Any:
    """A value as JSON keeps it."""
    return value.isoformat() if isinstance(value, datetime | date) else value


def of_contact(contacts: Collection[int], *, field: str = "", before: int | None = None, limit: int = PAGE) -> list[FieldChange]:
    """The changes of a person, the newest first; one more than `limit` where there are more."""
    found = select(FieldChange).where(FieldChange.contact_id.in_(contacts))
    if field:
        found = found.where(FieldChange.field == field)
    if before is not None:
        found = found.where(FieldChange.id < before)
    return list(db.session().scalars(found.order_by(FieldChange.id.desc()).limit(limit + 1)))


def of_organization(organization_id: int, *, before: int | None = None, limit: int = PAGE) -> list[FieldChange]:
    """The changes of an organization, the newest first; one more than `limit` where there are more."""
    found = select(FieldChange).where(FieldChange.organization_id == organization_id)
    if before is not None:
        found = found.where(FieldChange.id < before)
    return list(db.session().scalars(found.order_by(FieldChange.id.desc()).limit(limit + 1)))


def freshness(contact: Contact, fields: Collection[str]) -> dict[str, Freshness]:
    """How fresh each field is: its last change, the last time somebody confirmed the whole card, or when the customer appeared."""
    newest = select(func.max(FieldChange.id)).where(FieldChange.contact_id == contact.id).group_by(FieldChange.field)
    rows = {row.field: row for row in db.session().scalars(select(FieldChange).where(FieldChange.id.in_(newest)))}
    checked = contact.checked_at or contact.created_at
    found = {}
    for field in fields:
        row = rows.get(field)
        written = row is not None and row.at >= checked
        at = row.at if row is not None and written else checked
        user_id = row.actor_id if row is not None and written and row.actor_kind == "user" else None
        found[field] = Freshness(at, user_id, clock.now() - at > STALE)
    return found


def confirm(contact: Contact, *, by: Actor) -> None:
    """A colleague says that everything on the card is still right: all of it is fresh again."""
    change(contact, {"checked_at": clock.now()}, by=by)


def users_in(rows: Collection[FieldChange]) -> set[int]:
    """Ids of the colleagues who made these changes."""
    return {row.actor_id for row in rows if row.actor_kind == "user" and row.actor_id is not None}


@dataclass(frozen=True)
class Formerly:
    """What a person was known by and may not be any more: addresses as (kind, as written, as compared), and names."""

    addresses: set[tuple[str, str, str]]
    names: set[str]


def formerly(contacts: Collection[int]) -> Formerly:
    """Every address and name that the history of these contacts holds."""
    rows = db.session().execute(
        select(FieldChange.field, FieldChange.old, FieldChange.new).where(
            FieldChange.contact_id.in_(contacts), FieldChange.field.in_(("name", "identities"))
        )
    )
    held = [(row.field, value) for row in rows for value in (row.old, row.new) if value]
    return Formerly(
        {(value["kind"], value["value"], value["value_norm"]) for _field, value in held if isinstance(value, dict)},
        {value for _field, value in held if isinstance(value, str)},
    )
