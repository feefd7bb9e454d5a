"""What moves on open screens: Socket.IO rooms, who may watch them, and pushes after a commit.

The socket is a hint, the database is the truth. A push happens after the commit, best effort; each carries its room's revision counted by
the process that sent it, a heartbeat repeats the last one, and a screen that sees a gap fetches its page again. Rooms are small: a queue,
a ticket, a person. Joining one asks the same policy as the page, and asks again when rights change.

Packages hang their screens here: `@room("queue")` says who may watch, `@shows(Fact, …)` renders what changed, in the rounds of
`helpdesk.drawing`.
"""

from __future__ import annotations

import logging
import os
import secrets
import threading
import time
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from flask import Flask, render_template, request
from flask_babel import force_locale
from flask_socketio import SocketIO, join_room, leave_room
from sqlalchemy import select

from helpdesk import clock, db, drawing, events
from helpdesk.auth import ANONYMOUS, Principal
from helpdesk.events import Event, Fact

log = logging.getLogger(__name__)

LANGUAGES = ("en", "ru")
BEAT_S = 10.0
RECHECK_S = 4.0

socketio = SocketIO()

MayWatch = Callable[[Principal, str, str], bool]

_rooms: dict[str, MayWatch] = {}
_showers: list[tuple[tuple[type, ...], drawing.Shower]] = []
_alive: list[Callable[[Principal, dict[str, Any]], None]] = []


# --- what packages declare -------------------------------------------------------------------------------------------


def room(prefix: str) -> Callable[[MayWatch], MayWatch]:
    """Declare who may watch rooms named `prefix:<key>`: called with (principal, key, token of a signed link or "") inside db.read()."""

    def declare(may: MayWatch) -> MayWatch:
        _rooms[prefix] = may
        return may

    return declare


def shows(*facts: type) -> Callable[[drawing.Shower], drawing.Shower]:
    """Declare what is drawn anew when these facts were committed.

    Called with all of them at once, inside db.read() and a request context, after others that show the same facts.
    """

    def declare(show: drawing.Shower) -> drawing.Shower:
        _showers.append((facts, show))
        return show

    return declare


def alive(call: Callable[[Principal, dict[str, Any]], None]) -> Callable[[Principal, dict[str, Any]], None]:
    """Declare what a person's open screen keeps alive; called on each heartbeat of theirs, with no transaction open.

    The second argument is what the screen says it shows: {"ticket": id or None, "typing": bool}.
    """
    _alive.append(call)
    return call


def push(to: str, name: str, **payload: Any) -> None:
    """Send to everybody who watches a room. Everyone sees the same, the sender included."""
    show(to, name, lambda: payload)


def show(to: str, name: str, payload: Callable[[], dict[str, Any]]) -> None:
    """Draw and send, if anybody may be watching; the room's revision moves either way, so that who comes back sees what was missed."""
    number = _revisions.next(to)
    if watched(to):
        socketio.emit(name, {**payload(), "room": to, "src": _source, "rev": number}, to=to)


def watched(to: str) -> bool:
    """Whether somebody may be watching a room: known where one process serves everybody; beside others anybody may be."""
    return not _alone or any(to in watcher.rooms for watcher in list(_watchers.values()))


def drawn(template: str, **values: Any) -> dict[str, str]:
    """A partial rendered once per language."""
    made = {}
    for language in LANGUAGES:
        with force_locale(language):
            made[language] = render_template(template, **values)
    return made


# --- revisions ---------------------------------------------------------------------------------------------------------


class Revisions:
    """The last revision of each room this process pushed to lately."""

    def __init__(self) -> None:
        self._last: dict[str, tuple[int, float]] = {}

    def next(self, to: str) -> int:
        number = self._last.get(to, (0, 0.0))[0] + 1
        self._last[to] = (number, time.monotonic())
        return number

    def recent(self, seconds: float = 600) -> dict[str, int]:
        since = time.monotonic() - seconds
        return {to: number for to, (number, at) in self._last.items() if at > since}


_source = ""
_revisions = Revisions()


