"""The customer's pages: home, and everything of this folder. What they show of a person is kept out of caches and search engines."""

from __future__ import annotations

from flask import Response, make_response, render_template, request

from helpdesk import web
from helpdesk.channels.portal import (
    address_views,
    bp,
    brand,
    by_link,
    my,
    notices,
    privacy_views,
    profile_views,
    ratings,
    requests,
    screens,
)
from helpdesk.kb import front

__all__ = ["address_views", "bp", "brand", "by_link", "my", "notices", "privacy_views", "profile_views", "ratings", "requests", "screens"]


#: What anybody may keep and search engines may read.
PUBLIC = ("portal.home", "portal.brand_css", "portal.brand_logo")


@bp.get("/")
def home() -> Response:
    """Search first, then what others needed. Works for everybody, signed in or not."""
    shown = front.front(web.principal(), web.lang())
    topics = [shelf for shelf in shown.shelves if shelf.category is not None]
    return make_response(render_template("portal/home.html", shelves=topics, useful=shown.useful))


@bp.after_request
def _private(answer: Response) -> Response:
    if request.endpoint not in PUBLIC:
        answer.headers.setdefault("Cache-Control", "no-store")
        answer.headers["X-Robots-Tag"] = "noindex"
    return answer
