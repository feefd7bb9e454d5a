"""A restore does not bring back who was erased since: the ledger of the replaced desk and its file are replayed over the backup."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

from sqlalchemy import inspect, text

from helpdesk import db, events
from helpdesk.actor import SYSTEM
from helpdesk.config import Settings

Entries = list[dict[str, Any]]


def known(settings: Settings) -> Entries:
    """Every erasure that this place knows of, before anything is replaced: from the file beside the database and from the database."""
    from helpdesk.crm import erasure_ledger

    found = erasure_ledger.read(settings.data)
    found += _of_file(Path(settings.database_url.removeprefix("sqlite:///"))) if settings.sqlite else _of_database()
    return list({json.dumps(one, sort_keys=True): one for one in found}.values())


def _of_file(place: Path) -> Entries:
    if not place.exists():
        return []
    with closing(sqlite3.connect(place)) as link:
        try:
            return [json.loads(row[0]) for row in link.execute("SELECT ledger FROM erasure ORDER BY id")]
        except sqlite3.DatabaseError:  # an older desk, or none
            return []


def _of_database() -> Entries:
    with db.engine().connect() as connection:
        if not inspect(connection).has_table("erasure"):
            return []
        rows = [row[0] for row in connection.execute(text("SELECT ledger FROM erasure ORDER BY id"))]
    return [json.loads(row) if isinstance(row, str) else row for row in rows]


def replay(entries: Entries, drop: Callable[[str], None]) -> int:
    """Erase again whoever the restored rows know and the ledger says went: whole, with files and freed space; how many.

    In the connected database. Nothing is owed or sent for it.
    """
    from helpdesk.crm import erasure, erasure_ledger, sweeping
    from helpdesk.crm.models import Contact

    if not entries:
        return 0
    with db.transaction(), events.history():
        wanted = [contact.id for contact in erasure_ledger.returned(entries)]
    made = []
    for contact_id in wanted:
        with db.transaction() as session, events.history():
            contact = session.get_one(Contact, contact_id)
            if contact.erased_at is None:  # not yet, as one of a merged person
                made.append(erasure.erase(contact, by=SYSTEM.through("restore"), source="restore", again=True).id)
    for erasure_id in made:
        sweeping.sweep(erasure_id, drop, follow=False)
    if made:
        sweeping.compact()
    return len(made)


def remember(settings: Settings, entries: Entries) -> None:
    """The file beside the database that was put in place knows them too."""
    from helpdesk.crm import erasure_ledger

    erasure_ledger.append(settings.data, entries)


def foreign(entries: Entries) -> int:
    """How many were noted under a key that this desk does not have."""
    from helpdesk.crm import erasure_ledger

    return erasure_ledger.foreign(entries)
