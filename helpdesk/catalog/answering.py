"""Who answers: work that waits, offers, presence, and what customers wish meanwhile."""

from __future__ import annotations

from helpdesk.actor import Actor
from helpdesk.events import event


@event
class ItemQueued:
    """Work waits for an agent. `next_step_at` (ISO, or empty) is when more agents are admitted.

    `channel` empty: stored before it was told.
    """

    ticket_id: int
    item_id: int
    queue_id: int
    by: Actor
    next_step_at: str = ""
    channel: str = ""


@event
class ItemWidened:
    """Work has waited so long that more agents are admitted to it; `step` is where it stands now."""

    ticket_id: int
    item_id: int
    queue_id: int
    step: int
    by: Actor
    next_step_at: str = ""


@event
class EmergencyDeclared:
    """Somebody who leads says that this cannot wait for anything: it goes before all other work."""

    ticket_id: int
    by: Actor


@event
class ContactEnded:
    """A chat or a call is over, whether an agent had it or the customer gave up waiting."""

    ticket_id: int
    item_id: int
    channel: str
    by: Actor


@event
class WrapUpBegan:
    """An agent finishes up after a piece of work. `until` (ISO, or empty) is when that ends by itself."""

    ticket_id: int
    wrap_up_id: int
    user_id: int
    by: Actor
    until: str = ""


@event
class WrapUpEnded:
    """The agent is done with finishing up, or its time is over."""

    ticket_id: int
    wrap_up_id: int
    user_id: int
    by: Actor
    disposition_id: int | None = None


@event
class OfferMade:
    """Work is held out to one agent, until `until` (ISO)."""

    ticket_id: int
    offer_id: int
    item_id: int
    user_id: int
    by: Actor
    until: str = ""


@event
class OfferAccepted:
    """The agent took it."""

    ticket_id: int
    offer_id: int
    user_id: int
    by: Actor


@event
class OfferDeclined:
    """The agent would rather not, and said why."""

    ticket_id: int
    offer_id: int
    user_id: int
    by: Actor
    reason: str = ""


@event
class OfferExpired:
    """Nobody reacted in time; the work waits again, with its place kept."""

    ticket_id: int
    offer_id: int
    user_id: int
    by: Actor


@event
class OfferWithdrawn:
    """What was held out to an agent is no longer to be had: it moved, was given to somebody, or is done. The agent has room again."""

    ticket_id: int
    offer_id: int
    user_id: int
    by: Actor


@event
class AssignmentEnded:
    """An agent no longer owns the work: solved, transferred or handed back. Their capacity is free again."""

    ticket_id: int
    item_id: int
    user_id: int
    how: str
    by: Actor


@event
class ContactWished:
    """The customer would rather be written to, or called, than wait at the page. `kind` is email or phone."""

    ticket_id: int
    contact_id: int
    kind: str
    by: Actor


@event
class WishSettled:
    """The customer was reached as they wished (done), or waits at the page after all (taken_back)."""

    ticket_id: int
    how: str
    by: Actor


@event
class CapacityExceeded:
    """A person gave an agent more than they can carry at once. It is theirs, and does not count against routing's guard."""

    ticket_id: int
    user_id: int
    by: Actor
    load: int = 0
    capacity: int = 0


@event
class PresenceChanged:
    """An agent became available, away, not responding, wrapping up or offline."""

    user_id: int
    old: str
    new: str
    by: Actor
    reason: str = ""


@event
class LinkAsked:
    """Somebody wants a fresh link to a ticket; the contact's own address gets it, nobody else."""

    ticket_id: int
    contact_id: int
    by: Actor


@event
class LinksEnded:
    """Links to a ticket no longer open it: one person's, or without `contact_id` everybody's."""

    ticket_id: int
    by: Actor
    contact_id: int | None = None
