"""What each stored word is, to whom it belongs, and what becomes of it when that person is erased, asks for it, or time has passed.

Each package says so for its own tables in its module `privacy`: a class for every column that can hold words (a missing one fails the
tests), the columns through which a row belongs to a customer, what export and erasure need besides. `helpdesk.crm.erasure` acts on it;
so a table that is declared is erased, exported and swept without anybody thinking of it again.
"""

from __future__ import annotations

import enum
import importlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal

from sqlalchemy import JSON, Column, ColumnElement, String, Table, or_, select
from sqlalchemy import Enum as WordOf

from helpdesk.db import Base
from helpdesk.errors import Words

#: What stands where somebody's words stood; in both languages, because it stands in the data.
MARK = "[erased / удалено]"


class Class(enum.StrEnum):
    """What a column's words are.

    fact: ids, enumerations, codes, hashes: kept when a person is erased. personal: who somebody is and how to reach them. content: what was
    said by or about them. operational: the desk's own settings and words, about no customer. secret: what only the desk may know.
    """

    FACT = "fact"
    PERSONAL = "personal"
    CONTENT = "content"
    OPERATIONAL = "operational"
    SECRET = "secret"


#: What goes when a person is erased.
GOES = (Class.PERSONAL, Class.CONTENT)


@dataclass(frozen=True)
class Classified:
    """One table as declared. `belongs`: its columns that lead to a customer (foreign keys to contact, or to a row that belongs to one).

    `erase`: rows are emptied of what is personal or content, or deleted whole, or left to a function of the package (`kept`).
    """

    table: str
    columns: Mapping[str, Class]
    belongs: tuple[str, ...] = ()
    erase: Literal["blank", "delete", "kept"] = "blank"
    exported: bool = True

    @property
    def goes(self) -> tuple[str, ...]:
        return tuple(name for name, one in self.columns.items() if one in GOES)


@dataclass
class Person:
    """Somebody who is to be exported or erased: all contacts that are one person, and by what they can be recognised.

    `emails` are normalised, `addresses` everything that reaches them as it was written and compared, `names` theirs alone. Functions that
    erase add the keys of stored files to `files`.
    """

    contacts: tuple[int, ...]
    emails: tuple[str, ...] = ()
    addresses: tuple[str, ...] = ()
    names: tuple[str, ...] = ()
    files: set[str] = field(default_factory=set)


@dataclass(frozen=True)
class Retention:
    """How long one kind of data is kept. `days`: what holds unless an administrator says otherwise, 0 is for ever. `count` tells what
    would go of what is older than a moment, `run` removes at most so many and says how many."""

    name: str
    words: Words
    hint: Words
    days: int
    count: Callable[[datetime], int]
    run: Callable[[datetime, int], int]


#: Modules that declare; a package above is only named, never imported by one below.
DECLARING = (
    "helpdesk.kernel_privacy",
    "helpdesk.crm.privacy",
    "helpdesk.kb.privacy",
    "helpdesk.tickets.privacy",
    "helpdesk.agents.privacy",
    "helpdesk.channels.email.privacy",
    "helpdesk.channels.portal.privacy",
    "helpdesk.channels.api.privacy",
)

_tables: dict[str, Classified] = {}
_erases: dict[str, Callable[[Person], None]] = {}
_exports: dict[str, Callable[[Person], Any]] = {}
_retains: dict[str, Retention] = {}
_after_sweep: dict[str, list[Callable[[list[int]], None]]] = {}
_spares: dict[str, Callable[[], ColumnElement[bool]]] = {}
_followers: list[Callable[[set[str]], None]] = []
_compactors: list[Callable[[], None]] = []


def load() -> None:
    """Import everything that declares."""
    for module in DECLARING:
        importlib.import_module(module)


# --- declaring -----------------------------------------------------------------------------------------------------------


def classify(
    table: str,
    *,
    fact: str = "",
    personal: str = "",
    content: str = "",
    operational: str = "",
    secret: str = "",
    belongs: str = "",
    erase: Literal["blank", "delete", "kept"] = "blank",
    exported: bool = True,
) -> None:
    """Declare a table: the names of its columns, parted by spaces, under what they are. Raises ValueError for one named twice."""
    given = (
        (Class.FACT, fact),
        (Class.PERSONAL, personal),
        (Class.CONTENT, content),
        (Class.OPERATIONAL, operational),
        (Class.SECRET, secret),
    )
    columns: dict[str, Class] = {}
    for one, names in given:
        for name in names.split():
            if name in columns:
                raise ValueError(f"{table}.{name} has two classes")
            columns[name] = one
    _tables[table] = Classified(table, columns, tuple(belongs.split()), erase, exported)


