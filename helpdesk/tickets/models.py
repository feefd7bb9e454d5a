"""What customers ask: inboxes, tickets, messages, files, clocks and surveys."""

from __future__ import annotations

import enum
from datetime import datetime
from typing import Any

from sqlalchemy import (
    JSON,
    Boolean,
    CheckConstraint,
    ColumnElement,
    Float,
    ForeignKey,
    Index,
    Sequence,
    String,
    Text,
    UniqueConstraint,
    literal_column,
)
from sqlalchemy.orm import Mapped, mapped_column, relationship

from helpdesk import clock
from helpdesk.auth import User
from helpdesk.crm.models import Contact
from helpdesk.db import Base, where

#: PostgreSQL's source of ticket numbers; SQLite takes the next one under its write lock.
ticket_number = Sequence("ticket_number", start=1001, metadata=Base.metadata)


class Status(enum.StrEnum):
    """new: nobody has answered; open: ours to do; pending: the customer's turn; on hold: others'; solved; closed for good."""

    NEW = "new"
    OPEN = "open"
    PENDING = "pending"
    ON_HOLD = "on_hold"
    SOLVED = "solved"
    CLOSED = "closed"


#: Statuses in which something is still to be done.
UNSOLVED = (Status.NEW, Status.OPEN, Status.PENDING, Status.ON_HOLD)


class Priority(enum.StrEnum):
    LOW = "low"
    NORMAL = "normal"
    HIGH = "high"
    URGENT = "urgent"


class Channel(enum.StrEnum):
    EMAIL = "email"
    PORTAL = "portal"
    API = "api"
    CHAT = "chat"
    PHONE = "phone"


class MessageKind(enum.StrEnum):
    INBOUND = "inbound"
    REPLY = "reply"
    NOTE = "note"


class DeliveryState(enum.StrEnum):
    """Where a reply is on its way: held back so that it can be undone, sent, failed, or nothing to send."""

    NONE = "none"
    WAITING = "waiting"
    SENT = "sent"
    FAILED = "failed"
    WITHDRAWN = "withdrawn"


class Hours(Base):
    """Opening hours by name. What they are stands in versions, so that a clock can keep those it began with."""

    __tablename__ = "hours"

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(String(120), unique=True)
    version: Mapped[int] = mapped_column(default=1)


class HoursVersion(Base):
    """One state of opening hours; never changed. `weekly`: {"0": [["09:00", "18:00"]]} with Monday 0; `holidays`: ["2026-01-01"];
    `special`: days with shifts of their own, {"2026-12-31": [["10:00", "14:00"]]}.
    """

    __tablename__ = "hours_version"

    id: Mapped[int] = mapped_column(primary_key=True)
    hours_id: Mapped[int] = mapped_column(ForeignKey("hours.id"), index=True)
    zone: Mapped[str] = mapped_column(String(60))
    weekly: Mapped[dict[str, Any]] = mapped_column(default=dict)
    holidays: Mapped[list[str]] = mapped_column(default=list)
    special: Mapped[dict[str, Any]] = mapped_column(default=dict)
    made_at: Mapped[datetime] = mapped_column(default=clock.now)


class Queue(Base):
    """Where work waits. `requirements` maps a skill's id to the least level; `steps` widen them with age: [{"requirements":
    {...}, "until_age_s": 60}], the last without an end, {"overflow": true} where the members of `overflow_id` may take it too.

    `hours_id` None: always open. `hold_s` None: as the desk holds work for the agent who served the customer last; 0: not at all.
    """

    __tablename__ = "queue"

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(String(120), unique=True)
    name_ru: Mapped[str] = mapped_column(String(120), default="")
    requirements: Mapped[dict[str, Any]] = mapped_column(default=dict)
    steps: Mapped[list[dict[str, Any]]] = mapped_column(JSON, default=list)
    tier: Mapped[int] = mapped_column(default=1)
    target_s: Mapped[int] = mapped_column(default=4 * 3600)
    service_target: Mapped[float] = mapped_column(Float, default=0.8)
    acceptance: Mapped[str] = mapped_column(String(9), default="offer")
    offer_s: Mapped[int] = mapped_column(default=30)
    weights: Mapped[dict[str, Any]] = mapped_column(default=dict)
    overflow_id: Mapped[int | None] = mapped_column(ForeignKey("queue.id"))
    prefers_proficiency: Mapped[bool] = mapped_column(Boolean, default=False)
    hours_id: Mapped[int | None] = mapped_column(ForeignKey("hours.id"))
    hold_s: Mapped[int | None]
    wrap_up: Mapped[str] = mapped_column(String(9), default="none")
    wrap_up_s: Mapped[int] = mapped_column(default=60)
    active: Mapped[bool] = mapped_column(Boolean, default=True)
    version: Mapped[int] = mapped_column(default=1)

    __table_args__ = (CheckConstraint("acceptance IN ('offer', 'automatic', 'pull')", name="acceptance"),)


