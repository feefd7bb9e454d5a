"""What the customers' pages read: the list with its search, and one customer with everything around them. Of companies: `organizations`.

Each page costs a constant number of queries.
"""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, and_, exists, false, func, or_, select
from sqlalchemy.orm import InstrumentedAttribute, aliased, joinedload

from helpdesk import clock, db, web
from helpdesk.auth import STAFF, Principal, User
from helpdesk.crm import contacts as people
from helpdesk.crm import finding, pieces, policy, profile, satisfaction, segments
from helpdesk.crm.figures import Figure
from helpdesk.crm.keys import spellings
from helpdesk.crm.models import Contact, Identity, IdentityKind, Interaction, Organization, Rating
from helpdesk.errors import NotFound

PAGE = 40
#: The timeline's page, and the ratings that a customer's page names.
ENTRIES, RATINGS = 30, 5
#: How long a next step that is past is still shown.
OVERDUE = timedelta(days=30)
SORTS = ("last", "name")
_LIKE = re.compile(r"([%_\\])")


# --- the list ------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Wanted:
    """What narrows and orders the list, as it stands in the address."""

    q: str = ""
    organization_id: int | None = None
    sort: str = "last"
    segment: dict[str, Any] | None = None


@dataclass(frozen=True)
class Listed:
    """One customer of the list: the first address of each kind, and when we last had to do with each other."""

    contact: Contact
    email: str
    phone: str
    last_at: datetime


def page(who: Principal, wanted: Wanted, *, cursor: str | None = None, limit: int = PAGE) -> web.Paged[Listed]:
    """One page of the customers that this person may see. Who was merged into another, or erased, is left out."""
    last = Contact.last_at
    found = select(Contact).where(*alive(who)).options(joinedload(Contact.organization))
    if wanted.organization_id is not None:
        found = found.where(Contact.organization_id == wanted.organization_id)
    if wanted.q:
        found = found.where(matching(wanted.q))
        if (few := may_match(wanted.q)) is not None:
            found = found.where(Contact.id.in_(few))
    if wanted.segment is not None:
        found = found.where(segments.condition(who, wanted.segment))
    if wanted.sort == "name":
        if place := web.uncursor(cursor, str, int):
            found = found.where(or_(Contact.name > place[0], and_(Contact.name == place[0], Contact.id > place[1])))
        found = found.order_by(Contact.name, Contact.id)
    else:
        if after := web.uncursor(cursor, datetime, int):
            found = found.where(or_(last < after[0], and_(last == after[0], Contact.id < after[1])))
        found = found.order_by(last.desc(), Contact.id.desc())
    rows = db.session().scalars(found.limit(limit + 1)).unique().all()
    reached = addresses([row.id for row in rows])
    listed = [Listed(row, *reached.get(row.id, ("", "")), row.last_at) for row in rows]
    if wanted.sort == "name":
        return web.paged(listed, limit, lambda one: (one.contact.name, one.contact.id))
    return web.paged(listed, limit, lambda one: (one.last_at, one.contact.id))


def by_name(wanted: Wanted) -> Wanted:
    """The same list in the order of names, which nothing that happens meanwhile changes."""
    return replace(wanted, sort="name")


def matching(words: str) -> ColumnElement[bool]:
    """Each word stands in the name, in an address or in the organization's name; or all of it is a phone number, however written.

    A word of one or two letters counts where one begins. Signs alone are no words, and find nobody.
    """
    said = _words(words)
    if not said:
        return false()
    conditions = []
    for word in said:
        by_address = _reached_by(Identity.value_norm.like(within(word.lower()), escape="\\"))
        own, name = or_(says(Contact.name, word), by_address), says(Organization.name, word)
        if pieces.short(word):
            own, name = and_(finding.holds(word), own), _begins(Organization.name, word)
        conditions.append(or_(own, exists().where(Organization.id == Contact.organization_id, name)))
    if not (tail := _phone(words)):
        return and_(*conditions)
    phone = _reached_by(Identity.kind == IdentityKind.PHONE, Identity.value_norm.like(within(tail), escape="\\"))
    return or_(and_(*conditions), phone)


def may_match(words: str) -> list[int] | None:
    """The customers of whom `matching` may be true, by the index of pieces and by their organization; None when they are too many: then
    walking the list meets a page of them soon.
    """
    said = _words(words)
    found = finding.holding(said)
    if found is None:
        return None
    if tail := _phone(words):
        if (by_phone := finding.holding([tail])) is None:
            return None
        found += by_phone
    companies = select(Organization.id).where(or_(*(says(Organization.name, word) for word in said)))
    theirs = select(Contact.id).where(Contact.organization_id.in_(companies)).limit(finding.MOST + 1)
    found += db.session().scalars(theirs)
    return sorted(set(found)) if len(found) <= 2 * finding.MOST else None


def _words(words: str) -> list[str]:
    return [word for word in words.split() if pieces.wanted(word)][:8]


