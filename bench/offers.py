"""From a request to an offer on the agent's open screen, with 100 agents connected:  python bench/offers.py [--agents 100] [--requests 60]

A desk of its own (embedded, SQLite) and as many sockets as agents, each available, each watching their own room as their open page does.
Requests come through the API one after the other; each is timed from the moment before it is sent to the moment when the pushed card has
arrived at whoever got it. Beside it, in the same run, the floor: the API call alone, and an echo over one of the sockets.
"""

from __future__ import annotations

import argparse
import contextlib
import re
import statistics
import sys
import tempfile
import threading
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from simple_websocket import Client, ConnectionClosed
from sqlalchemy import select

from bench.desk import create, say
from helpdesk import db
from helpdesk.actor import SYSTEM
from helpdesk.agents import tokens
from helpdesk.agents.models import AgentProfile, QueueMember
from helpdesk.auth import Role, User
from helpdesk.preferences import prefer
from helpdesk.tickets.models import Queue
from tests import people
from tests.running import RunningDesk, running

SUBJECT = re.compile(r"Offered \d+ times")
PATIENCE_S = 10.0


class Screen:
    """One agent's open page, as its socket: notes when each offer arrived, and answers the server's pings."""

    def __init__(self, desk: RunningDesk, agent: int, seen: dict[str, float]) -> None:
        address = desk.base.replace("http", "ws", 1) + "/socket.io/?EIO=4&transport=websocket"
        self.client = Client(address, headers={"Cookie": f"desk={desk.cookie(agent)['value']}", "Origin": desk.base})
        self.seen, self.answered = seen, threading.Event()
        self.client.send("40")
        threading.Thread(target=self._listen, daemon=True).start()
        self.ask(f'["watch",{{"room":"agent:{agent}"}}]')

    def ask(self, message: str) -> float:
        """Say something and wait for the answer; how long it took, in seconds."""
        self.answered.clear()
        begun = time.perf_counter()
        self.client.send("421" + message)
        if not self.answered.wait(PATIENCE_S):
            raise SystemExit(f"the desk did not answer {message}")
        return time.perf_counter() - begun

    def _listen(self) -> None:
        with contextlib.suppress(ConnectionClosed):
            while True:
                message = str(self.client.receive())
                now = time.perf_counter()
                if message == "2":
                    self.client.send("3")
                elif message.startswith("431"):
                    self.answered.set()
                elif message.startswith('42["offer"'):
                    for subject in SUBJECT.findall(message):
                        self.seen.setdefault(subject, now)


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--agents", type=int, default=100)
    arguments.add_argument("--requests", type=int, default=60)
    chosen = arguments.parse_args()
    with running(Path(tempfile.mkdtemp(prefix="offers"))) as desk:
        agents, token = staff(desk, chosen.agents)
        seen: dict[str, float] = {}
        screens = [Screen(desk, agent, seen) for agent in agents]
        people.arrives(*agents)
        time.sleep(2)
        calls, waits = [], []
        for number in range(chosen.requests):
            subject = f"Offered {number} times"
            begun = time.perf_counter()
            create(desk, token, subject, number)
            calls.append(time.perf_counter() - begun)
            until = time.monotonic() + PATIENCE_S
            while subject not in seen and time.monotonic() < until:
                time.sleep(0.001)
            if subject not in seen:
                raise SystemExit(f"nobody was offered request {number}\n{desk.log()}")
            waits.append(seen[subject] - begun)
        echoes = [screens[number % len(screens)].ask('["alive",{}]') for number in range(chosen.requests)]
        for name, values in (
            ("created → offered on the open screen", waits),
            ("the API call alone", calls),
            ("an echo on a socket", echoes),
        ):
            ordered = sorted(values)
            say(f"{name} p50, ms", statistics.median(ordered) * 1000)
            say(f"{name} p95, ms", ordered[int(len(ordered) * 0.95)] * 1000, f"n = {len(ordered)}, {len(agents)} agents connected")


def staff(desk: RunningDesk, number: int) -> tuple[list[int], str]:
    """Agents of queues whose work is offered, with room for all of it, and a program's token."""
    with db.transaction() as session:
        prefer(presence_ttl_s=600, acknowledge=False)
        queues = list(session.scalars(select(Queue)))
        for queue in queues:
            queue.acceptance, queue.offer_s = "offer", 600
        agents = [people.person(f"Agent {n}", Role.AGENT, email=f"agent{n}@example.com").id for n in range(number)]
        for agent in agents:
            session.get_one(AgentProfile, agent).capacity = 1000
            session.add_all(QueueMember(queue_id=queue.id, user_id=agent) for queue in queues)
        ada = session.get_one(User, desk.people.ada)
        _row, secret = tokens.issue(ada, "bench", ["tickets:write", "contacts:write"], valid=None, by=SYSTEM)
    return agents, secret


if __name__ == "__main__":
    main()
