"""Erasing a person: one verb that empties every row of theirs, remembers by hashes that they went, and owes the sweeping of the rest.

What goes is said by the privacy class of each column (`helpdesk.privacy`); packages add what emptying does not do. Ids, times, counts,
ratings' scores and events stay: they name nobody any more. What is not joined to them by an id (somebody else's letter that cites their
address, files, freed space) follows in `crm.sweeping`. Somebody who must be kept is not erased before the hold ends.
"""

from __future__ import annotations

import json
from datetime import datetime, timedelta
from typing import Any

from flask_babel import lazy_gettext as _
from sqlalchemy import JSON, Column, ColumnElement, Select, Table, case, func, literal, null, or_, select, update
from sqlalchemy import delete as removal
from sqlalchemy.orm import aliased

from helpdesk import clock, db, privacy, vault
from helpdesk.actor import SYSTEM, Actor
from helpdesk.auth import User
from helpdesk.catalog import CustomerErased, ErasureAsked, ErasureCancelled, LegalHoldChanged
from helpdesk.crm import contacts, erasure_ledger, history
from helpdesk.crm.keys import name_key
from helpdesk.crm.models import Contact, Identity
from helpdesk.crm.privacy_models import Erasure, ErasureWish, LegalHold
from helpdesk.db import Base
from helpdesk.errors import Conflict, Invalid
from helpdesk.events import reaction, record
from helpdesk.preferences import preferences
from helpdesk.privacy import MARK, Class, Person

#: A name is looked for elsewhere only if it has two words and so many letters, and nobody else here is called so.
LEAST_NAME = 6


class Held(Conflict):
    """The law, or somebody, wants this customer kept."""

    code, title = "held", _("This customer must be kept")


def erase(contact: Contact, *, by: Actor, reason: str = "", source: str = "desk", again: bool = False) -> Erasure:
    """Erase a customer with everybody merged into them. Raises Held, Conflict for one who was erased already.

    source: desk, portal, restore. again: replayed over a backup: holds of that time no longer count.
    """
    ids = _locked(contact)
    if not again and (hold := holding(ids)) is not None:
        raise Held(said(hold))
    person = person_of(ids)
    made = Erasure(contact_id=ids[0], at=clock.now(), user_id=by.user_id, source=source, reason=reason.strip()[:2000])
    made.ledger = erasure_ledger.entry(person.contacts, made.at)
    for step in privacy.erasers():
        step(person)
    db.session().flush()
    _empty_rows(person)
    made.needles = vault.seal(json.dumps([*person.addresses, *person.names]))
    made.files = sorted(person.files)
    session = db.session()
    session.add(made)
    session.flush()
    session.expire_all()
    record(CustomerErased(ids[0], made.id, by))
    erasure_ledger.keep(made)
    return made


def person_of(ids: list[int]) -> Person:
    """By what these contacts, who are one person, can be recognised in what others wrote: their addresses and names, former ones too.

    What a living customer shares is left out.
    """
    session = db.session()
    person = Person(tuple(ids))
    rows = session.execute(select(Identity.kind, Identity.value, Identity.value_norm).where(Identity.contact_id.in_(ids)))
    formerly = history.formerly(ids)
    own = {(str(row.kind), row.value, row.value_norm) for row in rows} | formerly.addresses
    shared = set(
        session.scalars(
            select(Identity.value_norm)
            .join(Contact, Contact.id == Identity.contact_id)
            .where(Identity.contact_id.not_in(ids), Identity.value_norm.in_([norm for *_, norm in own]), Contact.erased_at.is_(None))
        )
    )
    own = {one for one in own if one[2] not in shared}
    accounts = list(session.scalars(select(User.email).where(User.contact_id.in_(ids))))
    person.emails = tuple(sorted({norm.lower() for kind, _value, norm in own if kind == "email"} | {one.lower() for one in accounts}))
    found = {one for _kind, value, norm in own for one in (value, norm)} | set(accounts)
    person.addresses = tuple(sorted(one for one in found if len(one) >= 5))
    person.names = tuple(sorted(_own_names(ids, formerly.names)))
    return person


