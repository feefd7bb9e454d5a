"""Wrap-up codes: how a piece of work ended, in the desk's own words."""

from __future__ import annotations

from flask import Response, flash, request
from flask_babel import gettext as _

from helpdesk import web
from helpdesk.agents import wrap_up
from helpdesk.agents.admin import bp
from helpdesk.agents.admin.forms import REFUSALS, find, page, seen
from helpdesk.agents.models import Disposition
from helpdesk.errors import HelpdeskError


@bp.get("/dispositions", endpoint="dispositions")
def listed() -> Response:
    return _page()


@bp.post("/dispositions")
def add_disposition() -> Response:
    try:
        wrap_up.add(request.form.get("name", ""), request.form.get("name_ru", ""), by=web.current_actor())
    except REFUSALS as wrong:
        return _page(wrong)
    flash(_("Saved."))
    return web.see("/admin/dispositions")


@bp.post("/dispositions/<int:code_id>")
def change_disposition(code_id: int) -> Response:
    code = find(Disposition, code_id)
    try:
        wrap_up.change(
            code, request.form.get("name", ""), request.form.get("name_ru", ""), active=request.form.get("active") == "1", seen=seen(),
            by=web.current_actor(),
        )  # fmt: skip
    except REFUSALS as wrong:
        return _page(wrong, code)
    flash(_("Saved."))
    return web.see("/admin/dispositions")


def _page(wrong: HelpdeskError | None = None, code: Disposition | None = None) -> Response:
    return page("admin/dispositions.html", wrong, codes=wrap_up.dispositions(active=False), refused=code)
