"""A list of tickets as a file: what is on the screen, as it is narrowed there, of tickets that the person may see."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from zoneinfo import ZoneInfo

from flask_babel import gettext as _

from helpdesk import db, web
from helpdesk.agents import lists
from helpdesk.agents.words import queue_name
from helpdesk.auth import Principal
from helpdesk.crm.exchange.exporting import PAGE, Row, Sheet
from helpdesk.tickets import words
from helpdesk.tickets.models import Ticket


def tickets(who: Principal, key: str, filters: lists.Filters) -> Sheet:
    """The list with a line for each ticket. Times are those of the reader's clock. Raises NotFound for a list they do not have."""
    key = lists.check_key(key, who)
    with db.read():
        queues = {id_: queue_name(queue) for id_, queue in lists.queues_by_id().items()}
        zone = ZoneInfo(web.zone())
    header = [
        _("Number"), _("Subject"), _("Status"), _("Priority"), _("Channel"), _("Queue"), _("Agent"), _("Customer"), _("Opened"),
        _("Newest message"), _("Due"), _("Solved"),
    ]  # fmt: skip

    def rows() -> Iterator[Row]:
        last = 0
        while True:
            with db.read():
                found = lists.by_number(who, key, filters, after=last, limit=PAGE)
            for ticket in found:
                yield _row(ticket, queues, zone)
            if len(found) < PAGE:
                return
            last = found[-1].id

    return Sheet("tickets", header, rows)


def _row(ticket: Ticket, queues: dict[int, str], zone: ZoneInfo) -> Row:
    due = None if ticket.due_paused else ticket.next_due_at
    return (
        ticket.number, ticket.subject, words.STATUS[ticket.status], words.PRIORITY[ticket.priority], words.CHANNEL[ticket.channel],
        queues.get(ticket.queue_id, ""), ticket.assignee.name if ticket.assignee else "", ticket.requester.name,
        *(_moment(at, zone) for at in (ticket.opened_at, ticket.last_message_at, due, ticket.solved_at)),
    )  # fmt: skip


def _moment(at: datetime | None, zone: ZoneInfo) -> str:
    return f"{at.astimezone(zone):%Y-%m-%d %H:%M}" if at is not None else ""
