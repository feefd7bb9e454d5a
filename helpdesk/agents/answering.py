"""An agent answers: whoever answers a ticket nobody owns, owns it."""

from __future__ import annotations

from sqlalchemy import delete

from helpdesk import clock, db
from helpdesk.actor import Actor
from helpdesk.agents import assignments
from helpdesk.agents.models import Draft
from helpdesk.auth import User
from helpdesk.tickets import thread
from helpdesk.tickets.intake import NewFile
from helpdesk.tickets.models import UNSOLVED, Message, Status, Ticket


def answer(
    ticket: Ticket,
    user: User,
    text: str,
    *,
    by: Actor,
    seen_message: int | None,
    client_id: str | None = None,
    files: tuple[NewFile, ...] = (),
    then: Status | None = None,
    keep_draft: bool = False,
) -> Message:
    """Reply to the customer and take the ticket if it is nobody's; the draft is done with. Raises what `thread.reply` raises.

    `keep_draft`: what is sent was written earlier; the draft is something else by now.
    """
    if ticket.assignee_id is None and ticket.status in UNSOLVED:
        assignments.assign(ticket, user, how="reply", by=by)
    message = thread.reply(ticket, text, by=by, seen_message=seen_message, client_id=client_id, files=files, then=then)
    if not keep_draft:
        forget_draft(user.id, ticket.id)
    return message


def add_note(ticket: Ticket, user: User, text: str, *, by: Actor, client_id: str | None = None, files: tuple[NewFile, ...] = ()) -> Message:
    """Leave a note to colleagues; the draft is done with."""
    message = thread.note(ticket, text, by=by, client_id=client_id, files=files)
    forget_draft(user.id, ticket.id)
    return message


def keep_draft(user_id: int, ticket_id: int, *, kind: str, body: str) -> Draft | None:
    """Keep what is being written; an empty text forgets it."""
    if not body.strip():
        forget_draft(user_id, ticket_id)
        return None
    draft = Draft(user_id=user_id, ticket_id=ticket_id, kind=kind if kind in ("reply", "note") else "reply", body=body[: thread.LONGEST])
    draft.updated_at = clock.now()
    return db.session().merge(draft)


def draft_of(user_id: int, ticket_id: int) -> Draft | None:
    return db.session().get(Draft, (user_id, ticket_id))


def forget_draft(user_id: int, ticket_id: int) -> None:
    db.session().execute(delete(Draft).where(Draft.user_id == user_id, Draft.ticket_id == ticket_id))
