"""A scaled desk as a whole: several web processes over PostgreSQL and Redis behave as one towards screens and watchers."""

from __future__ import annotations

import json
import re
import threading
import time
import urllib.request
from collections import defaultdict
from collections.abc import Iterator
from typing import Any

import pytest
from simple_websocket import Client, ConnectionClosed

from helpdesk import db
from helpdesk.actor import SYSTEM
from helpdesk.agents import tokens
from helpdesk.auth import User
from tests.running import RunningDesk, running
from tests.servers import PostgresServer, RedisServer

pytestmark = [pytest.mark.postgres, pytest.mark.redis]


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory, postgres_server: PostgresServer, redis_server: RedisServer) -> Iterator[RunningDesk]:
    wiring: dict[str, Any] = {"database_url": postgres_server.create(), "redis_url": redis_server.url, "web": 2}
    with running(tmp_path_factory.mktemp("scaled"), **wiring) as made:
        yield made


class Screen:
    """An agent's open socket that watches rooms and keeps what it hears."""

    def __init__(self, desk: RunningDesk, user: int, *rooms: str) -> None:
        address = desk.base.replace("http", "ws", 1) + "/socket.io/?EIO=4&transport=websocket"
        self._client = Client(address, headers={"Cookie": f"desk={desk.cookie(user)['value']}", "Origin": desk.base})
        self._client.receive(timeout=10)
        self._client.send("40")
        self._client.receive(timeout=10)
        self.heard: list[tuple[str, dict[str, Any]]] = []
        for number, room in enumerate(rooms):
            self._client.send(f'42{number}["watch",' + json.dumps({"room": room}) + "]")
        threading.Thread(target=self._listen, daemon=True).start()

    def _listen(self) -> None:
        try:
            while True:
                frame = str(self._client.receive())
                if frame == "2":
                    self._client.send("3")
                elif frame.startswith("42["):
                    name, payload = json.loads(frame[2:])
                    self.heard.append((name, payload))
        except ConnectionClosed:
            return

    def close(self) -> None:
        self._client.close()


def test_every_screen_hears_every_push_whichever_process_made_it_and_sees_no_gap(desk: RunningDesk) -> None:
    """The processes push to the same rooms; each counts under its own name, so that no screen takes one's pushes for the other's."""
    company = desk.people
    room = f"queue:{company.support}"
    screens = [Screen(desk, company.dana, room) for _ in range(4)]
    time.sleep(1)
    token = program(desk)
    for number in range(12):
        ask(desk, token, f"Scaled {number}")
    until = time.monotonic() + 20
    wanted = {f"Scaled {number}" for number in range(12)}

    def rows(screen: Screen) -> set[str]:
        shown = " ".join(payload["html"]["en"] for name, payload in list(screen.heard) if name == "row")
        return {subject for subject in wanted if re.search(rf"{subject}\b", shown)}

    while time.monotonic() < until and not all(rows(screen) == wanted for screen in screens):
        time.sleep(0.1)
    for screen in screens:
        assert rows(screen) == wanted, desk.log()
        counts: dict[str, list[int]] = defaultdict(list)
        for name, payload in screen.heard:
            if payload.get("room") == room and name != "beat":
                counts[payload["src"]].append(payload["rev"])
        for revisions in counts.values():
            assert revisions == list(range(revisions[0], revisions[0] + len(revisions)))
        screen.close()


def test_metrics_speak_for_all_processes_of_the_machine(desk: RunningDesk) -> None:
    for _ in range(20):
        urllib.request.urlopen(desk.base + "/healthz", timeout=5).read()
    for _ in range(4):  # whichever process answers
        text = urllib.request.urlopen(desk.base + "/metrics", timeout=5).read().decode()
        found = re.search(r'helpdesk_requests_total\{endpoint="health.alive",method="GET",status="200"\} ([\d.]+)', text)
        assert found and float(found[1]) >= 20


def ask(desk: RunningDesk, token: str, subject: str) -> None:
    body = json.dumps({"subject": subject, "body": "It does not work.", "requester": {"email": "carol@customer.example"}})
    request = urllib.request.Request(
        desk.base + "/api/v1/tickets", data=body.encode(), headers={"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
    )
    urllib.request.urlopen(request, timeout=30).read()


def program(desk: RunningDesk) -> str:
    """A token that may open tickets."""
    with db.transaction() as session:
        _, secret = tokens.issue(session.get_one(User, desk.people.ada), "test", ["tickets:write", "contacts:write"], valid=None, by=SYSTEM)
    return secret
