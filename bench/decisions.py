"""Decisions per second beside a bare loop of the same writes, with a short queue and with a long one.

    python bench/decisions.py [--url DATABASE_URL] [--agents 5000] [--signatures 400] [--items 100000] [--decisions 2000]

A decision: an agent becomes free, and routing finds, claims and offers the best of what waits, in a transaction of its own
(`agents.matching.serve`). The bare loop writes in the same run what a decision writes, knowing already what to write: the guarded update of
the agent, the guarded update of the item, the inserts of offer, event and delivery. Aims: at least half of the bare loop's speed; with the
long queue at most 1.3 times the cost of the short one (1,000 items). Without --url a throw-away SQLite file is used.
"""

from __future__ import annotations

import argparse
import json
import random
import tempfile
import time
from collections.abc import Callable
from datetime import timedelta
from typing import Any

from sqlalchemy import bindparam, insert, text, update

from helpdesk import clock, db, events, schema
from helpdesk.agents import matching
from helpdesk.agents.models import (
    AgentProfile,
    AgentSkill,
    ItemState,
    Offer,
    OfferState,
    Presence,
    PresenceState,
    QueueMember,
    Signature,
    Skill,
    WorkItem,
)
from helpdesk.auth import Role, User
from helpdesk.crm.models import Contact
from helpdesk.events import Delivery, Event
from helpdesk.tickets.models import Channel, Inbox, Queue, Ticket

PER_QUEUE = 4  # signatures of a queue
QUEUES_OF_AN_AGENT = 2
SHORT = 1000


