"""Lists taken in and back, and what became of their rows."""

from __future__ import annotations

import io

from sqlalchemy import select

from helpdesk import db
from helpdesk.actor import SYSTEM, Actor
from helpdesk.crm.base_models import Import, ImportRow
from helpdesk.crm.exchange import importing
from tests.desks import TestDesk

#: A hundred thousand rows take their time.
PATIENCE_S = 3000.0


def takes_in(
    desk: TestDesk,
    content: str | bytes,
    *,
    dry: bool = False,
    mode: str = "both",
    match_on: str = "",
    name: str = "list.csv",
    subject: str = "contacts",
) -> int:
    by = Actor("user", desk.people.ada)
    raw = content.encode() if isinstance(content, str) else content
    with db.transaction():
        run = importing.accept(name, io.BytesIO(raw), limit=2**26, by=by, subject=subject)
        importing.configure(run, mapping=run.mapping, mode=mode, match_on=match_on or run.match_on)
        importing.start(run, by=by, dry=dry)
    desk.work(patience_s=PATIENCE_S)
    return run.id


def takes_back(desk: TestDesk, run_id: int) -> Import:
    with db.transaction() as session:
        importing.undo(session.get_one(Import, run_id), by=SYSTEM)
    desk.work(patience_s=PATIENCE_S)
    return run_of(run_id)


def run_of(run_id: int) -> Import:
    with db.read() as session:
        return session.get_one(Import, run_id)


def counts(run_id: int) -> tuple[int, int, int, int]:
    run = run_of(run_id)
    return run.created, run.updated, run.unchanged, run.refused


def reasons(run_id: int) -> dict[int, str]:
    with db.read() as session:
        rows = session.scalars(select(ImportRow).where(ImportRow.run_id == run_id, ImportRow.outcome == "refused"))
        return {row.number: " ".join(row.reasons) for row in rows}
