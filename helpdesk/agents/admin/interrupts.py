"""What may be given beside work in hand: a row for each channel in hand, what the entries would change now, then saved."""

from __future__ import annotations

from flask import Response, flash, request
from flask_babel import gettext as _

from helpdesk import web
from helpdesk.agents import beside, interrupts, reasons
from helpdesk.agents.admin import bp, forms
from helpdesk.agents.admin.forms import REFUSALS, page
from helpdesk.errors import HelpdeskError, Invalid


@bp.get("/interrupts", endpoint="interrupts")
def shown() -> Response:
    return _page()


@bp.post("/interrupts")
def change_interrupts() -> Response:
    if request.form.get("preview") == "1":
        return _page()
    try:
        changed = interrupts.change(forms.beside(), seen=request.form.get("version", ""), by=web.current_actor())
    except REFUSALS as wrong:
        return _page(wrong)
    flash(_("Saved. Agents with work in hand are looked at again at once.") if changed else _("Nothing is changed."))
    return web.see("/admin/interrupts")


def _page(wrong: HelpdeskError | None = None) -> Response:
    """The table as it was sent, else as it counts now, with what it would change. Nonsense that was sent shows what counts."""
    table = interrupts.in_force()
    if request.method == "POST":
        try:
            table = interrupts.checked(forms.beside())
        except Invalid as nonsense:
            wrong = wrong or nonsense
    return page(
        "admin/interrupts.html",
        wrong,
        table=table,
        rows=reasons.beside(table),
        channels=list(reasons.CHANNELS.items()),
        foreseen=beside.preview(table),
        tried=table != interrupts.in_force(),
        unused=interrupts.fault(),
        version=request.form.get("version") if wrong is None and request.method == "POST" else interrupts.stamp(),
    )
