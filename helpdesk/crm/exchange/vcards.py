"""vCards as people's programs write them: versions 2.1, 3.0 and 4.0, folded, quoted-printable, in groups, with lines that fit no rule.

A tolerant reader (RFC 6350, RFC 2426, and the older versit text): what it does not know it leaves out, and a broken line costs that line.
"""

from __future__ import annotations

import quopri
import re
from collections.abc import Iterator

#: What is taken from a card, in the order in which it becomes columns.
COLUMNS = ("FN", "LAST NAME", "FIRST NAME", "MIDDLE NAME", "EMAIL", "TEL", "IMPP", "ORG", "TITLE", "CATEGORIES", "NOTE", "LANG", "UID")
_LINE = re.compile(r"(?:[\w-]+\.)?([\w-]+)((?:;[^:]*)?):(.*)", re.DOTALL)


def read(text: str) -> Iterator[dict[str, list[str]]]:
    """Each card's values by COLUMNS; one that is not ended counts up to where the next begins."""
    card: dict[str, list[str]] | None = None
    for line in _lines(text):
        found = _LINE.match(line)
        if found is None:
            continue
        name, parameters, value = found[1].upper(), found[2].upper(), found[3]
        if name == "BEGIN" and value.strip().upper() == "VCARD":
            if card:
                yield card
            card = {}
        elif name == "END":
            if card:
                yield card
            card = None
        elif card is not None:
            _take(card, name, _decoded(parameters, value))
    if card:
        yield card


def _take(card: dict[str, list[str]], name: str, value: str) -> None:
    if name == "N":
        for column, part in zip(("LAST NAME", "FIRST NAME", "MIDDLE NAME"), _parts(value), strict=False):
            if part:
                card.setdefault(column, []).append(part)
    elif name == "ORG":
        card.setdefault("ORG", []).append(_parts(value)[0])
    elif name in ("X-TELEGRAM", "X-WHATSAPP", "X-SKYPE", "X-VIBER"):
        card.setdefault("IMPP", []).append(f"{name[2:].lower()}:{_plain(value)}")
    elif name in COLUMNS and (plain := _plain(value)):
        card.setdefault(name, []).append(re.sub(r"(?i)^(tel|mailto|urn:uuid):", "", plain))


def _lines(text: str) -> Iterator[str]:
    """Whole lines: folded ones joined, and soft breaks of quoted-printable ones, too."""
    waiting = ""
    for line in re.split(r"\r\n|\r|\n", text):
        if waiting.endswith("=") and "QUOTED-PRINTABLE" in waiting.upper().partition(":")[0]:
            waiting = waiting[:-1] + line
        elif line[:1] in (" ", "\t") and waiting:
            waiting += line[1:]
        else:
            if waiting:
                yield waiting
            waiting = line
    if waiting:
        yield waiting


def _decoded(parameters: str, value: str) -> str:
    if "QUOTED-PRINTABLE" not in parameters:
        return value
    charset = re.search(r"CHARSET=([\w-]+)", parameters)
    raw = quopri.decodestring(value.encode("utf-8", "replace"))
    try:
        return raw.decode(charset[1] if charset else "utf-8", "replace")
    except LookupError:
        return raw.decode("utf-8", "replace")


def _parts(value: str) -> list[str]:
    return [_plain(part) for part in re.split(r"(?<!\\);", value)]


def _plain(value: str) -> str:
    return re.sub(r"\\(.)", lambda found: "\n" if found[1] in "nN" else found[1], value).strip()
