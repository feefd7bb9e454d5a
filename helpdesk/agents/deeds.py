"""What an agent does to a ticket, one address per deed: each finds, checks, calls one verb and shows the conversation anew."""

from __future__ import annotations

import enum
from typing import TypeVar

from flask import Blueprint, Response, flash, make_response, render_template, request, url_for
from flask_babel import format_datetime
from flask_babel import gettext as _

from helpdesk import db, files, web
from helpdesk.agents import answering, assignments, habits, notifications, offers, presence
from helpdesk.agents import views as workspace
from helpdesk.agents.models import Offer, PresenceState
from helpdesk.agents.scheduled import replies as scheduled
from helpdesk.agents.words import queue_name
from helpdesk.auth import User
from helpdesk.errors import Conflict, Invalid, NotFound, StaleTicket, TooLarge
from helpdesk.preferences import preferences
from helpdesk.tickets import knowledge, lifecycle, linking, queries, thread
from helpdesk.tickets.intake import NewFile
from helpdesk.tickets.models import Message, Priority, Queue, Status, Ticket

E = TypeVar("E", bound=enum.StrEnum)

bp = Blueprint("deeds", __name__)

MOST_FILES = 10


@bp.before_request
def _colleagues_only() -> None:
    web.require_staff()


@bp.post("/tickets/<int:number>/messages")
@web.own_edge
def write(number: int) -> Response:
    """Send the reply, or leave the note, that stands in the composer. Files are stored before the transaction begins."""
    kept = store_uploads()
    try:
        with db.transaction():
            return _write(number, kept)
    except StaleTicket as stale:
        _forget(kept)
        with db.read():
            return _held(number, str(stale.detail))
    except Exception:
        _forget(kept)
        raise


@bp.put("/tickets/<int:number>/draft")
def draft(number: int) -> Response:
    """Keep what is being written."""
    ticket = queries.find(web.principal(), number, deed="note")
    answering.keep_draft(_me().id, ticket.id, kind=request.form.get("kind", "reply"), body=request.form.get("body", ""))
    return make_response("", 204)


@bp.post("/messages/<int:message_id>/withdrawal")
def withdraw(message_id: int) -> Response:
    """Undo send: the reply does not leave, its text comes back into the composer."""
    message = db.session().get(Message, message_id)
    ticket = db.session().get(Ticket, message.ticket_id) if message else None
    if message is None or ticket is None:
        raise NotFound
    ticket = queries.find(web.principal(), ticket.number, deed="reply")
    text = thread.withdraw(message, ticket, by=web.current_actor())
    answering.keep_draft(_me().id, ticket.id, kind="reply", body=text)
    return workspace.answer(ticket=ticket, toast={"text": _("Taken back. Your text is in the composer."), "seconds": 4})


@bp.post("/tickets/<int:number>/solution")
def solve(number: int) -> Response:
    ticket = queries.find(web.principal(), number, deed="solve")
    lifecycle.solve(ticket, by=web.current_actor(), seen=web.form_version())
    undo = url_for("deeds.reopen", number=number)
    return workspace.answer(
        ticket=ticket, toast={"text": _("#%(n)s is solved.", n=number), "undo": undo, "target": "#main", "swap": "innerHTML"}
    )


@bp.post("/tickets/<int:number>/reopening")
def reopen(number: int) -> Response:
    ticket = queries.find(web.principal(), number, deed="solve")
    lifecycle.reopen(ticket, by=web.current_actor())
    return workspace.answer(ticket=ticket)


@bp.post("/tickets/<int:number>/status")
def status(number: int) -> Response:
    ticket = queries.find(web.principal(), number, deed="edit")
    lifecycle.set_status(ticket, _one_of(Status, "status"), by=web.current_actor(), seen=web.form_version())
    return workspace.answer(ticket=ticket)


@bp.post("/tickets/<int:number>/priority")
def priority(number: int) -> Response:
    ticket = queries.find(web.principal(), number, deed="edit")
    lifecycle.set_priority(ticket, _one_of(Priority, "priority"), by=web.current_actor(), seen=web.form_version())
    return workspace.answer(ticket=ticket)


