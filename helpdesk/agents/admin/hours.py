"""Opening hours: one page each, with what they mean for the coming two weeks."""

from __future__ import annotations

import re

from flask import Response, flash, request
from flask_babel import format_date
from flask_babel import gettext as _

from helpdesk import web
from helpdesk.agents.admin import bp
from helpdesk.agents.admin.forms import REFUSALS, find, page, seen
from helpdesk.errors import HelpdeskError, Invalid
from helpdesk.tickets import calendars
from helpdesk.tickets.models import Hours

_SPAN = re.compile(r"^(\d{1,2}):(\d\d)\s*[-–—]\s*(\d{1,2}):(\d\d)$")
_DAY = re.compile(r"^(\d{4}-\d\d-\d\d)\s*(.*)$")
#: What new hours begin with.
OFFICE = {day: [["09:00", "18:00"]] for day in range(5)}


@bp.get("/hours", endpoint="hours")
def listed() -> Response:
    return page("admin/hours.html", hours=calendars.listed())


@bp.get("/hours/new")
def new_hours() -> Response:
    return _hours_page(None)


@bp.post("/hours")
def add_hours() -> Response:
    if request.form.get("preview") == "1":
        return _hours_page(None)
    try:
        made = calendars.add(_shape(), by=web.current_actor())
    except REFUSALS as wrong:
        return _hours_page(None, wrong)
    flash(_("Saved."))
    return web.see(f"/admin/hours/{made.id}")


@bp.get("/hours/<int:hours_id>")
def one_of_hours(hours_id: int) -> Response:
    return _hours_page(find(Hours, hours_id))


@bp.post("/hours/<int:hours_id>")
def change_hours(hours_id: int) -> Response:
    hours = find(Hours, hours_id)
    if request.form.get("preview") == "1":
        return _hours_page(hours)
    try:
        calendars.edit(hours, _shape(), seen=seen(), by=web.current_actor())
    except REFUSALS as wrong:
        return _hours_page(hours, wrong)
    flash(_("Saved. Clocks that run already keep the hours they began with."))
    return web.see(f"/admin/hours/{hours.id}")


@bp.post("/hours/<int:hours_id>/removal")
def remove_hours(hours_id: int) -> Response:
    hours = find(Hours, hours_id)
    try:
        calendars.remove(hours, by=web.current_actor())
    except REFUSALS as wrong:
        return _hours_page(hours, wrong)
    flash(_("The opening hours are removed."))
    return web.see("/admin/hours")


def _hours_page(hours: Hours | None, wrong: HelpdeskError | None = None) -> Response:
    if request.method == "POST" and "name" in request.form:
        shape = _shape()
    elif hours is not None:
        shape = calendars.shape_of(hours)
    else:
        shape = calendars.Shape("", "Europe/Moscow", OFFICE)
    try:
        # Not yet named is no reason to show nothing.
        preview = calendars.coming(calendars.Shape(shape.name or "?", shape.zone, shape.weekly, shape.special))
    except Invalid as fault:
        preview, wrong = [], wrong or fault
    return page(
        "admin/hours_one.html",
        wrong,
        hours=hours,
        shape=shape,
        week={day: ", ".join("-".join(span) for span in shape.weekly.get(day, [])) for day in range(7)},
        special="\n".join(f"{day} {', '.join('-'.join(span) for span in spans)}".strip() for day, spans in shape.special.items()),
        preview=preview,
        format_date=format_date,
        using=calendars.used_by(hours) if hours is not None else [],
    )


def _shape() -> calendars.Shape:
    special = {}
    for line in request.form.get("special", "").splitlines():
        found = _DAY.match(line.strip())
        if found:
            special[found[1]] = _spans(found[2])
        elif line.strip():
            special[line.strip()[:40]] = []  # no day: said by the check
    return calendars.Shape(
        name=" ".join(request.form.get("name", "").split()),
        zone=request.form.get("zone", "").strip()[:60],
        weekly={day: spans for day in range(7) if (spans := _spans(request.form.get(f"day-{day}", "")))},
        special=dict(sorted(special.items())),
    )


def _spans(text: str) -> list[list[str]]:
    """ "9:00-13:00, 14:00–18:00" as [["09:00", "13:00"], ["14:00", "18:00"]]; what is none stays as it is, for the check to refuse."""
    found = []
    for part in filter(None, (part.strip() for part in text.split(","))):
        span = _SPAN.match(part)
        found.append([f"{int(span[1]):02}:{span[2]}", f"{int(span[3]):02}:{span[4]}"] if span else [part])
    return found
