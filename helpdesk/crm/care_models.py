"""The tables of how customers feel and what we do about it: surveys as the desk wrote them, calls to make, corrective actions."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import JSON, Boolean, ForeignKey, Index, String, Text
from sqlalchemy.orm import Mapped, mapped_column

from helpdesk import clock
from helpdesk.db import Base, where


class SurveyDefinition(Base):
    """What is asked, of whom and when.

    occasion: "solved" (some time after a ticket of `queue_id`, or of any queue, was solved) or "periodic" (about the whole relationship,
    every `every_days`). questions: [{"kind": csat | nps | ces, "en": …, "ru": …}], at most one of each kind, the first one leads.
    reasons: [{"key", "en", "ru"}] to choose from; none: the usual ones. remind_days: reminded once after so many days; 0: never.
    """

    __tablename__ = "survey_definition"

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(String(120))
    occasion: Mapped[str] = mapped_column(String(10), default="solved")
    queue_id: Mapped[int | None] = mapped_column(ForeignKey("queue.id"))
    delay_s: Mapped[int] = mapped_column(default=3600)
    every_days: Mapped[int] = mapped_column(default=90)
    remind_days: Mapped[int] = mapped_column(default=0)
    questions: Mapped[list[dict[str, str]]] = mapped_column(JSON, default=list)
    reasons: Mapped[list[dict[str, str]]] = mapped_column(JSON, default=list)
    active: Mapped[bool] = mapped_column(Boolean, default=True)
    version: Mapped[int] = mapped_column(default=1)
    created_at: Mapped[datetime] = mapped_column(default=clock.now)


class CallBack(Base):
    """A customer to be called: because of a bad rating, or because somebody said so. One per rating.

    outcome: "reached", "made_good", "not_reached", "dropped"; `note` says what came of it. `user_id` is empty while nobody has it.
    """

    __tablename__ = "call_back"

    id: Mapped[int] = mapped_column(primary_key=True)
    contact_id: Mapped[int] = mapped_column(ForeignKey("contact.id"), index=True)
    rating_id: Mapped[int | None] = mapped_column(ForeignKey("rating.id"))
    ticket_id: Mapped[int | None] = mapped_column(ForeignKey("ticket.id"))
    user_id: Mapped[int | None] = mapped_column(ForeignKey("user.id"))
    why: Mapped[str] = mapped_column(String(300), default="")
    due_at: Mapped[datetime]
    created_at: Mapped[datetime] = mapped_column(default=clock.now)
    done_at: Mapped[datetime | None]
    done_by_id: Mapped[int | None] = mapped_column(ForeignKey("user.id"))
    outcome: Mapped[str] = mapped_column(String(12), default="")
    note: Mapped[str] = mapped_column(Text, default="")

    __table_args__ = (
        Index("uq_call_back_rating", "rating_id", unique=True, **where("rating_id IS NOT NULL")),
        Index("ix_call_back_open", "user_id", "due_at", **where("done_at IS NULL")),
    )


class CorrectiveAction(Base):
    """What we change because customers were dissatisfied. `in_force_at` divides before from after when its effect is measured."""

    __tablename__ = "corrective_action"

    id: Mapped[int] = mapped_column(primary_key=True)
    reason: Mapped[str] = mapped_column(String(60))
    queue_id: Mapped[int | None] = mapped_column(ForeignKey("queue.id"))
    title: Mapped[str] = mapped_column(String(200))
    text: Mapped[str] = mapped_column(Text, default="")
    owner_id: Mapped[int | None] = mapped_column(ForeignKey("user.id"))
    due_at: Mapped[datetime | None]
    in_force_at: Mapped[datetime | None]
    dropped_at: Mapped[datetime | None]
    created_at: Mapped[datetime] = mapped_column(default=clock.now)
    created_by_id: Mapped[int | None] = mapped_column(ForeignKey("user.id"))
    version: Mapped[int] = mapped_column(default=1)

    __table_args__ = (Index("ix_corrective_action_reason", "reason"),)
