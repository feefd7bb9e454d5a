"""Fields that this desk added to its customers and organizations: their definitions, and reading, checking and showing their values.

Values lie in `custom` of the contact or organization by the field's key: text as written, a number as int or float, a day as YYYY-MM-DD,
a choice as one of its options, yes-no as true or false. What is not filled in is absent.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import date
from decimal import Decimal, InvalidOperation
from typing import Any

from flask_babel import format_date, format_decimal, get_locale, gettext
from flask_babel import lazy_gettext as _
from sqlalchemy import select

from helpdesk import db, versions
from helpdesk.actor import Actor
from helpdesk.catalog import SettingsChanged
from helpdesk.crm.base_models import CustomField, FieldKind
from helpdesk.crm.keys import name_key
from helpdesk.errors import Invalid, Words
from helpdesk.events import record

SUBJECTS = ("contact", "organization")
KINDS: dict[str, Words] = {
    "text": _("Text"), "number": _("Number"), "date": _("Day"), "choice": _("One of several"), "yes_no": _("Yes or no"),
}  # fmt: skip
LONGEST = 1000
MOST_FIELDS, MOST_OPTIONS = 60, 100
_TRUE = frozenset("1 yes y true да д on + истина".split())
_FALSE = frozenset("0 no n false нет н off - ложь".split())


def defined(subject: str, *, also_gone: bool = False) -> list[CustomField]:
    """The fields of "contact" or "organization" in their order; read once per transaction."""
    notes = db.unit().notes
    if "custom_fields" not in notes:
        notes["custom_fields"] = list(db.session().scalars(select(CustomField).order_by(CustomField.position, CustomField.id)))
    return [one for one in notes["custom_fields"] if one.subject == subject and (one.active or also_gone)]


def label(subject: str, key: str) -> str:
    """What a field is called in the reader's language."""
    found = next((one for one in defined(subject, also_gone=True) if one.key == key), None)
    return label_of(found) if found is not None else key


def label_of(one: CustomField) -> str:
    return one.label_ru if one.label_ru and str(get_locale() or "en")[:2] == "ru" else one.label


def read(one: CustomField, raw: str) -> Any:
    """A typed or imported value as it is stored; None for an empty one. Raises Invalid under `custom.KEY`."""
    text = raw.strip()
    if not text:
        return None
    match one.kind:
        case FieldKind.NUMBER:
            return _number(one, text)
        case FieldKind.DATE:
            return _day(one, text)
        case FieldKind.CHOICE:
            found = next((option for option in one.options if option.casefold() == text.casefold()), None)
            if found is None:
                raise _wrong(one, _("Choose one of these: %(options)s.", options=", ".join(one.options)))
            return found
        case FieldKind.YES_NO:
            if (word := text.casefold()) in _TRUE | _FALSE:
                return word in _TRUE
            raise _wrong(one, _("Please say yes or no."))
    if len(text) > LONGEST:
        raise _wrong(one, _("Please shorten this to %(n)s characters.", n=LONGEST))
    return text


def read_all(subject: str, form: Mapping[str, str]) -> dict[str, Any]:
    """Every field of a form, called custom.KEY there and in what is returned. Raises Invalid with all faults at once."""
    values: dict[str, Any] = {}
    faults: dict[str, Words] = {}
    for one in defined(subject):
        name = f"custom.{one.key}"
        if name in form or one.kind is FieldKind.YES_NO:
            try:
                values[name] = read(one, form.get(name, ""))
            except Invalid as wrong:
                faults.update(wrong.fields)
    if faults:
        raise Invalid(fields=faults)
    return values


def filled(subject: str, held: Mapping[str, Any] | None) -> list[tuple[str, str]]:
    """The label and the value of each field that is filled in, as people read them."""
    return [(label_of(one), shown(subject, one.key, held[one.key])) for one in defined(subject) if held and one.key in held]


def shown(subject: str, key: str, value: Any) -> str:
    """A stored value as people read it."""
    one = next((one for one in defined(subject, also_gone=True) if one.key == key), None)
    if isinstance(value, bool):
        return str(gettext("yes") if value else gettext("no"))
    if one is not None and one.kind is FieldKind.DATE and isinstance(value, str):
        return str(format_date(date.fromisoformat(value), "medium"))
    if isinstance(value, int | float):
        return str(format_decimal(value))
    return str(value)


