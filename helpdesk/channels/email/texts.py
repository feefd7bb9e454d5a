"""The words of automatic mails as an administrator wants them: per kind and language, with placeholders from a fixed dictionary.

Without a text of its own a mail has the desk's words (`templates/mail`). The plain text is written once; the HTML is made from it.
"""

from __future__ import annotations

from dataclasses import dataclass

from flask import render_template
from flask_babel import force_locale, gettext
from flask_babel import lazy_gettext as _
from markupsafe import Markup, escape
from sqlalchemy import bindparam, delete, select

from helpdesk import clock, db, placeholders
from helpdesk.actor import Actor
from helpdesk.catalog import SettingsChanged
from helpdesk.channels.email.models import MailText, OutgoingKind, TextKind
from helpdesk.errors import Invalid, Words
from helpdesk.events import record
from helpdesk.preferences import preferences
from helpdesk.tickets.words import paragraphs

LANGUAGES = ("en", "ru")
SURVEYS = (TextKind.SURVEY, TextKind.SURVEY_AGAIN, TextKind.RELATION, TextKind.RELATION_AGAIN)
_ABOUT_US = (TextKind.RELATION, TextKind.RELATION_AGAIN)
#: What each kind may say (never words of the mail that it answers), and what it must not leave out.
KNOWN = {
    kind: (*(() if kind in _ABOUT_US else ("ticket.number",)), "link", "company", *(("question",) if kind in SURVEYS else ()))
    for kind in TextKind
}
NEEDED = {kind: ("ticket.number",) if kind is TextKind.RECEIPT else ("link",) for kind in TextKind}
LONGEST_SUBJECT, LONGEST_BODY = 200, 5000


@dataclass(frozen=True)
class Draft:
    """A subject and a body with placeholders, as written."""

    subject: str
    body: str


def kind_of(kind: OutgoingKind, *, about_us: bool = False, again: bool = False) -> TextKind | None:
    """Whose words a mail has; None for mails whose words nobody may change."""
    if kind is OutgoingKind.SURVEY:
        first, second = _ABOUT_US if about_us else (TextKind.SURVEY, TextKind.SURVEY_AGAIN)
        return second if again else first
    return {OutgoingKind.RECEIPT: TextKind.RECEIPT, OutgoingKind.TICKET_LINK: TextKind.TICKET_LINK}.get(kind)


def own(kind: TextKind, language: str) -> Draft | None:
    """The administrator's text; None where the desk's own words stand."""
    row = _row(kind, language)
    return Draft(row.subject, row.body) if row is not None else None


def default(kind: TextKind, language: str) -> Draft:
    """The desk's own words, as a text with placeholders to begin from."""
    number = None if kind in _ABOUT_US else "{{ ticket.number }}"
    mail = OutgoingKind.SURVEY if kind in SURVEYS else OutgoingKind(kind)
    values: dict[str, object] = {"number": number, "link": "{{ link }}", "company": "{{ company }}"}
    if kind in SURVEYS:
        values |= {"question": {"words": "{{ question }}"}, "again": kind in (TextKind.SURVEY_AGAIN, TextKind.RELATION_AGAIN)}
    with force_locale(language):
        body = render_template(f"mail/{mail}.txt", language=language, paragraphs=paragraphs, **values).strip()
        return Draft(subject(mail, number), body)


def subject(kind: OutgoingKind, number: object) -> str:
    """The desk's own subject of an automatic mail, in the current language. `number`: of the ticket it is about, if any."""
    sentences = {
        OutgoingKind.RECEIPT: gettext("We have received your request [#%(number)s]", number=number),
        OutgoingKind.SURVEY: gettext("How did we do? [#%(number)s]", number=number) if number else gettext("How is it with us?"),
        OutgoingKind.TICKET_LINK: gettext("Your link to request [#%(number)s]", number=number),
    }
    return str(sentences[kind])


def save(kind: TextKind, language: str, draft: Draft, *, by: Actor) -> MailText:
    """Let this kind of mail say this. Raises Invalid, naming what is wrong with it."""
    made = checked(kind, draft)
    row = _row(kind, language) or MailText(kind=kind, language=language)
    row.subject, row.body, row.changed_at = made.subject, made.body, clock.now()
    db.session().add(row)
    record(SettingsChanged(by, what=f"mail_text:{kind}:{language}"))
    return row


def reset(kind: TextKind, language: str, *, by: Actor) -> None:
    """Back to the desk's own words."""
    db.session().execute(delete(MailText).where(MailText.kind == kind, MailText.language == language))
    record(SettingsChanged(by, what=f"mail_text:{kind}:{language}"))


def checked(kind: TextKind, draft: Draft) -> Draft:
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


def _row(kind: TextKind, language: str) -> MailText | None:
    return db.session().scalar(_TEXT, {"kind": kind, "language": language})


#: Made once: every automatic mail asks.
_TEXT = select(MailText).where(MailText.kind == bindparam("kind"), MailText.language == bindparam("language"))
