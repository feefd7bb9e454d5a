"""The ledger of what arrived: raw bytes safe first, understanding later.

`store` is the one way in, for the listener, the pipe and the importer: it returns once the bytes and their row are durable, and only then
does the caller answer 250 or forget its copy. Intake (`intake.py`) then understands each arrival and writes its fate here.
"""

from __future__ import annotations

import contextlib
import hashlib
import re
import threading
from dataclasses import dataclass
from typing import Any, cast

from flask_babel import lazy_gettext as _
from sqlalchemy import Table, select, update
from sqlalchemy.dialects import postgresql, sqlite

from helpdesk import clock, db, files
from helpdesk.actor import SYSTEM, Actor
from helpdesk.catalog import LargeMailStored, MailQuarantined, MailStored
from helpdesk.channels.email import bounded, signatures, steps, trusted
from helpdesk.channels.email.models import UNDECIDED, Arrival, ArrivalState
from helpdesk.errors import Conflict, Unavailable
from helpdesk.events import record
from helpdesk.files import Stored

DOOR = SYSTEM.through("email")
#: Rows written in one transaction at most.
TOGETHER = 50
_HEADER = re.compile(rb"(?im)^message-id:[ \t]*(?:\r?\n[ \t]+)?(<[^<>\x00-\x20\x7f]{1,290}>)")
_HEADER_BYTES = 1 << 18


@dataclass(frozen=True, slots=True)
class Kept:
    """A mail's bytes, durable in the file store, and what can be said of them without parsing."""

    stored: Stored
    header_id: str | None
    harmless: bool
    signed: bool = False


def store(
    raw: bytes, *, box: str, inbox_id: int | None, sender: str, recipients: list[str], silent: bool = False, peer: str = "", helo: str = ""
) -> tuple[Arrival, bool]:
    """Make a mail durable and owe its understanding; the arrival, and whether it is new.

    `peer` and `helo`: the address of the stranger's machine that handed it over, and how it called itself; empty where nobody did.

    The very same bytes in the same box are one arrival, however often and from however many sides they come. The same Message-ID with other
    bytes is kept too, flagged. Raises Unavailable when disk or database is away: then nothing was kept, and the sender must try again.
    """
    kept = keep(raw)
    steps.reached("bytes kept")
    values = {"box": box, "inbox_id": inbox_id, "sender": sender, "recipients": recipients, "silent": silent, "peer": peer, "helo": helo}
    row = _Row(kept, values)
    try:
        arrival, new = _enter_together(row)
    except BaseException:
        discard(kept)
        raise
    steps.reached("stored")
    if not new:
        discard(kept)
    return arrival, new


@dataclass(eq=False)
class _Row:
    """A mail whose row is to be written, and what came of it."""

    kept: Kept
    values: dict[str, Any]
    outcome: tuple[Arrival, bool] | Exception | None = None


_waiting: list[_Row] = []
_turn = threading.Lock()


def _enter_together(row: _Row) -> tuple[Arrival, bool]:
    """Write a row in a transaction with those of the mails that came meanwhile: whoever has the turn writes for all, with one sync."""
    if db.in_transaction():  # the caller's own; waiting for the turn inside it could wait for ever
        return enter(row.kept, **row.values)
    _waiting.append(row)
    with _turn:
        while row.outcome is None:
            batch = _waiting[:TOGETHER]
            del _waiting[: len(batch)]
            _write(batch)
    if isinstance(row.outcome, Exception):
        raise row.outcome
    return row.outcome


def _write(batch: list[_Row]) -> None:
    try:
        with db.transaction():
            made = [enter(row.kept, **row.values) for row in batch]
            steps.reached("row written")
    except Exception as failure:
        if len(batch) == 1 or isinstance(failure, Unavailable):
            for row in batch:
                row.outcome = failure
        else:  # one of them broke it: each alone, so that the others are safe
            for row in batch:
                _write([row])
        return
    except BaseException:
        for row in batch:
            row.outcome = Unavailable("the desk is stopping; nothing was saved")
        raise
    for row, outcome in zip(batch, made, strict=True):
        row.outcome = outcome


def keep(raw: bytes) -> Kept:
    """The bytes in the file store, synced. Raises Unavailable."""
    return Kept(files.store().put(raw), header_id_of(raw), bounded.harmless(raw), signatures.signed(raw))


def discard(kept: Kept) -> None:
    """Give up bytes that no row points at; failing to is only litter."""
    with contextlib.suppress(OSError):
        files.store().delete(kept.stored.key)