def _count_anew() -> None:
    """A process counts its own pushes under its own name. A fork starts a count of its own: under its parent's name, screens would take
    one process's pushes for the other's, and drop them as old.
    """
    global _source, _revisions
    _source, _revisions = secrets.token_hex(4), Revisions()


_count_anew()
os.register_at_fork(after_in_child=_count_anew)


# --- drawing after commits ---------------------------------------------------------------------------------------------

_artist: drawing.Artist | None = None


def _on_published(facts: list[Fact], _lanes: set[str]) -> None:
    if _artist is not None:
        _artist.draw(facts)


events.published.insert(0, _on_published)  # before the worker's nudge: people see a fact before its consequences are worked out


# --- connections ---------------------------------------------------------------------------------------------------------


@dataclass
class Watcher:
    """One open screen: who, until when their session counts, and what they watch (room → link token)."""

    principal: Principal
    uniquifier: str = ""
    rooms: dict[str, str] = field(default_factory=dict)


_watchers: dict[str, Watcher] = {}
_alone = False
_who: Callable[[], tuple[Principal, str]] = lambda: (ANONYMOUS, "")  # noqa: E731
_again: Callable[[Watcher], Principal | None] = lambda watcher: watcher.principal  # noqa: E731


def start(
    app: Flask,
    *,
    who: Callable[[], tuple[Principal, str]],
    again: Callable[[Watcher], Principal | None],
    message_queue: str | None,
    async_mode: str,
) -> None:
    """Bind sockets to the application.

    `who` reads principal and session name from the handshake, `again` reads them anew later (None: gone).
    """
    global _artist, _who, _again, _alone
    _who, _again, _alone = who, again, message_queue is None
    origins = app.config["HELPDESK"].base_url
    socketio.server_options.clear()  # else the broker of an application made before in this process would stay
    socketio.init_app(
        app,
        async_mode=async_mode,
        message_queue=message_queue,
        cors_allowed_origins=lambda origin, _environ=None: origin == origins or _same_host(origin),
        transports=["websocket"],
        manage_session=False,
        ping_interval=20,
        ping_timeout=20,
    )
    _artist = drawing.Artist(app, _showers)


def application() -> Flask | None:
    """What this process's sockets and drawings belong to: the application that was made last."""
    return _artist.app if _artist else None


def _same_host(origin: str) -> bool:
    """A desk reached under another name than its BASE_URL (127.0.0.1 beside localhost): the page's own origin is always welcome."""
    return bool(origin) and origin.split("://", 1)[-1] == request_host()


def request_host() -> str:
    try:
        return str(request.host)
    except RuntimeError:
        return ""


@socketio.on("connect")  # type: ignore[untyped-decorator]
def _connect(_auth: Any = None) -> bool:
    principal, uniquifier = _who()
    _watchers[request.sid] = Watcher(principal, uniquifier)  # type: ignore[attr-defined]
    return True


@socketio.on("disconnect")  # type: ignore[untyped-decorator]
def _disconnect(*_reason: Any) -> None:
    _watchers.pop(request.sid, None)  # type: ignore[attr-defined]


@socketio.on("watch")  # type: ignore[untyped-decorator]
def _watch(message: Any) -> dict[str, Any]:
    """Join a room, if its policy lets this person: {room, token?} → {ok} with a constant refusal that tells nothing about what exists."""
    watcher = _watchers.get(request.sid)  # type: ignore[attr-defined]
    name = str(message.get("room", ""))[:100] if isinstance(message, dict) else ""
    token = str(message.get("token", ""))[:500] if isinstance(message, dict) else ""
    if watcher is None or not _may(watcher.principal, name, token):
        return {"ok": False, "error": "not here"}
    watcher.rooms[name] = token
    join_room(name)
    return {"ok": True}


@socketio.on("unwatch")  # type: ignore[untyped-decorator]
def _unwatch(message: Any) -> dict[str, Any]:
    name = str(message.get("room", "")) if isinstance(message, dict) else ""
    watcher = _watchers.get(request.sid)  # type: ignore[attr-defined]
    if watcher is not None and watcher.rooms.pop(name, None) is not None:
        leave_room(name)
    return {"ok": True}


