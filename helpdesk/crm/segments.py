"""Live segments: a saved question over the profiles, answered anew each time it is asked.

A question is a tree: {"match": "all" | "any", "of": [...]} whose leaves are {"field", "op", "value"}. Fields and operators come from the
lists below and nothing else becomes SQL; values are bound. What a reader may not see (what customers are worth) they may not ask either.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from flask_babel import lazy_gettext as _
from sqlalchemy import ColumnElement, Float, String, and_, cast, exists, false, func, not_, null, or_, select, true
from sqlalchemy.orm import aliased

from helpdesk import clock, db, versions
from helpdesk.actor import Actor
from helpdesk.auth import Principal
from helpdesk.catalog import SettingsChanged
from helpdesk.crm import consent, fields, policy, segment_orders, words
from helpdesk.crm.base_models import CustomField, FieldKind, Segment
from helpdesk.crm.keys import spellings
from helpdesk.crm.models import Contact, Identity, IdentityKind, Organization
from helpdesk.errors import Invalid, NotFound, Words
from helpdesk.events import record

MOST_LEAVES, DEEPEST = 30, 3
OPS: dict[str, tuple[tuple[str, Words], ...]] = {
    "text": (
        ("is", _("is")),
        ("is_not", _("is not")),
        ("contains", _("contains")),
        ("empty", _("is empty")),
        ("filled", _("is filled in")),
    ),
    "choice": (("is", _("is")), ("is_not", _("is not"))),
    "number": (("least", _("at least")), ("most", _("at most"))),
    "ago": (("within", _("within so many days")), ("before", _("longer ago than so many days"))),
    "yes_no": (("yes", _("yes")), ("no", _("no"))),
    "tag": (("has", _("is there")), ("has_not", _("is not there"))),
}
WITHOUT_VALUE = frozenset(("empty", "filled", "yes", "no"))


@dataclass(frozen=True)
class Asked:
    """A field that can be asked about: its words, its kind (a key of OPS), its SQL, its choices, and whether it tells what one is worth.

    `test`, for what is no column: the condition itself, given the operator and the number or moment.
    """

    words: Words
    kind: str
    sql: Callable[[], Any] = null
    choices: tuple[tuple[str, Words], ...] = ()
    worth: bool = False
    test: Callable[[str, Any], ColumnElement[bool]] | None = None


def askable(who: Principal) -> dict[str, Asked]:
    """Everything this reader may ask about, by its stable name; the desk's own fields last."""
    return {name: asked for name, asked in _everything().items() if not asked.worth or policy.may_see_value(who)}


def condition(who: Principal, tree: dict[str, Any]) -> ColumnElement[bool]:
    """The question as a condition on Contact. Raises Invalid for one that is not allowed or not understood."""
    leaves = [0]
    return _condition(askable(who), tree, leaves, 1)


def count(who: Principal, tree: dict[str, Any]) -> int:
    """How many customers that this reader may see answer the question now."""
    return _counted(tree, policy.visible(who), condition(who, tree))


def count_all(tree: dict[str, Any]) -> int:
    """How many customers of the whole desk answer the question now, whoever asks: for the count that is kept. Raises Invalid."""
    return _counted(tree, _condition(_everything(), tree, [0], 1))


def left_out(tree: dict[str, Any]) -> list[str]:
    """Currencies that a question about sums cannot count, for want of a rate."""
    return segment_orders.unrated() if _asks(tree, "bought") else []


def save(segment: Segment | None, *, name: str, tree: dict[str, Any], shared: bool, seen: int | None, who: Principal, by: Actor) -> Segment:
    """Keep a question under a name. Raises Invalid, Stale."""
    name = " ".join(name.split())[:120]
    if not name:
        raise Invalid(fields={"name": _("Please fill this in.")})
    condition(who, tree)
    if segment is None:
        segment = Segment(name=name, conditions=tree, shared=shared, user_id=by.user_id)
        db.session().add(segment)
        db.session().flush()
    else:
        versions.change(segment, seen, name=name, conditions=tree, shared=shared, counted=None, counted_at=None, count_ms=None)
    record(SettingsChanged(by, what=f"segment:{segment.id}"))
    return segment


def listed(who: Principal) -> list[Segment]:
    """Shared segments and one's own, by name."""
    found = select(Segment).where(or_(Segment.shared, Segment.user_id == who.user_id)).order_by(Segment.name, Segment.id)
    return list(db.session().scalars(found))


