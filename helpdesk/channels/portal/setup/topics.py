"""The request form's topics and fields: add, change, order, look at, switch off, remove."""

from __future__ import annotations

from typing import Any

from flask import Response, flash, render_template, request
from flask_babel import force_locale, lazy_gettext
from flask_babel import gettext as _
from markupsafe import Markup
from sqlalchemy import select

from helpdesk import db, web
from helpdesk.agents.admin.forms import REFUSALS, find, page, seen, whole
from helpdesk.channels.portal import asked
from helpdesk.channels.portal.setup import bp
from helpdesk.errors import HelpdeskError, NotFound, Words
from helpdesk.live import LANGUAGES
from helpdesk.tickets.models import Queue
from helpdesk.tickets.topics import asking, editing
from helpdesk.tickets.topics.editing import FieldShape, TopicShape
from helpdesk.tickets.topics.models import Kind, Topic, TopicField

KIND: dict[Kind, Words] = {
    Kind.TEXT: lazy_gettext("A line of text"),
    Kind.LONG_TEXT: lazy_gettext("Longer text"),
    Kind.NUMBER: lazy_gettext("A number"),
    Kind.DATE: lazy_gettext("A day"),
    Kind.CHOICE: lazy_gettext("One of a list"),
    Kind.YES_NO: lazy_gettext("Yes or no"),
    Kind.FILE: lazy_gettext("A file"),
}


@bp.get("/topics")
def all_topics() -> Response:
    rows = editing.all_topics()
    queues = {queue.id: queue for queue in db.session().scalars(select(Queue))}
    return page("portal/setup/topics.html", topics=rows, queues=queues, fields={row.id: len(editing.all_fields(row)) for row in rows})


@bp.get("/topics/new")
def new_topic() -> Response:
    return _topic_page(None)


@bp.post("/topics")
def add_topic() -> Response:
    try:
        topic = editing.add_topic(_topic_shape(), by=web.current_actor())
    except REFUSALS as wrong:
        return _topic_page(None, wrong)
    flash(_("Saved. Now add what you want to ask."))
    return _to(topic)


@bp.get("/topics/<int:topic_id>")
def topic(topic_id: int) -> Response:
    return _topic_page(find(Topic, topic_id))


@bp.post("/topics/<int:topic_id>")
def change_topic(topic_id: int) -> Response:
    topic = find(Topic, topic_id)
    try:
        editing.edit_topic(topic, _topic_shape(), seen=seen(), by=web.current_actor())
    except REFUSALS as wrong:
        return _topic_page(topic, wrong)
    flash(_("Saved."))
    return _to(topic)


@bp.post("/topics/<int:topic_id>/place")
def move_topic(topic_id: int) -> Response:
    editing.move_topic(find(Topic, topic_id), request.form.get("to") == "up", by=web.current_actor())
    return web.see("/admin/portal/topics")


@bp.post("/topics/<int:topic_id>/state")
def switch_topic(topic_id: int) -> Response:
    topic, on = find(Topic, topic_id), request.form.get("on") == "1"
    try:
        editing.switch_topic(topic, on, seen=seen(), by=web.current_actor())
    except REFUSALS as wrong:
        return _topic_page(topic, wrong)
    flash(_("Customers can choose it now.") if on else _("Customers cannot choose it any longer. Its requests stay as they are."))
    return _to(topic)


@bp.get("/topics/<int:topic_id>/removal")
def topic_removal(topic_id: int) -> Response:
    topic = find(Topic, topic_id)
    return page("portal/setup/remove_topic.html", topic=topic, held=editing.held_by(topic))


@bp.post("/topics/<int:topic_id>/removal")
def remove_topic(topic_id: int) -> Response:
    topic = find(Topic, topic_id)
    try:
        editing.remove_topic(topic, seen=seen(), by=web.current_actor())
    except REFUSALS as wrong:
        return page("portal/setup/remove_topic.html", wrong, topic=topic, held=editing.held_by(topic))
    flash(_("The topic is removed."))
    return web.see("/admin/portal/topics")


# --- fields ----------------------------------------------------------------------------------------------------------


@bp.get("/topics/<int:topic_id>/fields/new")
def new_field(topic_id: int) -> Response:
    return _field_page(find(Topic, topic_id), None)


@bp.post("/topics/<int:topic_id>/fields")
def add_field(topic_id: int) -> Response:
    topic = find(Topic, topic_id)
    try:
        editing.add_field(topic, _field_shape(), by=web.current_actor())
    except REFUSALS as wrong:
        return _field_page(topic, None, wrong)
    flash(_("Saved."))
    return _to(topic)


@bp.get("/fields/<int:field_id>")
def field(field_id: int) -> Response:
    row = _field(field_id)
    return _field_page(find(Topic, row.topic_id), row)


@bp.post("/fields/<int:field_id>")
def change_field(field_id: int) -> Response:
    row = _field(field_id)
    topic = find(Topic, row.topic_id)
    try:
        editing.edit_field(row, _field_shape(), seen=seen(), by=web.current_actor())
    except REFUSALS as wrong:
        return _field_page(topic, row, wrong)
    flash(_("Saved."))
    return _to(topic)