# --- the administrator's side --------------------------------------------------------------------------------------------


def add(subject: str, *, label: str, kind: str, label_ru: str = "", options: str = "", by: Actor) -> CustomField:
    """A new field. Its key is made of its label and never changes. Raises Invalid with every fault."""
    label, label_ru = " ".join(label.split())[:80], " ".join(label_ru.split())[:80]
    faults: dict[str, Words] = {}
    here = defined(subject, also_gone=True)
    if subject not in SUBJECTS:
        faults["subject"] = _("Choose one of these.")
    if kind not in KINDS:
        faults["kind"] = _("Choose one of these.")
    if not label:
        faults["label"] = _("Please fill this in.")
    elif any(one.label.casefold() == label.casefold() for one in here):
        faults["label"] = _("There is a field of this name.")
    elif len(here) >= MOST_FIELDS:
        faults["label"] = _("Give at most %(n)s of these.", n=MOST_FIELDS)
    choices = _options(options)
    if kind == "choice" and len(choices) < 2:
        faults["options"] = _("Give at least two options, one per line.")
    if faults:
        raise Invalid(fields=faults)
    made = CustomField(
        subject=subject,
        key=_free_key(label, {one.key for one in here}),
        kind=FieldKind(kind),
        label=label,
        label_ru=label_ru,
        options=choices if kind == "choice" else [],
        position=len(here),
    )
    return _stored(made, by)


def change(
    one: CustomField, *, label: str, label_ru: str, options: str, active: bool, position: int, seen: int | None, by: Actor
) -> CustomField:
    """Rename a field, change its options, hide it. Values that are stored stay. Raises Invalid, Stale."""
    label = " ".join(label.split())[:80]
    choices = _options(options)
    if not label:
        raise Invalid(fields={"label": _("Please fill this in.")})
    if one.kind is FieldKind.CHOICE and len(choices) < 2:
        raise Invalid(fields={"options": _("Give at least two options, one per line.")})
    versions.change(
        one,
        seen,
        label=label,
        label_ru=" ".join(label_ru.split())[:80],
        options=choices if one.kind is FieldKind.CHOICE else [],
        active=active,
        position=position,
    )
    return _stored(one, by)


def _stored(one: CustomField, by: Actor) -> CustomField:
    db.session().add(one)
    db.session().flush()
    db.unit().notes.pop("custom_fields", None)
    record(SettingsChanged(by, what=f"field:{one.id}"))
    return one


def _options(text: str) -> list[str]:
    return list(dict.fromkeys(word for line in text.splitlines() if (word := " ".join(line.split())[:120])))[:MOST_OPTIONS]


def _free_key(label: str, taken: set[str]) -> str:
    base = re.sub(r"[^a-z0-9]+", "_", name_key(label))[:36].strip("_") or "field"
    key, number = base, 2
    while key in taken:
        key, number = f"{base}_{number}", number + 1
    return key


def _number(one: CustomField, text: str) -> int | float:
    plain = re.sub(r"[\s\u00a0\u202f]", "", text)
    if "," in plain and "." not in plain:
        plain = plain.replace(",", ".")
    try:
        found = Decimal(plain.replace(",", ""))
    except InvalidOperation as wrong:
        raise _wrong(one, _("“%(raw)s” is not a number.", raw=text[:60])) from wrong
    if not found.is_finite() or abs(found) > 10**15:
        raise _wrong(one, _("“%(raw)s” is not a number.", raw=text[:60]))
    return int(found) if found == found.to_integral_value() else float(found)


def _day(one: CustomField, text: str) -> str:
    if found := re.fullmatch(r"(\d{1,2})[./](\d{1,2})[./](\d{4})", text):
        text = f"{found[3]}-{int(found[2]):02}-{int(found[1]):02}"
    try:
        return date.fromisoformat(text[:10]).isoformat()
    except ValueError as wrong:
        raise _wrong(one, _("“%(raw)s” is not a day, such as 2026-03-31.", raw=text[:60])) from wrong


def _wrong(one: CustomField, words: Words) -> Invalid:
    return Invalid(fields={f"custom.{one.key}": words})
