"""A derived figure that can explain itself: what satisfaction, value, retention and health return and screens show.

A figure never travels as a bare number: beside it stand what went in, the formula's name, how many facts it rests on
and the moment it was true, so that a screen can answer "where does this come from?" and a recomputation be compared.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

Input = float | str | None


@dataclass(frozen=True, kw_only=True)
class Figure:
    """One derived number with its grounds.

    value: the figure; None when nothing is known, which is not the same as 0.
    formula: stable name of the definition, such as "satisfaction.score"; the screen links it to its explanation.
    inputs: what was put into the formula, by the symbol the definition uses.
    n: how many facts (ratings, purchases, customers) the value rests on.
    as_of: the moment for which it holds, aware UTC.
    """

    value: float | None
    formula: str
    inputs: Mapping[str, Input]
    n: int
    as_of: datetime

    def __post_init__(self) -> None:
        if self.as_of.tzinfo is None:
            raise ValueError("as_of is an aware time: give it a zone")


def share(part: int, whole: int) -> float | None:
    """part ÷ whole, or None where there is nothing to divide by."""
    return part / whole if whole else None
