"""Mail's ledgers for administrators and supervisors: what arrived and what became of it, what was put aside, what leaves.

Others get the 404 of a page that is not there. The original of a mail is only ever handed out as a download of plain text.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Any, TypeVar

from flask import Blueprint, Response, flash, make_response, render_template, request, send_file
from flask_babel import gettext as _
from flask_babel import ngettext

from helpdesk import db, files, web
from helpdesk.agents.admin import tabs
from helpdesk.channels.email import arrivals, mending, queries, sending
from helpdesk.channels.email.models import Arrival, ArrivalState, Outgoing, OutgoingKind, OutgoingState
from helpdesk.channels.email.words import TEMPLATE_WORDS
from helpdesk.db import Base
from helpdesk.errors import NotFound
from helpdesk.tickets.inboxes import can_send
from helpdesk.tickets.models import Message
from helpdesk.tickets.words import sender_words

bp = Blueprint("email", __name__, url_prefix="/admin/mail")

T = TypeVar("T", bound=Base)
S = TypeVar("S", bound=StrEnum)


@bp.before_request
def _leads_only() -> None:
    web.require_leads()


@bp.context_processor
def _words() -> dict[str, Any]:
    return {**TEMPLATE_WORDS, "admin_tabs": tabs}


# --- what arrived ------------------------------------------------------------------------------------------------------


@bp.get("")
def ledger() -> Response:
    """Everything that arrived, newest first: ?state=…, ?q=…, ?before=…."""
    state, words, before = _chosen(ArrivalState), request.args.get("q", "").strip()[:200], _before()
    rows = queries.arrivals(state=state, words=words, before=before, limit=web.PAGE)
    shown = web.paged(rows, web.PAGE, lambda row: (row.arrival.id,))
    return _page("admin/mail_arrivals.html", rows=shown, state=state, q=words, states=list(ArrivalState))


@bp.get("/<int:arrival_id>")
def arrival(arrival_id: int) -> Response:
    found = _find(Arrival, arrival_id)
    message = db.session().get(Message, found.message_id) if found.message_id is not None else None
    checks = sender_words(message.sender_checks) if message is not None else ("", "", "")
    return _page("admin/mail_arrival.html", arrival=found, ticket_number=queries.ticket_number(found.ticket_id), checks=checks)


@bp.get("/<int:arrival_id>/original")
def original(arrival_id: int) -> Response:
    """The mail's bytes, never to be shown by the browser: whatever stands in them."""
    found = _find(Arrival, arrival_id)
    answer = send_file(
        files.store().path(found.object_key),
        mimetype="text/plain",
        as_attachment=True,
        download_name=f"mail-{found.id}.eml.txt",
        etag=False,
        conditional=False,
        max_age=0,
    )
    answer.headers["X-Content-Type-Options"] = "nosniff"
    answer.headers["Cache-Control"] = "no-store"
    return answer


@bp.post("/<int:arrival_id>/retry")
def read_again(arrival_id: int) -> Response:
    arrivals.again(_find(Arrival, arrival_id), by=web.current_actor())
    flash(_("It is being read again. Look here in a moment."))
    return web.see(web.back(f"/admin/mail/{arrival_id}"))


# --- what leaves -------------------------------------------------------------------------------------------------------


@bp.get("/outgoing")
def outbox() -> Response:
    """Everything that leaves, newest first: ?state=…, ?q=…, ?before=…."""
    state, words, before = _chosen(OutgoingState), request.args.get("q", "").strip()[:200], _before()
    rows = queries.outgoing(state=state, words=words, before=before, limit=web.PAGE)
    shown = web.paged(rows, web.PAGE, lambda row: (row.outgoing.id,))
    sends = can_send(web.settings().smtp_url)
    return _page("admin/mail_outgoing.html", rows=shown, state=state, q=words, states=list(OutgoingState), sends=sends)


@bp.post("/outgoing/<int:outgoing_id>/retry")
def send_again(outgoing_id: int) -> Response:
    mending.retry(_find(Outgoing, outgoing_id), by=web.current_actor())
    flash(_("It is tried again now."))
    return web.see(web.back("/admin/mail/outgoing"))


@bp.post("/outgoing/<int:outgoing_id>/address")
def send_elsewhere(outgoing_id: int) -> Response:
    row = _find(Outgoing, outgoing_id)
    if row.kind is OutgoingKind.SIGN_IN:  # a link to somebody's account goes to their own address alone
        raise NotFound
    mending.readdress(row, web.text("address", required=True, longest=320), by=web.current_actor())
    flash(_("It goes to %(who)s now.", who=row.recipient))
    return web.see(web.back("/admin/mail/outgoing"))


@bp.post("/outgoing/retry")
def send_held() -> Response:
    """What waited for a mail server leaves now, if there is one."""
    woken = sending.wake_held(limit=5000)
    flash(ngettext("%(num)s mail leaves now.", "%(num)s mails leave now.", woken))
    return web.see("/admin/mail/outgoing")


@bp.post("/outgoing/<int:outgoing_id>/withdraw")
def take_out(outgoing_id: int) -> Response:
    mending.withdraw(_find(Outgoing, outgoing_id), by=web.current_actor())
    flash(_("It was taken out and will not leave."))
    return web.see(web.back("/admin/mail/outgoing"))


def _find(table: type[T], row_id: int) -> T:
    row = db.session().get(table, row_id)
    if row is None:
        raise NotFound
    return row


def _chosen(states: type[S]) -> S | None:
    """The state asked for; a word that is none means all."""
    word = request.args.get("state", "")
    return states(word) if word in list(states) else None


def _before() -> int | None:
    position = web.uncursor(request.args.get("before"), int)
    return int(position[0]) if position else None


def _page(template: str, **values: Any) -> Response:
    counts = {"put_aside": queries.put_aside(), "failed": queries.failed(), "overdue": queries.overdue(), "cap": queries.CAP}
    return make_response(render_template(template, here="admin", counts=counts, **values))
