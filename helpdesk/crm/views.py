"""The customers' pages for colleagues: the list, one customer whole, what was said outside the channels.

Every colleague reads and adds; what a customer is worth is shown to those who lead. Tickets come from above, through `crm.beside`.
"""

from __future__ import annotations

import hashlib
import json
import re
import secrets
from typing import Any, TypeVar
from zoneinfo import available_timezones

from flask import Blueprint, flash, make_response, render_template, request, url_for
from flask_babel import gettext as _
from werkzeug.wrappers import Response

from helpdesk import clock, db, web
from helpdesk.crm import (
    addresses,
    beside,
    bought,
    contacts,
    duplicates,
    editing,
    fields,
    forms,
    history,
    identities,
    interactions,
    offers,
    organizations,
    policy,
    promises,
    queries,
    reasons,
    words,
)
from helpdesk.crm.base_models import CompetitorOffer, FieldChange
from helpdesk.crm.models import Contact, Identity, IdentityKind, Interaction, Membership, Organization
from helpdesk.errors import Conflict, Invalid, NotFound, Words

bp = Blueprint("crm", __name__)

T = TypeVar("T", Identity, FieldChange, CompetitorOffer, Interaction)


@bp.before_request
def _colleagues_only() -> None:
    web.require_staff()


@bp.context_processor
def _words() -> dict[str, Any]:
    names = "KINDS KIND KIND_ICONS LANGUAGE ORDER ORGANIZATION FORMULAS LIFECYCLE CHANNEL REASONS FIELDS WAYS IDENTITY".split()
    return {"field_name": words.field, **{name: getattr(words, name) for name in names}}


@bp.app_context_processor
def _asked() -> dict[str, Any]:
    """Questions that the tabs of every page about customers ask."""
    who = web.principal()
    return {"may_import": lambda: policy.may_import(who), "may_export": lambda: policy.may_export(who)}


# --- the list ------------------------------------------------------------------------------------------------------------


@bp.get("/customers")
def customers() -> str:
    """The list: searched by name, address, phone or organization, by last contact or name."""
    wanted = queries.Wanted(
        q=forms.sought(),
        organization_id=forms.whole(request.args.get("organization", "")),
        sort=request.args.get("sort", "") if request.args.get("sort") in queries.SORTS else queries.SORTS[0],
    )
    page = queries.page(web.principal(), wanted, cursor=request.args.get("cursor"))
    organization = organizations.find(wanted.organization_id) if wanted.organization_id is not None else None
    return render_template("crm/customers.html", here="customers", wanted=wanted, page=page, organization=organization)


@bp.get("/customers/new")
def new_customer() -> Response:
    return forms.page("crm/new.html", organizations=organizations.names())


@bp.post("/customers")
def add_customer() -> Response:
    """Add somebody who has not written yet: at the counter, on the phone."""
    if not policy.may_add(web.principal()):
        raise NotFound
    try:
        made = _add()
    except forms.REFUSALS as wrong:
        return forms.page("crm/new.html", wrong, organizations=organizations.names())
    flash(_("Added."))
    return web.see(url_for("crm.customer", contact_id=made.id))


# --- one customer --------------------------------------------------------------------------------------------------------


@bp.get("/customers/<int:contact_id>")
def customer(contact_id: int) -> Response:
    """Everything about a customer on one page. One who was merged leads to whoever speaks for them."""
    contact = queries.find(web.principal(), contact_id)
    if contact.id != contact_id:
        return web.see(url_for("crm.customer", contact_id=contact.id))
    return make_response(render_template("crm/customer.html", here="customers", form={}, errors={}, trouble="", **whole_of(contact)))


@bp.post("/customers/<int:contact_id>/interactions")
def add_interaction(contact_id: int) -> Response:
    """Write down a call, a meeting, a letter or a visit, with its next step."""
    contact = editable(contact_id)
    try:
        interactions.add(contact, **_said(), by=web.current_actor())
    except forms.REFUSALS as wrong:
        return forms.page("crm/customer.html", wrong, **whole_of(contact))
    flash(_("It stands in the timeline."))
    return web.see(url_for("crm.customer", contact_id=contact.id))


@bp.get("/customers/<int:contact_id>/edit")
def edit_customer(contact_id: int) -> Response:
    contact = editable(contact_id)
    return forms.page("crm/edit.html", version=_stamp(contact), **_choices(contact))