def erases(call: Callable[[Person], None]) -> Callable[[Person], None]:
    """Declare what a package does besides, in the same transaction and before rows are emptied: while they can still be found."""
    _erases[f"{call.__module__}.{call.__name__}"] = call
    return call


def exports(section: str) -> Callable[[Callable[[Person], Any]], Callable[[Person], Any]]:
    """Declare a section of what a customer gets as their data: something that JSON can say."""

    def declare(call: Callable[[Person], Any]) -> Callable[[Person], Any]:
        _exports[section] = call
        return call

    return declare


def swept(table: str) -> Callable[[Callable[[list[int]], None]], Callable[[list[int]], None]]:
    """Declare what follows, in the same transaction, when words were taken out of rows of a table: it gets their ids."""

    def declare(call: Callable[[list[int]], None]) -> Callable[[list[int]], None]:
        _after_sweep.setdefault(table, []).append(call)
        return call

    return declare


def spares(table: str) -> Callable[[Callable[[], ColumnElement[bool]]], Callable[[], ColumnElement[bool]]]:
    """Declare rows of a table that a sweep leaves alone: what nobody has read yet belongs to whoever it turns out to be."""

    def declare(call: Callable[[], ColumnElement[bool]]) -> Callable[[], ColumnElement[bool]]:
        _spares[table] = call
        return call

    return declare


def follows(call: Callable[[set[str]], None]) -> Callable[[set[str]], None]:
    """Declare what follows a whole sweep, outside transactions: it gets the names of the tables that changed."""
    _followers.append(call)
    return call


def compacts(call: Callable[[], None]) -> Callable[[], None]:
    """Declare what is to be rewritten before freed space is overwritten; outside transactions."""
    _compactors.append(call)
    return call


def after_sweep(table: str) -> list[Callable[[list[int]], None]]:
    load()
    return list(_after_sweep.get(table, ()))


def spared(table: str) -> ColumnElement[bool] | None:
    load()
    return _spares[table]() if table in _spares else None


def followers() -> list[Callable[[set[str]], None]]:
    load()
    return list(_followers)


def compactors() -> list[Callable[[], None]]:
    load()
    return list(_compactors)


def retain(rule: Retention) -> None:
    """Declare how long a kind of data is kept."""
    _retains[rule.name] = rule


def classified() -> dict[str, Classified]:
    load()
    return dict(_tables)


def erasers() -> list[Callable[[Person], None]]:
    load()
    return list(_erases.values())


def sections() -> dict[str, Callable[[Person], Any]]:
    load()
    return dict(_exports)


def retentions() -> dict[str, Retention]:
    load()
    return dict(_retains)


# --- reading what was declared ---------------------------------------------------------------------------------------------


def wordy(table: Table) -> Iterator[Column[Any]]:
    """The columns of a table that can hold words and so need a class; enumerations hold their own."""
    for column in table.columns:
        if isinstance(column.type, (String, JSON)) and not isinstance(column.type, WordOf):
            yield column


def unclassified() -> list[str]:
    """Columns without a class, and classes without a column: both empty in a desk that may be released."""
    known = classified()
    there = {f"{table.name}.{column.name}" for table in Base.metadata.tables.values() for column in wordy(table)}
    said = {f"{one.table}.{name}" for one in known.values() for name in one.columns}
    broken = [f"{one.table}.{name} leads nowhere" for one in known.values() for name in one.belongs if not _leads(one.table, name)]
    return sorted(f"{name} has no class" for name in there - said) + sorted(f"{name} is no column" for name in said - there) + broken


def _leads(table: str, name: str) -> bool:
    found = Base.metadata.tables.get(table)
    if found is None or name not in found.columns:
        return False
    return table == "contact" or any(key.column.table.name in {"contact", *_tables} for key in found.columns[name].foreign_keys)


def theirs(table: str, person: Person) -> ColumnElement[bool] | None:
    """The condition "this row belongs to them"; None for a table whose rows belong to nobody."""
    said = classified().get(table)
    if said is None or not said.belongs:
        return None
    rows = Base.metadata.tables[table]
    found: list[ColumnElement[bool]] = []
    for name in said.belongs:
        column = rows.columns[name]
        target = None if table == "contact" else next(iter(column.foreign_keys)).column
        if target is None or target.table.name == "contact":
            found.append(column.in_(person.contacts))
        elif (condition := theirs(target.table.name, person)) is not None:
            found.append(column.in_(select(target).where(condition)))
    return or_(*found) if found else None
