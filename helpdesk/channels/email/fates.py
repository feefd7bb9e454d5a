"""An agent's reply shows how its mail to the requester fares; of copies to others who take part it shows only that one failed."""

from __future__ import annotations

from sqlalchemy import select, update

from helpdesk import db
from helpdesk.channels.email.models import Outgoing, OutgoingKind
from helpdesk.tickets.models import DeliveryState, Message

COPY_FAILED = "A copy did not reach everybody who takes part."


def tell_message(row: Outgoing, state: DeliveryState, note: str) -> None:
    """Write a mail's fate on the reply that it carries; `note` is a sentence of ours or the server's words."""
    if row.kind is not OutgoingKind.REPLY or row.message_id is None:
        return
    first = db.session().scalar(
        select(Outgoing.id).where(Outgoing.message_id == row.message_id, Outgoing.kind == OutgoingKind.REPLY).order_by(Outgoing.id).limit(1)
    )
    values: dict[str, object] = {"delivery": state, "delivery_note": note[:500]}
    if first != row.id:
        if state is not DeliveryState.FAILED:
            return
        values = {"delivery_note": f"{COPY_FAILED}\n{row.recipient}: {note}"[:500]}
    db.session().execute(
        update(Message).where(Message.id == row.message_id).values(**values), execution_options={"synchronize_session": "evaluate"}
    )
