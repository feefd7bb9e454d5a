"""The page on which colleagues make and revoke their own API tokens. A secret is shown once, in the answer that made it."""

from __future__ import annotations

from datetime import timedelta

from flask import Blueprint, Response, make_response, render_template, request
from flask_babel import lazy_gettext as _

from helpdesk import db, web
from helpdesk.agents import tokens
from helpdesk.auth import User
from helpdesk.errors import Invalid, Words

bp = Blueprint("tokens", __name__)

#: How long a new token can be valid: days, and the words for it.
VALID: dict[str, Words] = {"30": _("30 days"), "90": _("90 days"), "365": _("A year"), "": _("Until I revoke it")}


@bp.get("/settings/tokens")
def show() -> Response:
    """One's own tokens."""
    web.require_staff()
    return _page()


@bp.post("/settings/tokens")
def make() -> Response:
    """Make a token and show its secret, this once."""
    web.require_staff()
    name, scopes, days = request.form.get("name", ""), request.form.getlist("scopes"), request.form.get("valid", "90")
    try:
        if days not in VALID:
            raise Invalid(fields={"valid": _("Choose how long.")})
        user = db.session().get_one(User, web.principal().user_id)
        made, secret = tokens.issue(user, name, scopes, valid=timedelta(days=int(days)) if days else None, by=web.current_actor())
    except Invalid as wrong:
        return _page(errors=wrong.fields, form=request.form, status=422)
    return _page(made=made.name, secret=secret)


@bp.post("/settings/tokens/<int:token_id>/revocation")
def revoke(token_id: int) -> Response:
    """End one of one's own tokens."""
    web.require_staff()
    tokens.revoke(tokens.token_of(web.principal().user_id or 0, token_id), by=web.current_actor())
    return web.see("/settings/tokens")


def _page(*, status: int = 200, **values: object) -> Response:
    listed = tokens.tokens_of(web.principal().user_id or 0)
    live = [token for token in listed if tokens.live(token)]
    page = render_template(
        "admin/tokens.html",
        live=live,
        ended=[token for token in listed if token not in live][:20],
        scopes=tokens.SCOPES,
        valid=VALID,
        **{"errors": {}, "form": {}, **values},
    )
    answer = make_response(page, status)
    answer.headers["Cache-Control"] = "no-store"
    return answer
