"""A desk with purchases: a hundred and sixty customers over three years, some regular, some gone; payments, returns, ratings, talks."""

from __future__ import annotations

import random
from datetime import datetime, timedelta

from helpdesk import clock, db
from helpdesk.actor import SYSTEM
from helpdesk.crm import contacts, timeline
from helpdesk.crm.models import Order, Rating, RatingKind
from helpdesk.crm.worth_models import Payment, Return


def customers(n: int = 160, seed: int = 7) -> list[int]:
    """Made in the current transaction; their ids."""
    rng, session, now = random.Random(seed), db.session(), clock.now()
    made = []
    for number in range(n):
        contact = contacts.add(name=f"Customer {number}", by=SYSTEM)
        made.append(contact.id)
        rate, leaves = rng.gammavariate(1.2, 1 / 120), rng.betavariate(0.9, 3)
        at = now - timedelta(days=rng.uniform(30, 1000))
        mean = rng.gammavariate(6, 900)
        while at <= now:
            _order(contact.id, at, round(rng.gammavariate(5, mean / 5)) + 100, rng)
            if rng.random() < leaves:
                break
            at += timedelta(days=rng.expovariate(rate))
        for _ in range(rng.choice((0, 0, 1, 3))):
            kind = rng.choice(list(RatingKind))
            score = rng.randint(1, 5) if kind is RatingKind.CSAT else rng.randint(1, 7)
            low, high = {"csat": (1, 5), "nps": (0, 10), "ces": (1, 7)}[kind]
            session.add(Rating(kind=kind, score=score, score100=100 * (score - low) / (high - low), contact_id=contact.id,
                               at=now - timedelta(days=rng.uniform(0, 300))))  # fmt: skip
        for _ in range(rng.choice((0, 1, 4))):
            timeline.note(contact.id, "message", at=now - timedelta(days=rng.uniform(1, 200)), direction="out", channel="email")
        if rng.random() < 0.4:
            timeline.note(contact.id, "call", at=now - timedelta(days=3), direction="in", duration_s=rng.randint(30, 900))
    session.flush()
    return made


def _order(contact_id: int, at: datetime, cents: int, rng: random.Random) -> None:
    session, number = db.session(), rng.getrandbits(60)
    order = Order(contact_id=contact_id, number=str(number), at=at, total_cents=cents, margin_cents=cents // 3,
                  currency=rng.choice(("EUR", "EUR", "EUR", "USD")), status=rng.choice(("paid",) * 9 + ("returned",)))  # fmt: skip
    session.add(order)
    session.flush()
    if rng.random() < 0.5:
        session.add(Payment(order_id=order.id, at=at + timedelta(days=rng.choice((0, 1, 20))), amount_cents=cents))
    else:
        first = max(1, cents // 3)
        session.add(Payment(order_id=order.id, at=at, amount_cents=first))
        session.add(Payment(order_id=order.id, at=at + timedelta(days=30), amount_cents=cents - first))
    if rng.random() < 0.08:
        session.add(Return(order_id=order.id, at=at + timedelta(days=5), amount_cents=cents // 2, margin_cents=cents // 6, reason="broken"))
