"""The nightly computation of everybody's value at size: wall time, CPU time and peak memory of its process.

    python bench/value.py [CONTACTS] [INTERACTIONS] [DATABASE_URL | postgres]

Default: 500,000 contacts, 5,000,000 interactions, SQLite in a temporary folder. "postgres" starts a throw-away server; another address must
be of an empty database. The aim is five minutes and one gigabyte.
"""

from __future__ import annotations

import contextlib
import random
import resource
import sys
import tempfile
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from sqlalchemy import Table, insert

from helpdesk import db, schema
from helpdesk.agents.worth import process
from helpdesk.crm.models import Contact, Interaction, Order, Rating
from helpdesk.crm.worth_models import Payment, ValueRun
from tests.servers import PostgresServer

NOW = datetime(2026, 3, 2, 10, tzinfo=UTC)
CHUNK = 20_000


def main() -> None:
    contacts = int(sys.argv[1]) if len(sys.argv) > 1 else 500_000
    interactions = int(sys.argv[2]) if len(sys.argv) > 2 else 10 * contacts
    with contextlib.ExitStack() as stack:
        folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="value"))
        url = sys.argv[3] if len(sys.argv) > 3 else f"sqlite:///{folder}/helpdesk.db"
        if url == "postgres":
            server = PostgresServer()
            stack.enter_context(server)
            url = server.create()
        db.connect(url)
        schema.upgrade()
        began = time.monotonic()
        fill(contacts, interactions)
        print(f"filled {contacts:,} contacts, {interactions:,} interactions in {time.monotonic() - began:.0f} s", flush=True)
        with db.transaction() as session:
            run = ValueRun(as_of=NOW, started_at=NOW)
            session.add(run)
            session.flush()
        began = time.monotonic()
        process.run(run.id)
        used = resource.getrusage(resource.RUSAGE_CHILDREN)
        with db.read() as session:
            done = session.get_one(ValueRun, run.id)
            print(f"{done.state}: {done.customers:,} customers, {done.orders:,} purchases; wall {time.monotonic() - began:.0f} s, "
                  f"CPU {used.ru_utime + used.ru_stime:.0f} s, peak {used.ru_maxrss / 1024:.0f} MB")  # fmt: skip
        db.disconnect()


def fill(contacts: int, interactions: int) -> None:
    """A shop's customers: two thirds have bought, some often; a fifth have rated; everybody has written and been answered."""
    rng = random.Random(1)
    many(
        Contact,
        (
            {"id": n, "name": f"Customer {n}", "name_key": f"customer{n}", "language": "en", "created_at": NOW}
            for n in range(1, contacts + 1)
        ),
    )
    orders = list(purchases(rng, contacts))
    many(Order, orders)
    many(Payment, ({"order_id": one["id"], "at": one["at"], "amount_cents": one["total_cents"], "method": "card"} for one in orders))
    scores = ((n, rng.randint(1, 5), rng.uniform(0, 400)) for n in range(1, contacts + 1) if rng.random() < 0.2)
    many(Rating, ({"kind": "csat", "score": score, "score100": 25.0 * (score - 1), "contact_id": n, "at": NOW - timedelta(days=age)}
                  for n, score, age in scores))  # fmt: skip
    many(Interaction, ({"contact_id": 1 + n % contacts, "at": NOW - timedelta(minutes=n % 500_000), "kind": "message", "channel": "email",
                        "direction": "out" if n % 2 else "in"} for n in range(interactions)))  # fmt: skip


def purchases(rng: random.Random, contacts: int) -> Iterator[dict[str, Any]]:
    number = 0
    for contact in range(1, contacts + 1):
        if rng.random() > 0.66:
            continue
        at = NOW - timedelta(days=rng.uniform(20, 900))
        rate, leaves = rng.gammavariate(1.0, 1 / 150), rng.betavariate(0.9, 3)
        while at <= NOW:
            number += 1
            cents = round(rng.gammavariate(4, 1500)) + 100
            yield {"id": number, "contact_id": contact, "number": str(number), "at": at, "total_cents": cents, "margin_cents": cents // 3,
                   "currency": "EUR", "status": "paid"}  # fmt: skip
            if rng.random() < leaves:
                break
            at += timedelta(days=min(rng.expovariate(rate), 3000) + 0.5)


def many(table: type[Any], rows: Any) -> None:
    """Insert rows in chunks, each its own transaction."""
    made: Table = table.__table__
    chunk: list[dict[str, Any]] = []
    for row in rows:
        chunk.append({**defaults(made), **row})
        if len(chunk) == CHUNK:
            write(made, chunk)
            chunk = []
    if chunk:
        write(made, chunk)


def write(table: Table, rows: list[dict[str, Any]]) -> None:
    with db.transaction() as session:
        session.connection().execute(insert(table), rows)


_DEFAULTS: dict[str, dict[str, Any]] = {}


def defaults(table: Table) -> dict[str, Any]:
    """What the mapped classes would fill in by themselves, once for each table."""
    if table.name not in _DEFAULTS:
        _DEFAULTS[table.name] = {column.name: _made(column.default.arg) for column in table.columns if column.default is not None}
    return _DEFAULTS[table.name]


def _made(default: Any) -> Any:
    if not callable(default):
        return default
    named = repr(default)
    return [] if "list" in named else {} if "dict" in named else NOW


if __name__ == "__main__":
    main()
