"""The request form: suggests answers while one writes, never loses text, and makes one ticket however often it is sent."""

from __future__ import annotations

from dataclasses import dataclass, field, fields, replace
from typing import Any

from flask import Response, make_response, render_template, request
from flask import session as browsing
from flask_babel import gettext as _
from sqlalchemy import select
from sqlalchemy.exc import IntegrityError

from helpdesk import db, limits, web
from helpdesk.actor import Actor
from helpdesk.agents.words import queue_name
from helpdesk.channels.portal import asked, bp, forms
from helpdesk.crm import addresses, contacts
from helpdesk.crm.models import Contact
from helpdesk.errors import HelpdeskError, Invalid, TooMany, Unavailable, Words
from helpdesk.kb import log, search
from helpdesk.tickets import attachments, intake, linking, plain
from helpdesk.tickets.intake import NewFile
from helpdesk.tickets.models import Channel, Inbox, Queue, Ticket
from helpdesk.tickets.topics import asking

LONGEST_BODY = 50_000
#: Letters after which suggestions begin, and how much of a long text they look at.
SUGGEST_AFTER, SUGGEST_FROM = 3, 600
MOST_SUGGESTIONS = 5


@dataclass(frozen=True)
class Typed:
    """What somebody wrote into the form, as they wrote it: shown again with every refusal."""

    name: str = ""
    email: str = ""
    topic: str = ""
    subject: str = ""
    body: str = ""
    zone: str = ""
    form_key: str = ""
    search_key: str = ""
    answers: asked.Answers = field(default_factory=asked.Answers)


@bp.get("/requests/new")
def new_request() -> Response:
    """An empty form; ?subject= brings over what was searched for in vain, ?topic= chooses a topic."""
    subject, topic = request.args.get("subject", "")[:300], request.args.get("topic", "")[:60]
    return _page(Typed(form_key=forms.new_key(), search_key=log.new_key(), subject=subject, topic=topic))


@bp.post("/requests/new")
@web.own_edge
@forms.own_check
def send_request() -> Response:
    """Make the ticket and show its link; on any refusal the form again, with everything that was typed.

    `step`: the button of pages without scripts that only asks for the fields of the chosen topic.
    """
    typed = _typed()
    if "step" in request.form:
        with db.read():
            return _page(typed)
    try:
        with db.read():
            wanted = _understood(typed)
        forms.same_session()
        forms.no_program()
        word = _opened_once(wanted)
    except (Invalid, TooMany, Unavailable) as wrong:
        with db.read():
            return _page(typed, wrong=wrong)
    return web.see(f"/t/{word}/sent")


@bp.post("/requests/new/fields")
@web.own_edge
def topic_fields() -> Response:
    """The fields of the topic that was just chosen; a POST, so that what was typed ends up in no address."""
    typed = _typed()
    with db.read():
        return make_response(render_template("portal/_fields.html", **_asked(typed, {})))


@bp.post("/requests/suggestions")
@web.own_edge
def suggestions() -> Response:
    """Up to five articles for what has been written so far. A POST, so that nobody's words end up in an address or a log."""
    subject, body = request.form.get("subject", "").strip(), request.form.get("body", "").strip()
    asked = f"{subject}\n{body[:SUGGEST_FROM]}".strip()
    with db.read():
        found = None
        if len(asked) >= SUGGEST_AFTER:
            key = request.form.get("search_key", "")
            found = search.find_articles(asked, web.principal(), web.lang(), "form", limit=MOST_SUGGESTIONS, key=key)
        return make_response(render_template("portal/_suggestions.html", found=found))


# --- understanding -------------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Wanted:
    """A form that can be carried out."""

    typed: Typed
    queue_id: int | None
    contact_id: int | None
    email: str
    mark: str
    about: asked.Understood | None = None


def _typed() -> Typed:
    """The form as it was sent."""
    words = [f.name for f in fields(Typed) if f.name != "answers"]
    said: dict[str, Any] = {name: request.form.get(name, "").replace("\x00", "")[: LONGEST_BODY + 1] for name in words}
    return Typed(**{**said, "form_key": said["form_key"] or forms.new_key(), "answers": asked.read()})


def _understood(typed: Typed) -> Wanted:
    """Check every field at once. Raises Invalid with all that is wrong."""
    wrong: dict[str, Words] = {}
    who = web.principal()
    known = who.contact_id if not who.staff else None
    email = typed.email
    if known is None:
        if not typed.name.strip():
            wrong["name"] = _("Please tell us your name.")
        elif len(typed.name) > 120:
            wrong["name"] = _("Please shorten this to %(n)s characters.", n=120)
        try:
            email = addresses.email(typed.email).shown
        except Invalid:
            wrong["email"] = _("Please give the e-mail address that we may answer to, such as name@example.com.")
    if not typed.subject.strip():
        wrong["subject"] = _("Please say in a few words what it is about.")
    elif len(typed.subject) > 300:
        wrong["subject"] = _("Please shorten this to %(n)s characters.", n=300)
    if not typed.body.strip():
        wrong["body"] = _("Please describe what happened or what you need.")
    elif len(typed.body) > LONGEST_BODY:
        wrong["body"] = _("This is longer than %(n)s characters. Please attach the long part as a file.", n=LONGEST_BODY)
    queue_id, about, unseen = None, None, False
    if typed.topic and typed.topic not in {key for key, _words in topics()}:
        wrong["topic"] = _("Please choose one of the list.")
    elif (topic := asked.topic_of(typed.topic)) is not None:
        about, mistakes, unseen = asked.understood(topic, typed.answers)
        wrong |= mistakes
    elif typed.topic:
        queue_id = int(typed.topic)
    if wrong:
        raise Invalid(_("Please look at the marked fields. Everything you wrote is still here."), fields=wrong)
    if unseen:
        raise Invalid(_("One more step: your answers bring up the fields below. Please look at them, then send."))
    said = sorted(typed.answers.typed.items())
    mark = forms.fingerprint("request", typed.form_key, known or email.lower(), typed.topic, typed.subject, typed.body, *said)
    return Wanted(typed, queue_id, known, email, mark, about)


