"""One customer at one ticket: looking, writing, saying that it is solved or not. The same page whether a link or an account let them in."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from flask import Response, flash, make_response, render_template, request
from flask_babel import force_locale
from flask_babel import gettext as _
from sqlalchemy import select
from sqlalchemy.exc import IntegrityError

from helpdesk import db, limits, web
from helpdesk.actor import Actor
from helpdesk.catalog import LinkAsked
from helpdesk.channels.portal import forms
from helpdesk.channels.portal.requests import LONGEST_BODY
from helpdesk.crm import addresses, contacts
from helpdesk.crm.models import Contact
from helpdesk.errors import Conflict, Forbidden, HelpdeskError, Invalid, TooMany, Unavailable
from helpdesk.events import record
from helpdesk.preferences import preferences
from helpdesk.tickets import attachments, intake, lifecycle, linking, plain, policy, queries
from helpdesk.tickets.intake import NewFile
from helpdesk.tickets.models import Channel, Inbox, Message, Queue, Status, Ticket

ANSWERS, PEOPLE = "30 per hour", "10 per hour"
MOST_PEOPLE = 10


@dataclass(frozen=True)
class Visit:
    """Who stands where: the ticket, the contact who reads it, as whom they act, and the page's address."""

    ticket: Ticket
    contact: Contact
    actor: Actor
    url: str
    token: str = ""
    may_write: bool = True


#: Finds the visit anew in the current transaction; raises what keeps the visitor out.
Enter = Callable[[], Visit]
#: The address of the page of another ticket of the same visitor.
Elsewhere = Callable[[Ticket], str]


def page(visit: Visit, *, wrong: HelpdeskError | None = None, body: str = "") -> Response:
    """The ticket's page, or the part of it that moves when the page's script asks for that alone."""
    shown, held = plain.messages(visit.ticket)
    names = _names(shown)
    values = {
        "visit": visit,
        "ticket": visit.ticket,
        "standing": plain.standing(visit.ticket, visit.contact, shown, held),
        "messages": shown,
        "names": names,
        "when": lambda at: plain.on_their_clock(at, visit.contact),
        "answered": any(message.kind == "reply" for message in shown),
    }
    if web.htmx() and request.method == "GET":
        return make_response(render_template("portal/_ticket.html", **values))
    errors = {name: str(text) for name, text in wrong.fields.items()} if isinstance(wrong, Invalid) else {}
    if errors.get("files"):
        errors["files"] += " " + _("Your text is still here; please choose the files again.")
    trouble = str(wrong.detail) if wrong is not None and not errors else ""
    if isinstance(wrong, TooMany):
        trouble = _("You have written very often in a short time. Your text is still here: please send it in a few minutes.")
    html = render_template(
        "portal/ticket.html",
        **values,
        errors=errors,
        trouble=trouble,
        body=body,
        participants=participants(visit.ticket),
        may_add_people=may_add_people(visit),
        asked_it=_asked(visit),
        link_days=preferences().link_valid_days,
        email_typed=request.form.get("email", ""),
        form_key=request.form.get("form_key") or forms.new_key(),
        limit_mb=web.settings().max_upload_bytes // 2**20,
        most_files=attachments.MOST_FILES,
    )
    return make_response(html, wrong.status if wrong is not None else 200)


def write(enter: Enter, elsewhere: Elsewhere) -> Response:
    """Add the customer's words and files; on a closed ticket open a new one that is linked to it. Refusals keep the text."""
    body = request.form.get("body", "").replace("\x00", "")
    try:
        with db.read():
            visit = enter()
            _check(body)
        forms.same_session()
        url = _written_once(visit, enter, elsewhere, body.replace("\r\n", "\n").strip())
    except (Invalid, TooMany, Unavailable) as wrong:
        with db.read():
            return page(enter(), wrong=wrong, body=body)
    flash(_("Your message has arrived."))
    return web.see(url)


def solve(visit: Visit) -> Response:
    """The customer says that it is solved. Saying it twice changes nothing."""
    if visit.ticket.status is not Status.CLOSED:
        lifecycle.solve(visit.ticket, by=visit.actor)
    flash(_("Thank you. The request is marked as solved; if something comes up, just write again."))
    return web.see(visit.url)


def reopen(visit: Visit) -> Response:
    """It is not solved: the request is open again, with a line in its thread that says who said so."""
    if visit.ticket.status is Status.CLOSED:
        raise Conflict(_("This request is closed. Write below: we will open a new one that knows of this one."))
    if visit.ticket.status is Status.SOLVED:
        with force_locale(visit.ticket.language or web.lang()):
            words = _("This is not solved yet.")
        intake.append(visit.ticket, intake.Incoming(visit.contact, words, Channel.PORTAL), by=visit.actor)
    flash(_("The request is open again. Please tell us what is missing."))
    return web.see(f"{visit.url}#answer")


def add_person(visit: Visit) -> Response:
    """The requester lets somebody else take part: they read everything here, write, and get a link of their own by mail."""
    if not may_add_people(visit):
        raise Forbidden(_("Only whoever asked can add others."))
    try:
        limits.within("add-person", PEOPLE, who=f"contact:{visit.contact.id}")
        with db.session().begin_nested():
            person = contacts.by_email(_address(), language=visit.ticket.language, by=visit.actor)
            if len(participants(visit.ticket)) >= MOST_PEOPLE:
                raise Invalid(fields={"email": _("At most %(n)s people can take part.", n=MOST_PEOPLE)})
            intake.add_participant(visit.ticket, person)
            record(LinkAsked(visit.ticket.id, person.id, visit.actor))
    except (Invalid, TooMany) as wrong:
        return page(visit, wrong=wrong)
    flash(_("They get a mail with a link of their own."))
    return web.see(visit.url)


