"""Alembic's entry: runs steps on the engine the desk is connected to. SQLite's tables are rebuilt with foreign keys off, then checked."""

from __future__ import annotations

import importlib
from typing import Any

from alembic import context

from helpdesk import db, schema

for module in schema.TABLES:
    importlib.import_module(module)


def include(thing: Any, name: str | None, kind: str, _reflected: bool, _compare: Any) -> bool:
    """The full-text tables are made by hand in the steps, differently on each engine."""
    return not (kind == "table" and name is not None and name.startswith(("message_words", "contact_words")))


def run() -> None:
    sqlite = db.engine().dialect.name == "sqlite"
    with db.engine().connect() as connection:
        if sqlite:
            # A rebuilt table is dropped and renamed: with foreign keys on, that would empty its children. Not changeable inside a
            # transaction.
            connection.connection.driver_connection.execute("PRAGMA foreign_keys=OFF")  # type: ignore[union-attr]
        context.configure(
            connection=connection, target_metadata=db.Base.metadata, render_as_batch=sqlite, include_object=include, compare_type=True
        )
        with context.begin_transaction():
            context.run_migrations()
        if sqlite:
            broken = connection.exec_driver_sql("PRAGMA foreign_key_check").fetchall()
            if broken:
                raise RuntimeError(f"the migration left rows that point nowhere: {broken[:5]}")
            connection.rollback()
            connection.connection.driver_connection.execute("PRAGMA foreign_keys=ON")  # type: ignore[union-attr]


run()
