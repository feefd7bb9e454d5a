"""An answer that did not arrive, seen from its ticket: the agent tries again, sends it elsewhere, or trusts the address again."""

from __future__ import annotations

from flask import Blueprint, Response
from flask_babel import gettext as _
from sqlalchemy import select

from helpdesk import db, web
from helpdesk.agents import views as workspace
from helpdesk.channels.email import mending
from helpdesk.channels.email.models import Outgoing, OutgoingKind, OutgoingState
from helpdesk.crm import failing
from helpdesk.errors import NotFound
from helpdesk.tickets import queries
from helpdesk.tickets.models import Message, Ticket

bp = Blueprint("undelivered", __name__)


@bp.before_request
def _colleagues_only() -> None:
    web.require_staff()


@bp.post("/messages/<int:message_id>/delivery")
def deliver_again(message_id: int) -> Response:
    """Try an answer that failed once more; with `address`, there instead."""
    message = db.session().get(Message, message_id)
    ticket = db.session().get(Ticket, message.ticket_id) if message is not None else None
    if message is None or ticket is None:
        raise NotFound
    ticket = queries.find(web.principal(), ticket.number, deed="reply")
    failed = list(
        db.session().scalars(
            select(Outgoing)
            .where(Outgoing.message_id == message.id, Outgoing.kind == OutgoingKind.REPLY, Outgoing.state == OutgoingState.FAILED)
            .order_by(Outgoing.id)
        )
    )
    if not failed:
        raise NotFound
    address = web.text("address", longest=320)
    if address:
        mending.readdress(failed[0], address, by=web.current_actor())
        return workspace.answer(ticket=ticket, toast={"text": _("It goes to %(who)s now.", who=failed[0].recipient)})
    for row in failed:
        mending.retry(row, by=web.current_actor())
    return workspace.answer(ticket=ticket, toast={"text": _("It is tried again now.")})


@bp.post("/tickets/<int:number>/requester-address")
def trust_address(number: int) -> Response:
    """The requester's address works again, somebody says."""
    ticket = queries.find(web.principal(), number, deed="reply")
    failing.trust_again(ticket.requester, by=web.current_actor())
    return workspace.answer(ticket=ticket, toast={"text": _("Mail goes to this address again.")})
