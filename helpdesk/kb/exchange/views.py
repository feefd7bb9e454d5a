"""The screen where articles come in as a file and leave as one: upload, preview, progress, taking back; the list as zip or CSV."""

from __future__ import annotations

import tempfile
from typing import BinaryIO, cast

from flask import Response, flash, make_response, render_template, request, send_file, url_for
from flask_babel import gettext as _
from sqlalchemy import select

from helpdesk import clock, db, web
from helpdesk.auth import User, require
from helpdesk.catalog import ListExported
from helpdesk.errors import HelpdeskError, Invalid, NotFound, TooLarge
from helpdesk.events import record
from helpdesk.kb import policy
from helpdesk.kb.authoring_views import bp, wanted
from helpdesk.kb.exchange import runs, writing
from helpdesk.kb.models import ArticleImport

#: What the screen shows of how files are written.
SAMPLE_TABLE = """question,answer,language,topic,tags
Where is my parcel?,"Open the link in our mail.",en,Delivery,"parcel, tracking"
"""
SAMPLE_PAGE = """en/returns/send-it-back.md

---
key: returns-1
title: Send it back
tags: box, label
---
## Pack it …
"""
#: How each kind of file is written, its ending and its type.
SHAPES = {"markdown": (writing.to_zip, "zip", "application/zip"), "csv": (writing.to_table, "csv", "text/csv")}


@bp.get("/imports")
def imports() -> Response:
    """Earlier imports, and the form for the next."""
    _publishers_only()
    return _imports()


@bp.post("/imports")
@web.own_edge
def upload_articles() -> Response:
    """Keep a file and show what taking it in would do."""
    with db.read():
        _publishers_only()
    try:
        given = web.uploads("file")
        if not given:
            raise Invalid(fields={"file": _("Choose a file.")})
        name, content = given[0].filename or "", cast(BinaryIO, given[0].stream)
        with db.transaction():
            run = runs.accept(name, content, limit=web.settings().max_upload_bytes, by=web.current_actor())
    except (Invalid, TooLarge) as wrong:
        with db.read():
            return _imports(wrong)
    return web.see(url_for("kb_manage.show_article_import", import_id=run.id))


@bp.get("/imports/<int:import_id>")
def show_article_import(import_id: int) -> Response:
    """What the file would do, how far it is, or what came of it; for the script only the part that moves."""
    run = _run(import_id)
    looked_at = runs.preview(run) if run.state == "read" else None
    refused = looked_at.refused if looked_at else runs.refused(run) if run.refused else []
    template = "kb/_import_progress.html" if web.htmx() else "kb/import.html"
    return make_response(render_template(template, run=run, preview=looked_at, refused=refused))


@bp.post("/imports/<int:import_id>")
def go_on_with_import(import_id: int) -> Response:
    """`deed`: start, stop, undo, or forget a file that was only looked at."""
    run, by = _run(import_id), web.current_actor()
    match request.form.get("deed"):
        case "start":
            runs.start(run, by=by)
        case "stop":
            runs.stop(run)
        case "undo":
            runs.undo(run, by=by)
        case "forget":
            runs.forget(run)
            flash(_("The file is gone. Nothing was taken in."))
            return web.see(url_for("kb_manage.imports"))
        case _:
            raise Invalid
    return web.see(url_for("kb_manage.show_article_import", import_id=import_id))


@bp.post("/export")
@web.own_edge
def export_articles() -> Response:
    """What is published of the articles that the list shows, as a zip of Markdown files or as CSV."""
    with db.read():
        require(policy.may(web.principal(), "draft"))
        shown = wanted(request.form)
    write, ending, kind = SHAPES["csv" if request.form.get("shape") == "csv" else "markdown"]
    made = tempfile.TemporaryFile()  # noqa: SIM115  # the response closes it
    count = write(writing.pages(shown), cast(BinaryIO, made))
    with db.transaction():
        record(ListExported("articles", count, web.current_actor()))
    made.seek(0)
    answer = make_response(send_file(made, kind, as_attachment=True, download_name=f"articles-{clock.now():%Y-%m-%d}.{ending}"))
    answer.headers["Cache-Control"] = "no-store"
    return answer


def _publishers_only() -> None:
    """What is taken in is published, so whoever may publish decides."""
    require(policy.may(web.principal(), "publish"))


def _run(import_id: int) -> ArticleImport:
    _publishers_only()
    run = db.session().get(ArticleImport, import_id)
    if run is None:
        raise NotFound
    return run


def _imports(wrong: HelpdeskError | None = None) -> Response:
    found = select(ArticleImport, User.name).outerjoin(User, User.id == ArticleImport.user_id).order_by(ArticleImport.id.desc()).limit(40)
    errors = dict(wrong.fields) if isinstance(wrong, Invalid) else {"file": wrong.detail or wrong.title} if wrong else {}
    html = render_template(
        "kb/imports.html",
        rows=[(run, name or "") for run, name in db.session().execute(found)],
        errors=errors,
        limit_mb=web.settings().max_upload_bytes // 2**20,
        SAMPLE_TABLE=SAMPLE_TABLE,
        SAMPLE_PAGE=SAMPLE_PAGE,
    )
    return make_response(html, wrong.status if wrong else 200)
