"""The customers' pages at size: the 360° page, a list with three conditions, a segment's count, the search for duplicates.

    python bench/customer.py [--contacts N] [--interactions N] [--rounds N] [--full] [--postgres | --url DATABASE_URL]

Default: 20,000 contacts with 200,000 interactions in SQLite in a temporary folder; --full is 500,000 with 5,000,000. --postgres starts a
throw-away server; another address must be of an empty database. Pages are asked for as a signed-in supervisor's browser asks, and answered
whole. Prints p50 and p95 in milliseconds; the aim is 200 for each.
"""

from __future__ import annotations

import argparse
import contextlib
import random
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from sqlalchemy import insert, select, text

from helpdesk import config, db, schema
from helpdesk.agents.queries import principal_of
from helpdesk.app import Desk, create_app
from helpdesk.auth import Role, User
from helpdesk.crm import duplicates, finding, segments
from helpdesk.crm.base_models import Segment
from helpdesk.crm.keys import match_key, name_key
from helpdesk.crm.models import Contact, Identity, Interaction
from tests.servers import PostgresServer

NOW = datetime(2026, 3, 2, 10, tzinfo=UTC)
CHUNK = 20_000
FIRST = "Anna Boris Clara David Emma Fedor Greta Hugo Irina Jonas Karin Lev Maria Nils Olga Peter Rosa Stefan Tanja Viktor".split()


def main() -> None:
    read = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    read.add_argument("--contacts", type=int, default=20_000)
    read.add_argument("--interactions", type=int, default=200_000)
    read.add_argument("--rounds", type=int, default=60)
    read.add_argument("--full", action="store_true")
    read.add_argument("--url", default="")
    read.add_argument("--postgres", action="store_true")
    asked = read.parse_args()
    size, entries = (500_000, 5_000_000) if asked.full else (asked.contacts, asked.interactions)
    with contextlib.ExitStack() as stack:
        folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="customer"))
        environ = {"HELPDESK_DATA": folder, "SECRET_KEYS": "k" * 40, "BASE_URL": "http://localhost"}
        if asked.postgres:
            server = PostgresServer()
            stack.enter_context(server)
            asked.url = server.create()
        settings = config.load({**environ, "DATABASE_URL": asked.url} if asked.url else environ)
        db.connect(settings.database_url)
        schema.upgrade()
        app = create_app(settings)
        began = time.monotonic()
        fill(size, entries)
        print(
            f"{db.engine().dialect.name}: {size:,} contacts, {entries:,} interactions, filled in {time.monotonic() - began:.0f} s",
            flush=True,
        )
        measure(app, size, asked.rounds)
        db.disconnect()


def fill(size: int, entries: int) -> None:
    """Names repeat as names do; everybody has an address."""
    rng = random.Random(1)
    names = [f"{rng.choice(FIRST)} {rng.choice(FIRST)}son {n // 3}" for n in range(size)]
    many(Contact, ({"id": n + 1, "name": name, "name_key": name_key(name), "language": rng.choice(("en", "ru")), "created_at": NOW,
                    "last_at": NOW - timedelta(minutes=n), "lifecycle": rng.choice(("lead", "customer", "loyal"))}
                   for n, name in enumerate(names)))  # fmt: skip
    many(Identity, ({"contact_id": n + 1, "kind": "email", "value": f"c{n}@customer.example", "value_norm": f"c{n}@customer.example",
                     "match_key": match_key(f"c{n}@customer.example")} for n in range(size)))  # fmt: skip
    many(Interaction, ({"contact_id": whose(n, size, entries), "at": NOW - timedelta(minutes=n % 500_000), "kind": "message",
                        "channel": "email", "direction": "out" if n % 2 else "in", "title": "Hello"} for n in range(entries)))  # fmt: skip
    leaves = (("language", "is", "ru"), ("lifecycle", "is", "loyal"), ("name", "contains", "Anna"))
    tree = {"match": "all", "of": [{"field": field, "op": op, "value": value} for field, op, value in leaves]}
    with db.transaction() as session:
        session.add(User(email="lead@example.com", name="Lead", role=Role.SUPERVISOR))
        session.add(Segment(name="Loyal Annas who speak Russian", conditions=tree, shared=True))
    with db.transaction():
        finding.rebuild()  # the rows above went past the verbs
    if db.engine().dialect.name == "postgresql":
        # As autovacuum leaves a desk that has grown over the years.
        with db.engine().connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            connection.execute(text("VACUUM ANALYZE"))


def whose(n: int, size: int, entries: int) -> int:
    """Twenty customers have 5,000 entries each (in a full run); one in a hundred has half of the rest."""
    if n < 20 * min(5000, entries // 50):
        return 1 + n % 20
    return 1 + (n % max(1, size // 100) if n % 2 else n % size)


def many(model: type, rows: object) -> None:
    held: list[dict[str, object]] = []
    for row in rows:  # type: ignore[attr-defined]
        held.append(row)
        if len(held) == CHUNK:
            flush(model, held)
            held = []
    if held:
        flush(model, held)


def flush(model: type, rows: list[dict[str, object]]) -> None:
    with db.transaction() as session:
        session.execute(insert(model.__table__), rows)  # type: ignore[attr-defined]


def measure(app: Desk, size: int, rounds: int) -> None:
    rng = random.Random(2)
    with db.read() as session:
        lead, segment = session.scalars(select(User)).one(), session.scalars(select(Segment)).one()
        who, tree, place = principal_of(lead), segment.conditions, f"/segments/{segment.id}"
    client = app.test_client()
    with client.session_transaction() as kept:
        kept["_user_id"], kept["_fresh"] = lead.fs_uniquifier, True

    def page(path: Callable[[], str]) -> Callable[[], None]:
        def opens() -> None:
            assert client.get(path()).status_code == 200

        return opens

    def counted() -> None:
        with db.read():
            segments.count(who, tree)

    def alike() -> None:
        with db.transaction():
            duplicates.seek([rng.randint(1, size)])

    for label, run in (
        ("360° page", page(lambda: f"/customers/{rng.randint(1, max(1, size // 100))}")),
        ("360° page, 5,000 entries", page(lambda: f"/customers/{rng.randint(1, 20)}")),
        ("list", page(lambda: "/customers")),
        ("list, searched", page(lambda: f"/customers?q={rng.choice(FIRST)}+{rng.randint(1, size // 3)}")),
        ("list, 3 conditions", page(lambda: place)),
        ("segment count", counted),
        ("duplicate search", alike),
    ):
        print(f"{label:26} {timed(run, rounds)}", flush=True)


def timed(run: Callable[[], None], rounds: int) -> str:
    run()  # templates are compiled and plans made once in a process's life
    spent = []
    for _number in range(rounds):
        began = time.perf_counter()
        run()
        spent.append(1000 * (time.perf_counter() - began))
    return f"p50 {statistics.median(spent):7.1f} ms   p95 {statistics.quantiles(spent, n=20)[-1]:7.1f} ms"


if __name__ == "__main__":
    main()
