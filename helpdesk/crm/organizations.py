"""What the pages of organizations read: the list, one by its id or name, its people and their parts.

Each page costs a constant number of queries.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import and_, func, or_, select

from helpdesk import db, web
from helpdesk.auth import Principal
from helpdesk.crm import queries
from helpdesk.crm.models import Contact, Membership, Organization
from helpdesk.errors import NotFound


@dataclass(frozen=True)
class Company:
    """An organization of the list, and how many people of it we know."""

    organization: Organization
    people: int


def listed(*, q: str = "", cursor: str | None = None, limit: int = queries.PAGE) -> web.Paged[Company]:
    """One page of organizations by name, with how many people belong to each."""
    people = (
        select(func.count())
        .select_from(Contact)
        .where(Contact.organization_id == Organization.id, Contact.merged_into_id.is_(None), Contact.erased_at.is_(None))
        .scalar_subquery()
    )
    found = select(Organization, people.label("people"))
    for word in q.split()[:8]:
        found = found.where(or_(queries.says(Organization.name, word), Organization.domain.like(queries.within(word.lower()), escape="\\")))
    if place := web.uncursor(cursor, str, int):
        found = found.where(or_(Organization.name > place[0], and_(Organization.name == place[0], Organization.id > place[1])))
    rows = db.session().execute(found.order_by(Organization.name, Organization.id).limit(limit + 1)).all()
    return web.paged([Company(*row) for row in rows], limit, lambda one: (one.organization.name, one.organization.id))


def find(organization_id: int) -> Organization:
    """Raises NotFound."""
    found = db.session().get(Organization, organization_id)
    if found is None:
        raise NotFound
    return found


def called(name: str) -> Organization | None:
    """The organization of exactly this name; small and capital letters are the same."""
    wanted = " ".join(name.split())
    rows = db.session().scalars(select(Organization).where(queries.says(Organization.name, wanted)).order_by(Organization.id).limit(50))
    return next((row for row in rows if row.name.casefold() == wanted.casefold()), None)


def colleagues_of(who: Principal, contact: Contact) -> list[tuple[Contact, Membership | None]]:
    """The other people of the contact's organization, with their part in it."""
    if contact.organization_id is None:
        return []
    return [(other, part) for other, part in people_of(who, contact.organization_id, limit=12) if other.id != contact.id]


def people_of(who: Principal, organization_id: int, *, limit: int = 200) -> list[tuple[Contact, Membership | None]]:
    """The people of an organization by name: those whose first one it is, and those who have a part in it beside another."""
    first = select(Contact.id).where(Contact.organization_id == organization_id)
    beside = select(Membership.contact_id).where(Membership.organization_id == organization_id)
    rows = db.session().execute(
        select(Contact, Membership)
        .outerjoin(Membership, and_(Membership.contact_id == Contact.id, Membership.organization_id == organization_id))
        .where(Contact.id.in_(first.union(beside)), *queries.alive(who))
        .order_by(Contact.name, Contact.id)
        .limit(limit)
    )
    return [(row.Contact, row.Membership) for row in rows]


def names(limit: int = 300) -> Sequence[str]:
    """Names to choose from, for a form's list."""
    return list(db.session().scalars(select(Organization.name).order_by(Organization.name).limit(limit)))
