"""The one way a person's edit reaches a ticket: compare-and-set on the version that the person saw."""

from __future__ import annotations

from typing import Any

from flask_babel import lazy_gettext as _
from sqlalchemy import update
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
    kept = db.session().execute(
        update(Ticket).where(Ticket.id == ticket.id, Ticket.version == expected).values(version=expected + 1, **values),
        execution_options={"synchronize_session": False},
    )
    if kept.rowcount != 1:  # type: ignore[attr-defined]
        raise StaleTicket(_("Somebody changed this ticket while you were looking at it. Look at it again, then decide."))
    for name, value in {**values, "version": expected + 1}.items():
        set_committed_value(ticket, name, value)  # what the database holds now, without asking it again
