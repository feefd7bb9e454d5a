"""The wizard that takes a list of customers or purchases in (upload, columns, preview, dry run, run, undo), and lists going out as
files."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any, BinaryIO, cast

from flask import Response as FlaskResponse
from flask import flash, render_template, request, url_for
from flask_babel import gettext as _
from sqlalchemy import select
from werkzeug.wrappers import Response

from helpdesk import db, files, web
from helpdesk.crm import forms, policy, queries, segments
from helpdesk.crm.base_models import Import, ImportRow
from helpdesk.crm.exchange import (  # the lists declare themselves
    exporting,
    importing,
    listing,
    other_lists,  # noqa: F401
    reading,
    record_lists,  # noqa: F401
)
from helpdesk.crm.exchange.handing_out import as_file, hand_out
from helpdesk.crm.views import bp
from helpdesk.errors import Invalid, NotFound

SHOWN_FAULTS = 50


@bp.get("/customers/imports")
def imports() -> Response:
    """Earlier imports, and a form for the next."""
    _may_import()
    return _imports()


@bp.post("/customers/imports")
def upload_import() -> Response:
    _may_import()
    given = web.uploads("file")
    try:
        if not given:
            raise Invalid(fields={"file": _("Choose a file.")})
        name, content = given[0].filename or "", cast(BinaryIO, given[0].stream)
        made = importing.accept(
            name, content, limit=web.settings().max_upload_bytes, by=web.current_actor(), subject=request.form.get("subject", "contacts")
        )
    except forms.REFUSALS as wrong:
        return _imports(wrong)
    return web.see(url_for("crm.show_import", run_id=made.id))


@bp.get("/customers/imports/<int:run_id>")
def show_import(run_id: int) -> Response:
    """Where an import stands: columns and preview before it runs, progress while it does, figures and faults after."""
    return _show(_run(run_id))


@bp.post("/customers/imports/<int:run_id>")
def configure_import(run_id: int) -> Response:
    """Say what the columns mean; then look, count without writing, or go."""
    run = _run(run_id)
    try:
        if run.shape == "csv":
            importing.reshape(
                run, encoding=request.form.get("encoding", ""), delimiter=request.form.get("delimiter", "").replace("tab", "\t")
            )
        mapping = [request.form.get(f"column-{place}", "") for place in range(len(importing.header_of(run)))]
        importing.configure(run, mapping=mapping, mode=request.form.get("mode", ""), match_on=request.form.get("match_on", run.match_on))
        if request.form.get("then") in ("check", "run"):
            importing.start(run, by=web.current_actor(), dry=request.form["then"] == "check")
    except forms.REFUSALS as wrong:
        return _show(run, wrong)
    return web.see(url_for("crm.show_import", run_id=run.id))


@bp.post("/customers/imports/<int:run_id>/stop")
def stop_import(run_id: int) -> Response:
    run = _run(run_id)
    importing.stop(run)
    return web.see(url_for("crm.show_import", run_id=run.id))


@bp.post("/customers/imports/<int:run_id>/undo")
def undo_import(run_id: int) -> Response:
    run = _run(run_id)
    importing.undo(run, by=web.current_actor())
    flash(_("The import is being undone."))
    return web.see(url_for("crm.show_import", run_id=run.id))


@bp.get("/customers/imports/<int:run_id>/faults.csv")
@web.own_edge
def import_faults(run_id: int) -> Response:
    """The refused rows as they were, each with its reasons: to be corrected and taken in again."""
    with db.read() as session:
        run = _run(run_id)
        found = select(ImportRow.number, ImportRow.reasons).where(ImportRow.run_id == run.id, ImportRow.outcome == "refused")
        why = {number: told for number, told in session.execute(found)}
        path, shape = files.store().path(run.file_key), importing.shape_of(run)

    def rows() -> Iterator[exporting.Row]:
        for number, cells in enumerate(reading.rows(path, shape)):
            if number in why:
                yield [number, "; ".join(why[number]), *cells]

    header = [_("Row"), _("Why"), *next(reading.rows(path, shape))]
    return as_file(exporting.Sheet(f"faults-{run.id}", header, rows), "csv")


@bp.post("/customers/export")
@web.own_edge
def export_customers() -> Response:
    """The customers of the list as CSV or Excel."""
    wanted = queries.Wanted(q=request.form.get("q", "")[:200], organization_id=forms.whole(request.form.get("organization", "")))
    segment_id = forms.whole(request.form.get("segment", ""))
    if segment_id is not None:
        with db.read():
            wanted = replace(wanted, segment=segments.find(web.principal(), segment_id).conditions)
    return hand_out(lambda: exporting.customers(web.principal(), wanted))


@bp.post("/organizations/export")
@web.own_edge
def export_organizations() -> Response:
    return hand_out(lambda: exporting.organizations(request.form.get("q", "")[:200]))


@bp.post("/customers/purchases/export")
@web.own_edge
def export_purchases() -> Response:
    return hand_out(lambda: exporting.purchases(web.principal()))


@bp.post("/customers/lists/<name>")
@web.own_edge
def export_list(name: str) -> Response:
    """Any other list about customers, narrowed as its page is."""
    return hand_out(lambda: listing.sheet(name, web.principal(), request.form))


# --- below ---------------------------------------------------------------------------------------------------------------


def _may_import() -> None:
    if not policy.may_import(web.principal()):
        raise NotFound


def _run(run_id: int) -> Import:
    _may_import()
    found = db.session().get(Import, run_id)
    if found is None:
        raise NotFound
    return found


def _imports(wrong: Any = None) -> Response:
    rows = list(db.session().scalars(select(Import).order_by(Import.id.desc()).limit(40)))
    return forms.page(
        "crm/imports.html", wrong, rows=rows, names=queries.names({row.user_id for row in rows if row.user_id}),
        subjects=[(name, subject.words) for name, subject in importing.SUBJECTS.items()],
    )  # fmt: skip


def _show(run: Import, wrong: Any = None) -> Response:
    values: dict[str, Any] = {"run": run, "header": [], "planned": [], "faults": []}
    if run.state in ("uploaded", "checked"):
        values["header"] = importing.header_of(run)
        if wrong is None:
            values["planned"] = importing.preview(run)
    if run.refused:
        found = select(ImportRow).where(ImportRow.run_id == run.id, ImportRow.outcome == "refused").order_by(ImportRow.number)
        values["faults"] = list(db.session().scalars(found.limit(SHOWN_FAULTS)))
    if web.htmx():
        return FlaskResponse(render_template("crm/_import_progress.html", **values))
    holding = importing.holds(run)
    return forms.page(
        "crm/import.html",
        wrong,
        targets=[("", _("leave out")), *holding.targets()],
        matches=list(holding.matches.items()),
        encodings=[(name, name.upper()) for name in reading.ENCODINGS],
        **values,
    )
