"""Send later: a reply written now leaves at its hour, unless the customer writes first or a colleague answers.

While it waits it is no message: customers, exports and clocks know nothing of it. When its hour comes it is sent as a reply of its author,
with everything that follows from one. What ends it before goes back to the author as a draft, with a notice; files, which a draft cannot
hold, stay on the ticket in an internal note.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from flask_babel import force_locale, gettext
from flask_babel import lazy_gettext as _
from sqlalchemy import Select, select, update
from sqlalchemy.orm import selectinload

from helpdesk import clock, db, web
from helpdesk.actor import SYSTEM, Actor
from helpdesk.agents import answering, notifications
from helpdesk.agents.scheduled.models import ScheduledFile, ScheduledReply, ScheduledState
from helpdesk.auth import User
from helpdesk.catalog import CustomerWrote, ReplyScheduled, ScheduledReplyCancelled, ScheduledReplyLeft
from helpdesk.errors import Conflict, Invalid
from helpdesk.events import reaction, record
from helpdesk.files import Stored
from helpdesk.tickets import thread
from helpdesk.tickets.intake import NewFile
from helpdesk.tickets.models import DeliveryState, Message, MessageKind, Status, Ticket

FARTHEST = timedelta(days=366)
#: How long the thread brings the words of a reply that came back to who may have the composer open.
JUST_BACK = timedelta(hours=1)
MORNING = 9
LATER = ("hour", "tomorrow", "own")
ENDED_MEANWHILE = _("This reply has left, or was taken back, meanwhile.")


def when(choice: str, typed: str, zone: str) -> datetime:
    """The moment that a person means: "hour", "tomorrow" (9:00) or "own" with a date and time as a browser types it, in their zone.

    Raises Invalid for anything else, for the past and for more than a year from now.
    """
    now = clock.now()
    here = ZoneInfo(zone)
    if choice == "hour":
        return now + timedelta(hours=1)
    if choice == "tomorrow":
        return (now.astimezone(here) + timedelta(days=1)).replace(hour=MORNING, minute=0, second=0, microsecond=0)
    try:
        at = datetime.fromisoformat(typed).replace(tzinfo=here) if choice == "own" else None
    except ValueError:
        at = None
    if at is None:
        raise Invalid(fields={"later_at": _("Please choose a day and a time.")})
    if not now < at <= now + FARTHEST:
        raise Invalid(fields={"later_at": _("Please choose a time from now to a year from now.")})
    return at


def schedule(
    ticket: Ticket,
    user: User,
    text: str,
    *,
    at: datetime,
    by: Actor,
    seen_message: int | None,
    client_id: str | None = None,
    files: tuple[NewFile, ...] = (),
    then: Status | None = None,
) -> ScheduledReply:
    """Let a reply leave at its hour; the draft is done with. Raises what `thread.reply` raises for the thread as it stands now."""
    session = db.session()
    if client_id and (twin := session.scalar(_of(ticket.id).where(ScheduledReply.client_id == client_id))):
        return twin
    body = thread.may_be_said(ticket, text, files, seen_message)
    row = ScheduledReply(
        ticket_id=ticket.id, user_id=user.id, body=body, send_at=at, then=then or "", seen=seen_message or thread.newest_public(ticket),
        client_id=client_id, state=ScheduledState.WAITING, made_at=clock.now(),
    )  # fmt: skip
    session.add(row)
    session.flush()
    for file in files:
        kept = file.stored
        session.add(
            ScheduledFile(
                reply_id=row.id, object_key=kept.key, name=file.name[:255] or "file", content_type=file.content_type[:120],
                size=kept.size, sha256=kept.sha256,
            )
        )  # fmt: skip
    session.flush()
    answering.forget_draft(user.id, ticket.id)
    record(ReplyScheduled(ticket.id, row.id, by))
    return load(row.id)


def edit(row: ScheduledReply, ticket: Ticket, *, body: str, at: datetime, by: Actor) -> ScheduledReply:
    """Say it differently, or at another time. Raises Conflict when it has left meanwhile, Invalid without text."""
    if row.user_id != by.user_id:
        raise Conflict(_("Only the author can change what a reply says."))
    text = thread.may_be_said(ticket, body, tuple(_new_files(row)), None)
    _end(row, ScheduledState.WAITING, body=text, send_at=at)
    record(ReplyScheduled(ticket.id, row.id, by))
    return row


def send_now(row: ScheduledReply, ticket: Ticket, *, by: Actor, seen_message: int | None) -> Message:
    """Do not wait any longer. Raises StaleTicket when the thread has moved on, Conflict when it has left meanwhile."""
    return _leave(row, ticket, by=by, seen_message=seen_message)


def cancel(row: ScheduledReply, ticket: Ticket, *, by: Actor, why: str = "") -> None:
    """It does not leave; its text is its author's draft again. Raises Conflict when it has left meanwhile."""
    why = why or ("author" if by.user_id == row.user_id else "colleague")
    files = tuple(_new_files(row))
    _end(row, ScheduledState.CANCELLED, why=why, ended_at=clock.now())
    _give_back(row, ticket, files)
    if why != "author":
        notifications.add(row.user_id, ticket.id, "unscheduled")
    record(ScheduledReplyCancelled(ticket.id, row.id, by, why=why))


def waiting(ticket_id: int) -> list[ScheduledReply]:
    """What waits for its hour on a ticket, the earliest first, with files."""
    found = _of(ticket_id).where(ScheduledReply.state == ScheduledState.WAITING).options(selectinload(ScheduledReply.files))
    return list(db.session().scalars(found.order_by(ScheduledReply.send_at, ScheduledReply.id)))


