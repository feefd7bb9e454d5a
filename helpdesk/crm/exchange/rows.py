"""One row of a file as a customer: read, checked, and compared with whom we know. Reads the database and changes nothing.

A batch of rows costs a constant number of queries. `customers_in` writes what is planned here.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from zoneinfo import available_timezones

from flask_babel import gettext as _
from sqlalchemy import func, or_, select
from sqlalchemy.orm import selectinload

from helpdesk import db
from helpdesk.auth import STAFF, User
from helpdesk.crm import addresses, fields, words
from helpdesk.crm.base_models import ImportRow
from helpdesk.crm.editing import MOST_TAGS
from helpdesk.crm.exchange.work import CREATE, REFUSED, UNCHANGED, UPDATE
from helpdesk.crm.keys import name_key
from helpdesk.crm.models import Contact, Identity, IdentityKind, Organization
from helpdesk.errors import Invalid
from helpdesk.preferences import preferences

_ADDRESSES = {"email": "email", "phone": "phone", "messenger": "messenger", "telegram": "messenger", "whatsapp": "messenger"}
_LANGUAGES = {"en": "en", "english": "en", "английский": "en", "англ": "en", "ru": "ru", "russian": "ru", "русский": "ru", "рус": "ru"}


@dataclass
class Read:
    """A row understood: fields of the contact, addresses, the organization's name and part; or the faults that stand in the way."""

    number: int
    values: dict[str, Any] = field(default_factory=dict)
    addresses: list[addresses.Address] = field(default_factory=list)
    organization: str = ""
    role: str = ""
    owner: str = ""
    faults: list[str] = field(default_factory=list)


@dataclass
class Planned:
    """What a row would do: `outcome`, whom it meets, which fields and addresses are new."""

    row: Read
    outcome: str
    contact: Contact | None = None
    values: dict[str, Any] = field(default_factory=dict)
    new: list[addresses.Address] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)


def read(number: int, cells: Sequence[str], mapping: Sequence[str], *, system: str) -> Read:
    """Understand one row. `system` is where a plain id comes from ("hubspot", or the file's kind)."""
    row = Read(number)
    if len(cells) > len(mapping):
        row.faults.append(_("The row has more cells than there are columns."))
    names: dict[str, str] = {}
    for target, cell in zip(mapping, cells, strict=False):
        if not target or not cell:
            continue
        if len(cell) > 20_000:
            row.faults.append(_("A cell is too long."))
            continue
        try:
            _take(row, names, target, cell, system)
        except Invalid as wrong:
            row.faults += [str(words_) for words_ in (wrong.fields.values() or [wrong.detail])]
    name = names.get("name") or " ".join(filter(None, (names.get("first_name"), names.get("middle_name"), names.get("last_name"))))
    if name := " ".join(name.split()):
        row.values["name"] = name[:200]
        if len(name) > 200:
            row.faults.append(_("The name is longer than %(n)s characters.", n=200))
    if not row.values.get("name") and not row.addresses:
        row.faults.append(_("There is neither a name nor an address."))
    row.addresses = list({(one.kind, one.value): one for one in row.addresses}.values())
    return row


def plan(batch: Sequence[Read], *, mode: str, match_on: str, run_id: int = 0, seen: dict[Any, int] | None = None) -> list[Planned]:
    """Compare rows with whom we know: one look for addresses, one for names, organizations and owners.

    mode: "create", "update" or "both". match_on: email, phone, external or name. Of several rows about one customer the first counts and
    later ones add what is missing: those that the import `run_id` has dealt with, or in a dry run those in `seen`, kept between batches.
    """
    known = _Known(batch, match_on, run_id)
    return [_plan(row, known, mode, match_on, seen) for row in batch]


# --- understanding a cell ------------------------------------------------------------------------------------------------


def _take(row: Read, names: dict[str, str], target: str, cell: str, system: str) -> None:
    if target in ("name", "first_name", "middle_name", "last_name"):
        names[target] = cell
    elif target in _ADDRESSES or target == "external":
        _take_addresses(row, target, cell, system)
    elif target == "tags":
        tags = [" ".join(word.split())[:60] for word in re.split(r"[,;|\n]", cell)]
        row.values["tags"] = list(dict.fromkeys([*row.values.get("tags", []), *filter(None, tags)]))
    elif target == "organization":
        row.organization = " ".join(cell.split())[:200]
    elif target == "role":
        row.role = " ".join(cell.split())[:60]
    elif target == "owner":
        row.owner = cell
    elif target.startswith("custom."):
        one = next((one for one in fields.defined("contact") if f"custom.{one.key}" == target), None)
        if one is not None:
            row.values[target] = fields.read(one, cell)
    else:
        row.values[target] = _plain(target, cell)


