"""Contacts outside the channels, for programs: a telephone system or a calendar writes down a call, a meeting, a letter, a visit.

Told by a customer's id or by the address that was used. An address of nobody, or of several people, is no error: the contact waits until
a colleague says whose it was, and the answer says so.
"""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, TypeVar

from flask_babel import lazy_gettext as _
from pydantic import Field
from sqlalchemy import select

from helpdesk import db, web
from helpdesk.auth import require
from helpdesk.channels.api import routes
from helpdesk.channels.api.routes import get, post
from helpdesk.channels.api.schemas import PLAIN, SAID, Key, Moment, Shown, Wish
from helpdesk.crm import access, addresses, identities, interactions, policy, triage
from helpdesk.crm import contacts as people
from helpdesk.crm.base_models import Unmatched
from helpdesk.crm.models import Contact, Interaction
from helpdesk.errors import Invalid, NotFound

T = TypeVar("T", bound=Interaction | Unmatched)
#: Programs' ids stand beside those of forms and offers.
STORED = "api:"


class AddressWish(Wish):
    """By what somebody reached us. `within`: the messenger, or the system that an id belongs to."""

    kind: Annotated[str, Field(max_length=12, description="email, phone, messenger or external."), PLAIN]
    value: Annotated[str, Field(min_length=1, max_length=320), PLAIN, SAID]
    within: Annotated[str, Field(max_length=40), PLAIN] = ""


class NewInteraction(Wish):
    """A contact with a customer. Give `contact_id` or `address`; by an address it came from the customer."""

    kind: Annotated[str, Field(max_length=12, description="call, meeting, letter or visit."), PLAIN]
    text: Annotated[str, Field(min_length=1, max_length=interactions.LONGEST), PLAIN, SAID]
    contact_id: Key | None = None
    address: AddressWish | None = None
    direction: Annotated[str, Field(max_length=3, description="in: the customer came to us; out: we to them."), PLAIN] = "in"
    at: Moment | None = None
    minutes: Annotated[int, Field(ge=0, le=24 * 60)] | None = None
    external_id: Annotated[str, Field(min_length=1, max_length=100, description="Its id in another system."), PLAIN, SAID] | None = None


class InteractionShown(Shown):
    """A contact as it stands. While it `waits` nobody knows whose it was, and `contact_id` is null."""

    id: int
    waits: bool
    contact_id: int | None
    kind: str
    at: datetime
    text: str
    external_id: str | None
    url: str


@post("/interactions", scope="contacts:write", takes=NewInteraction, gives=InteractionShown)
def add_interaction(sent: NewInteraction) -> InteractionShown:
    """Write down a contact; the same `external_id` again answers with what stands here."""
    who = web.principal()
    require(policy.may_add(who))
    if (sent.contact_id is None) == (sent.address is None):
        raise Invalid(fields={"contact_id": _("Give the customer, or the address.")})
    key = f"{STORED}{sent.external_id}" if sent.external_id is not None else None
    if key is not None and (twin := triage.written(key)) is not None:
        return _shown(_seen(twin))
    if sent.address is not None:
        made = triage.note(
            _address(sent.address), kind=sent.kind, text=sent.text, at=sent.at, minutes=sent.minutes, external_id=key,
            by=web.current_actor(),
        )  # fmt: skip
        return _shown(made)
    theirs = select(Contact).where(Contact.id == sent.contact_id, policy.visible(who), Contact.erased_at.is_(None))
    contact = db.session().scalar(theirs)
    if contact is None:
        raise Invalid(fields={"contact_id": _("There is no such customer.")})
    return _shown(
        interactions.add(
            people.canonical(contact), sent.kind, text=sent.text, direction=sent.direction, at=sent.at, minutes=sent.minutes,
            external_id=key, by=web.current_actor(),
        )
    )  # fmt: skip


@get("/interactions/{id}", scope="contacts:read", gives=InteractionShown)
def interaction(id: int) -> InteractionShown:
    """Look at an entry of a customer's timeline that was written down by somebody."""
    one = db.session().get(Interaction, id)
    if one is None or one.kind not in interactions.KINDS or not web.principal().staff:
        raise NotFound
    _seen(one)
    access.noted([one.contact_id], "viewed", via="api")
    return _shown(one)


def _address(sent: AddressWish) -> addresses.Address:
    try:
        return identities.read(sent.kind, sent.value, within=sent.within)
    except addresses.UnusableAddress as wrong:
        raise Invalid(fields={"address.value": wrong.detail}) from wrong
    except Invalid as wrong:
        field = "address.kind" if "address_kind" in wrong.fields else "address.value"
        raise Invalid(fields={field: next(iter(wrong.fields.values()))}) from wrong


def _seen(one: T) -> T:
    """It, if the reader may see whose it is; what waits is everybody's. Raises NotFound."""
    visible = select(Contact.id).where(Contact.id == one.contact_id, policy.visible(web.principal()), Contact.erased_at.is_(None))
    if one.contact_id is not None and db.session().scalar(visible) is None:
        raise NotFound
    return one


def _shown(one: Interaction | Unmatched) -> InteractionShown:
    unknown = isinstance(one, Unmatched)
    return InteractionShown(
        id=one.id, waits=isinstance(one, Unmatched) and one.settled_at is None, contact_id=one.contact_id, kind=one.kind, at=one.at,
        text=one.text, external_id=one.external_id.removeprefix(STORED) if one.external_id else None,
        url=f"{web.settings().base_url}/customers/unknown" if unknown else routes.address(interaction, id=one.id),
    )  # fmt: skip
