"""How fast a ticket reaches an open screen, how many can be created, and what the desk weighs.

    .venv/bin/python bench/desk.py [--scaled] [--tickets 200]

Starts a desk of its own, opens an agent's page in Chromium, creates tickets over REST and reads from the page when each became
visible. Beside
each rate stands that of a floor measured in the same minute: bare durable transactions of one row on the same disk. Figures drift with
the machine; the ratios do not.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import sqlite3
import statistics
import sys
import tempfile
import threading
import time
import urllib.request
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1]))

from playwright.sync_api import sync_playwright
from simple_websocket import Client, ConnectionClosed

from helpdesk import db
from helpdesk.actor import SYSTEM
from helpdesk.agents import tokens
from helpdesk.agents.models import AgentProfile
from helpdesk.auth import User
from helpdesk.preferences import prefer
from tests import people
from tests.running import RunningDesk, _descendants, running
from tests.servers import CHROMIUM_ARGS, PostgresServer, RedisServer, chromium_path

WATCH = """() => {
  window.seen = {};
  const note = (row) => {
    const subject = row.querySelector?.('.sj')?.textContent;
    if (subject && !(subject in window.seen)) requestAnimationFrame(() => { window.seen[subject] = Date.now(); });
  };
  new MutationObserver((changes) => { for (const c of changes) c.addedNodes.forEach(note); })
    .observe(document.getElementById('list'), { childList: true });
}"""


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    options.add_argument("--scaled", action="store_true", help="PostgreSQL, Redis, two web processes, a worker and beat")
    options.add_argument("--tickets", type=int, default=200)
    chosen = options.parse_args()
    with contextlib.ExitStack() as stack:
        wiring: dict[str, Any] = {}
        if chosen.scaled:
            postgres, redis = stack.enter_context(PostgresServer(durable=True)), stack.enter_context(RedisServer())
            wiring = {"database_url": postgres.create(), "redis_url": redis.url, "web": 2}
        desk = stack.enter_context(running(Path(tempfile.mkdtemp(prefix="bench")), **wiring))
        token = prepare(desk)
        time.sleep(3)
        say("memory at rest, PSS MB", desk.memory_kb() / 1024)
        visible(desk, token, chosen.tickets)
        for clients in (1, 8):
            created(desk, token, clients, chosen.tickets)
        sockets(desk, 200)


def prepare(desk: RunningDesk) -> str:
    """An agent who can take everything, and a program's token."""
    with db.transaction() as session:
        prefer(presence_ttl_s=3600, acknowledge=False)
        session.get_one(AgentProfile, desk.people.alice).capacity = 10**6
        ada = session.get_one(User, desk.people.ada)
        _, secret = tokens.issue(ada, "bench", ["tickets:write", "contacts:write"], valid=None, by=SYSTEM)
    people.arrives(desk.people.alice)
    return secret


def create(desk: RunningDesk, token: str, subject: str, number: int) -> None:
    body = {"subject": subject, "body": "It does not work.", "requester": {"email": f"c{number % 50}@customer.example", "name": "Carol"}}
    request = urllib.request.Request(
        desk.base + "/api/v1/tickets",
        data=json.dumps(body).encode(),
        headers={"Authorization": f"Bearer {token}", "Content-Type": "application/json"},
    )
    with urllib.request.urlopen(request, timeout=30) as answer:
        answer.read()


def visible(desk: RunningDesk, token: str, tickets: int) -> None:
    """Submit → drawn on an agent's already open page, in milliseconds."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium_path(), args=CHROMIUM_ARGS)
        context = browser.new_context(viewport={"width": 1440, "height": 900})
        context.add_cookies([desk.cookie(desk.people.alice)])  # type: ignore[list-item]
        page = context.new_page()
        page.goto(f"{desk.base}/inbox?list=queue:{desk.people.support}")
        page.wait_for_timeout(2500)
        page.evaluate(WATCH)
        sent = {}
        for number in range(tickets):
            subject = f"Probe {number}"
            sent[subject] = time.time() * 1000
            create(desk, token, subject, number)
            time.sleep(0.1)
        page.wait_for_timeout(2000)
        seen = page.evaluate("window.seen")
        browser.close()
    took = sorted(seen[subject] - at for subject, at in sent.items() if subject in seen)
    say("tickets seen on the open page", len(took), f"of {tickets}")
    say("submit → visible p50, ms", statistics.median(took))
    say("submit → visible p95, ms", took[int(len(took) * 0.95)])


def created(desk: RunningDesk, token: str, clients: int, tickets: int) -> None:
    """Tickets per second and the CPU each took, routing and mail included, beside the floor."""
    floor = bare(clients, tickets)
    before, begun = cpu(desk), time.perf_counter()

    def load(start: int) -> None:
        for number in range(start, tickets, clients):
            create(desk, token, f"Load {number}", number)

    threads = [threading.Thread(target=load, args=(start,)) for start in range(clients)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    rate = tickets / (time.perf_counter() - begun)
    time.sleep(2)
    each = (cpu(desk) - before) * 1000 / tickets
    more = f"{each:.1f} ms CPU each with all that follows; floor {floor:.0f}/s; ratio {rate / floor:.3f}"
    say(f"created per s, {clients} clients", rate, more)


def bare(writers: int, rows: int) -> float:
    """The floor: durable one-row transactions per second on this disk, by as many writers."""
    with tempfile.TemporaryDirectory() as folder:
        path = str(Path(folder) / "floor.db")
        with sqlite3.connect(path) as made:
            made.execute("PRAGMA journal_mode=WAL")
            made.execute("CREATE TABLE t (id INTEGER PRIMARY KEY, x TEXT)")

        def write(number: int) -> None:
            connection = sqlite3.connect(path, isolation_level=None, timeout=30)
            connection.execute("PRAGMA synchronous=FULL")
            for _ in range(number):
                connection.execute("BEGIN IMMEDIATE")
                connection.execute("INSERT INTO t (x) VALUES ('x')")
                connection.execute("COMMIT")

        threads = [threading.Thread(target=write, args=(rows // writers,)) for _ in range(writers)]
        begun = time.perf_counter()
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        return rows / (time.perf_counter() - begun)


def sockets(desk: RunningDesk, number: int) -> None:
    """What the desk weighs with open sockets."""
    cookie = desk.cookie(desk.people.alice)
    address = desk.base.replace("http", "ws", 1) + "/socket.io/?EIO=4&transport=websocket"
    open_ = []
    for _ in range(number):
        client = Client(address, headers={"Cookie": f"desk={cookie['value']}", "Origin": desk.base})
        client.receive(timeout=10)
        client.send("40")
        open_.append(client)
    time.sleep(2)
    say(f"memory with {number} sockets, PSS MB", desk.memory_kb() / 1024)
    for client in open_:
        with contextlib.suppress(ConnectionClosed):  # the desk may be quicker
            client.close()


def cpu(desk: RunningDesk) -> float:
    """Seconds of processor time of the desk's processes so far."""
    total = 0.0
    for process in desk.processes:
        for pid in (process.pid, *_descendants(process.pid)):
            with contextlib.suppress(OSError):
                fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
                total += (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
    return total


def say(what: str, figure: float, more: str = "") -> None:
    print(f"{what:40} {figure:10.1f}  {more}", flush=True)


if __name__ == "__main__":
    main()