def find(who: Principal, segment_id: int) -> Segment:
    """Raises NotFound, also for another colleague's own."""
    found = db.session().get(Segment, segment_id)
    if found is None or not (found.shared or found.user_id == who.user_id):
        raise NotFound
    return found


def may_change(who: Principal, segment: Segment) -> bool:
    return who.leads or segment.user_id == who.user_id


# --- below ---------------------------------------------------------------------------------------------------------------


def _asks(tree: dict[str, Any], field: str) -> bool:
    return any(_asks(part, field) for part in tree["of"]) if "of" in tree else tree.get("field") == field


def _everything() -> dict[str, Asked]:
    return _FIELDS | {f"custom.{one.key}": _own(one) for one in fields.defined("contact")}


def _counted(tree: dict[str, Any], *which: ColumnElement[bool]) -> int:
    merged = Contact.merged_into_id
    # Where no index narrows the question, SQLite is kept from those of who is alive: by them it would jump about in the table, which
    # takes twice as long as reading it from end to end.
    alive = merged.is_(None) if _narrows(tree) else func.coalesce(merged, 0) == 0
    return db.session().scalar(select(func.count()).select_from(Contact).where(alive, Contact.erased_at.is_(None), *which)) or 0


def _narrows(tree: dict[str, Any]) -> bool:
    """Whether everybody who answers stands together in an index: of one stage, or not heard of for so long."""
    if "of" in tree:
        return tree.get("match") != "any" and any(_narrows(part) for part in tree["of"])
    return (tree.get("field"), tree.get("op")) in (("lifecycle", "is"), ("last_at", "within"), ("last_at", "before"))


def _condition(known: dict[str, Asked], tree: Any, leaves: list[int], depth: int) -> ColumnElement[bool]:
    if not isinstance(tree, dict) or depth > DEEPEST:
        raise Invalid(_("This question is nested too deeply."))
    if "of" in tree:
        parts = [_condition(known, part, leaves, depth + 1) for part in tree["of"]]
        if not parts:
            return true()
        return or_(*parts) if tree.get("match") == "any" else and_(*parts)
    leaves[0] += 1
    if leaves[0] > MOST_LEAVES:
        raise Invalid(_("Give at most %(n)s of these.", n=MOST_LEAVES))
    asked, op, value = known.get(str(tree.get("field"))), str(tree.get("op")), str(tree.get("value", "")).replace("\x00", "").strip()[:200]
    if asked is None or op not in dict(OPS[asked.kind]):
        raise Invalid(_("This cannot be asked about."))
    if not value and op not in WITHOUT_VALUE:
        raise Invalid(_("Each condition needs a value: %(field)s.", field=asked.words))
    return _leaf(asked, op, value)


def _leaf(asked: Asked, op: str, value: str) -> ColumnElement[bool]:
    sql = asked.sql()
    match op:
        case "is" | "is_not":
            if asked.choices and value not in dict(asked.choices):
                raise Invalid(_("This cannot be asked about."))
            same = sql == value if asked.choices else or_(sql == value, func.lower(sql) == value.lower())
            return same if op == "is" else or_(not_(same), sql.is_(None))
        case "contains":
            text = value.replace("\\", "\\\\").replace("%", r"\%").replace("_", r"\_")
            if db.engine().dialect.name == "sqlite":  # whose LIKE knows no case as it is
                return or_(*(sql.like(f"%{form}%", escape="\\") for form in spellings(text)))
            # Not ILIKE: PostgreSQL takes that for as cheap as an equality and asks it of every row before the others have narrowed them.
            return or_(*(func.lower(sql).like(func.lower(f"%{form}%"), escape="\\") for form in spellings(text)))
        case "empty":
            return or_(sql.is_(None), sql == "")
        case "filled":
            return and_(sql.is_not(None), sql != "")
        case "least" | "most":
            number = _number(value)
            if asked.test is not None:
                return asked.test(op, number)
            return and_(sql >= number) if op == "least" else and_(sql <= number)
        case "within" | "before":
            moment = clock.now() - timedelta(days=min(_number(value), 36_500))
            if asked.test is not None:
                return asked.test(op, moment)
            return and_(sql >= moment) if op == "within" else and_(sql < moment)
        case "has" | "has_not":
            there = _tagged(value)
            return there if op == "has" else not_(there)
        case "yes":
            return and_(sql, true())
        case "no":
            return not_(func.coalesce(sql, false()))
    raise Invalid(_("This cannot be asked about."))