@bp.post("/fields/<int:field_id>/place")
def move_field(field_id: int) -> Response:
    row = _field(field_id)
    topic = find(Topic, row.topic_id)
    try:
        editing.move_field(row, request.form.get("to") == "up", by=web.current_actor())
    except REFUSALS as wrong:
        return _topic_page(topic, wrong)
    return _to(topic)


@bp.get("/fields/<int:field_id>/removal")
def field_removal(field_id: int) -> Response:
    return _removal_page(_field(field_id))


@bp.post("/fields/<int:field_id>/removal")
def remove_field(field_id: int) -> Response:
    row = _field(field_id)
    try:
        editing.remove_field(row, seen=seen(), by=web.current_actor())
    except REFUSALS as wrong:
        return _removal_page(row, wrong)
    flash(_("It is no longer asked. What customers wrote there stays with their requests."))
    return web.see(f"/admin/portal/topics/{row.topic_id}")


# --- helpers ---------------------------------------------------------------------------------------------------------


def _to(topic: Topic) -> Response:
    return web.see(f"/admin/portal/topics/{topic.id}")


def _field(field_id: int) -> TopicField:
    row = find(TopicField, field_id)
    if row.removed_at is not None:
        raise NotFound
    return row


def _topic_shape() -> TopicShape:
    return TopicShape(**_texts("name", "name_ru", "help", "help_ru"), queue_id=whole("queue_id"))


def _field_shape() -> FieldShape:
    deciding = whole("shown_if_id")
    return FieldShape(
        **_texts("label", "label_ru", "hint", "hint_ru", "kind", "options"),
        required=request.form.get("required") == "1",
        shown_if_id=deciding or None,
        shown_if_values=tuple(request.form.getlist(f"if-{deciding}")),
    )


def _texts(*names: str) -> dict[str, str]:
    return {name: request.form.get(name, "").replace("\x00", "").replace("\r\n", "\n") for name in names}


def _topic_page(topic: Topic | None, wrong: HelpdeskError | None = None) -> Response:
    usable = Queue.active if topic is None else Queue.active | (Queue.id == topic.queue_id)
    queues = list(db.session().scalars(select(Queue).where(usable).order_by(Queue.id)))
    fields = editing.all_fields(topic) if topic else []
    wish = request.args.get("preview", "")
    language = wish if wish in LANGUAGES else web.lang()
    return page(
        "portal/setup/topic.html",
        wrong,
        topic=topic,
        fields=fields,
        labels={row.id: row.label for row in fields},
        conditions={row.id: _condition(row, fields) for row in fields if row.shown_if_id},
        queues=queues,
        KIND=KIND,
        preview_in=language,
        preview=_preview(topic, language) if topic is not None else "",
        held=editing.held_by(topic) if topic else 0,
    )


def _field_page(topic: Topic, row: TopicField | None, wrong: HelpdeskError | None = None) -> Response:
    known = editing.all_fields(topic)
    before = [one for one in known if row is None or (one.position, one.id) < (row.position, row.id)]
    if request.method == "POST":
        shape = _field_shape()
    elif row is not None:
        shape = FieldShape(
            row.label, row.kind, row.label_ru, row.hint, row.hint_ru, row.required, editing.options_text(row), row.shown_if_id,
            tuple(row.shown_if_values),
        )  # fmt: skip
    else:
        shape = FieldShape("")
    choices = [(one, _values(one)) for one in before]
    return page("portal/setup/field.html", wrong, topic=topic, row=row, shape=shape, before=choices, KIND=KIND)


def _removal_page(row: TopicField, wrong: HelpdeskError | None = None) -> Response:
    return page("portal/setup/remove_field.html", wrong, row=row, held=editing.values_held(row))


def _values(row: TopicField) -> list[tuple[str, str]]:
    """The values that a condition on this field can name, with their words."""
    if row.kind is Kind.YES_NO:
        return [("yes", _("Yes")), ("no", _("No"))]
    return [(option.value, option.words) for option in asking.as_asked(row).options]


def _condition(row: TopicField, known: list[TopicField]) -> str:
    deciding = next((one for one in known if one.id == row.shown_if_id), None)
    if deciding is None:
        return ""
    words = [words for value, words in _values(deciding) if value in row.shown_if_values]
    if words:
        return str(_("only if “%(name)s” is %(words)s", name=deciding.label, words=", ".join(words)))
    return str(_("only if “%(name)s” is filled in", name=deciding.label))


def _preview(topic: Topic, language: str) -> Markup:
    """The fields as customers of one language get them."""
    with force_locale(language):
        values: dict[str, Any] = {"topic_help": asking.help_of(topic), "asked": asked.drawn(topic, asked.Answers(), {}), "carried": []}
        name = asking.name_of(topic)
        html = render_template("portal/setup/_preview.html", name=name, language=language, **values)
    return Markup(html)
