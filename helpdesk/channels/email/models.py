"""Mail's two ledgers: everything that arrived and what became of it; everything that leaves and what the server said."""

from __future__ import annotations

import enum
from datetime import datetime
from typing import Any

from sqlalchemy import JSON, Boolean, ForeignKey, Index, String, Text, UniqueConstraint
from sqlalchemy import text as sql
from sqlalchemy.orm import Mapped, mapped_column

from helpdesk import clock
from helpdesk.db import Base


class ArrivalState(enum.StrEnum):
    """stored: bytes are safe; accepted: opened a ticket; threaded: joined one; noted: automatic mail that only left a mark; refused by a rule."""

    STORED = "stored"
    ACCEPTED = "accepted"
    THREADED = "threaded"
    NOTED = "noted"
    DUPLICATE = "duplicate"
    QUARANTINED = "quarantined"
    REFUSED = "refused"


class Arrival(Base):
    """One mail that reached us. Written, with its raw bytes kept, before anything is parsed."""

    __tablename__ = "arrival"

    id: Mapped[int] = mapped_column(primary_key=True)
    inbox_id: Mapped[int | None] = mapped_column(ForeignKey("inbox.id"))
    box: Mapped[str] = mapped_column(String(320), default="")
    sha256: Mapped[str] = mapped_column(String(64))
    header_id: Mapped[str | None] = mapped_column(String(300))
    conflicting: Mapped[bool] = mapped_column(Boolean, default=False)
    object_key: Mapped[str] = mapped_column(String(64))
    size: Mapped[int]
    sender: Mapped[str] = mapped_column(String(320), default="")
    recipients: Mapped[list[Any]] = mapped_column(JSON, default=list)
    silent: Mapped[bool] = mapped_column(Boolean, default=False)
    received_at: Mapped[datetime] = mapped_column(default=clock.now)
    state: Mapped[ArrivalState] = mapped_column(default=ArrivalState.STORED)
    ticket_id: Mapped[int | None] = mapped_column(ForeignKey("ticket.id"))
    message_id: Mapped[int | None] = mapped_column(ForeignKey("message.id"))
    subject: Mapped[str] = mapped_column(String(300), default="")
    why: Mapped[str] = mapped_column(String(1000), default="")

    __table_args__ = (
        UniqueConstraint("box", "sha256"),
        Index("uq_arrival_header", "box", "header_id", unique=True, sqlite_where=sql("header_id IS NOT NULL AND NOT conflicting"), postgresql_where=sql("header_id IS NOT NULL AND NOT conflicting")),
        Index("ix_arrival_state", "state", "id"),
    )  # fmt: skip


class OutgoingState(enum.StrEnum):
    WAITING = "waiting"
    SENDING = "sending"
    SENT = "sent"
    FAILED = "failed"
    WITHDRAWN = "withdrawn"


class Outgoing(Base):
    """One mail that leaves. `header_id` never changes between tries, so that a receiver can drop the one duplicate a crash may cause."""

    __tablename__ = "outgoing"

    id: Mapped[int] = mapped_column(primary_key=True)
    kind: Mapped[str] = mapped_column(String(12))
    ticket_id: Mapped[int | None] = mapped_column(ForeignKey("ticket.id"), index=True)
    message_id: Mapped[int | None] = mapped_column(ForeignKey("message.id"), index=True)
    survey_id: Mapped[int | None] = mapped_column(ForeignKey("survey.id"))
    inbox_id: Mapped[int | None] = mapped_column(ForeignKey("inbox.id"))
    contact_id: Mapped[int | None] = mapped_column(ForeignKey("contact.id"))
    recipients: Mapped[list[Any]] = mapped_column(JSON, default=list)
    subject: Mapped[str] = mapped_column(String(400), default="")
    body_text: Mapped[str] = mapped_column(Text, default="")
    body_html: Mapped[str] = mapped_column(Text, default="")
    header_id: Mapped[str] = mapped_column(String(300), unique=True)
    references: Mapped[str] = mapped_column(Text, default="")
    not_before: Mapped[datetime]
    state: Mapped[OutgoingState] = mapped_column(default=OutgoingState.WAITING)
    attempts: Mapped[int] = mapped_column(default=0)
    server_words: Mapped[str] = mapped_column(String(1000), default="")
    created_at: Mapped[datetime] = mapped_column(default=clock.now)
    sent_at: Mapped[datetime | None]

    __table_args__ = (Index("ix_outgoing_state", "state", "not_before"),)
