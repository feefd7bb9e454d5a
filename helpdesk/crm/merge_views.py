"""Pages of the one base's order: likely duplicates, two customers side by side, merges with their undo, the history of fields."""

from __future__ import annotations

from typing import Any

from flask import flash, render_template, request, url_for
from flask_babel import gettext as _
from sqlalchemy import select
from werkzeug.wrappers import Response

from helpdesk import db, web
from helpdesk.crm import beside, duplicates, forms, history, merging, policy, queries, words
from helpdesk.crm.base_models import Duplicate, Merge
from helpdesk.crm.models import Contact, Organization
from helpdesk.crm.views import bp, editable
from helpdesk.errors import NotFound

SEARCHED = 12


@bp.get("/customers/duplicates")
def duplicate_customers() -> str:
    """Pairs that are probably one person, the likeliest first, with the reasons."""
    who = web.principal()
    rows = duplicates.listed(after=web.uncursor(request.args.get("cursor"), float, int))
    page = web.paged(rows, 40, lambda row: (row[0].score, row[0].id))
    seen = queries.seen(who, {one.id for row in page.rows for one in row[1:]})
    page = web.Paged([row for row in page.rows if {row[1].id, row[2].id} <= seen], page.next)
    return render_template(
        "crm/duplicates.html", here="customers", page=page, addresses=queries.addresses([c.id for r in page.rows for c in r[1:]])
    )


@bp.post("/customers/duplicates/search")
def seek_duplicates() -> Response:
    """Go through everybody again, in the background; for those who lead."""
    web.require_leads()
    duplicates.seek_everybody(by=web.current_actor())
    flash(_("Everybody is being compared. What is found appears here by itself."))
    return web.see(url_for("crm.duplicate_customers"))


@bp.post("/customers/duplicates/<int:pair_id>/different")
def settle_duplicate(pair_id: int) -> Response:
    """Two different people: the pair is not shown again."""
    pair = db.session().get(Duplicate, pair_id)
    if pair is None:
        raise NotFound
    for contact_id in (pair.first_id, pair.second_id):
        queries.find(web.principal(), contact_id)
    duplicates.settle_as_different(pair_id, by=web.current_actor())
    flash(_("Noted: these are two people."))
    return web.see(web.back(url_for("crm.duplicate_customers")))


@bp.get("/customers/<int:contact_id>/merge")
def choose_merge(contact_id: int) -> str:
    """Whom to merge with this customer: likely ones first, anybody by search."""
    contact = editable(contact_id)
    q = forms.sought()
    found = (
        [one for one in queries.page(web.principal(), queries.Wanted(q=q), limit=SEARCHED).rows if one.contact.id != contact.id]
        if q
        else []
    )
    return render_template("crm/merge_choose.html", here="customers", contact=contact, q=q, found=found, likely=duplicates.of(contact))


@bp.get("/customers/<int:contact_id>/merge/<int:other_id>")
def compare_customers(contact_id: int, other_id: int) -> Response:
    """The two side by side, and what merging will do. The first one stays."""
    return _side_by_side(editable(contact_id), editable(other_id))


@bp.post("/customers/<int:contact_id>/merge/<int:other_id>")
def merge_customers(contact_id: int, other_id: int) -> Response:
    contact, other = editable(contact_id), editable(other_id)
    take = {key[5:]: value for key, value in request.form.items() if key.startswith("take-")}
    try:
        merging.merge(other, contact, by=web.current_actor(), take=take)
    except forms.REFUSALS as wrong:
        return _side_by_side(contact, other, wrong)
    flash(_("They are one customer now. It can be undone at any time."))
    return web.see(url_for("crm.customer", contact_id=contact.id))


@bp.get("/customers/merges")
def merges() -> str:
    """Every merge, the newest first; those in force can be undone."""
    before = web.uncursor(request.args.get("cursor"), int)
    page = web.paged(merging.listed(before=before[0] if before else None), 40, lambda row: (row.id,))
    ids = {id_ for row in page.rows for id_ in (row.from_id, row.into_id)}
    seen = queries.seen(web.principal(), ids, merged=True)
    rows = [row for row in page.rows if {row.from_id, row.into_id} <= seen]
    people = {row.id: row for row in db.session().scalars(select(Contact).where(Contact.id.in_(ids)))}
    users = queries.names({id_ for row in rows for id_ in (row.user_id, row.undone_by_id) if id_})
    return render_template("crm/merges.html", here="customers", page=web.Paged(rows, page.next), people=people, users=users)


@bp.post("/customers/merges/<int:merge_id>/undo")
def undo_merge(merge_id: int) -> Response:
    """Part two customers again."""
    made = db.session().get(Merge, merge_id)
    if made is None:
        raise NotFound
    into = queries.find(web.principal(), made.into_id)
    if not policy.may(web.principal(), "edit", into):
        raise NotFound
    undone = merging.undo(made, by=web.current_actor())
    if undone.kept:
        fields = ", ".join(str(words.field(name)) for name in undone.kept)
        flash(_("Parted again. Changed since and therefore kept: %(fields)s.", fields=fields))
    else:
        flash(_("Parted again; both are as they were."))
    return web.see(url_for("crm.customer", contact_id=made.from_id))


@bp.get("/customers/<int:contact_id>/history")
def customer_history(contact_id: int) -> str:
    """Who changed what about this customer."""
    contact = queries.find(web.principal(), contact_id)
    ids = queries.all_of(contact)
    before = web.uncursor(request.args.get("cursor"), int)
    page = web.paged(history.of_contact(ids, before=before[0] if before else None), history.PAGE, lambda row: (row.id,))
    return render_template(
        "crm/history.html",
        here="customers",
        contact=contact,
        page=page,
        names=queries.names(history.users_in(page.rows)),
        shown=shown_values(),
        merges=merging.of(ids),
    )


@bp.post("/customers/<int:contact_id>/confirmation")
def confirm_customer(contact_id: int) -> Response:
    """All of it is still right: the whole card is fresh again."""
    contact = editable(contact_id)
    history.confirm(contact, by=web.current_actor())
    flash(_("Noted: all of it is right as of today."))
    return web.see(url_for("crm.customer", contact_id=contact.id))


def _side_by_side(contact: Contact, other: Contact, wrong: Any = None) -> Response:
    who = web.principal()
    return forms.page(
        "crm/merge.html",
        wrong,
        contact=contact,
        other=other,
        choices=merging.choices(other, contact),
        weights=(merging.weigh(contact), merging.weigh(other)),
        identities=(queries.identities(queries.all_of(contact)), queries.identities(queries.all_of(other))),
        parts=[beside.parts(who, queries.all_of(one)) for one in (contact, other)],
        shown=shown_values(),
    )


def shown_values(subject: str = "contact") -> Any:
    """How a field's value is shown: names of owners and organizations in place of their ids."""
    session = db.session()
    organizations: dict[int, str] = {}
    users: dict[int, str] = {}

    def shown(field: str, value: Any) -> str:
        if field == "organization_id" and value is not None:
            if value not in organizations:
                row = session.get(Organization, value)
                organizations[value] = row.name if row is not None else f"#{value}"
            return organizations[value]
        if field == "owner_id" and value is not None:
            if value not in users:
                users.update(queries.names({value}))
            return users.get(value, f"#{value}")
        return words.value(field, value, subject)

    return shown