@bp.post("/tickets/<int:number>/subject")
def subject(number: int) -> Response:
    ticket = queries.find(web.principal(), number, deed="edit")
    lifecycle.rename(ticket, web.text("subject", required=True), by=web.current_actor(), seen=web.form_version())
    return workspace.answer(ticket=ticket)


@bp.post("/tickets/<int:number>/queue")
def transfer(number: int) -> Response:
    """Give the ticket to another queue. Whoever transfers may lose sight of it, and is then shown the list."""
    ticket = queries.find(web.principal(), number, deed="edit")
    queue = db.session().get(Queue, web.number("queue", least=1, most=2**53))
    if queue is None:
        raise NotFound
    lifecycle.move(ticket, queue, by=web.current_actor(), seen=web.form_version())
    words = _("#%(n)s is now in the queue %(queue)s.", n=number, queue=queue_name(queue))
    if not web.principal().leads and queue.id not in web.principal().queues and ticket.assignee_id != web.principal().user_id:
        flash(words)
        return web.see(url_for("agents.inbox"))
    return workspace.answer(ticket=ticket, toast={"text": words})


@bp.post("/tickets/<int:number>/assignee")
def assign(number: int) -> Response:
    """Give the ticket to somebody, take it, or hand it back (an empty choice)."""
    ticket = queries.find(web.principal(), number, deed="assign")
    chosen = request.form.get("assignee", "")
    if not chosen:
        assignments.unassign(ticket, by=web.current_actor(), seen=web.form_version())
        return workspace.answer(ticket=ticket, toast={"text": _("#%(n)s waits in its queue again.", n=number)})
    user = db.session().get(User, int(chosen)) if chosen.isdigit() else None
    if user is None:
        raise NotFound
    assignments.assign(ticket, user, how="manual", by=web.current_actor(), seen=web.form_version())
    return workspace.answer(ticket=ticket, toast={"text": _("#%(n)s belongs to %(name)s now.", n=number, name=user.name)})


@bp.post("/tickets/<int:number>/links/ending")
def end_links(number: int) -> Response:
    """Links that went astray stop working: one person's, or everybody's. The next mail brings a fresh one."""
    ticket = queries.find(web.principal(), number, deed="edit")
    chosen = request.form.get("contact", "")
    if not chosen:
        lifecycle.revoke_links(ticket, by=web.current_actor())
        return workspace.answer(ticket=ticket, toast={"text": _("All links to #%(n)s have ended.", n=number)})
    holder = next((id for id, _address in linking.holders(ticket) if str(id) == chosen), None)
    if holder is None:
        raise NotFound
    linking.end_of(ticket, holder, by=web.current_actor())
    return workspace.answer(ticket=ticket, toast={"text": _("Their links to #%(n)s have ended.", n=number)})


@bp.post("/offers/<int:offer_id>/acceptance")
def accept(offer_id: int) -> Response:
    ticket = offers.accept(_my_offer(offer_id), by=web.current_actor())
    return web.see(url_for("agents.inbox", number=ticket.number))


@bp.post("/offers/<int:offer_id>/refusal")
def decline(offer_id: int) -> Response:
    offers.decline(_my_offer(offer_id), reason=web.text("reason", longest=60), by=web.current_actor())
    return web.fragment("agents/_offers.html", page=web.back(url_for("agents.inbox")), cards=[])


@bp.post("/presence")
def set_presence() -> Response:
    """Say whether work may come."""
    state = _one_of(PresenceState, "state")
    if state not in presence.CHOSEN:
        raise Invalid
    presence.set_presence(_me().id, state, by=web.current_actor(), reason=web.text("reason", longest=60))
    db.session().flush()
    return web.fragment("agents/_presence.html", page=web.back(url_for("agents.inbox")))


@bp.post("/notifications/reading")
def read_news() -> Response:
    notifications.read(_me().id)
    return web.see(url_for("agents.news"))


