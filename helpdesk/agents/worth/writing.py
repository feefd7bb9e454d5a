"""What was computed, written: each customer's row, and the few figures that stand on the contact too.

Short transactions of some rows each, so that nobody waits long for the writer. Part of the child process, like `compute`.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, cast

import numpy as np
from sqlalchemy import Table, and_, bindparam, case, delete, or_, update
from sqlalchemy.dialects import postgresql, sqlite

from helpdesk import db
from helpdesk.agents.worth.columns import signals_of
from helpdesk.agents.worth.facts import Trouble
from helpdesk.crm import health
from helpdesk.crm.models import Contact
from helpdesk.crm.value import DERIVED_TIERS, Tier
from helpdesk.crm.worth_models import CustomerValue
from helpdesk.preferences import Preferences

#: Rows of one write.
CHUNK = 2000
_VALUE = cast(Table, CustomerValue.__table__)
_CONTACT = cast(Table, Contact.__table__)


@dataclass(frozen=True)
class Figures:
    """What was found for everybody, beside the columns of facts, in the same order."""

    habits: Sequence[str]
    to_come: Mapping[str, Any]
    rfm: Sequence[str]
    tiers: Sequence[str]
    retention: float | None
    weights: health.Weights


def values(c: Mapping[str, Any], found: Figures, as_of: datetime, said: Preferences) -> None:
    """Write every customer's row; rows of who was erased or merged meanwhile go."""
    size = len(c["id"])
    service = np.rint(c["handle_s"] / 60 * said.minute_cents).astype(np.int64) if size else c["id"]
    won = np.where(c["purchases"] > 0, said.winning_cents, 0) if size else c["id"]
    upsert = _upsert()
    for begin in range(0, size, CHUNK):
        rows = [_row(c, found, row, int(service[row]), int(won[row]), as_of, said) for row in range(begin, min(begin + CHUNK, size))]
        with db.transaction() as session:
            session.connection().execute(upsert, rows)
    with db.transaction() as session:
        session.execute(delete(_VALUE).where(_VALUE.c.as_of < as_of))


def _row(c: Mapping[str, Any], found: Figures, row: int, service: int, won: int, as_of: datetime, said: Preferences) -> dict[str, Any]:
    signals, verdict = _assessed(c, row, as_of, found.weights)
    bought, rate = bool(c["purchases"][row]), found.retention
    # The formula of `crm.value.lifetime_value`, of the margin of the last 365 days.
    stays = rate / (1 + said.discount - rate) if rate is not None and rate < 1 + said.discount and bought else None
    return {
        "contact_id": int(c["id"][row]), "as_of": as_of, "currency": said.currency, "purchases": int(c["purchases"][row]),
        "first_at": _moment(c["first"][row]), "last_at": _moment(c["last"][row]), "total_cents": int(c["total"][row]),
        "margin_cents": int(c["margin"][row]), "year_cents": int(c["year"][row]), "contacts": int(c["contacts"][row]),
        "handle_s": int(c["handle_s"][row]), "service_cents": service, "historic_cents": int(c["margin"][row]) - won - service,
        "lifetime_cents": None if stays is None else round(int(c["year"][row]) * stays - won),
        "to_come_cents": _whole(found.to_come["to_come"][row]), "x": max(0, int(c["occasions"][row]) - 1),
        "t_x": _known(c["t_x"][row]) or 0.0, "t_all": _known(c["t_all"][row]) or 0.0, "p_alive": _known(found.to_come["p_alive"][row]),
        "expected": _known(found.to_come["expected"][row]), "spend_cents": _known(found.to_come["spend"][row]), "rfm": found.rfm[row],
        "tier": found.tiers[row], "periods_bought": int(c["periods"][row]), "window_purchases": int(c["window_n"][row]),
        "window_cents": int(c["window_margin"][row]), "habit": found.habits[row], "paid_orders": int(c["paid"][row]),
        "paid_at_once": int(c["at_once"][row]), "median_days": _known(c["median_days"][row]),
        "health": verdict, "signals": signals, "restless": _restless(c, row, signals, as_of),
    }  # fmt: skip


