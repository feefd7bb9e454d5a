"""What is written on a ticket: the thread, a reply, a note, a customer's words brought by a program, and files both ways.

Customers' own tokens see what customers see: no notes, nothing that was taken back, nothing that still can be.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, Any, Literal

from flask import Response
from flask_babel import lazy_gettext as _
from pydantic import Field
from sqlalchemy import ColumnElement, and_, not_, select
from sqlalchemy.orm import selectinload

from helpdesk import clock, db, web
from helpdesk.actor import Actor
from helpdesk.auth import Principal, User, require
from helpdesk.channels.api import routes
from helpdesk.channels.api.routes import get, post
from helpdesk.channels.api.schemas import PLAIN, Key, Page, Paging, Shown, Wish
from helpdesk.crm.models import Contact
from helpdesk.errors import Conflict, Invalid, NotFound
from helpdesk.preferences import preferences
from helpdesk.tickets import attachments, intake, policy, thread
from helpdesk.tickets.intake import NewFile
from helpdesk.tickets.models import Channel, DeliveryState, Message, MessageKind, Status, Ticket
from helpdesk.tickets.queries import find

# --- what is sent and shown -------------------------------------------------------------------------------------------


class NewMessage(Wish):
    """A message to be added."""

    kind: Annotated[
        Literal["reply", "note", "inbound"],
        Field(description="reply goes to the customer, note stays with colleagues, inbound is what the requester wrote elsewhere."),
    ]
    body: Annotated[str, Field(max_length=thread.LONGEST, description="Plain text; may be empty beside files."), PLAIN] = ""
    then: Annotated[
        Literal["pending", "on_hold", "solved"] | None, Field(description="The ticket's status after a reply; left out, it is open.")
    ] = None
    seen_message: Annotated[
        Key | None, Field(description="The newest message you have read: a reply is refused with 409 if the thread went on since.")
    ] = None


class Author(Shown):
    """Who wrote it: a contact, a user, or the desk itself (id null)."""

    kind: Literal["contact", "user", "desk"]
    id: int | None
    name: str


class AttachmentShown(Shown):
    """A file. `size` in bytes."""

    id: int
    name: str
    content_type: str
    size: int
    sha256: str
    url: str


class MessageShown(Shown):
    """A message. `body` is plain text, `html` the same made safe where there was any, `quote` what it repeats of older ones."""

    id: int
    ticket: int
    kind: MessageKind
    channel: Channel
    at: datetime
    author: Author
    body: str
    html: str
    quote: str
    automatic: bool
    delivery: DeliveryState
    attachments: list[AttachmentShown]
    url: str


class MessagePage(Page[MessageShown]):
    pass


# --- routes -----------------------------------------------------------------------------------------------------------


@get("/tickets/{number}/messages", scope="tickets:read", asks=Paging, gives=MessagePage)
def messages(number: int, asked: Paging) -> Page[MessageShown]:
    """List a ticket's messages, oldest first."""
    who = web.principal()
    one = find(who, number)
    found = _thread(who).where(Message.ticket_id == one.id).order_by(Message.id).limit(asked.limit + 1)
    if position := web.uncursor(asked.cursor, int):
        found = found.where(Message.id > position[0])
    paged = web.paged(list(db.session().scalars(found)), asked.limit, lambda row: (row.id,))
    return routes.page(MessagePage, paged, _shown(paged.rows, one), asked)


@post("/tickets/{number}/messages", scope="tickets:write", takes=NewMessage, gives=MessageShown, files=True, conflicts=True)
def write(number: int, sent: NewMessage, files: tuple[NewFile, ...]) -> MessageShown:
    """Reply to the customer, leave a note, or add what the customer wrote.

    A reply leaves by the ticket's channel after the time in which it can be taken back. A customer's own token adds inbound messages only.
    """
    who = web.principal()
    one = find(who, number)
    by = web.current_actor()
    if sent.kind == "inbound":
        made = _customer_wrote(who, one, sent, files)
    elif sent.kind == "note":
        require(policy.may(who, "note", one))
        made = thread.note(one, sent.body, by=by, files=files)
    else:
        require(policy.may(who, "reply", one))
        then = Status(sent.then) if sent.then else None
        made = thread.reply(one, sent.body, by=by, seen_message=sent.seen_message, files=files, then=then)
    return _look(made.id, one)


