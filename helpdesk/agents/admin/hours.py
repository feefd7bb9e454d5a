"""Opening hours: one page each, a week of ranges by day, with what they mean for the coming two weeks.

Ranges are fields `opens-<day>-<n>` and `closes-<day>-<n>` (Monday 0). The buttons beside them send the form as it stands with
`row=<add|drop|copy>-<day>[-<n>]`: nothing is saved then, the week is only drawn anew.
"""

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
_TIME = re.compile(r"^(\d{1,2}):(\d\d)(?::\d\d)?$")
_ROW = re.compile(r"^(add|drop|copy)-([0-6])(?:-(\d))?$")
#: Monday to Friday.
WEEKDAYS = range(5)
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
    if _only_drawn():
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
    if _only_drawn():
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


def _only_drawn() -> bool:
    """Whether a button asks to see something, and nothing is to be saved."""
    return request.form.get("preview") == "1" or "row" in request.form


def _hours_page(hours: Hours | None, wrong: HelpdeskError | None = None) -> Response:
    focus = ""
    if request.method == "POST" and "name" in request.form:
        week = _week()
        focus = _drawn_anew(week, request.form.get("row", ""))
        shape = _shape(week)
    else:
        shape = calendars.shape_of(hours) if hours is not None else calendars.Shape("", "Europe/Moscow", OFFICE)
        week = {day: [(opens, "00:00" if closes == "24:00" else closes) for opens, closes in shape.weekly.get(day, [])] for day in range(7)}
    try:
        # Not yet named is no reason to show nothing.
        preview = calendars.coming(calendars.Shape(shape.name or "?", shape.zone, shape.weekly, shape.special))
    except Invalid as fault:
        preview = []
        if "row" not in request.form:
            wrong = wrong or fault
    return page(
        "admin/hours_one.html",
        wrong,
        hours=hours,
        shape=shape,
        week=week,
        most=calendars.MOST_SHIFTS,
        focus=focus,
        special="\n".join(f"{day} {', '.join('-'.join(span) for span in spans)}".strip() for day, spans in shape.special.items()),
        preview=preview,
        format_date=format_date,
        using=calendars.used_by(hours) if hours is not None else [],
    )


#: A day's ranges as they stand in the form, empty ones too.
Ranges = list[tuple[str, str]]


def _week() -> dict[int, Ranges]:
    """What stands in the week's fields, in their order."""
    week: dict[int, Ranges] = {day: [] for day in range(7)}
    for day, ranges in week.items():
        for n in range(1, calendars.MOST_SHIFTS + 1):
            if f"opens-{day}-{n}" in request.form:
                ranges.append((_time(f"opens-{day}-{n}"), _time(f"closes-{day}-{n}")))
    return week


def _drawn_anew(week: dict[int, Ranges], asked: str) -> str:
    """Add, drop or copy ranges as a button asks; the id of what has the focus then. What cannot be read changes nothing."""
    found = _ROW.match(asked)
    if found is None:
        return ""
    deed, day, n = found[1], int(found[2]), int(found[3] or 0)
    if deed == "add" and len(week[day]) < calendars.MOST_SHIFTS:
        week[day].append(("", ""))
        return f"opens-{day}-{len(week[day])}"
    if deed == "drop" and 0 < n <= len(week[day]):
        del week[day][n - 1]
        return f"add-{day}"
    if deed == "copy":
        for other in WEEKDAYS:
            week[other] = list(week[day])
        return f"copy-{day}"
    return ""


def _shape(week: dict[int, Ranges] | None = None) -> calendars.Shape:
    """The form as hours; a range left empty is not meant, one half filled in stays, for the check to refuse."""
    special = {}
    for line in request.form.get("special", "").splitlines():
        found = _DAY.match(line.strip())
        if found:
            special[found[1]] = _spans(found[2])
        elif line.strip():
            special[line.strip()[:40]] = []  # no day: said by the check
    given = {day: [list(span) for span in ranges if any(span)] for day, ranges in (_week() if week is None else week).items()}
    return calendars.Shape(
        name=" ".join(request.form.get("name", "").split()),
        zone=request.form.get("zone", "").strip()[:60],
        weekly={day: spans for day, spans in given.items() if spans},
        special=dict(sorted(special.items())),
    )


def _time(name: str) -> str:
    """A time as browsers send it; some send seconds, too, and people without such a field type one figure less."""
    text = request.form.get(name, "").strip()[:8]
    found = _TIME.match(text)
    return f"{int(found[1]):02}:{found[2]}" if found else text


def _spans(text: str) -> list[list[str]]:
    """ "9:00-13:00, 14:00–18:00" as [["09:00", "13:00"], ["14:00", "18:00"]]; what is none stays as it is, for the check to refuse."""
    found = []
    for part in filter(None, (part.strip() for part in text.split(","))):
        span = _SPAN.match(part)
        found.append([f"{int(span[1]):02}:{span[2]}", f"{int(span[3]):02}:{span[4]}"] if span else [part])
    return found
