"""What the thread shows of replies that wait for their hour, and brings of those that just came back to who reads it."""

from __future__ import annotations

from dataclasses import dataclass

from flask_babel import to_user_timezone

from helpdesk import db, web
from helpdesk.agents.scheduled import replies
from helpdesk.agents.scheduled.models import ScheduledReply
from helpdesk.tickets import queries
from helpdesk.tickets.models import Ticket


@dataclass(frozen=True)
class Shown:
    """A waiting reply, its author's name, whether it is the reader's own, and its hour as a browser's date field takes it.

    `returned`: it waits no longer and its words are in the reader's draft; a composer that was drawn before does not have them.
    """

    reply: ScheduledReply
    author: str
    mine: bool
    local: str
    returned: bool = False


def of(ticket: Ticket) -> list[Shown]:
    """The waiting replies of a ticket, the earliest first; then the reader's own that came back within the hour."""
    rows = replies.waiting(ticket.id)
    names = queries.names_of(db.session(), {row.user_id for row in rows}) if rows else {}
    me = web.principal().user_id
    shown = [Shown(row, names.get(row.user_id, ""), row.user_id == me, _local(row)) for row in rows]
    back = replies.returned(ticket.id, me) if me is not None else []
    return shown + [Shown(row, "", True, _local(row), returned=True) for row in back]


def _local(row: ScheduledReply) -> str:
    return f"{to_user_timezone(row.send_at):%Y-%m-%dT%H:%M}"
