"""Customers are found by the pieces of their names and addresses: an index of its own, filled with everybody there is."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from alembic import op

from helpdesk.crm import pieces

revision = "0020"
down_revision = "0019"
branch_labels = None
depends_on = None

TABLE = {
    "sqlite": [
        "CREATE VIRTUAL TABLE contact_words USING"
        " fts5(pieces, detail=none, columnsize=0, tokenize='unicode61 remove_diacritics 0')"
    ],
    "postgresql": [
        "CREATE TABLE contact_words (contact_id BIGINT PRIMARY KEY REFERENCES contact(id) ON DELETE CASCADE, pieces TSVECTOR NOT NULL)",
        "CREATE INDEX ix_contact_words_pieces ON contact_words USING gin (pieces)",
    ],
}  # fmt: skip
WRITE = {
    "sqlite": "INSERT INTO contact_words(rowid, pieces) VALUES (:id, :pieces)",
    "postgresql": "INSERT INTO contact_words(contact_id, pieces) VALUES (:id, array_to_tsvector(CAST(:pieces AS text[])))",
}
BATCH = 2000


def upgrade() -> None:
    connection = op.get_bind()
    make, *index = TABLE[connection.dialect.name]
    op.execute(make)
    _fill(connection)
    for statement in index:  # made of all rows at once, which takes a fraction of growing with them
        op.execute(statement)


def _fill(connection: sa.Connection) -> None:
    """Whoever speaks for a person, by their name and by the addresses of everybody merged with them."""
    people = sa.text(
        "SELECT id, name FROM contact WHERE id > :last AND merged_into_id IS NULL AND erased_at IS NULL ORDER BY id LIMIT :most"
    )
    reached = sa.text(
        "SELECT coalesce(c.merged_into_id, c.id), i.value_norm FROM identity i JOIN contact c ON c.id = i.contact_id"
        " WHERE (c.merged_into_id IS NULL AND c.id BETWEEN :first AND :last) OR c.merged_into_id BETWEEN :first AND :last"
    )
    write, last = sa.text(WRITE[connection.dialect.name]), 0
    while some := connection.execute(people, {"last": last, "most": BATCH}).all():
        said: dict[int, list[str]] = {number: [name] for number, name in some}
        last = some[-1][0]
        for whose, address in connection.execute(reached, {"first": some[0][0], "last": last}):
            if whose in said:
                said[whose].append(address)
        made = ((number, pieces.held(texts)) for number, texts in said.items())
        rows: list[dict[str, Any]] = [
            {"id": number, "pieces": " ".join(held) if connection.dialect.name == "sqlite" else held} for number, held in made
        ]
        connection.execute(write, rows)


def downgrade() -> None:
    op.execute("DROP TABLE contact_words")
