"""Work that waits: one live item per ticket and channel, with its signature and its place in the order. Nothing here looks for an agent.

The order is `(tier, vkey, enqueued_at, id)`; `vkey` is the deadline minus a bounded boost and does not depend on now, so one index serves
it and nothing is ever sorted again. It changes only when the SLA clock pauses or goes on, the priority changes, or the queue does.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import or_, select

from helpdesk import clock, db
from helpdesk.actor import SYSTEM, Actor
from helpdesk.agents import assignments, ranking, steps
from helpdesk.agents.models import LIVE, TICKET, Exclusion, ItemState, QueueMember, Signature, WorkItem
from helpdesk.catalog import ItemQueued
from helpdesk.crm import queries as crm
from helpdesk.crm.models import Contact
from helpdesk.errors import Invalid
from helpdesk.events import record
from helpdesk.preferences import preferences
from helpdesk.tickets import calendars
from helpdesk.tickets.models import Queue, Ticket

#: What a customer's tier is worth, between 0 and 1.
TIER_VALUE = {"vip": 1.0, "gold": 0.8, "silver": 0.4, "key": 1.0, "regular": 0.6, "occasional": 0.3, "single": 0.1}


@dataclass(frozen=True)
class Waiting:
    """What became of somebody who wants to talk now: the item that waits, and when the queue opens if it is closed now.

    Out of hours `item.channel` is "ticket": the request is answered later, or the customer is called back from `opens_at` on.
    """

    item: WorkItem
    opens_at: datetime | None = None


def enqueue(ticket: Ticket, channel: str = TICKET) -> WorkItem:
    """The ticket's live work item of a channel, waiting if nobody owns it; made if there is none."""
    return assignments.live_item(ticket, channel) or begin(ticket, channel)


def wait_for(ticket: Ticket, channel: str, *, by: Actor) -> Waiting:
    """Let a chat or a call about a ticket wait for an agent; once per ticket and channel. Out of hours it waits as a ticket instead.

    Raises Invalid for a channel that does not wait.
    """
    if channel not in LIVE:
        raise Invalid
    queue = db.session().get_one(Queue, ticket.queue_id)
    if assignments.live_item(ticket, channel) is None and not calendars.is_open(queue):
        return Waiting(enqueue(ticket), calendars.opens_at(queue))
    return Waiting(enqueue(ticket, channel))


def begin(ticket: Ticket, channel: str = TICKET) -> WorkItem:
    """A new item that waits, for a ticket that has none of this channel."""
    session = db.session()
    queue = session.get_one(Queue, ticket.queue_id)
    item = WorkItem(
        ticket_id=ticket.id,
        channel=channel,
        queue_id=queue.id,
        signature_id=0,
        # A chat or a call is as old as its own wait, however long the ticket has been open.
        enqueued_at=(ticket.waiting_since or ticket.opened_at) if channel == TICKET else clock.now(),
        step=0,
        weight=steps.weight_of(queue, channel),
        state=ItemState.WAITING,
        tier=queue.tier,
        vkey=0,
        emergency=False,
    )
    place(item, ticket, afresh=True)
    session.add(item)
    session.flush()
    record(ItemQueued(ticket.id, item.id, queue.id, SYSTEM, next_step_at=steps.moment(item.step_until), channel=channel))
    return item


def place(item: WorkItem, ticket: Ticket, *, afresh: bool = False) -> None:
    """The item's step and key, in epoch milliseconds: deadline minus boost. `afresh` when it begins to wait in this queue.

    One that waits already and is found past its step's end is said to have moved on, as its timer would have.
    """
    queue = db.session().get_one(Queue, ticket.queue_id)
    boosted = boost_of(ticket)
    item.queue_id, item.weight = queue.id, steps.weight_of(queue, item.channel)
    item.tier = 0 if item.emergency else queue.tier
    item.vkey = int(ranking.vkey(_due(item, ticket, queue).timestamp(), boosted.total_s) * 1000)
    item.boost = _told(boosted)
    if steps.stand(item, queue, requester_id=ticket.requester_id, afresh=afresh) and not afresh and item.state is ItemState.WAITING:
        steps.moved_on(item)


def boost_of(ticket: Ticket) -> ranking.Boost:
    """How much earlier than its deadline a ticket counts, and why: its priority and what the customer is worth, bounded."""
    return _boost(ticket.priority, db.session().get_one(Contact, ticket.requester_id))


def reboost(*, after: int, limit: int) -> list[WorkItem]:
    """The next waiting items of any queue, by id, get the boosts of now; deadlines stay. Those that were looked at."""
    found = (
        select(WorkItem, Ticket.priority, Contact)
        .join(Ticket, Ticket.id == WorkItem.ticket_id)
        .join(Contact, Contact.id == Ticket.requester_id)
        .where(steps.WAITING, WorkItem.id > after)
        .order_by(WorkItem.id)
        .limit(limit)
    )
    rows = db.session().execute(found.with_for_update(of=WorkItem).execution_options(populate_existing=True)).all()
    for item, priority, contact in rows:
        boosted = _boost(priority, contact)
        if item.boost.get("total_s") != boosted.total_s:
            item.vkey += round((item.boost.get("total_s", 0.0) - boosted.total_s) * 1000)
        item.boost = _told(boosted)
    db.session().flush()
    return [row.WorkItem for row in rows]


def _boost(priority: str, contact: Contact) -> ranking.Boost:
    said = preferences()
    rules = ranking.BoostRules(
        {"high": float(said.boost_high_s), "urgent": float(said.boost_urgent_s)}, float(said.boost_value_s), float(said.boost_largest_s)
    )
    return ranking.boost(str(priority), TIER_VALUE.get(crm.boost_tier(contact), 0.0), rules)


def _told(boosted: ranking.Boost) -> dict[str, float]:
    return {"total_s": boosted.total_s, "priority_s": boosted.priority_s, "value_s": boosted.value_s}


def waiting_ids(queue_ids: Iterable[int] | None = None, *, before: datetime | None = None) -> list[int]:
    """Waiting items in routing's order; for screens."""
    found = select(WorkItem.id).where(steps.WAITING).order_by(WorkItem.tier, WorkItem.vkey, WorkItem.enqueued_at, WorkItem.id)
    if queue_ids is not None:
        found = found.where(WorkItem.queue_id.in_(list(queue_ids)))
    if before is not None:
        found = found.where(WorkItem.enqueued_at < before)
    return list(db.session().scalars(found))


def refused(user_id: int | None = None) -> list[int]:
    """Waiting items that somebody refused lately, in routing's order: of the queues that this agent works in, or of all."""
    found = (
        select(WorkItem.id)
        .where(steps.WAITING, WorkItem.id.in_(select(Exclusion.item_id).where(Exclusion.until > clock.now())))
        .order_by(WorkItem.tier, WorkItem.vkey, WorkItem.enqueued_at, WorkItem.id)
    )
    if user_id is not None:
        mine = select(QueueMember.queue_id).where(QueueMember.user_id == user_id)
        found = found.join(Signature, Signature.id == WorkItem.signature_id)
        found = found.where(or_(Signature.queue_id.in_(mine), Signature.overflow_id.in_(mine)))
    return list(db.session().scalars(found))


def _due(item: WorkItem, ticket: Ticket, queue: Queue) -> datetime:
    """The running target's deadline; a chat or a call, and work without a clock, is due its queue's target after it began to wait."""
    if item.channel == TICKET and ticket.next_due_at is not None:
        return ticket.next_due_at
    return calendars.later(calendars.of(queue), item.enqueued_at, queue.target_s)
