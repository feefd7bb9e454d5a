"""The topics that articles stand under: their names, icons and order."""

from __future__ import annotations

from flask import Response, flash, make_response, render_template, request, url_for
from flask_babel import gettext as _

from helpdesk import db, web
from helpdesk.errors import Conflict, HelpdeskError, Invalid
from helpdesk.kb import categories, queries
from helpdesk.kb.authoring_views import bp
from helpdesk.kb.models import Category


@bp.get("/topics")
def topics() -> Response:
    return _topics()


@bp.post("/topics")
def change_topics() -> Response:
    """Add a topic, or change or remove the one whose `id` is given."""
    web.require_leads()
    by = web.current_actor()
    try:
        known = db.session().get(Category, request.form.get("id", type=int) or 0)
        icon = request.form.get("icon", "book")
        with db.session().begin_nested():
            if known is None:
                categories.add(name_en=request.form.get("name_en", ""), name_ru=request.form.get("name_ru", ""), icon=icon, by=by)
            elif request.form.get("deed") == "remove":
                categories.remove(known, by=by)
            else:
                categories.change(
                    known,
                    name_en=request.form.get("name_en", ""),
                    name_ru=request.form.get("name_ru", ""),
                    icon=icon,
                    position=web.number("position", least=0, most=10_000),
                    by=by,
                )
    except (Invalid, Conflict) as wrong:
        return _topics(wrong=wrong)
    flash(_("Saved."))
    return web.see(url_for("kb_manage.topics"))


def _topics(*, wrong: HelpdeskError | None = None) -> Response:
    errors = wrong.fields if isinstance(wrong, Invalid) else {}
    trouble = str(wrong.detail) if wrong is not None and not errors else ""
    html = render_template(
        "kb/topics.html",
        topics=queries.categories(),
        icons=sorted(categories.TOPIC_ICONS),
        errors=errors,
        trouble=trouble,
        form=request.form,
        may_change=web.principal().leads,
    )
    return make_response(html, wrong.status if wrong is not None else 200)
