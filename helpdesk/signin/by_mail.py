"""What comes by mail: a link to sign in, to choose a new password, to accept an invitation.

A link's page only shows a button or a form: opening it spends nothing, because mail scanners open links too. Asking for a link says and
does the same whether anybody here has the address or not; the mail is written later, by a reaction to `LinkRequested`.
"""

from __future__ import annotations

from datetime import timedelta

from flask import Response, make_response, render_template, request
from flask_babel import gettext as _

from helpdesk import auth, db, passwords, web
from helpdesk.actor import Actor
from helpdesk.auth import User
from helpdesk.catalog import LinkRequested, PasswordChanged
from helpdesk.errors import Invalid
from helpdesk.events import record
from helpdesk.signin import bp, customers, entry

#: How long each kind of link works.
VALID = {"invite": timedelta(days=7), "reset": timedelta(hours=1), "signin": timedelta(minutes=15)}
#: The page each kind of link opens.
PAGE = {"invite": "signin.invitation", "reset": "signin.new_password", "signin": "signin.link"}


def link_for(user: User, purpose: str) -> str:
    """Make a single-use link (invite, reset or signin) and return its address. It can be read this once."""
    return web.absolute(PAGE[purpose], secret=auth.issue_link(user, purpose, valid=VALID[purpose]))


# --- asking ------------------------------------------------------------------------------------------------------------


@bp.get("/password/forgotten")
def forgotten() -> Response:
    return _ask_page("reset")


@bp.post("/password/forgotten")
def ask_for_reset() -> Response:
    return _ask("reset")


@bp.get("/sign-in/link")
def link_wanted() -> Response:
    return _ask_page("signin")


@bp.post("/sign-in/link")
def ask_for_link() -> Response:
    return _ask("signin")


def _ask(purpose: str) -> Response:
    account = entry.account_name(request.form.get("email", ""))
    if not account:
        return _ask_page(purpose, _("Please enter your e-mail address."), 422)
    entry.begin_try(account, kind="link:")
    user = entry.known(account) or (customers.account_for(account) if purpose == "signin" else None)
    record(LinkRequested(user.id if user is not None and user.active else None, purpose, Actor("link", via="page")))
    return make_response(render_template("signin/sent.html", purpose=purpose, email=account))


def _ask_page(purpose: str, trouble: str = "", status: int = 200) -> Response:
    email = request.form.get("email", "") or (user.email if (user := web.signed_in()) else "")
    return make_response(render_template("signin/ask.html", purpose=purpose, trouble=trouble, email=email), status)


# --- the link to sign in -------------------------------------------------------------------------------------------------


@bp.get("/sign-in/link/<secret>")
def link(secret: str) -> Response:
    return _private("signin/link.html", user=auth.linked_user(secret, "signin"))


@bp.post("/sign-in/link/<secret>")
def use_link(secret: str) -> Response:
    user = auth.spend_link(secret, "signin")
    auth.forget_failures(user.email)
    entry.enter(user, via="link")
    return web.see(entry.home(user))


# --- choosing a password ---------------------------------------------------------------------------------------------------


@bp.get("/password/new/<secret>")
def new_password(secret: str) -> Response:
    return _private("signin/password.html", user=auth.linked_user(secret, "reset"), purpose="reset", errors={})


@bp.post("/password/new/<secret>")
@web.own_edge
def choose_new_password(secret: str) -> Response:
    """Reset: every other link and session of the person ends; the next step is the sign-in page."""
    with db.read():
        user = auth.linked_user(secret, "reset")
    try:
        stored = kept_new_password(user)
    except Invalid as wrong:
        return _private("signin/password.html", 422, user=user, purpose="reset", errors=wrong.fields)
    with db.transaction():
        user = auth.spend_link(secret, "reset")
        change_password(user, stored)
    entry.leave()
    return make_response(render_template("signin/changed.html", email=user.email))


@bp.get("/invitation/<secret>")
def invitation(secret: str) -> Response:
    user = auth.linked_user(secret, "invite")
    return _private("signin/password.html", user=user, purpose="invite", name=user.name, errors={})


@bp.post("/invitation/<secret>")
@web.own_edge
def accept_invitation(secret: str) -> Response:
    """The invited person says how they are called, chooses a password and is in."""
    with db.read():
        user = auth.linked_user(secret, "invite")
    try:
        name = web.text("name", required=True, longest=120)
        stored = kept_new_password(user, name=name)
    except Invalid as wrong:
        return _private("signin/password.html", 422, user=user, purpose="invite", name=request.form.get("name", ""), errors=wrong.fields)
    with db.transaction():
        user = auth.spend_link(secret, "invite")
        user.name = name
        change_password(user, stored)
        entry.enter(user, via="link")
    return web.see(entry.home(user))


def kept_new_password(user: User, *, name: str = "") -> str:
    """The hash of the new password in the form (`password`, `again`). Outside transactions. Raises Invalid, saying what is wrong."""
    password = request.form.get("password", "")
    if wrong := passwords.weakness(password, email=user.email, name=name or user.name):
        raise Invalid(fields={"password": wrong})
    if password != request.form.get("again", ""):
        raise Invalid(fields={"again": _("This is not the same password as above.")})
    return passwords.kept(password)


def change_password(user: User, stored: str, *, by: Actor | None = None) -> None:
    """Keep a new password's hash. Other sessions, sockets and links of the person end. In a transaction."""
    user.password = stored
    auth.end_sessions(user)
    auth.forget_links(user)
    auth.forget_failures(user.email)
    record(PasswordChanged(user.id, by or Actor("user", user.id, via="page")))


def _private(template: str, status: int = 200, **values: object) -> Response:
    """A page whose address is a secret: kept by no cache. The desk's referrer policy tells other sites nothing but our name."""
    answer = make_response(render_template(template, **values), status)
    answer.headers["Cache-Control"] = "no-store"
    return answer
