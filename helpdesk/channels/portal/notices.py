"""Notices at the top of every page of the portal: a disturbance, a planned pause, news. Each for a while, in both languages."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from flask import Response, make_response, session
from flask_babel import gettext as _
from flask_babel import lazy_gettext
from sqlalchemy import select

from helpdesk import clock, db, versions, web
from helpdesk.actor import Actor
from helpdesk.catalog import SettingsChanged
from helpdesk.channels.portal import bp
from helpdesk.channels.portal.models import Level, Notice
from helpdesk.errors import Invalid, Words
from helpdesk.events import record
from helpdesk.kb import queries
from helpdesk.kb.models import Translation

LONGEST = 600
#: The word before a notice's text.
LEVEL: dict[Level, Words] = {
    Level.NEWS: lazy_gettext("News"),
    Level.GOOD: lazy_gettext("Good news"),
    Level.LIMITED: lazy_gettext("Please note"),
    Level.DOWN: lazy_gettext("Disturbance"),
}
#: How many dismissed notices a browser's session remembers, and how many are shown at once.
REMEMBERED, MOST = 20, 5
_ARTICLE = re.compile(r"(?:https?://[^/\s]+)?/kb/(en|ru)/([\w-]+)/?(?:[?#].*)?")


@dataclass(frozen=True)
class Shape:
    """What the form of a notice says. Moments are aware; `article` is the article's address, as it is copied from the browser."""

    text: str
    text_ru: str = ""
    level: str = Level.NEWS
    from_at: datetime | None = None
    until_at: datetime | None = None
    article: str = ""
    may_be_dismissed: bool = True


@dataclass(frozen=True)
class Shown:
    """A notice as a reader gets it."""

    id: int
    level: Level
    text: str
    article: str
    may_be_dismissed: bool


def add(shape: Shape, *, by: Actor) -> Notice:
    """A new notice. Raises Invalid."""
    made = Notice(**_columns(shape))
    db.session().add(made)
    db.session().flush()
    record(SettingsChanged(by, what="notice"))
    return made


def edit(notice: Notice, shape: Shape, *, seen: int | None, by: Actor) -> None:
    """Change a notice; whoever had put it away sees it again. Raises Invalid, Stale."""
    versions.change(notice, seen, **_columns(shape))
    record(SettingsChanged(by, what="notice"))


def end(notice: Notice, *, seen: int | None, by: Actor) -> None:
    """It is over now. Ending it twice changes nothing."""
    now = clock.now()
    if notice.until_at is None or notice.until_at > now:
        versions.change(notice, seen, until_at=max(now, notice.from_at))
        record(SettingsChanged(by, what="notice"))


def all_notices() -> list[Notice]:
    """The newest first."""
    return list(db.session().scalars(select(Notice).order_by(Notice.from_at.desc(), Notice.id.desc()).limit(200)))


def state(notice: Notice) -> str:
    """planned, shown or over."""
    now = clock.now()
    if notice.from_at > now:
        return "planned"
    return "over" if notice.until_at is not None and notice.until_at <= now else "shown"


def current() -> list[Shown]:
    """What is shown to this reader now, the worst first. Nothing where no transaction runs (an error's page)."""
    if not db.in_transaction():
        return []
    now, gone = clock.now(), session.get("dismissed", [])
    wanted = select(Notice).where(Notice.from_at <= now, Notice.until_at.is_(None) | (Notice.until_at > now))
    order = list(Level)
    rows = sorted(db.session().scalars(wanted), key=lambda row: (-order.index(row.level), -row.from_at.timestamp()))
    return [_shown(row) for row in rows if not (row.may_be_dismissed and _mark(row) in gone)][:MOST]


def article_address(notice: Notice) -> str:
    """The address of the article about the known problem, for this reader; empty when they may not read it."""
    if notice.article_id is None:
        return ""
    found = queries.address_of(notice.article_id, web.principal(), web.lang())
    return f"/kb/{found[0]}/{found[1]}" if found else ""


@bp.post("/notices/<int:notice_id>/dismissal")
def dismiss(notice_id: int) -> Response:
    """This browser need not see it again, until it is changed."""
    row = db.session().get(Notice, notice_id)
    if row is not None and row.may_be_dismissed:
        session["dismissed"] = [*(mark for mark in session.get("dismissed", []) if mark != _mark(row)), _mark(row)][-REMEMBERED:]
    return make_response("") if web.htmx() else web.see(web.back("/"))


@bp.app_context_processor
def _notices() -> dict[str, Any]:
    return {"notices": current, "LEVEL": LEVEL}


def _shown(row: Notice) -> Shown:
    text = row.text_ru if web.lang() == "ru" and row.text_ru else row.text
    return Shown(row.id, row.level, text, article_address(row), row.may_be_dismissed)


def _mark(row: Notice) -> str:
    return f"{row.id}.{row.version}"


def _columns(shape: Shape) -> dict[str, Any]:
    wrong: dict[str, Words] = {}
    text, text_ru = " ".join(shape.text.split()), " ".join(shape.text_ru.split())
    if not 1 <= len(text) <= LONGEST:
        wrong["text"] = _("Please write from %(least)s to %(most)s characters.", least=1, most=LONGEST)
    if len(text_ru) > LONGEST:
        wrong["text_ru"] = _("Please shorten this to %(n)s characters.", n=LONGEST)
    if shape.level not in set(Level):
        wrong["level"] = _("Please choose one of the list.")
    from_at = shape.from_at or clock.now()
    if shape.until_at is not None and shape.until_at <= from_at:
        wrong["until_at"] = _("It would end before it begins.")
    article_id = _article(shape.article) if shape.article.strip() else None
    if article_id == 0:
        wrong["article"] = _("There is no such article. Please copy its address from the browser.")
    if wrong:
        raise Invalid(fields=wrong)
    return {
        "text": text,
        "text_ru": text_ru,
        "level": Level(shape.level),
        "from_at": from_at,
        "until_at": shape.until_at,
        "article_id": article_id,
        "may_be_dismissed": shape.may_be_dismissed,
    }


def _article(address: str) -> int:
    """The id of the article at this address; 0 when there is none."""
    found = _ARTICLE.fullmatch(address.strip())
    if found is None:
        return 0
    wanted = select(Translation.article_id).where(Translation.language == found[1], Translation.slug == found[2])
    return db.session().scalar(wanted) or 0
