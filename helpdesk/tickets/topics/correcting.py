"""Correcting what a ticket holds of its form: by colleagues on a page, by programs by key; each change stays in the history.

What files a form brought stays with its message: their fields are not changed here. Nothing is demanded that the customer left out.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from flask_babel import lazy_gettext as _
from sqlalchemy import select

from helpdesk import clock, db
from helpdesk.actor import Actor
from helpdesk.auth import User
from helpdesk.catalog import AnswersCorrected
from helpdesk.errors import Invalid, Words
from helpdesk.events import record
from helpdesk.tickets.changes import change
from helpdesk.tickets.models import Ticket
from helpdesk.tickets.topics import asking, fields
from helpdesk.tickets.topics.fields import Drawn, Field
from helpdesk.tickets.topics.models import AnswerChange, Kind, Topic, TopicField

SHOWN = 50


def correct(ticket: Ticket, typed: Mapping[int, str], *, by: Actor, seen: int | None = None) -> tuple[str, ...]:
    """Take the form's fields as typed, by field id; the keys that changed. Raises Invalid by the form's names, StaleTicket."""
    known = fields_of(ticket)
    held, wrong = fields.values(known, {**_typed(ticket, known), **typed})
    if wrong:
        raise Invalid(fields=dict(wrong))
    return _keep(ticket, {field.key: held.get(field.key) for field in known}, by=by, seen=seen)


def correct_by_key(ticket: Ticket, sent: Mapping[str, Any], *, by: Actor) -> tuple[str, ...]:
    """Take some values as programs send them, by key, None for nothing; the keys that changed. Raises Invalid as `custom.<key>`."""
    known = fields_of(ticket)
    by_key = {field.key: field for field in known if field.kind is not Kind.FILE}
    wrong: dict[str, Words] = {f"custom.{key}": _("This ticket has no such field.") for key in sent if key not in by_key}
    typed = _typed(ticket, known) | {by_key[key].id: fields.text_of(by_key[key], held) for key, held in sent.items() if key in by_key}
    held, faults = fields.values(known, typed)
    names = {field.name: f"custom.{field.key}" for field in known}
    wrong |= {names[name]: words for name, words in faults.items()}
    asked = {field.key for field in fields.asked(known, typed)}
    unasked = [key for key in sent if key in by_key and key not in asked and sent[key] is not None]
    wrong |= {f"custom.{key}": _("This is not asked with these values.") for key in unasked}
    if wrong:
        raise Invalid(fields=wrong)
    return _keep(ticket, {field.key: held.get(field.key) for field in known}, by=by, seen=None)


def is_open(ticket: Ticket) -> bool:
    """Whether there is a form to correct."""
    return ticket.topic_id is not None and ticket.merged_into_id is None


def fields_of(ticket: Ticket) -> list[Field]:
    """The form's fields in the reader's language; nothing of it is required any more."""
    topic = db.session().get(Topic, ticket.topic_id) if ticket.topic_id is not None else None
    return [replace(field, required=False) for field in asking.fields_of(topic)]


def drawn(ticket: Ticket, typed: Mapping[int, str] | None = None, errors: Mapping[str, str] | None = None) -> list[Drawn]:
    """The form with what the ticket holds, or with what was typed and refused."""
    known = fields_of(ticket)
    rows = fields.drawn(known, {**_typed(ticket, known), **(typed or {})}, errors or {})
    return [row for row in rows if row.field.kind is not Kind.FILE]


@dataclass(frozen=True)
class Corrected:
    """One correction as a reader sees it; `old` and `new` are empty where nothing stood, or stands. `row` says when."""

    row: AnswerChange
    label: str
    old: str
    new: str
    who: str


def history(ticket: Ticket) -> list[Corrected]:
    """The newest corrections, newest first, labelled in the reader's language."""
    session = db.session()
    newest = select(AnswerChange).where(AnswerChange.ticket_id == ticket.id).order_by(AnswerChange.id.desc()).limit(SHOWN)
    rows = list(session.scalars(newest))
    known = {
        row.key: asking.as_asked(row) for row in session.scalars(select(TopicField).where(TopicField.key.in_({one.key for one in rows})))
    }
    users = {one.actor_id for one in rows if one.actor_kind == "user" and one.actor_id is not None}
    names = dict(session.execute(select(User.id, User.name).where(User.id.in_(users))).all())
    return [
        Corrected(
            row,
            known[row.key].label if row.key in known else row.key,
            _words(known.get(row.key), row.old),
            _words(known.get(row.key), row.new),
            names.get(row.actor_id or 0, "") if row.actor_kind == "user" else "",
        )
        for row in rows
    ]


def _typed(ticket: Ticket, known: list[Field]) -> dict[int, str]:
    """What the ticket holds, as the form would send it."""
    return {field.id: fields.text_of(field, ticket.custom.get(field.key)) for field in known}


def _words(field: Field | None, value: Any) -> str:
    if value in (None, "", []):
        return ""
    return fields.words_of(field, value) if field is not None else str(value)


def _keep(ticket: Ticket, values: dict[str, Any], *, by: Actor, seen: int | None) -> tuple[str, ...]:
    """Set these keys of the ticket, None taking one away, with a line in the history for each that really changed."""
    before = dict(ticket.custom)
    files = {key for key, value in before.items() if isinstance(value, list)}
    changed = {key: new for key, new in values.items() if before.get(key) != new and key not in files}
    if not changed:
        return ()
    after = {key: value for key, value in {**before, **changed}.items() if value is not None}
    change(ticket, seen, custom=after)
    db.session().add_all(
        AnswerChange(
            ticket_id=ticket.id, at=clock.now(), key=key, old=before.get(key), new=new, actor_kind=by.kind, actor_id=by.id, via=by.via
        )
        for key, new in changed.items()
    )
    record(AnswersCorrected(ticket.id, by, tuple(changed)))
    return tuple(changed)
