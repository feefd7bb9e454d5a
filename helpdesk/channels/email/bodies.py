"""Which parts of a mail are its words and which are its files.

After `mime` has cut the mail apart, before `parse` puts the Mail together. Words: the best reading of each alternative, and every text
part that stands between attachments (Apple Mail writes text, file, text). Everything else is an attachment; nothing is dropped but the
readings of an alternative that were not chosen (the raw mail keeps them).
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass, field

from . import calendars, headers, smime, tnef
from .charsets import decode
from .mail import Attachment, Problems
from .mime import Part, fields_of
from .mime import read as read_parts

UNOPENED = "is signed in a form that hides its text (S/MIME) and could not be opened; the text is in the attachment"

_META_CHARSET = re.compile(rb"(?i)<meta[^>]{0,200}charset\s*=\s*[\"']?\s*([a-z0-9_:.-]{1,40})")
#: A signature may hold another; whoever signs more often than this is shown as a file.
MAX_SEALS = 3
_FIELD_FIRST = re.compile(rb"[\r\n]*[!-9;-~]{1,80}[ \t]*:")
_SEALS = ("application/pkcs7-mime", "application/x-pkcs7-mime")
_NOT_KEPT = ("text/plain", "text/html", "text/enriched", "text/richtext", "text/x-amp-html", "text/watch-html")
_ENDINGS = {
    "message/rfc822": ".eml", "message/delivery-status": ".txt", "message/global-delivery-status": ".txt",
    "message/feedback-report": ".txt", "text/rfc822-headers": ".txt", "text/plain": ".txt", "text/html": ".html",
    "text/calendar": ".ics", "text/csv": ".csv", "text/vcard": ".vcf", "text/x-vcard": ".vcf",
    "image/jpeg": ".jpg", "image/jpg": ".jpg", "image/pjpeg": ".jpg", "image/png": ".png", "image/gif": ".gif",
    "image/webp": ".webp", "image/bmp": ".bmp", "image/heic": ".heic", "image/svg+xml": ".svg", "application/pdf": ".pdf",
    "application/zip": ".zip", "application/pgp-signature": ".asc", "application/pkcs7-signature": ".p7s",
    "application/x-pkcs7-signature": ".p7s", "application/pkcs7-mime": ".p7m", "application/x-pkcs7-mime": ".p7m",
    "application/json": ".json", "application/xml": ".xml", "text/xml": ".xml",
}  # fmt: skip
_NAMES = {"text/calendar": "invite", "text/html": "document", "message/rfc822": "message", "message/delivery-status": "Delivery report"}


@dataclass(slots=True)
class Words:
    """One stretch of body: raw HTML with its plain alternative, plain text, or an image shown in place (its content id)."""

    html: str = ""
    plain: str = ""
    image: str = ""


@dataclass(slots=True)
class Contents:
    """A mail's words in their order, its files, and marks."""

    words: list[Words] = field(default_factory=list)
    attachments: list[Attachment] = field(default_factory=list)
    leaves: list[Part] = field(default_factory=list)
    calendar: str = ""
    calendar_method: str | None = None
    signed: str | None = None
    encrypted: str | None = None
    tnef_html: str = ""
    seals: int = 0


def gather(root: Part, problems: Problems) -> Contents:
    """Walk the tree once."""
    contents = Contents()
    _walk(root, contents, problems, related=False)
    return contents


def decoded(part: Part, problems: Problems) -> str:
    """The text of a text part, line ends as line feeds."""
    data = part.body(problems)
    charset = part.charset
    if part.content_type == "text/html" and not charset and (named := _META_CHARSET.search(data[:4096])):
        charset = named[1].decode("ascii")
    text, odd = decode(data, charset)
    if odd:
        problems.note(f"the text {odd}")
    if "\r" in text:
        text = text.replace("\r\n", "\n").replace("\r", "\n")
    if part.content_type == "text/plain" and part.params.get("format", "").lower() == "flowed":
        text = unflowed(text, part.params.get("delsp", "").lower() == "yes")
    return text


