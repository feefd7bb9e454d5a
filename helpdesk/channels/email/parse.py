"""A mail understood: raw bytes in, one `Mail` out. Pure; never raises on any bytes; linear in their number.

The path: `mime` cuts, `headers` and `addresses` read who and what, `bodies` tells words from files, `sanitise` and `visible` make the
words safe and plain, `quotes` folds what is old, `automatic` says whether a person wrote. For mail from outside call `bounded.parse`,
which runs this where it can do no harm.
"""

from __future__ import annotations

import dataclasses
import re
from html import escape

from . import addresses, automatic, bodies, calendars, forwarded, headers, language, quotes, sanitise, visible
from .mail import Address, Attachment, Delivery, Mail, Problems
from .mime import Part, fields_of
from .mime import read as read_parts

MAX_TEXT = 2 * 1024 * 1024  # characters of body text; the rest is in the raw mail
MAX_HEADERS = 300
MAX_HEADERS_SIZE = 128 * 1024
_DELIVERED = ("delivered-to", "x-original-to", "envelope-to", "x-envelope-to", "x-rcpt-to", "x-forwarded-to")
_AUTHENTICATION = ("authentication-results", "arc-authentication-results", "received-spf")
_INLINE_PGP = re.compile(r"(?m)^-----BEGIN PGP (MESSAGE|SIGNED MESSAGE)-----$")


@dataclasses.dataclass(slots=True)
class _Body:
    """The words, whole and cut: `reply` and `quote` are the two sides of the fold."""

    text: str = ""
    html: str = ""
    reply: str = ""
    quote: str = ""
    reply_html: str = ""
    quote_html: str = ""
    remote_images: int = 0


def parse(raw: bytes) -> Mail:
    """Understand one mail (RFC 5322, or whatever came instead). What was odd about it stands in `problems`, in plain words."""
    problems = Problems()
    root = read_parts(raw, problems)
    fields = root.fields
    if not fields.all:
        problems.note("has no header")
    charset = root.charset
    contents = bodies.gather(root, problems)
    from_ = _sender(fields, problems, charset)
    reply_to = addresses.read(fields.raw("reply-to"), problems, charset, "Reply-To")
    to = addresses.read(fields.raw("to"), problems, charset, "To")
    cc = addresses.read(fields.raw("cc"), problems, charset, "Cc")
    subject = headers.subject(fields.raw("subject"), problems, charset)
    body = _body(contents, problems)
    who = _usable_sender(from_, reply_to, fields, problems)
    encrypted, signed = _sealed(contents, body, problems)
    kind = automatic.classify(
        root, contents.leaves, subject=subject, from_=from_.shown, text=body.text,
        calendar_reply=calendars.is_reply(contents.calendar_method), problems=problems,
    )  # fmt: skip
    delivered: tuple[Delivery, ...] = ()
    if kind == "bounce":
        delivered = automatic.deliveries(contents.leaves, root, body.text, problems)
    return Mail(
        from_=from_.shown,
        from_email=who.email,
        from_display_name=who.name,
        to=to.shown if "@" in to.shown else "",
        cc=cc.shown if "@" in cc.shown else "",
        reply_to=reply_to.shown,
        to_addresses=to.addresses,
        cc_addresses=cc.addresses,
        reply_to_addresses=reply_to.addresses,
        delivered_to=_delivered_to(fields, problems),
        subject=subject,
        date=headers.date(headers.text(fields.raw("date"), problems), problems),
        message_id=next(iter(headers.identifiers(headers.text(fields.raw("message-id"), problems))), ""),
        in_reply_to=next(iter(headers.identifiers(headers.text(fields.raw("in-reply-to"), problems))), ""),
        references=headers.identifiers(headers.text(fields.raw("references"), problems)),
        body_text=body.text,
        body_html=body.html,
        reply_text=body.reply,
        quote_text=body.quote,
        reply_html=body.reply_html,
        quote_html=body.quote_html,
        language=language.guess(body.reply or subject) or language.guess(subject),
        automatic=kind,
        deliveries=delivered,
        attachments=tuple(_shown_in_place(one, body.html) for one in contents.attachments),
        authentication=_authentication(fields, problems),
        signed=signed,
        encrypted=encrypted,
        forwarded_from=_forwarded_from(subject, body, contents, problems),
        calendar_method=contents.calendar_method,
        remote_images=body.remote_images,
        headers=_headers(fields, charset),
        problems=tuple(problems),
    )


def _sender(fields: headers.Fields, problems: Problems, charset: str | None) -> addresses.People:
    """The From header; of several the first that names somebody, as those who verify DMARC read it."""
    values = fields.every("from")
    if len(values) > 1:
        problems.note("has more than one From: the sender cannot be trusted")
    read = [addresses.read(value, problems, charset, "From") for value in values[:5]]
    return next((one for one in read if one.addresses), read[-1] if read else addresses.People("", ()))


