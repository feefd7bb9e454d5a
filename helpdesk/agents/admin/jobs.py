"""Failed work: deliveries that were given up or keep failing, and what is to become of them."""

from __future__ import annotations

from flask import Response, flash, request
from flask_babel import gettext as _
from flask_babel import ngettext

from helpdesk import parked, web
from helpdesk.agents.admin import bp
from helpdesk.agents.admin.forms import find, page
from helpdesk.agents.admin.words import FACTS
from helpdesk.events import Delivery


@bp.get("/jobs", endpoint="jobs")
def listed() -> Response:
    """Given up, or still being tried (?state=failing)."""
    failing = request.args.get("state") == "failing"
    after = web.uncursor(request.args.get("after"), int)
    rows = parked.troubled(parked=not failing, after=after[0] if after else None)
    shown = web.paged(rows, web.PAGE, lambda row: (row.delivery.id,))
    return page("admin/jobs.html", jobs=shown, failing=failing, lanes=parked.lanes(), FACTS=FACTS)


@bp.post("/jobs/retry")
def retry_all_jobs() -> Response:
    count = parked.retry_all(by=web.current_actor())
    flash(ngettext("%(num)s is tried again now.", "%(num)s are tried again now.", count))
    return web.see("/admin/jobs")


@bp.post("/jobs/<int:delivery_id>/retry")
def retry_job(delivery_id: int) -> Response:
    again = parked.retry(find(Delivery, delivery_id), by=web.current_actor())
    flash(_("It is tried again now.") if again else _("The same work is waiting already; this entry is done with."))
    return web.see("/admin/jobs")


@bp.get("/jobs/<int:delivery_id>/discard")
def job_discard(delivery_id: int) -> Response:
    delivery = find(Delivery, delivery_id)
    return page("admin/discard_job.html", delivery=delivery)


@bp.post("/jobs/<int:delivery_id>/discard")
def discard_job(delivery_id: int) -> Response:
    parked.discard(find(Delivery, delivery_id), by=web.current_actor())
    flash(_("It will not be tried again."))
    return web.see("/admin/jobs")