class Inbox(Base):
    """A door with an address, and the queue its requests go to. The portal, the phone and the API each have one too."""

    __tablename__ = "inbox"

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(String(120))
    channel: Mapped[Channel] = mapped_column()
    address: Mapped[str | None] = mapped_column(String(320), unique=True)
    queue_id: Mapped[int] = mapped_column(ForeignKey("queue.id"))
    sender_name: Mapped[str] = mapped_column(String(120), default="")
    signature: Mapped[str] = mapped_column(Text, default="")
    smtp_url: Mapped[str] = mapped_column(String(500), default="")
    quote_history: Mapped[bool] = mapped_column(Boolean, default=False)
    files_mb: Mapped[int] = mapped_column(default=12)
    language: Mapped[str] = mapped_column(String(5), default="")
    active: Mapped[bool] = mapped_column(Boolean, default=True)
    version: Mapped[int] = mapped_column(default=1)


class Ticket(Base):
    """One requester's work. What a person edits raises `version` by compare-and-set; counters and cached list columns do not."""

    __tablename__ = "ticket"

    id: Mapped[int] = mapped_column(primary_key=True)
    number: Mapped[int] = mapped_column(unique=True)
    subject: Mapped[str] = mapped_column(String(300))
    status: Mapped[Status] = mapped_column(default=Status.NEW)
    priority: Mapped[Priority] = mapped_column(default=Priority.NORMAL)
    channel: Mapped[Channel] = mapped_column()
    language: Mapped[str] = mapped_column(String(5), default="")
    inbox_id: Mapped[int] = mapped_column(ForeignKey("inbox.id"))
    queue_id: Mapped[int] = mapped_column(ForeignKey("queue.id"))
    team_id: Mapped[int | None] = mapped_column(ForeignKey("team.id"))
    assignee_id: Mapped[int | None] = mapped_column(ForeignKey("user.id"))
    requester_id: Mapped[int] = mapped_column(ForeignKey("contact.id"))
    organization_id: Mapped[int | None] = mapped_column(ForeignKey("organization.id"))
    version: Mapped[int] = mapped_column(default=1)
    opened_at: Mapped[datetime] = mapped_column(default=clock.now)
    first_reply_at: Mapped[datetime | None]
    waiting_since: Mapped[datetime | None]
    last_message_at: Mapped[datetime] = mapped_column(default=clock.now)
    solved_at: Mapped[datetime | None]
    closed_at: Mapped[datetime | None]
    next_due_at: Mapped[datetime | None]
    due_paused: Mapped[bool] = mapped_column(Boolean, default=False)
    breached_at: Mapped[datetime | None]
    snippet: Mapped[str] = mapped_column(String(200), default="")
    messages_count: Mapped[int] = mapped_column(default=0)
    replies_count: Mapped[int] = mapped_column(default=0)
    reopens_count: Mapped[int] = mapped_column(default=0)
    linked_to_id: Mapped[int | None] = mapped_column(ForeignKey("ticket.id"))
    merged_into_id: Mapped[int | None] = mapped_column(ForeignKey("ticket.id"))
    link_epoch: Mapped[int] = mapped_column(default=0)
    #: What the request is about, of the topics that customers choose from. No foreign key: SQLite would
    #: have to copy the whole table to take one.
    topic_id: Mapped[int | None] = mapped_column(index=True)
    custom: Mapped[dict[str, Any]] = mapped_column(default=dict)

    requester: Mapped[Contact] = relationship(lazy="raise")
    assignee: Mapped[User | None] = relationship(lazy="raise")

    __table_args__ = (
        # Lists read one partial index on what is unsolved; closed tickets do not weigh on them.
        Index("ix_ticket_open_queue", "queue_id", "last_message_at", "id", **where("status NOT IN ('solved','closed')")),
        Index("ix_ticket_open_assignee", "assignee_id", "last_message_at", "id", **where("status NOT IN ('solved','closed')")),
        Index("ix_ticket_open_all", "last_message_at", "id", **where("status NOT IN ('solved','closed')")),
        Index("ix_ticket_open_due", "next_due_at", **where("status NOT IN ('solved','closed') AND next_due_at IS NOT NULL")),
        Index("ix_ticket_last_message", "last_message_at", "id"),
        Index("ix_ticket_requester", "requester_id", "last_message_at"),
        Index("ix_ticket_organization", "organization_id", "last_message_at"),
        Index("ix_ticket_opened_at", "opened_at"),
        Index("ix_ticket_first_reply_at", "first_reply_at"),
        Index("ix_ticket_solved_at", "solved_at"),
    )  # fmt: skip


