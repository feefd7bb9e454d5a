"""Fills an empty desk with the sample company: people, knowledge, sixty days of work, purchases, calls, figures."""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from dataclasses import dataclass

from sqlalchemy import func, select

from helpdesk import clock, db, events, passwords
from helpdesk.crm.models import Contact, Rating
from helpdesk.demo import articles, company, history, purchases
from helpdesk.tickets.models import Ticket

#: The same company every time; only its days move with the calendar.
SEED = 1887


@dataclass(frozen=True)
class Seeded:
    """What was made, and in how many seconds."""

    customers: int
    articles: int
    tickets: int
    ratings: int
    orders: int
    calls: int
    seconds: float


def fill(say: Callable[[str], None], *, tickets: int = history.TICKETS) -> Seeded:
    """Make everything, in a few transactions, inside an application context. Nothing is scheduled, pushed or sent."""
    begun = time.perf_counter()
    rng = random.Random(SEED)
    hashed = passwords.kept(company.PASSWORD)
    start = clock.now()
    with db.transaction(), events.history():
        made = company.found(hashed, rng)
        author = made.staff["Irina Belova"]
        say("the company and its customers")
        published = articles.publish_all(made.categories, author, rng)
        say(f"{published} articles in two languages")
    history.tell(made, rng, tickets=tickets)
    say(f"{tickets} tickets of {history.DAYS} days")
    with clock.frozen(start), db.transaction(), events.history():
        orders, calls = purchases.remember(made, rng)
        say(f"{orders} purchases and {calls} calls")
    with db.read() as session:
        customers, kept, ratings = (session.scalar(select(func.count()).select_from(table)) or 0 for table in (Contact, Ticket, Rating))
    return Seeded(customers, published, kept, ratings, orders, calls, time.perf_counter() - begun)
