"""Who did what, when: the desk's own history, read from the events."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Any

from flask import Response, request
from flask_babel import to_utc
from sqlalchemy import Select, select

from helpdesk import db, events, web
from helpdesk.agents.admin import bp
from helpdesk.agents.admin.forms import page
from helpdesk.agents.admin.words import FACTS
from helpdesk.auth import User
from helpdesk.crm.models import Contact
from helpdesk.events import Event
from helpdesk.tickets.models import Ticket


@dataclass(frozen=True)
class Filters:
    """What the reader looks for; days are days of the reader's zone."""

    kind: str = ""
    who: int | None = None
    ticket: int | None = None
    since: date | None = None
    until: date | None = None


@dataclass(frozen=True)
class Names:
    """Names for the ids on one page: users, contacts, and tickets' numbers."""

    users: dict[int, str]
    contacts: dict[int, str]
    tickets: dict[int, int]


@bp.get("/events", endpoint="events")
def listed() -> Response:
    wanted = _filters()
    after = web.uncursor(request.args.get("after"), int)
    rows = list(db.session().scalars(_matching(wanted, after[0] if after else None).limit(web.PAGE + 1)))
    shown = web.paged(rows, web.PAGE, lambda row: (row.id,))
    kept = {name: value for name, value in request.args.items() if name != "after" and value}
    actors = list(db.session().scalars(select(User).where(User.role != "customer").order_by(User.name)))
    return page(
        "admin/events.html", events=shown, wanted=wanted, kept=kept, names=_names(shown.rows), actors=actors,
        kinds=[(kind, FACTS.get(kind, kind)) for kind in events.catalogue()], FACTS=FACTS,
    )  # fmt: skip


def _filters() -> Filters:
    """From the address; what cannot be read is left out."""

    def number(name: str) -> int | None:
        text = request.args.get(name, "").strip().lstrip("#")
        return int(text) if text.isdigit() and len(text) < 10 else None

    def day(name: str) -> date | None:
        try:
            return date.fromisoformat(request.args.get(name, ""))
        except ValueError:
            return None

    kind = request.args.get("kind", "")
    return Filters(kind if kind in events.catalogue() else "", number("who"), number("ticket"), day("since"), day("until"))


def _matching(wanted: Filters, before: int | None) -> Select[Any]:
    """The newest first. A ticket is asked for by its number."""
    found = select(Event).order_by(Event.id.desc())
    if before is not None:
        found = found.where(Event.id < before)
    if wanted.kind:
        found = found.where(Event.kind == wanted.kind)
    if wanted.who is not None:
        found = found.where(Event.actor_kind == "user", Event.actor_id == wanted.who)
    if wanted.ticket is not None:
        found = found.where(Event.ticket_id == select(Ticket.id).where(Ticket.number == wanted.ticket).scalar_subquery())
    if wanted.since is not None:
        found = found.where(Event.at >= _midnight(wanted.since))
    if wanted.until is not None:
        found = found.where(Event.at < _midnight(wanted.until + timedelta(days=1)))
    return found


def _midnight(day: date) -> datetime:
    """When the reader's day begins."""
    begins: datetime = to_utc(datetime.combine(day, time()))
    return begins.replace(tzinfo=UTC)


def _names(rows: Iterable[Event]) -> Names:
    """Three queries for a page, however many events stand on it."""
    rows = list(rows)
    users = {row.user_id for row in rows} | {row.actor_id for row in rows if row.actor_kind == "user"}
    for row in rows:
        users.update(value for name in ("old", "new") if row.kind == "ticket_assigned" and isinstance(value := row.data.get(name), int))
    contacts = {row.contact_id for row in rows} | {row.actor_for for row in rows}
    contacts |= {row.actor_id for row in rows if row.actor_kind in ("contact", "link")}
    session = db.session()
    return Names(
        _pairs(session.execute(select(User.id, User.name).where(User.id.in_(users - {None})))),
        _pairs(session.execute(select(Contact.id, Contact.name).where(Contact.id.in_(contacts - {None})))),
        _pairs(session.execute(select(Ticket.id, Ticket.number).where(Ticket.id.in_({row.ticket_id for row in rows} - {None})))),
    )


def _pairs(rows: Iterable[Any]) -> dict[int, Any]:
    return {key: value for key, value in rows}
