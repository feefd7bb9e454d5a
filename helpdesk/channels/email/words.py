"""Mail's words as people read them, in their language."""

from __future__ import annotations

from typing import Any

from flask_babel import gettext
from flask_babel import lazy_gettext as _

from helpdesk.channels.email.models import ArrivalState, OutgoingKind, OutgoingState, TextKind

ARRIVAL = {
    ArrivalState.STORED: _("Being read"),
    ArrivalState.ACCEPTED: _("New ticket"),
    ArrivalState.THREADED: _("Message on a ticket"),
    ArrivalState.NOTED: _("Noted"),
    ArrivalState.DUPLICATE: _("Duplicate"),
    ArrivalState.QUARANTINED: _("Put aside"),
    ArrivalState.REFUSED: _("Not accepted"),
}
ARRIVAL_TONE = {ArrivalState.QUARANTINED: "warn", ArrivalState.REFUSED: "bad", ArrivalState.ACCEPTED: "ok", ArrivalState.THREADED: "ok"}
OUTGOING = {
    OutgoingState.WAITING: _("Waiting"),
    OutgoingState.SENDING: _("Leaving now"),
    OutgoingState.SENT: _("Sent"),
    OutgoingState.FAILED: _("Failed"),
    OutgoingState.WITHDRAWN: _("Taken back"),
}
OUTGOING_TONE = {OutgoingState.FAILED: "bad", OutgoingState.SENT: "ok", OutgoingState.WAITING: "warn"}
KIND = {
    OutgoingKind.REPLY: _("Answer"),
    OutgoingKind.RECEIPT: _("Receipt"),
    OutgoingKind.SURVEY: _("Survey"),
    OutgoingKind.TICKET_LINK: _("Link to a ticket"),
    OutgoingKind.SIGN_IN: _("Link to sign in"),
    OutgoingKind.CLAIM: _("Question about another address"),
    OutgoingKind.ADDRESS: _("Customer's own addresses"),
}
TEXT = {
    TextKind.RECEIPT: _("Receipt"),
    TextKind.SURVEY: _("Survey about a request"),
    TextKind.SURVEY_AGAIN: _("Survey about a request, asked again"),
    TextKind.RELATION: _("Survey about us as a whole"),
    TextKind.RELATION_AGAIN: _("Survey about us as a whole, asked again"),
    TextKind.TICKET_LINK: _("Link to a ticket"),
}


def reason(why: str) -> tuple[str, str]:
    """A stored reason as its sentence in the reader's language, and the technical words after it as they are."""
    sentence, _break, technical = why.partition("\n")
    return (gettext(sentence) if sentence else "", technical)


TEMPLATE_WORDS: dict[str, Any] = {
    "ARRIVAL": ARRIVAL,
    "ARRIVAL_TONE": ARRIVAL_TONE,
    "OUTGOING": OUTGOING,
    "OUTGOING_TONE": OUTGOING_TONE,
    "KIND": KIND,
    "reason": reason,
}
