"""The customers' tables: who they are, how to reach them, everything that happened with them, and how they felt about it."""

from __future__ import annotations

import enum
from datetime import datetime
from typing import Any

from sqlalchemy import Boolean, CheckConstraint, ColumnElement, Float, ForeignKey, Index, String, Text, false, func
from sqlalchemy.ext.hybrid import hybrid_property
from sqlalchemy.orm import Mapped, mapped_column, relationship, validates

from helpdesk import clock
from helpdesk.crm.keys import match_key, name_key
from helpdesk.db import Base, where


class IdentityKind(enum.StrEnum):
    EMAIL = "email"
    PHONE = "phone"
    MESSENGER = "messenger"
    EXTERNAL = "external"


class RatingKind(enum.StrEnum):
    CSAT = "csat"
    NPS = "nps"
    CES = "ces"


class Organization(Base):
    """A company: client, partner, supplier or competitor. `terms`: what was agreed with it alone, shown beside its people's threads."""

    __tablename__ = "organization"

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(String(200))
    kind: Mapped[str] = mapped_column(String(12), default="client")
    domain: Mapped[str] = mapped_column(String(200), default="")
    tier: Mapped[str] = mapped_column(String(12), default="")
    owner_id: Mapped[int | None] = mapped_column(ForeignKey("user.id"))
    custom: Mapped[dict[str, Any]] = mapped_column(default=dict)
    created_at: Mapped[datetime] = mapped_column(default=clock.now)
    name_key: Mapped[str] = mapped_column(String(200), default="")
    tags: Mapped[list[str]] = mapped_column(default=list)
    terms: Mapped[str] = mapped_column(Text, default="")

    __table_args__ = (
        Index("ix_organization_domain", "domain"),
        Index("ix_organization_name", "name"),
        Index("ix_organization_name_key", "name_key"),
        Index("ix_organization_owner_id", "owner_id"),
    )

    @validates("name")
    def _named(self, _field: str, name: str) -> str:
        self.name_key = name_key(name)
        return name


class Contact(Base):
    """A person. `merged_into_id` points at the contact that speaks for this one, always at the last of a chain; rows stay with the
    contact they were written with, and reading joins through `canonical_id`.

    `satisfaction` (0–100), `tier`, `value_cents` are derived and cached: `figures_as_of` says when. `last_at`: the newest entry of the
    timeline, cached for lists. `checked_at`: when a colleague last said that all this is still right. `reach_from`, `reach_until`: when
    they like to be reached, as HH:MM in their time zone. `terms`: what was agreed with them alone.
    """

    __tablename__ = "contact"

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(String(200))
    language: Mapped[str] = mapped_column(String(5), default="")
    time_zone: Mapped[str] = mapped_column(String(50), default="")
    preferred_channel: Mapped[str] = mapped_column(String(12), default="")
    lifecycle: Mapped[str] = mapped_column(String(16), default="customer")
    owner_id: Mapped[int | None] = mapped_column(ForeignKey("user.id"))
    organization_id: Mapped[int | None] = mapped_column(ForeignKey("organization.id"), index=True)
    tags: Mapped[list[str]] = mapped_column(default=list)
    custom: Mapped[dict[str, Any]] = mapped_column(default=dict)
    tier: Mapped[str] = mapped_column(String(12), default="")
    value_cents: Mapped[int] = mapped_column(default=0)
    currency: Mapped[str] = mapped_column(String(3), default="")
    satisfaction: Mapped[float | None] = mapped_column(Float)
    ratings_count: Mapped[int] = mapped_column(default=0)
    figures_as_of: Mapped[datetime | None]
    acquired_at: Mapped[datetime | None]
    survey_allowed: Mapped[bool] = mapped_column(Boolean, default=True)
    last_survey_at: Mapped[datetime | None]
    bounce_note: Mapped[str] = mapped_column(String(300), default="")
    merged_into_id: Mapped[int | None] = mapped_column(ForeignKey("contact.id"))
    erased_at: Mapped[datetime | None]
    created_at: Mapped[datetime] = mapped_column(default=clock.now)
    name_key: Mapped[str] = mapped_column(String(200), default="")
    last_at: Mapped[datetime] = mapped_column(default=clock.now)
    checked_at: Mapped[datetime | None]
    reach_from: Mapped[str] = mapped_column(String(5), default="")
    reach_until: Mapped[str] = mapped_column(String(5), default="")
    terms: Mapped[str] = mapped_column(Text, default="")

    identities: Mapped[list[Identity]] = relationship(back_populates="contact", lazy="raise", order_by="Identity.id")
    organization: Mapped[Organization | None] = relationship(lazy="raise")

    __table_args__ = (
        Index("ix_contact_name", "name"),
        Index("ix_contact_owner_id", "owner_id"),
        Index("ix_contact_name_key", "name_key"),
        Index("ix_contact_last_at", "last_at", "id", **where("merged_into_id IS NULL AND erased_at IS NULL")),
        # What segments ask about most, with what they then look at: they are counted in this index alone.
        Index(
            "ix_contact_asked", "lifecycle", "language", "last_at", "id", "name", **where("merged_into_id IS NULL AND erased_at IS NULL")
        ),
        Index("ix_contact_merged_into_id", "merged_into_id", **where("merged_into_id IS NOT NULL")),
    )

    @validates("name")
    def _named(self, _field: str, name: str) -> str:
        self.name_key = name_key(name)
        return name

    @hybrid_property
    def canonical_id(self) -> int:
        """The id of the contact that speaks for this one: its own unless it was merged."""
        return self.merged_into_id or self.id

    @canonical_id.inplace.expression
    @classmethod
    def _canonical_id(cls) -> ColumnElement[int]:
        return func.coalesce(cls.merged_into_id, cls.id)


