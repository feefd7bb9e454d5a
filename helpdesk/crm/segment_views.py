"""Segments on pages: the list, the builder with its count, the customers of one, and their export."""

from __future__ import annotations

from typing import Any

from flask import flash, make_response, render_template, request, url_for
from flask_babel import gettext as _
from werkzeug.wrappers import Response

from helpdesk import clock, db, web
from helpdesk.catalog import SettingsChanged
from helpdesk.crm import forms, policy, queries, segment_counts, segments
from helpdesk.crm.base_models import Segment
from helpdesk.crm.views import bp
from helpdesk.errors import HelpdeskError, Invalid, NotFound
from helpdesk.events import record

MOST_GROUPS, MOST_ROWS = 6, 10


@bp.get("/segments")
def segment_list() -> str:
    """Saved segments, each with how many it held when that was last counted."""
    who = web.principal()
    return render_template(
        "crm/segments.html", here="customers", rows=segment_counts.listed(who), whole=policy.sees_everybody(who), now=clock.now()
    )


@bp.get("/segments/new")
def new_segment() -> Response:
    return _builder(None, {"match": "all", "of": [{"match": "all", "of": [{}]}]})


@bp.post("/segments/build")
def build_segment() -> Response:
    """The builder again, with one row or group more or less, and the count; to the script the count alone."""
    segment = _named()
    tree = _tree()
    if web.htmx():
        return make_response(render_template("crm/_segment_count.html", **_found(_filled(tree))))
    return _builder(segment, tree)


@bp.post("/segments")
def save_segment() -> Response:
    """Keep the question under its name."""
    segment = _named()
    if segment is not None and not segments.may_change(web.principal(), segment):
        raise NotFound
    tree = _tree()
    try:
        made = segments.save(
            segment,
            name=request.form.get("name", ""),
            tree=_filled(tree),
            shared=request.form.get("shared") == "1",
            seen=web.form_version(),
            who=web.principal(),
            by=web.current_actor(),
        )
    except forms.REFUSALS as wrong:
        return _builder(segment, tree, wrong)
    flash(_("Saved."))
    return web.see(url_for("crm.segment", segment_id=made.id))


@bp.get("/segments/<int:segment_id>")
def segment(segment_id: int) -> str:
    """The customers that answer a segment's question now."""
    who = web.principal()
    found = segments.find(who, segment_id)
    try:
        page = queries.page(who, queries.Wanted(segment=found.conditions), cursor=request.args.get("cursor"))
    except Invalid as wrong:
        if request.args.get("cursor"):
            raise
        raise NotFound(_("You may not ask what this segment asks.")) from wrong
    return render_template(
        "crm/segment.html",
        here="customers",
        segment=found,
        page=page,
        counted=segment_counts.of(who, found),
        left_out=segments.left_out(found.conditions),
        may_change=segments.may_change(who, found),
    )


@bp.get("/segments/<int:segment_id>/edit")
def edit_segment(segment_id: int) -> Response:
    found = segments.find(web.principal(), segment_id)
    if not segments.may_change(web.principal(), found):
        raise NotFound
    return _builder(found, found.conditions)


@bp.post("/segments/<int:segment_id>/removal")
def remove_segment(segment_id: int) -> Response:
    found = segments.find(web.principal(), segment_id)
    if not segments.may_change(web.principal(), found):
        raise NotFound
    db.session().delete(found)
    record(SettingsChanged(web.current_actor(), what=f"segment:{segment_id}"))
    flash(_("The segment is gone; its customers are as they were."))
    return web.see(url_for("crm.segment_list"))


# --- below ---------------------------------------------------------------------------------------------------------------


def _named() -> Segment | None:
    segment_id = forms.whole(request.form.get("segment", ""))
    return segments.find(web.principal(), segment_id) if segment_id is not None else None


def _tree() -> dict[str, Any]:
    """The question as its form says it, after the button that was pressed: groups of rows."""
    then = request.form.get("then", "")
    groups: list[dict[str, Any]] = []
    for group in range(MOST_GROUPS):
        rows = [
            {
                "field": request.form[name],
                "op": request.form.get(f"op-{group}-{row}", ""),
                "value": request.form.get(f"value-{group}-{row}", ""),
            }
            for row in range(MOST_ROWS)
            if (name := f"field-{group}-{row}") in request.form and then != f"drop-{group}-{row}"
        ]
        if then == f"row-{group}" and len(rows) < MOST_ROWS:
            rows.append({})
        if rows:
            groups.append({"match": "any" if request.form.get(f"match-{group}") == "any" else "all", "of": rows})
    if (then == "group" and len(groups) < MOST_GROUPS) or not groups:
        groups.append({"match": "all", "of": [{}]})
    return {"match": "any" if request.form.get("match") == "any" else "all", "of": groups}


def _filled(tree: dict[str, Any]) -> dict[str, Any]:
    """The question without rows that nobody has filled in yet."""
    groups = [{**group, "of": [row for row in group["of"] if row.get("field")]} for group in tree["of"]]
    return {**tree, "of": [group for group in groups if group["of"]]}


def _count(tree: dict[str, Any]) -> int | None:
    try:
        return segments.count(web.principal(), tree)
    except Invalid:
        return None


def _found(tree: dict[str, Any]) -> dict[str, Any]:
    """The count with what has to be said about it."""
    return {"count": _count(tree), "trouble": _trouble(tree), "left_out": segments.left_out(tree)}


def _trouble(tree: dict[str, Any]) -> Any:
    try:
        segments.condition(web.principal(), tree)
    except Invalid as wrong:
        return wrong.detail
    return ""


def _builder(found: Segment | None, tree: dict[str, Any], wrong: HelpdeskError | None = None) -> Response:
    known = segments.askable(web.principal())
    return forms.page(
        "crm/segment_builder.html",
        wrong,
        segment=found,
        tree=tree,
        known=known,
        ops=segments.OPS,
        without=segments.WITHOUT_VALUE,
        count=_count(_filled(tree)),
        left_out=segments.left_out(_filled(tree)),
        hint=_trouble(_filled(tree)) if request.method == "POST" and wrong is None else "",
        name=request.form.get("name", found.name if found else ""),
        shared=request.form.get("shared") == "1" if request.method == "POST" else found.shared if found else True,
    )
