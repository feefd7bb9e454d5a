"""Starts and stops the desk's processes.

Embedded, one gevent process carries everything: pages, sockets, mail intake, a Celery worker and beat in threads. Scaled,
gunicorn runs several of
them and Celery its own. Standard library modules are patched for gevent only here, before anything else is imported (see `cli`).
"""

from __future__ import annotations

import logging
import os
import signal
import socket
import sys
import threading
import time
from collections.abc import Callable
from typing import Any

from helpdesk.config import Settings

log = logging.getLogger(__name__)

#: How long an orderly stop may take; then the process ends, and leases and the outbox do the rest.
STOP_S = 4.0


class PortTaken(Exception):
    """Somebody else listens where the desk wants to."""


def patched() -> bool:
    from gevent import monkey

    return bool(monkey.is_module_patched("threading"))


def patch() -> None:
    """Make waiting cooperative. Must come before sockets, threads and SQLAlchemy are imported."""
    from gevent import monkey

    monkey.patch_all()  # psycopg, imported later and only where there is PostgreSQL, waits cooperatively by itself on patched sockets


def listen(host: str, port: int) -> socket.socket:
    """A listening socket without Nagle's delay, which costs keep-alive clients 40 ms an answer. Raises PortTaken."""
    server = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET)
    server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    server.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    try:
        server.bind((host, port))
    except OSError as wrong:
        server.close()
        raise PortTaken(f"{host}:{port} cannot be had: {wrong.strerror}. Choose another with --port.") from wrong
    server.listen(1024)
    server.setblocking(False)
    return server


class Parts:
    """Everything in a process that was started and must be stopped: clerk, watchman, worker, mail intake."""

    def __init__(self) -> None:
        self._stops: list[tuple[str, Callable[[], object]]] = []

    def add(self, name: str, stop: Callable[[], object]) -> None:
        self._stops.append((name, stop))

    def stop(self) -> None:
        for name, stop in reversed(self._stops):
            try:
                stop()
            except Exception:
                log.exception("stopping %s", name)


def start_parts(app: Any, settings: Settings, *, mail: bool) -> Parts:
    """Start what runs beside the pages in a web process."""
    from helpdesk import deliveries, live, tasks, worker
    from helpdesk.kb import search

    parts = Parts()
    search.prepare(app)
    celery = tasks.make_celery(app)
    if settings.embedded:
        deliveries.release_leases()
    clerk = worker.Clerk(tasks.hand_over(celery))
    worker.employ(clerk)
    clerk.start()
    parts.add("clerk", clerk.stop)
    watchman = live.Watchman(app)
    watchman.start()
    parts.add("watchman", watchman.stop)
    if settings.embedded:
        embedded = tasks.Embedded(celery)
        embedded.start()
        parts.add("worker", embedded.stop)
        follower = Follower(settings)
        if settings.sqlite:
            follower.start()
            parts.add("follower", follower.stop)
        parts.add("mail accounts", start_fetching(settings, alone=True))
    if mail and settings.mail_listen is not None:
        from helpdesk.channels.email import listener

        door = listener.start(app, settings)
        parts.add("mail", door.stop)
    return parts


def start_fetching(settings: Settings, *, alone: bool) -> Callable[[], object]:
    """Fetch mail accounts in this process, those that no other one holds; what stops it. `alone`: no other process can be fetching."""
    from helpdesk.channels.email.imap import fetchers

    if alone:
        fetchers.release_all()
    running = fetchers.Fetchers(settings.max_mail_bytes)
    running.start()
    return running.stop


class Follower:
    """Embedded: notices what another process (a command, a mail pipe) wrote to the SQLite file, and wakes the clerk."""

    PAUSE_S = 0.5

    def __init__(self, settings: Settings) -> None:
        self._path = settings.database_url.removeprefix("sqlite:///")
        self._stop = threading.Event()

    def start(self) -> None:
        threading.Thread(target=self._follow, name="follower", daemon=True).start()

    def stop(self) -> None:
        self._stop.set()

    def _follow(self) -> None:
        import sqlite3

        from helpdesk import db, deliveries, worker

        watch = sqlite3.connect(self._path, timeout=0, check_same_thread=False)
        last = ours = 0
        while not self._stop.wait(self.PAUSE_S):
            try:
                now = watch.execute("PRAGMA data_version").fetchone()[0]
            except sqlite3.Error:
                continue
            if now != last and db.commits() == ours:
                worker.nudge({*deliveries.LANES})
            last, ours = now, db.commits()
        watch.close()


def serve_embedded(
    app: Any,
    settings: Settings,
    listener: socket.socket,
    *,
    ready: Callable[[], None] | None = None,
    beside: Callable[[Parts], None] | None = None,
) -> None:
    """Serve in this process until SIGTERM or Ctrl-C. `beside` may start more parts, which are stopped with the others."""
    import gevent
    from gevent.pywsgi import WSGIServer

    parts = start_parts(app, settings, mail=True)
    server = WSGIServer(listener, application=Nodelay(app), handler_class=handler_class(), log=None, error_log=log)
    done = gevent.event.Event()
    for sign in (signal.SIGTERM, signal.SIGINT):
        gevent.signal_handler(sign, done.set)
    server.start()
    if beside is not None:
        beside(parts)
    _settle()
    if ready is not None:
        ready()
    done.wait()
    stop(server, parts)