def _number(value: str) -> float:
    try:
        found = float(value.replace(" ", "").replace(",", "."))
    except ValueError:
        found = float("nan")
    if not abs(found) < 10**15:
        raise Invalid(_("“%(raw)s” is not a number.", raw=value[:60]))
    return found


def _tagged(tag: str) -> ColumnElement[bool]:
    """Exactly this tag is among them. Tags are stored as JSON; in it the tag stands between quotation marks, its own ones escaped."""
    held = cast(Contact.tags, String)
    return func.replace(held, json.dumps(tag), "") != held


def _theirs(owner: Any) -> ColumnElement[bool]:
    return or_(owner.id == Contact.id, owner.merged_into_id == Contact.id)


def _reached(kind: IdentityKind) -> Callable[[], Any]:
    def there() -> Any:
        owner = aliased(Contact)
        return exists().where(Identity.contact_id == owner.id, Identity.kind == kind, _theirs(owner))

    return there


def _company(column: Any) -> Callable[[], Any]:
    return lambda: select(column).where(Organization.id == Contact.organization_id).correlate(Contact).scalar_subquery()


def _own(one: CustomField) -> Asked:
    held = Contact.custom[one.key]
    kinds = {FieldKind.NUMBER: "number", FieldKind.CHOICE: "choice", FieldKind.YES_NO: "yes_no"}
    kind = kinds.get(one.kind, "text")
    sql = {"number": lambda: cast(held.as_string(), Float), "yes_no": lambda: cast(held.as_string(), String).in_(("true", "1"))}
    return Asked(fields.label_of(one), kind, sql.get(kind, held.as_string), tuple((option, option) for option in one.options))


def _table(table: Any) -> tuple[tuple[str, Words], ...]:
    return tuple(table.items())


_FIELDS: dict[str, Asked] = {
    "name": Asked(_("Full name"), "text", lambda: Contact.name),
    "organization": Asked(_("Organization"), "text", _company(Organization.name)),
    "organization_kind": Asked(_("Kind of organization"), "choice", _company(Organization.kind), _table(words.ORGANIZATION)),
    "language": Asked(_("Language"), "choice", lambda: Contact.language, _table(words.LANGUAGE)),
    "lifecycle": Asked(_("Stage"), "choice", lambda: Contact.lifecycle, _table(words.LIFECYCLE)),
    "preferred_channel": Asked(_("Preferred channel"), "choice", lambda: Contact.preferred_channel, _table(words.CHANNEL)),
    "tier": Asked(_("Tier"), "text", lambda: Contact.tier),
    "tag": Asked(_("Tag"), "tag", lambda: Contact.tags),
    "owner": Asked(_("Has an owner"), "yes_no", lambda: Contact.owner_id.is_not(None)),
    "email": Asked(_("Has an e-mail address"), "yes_no", _reached(IdentityKind.EMAIL)),
    "phone": Asked(_("Has a phone number"), "yes_no", _reached(IdentityKind.PHONE)),
    "last_at": Asked(_("Last contact"), "ago", lambda: Contact.last_at),
    "acquired_at": Asked(_("Customer since"), "ago", lambda: Contact.acquired_at),
    "satisfaction": Asked(_("Satisfaction"), "number", lambda: Contact.satisfaction),
    "ratings": Asked(_("Ratings"), "number", lambda: Contact.ratings_count),
    "survey_allowed": Asked(_("May be asked how it was"), "yes_no", lambda: Contact.survey_allowed.is_(True)),
    "news_allowed": Asked(_("May be sent news and offers"), "yes_no", lambda: consent.permitted("news")),
    "profiling_allowed": Asked(_("Lets us work out what suits them"), "yes_no", lambda: consent.permitted("profiling")),
    "orders": Asked(_("Orders"), "number", test=segment_orders.number),
    "last_order": Asked(_("Last order"), "ago", test=segment_orders.last),
    "bought": Asked(_("Bought in all"), "number", worth=True, test=segment_orders.bought),
    "value": Asked(_("Value"), "number", lambda: Contact.value_cents / 100.0, worth=True),
}
