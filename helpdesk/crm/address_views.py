"""What colleagues do to the addresses of a customer: add, mark, prefer, remove, put back; and what a competitor offered them."""

from __future__ import annotations

from typing import Any

from flask import flash, request, url_for
from flask_babel import gettext as _
from werkzeug.wrappers import Response

from helpdesk import db, web
from helpdesk.crm import addresses, forms, identities, offers, queries
from helpdesk.crm.base_models import CompetitorOffer, FieldChange
from helpdesk.crm.models import Contact, Identity
from helpdesk.crm.views import belonging, bp, editable, whole_of
from helpdesk.errors import Invalid


@bp.post("/customers/<int:contact_id>/addresses")
def add_address(contact_id: int) -> Response:
    """Add an address; one that somebody else has is offered for merging or sharing."""
    contact = editable(contact_id)
    form = request.form
    try:
        kind, within = form.get("address_kind", ""), form.get("network", "").strip()[:40]
        address = identities.read(kind, web.text("address", required=True), within=within, language=contact.language)
        identities.add(contact, address, shared=bool(form.get("shared")), by=web.current_actor())
    except identities.Taken as taken:
        return _refused(contact, taken, taken=_owners(taken))
    except addresses.UnusableAddress as wrong:
        return _refused(contact, Invalid(fields={"address": wrong.detail}))
    except forms.REFUSALS as wrong:
        return _refused(contact, wrong)
    flash(_("Added."))
    return web.see(url_for("crm.customer", contact_id=contact.id))


@bp.post("/customers/<int:contact_id>/addresses/<int:identity_id>")
def mark_address(contact_id: int, identity_id: int) -> Response:
    """Shared or their own, verified or not, or the one to use first."""
    contact = editable(contact_id)
    identity, by = belonging(Identity, contact, identity_id), web.current_actor()
    match request.form.get("do"):
        case "share" | "own" as deed:
            identities.mark(identity, shared=deed == "share", by=by)
        case "verify" | "doubt" as deed:
            identities.mark(identity, verified=deed == "verify", by=by)
        case "prefer":
            identities.prefer(identity, by=by)
        case _:
            raise Invalid(_("Choose one of these."))
    flash(_("Saved."))
    return web.see(url_for("crm.customer", contact_id=contact.id))


@bp.post("/customers/<int:contact_id>/addresses/<int:identity_id>/removal")
def remove_address(contact_id: int, identity_id: int) -> Response:
    contact = editable(contact_id)
    identities.remove(belonging(Identity, contact, identity_id), by=web.current_actor())
    flash(_("Removed. The history of the fields can put it back."))
    return web.see(url_for("crm.customer", contact_id=contact.id))


@bp.post("/customers/<int:contact_id>/history/<int:change_id>/undo")
def put_address_back(contact_id: int, change_id: int) -> Response:
    """A removed address is theirs again."""
    contact = editable(contact_id)
    identities.put_back(belonging(FieldChange, contact, change_id), by=web.current_actor())
    flash(_("It is theirs again."))
    return web.see(url_for("crm.customer", contact_id=contact.id))


@bp.post("/customers/<int:contact_id>/offers")
def add_offer(contact_id: int) -> Response:
    """Write down what a competitor offered."""
    contact = editable(contact_id)
    try:
        offers.add(
            contact,
            competitor=web.text("competitor"),
            what=web.text("what"),
            price=request.form.get("price", "")[:40],
            currency=request.form.get("currency", "").strip().upper()[:3],
            at=forms.moment("offered_at"),
            note=request.form.get("note", ""),
            by=web.current_actor(),
        )
    except forms.REFUSALS as wrong:
        return forms.page("crm/customer.html", wrong, opened="offer", **whole_of(contact))
    flash(_("It stands in the timeline."))
    return web.see(url_for("crm.customer", contact_id=contact.id))


@bp.post("/customers/<int:contact_id>/offers/<int:offer_id>/removal")
def remove_offer(contact_id: int, offer_id: int) -> Response:
    """It was a mistake: the offer and its entry go."""
    contact = editable(contact_id)
    offers.remove(belonging(CompetitorOffer, contact, offer_id))
    flash(_("Removed."))
    return web.see(url_for("crm.customer", contact_id=contact.id))


def _refused(contact: Contact, wrong: Any, **more: Any) -> Response:
    return forms.page("crm/customer.html", wrong, opened="address", **more, **whole_of(contact))


def _owners(taken: identities.Taken) -> list[Contact]:
    """Whose the address is, of those that the reader may see; who was merged is met as who speaks for them."""
    found = (db.session().get_one(Contact, one) for one in taken.owners)
    speakers = {contact.merged_into_id or contact.id for contact in found}
    seen = queries.seen(web.principal(), speakers)
    return [db.session().get_one(Contact, one) for one in sorted(seen)]
