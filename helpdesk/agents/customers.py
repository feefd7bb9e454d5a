"""What a customer's page shows of tickets: the open ones, and the numbers of those that the timeline tells of."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from sqlalchemy import func, select

from helpdesk import db
from helpdesk.agents import lists
from helpdesk.auth import Principal
from helpdesk.crm import beside
from helpdesk.tickets import policy
from helpdesk.tickets.models import Ticket, unsolved

SHOWN = 10


@beside.part("crm/_tickets.html")
def open_tickets(who: Principal, contacts: Collection[int]) -> dict[str, Any]:
    """The open tickets of these customers that the reader may open, the newest first, and how many more there are for others."""
    theirs = (Ticket.requester_id.in_(contacts), unsolved(), Ticket.merged_into_id.is_(None))
    seen = select(Ticket).where(*theirs, policy.visible(who)).order_by(Ticket.last_message_at.desc(), Ticket.id.desc())
    session = db.session()
    visible = session.scalar(seen.with_only_columns(func.count()).order_by(None)) or 0
    every = session.scalar(select(func.count()).select_from(Ticket).where(*theirs)) or 0
    return {
        "tickets": list(session.scalars(seen.limit(SHOWN))),
        "count": visible,
        "elsewhere": every - visible,
        "queues": lists.queues_by_id(),
    }


@beside.numbers
def numbers(who: Principal, tickets: Collection[int]) -> dict[int, int]:
    rows = db.session().execute(select(Ticket.id, Ticket.number).where(Ticket.id.in_(tickets), policy.visible(who)))
    return {row.id: row.number for row in rows}
