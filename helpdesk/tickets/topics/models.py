"""Topics of the request form and their fields. A field's `key` names its value in `ticket.custom`, for ever."""

from __future__ import annotations

import enum
from datetime import datetime
from typing import Any

from sqlalchemy import JSON, Boolean, ForeignKey, Index, String, Text
from sqlalchemy.orm import Mapped, mapped_column

from helpdesk import clock
from helpdesk.db import Base


class Kind(enum.StrEnum):
    """What may be filled in. A file's value is the list of its names; the file itself hangs on the first message."""

    TEXT = "text"
    LONG_TEXT = "long_text"
    NUMBER = "number"
    DATE = "date"
    CHOICE = "choice"
    YES_NO = "yes_no"
    FILE = "file"


class Topic(Base):
    """One subject of the request form: its names, what is said under it, and the queue its requests wait in."""

    __tablename__ = "topic"

    id: Mapped[int] = mapped_column(primary_key=True)
    key: Mapped[str] = mapped_column(String(60), unique=True)
    name: Mapped[str] = mapped_column(String(120))
    name_ru: Mapped[str] = mapped_column(String(120), default="")
    help: Mapped[str] = mapped_column(Text, default="")
    help_ru: Mapped[str] = mapped_column(Text, default="")
    queue_id: Mapped[int] = mapped_column(ForeignKey("queue.id"))
    position: Mapped[int] = mapped_column(default=0)
    active: Mapped[bool] = mapped_column(Boolean, default=True)
    version: Mapped[int] = mapped_column(default=1)
    created_at: Mapped[datetime] = mapped_column(default=clock.now)


class TopicField(Base):
    """One field of a topic. `options`, for a choice: [{"value": "a", "en": "A", "ru": "А"}].

    With `shown_if_id` it is asked only if that field, which stands before it, has one of `shown_if_values`; an empty list means any value.
    `removed_at`: no longer asked; the definition stays, because tickets hold values of it.
    """

    __tablename__ = "topic_field"

    id: Mapped[int] = mapped_column(primary_key=True)
    topic_id: Mapped[int] = mapped_column(ForeignKey("topic.id"))
    key: Mapped[str] = mapped_column(String(60), unique=True)
    kind: Mapped[Kind] = mapped_column()
    label: Mapped[str] = mapped_column(String(120))
    label_ru: Mapped[str] = mapped_column(String(120), default="")
    hint: Mapped[str] = mapped_column(String(300), default="")
    hint_ru: Mapped[str] = mapped_column(String(300), default="")
    required: Mapped[bool] = mapped_column(Boolean, default=False)
    options: Mapped[list[dict[str, Any]]] = mapped_column(JSON, default=list)
    shown_if_id: Mapped[int | None] = mapped_column(ForeignKey("topic_field.id"))
    shown_if_values: Mapped[list[str]] = mapped_column(default=list)
    position: Mapped[int] = mapped_column(default=0)
    removed_at: Mapped[datetime | None]
    version: Mapped[int] = mapped_column(default=1)

    __table_args__ = (Index("ix_topic_field_topic_id", "topic_id", "position"),)


class AnswerChange(Base):
    """Somebody corrected what a ticket holds of its form: which field, from what to what. None: nothing stood, or stands, there."""

    __tablename__ = "answer_change"

    id: Mapped[int] = mapped_column(primary_key=True)
    ticket_id: Mapped[int] = mapped_column(ForeignKey("ticket.id"))
    at: Mapped[datetime] = mapped_column(default=clock.now)
    key: Mapped[str] = mapped_column(String(60))
    old: Mapped[Any] = mapped_column(JSON)
    new: Mapped[Any] = mapped_column(JSON)
    actor_kind: Mapped[str] = mapped_column(String(10))
    actor_id: Mapped[int | None]
    via: Mapped[str] = mapped_column(String(20), default="")

    __table_args__ = (Index("ix_answer_change_ticket_id", "ticket_id", "id"),)
