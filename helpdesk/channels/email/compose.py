"""How a mail of ours is written: its words from `templates/mail`, its bytes for the wire.

`out` asks for the words when it puts a mail into the outbox, `sending` for the bytes when the mail leaves. The same row gives the same
bytes on every try. Headers are folded here: the standard library breaks long Message-IDs into encoded words, which no reader puts
together again.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from email.header import Header
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime
from typing import Any

from flask import render_template
from flask_babel import force_locale, gettext

from helpdesk import files
from helpdesk.channels.email import texts
from helpdesk.channels.email.models import OutgoingKind
from helpdesk.crm import asking
from helpdesk.crm.satisfaction import Question
from helpdesk.tickets.words import paragraphs

MAX_REFERENCES = 12
#: Some servers cut what is longer (RFC 5322, 2.1.1, allows 998).
LONGEST_LINE = 900

_ID = re.compile(r"<[^<>\s\x00-\x1f\x7f]{1,290}>")
_LINE_END = re.compile(r"\r\n|\r|\n")
_UNPRINTABLE = re.compile(r"[\x00-\x1f\x7f\u2028\u2029]+")
_POLICY = SMTP.clone(cte_type="7bit")


@dataclass(frozen=True)
class Words:
    """A mail's subject and body, twice."""

    subject: str
    text: str
    html: str


@dataclass(frozen=True)
class File:
    """A file that goes along: where it lies, what people see."""

    object_key: str
    name: str
    content_type: str
    size: int = 0


@dataclass(frozen=True)
class Letter:
    """Everything the wire form is made of; plain values, so that it can be written outside any transaction."""

    header_id: str
    at: datetime
    from_name: str
    from_address: str
    to: Sequence[Sequence[str]]
    cc: Sequence[Sequence[str]]
    reply_to: str
    words: Words
    in_reply_to: str = ""
    references: str = ""
    automatic: str = ""  # auto-replied or auto-generated (RFC 3834, 5)
    language: str = ""
    files: tuple[File, ...] = ()
    unsubscribe: str = ""  # the link that ends mail of this kind (RFC 8058)


def words(kind: OutgoingKind, language: str, subject: str = "", **values: Any) -> Words:
    """A mail's words in the reader's language. Needs the application's context; `subject` empty takes the kind's own."""
    with force_locale(language):
        subject = subject or texts.subject(kind, values.get("number"))
        if kind is OutgoingKind.SURVEY:
            values["scores"] = _scores(values["question"])
        text_kind = texts.kind_of(kind, about_us=not values.get("number"), again=bool(values.get("again")))
        draft = texts.own(text_kind, language) if text_kind is not None else None
        if draft is not None:
            question = values["question"].words if kind is OutgoingKind.SURVEY else ""
            filled = {"ticket.number": str(values["number"] or ""), "link": values["link"], "question": str(question)}
            subject, text, html = texts.written(draft, language, filled, values.get("scores", []))
            return Words(_clean(subject)[:400], text, html)
        values = {**values, "language": language, "subject": subject, "paragraphs": paragraphs}
        text = render_template(f"mail/{kind}.txt", **values).strip() + "\n"
        html = render_template(f"mail/{kind}.html", **values)
    return Words(_clean(subject)[:400], text, html)


def answer_subject(subject: str, number: int) -> str:
    """The subject of an answer: marked as one once, with the ticket's number for people and old mail programs."""
    subject = _clean(subject)[:300]
    prefixed = subject if re.match(r"(?i)(?:re|aw|sv|ответ|отв)\s*:", subject) else f"Re: {subject}"
    return prefixed if f"[#{number}]" in prefixed else f"{prefixed} [#{number}]"


def wire(letter: Letter) -> bytes:
    """The mail as it goes to the server. Reads its files; raises NotFound when one is gone."""
    if not letter.files:
        return b"".join(_headers(letter)) + _two_texts(letter)
    body = EmailMessage(policy=_POLICY)
    body.set_content(letter.words.text, charset="utf-8")
    body.add_alternative(letter.words.html, subtype="html", charset="utf-8")
    for file in letter.files:
        main, _slash, sub = file.content_type.partition("/")
        if main in ("message", "multipart") or not sub:  # a mail inside a mail travels as a file
            main, sub = "application", "octet-stream"
        body.add_attachment(files.store().read(file.object_key), maintype=main, subtype=sub, filename=_clean(file.name) or "file")
    _name_boundaries(body, letter.header_id)
    return b"".join(_headers(letter)) + body.as_bytes()


