"""The timeline: one entry per contact with a customer, written in the same transaction as its source."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime
from typing import Any, cast

from sqlalchemy import Table, bindparam, func, or_, select, update

from helpdesk import clock, db
from helpdesk.crm.models import Contact, Interaction


def note(contact_id: int, kind: str, **values: Any) -> Interaction:
    """Add an entry; `values` are columns of Interaction, `at` defaults to now."""
    values.setdefault("at", clock.now())
    entry = Interaction(contact_id=contact_id, kind=kind, **values)
    db.session().add(entry)
    _touch(contact_id, entry.at)
    return entry


def latest(contacts: int | Collection[int], *, limit: int = 20) -> list[Interaction]:
    """The newest entries of one person: their contact, or it and all that were merged with it."""
    ids = [contacts] if isinstance(contacts, int) else list(contacts)
    newest = select(Interaction).where(Interaction.contact_id.in_(ids)).order_by(Interaction.at.desc(), Interaction.id.desc()).limit(limit)
    return list(db.session().scalars(newest))


def recount(contact: Contact) -> None:
    """Find anew when we last had to do with a contact and those who were merged into it."""
    theirs = select(Contact.id).where(or_(Contact.id == contact.id, Contact.merged_into_id == contact.id))
    newest = db.session().scalar(select(func.max(Interaction.at, type_=Interaction.at.type)).where(Interaction.contact_id.in_(theirs)))
    contact.last_at = max(newest, contact.created_at) if newest is not None else contact.created_at


def _touch(contact_id: int, at: datetime) -> None:
    """Keep the cached moment of the last contact, on the contact and on who speaks for it."""
    db.session().connection().execute(_TOUCHING, {"of": contact_id, "when": at})


def _touching() -> Any:
    """Made once, since every message touches; on the connection, so that nothing has to be flushed for it."""
    contact = cast(Table, Contact.__table__)
    who, at = bindparam("of", type_=contact.c.id.type), bindparam("when", type_=contact.c.last_at.type)
    speaker = select(contact.c.merged_into_id).where(contact.c.id == who).scalar_subquery()
    return update(contact).where(or_(contact.c.id == who, contact.c.id == speaker), contact.c.last_at < at).values(last_at=at)


_TOUCHING = _touching()
