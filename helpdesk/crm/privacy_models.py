"""The tables of customers' privacy: what they agreed to, who looked at them, who must be kept, who wants to go, who went.

The two ledgers (consent, erasure) are append-only. What the erasure ledger knows of a person are keyed hashes.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import JSON, Boolean, ForeignKey, Index, String, Text
from sqlalchemy.orm import Mapped, mapped_column

from helpdesk import clock
from helpdesk.db import Base, where


class Consent(Base):
    """A customer said yes or no to one purpose on one channel. Never changed: the newest row of a purpose and channel counts.

    `source`: portal, unsubscribe, agent, import. `words`: the sentence they agreed to, `version` its version; `proof`: where and how.
    """

    __tablename__ = "consent"

    id: Mapped[int] = mapped_column(primary_key=True)
    contact_id: Mapped[int] = mapped_column(ForeignKey("contact.id"))
    purpose: Mapped[str] = mapped_column(String(16))
    channel: Mapped[str] = mapped_column(String(12), default="")
    given: Mapped[bool] = mapped_column(Boolean)
    at: Mapped[datetime] = mapped_column(default=clock.now)
    source: Mapped[str] = mapped_column(String(12))
    version: Mapped[str] = mapped_column(String(20), default="")
    words: Mapped[str] = mapped_column(Text, default="")
    proof: Mapped[str] = mapped_column(String(300), default="")
    user_id: Mapped[int | None] = mapped_column(ForeignKey("user.id"))

    __table_args__ = (Index("ix_consent_contact_id", "contact_id", "purpose", "channel", "id"),)


class LegalHold(Base):
    """Somebody must be kept: why, who said so, until when (or until it is lifted)."""

    __tablename__ = "legal_hold"

    id: Mapped[int] = mapped_column(primary_key=True)
    contact_id: Mapped[int] = mapped_column(ForeignKey("contact.id"))
    reason: Mapped[str] = mapped_column(Text)
    user_id: Mapped[int | None] = mapped_column(ForeignKey("user.id"))
    at: Mapped[datetime] = mapped_column(default=clock.now)
    until: Mapped[datetime | None]
    lifted_at: Mapped[datetime | None]
    lifted_by_id: Mapped[int | None] = mapped_column(ForeignKey("user.id"))

    __table_args__ = (Index("ix_legal_hold_contact_id", "contact_id"),)


class ErasureWish(Base):
    """A customer wants to go: confirmed at `asked_at`, done at `due_at` unless they change their mind.

    `state`: waiting, cancelled, done, refused (something keeps them: a colleague looks).
    """

    __tablename__ = "erasure_wish"

    id: Mapped[int] = mapped_column(primary_key=True)
    contact_id: Mapped[int] = mapped_column(ForeignKey("contact.id"))
    asked_at: Mapped[datetime] = mapped_column(default=clock.now)
    due_at: Mapped[datetime]
    state: Mapped[str] = mapped_column(String(10), default="waiting")
    ended_at: Mapped[datetime | None]

    __table_args__ = (Index("uq_erasure_wish_waiting", "contact_id", unique=True, **where("state = 'waiting'")),)


class Erasure(Base):
    """Somebody was erased. `ledger`: by whom a backup that still knows them can be told: ids with the moment they were made, keyed hashes
    of their addresses, and which key.

    `needles` (sealed) and `files` are what is still to be swept out of other rows and off the disk; empty afterwards. `state`: erased,
    swept, compacted.
    """

    __tablename__ = "erasure"

    id: Mapped[int] = mapped_column(primary_key=True)
    contact_id: Mapped[int] = mapped_column(ForeignKey("contact.id"), index=True)
    at: Mapped[datetime] = mapped_column(default=clock.now)
    user_id: Mapped[int | None] = mapped_column(ForeignKey("user.id"))
    source: Mapped[str] = mapped_column(String(10))
    reason: Mapped[str] = mapped_column(Text, default="")
    state: Mapped[str] = mapped_column(String(10), default="erased")
    ledger: Mapped[dict[str, Any]] = mapped_column(default=dict)
    needles: Mapped[str] = mapped_column(Text, default="")
    files: Mapped[list[str]] = mapped_column(JSON, default=list)


class ProfileAccess(Base):
    """A colleague looked at a customer's profile, or took it out of the desk. `what`: viewed, exported."""

    __tablename__ = "profile_access"

    id: Mapped[int] = mapped_column(primary_key=True)
    contact_id: Mapped[int] = mapped_column(ForeignKey("contact.id"))
    user_id: Mapped[int | None] = mapped_column(ForeignKey("user.id"))
    at: Mapped[datetime] = mapped_column(default=clock.now)
    what: Mapped[str] = mapped_column(String(10))
    via: Mapped[str] = mapped_column(String(10), default="page")

    __table_args__ = (Index("ix_profile_access_contact_id", "contact_id", "at"), Index("ix_profile_access_at", "at"))
