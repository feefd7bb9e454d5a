"""The tables that keep the one base in order: merges, likely duplicates, the history of fields, the desk's own fields, triage, what
competitors offered, imports, segments.

They hold people's words (old names, old addresses), so erasing a person empties them here too; events carry ids only.
"""

from __future__ import annotations

import enum
from datetime import datetime
from typing import Any

from sqlalchemy import JSON, Boolean, Float, ForeignKey, Index, String, Text, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from helpdesk import clock
from helpdesk.db import Base, where


class Merge(Base):
    """Two contacts found to be one person. `before` and `after` hold the fields of the one that stays which the merge changed.

    While `undone_at` is empty the merge is in force; `contact.merged_into_id` follows from the merges in force alone.
    """

    __tablename__ = "contact_merge"

    id: Mapped[int] = mapped_column(primary_key=True)
    from_id: Mapped[int] = mapped_column(ForeignKey("contact.id"))
    into_id: Mapped[int] = mapped_column(ForeignKey("contact.id"), index=True)
    at: Mapped[datetime] = mapped_column(default=clock.now, index=True)
    user_id: Mapped[int | None] = mapped_column(ForeignKey("user.id"))
    before: Mapped[dict[str, Any]] = mapped_column(default=dict)
    after: Mapped[dict[str, Any]] = mapped_column(default=dict)
    undone_at: Mapped[datetime | None]
    undone_by_id: Mapped[int | None] = mapped_column(ForeignKey("user.id"))

    __table_args__ = (Index("uq_contact_merge_in_force", "from_id", unique=True, **where("undone_at IS NULL")),)


class Duplicate(Base):
    """Two contacts that may be one person: how likely (0 to 1) and why. `settled_as`: "different" or "merged" once somebody has looked."""

    __tablename__ = "duplicate"

    id: Mapped[int] = mapped_column(primary_key=True)
    first_id: Mapped[int] = mapped_column(ForeignKey("contact.id"))
    second_id: Mapped[int] = mapped_column(ForeignKey("contact.id"), index=True)
    score: Mapped[float] = mapped_column(Float)
    reasons: Mapped[list[str]] = mapped_column(default=list)
    found_at: Mapped[datetime] = mapped_column(default=clock.now)
    settled_at: Mapped[datetime | None]
    settled_as: Mapped[str] = mapped_column(String(10), default="")
    settled_by_id: Mapped[int | None] = mapped_column(ForeignKey("user.id"))

    __table_args__ = (
        UniqueConstraint("first_id", "second_id", name="uq_duplicate_pair"),
        Index("ix_duplicate_open", "score", "id", **where("settled_at IS NULL")),
    )


class FieldChange(Base):
    """Who changed which field of a customer or an organization, when, from what to what."""

    __tablename__ = "field_change"

    id: Mapped[int] = mapped_column(primary_key=True)
    contact_id: Mapped[int | None] = mapped_column(ForeignKey("contact.id"))
    organization_id: Mapped[int | None] = mapped_column(ForeignKey("organization.id"))
    field: Mapped[str] = mapped_column(String(80))
    old: Mapped[Any] = mapped_column(JSON, nullable=True)
    new: Mapped[Any] = mapped_column(JSON, nullable=True)
    at: Mapped[datetime] = mapped_column(default=clock.now)
    actor_kind: Mapped[str] = mapped_column(String(10))
    actor_id: Mapped[int | None]
    via: Mapped[str] = mapped_column(String(20), default="")

    __table_args__ = (
        Index("ix_field_change_contact_id", "contact_id", "id"),
        Index("ix_field_change_organization_id", "organization_id", "id"),
    )


class FieldKind(enum.StrEnum):
    TEXT = "text"
    NUMBER = "number"
    DATE = "date"
    CHOICE = "choice"
    YES_NO = "yes_no"


class CustomField(Base):
    """A field that this desk added to its customers or organizations. `key` is stored with the values and never changes."""

    __tablename__ = "custom_field"

    id: Mapped[int] = mapped_column(primary_key=True)
    subject: Mapped[str] = mapped_column(String(12))
    key: Mapped[str] = mapped_column(String(40))
    kind: Mapped[FieldKind] = mapped_column()
    label: Mapped[str] = mapped_column(String(80))
    label_ru: Mapped[str] = mapped_column(String(80), default="")
    options: Mapped[list[str]] = mapped_column(default=list)
    position: Mapped[int] = mapped_column(default=0)
    active: Mapped[bool] = mapped_column(Boolean, default=True)
    version: Mapped[int] = mapped_column(default=1)

    __table_args__ = (UniqueConstraint("subject", "key", name="uq_custom_field_key"),)


