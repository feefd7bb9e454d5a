"""Routing's figures on /metrics: what became of offers, how long a decision takes, what is held out now.

Counted by each process as it commits; what waits (`queues.waiting_items`) and what was stranded are counted in the database.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import wraps
from typing import Any, ParamSpec, TypeVar

from sqlalchemy import func, select

from helpdesk import catalog, db, events, health
from helpdesk.agents.models import Offer, OfferState, WorkItem
from helpdesk.tickets.models import Queue

P = ParamSpec("P")
R = TypeVar("R")

OUTCOMES = {
    catalog.OfferMade: "made", catalog.OfferAccepted: "accepted", catalog.OfferDeclined: "declined", catalog.OfferExpired: "expired",
}  # fmt: skip
_offers = health.counter("helpdesk_offers", "Offers made, accepted, declined and run out.", "outcome")
_given = health.counter("helpdesk_assignments", "Work given to an agent, by how.", "how")
_decisions = health.seconds("helpdesk_decision_seconds", "How long routing took to decide, the transaction's end not counted.", "side")


def timed(side: str) -> Callable[[Callable[P, R]], Callable[P, R]]:
    """Measure a decision; `side` is item (an agent is sought) or agent (an item is)."""

    def declare(decide: Callable[P, R]) -> Callable[P, R]:
        @wraps(decide)
        def decided(*args: P.args, **values: P.kwargs) -> R:
            begun = time.perf_counter()
            try:
                return decide(*args, **values)
            finally:
                _decisions.labels(side).observe(time.perf_counter() - begun)

        return decided

    return declare


def _count(facts: list[Any], _lanes: set[str]) -> None:
    for fact in facts:
        if (outcome := OUTCOMES.get(type(fact))) is not None:
            _offers.labels(outcome).inc()
        elif isinstance(fact, catalog.TicketAssigned) and fact.new is not None:
            _given.labels(fact.how).inc()


events.published.append(_count)


@health.measure("helpdesk_open_offers", "Offers that an agent has before them now.", "queue")
def open_offers() -> dict[str, float]:
    """By the queue's English name; queues without one count as 0."""
    held = select(WorkItem.queue_id, func.count()).join(Offer, Offer.item_id == WorkItem.id).where(Offer.state == OfferState.OFFERED)
    counts = {queue_id: count for queue_id, count in db.session().execute(held.group_by(WorkItem.queue_id))}
    return {queue.name: counts.get(queue.id, 0) for queue in db.session().scalars(select(Queue).where(Queue.active))}
