"""The timeline: one entry per contact with a customer, written in the same transaction as its source."""

from __future__ import annotations

from typing import Any

from sqlalchemy import select

from helpdesk import clock, db
from helpdesk.crm.models import Interaction


def note(contact_id: int, kind: str, **values: Any) -> Interaction:
    """Add an entry; `values` are columns of Interaction, `at` defaults to now."""
    values.setdefault("at", clock.now())
    entry = Interaction(contact_id=contact_id, kind=kind, **values)
    db.session().add(entry)
    return entry


def latest(contact_id: int, *, limit: int = 20) -> list[Interaction]:
    """The newest entries of one contact."""
    newest = (
        select(Interaction).where(Interaction.contact_id == contact_id).order_by(Interaction.at.desc(), Interaction.id.desc()).limit(limit)
    )
    return list(db.session().scalars(newest))
