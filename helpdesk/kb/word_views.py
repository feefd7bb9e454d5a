"""The page of words that search treats alike: a list that supervisors keep, and what the search log suggests."""

from __future__ import annotations

from datetime import timedelta

from flask import Response, flash, make_response, render_template, request, url_for
from flask_babel import gettext as _

from helpdesk import clock, db, web
from helpdesk.auth import require
from helpdesk.errors import Invalid
from helpdesk.kb import policy, teaching
from helpdesk.kb.authoring_views import bp


@bp.get("/words")
def same_words() -> Response:
    return _page()


@bp.post("/words")
def change_words() -> Response:
    """Add a group of words, take one away (`deed` remove), or refuse a suggestion (`deed` refuse)."""
    require(policy.may(web.principal(), "publish"))
    by, words = web.current_actor(), request.form.get("words", "")[:1000]
    try:
        with db.session().begin_nested():
            match request.form.get("deed"):
                case "remove":
                    teaching.remove(web.number("id", least=1, most=2**62), by=by)
                case "refuse":
                    teaching.refuse(words, by=by)
                case _:
                    teaching.treat_alike(words, by=by)
    except Invalid as wrong:
        return _page(wrong=wrong)
    flash(_("Saved."))
    return web.see(url_for("kb_manage.same_words"))


def _page(*, wrong: Invalid | None = None) -> Response:
    html = render_template(
        "kb/words.html",
        groups=teaching.synonyms(),
        suggestions=teaching.suggested(since=clock.now() - timedelta(days=90)),
        typed=request.form.get("words", "") if wrong else "",
        errors={name: str(words) for name, words in wrong.fields.items()} if wrong else {},
        may_change=policy.may(web.principal(), "publish"),
    )
    return make_response(html, wrong.status if wrong else 200)
