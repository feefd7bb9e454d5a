"""The addresses of one customer, kept by colleagues: adding, sharing, verifying, preferring, removing, putting back.

Every address comes through `crm.addresses`. Each change leaves a line in the customer's history with the whole address, which erasing the
customer empties.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from flask_babel import lazy_gettext as _
from sqlalchemy import select
from sqlalchemy.exc import IntegrityError

from helpdesk import clock, db
from helpdesk.actor import Actor
from helpdesk.catalog import ContactChanged
from helpdesk.crm import addresses, contacts, history
from helpdesk.crm.base_models import FieldChange
from helpdesk.crm.models import Contact, Identity, IdentityKind
from helpdesk.errors import Conflict, Invalid, Words
from helpdesk.events import record
from helpdesk.preferences import preferences

#: More than anybody has; keeps a mistaken program from filling a card.
MOST = 40
#: The channel that preferring an address of a kind chooses.
CHANNEL_OF = {IdentityKind.EMAIL: "email", IdentityKind.PHONE: "phone", IdentityKind.MESSENGER: "messenger"}
FIELD = "identities"


class Taken(Conflict):
    """The address is somebody else's. `owners`: whose, by contact id; the two may be one person, or share it."""

    def __init__(self, address: addresses.Address, owners: tuple[int, ...]) -> None:
        super().__init__(_("Another customer has %(address)s. Merge the two, or say that they share it.", address=address.shown))
        self.address, self.owners = address, owners


def read(kind: str, raw: str, *, within: str = "", language: str = "") -> addresses.Address:
    """An address as typed, in its one way of writing. A phone without country is read in the desk's. Raises UnusableAddress, Invalid."""
    if kind not in {one.value for one in IdentityKind}:
        raise Invalid(fields={"address_kind": _("Choose one of these.")})
    region = preferences().phone_region or ("RU" if language == "ru" else None)
    found = addresses.normalise(kind, raw[:400], region=region, within=within)
    if len(found.value) > 320:
        raise Invalid(fields={"address": _("Please shorten this to %(n)s characters.", n=320)})
    return found


def add(contact: Contact, address: addresses.Address, *, shared: bool = False, by: Actor) -> Identity:
    """Give a customer one more address.

    shared: several people use it, those who have it already as well. Raises Taken when somebody has it and `shared` is not said, Invalid
    when the customer has it themselves or has too many.
    """
    ids, kind = contacts.group(contact.id), IdentityKind(address.kind)
    holders = holding(address)
    if any(one.contact_id in ids for one in holders):
        raise Invalid(fields={"address": _("This customer has this address already.")})
    if len(_of(ids)) >= MOST:
        raise Invalid(fields={"address": _("Give at most %(n)s of these.", n=MOST)})
    if holders and not shared:
        raise Taken(address, tuple(dict.fromkeys(one.contact_id for one in holders)))
    for one in holders:
        if not one.shared:
            _changed(one, by, shared=True)
    made = Identity(contact_id=contact.id, kind=kind, value=address.shown[:320], value_norm=address.value, shared=shared)
    _store(made, address)
    history.write(contact, FIELD, None, written(made), by=by)
    record(ContactChanged(contact.id, by, (FIELD,)))
    return made


def mark(identity: Identity, *, shared: bool | None = None, verified: bool | None = None, by: Actor) -> None:
    """Say that several people use an address, or that it is proved to be theirs; or the reverse. Raises Conflict while others have it."""
    values: dict[str, Any] = {}
    if shared is not None:
        if not shared and len(holding(addresses.Address(identity.kind, identity.value_norm, identity.value))) > 1:
            raise Conflict(_("Other customers have this address too. Remove it there first."))
        values["shared"] = shared
    if verified is not None and verified != (identity.verified_at is not None):
        values["verified_at"] = clock.now() if verified else None
    _changed(identity, by, **values)


