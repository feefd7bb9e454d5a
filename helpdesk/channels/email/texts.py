"""The words of automatic mails as an administrator wants them: per kind and language, with placeholders from a fixed dictionary.

Without a text of its own a mail has the desk's words (`templates/mail`). The plain text is written once; the HTML is made from it.
"""

from __future__ import annotations

from dataclasses import dataclass

from flask import render_template
from flask_babel import force_locale, gettext
from flask_babel import lazy_gettext as _
from markupsafe import Markup, escape
from sqlalchemy import delete, select

from helpdesk import clock, db, placeholders
from helpdesk.actor import Actor
from helpdesk.catalog import SettingsChanged
from helpdesk.channels.email.models import MailText, OutgoingKind
from helpdesk.errors import Invalid, Words
from helpdesk.events import record
from helpdesk.preferences import preferences
from helpdesk.tickets.words import paragraphs

LANGUAGES = ("en", "ru")
#: What each kind may say (never words of the mail that it answers), and what it must not leave out.
KNOWN = {
    OutgoingKind.RECEIPT: ("ticket.number", "link", "company"),
    OutgoingKind.SURVEY: ("ticket.number", "link", "company", "question"),
    OutgoingKind.TICKET_LINK: ("ticket.number", "link", "company"),
}
NEEDED = {OutgoingKind.RECEIPT: ("ticket.number",), OutgoingKind.SURVEY: ("link",), OutgoingKind.TICKET_LINK: ("link",)}
LONGEST_SUBJECT, LONGEST_BODY = 200, 5000


@dataclass(frozen=True)
class Draft:
    """A subject and a body with placeholders, as written."""

    subject: str
    body: str


def own(kind: OutgoingKind, language: str) -> Draft | None:
    """The administrator's text; None where the desk's own words stand."""
    row = _row(kind, language)
    return Draft(row.subject, row.body) if row is not None else None


def default(kind: OutgoingKind, language: str) -> Draft:
    """The desk's own words, as a text with placeholders to begin from."""
    number, link, company = "{{ ticket.number }}", "{{ link }}", "{{ company }}"
    with force_locale(language):
        subjects = {
            OutgoingKind.RECEIPT: gettext("We have received your request [#%(number)s]", number=number),
            OutgoingKind.SURVEY: gettext("How did we do? [#%(number)s]", number=number),
            OutgoingKind.TICKET_LINK: gettext("Your link to request [#%(number)s]", number=number),
        }
        values = {"number": number, "link": link, "company": company, "question": {"words": "{{ question }}"}, "again": False}
        body = render_template(f"mail/{kind}.txt", language=language, paragraphs=paragraphs, **values).strip()
    return Draft(str(subjects[kind]), body)


def save(kind: OutgoingKind, language: str, draft: Draft, *, by: Actor) -> MailText:
    """Let this kind of mail say this. Raises Invalid, naming what is wrong with it."""
    made = checked(kind, draft)
    row = _row(kind, language) or MailText(kind=kind, language=language)
    row.subject, row.body, row.changed_at = made.subject, made.body, clock.now()
    db.session().add(row)
    record(SettingsChanged(by, what=f"mail_text:{kind}:{language}"))
    return row


def reset(kind: OutgoingKind, language: str, *, by: Actor) -> None:
    """Back to the desk's own words."""
    db.session().execute(delete(MailText).where(MailText.kind == kind, MailText.language == language))
    record(SettingsChanged(by, what=f"mail_text:{kind}:{language}"))


def checked(kind: OutgoingKind, draft: Draft) -> Draft:
    """The text, tidied. Raises Invalid with every fault at once."""
    subject, body = " ".join(draft.subject.split()), draft.body.replace("\r\n", "\n").replace("\x00", "").strip()
    faults: dict[str, Words] = {}
    for name, text, longest in (("subject", subject, LONGEST_SUBJECT), ("body", body, LONGEST_BODY)):
        if not text:
            faults[name] = _("Please fill this in.")
        elif len(text) > longest:
            faults[name] = _("Please shorten this to %(n)s characters.", n=longest)
        elif (wrong := placeholders.fault(text, KNOWN[kind])) is not None:
            faults[name] = wrong
    lacking = placeholders.missing(f"{subject}\n{body}", NEEDED[kind])
    if lacking and not faults:
        faults["body"] = _("Without %(name)s this mail would be of no use. Please put it in.", name="{{ " + lacking[0] + " }}")
    if faults:
        raise Invalid(fields=faults)
    return Draft(subject, body)


def filled(draft: Draft, values: dict[str, str]) -> tuple[str, str, Markup]:
    """Subject, plain text, and the text as HTML whose link can be clicked."""
    values = {**values, "company": preferences().company}
    subject, text = placeholders.fill(draft.subject, values), placeholders.fill(draft.body, values)
    link = values["link"]
    html = str(paragraphs(text)).replace(str(escape(link)), str(Markup('<a href="{0}">{0}</a>').format(link)))
    return subject, text + "\n", Markup(html)  # every part of it was escaped above


def written(draft: Draft, language: str, values: dict[str, str], scores: list[tuple[int, str]]) -> tuple[str, str, str]:
    """Subject, plain text and HTML of one mail; a survey's answers follow its text."""
    subject, text, body = filled(draft, values)
    html = render_template("mail/own.html", language=language, subject=subject, body=body, scores=scores, link=values["link"])
    return subject, text, html


def _row(kind: OutgoingKind, language: str) -> MailText | None:
    return db.session().scalar(select(MailText).where(MailText.kind == kind, MailText.language == language))
