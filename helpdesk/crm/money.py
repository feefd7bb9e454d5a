"""Money of several currencies in the desk's own: derived figures need one measure. The ledger keeps every sum as it was."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from decimal import Decimal

from flask_babel import format_decimal

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


def cents(said: str) -> int | None:
    """A sum as people and programs write it, in minor units: 1250.5, "1 250,50", 1.250,50, -3, 12 €. None for what is none.

    A lone sign before three digits ("1,250") may be either a thousand or a fraction: that is no answer.
    """
    plain = re.sub(r"[\s\u00a0\u202f'’€$£₽]|(?i:руб\.?|р\.$)", "", said)
    if "," in plain and "." in plain:
        thousands = min(plain.rfind(","), plain.rfind("."))
        plain = plain.replace(plain[thousands], "")
    if re.fullmatch(r"-?\d{1,11}([.,](\d{1,2}|\d{2}0{2,}))?", plain) is None:
        return None
    return int(Decimal(plain.replace(",", ".")) * 100)


def shown(sum_cents: int) -> str:
    """A sum in main units, for people."""
    return str(format_decimal(Decimal(sum_cents) / 100, "#,##0.00"))


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
