"""Who was erased, told by keyed hashes: so that an older backup can be brought back without bringing them back.

Each entry stands in the database and in a file beside it, because the database that is replaced by a restore is the only one that knows of
erasures after the backup. The hashes are HMAC-SHA256 under a key of the desk's: from the file alone nobody can tell who it was.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import os
from collections.abc import Iterable
from datetime import datetime
from pathlib import Path
from typing import Any

from flask import has_app_context
from sqlalchemy import select

from helpdesk import db, links, web
from helpdesk.crm.models import Contact, Identity
from helpdesk.crm.privacy_models import Erasure

FILE = "erasures.jsonl"


def entry(contacts: Iterable[int], at: datetime) -> dict[str, Any]:
    """What the ledger keeps of a person, made before their rows are emptied."""
    session, key = db.session(), links.secret_keys()[0]
    ids = list(contacts)
    rows = session.execute(select(Contact.id, Contact.created_at).where(Contact.id.in_(ids)).order_by(Contact.id))
    own = session.execute(select(Identity.kind, Identity.value_norm).where(Identity.contact_id.in_(ids), Identity.shared.is_(False)))
    return {
        "at": at.isoformat(),
        "contacts": [[row.id, row.created_at.isoformat()] for row in rows],
        "key": key_id(key),
        "hashes": sorted(told(key, row.kind, row.value_norm) for row in own),
    }


def told(key: str, kind: str, value: str) -> str:
    """An address as the ledger tells it."""
    return hmac.new(b"helpdesk.erasure." + key.encode(), f"{kind}:{value}".encode(), hashlib.sha256).hexdigest()


def key_id(key: str) -> str:
    """By what a key is recognised without giving it away."""
    return hashlib.sha256(b"helpdesk.erasure.key." + key.encode()).hexdigest()[:8]


def keep(made: Erasure) -> None:
    """Write the entry to the file too, once it is certain."""
    if has_app_context():
        line, folder = made.ledger, web.settings().data
        db.after_commit(lambda: append(folder, [line]))


def append(folder: Path, entries: list[dict[str, Any]]) -> None:
    """Add entries to the file that it does not hold yet, durably."""
    known = {json.dumps(one, sort_keys=True) for one in read(folder)}
    fresh = [text for one in entries if (text := json.dumps(one, sort_keys=True)) not in known]
    if not fresh:
        return
    handle = os.open(folder / FILE, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    with os.fdopen(handle, "w") as file:
        file.write("".join(f"{text}\n" for text in fresh))
        file.flush()
        os.fsync(file.fileno())


def read(folder: Path) -> list[dict[str, Any]]:
    """The entries of the file. A line that was cut off is left out: the database has it."""
    path = folder / FILE
    found = []
    for line in path.read_text().splitlines() if path.exists() else []:
        try:
            found.append(json.loads(line))
        except ValueError:
            continue
    return found


def written() -> list[dict[str, Any]]:
    """The entries of the connected database."""
    return list(db.session().scalars(select(Erasure.ledger).order_by(Erasure.id)))


def returned(entries: list[dict[str, Any]]) -> list[Contact]:
    """Who of the living here was erased by these entries: the same contact, or an address that was known before it was erased.

    Who wrote again after having been erased is somebody new, and stays.
    """
    session = db.session()
    ids = {(int(number), str(made)) for one in entries for number, made in one["contacts"]}
    hashes: dict[str, datetime] = {}
    for one in entries:
        at = datetime.fromisoformat(one["at"])
        hashes.update({told_: max(at, hashes.get(told_, at)) for told_ in one["hashes"]})
    wanted = {one["key"] for one in entries}
    keys = [key for key in links.secret_keys() if key_id(key) in wanted]
    found: dict[int, Contact] = {}
    numbers = sorted({number for number, _made in ids})
    for start in range(0, len(numbers), 500):
        for contact in session.scalars(select(Contact).where(Contact.id.in_(numbers[start : start + 500]), Contact.erased_at.is_(None))):
            if (contact.id, contact.created_at.isoformat()) in ids:
                found[contact.id] = contact
    known = select(Identity.kind, Identity.value_norm, Contact.id, Contact.created_at).join(Contact, Contact.id == Identity.contact_id)
    late = [
        row.id
        for row in session.execute(known.where(Contact.erased_at.is_(None), Identity.shared.is_(False)))
        if any(row.created_at <= hashes.get(told(key, row.kind, row.value_norm), _NEVER) for key in keys)
    ]
    for start in range(0, len(late), 500):
        found.update({one.id: one for one in session.scalars(select(Contact).where(Contact.id.in_(late[start : start + 500])))})
    return list(found.values())


def foreign(entries: list[dict[str, Any]]) -> int:
    """How many entries were written under a key that this desk does not have: of those only the same contacts can be told."""
    mine = {key_id(key) for key in links.secret_keys()}
    return sum(one["key"] not in mine for one in entries)


_NEVER = datetime.fromisoformat("1970-01-01T00:00:00+00:00")
