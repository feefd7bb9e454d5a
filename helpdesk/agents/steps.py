"""How an item's circle of agents widens with its age: held for the agent who knows the customer, then the queue's steps, then overflow.

The rules are `widening.standing`; here they meet the rows. An item's step is part of its signature, so that a step's change is one UPDATE
and the probes of `agents.matching` need no look at the clock.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import datetime, timedelta
from itertools import pairwise
from typing import Any

from flask_babel import lazy_gettext as _
from sqlalchemy import bindparam, literal_column, select
from sqlalchemy.dialects import postgresql, sqlite

from helpdesk import clock, db
from helpdesk.actor import SYSTEM
from helpdesk.agents import ranking, sticky, widening
from helpdesk.agents.models import ItemState, Signature, WorkItem
from helpdesk.catalog import ItemWidened
from helpdesk.errors import Words
from helpdesk.events import record
from helpdesk.tickets.models import Queue

#: Written as the partial indexes are: with a bound value no engine would use them.
WAITING: Any = literal_column("work_item.state = 'waiting'")
MOST_AT_ONCE = 500


def of(queue: Queue) -> tuple[widening.Step, ...]:
    """The queue's steps as the ranking knows them; without any, one that lasts for ever. Skills are ids as text."""
    stored = queue.steps or [{"requirements": queue.requirements}]
    return tuple(
        widening.Step(
            {skill: int(level) for skill, level in step.get("requirements", {}).items()},
            float(step["until_age_s"]) if number < len(stored) and step.get("until_age_s") else None,
            queue.overflow_id if step.get("overflow") else None,
        )
        for number, step in enumerate(stored, start=1)
    )


def stand(item: WorkItem, queue: Queue, *, requester_id: int, afresh: bool = False) -> bool:
    """Put an item on the step of its age, with that step's signature; whether its step changed. `afresh`: as if it began to wait here."""
    before = item.step
    keeper = None
    if afresh:
        item.step = 0
        keeper = sticky.keeper_of(item, queue, requester_id)
    elif item.step == 0 and item.sticky_user_id is not None:
        keeper = sticky.keeper_of(item, queue, requester_id, only=item.sticky_user_id)
    now_at = widening.standing(
        of(queue),
        (clock.now() - item.enqueued_at).total_seconds(),
        sticky_agent=None if keeper is None else keeper.user_id,
        sticky_presence=ranking.Presence.OFFLINE if keeper is None else keeper.presence,
        hold_s=sticky.hold_s(queue, item.channel),
        at_least=item.step,
    )
    item.step, item.sticky_user_id = now_at.step, now_at.held_for
    item.step_until = None if now_at.until_age is None else item.enqueued_at + timedelta(seconds=now_at.until_age)
    item.signature_id = signature_of(queue, item.channel, now_at.step).id
    return item.step != before


def widen(item_id: int) -> bool:
    """A step's time may be over: admit more agents if it is. Whether it was."""
    session = db.session()
    item = session.scalar(select(WorkItem).where(WorkItem.id == item_id).with_for_update().execution_options(populate_existing=True))
    if item is None or item.state is not ItemState.WAITING or item.step_until is None or item.step_until > clock.now():
        return False
    return restand(item)


def restand(item: WorkItem) -> bool:
    """Look again where a waiting item stands, and say so if it moved on."""
    queue = db.session().get_one(Queue, item.queue_id)
    if not stand(item, queue, requester_id=0):
        return False
    moved_on(item)
    return True


def moved_on(item: WorkItem) -> None:
    """Say that an item has another step: whoever it admits is looked for, and the next step has its timer."""
    record(ItemWidened(item.ticket_id, item.id, item.queue_id, item.step, SYSTEM, next_step_at=moment(item.step_until)))


def release(user_id: int) -> list[int]:
    """Somebody for whom work was held has gone: it goes on to whoever else may have it. Ids of the items."""
    session = db.session()
    held = select(WorkItem).where(WorkItem.sticky_user_id == user_id, literal_column("work_item.state = 'waiting' AND work_item.step = 0"))
    return [item.id for item in session.scalars(held.order_by(WorkItem.id).with_for_update()) if restand(item)]


