"""Tickets for programs: list, find, and how they were rated. `changes` opens and changes them.

What a customer's own token sees of a ticket is what the customer sees: neither deadlines nor queues. A list costs two statements,
however long.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from typing import Annotated, Any

from pydantic import Field
from sqlalchemy import Select, func, select
from sqlalchemy.orm import aliased

from helpdesk import db, web
from helpdesk.auth import Principal, User
from helpdesk.channels.api import routes
from helpdesk.channels.api.routes import get
from helpdesk.channels.api.schemas import PLAIN, Key, Moment, Named, Page, Paging, Shown
from helpdesk.crm import contacts
from helpdesk.crm.models import Contact, Identity, IdentityKind, Organization, Rating
from helpdesk.events import Event
from helpdesk.tickets import policy, search
from helpdesk.tickets.models import Channel, Priority, Queue, Status, Ticket
from helpdesk.tickets.queries import find
from helpdesk.tickets.topics.models import Topic

#: Facts that customers may notice; the others are the desk's own business.
PUBLIC_FACTS = (
    "ticket_opened",
    "customer_wrote",
    "agent_replied",
    "status_changed",
    "subject_changed",
    "ticket_solved",
    "ticket_reopened",
    "ticket_closed",
)


# --- what is sent and shown -------------------------------------------------------------------------------------------


class TicketFilters(Paging):
    """Which tickets; several conditions narrow each other."""

    status: Annotated[list[Status], Field(description="One or more statuses: repeat the parameter.")] = []
    queue: Annotated[Key | None, Field(description="A queue's id.")] = None
    assignee: Annotated[str, Field(pattern="^(none|[1-9][0-9]{0,14})?$", description="A colleague's id, or none for what nobody owns.")] = (
        ""
    )
    requester: Annotated[Key | None, Field(description="A contact's id.")] = None
    updated_since: Annotated[Moment | None, Field(description="Only tickets to which something happened at or after this time.")] = None
    q: Annotated[str, Field(max_length=500, description="Words that the ticket contains, or its number."), PLAIN] = ""


class RequesterShown(Named):
    email: str | None


class TicketShown(Shown):
    """A ticket. `queue`, `version`, counters and what runs against the clock are null for a customer's token."""

    number: int
    subject: str
    status: Status
    priority: Priority
    channel: Channel
    language: str
    queue: Named | None
    assignee: Named | None
    requester: RequesterShown
    organization: Named | None
    snippet: str | None
    messages_count: int | None
    opened_at: datetime
    updated_at: datetime
    last_message_at: datetime
    waiting_since: datetime | None
    first_reply_at: datetime | None
    solved_at: datetime | None
    closed_at: datetime | None
    due_at: datetime | None
    breached_at: datetime | None
    reopens_count: int | None
    version: int | None
    topic: str | None
    custom: dict[str, Any]
    url: str


class TicketPage(Page[TicketShown]):
    pass


class RatingShown(Shown):
    """What the customer said. `current` is false for an answer that a later one replaced."""

    id: int
    kind: str
    score: int
    comment: str
    reason: str
    at: datetime
    current: bool


class RatingPage(Shown):
    items: list[RatingShown]


# --- routes -----------------------------------------------------------------------------------------------------------


@get("/tickets", scope="tickets:read", asks=TicketFilters, gives=TicketPage)
def tickets(asked: TicketFilters) -> Page[TicketShown]:
    """List tickets, newest first.

    The order is that of opening and never changes, so tickets that arrive while you page are neither skipped nor repeated: they
    are on the first page.
    """
    who = web.principal()
    found = _rows(who.staff).where(policy.visible(who), *_conditions(who, asked)).order_by(Ticket.id.desc()).limit(asked.limit + 1)
    if position := web.uncursor(asked.cursor, int):
        found = found.where(Ticket.id < position[0])
    paged = web.paged(list(db.session().execute(found)), asked.limit, lambda row: (row.Ticket.id,))
    return routes.page(TicketPage, paged, [shown_beside(who, row.Ticket, Beside(*row[1:])) for row in paged.rows], asked)


@get("/tickets/{number}", scope="tickets:read", gives=TicketShown)
def ticket(number: int) -> TicketShown:
    """Look at one ticket."""
    who = web.principal()
    return shown(who, find(who, number).id)


@get("/tickets/{number}/ratings", scope="tickets:read", gives=RatingPage)
def ratings(number: int) -> RatingPage:
    """How the customer found it, newest first."""
    one = find(web.principal(), number)
    given = db.session().scalars(select(Rating).where(Rating.ticket_id == one.id).order_by(Rating.id.desc()).limit(100))
    items = [
        RatingShown(
            id=row.id,
            kind=str(row.kind),
            score=row.score,
            comment=row.comment,
            reason=row.reason,
            at=row.at,
            current=row.superseded_at is None,
        )
        for row in given
    ]
    return RatingPage(items=items)


