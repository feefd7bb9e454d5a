"""Time metrics of a ticket as a fold over its facts, and the way many of them are summed up.

Reports feed it with what the events say; the same fold runs in calendar time and in business time, by the measure it is
given. Definitions are those of the product's metrics page. A figure whose end has not happened is None, never 0.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Hashable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum

#: Seconds from one moment to a later one: `elapsed`, or `Calendar.between` for business time.
Measure = Callable[[datetime, datetime], float]


def elapsed(a: datetime, b: datetime) -> float:
    """Calendar seconds."""
    return (b - a).total_seconds()


class Kind(StrEnum):
    """The facts of a ticket that move a time metric; all others may be left out."""

    OPENED = "opened"  # carries the first message; data: by ("customer" or "agent"), status if not new
    CUSTOMER_WROTE = "customer_wrote"  # publicly, after the opening
    AGENT_REPLIED = "agent_replied"  # publicly, after the opening; data: automatic (a bot or an automatic answer)
    STATUS_CHANGED = "status_changed"  # data: to


@dataclass(frozen=True, slots=True)
class Fact:
    """Something that happened to a ticket. `data` holds what its kind says above."""

    at: datetime
    kind: Kind
    data: Mapping[str, object] = field(default_factory=dict)


#: In these the customer waits for us; on hold, we wait for others and the customer for us.
CUSTOMER_WAITS = frozenset({"new", "open", "on_hold"})
AGENT_WAITS = frozenset({"pending"})
DONE = frozenset({"solved", "closed"})


@dataclass(frozen=True, kw_only=True)
class TicketTimes:
    """What one ticket's facts amount to; times in seconds of the measure that folded them.

    first_reply: opening → first public reply by a person. If an agent opened the ticket publicly, the opening was the
        first public agent message and this is the second.
    next_replies: each oldest unanswered customer message → the next public reply by a person. The wait that began with
        the opening belongs to first_reply alone.
    waiting_since: the oldest unanswered customer message, if one is unanswered.
    first_resolution, full_resolution: opening → first, last time solved; full_resolution is None while reopened.
    requester_wait: time in new, open and on hold. agent_wait: time in pending. Both None until solved, unless the fold
        was told `until` when to count.
    """

    opened_at: datetime
    first_reply: float | None
    next_replies: tuple[float, ...]
    waiting_since: datetime | None
    first_resolution: float | None
    full_resolution: float | None
    requester_wait: float | None
    agent_wait: float | None
    agent_replies: int
    reopens: int
    status: str

    @property
    def one_touch(self) -> bool | None:
        """Solved with at most one public agent reply and never reopened; None while unsolved and still possible."""
        if self.agent_replies > 1 or self.reopens:
            return False
        return True if self.full_resolution is not None else None


def ticket_times(facts: Iterable[Fact], *, measure: Measure = elapsed, until: datetime | None = None) -> TicketTimes:
    """Fold a ticket's facts, in any order, into its times.

    until: the moment up to which a wait that still runs is counted; facts after it are left out. Raises ValueError when
    the facts hold no opening, or more than one.
    """
    told = sorted((fact for fact in facts if until is None or fact.at <= until), key=lambda fact: fact.at)
    openings = [fact for fact in told if fact.kind is Kind.OPENED]
    if len(openings) != 1:
        raise ValueError(f"a ticket is opened once, not {len(openings)} times")
    fold = _Fold(openings[0], measure)
    for fact in told:
        fold.take(fact)
    return fold.result(until)


class _Fold:
    """The running state between two facts."""

    def __init__(self, opening: Fact, measure: Measure) -> None:
        self.measure = measure
        self.opened_at = self.since = opening.at
        self.status = str(opening.data.get("status", "new"))
        self.first_reply: float | None = None
        self.next_replies: list[float] = []
        self.waiting_since = None if opening.data.get("by") == "agent" else opening.at
        self.waits_since_opening = self.waiting_since is not None
        self.solved: list[datetime] = []
        self.waits = {"requester": 0.0, "agent": 0.0}
        self.agent_replies = self.reopens = 0

    def take(self, fact: Fact) -> None:
        if fact.kind is Kind.CUSTOMER_WROTE:
            self.waiting_since = self.waiting_since or fact.at  # a further message does not restart the wait
        elif fact.kind is Kind.AGENT_REPLIED and not fact.data.get("automatic"):
            self._replied(fact.at)
        elif fact.kind is Kind.STATUS_CHANGED:
            self._moved(fact.at, str(fact.data["to"]))

    def _replied(self, at: datetime) -> None:
        self.agent_replies += 1
        if self.first_reply is None:
            self.first_reply = self.measure(self.opened_at, at)
        if self.waiting_since and not self.waits_since_opening:
            self.next_replies.append(self.measure(self.waiting_since, at))
        self.waiting_since, self.waits_since_opening = None, False

    def _moved(self, at: datetime, to: str) -> None:
        self._count_wait(at)
        if to in DONE and self.status not in DONE:
            self.solved.append(at)
        elif to not in DONE and self.status in DONE:
            self.reopens += 1
        self.status = to

    def _count_wait(self, at: datetime) -> None:
        # Segment by segment: business time between two status changes, added up.
        if self.status in CUSTOMER_WAITS:
            self.waits["requester"] += self.measure(self.since, at)
        elif self.status in AGENT_WAITS:
            self.waits["agent"] += self.measure(self.since, at)
        self.since = at

    def result(self, until: datetime | None) -> TicketTimes:
        done = self.status in DONE
        if until is not None:
            self._count_wait(until)
        known = done or until is not None
        return TicketTimes(
            opened_at=self.opened_at,
            first_reply=self.first_reply,
            next_replies=tuple(self.next_replies),
            waiting_since=self.waiting_since,
            first_resolution=self.measure(self.opened_at, self.solved[0]) if self.solved else None,
            full_resolution=self.measure(self.opened_at, self.solved[-1]) if done and self.solved else None,
            requester_wait=self.waits["requester"] if known else None,
            agent_wait=self.waits["agent"] if known else None,
            agent_replies=self.agent_replies,
            reopens=self.reopens,
            status=self.status,
        )


@dataclass(frozen=True, slots=True)
class Spread:
    """Many times at a glance. A mean alone hides the customers who waited longest; all None for n = 0."""

    n: int
    mean: float | None
    median: float | None
    p90: float | None


def spread(times: Iterable[float | None]) -> Spread:
    """Mean, median and 90th percentile of the times that are known; None is left out."""
    known = sorted(value for value in times if value is not None)
    mean = math.fsum(known) / len(known) if known else None
    return Spread(len(known), mean, percentile(known, 0.5), percentile(known, 0.9))


def percentile(ordered: list[float], q: float) -> float | None:
    """The q-th quantile (0–1) of ascending values, interpolated between neighbours; None for no values.

    Source: R. J. Hyndman, Y. Fan, "Sample quantiles in statistical packages", The American Statistician 50 (1996),
    definition 7: the one that spreadsheets and pandas use, so that an export can be checked.
    """
    if not ordered:
        return None
    place = q * (len(ordered) - 1)
    below = math.floor(place)
    above = min(below + 1, len(ordered) - 1)
    return ordered[below] + (ordered[above] - ordered[below]) * (place - below)


@dataclass(frozen=True, slots=True)
class Rate:
    """A share with its two counts; None for nothing to divide by."""

    part: int
    n: int

    @property
    def value(self) -> float | None:
        return self.part / self.n if self.n else None


def reopen_rate(tickets: Iterable[TicketTimes]) -> Rate:
    """Tickets reopened at least once ÷ tickets ever solved."""
    solved = [ticket for ticket in tickets if ticket.first_resolution is not None]
    return Rate(sum(ticket.reopens > 0 for ticket in solved), len(solved))


@dataclass(frozen=True, slots=True)
class Contact:
    """One contact by a customer about a reason, on any channel; `solved` says whether it was solved there and then."""

    customer: Hashable
    reason: Hashable
    at: datetime
    solved: bool


def first_contact_resolution(contacts: Iterable[Contact], *, as_of: datetime, within: timedelta = timedelta(days=7)) -> Rate:
    """First contacts that were solved and followed by no contact of the same customer about the same reason.

    A first contact is one without another in the `within` before it. Matured only: a first contact counts once `within`
    has passed since, before that nobody knows.
    """
    threads: dict[tuple[Hashable, Hashable], list[Contact]] = {}
    for contact in sorted(contacts, key=lambda contact: contact.at):
        if contact.at <= as_of:
            threads.setdefault((contact.customer, contact.reason), []).append(contact)
    part = n = 0
    for thread in threads.values():
        for before, contact, after in zip([None, *thread], thread, [*thread[1:], None], strict=False):
            first = before is None or contact.at - before.at > within
            if first and contact.at + within <= as_of:
                n += 1
                part += contact.solved and (after is None or after.at - contact.at > within)
    return Rate(part, n)
