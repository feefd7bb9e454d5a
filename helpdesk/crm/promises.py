"""What we promised customers: who does it, until when, and whether it was kept. A promise is the next step of a timeline's entry."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import and_, func, or_, select, update

from helpdesk import clock, db
from helpdesk.actor import Actor
from helpdesk.auth import Principal
from helpdesk.catalog import PromiseSettled
from helpdesk.crm import policy
from helpdesk.crm.models import Contact, Interaction
from helpdesk.errors import Conflict, Invalid
from helpdesk.events import record

OUTCOMES = ("kept", "dropped")


@dataclass(frozen=True)
class Record:
    """How we keep our word to one person: kept in time, kept late, dropped, past and not done, still to come."""

    in_time: int
    late: int
    dropped: int
    broken: int
    open: int


def settle(entry: Interaction, outcome: str, *, by: Actor) -> Interaction:
    """Say that a promise was kept, or dropped. Raises Invalid for what is no promise or outcome, Conflict when it is settled."""
    if outcome not in OUTCOMES or entry.next_at is None:
        raise Invalid
    won = db.session().execute(
        update(Interaction)
        .where(Interaction.id == entry.id, Interaction.next_done_at.is_(None))
        .values(next_done_at=clock.now(), next_outcome=outcome),
        execution_options={"synchronize_session": False},
    )
    if won.rowcount != 1:  # type: ignore[attr-defined]
        raise Conflict
    db.session().refresh(entry)
    record(PromiseSettled(entry.contact_id, entry.id, outcome, by))
    return entry


def record_of(contacts: list[int]) -> Record:
    """The record of promises to a person, in one query."""
    now, done, due = clock.now(), Interaction.next_done_at, Interaction.next_at
    kept = Interaction.next_outcome == "kept"
    row = (
        db.session()
        .execute(
            select(
                func.count().filter(and_(kept, done <= due)),
                func.count().filter(and_(kept, done > due)),
                func.count().filter(Interaction.next_outcome == "dropped"),
                func.count().filter(and_(done.is_(None), due < now)),
                func.count().filter(and_(done.is_(None), due >= now)),
            ).where(Interaction.contact_id.in_(contacts), due.is_not(None))
        )
        .one()
    )
    return Record(*row)


def open_ones(
    who: Principal, *, user_id: int | None, after: tuple[datetime, int] | None = None, limit: int = 40
) -> list[tuple[Interaction, Contact]]:
    """Promises nobody has settled, the most pressing first; of one colleague if given. One more than `limit` where there are more."""
    found = (
        select(Interaction, Contact)
        .join(Contact, Contact.id == Interaction.contact_id)
        .where(Interaction.next_at.is_not(None), Interaction.next_done_at.is_(None), policy.visible(who), Contact.erased_at.is_(None))
        .order_by(Interaction.next_at, Interaction.id)
        .limit(limit + 1)
    )
    if user_id is not None:
        found = found.where(Interaction.next_who_id == user_id)
    if after is not None:
        found = found.where(or_(Interaction.next_at > after[0], and_(Interaction.next_at == after[0], Interaction.id > after[1])))
    return [(row[0], row[1]) for row in db.session().execute(found)]
