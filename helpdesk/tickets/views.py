"""Files of a ticket's messages, for those who may see the ticket. Holders of a signed link fetch theirs below that link."""

from __future__ import annotations

from flask import Blueprint, Response, request

from helpdesk import web
from helpdesk.tickets import attachments

bp = Blueprint("tickets", __name__)


@bp.get("/files/<int:attachment_id>")
def download(attachment_id: int) -> Response:
    """A file as a download; with ?inline=1 a raster picture is shown in place."""
    return attachments.answer(attachments.find(web.principal(), attachment_id), inline="inline" in request.args)
