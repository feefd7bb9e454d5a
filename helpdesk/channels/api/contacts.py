"""Customers for programs: list, find by address, look at one with their figures, add, correct.

A customer's own token finds themselves and nobody else, without what the desk thinks of them.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, Any

from flask_babel import lazy_gettext as _
from pydantic import Field
from sqlalchemy import ColumnElement, or_, select
from sqlalchemy.orm import aliased, joinedload, selectinload

from helpdesk import db, web
from helpdesk.auth import Principal, require
from helpdesk.channels.api import routes
from helpdesk.channels.api.routes import get, patch, post
from helpdesk.channels.api.schemas import PLAIN, SAID, Change, Key, Language, Named, Page, Paging, Shown, Wish
from helpdesk.crm import access, addresses, editing, policy
from helpdesk.crm import contacts as people
from helpdesk.crm.models import Contact, Identity, IdentityKind, Organization
from helpdesk.errors import Conflict, Invalid, NotFound

Tag = Annotated[str, Field(min_length=1, max_length=60), PLAIN, SAID]


# --- what is sent and shown -------------------------------------------------------------------------------------------


class ContactFilters(Paging):
    """Which customers; several conditions narrow each other."""

    email: Annotated[str, Field(max_length=254, description="Exactly this address."), PLAIN] = ""
    q: Annotated[str, Field(max_length=200, description="A part of the name."), PLAIN] = ""
    organization: Annotated[Key | None, Field(description="A company's id.")] = None


class NewContact(Wish):
    """A customer to be added."""

    email: Annotated[str, Field(min_length=1, max_length=254), PLAIN, SAID]
    name: Annotated[str, Field(max_length=200), PLAIN] = ""
    language: Language = ""
    tags: Annotated[list[Tag], Field(max_length=editing.MOST_TAGS)] = []
    organization_id: Annotated[Key | None, Field(description="Left out, the company whose mail domain they use.")] = None


class ContactChange(Change):
    """What is to be different; what is left out stays."""

    may_be_null = frozenset(("organization_id",))

    name: Annotated[str, Field(min_length=1, max_length=200), PLAIN, SAID] | None = None
    language: Language | None = None
    tags: Annotated[list[Tag], Field(max_length=editing.MOST_TAGS)] | None = None
    organization_id: Annotated[Key | None, Field(description="A company's id; null for none.")] = None


class IdentityShown(Shown):
    """An address. `verified_at`: when it was proved to be theirs."""

    kind: IdentityKind
    value: str
    verified_at: datetime | None


class Figures(Shown):
    """What is derived from the facts, as of a moment. `satisfaction` on 0–100, null without ratings; money in minor units,
    null for those who do not see what customers are worth."""

    satisfaction: float | None
    ratings: int
    value_cents: int | None
    currency: str
    tier: str
    as_of: datetime | None


class ContactShown(Shown):
    """A customer. `tags` and `figures` are null for a customer's own token. `merged_into` names the contact that speaks for this one."""

    id: int
    name: str
    language: str
    organization: Named | None
    tags: list[str] | None
    identities: list[IdentityShown]
    figures: Figures | None
    created_at: datetime
    merged_into: int | None
    url: str


class ContactPage(Page[ContactShown]):
    pass


# --- routes -----------------------------------------------------------------------------------------------------------


@get("/contacts", scope="contacts:read", asks=ContactFilters, gives=ContactPage)
def contacts(asked: ContactFilters) -> Page[ContactShown]:
    """List customers, newest first; who was merged into another is left out."""
    who = web.principal()
    found = _rows(who).where(Contact.merged_into_id.is_(None), *_conditions(asked)).order_by(Contact.id.desc()).limit(asked.limit + 1)
    if position := web.uncursor(asked.cursor, int):
        found = found.where(Contact.id < position[0])
    paged = web.paged(list(db.session().scalars(found)), asked.limit, lambda row: (row.id,))
    merged = _merged_identities([row.id for row in paged.rows])
    access.noted([row.id for row in paged.rows], "viewed", via="api")
    return routes.page(ContactPage, paged, [_shown(who, row, merged.get(row.id, ())) for row in paged.rows], asked)


@post("/contacts", scope="contacts:write", takes=NewContact, gives=ContactShown, conflicts=True)
def add(sent: NewContact) -> ContactShown:
    """Add a customer by e-mail address; 409 if somebody has it already."""
    who = web.principal()
    require(policy.may_add(who))
    try:
        address = addresses.email(sent.email).value
    except addresses.UnusableAddress as wrong:
        raise Invalid(fields={"email": wrong.detail}) from wrong
    if (known := people.find_by_email(address)) is not None:
        raise Conflict(_("This address belongs to customer %(id)s.", id=known.id))
    by = web.current_actor()
    made = people.by_email(sent.email, name=sent.name, language=sent.language, by=by)
    if sent.organization_id is not None:
        editing.join(made, _organization(sent.organization_id), by=by)
    if sent.tags:
        editing.tag(made, sent.tags, by=by)
    return _look(who, made.id)


