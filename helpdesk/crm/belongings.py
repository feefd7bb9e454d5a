"""Everything that the desk keeps about one person, as JSON can say it: what each table declares, and the sections that packages add."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import select

from helpdesk import clock, db, privacy
from helpdesk.crm import contacts, erasure
from helpdesk.crm.models import Contact
from helpdesk.db import Base
from helpdesk.privacy import Class

#: What a person is given of a row: never secrets, nor how the desk itself works.
GIVEN = (Class.FACT, Class.PERSONAL, Class.CONTENT)


def everything(contact: Contact) -> dict[str, Any]:
    """{"made_at", "records": {table: [row, …]}, section: …}; times are ISO 8601 in UTC."""
    person = erasure.person_of(contacts.group(contact.id))
    made: dict[str, Any] = {"made_at": clock.now().isoformat()}
    made.update({name: section(person) for name, section in privacy.sections().items()})
    made["records"] = {name: rows for name in privacy.classified() if (rows := _rows(name, person))}
    return made


def _rows(name: str, person: privacy.Person) -> list[dict[str, Any]]:
    said, which = privacy.classified()[name], privacy.theirs(name, person)
    if which is None or not said.exported:
        return []
    table = Base.metadata.tables[name]
    wanted = [
        column
        for column in table.columns
        if said.columns.get(column.name, Class.FACT) in GIVEN and not column.foreign_keys and column.name != "object_key"
    ]
    found = db.session().execute(select(*wanted).where(which).order_by(*table.primary_key.columns)).mappings()
    return [{key: _plain(value) for key, value in row.items() if value not in (None, "", [], {})} for row in found]


def _plain(value: Any) -> Any:
    return value.isoformat() if isinstance(value, datetime) else value
