"""What people do with a mail that has not left: try again, send it to another address, take it out."""

from __future__ import annotations

from flask_babel import lazy_gettext as _
from sqlalchemy import select, update

from helpdesk import clock, db
from helpdesk.actor import Actor
from helpdesk.catalog import MailQueued, MailWithdrawn
from helpdesk.channels.email.models import Outgoing, OutgoingKind, OutgoingState
from helpdesk.crm.addresses import email as read_address
from helpdesk.errors import Conflict, Invalid
from helpdesk.events import record
from helpdesk.tickets.models import DeliveryState, Message

TAKEN_OUT = "An administrator took the mail out of the outbox."


def retry(row: Outgoing, *, by: Actor) -> None:
    """Try a mail that waits or failed once more, now. Raises Conflict when it has left or was withdrawn meanwhile."""
    message = db.session().get(Message, row.message_id) if row.message_id is not None and row.kind is OutgoingKind.REPLY else None
    if message is not None and message.delivery is DeliveryState.WITHDRAWN:
        raise Conflict(_("The agent took this answer back."))
    _move(row, (OutgoingState.WAITING, OutgoingState.FAILED), state=OutgoingState.WAITING, not_before=clock.now())
    if message is not None:
        message.delivery, message.delivery_note = DeliveryState.WAITING, ""
    record(MailQueued(row.id, by, ticket_id=row.ticket_id))


def readdress(row: Outgoing, typed: str, *, by: Actor) -> None:
    """Send a mail that waits or failed to another address, now; what we know of the person stays as it is.

    Raises Invalid for what is no address or gets this mail anyway, Conflict when it has left or was withdrawn meanwhile.
    """
    address = read_address(typed).value
    session = db.session()
    twin = select(Outgoing.id).where(Outgoing.message_id == row.message_id, Outgoing.kind == row.kind, Outgoing.recipient == address)
    if row.message_id is not None and session.scalar(twin.where(Outgoing.id != row.id)) is not None:
        raise Invalid(fields={"address": _("%(who)s gets this mail already.", who=address)})
    name = next((str(name) for name, shown in row.to if shown == row.recipient), "")
    _move(row, (OutgoingState.WAITING, OutgoingState.FAILED), state=row.state, recipient=address, to=[[name, address]], cc=[])
    retry(row, by=by)


def withdraw(row: Outgoing, *, by: Actor) -> None:
    """Take a mail out of the outbox; it never leaves. Raises Conflict when it has left, or is leaving, meanwhile."""
    _move(row, (OutgoingState.WAITING, OutgoingState.FAILED), state=OutgoingState.WITHDRAWN)
    if row.message_id is not None and row.kind is OutgoingKind.REPLY:
        message = db.session().get_one(Message, row.message_id)
        message.delivery, message.delivery_note = DeliveryState.FAILED, TAKEN_OUT
    record(MailWithdrawn(row.id, by, ticket_id=row.ticket_id))


def _move(row: Outgoing, expected: tuple[OutgoingState, ...], **values: object) -> None:
    kept = db.session().execute(
        update(Outgoing).where(Outgoing.id == row.id, Outgoing.state.in_(expected)).values(**values),
        execution_options={"synchronize_session": False},
    )
    if kept.rowcount != 1:  # type: ignore[attr-defined]
        raise Conflict(_("This mail has left, or was taken out, meanwhile."))
    db.session().refresh(row)
