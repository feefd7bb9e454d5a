"""Placeholders in texts that people write: `{{ dotted.name }}` from a fixed dictionary and nothing else. Never a template language.

What a value contains is never looked at again, so that a customer called "{{ agent.email }}" stays that.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

from flask_babel import lazy_gettext as _

from helpdesk.errors import Words

_PLACE = re.compile(r"\{\{\s*([^{}]*?)\s*\}\}")


def fill(text: str, values: Mapping[str, str]) -> str:
    """The text with its placeholders' values. A name that the dictionary does not have stays as it was typed."""
    return _PLACE.sub(lambda found: values.get(found[1], found[0]), text)


def fault(text: str, known: Iterable[str]) -> Words | None:
    """What is wrong with a text's placeholders, in a sentence; None when nothing is."""
    names = sorted(known)
    for found in _PLACE.finditer(text):
        if found[1] not in names:
            there = ", ".join(f"{{{{ {name} }}}}" for name in names)
            return _("There is no placeholder %(one)s. There are: %(there)s", one=found[0], there=there)
    left = _PLACE.sub("", text)
    if "{{" in left or "}}" in left or "{%" in left:
        return _("A placeholder is not complete: write it as {{ name }}.")
    return None


def missing(text: str, needed: Iterable[str]) -> list[str]:
    """Names that a text must have and has not."""
    there = {found[1] for found in _PLACE.finditer(text)}
    return [name for name in needed if name not in there]
