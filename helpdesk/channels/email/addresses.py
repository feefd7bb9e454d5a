"""Address headers: who is meant, and how to show it. Strict first (RFC 5322, 3.4), lenient when that fails; linear and bounded.

A header that follows the grammar is shown in one canonical form; one that does not is shown as it was sent, decoded, and its addresses
are picked out of it. Used by `parse` and `forwarded`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from . import headers
from .charsets import clean
from .mail import Address, Problems

MAX_ADDRESSES = 1000
MAX_LENGTH = 320  # local part 64, @, domain 255 (RFC 5321, 4.5.3.1)

_TOKEN = re.compile(
    r"""(?P<quoted>"(?:[^"\\]|\\.)*")|(?P<comment>\([^()]*(?:\([^()]*\)[^()]*)*\))|(?P<angle><[^<>]*>)"""
    r"""|(?P<space>\s+)|(?P<special>[,:;])|(?P<literal>\[[^\[\]\\]*\])|(?P<atom>[^\s"(),:;<>\[\]\\]+)""",
    re.S,
)
_LOCAL = r'(?:[^\s"(),:;<>@\[\]\\]+|"(?:[^"\\]|\\.)*")'
_ADDR_SPEC = re.compile(rf"\s*(?:@[^:<>]*:)?\s*({_LOCAL}@(?:[^\s\"(),:;<>@\[\]\\]+|\[[^\[\]\\]*\]))\s*")
_BARE = re.compile(rf"{_LOCAL}(?:@(?:[^\s\"(),:;<>@\[\]\\]+|\[[^\[\]\\]*\]))?")
_NEEDS_QUOTES = re.compile(r'[()<>\[\]:;@\\,."\x00-\x1f\x7f]|[^\x00-\x7f]')
_ANGLE = re.compile(r"<([^<>]{1,400})>")
_SEPARATORS = re.compile(r'[\s<>(),;:"\[\]]+')
_PLAUSIBLE = re.compile(r'(?:[^\s"(),:;<>@\[\]\\]+|"[^"\\\x00-\x1f]{1,64}")@(?:[^\s"(),:;<>@\[\]\\]+|\[[^\s\[\]\\]+\])')
_JAPANESE_AS_SENT = b"=?ISO-2022-JP?B?"
_CYRILLIC_OR_GREEK = re.compile("[\u0370-\u052f]")
_LATIN = re.compile("[a-z]")


@dataclass(frozen=True, slots=True)
class People:
    """An address header understood: how to show it, and whom it names (empty when nobody)."""

    shown: str
    addresses: tuple[Address, ...]


@dataclass(slots=True)
class _Mailbox:
    name: str
    email: str
    comments: list[str]


def read(value: bytes | None, problems: Problems, charset: str | None = None, where: str = "an address header") -> People:
    """Understand one To, Cc, From … value. Never raises; what cannot be read as addresses is still shown."""
    if not value:
        return People("", ())
    value = headers.unfolded(_bounded(value, problems, where))
    sent = value.decode("ascii") if value.isascii() else headers.plain(value, problems, charset)
    mailboxes = None if _JAPANESE_AS_SENT in value else _strict(sent)
    if mailboxes is None:
        shown = headers.visible(headers.text(value, problems, charset), where, problems)
        return People(shown, _picked(shown, problems))
    for mailbox in mailboxes:
        mailbox.name = _decoded(mailbox.name, where, problems)
        mailbox.email = _decoded(mailbox.email, where, problems)
        mailbox.comments = [_decoded(comment, where, problems) for comment in mailbox.comments]
    shown = ", ".join(_shown(mailbox) for mailbox in mailboxes)
    if any(mailbox.name.endswith("?=") for mailbox in mailboxes):  # a comma inside an encoded word, which RFC 2047 forbids
        return People(shown, _picked(headers.visible(headers.text(value, problems, charset), where, problems), problems))
    named = tuple(Address(mailbox.name or " ".join(mailbox.comments), mailbox.email) for mailbox in mailboxes if plausible(mailbox.email))
    return People(shown, named[:MAX_ADDRESSES])


def plausible(email: str) -> bool:
    """Could be an address that mail reaches: one local part, one domain, no spaces, not longer than SMTP carries."""
    return len(email) <= MAX_LENGTH and _PLAUSIBLE.fullmatch(email) is not None


def suspicions(who: Address, problems: Problems) -> None:
    """Note what makes a sender look like somebody else: another address in the name, letters of two scripts in one domain label."""
    shown = [word for word in _SEPARATORS.split(who.name.lower()) if "@" in word and plausible(word.strip("'.,"))]
    if shown and all(word.strip("'.,") != who.email.lower() for word in shown):
        problems.note(f"the sender's name shows another address ({shown[0][:80]}) than the real one ({who.email[:80]})")
    domain = who.email.rpartition("@")[2].lower()
    for label in domain.split("."):
        if label.startswith("xn--") and len(label) < 64:
            try:
                label = label.encode("ascii").decode("idna")
            except UnicodeError:
                continue
        if not label.isascii() and _CYRILLIC_OR_GREEK.search(label) and _LATIN.search(label):
            problems.note(f"the sender's domain mixes look-alike letters of two scripts ({domain[:80]})")


