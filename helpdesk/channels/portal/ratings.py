"""How was it? A few choices behind a signed link. Opening the link answers nothing, because mail scanners open links too."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from flask import Response, make_response, render_template, request

from helpdesk import db, limits, web
from helpdesk.channels.portal import bp
from helpdesk.crm import asking
from helpdesk.errors import Gone, Invalid, NotFound, Words
from helpdesk.tickets import surveys
from helpdesk.tickets.models import Survey, Ticket

LONGEST_COMMENT = 5000


@bp.get("/rate/<token>")
def rate(token: str) -> Response:
    """The questions, with what was answered before. ?score=4 in a mail's link only marks the choice of the first one."""
    try:
        survey = surveys.opened(token)
    except Gone:
        return _ended()
    first = asking.questions(surveys.definition_of(survey))[0]
    wish = request.args.get("score", "")
    least, most = first.scale
    marked = {first.kind.value: int(wish)} if wish.isdigit() and len(wish) < 3 and least <= int(wish) <= most else {}
    return _page(token, survey, scores=marked)


@bp.post("/rate/<token>")
def answer_rating(token: str) -> Response:
    """Keep the answer; another one replaces it while the link is valid."""
    limits.within("rating", "30 per hour")
    try:
        survey = surveys.opened(token)
    except Gone:
        return _ended()
    definition = surveys.definition_of(survey)
    comment = request.form.get("comment", "").replace("\x00", "")
    reason = request.form.get("reason", "")
    scores, faults = _scores(asking.questions(definition))
    try:
        web.text("comment", longest=LONGEST_COMMENT)
    except Invalid as wrong:
        faults |= wrong.fields
    if faults:
        return _page(token, survey, scores=scores, wrong=Invalid(fields=faults), comment=comment, reason=reason)
    known = reason if reason in dict(asking.reasons(definition)) else ""
    surveys.answer(survey, scores, comment=comment, reason=known)
    return web.see(f"/rate/{token}?thanks=1")


@bp.get("/my/questions")
def my_questions() -> Response:
    """What a customer who signed in was asked and has not answered yet."""
    who = web.principal()
    if who.contact_id is None:
        web.require_staff()  # sends strangers to sign in
        raise NotFound  # a colleague has no questions of their own
    return make_response(render_template("portal/questions.html", here="my", questions=_waiting()))


@bp.context_processor
def _asked() -> dict[str, Callable[[], list[tuple[str, str]]]]:
    """`open_questions()`: for the customer's pages, what we asked them; empty for who is not signed in."""
    return {"open_questions": _waiting}


def _waiting() -> list[tuple[str, str]]:
    """Pairs of words and address."""
    who = web.principal()
    if who.contact_id is None or who.user_id is None:
        return []
    found = []
    for survey in surveys.waiting(who.contact_id):
        ticket = db.session().get(Ticket, survey.ticket_id) if survey.ticket_id is not None else None
        words = asking.questions(surveys.definition_of(survey))[0].words
        found.append((f"{words} (#{ticket.number} {ticket.subject})" if ticket is not None else words, f"/rate/{surveys.token(survey)}"))
    return found


def _scores(asks: list[asking.Ask]) -> tuple[dict[str, int], dict[str, Words]]:
    """What the form says, by question; the first one must be answered, the others may be left out."""
    scores: dict[str, int] = {}
    faults: dict[str, Words] = {}
    for number, ask in enumerate(asks):
        if number and not request.form.get(ask.name):
            continue
        try:
            scores[ask.kind.value] = web.number(ask.name, least=ask.scale[0], most=ask.scale[1])
        except Invalid as wrong:
            faults |= wrong.fields
    return scores, faults


def _page(
    token: str,
    survey: Survey,
    *,
    scores: dict[str, int],
    comment: str | None = None,
    reason: str | None = None,
    wrong: Invalid | None = None,
) -> Response:
    definition = surveys.definition_of(survey)
    given = surveys.answers(survey)
    leading = next((rating for rating in given.values() if rating.id == survey.rating_id), None)
    shown: dict[str, Any] = {kind: rating.score for kind, rating in given.items()} | scores
    html = render_template(
        "portal/rate.html",
        token=token,
        ticket=db.session().get(Ticket, survey.ticket_id) if survey.ticket_id is not None else None,
        asks=asking.questions(definition),
        reasons=asking.reasons(definition),
        scores=shown,
        answered=bool(given),
        comment=comment if comment is not None else leading.comment if leading else "",
        reason=reason if reason is not None else leading.reason if leading else "",
        errors=wrong.fields if wrong is not None else {},
        thanks="thanks" in request.args and bool(given),
    )
    return make_response(html, wrong.status if wrong is not None else 200)


def _ended() -> Response:
    return make_response(render_template("portal/rate_gone.html"), Gone.status)
