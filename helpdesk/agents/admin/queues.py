"""Queues: who works there, what it takes, and whether anybody can serve it."""

from __future__ import annotations

from datetime import datetime

from flask import Response, flash, request
from flask_babel import gettext as _
from flask_babel import ngettext

from helpdesk import web
from helpdesk.agents import people, queues, reordering, skills
from helpdesk.agents.admin import bp, forms
from helpdesk.agents.admin.forms import REFUSALS, find, ids, levels, page, seen, whole
from helpdesk.agents.words import queue_name
from helpdesk.db import session
from helpdesk.errors import HelpdeskError
from helpdesk.tickets import calendars
from helpdesk.tickets.models import Queue


@bp.get("/queues", endpoint="queues")
def listed() -> Response:
    return page("admin/queues.html", queues=queues.listed())


@bp.get("/queues/new")
def new_queue() -> Response:
    return _queue_page(None)


@bp.post("/queues")
def add_queue() -> Response:
    if request.form.get("preview") == "1":
        return _queue_page(None)
    try:
        queue = queues.add(_shape(), by=web.current_actor())
    except REFUSALS as wrong:
        return _queue_page(None, wrong)
    flash(_("Saved."))
    return web.see(f"/admin/queues/{queue.id}")


@bp.get("/queues/<int:queue_id>")
def queue(queue_id: int) -> Response:
    return _queue_page(find(Queue, queue_id))


@bp.post("/queues/<int:queue_id>")
def change_queue(queue_id: int) -> Response:
    queue = find(Queue, queue_id)
    if request.form.get("preview") == "1":
        return _queue_page(queue)
    try:
        queues.edit(queue, _shape(), seen=seen(), by=web.current_actor())
    except REFUSALS as wrong:
        return _queue_page(queue, wrong)
    flash(forms.saved_and_follows(reordering.waits(queue.id)))
    return web.see(f"/admin/queues/{queue.id}")


@bp.get("/queues/<int:queue_id>/deactivation")
def queue_deactivation(queue_id: int) -> Response:
    return _deactivation_page(find(Queue, queue_id))


@bp.post("/queues/<int:queue_id>/deactivation")
def deactivate_queue(queue_id: int) -> Response:
    queue = find(Queue, queue_id)
    target = session().get(Queue, whole("to")) if request.form.get("to") else None
    try:
        moved = queues.deactivate(queue, target, seen=seen(), by=web.current_actor())
    except REFUSALS as wrong:
        return _deactivation_page(queue, wrong)
    said = _("The queue is switched off.")
    if moved and target is not None:
        went = ngettext("%(num)s ticket went to %(queue)s.", "%(num)s tickets went to %(queue)s.", moved, queue=queue_name(target))
        said = f"{said} {went}"
    flash(said)
    return web.see("/admin/queues")


@bp.post("/queues/<int:queue_id>/activation")
def activate_queue(queue_id: int) -> Response:
    queue = find(Queue, queue_id)
    try:
        queues.reactivate(queue, seen=seen(), by=web.current_actor())
    except REFUSALS as wrong:
        return _queue_page(queue, wrong)
    flash(_("The queue is switched on again."))
    return web.see(f"/admin/queues/{queue.id}")


#: How many widenings the form offers.
WIDENINGS = (1, 2, 3)


def _widenings() -> tuple[queues.Widening, ...]:
    """The lines of the form that say a minute, in order; the others are not meant."""
    found = [queues.Widening(whole(f"after-{n}"), levels(f"step{n}")) for n in WIDENINGS if request.form.get(f"after-{n}", "").strip()]
    return tuple(found)


def _shape() -> queues.Shape:
    hold = request.form.get("hold", "desk")
    return queues.Shape(
        name=request.form.get("name", ""),
        name_ru=request.form.get("name_ru", ""),
        acceptance=request.form.get("acceptance", ""),
        offer_s=whole("offer_s", -1),
        target_min=whole("target_min", -1),
        service_target=whole("service_target", -1) / 100,
        tier=whole("tier", -1),
        weight=whole("weight", -1),
        prefers_proficiency=request.form.get("prefers_proficiency") == "1",
        requirements=levels("skill"),
        members=ids("members"),
        widenings=_widenings(),
        overflow_id=whole("overflow_id") or None,
        overflow_min=whole("overflow_min"),
        hold_min={"desk": None, "never": 0}.get(hold, whole("hold_min", -1)),
        live_weight=whole("live_weight", 1),
        wrap_up=request.form.get("wrap_up", "none"),
        wrap_up_s=whole("wrap_up_s", 60),
        hours_id=whole("hours_id") or None,
    )


def _queue_page(queue: Queue | None, wrong: HelpdeskError | None = None) -> Response:
    """The form of a queue; what stands in it is what was typed, else what is stored, else what a new one usually has."""
    if request.method == "POST" and "name" in request.form:
        shape = _shape()
    elif queue is not None:
        shape = queues.shape_of(queue)
    else:
        shape = queues.Shape(name="")
    return page(
        "admin/queue.html",
        wrong,
        queue=queue,
        walk=reordering.running(queue.id) if queue is not None else None,
        shape=shape,
        people=people.everybody(also=set(shape.members)),
        skills=[skill for skill, _count in skills.listed()],
        stages=queues.stages(shape),
        widenings=WIDENINGS,
        others=[row.queue for row in queues.listed() if row.queue.active and (queue is None or row.queue.id != queue.id)],
        hours=[hours for hours, _using in calendars.listed()],
        closed_until=_closed_until(queue),
        unserved=queues.trouble_of(queue) if queue is not None and queue.active else "",
    )


def _closed_until(queue: Queue | None) -> datetime | None:
    """When a queue that is closed now opens next."""
    return None if queue is None or calendars.is_open(queue) else calendars.opens_at(queue)


def _deactivation_page(queue: Queue, wrong: HelpdeskError | None = None) -> Response:
    tickets, feeding = queues.holds(queue)
    others = [row.queue for row in queues.listed() if row.queue.active and row.queue.id != queue.id]
    return page("admin/deactivate_queue.html", wrong, queue=queue, tickets=tickets, inboxes=feeding, others=others)
