"""How long each kind of data is kept, with what would go, and how long customers may change their mind about being erased."""

from __future__ import annotations

from flask import Response, flash, request
from flask_babel import gettext as _

from helpdesk import privacy, retaining, web
from helpdesk.agents.admin import bp
from helpdesk.agents.admin.forms import REFUSALS, page
from helpdesk.catalog import SettingsChanged
from helpdesk.errors import HelpdeskError
from helpdesk.events import record
from helpdesk.preferences import prefer, preferences

MOST_DAYS = 36_500


@bp.get("/retention", endpoint="retention")
def shown() -> Response:
    return _page()


@bp.post("/retention")
def change_retention() -> Response:
    """Look at what other days would mean (preview), or save them; saved ones take effect in the next night."""
    try:
        chosen = {name: web.number(name, least=0, most=MOST_DAYS) for name in privacy.retentions()}
        wait = web.number("erasure_wait_days", least=0, most=90)
        if request.form.get("do") == "preview":
            return _page(chosen=chosen, wait=wait)
        prefer(retention=chosen, erasure_wait_days=wait)
        record(SettingsChanged(web.current_actor(), what="retention"))
    except REFUSALS as wrong:
        return _page(wrong)
    flash(_("Saved. What is too old goes in the next night."))
    return web.see("/admin/retention")


def _page(wrong: HelpdeskError | None = None, *, chosen: dict[str, int] | None = None, wait: int | None = None) -> Response:
    rules = retaining.preview(chosen)
    days = preferences().erasure_wait_days if wait is None else wait
    return page("admin/retention.html", wrong, rules=rules, wait=days, previewed=chosen is not None)
