"""How this desk works: what an administrator changes on a screen. One row per preference that differs from its default."""

from __future__ import annotations

import time
from dataclasses import dataclass, field, fields
from datetime import timedelta
from typing import Any

from sqlalchemy import JSON, String, select
from sqlalchemy.orm import Mapped, mapped_column

from helpdesk import db
from helpdesk.db import Base


class Preference(Base):
    __tablename__ = "preference"

    name: Mapped[str] = mapped_column(String(60), primary_key=True)
    value: Mapped[Any] = mapped_column(JSON)


@dataclass(frozen=True)
class Preferences:
    """Every preference with its default. Times in seconds."""

    company: str = "Helpdesk"
    languages: tuple[str, ...] = ("en", "ru")
    undo_s: int = 15
    survey_delay_s: int = 3600
    survey_quiet_days: int = 14
    survey_valid_days: int = 30
    #: The currency of derived figures, what one unit of others is worth in it ("RUB 0.011, USD 0.92"), and what goes into a customer's
    #: value:
    #: the cost of a minute of our time and of winning a customer in minor units, the seconds that a written answer takes, and the discount
    #: of a year.
    currency: str = "EUR"
    rates: str = ""
    minute_cents: int = 0
    winning_cents: int = 0
    reply_s: int = 300
    discount: float = 0.1
    #: A customer who rated badly is called within so many hours.
    call_back_hours: int = 24
    link_valid_days: int = 90
    exclusion_s: int = 300
    #: How long work waits for the agent who served the customer last.
    hold_ticket_s: int = 7200
    hold_live_s: int = 20
    #: How much earlier than its deadline work counts: by priority, for the most valuable customer, and at most in all.
    boost_high_s: int = 600
    boost_urgent_s: int = 1800
    boost_value_s: int = 900
    boost_largest_s: int = 2400
    #: What may be given beside work in hand, by the channel of that work; empty: the usual table (`agents.interrupts`).
    interrupts: dict[str, Any] = field(default_factory=dict)
    presence_ttl_s: int = 45
    acknowledge: bool = True
    close_after_days: int = 14
    csat_target: float = 0.9
    deflection_hours: int = 24
    #: The country in which phone numbers without one are read, as two letters; empty: such a number is refused.
    phone_region: str = ""
    #: Who sees what customers are worth (leads, all), who takes lists out of the desk (admins, leads, all), and whether an agent sees
    #: everybody or only customers of their team's people and of nobody (all, team).
    value_seen_by: str = "leads"
    exported_by: str = "leads"
    customers_seen: str = "all"
    #: How long customers who want to be erased may change their mind, and how long each kind of data is kept, in days (`crm.retaining`).
    erasure_wait_days: int = 7
    retention: dict[str, Any] = field(default_factory=dict)
    #: Raised to end every link given to a television.
    wall_epoch: int = 0
    #: How the portal looks and what it says (`channels.portal.brand.Look`).
    look: dict[str, Any] = field(default_factory=dict)

    @property
    def survey_delay(self) -> timedelta:
        return timedelta(seconds=self.survey_delay_s)

    @property
    def undo(self) -> timedelta:
        return timedelta(seconds=self.undo_s)


#: How long a process believes what it read: another's change is seen after this at the latest, its own at once.
BELIEVED_S = 1.0
#: What was read last: of which database, when (monotonic seconds), and what.
_read: tuple[object, float, Preferences] | None = None


def preferences() -> Preferences:
    """The desk's preferences; the same ones throughout a transaction."""
    notes = db.unit().notes
    if "preferences" not in notes:
        notes["preferences"] = _lately_read() or _read_now(keep="preferring" not in notes)
    made: Preferences = notes["preferences"]
    return made


def _lately_read() -> Preferences | None:
    if _read is None or "preferring" in db.unit().notes:
        return None
    of, at, made = _read
    return made if of is db.engine() and time.monotonic() - at < BELIEVED_S else None


def _read_now(*, keep: bool) -> Preferences:
    global _read
    known = {f.name for f in fields(Preferences)}
    at = time.monotonic()
    rows = {row.name: row.value for row in db.session().connection().execute(_ROWS) if row.name in known}
    if "languages" in rows:
        rows["languages"] = tuple(rows["languages"])
    made = Preferences(**rows)
    if keep and db.unit().began_at == db.commits():  # else a look from before a change would outlive it
        _read = (db.engine(), at, made)
    return made


_ROWS = select(Preference.__table__)


def _forget() -> None:
    global _read
    _read = None


def prefer(**values: Any) -> None:
    """Change preferences by name. Raises KeyError for one that does not exist."""
    known = {f.name for f in fields(Preferences)}
    for name, value in values.items():
        if name not in known:
            raise KeyError(name)
        db.session().merge(Preference(name=name, value=list(value) if isinstance(value, tuple) else value))
    db.session().flush()
    unit = db.unit()
    unit.notes.pop("preferences", None)
    unit.notes["preferring"] = True
    unit.after_commit.insert(0, _forget)