@get("/contacts/{id}", scope="contacts:read", gives=ContactShown)
def contact(id: int) -> ContactShown:
    """Look at a customer, with addresses and figures."""
    shown = _look(web.principal(), id)
    access.noted([id], "viewed", via="api")
    return shown


@patch("/contacts/{id}", scope="contacts:write", takes=ContactChange, gives=ContactShown, conflicts=False)
def change_contact(id: int, sent: ContactChange) -> ContactShown:
    """Correct a customer's name, language, tags or company."""
    who = web.principal()
    one = _find(who, id)
    require(policy.may(who, "edit", one))
    by = web.current_actor()
    if sent.name is not None:
        editing.rename(one, sent.name, by=by)
    if sent.language is not None:
        editing.speak(one, sent.language, by=by)
    if sent.tags is not None:
        editing.tag(one, sent.tags, by=by)
    if "organization_id" in sent.model_fields_set:
        editing.join(one, _organization(sent.organization_id) if sent.organization_id is not None else None, by=by)
    return _look(who, id)


# --- below ------------------------------------------------------------------------------------------------------------


def _rows(who: Principal) -> Any:
    return (
        select(Contact)
        .where(policy.visible(who), Contact.erased_at.is_(None))
        .options(joinedload(Contact.organization), selectinload(Contact.identities))
    )


def _conditions(asked: ContactFilters) -> list[ColumnElement[bool]]:
    wanted: list[ColumnElement[bool]] = []
    if asked.email.strip():
        owner = aliased(Contact)
        owners = select(owner.canonical_id).join(Identity, Identity.contact_id == owner.id)
        wanted.append(Contact.id.in_(owners.where(Identity.kind == IdentityKind.EMAIL, Identity.value_norm == _normal(asked.email))))
    if words := asked.q.strip():
        # SQLite folds the case of Latin letters only, so the usual ways to write a name are asked for.
        ways = {words, words.lower(), words.upper(), words.title(), words.capitalize()}
        wanted.append(or_(*(Contact.name.icontains(way, autoescape=True) for way in sorted(ways))))
    if asked.organization is not None:
        wanted.append(Contact.organization_id == asked.organization)
    return wanted


def _normal(email: str) -> str:
    try:
        return addresses.email(email).value
    except addresses.UnusableAddress as wrong:
        raise Invalid(fields={"email": wrong.detail}) from wrong


def _find(who: Principal, id: int) -> Contact:
    """The contact, if `who` may see it; NotFound otherwise."""
    found: Contact | None = db.session().scalar(_rows(who).where(Contact.id == id))
    if found is None:
        raise NotFound
    return found


def _look(who: Principal, id: int) -> ContactShown:
    """A contact as it is now, its company and addresses read anew."""
    db.session().flush()
    found = db.session().scalar(_rows(who).where(Contact.id == id).execution_options(populate_existing=True))
    if found is None:
        raise NotFound
    return _shown(who, found, _merged_identities([id]).get(id, ()))


def _merged_identities(ids: Sequence[int]) -> dict[int, list[Identity]]:
    """The addresses of those who were merged into these customers."""
    rows = db.session().execute(
        select(Contact.canonical_id, Identity)
        .join(Contact, Contact.id == Identity.contact_id)
        .where(Contact.merged_into_id.in_(ids))
        .order_by(Identity.id)
    )
    found: dict[int, list[Identity]] = {}
    for whose, identity in rows:
        found.setdefault(whose, []).append(identity)
    return found


def _shown(who: Principal, row: Contact, merged: Sequence[Identity] = ()) -> ContactShown:
    identities = [*row.identities, *merged]
    figures = Figures(
        satisfaction=row.satisfaction,
        ratings=row.ratings_count,
        value_cents=row.value_cents if policy.may_see_value(who) else None,
        currency=row.currency,
        tier=row.tier,
        as_of=row.figures_as_of,
    )
    return ContactShown(
        id=row.id,
        name=row.name,
        language=row.language,
        organization=Named(id=row.organization.id, name=row.organization.name) if row.organization else None,
        tags=row.tags if who.staff else None,
        identities=[IdentityShown(kind=one.kind, value=one.value, verified_at=one.verified_at) for one in identities],
        figures=figures if who.staff else None,
        created_at=row.created_at,
        merged_into=row.merged_into_id,
        url=routes.address(contact, id=row.id),
    )


def _organization(id: int) -> Organization:
    found = db.session().get(Organization, id)
    if found is None:
        raise Invalid(fields={"organization_id": _("There is no such company.")})
    return found