def _own_names(ids: list[int], former: set[str]) -> set[str]:
    session = db.session()
    names = dict(session.execute(select(Contact.name, Contact.name_key).where(Contact.id.in_(ids))).all())
    names |= {name: name_key(name) for name in former}
    whole = {name: key for name, key in names.items() if len(name.split()) > 1 and len(name) >= LEAST_NAME}
    others = select(Contact.name_key).where(Contact.name_key.in_(whole.values()), Contact.id.not_in(ids), Contact.erased_at.is_(None))
    taken = set(session.scalars(others))
    colleagues = set(
        session.scalars(select(User.name).where(User.name.in_(whole), or_(User.contact_id.is_(None), User.contact_id.not_in(ids))))
    )
    return {name for name, key in whole.items() if key not in taken and name not in colleagues}


def _locked(contact: Contact) -> list[int]:
    """Everybody who is this person, held until the end: whoever writes in their name now waits, and then finds a stranger."""
    session = db.session()
    ids = contacts.group(contact.id)
    found = select(Contact).where(Contact.id.in_(ids)).order_by(Contact.id).with_for_update()
    rows = {row.id: row for row in session.scalars(found.execution_options(populate_existing=True))}
    if all(row.erased_at is not None for row in rows.values()):
        raise Conflict(_("This customer was erased already."))
    return ids


def _empty_rows(person: Person) -> None:
    """Empty, or remove, every row that belongs to them, as the tables are declared."""
    session = db.session()
    known = privacy.classified()
    for table in reversed(Base.metadata.sorted_tables):
        said = known.get(table.name)
        which = privacy.theirs(table.name, person)
        if said is None or which is None or said.erase == "kept":
            continue
        if said.erase == "delete":
            session.execute(removal(table).where(which))
        elif said.goes:
            values = {name: emptied(table.columns[name], said.columns[name]) for name in said.goes}
            session.execute(update(table).where(which).values(values))
    session.execute(update(Contact.__table__).where(Contact.id.in_(person.contacts)).values(name=MARK))  # type: ignore[arg-type]
    session.execute(
        update(ErasureWish)
        .where(ErasureWish.contact_id.in_(person.contacts), ErasureWish.state == "waiting")
        .values(state="done", ended_at=clock.now())
    )


def emptied(column: Column[Any], what: Class) -> Any:
    """What a column holds when its words have gone: nothing, or where a text was, the mark that says so."""
    if column.nullable:
        return null()
    if isinstance(column.type, JSON):
        default = column.default.arg(None) if column.default is not None and column.default.is_callable else {}  # type: ignore[attr-defined]
        return default
    room = getattr(column.type, "length", None)
    if what is Class.CONTENT and (room is None or room >= len(MARK)):
        return case((column == "", ""), else_=literal(MARK))
    return ""


# --- who must be kept --------------------------------------------------------------------------------------------------------


def hold(contact: Contact, reason: str, *, until: datetime | None = None, by: Actor) -> LegalHold:
    """Keep a customer whatever anybody asks, until a day or until it is lifted. Raises Invalid."""
    faults = {}
    if not reason.strip():
        faults["reason"] = _("Say why: whoever asks is told.")
    if until is not None and until <= clock.now():
        faults["until"] = _("Choose a day to come.")
    if faults:
        raise Invalid(fields=faults)
    made = LegalHold(contact_id=contact.id, reason=reason.strip()[:2000], until=until, at=clock.now(), user_id=by.user_id)
    db.session().add(made)
    db.session().flush()
    record(LegalHoldChanged(contact.id, made.id, "placed", by))
    return made


def lift(held: LegalHold, *, by: Actor) -> None:
    """The customer no longer has to be kept. Twice changes nothing."""
    if held.lifted_at is None:
        held.lifted_at, held.lifted_by_id = clock.now(), by.user_id
        record(LegalHoldChanged(held.contact_id, held.id, "lifted", by))


def holds(ids: list[int]) -> list[LegalHold]:
    """Every hold that these contacts ever had, the newest first."""
    return list(db.session().scalars(select(LegalHold).where(LegalHold.contact_id.in_(ids)).order_by(LegalHold.id.desc())))


