"""Administrators shape the request form: topics, their fields, the order of both. What tickets hold values of is never lost."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from flask_babel import gettext as _
from sqlalchemy import func, select

from helpdesk import clock, db, versions
from helpdesk.actor import Actor
from helpdesk.catalog import SettingsChanged
from helpdesk.errors import Conflict, Invalid, Words
from helpdesk.events import record
from helpdesk.tickets.models import Queue, Ticket
from helpdesk.tickets.topics.models import Kind, Topic, TopicField

MOST_TOPICS, MOST_FIELDS, MOST_OPTIONS = 50, 30, 50
LONGEST_HELP = 2000
_LATIN = "a b v g d e e zh z i y k l m n o p r s t u f kh ts ch sh sch - y - e yu ya".split()
_RUSSIAN = dict(zip("абвгдеёжзийклмнопрстуфхцчшщъыьэюя", _LATIN, strict=True))


@dataclass(frozen=True)
class TopicShape:
    """What the form of a topic says."""

    name: str
    name_ru: str = ""
    help: str = ""
    help_ru: str = ""
    queue_id: int = 0


@dataclass(frozen=True)
class FieldShape:
    """What the form of a field says. `options` as lines "English | Russian"; `shown_if_values` as the deciding field's values."""

    label: str
    kind: str = Kind.TEXT
    label_ru: str = ""
    hint: str = ""
    hint_ru: str = ""
    required: bool = False
    options: str = ""
    shown_if_id: int | None = None
    shown_if_values: tuple[str, ...] = field(default=())


def all_topics() -> list[Topic]:
    return list(db.session().scalars(select(Topic).order_by(Topic.position, Topic.id)))


def all_fields(topic: Topic) -> list[TopicField]:
    """The fields that are asked, in order."""
    wanted = select(TopicField).where(TopicField.topic_id == topic.id, TopicField.removed_at.is_(None))
    return list(db.session().scalars(wanted.order_by(TopicField.position, TopicField.id)))


def add_topic(shape: TopicShape, *, by: Actor) -> Topic:
    """A new topic, last in the list. Raises Invalid."""
    shape = _checked_topic(shape)
    if len(all_topics()) >= MOST_TOPICS:
        raise Invalid(_("There are %(n)s topics already; customers would not read more.", n=MOST_TOPICS))
    position = (db.session().scalar(select(func.max(Topic.position))) or 0) + 1
    made = Topic(key=_free_key(shape.name, Topic), position=position, **_columns(shape))
    db.session().add(made)
    db.session().flush()
    record(SettingsChanged(by, what="topic"))
    return made


def edit_topic(topic: Topic, shape: TopicShape, *, seen: int | None, by: Actor) -> None:
    """Raises Invalid, Stale."""
    versions.change(topic, seen, **_columns(_checked_topic(shape)))
    record(SettingsChanged(by, what="topic"))


def switch_topic(topic: Topic, on: bool, *, seen: int | None, by: Actor) -> None:
    """Offer a topic to customers, or no longer. Its tickets stay what they are. Raises Stale, Conflict."""
    if on and not db.session().get_one(Queue, topic.queue_id).active:
        raise Conflict(_("Its queue is switched off. Choose another queue first."))
    versions.change(topic, seen, active=on)
    record(SettingsChanged(by, what="topic"))


def held_by(topic: Topic) -> int:
    """How many tickets have this topic."""
    return db.session().scalar(select(func.count()).select_from(Ticket).where(Ticket.topic_id == topic.id)) or 0


def remove_topic(topic: Topic, *, seen: int | None, by: Actor) -> None:
    """Remove a topic that no ticket has, with its fields. Raises Conflict for one that tickets have: switch it off instead."""
    if count := held_by(topic):
        raise Conflict(_("%(n)s requests have this topic. Switch it off instead: nobody can choose it then.", n=count))
    versions.change(topic, seen, active=False)
    session = db.session()
    rows = list(session.scalars(select(TopicField).where(TopicField.topic_id == topic.id)))
    for row in rows:
        row.shown_if_id = None
    session.flush()
    for row in rows:
        session.delete(row)
    session.flush()
    session.delete(topic)
    record(SettingsChanged(by, what="topic"))


def move_topic(topic: Topic, up: bool, *, by: Actor) -> None:
    """One place up or down; at the end it stays."""
    if _moved(all_topics(), topic, up):
        record(SettingsChanged(by, what="topic"))