# --- helpers -----------------------------------------------------------------------------------------------------------


def store_uploads(name: str = "files") -> tuple[NewFile, ...]:
    """Keep the form's files, outside any transaction. Raises TooLarge, Invalid; what was stored before the fault is removed again."""
    sent = web.uploads(name)
    if len(sent) > MOST_FILES:
        raise Invalid(fields={name: _("Please attach at most %(n)s files.", n=MOST_FILES)})
    kept: list[NewFile] = []
    limit = web.settings().max_upload_bytes
    for file in sent:
        try:
            stored = files.store().put(file.stream, limit=limit)  # type: ignore[arg-type]
        except TooLarge:
            _forget(tuple(kept))
            raise TooLarge(_("%(name)s is larger than %(n)s MB.", name=file.filename, n=limit // 2**20)) from None
        kept.append(NewFile(file.filename or "file", file.mimetype or "application/octet-stream", stored))
    return tuple(kept)


def _forget(kept: tuple[NewFile, ...]) -> None:
    for file in kept:
        files.store().delete(file.stored.key)


def _write(number: int, kept: tuple[NewFile, ...]) -> Response:
    me, by = _me(), web.current_actor()
    body = request.form.get("body", "")
    client_id = web.text("client_id", longest=60) or None
    later = request.form.get("later", "")
    if request.form.get("kind") == "note":
        if later:
            raise Invalid(fields={"later": _("Only replies to the customer can leave later.")})
        ticket = queries.find(web.principal(), number, deed="note")
        answering.add_note(ticket, me, body, by=by, client_id=client_id, files=kept)
        return workspace.answer(ticket=ticket)
    ticket = queries.find(web.principal(), number, deed="reply")
    seen = request.form.get("seen", "")
    then = {"solved": Status.SOLVED, "pending": Status.PENDING}.get(request.form.get("then", ""))
    if later:
        at = scheduled.when(later, web.text("later_at", longest=40), web.zone())
        chosen = {"solved": Status.SOLVED, "pending": Status.PENDING}.get(request.form.get("later_then", ""))
        row = scheduled.schedule(
            ticket, me, body, at=at, by=by, seen_message=int(seen) if seen.isdigit() else None, client_id=client_id, files=kept, then=chosen
        )
        toast = {"text": _("It leaves %(when)s.", when=format_datetime(at, "short")), "target": "#main", "swap": "innerHTML"}
        return workspace.answer(ticket=ticket, toast={**toast, "undo": url_for("scheduled.cancel", reply_id=row.id)})
    message = answering.answer(
        ticket, me, body, by=by, seen_message=int(seen) if seen.isdigit() else None, client_id=client_id, files=kept, then=then
    )
    knowledge.note_articles_sent(message, request.form.getlist("article", type=int))
    toast = {"text": _("Sent. It leaves in %(n)s seconds.", n=preferences().undo_s), "target": "#main", "swap": "innerHTML"}
    return habits.after_reply(ticket, {**toast, "undo": url_for("deeds.withdraw", message_id=message.id)})


def _held(number: int, words: str) -> Response:
    """The reply was written against an older thread: nothing is sent, the text stays, what is new shows."""
    ticket = queries.find(web.principal(), number, deed="reply")
    values = workspace.conversation(ticket)
    made = render_template(
        "agents/_conversation.html" if web.htmx() else "agents/held.html",
        here="inbox",
        **values,
        held=words,
        body=request.form.get("body", ""),
    )
    return make_response(made, 409)


def _my_offer(offer_id: int) -> Offer:
    offer = db.session().get(Offer, offer_id)
    if offer is None or offer.user_id != web.principal().user_id:
        raise NotFound
    return offer


def _me() -> User:
    user_id = web.principal().user_id
    if user_id is None:
        raise Conflict
    return db.session().get_one(User, user_id)


def _one_of(words: type[E], name: str) -> E:
    try:
        return words(request.form.get(name, ""))
    except ValueError:
        raise Invalid(fields={name: _("Please choose one of the list.")}) from None
