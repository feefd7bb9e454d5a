"""Mail in and out."""

from __future__ import annotations

from helpdesk.actor import Actor
from helpdesk.events import event


@event
class MailStored:
    """A mail's bytes are safe; understanding them comes next."""

    arrival_id: int
    by: Actor


@event
class LargeMailStored:
    """A mail's bytes are safe; it is big or intricate, so it is understood where nobody waits behind it."""

    arrival_id: int
    by: Actor


@event
class MailNoted:
    """A mail that no person wrote left its mark and nothing else: a delivery report, a holiday reply. `what` is its kind."""

    arrival_id: int
    by: Actor
    ticket_id: int | None = None
    what: str = ""


@event
class MailQuarantined:
    """A mail could not be understood, or must not be acted on without a person."""

    arrival_id: int
    by: Actor
    why: str = ""


@event
class MailQueued:
    """A mail wants to leave, at `not_before` (ISO; empty: when its row says). `at_once`: whoever stated it is handing it over already."""

    outgoing_id: int
    by: Actor
    ticket_id: int | None = None
    not_before: str = ""
    at_once: bool = False


@event
class MailSent:
    """The mail server took it."""

    outgoing_id: int
    by: Actor
    ticket_id: int | None = None


@event
class MailDelayed:
    """The mail server did not take it yet; it is tried again later."""

    outgoing_id: int
    by: Actor
    ticket_id: int | None = None


@event
class MailWithdrawn:
    """A mail was taken out of the outbox before it left."""

    outgoing_id: int
    by: Actor
    ticket_id: int | None = None


@event
class MailFailed:
    """The mail server refused it for good, or we stopped trying."""

    outgoing_id: int
    by: Actor
    ticket_id: int | None = None


@event
class DeliveryFailed:
    """A delivery report says that a customer's address did not take our mail. `status` is RFC 3463's, such as 5.1.1."""

    contact_id: int
    by: Actor
    ticket_id: int | None = None
    status: str = ""