@socketio.on("alive")  # type: ignore[untyped-decorator]
def _heartbeat(message: Any = None) -> dict[str, Any]:
    watcher = _watchers.get(request.sid)  # type: ignore[attr-defined]
    if watcher is not None and watcher.principal.user_id is not None:
        shown = message if isinstance(message, dict) else {}
        for call in _alive:
            call(watcher.principal, shown)
    return {"ok": True, "now": clock.now().timestamp()}


@socketio.on_error_default  # type: ignore[untyped-decorator]
def _failed(wrong: Exception) -> dict[str, Any]:
    log.exception("a socket message failed", exc_info=wrong)
    return {"ok": False, "error": "not now"}


def may_watch(principal: Principal, name: str) -> bool:
    """Whether a person may watch a room: the room's own policy."""
    return _may(principal, name, "")


def _may(principal: Principal, name: str, token: str) -> bool:
    prefix, _, key = name.partition(":")
    may = _rooms.get(prefix)
    if may is None:
        return False
    with db.read():
        return may(principal, key, token)


# --- while the server runs -----------------------------------------------------------------------------------------------


class Watchman:
    """Beats the rooms' revisions and looks again at everybody's rights once they have changed."""

    #: Facts after which somebody may watch less than before.
    RIGHTS = ("user_changed", "user_deactivated", "password_changed", "sessions_ended", "queue_changed", "settings_changed")

    def __init__(self, app: Flask) -> None:
        self._app = app
        self._stop = threading.Event()
        self._seen: set[int] = set()

    def start(self) -> None:
        threading.Thread(target=self._beat, name="beat", daemon=True).start()
        threading.Thread(target=self._recheck, name="rights", daemon=True).start()

    def stop(self) -> None:
        self._stop.set()

    def _beat(self) -> None:
        while not self._stop.wait(BEAT_S):
            for to, number in _revisions.recent().items():
                socketio.emit("beat", {"room": to, "src": _source, "rev": number}, to=to)

    def _recheck(self) -> None:
        while not self._stop.wait(RECHECK_S):
            try:
                if self._rights_changed():
                    recheck(self._app)
            except Exception:
                log.exception("looking again at rights")

    def _rights_changed(self) -> bool:
        with db.read() as session:
            since = clock.now() - timedelta(seconds=60)
            ids = set(session.scalars(select(Event.id).where(Event.kind.in_(self.RIGHTS), Event.at > since)))
        new = ids - self._seen
        self._seen = ids
        return bool(new)


def recheck(app: Flask) -> None:
    """Ask every open screen's policy again: end those whose session ended, take them out of rooms they lost."""
    for sid, watcher in list(_watchers.items()):
        with db.read():
            principal = _again(watcher)
            lost = (
                list(watcher.rooms)
                if principal is None
                else [name for name, token in watcher.rooms.items() if not _may(principal, name, token)]
            )
        if principal is None:
            with app.app_context():
                socketio.server.disconnect(sid, namespace="/")
            _watchers.pop(sid, None)
            continue
        watcher.principal = principal
        for name in lost:
            watcher.rooms.pop(name, None)
            socketio.server.leave_room(sid, name, namespace="/")
            socketio.emit("evicted", {"room": name}, to=sid)


def forget_watchers() -> None:
    """Every open screen of this process is gone: it changes desks, as tests do."""
    _watchers.clear()


def watching() -> dict[str, int]:
    """How many screens watch each room of this process; for metrics and tests."""
    counts: dict[str, int] = defaultdict(int)
    for watcher in _watchers.values():
        for name in watcher.rooms:
            counts[name] += 1
    return dict(counts)


def connected() -> int:
    """How many screens are connected to this process."""
    return len(_watchers)


def people() -> set[int]:
    """The users who have a screen open at this process."""
    return {watcher.principal.user_id for watcher in _watchers.values() if watcher.principal.user_id is not None}
