"""Pages of organizations: the list, one with its people and its timeline, correcting it, who has which part in it, its history."""

from __future__ import annotations

import hashlib
import json
from typing import Any

from flask import flash, render_template, request, url_for
from flask_babel import gettext as _
from werkzeug.wrappers import Response

from helpdesk import db, web
from helpdesk.crm import beside, fields, forms, history, memberships, policy, queries, words
from helpdesk.crm import organizations as companies
from helpdesk.crm.merge_views import shown_values
from helpdesk.crm.models import Membership, Organization
from helpdesk.crm.views import bp, editable
from helpdesk.errors import Conflict, Forbidden, Invalid, NotFound, Words

FOUND = 12


@bp.get("/organizations")
def organizations() -> str:
    q = forms.sought()
    page = companies.listed(q=q, cursor=request.args.get("cursor"))
    return render_template("crm/organizations.html", here="customers", q=q, page=page)


@bp.get("/organizations/new")
def new_organization() -> Response:
    return forms.page("crm/new_organization.html")


@bp.post("/organizations")
def add_organization() -> Response:
    """Add a company; people who write from its mail domain join it by themselves."""
    _writers_only()
    try:
        form = request.form
        made = memberships.add(
            web.text("name", required=True, longest=200), kind=form.get("kind") or "client", domain=form.get("domain", ""),
            by=web.current_actor(),
        )  # fmt: skip
    except forms.REFUSALS as wrong:
        return forms.page("crm/new_organization.html", wrong)
    flash(_("Added."))
    return web.see(url_for("crm.organization", organization_id=made.id))


@bp.get("/organizations/<int:organization_id>")
def organization(organization_id: int) -> Response:
    """The company whole: what we know, its people, what happened with any of them."""
    return _whole(companies.find(organization_id))


@bp.get("/organizations/<int:organization_id>/edit")
def edit_organization(organization_id: int) -> Response:
    found = companies.find(organization_id)
    return forms.page("crm/edit_organization.html", version=_stamp(found), **_choices(found))


@bp.post("/organizations/<int:organization_id>/edit")
def change_organization(organization_id: int) -> Response:
    """Correct a company. Somebody else's change in between is not written over."""
    _writers_only()
    found = companies.find(organization_id)
    version = _stamp(found)
    try:
        if request.form.get("version") != version:
            raise Conflict(_("Somebody saved a change while you were looking. Your entries are still here: compare, then save again."))
        history.change(found, _said(found), by=web.current_actor())
    except forms.REFUSALS as wrong:
        return forms.page("crm/edit_organization.html", wrong, version=version, **_choices(found))
    flash(_("Saved."))
    return web.see(url_for("crm.organization", organization_id=found.id))


@bp.get("/organizations/<int:organization_id>/history")
def organization_history(organization_id: int) -> str:
    """Who changed what about a company."""
    found = companies.find(organization_id)
    before = web.uncursor(request.args.get("cursor"), int)
    page = web.paged(history.of_organization(found.id, before=before[0] if before else None), history.PAGE, lambda row: (row.id,))
    names = queries.names(history.users_in(page.rows))
    return render_template(
        "crm/organization_history.html", here="customers", organization=found, page=page, names=names, shown=shown_values("organization")
    )


@bp.get("/organizations/<int:organization_id>/people")
def choose_member(organization_id: int) -> str:
    """Who else belongs to it, by search."""
    found, q = companies.find(organization_id), forms.sought()
    people = queries.page(web.principal(), queries.Wanted(q=q), limit=FOUND).rows if q else []
    members = {contact.id for contact, _part in companies.people_of(web.principal(), found.id)}
    return render_template("crm/organization_people.html", here="customers", organization=found, q=q, found=people, members=members)


@bp.post("/organizations/<int:organization_id>/people")
def add_member(organization_id: int) -> Response:
    """One more person of it."""
    found, contact = companies.find(organization_id), editable(forms.whole(request.form.get("contact", "")) or 0)
    try:
        memberships.belong(contact, found, role=request.form.get("role", ""), by=web.current_actor())
    except forms.REFUSALS as wrong:
        return _whole(found, wrong)
    flash(_("Added."))
    return web.see(url_for("crm.organization", organization_id=found.id))