def returned(ticket_id: int, user_id: int) -> list[ScheduledReply]:
    """Replies of this author that came back as a draft within the hour, the latest last."""
    ended = ScheduledReply.state == ScheduledState.CANCELLED, ScheduledReply.ended_at > clock.now() - JUST_BACK
    return list(db.session().scalars(_of(ticket_id).where(ScheduledReply.user_id == user_id, *ended).order_by(ScheduledReply.id)))


def load(reply_id: int) -> ScheduledReply:
    """One, with its files, read anew. Raises NoResultFound."""
    found = select(ScheduledReply).where(ScheduledReply.id == reply_id).options(selectinload(ScheduledReply.files))
    return db.session().scalars(found, execution_options={"populate_existing": True}).one()


# --- its hour, and what may come before it -------------------------------------------------------------------------------


def _until(fact: ReplyScheduled) -> timedelta:
    return max(timedelta(), db.session().get_one(ScheduledReply, fact.reply_id).send_at - clock.now())


@reaction(ReplyScheduled, lane="io", delay=_until, key=lambda fact: f"scheduled:{fact.reply_id}", newcomer="move", name="scheduled.leave")
def leave(fact: ReplyScheduled) -> None:
    """Send a reply whose hour has come, unless the conversation went on without it."""
    row = load(fact.reply_id)
    if row.state is not ScheduledState.WAITING:
        return
    if row.send_at > clock.now():
        record(ReplyScheduled(fact.ticket_id, row.id, fact.by))
        return
    ticket = db.session().get_one(Ticket, row.ticket_id)
    obstacle = "closed" if ticket.status is Status.CLOSED else _came_between(row)
    if obstacle:
        cancel(row, ticket, by=SYSTEM, why=obstacle)
        return
    _leave(row, ticket, by=Actor("user", row.user_id), seen_message=None)


@reaction(CustomerWrote, lane="io", key=lambda fact: f"message:{fact.message_id}", name="scheduled.customer_first")
def hold_back(fact: CustomerWrote) -> None:
    """The customer wrote first: what was to leave later may no longer fit, so it goes back to its author."""
    ticket = db.session().get_one(Ticket, fact.ticket_id)
    for row in waiting(ticket.id):
        cancel(row, ticket, by=SYSTEM, why="customer")


def _came_between(row: ScheduledReply) -> str:
    """Who spoke since it was written: the customer themselves, or a colleague; what its own author said meanwhile stops nothing."""
    newer = select(Message.kind, Message.user_id).where(
        Message.ticket_id == row.ticket_id, Message.id > row.seen, Message.kind != MessageKind.NOTE, Message.automatic == "",
        Message.delivery != DeliveryState.WITHDRAWN,
    )  # fmt: skip
    for kind, user_id in db.session().execute(newer):
        if kind is MessageKind.INBOUND:
            return "customer"
        if user_id != row.user_id:
            return "answered"
    return ""


def _leave(row: ScheduledReply, ticket: Ticket, *, by: Actor, seen_message: int | None) -> Message:
    author = db.session().get_one(User, row.user_id)
    files = tuple(_new_files(row))
    _end(row, ScheduledState.SENT, ended_at=clock.now())
    _forget_files(row)
    then = Status(row.then) if row.then else None
    said = Actor("user", author.id)
    if author.active:
        message = answering.answer(ticket, author, row.body, by=said, seen_message=seen_message, files=files, then=then, keep_draft=True)
    else:
        message = thread.reply(ticket, row.body, by=said, seen_message=seen_message, files=files, then=then)
    row.message_id = message.id
    record(ScheduledReplyLeft(ticket.id, row.id, by))
    return message


def _end(row: ScheduledReply, state: ScheduledState, **values: object) -> None:
    """Change what still waits: whoever comes second finds nothing to change. Raises Conflict."""
    kept = db.session().execute(
        update(ScheduledReply)
        .where(ScheduledReply.id == row.id, ScheduledReply.state == ScheduledState.WAITING)
        .values(state=state, **values),
        execution_options={"synchronize_session": False},
    )
    if kept.rowcount != 1:  # type: ignore[attr-defined]
        raise Conflict(ENDED_MEANWHILE)
    db.session().refresh(row)


def _give_back(row: ScheduledReply, ticket: Ticket, files: tuple[NewFile, ...]) -> None:
    draft = answering.draft_of(row.user_id, ticket.id)
    begun = draft.body.strip() if draft is not None else ""
    kind = draft.kind if draft is not None and begun else "reply"
    answering.keep_draft(row.user_id, ticket.id, kind=kind, body=f"{begun}\n\n{row.body}" if begun else row.body)
    _forget_files(row)
    if files:
        author = db.session().get_one(User, row.user_id)
        with force_locale(author.language or web.settings().default_language):
            words = gettext("The files of a reply that was to leave later and did not.")
        thread.note(ticket, words, by=Actor("user", row.user_id), files=files)


def _new_files(row: ScheduledReply) -> list[NewFile]:
    return [NewFile(file.name, file.content_type, Stored(file.object_key, file.size, file.sha256)) for file in row.files]


def _forget_files(row: ScheduledReply) -> None:
    """Their rows only: the files themselves are a message's now."""
    for file in row.files:
        db.session().delete(file)


def _of(ticket_id: int) -> Select[ScheduledReply]:
    return select(ScheduledReply).where(ScheduledReply.ticket_id == ticket_id)
