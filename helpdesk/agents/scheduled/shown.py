"""What the thread shows of replies that wait for their hour."""

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
    """A waiting reply, its author's name, whether it is the reader's own, and its hour as a browser's date field takes it."""

    reply: ScheduledReply
    author: str
    mine: bool
    local: str


def of(ticket: Ticket) -> list[Shown]:
    """The waiting replies of a ticket, the earliest first."""
    rows = replies.waiting(ticket.id)
    names = queries.names_of(db.session(), {row.user_id for row in rows}) if rows else {}
    me = web.principal().user_id
    return [
        Shown(row, names.get(row.user_id, ""), row.user_id == me, to_user_timezone(row.send_at).strftime("%Y-%m-%dT%H:%M")) for row in rows
    ]
