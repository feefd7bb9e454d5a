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
from sqlalchemy import inspect, select, text
from sqlalchemy.exc import IntegrityError

from helpdesk import clock, db, schema
from helpdesk.config import Settings
from helpdesk.crm.models import Contact, Identity, IdentityKind


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
        return not (kind == "table" and reflected and (name or "").startswith(("message_words", "contact_words")))

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


def addresses() -> list[tuple[Any, ...]]:
    """Every address with all that the older schema knows of it, and whether its customer is still there."""
    columns = (
        "i.id, i.contact_id, i.kind, i.value, i.value_norm, i.shared, i.verified_at, i.failing_since, i.failing_why, i.match_key, c.name"
    )
    with db.engine().connect() as connection:
        rows = connection.execute(text(f"SELECT {columns} FROM identity i JOIN contact c ON c.id = i.contact_id ORDER BY i.id"))
        return [tuple(row) for row in rows]


def test_addresses_lose_nothing_but_their_preference_when_its_step_is_taken_back(connected: None) -> None:
    now = clock.now()
    with db.transaction() as session:
        carol, oleg = Contact(name="Carol", created_at=now), Contact(name="Олег", created_at=now)
        session.add_all([carol, oleg])
        session.flush()
        for number in range(50):
            own = f"c{number}@customer.example"
            session.add(Identity(contact_id=carol.id, kind=IdentityKind.EMAIL, value=own, value_norm=own, preferred=number == 7,
                                 verified_at=now, failing_since=now if number == 3 else None, failing_why="550 no such user"))  # fmt: skip
        for contact in (carol, oleg):
            session.add(Identity(contact_id=contact.id, kind=IdentityKind.PHONE, value="+44 20 7946 0000", value_norm="+442079460000",
                                 shared=True, preferred=True))  # fmt: skip
    kept = addresses()
    assert len(kept) == 52

    schema.downgrade("0011")
    assert addresses() == kept
    with db.engine().connect() as connection:
        assert "preferred" not in {column["name"] for column in inspect(connection).get_columns("identity")}
    columns, values = "contact_id, kind, value, value_norm, shared, failing_why, match_key", ":who, :kind, '', :of, :many, '', ''"
    again = f"INSERT INTO identity ({columns}) VALUES ({values})"
    with pytest.raises(IntegrityError), db.engine().begin() as connection:  # an address of one's own is still one's own
        connection.execute(text(again), {"who": kept[-1][1], "kind": kept[0][2], "of": "c1@customer.example", "many": False})
    with db.engine().begin() as connection:  # and one that people share still has several
        connection.execute(text(again), {"who": kept[0][1], "kind": kept[-1][2], "of": "+442079460000", "many": True})

    schema.upgrade()
    assert differences() == [] and addresses()[:52] == kept
    with db.read() as session:
        assert {row.preferred for row in session.scalars(select(Identity))} == {False}
