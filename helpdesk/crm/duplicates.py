"""People who are probably known twice: found as they appear or change, weighed with reasons, kept until a colleague has looked.

Candidates share a coarse key (`crm.keys`): each contact costs a few looks into an index. A key that many have (a common name, a front
desk's number) points at nobody. Nothing is ever merged by itself.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, and_, bindparam, or_, select
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import aliased

from helpdesk import clock, db
from helpdesk.actor import Actor
from helpdesk.catalog import ContactAdded, ContactChanged, ContactsUnmerged, DuplicatesSought
from helpdesk.crm.base_models import Duplicate
from helpdesk.crm.contacts import PUBLIC_DOMAINS
from helpdesk.crm.models import Contact, Identity, IdentityKind
from helpdesk.errors import NotFound
from helpdesk.events import reaction, record

#: How much each reason says by itself, from 0 to 1; together 1 − Π(1 − wᵢ): each further reason takes its share of the remaining doubt.
WEIGHTS = {
    "email": 0.9,  # the same mailbox, written with dots or a +note
    "phone": 0.75,  # the same number, in a messenger or with an extension
    "shared_phone": 0.3,  # a number that is known to be several people's
    "messenger": 0.75,
    "external": 0.5,  # the same id in another system
    "name": 0.4,
    "organization": 0.35,  # counts only beside a name
    "local_part": 0.45,  # anna.berg@ here and anna.berg@ there
}
LEAST = 0.6
#: A key that more contacts have than this is nobody's own.
MOST_SHARERS = 20
BATCH = 500


@dataclass(frozen=True)
class Known:
    """What is compared of one person: everything of the contact and of those merged into it."""

    id: int
    name_key: str
    organization_id: int | None
    keys: dict[str, bool]
    locals: frozenset[str]
    domains: frozenset[str]


def weigh(one: Known, other: Known) -> tuple[float, list[str]]:
    """How likely two contacts are one person, from 0 to 1, and the reasons by their names in WEIGHTS."""
    reasons = set()
    for key in one.keys.keys() & other.keys.keys():
        kind = {"e": "email", "p": "phone", "m": "messenger", "x": "external"}[key[0]]
        reasons.add("shared_phone" if kind == "phone" and (one.keys[key] or other.keys[key]) else kind)
    if one.name_key and one.name_key == other.name_key:
        reasons.add("name")
        if (one.organization_id and one.organization_id == other.organization_id) or one.domains & other.domains:
            reasons.add("organization")
        if one.locals & other.locals:
            reasons.add("local_part")
    doubt = 1.0
    for reason in reasons:
        doubt *= 1 - WEIGHTS[reason]
    return round(1 - doubt, 4), sorted(reasons, key=lambda reason: -WEIGHTS[reason])


def seek(contact_ids: Collection[int]) -> int:
    """Compare these contacts with everybody who shares a key; keep the likely pairs. How many pairs are new or weigh differently."""
    db.session().flush()  # what is looked up below is asked past the session
    pairs = _pairs(contact_ids)
    known = _known({id_ for pair in pairs for id_ in pair})
    rows: list[dict[str, Any]] = []
    for low, high in sorted(pairs):
        if low in known and high in known:
            score, reasons = weigh(known[low], known[high])
            if score >= LEAST:
                rows.append(
                    {"first_id": low, "second_id": high, "score": score, "reasons": reasons, "found_at": clock.now(), "settled_as": ""}
                )
    _forget_unlikely(contact_ids, {(row["first_id"], row["second_id"]) for row in rows})
    return _keep(rows)


def of(contact: Contact, *, limit: int = 5) -> list[tuple[Duplicate, Contact]]:
    """Who may be the same person as this customer, the likeliest first."""
    other = aliased(Contact)
    found = (
        select(Duplicate, other)
        .join(
            other,
            or_(
                and_(Duplicate.first_id == contact.id, other.id == Duplicate.second_id),
                and_(Duplicate.second_id == contact.id, other.id == Duplicate.first_id),
            ),
        )
        .where(or_(Duplicate.first_id == contact.id, Duplicate.second_id == contact.id), Duplicate.settled_at.is_(None), *_alive(other))
        .order_by(Duplicate.score.desc(), Duplicate.id)
        .limit(limit)
    )
    return [(row[0], row[1]) for row in db.session().execute(found)]


def listed(*, after: tuple[float, int] | None = None, limit: int = 40) -> list[tuple[Duplicate, Contact, Contact]]:
    """Pairs nobody has looked at, the likeliest first; one more than `limit` where there are more."""
    first, second = aliased(Contact), aliased(Contact)
    found = (
        select(Duplicate, first, second)
        .join(first, first.id == Duplicate.first_id)
        .join(second, second.id == Duplicate.second_id)
        .where(Duplicate.settled_at.is_(None), *_alive(first), *_alive(second))
        .order_by(Duplicate.score.desc(), Duplicate.id.desc())
        .limit(limit + 1)
    )
    if after is not None:
        found = found.where(or_(Duplicate.score < after[0], and_(Duplicate.score == after[0], Duplicate.id < after[1])))
    return [(row[0], row[1], row[2]) for row in db.session().execute(found)]


def settle_as_different(pair_id: int, *, by: Actor) -> Duplicate:
    """A colleague says that these are two people; the pair is not shown again. Raises NotFound."""
    pair = db.session().get(Duplicate, pair_id)
    if pair is None:
        raise NotFound
    if pair.settled_at is None:
        pair.settled_at, pair.settled_as, pair.settled_by_id = clock.now(), "different", by.user_id
    return pair


def seek_everybody(*, by: Actor) -> None:
    """Go through all customers, in the background."""
    record(DuplicatesSought(by))


@reaction(ContactAdded, lane="heavy", key=lambda fact: f"contact:{fact.contact_id}", name="duplicates.of_new")
@reaction(
    ContactChanged,
    lane="heavy",
    key=lambda fact: f"contact:{fact.contact_id}",
    when=lambda fact: bool({"name", "organization_id", "identities"} & set(fact.fields)),
    name="duplicates.of_changed",
)
@reaction(ContactsUnmerged, lane="heavy", key=lambda fact: f"contact:{fact.contact_id}", name="duplicates.of_parted")
def seek_for(fact: ContactAdded | ContactChanged | ContactsUnmerged) -> None:
    """Look whether this customer is known already."""
    seek([fact.contact_id])


@reaction(DuplicatesSought, lane="heavy", key=lambda fact: f"after:{fact.after_id}", name="duplicates.everybody")
def seek_batch(fact: DuplicatesSought) -> None:
    """Compare the next customers, then go on."""
    found = select(Contact.id).where(Contact.id > fact.after_id, Contact.merged_into_id.is_(None), Contact.erased_at.is_(None))
    ids = list(db.session().scalars(found.order_by(Contact.id).limit(BATCH)))
    seek(ids)
    if len(ids) == BATCH:
        record(DuplicatesSought(fact.by, ids[-1]))


# --- below ---------------------------------------------------------------------------------------------------------------


def _alive(contact: type[Contact]) -> tuple[ColumnElement[bool], ...]:
    return contact.merged_into_id.is_(None), contact.erased_at.is_(None)


def _pairs(contact_ids: Collection[int]) -> set[tuple[int, int]]:
    """Everybody who shares an address's key or a name's key with one of these, as (low id, high id). Looks into indexes only."""
    connection = db.session().connection()
    wanted = set(contact_ids)
    keys, names = set[str](), set[str]()
    for contact_id, name, key in connection.execute(_OWN_KEYS, {"wanted": list(wanted)}):
        keys.add(key or "")
        names.add(name if contact_id in wanted else "")
    found: set[tuple[int, int]] = set()
    for shared, by_key, most in ((keys, _BY_KEY, MOST_SHARERS), (names, _BY_NAME, MOST_SHARERS * 5)):
        shared.discard("")
        sharers: dict[str, set[int]] = {}
        for key, contact_id in connection.execute(by_key, {"keys": list(shared)}) if shared else ():
            sharers.setdefault(key, set()).add(contact_id)
        for together in sharers.values():
            if 2 <= len(together) <= most:
                found.update((min(a, b), max(a, b)) for a in together & wanted for b in together - {a})
    return found


#: Made once, like those below: each new customer asks them all.
_WANTED = bindparam("wanted", expanding=True, type_=Contact.id.type)
_KEYS = bindparam("keys", expanding=True, type_=Contact.name_key.type)
_THESE = or_(Contact.id.in_(_WANTED), Contact.merged_into_id.in_(_WANTED))
_OWN_KEYS = select(Contact.id, Contact.name_key, Identity.match_key).outerjoin(Identity, Identity.contact_id == Contact.id).where(_THESE)
_BY_KEY = (
    select(Identity.match_key, Contact.canonical_id)
    .join(Contact, Contact.id == Identity.contact_id)
    .where(Identity.match_key.in_(_KEYS), Identity.match_key != "", Contact.erased_at.is_(None))
)
_BY_NAME = select(Contact.name_key, Contact.id).where(Contact.name_key.in_(_KEYS), Contact.name_key != "", *_alive(Contact))


def _known(ids: Iterable[int]) -> dict[int, Known]:
    wanted = list(ids)
    if not wanted:
        return {}
    connection = db.session().connection()
    identities: dict[int, list[Any]] = {}
    for row in connection.execute(_IDENTITIES, {"wanted": wanted}):
        identities.setdefault(row.whose, []).append(row)
    found = {}
    for id_, name, organization_id in connection.execute(_PEOPLE, {"wanted": wanted}):
        mails = [one.value_norm.rpartition("@") for one in identities.get(id_, ()) if one.kind == IdentityKind.EMAIL]
        found[id_] = Known(
            id_,
            name,
            organization_id,
            {one.match_key: one.shared for one in identities.get(id_, ()) if one.match_key},
            frozenset(local for local, _at, _domain in mails),
            frozenset(domain for _local, _at, domain in mails) - PUBLIC_DOMAINS,
        )
    return found


_IDENTITIES = (
    select(Contact.canonical_id.label("whose"), Identity.kind, Identity.value_norm, Identity.match_key, Identity.shared)
    .join(Contact, Contact.id == Identity.contact_id)
    .where(_THESE)
)
_PEOPLE = select(Contact.id, Contact.name_key, Contact.organization_id).where(Contact.id.in_(_WANTED), *_alive(Contact))


def _forget_unlikely(contact_ids: Collection[int], likely: set[tuple[int, int]]) -> None:
    """Open pairs of these contacts that no longer hold (a name was corrected) go."""
    for row in db.session().scalars(_OPEN, {"wanted": list(set(contact_ids))}):
        if (row.first_id, row.second_id) not in likely:
            db.session().delete(row)
    db.session().flush()


_OPEN = select(Duplicate).where(or_(Duplicate.first_id.in_(_WANTED), Duplicate.second_id.in_(_WANTED)), Duplicate.settled_at.is_(None))


def _keep(rows: list[dict[str, Any]]) -> int:
    """Insert pairs; one that is known and open gets its new weight, one that is settled stays settled."""
    if not rows:
        return 0
    connection = db.session().connection()
    insert = (sqlite if connection.dialect.name == "sqlite" else postgresql).insert(Duplicate.__table__)
    statement = insert.on_conflict_do_update(
        index_elements=["first_id", "second_id"],
        set_={"score": insert.excluded.score, "reasons": insert.excluded.reasons},
        where=and_(Duplicate.settled_at.is_(None), Duplicate.score != insert.excluded.score),
    )
    connection.execute(statement, rows)
    return len(rows)
