"""Marks by which an answer finds its ticket: in the address it goes to, and in the Message-ID it refers to.

`out` writes them into what leaves, `belonging` reads them from what arrives. Signed, so that a counter in an address grants nothing;
short and in small letters, because a local part has 64 characters (RFC 5321, 4.5.3.1.1) and some servers change capitals. A mark alone
opens nothing either: its bearer must take part in the ticket.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
import secrets
from dataclasses import dataclass

from helpdesk import links

_DIGITS = "0123456789abcdefghijklmnopqrstuvwxyz"
_IN_ADDRESS = re.compile(r"\+r\.([0-9a-z]{1,13})\.([0-9a-z]{1,13})\.([a-z2-7]{16})$")
_IN_ID = re.compile(r"<hd\.([0-9a-z]{1,13})\.([0-9a-z]{16})\.([a-z2-7]{16})@[^<>\s]{1,200}>", re.I)
_IN_BYTES = re.compile(_IN_ID.pattern.encode(), re.I)
MAX_LOCAL = 64


@dataclass(frozen=True, slots=True)
class Mark:
    """What a mark says. `genuine`: signed by this desk; a forged one counts for nothing but a warning. `contact_id` only in addresses."""

    ticket_id: int
    genuine: bool
    contact_id: int | None = None


def reply_address(address: str, ticket_id: int, contact_id: int) -> str:
    """Where an answer of this contact about this ticket goes: local+r.TICKET.CONTACT.SIGNATURE@domain.

    The plain address when the mark does not fit into a local part.
    """
    local, _at, domain = address.rpartition("@")
    ticket, contact = _word(ticket_id), _word(contact_id)
    marked = f"{local}+r.{ticket}.{contact}.{_signed('reply', ticket, contact)}"
    return f"{marked}@{domain}" if len(marked) <= MAX_LOCAL else address


def in_address(address: str) -> Mark | None:
    """The mark an address carries, if any."""
    found = _IN_ADDRESS.search(address.rpartition("@")[0].lower())
    if found is None:
        return None
    ticket, contact, signature = found.groups()
    return Mark(_number(ticket), _genuine(signature, "reply", ticket, contact), _number(contact))


def message_id(ticket_id: int, domain: str) -> str:
    """A new Message-ID for a mail about a ticket; unique, and signed so that a reference to it can be believed."""
    ticket, chance = _word(ticket_id), secrets.token_hex(8)
    return f"<hd.{ticket}.{chance}.{_signed('id', ticket, chance)}@{domain}>"


def in_message_id(header_id: str) -> Mark | None:
    """The mark a Message-ID carries, if it looks like one of ours."""
    found = _IN_ID.fullmatch(header_id)
    if found is None:
        return None
    ticket, chance, signature = (word.lower() for word in found.groups())
    return Mark(_number(ticket), _genuine(signature, "id", ticket, chance))


def message_ids_in(raw: bytes, *, most: int = 20) -> list[str]:
    """Genuine Message-IDs of ours anywhere in a mail: a delivery report quotes the mail it is about in many ways."""
    found: dict[str, None] = {}
    for match in _IN_BYTES.finditer(raw[: 1 << 20]):
        word = match[0].decode("ascii", "replace")
        mark = in_message_id(word)
        if mark is not None and mark.genuine:
            found[word] = None
        if len(found) >= most:
            break
    return list(found)


def plain(address: str) -> str:
    """An address without its plus part, in small letters: what inboxes are called by."""
    local, _at, domain = address.strip().lower().rpartition("@")
    return f"{local.partition('+')[0] or local}@{domain}"


def _word(number: int) -> str:
    """A number in base 36."""
    word = ""
    while number or not word:
        number, digit = divmod(number, 36)
        word = _DIGITS[digit] + word
    return word


def _number(word: str) -> int:
    """0, which is no row's id, for what is larger than any."""
    number = int(word, 36)
    return number if number < 1 << 62 else 0


def _signed(*words: str) -> str:
    return _signature(links.secret_keys()[0], words)


def _genuine(signature: str, *words: str) -> bool:
    return any(hmac.compare_digest(signature, _signature(key, words)) for key in links.secret_keys())


def _signature(key: str, words: tuple[str, ...]) -> str:
    """80 bits of HMAC-SHA256; guessing one takes more mails than a server will ever take in."""
    digest = hmac.new(b"helpdesk.mail." + key.encode(), ".".join(words).encode(), hashlib.sha256).digest()
    return base64.b32encode(digest[:10]).decode().lower()
