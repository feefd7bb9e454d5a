"""What a mail says, once understood: the value that parsing returns and that intake, screens and the importer read.

It lives between `parse` (which fills it) and `tickets.intake` (which acts on it), and crosses a process border inside `bounded`:
therefore plain values only, and a wire form that is JSON plus raw bytes, never pickle: the parser's process reads hostile data.
"""

from __future__ import annotations

import json
import struct
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field, fields
from datetime import datetime
from typing import Any

MAX_PROBLEMS = 50

BOUNCE = "bounce"
FEEDBACK_REPORT = "feedback_report"
AUTO_REPLY = "auto_reply"
VACATION = "vacation"
READ_RECEIPT = "read_receipt"
CALENDAR_REPLY = "calendar_reply"
AUTO_GENERATED = "auto_generated"
LIST = "list"
BULK = "bulk"

# Nobody waits for an answer to these, and nobody wrote them: they neither open nor reopen a ticket. The other kinds (a monitoring
# alert, a newsletter) may open one, but never get an automatic answer.
OPENS_NOTHING = frozenset({BOUNCE, FEEDBACK_REPORT, AUTO_REPLY, VACATION, READ_RECEIPT, CALENDAR_REPLY})


@dataclass(frozen=True, slots=True)
class Address:
    """One mailbox: the name as shown (may be empty) and local-part@domain, case as written."""

    name: str
    email: str


@dataclass(frozen=True, slots=True)
class Attachment:
    """One file of a mail. `filename` is cleaned for people to read and never a path; `content_id` comes without angle brackets."""

    filename: str
    content_type: str
    size: int
    md5: str
    sha256: str
    inline: bool
    content_id: str | None
    data: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class Delivery:
    """One recipient of a delivery report (RFC 3464). `status` is the enhanced code such as 5.1.1, or empty."""

    address: str
    action: str  # failed, delayed, delivered, relayed, expanded; others as the server wrote them
    status: str
    reason: str

    @property
    def failed(self) -> bool:
        """The server has given up on this recipient (a delay is not yet a failure)."""
        return self.action == "failed"


@dataclass(frozen=True, slots=True)
class Mail:
    """A mail as people mean it. Strings hold no CR, NUL or lone surrogates; header strings hold no line breaks at all.

    `from_`, `to`, `cc`, `reply_to` are for reading (decoded, as the sender wrote them); `…_addresses` are for deciding.
    `from_email` is empty when the mail names no usable sender. `body_html` is sanitised and empty when there is only text;
    images of the mail itself stay as cid: references, remote images are left out and counted.
    `reply_text` is what the person wrote now, `quote_text` what folds below it (quote and signature): nothing is dropped between them.
    `reply_html` and `quote_html` are the same cut in `body_html`.
    """

    from_: str
    from_email: str
    from_display_name: str
    to: str
    cc: str
    reply_to: str
    to_addresses: tuple[Address, ...]
    cc_addresses: tuple[Address, ...]
    reply_to_addresses: tuple[Address, ...]
    delivered_to: tuple[str, ...]  # Delivered-To, X-Original-To, Envelope-To, in that order, addresses only
    subject: str
    date: datetime | None  # aware, UTC; the sender's claim
    message_id: str  # with angle brackets, as in_reply_to and references
    in_reply_to: str
    references: tuple[str, ...]
    body_text: str
    body_html: str
    reply_text: str
    quote_text: str
    reply_html: str
    quote_html: str
    language: str | None  # "ru", "en" or None
    automatic: str | None
    deliveries: tuple[Delivery, ...]
    attachments: tuple[Attachment, ...]
    authentication: tuple[str, ...]  # "Header-Name: raw value", top first; only the topmost can be our own server's
    signed: str | None  # "pgp", "smime" or None; a mark, not a verification
    encrypted: str | None
    forwarded_from: Address | None  # who wrote what was forwarded: a suggestion for the agent
    calendar_method: str | None  # REQUEST, REPLY, CANCEL …
    remote_images: int
    headers: tuple[tuple[str, str], ...]  # name as written, decoded value; bounded, in the order they stood
    problems: tuple[str, ...]

    @property
    def content_type(self) -> str:
        """text/html when there is HTML to show, else text/plain."""
        return "text/html" if self.body_html else "text/plain"

    @property
    def opens_nothing(self) -> bool:
        """This mail must neither open nor reopen a ticket."""
        return self.automatic in OPENS_NOTHING

    @property
    def failed(self) -> tuple[Delivery, ...]:
        """The recipients that a delivery report gives up on."""
        return tuple(one for one in self.deliveries if one.failed)

    def header(self, name: str) -> str | None:
        """The first value of a header by its name, any case; None when absent."""
        wanted = name.lower()
        return next((value for key, value in self.headers if key.lower() == wanted), None)

    def headers_named(self, name: str) -> list[str]:
        """All values of a header, top first."""
        wanted = name.lower()
        return [value for key, value in self.headers if key.lower() == wanted]