def add_field(topic: Topic, shape: FieldShape, *, by: Actor) -> TopicField:
    """A new field, last in its topic. Raises Invalid."""
    known = all_fields(topic)
    if len(known) >= MOST_FIELDS:
        raise Invalid(_("This topic asks %(n)s things already; nobody would fill in more.", n=MOST_FIELDS))
    columns = _field_columns(_checked_field(shape), known, kept=[])
    position = max((row.position for row in known), default=0) + 1
    made = TopicField(topic_id=topic.id, key=_free_key(shape.label, TopicField), position=position, **columns)
    db.session().add(made)
    db.session().flush()
    record(SettingsChanged(by, what="topic"))
    return made


def edit_field(row: TopicField, shape: FieldShape, *, seen: int | None, by: Actor) -> None:
    """Change a field; of one that tickets hold values of, not its kind. Raises Invalid, Stale, Conflict."""
    known = all_fields(db.session().get_one(Topic, row.topic_id))
    shape = _checked_field(shape)
    if shape.kind != row.kind and values_held(row):
        raise Conflict(_("Requests hold values of this kind already. Add a new field of the other kind, and remove this one."))
    before = [one for one in known if (one.position, one.id) < (row.position, row.id)]
    columns = _field_columns(shape, before, kept=row.options)
    gone = {one["value"] for one in row.options} - {one["value"] for one in columns["options"]}
    if needing := [one.label for one in known if one.shown_if_id == row.id and gone & set(one.shown_if_values)]:
        raise Conflict(
            _("The field “%(name)s” is asked only after an answer that is missing here now. Change that field first.", name=needing[0])
        )
    versions.change(row, seen, **columns)
    record(SettingsChanged(by, what="topic"))


def values_held(row: TopicField) -> int:
    """How many tickets hold a value of this field; counted among those of its topic."""
    found = db.session().scalars(select(Ticket.custom).where(Ticket.topic_id == row.topic_id))
    return sum(row.key in held for held in found)


def remove_field(row: TopicField, *, seen: int | None, by: Actor) -> None:
    """Ask it no longer. Values that tickets hold stay and keep their label. Raises Conflict while another field depends on it."""
    topic = db.session().get_one(Topic, row.topic_id)
    if needing := [one.label for one in all_fields(topic) if one.shown_if_id == row.id]:
        raise Conflict(_("Whether “%(name)s” is asked depends on this field. Change that field first.", name=needing[0]))
    versions.change(row, seen, removed_at=clock.now())
    record(SettingsChanged(by, what="topic"))


def move_field(row: TopicField, up: bool, *, by: Actor) -> None:
    """One place up or down. Raises Conflict where a field would stand before the one that decides about it."""
    topic = db.session().get_one(Topic, row.topic_id)
    known = all_fields(topic)
    at = [one.id for one in known].index(row.id)
    other = known[at - 1] if up and at else known[at + 1] if not up and at + 1 < len(known) else None
    if other is None:
        return
    if row.shown_if_id == other.id or other.shown_if_id == row.id:
        raise Conflict(_("A field stands after the one that decides whether it is asked."))
    if _moved(known, row, up):
        record(SettingsChanged(by, what="topic"))


# --- checks ----------------------------------------------------------------------------------------------------------


def _checked_topic(shape: TopicShape) -> TopicShape:
    shape = replace(shape, name=_line(shape.name), name_ru=_line(shape.name_ru), help=shape.help.strip(), help_ru=shape.help_ru.strip())
    wrong: dict[str, Words] = {}
    for name, text, least, most in (
        ("name", shape.name, 1, 120),
        ("name_ru", shape.name_ru, 0, 120),
        ("help", shape.help, 0, LONGEST_HELP),
        ("help_ru", shape.help_ru, 0, LONGEST_HELP),
    ):
        if not least <= len(text) <= most:
            wrong[name] = _length(least, most)
    queue = db.session().get(Queue, shape.queue_id) if 0 < shape.queue_id < 2**53 else None
    if queue is None or not queue.active:
        wrong["queue_id"] = _("Please choose one of the list.")
    if wrong:
        raise Invalid(fields=wrong)
    return shape


def _checked_field(shape: FieldShape) -> FieldShape:
    shape = replace(shape, label=_line(shape.label), label_ru=_line(shape.label_ru), hint=_line(shape.hint), hint_ru=_line(shape.hint_ru))
    wrong: dict[str, Words] = {}
    for name, text, least, most in (
        ("label", shape.label, 1, 120),
        ("label_ru", shape.label_ru, 0, 120),
        ("hint", shape.hint, 0, 300),
        ("hint_ru", shape.hint_ru, 0, 300),
    ):
        if not least <= len(text) <= most:
            wrong[name] = _length(least, most)
    if shape.kind not in set(Kind):
        wrong["kind"] = _("Please choose one of the list.")
    if wrong:
        raise Invalid(fields=wrong)
    return shape


