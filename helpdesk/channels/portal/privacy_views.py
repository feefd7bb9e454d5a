"""A customer's own privacy: what they agree to, and erasing themselves, confirmed and with time to change their mind."""

from __future__ import annotations

from flask import Response, flash, jsonify, make_response, render_template, request, url_for
from flask_babel import gettext as _

from helpdesk import clock, db, web
from helpdesk.actor import Actor
from helpdesk.auth import User
from helpdesk.channels.portal import bp, certainty, customer, own_data
from helpdesk.crm import belongings, consent, contacts, erasure
from helpdesk.crm.models import Contact
from helpdesk.errors import HelpdeskError, Invalid, NotFound


@bp.get("/my/privacy")
def my_privacy() -> Response:
    return _page(customer.me())


@bp.post("/my/consents")
def change_my_consents() -> Response:
    """Every purpose as the form says it; what changes goes into the ledger with the words that stood there."""
    me, by = customer.me(), web.current_actor()
    wanted = request.form.getlist("purpose")
    for purpose in consent.PURPOSES:
        if (purpose in wanted) != consent.allows(me, purpose):
            consent.say(me, purpose, purpose in wanted, source="portal", by=by, proof=_("signed in as account %(n)s", n=by.id or 0))
    flash(_("Saved."))
    return web.see(url_for("portal.my_privacy"))


@bp.get("/my/everything.json")
def my_everything() -> Response:
    """Everything that the desk keeps about this person and may give out, files included, for programs to read."""
    me = customer.me()
    answer = jsonify({**own_data.export(me), **belongings.everything(me)})
    answer.headers["Content-Disposition"] = f'attachment; filename="my-data-{clock.now():%Y-%m-%d}.json"'
    answer.headers["Cache-Control"] = "no-store"
    return answer


@bp.post("/my/erasure/wish")
@web.own_edge
def erase_me() -> Response:
    """Confirmed by the password, or by having come in through a mailed link just now; done after the waiting time."""
    with db.read() as session:
        me = customer.me()
        user = session.get_one(User, web.principal().user_id)
    try:
        certainty.require(user)
        with db.transaction() as session:
            wish = erasure.ask(session.get_one(Contact, me.id), by=Actor("user", user.id, via="page"))
    except HelpdeskError as wrong:
        with db.read():
            return _page(customer.me(), wrong)
    flash(_("Noted. Your data is erased on %(day)s. Until then you can change your mind here.", day=f"{wish.due_at:%Y-%m-%d}"))
    return web.see(url_for("portal.my_privacy"))


@bp.post("/my/erasure/wish/cancellation")
def keep_me() -> Response:
    me = customer.me()
    wish = erasure.wish_of(me)
    if wish is None:
        raise NotFound
    erasure.cancel(wish, by=web.current_actor())
    flash(_("Nothing is erased. We are glad that you stay."))
    return web.see(url_for("portal.my_privacy"))


def _page(me: Contact, wrong: HelpdeskError | None = None) -> Response:
    user = web.signed_in()
    html = render_template(
        "portal/privacy.html",
        me=me,
        states=[(key, one.words, consent.allows(me, key)) for key, one in consent.PURPOSES.items()],
        ledger=consent.ledger(contacts.group(me.id), limit=20),
        PURPOSES=consent.PURPOSES,
        SOURCES=consent.SOURCES,
        wish=erasure.wish_of(me),
        days=erasure.wait().days,
        with_password=bool(user is not None and user.password),
        errors=wrong.fields if isinstance(wrong, Invalid) else {},
        trouble=(wrong.detail or wrong.title) if wrong is not None else "",
    )
    return make_response(html, wrong.status if wrong is not None else 200)
