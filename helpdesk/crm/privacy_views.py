"""A customer's privacy for colleagues: what they agreed to, who must keep them, who looked, their data as a file, and erasing them."""

from __future__ import annotations

import json
from datetime import datetime, time
from typing import Any
from zoneinfo import ZoneInfo

from flask import flash, make_response, request, url_for
from flask_babel import gettext as _
from werkzeug.wrappers import Response

from helpdesk import clock, db, web
from helpdesk.crm import access, belongings, consent, contacts, erasure, forms, policy, queries
from helpdesk.crm.models import Contact
from helpdesk.crm.privacy_models import LegalHold
from helpdesk.crm.views import bp, editable
from helpdesk.errors import HelpdeskError, Invalid, NotFound


@bp.after_request
def _looked_at(answer: Response) -> Response:
    """The page of a customer was shown: who saw it is written down afterwards."""
    if request.endpoint == "crm.customer" and answer.status_code == 200:
        access.noted([int((request.view_args or {})["contact_id"])], "viewed")
    return answer


@bp.get("/customers/<int:contact_id>/privacy")
def customer_privacy(contact_id: int) -> Response:
    return _page(editable(contact_id))


@bp.post("/customers/<int:contact_id>/consents")
def note_consent(contact_id: int) -> Response:
    """A customer told a colleague; how is the proof."""
    contact = editable(contact_id)
    try:
        proof = web.text("proof", required=True)
        if request.form.get("given") not in ("yes", "no"):
            raise Invalid(fields={"given": _("Choose one of these.")})
        given = request.form["given"] == "yes"
        consent.say(contact, request.form.get("purpose", ""), given, source="agent", by=web.current_actor(), proof=proof)
    except forms.REFUSALS as wrong:
        return _page(contact, wrong)
    flash(_("Noted."))
    return web.see(url_for("crm.customer_privacy", contact_id=contact.id))


@bp.post("/customers/<int:contact_id>/holds")
def place_hold(contact_id: int) -> Response:
    contact = _leads(contact_id)
    try:
        until = None
        if day := request.form.get("until", "").strip():
            try:
                until = datetime.combine(datetime.fromisoformat(day).date(), time(), ZoneInfo(web.zone()))
            except ValueError:
                raise Invalid(fields={"until": _("This is not a date.")}) from None
        erasure.hold(contact, web.text("reason", longest=2000), until=until, by=web.current_actor())
    except forms.REFUSALS as wrong:
        return _page(contact, wrong)
    flash(_("Noted: this customer is kept."))
    return web.see(url_for("crm.customer_privacy", contact_id=contact.id))


@bp.post("/customers/<int:contact_id>/holds/<int:hold_id>/lifting")
def lift_hold(contact_id: int, hold_id: int) -> Response:
    contact = _leads(contact_id)
    held = db.session().get(LegalHold, hold_id)
    if held is None or held.contact_id not in contacts.group(contact.id):
        raise NotFound
    erasure.lift(held, by=web.current_actor())
    flash(_("This customer no longer has to be kept."))
    return web.see(url_for("crm.customer_privacy", contact_id=contact.id))


@bp.get("/customers/<int:contact_id>/data.json")
def customer_data(contact_id: int) -> Response:
    """Everything the desk keeps about this customer, for whoever asked on paper."""
    contact = _leads(contact_id)
    access.noted([contact.id], "exported")
    answer = make_response(json.dumps(belongings.everything(contact), ensure_ascii=False, indent=1))
    answer.mimetype = "application/json"
    answer.headers["Content-Disposition"] = f'attachment; filename="customer-{contact.id}-{clock.now():%Y-%m-%d}.json"'
    return answer


@bp.get("/customers/<int:contact_id>/erasure")
def confirm_erasure(contact_id: int) -> Response:
    """What would go, and what stands against it. Changes nothing."""
    return _confirm(_leads(contact_id))


@bp.post("/customers/<int:contact_id>/erasure")
def erase_customer(contact_id: int) -> Response:
    contact = _leads(contact_id)
    try:
        if request.form.get("sure") != "1":
            raise Invalid(fields={"sure": _("Please confirm: this cannot be undone.")})
        erasure.erase(contact, by=web.current_actor(), reason=request.form.get("reason", ""))
    except forms.REFUSALS as wrong:
        return _confirm(contact, wrong)
    flash(_("The customer was erased. What others wrote about them is being swept now."))
    return web.see(url_for("crm.customers"))


def _leads(contact_id: int) -> Contact:
    """The customer, for those who may erase. Raises NotFound for everybody else, as for a page that is not there."""
    contact = editable(contact_id)
    if not policy.may_erase(web.principal()):
        raise NotFound
    return contact


def _page(contact: Contact, wrong: HelpdeskError | None = None) -> Response:
    who, ids = web.principal(), contacts.group(contact.id)
    rows, holds = consent.ledger(ids), erasure.holds(ids)
    looked = access.of(ids) if who.admin else []
    people = {row.user_id for row in rows} | {row.user_id for row in holds} | {row.user_id for row in looked}
    values: dict[str, Any] = {
        "contact": contact,
        "now": clock.now(),
        "states": [(key, one.words, consent.allows(contact, key)) for key, one in consent.PURPOSES.items()],
        "purposes": [(key, one.words) for key, one in consent.PURPOSES.items()],
        "ledger": rows,
        "holds": holds,
        "looked": looked,
        "wish": erasure.wish_of(contact),
        "may_erase": policy.may_erase(who),
        "names": queries.names({one for one in people if one is not None}),
        "PURPOSES": consent.PURPOSES,
        "SOURCES": consent.SOURCES,
        "WAYS_OF_LOOKING": {"page": _("on their page"), "card": _("beside a thread"), "api": _("by a program")},
    }
    return forms.page("crm/privacy.html", wrong, **values)


def _confirm(contact: Contact, wrong: HelpdeskError | None = None) -> Response:
    ids = contacts.group(contact.id)
    return forms.page("crm/erase.html", wrong, contact=contact, counts=erasure.counted(contact), held=erasure.holding(ids))
