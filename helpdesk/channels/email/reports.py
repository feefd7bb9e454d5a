"""Mail that no person wrote and that opens nothing: delivery reports, complaints, receipts. It leaves a mark where somebody will look.

A report counts as proven when it quotes a Message-ID that this desk signed: only then does it change where mail is sent. What anybody could
have made up is noted on the contact, for people to judge.
"""

from __future__ import annotations

from sqlalchemy import select

from helpdesk import clock, db
from helpdesk.catalog import DeliveryFailed, MailNoted
from helpdesk.channels.email import arrivals, marks
from helpdesk.channels.email.fates import tell_message
from helpdesk.channels.email.mail import BOUNCE, CALENDAR_REPLY, FEEDBACK_REPORT, READ_RECEIPT, Delivery, Mail
from helpdesk.channels.email.models import Arrival, ArrivalState, Outgoing, OutgoingState
from helpdesk.crm import contacts
from helpdesk.crm.models import Contact, Identity, IdentityKind
from helpdesk.errors import Invalid
from helpdesk.events import record
from helpdesk.tickets.models import DeliveryState

#: Kinds that are never shown as a message, whoever sent them.
KINDS = frozenset({BOUNCE, FEEDBACK_REPORT, READ_RECEIPT, CALENDAR_REPLY})

FAILED = "A delivery report: our mail did not reach the customer."
NOT_OURS = "A delivery report about mail that this desk did not send, or that it does not name."
LATE = "A delivery report: our mail is delayed; the server goes on trying."
COMPLAINT = "A complaint report: somebody marked our mail as unwanted."
AUTOMATIC = "An automatic reply; no person wrote it."


def our_ids(mail: Mail, raw: bytes) -> list[str]:
    """Our Message-IDs that a report quotes, wherever it does."""
    if mail.automatic not in (BOUNCE, FEEDBACK_REPORT):
        return []
    found = dict.fromkeys(marks.message_ids_in(raw))
    for attachment in mail.attachments[:5]:
        found.update(dict.fromkeys(marks.message_ids_in(attachment.data)))
    return list(found)


def note(arrival: Arrival, mail: Mail, ids: list[str]) -> None:
    """Leave the mark of an automatic mail and write its fate."""
    sent = list(db.session().scalars(select(Outgoing).where(Outgoing.header_id.in_(ids)))) if ids else []
    ticket_id = next((one.ticket_id for one in sent), None)
    why = AUTOMATIC
    if mail.automatic == FEEDBACK_REPORT:
        why = COMPLAINT
    elif mail.automatic == BOUNCE and mail.failed:
        why = FAILED if sent else NOT_OURS
        for failure in mail.failed:
            _failed(failure, sent)
    elif mail.automatic == BOUNCE:
        why = LATE if sent else NOT_OURS
    arrivals.decide(arrival, ArrivalState.NOTED, why, ticket_id=ticket_id)
    record(MailNoted(arrival.id, arrivals.DOOR, ticket_id=ticket_id, what=mail.automatic or ""))


def _failed(failure: Delivery, sent: list[Outgoing]) -> None:
    """One recipient that a server gave up on."""
    words = " ".join(f"{failure.status} {failure.reason}".split())[:300] or "refused"
    ours = [one for one in sent if one.recipient.lower() == failure.address.lower()] or sent
    for outgoing in ours:
        undelivered(outgoing, words, status=failure.status)
    if not ours:
        contact = _contact(failure.address)
        if contact is not None:
            contact.bounce_note = words
            record(DeliveryFailed(contact.id, arrivals.DOOR, status=failure.status[:20]))


def undelivered(outgoing: Outgoing, words: str, *, status: str = "") -> None:
    """A mail of ours did not reach its recipient, and a server said so: noted on the address, the contact, the mail and the message."""
    outgoing.state, outgoing.server_words = OutgoingState.FAILED, words[:1000]
    tell_message(outgoing, DeliveryState.FAILED, words)
    contact = _contact(outgoing.recipient)
    if contact is None:
        return
    contact.bounce_note = words[:300]
    for identity in db.session().scalars(
        select(Identity).where(Identity.kind == IdentityKind.EMAIL, Identity.value_norm == outgoing.recipient.lower())
    ):
        identity.failing_since, identity.failing_why = identity.failing_since or clock.now(), words[:300]
    record(DeliveryFailed(contact.id, arrivals.DOOR, ticket_id=outgoing.ticket_id, status=status[:20]))


def _contact(address: str) -> Contact | None:
    try:
        return contacts.find_by_email(address)
    except Invalid:
        return None