class Problems:
    """What was odd about a mail, in plain words, each thing once. Bounded: a hostile mail must not write a book."""

    def __init__(self) -> None:
        self._said: dict[str, None] = {}

    def note(self, words: str) -> None:
        """Remember one oddity."""
        if len(self._said) < MAX_PROBLEMS:
            self._said[words] = None

    def __iter__(self) -> Iterator[str]:
        return iter(self._said)


def as_json(mail: Mail) -> dict[str, Any]:
    """What `helpdesk mail parse` prints: null for a header that is absent, an empty string for one that names nobody."""

    def shown(name: str, value: str) -> str | None:
        return value if value or mail.header(name) is not None else None

    return {
        "from": shown("From", mail.from_),
        "from_email": mail.from_email,
        "from_display_name": mail.from_display_name,
        "to": shown("To", mail.to),
        "cc": shown("Cc", mail.cc),
        "reply_to": shown("Reply-To", mail.reply_to),
        "subject": shown("Subject", mail.subject),
        "body_text": mail.body_text,
        "body_html": mail.body_html or None,
        "reply_text": mail.reply_text,
        "automatic": mail.automatic,
        "attachments": [
            {"filename": one.filename, "content_type": one.content_type, "size": one.size, "md5": one.md5, "inline": one.inline}
            for one in mail.attachments
        ],
        "message_id": mail.message_id or None,
        "references": list(mail.references),
        "problems": list(mail.problems),
    }


_NAMES = tuple(one.name for one in fields(Mail))
_FILE = ("filename", "content_type", "size", "md5", "sha256", "inline", "content_id")


def to_wire(mail: Mail) -> bytes:
    """Bytes that `from_wire` reads back: a length (4 bytes, big-endian), JSON, then the attachments' data end to end."""
    plain: dict[str, Any] = {name: getattr(mail, name) for name in _NAMES}
    plain["date"] = mail.date.isoformat() if mail.date else None
    plain["attachments"] = [[getattr(one, name) for name in _FILE] for one in mail.attachments]
    plain["deliveries"] = [list(asdict(one).values()) for one in mail.deliveries]
    for name in ("to_addresses", "cc_addresses", "reply_to_addresses"):
        plain[name] = [[one.name, one.email] for one in plain[name]]
    if mail.forwarded_from:
        plain["forwarded_from"] = [mail.forwarded_from.name, mail.forwarded_from.email]
    head = json.dumps(plain, ensure_ascii=False, separators=(",", ":")).encode()
    return b"".join([struct.pack(">I", len(head)), head, *(one.data for one in mail.attachments)])


def from_wire(wire: bytes) -> Mail:
    """Read `to_wire` back. Raises ValueError when the bytes are not one whole mail."""
    if len(wire) < 4:
        raise ValueError("the parser's answer is cut short")
    (length,) = struct.unpack_from(">I", wire)
    plain: dict[str, Any] = json.loads(wire[4 : 4 + length])
    at = 4 + length
    attachments = []
    for values in plain["attachments"]:
        described = dict(zip(_FILE, values, strict=True))
        attachments.append(Attachment(**described, data=wire[at : at + described["size"]]))
        at += described["size"]
    if at != len(wire):
        raise ValueError("the parser's answer is cut short")
    plain["attachments"] = tuple(attachments)
    plain["date"] = datetime.fromisoformat(plain["date"]) if plain["date"] else None
    plain["deliveries"] = tuple(Delivery(*values) for values in plain["deliveries"])
    for name in ("to_addresses", "cc_addresses", "reply_to_addresses"):
        plain[name] = tuple(Address(*values) for values in plain[name])
    plain["forwarded_from"] = Address(*plain["forwarded_from"]) if plain["forwarded_from"] else None
    plain["headers"] = tuple((name, value) for name, value in plain["headers"])
    for name in ("delivered_to", "references", "authentication", "problems"):
        plain[name] = tuple(plain[name])
    return Mail(**plain)