def _field_columns(shape: FieldShape, before: Sequence[TopicField], kept: list[dict[str, Any]]) -> dict[str, Any]:
    """`before`: the fields that may decide about this one. `kept`: the options so far, whose values stay with their words."""
    options = _options(shape.options, kept) if shape.kind == Kind.CHOICE else []
    wanted: tuple[str, ...] = ()
    if shape.shown_if_id is not None:
        deciding = next((row for row in before if row.id == shape.shown_if_id), None)
        if deciding is None:
            raise Invalid(fields={"shown_if_id": _("Please choose a field that stands before this one.")})
        possible = possible_values(deciding)
        wanted = tuple(dict.fromkeys(shape.shown_if_values)) if possible else ()
        if set(wanted) - set(possible):
            raise Invalid(fields={"shown_if_values": _("Please choose one of the list.")})
    return {
        "kind": Kind(shape.kind),
        "label": shape.label,
        "label_ru": shape.label_ru,
        "hint": shape.hint,
        "hint_ru": shape.hint_ru,
        "required": shape.required,
        "options": options,
        "shown_if_id": shape.shown_if_id,
        "shown_if_values": list(wanted),
    }


def possible_values(row: TopicField) -> list[str]:
    """The values that a condition on this field can name; none for free ones, where only "filled in" can be asked."""
    if row.kind is Kind.YES_NO:
        return ["yes", "no"]
    return [one["value"] for one in row.options] if row.kind is Kind.CHOICE else []


def options_text(row: TopicField) -> str:
    """The options as the form's lines."""
    return "\n".join(f"{one['en']} | {one['ru']}" if one.get("ru") else one["en"] for one in row.options)


def _options(text: str, kept: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Lines "English | Russian" as options. One whose English words were there before keeps its value."""
    values = {one["en"]: one["value"] for one in kept}
    taken = set(values.values())
    made: list[dict[str, Any]] = []
    for line in text.splitlines():
        english, _bar, russian = (part.strip() for part in line.partition("|"))
        if not english and not russian:
            continue
        english = english or russian
        if len(english) > 120 or len(russian) > 120:
            raise Invalid(fields={"options": _("Please shorten each to %(n)s characters.", n=120)})
        if english in {one["en"] for one in made}:
            raise Invalid(fields={"options": _("“%(name)s” stands here twice.", name=english)})
        value = values.get(english) or _free(slug(english)[:40], taken)
        taken.add(value)
        made.append({"value": value, "en": english, "ru": russian})
    if not 2 <= len(made) <= MOST_OPTIONS:
        raise Invalid(fields={"options": _("Please give from 2 to %(n)s choices, one on each line.", n=MOST_OPTIONS)})
    return made


# --- helpers ---------------------------------------------------------------------------------------------------------


def slug(words: str) -> str:
    """Words as a key: Latin letters, digits and hyphens."""
    latin = "".join(_RUSSIAN.get(letter, letter) for letter in words.lower())
    return re.sub(r"[^a-z0-9]+", "-", latin).strip("-")[:50] or "field"


def _free_key(words: str, table: type[Topic] | type[TopicField]) -> str:
    return _free(slug(words), set(db.session().scalars(select(table.key))))


def _free(word: str, taken: set[str]) -> str:
    return next(name for name in (word, *(f"{word}-{number}" for number in range(2, 100_000))) if name not in taken)


def _moved(rows: Sequence[Any], row: Any, up: bool) -> bool:
    """Change places with the neighbour, and number all anew, so that old gaps and doubles are gone."""
    order = list(rows)
    at = [one.id for one in order].index(row.id)
    to = at - 1 if up else at + 1
    if not 0 <= to < len(order):
        return False
    order[at], order[to] = order[to], order[at]
    for number, one in enumerate(order, 1):
        one.position = number
    db.session().flush()
    return True


def _columns(shape: TopicShape) -> dict[str, Any]:
    return {"name": shape.name, "name_ru": shape.name_ru, "help": shape.help, "help_ru": shape.help_ru, "queue_id": shape.queue_id}


def _line(text: str) -> str:
    return " ".join(text.replace("\x00", "").split())


def _length(least: int, most: int) -> str:
    if not least:
        return str(_("Please shorten this to %(n)s characters.", n=most))
    return str(_("Please write from %(least)s to %(most)s characters.", least=least, most=most))
