"""How was it? Asked some time after solving, answered through a signed link, kept with the customer."""

from __future__ import annotations

from datetime import timedelta

from flask_babel import lazy_gettext as _
from sqlalchemy import select, update

from helpdesk import clock, db, links
from helpdesk.actor import SYSTEM, Actor
from helpdesk.catalog import SurveySent, TicketRated, TicketSolved
from helpdesk.crm import contacts, profile, satisfaction, timeline
from helpdesk.crm.models import Contact, Rating, RatingKind
from helpdesk.errors import Gone, Invalid
from helpdesk.events import reaction, record
from helpdesk.preferences import preferences
from helpdesk.tickets.models import Status, Survey, Ticket

PURPOSE = "survey"


@reaction(
    TicketSolved,
    delay=lambda _fact: preferences().survey_delay,
    key=lambda fact: f"ticket:{fact.ticket_id}",
    newcomer="move",
    name="surveys.ask",
)
def ask_how_it_was(fact: TicketSolved) -> None:
    """Send the survey, unless the ticket was reopened, the contact said no, or was asked in the last weeks."""
    ticket = db.session().get_one(Ticket, fact.ticket_id)
    contact = contacts.canonical(db.session().get_one(Contact, ticket.requester_id))
    if ticket.status is Status.SOLVED and may_ask(contact):  # read anew: the world moved on while we waited
        send(ticket, contact)


def may_ask(contact: Contact) -> bool:
    """Whether this person may be asked now: not against their will, not twice within the quiet time, not when they are gone."""
    if not contact.survey_allowed or contact.erased_at is not None:
        return False
    quiet = timedelta(days=preferences().survey_quiet_days)
    return contact.last_survey_at is None or clock.now() - contact.last_survey_at >= quiet


def send(ticket: Ticket, contact: Contact) -> Survey:
    """Make the survey and say so; the channel's door sends it."""
    survey = Survey(ticket_id=ticket.id, contact_id=contact.id, sent_at=clock.now())
    db.session().add(survey)
    db.session().flush()
    contact.last_survey_at = survey.sent_at
    record(SurveySent(ticket.id, contact.id, survey.id, SYSTEM))
    return survey


def token(survey: Survey) -> str:
    """What the link carries: this survey and nothing else."""
    return links.sign(PURPOSE, survey.id)


def opened(word: str) -> Survey:
    """The survey behind a link. Looking at it answers nothing: mail scanners open links too. Raises Gone."""
    survey = db.session().get(Survey, int(links.unsign(PURPOSE, word, valid_days=preferences().survey_valid_days)))
    if survey is None:
        raise Gone
    return survey


def answer(survey: Survey, score: int, *, comment: str = "", reason: str = "") -> Rating:
    """Keep the customer's answer, 1 to 5; answering again replaces it. Raises Invalid for another number.

    The rating belongs to the ticket, its agent, queue, channel, contact and organization; the contact's score follows at once.
    """
    if not 1 <= score <= 5:
        raise Invalid(fields={"score": _("Choose one to five.")})
    session = db.session()
    ticket = session.get_one(Ticket, survey.ticket_id)
    contact = contacts.canonical(session.get_one(Contact, survey.contact_id))
    session.execute(
        update(Rating)
        .where(Rating.ticket_id == ticket.id, Rating.kind == RatingKind.CSAT, Rating.superseded_at.is_(None))
        .values(superseded_at=clock.now()),
        execution_options={"synchronize_session": False},
    )
    points = satisfaction.Rating(satisfaction.Question.CSAT, score, clock.now()).points
    rating = Rating(
        kind=RatingKind.CSAT,
        score=score,
        score100=points,
        comment=comment.strip()[:5000],
        reason=reason[:60],
        at=clock.now(),
        contact_id=contact.id,
        organization_id=ticket.organization_id,
        ticket_id=ticket.id,
        user_id=ticket.assignee_id,
        queue_id=ticket.queue_id,
        channel=ticket.channel,
    )
    session.add(rating)
    session.flush()
    survey.answered_at, survey.rating_id = clock.now(), rating.id
    timeline.note(
        contact.id,
        "rating",
        channel=ticket.channel,
        direction="in",
        organization_id=ticket.organization_id,
        ticket_id=ticket.id,
        rating_id=rating.id,
        user_id=ticket.assignee_id,
        title=f"{score}/5",
    )
    profile.refresh(contact)
    record(TicketRated(ticket.id, contact.id, rating.id, score, Actor("link", contact.id)))
    return rating


def rating_of(ticket_id: int) -> Rating | None:
    return db.session().scalar(select(Rating).where(Rating.ticket_id == ticket_id, Rating.superseded_at.is_(None)).limit(1))
