"""Inboxes: doors with an address, the queue behind each, and the mail server that its answers leave through."""

from __future__ import annotations

from collections.abc import Callable

from flask import Response, flash, request
from flask_babel import gettext as _
from sqlalchemy import select

from helpdesk import db, smtp, vault, web
from helpdesk.agents.admin import bp
from helpdesk.agents.admin.forms import REFUSALS, find, page, seen, whole
from helpdesk.errors import HelpdeskError, Unavailable
from helpdesk.tickets import inboxes
from helpdesk.tickets.models import Channel, Inbox, Queue

#: What the doors above add to an inbox's page: each draws its part, or nothing.
PANELS: list[Callable[[Inbox], str]] = []


@bp.get("/inboxes", endpoint="inboxes")
def listed() -> Response:
    return page("admin/inboxes.html", inboxes=inboxes.listed(), sending=inboxes.can_send(web.settings().smtp_url))


@bp.get("/inboxes/new")
def new_inbox() -> Response:
    return _inbox_page(None)


@bp.post("/inboxes")
def add_inbox() -> Response:
    try:
        inbox = inboxes.add(_shape(Channel.EMAIL), by=web.current_actor())
    except REFUSALS as wrong:
        return _inbox_page(None, wrong)
    flash(_("Saved."))
    return web.see(f"/admin/inboxes/{inbox.id}")


@bp.get("/inboxes/<int:inbox_id>")
def inbox(inbox_id: int) -> Response:
    return _inbox_page(find(Inbox, inbox_id))


@bp.post("/inboxes/<int:inbox_id>")
def change_inbox(inbox_id: int) -> Response:
    inbox = find(Inbox, inbox_id)
    try:
        inboxes.edit(inbox, _shape(inbox.channel), seen=seen(), by=web.current_actor())
    except REFUSALS as wrong:
        return _inbox_page(inbox, wrong)
    flash(_("Saved."))
    return web.see(f"/admin/inboxes/{inbox.id}")


@bp.post("/inboxes/<int:inbox_id>/test")
@web.own_edge
def test_inbox(inbox_id: int) -> Response:
    """Connect to the inbox's mail server and sign in, sending nothing. Says what exactly failed. The network waits outside transactions."""
    with db.read():
        inbox = find(Inbox, inbox_id)
        server = inboxes.mail_server(inbox, web.settings().smtp_url)
    trouble: smtp.MailServerTrouble | None = None
    if server is not None:
        try:
            smtp.try_out(server, sender=inbox.address if inbox.address and "*" not in inbox.address else web.settings().mail_from)
        except smtp.MailServerTrouble as wrong:
            trouble = wrong
    with db.read():
        return _inbox_page(find(Inbox, inbox_id), tried=True, failed=trouble)


@bp.get("/inboxes/<int:inbox_id>/deactivation")
def inbox_deactivation(inbox_id: int) -> Response:
    return page("admin/deactivate_inbox.html", inbox=find(Inbox, inbox_id))


@bp.post("/inboxes/<int:inbox_id>/deactivation")
def deactivate_inbox(inbox_id: int) -> Response:
    inbox = find(Inbox, inbox_id)
    try:
        inboxes.deactivate(inbox, seen=seen(), by=web.current_actor())
    except REFUSALS as wrong:
        return _inbox_page(inbox, wrong)
    flash(_("The inbox is switched off."))
    return web.see("/admin/inboxes")


@bp.post("/inboxes/<int:inbox_id>/activation")
def activate_inbox(inbox_id: int) -> Response:
    inbox = find(Inbox, inbox_id)
    try:
        inboxes.reactivate(inbox, seen=seen(), by=web.current_actor())
    except REFUSALS as wrong:
        return _inbox_page(inbox, wrong)
    flash(_("The inbox is switched on again."))
    return web.see(f"/admin/inboxes/{inbox.id}")


def _shape(channel: Channel) -> inboxes.Shape:
    """Only e-mail inboxes are made by hand; the other doors' are there from the start and keep their channel."""
    typed = request.form.get("smtp_url", "").strip()
    kept = None if not typed and request.form.get("smtp_remove") != "1" else typed
    return inboxes.Shape(
        name=request.form.get("name", ""),
        channel=channel,
        queue_id=whole("queue_id"),
        address=request.form.get("address", ""),
        sender_name=request.form.get("sender_name", ""),
        signature=request.form.get("signature", ""),
        language=request.form.get("language", ""),
        smtp_url=kept if channel is Channel.EMAIL else None,
        quote_history=request.form.get("quote_history") == "1",
        files_mb=whole("files_mb") if request.form.get("files_mb") else inboxes.Shape.files_mb,
    )


def _inbox_page(
    inbox: Inbox | None, wrong: HelpdeskError | None = None, *, tried: bool = False, failed: smtp.MailServerTrouble | None = None
) -> Response:
    return page(
        "admin/inbox.html",
        wrong,
        inbox=inbox,
        queues=list(db.session().scalars(select(Queue).where(Queue.active).order_by(Queue.name))),
        own_server=_own_server(inbox),
        machine_server=smtp.read(web.settings().smtp_url).shown if web.settings().smtp_url else "",
        tried=tried,
        failed=failed,
        panels=[draw(inbox) for draw in PANELS] if inbox is not None else [],
    )


def _own_server(inbox: Inbox | None) -> str:
    """The inbox's mail server without its password; a word instead when it can no longer be read."""
    if inbox is None or not inbox.smtp_url:
        return ""
    try:
        return smtp.read(vault.unseal(inbox.smtp_url)).shown
    except (Unavailable, ValueError):
        return str(_("cannot be read any more: enter it again"))
