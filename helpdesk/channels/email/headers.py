"""Header fields: raw bytes to strings that are safe to store, compare and show.

Between `mime` (which cuts fields out of a mail) and everything that reads them. Decoded values never hold CR, LF or other controls
(header injection ends here), are bounded in length, and are read in linear time.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from itertools import islice
from urllib.parse import unquote_to_bytes

from .charsets import clean, decode
from .mail import Problems

MAX_VALUE = 64 * 1024  # bytes of one field; longer ones are cut and noted
MAX_PARAMETERS = 64
MAX_REFERENCES = 100
MAX_FILENAME = 150

_WORD = re.compile(rb"=\?([^?\s]{1,60})\?([bBqQ])\?(.*?)\?=")
_FOLD = re.compile(rb"\r*\n[ \t]*|\r")
_PARAMETER = re.compile(rb';\s*([^\s=;"]{1,100})\s*=\s*("(?:[^"\\]|\\.)*"|[^;]*)', re.S)
_ID = re.compile(r"<[^<>\s]{1,250}>")
_NOT_BASE64 = bytes(set(range(256)) - set(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/="))
# Zero-width signs, direction overrides and fillers: they make one name look like another, or "exe.fdp" end in "pdf".
INVISIBLE = re.compile("[\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180e\u200b-\u200f\u202a-\u202e\u2060-\u206f\u3164\ufeff\uffa0]")
_OVERRIDE = re.compile("[\u202a-\u202e\u2066-\u2069]")
_NOT_IN_NAMES = re.compile(r'[\x00-\x1f\x7f<>:"|?*]')
_RESERVED = re.compile(r"(?i)^(con|prn|aux|nul|com\d|lpt\d)(\.|$)")


@dataclass(frozen=True, slots=True)
class Field:
    """One header field as it came: name in its own case, value still folded and encoded."""

    name: str
    value: bytes


class Fields:
    """The header of a mail or part. Names compare without case; of a repeated field the last one counts, as mail programs disagree."""

    __slots__ = ("_by_name", "all")

    def __init__(self, fields: list[Field]) -> None:
        self.all = fields
        self._by_name: dict[str, list[bytes]] = {}
        for field in fields:
            self._by_name.setdefault(field.name.lower(), []).append(field.value)

    def raw(self, name: str) -> bytes | None:
        values = self._by_name.get(name)
        return values[-1] if values else None

    def every(self, name: str) -> list[bytes]:
        """All values of a lower-case name, top first."""
        return self._by_name.get(name, [])

    def __contains__(self, name: object) -> bool:
        return name in self._by_name


def unfolded(value: bytes) -> bytes:
    """One line: each fold becomes one space."""
    value = value.strip(b" \t\r\n")
    return _FOLD.sub(b" ", value) if b"\n" in value or b"\r" in value else value


def text(value: bytes | None, problems: Problems, charset: str | None = None) -> str:
    """A decoded, single-line value; encoded words and raw 8-bit bytes are read (`charset`: the body's, a hint for the latter)."""
    if not value:
        return ""
    if len(value) > MAX_VALUE:
        problems.note("a header is longer than 64 kB and was cut")
        value = value[:MAX_VALUE]
    value = unfolded(value)
    if b"=?" in value:
        return one_line(_with_words(value, problems, charset))
    if value.isascii() and value.isalnum():
        return value.decode("ascii")
    return one_line(plain(value, problems, charset))


def one_line(value: str) -> str:
    """Without line breaks and controls, wherever an encoding hid them; breaks at the ends vanish, those inside become a space."""
    if value.isprintable():
        return value
    value = clean(value.strip("\r\n\u0085\u2028\u2029"))
    value = re.sub(r"[\r\n\u0085\u2028\u2029\t]+[ \t]*", " ", value)
    return value


def visible(value: str, where: str, problems: Problems) -> str:
    """A name or address without invisible and direction-changing signs; their presence is noted."""
    if value.isascii():
        return value
    seen = INVISIBLE.sub("", value)
    if seen != value:
        problems.note(f"invisible or direction-changing characters were removed from {where}")
    return seen


def subject(value: bytes | None, problems: Problems, charset: str | None) -> str:
    """The subject. Direction overrides go; other invisible signs stay, since emoji and right-to-left scripts need them."""
    decoded = text(value, problems, charset)
    if not decoded.isascii() and _OVERRIDE.search(decoded):
        problems.note("direction-changing characters were removed from the subject")
        decoded = _OVERRIDE.sub("", decoded)
    return decoded


def identifiers(value: str) -> tuple[str, ...]:
    """The <ids> of a Message-ID, In-Reply-To or References value, in order; a bare id gets its brackets."""
    found = tuple(islice((match[0] for match in _ID.finditer(value)), MAX_REFERENCES * 2))
    if not found and "@" in value and 3 <= len(value.strip()) <= 250 and not re.search(r"[\s<>]", value.strip()):
        return (f"<{value.strip()}>",)
    if len(found) > MAX_REFERENCES:  # the first names the thread, the last ones its end
        found = found[:1] + found[-(MAX_REFERENCES - 1) :]
    return found


def date(value: str, problems: Problems) -> datetime | None:
    """The date as UTC, or None (noted) when it cannot be read; a date without a zone counts as UTC."""
    if not value:
        return None
    try:
        read = parsedate_to_datetime(value[:100])
        return (read if read.tzinfo else read.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, TypeError, OverflowError, IndexError):
        problems.note("the date cannot be read")
        return None


def parameters(value: bytes, problems: Problems) -> dict[str, str]:
    """The parameters after the first semicolon: RFC 2231 continuations and charsets, quoted, encoded-word and raw values alike."""
    whole: dict[str, str] = {}
    pieces: dict[str, dict[int, tuple[bytes, bool]]] = {}
    for match in islice(_PARAMETER.finditer(unfolded(value[:MAX_VALUE])), MAX_PARAMETERS):
        name = match[1].decode("ascii", "replace").lower()
        raw = _unquoted(match[2])
        base, star, rest = name.partition("*")
        if not star:
            whole.setdefault(base, text(raw, problems))
            continue
        number = rest.removesuffix("*")
        place = int(number) if number.isascii() and number.isdigit() and len(number) < 5 else 0
        pieces.setdefault(base, {})[place] = (raw, name.endswith("*"))
    for base, numbered in pieces.items():
        whole[base] = _extended([numbered[number] for number in sorted(numbered)], problems)
    return whole


def filename(value: str, problems: Problems) -> str:
    """A file name for people: no path, no signs that hide its ending, nothing a file system trips over. May come out empty."""
    name = one_line(value)
    seen = INVISIBLE.sub("", name)
    if seen != name:
        problems.note("invisible or direction-changing characters were removed from a file name")
    if "/" in seen or "\\" in seen:
        seen = re.split(r"[/\\]", seen)[-1]
        if ".." in name:
            problems.note("a file name tried to point outside its folder")
    seen = _NOT_IN_NAMES.sub("_", seen).strip().strip(".").strip()
    if _RESERVED.match(seen):
        seen = "_" + seen
    if len(seen) > MAX_FILENAME:
        stem, dot, ending = seen.rpartition(".")
        seen = f"{stem[: MAX_FILENAME - 12]}.{ending}" if dot and len(ending) <= 10 else seen[:MAX_FILENAME]
    return seen


def base64_bytes(data: bytes) -> bytes:
    """Lenient base64: foreign signs are skipped, missing padding is added, chunks glued together with their padding are all read."""
    kept = data.translate(None, _NOT_BASE64)
    if b"=" in kept.rstrip(b"="):
        return b"".join(_chunk(chunk) for chunk in re.split(b"=+", kept))
    return _chunk(kept.rstrip(b"="))


def _chunk(data: bytes) -> bytes:
    if len(data) % 4 == 1:  # one stray sign carries no byte
        data = data[:-1]
    try:
        return base64.b64decode(data + b"=" * (-len(data) % 4))
    except binascii.Error:
        return b""


def _with_words(value: bytes, problems: Problems, charset: str | None) -> str:
    """Decode encoded words (RFC 2047). Neighbours of one charset are joined first: senders cut characters in half."""
    out: list[str] = []
    waiting: tuple[str, bytes] | None = None
    at = 0
    for charset_name, payload, start, end in _words(value):
        between = value[at:start]
        if waiting and (between.strip(b" \t") or waiting[0] != charset_name):
            out.append(_read(waiting[1], waiting[0], problems))
            waiting = None
        if between and (between.strip(b" \t") or at == 0):
            out.append(plain(between, problems, charset))
        waiting = (charset_name, (waiting[1] if waiting else b"") + payload)
        at = end
    if waiting:
        out.append(_read(waiting[1], waiting[0], problems))
    if value[at:]:
        out.append(plain(value[at:], problems, charset))
    return "".join(out)


def _words(value: bytes) -> Iterator[tuple[str, bytes, int, int]]:
    for match in _WORD.finditer(value):
        name = match[1].partition(b"*")[0].decode("ascii", "replace").lower()  # RFC 2231 allows charset*language
        payload = match[3]
        if match[2] in b"bB":
            read = base64_bytes(payload)
        else:
            read = binascii.a2b_qp(payload.replace(b" ", b"=20"), header=True)
        yield name, read, match.start(), match.end()


def _read(payload: bytes, charset: str, problems: Problems) -> str:
    decoded, odd = decode(payload, charset)
    if odd:
        problems.note(f"a header {odd}")
    return decoded


def plain(value: bytes, problems: Problems, charset: str | None) -> str:
    """A value without encoded words, raw 8-bit characters read as well as can be."""
    if value.isascii() and b"\x1b" not in value:
        return value.decode("ascii")
    try:
        return value.decode("utf-8")
    except UnicodeDecodeError:
        problems.note("a header has raw 8-bit characters")
        return decode(value, charset if charset and charset not in ("utf-8", "us-ascii") else None)[0]


def _unquoted(value: bytes) -> bytes:
    value = value.strip()
    if len(value) >= 2 and value[:1] == value[-1:] == b'"':
        return re.sub(rb'\\([\\"])', rb"\1", value[1:-1])
    return value.strip(b'"')


def _extended(pieces: list[tuple[bytes, bool]], problems: Problems) -> str:
    """RFC 2231: charset'language'percent-encoded, possibly in numbered pieces of which only the starred are encoded."""
    charset = None
    first, starred = pieces[0]
    if starred and first.count(b"'") >= 2:
        name, _, rest = first.split(b"'", 2)
        charset = name.decode("ascii", "replace").lower()
        pieces = [(rest, True), *pieces[1:]]
    joined = b"".join(unquote_to_bytes(raw) if encoded else raw for raw, encoded in pieces)
    if charset is None and b"=?" in joined:
        return text(joined, problems)
    return one_line(_read(joined, charset or "", problems) if not joined.isascii() else joined.decode("ascii"))
