"""The front door: e-mail and password in, one button out."""

from __future__ import annotations

from flask import Response, make_response, render_template, request
from flask_babel import gettext as _

from helpdesk import db, passwords, web
from helpdesk.errors import TooMany
from helpdesk.signin import bp, entry


@bp.get("/sign-in")
def sign_in_page() -> Response:
    user = web.signed_in()
    if user is not None:
        return web.see(web.back(entry.home(user)))
    return _page()


@bp.post("/sign-in")
@web.own_edge
def sign_in() -> Response:
    """Sign in. The same words and the same work whether the account is missing, not active, without password, or the password is wrong."""
    account = entry.account_name(request.form.get("email", ""))
    password = request.form.get("password", "")
    try:
        with db.transaction():
            tried = entry.begin_try(account)
            user = entry.known(account)
    except TooMany as wrong:
        return _page(_("Too many tries. Please wait a quarter of an hour, or let us send you a sign-in link."), wrong=wrong)
    fits = passwords.right(password, user.password if user is not None and user.active else None)
    if user is None or not fits:
        return _page(_("The e-mail address or the password is not right."), status=422)
    with db.transaction():
        entry.succeeded(tried)
        entry.enter(user, via="password", remember=request.form.get("remember") == "1")
    return web.see(web.back(entry.home(user)))


@bp.post("/sign-out")
@web.own_edge
def sign_out() -> Response:
    entry.leave()
    return web.see("/")


def _page(trouble: str = "", *, status: int = 200, wrong: TooMany | None = None) -> Response:
    """The sign-in page, with what went wrong; the address that was typed stays."""
    html = render_template("signin/sign_in.html", trouble=trouble, email=request.form.get("email", ""), next=web.back(""))
    answer = make_response(html, wrong.status if wrong is not None else status)
    if wrong is not None:
        answer.headers["Retry-After"] = str(wrong.retry_after)
    return answer
