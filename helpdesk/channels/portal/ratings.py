"""How was it? Five choices behind a signed link. Opening the link answers nothing, because mail scanners open links too."""

from __future__ import annotations

from flask import Response, make_response, render_template, request

from helpdesk import db, limits, web
from helpdesk.channels.portal import bp
from helpdesk.crm.models import Rating
from helpdesk.errors import Gone, Invalid
from helpdesk.tickets import surveys
from helpdesk.tickets.models import Survey, Ticket

LONGEST_COMMENT = 5000


@bp.get("/rate/<token>")
def rate(token: str) -> Response:
    """The question, with what was answered before. ?score=4 in a mail's link only marks the choice."""
    try:
        survey = surveys.opened(token)
    except Gone:
        return _ended()
    wish = request.args.get("score", "")
    return _page(token, survey, score=int(wish) if wish in ("1", "2", "3", "4", "5") else None)


@bp.post("/rate/<token>")
def answer_rating(token: str) -> Response:
    """Keep the answer; another one replaces it while the link is valid."""
    limits.within("rating", "30 per hour")
    try:
        survey = surveys.opened(token)
    except Gone:
        return _ended()
    comment = request.form.get("comment", "").replace("\x00", "")
    try:
        score = web.number("score", least=1, most=5)
        web.text("comment", longest=LONGEST_COMMENT)
    except Invalid as wrong:
        return _page(token, survey, wrong=wrong, comment=comment)
    surveys.answer(survey, score, comment=comment)
    return web.see(f"/rate/{token}?thanks=1")


def _page(token: str, survey: Survey, *, score: int | None = None, comment: str | None = None, wrong: Invalid | None = None) -> Response:
    session = db.session()
    rating = session.get(Rating, survey.rating_id) if survey.rating_id else None
    html = render_template(
        "portal/rate.html",
        token=token,
        ticket=session.get_one(Ticket, survey.ticket_id),
        rating=rating,
        score=score or (rating.score if rating else None),
        comment=comment if comment is not None else rating.comment if rating else "",
        errors=wrong.fields if wrong is not None else {},
        thanks="thanks" in request.args and rating is not None,
    )
    return make_response(html, wrong.status if wrong is not None else 200)


def _ended() -> Response:
    return make_response(render_template("portal/rate_gone.html"), Gone.status)
