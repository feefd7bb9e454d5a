"""DKIM (RFC 6376): which domains signed a mail, checked here when no server in front of us did.

Two halves with a process border between them. `signers` asks DNS for the keys (`names`), where the network may wait; `answer` checks
the signatures with dkimpy inside the parser's guarded child, where hostile bytes may burn their ten seconds. Called by intake outside
transactions.
"""

from __future__ import annotations

import json
import re
import struct

from . import dmarc, names
from .mail import Mail

MAX_SIGNATURES = 3
_TAG = re.compile(r"(?:^|;)\s*([a-zA-Z]+)\s*=\s*([^;]*)")


def signed(raw: bytes) -> bool:
    """Whether the header speaks of a signature, seen without parsing."""
    return b"dkim-signature:" in raw[: 1 << 16].lower()


def signers(raw: bytes, mail: Mail) -> list[str]:
    """The domains whose signatures over the whole mail, its From included, are valid. Never raises; unsure means not valid."""
    from .bounded import ParseFailed, verify

    if len(mail.from_email) == 0 or any(
        problem.startswith(("has more than one From", "names several senders")) for problem in mail.problems
    ):
        return []
    keys: dict[str, str] = {}
    for name in _key_names(mail):
        found = names.texts(name)
        if len(found) == 1:
            keys[name] = found[0].decode("ascii", "replace")
    if not keys:
        return []
    try:
        said = json.loads(verify(ask(raw, keys)))
    except (ParseFailed, ValueError):
        return []
    valid = [str(domain).lower() for domain in said]
    author = mail.from_email.rpartition("@")[2].lower()
    return [domain for domain in valid if not dmarc.strict(author, "adkim") or domain == author]


def ask(raw: bytes, keys: dict[str, str]) -> bytes:
    """The question for the child: a length (4 bytes, big-endian), the keys as JSON, the mail."""
    head = json.dumps(keys).encode()
    return struct.pack(">I", len(head)) + head + raw


def answer(question: bytes) -> bytes:
    """The domains with a valid signature, as JSON. Runs only in the child."""
    import dkim

    (length,) = struct.unpack_from(">I", question)
    keys = json.loads(question[4 : 4 + length])

    def known(name: bytes, timeout: int = 5) -> bytes | None:
        found = keys.get(name.decode("ascii", "replace").rstrip(".").lower())
        return found.encode() if found is not None else None

    valid: list[str] = []
    checker = dkim.DKIM(_with_line_ends(question[4 + length :]))
    count = sum(1 for name, _value in checker.headers if name.lower() == b"dkim-signature")
    for index in range(min(count, MAX_SIGNATURES)):
        try:
            good = checker.verify(index, dnsfunc=known)
        except Exception:  # whatever the library makes of a hostile signature: it is not valid
            continue
        covered = [name.strip().lower() for name in checker.signature_fields.get(b"h", b"").split(b":")]
        if good and b"l" not in checker.signature_fields and b"from" in covered:  # l= leaves room for words that nobody signed
            valid.append(checker.domain.decode("ascii", "replace").lower())
    return json.dumps(valid).encode()


def _key_names(mail: Mail) -> list[str]:
    """Where the keys of a mail's first signatures are published."""
    found: dict[str, None] = {}
    values = [value for name, value in mail.headers if name.lower() == "dkim-signature"]
    for value in values[:MAX_SIGNATURES]:
        tags = {name.lower(): re.sub(r"\s+", "", text).lower() for name, text in _TAG.findall(value[:8192])}
        name = f"{tags.get('s', '')}._domainkey.{tags.get('d', '')}"
        if tags.get("s") and tags.get("d") and dmarc.NAME.fullmatch(name):
            found[name] = None
    return list(found)


def _with_line_ends(raw: bytes) -> bytes:
    """As it was signed: a mailbox file or a pipe may have taken the CRs."""
    return raw if b"\r\n" in raw[:4096] else raw.replace(b"\n", b"\r\n")
