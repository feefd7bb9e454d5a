"""Runs due deliveries. Who runs them and what wakes them:

- hot lane: the process that committed drains it at once, one drain at a time with an "again" mark, so that nothing polls between
  a ticket and an agent's screen;
- io and heavy lanes: Celery tasks (in threads of the server when embedded, worker processes when scaled);
- later: a timer in every process sleeps until the earliest `due_at`; Celery beat's sweep only repairs what a dead process left.

A delivery is claimed under a numbered lease (`helpdesk.deliveries`). A reaction's effects and its done mark commit together, and only if
the claim's number is still ours, so a worker that overslept its lease cannot do the work twice. On PostgreSQL the claim commits first; on
SQLite, where nobody else can write meanwhile, claim and effects share a transaction.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from functools import partial
from typing import Any

from sqlalchemy import bindparam, select, update
from sqlalchemy.exc import OperationalError

from helpdesk import clock, db, deliveries, events
from helpdesk.deliveries import LANES, LeaseLost
from helpdesk.events import LATER, Delivery, Event, Fact, Outside

log = logging.getLogger(__name__)

BATCH = 50
#: How long deliveries share one transaction on SQLite: its end costs a flush of the disk, its length makes everybody else wait.
TOGETHER_S = 0.01
#: How long the timer sleeps at most: also the longest a delivery written by a process that died before its nudge can wait.
LONGEST_SLEEP_S = 5.0
#: A lane is handed over at most this often: one task drains whatever has come together.
HAND_OVER_REST_S = 0.1


# --- draining ------------------------------------------------------------------------------------------------------------------------


def drain(lane: str, *, limit: int = BATCH, looking: Callable[[], object] | None = None) -> int:
    """Run what is due in one lane until nothing is left; the number of deliveries run. `looking` is told before each look: what was
    committed until then is found by it.
    """
    ran, turn = 0, _together if db.engine().dialect.name == "sqlite" else _apart
    while True:
        if looking is not None:
            looking()
        done, more = turn(lane, limit)
        ran += done
        if not more:
            return ran
        time.sleep(0)  # under gevent SQLite never yields by itself: let requests and screens in between


# --- on SQLite: claimed and done in one transaction ----------------------------------------------------------------------------------


def _together(lane: str, limit: int) -> tuple[int, bool]:
    """Run due deliveries for a moment in one transaction: (how many, whether there may be more).

    SQLite's writers take turns, so that a claim without a commit of its own is safe, and a process that dies takes it back at once. What
    must wait for the network keeps its claim and is finished afterwards. What the hot lane does would only be done again after a power
    cut: it does not wait for the disk.
    """
    begun, ran = time.monotonic(), 0
    with db.transaction(durable=lane != "hot"):
        while True:
            if ran == limit or (ran and time.monotonic() - begun > TOGETHER_S):
                return ran, True
            taken = deliveries.take(lane)
            if taken is None:
                return ran, False
            ran += 1
            try:
                with db.part():
                    step = _react(taken)
            except OperationalError:
                raise  # the database itself: nothing of this can be kept
            except Exception as failure:
                log.exception("delivery %s failed", taken.id)
                deliveries.put_back(taken.id, taken.claim, failure)
                db.after_commit(_look_later)
                continue
            if step is not None:
                break
    _finish(taken.id, taken.claim, step)
    return ran, True


def _react(row: Any) -> Outside | None:
    """Run a claimed row's reaction and mark it done, or keep the claim for what is to be done outside. `row` has id, claim, reaction,
    event_id.
    """
    stored = db.session().scalar(_EVENT, {"id": row.event_id}) if row.event_id else None
    step = events.reactions()[row.reaction].run(events.fact_of(stored) if stored is not None else None)
    if step is None:
        deliveries.done(row.id, row.claim)
    else:
        deliveries.hold(row.id, row.claim, step.patience)
    return step


_EVENT = select(Event).where(Event.id == bindparam("id"))


# --- on PostgreSQL: claimed first, so that nobody waits for a row while another transaction works ------------------------------------


def _apart(lane: str, limit: int) -> tuple[int, bool]:
    """Claim up to `limit` due deliveries, then run each in a transaction of its own: (how many, whether there may be more)."""
    claimed = deliveries.claim(lane, limit)
    for delivery_id, claim in claimed:
        _run(delivery_id, claim)
        time.sleep(0)
    return len(claimed), len(claimed) == limit


def _run(delivery_id: int, claim: int) -> None:
    try:
        with db.transaction() as session:
            row = session.get(Delivery, delivery_id)
            if row is None or row.claim != claim or row.done_at is not None:
                raise LeaseLost
            step = _react(row)
    except LeaseLost:
        log.info("delivery %s was taken over by another worker", delivery_id)
    except Exception as failure:
        log.exception("delivery %s failed", delivery_id)
        _put_back(delivery_id, claim, failure)
    else:
        if step is not None:
            _finish(delivery_id, claim, step)


def _finish(delivery_id: int, claim: int, step: Outside) -> None:
    """Wait for the network with no transaction open, then write what came of it."""
    try:
        try:
            result: object = step.call()
        except Exception as failure:
            result = failure
        with db.transaction():
            step.then(result)
            deliveries.done(delivery_id, claim)
    except LeaseLost:
        log.info("delivery %s was taken over by another worker", delivery_id)
    except Exception as failure:
        log.exception("delivery %s failed", delivery_id)
        _put_back(delivery_id, claim, failure)


def _put_back(delivery_id: int, claim: int, failure: Exception) -> None:
    """Free the row for a later try, or park it where an administrator sees it. A newer row of the same key makes this one superfluous."""
    try:
        with db.transaction():
            deliveries.put_back(delivery_id, claim, failure)
            db.after_commit(_look_later)
    except Exception:
        log.exception("delivery %s could not be put back; its lease will run out", delivery_id)


def _look_later() -> None:
    nudge({LATER})


def retry(delivery_id: int) -> None:
    """An administrator says: try the parked delivery again, now. Inside a transaction."""
    db.session().execute(
        update(Delivery)
        .where(Delivery.id == delivery_id, Delivery.parked_at.is_not(None))
        .values(parked_at=None, attempts=0, due_at=clock.now(), claimed_until=None)
    )
    db.after_commit(lambda: nudge({*LANES}))


# --- waking --------------------------------------------------------------------------------------------------------------------------


class Lane:
    """One lane's drain in this process: one at a time; a nudge since its last look makes it go round again."""

    def __init__(self, name: str, drain_it: Callable[[Callable[[], object]], object], *, rest_s: float = 0.0) -> None:
        self.name = name
        self._drain = drain_it
        self._rest_s = rest_s
        self._again = False
        self._running = False
        self._guard = threading.Lock()

    def nudge(self) -> None:
        with self._guard:
            if self._running:
                self._again = True
                return
            self._running = True
        threading.Thread(target=self._work, name=f"drain-{self.name}", daemon=True).start()

    def _work(self) -> None:
        while True:
            try:
                self._drain(self._looks)
            except Exception:
                log.exception("draining %s", self.name)
            if self._rest_s:
                time.sleep(self._rest_s)
            with self._guard:
                if not self._again:
                    self._running = False
                    return
                self._again = False

    def _looks(self) -> None:
        """The drain looks once more: the nudges until now are served by that."""
        with self._guard:
            self._again = False


