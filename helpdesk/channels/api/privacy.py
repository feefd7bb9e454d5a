"""Privacy of the API's memory: kept answers repeat what they were about."""

from __future__ import annotations

from sqlalchemy import or_, select, update

from helpdesk import db
from helpdesk.channels.api.models import IdempotencyKey
from helpdesk.privacy import Person, classify, erases
from helpdesk.tickets.models import Ticket

classify("idempotency_key", fact="key asked", operational="location", content="answer")


@erases
def answers(person: Person) -> None:
    """Kept answers about them or their tickets say nothing more; the keys stay used, so that nothing is done twice."""
    session = db.session()
    numbers = session.scalars(select(Ticket.number).where(Ticket.requester_id.in_(person.contacts)))
    about = [*(f"%/tickets/{number}" for number in numbers), *(f"%/contacts/{one}" for one in person.contacts)]
    for start in range(0, len(about), 200):
        some = about[start : start + 200]
        which = or_(*(IdempotencyKey.location.like(one) | IdempotencyKey.location.like(f"{one}/%") for one in some))
        session.execute(update(IdempotencyKey).where(which).values(answer="{}"), execution_options={"synchronize_session": False})
