"""The customer's figures: recomputed from the facts when one of them changes, kept on the contact with their moment."""

from __future__ import annotations

from sqlalchemy import func, select

from helpdesk import clock, db
from helpdesk.crm import satisfaction
from helpdesk.crm.figures import Figure
from helpdesk.crm.models import Contact, Rating

#: What a customer nobody has heard from yet is assumed to feel, on 0–100, while the desk has no ratings at all.
NEUTRAL = 75.0


def satisfaction_of(contact: Contact) -> Figure:
    """The contact's satisfaction score with its grounds (formula in `crm.satisfaction.score`)."""
    rows = db.session().scalars(
        select(Rating)
        .join(Contact, Contact.id == Rating.contact_id)
        .where(Rating.superseded_at.is_(None), (Contact.id == contact.id) | (Contact.merged_into_id == contact.id))
    )
    ratings = [satisfaction.Rating(satisfaction.Question(row.kind), row.score, row.at, row.ticket_id) for row in rows]
    return satisfaction.score(ratings, mean=mean_of_all(), as_of=clock.now())


def mean_of_all() -> float:
    """μ of the satisfaction score: the mean rating of all customers, on 0–100. Computed once in a transaction that only reads."""
    unit = db.unit()
    if not unit.writes and "mean rating" in unit.notes:
        return float(unit.notes["mean rating"])
    mean = unit.session.scalar(select(func.avg(Rating.score100)).where(Rating.superseded_at.is_(None)))
    unit.notes["mean rating"] = found = float(mean) if mean is not None else NEUTRAL
    return found


def refresh(contact: Contact) -> Figure:
    """Recompute and keep the contact's satisfaction."""
    figure = satisfaction_of(contact)
    contact.satisfaction = figure.value if figure.n else None
    contact.ratings_count = figure.n
    contact.figures_as_of = figure.as_of
    return figure
