"""A ticket's life, from opened to closed."""

from __future__ import annotations

from helpdesk.actor import Actor
from helpdesk.events import event


@event
class TicketOpened:
    """A request arrived and became a ticket."""

    ticket_id: int
    contact_id: int
    queue_id: int
    inbox_id: int
    channel: str
    status: str
    priority: str
    by: Actor
    organization_id: int | None = None


@event
class CustomerWrote:
    """The customer added a message to an existing ticket. `reopened` says whether that brought it back."""

    ticket_id: int
    contact_id: int
    message_id: int
    by: Actor
    reopened: bool = False


@event
class AgentReplied:
    """An agent answered the customer. The channel's door sends it; `not_before` passes first, so that it can be undone."""

    ticket_id: int
    message_id: int
    by: Actor
    contact_id: int | None = None
    first: bool = False


@event
class ReplyWithdrawn:
    """The agent took a reply back before it left."""

    ticket_id: int
    message_id: int
    by: Actor


@event
class ReplyScheduled:
    """An agent wrote a reply that leaves later, or chose another hour for it. `reply_id` is not a message's until it leaves."""

    ticket_id: int
    reply_id: int
    by: Actor


@event
class ScheduledReplyLeft:
    """A reply's hour came, or somebody did not want to wait for it."""

    ticket_id: int
    reply_id: int
    by: Actor


@event
class ScheduledReplyCancelled:
    """A reply that was to leave later does not. `why`: author, colleague, customer (wrote first), answered (by a colleague), closed."""

    ticket_id: int
    reply_id: int
    by: Actor
    why: str = ""


@event
class NoteAdded:
    """An agent wrote to colleagues. Customers never see it."""

    ticket_id: int
    message_id: int
    by: Actor


@event
class StatusChanged:
    """The ticket moved between new, open, pending and on hold."""

    ticket_id: int
    old: str
    new: str
    by: Actor


@event
class PriorityChanged:
    """Somebody made the ticket more or less urgent."""

    ticket_id: int
    old: str
    new: str
    by: Actor


@event
class TicketMoved:
    """The ticket went to another queue."""

    ticket_id: int
    old: int
    new: int
    by: Actor


@event
class TicketAssigned:
    """An agent owns the ticket now. `old` and `new` are users; `how` is offer, automatic, manual, reply or transfer."""

    ticket_id: int
    old: int | None
    new: int | None
    how: str
    by: Actor
    user_id: int | None = None


@event
class SubjectChanged:
    """The ticket got a better name."""

    ticket_id: int
    by: Actor


@event
class AnswersCorrected:
    """Somebody corrected what the ticket holds of its form. `fields` are the fields' keys; the values stand in `answer_change`."""

    ticket_id: int
    by: Actor
    fields: tuple[str, ...] = ()


@event
class TicketSolved:
    """An agent, or the customer, says the request is answered. The customer reopens it by writing again."""

    ticket_id: int
    old: str
    by: Actor


@event
class TicketReopened:
    """It was not answered after all."""

    ticket_id: int
    old: str
    by: Actor


@event
class TicketClosed:
    """Nothing more will be said here; writing again opens a new ticket."""

    ticket_id: int
    old: str
    by: Actor
