"""What is said about one thing that was looked at."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

#: How long one server may take to answer.
PATIENCE_S = 5.0

Verdict = Literal["ok", "warning", "fault"]


@dataclass(frozen=True)
class Finding:
    """What was found about one thing; `do` says what to do where it is not well."""

    name: str
    verdict: Verdict
    says: str
    do: str = ""