class Identity(Base):
    """One address of one contact. `value_norm` is what is compared; unique unless several people share it (a front desk's phone).

    `match_key` is coarser: addresses that only look different have the same, and point at likely duplicates. `refuses_since`: whoever reads
    mail there wants no automatic mail any more. `preferred`: of several of its kind the one to use first.
    """

    __tablename__ = "identity"

    id: Mapped[int] = mapped_column(primary_key=True)
    contact_id: Mapped[int] = mapped_column(ForeignKey("contact.id"), index=True)
    kind: Mapped[IdentityKind] = mapped_column()
    value: Mapped[str] = mapped_column(String(320))
    value_norm: Mapped[str] = mapped_column(String(320))
    shared: Mapped[bool] = mapped_column(Boolean, default=False)
    verified_at: Mapped[datetime | None]
    failing_since: Mapped[datetime | None]
    failing_why: Mapped[str] = mapped_column(String(300), default="")
    refuses_since: Mapped[datetime | None]
    match_key: Mapped[str] = mapped_column(String(320), default="")
    preferred: Mapped[bool] = mapped_column(Boolean, default=False, server_default=false())

    contact: Mapped[Contact] = relationship(back_populates="identities", lazy="raise")

    __table_args__ = (
        Index(
            "uq_identity_own",
            "kind",
            "value_norm",
            unique=True,
            **where("NOT shared"),
        ),
        Index("ix_identity_value", "value_norm"),
        Index("ix_identity_match_key", "match_key", "contact_id", **where("match_key <> ''")),
    )

    @validates("value_norm")
    def _written(self, _field: str, value: str) -> str:
        self.match_key = match_key(value)
        return value


class Membership(Base):
    """A person's part in an organization."""

    __tablename__ = "membership"

    contact_id: Mapped[int] = mapped_column(ForeignKey("contact.id"), primary_key=True)
    organization_id: Mapped[int] = mapped_column(ForeignKey("organization.id"), primary_key=True)
    role: Mapped[str] = mapped_column(String(60), default="")
    sees_all_tickets: Mapped[bool] = mapped_column(Boolean, default=False)

    __table_args__ = (Index("ix_membership_organization_id", "organization_id"),)