def remove_person(visit: Visit, contact_id: int) -> Response:
    """The requester takes somebody out again: they read nothing more here, and their links end."""
    if not may_add_people(visit):
        raise Forbidden(_("Only whoever asked can take others out."))
    linking.remove_participant(visit.ticket, contact_id, by=visit.actor)
    flash(_("They no longer take part, and their links have ended."))
    return web.see(visit.url)


def end_links(visit: Visit) -> Response:
    """Links that went astray stop working: the visitor's own, or (`whose=all`, for whoever asked) everybody's."""
    if request.form.get("whose") == "all":
        if not _asked(visit):
            raise Forbidden(_("Only whoever asked can end everybody's links."))
        lifecycle.revoke_links(visit.ticket, by=visit.actor)
        flash(_("All links to this request have ended. Our next mail brings a fresh one."))
    else:
        linking.end_of(visit.ticket, visit.contact.id, by=visit.actor)
        flash(_("Your links to this request have ended. Our next mail brings a fresh one."))
    return web.see(visit.url)


def _asked(visit: Visit) -> bool:
    return contacts.same(visit.contact.id, visit.ticket.requester_id)


def _address() -> str:
    try:
        return addresses.email(web.text("email", required=True, longest=254)).shown
    except addresses.UnusableAddress:
        raise Invalid(fields={"email": _("This is not an e-mail address.")}) from None


def may_add_people(visit: Visit) -> bool:
    """Whoever asked decides who else reads along."""
    return visit.may_write and _asked(visit) and policy.open_for_customers(visit.ticket)


def participants(ticket: Ticket) -> list[tuple[int, str]]:
    """Those who take part besides the requester, as (contact id, address)."""
    return linking.holders(ticket)[1:]


# --- writing -------------------------------------------------------------------------------------------------------------------------


def _check(body: str) -> None:
    if not body.strip() and not web.uploads():
        raise Invalid(fields={"body": _("Write something first.")})
    if len(body) > LONGEST_BODY:
        raise Invalid(fields={"body": _("This is longer than %(n)s characters. Please attach the long part as a file.", n=LONGEST_BODY)})


def _written_once(visit: Visit, enter: Enter, elsewhere: Elsewhere, body: str) -> str:
    """Where the visitor finds what they wrote; a form sent twice, or reloaded, is one message."""
    names = [file.filename for file in web.uploads()]
    mark = forms.fingerprint("answer", visit.ticket.id, visit.contact.id, request.form.get("form_key", ""), body, *names)
    with db.read():
        if found := _before(visit.ticket, mark, visit.url, elsewhere):
            return found
    limits.within("answer", ANSWERS, who=f"contact:{visit.contact.id}")
    try:
        with attachments.keeping(web.uploads()) as kept, db.transaction():
            return _written(enter(), elsewhere, body, kept, mark)
    except IntegrityError:
        with db.read():
            if found := _before(visit.ticket, mark, visit.url, elsewhere):
                return found
        raise


def _before(ticket: Ticket, mark: str, url: str, elsewhere: Elsewhere) -> str:
    """Where the words of the same form went when it was sent before."""
    twin = db.session().scalar(select(Message.id).where(Message.ticket_id == ticket.id, Message.client_id == mark[:60]))
    if twin is not None:
        return _at(url, twin)
    made = forms.made_before(mark)
    return elsewhere(made) if made is not None else ""


def _written(visit: Visit, elsewhere: Elsewhere, body: str, kept: tuple[NewFile, ...], mark: str) -> str:
    ticket = visit.ticket
    incoming = intake.Incoming(visit.contact, body, Channel.PORTAL, subject=ticket.subject, files=kept, client_id=mark[:60])
    if policy.open_for_customers(ticket):
        message = intake.append(ticket, incoming, by=visit.actor)
        return _at(visit.url, message.id)
    session = db.session()
    inbox = session.get_one(Inbox, ticket.inbox_id)
    queue = session.get_one(Queue, ticket.queue_id)
    fresh, _message = intake.receive(incoming, inbox, by=visit.actor, linked_to=ticket, queue=queue if queue.active else None)
    forms.remember(mark, fresh)
    return elsewhere(fresh)


def _at(url: str, message_id: int) -> str:
    """The page at one message; ?arrived tells the browser that it need not keep the words any longer."""
    return f"{url}?arrived={message_id}#m{message_id}"


def _names(shown: list[Message]) -> dict[int, str]:
    """Who wrote each message, by its id; the reader's own are told by the template."""
    session = db.session()
    users = queries.names_of(session, {message.user_id for message in shown if message.user_id})
    wanted = {message.contact_id for message in shown if message.contact_id}
    customers = dict(session.execute(select(Contact.id, Contact.name).where(Contact.id.in_(wanted))).all())
    return {message.id: users.get(message.user_id or 0, "") or customers.get(message.contact_id or 0, "") for message in shown}
