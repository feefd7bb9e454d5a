"""Finding tickets by their words: the knowledge base's stems, searched by the database itself.

SQLite keeps the stems in an FTS5 table, PostgreSQL in a tsvector with a GIN index; the migration makes either. Both find the same words,
and the caller's permissions are part of the query.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import islice

from sqlalchemy import ColumnElement, Select, column, delete, select, table, text
from sqlalchemy import true as everything

from helpdesk import db
from helpdesk.kb.text import stems
from helpdesk.tickets.models import DeliveryState, Message, MessageKind, Ticket

_words = table("message_words", column("rowid"), column("message_id"), column("stems"), column("message_words"))
LONGEST = 200_000
MOST_WORDS = 12
BATCH = 500


def remember(message: Message, *more: str) -> None:
    """Index a message's words (and `more`: the subject and the customer's name go with the first)."""
    remember_all([(message.id, "\n".join((*more, message.text)))])


def remember_all(texts: Iterable[tuple[int, str]]) -> None:
    """Index many messages, in batches: [(message id, everything that is to be found)]."""
    statement = _REMEMBER[db.engine().dialect.name]
    rows = ({"id": number, "words": " ".join(_safe(stems(said[:LONGEST])))} for number, said in texts)
    while batch := list(islice(rows, BATCH)):
        db.session().connection().execute(statement, batch if len(batch) > 1 else batch[0])


_REMEMBER = {
    "sqlite": text("INSERT INTO message_words(rowid, stems) VALUES (:id, :words)"),
    "postgresql": text(
        "INSERT INTO message_words(message_id, stems) VALUES (:id, to_tsvector('simple', :words)) ON CONFLICT (message_id) DO NOTHING"
    ),
}


def forget(message_id: int) -> None:
    """Take a message out of the index (erasure)."""
    name = "rowid" if db.engine().dialect.name == "sqlite" else "message_id"
    db.session().execute(text(f"DELETE FROM message_words WHERE {name} = :id"), {"id": message_id})


def forget_all(messages: Select[int]) -> None:
    """Take many messages out of the index: those whose ids a query finds."""
    number = _words.c.rowid if db.engine().dialect.name == "sqlite" else _words.c.message_id
    db.session().execute(delete(_words).where(number.in_(messages)))


def matching(query: str, *, public: bool = False) -> ColumnElement[bool]:
    """The condition "this ticket contains these words" on Ticket; a bare number also matches the ticket's number.

    `public` leaves out what customers cannot read, so that searching never tells them which words stand in a note.
    """
    words = _safe(stems(query[:500]))[:MOST_WORDS]
    digits = query.strip().lstrip("#")
    by_number = Ticket.number == int(digits) if digits.isdecimal() and len(digits) < 15 else None
    by_words = Ticket.id.in_(_hits(words, public)) if words else None
    if by_number is not None:
        return by_number if by_words is None else by_number | by_words
    return by_words if by_words is not None else everything()


def _hits(words: Sequence[str], public: bool) -> Select[int]:
    """Tickets with a message that contains every word."""
    if db.engine().dialect.name == "sqlite":
        asked = " ".join(f'"{word}"' for word in words)
        found = select(_words.c.rowid).where(text("message_words MATCH :asked").bindparams(asked=asked))
    else:
        asked = " & ".join(f"'{word}'" for word in words)
        found = select(_words.c.message_id).where(text("stems @@ to_tsquery('simple', :asked)").bindparams(asked=asked))
    hits = select(Message.ticket_id).where(Message.id.in_(found))
    return hits.where(Message.kind != MessageKind.NOTE, Message.delivery != DeliveryState.WITHDRAWN) if public else hits


def _safe(words: Sequence[str]) -> list[str]:
    """Words without what either query language would read as an operator; a code such as C++ or AB-12 becomes one plain word."""
    plain = (word if word.isalnum() else "".join(c if c.isalnum() else "_" for c in word).strip("_") for word in words)
    return [word for word in plain if word]
