"""How was it? Asked some time after solving, or now and then about the whole relationship; answered through a signed link, kept with the
customer.

Nobody is asked against their will, nor twice within the quiet time, whichever survey it is. What is asked stands in `crm.asking`.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from flask_babel import lazy_gettext as _
from sqlalchemy import ColumnElement, exists, or_, select, update

from helpdesk import clock, db, links, web
from helpdesk.actor import SYSTEM, Actor
from helpdesk.auth import Role, User
from helpdesk.catalog import RelationshipAsked, RelationshipRated, SurveyReminded, SurveySent, TicketRated, TicketSolved
from helpdesk.crm import asking, calling, contacts, profile, satisfaction, timeline
from helpdesk.crm.care_models import SurveyDefinition
from helpdesk.crm.models import Contact, Identity, IdentityKind, Rating, RatingKind
from helpdesk.errors import Gone, Invalid, Words
from helpdesk.events import reaction, record
from helpdesk.preferences import preferences
from helpdesk.tickets.models import Status, Survey, SurveyAnswer, Ticket

PURPOSE = "survey"
#: How many people one round asks or reminds: a round comes every ten minutes, and mail servers like patience.
ROUND = 200
#: The hours of the day, in the desk's zone, in which people are asked about the whole relationship or reminded.
DAYTIME = range(9, 18)
#: Whom the relationship survey means: who had to do with us this lately, and has been known for this long.
LATELY, KNOWN_FOR = timedelta(days=365), timedelta(days=30)


# --- asking ----------------------------------------------------------------------------------------------------------------


def _delay(fact: TicketSolved) -> timedelta:
    ticket = db.session().get_one(Ticket, fact.ticket_id)
    return asking.delay(asking.for_queue(ticket.queue_id))


@reaction(TicketSolved, delay=_delay, key=lambda fact: f"ticket:{fact.ticket_id}", newcomer="move", name="surveys.ask")
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
    return contact.last_survey_at is None or clock.now() - contact.last_survey_at >= _quiet()


def send(ticket: Ticket, contact: Contact) -> Survey | None:
    """Ask about a ticket and say so; the channel's door sends it. None when the same person was asked at this very moment elsewhere."""
    definition = asking.for_queue(ticket.queue_id)
    survey = _made(contact, definition, ticket.id)
    if survey is not None:
        record(SurveySent(ticket.id, contact.id, survey.id, SYSTEM))
    return survey


def ask_about_all(contact: Contact, definition: SurveyDefinition) -> Survey | None:
    """Ask about the whole relationship, if this person may be asked."""
    survey = _made(contact, definition, None) if may_ask(contact) else None
    if survey is not None:
        record(RelationshipAsked(contact.id, survey.id, SYSTEM))
    return survey


def _made(contact: Contact, definition: SurveyDefinition | None, ticket_id: int | None) -> Survey | None:
    session, now = db.session(), clock.now()
    # The quiet time is taken by compare-and-set: two tickets solved together ask once.
    taken = session.execute(
        update(Contact)
        .where(Contact.id == contact.id, or_(Contact.last_survey_at.is_(None), Contact.last_survey_at <= now - _quiet()))
        .values(last_survey_at=now),
        execution_options={"synchronize_session": False},
    )
    if taken.rowcount != 1:  # type: ignore[attr-defined]
        return None
    session.refresh(contact, ["last_survey_at"])
    leading = definition.questions[0]["kind"] if definition is not None else "csat"
    survey = Survey(
        ticket_id=ticket_id, contact_id=contact.id, kind=leading, sent_at=now, definition_id=definition.id if definition else None
    )
    session.add(survey)
    session.flush()
    return survey


def _quiet() -> timedelta:
    return timedelta(days=preferences().survey_quiet_days)


# --- the round of surveys that no ticket causes ---------------------------------------------------------------------------


def round_of_questions() -> tuple[int, int]:
    """Remind whom it is time to remind and ask whose turn it is, by day only: (reminded, asked). Called again and again."""
    if clock.now().astimezone(ZoneInfo(web.settings().time_zone)).hour not in DAYTIME:
        return 0, 0
    return _remind(), sum(_ask_around(definition) for definition in asking.periodic())