def prefer(identity: Identity, *, by: Actor) -> None:
    """Use this address before the others of its kind, and its channel before other channels. Raises Invalid for an id in another system."""
    channel = CHANNEL_OF.get(identity.kind)
    if channel is None:
        raise Invalid(_("Nobody can be reached by an id of another system."))
    ids = contacts.group(identity.contact_id)
    for one in _of(ids):
        if one.kind is identity.kind and one.id != identity.id and one.preferred:
            _changed(one, by, preferred=False)
    _changed(identity, by, preferred=True)
    history.change(db.session().get_one(Contact, ids[0]), {"preferred_channel": channel}, by=by)


def remove(identity: Identity, *, by: Actor) -> None:
    """Take an address away. Whoever writes from it next is somebody new; the history keeps it, so that it can be put back."""
    contact = db.session().get_one(Contact, identity.contact_id)
    history.write(contact, FIELD, written(identity), None, by=by)
    db.session().delete(identity)
    db.session().flush()
    record(ContactChanged(contact.id, by, (FIELD,)))


def put_back(change: FieldChange, *, by: Actor) -> Identity:
    """Give back the address that a line of the history took away. Raises Conflict if somebody has it now, or nothing is left."""
    held = change.old if change.field == FIELD and change.new is None else None
    if not isinstance(held, dict) or change.contact_id is None:
        raise Conflict(_("There is nothing to put back here."))
    address = addresses.Address(held["kind"], held["value_norm"], held["value"])
    holders = holding(address)
    if any(one.contact_id in contacts.group(change.contact_id) for one in holders):
        raise Conflict(_("This customer has this address already."))
    if any(not (one.shared and held["shared"]) for one in holders):
        raise Taken(address, tuple(one.contact_id for one in holders))
    verified = datetime.fromisoformat(held["verified_at"]) if held["verified_at"] else None
    made = Identity(contact_id=change.contact_id, kind=IdentityKind(held["kind"]), value=held["value"], value_norm=held["value_norm"],
                    shared=held["shared"], verified_at=verified)  # fmt: skip
    _store(made, address)
    history.write(db.session().get_one(Contact, change.contact_id), FIELD, None, written(made), by=by)
    record(ContactChanged(change.contact_id, by, (FIELD,)))
    return made


def holding(address: addresses.Address) -> list[Identity]:
    """Who has this address: one, or several who share it. Customers who were erased have none."""
    found = select(Identity).join(Contact, Contact.id == Identity.contact_id).where(Contact.erased_at.is_(None))
    found = found.where(Identity.kind == IdentityKind(address.kind), Identity.value_norm == address.value)
    return list(db.session().scalars(found.order_by(Identity.id)))


def written(identity: Identity) -> dict[str, Any]:
    """An address as the history keeps it."""
    return {
        "kind": identity.kind.value, "value": identity.value, "value_norm": identity.value_norm, "shared": identity.shared,
        "preferred": bool(identity.preferred), "verified_at": identity.verified_at.isoformat() if identity.verified_at else None,
    }  # fmt: skip


def said(held: dict[str, Any]) -> str:
    """An address of the history as people read it, with its marks."""
    marks: list[Words] = [words for name, words in _MARKS if held.get(name)]
    return f"{held['value']} ({', '.join(str(one) for one in marks)})" if marks else str(held["value"])


_MARKS: tuple[tuple[str, Words], ...] = (("verified_at", _("verified")), ("shared", _("shared")), ("preferred", _("preferred")))


def _changed(identity: Identity, by: Actor, **values: Any) -> None:
    before = written(identity)
    for name, value in values.items():
        setattr(identity, name, value)
    if (after := written(identity)) != before:
        db.session().flush()
        history.write(db.session().get_one(Contact, identity.contact_id), FIELD, before, after, by=by)
        record(ContactChanged(identity.contact_id, by, (FIELD,)))


def _store(made: Identity, address: addresses.Address) -> None:
    """Two colleagues may add one address at once: the second is told whose it is."""
    try:
        with db.session().begin_nested():
            db.session().add(made)
            db.session().flush()
    except IntegrityError as lost:
        raise Taken(address, tuple(one.contact_id for one in holding(address))) from lost


def _of(contacts_: list[int]) -> list[Identity]:
    return list(db.session().scalars(select(Identity).where(Identity.contact_id.in_(contacts_)).order_by(Identity.id)))
