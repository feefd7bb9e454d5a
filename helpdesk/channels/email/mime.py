"""A mail cut into parts, by offsets into its bytes. Linear in size and bounded in depth and number; what is not cut apart stays whole.

First step of `parse`. The standard library's parser is not used here: it recurses once per level, tests every line against every open
boundary, and raises on charsets and headers that real mail carries. Nothing below decodes anything but headers' names.
"""

from __future__ import annotations

import binascii
import re
from dataclasses import dataclass, field

from .headers import Field, Fields, base64_bytes, parameters, unfolded
from .mail import Problems

MAX_DEPTH = 30
MAX_PARTS = 1000  # of one mail; the rest of it stays in one piece
MAX_FIELDS = 1000
MAX_HEADER = 1024 * 1024

_FIELD = re.compile(rb"([!-9;-~]{1,200})[ \t]*:(.*(?:\n[ \t].*)*)(?:\n|\Z)")
_TYPE = re.compile(rb"\s*([!#$&^_.+a-zA-Z0-9-]{1,100})/([!#$&^_.+a-zA-Z0-9-]{1,100})")


@dataclass(slots=True)
class Part:
    """One node: its fields, its content type (lower case, text/plain when unsaid), and the bytes between `start` and `end`."""

    fields: Fields
    content_type: str
    params: dict[str, str]
    disposition: str
    disposition_params: dict[str, str]
    raw: bytes = field(repr=False)
    start: int
    end: int
    named: bool  # the part says its content type itself
    children: list[Part] = field(default_factory=list)
    whole_start: int = 0  # where its header begins

    @property
    def charset(self) -> str | None:
        return self.params.get("charset")

    def body(self, problems: Problems) -> bytes:
        """The content without its transfer encoding; unknown encodings leave it as it is."""
        data = self.raw[self.start : self.end]
        encoding = unfolded(self.fields.raw("content-transfer-encoding") or b"").strip().lower()
        if encoding in (b"", b"7bit", b"8bit", b"binary"):
            return data
        if encoding == b"base64":
            return base64_bytes(data)
        if encoding == b"quoted-printable":
            return binascii.a2b_qp(data)
        if encoding in (b"x-uuencode", b"uuencode", b"x-uue", b"uue"):
            return _uudecoded(data)
        problems.note(f"names an unknown transfer encoding ({encoding[:30].decode('ascii', 'replace')})")
        return data

    @property
    def is_text(self) -> bool:
        """Carried line by line in seven bits: the line ends belong to the transport."""
        encoding = unfolded(self.fields.raw("content-transfer-encoding") or b"").strip().lower()
        return encoding in (b"", b"7bit")


class _Budget:
    def __init__(self) -> None:
        self.parts = MAX_PARTS


def read(raw: bytes, problems: Problems) -> Part:
    """The tree of a whole mail; any bytes give one. Byte order marks, mbox separators and odd line ends are put right first."""
    raw = _straightened(raw, problems)
    start = 0
    if raw.startswith((b"From ", b">From ")):
        start = raw.find(b"\n") + 1 or len(raw)
    return _part(raw, start, len(raw), 0, _Budget(), problems, "text/plain")


def fields_of(raw: bytes, start: int, end: int, problems: Problems) -> tuple[Fields, int]:
    """The header that begins at `start`, and where the body begins. A stray line among the fields is passed over."""
    found: list[Field] = []
    at = start
    while at < end:
        if raw[at : at + 1] == b"\n":
            return Fields(found), at + 1
        if raw[at : at + 2] == b"\r\n":
            return Fields(found), at + 2
        match = _FIELD.match(raw, at, end)
        if match is None:
            after = raw.find(b"\n", at, end) + 1
            if not after or not (_FIELD.match(raw, after, end) and found):
                if found:
                    problems.note("the header ends without an empty line")
                return Fields(found), at
            problems.note("the header has a line that is no field")
            at = after
            continue
        at = match.end()
        if len(found) >= MAX_FIELDS or at - start > MAX_HEADER:
            problems.note("the header is too long; its end was not read")
            if len(found) < MAX_FIELDS:
                found.append(Field(match[1].decode("ascii"), match[2][:MAX_HEADER]))
            return Fields(found), _after_header(raw, at, end)
        found.append(Field(match[1].decode("ascii"), match[2]))
    return Fields(found), end


def _part(raw: bytes, start: int, end: int, depth: int, budget: _Budget, problems: Problems, default: str) -> Part:
    budget.parts -= 1
    fields, body = fields_of(raw, start, end, problems)
    kind, params, named = _content_type(fields, default, problems)
    disposition_raw = fields.raw("content-disposition") or b""
    disposition = unfolded(disposition_raw).partition(b";")[0].strip().lower().decode("ascii", "replace")
    part = Part(
        fields, kind, params, disposition, parameters(disposition_raw, problems) if b";" in disposition_raw else {}, raw, body, end, named,
        whole_start=start,
    )  # fmt: skip
    if kind.startswith("multipart/"):
        _open(part, depth, budget, problems)
    return part


