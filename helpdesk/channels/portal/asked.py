"""A topic's own fields in the request form: what was typed into them, which are shown, and what is still to be shown.

Scripts show and hide fields at once. Without them the server decides at the next step: a form that brings up fields its writer has not
seen yet comes back with them, and everything that was typed.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from flask import request
from werkzeug.datastructures import FileStorage

from helpdesk import db
from helpdesk.errors import Words
from helpdesk.tickets import attachments
from helpdesk.tickets.models import Queue
from helpdesk.tickets.topics import asking, fields
from helpdesk.tickets.topics.fields import LONGEST_LONG_TEXT, Drawn
from helpdesk.tickets.topics.models import Kind, Topic

#: Values of fields that are not asked now, carried along in case their topic is chosen again.
_MOST_CARRIED = 60


@dataclass(frozen=True)
class Answers:
    """What was typed, by field id, and the ids of the fields that the writer has seen. `files`: by field id."""

    typed: Mapping[int, str] = field(default_factory=dict)
    seen: frozenset[int] = frozenset()
    files: Mapping[int, FileStorage] = field(default_factory=dict)

    @property
    def carried(self) -> list[tuple[str, str]]:
        """(name, text) of everything typed, for what is not drawn."""
        return [(f"c-{id}", text) for id, text in self.typed.items() if text and id not in self.files][:_MOST_CARRIED]


@dataclass(frozen=True)
class Understood:
    """A topic's fields of a form that can be carried out: the queue, the typed values, and the files with their fields' keys."""

    topic: Topic
    queue: Queue
    held: Mapping[str, Any]
    files: tuple[tuple[str, FileStorage], ...]


def read() -> Answers:
    """What the request's form says about a topic's fields, whatever the topic."""
    typed = {
        id: text.replace("\x00", "")[: LONGEST_LONG_TEXT + 1] for name, text in request.form.items() if (id := _id(name)) and len(name) < 20
    }
    chosen = {id: file for name, file in request.files.items() if (id := _id(name)) and file.filename}
    typed |= {id: attachments.shown_name(file.filename or "") for id, file in chosen.items()}
    seen = frozenset(int(word) for word in request.form.getlist("seen") if word.isdigit() and len(word) < 16)
    return Answers(typed, seen, chosen)


def topic_of(key: str) -> Topic | None:
    """The topic with this key, if customers may choose it."""
    return next((one for one in asking.topics() if one.key == key), None)


def drawn(topic: Topic | None, answers: Answers, errors: Mapping[str, str]) -> list[Drawn]:
    """Every field of the topic; those that are not asked now are drawn hidden, so that nothing typed into them is lost."""
    return fields.drawn(asking.fields_of(topic), answers.typed, errors)


def carried(rows: Sequence[Drawn], answers: Answers) -> list[tuple[str, str]]:
    """What was typed into other topics' fields."""
    here = {one.field.name for one in rows}
    return [pair for pair in answers.carried if pair[0] not in here]


def understood(topic: Topic, answers: Answers) -> tuple[Understood, dict[str, Words], bool]:
    """The typed values, what is wrong with them, and whether the writer has yet to see some of the fields."""
    known = asking.fields_of(topic)
    held, wrong = fields.values(known, answers.typed)
    now = fields.asked(known, answers.typed)
    unseen = {one.name for one in now if one.id not in answers.seen}
    mistakes: dict[str, Words] = {name: words for name, words in wrong.items() if name not in unseen}
    files = tuple((one.key, answers.files[one.id]) for one in now if one.kind is Kind.FILE and one.id in answers.files)
    return Understood(topic, db.session().get_one(Queue, topic.queue_id), held, files), mistakes, bool(unseen)


def _id(name: str) -> int:
    """The field's id in a name such as c-12; 0 for any other name."""
    word = name.removeprefix("c-")
    return int(word) if word != name and word.isascii() and word.isdigit() else 0
