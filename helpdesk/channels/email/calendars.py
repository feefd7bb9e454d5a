"""Invitations: what a text/calendar part asks for (RFC 5546), and its words for people when a mail carries nothing else."""

from __future__ import annotations

import re

_METHOD = re.compile(r"(?im)^METHOD:([A-Z-]{3,20})\s*$")
_PROPERTY = re.compile(r"(?im)^(SUMMARY|DTSTART|DTEND|LOCATION|DESCRIPTION)(?:;[^:\n]{0,200})?:(.{1,2000})$")
_REPLIES = frozenset({"REPLY", "COUNTER", "DECLINECOUNTER", "REFRESH"})


def method(text: str, declared: str) -> str | None:
    """REQUEST, REPLY, CANCEL …, from the content type's parameter or the calendar itself."""
    if re.fullmatch(r"[A-Za-z-]{3,20}", declared):
        return declared.upper()
    found = _METHOD.search(text[:20_000])
    return found[1].upper() if found else None


def is_reply(method: str | None) -> bool:
    """Somebody's calendar answers an invitation: no person wrote."""
    return method in _REPLIES


def summary(text: str) -> str:
    """What the first event is about, one property a line."""
    unfolded = re.sub(r"\r?\n[ \t]", "", text[:50_000])
    seen: dict[str, str] = {}
    for match in _PROPERTY.finditer(unfolded):
        value = match[2].strip().replace("\\n", "\n").replace("\\,", ",").replace("\\;", ";")
        seen.setdefault(match[1].upper(), value)
    return "\n".join(seen[name] for name in ("SUMMARY", "DTSTART", "DTEND", "LOCATION", "DESCRIPTION") if name in seen)
