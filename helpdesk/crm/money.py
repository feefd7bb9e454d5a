"""Money of several currencies in the desk's own: derived figures need one measure. The ledger keeps every sum as it was."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping

from helpdesk.preferences import Preferences

_CODE = re.compile(r"[A-Z]{3}")
_RATE = re.compile(r"([A-Z]{3})\s*[:= ]\s*(\d{1,9}(?:\.\d{1,9})?)")


def rates(said: str) -> dict[str, float]:
    """What one unit of each currency is worth in the desk's. Raises ValueError for what is not written so: "RUB 0.011, USD 0.92"."""
    found: dict[str, float] = {}
    for part in (part.strip() for part in said.split(",") if part.strip()):
        read = _RATE.fullmatch(part)
        if read is None or float(read[2]) <= 0:
            raise ValueError(f"“{part}” is no rate: write it as RUB 0.011")
        found[read[1]] = float(read[2])
    return found


def of_desk(said: Preferences) -> Mapping[str, float]:
    """Rates into the desk's currency, itself included. Orders in another one cannot be counted, and are told apart."""
    return {**rates(said.rates), said.currency: 1.0}


def is_code(said: str) -> bool:
    """Whether this is written as a currency is."""
    return _CODE.fullmatch(said) is not None


def are_rates(said: str) -> bool:
    try:
        rates(said)
    except ValueError:
        return False
    return True


#: How the preferences that speak of money are checked.
FORMS: Mapping[str, Callable[[str], bool]] = {"currency": is_code, "rates": are_rates}