def _two_texts(letter: Letter) -> bytes:
    """The body of a mail without files, plain and HTML. By hand: the library takes ten times as long, and most mails are like this."""
    boundary = _boundary(letter.header_id, 0)
    parts = [f'MIME-Version: 1.0\r\nContent-Type: multipart/alternative; boundary="{boundary}"\r\n'.encode()]
    for subtype, text in (("plain", letter.words.text), ("html", letter.words.html)):
        encoding, data = _seven_bits(text)
        head = f'Content-Type: text/{subtype}; charset="utf-8"\r\nContent-Transfer-Encoding: {encoding}\r\n\r\n'
        parts.append(f"--{boundary}\r\n{head}".encode() + data)
    return b"\r\n".join(parts) + f"\r\n--{boundary}--\r\n".encode()


def _seven_bits(text: str) -> tuple[str, bytes]:
    """A text as every server takes it (RFC 2045, 6): as it is, or quoted-printable where it is mostly ASCII, or base64."""
    lines = _LINE_END.split(text)
    data = "\r\n".join(lines).encode("utf-8", "replace")
    if data.isascii() and b"\0" not in data and all(len(line) <= LONGEST_LINE for line in lines):
        return "7bit", data
    if sum(byte > 126 for byte in data) * 6 <= len(data):
        return "quoted-printable", b"\r\n".join(binascii.b2a_qp(line).replace(b"=\n", b"=\r\n") for line in data.split(b"\r\n"))
    return "base64", base64.encodebytes(data).replace(b"\n", b"\r\n").rstrip()


def references(header_ids: Iterable[str]) -> str:
    """The thread so far as a References value: the first mail and the latest ones."""
    known = [header_id for header_id in dict.fromkeys(header_ids) if _ID.fullmatch(header_id)]
    return " ".join(known if len(known) <= MAX_REFERENCES else known[:1] + known[1 - MAX_REFERENCES :])


def _headers(letter: Letter) -> Iterable[bytes]:
    yield _line("Date", format_datetime(letter.at))
    yield _line("Message-ID", letter.header_id)
    yield _line("From", _people([(letter.from_name, letter.from_address)]))
    yield _line("To", _people(letter.to))
    if letter.cc:
        yield _line("Cc", _people(letter.cc))
    if letter.reply_to and letter.reply_to != letter.from_address:
        yield _line("Reply-To", letter.reply_to)
    yield _line("Subject", _encoded(letter.words.subject, "Subject"))
    if _ID.fullmatch(letter.in_reply_to):
        yield _line("In-Reply-To", letter.in_reply_to)
    ids = _ID.findall(letter.references)
    if ids:
        yield _line("References", "\r\n ".join(ids))
    if letter.automatic:
        yield _line("Auto-Submitted", letter.automatic)
        yield _line("X-Auto-Response-Suppress", "All")
    if letter.unsubscribe:
        yield _line("Precedence", "bulk")
        yield _line("List-Unsubscribe", f"<{letter.unsubscribe}>")
        yield _line("List-Unsubscribe-Post", "List-Unsubscribe=One-Click")
    if letter.language:
        yield _line("Content-Language", letter.language)


def _line(name: str, value: str) -> bytes:
    """One header. A line break may only be our own folding: what people or programs gave us was cleaned before, or is refused here."""
    if re.search(r"\r(?!\n )|(?<!\r)\n|\n(?! )|\x00", value):
        raise ValueError(f"a line break in {name}")
    return f"{name}: {value}\r\n".encode()


def _people(people: Iterable[Sequence[str]]) -> str:
    shown = []
    for name, address in people:
        name, address = _clean(name), _clean(address).replace(" ", "")
        if not name or name == address:
            shown.append(address)
        elif name.isascii():
            quoted = name.replace("\\", "\\\\").replace('"', '\\"')
            shown.append(f'"{quoted}" <{address}>')
        else:
            shown.append(f"{_encoded(name, 'To')} <{address}>")
    return ",\r\n ".join(shown)


def _encoded(text: str, header: str) -> str:
    text = _clean(text)
    return Header(text, None if text.isascii() else "utf-8", maxlinelen=76, header_name=header).encode(linesep="\r\n")


def _clean(text: str) -> str:
    return " ".join(_UNPRINTABLE.sub(" ", text).split())


def _name_boundaries(body: EmailMessage, header_id: str) -> None:
    for number, part in enumerate(part for part in body.walk() if part.is_multipart()):
        part.set_boundary(_boundary(header_id, number))


def _boundary(header_id: str, number: int) -> str:
    return f"=_{hashlib.sha256(header_id.encode()).hexdigest()[:32]}_{number}"


def _scores(question: asking.Ask) -> list[tuple[int, str]]:
    """The answers to choose from in a mail, the best first; in words where there are words for each, else at the ends."""
    if question.kind is Question.CSAT:
        named = [gettext("very bad"), gettext("bad"), gettext("so-so"), gettext("good"), gettext("very good")]
        return [(score, named[score - 1]) for score in range(5, 0, -1)]
    least, most = question.scale
    ends = {least: str(question.ends[0]), most: str(question.ends[1])}
    return [(score, ends.get(score, "")) for score in range(most, least - 1, -1)]
