"""The page where colleagues correct what a ticket holds of its form, with the history of corrections under it."""

from __future__ import annotations

from flask import Blueprint, Response, flash, make_response, render_template, request
from flask_babel import gettext as _

from helpdesk import web
from helpdesk.errors import HelpdeskError, Invalid, NotFound, StaleTicket
from helpdesk.tickets import queries
from helpdesk.tickets.models import Ticket
from helpdesk.tickets.topics import asking, correcting
from helpdesk.tickets.topics.fields import LONGEST_LONG_TEXT

bp = Blueprint("answers", __name__)


@bp.before_request
def _colleagues_only() -> None:
    web.require_staff()


@bp.get("/tickets/<int:number>/answers")
def correct_page(number: int) -> Response:
    return _page(_ticket(number))


@bp.post("/tickets/<int:number>/answers")
def correct(number: int) -> Response:
    """Keep the corrected values; a refusal keeps what was typed."""
    ticket = _ticket(number)
    names = {row.field.name: row.field.id for row in correcting.drawn(ticket)}
    typed = {id: request.form.get(name, "").replace("\x00", "")[: LONGEST_LONG_TEXT + 1] for name, id in names.items()}
    try:
        changed = correcting.correct(ticket, typed, by=web.current_actor(), seen=web.form_version())
    except (Invalid, StaleTicket) as wrong:
        return _page(ticket, typed, wrong)
    flash(_("Saved.") if changed else _("Nothing was changed."))
    return web.see(f"/inbox/{ticket.number}")


def _ticket(number: int) -> Ticket:
    ticket = queries.find(web.principal(), number, deed="edit")
    if not correcting.is_open(ticket):
        raise NotFound
    return ticket


def _page(ticket: Ticket, typed: dict[int, str] | None = None, wrong: HelpdeskError | None = None) -> Response:
    errors = {name: str(words) for name, words in wrong.fields.items()} if isinstance(wrong, Invalid) else {}
    asked = correcting.drawn(ticket, typed, errors)
    html = render_template(
        "tickets/answers.html",
        ticket=ticket,
        topic=asking.topic_name(ticket),
        asked=asked,
        kept=[one for one in asking.answered(ticket) if one.key not in {row.field.key for row in asked}],
        history=correcting.history(ticket),
        trouble=str(wrong.detail) if wrong is not None and not errors else "",
    )
    return make_response(html, wrong.status if wrong is not None else 200)
