"""How it was: surveys and their answers, calls that are owed, what customers buy."""

from __future__ import annotations

from helpdesk.actor import Actor
from helpdesk.events import event


@event
class SurveySent:
    """The customer was asked how it was."""

    ticket_id: int
    contact_id: int
    survey_id: int
    by: Actor


@event
class TicketRated:
    """The customer told us how it was."""

    ticket_id: int
    contact_id: int
    rating_id: int
    score: int
    by: Actor


@event
class RelationshipAsked:
    """A customer was asked about us as a whole, not about a ticket."""

    contact_id: int
    survey_id: int
    by: Actor


@event
class SurveyReminded:
    """A customer who did not answer yet was reminded, once."""

    contact_id: int
    survey_id: int
    by: Actor
    ticket_id: int | None = None


@event
class RelationshipRated:
    """A customer told us how it is with us as a whole."""

    contact_id: int
    rating_id: int
    score: int
    by: Actor


@event
class CallOwed:
    """A customer is to be called: because of a bad rating, or because somebody said so; also when the call changes hands or moves.

    `user_id` is who does it, if anybody yet; `due` until when, in seconds since 1970.
    """

    contact_id: int
    call_id: int
    by: Actor
    user_id: int | None = None
    due: float = 0.0


@event
class CallTold:
    """A colleague was told of a call that is owed; `late` when its time was past without it. `due` as in CallOwed."""

    contact_id: int
    call_id: int
    user_id: int
    late: bool
    due: float
    by: Actor


@event
class CallSettled:
    """A call that was owed was made, or dropped."""

    contact_id: int
    call_id: int
    outcome: str
    by: Actor


@event
class CorrectionChanged:
    """Something is to be done, or was done, about a reason for dissatisfaction. `state`: planned, in_force, dropped."""

    correction_id: int
    state: str
    by: Actor


@event
class OrderChanged:
    """A purchase was written down, paid, or came back; `what`: order, payment, return."""

    contact_id: int
    order_id: int
    what: str
    by: Actor


@event
class ValueWanted:
    """Everybody's value is to be computed anew."""

    run_id: int
    by: Actor
