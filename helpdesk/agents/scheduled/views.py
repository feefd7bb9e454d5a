"""What an agent does with a reply that waits for its hour: change it, send it now, take it back."""

from __future__ import annotations

from flask import Blueprint, Response, request
from flask_babel import gettext as _

from helpdesk import db, web
from helpdesk.agents import views as workspace
from helpdesk.agents.scheduled import replies
from helpdesk.agents.scheduled.models import ScheduledReply
from helpdesk.errors import NotFound
from helpdesk.tickets import queries
from helpdesk.tickets.models import Ticket

bp = Blueprint("scheduled", __name__, url_prefix="/scheduled")


@bp.before_request
def _colleagues_only() -> None:
    web.require_staff()


@bp.post("/<int:reply_id>")
def change(reply_id: int) -> Response:
    row, ticket = _find(reply_id)
    at = replies.when("own", web.text("later_at", longest=40), web.zone())
    replies.edit(row, ticket, body=request.form.get("body", ""), at=at, by=web.current_actor())
    return workspace.answer(ticket=ticket, toast={"text": _("Saved.")})


@bp.post("/<int:reply_id>/departure")
def send_now(reply_id: int) -> Response:
    row, ticket = _find(reply_id)
    seen = request.form.get("seen", "")
    replies.send_now(row, ticket, by=web.current_actor(), seen_message=int(seen) if seen.isdigit() else None)
    return workspace.answer(ticket=ticket, toast={"text": _("It leaves now.")})


@bp.post("/<int:reply_id>/withdrawal")
def cancel(reply_id: int) -> Response:
    row, ticket = _find(reply_id)
    mine = row.user_id == web.principal().user_id
    replies.cancel(row, ticket, by=web.current_actor())
    words = _("Taken back. Your text is in the composer.") if mine else _("Taken back. Its author finds the text in the composer.")
    return workspace.answer(ticket=ticket, toast={"text": words, "seconds": 4})


def _find(reply_id: int) -> tuple[ScheduledReply, Ticket]:
    """A reply of a ticket on which this person may reply; a foreign one is not there."""
    row = db.session().get(ScheduledReply, reply_id)
    ticket = db.session().get(Ticket, row.ticket_id) if row is not None else None
    if ticket is None:
        raise NotFound
    return replies.load(reply_id), queries.find(web.principal(), ticket.number, deed="reply")
