"""What the request form asks, in the reader's language, and what a ticket holds of it: for the portal, agents and programs alike."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from flask_babel import gettext as _
from sqlalchemy import select

from helpdesk import db, web
from helpdesk.errors import Invalid
from helpdesk.tickets.models import Queue, Ticket
from helpdesk.tickets.topics import fields
from helpdesk.tickets.topics.fields import Field, Option
from helpdesk.tickets.topics.models import Kind, Topic, TopicField


@dataclass(frozen=True)
class Answered:
    """One value of a ticket as a reader sees it."""

    key: str
    label: str
    words: str
    long: bool = False


def topics() -> list[Topic]:
    """What customers may choose: switched on, with a queue that works, in the administrators' order."""
    wanted = select(Topic).join(Queue, Queue.id == Topic.queue_id).where(Topic.active, Queue.active).order_by(Topic.position, Topic.id)
    return list(db.session().scalars(wanted))


def fields_of(topic: Topic | None) -> list[Field]:
    """A topic's fields in order, in the reader's language."""
    if topic is None:
        return []
    wanted = select(TopicField).where(TopicField.topic_id == topic.id, TopicField.removed_at.is_(None))
    return [as_asked(row) for row in db.session().scalars(wanted.order_by(TopicField.position, TopicField.id))]


def name_of(topic: Topic) -> str:
    return _in_language(topic.name, topic.name_ru)


def help_of(topic: Topic) -> str:
    return _in_language(topic.help, topic.help_ru)


def as_asked(row: TopicField) -> Field:
    """A definition as it is asked in the reader's language."""
    return Field(
        id=row.id,
        key=row.key,
        kind=row.kind,
        label=_in_language(row.label, row.label_ru),
        hint=_in_language(row.hint, row.hint_ru),
        required=row.required,
        options=tuple(Option(one["value"], _in_language(one["en"], one.get("ru", ""))) for one in row.options),
        shown_if=row.shown_if_id,
        shown_if_values=frozenset(row.shown_if_values),
    )


def topic_name(ticket: Ticket) -> str:
    """What a ticket is about, in the reader's language; empty when nobody chose."""
    topic = db.session().get(Topic, ticket.topic_id) if ticket.topic_id is not None else None
    return name_of(topic) if topic is not None else ""


def answered(ticket: Ticket) -> list[Answered]:
    """What a ticket holds of its form, labelled, in the form's order; fields that are no longer asked too."""
    return _labelled(ticket.custom)


def lines(held: Mapping[str, Any]) -> str:
    """The same as plain lines, to stand under the customer's words in the first message."""
    return "\n".join(f"{one.label}: {one.words}" for one in _labelled(held))


def of_program(topic_key: str, sent: Mapping[str, Any]) -> tuple[Topic, dict[str, Any]]:
    """A program's values, by key, checked as the form's are. Raises Invalid naming each as `custom.<key>`, or `topic`.

    Files come as files of the request; their fields take names.
    """
    topic = next((one for one in topics() if one.key == topic_key), None)
    if topic is None:
        raise Invalid(fields={"topic": _("There is no such topic.")})
    known = fields_of(topic)
    by_key = {field.key: field for field in known}
    wrong = {f"custom.{key}": _("This topic has no such field.") for key in sent if key not in by_key}
    typed = {by_key[key].id: fields.text_of(by_key[key], held) for key, held in sent.items() if key in by_key}
    found, faults = fields.values(known, typed)
    names = {field.name: f"custom.{field.key}" for field in known}
    wrong |= {names[name]: words for name, words in faults.items()}
    asked = {field.key for field in fields.asked(known, typed)}
    wrong |= {f"custom.{key}": _("This is not asked with these values.") for key in sent if key in by_key and key not in asked}
    if wrong:
        raise Invalid(fields=dict(wrong))
    return topic, found


def _labelled(held: Mapping[str, Any]) -> list[Answered]:
    if not held:
        return []
    rows: Sequence[TopicField] = list(
        db.session().scalars(
            select(TopicField).where(TopicField.key.in_(list(held))).order_by(TopicField.topic_id, TopicField.position, TopicField.id)
        )
    )
    found = [(as_asked(row), held[row.key]) for row in rows]
    return [
        Answered(field.key, field.label, fields.words_of(field, value), long=field.kind is Kind.LONG_TEXT)
        for field, value in found
        if value not in (None, "", [])
    ]


def _in_language(english: str, russian: str) -> str:
    return russian if web.lang() == "ru" and russian else english or russian
