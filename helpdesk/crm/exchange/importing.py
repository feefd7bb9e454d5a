"""Taking a file of customers in: upload, check, run in batches, undo.

Each batch is one transaction that also moves `rows_done`, so that an import that is stopped goes on where it was and does nothing twice.
What a row did stands in `import_row`; undoing reads it backwards. Facts of single customers are not recorded: an import is one event.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Sequence
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any, BinaryIO

from flask_babel import force_locale, lazy_gettext
from flask_babel import gettext as _
from sqlalchemy import delete, func, select, update
from sqlalchemy.exc import IntegrityError

from helpdesk import clock, db, files, web
from helpdesk.actor import SYSTEM, Actor
from helpdesk.auth import User
from helpdesk.catalog import ImportFinished, ImportStarted, ImportUndone
from helpdesk.crm import contacts, duplicates, history
from helpdesk.crm.base_models import Duplicate, FieldChange, Import, ImportRow, Merge
from helpdesk.crm.exchange import columns, reading
from helpdesk.crm.exchange.rows import CREATE, REFUSED, UNCHANGED, UPDATE, Planned, Read, kind_of, plan, read
from helpdesk.crm.keys import name_key
from helpdesk.crm.models import Contact, Identity, Interaction, Membership, Order, Organization, Rating
from helpdesk.errors import Conflict, Invalid
from helpdesk.events import Outside, reaction, record

MODES = ("both", "create", "update")
MATCHES = ("email", "phone", "external", "name")
BATCH = 100
#: Plain ids of a file are known under this system; "hubspot:42" says its own.
SYSTEM_OF_IDS = "crm"
#: How long one delivery works before it hands over to the next: other heavy work waits no longer than this.
STINT_S = 45.0
PREVIEWED = 8


def accept(name: str, content: BinaryIO, *, limit: int, by: Actor) -> Import:
    """Keep an uploaded file and find out what it is and what its columns mean. Raises Invalid, TooLarge."""
    stored = files.store().put(content, limit=limit)
    path = files.store().path(stored.key)
    try:
        shape = reading.sniff(path)
        header = next(reading.rows(path, shape))
    except (Invalid, UnicodeError) as wrong:
        path.unlink(missing_ok=True)
        raise wrong if isinstance(wrong, Invalid) else Invalid(fields={"file": _("This file cannot be read as text.")}) from wrong
    made = Import(
        name=Path(name).name[:255] or "file",
        file_key=stored.key,
        shape=shape.kind,
        encoding=shape.encoding,
        delimiter=shape.delimiter,
        mapping=columns.suggest(header),
        user_id=by.user_id,
        at=clock.now(),
    )
    made.match_on = next((match for match in MATCHES if match in made.mapping), "email")
    db.session().add(made)
    db.session().flush()
    return made


def reshape(run: Import, *, encoding: str, delimiter: str) -> None:
    """Read a CSV in another way than was guessed. Raises Invalid."""
    _only(run, "uploaded", "checked")
    if encoding not in reading.ENCODINGS or delimiter not in reading.DELIMITERS:
        raise Invalid(fields={"encoding": lazy_gettext("Choose one of these.")})
    if (encoding, delimiter) != (run.encoding, run.delimiter):
        run.encoding, run.delimiter = encoding, delimiter
        run.mapping = columns.suggest(header_of(run))


def configure(run: Import, *, mapping: Sequence[str], mode: str, match_on: str) -> None:
    """Say what each column means and how customers are recognised. Raises Invalid with every fault."""
    _only(run, "uploaded", "checked")
    known = {target for target, _words in columns.targets()}
    faults: dict[str, Any] = {}
    if len(mapping) != len(header_of(run)) or any(target and target not in known for target in mapping):
        faults["mapping"] = lazy_gettext("Choose one of these.")
    single = [target for target in mapping if target and target not in columns.SEVERAL]
    if len(single) != len(set(single)):
        faults["mapping"] = lazy_gettext("Two columns mean the same; leave one of them out.")
    if mode not in MODES:
        faults["mode"] = lazy_gettext("Choose one of these.")
    if match_on not in MATCHES:
        faults["match_on"] = lazy_gettext("Choose one of these.")
    elif not (set(mapping) & {match_on} or (match_on == "name" and {"first_name", "last_name"} & set(mapping))):
        faults["match_on"] = lazy_gettext("No column holds this, so nobody could be recognised by it.")
    if faults:
        raise Invalid(fields=faults)
    if (list(mapping), mode, match_on) != (run.mapping, run.mode, run.match_on):
        run.mapping, run.mode, run.match_on, run.state = list(mapping), mode, match_on, "uploaded"


def preview(run: Import) -> list[Planned]:
    """The first rows and what they would do."""
    seen: dict[Any, int] = {}
    return plan([_read(run, *one) for one in islice(_rows(run), PREVIEWED)], mode=run.mode, match_on=run.match_on, seen=seen)


def header_of(run: Import) -> list[str]:
    return next(reading.rows(files.store().path(run.file_key), shape_of(run)))


def shape_of(run: Import) -> reading.Shape:
    return reading.Shape(run.shape, run.encoding, run.delimiter)


def start(run: Import, *, by: Actor, dry: bool = False) -> None:
    """Begin, in the background: a dry run that only counts and names the faults, or the real one. Raises Conflict if it runs already."""
    _only(run, "uploaded", "checked")
    db.session().execute(delete(ImportRow).where(ImportRow.run_id == run.id))
    run.state = "checking" if dry else "running"
    run.rows_done = run.rows_total = run.created = run.updated = run.unchanged = run.refused = run.kept = 0
    run.error = ""
    record(ImportStarted(run.id, by))


def undo(run: Import, *, by: Actor) -> None:
    """Take back what an import did, in the background. Raises Conflict unless it is finished or stopped."""
    _only(run, "done", "stopped")
    run.state, run.rows_done, run.kept = "undoing", 0, 0
    record(ImportStarted(run.id, by))


def stop(run: Import) -> None:
    """Stop after the present batch; what is in stays and can be undone."""
    _only(run, "running", "checking")
    run.state = "stopped" if run.state == "running" else "uploaded"


@reaction(ImportStarted, lane="heavy", key=lambda fact: f"import:{fact.import_id}", newcomer="keep", name="imports.run")
def work(fact: ImportStarted) -> Outside:
    """A stint of an import: batches until it is done or the time is up, then the next stint."""

    def then(result: Any) -> None:
        if isinstance(result, Exception):
            raise result
        if not result:
            record(ImportStarted(fact.import_id, fact.by))

    return Outside(call=lambda: run_for(fact.import_id, by=fact.by, seconds=STINT_S), then=then)


def run_for(run_id: int, *, by: Actor = SYSTEM, seconds: float = float("inf")) -> bool:
    """Work on an import with transactions of its own; whether it has ended. Called outside of any transaction."""
    until = time.monotonic() + seconds
    with db.read() as session:
        run = session.get_one(Import, run_id)
        user = session.get(User, run.user_id) if run.user_id is not None else None
        language = (user.language if user is not None else "") or web.settings().default_language
    if run.state == "undoing":
        return _undo_for(run_id, by, until)
    if run.state not in ("running", "checking"):
        return True
    dry = run.state == "checking"
    seen: dict[Any, int] | None = {} if dry else None
    done = 0 if dry else run.rows_done  # a dry run remembers what it has seen, so it begins anew
    if dry:
        with db.transaction() as session:
            _count(session.get_one(Import, run_id), [], reset=True)
    waiting = _rows(run, skip=done)
    try:
        while batch := list(islice(waiting, BATCH)):
            with db.transaction() as session:
                held = session.get_one(Import, run_id, with_for_update=True, populate_existing=True)
                if held.state != run.state or held.rows_done != done:
                    return True  # stopped, or another worker took over
                with force_locale(language):
                    planned = plan([_read(run, *one) for one in batch], mode=run.mode, match_on=run.match_on, run_id=run.id, seen=seen)
                met: set[Any] = set()
                for place, one in enumerate(planned):
                    if not dry:
                        with force_locale(language):
                            one = planned[place] = _write(run, one, by, met)
                    _remember(run, one, dry)
                    _count(held, [one])
                done += len(batch)
                held.rows_done = done
                if not dry:
                    session.flush()
                    duplicates.seek([one.contact.id for one in planned if one.outcome == CREATE and one.contact is not None])
            time.sleep(0.001)  # under gevent SQLite never yields by itself
            if time.monotonic() > until and not dry:
                return False
    except Invalid as wrong:
        with db.transaction() as session:
            held = session.get_one(Import, run_id)
            held.state, held.error = "stopped" if not dry else "uploaded", str(next(iter(wrong.fields.values()), wrong.detail))[:300]
        return True
    with db.transaction() as session:
        held = session.get_one(Import, run_id)
        if held.state == run.state:
            held.rows_total, held.finished_at = done, clock.now()
            held.state = "checked" if dry else "done"
            if not dry:
                record(ImportFinished(run_id, held.created, held.updated, held.unchanged, held.refused, by))
    return True


# --- writing a row -------------------------------------------------------------------------------------------------------


def _rows(run: Import, *, skip: int = 0) -> Iterator[tuple[int, list[str]]]:
    """The rows after `skip`, with their numbers; the header is no row."""
    found: Iterable[list[str]] = reading.rows(files.store().path(run.file_key), shape_of(run))
    yield from enumerate(islice(found, 1 + skip, None), skip + 1)


def _read(run: Import, number: int, cells: list[str]) -> Read:
    return read(number, cells, run.mapping, system=SYSTEM_OF_IDS)


def _write(run: Import, planned: Planned, by: Actor, met: set[Any]) -> Planned:
    """Do what is planned. A batch was planned at once: a row that meets an earlier one of its batch is planned again."""
    keys = {(one.kind, one.value) for one in planned.row.addresses} | {("name", name_key(planned.row.values.get("name", "")))}
    if keys & met:
        db.session().flush()
        (planned,) = plan([planned.row], mode=run.mode, match_on=run.match_on, run_id=run.id)
    met |= keys
    if planned.outcome in (UNCHANGED, REFUSED):
        return planned
    try:
        with db.session().begin_nested():
            _create(run, planned, by) if planned.outcome == CREATE else _update(run, planned, by)
        return planned
    except IntegrityError:
        (again,) = plan([planned.row], mode=run.mode, match_on=run.match_on, run_id=run.id)
        if again.outcome == UPDATE:
            with db.session().begin_nested():
                _update(run, again, by)
        elif again.outcome == CREATE:
            again.outcome, again.faults = REFUSED, [_("An address of this row belongs to another customer.")]
        return again


def _create(run: Import, planned: Planned, by: Actor) -> None:
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


def _update(run: Import, planned: Planned, by: Actor) -> None:
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
    history.change(contact, values, by=by.through(f"import:{run.id}"), quiet=True)
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


def _remember(run: Import, one: Planned, dry: bool) -> None:
    if dry and one.outcome != REFUSED:
        return
    values = one.values if one.outcome != REFUSED else {}
    db.session().add(
        ImportRow(
            run_id=run.id,
            number=one.row.number,
            outcome=one.outcome,
            contact_id=one.contact.id if one.contact is not None and one.outcome != REFUSED else None,
            before=values.get("before", {}),
            after={**values.get("after", {}), **{key: values[key] for key in ("identities", "made_organization") if values.get(key)}},
            reasons=one.faults,
        )
    )


def _count(run: Import, planned: Sequence[Planned], *, reset: bool = False) -> None:
    if reset:
        run.rows_done = run.created = run.updated = run.unchanged = run.refused = 0
    for one in planned:
        name = {CREATE: "created", UPDATE: "updated", UNCHANGED: "unchanged", REFUSED: "refused"}[one.outcome]
        setattr(run, name, getattr(run, name) + 1)


# --- undoing -------------------------------------------------------------------------------------------------------------


def _undo_for(run_id: int, by: Actor, until: float) -> bool:
    """The last row first, a batch at a time; rows that are taken back disappear from `import_row`, kept ones stay there."""
    while True:
        with db.transaction() as session:
            run = session.get_one(Import, run_id, with_for_update=True, populate_existing=True)
            if run.state != "undoing":
                return True
            found = select(ImportRow).where(ImportRow.run_id == run_id, ImportRow.outcome.in_((CREATE, UPDATE)))
            rows = list(session.scalars(found.order_by(ImportRow.number.desc()).limit(BATCH)))
            for row in rows:
                organization_id = row.after.get("made_organization")
                if _take_back(run_id, row):
                    session.delete(row)
                else:
                    row.outcome = "kept"
                    run.kept += 1
                session.flush()
                if organization_id:
                    _drop(Organization, organization_id)
            run.rows_done += len(rows)
            if not rows:
                run.state, run.finished_at = "undone", clock.now()
                session.execute(delete(ImportRow).where(ImportRow.run_id == run_id, ImportRow.outcome == UNCHANGED))
                db.after_commit(partial(_remove_file, run.file_key))
                record(ImportUndone(run_id, run.kept, by))
                return True
        time.sleep(0.001)
        if time.monotonic() > until:
            return False


def _take_back(run_id: int, row: ImportRow) -> bool:
    """Undo one row; False where somebody has worked with the customer since, whole or in part."""
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


def _remove_file(key: str) -> None:
    files.store().path(key).unlink(missing_ok=True)


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
        session.expunge(contact)
        return True
    except IntegrityError:
        session.refresh(row)
        return False


def _drop(table: type[Organization], row_id: int) -> None:
    """Delete an organization that an import made, unless somebody uses it by now."""
    session = db.session()
    changed = session.scalar(select(func.count()).where(FieldChange.organization_id == row_id))
    try:
        with session.begin_nested():
            if not changed:
                session.execute(delete(table).where(table.id == row_id))
    except IntegrityError:
        return


def _only(run: Import, *states: str) -> None:
    if run.state not in states:
        raise Conflict(_("This import is at another step by now. Look again."))