def unflowed(text: str, delsp: bool) -> str:
    """Join the soft line breaks of format=flowed (RFC 3676), quotes of one depth with each other."""
    out: list[list[str]] = []
    open_depth = -1
    for line in text.split("\n"):
        depth = len(line) - len(line.lstrip(">"))
        content = line[depth:].removeprefix(" ")
        soft = content.endswith(" ") and content != "-- "
        kept = content[:-1] if soft and delsp else content
        if open_depth == depth and content != "-- ":
            out[-1].append(kept)
        else:
            out.append([">" * depth + (" " if depth and content else ""), kept])
        open_depth = depth if soft else -1
    return "\n".join("".join(pieces) for pieces in out)


def _walk(part: Part, into: Contents, problems: Problems, *, related: bool) -> None:
    kind = part.content_type
    if part.children:
        _marks(part, into)
        if kind == "multipart/alternative":
            _choose(part, into, problems)
            return
        for index, child in enumerate(part.children):
            _walk(child, into, problems, related=related or (kind == "multipart/related" and index > 0))
        return
    into.leaves.append(part)
    if kind.startswith("multipart/"):  # empty: a multipart with text in it has become text/plain
        return
    named = _name(part, problems)
    shown = part.disposition != "attachment" and not named
    if kind in ("text/plain", "text/enriched", "text/richtext") and shown and not related:
        text = decoded(part, problems)
        if text.strip():
            into.words.append(Words(plain=text))
    elif kind == "text/html" and shown and not related:
        raw = decoded(part, problems)
        if any(words.html for words in into.words):  # shown after the first document, and kept as it came
            into.attachments.append(_attachment(part, "document.html", problems))
        into.words.append(Words(html=raw))
    elif not _unpacked(part, named, into, problems):
        into.attachments.append(_attachment(part, named, problems))
        if kind in _SEALS or (kind == "application/octet-stream" and named.lower() == "smime.p7m"):  # RFC 8551, 3.2.1
            _open_seal(part, named, into, problems)
        else:
            _special(part, into, problems)


def _choose(part: Part, into: Contents, problems: Problems) -> None:
    """multipart/alternative: the last reading with HTML, else the last with text; files of every reading are kept."""
    readings: list[Contents] = []
    for child in part.children:
        reading = Contents(seals=into.seals)
        _walk(child, reading, problems, related=False)
        readings.append(reading)
    chosen = next((one for one in reversed(readings) if any(words.html for words in one.words)), None)
    plain = next((one for one in reversed(readings) if one.words and not any(words.html for words in one.words)), None)
    chosen = chosen or plain
    if chosen is not None:
        if plain is not None and plain is not chosen:
            text = "\n\n".join(words.plain for words in plain.words)
            first = next(words for words in chosen.words if words.html)
            first.plain = text
        into.words += chosen.words
    for reading in readings:
        into.attachments += reading.attachments
        into.leaves += reading.leaves
        into.calendar = into.calendar or reading.calendar
        into.calendar_method = into.calendar_method or reading.calendar_method
        into.signed = into.signed or reading.signed
        into.encrypted = into.encrypted or reading.encrypted
        into.tnef_html = into.tnef_html or reading.tnef_html
        into.seals = max(into.seals, reading.seals)


def _marks(part: Part, into: Contents) -> None:
    protocol = part.params.get("protocol", "").lower()
    if part.content_type == "multipart/signed":
        into.signed = "pgp" if "pgp" in protocol else "smime"
    elif part.content_type == "multipart/encrypted":
        into.encrypted = "smime" if "pkcs7" in protocol else "pgp"


def _special(part: Part, into: Contents, problems: Problems) -> None:
    """What an attachment says about the whole mail: a calendar's method, an image shown in place."""
    kind = part.content_type
    if kind == "text/calendar" and not into.calendar_method:
        into.calendar = decoded(part, problems)
        into.calendar_method = calendars.method(into.calendar, part.params.get("method", ""))
    elif kind.startswith("image/") and part.disposition == "inline" and into.attachments[-1].content_id:
        into.words.append(Words(image=into.attachments[-1].content_id))


