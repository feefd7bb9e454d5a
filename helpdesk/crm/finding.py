"""Finding customers by any part of their name or addresses: an index of pieces, kept with every change in its own transaction.

SQLite keeps the pieces in an FTS5 table, PostgreSQL in a tsvector with a GIN index; a migration makes either. A row belongs to whoever
speaks for a person and holds the addresses of those merged with them; who is merged or erased has none. The index only narrows: whoever
it names is compared with the words themselves by `queries.matching`, so that both engines find the same.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import Any

from sqlalchemy import ColumnElement, Connection, String, bindparam, column, event, exists, inspect, or_, select, table, text
from sqlalchemy.orm import Mapper

from helpdesk import db
from helpdesk.crm import pieces
from helpdesk.crm.models import Contact, Identity
from helpdesk.db import Id

#: With more who may fit than this, walking the list in its own order meets a page of them sooner than looking at each.
MOST = 2000
BATCH = 1000
_NOTE = "pieces to make"


def touch(*contacts: int) -> None:
    """These customers' names, addresses or merges change in this transaction: their pieces follow before it ends."""
    unit = db.unit()
    waiting: list[int] | None = unit.notes.get(_NOTE)
    if waiting is None:
        waiting = unit.notes[_NOTE] = []
        unit.before_commit.append(follow)
    waiting.extend(contacts)


def follow() -> None:
    """Bring the index up to what this transaction has changed so far."""
    waiting = db.unit().notes.get(_NOTE)
    if waiting:
        contacts = sorted(set(waiting))
        waiting.clear()
        for some in _parts(contacts):
            _index(some)


def forget(contacts: Collection[int]) -> None:
    """Take customers out of the index."""
    connection = db.session().connection()
    for number in contacts:
        connection.execute(_FORGET[connection.dialect.name], {"id": number})


def rebuild() -> int:
    """Make the whole index anew; how many customers it holds. Inside a transaction."""
    session = db.session()
    session.execute(text("DELETE FROM contact_words"))
    done, last = 0, 0
    while True:
        alive = (Contact.id > last, Contact.merged_into_id.is_(None), Contact.erased_at.is_(None))
        some = list(session.scalars(select(Contact.id).where(*alive).order_by(Contact.id).limit(BATCH)))
        if not some:
            return done
        _write(_texts(some))
        done, last = done + len(some), some[-1]


def holding(words: Iterable[str]) -> list[int] | None:
    """Who holds every piece of these words. None when they are too many to look at each, or when the words have no pieces."""
    asked = _asked(words)
    if not asked:
        return None
    unit = db.unit()
    if unit.writes and unit.notes.get(_NOTE):
        unit.session.flush()
        follow()
    connection = unit.session.connection()
    found = list(connection.execute(_HOLDING[connection.dialect.name], {"asked": asked, "most": MOST + 1}).scalars())
    return found if len(found) <= MOST else None


def holds(word: str) -> ColumnElement[bool]:
    """Whether a customer holds every piece of a word, as a condition on Contact."""
    asked = bindparam(None, _asked([word]), String)
    if db.engine().dialect.name == "sqlite":
        return Contact.id.in_(select(_table.c.rowid).where(_table.c.contact_words.op("MATCH")(asked)))
    held = _table.c.pieces.bool_op("@@")(asked.op("::")(text("tsquery")))
    return exists().where(_table.c.contact_id == Contact.id, held)


# --- below ---------------------------------------------------------------------------------------------------------------

