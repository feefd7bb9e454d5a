"""Surveys by mail: the question, and its one reminder, with links that answer."""

from __future__ import annotations

from flask_babel import force_locale

from helpdesk import db, web
from helpdesk.catalog import RelationshipAsked, SurveyReminded, SurveySent
from helpdesk.channels.email import compose, languages, outbox
from helpdesk.channels.email.models import OutgoingKind
from helpdesk.crm import asking, contacts
from helpdesk.crm.models import Contact
from helpdesk.events import reaction
from helpdesk.tickets import surveys
from helpdesk.tickets.models import Survey, Ticket


@reaction(SurveySent, lane="io", key=lambda fact: f"survey:{fact.survey_id}", name="mail.survey")
def ask(fact: SurveySent) -> None:
    """Mail the customer the question how it was, with a link that answers it."""
    _ask(fact.survey_id)


@reaction(RelationshipAsked, lane="io", key=lambda fact: f"survey:{fact.survey_id}", name="mail.relationship")
def ask_about_all(fact: RelationshipAsked) -> None:
    """Mail the customer a question about us as a whole."""
    _ask(fact.survey_id)


@reaction(SurveyReminded, lane="io", key=lambda fact: f"survey:{fact.survey_id}", name="mail.survey_reminder")
def remind(fact: SurveyReminded) -> None:
    """Mail the question once more."""
    _ask(fact.survey_id, again=True)


def _ask(survey_id: int, *, again: bool = False) -> None:
    """Put a survey's mail into the outbox; the person's latest address is used, and nobody is asked what they answered meanwhile."""
    session = db.session()
    survey = session.get_one(Survey, survey_id)
    ticket = session.get(Ticket, survey.ticket_id) if survey.ticket_id is not None else None
    contact = contacts.canonical(session.get_one(Contact, survey.contact_id))
    if survey.answered_at is not None or contact.erased_at is not None:
        return
    address = outbox.address_of(ticket, contact) if ticket is not None else contacts.email_of(contact.id)
    if address is None:
        return
    language = languages.of(ticket, contact)
    with force_locale(language):
        question = asking.questions(surveys.definition_of(survey))[0]
    words = compose.words(
        OutgoingKind.SURVEY, language, number=ticket.number if ticket is not None else None, question=question, again=again,
        link=f"{web.settings().base_url}/rate/{surveys.token(survey)}",
    )  # fmt: skip
    # One mail asks; its reminder is another, which only its own fact brings.
    outbox.put(OutgoingKind.SURVEY, ticket, contact, address, words, survey_id=None if again else survey.id)
