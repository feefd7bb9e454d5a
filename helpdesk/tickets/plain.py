"""A ticket as its customer sees it: in plain words, without notes, and without replies that the agent may still take back."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from zoneinfo import ZoneInfo, available_timezones

from babel.dates import get_timezone_location
from flask_babel import format_datetime, gettext
from flask_babel import lazy_gettext as _

from helpdesk import clock, db, web
from helpdesk.crm.models import Contact
from helpdesk.preferences import preferences
from helpdesk.tickets import calendars, queries
from helpdesk.tickets.models import DeliveryState, Message, MessageKind, Queue, Status, Ticket

#: A request's status in a customer's list.
CUSTOMER_STATUS = {
    Status.NEW: _("Received"),
    Status.OPEN: _("We are on it"),
    Status.PENDING: _("Your answer is needed"),
    Status.ON_HOLD: _("Waiting for others"),
    Status.SOLVED: _("Solved"),
    Status.CLOSED: _("Closed"),
}


@dataclass(frozen=True)
class Step:
    """A station on a request's way. `state`: done, now or later."""

    words: str
    state: str


@dataclass(frozen=True)
class Standing:
    """Where a request stands. `promise` says when an answer is due, in the customer's zone; `late` that this has passed.

    `rests_on`: what the promise counts: that the clock stands still, or that we are away until a given time.
    """

    status: Status
    words: str
    steps: tuple[Step, ...]
    promise: str = ""
    due_at: datetime | None = None
    late: bool = False
    rests_on: str = ""


def is_shown(message: Message) -> bool:
    """Whether customers see a message: never a note, nor a reply that was taken back or still can be."""
    if message.kind is MessageKind.NOTE or message.delivery is DeliveryState.WITHDRAWN:
        return False
    return message.delivery is not DeliveryState.WAITING or clock.now() >= message.at + preferences().undo


def messages(ticket: Ticket) -> tuple[list[Message], bool]:
    """What the customer reads, oldest first, and whether a reply is being held back so that it can be undone."""
    public = queries.messages(ticket, public=True)
    shown = [message for message in public if is_shown(message)]
    held = any(message.delivery is DeliveryState.WAITING and not is_shown(message) for message in public)
    return shown, held


def standing(ticket: Ticket, contact: Contact | None, shown: Sequence[Message], held: bool) -> Standing:
    """State, who acts next and the promised time. While a reply is held back, so is the state it brought."""
    status = Status.OPEN if held and ticket.status in (Status.SOLVED, Status.PENDING, Status.ON_HOLD) else ticket.status
    answered = any(message.kind is MessageKind.REPLY for message in shown)
    words = _whose_turn(status, answered, shown)
    due = ticket.next_due_at if status in (Status.NEW, Status.OPEN) and not ticket.due_paused else None
    if due is None:
        return Standing(status, words, _steps(status, shown), rests_on=_pause(status))
    moment = in_their_zone(due, contact)
    late = due < clock.now()
    promise = (
        gettext("We promised an answer by %(time)s and are late. We are sorry; your request is not forgotten.", time=moment)
        if late
        else gettext("We will answer by %(time)s at the latest.", time=moment)
    )
    return Standing(status, words, _steps(status, shown), promise, due, late, _away(ticket, contact))


def _pause(status: Status) -> str:
    """While it is not our turn, the time we promised does not run."""
    if status is Status.PENDING:
        return str(gettext("Until you answer, the time that we promised does not run. It goes on where it stopped."))
    if status is Status.ON_HOLD:
        return str(gettext("While we wait for others, the time that we promised does not run. It goes on where it stopped."))
    return ""


def _away(ticket: Ticket, contact: Contact | None) -> str:
    """Outside opening hours: when we are back, on the customer's clock. The promise above has counted that already."""
    queue = db.session().get_one(Queue, ticket.queue_id)
    back = calendars.opens_at(queue) if queue.hours_id is not None and not calendars.is_open(queue) else None
    if back is None:
        return ""
    when = in_their_zone(back, contact)
    return str(gettext("We are closed at the moment and back at %(time)s; the promised time counts our opening hours only.", time=when))


def zone_of(contact: Contact | None) -> ZoneInfo:
    """The customer's time zone, or the company's."""
    for name in (contact.time_zone if contact else "", web.settings().time_zone):
        if is_zone(name):
            return ZoneInfo(name)
    return ZoneInfo("UTC")


