"""History from a mailbox: each mail to the same fate as live mail, with its original date, and silently: nothing is sent, nobody is nudged.

Can be stopped at any moment and run again: the ledger knows what was taken in. Commits every few mails, so that a desk that is in use
next to it never waits for long.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from sqlalchemy import select

from helpdesk import db, events
from helpdesk.actor import SYSTEM
from helpdesk.channels.email import arrivals, intake, mailboxes, understanding
from helpdesk.channels.email.mailboxes import Place
from helpdesk.channels.email.models import UNDECIDED, Arrival, ArrivalState
from helpdesk.errors import Unavailable
from helpdesk.tickets import lifecycle
from helpdesk.tickets.models import Status, Ticket

log = logging.getLogger(__name__)

#: What imported mail is known under in the ledger, wherever it lay: the same mail in two folders is one.
BOX = "import"
AHEAD = 8
COMMIT_S = 0.05

ALREADY, FAILED, EMPTY = "already", "failed", "empty"


@dataclass(frozen=True)
class Fate:
    """What became of one mail: an ArrivalState's word, or already, failed, empty. `ticket` is the ticket's number."""

    name: str
    what: str
    ticket: int | None = None
    why: str = ""


@dataclass
class _Next:
    """A mail that is understood and waits to be written down."""

    place: Place
    arrival: Arrival | None
    kept: arrivals.Kept | None
    understood: understanding.Understood


def run(places: Iterable[Place], *, inbox_id: int | None, most_bytes: int, dry: bool = False) -> Iterator[Fate]:
    """Take mails in, in their order; yields each one's fate once it is durable. With `dry` everything is decided and nothing kept.

    Raises Unavailable when disk or database are away; what was yielded is safe, run it again for the rest.
    """
    ahead: list[_Next] = []
    for place in places:
        if place.size > most_bytes:
            yield Fate(place.name, FAILED, why=f"larger than {most_bytes // 2**20} MB")
            continue
        fate = _known(place) if not dry else None
        if isinstance(fate, Fate):
            yield fate
            continue
        try:
            ahead.append(_understand(place, inbox_id, fate))
        except OSError as wrong:
            yield Fate(place.name, FAILED, why=wrong.strerror or str(wrong))
            continue
        if dry:
            yield _try(ahead.pop(), inbox_id)
        elif len(ahead) >= AHEAD:
            yield from _write(ahead, inbox_id)
    yield from _write(ahead, inbox_id)


def close_imported(tell: Callable[[int], None] = lambda _number: None) -> int:
    """Close every imported ticket that nobody has touched: an archive is not work. How many; safe to run again."""
    closed = 0
    while True:
        with db.transaction() as session:
            open_ones = (
                select(Ticket)
                .join(Arrival, Arrival.ticket_id == Ticket.id)
                .where(
                    Arrival.box == BOX, Arrival.silent, Arrival.state == ArrivalState.ACCEPTED,
                    Ticket.status == Status.NEW, Ticket.assignee_id.is_(None),
                )
                .limit(20)
            )  # fmt: skip
            found = list(session.scalars(open_ones))
            for ticket in found:
                with events.history(ticket.last_message_at):
                    lifecycle.close(ticket, by=SYSTEM.through("import"))
                ticket.solved_at = ticket.closed_at = ticket.last_message_at
        closed += len(found)
        tell(closed)
        if not found:
            return closed


def _known(place: Place) -> Fate | Arrival | None:
    """What the ledger says of a mail: its fate, or the arrival that a stopped import left undecided."""
    raw = mailboxes.read(place)
    if not raw.strip():
        return Fate(place.name, EMPTY, why="the file is empty")
    with db.read() as session:
        arrival = arrivals.find(BOX, arrivals.sha256_of(raw))
        if arrival is None or arrival.state is ArrivalState.STORED:
            return arrival
        number = session.scalar(select(Ticket.number).where(Ticket.id == arrival.ticket_id)) if arrival.ticket_id else None
    return Fate(place.name, ALREADY, number, arrival.state)


def _understand(place: Place, inbox_id: int | None, arrival: Arrival | None) -> _Next:
    """Parse and keep, before any transaction."""
    if arrival is not None:
        return _Next(place, arrival, None, understanding.understand(arrival))
    raw = mailboxes.read(place)
    kept = arrivals.keep(raw)
    probe = Arrival(object_key=kept.stored.key, recipients=[], sender="", inbox_id=inbox_id)
    return _Next(place, None, kept, understanding.understand(probe))


def _write(ahead: list[_Next], inbox_id: int | None) -> Iterator[Fate]:
    """Write what is understood, some milliseconds' worth to a transaction; what fails together is tried alone."""
    while ahead:
        together: list[tuple[_Next, Fate]] = []
        try:
            with db.transaction():
                began = time.monotonic()
                while ahead and (not together or time.monotonic() - began < COMMIT_S):
                    together.append((ahead[0], _settle(ahead[0], inbox_id)))
                    ahead.pop(0)
        except Unavailable:
            raise
        except Exception:
            log.info("a batch of mails is written one by one", exc_info=True)
            alone = [one for one, _fate in together] + ahead[:1]
            del ahead[:1]
            for one in alone:
                yield _alone(one, inbox_id)
            continue
        yield from (fate for _one, fate in together)


