"""The page behind "did you write to us from another address?": looking changes nothing, a button says yes or no."""

from __future__ import annotations

from flask import Blueprint, Response, make_response, render_template

from helpdesk.channels.email import claims
from helpdesk.errors import Conflict, Gone, Invalid

bp = Blueprint("claims", __name__, url_prefix="/claims")


@bp.get("/<token>")
def one(token: str) -> Response:
    try:
        stranger, known, ticket = claims.read(token)
    except Gone:
        return _page("gone", status=410)
    if claims.done(stranger, known):
        return _page("yes")
    return _page("question", token=token, address=claims.address_of(stranger), number=ticket.number)


@bp.post("/<token>/confirmation")
def confirm(token: str) -> Response:
    try:
        stranger, known, _ticket = claims.read(token)
        claims.confirm(stranger, known)
    except (Gone, Conflict, Invalid):
        return _page("gone", status=410)
    return _page("yes")


@bp.post("/<token>/refusal")
def refuse(token: str) -> Response:
    """Nothing happens, and that is said."""
    try:
        claims.read(token)
    except Gone:
        return _page("gone", status=410)
    return _page("no")


def _page(state: str, *, status: int = 200, **values: object) -> Response:
    answer = make_response(render_template("portal/claim.html", state=state, **values), status)
    answer.headers["Cache-Control"] = "no-store"
    answer.headers["X-Robots-Tag"] = "noindex"
    return answer