def _open(part: Part, depth: int, budget: _Budget, problems: Problems) -> None:
    """Cut a multipart into its children; one that cannot be cut becomes plain text, or stays whole when it goes too far."""
    boundary = part.params.get("boundary", "").encode("utf-8", "surrogateescape").rstrip()
    if depth >= MAX_DEPTH:
        problems.note(f"has parts nested deeper than {MAX_DEPTH} levels; the innermost stay together")
        part.content_type = "application/octet-stream"
        return
    spans = _spans(part.raw, part.start, part.end, boundary, budget.parts) if boundary else []
    if not spans:
        if part.raw[part.start : part.end].strip():
            problems.note("says it has several parts but they cannot be told apart; read as text")
        part.content_type = "text/plain"
        part.params.pop("charset", None)
        return
    inner = "message/rfc822" if part.content_type == "multipart/digest" else "text/plain"
    for index, (start, end) in enumerate(spans):
        if budget.parts <= 1 and index + 1 < len(spans):
            problems.note(f"has more than {MAX_PARTS} parts; the rest stays together in one")
            part.children.append(_rest(part.raw, start, part.end))
            return
        part.children.append(_part(part.raw, start, end, depth + 1, budget, problems, inner))


def _spans(raw: bytes, start: int, end: int, boundary: bytes, limit: int) -> list[tuple[int, int]]:
    """Where the parts between the boundary lines lie; a missing last boundary is forgiven. At most `limit` + 1 of them."""
    delimiter = b"--" + boundary
    spans: list[tuple[int, int]] = []
    opened = -1
    at = raw.find(delimiter, start, end)
    while at != -1:
        line_end = raw.find(b"\n", at, end)
        line_end = end if line_end == -1 else line_end
        tail = raw[at + len(delimiter) : line_end].strip(b" \t\r")
        if (at == start or raw[at - 1 : at] == b"\n") and tail in (b"", b"--"):
            if opened >= 0:
                stop = at - 1 if raw[at - 1 : at] == b"\n" else at
                stop = stop - 1 if raw[stop - 1 : stop] == b"\r" else stop
                spans.append((opened, max(opened, stop)))
            if tail == b"--" or len(spans) > limit:
                return spans
            opened = min(line_end + 1, end)
        at = raw.find(delimiter, line_end, end)
    if opened >= 0:
        spans.append((opened, end))
    return spans


def _rest(raw: bytes, start: int, end: int) -> Part:
    return Part(Fields([]), "application/octet-stream", {}, "attachment", {"filename": "rest-of-mail.txt"}, raw, start, end, True)


def _content_type(fields: Fields, default: str, problems: Problems) -> tuple[str, dict[str, str], bool]:
    value = fields.raw("content-type")
    if value is None:
        return default, {}, False
    match = _TYPE.match(value)
    if match is None:
        problems.note("names a content type that is none; read as text")
        return "text/plain", parameters(value, problems), False
    return match[0].strip().lower().decode("ascii"), parameters(value, problems), True


def _after_header(raw: bytes, at: int, end: int) -> int:
    """The first empty line from `at` on."""
    ends = [found + len(blank) for blank in (b"\n\n", b"\n\r\n") if (found := raw.find(blank, max(at - 1, 0), end)) != -1]
    return min(ends, default=end)


def _straightened(raw: bytes, problems: Problems) -> bytes:
    if raw.startswith((b"\xff\xfe", b"\xfe\xff")):
        problems.note("was saved as UTF-16")
        raw = raw.decode("utf-16", "replace").encode("utf-8", "replace")
    raw = raw.removeprefix(b"\xef\xbb\xbf").lstrip(b"\r\n") if raw[:1] in b"\xef\r\n" else raw
    head = raw[:4096]
    if b"\r\r\n" in head:
        problems.note("has doubled line ends")
        return raw.replace(b"\r\r\n", b"\r\n")
    if b"\r" in head and b"\n" not in head:
        problems.note("has line ends of an old Macintosh")
        return raw.replace(b"\r", b"\n") if b"\n" not in raw else raw
    return raw


def _uudecoded(data: bytes) -> bytes:
    out = bytearray()
    for line in data.splitlines():
        if line.startswith(b"begin ") or not line.strip():
            continue
        if line.strip() == b"end":
            break
        try:
            out += binascii.a2b_uu(line)
        except binascii.Error:  # too long for its count: read as many bytes as it promises
            count = (((line[0] - 32) & 63) * 4 + 5) // 3
            try:
                out += binascii.a2b_uu(line[:count])
            except binascii.Error:
                continue
    return bytes(out)
