"""Work that waits follows a changed rule at once: a queue's steps and tier, the desk's boosts, what may interrupt what. With progress.

What is little is done where the change is heard of; what is much is walked through in transactions of its own, oldest first, so that no
match waits for more than one batch. Facts come from the setting-up screens, which say how many pieces follow (`waits`).
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import func, select

from helpdesk import clock, db, live
from helpdesk.actor import SYSTEM
from helpdesk.agents import assignments, candidates, steps, turns, waiting
from helpdesk.agents.models import Reordering, WorkItem
from helpdesk.auth import Principal
from helpdesk.catalog import BoostsChanged, InterruptsChanged, QueueChanged, StepsComing
from helpdesk.events import Outside, reaction, record
from helpdesk.preferences import BELIEVED_S
from helpdesk.tickets.models import Queue

#: So many pieces of work are changed in one transaction.
BATCH = 500
PATIENCE = timedelta(minutes=10)
#: When no process still believes the preferences of before.
SETTLED = timedelta(seconds=2 * BELIEVED_S)


@reaction(QueueChanged, key=lambda fact: f"queue:{fact.queue_id}", name="routing.queue_changed")
def queue_changed(fact: QueueChanged) -> Outside | None:
    """What waits follows what its queue asks for now, and everybody who works there is asked again."""
    queue = db.session().get(Queue, fact.queue_id)
    return None if queue is None else _follow(queue.id, lambda: _serve_and_wait(fact.queue_id))


@reaction(BoostsChanged, key=lambda _fact: "desk", name="reordering.boosts")
def boosts_changed(fact: BoostsChanged) -> Outside | None:
    """What waits stands where the boosts of now put it."""
    return _follow(None, lambda: None)


@reaction(BoostsChanged, delay=SETTLED, key=lambda _fact: "desk", newcomer="move", name="reordering.boosts_settled")
def boosts_settled(fact: BoostsChanged) -> Outside | None:
    """Once more: for a moment another process may still have placed work by what it had read before."""
    return _follow(None, lambda: None)


@reaction(InterruptsChanged, key=lambda _fact: "desk", name="reordering.interrupts")
def interrupts_changed(fact: InterruptsChanged) -> Outside | None:
    """Whoever has work in hand may be free for more now: they are asked again. What they have been given already stays theirs."""
    return _ask_those_at_work()


@reaction(InterruptsChanged, delay=SETTLED, key=lambda _fact: "desk", newcomer="move", name="reordering.interrupts_settled")
def interrupts_settled(fact: InterruptsChanged) -> Outside | None:
    """Once more: for a moment another process may still have decided by the table that it had read before."""
    return _ask_those_at_work()


@reaction(StepsComing, delay=lambda fact: _until(fact.at), name="reordering.steps_coming")
def steps_coming(fact: StepsComing) -> None:
    """Work that had begun to wait before its queue got these steps has no timer of its own: it widens here."""
    mine = _of(fact.queue_id)
    for item_id in db.session().scalars(
        select(WorkItem.id).where(*mine, WorkItem.id <= fact.upto, WorkItem.step_until <= clock.now()).order_by(WorkItem.id).limit(BATCH)
    ):
        steps.widen(item_id)
    _next_step(fact.queue_id, fact.upto)


def waits(queue_id: int | None = None) -> int:
    """How many pieces of work wait, in a queue or in all."""
    return db.session().scalar(select(func.count()).select_from(WorkItem).where(*_of(queue_id))) or 0


def running(queue_id: int | None = None) -> Reordering | None:
    """The walk through a queue's waiting work, or all work, that is under way."""
    same = Reordering.queue_id.is_(None) if queue_id is None else Reordering.queue_id == queue_id
    found = select(Reordering).where(same, Reordering.finished_at.is_(None)).order_by(Reordering.id.desc()).limit(1)
    return db.session().scalar(found)


# --- the walk --------------------------------------------------------------------------------------------------------------


def _follow(queue_id: int | None, then: Callable[[], None]) -> Outside:
    total = waits(queue_id)
    if total <= BATCH:
        _batch(queue_id, 0)
        return Outside(call=lambda: None, then=lambda _result: then())
    walk = running(queue_id)  # an earlier try that was cut off begins again
    if walk is None:
        walk = Reordering(queue_id=queue_id)
        db.session().add(walk)
    walk.asked_at, walk.total, walk.done = clock.now(), total, 0
    db.session().flush()
    walk_id = walk.id
    return Outside(call=lambda: _walk(walk_id, queue_id), then=lambda result: _finish(walk_id, result, then), patience=PATIENCE)


def _walk(walk_id: int, queue_id: int | None) -> None:
    last = 0
    while True:
        with db.transaction() as session:
            changed = _batch(queue_id, last)
            if not changed:
                return
            last = changed[-1].id
            session.get_one(Reordering, walk_id).done += len(changed)
            db.after_commit(lambda: _tell(walk_id))


def _finish(walk_id: int, result: object, then: Callable[[], None]) -> None:
    if isinstance(result, BaseException):
        raise result
    db.session().get_one(Reordering, walk_id).finished_at = clock.now()
    db.after_commit(lambda: _tell(walk_id))
    then()


def _batch(queue_id: int | None, after: int) -> list[WorkItem]:
    if queue_id is None:
        return waiting.reboost(after=after, limit=BATCH)
    return steps.reshape(db.session().get_one(Queue, queue_id), after=after, limit=BATCH)


def _serve_and_wait(queue_id: int) -> None:
    queue = db.session().get_one(Queue, queue_id)
    upto = db.session().scalar(select(func.max(WorkItem.id)).where(*_of(queue_id)))
    if upto is not None:
        _next_step(queue_id, upto)
    everybody = assignments.members(queue.id) | (assignments.members(queue.overflow_id) if queue.overflow_id else set())
    turns.ask_again(waiting.refused(), sorted(everybody))


def _ask_those_at_work() -> Outside:
    return Outside(call=lambda: None, then=lambda _result: turns.serve_all(sorted(state.id for state in candidates.at_work().states)))


def _next_step(queue_id: int, upto: int) -> None:
    """The timer of what waited when the steps changed: the earliest end of a step among it."""
    at = db.session().scalar(select(func.min(WorkItem.step_until)).where(*_of(queue_id), WorkItem.id <= upto))
    if at is not None:
        record(StepsComing(queue_id, upto, at.isoformat(), SYSTEM))


def _of(queue_id: int | None) -> list[Any]:
    return [steps.WAITING] if queue_id is None else [steps.WAITING, WorkItem.queue_id == queue_id]


def _until(moment: str) -> timedelta:
    return max(datetime.fromisoformat(moment) - clock.now(), timedelta())


# --- on the screen -----------------------------------------------------------------------------------------------------------


def _tell(walk_id: int) -> None:
    live.push(f"reordering:{walk_id}", "changed")


@live.room("reordering")
def may_watch(who: Principal, key: str, _token: str) -> bool:
    """`reordering:<id>`: those who may see the setting-up screens."""
    return who.leads and who.scopes is None and key.isdigit()
