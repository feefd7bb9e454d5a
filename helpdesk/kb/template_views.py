"""The page where article templates are kept."""

from __future__ import annotations

from typing import Any

from flask import Response, flash, make_response, render_template, request, url_for
from flask_babel import gettext as _

from helpdesk import db, web
from helpdesk.auth import require
from helpdesk.errors import Invalid
from helpdesk.kb import policy, queries, templates
from helpdesk.kb.authoring_views import bp, category_id
from helpdesk.kb.models import ArticleTemplate


@bp.get("/templates")
def article_templates() -> Response:
    """Every template; ?id= opens one for changes."""
    chosen = templates.find(int(request.args["id"])) if request.args.get("id", "").isdecimal() else None
    return _page(chosen, {})


@bp.post("/templates")
def change_templates() -> Response:
    """Add a template, or change or remove the one whose `id` is given."""
    require(policy.may(web.principal(), "publish"))
    by = web.current_actor()
    known = templates.find(int(request.form["id"])) if request.form.get("id", "").isdecimal() else None
    if known is not None and request.form.get("deed") == "remove":
        templates.remove(known, by=by)
        flash(_("The template is gone. Articles that began with it stay."))
        return web.see(url_for("kb_manage.article_templates"))
    try:
        with db.session().begin_nested():
            templates.keep(
                known,
                name=request.form.get("name", ""),
                language=request.form.get("language", ""),
                title=request.form.get("title", ""),
                body=request.form.get("body", ""),
                category_id=category_id(),
                by=by,
            )
    except Invalid as wrong:
        return _page(known, request.form, wrong=wrong)
    flash(_("Saved."))
    return web.see(url_for("kb_manage.article_templates"))


def _page(chosen: ArticleTemplate | None, typed: Any, *, wrong: Invalid | None = None) -> Response:
    names = ("name", "language", "title", "body", "category_id")
    values: dict[str, Any] = {name: getattr(chosen, name) if chosen else "" for name in names}
    values["language"] = values["language"] or web.lang()
    values["category"] = values.pop("category_id") or ""
    html = render_template(
        "kb/templates.html",
        templates=templates.listed(),
        chosen=chosen,
        values={**values, **{name: typed[name] for name in values if name in typed}},
        errors={name: str(words) for name, words in wrong.fields.items()} if wrong else {},
        topics=queries.categories(),
        may_change=policy.may(web.principal(), "publish"),
    )
    return make_response(html, wrong.status if wrong else 200)