def _take_addresses(row: Read, target: str, cell: str, system: str) -> None:
    within = target if target in ("telegram", "whatsapp") else ""
    if target == "external":
        kind, within, parts = "external", "" if ":" in cell else system, [cell]
    else:
        # Several addresses in one cell: HubSpot parts them by ; and Bitrix24 by a comma.
        kind, parts = _ADDRESSES[target], [part for part in re.split(r"[;,\n]", cell) if part.strip()]
    for part in parts:
        found = addresses.normalise(kind, part, region=preferences().phone_region or None, within=within)
        if len(found.value) > 320:
            raise Invalid(_("A cell is too long."))
        row.addresses.append(found)


def _plain(target: str, cell: str) -> str:
    """A field with few values, by their stored or shown words."""
    tables: dict[str, Mapping[str, str]] = {
        "language": _LANGUAGES,
        "preferred_channel": _by_words(words.CHANNEL),
        "lifecycle": _by_words(words.LIFECYCLE),
    }
    if target in tables:
        found = tables[target].get(cell.casefold().strip(". "), "")
        if not found and target == "lifecycle":
            return "customer"
        if not found:
            raise Invalid(_("“%(raw)s” is not known as %(field)s.", raw=cell[:60], field=words.field(target)))
        return found
    if target == "time_zone" and cell not in available_timezones():
        raise Invalid(_("“%(raw)s” is not known as %(field)s.", raw=cell[:60], field=words.field(target)))
    return cell[:5000]


def _by_words(table: Mapping[str, Any]) -> dict[str, str]:
    return {word: key for key, shown in table.items() for word in (key, str(shown).casefold())}


# --- whom we know --------------------------------------------------------------------------------------------------------


class _Known:
    """Everything that a batch can meet."""

    def __init__(self, batch: Sequence[Read], match_on: str, run_id: int) -> None:
        session = db.session()
        values = {one.value for row in batch for one in row.addresses}
        rows = session.execute(
            select(Identity.kind, Identity.value_norm, Identity.shared, Contact.canonical_id)
            .join(Contact, Contact.id == Identity.contact_id)
            .where(Identity.value_norm.in_(values), Contact.erased_at.is_(None))
        ).all()
        self.owners: dict[tuple[str, str], list[tuple[int, bool]]] = {}
        for kind, value, shared, contact_id in rows:
            self.owners.setdefault((str(kind), value), []).append((contact_id, shared))
        keys = {name_key(row.values["name"]) for row in batch if match_on == "name" and row.values.get("name")} - {""}
        wanted = {contact_id for _kind, _value, _shared, contact_id in rows}
        alive = (Contact.merged_into_id.is_(None), Contact.erased_at.is_(None))
        found = (
            select(Contact).where(or_(Contact.id.in_(wanted), Contact.name_key.in_(keys)), *alive).options(selectinload(Contact.identities))
        )
        self.contacts = {one.id: one for one in session.scalars(found)}
        told = select(ImportRow.contact_id).where(ImportRow.run_id == run_id, ImportRow.contact_id.in_(self.contacts))
        self.told = set(session.scalars(told)) if run_id and self.contacts else set()
        self.named: dict[str, list[int]] = {}
        for one in self.contacts.values():
            if one.name_key in keys:
                self.named.setdefault(one.name_key, []).append(one.id)
        companies = {name_key(row.organization) for row in batch if row.organization} - {""}
        self.organizations: dict[str, int] = {}
        for id_, key in session.execute(
            select(Organization.id, Organization.name_key).where(Organization.name_key.in_(companies)).order_by(Organization.id.desc())
        ):
            self.organizations[key] = id_
        owners = {row.owner.casefold() for row in batch if row.owner}
        written = {*owners, *(row.owner for row in batch)}
        people = select(User).where(
            User.active,
            User.role.in_(STAFF),
            or_(func.lower(User.email).in_(owners), User.name.in_(written), func.lower(User.name).in_(owners)),
        )
        self.users = {word.casefold(): one.id for one in session.scalars(people) for word in (one.email, one.name)} if owners else {}


