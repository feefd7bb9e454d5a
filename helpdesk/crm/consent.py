"""What customers agreed to: an append-only ledger with proof, asked before anything is sent that nobody asked for.

Answers to somebody's own request need no consent. `contact.survey_allowed` is the newest word about surveys, kept beside the customer so
that a round of surveys asks one table; whoever changes it, the ledger follows.
"""

from __future__ import annotations

from dataclasses import dataclass

from flask_babel import lazy_gettext as _
from sqlalchemy import ColumnElement, and_, func, select
from sqlalchemy.orm import aliased

from helpdesk import clock, db
from helpdesk.actor import Actor
from helpdesk.catalog import ConsentChanged, ContactChanged
from helpdesk.crm import contacts, history
from helpdesk.crm.models import Contact, Identity, IdentityKind
from helpdesk.crm.privacy_models import Consent
from helpdesk.errors import Invalid, Words
from helpdesk.events import reaction, record


@dataclass(frozen=True)
class Purpose:
    """Something that needs a customer's word. `by_default`: what holds while they have said nothing (a legitimate interest, or not).

    `version` names the sentence: raise it when the words change.
    """

    words: Words
    by_default: bool
    version: str = "1"


PURPOSES: dict[str, Purpose] = {
    "surveys": Purpose(_("Ask me how it was"), True),
    "news": Purpose(_("Send me news and offers"), False),
    "profiling": Purpose(_("Work out from my purchases and requests what suits me"), True),
}
SOURCES: dict[str, Words] = {
    "portal": _("on the portal"),
    "unsubscribe": _("by the link in a mail"),
    "agent": _("told a colleague"),
    "profile": _("in the profile"),
}


def say(contact: Contact, purpose: str, given: bool, *, source: str, by: Actor, channel: str = "", proof: str = "") -> Consent | None:
    """Note a yes or no; None where it says nothing new. Raises Invalid for a purpose nobody knows."""
    known = PURPOSES.get(purpose)
    if known is None:
        raise Invalid(fields={"purpose": _("Choose one of these.")})
    newest = last(contact, purpose, channel)
    if newest is not None and newest.given == given:
        return None
    made = Consent(
        contact_id=contact.id,
        purpose=purpose,
        channel=channel,
        given=given,
        at=clock.now(),
        source=source,
        version=known.version,
        words=str(known.words),
        proof=" ".join(proof.split())[:300],
        user_id=by.user_id,
    )
    db.session().add(made)
    db.session().flush()
    record(ConsentChanged(contact.id, made.id, purpose, given, by))
    if purpose == "surveys" and contact.survey_allowed != given:
        history.change(contact, {"survey_allowed": given}, by=by)
    return made


def allows(contact: Contact, purpose: str, channel: str = "") -> bool:
    """Whether this may be done: the newest word about this channel, else about the purpose, else what holds by default."""
    if contact.erased_at is not None:
        return False
    if purpose == "surveys" and not contact.survey_allowed:
        return False
    for one in (channel, "") if channel else ("",):
        newest = last(contact, purpose, one)
        if newest is not None:
            return newest.given
    return PURPOSES[purpose].by_default


def permitted(purpose: str) -> ColumnElement[bool]:
    """The same as `allows(contact, purpose)`, without a channel, as a condition on Contact: for whoever asks about many."""
    owner = aliased(Contact)
    about = (Consent.purpose == purpose, Consent.channel == "")
    newest = select(func.max(Consent.id)).join(owner, owner.id == Consent.contact_id).where(*about).group_by(owner.canonical_id)
    said = select(owner.canonical_id).join(Consent, Consent.contact_id == owner.id).where(Consent.id.in_(newest))
    if PURPOSES[purpose].by_default:
        agreed = Contact.id.not_in(said.where(Consent.given.is_(False)))
    else:
        agreed = Contact.id.in_(said.where(Consent.given.is_(True)))
    return and_(agreed, Contact.survey_allowed.is_(True)) if purpose == "surveys" else agreed


def last(contact: Contact, purpose: str, channel: str = "") -> Consent | None:
    """The newest word of this person about a purpose on a channel."""
    ids = contacts.group(contact.id)
    newest = select(func.max(Consent.id)).where(Consent.contact_id.in_(ids), Consent.purpose == purpose, Consent.channel == channel)
    return db.session().scalar(select(Consent).where(Consent.id == newest.scalar_subquery()))


def ledger(ids: list[int], *, limit: int | None = 50) -> list[Consent]:
    """Every word of this person, the newest first."""
    return list(db.session().scalars(select(Consent).where(Consent.contact_id.in_(ids)).order_by(Consent.id.desc()).limit(limit)))


def by_address(address: str, given: bool) -> None:
    """Who reads mail at this address said so through the link in a mail."""
    found = select(Contact).join(Identity, Identity.contact_id == Contact.id)
    found = found.where(Identity.kind == IdentityKind.EMAIL, Identity.value_norm == address.lower(), Contact.erased_at.is_(None))
    for contact in db.session().scalars(found):
        speaker = contacts.canonical(contact)
        for purpose in ("surveys", "news") if not given else ("surveys",):
            say(
                speaker,
                purpose,
                given,
                source="unsubscribe",
                by=Actor("link", speaker.id, via="email"),
                channel="email",
                proof="signed link",
            )


@reaction(
    ContactChanged, lane="io", when=lambda fact: "survey_allowed" in fact.fields, key=lambda fact: f"consent:{fact.contact_id}",
    name="consent.follow",
)  # fmt: skip
def follow(fact: ContactChanged) -> None:
    """The profile's switch was moved: the ledger says so too."""
    contact = db.session().get(Contact, fact.contact_id)
    if contact is None or contact.erased_at is not None:
        return
    newest = last(contact, "surveys")
    on_mail = last(contact, "surveys", "email")
    if on_mail is not None and (newest is None or on_mail.id > newest.id):
        newest = on_mail
    if (newest.given if newest is not None else PURPOSES["surveys"].by_default) != contact.survey_allowed:
        say(contact, "surveys", contact.survey_allowed, source="profile", by=fact.by, proof=fact.by.via)
