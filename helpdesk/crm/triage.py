"""Contacts by somebody we could not tell: written down with all who may be meant, and settled by a colleague, nothing lost meanwhile.

Who is known by one address of their own is never asked about: the entry goes to them at once.
"""

from __future__ import annotations

from datetime import datetime

from flask_babel import lazy_gettext as _
from sqlalchemy import or_, select, update

from helpdesk import clock, db
from helpdesk.actor import Actor
from helpdesk.catalog import UnmatchedSettled
from helpdesk.crm import addresses, contacts, identities, interactions
from helpdesk.crm.base_models import Unmatched
from helpdesk.crm.keys import match_key
from helpdesk.crm.models import Contact, Identity, Interaction
from helpdesk.errors import Conflict, Invalid
from helpdesk.events import record

#: Why nobody can be named.
WHY = ("unknown", "several")
#: Why one is dropped.
DROPPED = ("spam", "mistake", "private")
MOST_CANDIDATES = 12


def note(
    address: addresses.Address, *, kind: str, text: str, at: datetime | None = None, minutes: int | None = None,
    external_id: str | None = None, by: Actor,
) -> Interaction | Unmatched:  # fmt: skip
    """Write down a contact by whoever uses this address: with them if one person does, else for triage.

    external_id: its id in another system, under which it is written down once. Raises Invalid.
    """
    text = text.strip()
    if kind not in interactions.KINDS:
        raise Invalid(fields={"kind": _("Choose what it was.")})
    if not text:
        raise Invalid(fields={"text": _("Write down what was said.")})
    if len(text) > interactions.LONGEST:
        raise Invalid(fields={"text": _("Please shorten this to %(n)s characters.", n=interactions.LONGEST)})
    if external_id is not None and (twin := written(external_id)) is not None:
        return twin
    holders = identities.holding(address)
    people = {contacts.canonical(db.session().get_one(Contact, one.contact_id)) for one in holders}
    if len(people) == 1 and not any(one.shared for one in holders):
        return interactions.add(people.pop(), kind, text=text, direction="in", at=at, minutes=minutes, external_id=external_id, by=by)
    return wait(address, kind=kind, text=text, at=at, external_id=external_id, by=by)


def wait(
    address: addresses.Address, *, kind: str, text: str, at: datetime | None = None, external_id: str | None = None, by: Actor
) -> Unmatched:
    """Keep what came by an address until a colleague says whose it is; the same one (`external_id`) waits once."""
    found = select(Unmatched).where(Unmatched.external_id == external_id)
    if external_id is not None and (twin := db.session().scalar(found)) is not None:
        return twin
    made = Unmatched(
        at=min(at or clock.now(), clock.now()), kind=kind, address_kind=address.kind, address=address.value,
        why="several" if identities.holding(address) else "unknown", text=text, candidates=candidates(address), external_id=external_id,
        user_id=by.user_id,
    )  # fmt: skip
    db.session().add(made)
    db.session().flush()
    return made


def written(external_id: str) -> Interaction | Unmatched | None:
    """What was written down under this id of another system: with a customer, or still waiting."""
    session = db.session()
    entry = session.scalar(select(Interaction).where(Interaction.external_id == external_id))
    return entry or session.scalar(select(Unmatched).where(Unmatched.external_id == external_id))


def candidates(address: addresses.Address) -> list[int]:
    """Who may be meant, by contact id: who has the address, or one that only looks different."""
    like = match_key(address.value)
    same = [Identity.value_norm == address.value, *([Identity.match_key == like] if like else [])]
    found = select(Contact.canonical_id).join(Identity, Identity.contact_id == Contact.id).where(or_(*same), Contact.erased_at.is_(None))
    return list(db.session().scalars(found.distinct().limit(MOST_CANDIDATES)))


def waiting(*, after: tuple[datetime, int] | None = None, limit: int = 40) -> list[Unmatched]:
    """What nobody has settled yet, the oldest first; one more than `limit` where there are more."""
    found = select(Unmatched).where(Unmatched.settled_at.is_(None))
    if after is not None:
        found = found.where(or_(Unmatched.at > after[0], (Unmatched.at == after[0]) & (Unmatched.id > after[1])))
    return list(db.session().scalars(found.order_by(Unmatched.at, Unmatched.id).limit(limit + 1)))


def choose(one: Unmatched, contact: Contact, *, remember: bool, by: Actor) -> Interaction | None:
    """It was this customer: the entry is theirs, and the address too if `remember`. Raises Conflict when it was settled meanwhile.

    An order of a list has no entry: it comes when the list is taken in again, now that the address is known.
    """
    _settle(one, "matched", contact.id, by)
    if remember or one.kind not in interactions.KINDS:
        address = addresses.Address(one.address_kind, one.address, one.address)
        holders = identities.holding(address)
        if not any(held.contact_id in contacts.group(contact.id) for held in holders):
            identities.add(contact, address, shared=bool(holders), by=by)
    return _entry(one, contact, by)


def make(one: Unmatched, name: str, *, by: Actor) -> Contact:
    """It was somebody new, who gets the entry and the address. Raises Invalid without a name, Conflict when it was settled meanwhile."""
    if not name.strip():
        raise Invalid(fields={"name": _("A customer needs a name.")})
    contact = contacts.add(name=name, by=by)
    _settle(one, "new", contact.id, by)
    address = addresses.Address(one.address_kind, one.address, one.address)
    identities.add(contact, address, shared=bool(identities.holding(address)), by=by)
    _entry(one, contact, by)
    return contact


def drop(one: Unmatched, reason: str, *, by: Actor) -> None:
    """Nobody's: spam, a mistake, something private. Raises Invalid for another reason, Conflict when it was settled meanwhile."""
    if reason not in DROPPED:
        raise Invalid(fields={"reason": _("Choose one of these.")})
    _settle(one, reason, None, by)


def _entry(one: Unmatched, contact: Contact, by: Actor) -> Interaction | None:
    if one.kind not in interactions.KINDS:
        return None
    entry = interactions.add(contact, one.kind, text=one.text, direction="in", at=one.at, external_id=one.external_id, by=by)
    entry.user_id = one.user_id
    return entry


def _settle(one: Unmatched, outcome: str, contact_id: int | None, by: Actor) -> None:
    won = db.session().execute(
        update(Unmatched)
        .where(Unmatched.id == one.id, Unmatched.settled_at.is_(None))
        .values(settled_at=clock.now(), settled_as=outcome, settled_by_id=by.user_id, contact_id=contact_id),
        execution_options={"synchronize_session": False},
    )
    if won.rowcount != 1:  # type: ignore[attr-defined]
        raise Conflict(_("Somebody settled this meanwhile."))
    record(UnmatchedSettled(one.id, outcome, by, contact_id=contact_id))