class Nodelay:
    """The application. gevent's accepted sockets inherit TCP_NODELAY from the listener on Linux; this names the place where it matters."""

    def __init__(self, app: Any) -> None:
        self._app = app

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Any:
        return self._app(environ, start_response)


def handler_class() -> type:
    """pywsgi's handler, which after a websocket closes must not read on and take the client's last frames for requests."""
    from gevent.pywsgi import WSGIHandler

    class Handler(WSGIHandler):  # type: ignore[misc]
        def handle_one_response(self) -> None:
            super().handle_one_response()
            if self.environ.get("HTTP_UPGRADE", "").lower() == "websocket":
                self.close_connection = True

    return Handler


def _settle() -> None:
    """What start-up made and nobody will ever free needs no more looking at by the collector; give the rest back to the machine."""
    import ctypes
    import gc

    gc.collect()
    gc.freeze()
    try:
        ctypes.CDLL("libc.so.6").malloc_trim(0)
    except OSError:
        return


def stop(server: Any, parts: Parts) -> None:
    """End within seconds even with open sockets: what was acknowledged is in the database, everything else is done again by
    whoever comes next.
    """
    from helpdesk import db

    threading.Thread(target=_end_anyway, daemon=True).start()
    server.stop(timeout=1)
    parts.stop()
    db.disconnect()
    sys.stdout.flush()
    os._exit(0)  # Celery's threads would wait for their broker


def _end_anyway() -> None:
    time.sleep(STOP_S)
    os._exit(0)


# --- scaled ------------------------------------------------------------------------------------------------------------


def count_together(settings: Settings) -> None:
    """Let the web processes of this machine keep their counters side by side, so that each answers /metrics for all of them. Must come
    before the first counter is made.
    """
    folder = settings.data / "metrics"
    folder.mkdir(parents=True, exist_ok=True)
    for left in folder.glob("*.db"):
        left.unlink(missing_ok=True)  # of processes that ended with the last server
    os.environ.setdefault("PROMETHEUS_MULTIPROC_DIR", str(folder))


def serve_scaled(settings: Settings, host: str, port: int, processes: int) -> None:
    """Several web processes under gunicorn; mail intake in the first of them."""
    from gunicorn.app.base import BaseApplication

    mail_listen = settings.mail_listen

    class Gunicorn(BaseApplication):  # type: ignore[misc]
        def load_config(self) -> None:
            for name, value in {
                "bind": f"{host}:{port}",
                "workers": processes,
                "worker_class": "gevent",
                "graceful_timeout": 3,
                "timeout": 60,
                "post_worker_init": _start_in_worker,
                "worker_exit": _stop_in_worker,
                "child_exit": _counted,
                "loglevel": settings.log_level.lower(),
            }.items():
                self.cfg.set(name, value)

        def load(self) -> Any:
            from helpdesk.app import create_app

            return create_app(settings, async_mode="gevent")

    def _start_in_worker(worker: Any) -> None:
        first = mail_listen is not None and _first_to_hold(settings)
        worker.helpdesk_parts = start_parts(worker.app.callable, settings, mail=first)
        _settle()

    def _stop_in_worker(_server: Any, worker: Any) -> None:
        parts = getattr(worker, "helpdesk_parts", None)
        if parts is not None:
            parts.stop()

    def _counted(_server: Any, worker: Any) -> None:
        from prometheus_client import multiprocess

        multiprocess.mark_process_dead(worker.pid)  # type: ignore[no-untyped-call]

    Gunicorn().run()


_held: list[Any] = []


def _first_to_hold(settings: Settings) -> bool:
    """Whether this process is the one that takes mail in: whoever holds the lock, until it ends."""
    import fcntl

    handle = (settings.data / "mail.lock").open("w")
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        handle.close()
        return False
    _held.append(handle)
    return True


def run_worker(app: Any, settings: Settings, *, concurrency: int, beat: bool) -> None:
    """A Celery worker process (with beat inside if asked): runs the io and heavy lanes of a scaled desk."""
    from helpdesk import tasks

    celery = tasks.make_celery(app)
    tasks.on_worker_process(app, settings)
    options = ["worker", f"--concurrency={concurrency}", "--loglevel=WARNING", "--without-gossip", "--without-mingle"]
    if beat:
        options += ["--beat", f"--schedule={settings.data / 'beat-schedule'}"]
    celery.worker_main(options)


def run_beat(app: Any, settings: Settings) -> None:
    """Celery beat alone: says when to sweep. Run exactly one beside any number of workers."""
    from helpdesk import tasks

    tasks.make_celery(app).Beat(schedule=str(settings.data / "beat-schedule"), loglevel="WARNING").run()