def _bounded(value: bytes, problems: Problems, where: str) -> bytes:
    if len(value) <= headers.MAX_VALUE and value.count(b",") < MAX_ADDRESSES:
        return value
    value = value[: headers.MAX_VALUE]
    kept = b",".join(value.split(b",", MAX_ADDRESSES)[:MAX_ADDRESSES])
    if len(kept) == headers.MAX_VALUE and b"," in kept:  # cut inside an address: leave that one out
        kept = kept[: kept.rfind(b",")]
    problems.note(f"{where} names very many people; only the first ones were read")
    return kept


def _strict(value: str) -> list[_Mailbox] | None:
    """The mailboxes of an address list, or None when it breaks the grammar. Groups dissolve into their members."""
    found: list[_Mailbox] = []
    words: list[str] = []
    comments: list[str] = []
    angle: str | None = None
    glued = ""  # the words as they stand, for an address without brackets
    at = 0

    def finish() -> bool:
        nonlocal angle, glued
        if angle is not None:
            spec = _ADDR_SPEC.fullmatch(angle[1:-1])
            if spec is None or any("@" in word for word in words if word[:1] != '"'):
                return False
            found.append(_Mailbox(" ".join(_unquoted(word) for word in words), spec[1], list(comments)))
        elif words:
            if len(words) > 1 or not _BARE.fullmatch(glued) or (glued[0] == '"' and "@" not in glued[-MAX_LENGTH:].rpartition('"')[2]):
                return False
            found.append(_Mailbox("", glued, list(comments)))
        words.clear()
        comments.clear()
        angle, glued = None, ""
        return True

    while at < len(value):
        match = _TOKEN.match(value, at)
        if match is None:
            return None
        at = match.end()
        kind, token = match.lastgroup, match[0]
        if kind == "comment":
            comments.append(token[1:-1].strip())
        elif kind == "special":
            if token == ":":  # the name of a group
                words.clear()
                comments.clear()
                glued = ""
                if angle is not None:
                    return None
            elif not finish():
                return None
        elif kind == "angle":
            if angle is not None:
                return None
            angle = token
        elif kind != "space":
            if angle is not None or (kind == "literal" and not glued.endswith("@")):
                return None
            if words and value[match.start() - 1] not in " \t\r\n)":  # "john doe"@example.org is one word
                words[-1] += token
                glued += token
            else:
                words.append(token)
                glued += token
    return found if finish() else None


def _picked(shown: str, problems: Problems) -> tuple[Address, ...]:
    """The addresses inside a value that breaks the grammar, each with the words before it as its name.

    Where there are angle brackets, only what they hold whole can be an address: a part of it would be somebody else's.
    """
    found: list[Address] = []
    if "<" in shown:
        begin = 0
        for match in _ANGLE.finditer(shown):
            if plausible(match[1].strip()) and len(found) < MAX_ADDRESSES:
                before = shown[begin : match.start()].strip().strip('"<').strip()
                name = before if shown.count("<") == 1 else re.split(r'[,;"]', before)[-1]
                found.append(Address(name.strip(), match[1].strip()))
            begin = match.end()
    else:
        at = 0
        for token in _SEPARATORS.split(shown):
            email = token.strip("'.,")
            if "@" in email and plausible(email) and len(found) < MAX_ADDRESSES:
                start = shown.index(email, at)
                found.append(Address(re.sub(r'[",;:()\s]+', " ", shown[at:start]).strip().strip("'"), email))
                at = start + len(email)
    if found:
        problems.note("an address header is not written by the rules; its addresses were picked out")
    return tuple(found)


def _decoded(value: str, where: str, problems: Problems) -> str:
    if "=?" in value:
        value = headers.text(value.encode("utf-8", "replace"), problems)
    return headers.visible(headers.one_line(clean(value)), where, problems)


def _shown(mailbox: _Mailbox) -> str:
    parts = [mailbox.email]
    if mailbox.name:
        name = mailbox.name
        if _NEEDS_QUOTES.search(name):
            name = '"' + name.replace("\\", "\\\\").replace('"', '\\"') + '"'
        parts = [name, f"<{mailbox.email}>"]
    return " ".join(parts + [f"({comment})" for comment in mailbox.comments])


def _unquoted(word: str) -> str:
    if word[:1] == '"' and word[-1:] == '"' and len(word) >= 2:
        return re.sub(r"\\(.)", r"\1", word[1:-1])
    return word