def _usable_sender(from_: addresses.People, reply_to: addresses.People, fields: headers.Fields, problems: Problems) -> Address:
    """An address to answer to: From, else Reply-To, Sender or Return-Path (noted). Empty when there is none at all."""
    if from_.addresses:
        if len(from_.addresses) > 1:
            problems.note("names several senders; the first one counts")
        who = from_.addresses[0]
        addresses.suspicions(who, problems)
        return who if who.name != who.email else Address("", who.email)
    name = _name_alone(from_.shown)
    for title in ("Reply-To", "Sender", "Return-Path"):
        people = reply_to if title == "Reply-To" else addresses.read(fields.raw(title.lower()), problems, None, title)
        if people.addresses:
            problems.note(f"From names no address; the one in {title} was taken")
            return Address(name, people.addresses[0].email)
    problems.note("names no sender")
    return Address(name, "")


def _name_alone(shown: str) -> str:
    """The name in a From without a usable address: what stands in a comment, or before the brackets."""
    comment = re.search(r"\(([^()]+)\)\s*$", shown[-500:])
    return comment[1].strip() if comment else shown.partition("<")[0].strip().strip('"').strip()


def _body(contents: bodies.Contents, problems: Problems) -> _Body:
    words = contents.words or ([bodies.Words(html=contents.tnef_html)] if contents.tnef_html else [])
    remote = sum(sanitise.remote_images(one.html) for one in words if one.html)
    pieces = [_piece(one) for one in words]
    if any(html for html, _ in pieces):
        return _html_body("\n".join(html or f"<div>{sanitise.html_of(plain)}</div>" for html, plain in pieces if html or plain), remote)
    text = "\n".join(plain for _, plain in pieces if plain) or (calendars.summary(contents.calendar) if contents.calendar else "")
    if len(text) > MAX_TEXT:
        problems.note("has a very long text; its end is only in the original")
        text = text[:MAX_TEXT]
    reply, quote = quotes.split_text(text)
    return _Body(text=text, reply=reply, quote=quote, remote_images=remote)


def _piece(one: bodies.Words) -> tuple[str, str]:
    """A stretch of body as sanitised HTML, empty when that shows nothing, and as plain text."""
    if one.image:
        return f'<p><img src="cid:{escape(one.image)}"></p>', ""
    html = sanitise.sanitise(one.html) if one.html else ""
    return (html if html and sanitise.has_content(html) else ""), one.plain


def _html_body(html: str, remote: int) -> _Body:
    """Sanitised HTML, its text, and both cut where the reply ends."""
    html = html.strip("\n")
    lines = visible.lines(html)
    text = "\n".join(line.text for line in lines).strip("\n")[:MAX_TEXT]
    rows = [quotes.Row("_" * 32 if line.rule else line.text, line.depth > 0) for line in lines]
    at = quotes.fold(rows)
    if at >= len(lines):
        return _Body(text, html, _marked(lines), "", html, "", remote)
    reply_html, quote_html = visible.split_at(html, lines[at].offset)
    return _Body(text, html, _marked(lines[:at]), _marked(lines[at:]), reply_html, quote_html, remote)


def _marked(lines: list[visible.Line]) -> str:
    """Lines as plain text, quoted ones with their signs."""
    return "\n".join("> " * min(line.depth, 10) + line.text for line in lines).strip("\n")[:MAX_TEXT]


def _sealed(contents: bodies.Contents, body: _Body, problems: Problems) -> tuple[str | None, str | None]:
    encrypted, signed = contents.encrypted, contents.signed
    if found := _INLINE_PGP.search(body.text[:100_000]):
        if found[1] == "MESSAGE":
            encrypted = encrypted or "pgp"
        else:
            signed = signed or "pgp"
    if encrypted:
        problems.note("is encrypted; its text cannot be read here")
    return encrypted, signed


def _shown_in_place(one: Attachment, html: str) -> Attachment:
    if not one.inline and one.content_id and f"cid:{one.content_id}" in html:
        return dataclasses.replace(one, inline=True)
    return one


def _delivered_to(fields: headers.Fields, problems: Problems) -> tuple[str, ...]:
    found: dict[str, None] = {}
    for name in _DELIVERED:
        for value in fields.every(name)[:20]:
            for one in addresses.read(value, problems, None, name).addresses[:20]:
                found[one.email] = None
    return tuple(found)


def _authentication(fields: headers.Fields, problems: Problems) -> tuple[str, ...]:
    found = [field for field in fields.all if field.name.lower() in _AUTHENTICATION]
    return tuple(f"{field.name}: {headers.text(field.value, problems)}" for field in found[:20])


def _headers(fields: headers.Fields, charset: str | None) -> tuple[tuple[str, str], ...]:
    kept: list[tuple[str, str]] = []
    size = 0
    for field in fields.all[:MAX_HEADERS]:
        value = headers.text(field.value, Problems(), charset)
        size += len(value)
        if size > MAX_HEADERS_SIZE:
            break
        kept.append((field.name, value))
    return tuple(kept)


def _forwarded_from(subject: str, body: _Body, contents: bodies.Contents, problems: Problems) -> Address | None:
    found = forwarded.sender(subject, body.text)
    if found is None:
        whole = [part for part in contents.leaves if part.content_type == "message/rfc822"]
        if len(whole) == 1 and len(contents.leaves) <= 2 and len(body.text) < 2000:
            return _writer_of(whole[0], problems)
    return found


def _writer_of(part: Part, problems: Problems) -> Address | None:
    data = part.body(problems)
    inner, _ = fields_of(data, 0, len(data), Problems())
    named = addresses.read(inner.raw("from"), Problems(), None, "From").addresses
    return named[0] if named else None