def _phone(words: str) -> str:
    """What a phone number ends with, if these words may be one, however it is written; else nothing."""
    digits = re.sub(r"\D", "", words)
    if len(digits) < 5:
        return ""
    # 8 and +7 begin the same Russian number, 0 and +44 the same British one: what counts is the end.
    return digits[1:] if digits[0] in "078" and len(digits) > 7 else digits


def _reached_by(*conditions: ColumnElement[bool]) -> ColumnElement[bool]:
    """An address that fits belongs to the contact, or to one that was merged into it. Asked of one contact at a time, never of all."""
    owner = aliased(Contact)
    theirs = or_(owner.id == Contact.id, owner.merged_into_id == Contact.id)
    return exists().where(Identity.contact_id == owner.id, theirs, *conditions)


def says(column: InstrumentedAttribute[str], word: str) -> ColumnElement[bool]:
    """A part of a name, whatever its case."""
    return or_(*(column.ilike(within(form), escape="\\") for form in spellings(word)))


def _begins(column: InstrumentedAttribute[str], word: str) -> ColumnElement[bool]:
    """A word of a name begins so."""
    forms = [_LIKE.sub(r"\\\1", form) for form in spellings(word)]
    return or_(*(column.ilike(like, escape="\\") for form in forms for like in (f"{form}%", f"% {form}%")))


def within(text: str) -> str:
    return "%" + _LIKE.sub(r"\\\1", text) + "%"


def alive(who: Principal) -> tuple[ColumnElement[bool], ...]:
    return policy.visible(who), Contact.merged_into_id.is_(None), Contact.erased_at.is_(None)


def seen(who: Principal, contacts: Collection[int], *, merged: bool = False) -> set[int]:
    """Which of these customers this person may see; those who were merged only if asked for."""
    found = select(Contact.id).where(Contact.id.in_(contacts), policy.visible(who), Contact.erased_at.is_(None))
    return set(db.session().scalars(found if merged else found.where(Contact.merged_into_id.is_(None))))


def addresses(contacts: Collection[int]) -> dict[int, tuple[str, str]]:
    """The first e-mail address and the first phone of each, those that work before those that fail."""
    found: dict[int, tuple[str, str]] = {}
    rows = db.session().execute(
        select(Identity, Contact.canonical_id.label("whose"))
        .join(Contact, Contact.id == Identity.contact_id)
        .where(or_(Contact.id.in_(contacts), Contact.merged_into_id.in_(contacts)))
        .order_by(Identity.failing_since.is_not(None), Identity.preferred.desc(), Contact.merged_into_id.is_not(None), Identity.id)
    )
    for row, whose in rows:
        email, phone = found.get(whose, ("", ""))
        if row.kind is IdentityKind.EMAIL:
            email = email or row.value
        elif row.kind is IdentityKind.PHONE:
            phone = phone or row.value
        found[whose] = (email, phone)
    return found


# --- one customer ----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Mood:
    """How a customer feels, with its grounds: the score and its inputs, how it moved, and the newest ratings."""

    score: Figure
    trend: satisfaction.Trend
    ratings: list[Rating]


def find(who: Principal, contact_id: int) -> Contact:
    """A customer with their organization; for one who was merged, the one who speaks for them. Raises NotFound."""
    found = select(Contact).options(joinedload(Contact.organization))
    contact = db.session().scalar(found.where(Contact.id == contact_id, policy.visible(who), Contact.erased_at.is_(None)))
    seen = {contact_id}
    while contact is not None and contact.merged_into_id is not None and contact.merged_into_id not in seen:
        seen.add(contact.merged_into_id)
        contact = db.session().scalar(found.where(Contact.id == contact.merged_into_id))
    if contact is None:
        raise NotFound
    return contact


def all_of(contact: Contact) -> list[int]:
    """The contact's id and those of everybody merged into it: their rows stay where they were written."""
    return people.group(contact.id)


def identities(contacts: Collection[int]) -> list[Identity]:
    return list(db.session().scalars(select(Identity).where(Identity.contact_id.in_(contacts)).order_by(Identity.kind, Identity.id)))


@dataclass(frozen=True)
class Narrowed:
    """What narrows a timeline, as it stands in the address: kind, channel, the colleague, and moments from and before which."""

    kind: str = ""
    channel: str = ""
    user_id: int | None = None
    since: datetime | None = None
    until: datetime | None = None

    def conditions(self) -> list[ColumnElement[bool]]:
        wanted: list[ColumnElement[bool]] = []
        for column, value in ((Interaction.kind, self.kind), (Interaction.channel, self.channel)):
            if value:
                wanted.append(column == value)
        if self.user_id is not None:
            wanted.append(Interaction.user_id == self.user_id)
        if self.since is not None:
            wanted.append(Interaction.at >= self.since)
        if self.until is not None:
            wanted.append(Interaction.at < self.until)
        return wanted