def topics() -> list[tuple[str, str]]:
    """What a customer may choose a request to be about, as pairs of key and words: the administrators' topics.

    A desk without any offers the queues where requests first arrive.
    """
    if made := asking.topics():
        return [(one.key, asking.name_of(one)) for one in made]
    queues = db.session().scalars(select(Queue).where(Queue.active, Queue.tier == 1).order_by(Queue.id))
    choices = [(str(queue.id), queue_name(queue)) for queue in queues]
    return choices if len(choices) > 1 else []


# --- doing ---------------------------------------------------------------------------------------------------------------------------


def _opened_once(wanted: Wanted) -> str:
    """The link to the ticket that this form makes, or has made."""
    with db.read():
        if before := forms.made_before(wanted.mark):
            return linking.token(before, before.requester_id)
    limits.within("request", "10 per hour")
    files = [file for _key, file in wanted.about.files] if wanted.about else []
    try:
        with attachments.keeping([*web.uploads(), *files]) as kept, db.transaction():
            ticket = _opened(wanted, kept)
            forms.remember(wanted.mark, ticket)
            return linking.token(ticket, ticket.requester_id)
    except IntegrityError:
        with db.read():
            before = forms.made_before(wanted.mark)
            if before is None:
                raise
            return linking.token(before, before.requester_id)


def _opened(wanted: Wanted, kept: tuple[NewFile, ...]) -> Ticket:
    session = db.session()
    typed, who = wanted.typed, web.principal()
    if wanted.contact_id is not None:
        contact = session.get_one(Contact, wanted.contact_id)
    else:
        contact = contacts.by_email(wanted.email, name=typed.name, language=web.lang(), by=who.actor.through("portal"))
    if not contact.time_zone and plain.is_zone(typed.zone):
        contact.time_zone = typed.zone
    by = Actor("contact", contact.id, via="portal")
    if who.staff:
        by = replace(who.actor.through("portal"), on_behalf_of=contact.id)
    body, about = typed.body.replace("\r\n", "\n").strip(), wanted.about
    if about is not None and about.held:
        body = f"{body}\n\n{asking.lines(about.held)}"
    incoming = intake.Incoming(
        contact,
        body,
        Channel.PORTAL,
        subject=typed.subject,
        language=web.lang(),
        files=kept,
        topic_id=about.topic.id if about else None,
        custom=dict(about.held) if about else {},
    )
    queue = about.queue if about else session.get_one(Queue, wanted.queue_id) if wanted.queue_id is not None else None
    ticket, _message = intake.receive(incoming, portal_inbox(), by=by, queue=queue)
    if not who.staff:
        log.wrote(browsing.get("visitor", ""), log.usable_key(typed.search_key))
    return ticket


def portal_inbox() -> Inbox:
    """The inbox that the portal's requests arrive in. Raises Unavailable on a desk that has none."""
    inbox = db.session().scalar(select(Inbox).where(Inbox.channel == Channel.PORTAL, Inbox.active).order_by(Inbox.id).limit(1))
    if inbox is None:
        raise Unavailable(_("Requests cannot be taken here at the moment. Please write us an e-mail."))
    return inbox


def _page(typed: Typed, *, wrong: HelpdeskError | None = None) -> Response:
    errors = {name: str(text) for name, text in wrong.fields.items()} if isinstance(wrong, Invalid) else {}
    trouble = ""
    if isinstance(wrong, TooMany):
        trouble = _("You have sent several requests in a short time. Your text is still here: please send it in a few minutes.")
    elif wrong is not None:
        trouble = str(wrong.detail) or _("Please look at the marked fields. Everything you wrote is still here.")
    if errors.get("files"):
        errors["files"] += " " + _("Your text is still here; please choose the files again.")
    html = render_template(
        "portal/request.html",
        typed=typed,
        errors=errors,
        trouble=trouble,
        topics=topics(),
        **_asked(typed, errors),
        known=_known(),
        trap=forms.TRAP,
        limit_mb=web.settings().max_upload_bytes // 2**20,
        most_files=attachments.MOST_FILES,
    )
    answer = make_response(html, wrong.status if wrong is not None else 200)
    if isinstance(wrong, TooMany):
        answer.headers["Retry-After"] = str(wrong.retry_after)
    return answer


def _asked(typed: Typed, errors: dict[str, str]) -> dict[str, Any]:
    """What `portal/_fields.html` draws."""
    topic = asked.topic_of(typed.topic)
    rows = asked.drawn(topic, typed.answers, errors)
    return {"topic_help": asking.help_of(topic) if topic else "", "asked": rows, "carried": asked.carried(rows, typed.answers)}


def _known() -> Contact | None:
    who = web.principal()
    return db.session().get(Contact, who.contact_id) if who.contact_id is not None and not who.staff else None