def main() -> None:
    said = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    said.add_argument("--url", default="")
    said.add_argument("--agents", type=int, default=5000)
    said.add_argument("--signatures", type=int, default=400)
    said.add_argument("--items", type=int, default=100_000)
    said.add_argument("--decisions", type=int, default=2000)
    args = said.parse_args()
    events.load_reactions()
    found = {}
    for items in (SHORT, args.items):
        with tempfile.TemporaryDirectory() as folder:
            db.connect(args.url or f"sqlite:///{folder}/decisions.db")
            schema.upgrade()
            fill(items, args.agents, args.signatures)
            rounds = min(args.decisions, args.agents, items // 4)
            found[items] = measure(rounds, args.agents)
            empty(args.url)
            db.disconnect()
    short, long = found[SHORT], found[args.items]
    report = {
        "with": {str(items): figures for items, figures in found.items()},
        "half of the bare loop or more": round(long["decisions_per_s"] / long["bare_per_s"], 2),
        "cost of the long queue over the short one": round(long["mean_ms"] / short["mean_ms"], 2),
    }
    print(json.dumps(report, indent=1))


def measure(rounds: int, agents: int) -> dict[str, float]:
    """Decisions and bare writes in turn, so that whatever else the machine does meets both."""
    order = list(range(1, agents + 1))
    random.Random(1).shuffle(order)
    free = iter(order)
    times: dict[str, list[float]] = {"decision": [], "bare": []}
    cpu = {"decision": 0.0, "bare": 0.0}
    for block in range(0, rounds, 50):
        began = time.process_time()
        for _ in range(min(50, rounds - block)):
            user = next(free)
            times["decision"].append(timed(lambda user=user: matching.serve(user)))
        cpu["decision"] += time.process_time() - began
        # The bare loop claims for agents that are free, too: the last of the order, whom no decision reaches.
        with db.read() as session:
            some = session.execute(text("SELECT id, ticket_id FROM work_item WHERE state = 'waiting' ORDER BY id DESC LIMIT 50")).all()
        began = time.process_time()
        for number, item in enumerate(some[: min(50, rounds - block)]):
            user = order[-1 - (block + number) % max(1, agents // 4)]
            times["bare"].append(timed(lambda item=item, user=user: bare(item.id, item.ticket_id, user)))
        cpu["bare"] += time.process_time() - began
    with db.read() as session:
        offered = session.execute(text("SELECT count(*) FROM offer WHERE why IS NOT NULL AND state = 'offered'")).scalar_one()
    decision, raw = sorted(times["decision"]), sorted(times["bare"])
    cpu_decision, cpu_raw = cpu["decision"] / len(decision), cpu["bare"] / len(raw)
    return {
        "cpu_ms": round(1000 * cpu_decision, 3),
        "bare_cpu_ms": round(1000 * cpu_raw, 3),
        "decisions_per_s": round(len(decision) / sum(decision), 1),
        "p99_ms": round(1000 * decision[int(len(decision) * 0.99) - 1], 2),
        "mean_ms": round(1000 * sum(decision) / len(decision), 3),
        "median_ms": round(1000 * decision[len(decision) // 2], 3),
        "bare_per_s": round(len(raw) / sum(raw), 1),
        "bare_median_ms": round(1000 * raw[len(raw) // 2], 3),
        "offered": offered,
    }


def timed(call: Callable[[], object]) -> float:
    began = time.perf_counter()
    with db.transaction():
        call()
    return time.perf_counter() - began


def bare(item: int, ticket: int, user: int) -> None:
    """What a decision writes, without looking for anything; its statements are built once, too."""
    connection, now = db.session().connection(), clock.now()
    connection.execute(BARE_AGENT, {"agent": user})
    connection.execute(BARE_ITEM, {"item": item, "whose": user})
    values = {"item_id": item, "ticket_id": ticket, "user_id": user, "state": OfferState.WITHDRAWN, "weight": 1, "offered_at": now}
    offer = connection.execute(BARE_OFFER, {**values, "expires_at": now, "reason": "", "why": {"bare": True}}).inserted_primary_key
    fact = {"at": now, "kind": "offer_made", "actor_kind": "system", "via": "", "ticket_id": ticket, "user_id": user}
    event = connection.execute(BARE_EVENT, {**fact, "data": {"offer_id": offer[0]}}).inserted_primary_key
    owed = {"event_id": event[0], "reaction": "bare", "key": f"b{item}", "lane": "hot", "due_at": now}
    connection.execute(BARE_DELIVERY, {**owed, "claim": 0, "attempts": 0, "error": ""})


BARE_AGENT = (
    update(AgentProfile)
    .where(AgentProfile.user_id == bindparam("agent"), AgentProfile.load + 1 <= AgentProfile.capacity + 1000)
    .values(load=AgentProfile.load + 1, turn=AgentProfile.turn + 1)
)
BARE_ITEM = (
    update(WorkItem)
    .where(WorkItem.id == bindparam("item"), WorkItem.state == ItemState.WAITING)
    .values(state=ItemState.OFFERED, user_id=bindparam("whose"), why={"bare": True})
)
BARE_OFFER, BARE_EVENT, BARE_DELIVERY = insert(Offer), insert(Event), insert(Delivery)


# --- the desk ------------------------------------------------------------------------------------------------------------


def fill(items: int, agents: int, signatures: int) -> None:
    """Queues with steps, people who can serve them, and work that waits at every step."""
    rng = random.Random(7)
    queues = max(1, signatures // PER_QUEUE)
    now = clock.now()
    with db.transaction() as session:
        session.add_all([Skill(id=1, name="Russian"), Skill(id=2, name="Billing")])
        session.add(Contact(id=1, name="Carol"))
        session.add_all(Queue(id=number, name=f"Queue {number}", requirements={}, steps=[], weights={}) for number in range(1, queues + 1))
        session.flush()
        session.add(Inbox(id=1, name="Mail", channel=Channel.EMAIL, queue_id=1))
        session.add_all(
            Signature(
                id=(queue - 1) * PER_QUEUE + step, shape=f"{queue}/{step}", channel="ticket", queue_id=queue, step=step,
                requirements={"1": 5 - step} if step < PER_QUEUE else {},
            )
            for queue in range(1, queues + 1)
            for step in range(1, PER_QUEUE + 1)
        )  # fmt: skip
    people = [{"id": n, "email": f"a{n}@example.com", "name": f"Agent {n}", "role": Role.AGENT} for n in range(1, agents + 1)]
    many(User, people)
    many(AgentProfile, [{"user_id": n, "capacity": 1} for n in range(1, agents + 1)])
    here = {"state": PresenceState.AVAILABLE, "since": now, "idle_since": now, "expires_at": now + timedelta(hours=3)}
    many(Presence, [{"user_id": n, **here} for n in range(1, agents + 1)])
    many(AgentSkill, [{"user_id": n, "skill_id": 1, "level": rng.randint(1, 5)} for n in range(1, agents + 1)])
    many(
        QueueMember,
        [
            {"queue_id": q, "user_id": n}
            for n in range(1, agents + 1)
            for q in rng.sample(range(1, queues + 1), min(QUEUES_OF_AN_AGENT, queues))
        ],
    )
    ticket = {"subject": "Invoice", "channel": Channel.EMAIL, "inbox_id": 1, "queue_id": 1, "requester_id": 1}
    many(Ticket, [{"id": n, "number": 1000 + n, **ticket} for n in range(1, items + 1)])
    waiting = []
    for n in range(1, items + 1):
        signature = rng.randrange(queues * PER_QUEUE) + 1
        queue, step = (signature - 1) // PER_QUEUE + 1, (signature - 1) % PER_QUEUE + 1
        at = now - timedelta(seconds=rng.randrange(100_000))
        waiting.append(
            {"id": n, "ticket_id": n, "channel": "ticket", "queue_id": queue, "signature_id": signature, "step": step, "enqueued_at": at,
             "vkey": int(at.timestamp() * 1000) + rng.randrange(10_000_000), "state": ItemState.WAITING}
        )  # fmt: skip
    many(WorkItem, waiting)
    with db.transaction() as session:
        session.execute(text("ANALYZE"))


def many(table: Any, rows: list[dict[str, Any]]) -> None:
    for start in range(0, len(rows), 5000):
        with db.transaction() as session:
            session.execute(insert(table), rows[start : start + 5000])


def empty(url: str) -> None:
    """Leave a database of one's own as it was found."""
    if url:
        schema.downgrade("base")


if __name__ == "__main__":
    main()