class Clerk:
    """This process's part in running deliveries: drains the hot lane itself (if `hot_here`), hands the rest to `hand_over`,
    sleeps until something is due.
    """

    def __init__(self, hand_over: Callable[[str], None], *, hot_here: bool = True) -> None:
        self._lanes = {"hot": Lane("hot", (lambda looks: drain("hot", looking=looks)) if hot_here else (lambda _looks: hand_over("hot")))}
        for name in ("io", "heavy"):
            self._lanes[name] = Lane(name, partial(_pass_on, hand_over, name), rest_s=HAND_OVER_REST_S)
        self._wake = threading.Event()
        self._stopped = False
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        self._thread = threading.Thread(target=self._watch, name="clerk", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        self._stopped = True
        self._wake.set()

    def nudge(self, lanes: set[str]) -> None:
        """Something was committed in these lanes."""
        for lane in lanes - {LATER}:
            self._lanes[lane].nudge()
        if LATER in lanes:
            self._wake.set()  # its due_at may be earlier than what the timer sleeps for

    def _watch(self) -> None:
        while not self._stopped:
            self._wake.clear()
            try:
                pause = self._look()
            except Exception as failure:
                log.error("the timer could not look for due work: %s", failure)
                pause = LONGEST_SLEEP_S
            self._wake.wait(pause)

    def _look(self) -> float:
        pause = LONGEST_SLEEP_S
        for name, due in deliveries.earliest_due().items():
            lane = self._lanes[name]
            wait = (due - clock.now()).total_seconds()
            if wait <= 0:
                lane.nudge()
                wait = 0.25  # the drain runs; look again soon for what it left
            pause = min(pause, wait)
        return max(pause, 0.01)


def _pass_on(hand_over: Callable[[str], None], lane: str, _looks: Callable[[], object]) -> None:
    hand_over(lane)


_clerk: Clerk | None = None


def employ(clerk: Clerk | None) -> None:
    """Give this process its clerk. Without one, deliveries wait for another process (a command writes, the server works)."""
    global _clerk
    _clerk = clerk


def nudge(lanes: set[str]) -> None:
    if _clerk is not None and lanes:
        _clerk.nudge(lanes)


def work_off(*, lanes: tuple[str, ...] = LANES, patience_s: float = 30.0) -> int:
    """Run everything that is due now, here, until nothing is left. For commands and tests."""
    until = time.monotonic() + patience_s
    total = 0
    while ran := sum(drain(lane) for lane in lanes):
        total += ran
        if time.monotonic() > until:
            raise TimeoutError("deliveries keep coming")
    return total


def _on_published(_facts: list[Fact], lanes: set[str]) -> None:
    nudge(lanes)


events.published.append(_on_published)  # after the screens: see helpdesk.live