@bp.post("/customers/<int:contact_id>/edit")
def change_customer(contact_id: int) -> Response:
    """Correct name, language, tags and organization. Somebody else's change in between is not written over."""
    contact = editable(contact_id)
    by, version = web.current_actor(), _stamp(contact)
    try:
        if request.form.get("version") != version:
            raise Conflict(_("Somebody saved a change while you were looking. Your entries are still here: compare, then save again."))
        organization = _organization()
        language = request.form.get("language", "")
        if language not in ("", *words.LANGUAGE):
            raise Invalid(fields={"language": _("Choose one of these.")})
        profile_values = _profile()
        editing.rename(contact, request.form.get("name", ""), by=by)
        editing.speak(contact, language, by=by)
        editing.tag(contact, request.form.get("tags", "")[:2000].split(","), by=by)
        editing.join(contact, organization, by=by)
        history.change(contact, profile_values, by=by)
    except forms.REFUSALS as wrong:
        return forms.page("crm/edit.html", wrong, version=version, **_choices(contact))
    flash(_("Saved."))
    return web.see(url_for("crm.customer", contact_id=contact.id))


# --- what the pages show -------------------------------------------------------------------------------------------------


def whole_of(contact: Contact) -> dict[str, Any]:
    """What the page of a customer shows."""
    who = web.principal()
    ids = queries.all_of(contact)
    narrowed = forms.narrowed()
    entries = queries.timeline(ids, narrowed, cursor=request.args.get("cursor"))
    steps, whose = queries.next_steps(ids), queries.of_contacts(ids)
    made_of = queries.contents(whose)
    return {
        "contact": contact,
        "identities": queries.identities(ids),
        "narrowed": narrowed,
        "kept": forms.kept(),
        "ways": [(way, words.WAYS.get(way, way)) for way in made_of.channels],
        "said_by": sorted(queries.names(made_of.colleagues).items(), key=lambda one: one[1]),
        "counts": made_of.counts,
        "entries": entries,
        "steps": steps,
        "names": queries.names({entry.user_id for entry in [*entries.rows, *steps] if entry.user_id}),
        "numbers": beside.ticket_numbers(who, {entry.ticket_id for entry in entries.rows if entry.ticket_id}),
        "mood": queries.mood(contact, ids),
        "bought": bought.of(ids) if policy.may_see_value(who) else None,
        "orders": bought.orders(ids),
        "why": reasons.said,
        "offers": offers.of(ids),
        "others": organizations.colleagues_of(who, contact),
        "parts": beside.parts(who, ids),
        "likely": _likely(contact),
        "word": promises.record_of(ids),
        "own": fields.filled("contact", contact.custom),
        "owner": queries.names({contact.owner_id}).get(contact.owner_id) if contact.owner_id else "",
        "fresh": history.freshness(contact, ("name", "language", "terms")),
        "form_key": secrets.token_hex(12),
        "now": clock.now(),
    }


def _likely(contact: Contact) -> list[Any]:
    """Who may be the same person, of those that the reader may see."""
    found = duplicates.of(contact, limit=2)
    seen = queries.seen(web.principal(), [other.id for _pair, other in found]) if found else set()
    return [(pair, other) for pair, other in found if other.id in seen]


def _choices(contact: Contact) -> dict[str, Any]:
    return {
        "contact": contact,
        "organizations": organizations.names(),
        "owners": queries.owners(),
        "own": fields.defined("contact"),
        "label_of": fields.label_of,
        "options_of": lambda one: [(option, option) for option in one.options],
    }


# --- what the forms say --------------------------------------------------------------------------------------------------


def editable(contact_id: int) -> Contact:
    """The customer to be changed. Raises NotFound, also for one who was merged: their page leads to the right one."""
    contact = queries.find(web.principal(), contact_id)
    if contact.id != contact_id or not policy.may(web.principal(), "edit", contact):
        raise NotFound
    return contact


def belonging(table: type[T], contact: Contact, row_id: int) -> T:
    """A row of this customer's, or of somebody merged into them. Raises NotFound for anybody else's."""
    found = db.session().get(table, row_id)
    if found is None or found.contact_id not in queries.all_of(contact):
        raise NotFound
    return found


