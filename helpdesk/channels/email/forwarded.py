"""Who wrote what was forwarded: read from the header block of the forwarded message, or from the message attached whole.

Only a suggestion for the agent ("reply to …"): anybody can type such a block.
"""

from __future__ import annotations

import re

from . import addresses, quotes
from .mail import Address, Problems

MAX_LINES = 400
_SUBJECT = re.compile(r"\s*(?:fwd?|fw|wg|tr|rv|i|пересл|пер|отп)\s*:", re.I)
_SOURCE = re.compile(r"\s*>?\s*[*_]{0,2}(?:from|от|от кого|von|de|da|van|od)\s?[*_]{0,2}\s?:\s*[*_]{0,2}\s*(.+)", re.I)


def sender(subject: str, text: str) -> Address | None:
    """The writer of a forwarded message, when the subject or an announcement line says that this one forwards."""
    lines = [line[: quotes.MAX_LINE] for line in text.split("\n", MAX_LINES)[:MAX_LINES]]
    announced = False
    by_subject = _SUBJECT.match(subject) is not None
    for at, line in enumerate(lines):
        if quotes.is_announcement(line) and not re.search(r"(?i)original message|исходное сообщение|reply", line):
            announced = True
        elif (announced or by_subject) and (found := _SOURCE.match(line)):
            if not announced and not quotes.header_block(lines, at):
                continue
            named = addresses.read(found[1].replace("[mailto:", "<").replace("]", ">").encode(), Problems()).addresses
            if named:
                name = re.sub(r"[*_]+", "", named[0].name).strip()
                return Address("" if name == named[0].email else name, named[0].email)
    return None
