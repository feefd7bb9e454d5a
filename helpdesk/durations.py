"""Durations in a badge's few letters: how long until a target, how long ago. Pure.

static/js/lib/time-text.js writes exactly the same, so that the server can draw a badge first and the page's ticker only
compares; one test runs both over one table.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from flask_babel import get_locale

from helpdesk import clock

UNITS = {"en": ("d", "h", "m"), "ru": ("д", "ч", "м")}
AGO = {"en": ("now", "min", "h", "d"), "ru": ("сейчас", "мин", "ч", "дн")}
LABELS = {
    "en": {
        "overdue": "overdue by {time}",
        "soon": "due soon, {time} left",
        "left": "{time} left",
        "paused": "paused, {time} left",
        "paused_overdue": "paused, overdue by {time}",
    },
    "ru": {
        "overdue": "просрочено на {time}",
        "soon": "скоро, осталось {time}",
        "left": "осталось {time}",
        "paused": "на паузе, осталось {time}",
        "paused_overdue": "на паузе, просрочено на {time}",
    },
}
NARROW_SPACE = "\u202f"
MINUS = "−"

MINUTE, HOUR, DAY, WEEK = 60, 3600, 86400, 7 * 86400


@dataclass(frozen=True)
class Badge:
    """What an SLA badge shows: its state is its class, the text stands in it, the label is what a screen reader hears."""

    state: str  # "paused", "ok", "warn", "bad"
    text: str
    label: str


def duration(seconds: float, lang: str) -> str:
    """Seconds as "9:59", "15m", "1h 05m" or "3d", without a sign."""
    whole = abs(int(seconds))
    day, hour, minute = UNITS[lang]
    if whole >= 2 * DAY:
        return f"{whole // DAY}{day}"
    if whole >= HOUR:
        return f"{whole // HOUR}{hour}{NARROW_SPACE}{whole % HOUR // MINUTE:02}{minute}"
    if whole >= 10 * MINUTE:
        return f"{whole // MINUTE}{minute}"
    return f"{whole // MINUTE}:{whole % MINUTE:02}"


def badge(left: float, window: float, lang: str, *, paused: bool = False) -> Badge:
    """The badge of a target that has `left` seconds of a `window` of seconds; negative is overdue.

    Amber begins at a quarter of the target, but not before an hour and not after ten minutes are left: a share alone
    would colour 1 h 30 of a day amber and 15 minutes of an hour green.
    """
    left = int(left)
    time = duration(left, lang)
    if paused:
        state, label = "paused", "paused_overdue" if left < 0 else "paused"
    elif left < 0:
        state, label = "bad", "overdue"
    elif left < max(10 * MINUTE, min(window * 0.25, HOUR)):
        state, label = "warn", "soon"
    else:
        state, label = "ok", "left"
    return Badge(state, (MINUS if left < 0 else "") + time, LABELS[lang][label].format(time=time))


def relative(seconds: float, lang: str) -> str | None:
    """An age in seconds as "now", "5 min", "3 h" or "6 d"; None from a week on, when a date says more."""
    now, minutes, hours, days = AGO[lang]
    if seconds < MINUTE:
        return now
    if seconds < HOUR:
        return f"{int(seconds // MINUTE)}\u00a0{minutes}"
    if seconds < DAY:
        return f"{int(seconds // HOUR)}\u00a0{hours}"
    if seconds < WEEK:
        return f"{int(seconds // DAY)}\u00a0{days}"
    return None


# --- for templates (macros/ui.html) --------------------------------------------------------------------------------------


def sla_badge(due: datetime | float, window: float, paused: float | bool | None = None) -> Badge:
    """The badge of a target due at a time (aware, or seconds since 1970). `paused` is how many seconds were left when it stopped."""
    left = _epoch(due) - clock.now().timestamp()
    if paused is None or paused is False:
        return badge(left, window or HOUR, _lang())
    return badge(left if paused is True else float(paused), window or HOUR, _lang(), paused=True)


def age(at: datetime | float) -> str | None:
    """How long ago that was, in the page's language; None from a week on."""
    return relative(clock.now().timestamp() - _epoch(at), _lang())


def _epoch(at: datetime | float) -> float:
    return at.timestamp() if isinstance(at, datetime) else float(at)


def _lang() -> str:
    return "ru" if str(get_locale() or "en").startswith("ru") else "en"


TEMPLATE_WORDS: dict[str, Any] = {"sla_badge": sla_badge, "age": age, "duration": duration}
