"""The clocks that run while a customer waits: first reply, then next reply. Started, paused, resumed and stopped in the same
transaction as the deed.

A queue's target is what a clock runs against: in business time if the queue has opening hours, by the version that was in force when the
clock started, so that a changed calendar moves no promise. A clock that is paused (the customer's turn, or somebody else's) shows no
deadline; when it resumes, it has as much time left as it had. `ticket.next_due_at` copies the earliest running deadline for lists.
"""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import select

from helpdesk import clock, db
from helpdesk.tickets import calendars
from helpdesk.tickets.hours import Calendar
from helpdesk.tickets.models import HoursVersion, Queue, SlaClock, SlaEntry, Ticket

FIRST_REPLY, NEXT_REPLY = "first_reply", "next_reply"


def start(ticket: Ticket, target: str, queue: Queue) -> SlaClock:
    """Let a target run from now, unless it already does."""
    running = _open(ticket, target)
    if running is not None:
        return running
    now = clock.now()
    made = SlaClock(
        ticket_id=ticket.id,
        target=target,
        target_s=queue.target_s,
        started_at=now,
        due_at=first_due(queue, now),
        state="running",
        hours_version_id=_version(queue),
    )
    db.session().add(made)
    _show(ticket)
    return made


def begin(ticket: Ticket, queue: Queue, *, at: datetime) -> None:
    """The first clock of a ticket that is just being opened: nothing can run yet, so nothing is asked.

    The ticket's `next_due_at` is `first_due`.
    """
    due = first_due(queue, at)
    db.session().add(
        SlaClock(
            ticket_id=ticket.id, target=FIRST_REPLY, target_s=queue.target_s, started_at=at, due_at=due, state="running",
            hours_version_id=_version(queue),
        )
    )  # fmt: skip


def first_due(queue: Queue, at: datetime) -> datetime:
    """When the reply to something that arrived at `at` is due."""
    return calendars.later(calendars.of(queue), at, queue.target_s)


def pause(ticket: Ticket, cause: str) -> None:
    for running in _all_open(ticket):
        if running.paused_at is None:
            running.paused_at, running.state = clock.now(), "paused"
            _enter(running, "pause", cause)
    _show(ticket)


def resume(ticket: Ticket, cause: str) -> None:
    for waiting in _all_open(ticket):
        if waiting.paused_at is not None and waiting.due_at is not None:
            waiting.due_at = _moved(_hours(waiting), waiting.due_at, waiting.paused_at, clock.now())
            waiting.paused_at, waiting.state = None, "running"
            _enter(waiting, "resume", cause)
    _show(ticket)


def stop(ticket: Ticket, cause: str) -> None:
    """The customer was answered, or nothing more is owed: each running clock is met or breached."""
    for running in _all_open(ticket):
        now = clock.now()
        missed = running.due_at is not None and (running.paused_at or now) > running.due_at
        running.stopped_at, running.state = now, "breached" if missed else "met"
        _enter(running, "breach" if missed else "met", cause)
        if missed and ticket.breached_at is None:
            ticket.breached_at = running.due_at
    _show(ticket)


def unstop(ticket: Ticket, since: datetime) -> bool:
    """Take back a stop made since then (a reply was withdrawn): the clocks go on as if it had never been. Whether there was one."""
    stopped = db.session().scalars(select(SlaClock).where(SlaClock.ticket_id == ticket.id, SlaClock.stopped_at >= since))
    found = False
    for again in stopped:
        again.stopped_at, again.state, found = None, "paused" if again.paused_at else "running", True
        _enter(again, "resume", "withdrawn")
    _show(ticket)
    return found


def recounted(of: SlaClock) -> datetime:
    """The deadline of a clock counted anew from what is written down: its start, its target, its hours, its pauses."""
    hours = _hours(of)
    due = calendars.later(hours, of.started_at, of.target_s)
    since: datetime | None = None
    for entry in db.session().scalars(select(SlaEntry).where(SlaEntry.clock_id == of.id).order_by(SlaEntry.id)):
        if entry.kind == "pause":
            since = entry.at
        elif entry.kind == "resume" and since is not None:
            due, since = _moved(hours, due, since, entry.at), None
    return due


def _moved(hours: Calendar | None, due: datetime, paused: datetime, resumed: datetime) -> datetime:
    """The deadline after a pause: what was left then is left now. One that had passed in business time stays where it was."""
    left = calendars.between(hours, paused, due)
    if hours is None or left >= 0:
        return calendars.later(hours, resumed, left)
    return due


def _hours(of: SlaClock) -> Calendar | None:
    return None if of.hours_version_id is None else calendars.calendar(db.session().get_one(HoursVersion, of.hours_version_id))


def _version(queue: Queue) -> int | None:
    version = calendars.version_of(queue)
    return None if version is None else version.id


def _open(ticket: Ticket, target: str) -> SlaClock | None:
    return db.session().scalar(
        select(SlaClock).where(SlaClock.ticket_id == ticket.id, SlaClock.target == target, SlaClock.stopped_at.is_(None))
    )


def _all_open(ticket: Ticket) -> list[SlaClock]:
    return list(db.session().scalars(select(SlaClock).where(SlaClock.ticket_id == ticket.id, SlaClock.stopped_at.is_(None))))


def _enter(of: SlaClock, kind: str, cause: str) -> None:
    db.session().add(SlaEntry(clock_id=of.id, at=clock.now(), kind=kind, cause=cause))


def _show(ticket: Ticket) -> None:
    """Copy the earliest deadline to the ticket: a cached list column, so no version is raised."""
    db.session().flush()
    clocks = _all_open(ticket)
    dues = [c.due_at for c in clocks if c.due_at is not None]
    ticket.next_due_at = min(dues) if dues else None
    ticket.due_paused = bool(clocks) and all(c.paused_at is not None for c in clocks)