@bp.post("/organizations/<int:organization_id>/people/<int:contact_id>")
def change_member(organization_id: int, contact_id: int) -> Response:
    """Another role; those who lead also grant and take the right to see all tickets."""
    found, contact, by = companies.find(organization_id), editable(contact_id), web.current_actor()
    member = db.session().get(Membership, (contact.id, found.id))
    role, sees_all = request.form.get("role", ""), bool(request.form.get("sees_all"))
    if member is None and contact.organization_id != found.id:
        raise NotFound
    if not web.principal().leads:
        held = member is not None and member.sees_all_tickets
        if sees_all and not held:
            raise Forbidden(_("Only those who lead let somebody see all tickets of an organization."))
        sees_all = held
    try:
        if member is None:
            memberships.belong(contact, found, role=role, sees_all=sees_all, by=by)
        else:
            memberships.change(member, role=role, sees_all=sees_all, by=by)
    except forms.REFUSALS as wrong:
        return _whole(found, wrong)
    flash(_("Saved."))
    return web.see(url_for("crm.organization", organization_id=found.id))


@bp.post("/organizations/<int:organization_id>/people/<int:contact_id>/removal")
def remove_member(organization_id: int, contact_id: int) -> Response:
    found = companies.find(organization_id)
    memberships.leave(editable(contact_id), found, by=web.current_actor())
    flash(_("They do not belong to it any more."))
    return web.see(url_for("crm.organization", organization_id=found.id))


# --- below ---------------------------------------------------------------------------------------------------------------


def _writers_only() -> None:
    if not policy.may_add(web.principal()):
        raise NotFound


def _whole(found: Organization, wrong: Any = None) -> Response:
    who = web.principal()
    people = companies.people_of(who, found.id)
    entries = queries.timeline_of_organization(who, found.id, forms.narrowed(), cursor=request.args.get("cursor"))
    theirs = queries.of_organization(who, found.id)
    made_of = queries.contents(theirs)
    return forms.page(
        "crm/organization.html",
        wrong,
        organization=found,
        people=people,
        parts=beside.parts(who, [contact.id for contact, _part in people]),
        owner=queries.names({found.owner_id}).get(found.owner_id) if found.owner_id else "",
        own=fields.filled("organization", found.custom),
        narrowed=forms.narrowed(),
        kept=forms.kept(),
        ways=[(way, words.WAYS.get(way, way)) for way in made_of.channels],
        counts=made_of.counts,
        said_by=sorted(queries.names(made_of.colleagues).items(), key=lambda one: one[1]),
        entries=entries,
        whose=queries.names_of_contacts({entry.contact_id for entry in entries.rows}),
        names=queries.names({entry.user_id for entry in entries.rows if entry.user_id}),
        numbers=beside.ticket_numbers(who, {entry.ticket_id for entry in entries.rows if entry.ticket_id}),
    )


def _said(found: Organization) -> dict[str, Any]:
    """The form as values. Raises Invalid with every fault at once."""
    form, faults, values = request.form, dict[str, Words](), dict[str, Any]()
    said: dict[str, Any] = {name: form[name] for name in ("name", "kind", "domain", "terms") if name in form}
    if "tags" in form:
        said["tags"] = form["tags"][:2000].split(",")
    try:
        values.update(memberships.checked(found, said))
    except Invalid as wrong:
        faults.update(wrong.fields)
    if "owner_id" in form:
        values["owner_id"] = forms.whole(form["owner_id"])
        if values["owner_id"] is not None and values["owner_id"] not in {found.owner_id, *dict(queries.owners())}:
            faults["owner_id"] = _("Choose one of these.")
    try:
        if any(name.startswith("custom.") for name in form):
            values.update(fields.read_all("organization", form))
    except Invalid as wrong:
        faults.update(wrong.fields)
    if faults:
        raise Invalid(fields=faults)
    return values


def _choices(found: Organization) -> dict[str, Any]:
    return {
        "organization": found,
        "owners": queries.owners(),
        "own": fields.defined("organization"),
        "label_of": fields.label_of,
        "options_of": lambda one: [(option, option) for option in one.options],
    }


def _stamp(found: Organization) -> str:
    held = [found.name, found.kind, found.domain, found.owner_id, found.tags, found.terms, found.custom]
    return hashlib.sha256(json.dumps(held).encode()).hexdigest()[:16]
