"""The thread: an agent replies to the customer or leaves a note to colleagues; a reply can be taken back while it waits to leave."""

from __future__ import annotations

from flask_babel import lazy_gettext as _
from sqlalchemy import func, select

from helpdesk import clock, db
from helpdesk.actor import Actor
from helpdesk.catalog import AgentReplied, NoteAdded, ReplyWithdrawn
from helpdesk.crm import timeline
from helpdesk.errors import Conflict, Invalid, StaleTicket
from helpdesk.events import record
from helpdesk.preferences import preferences
from helpdesk.tickets import lifecycle, search, sla
from helpdesk.tickets.intake import NewFile, attach, snippet_of
from helpdesk.tickets.models import Channel, DeliveryState, Message, MessageKind, Queue, Status, Ticket

LONGEST = 100_000


def reply(
    ticket: Ticket,
    text: str,
    *,
    by: Actor,
    seen_message: int | None = None,
    client_id: str | None = None,
    files: tuple[NewFile, ...] = (),
    then: Status | None = None,
) -> Message:
    """Answer the customer. The channel's door sends it once the undo time has passed.

    `seen_message` is the newest message the agent had on screen: when the customer (or a colleague) has written since,
    StaleTicket is raised and
    nothing is sent; the text stays with the agent. `client_id` makes a form sent twice one reply. `then`: solved, pending or on hold.
    Raises Invalid without text, Conflict on a closed ticket.
    """
    if client_id and (twin := _twin(ticket, client_id)):
        return twin
    body = may_be_said(ticket, text, files, seen_message)
    message = _add(ticket, MessageKind.REPLY, body, by=by, client_id=client_id, files=files)
    if ticket.channel is Channel.EMAIL or ticket.channel is Channel.PORTAL or ticket.channel is Channel.API:
        message.delivery = DeliveryState.WAITING
    first = ticket.first_reply_at is None
    if first:
        ticket.first_reply_at = clock.now()
    ticket.waiting_since = None
    ticket.replies_count = (ticket.replies_count or 0) + 1
    sla.stop(ticket, "replied")
    timeline.note(
        ticket.requester_id,
        "message",
        channel=ticket.channel,
        direction="out",
        organization_id=ticket.organization_id,
        ticket_id=ticket.id,
        message_id=message.id,
        user_id=by.user_id,
        title=ticket.subject,
    )
    record(AgentReplied(ticket.id, message.id, by, contact_id=ticket.requester_id, first=first))
    if then is Status.SOLVED:
        lifecycle.solve(ticket, by=by)
    elif then in (Status.PENDING, Status.ON_HOLD):
        lifecycle.set_status(ticket, then, by=by)
    elif ticket.status is Status.NEW or ticket.status is Status.SOLVED:
        lifecycle.set_status(ticket, Status.OPEN, by=by)
    return message


def note(ticket: Ticket, text: str, *, by: Actor, client_id: str | None = None, files: tuple[NewFile, ...] = ()) -> Message:
    """Tell colleagues something; the customer never sees it. Raises Invalid without text."""
    if client_id and (twin := _twin(ticket, client_id)):
        return twin
    message = _add(ticket, MessageKind.NOTE, _body(text, files), by=by, client_id=client_id, files=files)
    record(NoteAdded(ticket.id, message.id, by))
    return message


def withdraw(message: Message, ticket: Ticket, *, by: Actor) -> str:
    """Take a reply back before it leaves and give its text back. Raises Conflict when it is too late."""
    if message.kind is not MessageKind.REPLY or message.user_id != by.user_id:
        raise Conflict(_("Only the author can take a reply back."))
    if message.delivery is not DeliveryState.WAITING or clock.now() >= message.at + preferences().undo:
        raise Conflict(_("This reply has already left."))
    message.delivery = DeliveryState.WITHDRAWN
    _was_never_answered(ticket, message)
    record(ReplyWithdrawn(ticket.id, message.id, by))
    return message.text


def may_be_said(ticket: Ticket, text: str, files: tuple[NewFile, ...], seen_message: int | None) -> str:
    """A reply's text, tidied, if it may be sent on this ticket as it stands. Raises what `reply` raises."""
    body = _body(text, files)
    if ticket.status is Status.CLOSED:
        raise Conflict(_("This ticket is closed. Open a new one to write to the customer."))
    if seen_message is not None and (newer := newest_public(ticket)) and newer > seen_message:
        raise StaleTicket(_("There is a new message in this thread. Read it, then send your reply."))
    return body


def newest_public(ticket: Ticket) -> int:
    """The id of the newest message customers can see."""
    newest = select(func.max(Message.id)).where(
        Message.ticket_id == ticket.id, Message.kind != MessageKind.NOTE, Message.delivery != DeliveryState.WITHDRAWN
    )
    return db.session().scalar(newest) or 0


def _was_never_answered(ticket: Ticket, message: Message) -> None:
    """Put back what the reply had ended: the customer waits again since their oldest unanswered message."""
    session = db.session()
    public = select(Message).where(
        Message.ticket_id == ticket.id,
        Message.kind != MessageKind.NOTE,
        Message.delivery != DeliveryState.WITHDRAWN,
        Message.id != message.id,
    )
    history = list(session.scalars(public.order_by(Message.id)))
    answered = [m for m in history if m.kind is MessageKind.REPLY]
    waiting = [m for m in history if m.kind is MessageKind.INBOUND and not m.automatic and (not answered or m.id > answered[-1].id)]
    ticket.first_reply_at = answered[0].at if answered else None
    ticket.replies_count = len(answered)
    ticket.waiting_since = waiting[0].at if waiting else None
    if waiting and not sla.unstop(ticket, message.at):
        queue = session.get_one(Queue, ticket.queue_id)
        sla.start(ticket, sla.NEXT_REPLY if answered else sla.FIRST_REPLY, queue)


def _twin(ticket: Ticket, client_id: str) -> Message | None:
    return db.session().scalar(select(Message).where(Message.ticket_id == ticket.id, Message.client_id == client_id))


def _body(text: str, files: tuple[NewFile, ...]) -> str:
    body = text.replace("\r\n", "\n").replace("\x00", "").strip()
    if not body and not files:
        raise Invalid(fields={"body": _("Write something first.")})
    if len(body) > LONGEST:
        raise Invalid(fields={"body": _("This is longer than a message can be. Attach it as a file.")})
    return body


def _add(ticket: Ticket, kind: MessageKind, text: str, *, by: Actor, client_id: str | None, files: tuple[NewFile, ...]) -> Message:
    now = clock.now()
    message = Message(ticket_id=ticket.id, kind=kind, channel=ticket.channel, user_id=by.user_id, at=now, text=text, client_id=client_id)
    db.session().add(message)
    db.session().flush()
    attach(message, files)
    search.remember(message)
    ticket.messages_count = (ticket.messages_count or 0) + 1
    if kind is MessageKind.REPLY:
        ticket.last_message_at = now
        ticket.snippet = snippet_of(text)
    return message
