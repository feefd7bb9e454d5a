"""The one way a person's edit reaches a ticket: compare-and-set on the version that the person saw."""

from __future__ import annotations

from functools import lru_cache
from typing import Any, cast

from flask_babel import lazy_gettext as _
from sqlalchemy import Table, bindparam, update
from sqlalchemy.orm.attributes import set_committed_value

from helpdesk import db
from helpdesk.errors import StaleTicket
from helpdesk.tickets.models import Ticket


def change(ticket: Ticket, seen: int | None, **values: Any) -> None:
    """Set columns and raise the version, if the ticket still is as it was seen.

    `seen` None means "as it is now in this transaction": for reactions and programs that have just read it.
    Raises StaleTicket when somebody changed it meanwhile; nothing is written then.
    """
    expected = ticket.version if seen is None else seen
    session = db.session()
    session.flush()
    given = {"of": ticket.id, "seen": expected, **{f"to_{name}": value for name, value in values.items()}}
    if session.connection().execute(_changing(tuple(sorted(values))), given).rowcount != 1:
        raise StaleTicket(_("Somebody changed this ticket while you were looking at it. Look at it again, then decide."))
    for name, value in {**values, "version": expected + 1}.items():
        set_committed_value(ticket, name, value)  # what the database holds now, without asking it again


@lru_cache(maxsize=64)
def _changing(names: tuple[str, ...]) -> Any:
    """The statement that sets these columns, built once: there are few ways in which a ticket changes."""
    table = cast(Table, Ticket.__table__)
    row = table.c
    as_seen = (row.id == bindparam("of", type_=row.id.type), row.version == bindparam("seen", type_=row.version.type))
    values = {name: bindparam(f"to_{name}", type_=row[name].type) for name in names}
    return update(table).where(*as_seen).values(version=row.version + 1, **values)
