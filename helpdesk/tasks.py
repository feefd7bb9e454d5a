"""Celery: who runs the io and heavy lanes, and the sweeps.

Embedded, worker and beat live in threads of the server on a memory broker. Scaled, they are processes of their own on Redis. Either way a
task only says "drain this lane": the work itself is a row in the database, so a lost task loses nothing.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from datetime import timedelta
from typing import Any

from celery import Celery
from celery.beat import Service
from celery.signals import worker_process_init, worker_ready, worker_shutting_down
from flask import Flask

from helpdesk import db, deliveries, worker
from helpdesk.config import Settings

log = logging.getLogger(__name__)

SWEEP_S = 15.0
HOUSEKEEPING_S = 600.0


def make_celery(app: Flask) -> Celery:
    """The Celery application of this desk, with its tasks and beat schedule."""
    settings: Settings = app.config["HELPDESK"]
    celery = Celery("helpdesk", broker=settings.redis_url or "memory://", set_as_current=True)
    celery.conf.update(
        task_ignore_result=True,
        task_acks_late=True,
        task_default_queue="helpdesk",
        broker_connection_retry_on_startup=True,
        broker_transport_options={"polling_interval": 0.05} if settings.embedded else {"socket_timeout": 5, "visibility_timeout": 300},
        worker_hijack_root_logger=False,
        worker_prefetch_multiplier=1,
        worker_cancel_long_running_tasks_on_connection_loss=False,
        beat_schedule={
            "sweep": {"task": "helpdesk.sweep", "schedule": SWEEP_S, "options": {"expires": SWEEP_S}},
            "housekeeping": {"task": "helpdesk.housekeeping", "schedule": HOUSEKEEPING_S, "options": {"expires": HOUSEKEEPING_S}},
        },
    )
    celery.set_default()

    @celery.task(name="helpdesk.drain")  # type: ignore[untyped-decorator]
    def drain(lane: str) -> None:
        _inside(app, lambda: worker.drain(lane))

    @celery.task(name="helpdesk.sweep")  # type: ignore[untyped-decorator]
    def sweep() -> None:
        _inside(app, _sweep)

    @celery.task(name="helpdesk.housekeeping")  # type: ignore[untyped-decorator]
    def housekeeping() -> None:
        _inside(app, _housekeeping)

    return celery


def _inside(app: Flask, call: Callable[[], object]) -> None:
    with app.app_context():
        call()


def _sweep() -> None:
    """Repair what a dead process left: silent agents, stranded work, deliveries nobody was nudged for."""
    from helpdesk.agents import presence, sweeping

    presence.expire()
    sweeping.sweep()
    for lane in deliveries.LANES:
        worker.drain(lane)


def _housekeeping() -> None:
    """Remove what has served its time; count segments anew; ask and remind customers whose turn it is."""
    from sqlalchemy import delete

    from helpdesk import clock, retaining
    from helpdesk.agents.models import Viewer
    from helpdesk.agents.worth import nightly
    from helpdesk.auth import OneTimeLink, SignInTry
    from helpdesk.channels.api.models import IdempotencyKey
    from helpdesk.crm import segment_counts
    from helpdesk.tickets import surveys
    from helpdesk.tickets.models import SavedForm

    deliveries.purge()
    retaining.run()
    segment_counts.refresh()
    now = clock.now()
    with db.transaction():
        surveys.round_of_questions()
        nightly.want_by_night()
    with db.transaction() as session:
        session.execute(delete(SignInTry).where(SignInTry.at < now - timedelta(days=1)))
        session.execute(delete(OneTimeLink).where(OneTimeLink.expires_at < now - timedelta(days=30)))
        session.execute(delete(Viewer).where(Viewer.seen_at < now - timedelta(hours=1)))
        session.execute(delete(SavedForm).where(SavedForm.at < now - timedelta(days=7)))
        session.execute(delete(IdempotencyKey).where(IdempotencyKey.at < now - timedelta(days=2)))


def hand_over(celery: Celery) -> Callable[[str], None]:
    """What a clerk does with the lanes it does not drain itself.

    A broker that is away costs a moment's latency: the sweep finds the rows.
    """

    def send(lane: str) -> None:
        try:
            celery.send_task("helpdesk.drain", args=[lane], retry=False, expires=60)
        except Exception as wrong:
            log.warning("the broker does not take tasks (%s); the sweep will find the work", wrong)

    return send


class Embedded:
    """A Celery worker and beat in threads of this process."""

    def __init__(self, celery: Celery) -> None:
        self._celery = celery
        self._worker: Any = None
        self._beat: Any = None

    def start(self) -> None:
        self._worker = self._celery.WorkController(
            pool="threads",
            concurrency=2,
            hostname="helpdesk@embedded",
            without_heartbeat=True,
            without_mingle=True,
            without_gossip=True,
            loglevel="WARNING",
        )
        threading.Thread(target=self._run, name="celery-worker", daemon=True).start()
        self._beat = Service(self._celery, max_interval=5, scheduler_cls="celery.beat.Scheduler")
        threading.Thread(target=self._beat.start, kwargs={"embedded_process": True}, name="celery-beat", daemon=True).start()

    def _run(self) -> None:
        try:
            self._worker.start()
        except Exception:
            log.exception("the embedded worker stopped")

    def stop(self) -> None:
        """Stop taking work. What runs is finished by its lease's rules: a row not marked done is done again."""
        from celery.worker import state

        if self._beat is not None:
            self._beat._is_shutdown.set()
            self._beat._is_stopped.set()
        state.should_stop = 0


def on_worker_process(app: Flask, settings: Settings) -> None:
    """Scaled: each pool process opens its own connections; the main process keeps the timer and fetches mail accounts."""
    from helpdesk.server import start_fetching

    _stop_fetching: list[Callable[[], object]] = []

    @worker_process_init.connect(weak=False)  # type: ignore[untyped-decorator]
    def _fresh(**_kwargs: object) -> None:
        db.connect(settings.database_url, pool_size=2)

    @worker_ready.connect(weak=False)  # type: ignore[untyped-decorator]
    def _timer(sender: Any = None, **_kwargs: object) -> None:
        from helpdesk.worker import Clerk, employ

        clerk = Clerk(hand_over(sender.app), hot_here=False)
        employ(clerk)
        clerk.start()
        _stop_fetching.append(start_fetching(settings, alone=False))

    @worker_shutting_down.connect(weak=False)  # type: ignore[untyped-decorator]
    def _end(**_kwargs: object) -> None:
        for stop in _stop_fetching:
            stop()
