"""SPF (RFC 7208): whether the domain of the envelope's sender lets the machine that handed the mail over speak for it.

Asked only where the listener itself took the mail from outside and no server in front of us did the looking. Two halves with a process
border between them, as with signatures: `answer` reads the domain's hostile records with pyspf inside the parser's guarded child, which has
no business with the network; whatever record it misses it names, and `checked` asks DNS for that one and hands it in. The library counts
look-ups by the RFC's limits; here their sum and the time are bounded too. Called by intake outside transactions.
"""

from __future__ import annotations

import ipaddress
import json
import time
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from . import dmarc, names

#: All look-ups of one mail together; the one that is under way when it is over ends by itself (`names.LOOKUP_S`).
PATIENCE_S = 10.0
MOST_QUESTIONS = 40
KINDS = ("TXT", "A", "AAAA", "MX", "PTR")
RESULTS = ("pass", "fail", "softfail", "neutral", "none", "temperror", "permerror")

Network = ipaddress.IPv4Network | ipaddress.IPv6Network


@dataclass(frozen=True)
class Spf:
    """RFC 7208's word, and the domain that it vouches for: the envelope's on a pass, empty otherwise and where its owner is stricter."""

    result: str
    domain: str = ""


def outside(peer: object, relays: Iterable[Network]) -> str:
    """The address of a machine that is a stranger to us; empty for our own house, our relays, and what is no address of the internet."""
    try:
        address = ipaddress.ip_address(str(peer).partition("%")[0])
    except ValueError:
        return ""
    address = getattr(address, "ipv4_mapped", None) or address
    if not address.is_global or address.is_multicast or any(address in network for network in relays):
        return ""
    return str(address)


def checked(peer: str, helo: str, sender: str, author: str) -> Spf:
    """What the envelope's domain says of this peer, for a mail that names an author at the domain `author`. Asks DNS; never raises."""
    from .bounded import ParseFailed, verify

    local, _at, domain = sender.rpartition("@")
    domain = _ascii(domain)
    if not local or not dmarc.NAME.fullmatch(domain):
        return Spf("none")
    known: dict[str, list[str] | None] = {}
    until = time.monotonic() + PATIENCE_S
    for _question in range(MOST_QUESTIONS):
        question = {"peer": peer, "helo": _ascii(helo), "sender": f"{local}@{domain}", "known": known}
        try:
            said = json.loads(verify(json.dumps(question).encode(), what=b"S"))
        except (ParseFailed, ValueError):
            return Spf("permerror")
        if "result" in said:
            result = said["result"] if said["result"] in RESULTS else "permerror"
            vouches = result == "pass" and (domain == author or not dmarc.strict(author, "aspf"))
            return Spf(result, domain if vouches else "")
        kind, _space, name = str(said["ask"]).partition(" ")
        if kind not in KINDS or time.monotonic() > until:
            break
        try:
            known[f"{kind} {name}"] = [one.decode("latin-1") for one in names.records(name, kind)]
        except names.Unanswered:
            known[f"{kind} {name}"] = None
    return Spf("temperror")


class _Missing(BaseException):
    """A record that was not handed in yet. Not an Exception: the library must not make a result of it."""


def answer(question: bytes) -> bytes:
    """{"result": …}, or {"ask": "KIND name"} for the record that it takes to go on, as JSON. Runs only in the child."""
    import spf

    asked = json.loads(question)

    def look_up(name: str, kind: str, *_more: Any) -> list[tuple[tuple[str, str], Any]]:
        key = f"{kind} {str(name).rstrip('.').lower()}"
        if key not in asked["known"]:
            raise _Missing(key)
        found = asked["known"][key]
        if found is None:
            raise spf.TempError("nobody answered")
        return [((name, kind), _as_read(kind, one)) for one in found]

    spf.DNSLookup = look_up
    query = spf.query(i=asked["peer"], s=asked["sender"], h=asked["helo"], receiver="helpdesk", strict=True)
    query.get_explanation = lambda _spec: None  # words that the domain's owner wrote for a refusal: nobody reads them here
    try:
        return json.dumps({"result": query.check()[0]}).encode()
    except _Missing as missing:
        return json.dumps({"ask": str(missing)}).encode()


def _as_read(kind: str, text: str) -> Any:
    """A record as the library expects it."""
    if kind == "TXT":
        return (text.encode("latin-1"),)
    if kind == "MX":
        preference, _space, host = text.partition(" ")
        return int(preference), host
    return text


def _ascii(domain: str) -> str:
    domain = domain.strip().rstrip(".").lower()
    try:
        return domain if domain.isascii() else domain.encode("idna").decode("ascii")
    except UnicodeError:
        return ""