# --- finding ----------------------------------------------------------------------------------------------------------


def _conditions(who: Principal, asked: TicketFilters) -> list[Any]:
    wanted: list[Any] = []
    if asked.status:
        wanted.append(Ticket.status.in_(asked.status))
    if asked.queue is not None:
        wanted.append(Ticket.queue_id == asked.queue)
    if asked.assignee:
        wanted.append(Ticket.assignee_id.is_(None) if asked.assignee == "none" else Ticket.assignee_id == int(asked.assignee))
    if asked.requester is not None:
        wanted.append(Ticket.requester_id.in_(contacts.group(asked.requester)))
    if asked.updated_since is not None:
        happened = select(Event.ticket_id).where(Event.at >= asked.updated_since, Event.ticket_id.is_not(None), *_noticeable(who.staff))
        wanted.append(Ticket.id.in_(happened))
    if asked.q.strip():
        wanted.append(search.matching(asked.q, public=not who.staff))
    return wanted


def _noticeable(staff: bool) -> list[Any]:
    return [] if staff else [Event.kind.in_(PUBLIC_FACTS)]


@dataclass(frozen=True)
class Beside:
    """What is shown beside a ticket's own columns, in the order of `_rows`: names, the address, when something happened last."""

    queue: str
    owner: str | None
    requester: str
    email: str | None
    organization: str | None
    topic: str | None
    updated_at: datetime | None


def email_of(contact: Any) -> Any:
    """The address to write to, as a part of another statement; the same choice as `contacts.email_of`."""
    return (
        select(Identity.value)
        .where(Identity.contact_id == contact, Identity.kind == IdentityKind.EMAIL)
        .order_by(Identity.failing_since.is_not(None), Identity.preferred.desc(), Identity.verified_at.is_(None), Identity.id)
        .limit(1)
        .scalar_subquery()
    )


@lru_cache(maxsize=2)
def _rows(staff: bool) -> Select[Any]:
    """A ticket with what is shown beside it, in one statement; built once, because building it costs more than running it."""
    owner = aliased(User)
    updated = select(func.max(Event.at)).where(Event.ticket_id == Ticket.id, *_noticeable(staff)).correlate(Ticket).scalar_subquery()
    return (
        select(
            Ticket,
            Queue.name.label("queue"),
            owner.name.label("owner"),
            Contact.name.label("requester"),
            email_of(Ticket.requester_id).label("email"),
            Organization.name.label("organization"),
            Topic.key.label("topic"),
            updated.label("updated_at"),
        )
        .join(Queue, Queue.id == Ticket.queue_id)
        .join(Contact, Contact.id == Ticket.requester_id)
        .outerjoin(owner, owner.id == Ticket.assignee_id)
        .outerjoin(Organization, Organization.id == Ticket.organization_id)
        .outerjoin(Topic, Topic.id == Ticket.topic_id)
    )


def shown(who: Principal, ticket_id: int) -> TicketShown:
    """One ticket as `who` is shown it."""
    row: Any = db.session().execute(_rows(who.staff).where(Ticket.id == ticket_id)).one()
    return shown_beside(who, row.Ticket, Beside(*row[1:]))


def shown_beside(who: Principal, one: Ticket, beside: Beside) -> TicketShown:
    staff = who.staff
    return TicketShown(
        number=one.number,
        subject=one.subject,
        status=one.status,
        priority=one.priority,
        channel=one.channel,
        language=one.language,
        queue=Named(id=one.queue_id, name=beside.queue) if staff else None,
        assignee=Named(id=one.assignee_id, name=beside.owner or "") if one.assignee_id is not None else None,
        requester=RequesterShown(id=one.requester_id, name=beside.requester, email=beside.email),
        organization=Named(id=one.organization_id, name=beside.organization or "") if one.organization_id is not None else None,
        snippet=one.snippet if staff else None,
        messages_count=one.messages_count if staff else None,
        opened_at=one.opened_at,
        updated_at=beside.updated_at or one.opened_at,
        last_message_at=one.last_message_at,
        waiting_since=one.waiting_since,
        first_reply_at=one.first_reply_at,
        solved_at=one.solved_at,
        closed_at=one.closed_at,
        due_at=one.next_due_at if staff else None,
        breached_at=one.breached_at if staff else None,
        reopens_count=one.reopens_count if staff else None,
        version=one.version if staff else None,
        topic=beside.topic,
        custom=dict(one.custom),
        url=routes.address(ticket, number=one.number),
    )
