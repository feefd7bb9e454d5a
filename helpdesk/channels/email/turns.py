"""Taking turns where two transactions must not decide about the same thing at once: one mail on two ways, one address's receipts.

SQLite has one writer and needs nothing. On PostgreSQL it is a lock on a name, until the transaction ends; several names in one order.
"""

from __future__ import annotations

import hashlib

from sqlalchemy import text

from helpdesk import db


def take(*names: str) -> None:
    """Wait until nobody else in a transaction holds one of these names, then hold them until ours ends."""
    if db.engine().dialect.name == "sqlite":
        return
    numbers = {int.from_bytes(hashlib.sha256(name.encode()).digest()[:8], "big", signed=True) for name in names if name}
    for number in sorted(numbers):
        db.session().execute(text("SELECT pg_advisory_xact_lock(:number)"), {"number": number})
