"""Files of a ticket's messages, for those who may see the ticket, and the article that a ticket becomes."""

from __future__ import annotations

from flask import Blueprint, Response, request, url_for

from helpdesk import web
from helpdesk.tickets import attachments, knowledge, queries

bp = Blueprint("tickets", __name__)


@bp.get("/files/<int:attachment_id>")
def download(attachment_id: int) -> Response:
    """A file as a download; with ?inline=1 a raster picture is shown in place. Holders of a signed link fetch theirs below that link."""
    return attachments.answer(attachments.find(web.principal(), attachment_id), inline="inline" in request.args)


@bp.post("/tickets/<int:number>/article")
def draft_article(number: int) -> Response:
    """Begin an article from what was asked and answered here, and go to its editor."""
    web.require_staff()
    article, language = knowledge.draft_article(queries.find(web.principal(), number), by=web.current_actor())
    return web.see(url_for("kb_manage.edit", article_id=article.id, language=language))
