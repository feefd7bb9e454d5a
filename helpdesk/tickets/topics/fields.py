"""The arithmetic of request forms: which fields are asked, and what was filled in as typed values. Pure; `asking` reads the definitions."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal, InvalidOperation
from typing import Any

from flask_babel import format_date, format_decimal
from flask_babel import gettext as _

from helpdesk.tickets.topics.models import Kind

LONGEST_TEXT, LONGEST_LONG_TEXT = 500, 10_000
#: Numbers stay what JSON and both engines hold exactly.
_LARGEST = Decimal(10) ** 15
_NUMBER = re.compile(r"[+-]?\d+([.,]\d+)?")
YES, NO = "yes", "no"


@dataclass(frozen=True)
class Option:
    """One choice: its lasting value, and its words in the reader's language."""

    value: str
    words: str


@dataclass(frozen=True)
class Field:
    """A field as it is asked in one language. `shown_if`: the id of the field before it whose value decides."""

    id: int
    key: str
    kind: Kind
    label: str
    hint: str = ""
    required: bool = False
    options: tuple[Option, ...] = ()
    shown_if: int | None = None
    shown_if_values: frozenset[str] = frozenset()

    @property
    def name(self) -> str:
        """What the form calls it."""
        return f"c-{self.id}"


@dataclass(frozen=True)
class Drawn:
    """A field with what stands in it."""

    field: Field
    text: str
    shown: bool
    error: str = ""


def drawn(fields: Sequence[Field], typed: Mapping[int, str], errors: Mapping[str, str]) -> list[Drawn]:
    """Every field with what was typed, by field id; those that are not asked now are hidden, so that nothing typed is lost."""
    shown = {one.id for one in asked(fields, typed)}
    return [Drawn(one, typed.get(one.id, ""), one.id in shown, errors.get(one.name, "")) for one in fields]


def asked(fields: Sequence[Field], typed: Mapping[int, str]) -> list[Field]:
    """The fields whose conditions hold for what was typed (by field id; a file counts by its name). A hidden field counts as empty."""
    shown: dict[int, Field] = {}
    for field in fields:
        if field.shown_if is None or (field.shown_if in shown and _meets(field, typed.get(field.shown_if, ""))):
            shown[field.id] = field
    return list(shown.values())


def _meets(field: Field, text: str) -> bool:
    text = text.strip()
    return text in field.shown_if_values if field.shown_if_values else bool(text) and text != NO


def values(fields: Sequence[Field], typed: Mapping[int, str]) -> tuple[dict[str, Any], dict[str, str]]:
    """What was filled in, by key and typed for JSON, and what is wrong, by the form's name. Fields that are not asked are left out.

    number: int or float; date: "2026-03-02"; choice: the option's value; yes/no: bool; file: [name].
    """
    held: dict[str, Any] = {}
    wrong: dict[str, str] = {}
    for field in asked(fields, typed):
        text = typed.get(field.id, "").replace("\r\n", "\n").strip()
        try:
            if not text:
                if field.required:
                    raise ValueError(_("Please fill this in.") if field.kind is not Kind.FILE else _("Please choose a file."))
                continue
            held[field.key] = value(field, text)
        except ValueError as fault:
            wrong[field.name] = str(fault)
    return held, wrong


def value(field: Field, text: str) -> Any:
    """One text as its field's value. Raises ValueError with the words for whoever typed it."""
    match field.kind:
        case Kind.NUMBER:
            return _number(text)
        case Kind.DATE:
            return _date(text)
        case Kind.CHOICE:
            if text not in {option.value for option in field.options}:
                raise ValueError(_("Please choose one of the list."))
            return text
        case Kind.YES_NO:
            if text not in (YES, NO):
                raise ValueError(_("Please choose one of the list."))
            return text == YES
        case Kind.FILE:
            return [text]
    longest = LONGEST_LONG_TEXT if field.kind is Kind.LONG_TEXT else LONGEST_TEXT
    if len(text) > longest:
        raise ValueError(_("Please shorten this to %(n)s characters.", n=longest))
    return text


def text_of(field: Field, held: Any) -> str:
    """A typed value as a form would send it; the way back of `value`, so that programs' JSON takes the same checks."""
    if held is None:
        return ""
    if isinstance(held, bool):
        return YES if held else NO
    if isinstance(held, list):
        return ", ".join(str(one) for one in held)
    return str(held)


def words_of(field: Field, held: Any) -> str:
    """A stored value as a reader sees it, in their language."""
    if isinstance(held, bool):
        return str(_("Yes") if held else _("No"))
    if field.kind is Kind.CHOICE:
        return next((option.words for option in field.options if option.value == held), str(held))
    if field.kind is Kind.DATE and isinstance(held, str):
        try:
            return str(format_date(date.fromisoformat(held), "long"))
        except ValueError:
            return held
    if field.kind is Kind.NUMBER and isinstance(held, int | float):
        return str(format_decimal(held, format="0.######"))  # ungrouped: it may be the number of an order
    return text_of(field, held)


def _number(text: str) -> int | float:
    plain = text.replace("\u00a0", "").replace("\u202f", "").replace(" ", "").replace("−", "-")
    if not _NUMBER.fullmatch(plain) or len(plain) > 30:
        raise ValueError(_("Please give a number, such as 12 or 12.5."))
    try:
        found = Decimal(plain.replace(",", "."))
    except InvalidOperation:
        raise ValueError(_("Please give a number, such as 12 or 12.5.")) from None
    if abs(found) >= _LARGEST:
        raise ValueError(_("This number is too large."))
    return int(found) if found == found.to_integral_value() else float(found)


def _date(text: str) -> str:
    for pattern in (r"(?P<y>\d{4})-(?P<m>\d{1,2})-(?P<d>\d{1,2})", r"(?P<d>\d{1,2})\.(?P<m>\d{1,2})\.(?P<y>\d{4})"):
        if found := re.fullmatch(pattern, text):
            try:
                return date(int(found["y"]), int(found["m"]), int(found["d"])).isoformat()
            except ValueError:
                break
    raise ValueError(_("Please give a day that exists, such as 2026-03-02."))