def _remind() -> int:
    session, now = db.session(), clock.now()
    reminded = 0
    for definition in session.scalars(select(SurveyDefinition).where(SurveyDefinition.remind_days > 0, SurveyDefinition.active)):
        due = (
            select(Survey)
            .outerjoin(Ticket, Ticket.id == Survey.ticket_id)
            .where(
                Survey.definition_id == definition.id,
                Survey.answered_at.is_(None),
                Survey.reminded_at.is_(None),
                Survey.sent_at <= now - timedelta(days=definition.remind_days),
                Survey.sent_at > now - timedelta(days=preferences().survey_valid_days),
                or_(Survey.ticket_id.is_(None), Ticket.status.in_((Status.SOLVED, Status.CLOSED))),
            )
        )
        for survey in session.scalars(due.order_by(Survey.id).limit(ROUND)):
            contact = contacts.canonical(session.get_one(Contact, survey.contact_id))
            survey.reminded_at = now  # also of who may not be: looked at once
            if contact.survey_allowed and contact.erased_at is None:
                record(SurveyReminded(contact.id, survey.id, SYSTEM, ticket_id=survey.ticket_id))
                reminded += 1
    return reminded


def _ask_around(definition: SurveyDefinition) -> int:
    session = db.session()
    found = select(Contact).where(*_turn(definition)).order_by(Contact.last_survey_at.is_not(None), Contact.last_survey_at, Contact.id)
    return sum(ask_about_all(contact, definition) is not None for contact in session.scalars(found.limit(ROUND)).all())


def _turn(definition: SurveyDefinition) -> tuple[ColumnElement[bool], ...]:
    now = clock.now()
    asked = exists().where(
        Survey.contact_id == Contact.id,
        Survey.definition_id == definition.id,
        Survey.sent_at > now - timedelta(days=definition.every_days),
    )
    colleague = select(User.contact_id).where(User.contact_id.is_not(None), User.role != Role.CUSTOMER)
    return (
        Contact.survey_allowed.is_(True),
        Contact.erased_at.is_(None),
        Contact.merged_into_id.is_(None),
        Contact.last_at > now - LATELY,
        Contact.created_at <= now - KNOWN_FOR,
        or_(Contact.last_survey_at.is_(None), Contact.last_survey_at <= now - _quiet()),
        Contact.id.not_in(colleague),
        exists().where(Identity.contact_id == Contact.id, Identity.kind == IdentityKind.EMAIL, Identity.failing_since.is_(None)),
        ~asked,
    )


# --- answering -------------------------------------------------------------------------------------------------------------


def token(survey: Survey) -> str:
    """What the link carries: this survey and nothing else."""
    return links.sign(PURPOSE, survey.id)


def opened(word: str) -> Survey:
    """The survey behind a link. Looking at it answers nothing: mail scanners open links too. Raises Gone."""
    survey = db.session().get(Survey, int(links.unsign(PURPOSE, word, valid_days=preferences().survey_valid_days)))
    if survey is None or db.session().get_one(Contact, survey.contact_id).erased_at is not None:
        raise Gone
    return survey


def definition_of(survey: Survey) -> SurveyDefinition | None:
    return db.session().get(SurveyDefinition, survey.definition_id) if survey.definition_id is not None else None


def answers(survey: Survey) -> dict[str, Rating]:
    """What was answered so far, by question."""
    rows = db.session().execute(
        select(SurveyAnswer.kind, Rating).join(Rating, Rating.id == SurveyAnswer.rating_id).where(SurveyAnswer.survey_id == survey.id)
    )
    return {kind: rating for kind, rating in rows}


def waiting(contact_id: int) -> list[Survey]:
    """What this person was asked and has not answered yet, the newest first."""
    since = clock.now() - timedelta(days=preferences().survey_valid_days)
    found = select(Survey).where(Survey.contact_id.in_(contacts.group(contact_id)), Survey.answered_at.is_(None), Survey.sent_at > since)
    return list(db.session().scalars(found.order_by(Survey.sent_at.desc(), Survey.id.desc()).limit(20)))