_table = table("contact_words", column("rowid", Id), column("contact_id", Id), column("pieces"), column("contact_words"))
_HOLDING = {
    "sqlite": text("SELECT rowid FROM contact_words WHERE contact_words MATCH :asked LIMIT :most"),
    "postgresql": text("SELECT contact_id FROM contact_words WHERE pieces @@ CAST(:asked AS tsquery) LIMIT :most"),
}
_FORGET = {
    "sqlite": text("DELETE FROM contact_words WHERE rowid = :id"),
    "postgresql": text("DELETE FROM contact_words WHERE contact_id = :id"),
}
_WRITE = {
    "sqlite": text("INSERT INTO contact_words(rowid, pieces) VALUES (:id, :pieces)"),
    "postgresql": text(
        "INSERT INTO contact_words(contact_id, pieces) VALUES (:id, array_to_tsvector(CAST(:pieces AS text[])))"
        " ON CONFLICT (contact_id) DO UPDATE SET pieces = excluded.pieces"
    ),
}
_SPEAKERS = select(Contact.canonical_id).where(Contact.id.in_(bindparam("of", expanding=True))).distinct()
# Two who give one customer an address at once: the second waits here, and then reads what the first wrote.
_ALIVE = (
    select(Contact.id)
    .where(Contact.id.in_(bindparam("of", expanding=True)), Contact.merged_into_id.is_(None), Contact.erased_at.is_(None))
    .order_by(Contact.id)
    .with_for_update(key_share=True)
)
_SAID = (
    select(Contact.canonical_id.label("whose"), Contact.merged_into_id, Contact.name, Identity.value_norm)
    .outerjoin(Identity, Identity.contact_id == Contact.id)
    .where(or_(Contact.id.in_(bindparam("of", expanding=True)), Contact.merged_into_id.in_(bindparam("of", expanding=True))))
)


def _asked(words: Iterable[str]) -> str:
    """Every piece of these words, as either engine is asked for all of them."""
    found = dict.fromkeys(piece for word in words for piece in pieces.wanted(word))
    return " ".join(f'"{one}"' for one in found) if db.engine().dialect.name == "sqlite" else " & ".join(f"'{one}'" for one in found)


def _index(contacts: list[int]) -> None:
    connection = db.session().connection()
    speakers = set(connection.execute(_SPEAKERS, {"of": contacts}).scalars())
    alive = list(connection.execute(_ALIVE, {"of": sorted(speakers)}).scalars()) if speakers else []
    sqlite = connection.dialect.name == "sqlite"
    forget([one for one in sorted(speakers | set(contacts)) if sqlite or one not in alive])
    if alive:
        _write(_texts(alive))


def _texts(alive: list[int]) -> dict[int, set[str]]:
    """What each of these is found by: their own name, and every address of theirs and of those merged with them."""
    found: dict[int, set[str]] = {}
    for whose, merged, name, address in db.session().connection().execute(_SAID, {"of": alive}):
        said = found.setdefault(whose, set())
        if merged is None:
            said.add(name)
        if address:
            said.add(address)
    return found


def _write(texts: dict[int, set[str]]) -> None:
    connection = db.session().connection()
    name = connection.dialect.name
    made = ((number, pieces.held(said)) for number, said in sorted(texts.items()))
    rows = [{"id": number, "pieces": " ".join(some) if name == "sqlite" else some} for number, some in made]
    if rows:
        connection.execute(_WRITE[name], rows if len(rows) > 1 else rows[0])


def _parts(contacts: list[int]) -> Iterable[list[int]]:
    return (contacts[at : at + BATCH] for at in range(0, len(contacts), BATCH))


# --- who changes a name or an address need not think of the index -----------------------------------------------------------


def _changed(row: Any, *names: str) -> bool:
    state = inspect(row)
    return any(state.attrs[name].history.has_changes() for name in names)


@event.listens_for(Contact, "after_insert")
def _added(_mapper: Mapper[Contact], _connection: Connection, row: Contact) -> None:
    if db.in_transaction():
        touch(row.id)


@event.listens_for(Contact, "after_update")
def _renamed(_mapper: Mapper[Contact], _connection: Connection, row: Contact) -> None:
    if db.in_transaction() and _changed(row, "name", "merged_into_id", "erased_at"):
        touch(row.id)


@event.listens_for(Identity, "after_insert")
@event.listens_for(Identity, "after_delete")
def _reached(_mapper: Mapper[Identity], _connection: Connection, row: Identity) -> None:
    if db.in_transaction():
        touch(row.contact_id)


@event.listens_for(Identity, "after_update")
def _rewritten(_mapper: Mapper[Identity], _connection: Connection, row: Identity) -> None:
    if db.in_transaction() and _changed(row, "value_norm", "contact_id"):
        touch(row.contact_id, *inspect(row).attrs.contact_id.history.deleted or ())