def _open_seal(part: Part, named: str, into: Contents, problems: Problems) -> None:
    """Read the mail that an S/MIME signature holds as if it stood here; the seal itself stays a file. An envelope cannot be opened.

    A signed document that somebody attached (invoice.pdf.p7m) is a file like others.
    """
    data, said = into.attachments[-1].data, part.params.get("smime-type", "").lower()
    if smime.is_encrypted(data, said):
        into.encrypted = "smime"
        return
    try:
        inside = smime.signed_content(data)
        into.seals += 1
        if into.seals > MAX_SEALS or not _FIELD_FIRST.match(inside):
            raise smime.NotOpened
    except smime.NotOpened:
        if "signed" in said:
            problems.note(UNOPENED)
            into.signed = "smime"
        return
    if said or part.whole_start == 0 or named.lower() == "smime.p7m":
        into.signed = "smime"
        _walk(read_parts(inside, problems), into, problems, related=False)


def _unpacked(part: Part, named: str, into: Contents, problems: Problems) -> bool:
    """Replace winmail.dat by the files in it; False when the part is none or cannot be read."""
    if part.content_type not in ("application/ms-tnef", "application/vnd.ms-tnef") and named.lower() != "winmail.dat":
        return False
    try:
        contents = tnef.read(part.body(problems))
    except tnef.NotTnef:
        problems.note("has a winmail.dat that cannot be read; it is kept as it came")
        return False
    if not contents.complete:
        problems.note("has a winmail.dat that breaks off; what could be read of it is shown")
    for number, file in enumerate(contents.files, 1):
        kind = file.content_type.lower() if re.fullmatch(r"[\w.+-]{1,80}/[\w.+-]{1,80}", file.content_type) else "application/octet-stream"
        name = headers.filename(file.name, problems) or f"file-{number}{_ENDINGS.get(kind, '')}"
        into.attachments.append(_file(name, kind, file.data, headers.one_line(file.content_id).strip("<>"), inline=False))
    if contents.html:
        charset = _META_CHARSET.search(contents.html[:4096])
        into.tnef_html = decode(contents.html, charset[1].decode("ascii") if charset else None)[0]
    return bool(into.tnef_html) or (bool(contents.files) and contents.complete)


def _attachment(part: Part, named: str, problems: Problems) -> Attachment:
    data = part.body(problems)
    if part.is_text and part.content_type.startswith(("text/", "message/", "application/pgp")) and b"\r\n" in data:
        data = data.replace(b"\r\n", b"\n")  # the line ends were the transport's
    content_id = headers.text(part.fields.raw("content-id"), problems).strip().strip("<>")[:250]
    if not content_id and part.disposition == "inline" and part.content_type.startswith("image/"):
        content_id = f"part-{part.start}@inline.invalid"  # shown in place, therefore needs a name to point at
    name = named or _invented_name(part, data, problems)
    return _file(name, part.content_type, data, content_id, inline=part.disposition == "inline" and part.content_type.startswith("image/"))


def _file(name: str, kind: str, data: bytes, content_id: str, *, inline: bool) -> Attachment:
    md5 = hashlib.md5(data, usedforsecurity=False).hexdigest()
    return Attachment(name, kind, len(data), md5, hashlib.sha256(data).hexdigest(), inline, content_id or None, data)


def _name(part: Part, problems: Problems) -> str:
    given = part.disposition_params.get("filename") or part.params.get("name") or ""
    return headers.filename(given, problems) if given else ""


def _invented_name(part: Part, data: bytes, problems: Problems) -> str:
    """A name for a file without one: what the part calls itself, the forwarded message's subject, or its type."""
    ending = _ENDINGS.get(part.content_type, "")
    said = headers.text(part.fields.raw("content-description"), problems)
    if part.content_type == "message/rfc822":
        inner, _ = fields_of(data, 0, len(data), Problems())
        said = headers.text(inner.raw("subject"), Problems()) or said
    name = headers.filename(" ".join(re.sub(r"[/\\]", " ", said).split()), problems) or _NAMES.get(part.content_type, "file")
    return name if name.lower().endswith(ending) else name + ending
