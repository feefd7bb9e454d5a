"""The tables of what customers pay and what they are worth.

Orders, payments and returns are the ledger and never change by themselves; `customer_value` is derived from them every night and can be
thrown away. Money in minor units.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import CheckConstraint, Float, ForeignKey, Index, String, Text
from sqlalchemy.orm import Mapped, mapped_column

from helpdesk import clock
from helpdesk.db import Base, where


class Payment(Base):
    """Money that came in for an order. Money given back is a return."""

    __tablename__ = "payment"

    id: Mapped[int] = mapped_column(primary_key=True)
    order_id: Mapped[int] = mapped_column(ForeignKey("order.id", ondelete="CASCADE"), index=True)
    at: Mapped[datetime]
    amount_cents: Mapped[int]
    method: Mapped[str] = mapped_column(String(20), default="")
    external_id: Mapped[str | None] = mapped_column(String(120), unique=True)

    __table_args__ = (CheckConstraint("amount_cents > 0", name="amount_positive"),)


class Return(Base):
    """Goods that came back, or money given back: how much of the order, how much of its margin, and why."""

    __tablename__ = "order_return"

    id: Mapped[int] = mapped_column(primary_key=True)
    order_id: Mapped[int] = mapped_column(ForeignKey("order.id", ondelete="CASCADE"), index=True)
    at: Mapped[datetime]
    amount_cents: Mapped[int]
    margin_cents: Mapped[int] = mapped_column(default=0)
    reason: Mapped[str] = mapped_column(String(60), default="")
    note: Mapped[str] = mapped_column(Text, default="")
    external_id: Mapped[str | None] = mapped_column(String(120), unique=True)

    __table_args__ = (CheckConstraint("amount_cents >= 0", name="amount_not_negative"), Index("ix_order_return_at", "at"))


class ValueRun(Base):
    """One computation of everybody's value: what it found for the whole desk, and how it went.

    model: the desk's own figures that went into every customer's (retention, discount, fitted parameters, weights, each with its n).
    state: "running", "done", "failed" (then `error` says why).
    """

    __tablename__ = "value_run"

    id: Mapped[int] = mapped_column(primary_key=True)
    as_of: Mapped[datetime]
    started_at: Mapped[datetime] = mapped_column(default=clock.now)
    finished_at: Mapped[datetime | None]
    state: Mapped[str] = mapped_column(String(8), default="running")
    customers: Mapped[int] = mapped_column(default=0)
    orders: Mapped[int] = mapped_column(default=0)
    model: Mapped[dict[str, Any]] = mapped_column(default=dict)
    error: Mapped[str] = mapped_column(String(500), default="")


class CustomerValue(Base):
    """What one customer is worth, as of `as_of`, with everything that went in. Row of the contact that speaks for merged ones.

    Money in minor units of `currency`, the desk's. x, t_x, t_all: repeat purchases, first to last and first to now in weeks. `year_cents`:
    margin of the last 365 days. `rfm`: three digits, empty for who never bought. `restless`: rules that fired, each with its figure.
    """

    __tablename__ = "customer_value"

    contact_id: Mapped[int] = mapped_column(ForeignKey("contact.id"), primary_key=True)
    as_of: Mapped[datetime]
    currency: Mapped[str] = mapped_column(String(3))
    purchases: Mapped[int] = mapped_column(default=0)
    first_at: Mapped[datetime | None]
    last_at: Mapped[datetime | None]
    total_cents: Mapped[int] = mapped_column(default=0)
    margin_cents: Mapped[int] = mapped_column(default=0)
    year_cents: Mapped[int] = mapped_column(default=0)
    contacts: Mapped[int] = mapped_column(default=0)
    handle_s: Mapped[int] = mapped_column(default=0)
    service_cents: Mapped[int] = mapped_column(default=0)
    historic_cents: Mapped[int] = mapped_column(default=0)
    lifetime_cents: Mapped[int | None]
    to_come_cents: Mapped[int | None]
    x: Mapped[int] = mapped_column(default=0)
    t_x: Mapped[float] = mapped_column(Float, default=0.0)
    t_all: Mapped[float] = mapped_column(Float, default=0.0)
    p_alive: Mapped[float | None] = mapped_column(Float)
    expected: Mapped[float | None] = mapped_column(Float)
    spend_cents: Mapped[float | None] = mapped_column(Float)
    rfm: Mapped[str] = mapped_column(String(3), default="")
    tier: Mapped[str] = mapped_column(String(12), default="none")
    periods_bought: Mapped[int] = mapped_column(default=0)
    window_purchases: Mapped[int] = mapped_column(default=0)
    window_cents: Mapped[int] = mapped_column(default=0)
    habit: Mapped[str] = mapped_column(String(12), default="")
    paid_orders: Mapped[int] = mapped_column(default=0)
    paid_at_once: Mapped[int] = mapped_column(default=0)
    median_days: Mapped[float | None] = mapped_column(Float)
    health: Mapped[float | None] = mapped_column(Float)
    signals: Mapped[dict[str, Any]] = mapped_column(default=dict)
    restless: Mapped[dict[str, Any]] = mapped_column(default=dict)

    __table_args__ = (
        Index("ix_customer_value_tier", "tier", "historic_cents"),
        Index("ix_customer_value_health", "health", **where("health IS NOT NULL")),
        Index("ix_customer_value_as_of", "as_of"),
    )
