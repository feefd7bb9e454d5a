"""Database, broker and workers: whether they answer, whether their clocks agree with ours, and whether owed work is done."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

from helpdesk.check.finding import PATIENCE_S, Finding
from helpdesk.config import Settings

#: Clocks that differ by so much make timers late; by so much more, links and tokens invalid.
SKEW_S, GREAT_SKEW_S = 2.0, 30.0
#: Due work older than this says that nobody is working.
LATE_S = 120.0


def database(settings: Settings) -> Iterator[Finding]:
    from sqlalchemy.exc import SQLAlchemyError

    from helpdesk import db, schema

    shown = db.engine().url.render_as_string(hide_password=True)
    if settings.sqlite and not Path(str(db.engine().url.database)).exists():
        yield Finding("database", "fault", f"{shown} does not exist", "Run helpdesk init.")
        return
    begun = time.perf_counter()
    try:
        with db.engine().connect() as connection:
            answer = connection.exec_driver_sql("SELECT sqlite_version()" if settings.sqlite else "SHOW server_version").scalar()
    except SQLAlchemyError as wrong:
        words = str(getattr(wrong, "orig", wrong)).strip().splitlines()[0]
        yield Finding("database", "fault", f"{shown} cannot be reached: {words}", "Start it, or correct DATABASE_URL.")
        return
    took = (time.perf_counter() - begun) * 1000
    yield Finding("database", "ok", f"{'SQLite' if settings.sqlite else 'PostgreSQL'} {answer} at {shown} answers in {took:.0f} ms")
    at, wanted = schema.current(), schema.newest()
    if at != wanted:
        yield Finding(
            "schema",
            "fault",
            f"the database is at step {at or 'nothing'}, this version wants {wanted}",
            "Run helpdesk init; a backup before does no harm.",
        )
        return
    yield Finding("schema", "ok", f"at step {at}, the newest")
    if not settings.sqlite:
        yield from _clock()
    yield from _work()
    yield from _queues()


def _queues() -> Iterator[Finding]:
    """Whether everything that is open can be served by somebody at all, at its last step."""
    from helpdesk import db
    from helpdesk.agents import queues

    with db.read():
        troubled = [row for row in queues.listed() if row.queue.active and row.trouble]
    for row in troubled:
        yield Finding(
            f"queue {row.queue.name}",
            "fault" if row.waiting else "warning",
            f"{row.trouble}{f' {row.waiting} are unsolved there.' if row.waiting else ''}",
            "Settings, Queues: add people who have the skills, or ask for less.",
        )
    if not troubled:
        yield Finding("queues", "ok", "each can be served by somebody")


def _clock() -> Iterator[Finding]:
    """The moment in the middle between asking and hearing is when the other clock was read."""
    from helpdesk import clock, db

    with db.engine().connect() as connection:
        connection.exec_driver_sql("SELECT 1")
        before = clock.now()
        theirs = connection.exec_driver_sql("SELECT clock_timestamp()").scalar_one()
        after = clock.now()
    yield skew("clock", "the database's", (theirs - (before + (after - before) / 2)).total_seconds())


def skew(name: str, whose: str, seconds: float) -> Finding:
    says = f"{whose} differs from this machine's by {abs(seconds):.1f} s"
    if abs(seconds) < SKEW_S:
        return Finding(name, "ok", says)
    return Finding(name, "fault" if abs(seconds) > GREAT_SKEW_S else "warning", says, "Let both machines set their clocks by NTP.")


def _work() -> Iterator[Finding]:
    from sqlalchemy import func, select

    from helpdesk import clock, db
    from helpdesk.events import Delivery

    with db.read() as session:
        owed = select(func.min(Delivery.due_at)).where(Delivery.done_at.is_(None), Delivery.parked_at.is_(None))
        oldest = session.scalar(owed)
        parked = (
            session.scalar(select(func.count()).select_from(Delivery).where(Delivery.parked_at.is_not(None), Delivery.done_at.is_(None)))
            or 0
        )
    late = (clock.now() - oldest).total_seconds() if oldest else 0.0
    if late > LATE_S:
        yield Finding(
            "work",
            "fault",
            f"something has been due for {late / 60:.0f} minutes",
            "Is `helpdesk serve` running, and `helpdesk worker` beside it on a scaled desk?",
        )
    elif parked:
        yield Finding(
            "work", "warning", f"{parked} deliveries are parked", "helpdesk jobs shows why; helpdesk jobs --retry 0 tries them again."
        )
    else:
        yield Finding("work", "ok", "nothing is late, nothing is parked")


def redis(settings: Settings) -> Iterator[Finding]:
    if settings.embedded:
        yield Finding("broker", "ok", "inside the server: no Redis is configured")
        return
    import redis

    shown = urlsplit(settings.redis_url)
    where = f"{shown.hostname or shown.path}:{shown.port or 6379}"
    try:
        with redis.Redis.from_url(settings.redis_url, socket_timeout=PATIENCE_S, socket_connect_timeout=PATIENCE_S) as link:
            begun = time.perf_counter()
            link.ping()
            took = (time.perf_counter() - begun) * 1000
            seconds, micros = link.time()
            ahead = seconds + micros / 1e6 - time.time()
    except redis.RedisError as wrong:
        yield Finding(
            "redis",
            "fault",
            f"{where} cannot be reached: {wrong}",
            "Start it, or correct REDIS_URL. Meanwhile nothing is lost: work waits in the database.",
        )
        return
    yield Finding("redis", "ok", f"{where} answers in {took:.1f} ms")
    yield skew("redis clock", "Redis's", ahead)
    yield from _workers(settings)


def _workers(settings: Settings) -> Iterator[Finding]:
    from celery import Celery

    with Celery("helpdesk", broker=settings.redis_url, set_as_current=False) as celery:
        celery.conf.broker_transport_options = {"socket_timeout": PATIENCE_S}
        answered = celery.control.ping(timeout=1.5)
    names = sorted(name for answer in answered for name in answer)
    if names:
        yield Finding("workers", "ok", f"{len(names)} answer: {', '.join(names)}")
    else:
        yield Finding("workers", "fault", "no worker answers", "Start one beside the web processes: helpdesk worker --beat")
