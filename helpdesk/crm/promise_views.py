"""Pages of what we owe customers: open promises, settling one, a call to be made, and handing a leaver's customers over."""

from __future__ import annotations

from datetime import datetime

from flask import flash, render_template, request, url_for
from flask_babel import gettext as _
from sqlalchemy import select
from werkzeug.wrappers import Response

from helpdesk import clock, db, web
from helpdesk.auth import STAFF, User
from helpdesk.crm import calling, forms, handover, promises, queries
from helpdesk.crm.models import Interaction
from helpdesk.crm.views import belonging, bp, editable, whole_of
from helpdesk.errors import HelpdeskError, NotFound


@bp.get("/promises")
def promise_list() -> str:
    """What was promised and is not done yet: one's own, or everybody's with ?whose=all."""
    who = web.principal()
    everybody = request.args.get("whose") == "all"
    position = web.uncursor(request.args.get("cursor"), datetime, int)
    rows = promises.open_ones(who, user_id=None if everybody else who.user_id, after=(position[0], position[1]) if position else None)
    page = web.paged(rows, 40, lambda row: (row[0].next_at, row[0].id))
    names = queries.names({entry.next_who_id for entry, _contact in page.rows if entry.next_who_id})
    return render_template("crm/promises.html", here="customers", page=page, names=names, everybody=everybody, now=clock.now())


@bp.post("/customers/<int:contact_id>/promises/<int:entry_id>")
def settle_promise(contact_id: int, entry_id: int) -> Response:
    """A promise was kept, or dropped."""
    contact = editable(contact_id)
    promises.settle(belonging(Interaction, contact, entry_id), request.form.get("outcome", ""), by=web.current_actor())
    flash(_("Noted."))
    return web.see(web.back(url_for("crm.customer", contact_id=contact.id)))


@bp.post("/customers/<int:contact_id>/calls")
def owe_call(contact_id: int) -> Response:
    """Owe a customer a call, with the reason. It is mine; those who lead give it away in the list."""
    contact, by = editable(contact_id), web.current_actor()
    try:
        calling.add(contact, why=web.text("why"), user_id=web.principal().user_id, due_at=forms.moment("due_at"), by=by)
    except forms.REFUSALS as wrong:
        return forms.page("crm/customer.html", wrong, opened="call", **whole_of(contact))
    flash(_("The call stands in the list."))
    return web.see(url_for("crm.customer", contact_id=contact.id))


@bp.get("/customers/handover")
def hand_over_page() -> Response:
    """Whose customers to whom, with what it would move."""
    web.require_leads()
    return _handover()


@bp.post("/customers/handover")
def hand_over() -> Response:
    web.require_leads()
    user_id = forms.whole(request.form.get("from", ""))
    try:
        if user_id is None or db.session().get(User, user_id) is None:
            raise NotFound
        given = handover.hand_over(user_id, forms.whole(request.form.get("to", "")), by=web.current_actor())
    except forms.REFUSALS as wrong:
        return _handover(wrong)
    flash(
        _(
            "Handed over: %(customers)s customers, %(organizations)s organizations, %(promises)s promises.",
            customers=given.customers,
            organizations=given.organizations,
            promises=given.promises,
        )
    )
    return web.see(url_for("crm.hand_over_page"))


def _handover(wrong: HelpdeskError | None = None) -> Response:
    user_id = forms.whole(request.values.get("from", ""))
    found = select(User.id, User.name, User.active).where(User.role.in_(STAFF)).order_by(User.active, User.name)
    everybody = [(row.id, row.name if row.active else f"{row.name} ({_('gone')})") for row in db.session().execute(found)]
    return forms.page(
        "crm/handover.html",
        wrong,
        everybody=everybody,
        heirs=[("", _("nobody")), *queries.owners()],
        chosen=user_id,
        estate=handover.estate(user_id) if user_id is not None else None,
    )