def unsolved() -> ColumnElement[bool]:
    """The condition "something is still to be done", written letter by letter as the partial indexes are: with bound values no
    engine would use them. Without a type, because SQLite would be asked whether it "= 1", and then uses them no more.
    """
    return literal_column("ticket.status NOT IN ('solved','closed')")


class Message(Base):
    """One message. Append-only. `html` is sanitised, `text` its words, `quote` what folds below it.

    `sender_checks`: what is known of who sent it: {"verdict": proven | unproven | failed, "spf", "dkim", "dmarc", "by", "signed"};
    empty where no mail brought it.
    """

    __tablename__ = "message"

    id: Mapped[int] = mapped_column(primary_key=True)
    ticket_id: Mapped[int] = mapped_column(ForeignKey("ticket.id"))
    kind: Mapped[MessageKind] = mapped_column()
    channel: Mapped[Channel] = mapped_column()
    contact_id: Mapped[int | None] = mapped_column(ForeignKey("contact.id"))
    user_id: Mapped[int | None] = mapped_column(ForeignKey("user.id"))
    at: Mapped[datetime] = mapped_column(default=clock.now)
    html: Mapped[str] = mapped_column(Text, default="")
    text: Mapped[str] = mapped_column(Text, default="")
    quote: Mapped[str] = mapped_column(Text, default="")
    header_id: Mapped[str | None] = mapped_column(String(300))
    in_reply_to: Mapped[str | None] = mapped_column(String(300))
    client_id: Mapped[str | None] = mapped_column(String(60))
    automatic: Mapped[str] = mapped_column(String(20), default="")
    delivery: Mapped[DeliveryState] = mapped_column(default=DeliveryState.NONE)
    delivery_note: Mapped[str] = mapped_column(String(500), default="")
    warnings: Mapped[list[str]] = mapped_column(default=list)
    sender_checks: Mapped[dict[str, Any]] = mapped_column(default=dict)

    attachments: Mapped[list[Attachment]] = relationship(lazy="raise", order_by="Attachment.id")

    __table_args__ = (
        Index("ix_message_ticket", "ticket_id", "id"),
        Index("ix_message_header", "header_id"),
        Index("ix_message_contact_id", "contact_id", **where("contact_id IS NOT NULL")),
        Index(
            "uq_message_client",
            "ticket_id",
            "client_id",
            unique=True,
            **where("client_id IS NOT NULL"),
        ),
    )


class Attachment(Base):
    """A file of a message. `object_key` is random; the name is only what people see."""

    __tablename__ = "attachment"

    id: Mapped[int] = mapped_column(primary_key=True)
    message_id: Mapped[int] = mapped_column(ForeignKey("message.id"), index=True)
    object_key: Mapped[str] = mapped_column(String(64), unique=True)
    name: Mapped[str] = mapped_column(String(255))
    content_type: Mapped[str] = mapped_column(String(120))
    size: Mapped[int]
    sha256: Mapped[str] = mapped_column(String(64))
    content_id: Mapped[str] = mapped_column(String(255), default="")


class Participant(Base):
    """Somebody besides the requester who takes part in a ticket (a CC): may write to it, is copied, has an own link."""

    __tablename__ = "participant"

    ticket_id: Mapped[int] = mapped_column(ForeignKey("ticket.id"), primary_key=True)
    contact_id: Mapped[int] = mapped_column(ForeignKey("contact.id"), primary_key=True)
    added_at: Mapped[datetime] = mapped_column(default=clock.now)

    __table_args__ = (Index("ix_participant_contact_id", "contact_id"),)


