"""Which of its inboxes a mail from an account is for: by the addresses in its header, read before anything is parsed.

One account may be fetched for several inboxes: mail that was sent to support@ and billing@ lies in one place. What servers noted on the way
(X-Original-To, Envelope-To, Delivered-To) says it best when it names another inbox than the account's main one; the main one's own address
is only where the account lies. Then To and Cc count, in their order. What names none of them is the main inbox's. Called by `fetching`.
"""

from __future__ import annotations

import re

from helpdesk.channels.email.inboxes import Doors

#: In the order in which they are believed.
NOTED = (b"x-original-to", b"envelope-to", b"x-envelope-to", b"delivered-to")
WRITTEN = (b"to", b"cc")
MOST_ADDRESSES = 200
_HEADER_BYTES = 1 << 18
_FOLDED = re.compile(rb"\r?\n[ \t]+")
_BETWEEN = re.compile(rb"[\s<>(),;:\"\[\]\\]+")


def choose(doors: Doors, main: int, raw: bytes) -> int:
    """The inbox for a mail: one of `doors`, which are the account's own, else `main`."""
    named = _addresses(raw)
    for name in NOTED:
        for address in named[name]:
            found = doors.find([address])
            if found is not None and found[0] != main:
                return found[0]
    found = doors.find([address for name in WRITTEN for address in named[name]])
    return found[0] if found is not None else main


def _addresses(raw: bytes) -> dict[bytes, list[str]]:
    """What looks like an address in each of the headers that count. Linear; a name that shows an address counts like one."""
    found: dict[bytes, list[str]] = {name: [] for name in (*NOTED, *WRITTEN)}
    head = raw[:_HEADER_BYTES]
    ends = [at for at in (head.find(b"\n\r\n"), head.find(b"\n\n")) if at >= 0]
    for line in _FOLDED.sub(b" ", head[: min(ends, default=len(head))]).split(b"\n"):
        name, _colon, value = line.partition(b":")
        known = found.get(name.strip().lower())
        if known is not None:
            words = (word.decode("utf-8", "replace") for word in _BETWEEN.split(value) if b"@" in word[1:-1] and len(word) <= 320)
            known.extend(word.strip("'.") for word, _number in zip(words, range(MOST_ADDRESSES - len(known)), strict=False))
    return found
