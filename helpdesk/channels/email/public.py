"""Mail's pages for whoever got our mail: a file that was too large to send, and no more automatic mail. The signed link is the right."""

from __future__ import annotations

from flask import Blueprint, Response, make_response, render_template, request

from helpdesk import db, limits, links, web
from helpdesk.channels.email import unsubscribing
from helpdesk.errors import Gone
from helpdesk.tickets import attachments
from helpdesk.tickets.models import Attachment, Message, MessageKind, Ticket

bp = Blueprint("mail_links", __name__)

FILE_PURPOSE = "mailed_file"
FILE_DAYS = 30


def file_link(file: Attachment, ticket: Ticket) -> str:
    """A link that gives out one file for thirty days; ended earlier when the ticket's links are taken back."""
    return f"{web.settings().base_url}/mailed-files/{links.sign(FILE_PURPOSE, [file.id, ticket.link_epoch])}"


@bp.get("/mailed-files/<token>")
def mailed_file(token: str) -> Response:
    """A file of an answer, as a download."""
    try:
        file_id, epoch = links.unsign(FILE_PURPOSE, token, valid_days=FILE_DAYS)
        return attachments.answer(_sent_file(int(file_id), int(epoch)))
    except Gone:
        return _page("portal/mailed_file_gone.html", 410)


@bp.get("/unsubscribe/<token>")
def unsubscribe_page(token: str) -> Response:
    """The question; opening it changes nothing, because mail scanners open links too."""
    try:
        address = unsubscribing.address_of(token)
    except Gone:
        return _page("portal/mailed_file_gone.html", 410)
    return _page("portal/unsubscribe.html", token=token, address=address, refused=unsubscribing.refused(address))


@bp.post("/unsubscribe/<token>")
def unsubscribe(token: str) -> Response:
    """One click of a mail program (List-Unsubscribe=One-Click, RFC 8058), or the page's button; `again` takes it back."""
    limits.within("unsubscribe", "60 per hour")
    try:
        address = unsubscribing.address_of(token)
    except Gone:
        return _page("portal/mailed_file_gone.html", 410)
    unsubscribing.refuse(address, refused=request.form.get("again") != "1")
    return web.see(f"/unsubscribe/{token}")


# A mail program has no form's token; the link itself is signed and does one harmless thing.
unsubscribe.csrf_exempt = True  # type: ignore[attr-defined]


def _sent_file(file_id: int, epoch: int) -> Attachment:
    session = db.session()
    file = session.get(Attachment, file_id)
    message = session.get(Message, file.message_id) if file is not None else None
    ticket = session.get(Ticket, message.ticket_id) if message is not None else None
    if file is None or message is None or ticket is None or message.kind is not MessageKind.REPLY or ticket.link_epoch != epoch:
        raise Gone
    return file


def _page(template: str, status: int = 200, **values: object) -> Response:
    answer = make_response(render_template(template, **values), status)
    answer.headers["Cache-Control"] = "no-store"
    answer.headers["X-Robots-Tag"] = "noindex"
    answer.headers["Referrer-Policy"] = "no-referrer"
    return answer
