"""A process that routes, to be run beside others and killed: `python -m tests.faults.routers DATABASE_URL WORKERS SECONDS`.

Each worker serves agents at random and drains deliveries until nothing waits or its time is over; a lost database is waited for.
"""

from __future__ import annotations

import random
import sys
import threading
import time
from contextlib import suppress

from sqlalchemy import select, text
from sqlalchemy.exc import SQLAlchemyError

from helpdesk import db, events, worker
from helpdesk.agents import matching
from helpdesk.agents.models import AgentProfile
from helpdesk.errors import HelpdeskError


def main(url: str, workers: int, seconds: float) -> None:
    events.load_reactions()
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
    main(sys.argv[1], int(sys.argv[2]), float(sys.argv[3]))
