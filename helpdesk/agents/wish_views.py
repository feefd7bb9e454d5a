"""The customer's wish to be reached elsewhere, as the agent sees it beside the conversation and on the offer."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, Response, render_template, url_for

from helpdesk import web
from helpdesk.agents import wishes
from helpdesk.crm import addresses
from helpdesk.tickets import queries

bp = Blueprint("wishes", __name__)


@bp.before_request
def _colleagues_only() -> None:
    web.require_staff()


@bp.get("/tickets/<int:number>/wish")
def wish(number: int) -> str:
    """The line above the thread, fetched again after a push."""
    return render_template("agents/_wish.html", ticket=queries.find(web.principal(), number))


@bp.post("/tickets/<int:number>/wish/settlement")
def settle(number: int) -> Response:
    """The customer was written to, or called."""
    ticket = queries.find(web.principal(), number, deed="note")
    wishes.settle(ticket, by=web.current_actor())
    return web.fragment("agents/_wish.html", page=url_for("agents.inbox", number=number), ticket=ticket)


@bp.app_context_processor
def _words() -> dict[str, Any]:
    return {"wish_of": wishes.open_wish, "shown_phone": lambda value: addresses.phone(value).shown}
