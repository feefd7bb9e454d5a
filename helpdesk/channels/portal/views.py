"""The customer's pages: home, and everything of this folder. What they show of a person is kept out of caches and search engines."""

from __future__ import annotations

from flask import Response, make_response, render_template, request

from helpdesk import web
from helpdesk.channels.portal import bp, by_link, my, ratings, requests, screens
from helpdesk.kb import queries

__all__ = ["bp", "by_link", "my", "ratings", "requests", "screens"]

MOST_USEFUL = 6


@bp.get("/")
def home() -> Response:
    """Search first, then what others needed. Works for everybody, signed in or not."""
    who, language = web.principal(), web.lang()
    html = render_template(
        "portal/home.html",
        shelves=[shelf for shelf in queries.shelves(who, language, each=1) if shelf.category is not None],
        useful=queries.most_useful(who, language, limit=MOST_USEFUL),
    )
    return make_response(html)


@bp.after_request
def _private(answer: Response) -> Response:
    if request.endpoint != "portal.home":
        answer.headers.setdefault("Cache-Control", "no-store")
        answer.headers["X-Robots-Tag"] = "noindex"
    return answer
