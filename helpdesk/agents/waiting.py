"""Work that waits: one live item per ticket, with its signature and its place in the order. Nothing here looks for an agent.

The order is `(tier, vkey, enqueued_at, id)`; `vkey` is the deadline minus a bounded boost and does not depend on now, so one index serves
it and nothing is ever sorted again.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from datetime import datetime

from sqlalchemy import or_, select, update
from sqlalchemy.dialects import postgresql, sqlite

from helpdesk import db
from helpdesk.actor import SYSTEM
from helpdesk.agents import assignments, ranking
from helpdesk.agents.models import (
    ItemState,
    Signature,
    WorkItem,
)
from helpdesk.catalog import (
    ItemQueued,
)
from helpdesk.crm.models import Contact
from helpdesk.events import record
from helpdesk.tickets.models import Queue, Ticket

KIND = "ticket"  # e-mail, portal and API requests are one kind of work; chat and phone bring their own
#: How much a tier is worth between 0 and 1, until the customer's value is computed.
TIER_VALUE = {"vip": 1.0, "gold": 0.8, "silver": 0.4}
BOOST = ranking.BoostRules()


def enqueue(ticket: Ticket) -> WorkItem:
    """The ticket's live work item, waiting if nobody owns it; made if there is none."""
    session = db.session()
    item = assignments.live_item(ticket)
    if item is not None:
        return item
    queue = session.get_one(Queue, ticket.queue_id)
    item = WorkItem(
        ticket_id=ticket.id,
        channel=KIND,
        queue_id=queue.id,
        signature_id=0,
        enqueued_at=ticket.waiting_since or ticket.opened_at,
        step=1,
        weight=int(queue.weights.get(KIND, 1)),
        state=ItemState.WAITING,
        tier=queue.tier,
        vkey=0,
    )
    place(item, ticket)
    session.add(item)
    session.flush()
    record(ItemQueued(ticket.id, item.id, queue.id, SYSTEM))
    return item


def place(item: WorkItem, ticket: Ticket) -> None:
    """The item's key: deadline minus boost, in epoch milliseconds; independent of now, so nothing is ever sorted again."""
    session = db.session()
    queue = session.get_one(Queue, ticket.queue_id)
    contact = session.get_one(Contact, ticket.requester_id)
    due = ticket.next_due_at.timestamp() if ticket.next_due_at else item.enqueued_at.timestamp() + queue.target_s
    boost = ranking.boost(str(ticket.priority), TIER_VALUE.get(contact.tier, 0.0), BOOST)
    item.queue_id, item.tier = queue.id, queue.tier
    item.signature_id = signature_of(queue, item.step).id
    item.vkey = int(ranking.vkey(due, boost.total_s) * 1000)


def signature_of(queue: Queue, step: int) -> Signature:
    """The interned signature of a queue's step: what its items ask of an agent."""
    session = db.session()
    requirements = queue.requirements
    if queue.steps and 1 <= step <= len(queue.steps):
        requirements = queue.steps[step - 1].get("requirements", requirements)
    shape = json.dumps([KIND, queue.id, step, sorted(requirements.items())], separators=(",", ":"))
    interned: dict[str, Signature] = db.unit().notes.setdefault("signatures", {})
    if shape in interned:
        return interned[shape]
    found = session.scalar(select(Signature).where(Signature.shape == shape))
    if found is None:
        dialect = sqlite if db.engine().dialect.name == "sqlite" else postgresql
        values = {"shape": shape, "channel": KIND, "queue_id": queue.id, "requirements": requirements, "step": step}
        session.execute(dialect.insert(Signature).values(**values).on_conflict_do_nothing(index_elements=["shape"]))
        found = session.scalars(select(Signature).where(Signature.shape == shape)).one()
    interned[shape] = found
    return found


def reshape(queue: Queue) -> None:
    """Waiting items take their queue's present requirements and tier; their place in time stays."""
    session = db.session()
    waiting = (WorkItem.queue_id == queue.id, WorkItem.state == ItemState.WAITING)
    for step in list(session.scalars(select(WorkItem.step).where(*waiting).distinct())):
        session.execute(
            update(WorkItem).where(*waiting, WorkItem.step == step).values(signature_id=signature_of(queue, step).id, tier=queue.tier),
            execution_options={"synchronize_session": False},
        )


def waiting_ids(queue_ids: Iterable[int] | None = None, *, before: datetime | None = None) -> list[int]:
    """Waiting items in routing's order; for screens."""
    found = (
        select(WorkItem.id)
        .where(WorkItem.state == ItemState.WAITING)
        .order_by(WorkItem.tier, WorkItem.vkey, WorkItem.enqueued_at, WorkItem.id)
    )
    if queue_ids is not None:
        found = found.where(WorkItem.queue_id.in_(list(queue_ids)))
    if before is not None:
        found = found.where(or_(WorkItem.enqueued_at < before))
    return list(db.session().scalars(found))