def enter(
    kept: Kept, *, box: str, inbox_id: int | None, sender: str, recipients: list[str], silent: bool = False, peer: str = "", helo: str = ""
) -> tuple[Arrival, bool]:
    """Write the row of kept bytes in the current transaction, unless these bytes are there already; the arrival, and whether it is new.

    A new arrival comes as plain values, not as a row of the session: whoever decides about it reads it under its lock (`undecided`).
    """
    session = db.session()
    row: dict[str, Any] = {
        "box": box[:320], "inbox_id": inbox_id, "sha256": kept.stored.sha256, "header_id": kept.header_id, "object_key": kept.stored.key,
        "size": kept.stored.size, "sender": sender[:320], "recipients": recipients[:100], "silent": silent, "received_at": clock.now(),
        "peer": peer[:45], "helo": helo[:255],
        "state": ArrivalState.STORED, "copies": 0, "author": "", "subject": "", "why": "",
    }  # fmt: skip
    entering, connection = _ENTERING[session.get_bind().dialect.name], session.connection()
    for conflicting in (False, True):
        made = connection.scalar(entering, {**row, "conflicting": conflicting})
        if made is not None:
            if not silent:  # the importer understands history itself, in its own time
                # A signature or an envelope that we check ourselves waits for DNS: not where others wait behind it.
                quick = kept.harmless and (not (kept.signed or peer) or trusted.authserv_id(inbox_id) != "")
                record(MailStored(made, DOOR) if quick else LargeMailStored(made, DOOR))
            return Arrival(id=made, conflicting=conflicting, **row), True
        known = find(row["box"], kept.stored.sha256)
        if known is not None:
            session.execute(
                update(Arrival).where(Arrival.id == known.id).values(copies=Arrival.copies + 1),
                execution_options={"synchronize_session": False},
            )
            return known, False
    raise Conflict  # unreachable unless a row vanished between two statements: the sender tries again


def _entering(dialect: Any) -> Any:
    """Made once: every mail is entered."""
    table = cast(Table, Arrival.__table__)
    return dialect.insert(table).on_conflict_do_nothing().returning(table.c.id)


_ENTERING = {"sqlite": _entering(sqlite), "postgresql": _entering(postgresql)}


def find(box: str, sha256: str) -> Arrival | None:
    """The arrival of these bytes in this box."""
    return db.session().scalar(select(Arrival).where(Arrival.box == box[:320], Arrival.sha256 == sha256))


def sha256_of(raw: bytes) -> str:
    """What a mail is known by."""
    return hashlib.sha256(raw).hexdigest()


def header_id_of(raw: bytes) -> str | None:
    """The Message-ID as it stands in the header, found without parsing; None when there is none that could be used."""
    ends = [at for at in (raw.find(b"\n\r\n", 0, _HEADER_BYTES), raw.find(b"\n\n", 0, _HEADER_BYTES)) if at >= 0]
    found = _HEADER.search(raw, 0, min(ends, default=_HEADER_BYTES))
    return found[1].decode("utf-8", "replace") if found else None


def raw_of(arrival: Arrival) -> bytes:
    """The mail as it came. Raises NotFound when the file is gone."""
    return files.store().read(arrival.object_key)


# --- fates -------------------------------------------------------------------------------------------------------------


def undecided(arrival_id: int) -> Arrival | None:
    """The arrival, locked, if its fate is still open; None when somebody has decided meanwhile."""
    arrival = db.session().get(Arrival, arrival_id, with_for_update=True, populate_existing=True)
    return arrival if arrival is not None and arrival.state in UNDECIDED else None


def decide(arrival: Arrival, state: ArrivalState, why: str = "", *, ticket_id: int | None = None, message_id: int | None = None) -> None:
    """Write what became of an arrival, and why."""
    arrival.state, arrival.why = state, why[:1000]
    arrival.ticket_id, arrival.message_id = ticket_id, message_id


def quarantine(arrival: Arrival, why: str) -> None:
    """Put a mail aside, visibly, for a person to look at. `why` is a sentence for them."""
    decide(arrival, ArrivalState.QUARANTINED, why)
    record(MailQuarantined(arrival.id, DOOR))


def again(arrival: Arrival, *, by: Actor) -> None:
    """Try to understand a mail once more, now. Raises Conflict when its fate is decided for good."""
    kept = db.session().execute(
        update(Arrival).where(Arrival.id == arrival.id, Arrival.state.in_(UNDECIDED)).values(state=ArrivalState.STORED, why=""),
        execution_options={"synchronize_session": False},
    )
    if kept.rowcount != 1:  # type: ignore[attr-defined]
        raise Conflict(_("This mail has been dealt with meanwhile."))
    arrival.state, arrival.why = ArrivalState.STORED, ""
    record(LargeMailStored(arrival.id, by))