class Interaction(Base):
    """One contact with a customer on any channel: the timeline. Written in the same transaction as its source and pointing at it.

    `next_step` is our promise: `next_who_id` keeps it until `next_at`; `next_done_at` says when it was, `next_outcome` how: "kept" or
    "dropped". One that is past and not done is broken.
    """

    __tablename__ = "interaction"

    id: Mapped[int] = mapped_column(primary_key=True)
    contact_id: Mapped[int] = mapped_column(ForeignKey("contact.id"))
    organization_id: Mapped[int | None] = mapped_column(ForeignKey("organization.id"))
    at: Mapped[datetime]
    kind: Mapped[str] = mapped_column(String(16))
    channel: Mapped[str] = mapped_column(String(12), default="")
    direction: Mapped[str] = mapped_column(String(8), default="")
    user_id: Mapped[int | None] = mapped_column(ForeignKey("user.id"))
    ticket_id: Mapped[int | None] = mapped_column(ForeignKey("ticket.id"))
    message_id: Mapped[int | None] = mapped_column(ForeignKey("message.id"))
    rating_id: Mapped[int | None] = mapped_column(ForeignKey("rating.id"))
    order_id: Mapped[int | None] = mapped_column(ForeignKey("order.id"))
    title: Mapped[str] = mapped_column(String(300), default="")
    text: Mapped[str] = mapped_column(Text, default="")
    decision: Mapped[str] = mapped_column(Text, default="")
    next_step: Mapped[str] = mapped_column(String(300), default="")
    next_at: Mapped[datetime | None]
    next_who_id: Mapped[int | None] = mapped_column(ForeignKey("user.id"))
    next_done_at: Mapped[datetime | None]
    next_outcome: Mapped[str] = mapped_column(String(8), default="")
    duration_s: Mapped[int | None]
    amount_cents: Mapped[int | None]
    currency: Mapped[str] = mapped_column(String(3), default="")
    external_id: Mapped[str | None] = mapped_column(String(120), unique=True)

    __table_args__ = (
        # With what a timeline is narrowed by: what it is made of is counted without reading its entries.
        Index("ix_interaction_timeline", "contact_id", "at", "id", "kind", "channel", "user_id"),
        Index("ix_interaction_promises", "contact_id", "next_at", **where("next_at IS NOT NULL")),
        Index("ix_interaction_organization_at", "organization_id", "at"),
        Index("ix_interaction_promised", "next_at", "id", **where("next_at IS NOT NULL AND next_done_at IS NULL")),
    )


class Rating(Base):
    """What a customer said about a contact with us.

    `score` on its own scale (CSAT 1–5, NPS 0–10, CES 1–7), `score100` on 0–100. The last one per ticket wins.
    """

    __tablename__ = "rating"

    id: Mapped[int] = mapped_column(primary_key=True)
    kind: Mapped[RatingKind] = mapped_column(default=RatingKind.CSAT)
    score: Mapped[int]
    score100: Mapped[float] = mapped_column(Float)
    comment: Mapped[str] = mapped_column(Text, default="")
    reason: Mapped[str] = mapped_column(String(60), default="")
    at: Mapped[datetime] = mapped_column(default=clock.now, index=True)
    contact_id: Mapped[int] = mapped_column(ForeignKey("contact.id"))
    organization_id: Mapped[int | None] = mapped_column(ForeignKey("organization.id"))
    ticket_id: Mapped[int | None] = mapped_column(ForeignKey("ticket.id"))
    user_id: Mapped[int | None] = mapped_column(ForeignKey("user.id"))
    queue_id: Mapped[int | None] = mapped_column(ForeignKey("queue.id"))
    channel: Mapped[str] = mapped_column(String(12), default="")
    superseded_at: Mapped[datetime | None]

    __table_args__ = (
        Index("uq_rating_current", "ticket_id", "kind", unique=True, **where("superseded_at IS NULL AND ticket_id IS NOT NULL")),
        Index("ix_rating_contact_id", "contact_id", "at"),
        CheckConstraint("score BETWEEN 0 AND 10", name="score_range"),
    )  # fmt: skip


class Order(Base):
    """What a customer bought. Money in minor units (kopecks, cents)."""

    __tablename__ = "order"

    id: Mapped[int] = mapped_column(primary_key=True)
    contact_id: Mapped[int] = mapped_column(ForeignKey("contact.id"), index=True)
    organization_id: Mapped[int | None] = mapped_column(ForeignKey("organization.id"))
    number: Mapped[str] = mapped_column(String(60))
    at: Mapped[datetime]
    total_cents: Mapped[int]
    margin_cents: Mapped[int] = mapped_column(default=0)
    currency: Mapped[str] = mapped_column(String(3))
    status: Mapped[str] = mapped_column(String(12), default="paid")
    external_id: Mapped[str | None] = mapped_column(String(120), unique=True)


class OrderLine(Base):
    __tablename__ = "order_line"

    id: Mapped[int] = mapped_column(primary_key=True)
    order_id: Mapped[int] = mapped_column(ForeignKey("order.id", ondelete="CASCADE"), index=True)
    title: Mapped[str] = mapped_column(String(200))
    quantity: Mapped[int] = mapped_column(default=1)
    price_cents: Mapped[int]