def _alone(one: _Next, inbox_id: int | None) -> Fate:
    """One mail in a transaction of its own; if even that fails, its bytes and row stay, for "try again"."""
    try:
        with db.transaction():
            return _settle(_Next(one.place, one.arrival, one.kept, _fresh(one, inbox_id)), inbox_id)
    except Unavailable:
        raise
    except Exception as wrong:
        log.exception("%s could not be taken in", one.place.name)
        with db.transaction():
            arrival = arrivals.undecided(_entered(one, inbox_id).id)
            if arrival is not None:
                arrivals.quarantine(arrival, f"{understanding.NOT_UNDERSTOOD}\n{type(wrong).__name__}")
        return Fate(one.place.name, ArrivalState.QUARANTINED, why=type(wrong).__name__)


def _fresh(one: _Next, inbox_id: int | None) -> understanding.Understood:
    """The mail understood anew: the failed try gave its kept files up."""
    one.understood.discard()
    key = one.kept.stored.key if one.kept is not None else (one.arrival.object_key if one.arrival is not None else "")
    return understanding.understand(Arrival(object_key=key, recipients=[], sender="", inbox_id=inbox_id))


def _settle(one: _Next, inbox_id: int | None) -> Fate:
    arrival = _entered(one, inbox_id)
    what = ""
    if arrival.state in UNDECIDED:
        arrival = intake.accept(arrival.id, one.understood) or arrival
    else:
        what = ALREADY
    number = db.session().scalar(select(Ticket.number).where(Ticket.id == arrival.ticket_id)) if arrival.ticket_id else None
    return Fate(one.place.name, what or arrival.state, number, arrival.why)


def _entered(one: _Next, inbox_id: int | None) -> Arrival:
    """The mail's row in the ledger, made now unless it is there."""
    if one.arrival is not None:
        return one.arrival
    assert one.kept is not None
    arrival, new = arrivals.enter(one.kept, box=BOX, inbox_id=inbox_id, sender="", recipients=[], silent=True)
    if not new:  # the same bytes lie in two places of the mailbox
        one.understood.discard()
        db.after_commit(lambda: arrivals.discard(one.kept) if one.kept is not None else None)
    return arrival


def _try(one: _Next, inbox_id: int | None) -> Fate:
    """What would become of it: decided for real, then taken back."""
    with db.transaction():
        fate = _settle(one, inbox_id)
        db.doom()
    one.understood.discard()
    if one.kept is not None:
        arrivals.discard(one.kept)
    return fate
