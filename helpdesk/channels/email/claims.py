"""A customer wrote from another address about a request of theirs: the known address is asked, and only its owner can say "that was me".

The question goes to the address that the desk knows, with a link to a page with two buttons; nothing that the stranger wrote stands in it,
not even their address, and it is asked seldom (the limits of receipts). Yes makes the two contacts one; no leaves everything as it is.
"""

from __future__ import annotations

from datetime import timedelta

from flask_babel import force_locale, gettext
from sqlalchemy import func, select

from helpdesk import clock, db, links, web
from helpdesk.actor import Actor
from helpdesk.channels.email import compose, languages, outbox, receipts, turns
from helpdesk.channels.email.models import Outgoing, OutgoingKind
from helpdesk.crm import contacts, merging
from helpdesk.crm.models import Contact, Identity, IdentityKind
from helpdesk.errors import Gone
from helpdesk.tickets.models import Message, Ticket

VALID_DAYS = 7
PURPOSE = "mail-claim"


def ask(meant: Ticket, ticket: Ticket, message: Message, stranger: Contact) -> Outgoing | None:
    """Ask the requester of `meant` whether it was they who opened `ticket` from another address; None when that is not to be asked."""
    session = db.session()
    known = contacts.canonical(session.get_one(Contact, meant.requester_id))
    address = outbox.address_of(meant, known)
    if message.automatic or address is None or known.id == stranger.id or not _new_here(stranger) or not _within_limits(address):
        return None
    language = languages.of(meant, known)
    with force_locale(language):
        subject = gettext("Did you write to us from another address? [#%(number)s]", number=meant.number)
    link = f"{web.settings().base_url}/claims/{links.sign(PURPOSE, [stranger.id, known.id, meant.id])}"
    words = compose.words(OutgoingKind.CLAIM, language, subject, number=meant.number, link=link, days=VALID_DAYS)
    return outbox.put(OutgoingKind.CLAIM, meant, known, address, words, message=message, thread=[])


def read(token: str) -> tuple[Contact, Contact, Ticket]:
    """The contact that wrote, the one that was asked, and the ticket it is about. Raises Gone."""
    payload = links.unsign(PURPOSE, token, valid_days=VALID_DAYS)
    session = db.session()
    stranger, known, ticket = (session.get(table, row_id) for table, row_id in zip((Contact, Contact, Ticket), payload, strict=True))
    if not (isinstance(stranger, Contact) and isinstance(known, Contact) and isinstance(ticket, Ticket)):
        raise Gone
    if stranger.erased_at is not None or known.erased_at is not None:
        raise Gone
    return stranger, known, ticket


def done(stranger: Contact, known: Contact) -> bool:
    """Whether the two are one already."""
    return contacts.canonical(stranger).id == contacts.canonical(known).id


def confirm(stranger: Contact, known: Contact) -> None:
    """It was me: the two contacts become one, and the address counts as verified. Twice changes nothing. Raises Gone when the
    other address has become somebody's whom the desk knows."""
    if done(stranger, known):
        return
    if stranger.merged_into_id is not None or not _new_here(stranger):
        raise Gone
    known = contacts.canonical(known)
    merging.merge(stranger, known, by=Actor("link", known.id, via="email"))
    for identity in db.session().scalars(select(Identity).where(Identity.contact_id == stranger.id, Identity.kind == IdentityKind.EMAIL)):
        identity.verified_at = identity.verified_at or clock.now()


def address_of(stranger: Contact) -> str:
    return contacts.email_of(stranger.id) or ""


def _new_here(stranger: Contact) -> bool:
    """Only a contact that exists for this mail's sake may be given to somebody else: one address, no tickets but unanswered questions."""
    session = db.session()
    addresses = session.scalar(select(func.count()).select_from(Identity).where(Identity.contact_id == stranger.id)) or 0
    tickets = session.scalar(select(func.count()).select_from(Ticket).where(Ticket.requester_id == stranger.id)) or 0
    others = session.scalar(select(Contact.id).where(Contact.merged_into_id == stranger.id).limit(1))
    return addresses == 1 and tickets <= 3 and others is None and not stranger.ratings_count


def _within_limits(address: str) -> bool:
    turns.take(f"claim:{address.lower()}")
    now = clock.now()
    sent = select(Outgoing.created_at).where(
        Outgoing.recipient == address, Outgoing.kind == OutgoingKind.CLAIM, Outgoing.created_at > now - timedelta(days=1)
    )
    times = list(db.session().scalars(sent))
    return all(sum(at > now - span for at in times) < most for span, most in receipts.LIMITS)
