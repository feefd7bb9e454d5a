"""What competitors offered a customer, as the customer told it: written down with its entry in the timeline. Money in minor units."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime, timedelta

from flask_babel import lazy_gettext as _
from sqlalchemy import select

from helpdesk import clock, db
from helpdesk.actor import Actor
from helpdesk.catalog import InteractionAdded
from helpdesk.crm import contacts, money, timeline
from helpdesk.crm.base_models import CompetitorOffer
from helpdesk.crm.models import Contact, Interaction
from helpdesk.errors import Invalid, Words
from helpdesk.events import record

KIND = "offer"
LONGEST = 5000


def add(
    contact: Contact,
    *,
    competitor: str,
    what: str,
    price: str = "",
    currency: str = "",
    at: datetime | None = None,
    note: str = "",
    by: Actor,
) -> CompetitorOffer:
    """Write down an offer. `price` as typed, such as 1 250,50; empty when it was not told. Raises Invalid with every fault at once."""
    faults: dict[str, Words] = {}
    competitor, what, note, now = " ".join(competitor.split()), " ".join(what.split()), note.strip(), clock.now()
    for name, words, longest in (("competitor", competitor, 200), ("what", what, 300), ("note", note, LONGEST)):
        if not words and name != "note":
            faults[name] = _("Please fill this in.")
        elif len(words) > longest:
            faults[name] = _("Please shorten this to %(n)s characters.", n=longest)
    cents = money.cents(price)
    if price.strip() and (cents is None or cents < 0):
        faults["price"] = _("Please give a price, such as 1250.50.")
    if cents is not None and not money.is_code(currency):
        faults["currency"] = _("A currency is three capital letters, such as EUR.")
    if at is not None and at > now + timedelta(minutes=5):
        faults["offered_at"] = _("This has not happened yet.")
    if faults:
        raise Invalid(fields=faults)
    session = db.session()
    made = CompetitorOffer(
        contact_id=contact.id, organization_id=contact.organization_id, at=min(at or now, now), competitor=competitor, what=what,
        price_cents=cents, currency=currency if cents is not None else "", note=note, user_id=by.user_id,
    )  # fmt: skip
    session.add(made)
    session.flush()
    entry = timeline.note(
        contact.id, KIND, at=made.at, organization_id=made.organization_id, user_id=by.user_id, title=f"{competitor}: {what}"[:300],
        text=note, amount_cents=cents, currency=made.currency, external_id=_entry_key(made),
    )  # fmt: skip
    session.flush()
    record(InteractionAdded(contact.id, entry.id, KIND, by, organization_id=contact.organization_id))
    return made


def remove(offer: CompetitorOffer) -> None:
    """Take back what was written down by mistake, with its entry."""
    session = db.session()
    for entry in session.scalars(select(Interaction).where(Interaction.external_id == _entry_key(offer))):
        session.delete(entry)
    contact = session.get_one(Contact, offer.contact_id)
    session.delete(offer)
    session.flush()
    for one in {contact, contacts.canonical(contact)}:
        timeline.recount(one)


def of(ids: Collection[int], *, limit: int = 8) -> list[CompetitorOffer]:
    """The newest offers to one person."""
    found = select(CompetitorOffer).where(CompetitorOffer.contact_id.in_(ids))
    return list(db.session().scalars(found.order_by(CompetitorOffer.at.desc(), CompetitorOffer.id.desc()).limit(limit)))


def _entry_key(offer: CompetitorOffer) -> str:
    return f"offer:{offer.id}"
