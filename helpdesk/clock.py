"""What time it is. Every other module asks here, so that a test can stop the clock and move it.

Times inside the desk are aware datetimes in UTC; a zone appears only where a person reads or writes a time.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta

_frozen: datetime | None = None


def now() -> datetime:
    """The present moment, aware, UTC."""
    return _frozen or datetime.now(UTC)


def freeze(at: datetime | None) -> None:
    """Stop the clock at `at` (aware), or let it run again with None. For tests and for histories told in the past."""
    global _frozen
    if at is not None and at.tzinfo is None:
        raise ValueError("the clock takes aware times: give the datetime a zone")
    _frozen = at


@contextmanager
def frozen(at: datetime) -> Iterator[Hand]:
    """Stop the clock for the length of a block; the hand it yields moves it."""
    before = _frozen
    freeze(at)
    try:
        yield Hand()
    finally:
        freeze(before)


class Hand:
    """Moves a stopped clock."""

    def move(self, **delta: float) -> datetime:
        """Advance by `timedelta(**delta)` and say what time it is now."""
        freeze(now() + timedelta(**delta))
        return now()
