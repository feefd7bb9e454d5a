"""Customers: who sees what, the country of phone numbers without one, and the fields that this desk adds to people and companies."""

from __future__ import annotations

from typing import Any

import phonenumbers
from flask import Response, flash, request
from flask_babel import gettext as _
from flask_babel import lazy_gettext

from helpdesk import db, web
from helpdesk.agents.admin import bp
from helpdesk.agents.admin.forms import REFUSALS, page
from helpdesk.catalog import SettingsChanged
from helpdesk.crm import fields
from helpdesk.crm.base_models import CustomField
from helpdesk.errors import HelpdeskError, Invalid, NotFound, Words
from helpdesk.events import record
from helpdesk.preferences import prefer, preferences

#: Preferences with few values: name, words, hint, options.
CHOICES: tuple[tuple[str, Words, Words, dict[str, Words]], ...] = (
    (
        "value_seen_by",
        lazy_gettext("Who sees what customers are worth"),
        lazy_gettext("Revenue, margin and everything derived from them: on pages, in the API and in exports."),
        {"admins": lazy_gettext("Administrators"), "leads": lazy_gettext("Those who lead"), "all": lazy_gettext("Every colleague")},
    ),
    (
        "exported_by",
        lazy_gettext("Who may export lists"),
        lazy_gettext("Each export is recorded."),
        {"admins": lazy_gettext("Administrators"), "leads": lazy_gettext("Those who lead"), "all": lazy_gettext("Every colleague")},
    ),
    (
        "customers_seen",
        lazy_gettext("Which customers an agent sees"),
        lazy_gettext("Who leads sees everybody. The card beside a ticket is shown to whoever works on the ticket."),
        {"all": lazy_gettext("all of them"), "team": lazy_gettext("those of their team's people, and those nobody owns")},
    ),
)


@bp.get("/customers", endpoint="customers")
def shown() -> Response:
    return _page()


@bp.post("/customers")
def change_customers() -> Response:
    """Save who sees what, and the country of phone numbers."""
    try:
        region = request.form.get("phone_region", "").strip().upper()
        faults: dict[str, Words] = {}
        if region and region not in phonenumbers.SUPPORTED_REGIONS:
            faults["phone_region"] = _("Give a country by its two letters, such as GB or RU.")
        for name, _words, _hint, options in CHOICES:
            if request.form.get(name) not in options:
                faults[name] = _("Choose one of these.")
        if faults:
            raise Invalid(fields=faults)
        prefer(phone_region=region, **{name: request.form[name] for name, *_rest in CHOICES})
        record(SettingsChanged(web.current_actor(), what="customers"))
    except REFUSALS as wrong:
        return _page(wrong)
    flash(_("Saved."))
    return web.see("/admin/customers")


@bp.post("/customers/fields")
def add_customer_field() -> Response:
    try:
        fields.add(
            request.form.get("subject", ""),
            label=request.form.get("label", ""),
            label_ru=request.form.get("label_ru", ""),
            kind=request.form.get("kind", ""),
            options=request.form.get("options", ""),
            by=web.current_actor(),
        )
    except REFUSALS as wrong:
        return _page(wrong)
    flash(_("Added."))
    return web.see("/admin/customers")


@bp.get("/customers/fields/<int:field_id>")
def customer_field(field_id: int) -> Response:
    return page("admin/customer_field.html", None, field=_field(field_id), kinds=fields.KINDS)


@bp.post("/customers/fields/<int:field_id>")
def change_customer_field(field_id: int) -> Response:
    one = _field(field_id)
    try:
        fields.change(
            one,
            label=request.form.get("label", ""),
            label_ru=request.form.get("label_ru", ""),
            options=request.form.get("options", ""),
            active=request.form.get("active") == "1",
            position=web.number("position", least=0, most=999),
            seen=web.form_version(),
            by=web.current_actor(),
        )
    except REFUSALS as wrong:
        return page("admin/customer_field.html", wrong, field=one, kinds=fields.KINDS)
    flash(_("Saved."))
    return web.see("/admin/customers")


def _field(field_id: int) -> CustomField:
    found = db.session().get(CustomField, field_id)
    if found is None:
        raise NotFound
    return found


def _page(wrong: HelpdeskError | None = None) -> Response:
    values: dict[str, Any] = {subject: fields.defined(subject, also_gone=True) for subject in fields.SUBJECTS}
    return page("admin/customers.html", wrong, choices=CHOICES, now=preferences(), kinds=fields.KINDS, own=values)
