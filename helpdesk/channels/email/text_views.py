"""The screen for the words of automatic mails: written per language, looked at before they are kept, taken back to the desk's own."""

from __future__ import annotations

from flask import Blueprint, Response, flash, make_response, render_template, request
from flask_babel import force_locale
from flask_babel import gettext as _

from helpdesk import web
from helpdesk.agents.admin import tabs
from helpdesk.channels.email import texts
from helpdesk.channels.email.models import TextKind
from helpdesk.channels.email.words import TEXT
from helpdesk.errors import Invalid, NotFound

bp = Blueprint("mail_texts", __name__, url_prefix="/admin/mail/texts")

NAMES = {"en": "English", "ru": "Русский"}


@bp.before_request
def _admins_only() -> None:
    web.require_admin()


@bp.get("")
def listed() -> Response:
    """Every text, and whether it is the desk's or the administrator's."""
    rows = [(kind, language, texts.own(kind, language) is not None) for kind in TextKind for language in texts.LANGUAGES]
    return make_response(render_template("admin/mail_texts.html", here="admin", admin_tabs=tabs, rows=rows, TEXT=TEXT, names=NAMES))


@bp.get("/<kind>/<language>")
def text(kind: str, language: str) -> Response:
    what = _chosen(kind, language)
    return _page(what, language, texts.own(what, language) or texts.default(what, language))


@bp.post("/<kind>/<language>")
def save(kind: str, language: str) -> Response:
    """Keep what was written; with `preview`, only show it."""
    what = _chosen(kind, language)
    draft = texts.Draft(request.form.get("subject", ""), request.form.get("body", ""))
    try:
        if request.form.get("preview"):
            return _page(what, language, texts.checked(what, draft))
        texts.save(what, language, draft, by=web.current_actor())
    except Invalid as wrong:
        return _page(what, language, draft, wrong)
    flash(_("Saved."))
    return web.see(f"/admin/mail/texts/{kind}/{language}")


@bp.post("/<kind>/<language>/reset")
def reset(kind: str, language: str) -> Response:
    texts.reset(_chosen(kind, language), language, by=web.current_actor())
    flash(_("This mail has the desk's own words again."))
    return web.see(f"/admin/mail/texts/{kind}/{language}")


def _chosen(kind: str, language: str) -> TextKind:
    if language not in texts.LANGUAGES or kind not in list(TextKind):
        raise NotFound
    return TextKind(kind)


def _page(kind: TextKind, language: str, draft: texts.Draft, wrong: Invalid | None = None) -> Response:
    with force_locale(language):
        question = _("How satisfied are you with our answer?")
    sample = {"ticket.number": "1001", "link": f"{web.settings().base_url}/t/…", "question": question}
    shown = texts.filled(draft, sample) if wrong is None else None
    html = render_template(
        "admin/mail_text.html", here="admin", admin_tabs=tabs, kind=kind, language=language, draft=draft, TEXT=TEXT, names=NAMES,
        known=", ".join(f"{{{{ {name} }}}}" for name in texts.KNOWN[kind]), own=texts.own(kind, language) is not None,
        asks=kind in texts.SURVEYS, errors=(wrong.fields or {}) if wrong is not None else {}, shown=shown,
    )  # fmt: skip
    return make_response(html, wrong.status if wrong is not None else 200)
