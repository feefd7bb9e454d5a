"""What those who lead try out, and what a waiting customer asked for instead of waiting at the screen."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import ForeignKey, Index, String, Text
from sqlalchemy.orm import Mapped, mapped_column

from helpdesk import clock
from helpdesk.db import Base


class ContactWish(Base):
    """The customer would rather be written to, or called, than look at the page. One per ticket; the place in the queue stays.

    `kind` is email or phone; `value` the address or the number in E.164; `done_at` once somebody did it.
    """

    __tablename__ = "contact_wish"

    ticket_id: Mapped[int] = mapped_column(ForeignKey("ticket.id"), primary_key=True)
    contact_id: Mapped[int] = mapped_column(ForeignKey("contact.id"))
    kind: Mapped[str] = mapped_column(String(5))
    value: Mapped[str] = mapped_column(String(320))
    asked_at: Mapped[datetime] = mapped_column(default=clock.now)
    done_at: Mapped[datetime | None]
    done_by_id: Mapped[int | None] = mapped_column(ForeignKey("user.id"))

    __table_args__ = (Index("ix_contact_wish_contact_id", "contact_id"),)


class DryRun(Base):
    """A changed rule tried on a recorded week. `state`: waiting, running, done, failed; `progress` in percent.

    `change` is a `replay.week.Change` as JSON, `result` what `dry_runs` made of the replays; `error` says in words why there is none.
    """

    __tablename__ = "dry_run"

    id: Mapped[int] = mapped_column(primary_key=True)
    asked_by_id: Mapped[int] = mapped_column(ForeignKey("user.id"))
    asked_at: Mapped[datetime] = mapped_column(default=clock.now)
    queue_id: Mapped[int] = mapped_column(ForeignKey("queue.id"))
    begins_at: Mapped[datetime]
    ends_at: Mapped[datetime]
    change: Mapped[dict[str, Any]] = mapped_column(default=dict)
    state: Mapped[str] = mapped_column(String(7), default="waiting")
    progress: Mapped[int] = mapped_column(default=0)
    result: Mapped[dict[str, Any]] = mapped_column(default=dict)
    error: Mapped[str] = mapped_column(Text, default="")
    finished_at: Mapped[datetime | None]

    __table_args__ = (Index("ix_dry_run_asked_at", "asked_at"),)
