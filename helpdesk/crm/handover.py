"""A colleague leaves: their customers, organizations and open promises go to another, all at once, and nothing of the history is lost."""

from __future__ import annotations

from dataclasses import dataclass

from flask_babel import lazy_gettext as _
from sqlalchemy import Select, func, insert, select, update

from helpdesk import clock, db
from helpdesk.actor import Actor
from helpdesk.auth import STAFF, User
from helpdesk.catalog import CustomersHandedOver
from helpdesk.crm.base_models import FieldChange
from helpdesk.crm.models import Contact, Interaction, Organization
from helpdesk.errors import Invalid
from helpdesk.events import record

BATCH = 500


@dataclass(frozen=True)
class Estate:
    """What a colleague has in hand: numbers of customers, organizations and open promises."""

    customers: int
    organizations: int
    promises: int


def estate(user_id: int) -> Estate:
    """What would be handed over: for the preview."""

    def number(found: Select[int]) -> int:
        return db.session().scalar(select(func.count()).select_from(found.subquery())) or 0

    return Estate(*(number(found) for found in _theirs(user_id)))


def hand_over(user_id: int, to_id: int | None, *, by: Actor) -> Estate:
    """Give everything of one colleague to another, or to nobody. Raises Invalid for one who cannot own customers, or the same one.

    Each customer's history says who owned them before. Promises without an heir stay with the one who made them.
    """
    session = db.session()
    heir = session.get(User, to_id) if to_id is not None else None
    if to_id is not None and (heir is None or not heir.active or heir.role not in STAFF or to_id == user_id):
        raise Invalid(fields={"to": _("Choose one of these.")})
    customers, organizations, promises = (list(session.scalars(found)) for found in _theirs(user_id))
    for table, column, ids in ((Contact, "contact_id", customers), (Organization, "organization_id", organizations)):
        for some in _batches(ids):
            session.execute(update(table).where(table.id.in_(some)).values(owner_id=to_id))
            session.execute(insert(FieldChange), [_change(column, id_, user_id, to_id, by) for id_ in some])
    if to_id is not None:
        for some in _batches(promises):
            session.execute(update(Interaction).where(Interaction.id.in_(some)).values(next_who_id=to_id))
    given = Estate(len(customers), len(organizations), len(promises) if to_id is not None else 0)
    record(CustomersHandedOver(user_id, to_id, given.customers, given.organizations, given.promises, by))
    return given


def _theirs(user_id: int) -> tuple[Select[int], Select[int], Select[int]]:
    return (
        select(Contact.id).where(Contact.owner_id == user_id, Contact.erased_at.is_(None)),
        select(Organization.id).where(Organization.owner_id == user_id),
        select(Interaction.id).where(
            Interaction.next_who_id == user_id, Interaction.next_at.is_not(None), Interaction.next_done_at.is_(None)
        ),
    )


def _batches(ids: list[int]) -> list[tuple[int, ...]]:
    return [tuple(ids[start : start + BATCH]) for start in range(0, len(ids), BATCH)]


def _change(column: str, id_: int, old: int, new: int | None, by: Actor) -> dict[str, object]:
    who = {"actor_kind": by.kind, "actor_id": by.id, "via": by.via}
    return {column: id_, "field": "owner_id", "old": old, "new": new, "at": clock.now(), **who}