@get("/messages/{id}", scope="tickets:read", gives=MessageShown)
def message(id: int) -> MessageShown:
    """Look at one message."""
    who = web.principal()
    found = (
        db.session()
        .execute(
            select(Message, Ticket)
            .join(Ticket, Ticket.id == Message.ticket_id)
            .where(Message.id == id, policy.visible(who), *_readable(who))
        )
        .first()
    )
    if found is None:
        raise NotFound
    return _look(found.Message.id, found.Ticket)


@get("/attachments/{id}", scope="tickets:read", media="application/octet-stream")
def attachment(id: int) -> Response:
    """Download a file."""
    return attachments.answer(attachments.find(web.principal(), id))


# --- below ------------------------------------------------------------------------------------------------------------


def _readable(who: Principal) -> list[ColumnElement[bool]]:
    """Which messages of a visible ticket this person may read."""
    if who.staff:
        return []
    may_be_undone = and_(Message.delivery == DeliveryState.WAITING, Message.at > clock.now() - preferences().undo)
    return [Message.kind != MessageKind.NOTE, Message.delivery != DeliveryState.WITHDRAWN, not_(may_be_undone)]


def _thread(who: Principal) -> Any:
    return select(Message).where(*_readable(who)).options(selectinload(Message.attachments))


def _look(message_id: int, one: Ticket) -> MessageShown:
    db.session().flush()
    found = select(Message).where(Message.id == message_id).options(selectinload(Message.attachments))
    return _shown([db.session().execute(found).scalar_one()], one)[0]


def _shown(rows: Sequence[Message], one: Ticket) -> list[MessageShown]:
    """Messages with their authors' names, looked up together."""
    session = db.session()
    users = {row.user_id for row in rows if row.user_id is not None}
    people = {row.contact_id for row in rows if row.contact_id is not None}
    names: dict[tuple[str, int], str] = {}
    if users:
        names.update({("user", row.id): row.name for row in session.execute(select(User.id, User.name).where(User.id.in_(users)))})
    if people:
        names.update(
            {("contact", row.id): row.name for row in session.execute(select(Contact.id, Contact.name).where(Contact.id.in_(people)))}
        )
    return [_one(row, one, names) for row in rows]


def _one(row: Message, one: Ticket, names: dict[tuple[str, int], str]) -> MessageShown:
    if row.contact_id is not None:
        author = Author(kind="contact", id=row.contact_id, name=names[("contact", row.contact_id)])
    elif row.user_id is not None:
        author = Author(kind="user", id=row.user_id, name=names[("user", row.user_id)])
    else:
        author = Author(kind="desk", id=None, name="")
    return MessageShown(
        id=row.id,
        ticket=one.number,
        kind=row.kind,
        channel=row.channel,
        at=row.at,
        author=author,
        body=row.text,
        html=row.html,
        quote=row.quote,
        automatic=bool(row.automatic),
        delivery=row.delivery,
        attachments=[
            AttachmentShown(
                id=file.id,
                name=file.name,
                content_type=file.content_type,
                size=file.size,
                sha256=file.sha256,
                url=routes.address(attachment, id=file.id),
            )
            for file in row.attachments
        ],
        url=routes.address(message, id=row.id),
    )


def _customer_wrote(who: Principal, one: Ticket, sent: NewMessage, files: tuple[NewFile, ...]) -> Message:
    """Add the customer's own words, or those of the requester that a colleague's program brings."""
    require(policy.may(who, "reply" if who.staff else "write", one, takes_part=True))
    if one.status is Status.CLOSED:
        raise Conflict(_("This ticket is closed. Open a new one."))
    author = db.session().get_one(Contact, one.requester_id if who.staff or who.contact_id is None else who.contact_id)
    by = web.current_actor()
    if who.contact_id != author.id:
        by = Actor(by.kind, by.id, on_behalf_of=author.id, via=by.via, owner=by.owner)
    body = sent.body.replace("\r\n", "\n").strip()
    if not body and not files:
        raise Invalid(fields={"body": _("Write something first.")})
    return intake.append(one, intake.Incoming(author, body, Channel.API, files=files), by=by)
