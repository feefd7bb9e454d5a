"""Processes that route, to be run beside others and killed, as a program (below) and as what tests hold of them (`Routers`).

The program reads lines of JSON, each a process to fork, so that everything is imported once: {"url": the database, "workers": how many,
"seconds": for how long at most}; the answer is its number. Each worker serves agents at random and drains deliveries until nothing waits
or its time is over; a lost database is waited for.
"""

from __future__ import annotations

import json
import os
import random
import select as waiting
import signal
import sys
import threading
import time
import traceback
from contextlib import suppress

from sqlalchemy import select, text
from sqlalchemy.exc import SQLAlchemyError

from helpdesk import db, events, worker
from helpdesk.agents import matching
from helpdesk.agents.models import AgentProfile
from helpdesk.errors import HelpdeskError
from tests.faults.spoken import Program


class Router:
    """One of the processes. It is the program's child, not ours: the kernel tells us of its end all the same."""

    def __init__(self, number: int) -> None:
        self._process = os.pidfd_open(number)

    def kill(self) -> None:
        """End it as a power cut would; returns once it is gone."""
        with suppress(ProcessLookupError):
            signal.pidfd_send_signal(self._process, signal.SIGKILL)
        assert self.ended(5)

    def ended(self, patience_s: float) -> bool:
        """Whether it has ended, waited for so long."""
        return bool(waiting.select([self._process], [], [], patience_s)[0])


class Routers(Program):
    """The program, spoken to."""

    def __init__(self) -> None:
        super().__init__("tests.faults.routers")

    def start(self, url: str, workers: int, *, processes: int, seconds: float) -> list[Router]:
        """So many processes, which share so many workers."""
        share = workers // processes
        return [Router(int(self.ask(url=url, workers=share, seconds=seconds))) for _ in range(processes)]


# --- the program ---------------------------------------------------------------------------------------------------------


def main() -> None:
    events.load_reactions()
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # nobody asks how they ended
    for line in sys.stdin:
        child = os.fork()
        if child == 0:
            try:
                run(**json.loads(line))
            except BaseException:
                traceback.print_exc()
                os._exit(1)
            os._exit(0)
        print(child, flush=True)


def run(url: str, workers: int, seconds: float) -> None:
    db.connect(url, pool_size=workers)
    until = time.monotonic() + seconds
    threads = [threading.Thread(target=route, args=(until, number)) for number in range(workers)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    db.disconnect()


def route(until: float, number: int) -> None:
    rng = random.Random(number)
    while time.monotonic() < until:
        with suppress(HelpdeskError, SQLAlchemyError, OSError):
            with db.read() as session:
                users = list(session.scalars(select(AgentProfile.user_id)))
                left = session.execute(text("SELECT 1 FROM work_item WHERE state = 'waiting' LIMIT 1")).first()
            if left is None:
                return
            with db.transaction():
                matching.serve(rng.choice(users), once=True)
            if number % 8 == 0:
                worker.drain("hot", limit=5)
            continue
        time.sleep(0.2)


if __name__ == "__main__":
    main()
