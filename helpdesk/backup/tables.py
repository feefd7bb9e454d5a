"""A table as text, the same on both engines: PostgreSQL's COPY text format (tabs between columns, \\N for NULL), rows in their key's order.

PostgreSQL writes and reads it by itself; for SQLite it is made here, to the letter, so that equal rows give equal hashes on either engine.
Moments are UTC with +00, truth is t or f. What can be made anew from other tables (the full-text index) is left out.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, BinaryIO

from sqlalchemy import Boolean, DateTime, Float, Integer, LargeBinary, inspect
from sqlalchemy.engine import Connection
from sqlalchemy.types import JSON, TypeEngine

#: Made by hand in the migrations or kept by them; rebuilt after a restore.
DERIVED = ("message_words", "contact_words", "alembic_version", "sqlite_")


@dataclass(frozen=True)
class Table:
    """A table as it is in the database: columns with their values' kind (int, float, text, json, bool, time), and its key."""

    name: str
    columns: tuple[tuple[str, str], ...]
    key: tuple[str, ...]

    @property
    def names(self) -> str:
        """The columns, quoted, for a statement."""
        return ", ".join(quoted(name) for name, _kind in self.columns)


@dataclass(frozen=True)
class Written:
    """What a table's text amounts to."""

    rows: int
    sha256: str


def quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def tables(connection: Connection) -> list[Table]:
    """Every table that a backup holds, parents before children; read from the database, so that an older one is understood."""
    inspector = inspect(connection)
    found = []
    for name, _foreign in inspector.get_sorted_table_and_fkc_names():
        if name is None or name.startswith(DERIVED):
            continue
        columns = tuple((column["name"], kind_of(column["type"])) for column in inspector.get_columns(name))
        found.append(Table(name, columns, tuple(inspector.get_pk_constraint(name)["constrained_columns"])))
    return found


def kind_of(type_: TypeEngine[Any]) -> str:
    """The kind of a column's values. Raises TypeError for one that has no text form here."""
    if isinstance(type_, LargeBinary):
        raise TypeError("a column of bytes has no place in a backup")
    for kind, types in (("bool", Boolean), ("time", DateTime), ("json", JSON), ("float", Float), ("int", Integer)):
        if isinstance(type_, types):
            return kind
    return "text"


# --- out of the database -------------------------------------------------------------------------------------------------


def write(connection: Connection, table: Table, to: BinaryIO) -> Written:
    """Write a table's rows, as this connection's transaction sees them."""
    digest, rows = hashlib.sha256(), 0
    for chunk in _copied(connection, table) if connection.dialect.name == "postgresql" else _encoded(connection, table):
        digest.update(chunk)
        rows += chunk.count(b"\n")
        to.write(chunk)
    return Written(rows, digest.hexdigest())


def _copied(connection: Connection, table: Table) -> Iterator[bytes]:
    kinds = dict(table.columns)
    order = ", ".join(quoted(name) + (' COLLATE "C"' if kinds[name] == "text" else "") for name in table.key) or "1"
    connection.exec_driver_sql("SET LOCAL TIME ZONE 'UTC'")
    raw: Any = connection.connection.driver_connection
    with raw.cursor() as cursor, cursor.copy(f"COPY (SELECT {table.names} FROM {quoted(table.name)} ORDER BY {order}) TO STDOUT") as copy:
        for chunk in copy:
            yield bytes(chunk)


def _encoded(connection: Connection, table: Table) -> Iterator[bytes]:
    raw: Any = connection.connection.driver_connection
    order = ", ".join(quoted(name) for name in table.key) or "rowid"
    encoders = [_ENCODERS[kind] for _name, kind in table.columns]
    cursor = raw.execute(f"SELECT {table.names} FROM {quoted(table.name)} ORDER BY {order}")
    while rows := cursor.fetchmany(2000):
        yield "".join(
            "\t".join("\\N" if value is None else encode(value) for encode, value in zip(encoders, row, strict=True)) + "\n" for row in rows
        ).encode()


_ESCAPES = str.maketrans({"\\": "\\\\", "\b": "\\b", "\f": "\\f", "\n": "\\n", "\r": "\\r", "\t": "\\t", "\v": "\\v"})


def _text(value: Any) -> str:
    return str(value).translate(_ESCAPES)


def _float(value: float) -> str:
    """The shortest digits that give the number again, laid out as PostgreSQL does (12 and up: Ryu, exponent from 1e15 and below 1e-4)."""
    digits = repr(float(value))
    if "e" not in digits and abs(value) >= 1e15:
        mantissa, exponent = f"{value:.17e}".split("e")
        short = digits.removesuffix(".0").lstrip("-").rstrip("0")
        mantissa = ("-" if value < 0 else "") + short[0] + ("." + short[1:] if len(short) > 1 else "")
        return f"{mantissa}e+{int(exponent):02}"
    return digits.removesuffix(".0")


def _time(value: str) -> str:
    """SQLite keeps "2026-03-02 10:00:00.500000"; PostgreSQL writes "2026-03-02 10:00:00.5+00"."""
    return (value.rstrip("0").removesuffix(".") if "." in value else value) + "+00"


_ENCODERS: dict[str, Callable[[Any], str]] = {
    "int": str,
    "float": _float,
    "text": _text,
    "json": _text,
    "bool": lambda value: "t" if value else "f",
    "time": _time,
}


# --- into the database ---------------------------------------------------------------------------------------------------


def read(connection: Connection, table: Table, source: BinaryIO) -> int:
    """Add a table's rows from text; how many."""
    raw: Any = connection.connection.driver_connection
    if connection.dialect.name == "postgresql":
        connection.exec_driver_sql("SET LOCAL TIME ZONE 'UTC'")
        with raw.cursor() as cursor:
            with cursor.copy(f"COPY {quoted(table.name)} ({table.names}) FROM STDIN") as copy:
                while chunk := source.read(1 << 16):
                    copy.write(chunk)
            return int(cursor.rowcount)
    places = ", ".join("?" * len(table.columns))
    return int(raw.executemany(f"INSERT INTO {quoted(table.name)} ({table.names}) VALUES ({places})", _decoded(table, source)).rowcount)


def _decoded(table: Table, source: BinaryIO) -> Iterator[list[Any]]:
    decoders = [_DECODERS[kind] for _name, kind in table.columns]
    for line in source:
        values = line.decode().removesuffix("\n").split("\t")
        yield [None if value == "\\N" else decode(value) for decode, value in zip(decoders, values, strict=True)]


_UNESCAPES = {"b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t", "v": "\v"}


def _plain(value: str) -> str:
    if "\\" not in value:
        return value
    parts = iter(value.split("\\"))
    plain = [next(parts)]
    for part in parts:
        if part:
            plain.append(_UNESCAPES.get(part[0], part[0]) + part[1:])
        else:  # an escaped backslash: what follows it stands for itself
            plain.append("\\" + next(parts, ""))
    return "".join(plain)


def _stored_time(value: str) -> str:
    moment, _, fraction = value.removesuffix("+00").partition(".")
    return f"{moment}.{fraction:0<6}"


_DECODERS: dict[str, Callable[[str], Any]] = {
    "int": int,
    "float": float,
    "text": _plain,
    "json": _plain,
    "bool": lambda value: int(value == "t"),
    "time": _stored_time,
}
