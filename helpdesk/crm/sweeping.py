"""After somebody was erased: what no id joins to them. Others' words that cite their address or name, files, freed space, copies.

Long work in small transactions, in the heavy lane. Every column that is personal or content is looked through, whatever its table: what a
package declares is swept without knowing of it. Packages add what must follow (an index that copied a text).
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from datetime import timedelta
from typing import Any

from sqlalchemy import ColumnElement, Table, Text, cast, false, func, not_, or_, select, tuple_, update

from helpdesk import db, files, privacy, vault
from helpdesk.actor import SYSTEM
from helpdesk.catalog import CustomerErased, ErasureSwept
from helpdesk.crm.models import Contact, Identity
from helpdesk.crm.privacy_models import Erasure
from helpdesk.db import Base
from helpdesk.events import Outside, reaction, record
from helpdesk.privacy import MARK, Person

#: Rows changed in one transaction.
TOGETHER = 200
#: How long freed space may wait for others who are erased too: rewriting a database takes its time.
GATHERED = timedelta(minutes=10)
#: Accounts and addresses of others are theirs, whoever has the same; the ledger needs what it holds.
LEFT = ("user", "identity", "erasure")


@reaction(CustomerErased, lane="heavy", key=lambda fact: f"erasure:{fact.erasure_id}", name="privacy.sweep")
def sweep_up(fact: CustomerErased) -> Outside:
    """Look through everything for an erased person's addresses and name, and delete their files."""

    def then(result: object) -> None:
        if isinstance(result, Exception):
            raise result
        record(ErasureSwept(fact.contact_id, fact.erasure_id, SYSTEM))

    return Outside(call=lambda: sweep(fact.erasure_id, files.store().delete), then=then, patience=timedelta(hours=2))


@reaction(ErasureSwept, lane="heavy", delay=GATHERED, key=lambda _fact: "compact", name="privacy.compact")
def overwrite(_fact: ErasureSwept) -> Outside:
    """Overwrite the space that the erased left, once for all of the last minutes."""

    def then(result: object) -> None:
        if isinstance(result, Exception):
            raise result
        db.session().execute(update(Erasure).where(Erasure.state == "swept").values(state="compacted"))

    return Outside(call=compact, then=then, patience=timedelta(hours=2))


def sweep(erasure_id: int, drop: Callable[[str], object], *, follow: bool = True) -> set[str]:
    """Take an erased person's addresses and name out of every row, and their files off the disk with `drop`; the tables that changed.

    Outside transactions; doing it twice changes nothing. follow: also what lies beside the database is written anew (a restore throws
    that away itself).
    """
    with db.read() as session:
        row = session.get_one(Erasure, erasure_id)
        words, keys = json.loads(vault.unseal(row.needles) or "[]"), list(row.files)
    changed: set[str] = set()
    if words:
        needles, back = _Needles(words), _back_again(words)
        for name, said in privacy.classified().items():
            if name not in LEFT and said.goes and _through(Base.metadata.tables[name], said.goes, needles, back):
                changed.add(name)
    for key in keys:
        drop(key)
    for step in privacy.followers() if follow else ():
        step(changed)
    with db.transaction() as session:
        session.execute(update(Erasure).where(Erasure.id == erasure_id).values(needles="", files=[], state="swept"))
    return changed


def compact() -> None:
    """Free and overwrite; outside transactions."""
    for step in privacy.compactors():
        step()
    held = [one.table for one in privacy.classified().values() if one.goes or one.erase == "delete"]
    db.compact([*held, "message_words", "contact_words"])


def _back_again(words: list[str]) -> Person:
    """Who has one of these addresses, or the name, now: they wrote after the erasure, are somebody new, and keep their words."""
    addresses = [form for word in words for form in (word, word.lower())]
    reached = select(Identity.contact_id).where(Identity.value_norm.in_(addresses))
    with db.read() as session:
        living = select(Contact.id).where(Contact.erased_at.is_(None), or_(Contact.id.in_(reached), Contact.name.in_(words)))
        return Person(tuple(session.scalars(living)))


class _Needles:
    """The words that are looked for: in a statement, roughly; in a row, whatever their letters' case."""

    def __init__(self, words: list[str]) -> None:
        forms = {form for word in words for form in (word, word.lower(), word.title(), word.upper())}
        self._forms = sorted(forms | {json.dumps(form)[1:-1] for form in forms})
        self._pattern = re.compile("|".join(re.escape(word) for word in sorted(set(words), key=len, reverse=True)), re.IGNORECASE)

    def within(self, column: ColumnElement[Any]) -> ColumnElement[bool]:
        plain = cast(column, Text)
        return or_(*(plain.ilike(f"%{_escaped(form)}%", escape="\\") for form in self._forms))

    def taken_out(self, value: Any) -> Any:
        """The value without them, lists and dictionaries too."""
        if isinstance(value, str):
            return self._pattern.sub(MARK, value)
        if isinstance(value, list):
            return [self.taken_out(one) for one in value]
        if isinstance(value, dict):
            return {self.taken_out(key): self.taken_out(one) for key, one in value.items()}
        return value


def _escaped(word: str) -> str:
    return word.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")


def _through(table: Table, names: tuple[str, ...], needles: _Needles, back: Person) -> int:
    """Sweep one table; how many rows changed. Rows are found first, in a snapshot, and changed a few at a time."""
    columns = [table.columns[name] for name in names]
    key = list(table.primary_key.columns)
    wanted = [or_(*(needles.within(column) for column in columns))]
    for spared in (privacy.theirs(table.name, back), privacy.spared(table.name)):
        if spared is not None:
            wanted.append(not_(func.coalesce(spared, false())))
    with db.read() as session:
        found = [tuple(row) for row in session.execute(select(*key).where(*wanted))]
    for start in range(0, len(found), TOGETHER):
        some = found[start : start + TOGETHER]
        with db.transaction() as session:
            which = key[0].in_([one[0] for one in some]) if len(key) == 1 else tuple_(*key).in_(some)
            for row in session.execute(select(*key, *columns).where(which)).mappings():
                held = {column.name: row[column] for column in columns}
                clean = {name: _fitting(table, name, needles.taken_out(value)) for name, value in held.items()}
                if clean != held:
                    one = [column == row[column] for column in key]
                    session.execute(update(table).where(*one).values(clean))
            for step in privacy.after_sweep(table.name):
                step([one[0] for one in some])
    return len(found)


def _fitting(table: Table, name: str, value: Any) -> Any:
    """The mark is longer than some words that it stands for."""
    room = getattr(table.columns[name].type, "length", None)
    return value[:room] if isinstance(value, str) and room else value
