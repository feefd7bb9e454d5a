"""The tickets behind a figure of the wallboard: the conditions of `agents.counted` as a list, with what each ticket adds to the figure."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, cast

from sqlalchemy import ColumnElement, and_, or_, select
from sqlalchemy.orm import InstrumentedAttribute
from sqlalchemy.sql import Select

from helpdesk import clock, db, web
from helpdesk.agents import counted
from helpdesk.auth import User
from helpdesk.crm.models import Contact, Rating
from helpdesk.errors import NotFound
from helpdesk.tickets.models import Channel, SlaClock, Status, Ticket

PAGE = 50

#: The figures that can be opened, by the word in the address.
FIGURES = ("waiting", "breached", "at-risk", "service-level", "first-reply", "csat", "csat-month", "arrived", "answered")


@dataclass(frozen=True)
class Row:
    """One ticket of a figure. `at` is the moment that orders the list; `seconds` a time, `good` a verdict, `score` a rating."""

    id: int
    number: int
    subject: str
    customer: str
    assignee: str
    queue_id: int
    channel: Channel
    status: Status
    at: datetime
    seconds: float | None = None
    good: bool | None = None
    score: int | None = None


def page(figure: str, queue_id: int | None, *, zone: str, cursor: str | None = None, limit: int = PAGE) -> web.Paged[Row]:
    """One page of the tickets that a figure counts, the most pressing or the newest first. Raises NotFound for an unknown figure."""
    now = clock.now()
    day = counted.today(now, zone)
    scope = counted.of_queue(queue_id)
    until = now + timedelta(microseconds=1)
    match figure:
        case "waiting":
            found, order, down = _tickets(Ticket.waiting_since, scope, counted.waiting()), Ticket.waiting_since, False
        case "breached":
            found, order, down = _tickets(Ticket.next_due_at, scope, counted.breached(now)), Ticket.next_due_at, False
        case "at-risk":
            found, order, down = _tickets(Ticket.next_due_at, scope, counted.at_risk(now)), Ticket.next_due_at, False
        case "first-reply" | "answered":
            found = _tickets(Ticket.first_reply_at, scope, Ticket.first_reply_at >= day.start, Ticket.first_reply_at < until)
            order, down = Ticket.first_reply_at, True
        case "arrived":
            found = _tickets(Ticket.opened_at, scope, Ticket.opened_at >= day.start, Ticket.opened_at < until)
            order, down = Ticket.opened_at, True
        case "service-level":
            found = _tickets(SlaClock.due_at, scope, or_(counted.in_time(day.start, until), counted.too_late(day.start, now)))
            found, order, down = found.join(SlaClock, SlaClock.ticket_id == Ticket.id).add_columns(SlaClock.state), SlaClock.due_at, True
        case "csat" | "csat-month":
            since = day.start if figure == "csat" else now - timedelta(days=counted.MONTH)
            found = _tickets(Rating.at, Ticket.merged_into_id.is_(None), counted.rated(since, queue_id))
            found, order, down = found.join(Rating, Rating.ticket_id == Ticket.id).add_columns(Rating.score), Rating.at, True
        case _:
            raise NotFound
    found = _after(found, order, down, web.uncursor(cursor, datetime, int))
    rows = [_row(figure, row, now) for row in db.session().execute(found.limit(limit + 1))]
    return web.paged(rows, limit, lambda row: (row.at, row.id))


def _tickets(at: InstrumentedAttribute[Any], *conditions: ColumnElement[bool]) -> Select[Any]:
    found = (
        select(
            Ticket.id, Ticket.number, Ticket.subject, Ticket.queue_id, Ticket.channel, Ticket.status,
            Ticket.opened_at, Ticket.first_reply_at, Contact.name.label("customer"), User.name.label("assignee"), at.label("at"),
        )
        .join(Contact, Contact.id == Ticket.requester_id)
        .outerjoin(User, User.id == Ticket.assignee_id)
        .where(*conditions)
    )  # fmt: skip
    return cast("Select[Any]", found)


def _after(found: Select[Any], order: InstrumentedAttribute[Any], down: bool, place: tuple[Any, ...] | None) -> Select[Any]:
    if place is not None:
        at, last = place
        beyond = order < at if down else order > at
        found = found.where(or_(beyond, and_(order == at, Ticket.id < last if down else Ticket.id > last)))
    return found.order_by(order.desc() if down else order, Ticket.id.desc() if down else Ticket.id)


def _row(figure: str, row: Any, now: datetime) -> Row:
    seconds: float | None = None
    good: bool | None = None
    score: int | None = None
    match figure:
        case "waiting":
            seconds = (now - row.at).total_seconds()
        case "breached" | "at-risk":
            seconds = (row.at - now).total_seconds()
        case "first-reply" | "answered":
            seconds = (row.first_reply_at - row.opened_at).total_seconds()
        case "service-level":
            good = row.state == "met"
            seconds = (row.first_reply_at - row.opened_at).total_seconds() if row.first_reply_at is not None else None
        case "csat" | "csat-month":
            score = row.score
            good = score >= 4
    return Row(
        row.id, row.number, row.subject, row.customer, row.assignee or "", row.queue_id, row.channel, row.status, row.at,
        seconds=seconds, good=good, score=score,
    )  # fmt: skip
