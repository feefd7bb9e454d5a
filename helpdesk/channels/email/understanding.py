"""What a mail says: its bytes read within bounds, its signatures checked where nobody else has, its files kept. No fate is decided here.

Called by `intake` and the importer, outside transactions; only what is read in a moment and has no files is also read inside one
(`at_a_glance`).
"""

from __future__ import annotations

import contextlib
from dataclasses import dataclass, field

from helpdesk import files
from helpdesk.channels.email import arrivals, bounded, envelope, reports, signatures, steps, trusted
from helpdesk.channels.email.envelope import Spf
from helpdesk.channels.email.mail import Attachment, Mail
from helpdesk.channels.email.models import Arrival
from helpdesk.errors import NotFound, Unavailable
from helpdesk.tickets.intake import NewFile

MAX_FILES = 200

NOT_UNDERSTOOD = "It could not be understood."
BYTES_GONE = "Its original is missing from the file store."


@dataclass
class Understood:
    """What one mail says, with its files kept, ready to be accepted; or why it could not be understood."""

    mail: Mail | None = None
    failure: str = ""
    files: tuple[NewFile, ...] = ()
    our_ids: list[str] = field(default_factory=list)
    signers: list[str] | None = None  # domains with a valid signature; None when nobody checked
    spf: Spf | None = None  # what the envelope's domain says of who handed it over; None when nobody checked

    def discard(self) -> None:
        """Give up the kept files: no row points at them."""
        for file in self.files:
            with contextlib.suppress(OSError):
                files.store().delete(file.stored.key)
        self.files = ()


def understand(arrival: Arrival, *, checking: bool = False) -> Understood:
    """Parse within bounds and keep the attachments; outside transactions. `checking`: also check signatures and the
    envelope, which asks DNS.

    Raises Unavailable when the disk is.
    """
    steps.reached("understand")
    raw = _bytes_of(arrival)
    if raw is None:
        return Understood(failure=BYTES_GONE)
    made = _parsed(raw)
    mail = made.mail
    if mail is None or mail.opens_nothing or not mail.from_email:
        return made
    if checking and signatures.signed(raw):
        made.signers = signatures.signers(raw, mail)
    if checking and arrival.peer:
        made.spf = envelope.checked(arrival.peer, arrival.helo, arrival.sender, mail.from_email.rpartition("@")[2].lower())
    kept: list[NewFile] = []
    try:
        kept.extend(_kept(attachment) for attachment in mail.attachments[:MAX_FILES])
    except Unavailable:
        Understood(files=tuple(kept)).discard()
        raise
    made.files = tuple(kept)
    steps.reached("files kept")
    return made


def at_a_glance(arrival: Arrival) -> Understood | None:
    """What a mail says that is read here in no time, has no files and nothing to ask DNS about; None for any other."""
    steps.reached("understand")
    raw = _bytes_of(arrival)
    if raw is None:
        return Understood(failure=BYTES_GONE)
    if not bounded.harmless(raw) or ((arrival.peer or signatures.signed(raw)) and ours_to_check(arrival)):
        return None
    made = _parsed(raw)
    if made.mail is not None and made.mail.attachments:
        return None
    steps.reached("files kept")
    return made


def ours_to_check(arrival: Arrival) -> bool:
    """Whether signature and envelope are ours to check, because no server of ours has."""
    return not arrival.silent and trusted.authserv_id(arrival.inbox_id) == ""


def _bytes_of(arrival: Arrival) -> bytes | None:
    try:
        raw = arrivals.raw_of(arrival)
    except NotFound:
        return None
    if arrival.recipients and not arrival.sender:
        raw = b"Return-Path: <>\r\n" + raw  # the envelope's null sender: a report, whatever its header says (RFC 5321, 4.5.5)
    return raw


def _parsed(raw: bytes) -> Understood:
    try:
        mail = bounded.parse(raw)
    except bounded.ParseFailed as failed:
        return Understood(failure=f"{NOT_UNDERSTOOD}\n{failed.reason}")
    return Understood(mail, our_ids=reports.our_ids(mail, raw))


def _kept(attachment: Attachment) -> NewFile:
    stored = files.store().put(attachment.data)
    return NewFile(attachment.filename, attachment.content_type, stored, attachment.content_id or "")
