"""Pages of triage: a contact by an address written down, and those of whom nobody could tell whose they are, with who may be meant."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from flask import flash, request, url_for
from flask_babel import gettext as _
from werkzeug.wrappers import Response

from helpdesk import db, web
from helpdesk.crm import addresses, forms, identities, queries, triage, words
from helpdesk.crm.base_models import Unmatched
from helpdesk.crm.models import Contact, Interaction
from helpdesk.crm.views import bp, editable
from helpdesk.errors import Invalid, NotFound


@bp.get("/customers/unknown")
def unknown_callers() -> Response:
    return _listed()


@bp.post("/customers/unknown")
def note_caller() -> Response:
    """Somebody called, wrote or came: their page if the address is one person's, else the list."""
    form = request.form
    try:
        address = identities.read(
            form.get("address_kind", ""), web.text("address", required=True), within=form.get("network", "").strip()[:40]
        )
        made = triage.note(address, kind=form.get("kind", ""), text=form.get("text", ""), by=web.current_actor())
    except addresses.UnusableAddress as wrong:
        return _listed(Invalid(fields={"address": wrong.detail}))
    except forms.REFUSALS as wrong:
        return _listed(wrong)
    if isinstance(made, Interaction) and made.contact_id in queries.seen(web.principal(), [made.contact_id]):
        flash(_("It stands in the timeline."))
        return web.see(url_for("crm.customer", contact_id=made.contact_id))
    flash(_("Noted."))
    return web.see(url_for("crm.unknown_callers"))


@bp.post("/customers/unknown/<int:unmatched_id>")
def settle_unknown(unmatched_id: int) -> Response:
    """It was this customer, somebody new, or nobody's."""
    form, by = request.form, web.current_actor()
    one = db.session().get(Unmatched, unmatched_id)
    if one is None:
        raise NotFound
    try:
        match form.get("do"):
            case "choose":
                contact = editable(forms.whole(form.get("contact", "")) or 0)
                made = triage.choose(one, contact, remember=bool(form.get("remember")), by=by)
                if made is None:
                    flash(_("The address is theirs now. Take the list in again: the order comes with it."))
                    return web.see(url_for("crm.unknown_callers"))
            case "new":
                contact = triage.make(one, web.text("name", longest=200), by=by)
            case _:
                triage.drop(one, form.get("reason", ""), by=by)
                flash(_("Dropped."))
                return web.see(url_for("crm.unknown_callers"))
    except forms.REFUSALS as wrong:
        return _listed(wrong)
    flash(_("It stands in the timeline."))
    return web.see(url_for("crm.customer", contact_id=contact.id))


def _listed(wrong: Any = None) -> Response:
    place, q = web.uncursor(request.args.get("cursor"), datetime, int), forms.sought()
    page = web.paged(triage.waiting(after=(place[0], place[1]) if place else None), 40, lambda row: (row.at, row.id))
    seen = queries.seen(web.principal(), {id_ for row in page.rows for id_ in row.candidates})
    people = {id_: db.session().get_one(Contact, id_) for id_ in seen}
    found = queries.page(web.principal(), queries.Wanted(q=q), limit=8).rows if q else []
    return forms.page(
        "crm/unknown.html", wrong, page=page, people=people, q=q, found=[row.contact for row in found],
        WHY=words.WHY, DROPPED=words.DROPPED,
        names=queries.names({row.user_id for row in page.rows if row.user_id}),
    )  # fmt: skip