def _add() -> Contact:
    name = web.text("name", required=True, longest=200)
    language = request.form.get("language", "") if request.form.get("language") in words.LANGUAGE else ""
    organization = _organization()
    faults: dict[str, Words] = {}
    found: list[addresses.Address] = []
    for kind in ("email", "phone"):
        if raw := request.form.get(kind, "").strip():
            try:
                found.append(identities.read(kind, raw, language=language))
            except addresses.UnusableAddress as wrong:
                faults[kind] = wrong.detail
    for address in found:
        if any(not one.shared for one in identities.holding(address)):
            faults[address.kind] = _("Another customer has this address. Search for it.")
    if faults:
        raise Invalid(fields=faults)
    made = contacts.add(name=name, language=language, organization_id=organization.id if organization else None, by=web.current_actor())
    session = db.session()
    if organization is not None:
        session.add(Membership(contact_id=made.id, organization_id=organization.id))
    for address in found:
        session.add(Identity(contact_id=made.id, kind=IdentityKind(address.kind), value=address.shown, value_norm=address.value))
        if address.kind == "email":
            contacts.join_by_domain(made, address.value)
    return made


def _profile() -> dict[str, Any]:
    """Preferences, owner, terms and the desk's own fields as the form has them. Raises Invalid with every fault at once."""
    form, faults, values = request.form, dict[str, Words](), dict[str, Any]()
    for name, known in (("lifecycle", words.LIFECYCLE), ("preferred_channel", {"": "", **words.CHANNEL})):
        if name in form:
            values[name] = form[name]
            if form[name] not in known:
                faults[name] = _("Choose one of these.")
    for name in ("reach_from", "reach_until"):
        if name in form:
            values[name] = form[name][:5]
            if form[name] and not re.fullmatch(r"([01]\d|2[0-3]):[0-5]\d", form[name]):
                faults[name] = _("Please give a time, such as 09:30.")
    if "time_zone" in form:
        values["time_zone"] = form["time_zone"].strip()
        if values["time_zone"] and values["time_zone"] not in available_timezones():
            faults["time_zone"] = _("There is no such time zone, such as Europe/Berlin.")
    if "owner_id" in form:
        values["owner_id"] = forms.whole(form["owner_id"])
        if values["owner_id"] is not None and values["owner_id"] not in dict(queries.owners()):
            faults["owner_id"] = _("Choose one of these.")
    if "terms" in form:
        values["terms"] = form["terms"].strip()[:5000]
    if any(name.startswith("custom.") for name in form):
        try:
            values.update(fields.read_all("contact", form))
        except Invalid as wrong:
            faults.update(wrong.fields)
    if faults:
        raise Invalid(fields=faults)
    return values


def _organization() -> Organization | None:
    """The organization named in the form, if any. Raises Invalid for a name that nobody has."""
    name = web.text("organization", longest=200)
    if not name:
        return None
    found = organizations.called(name)
    if found is None:
        raise Invalid(fields={"organization": _("No organization has this name. Add it under Organizations first.")})
    return found


def _said() -> dict[str, Any]:
    """An interaction as its form says it. Raises Invalid for what is no time or number."""
    minutes = request.form.get("minutes", "").strip()
    if minutes and not (minutes.isdigit() and len(minutes) < 5):
        raise Invalid(fields={"minutes": _("Please give a number from %(least)s to %(most)s.", least=0, most=24 * 60)})
    return {
        "kind": request.form.get("kind", ""),
        "direction": request.form.get("direction", ""),
        "at": forms.moment("at"),
        "minutes": int(minutes) if minutes else None,
        "title": web.text("title"),
        "text": request.form.get("text", ""),
        "decision": request.form.get("decision", ""),
        "next_step": web.text("next_step"),
        "next_at": forms.moment("next_at"),
        "key": request.form.get("key", "")[:60],
    }


def _stamp(contact: Contact) -> str:
    """What stands for a version here: the values that the form can change."""
    held = [contact.name, contact.language, contact.tags, contact.organization_id, contact.custom, contact.terms]
    held += [contact.owner_id, contact.lifecycle, contact.preferred_channel, contact.time_zone, contact.reach_from, contact.reach_until]
    return hashlib.sha256(json.dumps(held).encode()).hexdigest()[:16]


# The views of the one base's order, of lists going in and out, and of segments hang themselves on `bp`.
from helpdesk.crm import (  # noqa: E402, F401
    address_views,
    merge_views,
    organization_views,
    privacy_views,
    promise_views,
    segment_views,
    triage_views,
)
from helpdesk.crm.exchange import views as exchange_views  # noqa: E402, F401