def _plan(row: Read, known: _Known, mode: str, match_on: str, seen: dict[Any, int] | None) -> Planned:
    faults = list(row.faults)
    if row.owner:
        if row.owner.casefold() in known.users:
            row.values["owner_id"] = known.users[row.owner.casefold()]
        else:
            faults.append(_("No colleague is called “%(name)s”.", name=row.owner[:80]))
    match_on = _key_of(row, match_on)
    if not match_on and not faults:
        faults.append(_("There is nothing by which this customer could be recognised the next time."))
    met = _met(row, known, match_on)
    if len(met) > 1:
        faults.append(_("It fits several customers: %(ids)s.", ids=", ".join(f"#{one}" for one in sorted(met)[:5])))
    contact = known.contacts.get(next(iter(met))) if len(met) == 1 else None
    before, taken = _seen(row, match_on, seen)
    faults += taken
    if not contact and not before and mode == "update":
        faults.append(_("Nobody we know has this; only known customers are updated."))
    for one in row.addresses:
        for owner, shared in known.owners.get((one.kind, one.value), ()):
            if not shared and len(met) < 2 and (contact is None or owner != contact.id):
                faults.append(_("%(address)s belongs to another customer (#%(id)s).", address=one.shown, id=owner))
    if faults:
        return Planned(row, REFUSED, contact, faults=list(dict.fromkeys(faults)))
    if contact is None:
        return Planned(row, UNCHANGED if before else CREATE, None, dict(row.values), list(row.addresses))
    if mode == "create":
        return Planned(row, UNCHANGED, contact)
    values, new = _difference(row, contact, known)
    return Planned(row, UPDATE if values or new else UNCHANGED, contact, values, new)


def _met(row: Read, known: _Known, match_on: str) -> set[int]:
    if match_on == "name":
        return set(known.named.get(name_key(row.values.get("name", "")), ()))
    return {owner for one in row.addresses if one.kind == match_on for owner, _shared in known.owners.get((one.kind, one.value), ())}


def _key_of(row: Read, match_on: str) -> str:
    """By what a row's customer is recognised: what was chosen, else any address it has; empty when there is nothing."""
    if match_on == "name" and name_key(row.values.get("name", "")):
        return match_on
    kinds = [one.kind for one in row.addresses]
    return match_on if match_on in kinds else next(iter(kinds), "")


def _seen(row: Read, match_on: str, seen: dict[Any, int] | None) -> tuple[bool, list[str]]:
    """In a dry run: whether an earlier row of the file would have made this customer, or somebody else with one of these addresses."""
    if seen is None or row.faults:
        return False, []
    keys: list[Any] = [(one.kind, one.value) for one in row.addresses]
    own = [("name", name_key(row.values.get("name", "")))] if match_on == "name" else [key for key in keys if key[0] == match_on]
    met = any(key in seen for key in own)
    taken = [key for key in keys if key in seen and not met]
    if not taken:
        seen.update({key: row.number for key in (*keys, *own)})
    return met, [_("%(address)s stands in row %(n)s already.", address=key[1], n=seen[key]) for key in taken]


def _difference(row: Read, contact: Contact, known: _Known) -> tuple[dict[str, Any], list[addresses.Address]]:
    """What the row says anew: empty cells take nothing away, tags are added."""
    values: dict[str, Any] = {}
    for name, value in row.values.items():
        held = (contact.custom or {}).get(name[7:]) if name.startswith("custom.") else getattr(contact, name)
        if name == "tags":
            value = list(dict.fromkeys([*contact.tags, *value]))[:MOST_TAGS]
        if value is not None and value != held and (contact.id not in known.told or name == "tags" or held in (None, "", [])):
            values[name] = value
    missing = contact.id not in known.told or contact.organization_id is None
    if missing and row.organization and contact.organization_id != known.organizations.get(name_key(row.organization), -1):
        values["organization_id"] = row.organization
    theirs = {(str(one.kind), one.value_norm) for one in contact.identities} | {
        key for key, owners in known.owners.items() if any(owner == contact.id for owner, _shared in owners)
    }
    return values, [one for one in row.addresses if (one.kind, one.value) not in theirs]


def kind_of(address: addresses.Address) -> IdentityKind:
    return IdentityKind(address.kind)