class LinkEpoch(Base):
    """The links of one person to one ticket that were ended: those made in an earlier `epoch` no longer open anything."""

    __tablename__ = "link_epoch"

    ticket_id: Mapped[int] = mapped_column(ForeignKey("ticket.id"), primary_key=True)
    contact_id: Mapped[int] = mapped_column(ForeignKey("contact.id"), primary_key=True)
    epoch: Mapped[int] = mapped_column(default=1)
    ended_at: Mapped[datetime] = mapped_column(default=clock.now)

    __table_args__ = (Index("ix_link_epoch_contact_id", "contact_id"),)


class SlaClock(Base):
    """One running target of one ticket, in business time if it has a version of opening hours. Recomputable from its entries."""

    __tablename__ = "sla_clock"

    id: Mapped[int] = mapped_column(primary_key=True)
    ticket_id: Mapped[int] = mapped_column(ForeignKey("ticket.id"))
    target: Mapped[str] = mapped_column(String(12))
    target_s: Mapped[int]
    started_at: Mapped[datetime]
    due_at: Mapped[datetime | None]
    paused_at: Mapped[datetime | None]
    stopped_at: Mapped[datetime | None]
    state: Mapped[str] = mapped_column(String(8), default="running")
    hours_version_id: Mapped[int | None] = mapped_column(ForeignKey("hours_version.id"))

    __table_args__ = (
        Index(
            "uq_sla_clock_running",
            "ticket_id",
            "target",
            unique=True,
            **where("stopped_at IS NULL"),
        ),
        Index("ix_sla_clock_ticket", "ticket_id"),
        Index("ix_sla_clock_first_due", "due_at", **where("target = 'first_reply'")),
        Index(
            "ix_sla_clock_due",
            "due_at",
            **where("state = 'running'"),
        ),
    )


class SlaEntry(Base):
    """The ledger of a clock after its start: pause, resume, met, breach, each with its cause."""

    __tablename__ = "sla_entry"

    id: Mapped[int] = mapped_column(primary_key=True)
    clock_id: Mapped[int] = mapped_column(ForeignKey("sla_clock.id"), index=True)
    at: Mapped[datetime]
    kind: Mapped[str] = mapped_column(String(8))
    cause: Mapped[str] = mapped_column(String(40), default="")


class Survey(Base):
    """The question how it was. Answered through a signed link; expires. Without a ticket it asks about the whole relationship.

    `definition_id`: which of the desk's surveys it is; empty for the usual one. `kind`: its leading question.
    """

    __tablename__ = "survey"

    id: Mapped[int] = mapped_column(primary_key=True)
    ticket_id: Mapped[int | None] = mapped_column(ForeignKey("ticket.id"))
    contact_id: Mapped[int] = mapped_column(ForeignKey("contact.id"))
    definition_id: Mapped[int | None] = mapped_column(ForeignKey("survey_definition.id"))
    kind: Mapped[str] = mapped_column(String(5), default="csat")
    sent_at: Mapped[datetime] = mapped_column(default=clock.now)
    reminded_at: Mapped[datetime | None]
    answered_at: Mapped[datetime | None]
    rating_id: Mapped[int | None] = mapped_column(ForeignKey("rating.id"))

    __table_args__ = (
        Index("ix_survey_ticket_id", "ticket_id"),
        Index("ix_survey_contact_id", "contact_id", "sent_at"),
        Index("ix_survey_sent_at", "sent_at", "answered_at"),
    )


class SurveyAnswer(Base):
    """The rating in force for each question of a survey."""

    __tablename__ = "survey_answer"

    survey_id: Mapped[int] = mapped_column(ForeignKey("survey.id", ondelete="CASCADE"), primary_key=True)
    kind: Mapped[str] = mapped_column(String(5), primary_key=True)
    rating_id: Mapped[int] = mapped_column(ForeignKey("rating.id"), index=True)


class SavedForm(Base):
    """A form already handled: sending it twice, or reloading, finds what the first time made."""

    __tablename__ = "saved_form"

    id: Mapped[int] = mapped_column(primary_key=True)
    form_key: Mapped[str] = mapped_column(String(64))
    ticket_id: Mapped[int] = mapped_column(ForeignKey("ticket.id"))
    at: Mapped[datetime] = mapped_column(default=clock.now)

    __table_args__ = (UniqueConstraint("form_key"),)
