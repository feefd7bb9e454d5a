"""Links by mail: a fresh one to a ticket, and those with which colleagues and customers sign in."""

from __future__ import annotations

from zoneinfo import ZoneInfo

from flask_babel import force_locale, format_datetime, gettext

from helpdesk import clock, db, web
from helpdesk.auth import User
from helpdesk.catalog import LinkAsked, LinkRequested
from helpdesk.channels.email import compose, languages, outbox
from helpdesk.channels.email.models import Outgoing, OutgoingKind
from helpdesk.crm.models import Contact
from helpdesk.events import reaction
from helpdesk.preferences import preferences
from helpdesk.tickets.models import Ticket


@reaction(LinkAsked, lane="io", name="mail.ticket_link")
def send_link(fact: LinkAsked) -> None:
    """Mail a fresh link to a ticket to the contact's own address, whoever asked for it."""
    session = db.session()
    ticket, contact = session.get_one(Ticket, fact.ticket_id), session.get_one(Contact, fact.contact_id)
    address = outbox.address_of(ticket, contact)
    if address is None or contact.erased_at is not None:
        return
    words = compose.words(
        OutgoingKind.TICKET_LINK, languages.of(ticket, contact), number=ticket.number, link=outbox.ticket_link(ticket, contact.id)
    )
    outbox.put(OutgoingKind.TICKET_LINK, ticket, contact, address, words)


@reaction(LinkRequested, lane="io", name="mail.sign_in")
def send_sign_in(fact: LinkRequested) -> None:
    """Put a mail with a single-use link into the outbox; the link itself is made when the mail leaves. Nobody of that address: nothing."""
    user = db.session().get(User, fact.user_id) if fact.user_id is not None else None
    if user is None or not user.active:
        return
    language = user.language or web.settings().default_language
    with force_locale(language):
        subject = {
            "invite": gettext("Your invitation to %(company)s", company=preferences().company),
            "reset": gettext("Choose a new password"),
            "signin": gettext("Your link to sign in"),
        }[fact.purpose]
    row = Outgoing(
        kind=OutgoingKind.SIGN_IN, user_id=user.id, purpose=fact.purpose, recipient=user.email, to=[[user.name, user.email]], cc=[],
        language=language, subject=subject, header_id=outbox.new_id(), not_before=clock.now(),
    )  # fmt: skip
    outbox.queue(row)


def sign_in_words(row: Outgoing) -> compose.Words:
    """The words of a sign-in mail with a link made now; each try's link replaces the last one. Kept nowhere."""
    from helpdesk.signin.by_mail import VALID, link_for

    user = db.session().get_one(User, row.user_id)
    with force_locale(row.language):
        opening, action = {
            "invite": (gettext("You have been invited to work here. Choose a password to begin:"), gettext("Choose a password")),
            "reset": (gettext("With this link you choose a new password:"), gettext("Choose a new password")),
            "signin": (gettext("With this link you sign in:"), gettext("Sign in")),
        }[row.purpose]
        zone = ZoneInfo(user.time_zone or web.settings().time_zone)
        until = format_datetime((clock.now() + VALID[row.purpose]).astimezone(zone), "d MMMM y, HH:mm z", rebase=False)
    link = link_for(user, row.purpose)
    return compose.words(OutgoingKind.SIGN_IN, row.language, row.subject, opening=opening, action=action, link=link, until=until)