class Unmatched(Base):
    """A contact by somebody we could not tell: an unknown number, a phone that several people share. Waits until a colleague says who."""

    __tablename__ = "unmatched"

    id: Mapped[int] = mapped_column(primary_key=True)
    at: Mapped[datetime] = mapped_column(default=clock.now)
    kind: Mapped[str] = mapped_column(String(16))
    address_kind: Mapped[str] = mapped_column(String(10), default="")
    address: Mapped[str] = mapped_column(String(320), default="")
    why: Mapped[str] = mapped_column(String(16))
    text: Mapped[str] = mapped_column(Text, default="")
    candidates: Mapped[list[int]] = mapped_column(JSON, default=list)
    external_id: Mapped[str | None] = mapped_column(String(120), unique=True)
    user_id: Mapped[int | None] = mapped_column(ForeignKey("user.id"))
    contact_id: Mapped[int | None] = mapped_column(ForeignKey("contact.id"), index=True)
    settled_at: Mapped[datetime | None]
    settled_as: Mapped[str] = mapped_column(String(10), default="")
    settled_by_id: Mapped[int | None] = mapped_column(ForeignKey("user.id"))

    __table_args__ = (Index("ix_unmatched_open", "at", "id", **where("settled_at IS NULL")),)


class CompetitorOffer(Base):
    """What a competitor offered a customer, as the customer told it. Money in minor units."""

    __tablename__ = "competitor_offer"

    id: Mapped[int] = mapped_column(primary_key=True)
    contact_id: Mapped[int] = mapped_column(ForeignKey("contact.id"))
    organization_id: Mapped[int | None] = mapped_column(ForeignKey("organization.id"))
    at: Mapped[datetime] = mapped_column(default=clock.now)
    competitor: Mapped[str] = mapped_column(String(200))
    what: Mapped[str] = mapped_column(String(300))
    price_cents: Mapped[int | None]
    currency: Mapped[str] = mapped_column(String(3), default="")
    note: Mapped[str] = mapped_column(Text, default="")
    user_id: Mapped[int | None] = mapped_column(ForeignKey("user.id"))

    __table_args__ = (Index("ix_competitor_offer_contact_id", "contact_id", "at"),)


class Import(Base):
    """A list being taken in: what it holds (`subject`: contacts or orders), how its columns are meant, how far it is."""

    __tablename__ = "import_run"

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(String(255))
    file_key: Mapped[str] = mapped_column(String(60))
    subject: Mapped[str] = mapped_column(String(8), default="contacts", server_default="contacts")
    shape: Mapped[str] = mapped_column(String(8))
    encoding: Mapped[str] = mapped_column(String(20), default="")
    delimiter: Mapped[str] = mapped_column(String(1), default="")
    mapping: Mapped[list[str]] = mapped_column(JSON, default=list)
    mode: Mapped[str] = mapped_column(String(8), default="both")
    match_on: Mapped[str] = mapped_column(String(12), default="email")
    state: Mapped[str] = mapped_column(String(10), default="uploaded")
    rows_total: Mapped[int] = mapped_column(default=0)
    rows_done: Mapped[int] = mapped_column(default=0)
    created: Mapped[int] = mapped_column(default=0)
    updated: Mapped[int] = mapped_column(default=0)
    unchanged: Mapped[int] = mapped_column(default=0)
    refused: Mapped[int] = mapped_column(default=0)
    kept: Mapped[int] = mapped_column(default=0)
    error: Mapped[str] = mapped_column(String(300), default="")
    at: Mapped[datetime] = mapped_column(default=clock.now)
    user_id: Mapped[int | None] = mapped_column(ForeignKey("user.id"))
    finished_at: Mapped[datetime | None]


class ImportRow(Base):
    """What one row of an import did: whom it made or changed, from what to what; or why it was refused."""

    __tablename__ = "import_row"

    run_id: Mapped[int] = mapped_column(ForeignKey("import_run.id", ondelete="CASCADE"), primary_key=True)
    number: Mapped[int] = mapped_column(primary_key=True)
    outcome: Mapped[str] = mapped_column(String(8))
    contact_id: Mapped[int | None] = mapped_column(ForeignKey("contact.id"), index=True)
    before: Mapped[dict[str, Any]] = mapped_column(default=dict)
    after: Mapped[dict[str, Any]] = mapped_column(default=dict)
    reasons: Mapped[list[str]] = mapped_column(default=list)

    __table_args__ = (Index("ix_import_row_outcome", "run_id", "outcome", "number"),)


class Segment(Base):
    """A saved question over the profiles: a tree of conditions, answered anew each time. `shared` segments are seen by every colleague.

    `counted`: how many customers of the whole desk answered it at `counted_at`, for lists; counting took `count_ms`. Empty: never counted,
    or not countable any more.
    """

    __tablename__ = "segment"

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(String(120))
    conditions: Mapped[dict[str, Any]] = mapped_column(default=dict)
    user_id: Mapped[int | None] = mapped_column(ForeignKey("user.id"), index=True)
    shared: Mapped[bool] = mapped_column(Boolean, default=True)
    created_at: Mapped[datetime] = mapped_column(default=clock.now)
    version: Mapped[int] = mapped_column(default=1)
    counted: Mapped[int | None]
    counted_at: Mapped[datetime | None]
    count_ms: Mapped[int | None]
