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
    """A customer is to be called: because of a bad rating, or because somebody said so. `user_id` is who does it, if anybody yet."""

    contact_id: int
    call_id: int
    by: Actor
    user_id: int | None = None


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
