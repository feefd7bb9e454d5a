"""Notices: planned, shown and over; each with its texts, from when until when, and the article about it."""

from __future__ import annotations

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

from flask import Response, flash, request
from flask_babel import gettext as _
from flask_babel import lazy_gettext

from helpdesk import clock, web
from helpdesk.agents.admin.forms import REFUSALS, find, page, seen
from helpdesk.channels.portal import notices
from helpdesk.channels.portal.models import Level, Notice
from helpdesk.channels.portal.notices import Shape
from helpdesk.channels.portal.setup import bp
from helpdesk.errors import HelpdeskError, Invalid

LEVELS = [
    (Level.NEWS, lazy_gettext("News")),
    (Level.GOOD, lazy_gettext("Good news: something works again")),
    (Level.LIMITED, lazy_gettext("Something is limited or will pause")),
    (Level.DOWN, lazy_gettext("Something does not work")),
]
STATE = {"planned": lazy_gettext("Planned"), "shown": lazy_gettext("Shown now"), "over": lazy_gettext("Over")}


@bp.get("/notices", endpoint="notices")
def listed() -> Response:
    rows = notices.all_notices()
    return page("portal/setup/notices.html", notices=rows, states={row.id: notices.state(row) for row in rows}, STATE=STATE)


@bp.get("/notices/new")
def new_notice() -> Response:
    return _page(None)


@bp.post("/notices")
def add_notice() -> Response:
    try:
        notices.add(_shape(), by=web.current_actor())
    except REFUSALS as wrong:
        return _page(None, wrong)
    flash(_("Saved."))
    return web.see("/admin/portal/notices")


@bp.get("/notices/<int:notice_id>")
def notice(notice_id: int) -> Response:
    return _page(find(Notice, notice_id))


@bp.post("/notices/<int:notice_id>")
def change_notice(notice_id: int) -> Response:
    row = find(Notice, notice_id)
    try:
        notices.edit(row, _shape(), seen=seen(), by=web.current_actor())
    except REFUSALS as wrong:
        return _page(row, wrong)
    flash(_("Saved. Whoever had put it away sees it again."))
    return web.see("/admin/portal/notices")


@bp.post("/notices/<int:notice_id>/ending")
def end_notice(notice_id: int) -> Response:
    row = find(Notice, notice_id)
    try:
        notices.end(row, seen=seen(), by=web.current_actor())
    except REFUSALS as wrong:
        return _page(row, wrong)
    flash(_("It is no longer shown."))
    return web.see("/admin/portal/notices")


def _shape() -> Shape:
    return Shape(
        text=request.form.get("text", "").replace("\x00", ""),
        text_ru=request.form.get("text_ru", "").replace("\x00", ""),
        level=request.form.get("level", ""),
        from_at=_moment("from_at"),
        until_at=_moment("until_at"),
        article=request.form.get("article", ""),
        may_be_dismissed=request.form.get("may_be_dismissed") == "1",
    )


def _moment(name: str) -> datetime | None:
    """A field of day and time, on the writer's clock."""
    text = request.form.get(name, "").strip()
    if not text:
        return None
    try:
        return datetime.fromisoformat(text[:16]).replace(tzinfo=ZoneInfo(web.zone())).astimezone(UTC)
    except (ValueError, OverflowError):
        raise Invalid(fields={name: _("Please give a day and a time.")}) from None


def _local(at: datetime | None) -> str:
    return f"{at.astimezone(ZoneInfo(web.zone())):%Y-%m-%dT%H:%M}" if at is not None else ""


def _page(row: Notice | None, wrong: HelpdeskError | None = None) -> Response:
    return page(
        "portal/setup/notice.html",
        wrong,
        row=row,
        state=notices.state(row) if row is not None else "",
        from_at=_local(row.from_at if row is not None else clock.now()),
        until_at=_local(row.until_at) if row is not None else "",
        article=notices.article_address(row) if row is not None else "",
        LEVELS=LEVELS,
        zone=web.zone(),
    )