def _assessed(c: Mapping[str, Any], row: int, as_of: datetime, weights: health.Weights) -> tuple[dict[str, float], float | None]:
    """A customer's signals and health; none for somebody of whom nothing is known but the name."""
    trouble = Trouble(int(c["open"][row]), int(c["breached"][row]), int(c["reopens"][row]))
    if not c["purchases"][row] and not c["ratings"][row] and not trouble.open and not trouble.breached:
        return {}, None
    signals = signals_of(
        last=float(c["last"][row]), first=float(c["first"][row]), occasions=int(c["occasions"][row]), t_x=float(c["t_x"][row]),
        trend=float(c["trend"][row]), trouble=trouble, as_of=as_of,
    )  # fmt: skip
    known = {name: float(value) for name in health.SIGNALS if (value := getattr(signals, name)) is not None}
    return known, health.assess(signals, as_of=as_of, weights=weights).value


def _restless(c: Mapping[str, Any], row: int, signals: Mapping[str, float], as_of: datetime) -> dict[str, float]:
    """The rules that fire, each with its figure; see `crm.restless`."""
    found = {
        "late": signals.get("recency_ratio", 0.0) if c["occasions"][row] >= 3 and signals.get("recency_ratio", 0.0) >= 2 else 0.0,
        "bad_rating": 100.0 - float(c["last_points"][row])
        if c["ratings"][row] and c["last_points"][row] <= 40 and as_of.timestamp() - c["last_rated"][row] < 30 * 86400
        else 0.0,
        "falling": -signals["satisfaction_trend"] if signals.get("satisfaction_trend", 0.0) <= -10 else 0.0,
        "breached": signals.get("breached_tickets", 0.0) if signals.get("breached_tickets", 0.0) >= 2 else 0.0,
        "reopened": signals.get("reopens", 0.0) if signals.get("reopens", 0.0) >= 2 else 0.0,
        "waiting": signals.get("open_tickets", 0.0) if signals.get("open_tickets", 0.0) >= 3 else 0.0,
        "promises": float(c["broken"][row]),
    }
    return {name: value for name, value in found.items() if value > 0}


def contacts(c: Mapping[str, Any]) -> None:
    """Keep tier, value and satisfaction on the contacts too: lists sort by them and routing's boost reads them."""
    worth = _VALUE.c
    tier = case((Contact.tier.in_(DERIVED_TIERS), case((worth.tier == Tier.NONE.value, ""), else_=worth.tier)), else_=Contact.tier)
    mine = and_(worth.contact_id == Contact.id, Contact.id.between(bindparam("least"), bindparam("most")))
    differs = or_(Contact.value_cents != worth.historic_cents, Contact.tier != tier, Contact.currency != worth.currency,
                  Contact.figures_as_of.is_(None), Contact.figures_as_of != worth.as_of)  # fmt: skip
    tell = (
        update(Contact)
        .where(mine, differs)
        .values(tier=tier, value_cents=worth.historic_cents, currency=worth.currency, figures_as_of=worth.as_of)
        .execution_options(synchronize_session=False)
    )
    ids = c["id"]
    for begin in range(0, len(ids), CHUNK):
        part = slice(begin, begin + CHUNK)
        rated = np.flatnonzero(c["ratings"][part] > 0) + begin
        with db.transaction() as session:
            session.execute(tell, {"least": int(ids[part][0]), "most": int(ids[part][-1])})
            if len(rated):
                session.connection().execute(
                    update(_CONTACT).where(_CONTACT.c.id == bindparam("whose"))
                    .values(satisfaction=bindparam("points"), ratings_count=bindparam("n")),
                    [{"whose": int(ids[row]), "points": float(c["points"][row]), "n": int(c["ratings"][row])} for row in rated],
                )  # fmt: skip


def _upsert() -> Any:
    insert = (sqlite if db.engine().dialect.name == "sqlite" else postgresql).insert(_VALUE)
    changed = {column.name: insert.excluded[column.name] for column in _VALUE.columns if not column.primary_key}
    return insert.on_conflict_do_update(index_elements=["contact_id"], set_=changed)


def _moment(stamp: float) -> datetime | None:
    return None if math.isnan(stamp) else datetime.fromtimestamp(stamp, tz=UTC)


def _known(value: float) -> float | None:
    return None if math.isnan(value) else float(value)


def _whole(value: float) -> int | None:
    return None if math.isnan(value) else round(float(value))
