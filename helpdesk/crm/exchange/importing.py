"""Taking a list in: upload, check, run in batches, undo. What a list may hold says SUBJECTS.

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
from sqlalchemy import delete, select

from helpdesk import clock, db, files, web
from helpdesk.actor import SYSTEM, Actor
from helpdesk.auth import User
from helpdesk.catalog import ImportFinished, ImportStarted, ImportUndone
from helpdesk.crm.base_models import Import, ImportRow
from helpdesk.crm.exchange import customers_in, purchases_in, reading
from helpdesk.crm.exchange.work import BATCH, CREATE, REFUSED, UNCHANGED, UPDATE, Done, Row, Subject
from helpdesk.errors import Conflict, Invalid
from helpdesk.events import Outside, reaction, record

#: What a list may hold.
SUBJECTS: dict[str, Subject] = {"contacts": customers_in.SUBJECT, "orders": purchases_in.SUBJECT}
MODES = ("both", "create", "update")
#: How long one delivery works before it hands over to the next: other heavy work waits no longer than this.
STINT_S = 45.0
#: How many rows are looked at for a preview, and how much of it is shown.
LOOKED_AT, PREVIEWED = 200, 8


def accept(name: str, content: BinaryIO, *, limit: int, by: Actor, subject: str = "contacts") -> Import:
    """Keep an uploaded file and find out what it is and what its columns mean. Raises Invalid, TooLarge."""
    if subject not in SUBJECTS:
        raise Invalid(fields={"subject": lazy_gettext("Choose one of these.")})
    stored = files.store().put(content, limit=limit)
    path = files.store().path(stored.key)
    try:
        shape = reading.sniff(path)
        header = next(reading.rows(path, shape))
    except (Invalid, UnicodeError) as wrong:
        path.unlink(missing_ok=True)
        raise wrong if isinstance(wrong, Invalid) else Invalid(fields={"file": _("This file cannot be read as text.")}) from wrong
    holding = SUBJECTS[subject]
    made = Import(
        name=Path(name).name[:255] or "file", file_key=stored.key, subject=subject, shape=shape.kind, encoding=shape.encoding,
        delimiter=shape.delimiter, mapping=holding.suggest(header), user_id=by.user_id, at=clock.now(),
    )  # fmt: skip
    made.match_on = next((match for match in holding.matches if match in made.mapping), next(iter(holding.matches)))
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
        run.mapping = holds(run).suggest(header_of(run))


def configure(run: Import, *, mapping: Sequence[str], mode: str, match_on: str) -> None:
    """Say what each column means and how customers are recognised. Raises Invalid with every fault."""
    _only(run, "uploaded", "checked")
    holding = holds(run)
    known = {target for target, _words in holding.targets()}
    faults: dict[str, Any] = {}
    if len(mapping) != len(header_of(run)) or any(target and target not in known for target in mapping):
        faults["mapping"] = lazy_gettext("Choose one of these.")
    single = [target for target in mapping if target and target not in holding.several]
    if len(single) != len(set(single)):
        faults["mapping"] = lazy_gettext("Two columns mean the same; leave one of them out.")
    if mode not in MODES:
        faults["mode"] = lazy_gettext("Choose one of these.")
    if match_on not in holding.matches:
        faults["match_on"] = lazy_gettext("Choose one of these.")
    faults = {**holding.missing(mapping, match_on), **faults}
    if faults:
        raise Invalid(fields=faults)
    if (list(mapping), mode, match_on) != (run.mapping, run.mode, run.match_on):
        run.mapping, run.mode, run.match_on, run.state = list(mapping), mode, match_on, "uploaded"


def preview(run: Import) -> list[Any]:
    """The first rows and what they would do, as the subject plans them."""
    work = holds(run).work(run, SYSTEM, True)
    return work.plan(next(work.batches(islice(_rows(run), LOOKED_AT), 0), [])[:PREVIEWED])


def holds(run: Import) -> Subject:
    """What the list holds."""
    return SUBJECTS[run.subject]


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
    done = 0 if dry else run.rows_done  # a dry run remembers what it has seen, so it begins anew
    if dry:
        with db.transaction() as session:
            _count(session.get_one(Import, run_id), [], reset=True)
    doing = holds(run).work(run, by, dry)
    try:
        for batch in doing.batches(_rows(run), done):
            with db.transaction() as session:
                held = session.get_one(Import, run_id, with_for_update=True, populate_existing=True)
                if held.state != run.state or held.rows_done != done:
                    return True  # stopped, or another worker took over
                with force_locale(language):
                    rows = doing.take(batch)
                session.add_all(_remembered(run_id, one) for one in rows if not dry or one.outcome == REFUSED)
                _count(held, rows)
                done += len(rows)
                held.rows_done = done
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


# --- below ---------------------------------------------------------------------------------------------------------------


def _rows(run: Import) -> Iterator[Row]:
    """The rows with their numbers; the header is no row."""
    found: Iterable[list[str]] = reading.rows(files.store().path(run.file_key), shape_of(run))
    yield from enumerate(islice(found, 1, None), 1)


def _remembered(run_id: int, one: Done) -> ImportRow:
    return ImportRow(
        run_id=run_id, number=one.number, outcome=one.outcome, contact_id=one.contact_id, before=one.before, after=one.after,
        reasons=one.faults,
    )  # fmt: skip


def _count(run: Import, rows: Sequence[Done], *, reset: bool = False) -> None:
    if reset:
        run.rows_done = run.created = run.updated = run.unchanged = run.refused = 0
    for one in rows:
        name = {CREATE: "created", UPDATE: "updated", UNCHANGED: "unchanged", REFUSED: "refused"}[one.outcome]
        setattr(run, name, getattr(run, name) + 1)


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
                if holds(run).take_back(run_id, row):
                    session.delete(row)
                else:
                    row.outcome = "kept"
                    run.kept += 1
                session.flush()
            run.rows_done += len(rows)
            if not rows:
                run.state, run.finished_at = "undone", clock.now()
                holds(run).forget(run_id)
                session.execute(delete(ImportRow).where(ImportRow.run_id == run_id, ImportRow.outcome == UNCHANGED))
                db.after_commit(partial(_remove_file, run.file_key))
                record(ImportUndone(run_id, run.kept, by))
                return True
        time.sleep(0.001)
        if time.monotonic() > until:
            return False


def _remove_file(key: str) -> None:
    files.store().path(key).unlink(missing_ok=True)


def _only(run: Import, *states: str) -> None:
    if run.state not in states:
        raise Conflict(_("This import is at another step by now. Look again."))