def holding(ids: list[int]) -> LegalHold | None:
    """The hold in force that lasts longest."""
    found = (
        select(LegalHold).where(LegalHold.contact_id.in_(ids), *_in_force()).order_by(LegalHold.until.is_not(None), LegalHold.until.desc())
    )
    return db.session().scalar(found.limit(1))


def said(held: LegalHold) -> Any:
    """The refusal: until when, and why."""
    if held.until is None:
        return _("It is kept until somebody lifts the hold: %(reason)s", reason=held.reason)
    return _("It is kept until %(day)s: %(reason)s", day=f"{held.until:%Y-%m-%d}", reason=held.reason)


def held_contacts() -> Select[int]:
    """The ids of all contacts that must be kept, with those merged with them: a condition for whatever removes old data."""
    kept = aliased(Contact)
    speakers = select(kept.canonical_id).join(LegalHold, LegalHold.contact_id == kept.id).where(*_in_force())
    return select(Contact.id).where(Contact.canonical_id.in_(speakers))


def _in_force() -> tuple[ColumnElement[bool], ...]:
    return LegalHold.lifted_at.is_(None), or_(LegalHold.until.is_(None), LegalHold.until > clock.now())


# --- whom customers ask ------------------------------------------------------------------------------------------------------


def ask(contact: Contact, *, by: Actor) -> ErasureWish:
    """The customer has confirmed who they are and wants to go: after the waiting time, unless they change their mind. Raises Held."""
    ids = contacts.group(contact.id)
    if (held := holding(ids)) is not None:
        raise Held(said(held))
    waiting = wish_of(contact)
    if waiting is not None:
        return waiting
    now = clock.now()
    made = ErasureWish(contact_id=contact.id, asked_at=now, due_at=now + wait())
    db.session().add(made)
    db.session().flush()
    record(ErasureAsked(contact.id, made.id, by))
    return made


def cancel(wish: ErasureWish, *, by: Actor) -> None:
    """They stay after all. Raises Conflict when it is too late."""
    stays = (
        update(ErasureWish).where(ErasureWish.id == wish.id, ErasureWish.state == "waiting").values(state="cancelled", ended_at=clock.now())
    )
    if db.session().execute(stays).rowcount != 1:  # type: ignore[attr-defined]
        raise Conflict(_("This is no longer waiting."))
    record(ErasureCancelled(wish.contact_id, wish.id, by))


def wish_of(contact: Contact) -> ErasureWish | None:
    """The wish that waits."""
    found = select(ErasureWish).where(ErasureWish.contact_id.in_(contacts.group(contact.id)), ErasureWish.state == "waiting")
    return db.session().scalar(found.order_by(ErasureWish.id).limit(1))


def wait() -> timedelta:
    """How long a customer may change their mind."""
    return timedelta(days=preferences().erasure_wait_days)


@reaction(ErasureAsked, lane="hot", delay=lambda _fact: wait(), key=lambda fact: f"wish:{fact.wish_id}", name="privacy.wish_due")
def fulfil(fact: ErasureAsked) -> None:
    """The waiting time is over: erase who did not change their mind; somebody who must be kept meanwhile is left for a colleague."""
    wish = db.session().get(ErasureWish, fact.wish_id)
    if wish is None or wish.state != "waiting":
        return
    contact = contacts.canonical(db.session().get_one(Contact, wish.contact_id))
    if contact.erased_at is not None:
        wish.state, wish.ended_at = "done", clock.now()
    elif holding(contacts.group(contact.id)) is not None:
        wish.state, wish.ended_at = "refused", clock.now()
    else:
        erase(contact, by=SYSTEM, source="portal")


def counted(contact: Contact) -> dict[str, int]:
    """What erasing would empty, by table: for the question before it."""
    person = Person(tuple(contacts.group(contact.id)))
    shown = ("ticket", "message", "attachment", "interaction", "identity", "rating", "field_change")
    found: dict[str, int] = {}
    for name in shown:
        table: Table = Base.metadata.tables[name]
        which = privacy.theirs(name, person)
        if which is not None:
            found[name] = db.session().scalar(select(func.count()).select_from(table).where(which)) or 0
    return found