def overdue() -> list[int]:
    """Items whose step should have ended: a timer was lost, a clock was set, a queue was changed. For the sweep."""
    late = select(WorkItem.id).where(WAITING, WorkItem.step_until <= clock.now()).order_by(WorkItem.step_until).limit(MOST_AT_ONCE)
    return list(db.session().scalars(late))


def reshape(queue: Queue, *, after: int = 0, limit: int = MOST_AT_ONCE) -> list[WorkItem]:
    """The next waiting items of a queue, by id, follow what it says now: step, signature, tier and weight; their place in time stays.

    Those that were looked at: none when all are.
    """
    found = select(WorkItem).where(WAITING, WorkItem.queue_id == queue.id, WorkItem.id > after).order_by(WorkItem.id).limit(limit)
    items = list(db.session().scalars(found.with_for_update().execution_options(populate_existing=True)))
    for item in items:
        item.step = min(item.step, 1)  # by its age alone: steps may have become longer, too
        stand(item, queue, requester_id=0)
        item.weight = weight_of(queue, item.channel)
        item.tier = 0 if item.emergency else queue.tier
    db.session().flush()
    return items


def weight_of(queue: Queue, channel: str) -> int:
    """How much of an agent's budget one item of this channel takes in this queue."""
    return int(queue.weights.get(channel, 1))


def signature_of(queue: Queue, channel: str, step: int) -> Signature:
    """The interned signature of a queue's step: what its items ask of an agent. Step 0 asks what the first does."""
    session = db.session()
    now_at = of(queue)[max(step, 1) - 1]
    requirements, overflow = dict(now_at.requirements), now_at.overflow_queue if step else None
    shape = json.dumps([channel, queue.id, step, sorted(requirements.items()), *([overflow] if overflow else [])], separators=(",", ":"))
    interned: dict[str, Signature] = db.unit().notes.setdefault("signatures", {})
    if shape in interned:
        return interned[shape]
    found = session.scalar(_OF_SHAPE, {"shape": shape})
    if found is None:
        dialect = sqlite if db.engine().dialect.name == "sqlite" else postgresql
        values = {
            "shape": shape,
            "channel": channel,
            "queue_id": queue.id,
            "requirements": requirements,
            "step": step,
            "overflow_id": overflow,
        }
        session.execute(dialect.insert(Signature).values(**values).on_conflict_do_nothing(index_elements=["shape"]))
        found = session.scalars(_OF_SHAPE, {"shape": shape}).one()
    interned[shape] = found
    return found


_OF_SHAPE = select(Signature).where(Signature.shape == bindparam("shape"))


def moment(at: datetime | None) -> str:
    """An instant as facts carry it; empty for none."""
    return "" if at is None else at.isoformat()


# --- what may be said --------------------------------------------------------------------------------------------------------


def fault(queue_id: int | None, steps: Sequence[widening.Step], overflow_id: int | None, skills: dict[str, str]) -> Words:
    """Why these steps cannot be a queue's; empty when they can. `queue_id` None for a queue that is being made; `skills`: names by id."""
    for number, (before, step) in enumerate(pairwise(steps), start=2):
        for skill, level in step.requirements.items():
            if level > before.requirements.get(skill, 0):
                return _("Step %(n)s asks for %(skill)s %(level)s, more than the step before it. Steps only ever admit more people.",
                         n=number, skill=skills.get(skill, "?"), level=level)  # fmt: skip
    try:
        widening.check_steps(steps)
    except widening.NarrowingSteps:
        return _("Each step must begin later than the one before it, and overflow comes last.")
    return _circle(queue_id, overflow_id)


def _circle(queue_id: int | None, overflow_id: int | None) -> Words:
    """Whether overflow would lead back to where it began."""
    if overflow_id is None or queue_id is None:
        return ""
    queues = {queue.id: queue for queue in db.session().scalars(select(Queue))}
    chain: list[str] = [queues[queue_id].name]
    at: int | None = overflow_id
    while at is not None and at in queues and len(chain) <= len(queues):
        chain.append(queues[at].name)
        if at == queue_id:
            return _("Overflow would go in a circle: %(names)s.", names=" → ".join(chain))
        at = queues[at].overflow_id
    return ""