def is_zone(name: str) -> bool:
    """Whether this names a time zone; a browser may claim anything."""
    try:
        return bool(name) and len(name) <= 50 and ZoneInfo(name) is not None
    except (KeyError, ValueError, OSError):
        return False


@lru_cache(maxsize=4)
def zones_in(language: str) -> tuple[tuple[str, str], ...]:
    """Zones to choose from, with the names of their places in one language, by distance from Greenwich."""
    at = datetime(2026, 1, 1, tzinfo=UTC)
    listed: list[tuple[int, str, str]] = []
    for name in sorted(available_timezones()):
        if name.split("/")[0] not in ("Africa", "America", "Asia", "Atlantic", "Australia", "Europe", "Indian", "Pacific"):
            continue
        zone = ZoneInfo(name)
        offset = zone.utcoffset(at)
        seconds = int(offset.total_seconds()) if offset else 0
        place = get_timezone_location(zone, locale=language, return_city=True)
        listed.append((seconds, f"{_offset_words(seconds)} {place}", name))
    places = {
        words: name for _seconds, words, name in sorted(listed, reverse=True)
    }  # several zones share a place: the first in order stays
    return tuple((name, words) for words, name in reversed(places.items()))


def zones() -> list[tuple[str, str]]:
    """The same in the reader's language, with the company's own first."""
    return [("", gettext("The company's")), ("UTC", "UTC"), *zones_in(web.lang())]


def on_their_clock(at: datetime, contact: Contact | None) -> str:
    """A moment on the customer's own clock and calendar, short; the zone is told where something is promised."""
    local = at.astimezone(zone_of(contact))
    this_year = local.year == clock.now().year
    return str(format_datetime(local.replace(tzinfo=None), "d MMM, HH:mm" if this_year else "d MMM yyyy, HH:mm", rebase=False))


def in_their_zone(at: datetime, contact: Contact | None) -> str:
    """A moment as the customer's own clock and calendar show it, with the zone's name."""
    zone = zone_of(contact)
    local = at.astimezone(zone)
    today = clock.now().astimezone(zone).date()
    pattern = "HH:mm" if local.date() == today else "d MMMM, HH:mm"
    words = format_datetime(local.replace(tzinfo=None), pattern, rebase=False)
    return f"{words} ({_zone_words(zone, local)})"


def _zone_words(zone: ZoneInfo, local: datetime) -> str:
    if zone.key == "UTC":
        return "UTC"
    place = get_timezone_location(zone, locale=web.lang(), return_city=True)
    offset = local.utcoffset()
    return f"{place}, {_offset_words(int(offset.total_seconds()) if offset else 0)}"


def _offset_words(seconds: int) -> str:
    hours, minutes = divmod(abs(seconds) // 60, 60)
    return f"UTC{'−' if seconds < 0 else '+'}{hours:02d}:{minutes:02d}"


def _whose_turn(status: Status, answered: bool, shown: Sequence[Message]) -> str:
    if status is Status.SOLVED:
        words = gettext("We believe this is solved. If it is not, just write again.")
    elif status is Status.CLOSED:
        words = gettext("This request is closed. If something is still open, write below: we will open a new one that knows of this one.")
    elif status is Status.PENDING:
        words = gettext("It is your turn: we need an answer from you to go on.")
    elif status is Status.ON_HOLD:
        words = gettext("We are waiting for somebody else and will come back to you.")
    elif answered and shown[-1].kind is MessageKind.REPLY:
        words = gettext("We have answered you. Write if anything is missing.")
    elif answered:
        words = gettext("It is our turn: we have your message and will answer it.")
    else:
        words = gettext("It is our turn: we have your request and will answer it.")
    return str(words)


def _steps(status: Status, shown: Sequence[Message]) -> tuple[Step, ...]:
    third = gettext("Your answer is needed") if status is Status.PENDING else gettext("Answered")
    words = (gettext("Received"), gettext("We are on it"), third, gettext("Solved"))
    if status in (Status.SOLVED, Status.CLOSED):
        at = 3
    elif status is Status.PENDING or (status is Status.OPEN and shown and shown[-1].kind is MessageKind.REPLY):
        at = 2
    else:
        at = 0 if status is Status.NEW else 1
    return tuple(Step(word, "done" if place < at else "now" if place == at else "later") for place, word in enumerate(words))