def timeline(
    contacts: Collection[int], narrowed: Narrowed = Narrowed(), *, cursor: str | None = None, limit: int = ENTRIES
) -> web.Paged[Interaction]:
    """One page of everything that happened with a customer, the newest first."""
    return _entries(Interaction.contact_id.in_(contacts), narrowed, cursor, limit)


def timeline_of_organization(
    who: Principal, organization_id: int, narrowed: Narrowed = Narrowed(), *, cursor: str | None = None, limit: int = ENTRIES
) -> web.Paged[Interaction]:
    """The same over the people of an organization, while they spoke for it; of those that this person may see."""
    return _entries(of_organization(who, organization_id), narrowed, cursor, limit)


def of_organization(who: Principal, organization_id: int) -> ColumnElement[bool]:
    """Entries of an organization's timeline that this person may see, as a condition."""
    theirs = select(Contact.id).where(policy.visible(who), Contact.erased_at.is_(None))
    return and_(Interaction.organization_id == organization_id, Interaction.contact_id.in_(theirs))


def _entries(whose: ColumnElement[bool], narrowed: Narrowed, cursor: str | None, limit: int) -> web.Paged[Interaction]:
    found = select(Interaction).where(whose, *narrowed.conditions())
    if place := web.uncursor(cursor, datetime, int):
        found = found.where(or_(Interaction.at < place[0], and_(Interaction.at == place[0], Interaction.id < place[1])))
    rows = list(db.session().scalars(found.order_by(Interaction.at.desc(), Interaction.id.desc()).limit(limit + 1)))
    return web.paged(rows, limit, lambda entry: (entry.at, entry.id))


def of_contacts(contacts: Collection[int]) -> ColumnElement[bool]:
    """Entries of one person's timeline, as a condition."""
    return Interaction.contact_id.in_(contacts)


@dataclass(frozen=True)
class Contents:
    """What a timeline is made of: how many entries of each kind, and the channels and colleagues to choose from."""

    counts: dict[str, int]
    channels: list[str]
    colleagues: set[int]


def contents(whose: ColumnElement[bool]) -> Contents:
    """All of it in one pass: a timeline of 5,000 entries is read once."""
    parts = (Interaction.kind, Interaction.channel, Interaction.user_id)
    rows = db.session().execute(select(*parts, func.count().label("n")).where(whose).group_by(*parts)).all()
    counts: dict[str, int] = {}
    for row in rows:
        counts[row.kind] = counts.get(row.kind, 0) + row.n
    return Contents(counts, sorted({row.channel for row in rows if row.channel}), {row.user_id for row in rows if row.user_id})


def next_steps(contacts: Collection[int]) -> list[Interaction]:
    """What was promised: to come, or past for no longer than a month."""
    found = select(Interaction).where(
        Interaction.contact_id.in_(contacts),
        Interaction.next_at.is_not(None),
        Interaction.next_at > clock.now() - OVERDUE,
        Interaction.next_done_at.is_(None),
    )
    return list(db.session().scalars(found.order_by(Interaction.next_at, Interaction.id).limit(10)))


def names(users: Collection[int]) -> dict[int, str]:
    """Colleagues' names by id."""
    if not users:
        return {}
    return {row.id: row.name for row in db.session().execute(select(User.id, User.name).where(User.id.in_(users)))}


def names_of_contacts(contacts: Collection[int]) -> dict[int, str]:
    """Customers' names by id."""
    found = select(Contact.id, Contact.name).where(Contact.id.in_(contacts))
    return {row.id: row.name for row in db.session().execute(found)} if contacts else {}


def owners() -> list[tuple[int, str]]:
    """Colleagues who can own customers, by name."""
    found = select(User.id, User.name).where(User.active, User.role.in_(STAFF)).order_by(User.name, User.id)
    return [(row.id, row.name) for row in db.session().execute(found)]


def mood(contact: Contact, contacts: Collection[int]) -> Mood:
    rows = list(
        db.session().scalars(
            select(Rating)
            .where(Rating.contact_id.in_(contacts), Rating.superseded_at.is_(None))
            .order_by(Rating.at.desc(), Rating.id.desc())
        )
    )
    given = [satisfaction.Rating(satisfaction.Question(row.kind), row.score, row.at, row.ticket_id) for row in rows]
    mean, now = profile.mean_of_all(), clock.now()
    return Mood(satisfaction.score(given, mean=mean, as_of=now), satisfaction.trend(given, mean=mean, as_of=now), rows[:RATINGS])


def boost_tier(contact: Contact) -> str:
    """The tier by which routing puts a customer's work earlier: their own, else their organization's; empty for none."""
    contact = people.canonical(contact)
    if contact.tier or contact.organization_id is None:
        return contact.tier
    return db.session().scalar(select(Organization.tier).where(Organization.id == contact.organization_id)) or ""
