"""One browser's session: begun with a clean slate, ended without a trace, and what slows down guessing before it."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass

import idna
from flask import Response, after_this_request, current_app, request, session
from flask_security.utils import login_user, logout_user
from sqlalchemy import delete, select

from helpdesk import auth, clock, db
from helpdesk.actor import Actor
from helpdesk.auth import Role, SignInTry, User
from helpdesk.catalog import SignedIn
from helpdesk.events import record

#: Where people land who did not ask for a page: answering, watching, or their own requests.
HOME = {Role.ADMIN: "/inbox", Role.AGENT: "/inbox", Role.SUPERVISOR: "/wallboard", Role.CUSTOMER: "/my"}
#: What a browser keeps when another person signs in: how pages look.
KEPT = ("lang", "theme")


@dataclass(frozen=True)
class Try:
    """A try that has been counted already, before it is known whether it succeeds. `rows` are ids of SignInTry."""

    account: str
    rows: list[int]


def account_name(typed: str) -> str:
    """An address as accounts are found by it: in small letters, the domain in ASCII. Empty for what cannot be one."""
    local, at, domain = typed.strip().lower().rpartition("@")
    if not local or not domain or len(typed) > 320 or any(sign.isspace() or sign < " " for sign in typed.strip()):
        return ""
    if not domain.isascii():
        try:
            domain = idna.encode(domain, uts46=True).decode("ascii")
        except idna.IDNAError:
            return ""
    return local + at + domain


def address() -> str:
    """Where the request comes from, as far as tries are counted: one IPv4 address, or one IPv6 network, which is one household."""
    try:
        found = ipaddress.ip_address(request.remote_addr or "")
    except ValueError:
        return "unknown"
    return str(ipaddress.ip_network(f"{found}/64", strict=False)) if found.version == 6 else str(found)


def begin_try(account: str, *, kind: str = "") -> Try:
    """Count a try before it is decided, so that a hundred at once are a hundred. Raises TooMany. In a transaction.

    `kind` keeps other counts apart: asking for mails spends no sign-in tries. Without an account only the address is counted.
    """
    names = [f"{kind}{name}" for name in (account, address()) if name]
    auth.tries_left(*names)
    stale = clock.now() - auth.TRIES_WINDOW
    db.session().execute(delete(SignInTry).where(SignInTry.who.in_([auth.hashed(name) for name in names]), SignInTry.at < stale))
    return Try(account, auth.count_failure(*names))


def succeeded(tried: Try) -> None:
    """It was the person: earlier failures are forgotten, and this try counts against nobody's address."""
    auth.take_back(tried.rows)
    auth.forget_failures(tried.account)


def known(account: str) -> User | None:
    """Who signs in with this address."""
    if not account:
        return None
    return db.session().scalar(select(User).where(User.email == account))


def enter(user: User, *, via: str, remember: bool = False) -> None:
    """Begin a session for this person in this browser. Nothing of an earlier session stays but how pages look."""
    _clean_slate()
    login_user(user, remember=remember, authn_via=[via])
    if not remember:
        after_this_request(_forget_device)
    with db.transaction() as writing:
        writing.get_one(User, user.id).last_login_at = clock.now()
        record(SignedIn(user.id, Actor("user", user.id, via="page")))


def leave() -> None:
    """End this browser's session, and its being remembered."""
    logout_user()
    _clean_slate()
    after_this_request(_forget_device)


def renew(user: User) -> None:
    """Go on in this browser after the person's sessions were ended everywhere. `user` carries the new name of their sessions."""
    remembered = current_app.config["REMEMBER_COOKIE_NAME"] in request.cookies
    _clean_slate()
    login_user(user, remember=remembered, authn_via=["session"])


def home(user: User) -> str:
    return HOME[Role(user.role)]


def _clean_slate() -> None:
    kept = {name: session[name] for name in KEPT if name in session}
    session.clear()
    session.update(kept)


def _forget_device(answer: Response) -> Response:
    """Flask-Login deletes its cookie without `Secure`, which browsers refuse for a `__Host-` name: then it would sign in again."""
    if current_app.config["REMEMBER_COOKIE_NAME"] in request.cookies:
        answer.delete_cookie(
            current_app.config["REMEMBER_COOKIE_NAME"],
            secure=current_app.config["REMEMBER_COOKIE_SECURE"],
            httponly=True,
            samesite="Lax",
        )
    return answer
