"""Two contacts are one person: merging them, and parting them again exactly.

A merge moves no row. Messages, tickets, entries, addresses keep the contact they were written with; reading joins through
`contact.canonical_id`. What a merge does change is `merged_into_id` (which follows from the merges in force alone: their forest's roots)
and those fields of the contact that stays which the person who merged chose from the other; both are kept in `contact_merge`. What
arrives later is written with whoever speaks then, and stays there after parting.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from flask_babel import lazy_gettext as _
from sqlalchemy import func, select, update

from helpdesk import clock, db
from helpdesk.actor import Actor
from helpdesk.auth import User
from helpdesk.catalog import ContactsMerged, ContactsUnmerged
from helpdesk.crm import contacts, finding, history, profile, timeline, worth
from helpdesk.crm.base_models import Duplicate, Merge
from helpdesk.crm.models import Contact, Identity, Interaction, Order, Rating
from helpdesk.errors import Conflict, Invalid
from helpdesk.events import record

#: Fields a person may choose from either side.
CHOSEN = (
    "name", "language", "time_zone", "preferred_channel", "reach_from", "reach_until", "lifecycle", "owner_id", "organization_id",
    "tags", "terms",
)  # fmt: skip
MOST_TAGS = 30


@dataclass(frozen=True)
class Choice:
    """One field side by side. `differs`: there is something to choose. `take`: what happens if nobody chooses (from, into, both)."""

    field: str
    theirs: Any
    ours: Any
    take: str

    @property
    def differs(self) -> bool:
        return bool(self.theirs != self.ours)


@dataclass(frozen=True)
class Weight:
    """What hangs on a contact and those merged into it: numbers of entries, ratings, orders, addresses and portal accounts."""

    entries: int
    ratings: int
    orders: int
    addresses: int
    accounts: int


@dataclass(frozen=True)
class Parted:
    """What undoing a merge did: `kept` names the fields that somebody changed since and that therefore stay as they are."""

    merge: Merge
    kept: tuple[str, ...]


def choices(source: Contact, into: Contact) -> list[Choice]:
    """Every field of both, with what a merge takes by itself: what stands on the one that stays, or what it lacks; tags of both."""
    own = sorted({*(source.custom or {}), *(into.custom or {})})
    found = []
    for field in (*CHOSEN, *(f"custom.{key}" for key in own)):
        theirs, ours = history.value_of(source, field), history.value_of(into, field)
        take = "both" if field == "tags" else "into" if ours not in (None, "", []) or theirs in (None, "", []) else "from"
        found.append(Choice(field, theirs, ours, take))
    return found


def weigh(contact: Contact) -> Weight:
    """What hangs on a contact: for the preview."""
    ids = contacts.group(contact.id)

    def count(column: Any) -> int:
        return db.session().scalar(select(func.count()).where(column.in_(ids))) or 0

    return Weight(
        count(Interaction.contact_id), count(Rating.contact_id), count(Order.contact_id), count(Identity.contact_id), count(User.contact_id)
    )


def merge(source: Contact, into: Contact, *, by: Actor, take: Mapping[str, str] | None = None) -> Merge:
    """Let `into` speak for `source` from now on.

    take: by field which side's value stays ("from", "into", for tags also "both"); what is not named goes as `choices` says. Raises
    Invalid for one and the same contact or an unknown choice, Conflict for one who is merged already or erased.
    """
    source, into = _locked(source, into)
    if source.id == into.id:
        raise Invalid(_("These are one and the same customer already."))
    if source.merged_into_id is not None or into.merged_into_id is not None:
        raise Conflict(_("One of them was merged meanwhile. Look again."))
    if source.erased_at is not None or into.erased_at is not None:
        raise Conflict(_("One of them was erased meanwhile."))
    values = _taken(source, into, take or {})
    made = Merge(from_id=source.id, into_id=into.id, at=clock.now(), user_id=by.user_id)
    made.before = {field: history.plain(history.value_of(into, field)) for field in values}
    made.after = {field: history.plain(value) for field, value in values.items()}
    db.session().add(made)
    history.change(into, values, by=by, quiet=True)
    _point([source.id, *_below(source.id)], into.id)
    source.merged_into_id = into.id
    finding.touch(source.id, into.id)
    db.session().flush()
    timeline.recount(into)
    profile.refresh(into)
    worth.recount(into)
    _settle(source.id, into.id, "merged", by)
    record(ContactsMerged(into.id, source.id, made.id, by))
    return made


def undo(made: Merge, *, by: Actor) -> Parted:
    """Part what a merge put together: everybody stands where they would stand without it. Raises Conflict when it was undone already."""
    session = db.session()
    won = session.execute(
        update(Merge).where(Merge.id == made.id, Merge.undone_at.is_(None)).values(undone_at=clock.now(), undone_by_id=by.user_id),
        execution_options={"synchronize_session": False},
    )
    if won.rowcount != 1:  # type: ignore[attr-defined]
        raise Conflict(_("This merge was undone already."))
    source, into = _locked(session.get_one(Contact, made.from_id), session.get_one(Contact, made.into_id))
    session.refresh(made)
    source.merged_into_id = None
    finding.touch(source.id, into.id)
    session.flush()
    _point(_below(source.id), source.id)
    kept = _restore(made, into, by)
    session.flush()
    speaker = contacts.canonical(into)
    for contact in (source, speaker):
        timeline.recount(contact)
        profile.refresh(contact)
        worth.recount(contact)
    _settle(source.id, into.id, "different", by)
    record(ContactsUnmerged(into.id, source.id, made.id, by))
    return Parted(made, kept)


def listed(*, before: int | None = None, limit: int = 40) -> list[Merge]:
    """Merges, the newest first; one more than `limit` where there are more."""
    found = select(Merge).order_by(Merge.id.desc()).limit(limit + 1)
    return list(db.session().scalars(found if before is None else found.where(Merge.id < before)))


def of(contacts_: list[int]) -> list[Merge]:
    """The merges in force among these contacts."""
    return list(db.session().scalars(select(Merge).where(Merge.from_id.in_(contacts_), Merge.undone_at.is_(None)).order_by(Merge.id)))


# --- below ---------------------------------------------------------------------------------------------------------------


def _locked(first: Contact, second: Contact) -> tuple[Contact, Contact]:
    """Both rows, held until the end, read anew: two who merge crosswise must not make a ring."""
    ids = sorted({first.id, second.id})
    found = select(Contact).where(Contact.id.in_(ids)).order_by(Contact.id).with_for_update()
    rows = {row.id: row for row in db.session().scalars(found.execution_options(populate_existing=True))}
    return rows[first.id], rows[second.id]


def _taken(source: Contact, into: Contact, take: Mapping[str, str]) -> dict[str, Any]:
    """The fields of the one that stays that become others, with their new values."""
    values: dict[str, Any] = {}
    for choice in choices(source, into):
        side = take.get(choice.field, choice.take)
        if side not in (("from", "into", "both") if choice.field == "tags" else ("from", "into")):
            raise Invalid(fields={choice.field: _("Choose one of these.")})
        if side == "from":
            values[choice.field] = choice.theirs
        elif side == "both":
            values[choice.field] = list(dict.fromkeys([*choice.ours, *choice.theirs]))[:MOST_TAGS]
    # A "no" of theirs counts for the whole person; nobody is asked twice because they were known twice.
    values["survey_allowed"] = source.survey_allowed and into.survey_allowed
    values["last_survey_at"] = max(filter(None, (source.last_survey_at, into.last_survey_at)), default=None)
    values["acquired_at"] = min(filter(None, (source.acquired_at, into.acquired_at)), default=None)
    return {field: value for field, value in values.items() if value != history.value_of(into, field)}


def _below(contact_id: int) -> list[int]:
    """Everybody whom merges in force put under this contact."""
    found: list[int] = []
    level = [contact_id]
    while level:
        rows = db.session().scalars(select(Merge.from_id).where(Merge.into_id.in_(level), Merge.undone_at.is_(None)))
        level = [row for row in rows if row not in found]
        found += level
    return found


def _point(ids: list[int], speaker: int) -> None:
    if ids:
        db.session().execute(update(Contact).where(Contact.id.in_(ids)).values(merged_into_id=speaker))


def _restore(made: Merge, into: Contact, by: Actor) -> tuple[str, ...]:
    """Give `into` back what the merge changed. A later merge that changed the same field inherits the older value, so that undoing
    in any order ends where everything began; what a person changed since is kept.
    """
    later = list(
        db.session().scalars(
            select(Merge).where(Merge.into_id == into.id, Merge.undone_at.is_(None), Merge.id > made.id).order_by(Merge.id)
        )
    )
    back: dict[str, Any] = {}
    kept = []
    for field, before in made.before.items():
        after = made.after.get(field)
        heir = next((one for one in later if field in one.before), None)
        if heir is not None and heir.before[field] == after:
            heir.before = {**heir.before, field: before}
        elif heir is None and history.plain(history.value_of(into, field)) == after:
            back[field] = datetime.fromisoformat(before) if field.endswith("_at") and before else before
        else:
            kept.append(field)
    history.change(into, back, by=by, quiet=True)
    return tuple(kept)


def _settle(first: int, second: int, verdict: str, by: Actor) -> None:
    low, high = sorted((first, second))
    db.session().execute(
        update(Duplicate)
        .where(Duplicate.first_id == low, Duplicate.second_id == high)
        .values(settled_at=clock.now(), settled_as=verdict, settled_by_id=by.user_id)
    )
