"""What a customer presses on their own addresses; the list itself stands on their profile (`profile_views`)."""

from __future__ import annotations

from flask import Response, flash, make_response, render_template, request, url_for
from flask_babel import gettext as _

from helpdesk import db, limits, web
from helpdesk.actor import Actor
from helpdesk.auth import User
from helpdesk.channels.portal import addresses, bp, certainty, customer, profile_views
from helpdesk.errors import Conflict, Gone, HelpdeskError, Invalid, TooMany


@bp.post("/my/addresses")
def add_my_address() -> Response:
    """An e-mail address gets a link to be confirmed by; a phone number is added at once."""
    me, user = customer.me(), customer.account()
    try:
        limits.within("own-address", "20 per day", who=f"contact:{me.id}")
        with db.session().begin_nested():
            if request.form.get("kind") == "phone":
                addresses.add_phone(me, user, web.text("phone", required=True, longest=60), by=_by(user))
                said = _("Added.")
            else:
                wish = addresses.ask(me, user, web.text("email", required=True, longest=320))
                said = _("We sent a link to %(address)s. Follow it within a day: then the address is yours here.", address=wish.value)
    except (Invalid, TooMany) as wrong:
        return profile_views.page(me, wrong=wrong)
    flash(said)
    return _back()


@bp.post("/my/addresses/<int:identity_id>")
def prefer_my_address(identity_id: int) -> Response:
    addresses.prefer(customer.me(), identity_id, by=_by(customer.account()))
    flash(_("Saved."))
    return _back()


@bp.post("/my/addresses/<int:identity_id>/sign-in")
@web.own_edge
def sign_in_with_mine(identity_id: int) -> Response:
    """Sign in with this address from now on: for who proves once more who they are."""
    with db.read():
        me, user = customer.me(), customer.account()
    try:
        certainty.require(user)
        with db.transaction() as session:
            mine = addresses.sign_in_with(customer.me(), session.get_one(User, user.id), identity_id, by=_by(user))
    except (Invalid, TooMany, Conflict) as wrong:
        with db.read():
            return profile_views.page(me, wrong=wrong, opened=identity_id)
    flash(_("From now on you sign in with %(address)s.", address=mine.value))
    return _back()


@bp.post("/my/addresses/<int:identity_id>/removal")
def remove_my_address(identity_id: int) -> Response:
    user = customer.account()
    addresses.remove(customer.me(), user, identity_id, by=_by(user))
    flash(_("Removed."))
    return _back()


@bp.post("/my/addresses/waiting/<int:wish_id>/removal")
def forget_my_address(wish_id: int) -> Response:
    addresses.forget(customer.me(), wish_id)
    flash(_("Its link no longer works."))
    return _back()


@bp.get("/my/addresses/confirm/<token>")
def confirm_page(token: str) -> Response:
    """A button: mail scanners open links, too."""
    customer.me()
    try:
        return _confirm_page(addresses.opened(token, customer.account()).value)
    except Gone as wrong:
        return _confirm_page("", wrong)


@bp.post("/my/addresses/confirm/<token>")
def confirm_my_address(token: str) -> Response:
    me, user = customer.me(), customer.account()
    try:
        with db.session().begin_nested():
            addresses.confirm(addresses.opened(token, user), me, user, by=_by(user))
    except (Gone, Conflict) as wrong:
        return _confirm_page("", wrong)
    flash(_("Confirmed: the address is yours here now."))
    return _back()


def _confirm_page(address: str, wrong: HelpdeskError | None = None) -> Response:
    trouble = (str(wrong.detail) or _("This link no longer works. Ask for another on your profile.")) if wrong is not None else ""
    answer = make_response(render_template("portal/confirm_address.html", address=address, trouble=trouble), wrong.status if wrong else 200)
    answer.headers["Cache-Control"] = "no-store"
    return answer


def _by(user: User) -> Actor:
    return Actor("user", user.id, via="portal")


def _back() -> Response:
    return web.see(url_for("portal.my_profile") + "#addresses")