def answer(survey: Survey, score: int | Mapping[str, int], *, comment: str = "", reason: str = "") -> Rating:
    """Keep the customer's answers; answering again replaces them. `score`: of the leading question, or of each by its kind.

    Raises Invalid for a number off its scale or a leading question left out. Each rating belongs to the ticket, its agent, queue, channel,
    contact and organization; the contact's score follows at once. Returns the leading rating. A bad one is owed a call.
    """
    asks = asking.questions(definition_of(survey))
    given = {asks[0].kind.value: score} if isinstance(score, int) else dict(score)
    asked = [asks[0], *(ask for ask in asks[1:] if ask.kind.value in given)]
    faults: dict[str, Words] = {}
    for ask in asked:
        least, most = ask.scale
        if not least <= given.get(ask.kind.value, least - 1) <= most:
            faults[ask.name] = _("Please give a number from %(least)s to %(most)s.", least=least, most=most)
    if faults:
        raise Invalid(fields=faults)
    session, now = db.session(), clock.now()
    ticket = session.get_one(Ticket, survey.ticket_id) if survey.ticket_id is not None else None
    contact = contacts.canonical(session.get_one(Contact, survey.contact_id))
    before = answers(survey)
    made: dict[str, Rating] = {}
    for ask in asked:
        kind = ask.kind.value
        _supersede(ticket, kind, before.get(kind), now)
        rating = made[kind] = _rating(ask.kind, given[kind], contact, ticket, now)
        rating.comment, rating.reason = comment.strip()[:5000] if len(made) == 1 else "", reason[:60]
        session.add(rating)
        session.flush()
        session.merge(SurveyAnswer(survey_id=survey.id, kind=kind, rating_id=rating.id))
    leading = made[asks[0].kind.value]
    survey.answered_at, survey.rating_id = now, leading.id
    _noted(contact, ticket, leading, made)
    profile.refresh(contact)
    calling.owe(list(made.values()), [rating.id for rating in before.values()], contact, ticket.assignee_id if ticket else None)
    by = Actor("link", contact.id)
    if ticket is not None:
        record(TicketRated(ticket.id, contact.id, leading.id, leading.score, by))
    else:
        record(RelationshipRated(contact.id, leading.id, leading.score, by))
    return leading


def rating_of(ticket_id: int) -> Rating | None:
    """What the customer said about a ticket: the satisfaction, if that was asked."""
    found = select(Rating).where(Rating.ticket_id == ticket_id, Rating.superseded_at.is_(None))
    return db.session().scalar(found.order_by(Rating.kind != RatingKind.CSAT, Rating.id).limit(1))


def _supersede(ticket: Ticket | None, kind: str, before: Rating | None, now: datetime) -> None:
    """The last rating counts: of a ticket, or of a survey without one."""
    if ticket is None and before is None:
        return
    of_ticket = [Rating.ticket_id == ticket.id, Rating.kind == RatingKind(kind)] if ticket is not None else []
    which = of_ticket if before is None or ticket is not None else [Rating.id == before.id]
    db.session().execute(
        update(Rating).where(*which, Rating.superseded_at.is_(None)).values(superseded_at=now),
        execution_options={"synchronize_session": False},
    )


def _rating(kind: satisfaction.Question, score: int, contact: Contact, ticket: Ticket | None, now: datetime) -> Rating:
    return Rating(
        kind=RatingKind(kind.value),
        score=score,
        score100=satisfaction.Rating(kind, score, now).points,
        at=now,
        contact_id=contact.id,
        organization_id=ticket.organization_id if ticket is not None else contact.organization_id,
        ticket_id=ticket.id if ticket is not None else None,
        user_id=ticket.assignee_id if ticket is not None else None,
        queue_id=ticket.queue_id if ticket is not None else None,
        channel=ticket.channel if ticket is not None else "",
    )


def _noted(contact: Contact, ticket: Ticket | None, leading: Rating, made: Mapping[str, Rating]) -> None:
    scales = {question.value: scale[1] for question, scale in satisfaction.SCALES.items()}
    timeline.note(
        contact.id,
        "rating",
        channel=leading.channel,
        direction="in",
        organization_id=leading.organization_id,
        ticket_id=ticket.id if ticket is not None else None,
        rating_id=leading.id,
        user_id=leading.user_id,
        title=" · ".join(f"{rating.score}/{scales[kind]}" for kind, rating in made.items()),
    )
