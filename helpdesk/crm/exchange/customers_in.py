"""Customers from a list, written and taken back. What a row means and whom it meets is planned by `rows`."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import islice
from typing import Any

from flask_babel import gettext
from flask_babel import lazy_gettext as _
from sqlalchemy import delete, func, select, update
from sqlalchemy.exc import IntegrityError

from helpdesk import clock, db
from helpdesk.actor import Actor
from helpdesk.auth import User
from helpdesk.crm import contacts, duplicates, finding, history
from helpdesk.crm.base_models import Duplicate, FieldChange, Import, ImportRow, Merge
from helpdesk.crm.exchange import columns
from helpdesk.crm.exchange.rows import Planned, Read, kind_of, plan, read
from helpdesk.crm.exchange.work import BATCH, CREATE, REFUSED, UNCHANGED, UPDATE, Done, Row, Subject
from helpdesk.crm.keys import name_key
from helpdesk.crm.models import Contact, Identity, Interaction, Membership, Order, Organization, Rating
from helpdesk.errors import Words

#: Plain ids of a file are known under this system; "hubspot:42" says its own.
SYSTEM_OF_IDS = "crm"
MATCHES: dict[str, Words] = {
    "email": _("E-mail"), "phone": _("Phone"), "external": _("Id in another system"), "name": _("Name"),
}  # fmt: skip


class CustomersIn:
    """One list of customers. A dry run remembers between batches whom it has seen."""

    def __init__(self, run: Import, by: Actor, dry: bool) -> None:
        self._run, self._by, self._dry = run, by, dry
        self._seen: dict[Any, int] | None = {} if dry else None

    def batches(self, rows: Iterator[Row], skip: int) -> Iterator[list[Row]]:
        rows = islice(rows, skip, None)
        while batch := list(islice(rows, BATCH)):
            yield batch

    def plan(self, batch: list[Row]) -> list[Planned]:
        run = self._run
        rows = [read(number, cells, run.mapping, system=SYSTEM_OF_IDS) for number, cells in batch]
        return plan(rows, mode=run.mode, match_on=run.match_on, run_id=run.id, seen=self._seen)

    def take(self, batch: list[Row]) -> list[Done]:
        planned = self.plan(batch)
        if not self._dry:
            met: set[Any] = set()
            planned = [self._write(one, met) for one in planned]
        done = [_done(one) for one in planned]
        if not self._dry:
            db.session().flush()
            duplicates.seek([one.contact.id for one in planned if one.outcome == CREATE and one.contact is not None])
        return done

    def _write(self, planned: Planned, met: set[Any]) -> Planned:
        """Do what is planned. A batch was planned at once: a row that meets an earlier one of its batch is planned again."""
        keys = {(one.kind, one.value) for one in planned.row.addresses} | {("name", name_key(planned.row.values.get("name", "")))}
        if keys & met:
            db.session().flush()
            planned = self._again(planned)
        met |= keys
        if planned.outcome in (UNCHANGED, REFUSED):
            return planned
        try:
            with db.session().begin_nested():
                _create(planned) if planned.outcome == CREATE else _update(planned, self._run.id, self._by)
            return planned
        except IntegrityError:
            again = self._again(planned)
            if again.outcome == UPDATE:
                with db.session().begin_nested():
                    _update(again, self._run.id, self._by)
            elif again.outcome == CREATE:
                again.outcome, again.faults = REFUSED, [gettext("An address of this row belongs to another customer.")]
            return again

    def _again(self, planned: Planned) -> Planned:
        (again,) = plan([planned.row], mode=self._run.mode, match_on=self._run.match_on, run_id=self._run.id)
        return again


def missing(mapping: Sequence[str], match_on: str) -> dict[str, Words]:
    """A list by which nobody could be recognised cannot be taken in twice."""
    if set(mapping) & {match_on} or (match_on == "name" and {"first_name", "last_name"} & set(mapping)):
        return {}
    return {"match_on": _("No column holds this, so nobody could be recognised by it.")}


# --- writing a row -------------------------------------------------------------------------------------------------------


def _create(planned: Planned) -> None:
    session = db.session()
    row = planned.row
    name = row.values.get("name") or row.addresses[0].shown.split("@")[0]
    own = {key[7:]: value for key, value in row.values.items() if key.startswith("custom.") and value is not None}
    plain = {key: value for key, value in row.values.items() if not key.startswith("custom.") and key != "name"}
    organization_id, made = _organization(row)
    made_one = Contact(name=name, organization_id=organization_id, acquired_at=clock.now(), custom=own, **plain)
    session.add(made_one)
    session.flush()
    session.add_all(_identity(made_one.id, one) for one in row.addresses)
    if organization_id is not None:
        session.add(Membership(contact_id=made_one.id, organization_id=organization_id, role=row.role))
    elif mail := next((one.value for one in row.addresses if one.kind == "email"), ""):
        contacts.join_by_domain(made_one, mail)
    session.flush()
    planned.contact = made_one
    planned.values = {"made_organization": organization_id} if made else {}


def _update(planned: Planned, run_id: int, by: Actor) -> None:
    session = db.session()
    contact = planned.contact
    assert contact is not None
    values = dict(planned.values)
    made_id = None
    if "organization_id" in values:
        values["organization_id"], made = _organization(planned.row)
        made_id = values["organization_id"] if made else None
        if session.get(Membership, (contact.id, values["organization_id"])) is None:
            session.add(Membership(contact_id=contact.id, organization_id=values["organization_id"], role=planned.row.role))
    before = {name: history.plain(history.value_of(contact, name)) for name in values}
    history.change(contact, values, by=by.through(f"import:{run_id}"), quiet=True)
    new = [_identity(contact.id, one) for one in planned.new]
    session.add_all(new)
    session.flush()
    planned.values = {
        "before": before,
        "after": {name: history.plain(value) for name, value in values.items()},
        "identities": [one.id for one in new],
        **({"made_organization": made_id} if made_id else {}),
    }


def _identity(contact_id: int, address: Any) -> Identity:
    return Identity(contact_id=contact_id, kind=kind_of(address), value=address.shown[:320], value_norm=address.value)


def _organization(row: Read) -> tuple[int | None, bool]:
    """The id of the organization a row names, and whether it was made for it."""
    if not row.organization:
        return None, False
    key = name_key(row.organization)
    found = db.session().scalar(select(Organization.id).where(Organization.name_key == key).order_by(Organization.id).limit(1))
    if found is not None:
        return found, False
    made = Organization(name=row.organization)
    db.session().add(made)
    db.session().flush()
    return made.id, True


def _done(one: Planned) -> Done:
    if one.outcome == REFUSED:
        return Done(one.row.number, REFUSED, faults=one.faults)
    kept = {key: one.values[key] for key in ("identities", "made_organization") if one.values.get(key)}
    contact_id = one.contact.id if one.contact is not None else None
    return Done(one.row.number, one.outcome, contact_id, one.values.get("before", {}), {**one.values.get("after", {}), **kept})


# --- taking a row back ---------------------------------------------------------------------------------------------------


def take_back(run_id: int, row: ImportRow) -> bool:
    """Undo one row; False where somebody has worked with the customer since, whole or in part."""
    organization_id = row.after.get("made_organization")
    clean = _take_back(run_id, row)
    db.session().flush()
    if organization_id:
        _drop_organization(organization_id)
    return clean


def _take_back(run_id: int, row: ImportRow) -> bool:
    session = db.session()
    contact = session.get(Contact, row.contact_id) if row.contact_id else None
    if contact is None:
        return True
    if row.outcome == CREATE:
        return not _touched(contact) and _drop_contact(row, contact)
    clean = True
    back = {}
    for name, before in row.before.items():
        if history.plain(history.value_of(contact, name)) == row.after.get(name):
            back[name] = before
        else:
            clean = False
    if "organization_id" in back:
        session.execute(
            delete(Membership).where(Membership.contact_id == contact.id, Membership.organization_id == row.after["organization_id"])
        )
    for name, before in back.items():
        history.put(contact, name, before)
    session.flush()
    # What an undone import wrote leaves no trace in the history either.
    session.execute(
        delete(FieldChange).where(FieldChange.contact_id == contact.id, FieldChange.field.in_(back), FieldChange.via == f"import:{run_id}")
    )
    for identity in session.scalars(select(Identity).where(Identity.id.in_(row.after.get("identities", [])))):
        if identity.verified_at is None and identity.failing_since is None:
            session.delete(identity)
        else:
            clean = False
    return clean


def _touched(contact: Contact) -> bool:
    """Whether anything happened with a customer whom an import made."""
    session = db.session()
    looks: list[Any] = [
        select(func.count()).where(FieldChange.contact_id == contact.id),
        select(func.count()).where(Interaction.contact_id == contact.id),
        select(func.count()).where(Order.contact_id == contact.id),
        select(func.count()).where(Rating.contact_id == contact.id),
        select(func.count()).where((Merge.from_id == contact.id) | (Merge.into_id == contact.id)),
        select(func.count()).where(Identity.contact_id == contact.id, Identity.verified_at.is_not(None)),
        select(func.count()).where(User.contact_id == contact.id),
    ]
    return any(session.scalar(look) for look in looks)


def _drop_contact(row: ImportRow, contact: Contact) -> bool:
    """Delete a customer with their addresses; False where something of another part of the desk points at them."""
    session = db.session()
    try:
        with session.begin_nested():
            for table in (Identity, Membership):
                session.execute(delete(table).where(table.contact_id == contact.id))
            session.execute(delete(Duplicate).where((Duplicate.first_id == contact.id) | (Duplicate.second_id == contact.id)))
            row.contact_id = None
            session.flush()
            others = update(ImportRow).where(ImportRow.contact_id == contact.id, ImportRow.outcome == UNCHANGED)
            session.execute(others.values(contact_id=None), execution_options={"synchronize_session": False})
            session.execute(delete(Contact).where(Contact.id == contact.id))
            finding.touch(contact.id)
        session.expunge(contact)
        return True
    except IntegrityError:
        session.refresh(row)
        return False


def _drop_organization(row_id: int) -> None:
    """Delete an organization that an import made, unless somebody uses it by now."""
    session = db.session()
    if session.scalar(select(func.count()).where(FieldChange.organization_id == row_id)):
        return
    try:
        with session.begin_nested():
            session.execute(delete(Organization).where(Organization.id == row_id))
    except IntegrityError:
        return


SUBJECT = Subject(
    words=_("Customers"), suggest=columns.suggest, targets=columns.targets, several=columns.SEVERAL, matches=MATCHES, missing=missing,
    work=CustomersIn, take_back=take_back,
)  # fmt: skip
