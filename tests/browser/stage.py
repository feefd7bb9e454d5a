"""A stage for the pages' scripts: small pages made by a test, and a server behind them that hears and pushes what the test wants.

Each behaviour is seen alone, in a real browser under the desk's own content security policy; the server is Flask and Socket.IO on a free
port.
"""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from flask import Flask, request
from flask_socketio import SocketIO, join_room
from werkzeug.serving import make_server

import hatch_build
from helpdesk.app import CSP
from tests.servers import free_port

SHELL = """<!doctype html><html lang="{lang}"><head><meta charset="utf-8"><title>Page</title>
<meta name="csrf-token" content="token"><link rel="stylesheet" href="/static/{css}"><script type="module" src="/static/{js}"></script>
<link rel="icon" href="data:,"></head><body data-now="{now}" {body}>{content}<div id="toasts" role="status"></div>
<div id="offers"></div><cmd-palette data-search-url="/find"></cmd-palette></body></html>"""

ROW = '<li id="t{id}" class="row-t" data-sort="{sort}"><label class="pick"><input type="checkbox" value="{id}"></label>' \
      '<a href="/inbox/{id}" hx-get="/inbox/{id}" hx-target="#main" hx-sync="#main:replace" data-id="{id}">{words}</a></li>'  # fmt: skip


class Stage:
    """The server behind the pages: what it shows, what it heard, and what it pushes."""

    def __init__(self) -> None:
        self.port = free_port()
        self.pages: dict[str, str] = {}
        self.heard: list[tuple[str, str, dict[str, str]]] = []
        self.watched: list[str] = []
        self.refused = False
        self.sockets_refused = False
        self.app = Flask("stage", static_folder=str(hatch_build.DIST), static_url_path="/static")
        self.socketio = SocketIO(self.app, async_mode="threading", cors_allowed_origins="*")
        self.app.after_request(self._policy)
        self.app.add_url_rule("/", "any", self._answer, defaults={"path": ""}, methods=["GET", "POST", "PUT"])
        self.app.add_url_rule("/<path:path>", "any", self._answer, methods=["GET", "POST", "PUT"])
        self.socketio.on_event("connect", lambda *_: not self.sockets_refused)
        self.socketio.on_event("watch", self._watch)
        self.socketio.on_event("alive", lambda *_: {"ok": True, "now": time.time()})

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def _policy(self, response: Any) -> Any:
        response.headers["Content-Security-Policy"] = "; ".join(f"{name} {value}" for name, value in CSP.items())
        return response

    def _answer(self, path: str) -> Any:
        if request.method != "GET":
            self.heard.append((request.method, "/" + path, request.form.to_dict()))
            return ("", 503) if self.refused else self.pages.get(f"{request.method} /{path}", "")
        if path == "favicon.ico":  # asked for by itself, for pages that name no icon
            return ("", 204)
        if path == "find":
            return [{"name": f"Ticket about {request.args['q']}", "kind": "ticket", "url": "/inbox/7"}]
        return self.pages.get("/" + path, ("nothing here", 404))

    def _watch(self, message: dict[str, str]) -> dict[str, bool]:
        if message["room"] == "secret":
            return {"ok": False}
        join_room(message["room"])
        self.watched.append(message["room"])
        return {"ok": True}

    def page(self, path: str, content: str, *, body: str = "", lang: str = "en") -> str:
        """Put a whole page at `path`; the answer is its address."""
        names = json.loads((hatch_build.DIST / "manifest.json").read_text())
        self.pages[path] = SHELL.format(
            lang=lang, css=names["app.css"], js=names["app.js"], now=time.time(), body=body, content=content
        )
        return self.url + path

    def push(self, name: str, rev: int, room: str = "queue:1", **payload: Any) -> None:
        self.socketio.emit(name, {"room": room, "src": "s", "rev": rev, **payload}, to=room)

    def sent(self, method: str, path: str) -> list[dict[str, str]]:
        return [form for how, where, form in self.heard if (how, where) == (method, path)]


@contextmanager
def served() -> Iterator[Stage]:
    """A stage whose server answers; it stops at the end."""
    made = Stage()
    server = make_server("127.0.0.1", made.port, made.app, threaded=True)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    yield made
    server.shutdown()
    thread.join(5)


def within(seconds: float, what: Callable[[], Any]) -> Any:
    """Wait until `what()` is true and give it back; fails with its last value."""
    deadline = time.monotonic() + seconds
    while not (found := what()) and time.monotonic() < deadline:
        time.sleep(0.03)
    assert found
    return found


def rows(*ids: int) -> str:
    return "".join(ROW.format(id=id, sort=position, words=f"Ticket {id}") for position, id in enumerate(ids, start=1))


def workspace(stage: Stage, *ids: int, body: str = "") -> str:
    for id in ids:
        stage.pages[f"/inbox/{id}"] = f'<div id="thread" class="thread" data-ticket="{id}" data-version="1">Thread {id}</div>'
    stage.pages["/list"] = f'<ul class="list" id="list" data-refresh="/list">{rows(*ids)}</ul>'
    content = f'<main class="panes"><section class="pane-list">{stage.pages["/list"]}</section><section id="main"></section></main>'
    return stage.page("/", content, body=f'class="ws" {body}')


def live_workspace(stage: Stage, page: Any, *ids: int, body: str = "") -> None:
    page.goto(workspace(stage, *ids, body=f"""data-live="1" data-rooms='["queue:1"]' data-list="queue:1" {body}"""))
    within(5, lambda: "queue:1" in stage.watched)
    page.wait_for_timeout(300)  # the first catching up


def order(page: Any) -> list[str]:
    return page.eval_on_selector_all("#list li", "rows => rows.map((row) => row.id)")
