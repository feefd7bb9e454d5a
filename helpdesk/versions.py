"""The one way an administrator's edit reaches a row: compare-and-set on the version that the person saw. Tickets have `tickets.changes`."""

from __future__ import annotations

from typing import Any

from flask_babel import lazy_gettext as _
from sqlalchemy import update

from helpdesk import db
from helpdesk.errors import Conflict


class Stale(Conflict):
    """Somebody saved this while the person was looking at an older state."""

    code, title = "stale", _("Somebody changed this meanwhile")


def change(row: Any, seen: int | None, **values: Any) -> None:
    """Set columns and raise `version`, if the row still is as it was seen.

    `seen` None means "as it is now in this transaction": for commands and reactions that have just read it.
    Raises Stale when somebody changed it meanwhile; nothing is written then.
    """
    expected = row.version if seen is None else seen
    table = type(row)
    session = db.session()
    session.flush()
    kept = session.execute(
        update(table).where(table.id == row.id, table.version == expected).values(version=expected + 1, **values),
        execution_options={"synchronize_session": False},
    )
    if kept.rowcount != 1:  # type: ignore[attr-defined]
        raise Stale(_("Somebody saved a change while you were looking. Your entries are still here: compare, then save again."))
    session.refresh(row, ["version", *values])
