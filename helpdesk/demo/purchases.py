"""What the sample company's customers bought and said on the phone, and the figures that follow from it."""

from __future__ import annotations

import random
from datetime import datetime, timedelta

from helpdesk import clock, db
from helpdesk.crm import profile, timeline
from helpdesk.crm.models import Contact, Order, OrderLine
from helpdesk.crm.worth_models import Payment, Return
from helpdesk.demo.company import STAFF, Company
from helpdesk.demo.history import DAYS, TEXTS
from helpdesk.demo.words import Texts
from helpdesk.preferences import prefer

#: Days between two purchases of a customer of each tier, on average; everybody else's are farther apart.
_GAP = {"vip": 40, "gold": 60, "silver": 85}
#: Share of a price that stays with the company.
MARGIN = 0.34


def remember(made: Company, rng: random.Random) -> tuple[int, int]:
    """Orders of two years and calls of sixty days, in the current transaction, then every customer's figures: (orders, calls)."""
    session = db.session()
    now = clock.now()
    orders = calls = 0
    prefer(currency="EUR", rates="RUB 0.01", minute_cents=60, winning_cents=1500)
    for contact_id, person in made.customers:
        contact = session.get_one(Contact, contact_id)
        texts = TEXTS[person.language]
        known_days = (now - contact.acquired_at).days if contact.acquired_at else 60
        moments = _moments(now - timedelta(days=min(known_days, 720)), now, _GAP.get(contact.tier, 120), rng)
        total = 0
        for moment in moments:
            total += _order(contact, texts, moment, 20000 + orders, rng)
            orders += 1
        contact.value_cents, contact.currency = total, "RUB" if person.language == "ru" else "EUR"
        for _number in range(rng.choice((0, 0, 1, 1, 2))):
            _call(made, contact, texts, now - timedelta(days=rng.uniform(0.1, DAYS)), rng)
            calls += 1
        session.flush()
        profile.refresh(contact)
    return orders, calls


def _moments(first: datetime, now: datetime, gap: float, rng: random.Random) -> list[datetime]:
    """When somebody bought: each in a rhythm of their own, and after any purchase they may stay away, some people sooner than others."""
    days, leaves = gap * rng.uniform(0.5, 2.0), rng.betavariate(0.6, 2.0)
    found, at = [], first + timedelta(days=rng.uniform(0, 0.6) * (now - first).days)
    while at < now:
        found.append(at)
        if rng.random() < leaves:
            break
        at += timedelta(days=1 + rng.expovariate(1 / days))
    return found


def _order(contact: Contact, texts: Texts, at: datetime, number: int, rng: random.Random) -> int:
    session = db.session()
    lines = [(title, rng.choice((1, 1, 1, 2, 3)), cents) for title, cents, _does in rng.sample(texts.products, rng.choice((1, 1, 2)))]
    total = sum(quantity * cents for _title, quantity, cents in lines)
    order = Order(
        contact_id=contact.id, organization_id=contact.organization_id, number=f"S-{number}", at=at, total_cents=total,
        margin_cents=int(total * MARGIN), currency="RUB" if texts.language == "ru" else "EUR",
        status=rng.choices(("paid", "shipped", "returned"), weights=(80, 15, 5))[0],
    )  # fmt: skip
    session.add(order)
    session.flush()
    session.add_all(OrderLine(order_id=order.id, title=title, quantity=quantity, price_cents=cents) for title, quantity, cents in lines)
    _paid(order, rng)
    timeline.note(
        contact.id, "order", at=at, channel="shop", direction="in", organization_id=contact.organization_id, order_id=order.id,
        title=order.number, text=", ".join(f"{quantity} × {title}" for title, quantity, _cents in lines), amount_cents=total,
        currency=order.currency,
    )  # fmt: skip
    return 0 if order.status == "returned" else total


def _paid(order: Order, rng: random.Random) -> None:
    """Most pay at once; some in three parts, of which the last may still be to come. A returned order went back whole, with its reason."""
    session = db.session()
    if order.status == "returned":
        back = order.at + timedelta(days=rng.randint(3, 20))
        session.add(Return(order_id=order.id, at=min(back, clock.now()), amount_cents=order.total_cents, margin_cents=order.margin_cents,
                           reason=rng.choice(("product", "product", "delivery", "price"))))  # fmt: skip
    parts = 1 if rng.random() < 0.75 else 3
    for number in range(parts):
        at = order.at + timedelta(days=30 * number, hours=rng.uniform(0, 40))
        amount = order.total_cents // parts if number < parts - 1 else order.total_cents - order.total_cents // parts * (parts - 1)
        if at <= clock.now() and amount > 0:
            session.add(Payment(order_id=order.id, at=at, amount_cents=amount, method=rng.choice(("card", "invoice"))))


def _call(made: Company, contact: Contact, texts: Texts, at: datetime, rng: random.Random) -> None:
    title, said, decided = rng.choice(texts.calls)
    able = [one for one in STAFF if one.queues and one.speaks.get("Russian" if texts.language == "ru" else "English", 0) >= 2]
    upcoming = rng.random() < 0.3
    entry = timeline.note(
        contact.id, "call", at=at, channel="phone", direction=rng.choice(("in", "in", "out")), organization_id=contact.organization_id,
        user_id=made.staff[rng.choice(able).name], title=title, text=said, decision=decided, duration_s=rng.randint(40, 900),
        next_step=decided if upcoming else "", next_at=at + timedelta(days=rng.randint(2, 20)) if upcoming else None,
    )  # fmt: skip
    if entry.next_at is not None and entry.next_at < clock.now() and rng.random() < 0.9:
        entry.next_outcome, entry.next_done_at = "kept", entry.next_at - timedelta(hours=rng.uniform(0, 40))
