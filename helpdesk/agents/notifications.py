"""What happened for an agent while they were not looking: a ticket given to them, their customer's answer or rating, an article, a call."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, cast

from sqlalchemy import Table, bindparam, exists, func, insert, select, update

from helpdesk import clock, db
from helpdesk.agents import call_notices
from helpdesk.agents.models import Notification
from helpdesk.auth import User
from helpdesk.catalog import CustomerWrote, NoteAdded, ReviewDue, TicketRated
from helpdesk.events import reaction
from helpdesk.kb import queries as kb_queries
from helpdesk.kb.models import Article
from helpdesk.tickets.models import Ticket


@reaction(CustomerWrote, key=lambda fact: f"message:{fact.message_id}", name="notifications.answered")
def tell_owner_of_answer(fact: CustomerWrote) -> None:
    """Your customer wrote."""
    ticket = db.session().get_one(Ticket, fact.ticket_id)
    if ticket.assignee_id is not None:
        add(ticket.assignee_id, ticket.id, "answered")


@reaction(NoteAdded, key=lambda fact: f"message:{fact.message_id}", name="notifications.note")
def tell_owner_of_note(fact: NoteAdded) -> None:
    """A colleague left a note on your ticket."""
    ticket = db.session().get_one(Ticket, fact.ticket_id)
    if ticket.assignee_id is not None and fact.by.user_id != ticket.assignee_id:
        add(ticket.assignee_id, ticket.id, "note")


@reaction(TicketRated, key=lambda fact: f"rating:{fact.rating_id}", name="notifications.rated")
def tell_owner_of_rating(fact: TicketRated) -> None:
    """Your customer said how it was."""
    ticket = db.session().get_one(Ticket, fact.ticket_id)
    if ticket.assignee_id is not None:
        add(ticket.assignee_id, ticket.id, "rated")


@reaction(ReviewDue, key=lambda fact: f"article:{fact.article_id}:{fact.late}", name="notifications.review")
def tell_owner_of_review(fact: ReviewDue) -> None:
    """An article of yours is to be looked at again; or that has been due for a week."""
    article = db.session().get(Article, fact.article_id)
    owner = db.session().get(User, article.owner_id) if article is not None and article.owner_id is not None else None
    if owner is not None and owner.active:
        row = Notification(user_id=owner.id, article_id=fact.article_id, kind="review_overdue" if fact.late else "review_due")
        db.session().add(row)


def add(user_id: int, ticket_id: int, kind: str) -> None:
    """One unread notification per ticket and kind: more of the same only renews it."""
    connection = db.session().connection()
    values = {"whom": user_id, "what": ticket_id, "as": kind, "now": clock.now()}
    if connection.execute(_ADDING, values).rowcount != 1:
        connection.execute(_RENEWING, values)


def _made_once() -> tuple[Any, Any]:
    """Add unless one waits, and renew the one that waits: made once, since every assignment asks."""
    table = cast(Table, Notification.__table__)
    row = table.c
    whom, what, kind = (
        bindparam("whom", type_=row.user_id.type),
        bindparam("what", type_=row.ticket_id.type),
        bindparam("as", type_=row.kind.type),
    )
    now = bindparam("now", type_=row.at.type)
    same = (row.user_id == whom, row.ticket_id == what, row.kind == kind, row.read_at.is_(None))
    new = select(whom, what, kind, now).where(~exists().where(*same))
    return insert(table).from_select(["user_id", "ticket_id", "kind", "at"], new), update(table).where(*same).values(at=now)


_ADDING, _RENEWING = _made_once()


def unread_count(user_id: int) -> int:
    return db.session().connection().scalar(_UNREAD, {"whom": user_id}) or 0


_UNREAD = (
    select(func.count())
    .select_from(Notification)
    .where(Notification.user_id == bindparam("whom", type_=Notification.user_id.type), Notification.read_at.is_(None))
)


@dataclass(frozen=True)
class News:
    """A notification with what it is about: a ticket, an article by its title, or a call by whom to call."""

    note: Notification
    ticket: Ticket | None
    title: str = ""
    call: call_notices.Call | None = None


def latest(user_id: int, *, language: str = "en", limit: int = 30) -> list[News]:
    """The newest notifications, unread first; titles of articles in `language` where they have one."""
    found = (
        select(Notification, Ticket)
        .outerjoin(Ticket, Ticket.id == Notification.ticket_id)
        .where(Notification.user_id == user_id)
        .order_by(Notification.read_at.is_not(None), Notification.at.desc())
        .limit(limit)
    )
    rows = db.session().execute(found).all()
    titles = kb_queries.titles({row.Notification.article_id for row in rows if row.Notification.article_id is not None}, language)
    calls = call_notices.about(user_id, [row.Notification for row in rows])
    return [News(row.Notification, row.Ticket, titles.get(row.Notification.article_id, ""), calls.get(row.Notification.id)) for row in rows]


def read(user_id: int, *, ticket_id: int | None = None, article_id: int | None = None) -> None:
    """Mark as read: of one ticket or article, because it was opened, or all."""
    done = update(Notification).where(Notification.user_id == user_id, Notification.read_at.is_(None))
    if ticket_id is not None:
        done = done.where(Notification.ticket_id == ticket_id)
    if article_id is not None:
        done = done.where(Notification.article_id == article_id)
    db.session().execute(done.values(read_at=clock.now()), execution_options={"synchronize_session": False})
