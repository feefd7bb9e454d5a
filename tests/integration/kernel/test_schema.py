"""The schema's steps: they lead to what the models say, and each can be taken back and taken again."""

from __future__ import annotations

import importlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory

from helpdesk import db, schema
from helpdesk.config import Settings


@pytest.fixture
def connected(settings: Settings) -> Iterator[None]:
    """A migrated, empty database."""
    for module in schema.TABLES:
        importlib.import_module(module)
    db.connect(settings.database_url)
    yield
    db.disconnect()


def differences() -> list[Any]:
    """What the models say and the database does not. SQLite's full-text tables are no model's."""

    def is_ours(_item: Any, name: str | None, kind: str, reflected: bool, _with: Any) -> bool:
        return not (kind == "table" and reflected and (name or "").startswith("message_words"))

    with db.engine().connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True, "include_object": is_ours})
        return list(compare_metadata(context, db.Base.metadata))


def test_the_steps_lead_to_what_the_models_say(connected: None) -> None:
    assert differences() == []


@pytest.mark.parametrize("engine", ["sqlite"], indirect=True)
def test_the_newest_step_is_where_the_chain_ends_and_an_empty_database_stands_nowhere(connected: None) -> None:
    script = ScriptDirectory(str(schema.FOLDER))
    assert schema.newest() == script.get_current_head() == schema.current()
    assert all(Path(step.path).stem.partition("_")[0] == step.revision for step in script.walk_revisions())
    schema.downgrade("base")
    assert schema.current() is None


def test_the_newest_step_can_be_taken_back_and_taken_again(connected: None) -> None:
    schema.downgrade("-1")
    assert schema.current() != schema.newest()
    schema.upgrade()
    assert schema.current() == schema.newest() and differences() == []


def test_every_step_can_be_taken_back(connected: None) -> None:
    schema.downgrade("base")
    schema.upgrade()
    assert differences() == []
