"""A desk with purchases: a hundred and sixty customers over three years, some regular, some gone; payments, returns, ratings, talks.

`lives` adds what else a page tells of: lines, tickets, promises, offers, calls owed, people known twice, and who wants no profile.
"""

from __future__ import annotations

import random
from datetime import datetime, timedelta

from sqlalchemy import select

from helpdesk import clock, db
from helpdesk.actor import SYSTEM, Actor
from helpdesk.agents.worth import compute, nightly
from helpdesk.crm import calling, consent, contacts, merging, offers, timeline
from helpdesk.crm.models import Contact, Identity, IdentityKind, Order, OrderLine, Rating, RatingKind
from helpdesk.crm.worth_models import Payment, Return
from helpdesk.tickets import intake, surveys
from helpdesk.tickets.models import Inbox, Status, Ticket


def customers(n: int = 160, seed: int = 7) -> list[int]:
    """Made in the current transaction; their ids."""
    rng, session, now = random.Random(seed), db.session(), clock.now()
    made: list[int] = []
    orders = []
    for number in range(n):
        contact = contacts.add(name=f"Customer {number}", by=SYSTEM)
        made.append(contact.id)
        rate, leaves = rng.gammavariate(1.2, 1 / 120), rng.betavariate(0.9, 3)
        at = now - timedelta(days=rng.uniform(30, 1000))
        mean = rng.gammavariate(6, 900)
        while at <= now:
            orders.append(_order(contact.id, at, round(rng.gammavariate(5, mean / 5)) + 100, rng))
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
    session.add_all(order for order, _ in orders)
    session.flush()
    for order, money in orders:
        for one in money:
            one.order_id = order.id
        session.add_all(money)
    session.flush()
    return made


def _order(contact_id: int, at: datetime, cents: int, rng: random.Random) -> tuple[Order, list[Payment | Return]]:
    """A purchase, and the payments and returns that belong to it once it has its number in the database."""
    number = rng.getrandbits(60)
    money: list[Payment | Return] = []
    order = Order(contact_id=contact_id, number=str(number), at=at, total_cents=cents, margin_cents=cents // 3,
                  currency=rng.choice(("EUR", "EUR", "EUR", "USD")), status=rng.choice(("paid",) * 9 + ("returned",)))  # fmt: skip
    if rng.random() < 0.5:
        money.append(Payment(at=at + timedelta(days=rng.choice((0, 1, 20))), amount_cents=cents))
    else:
        first = max(1, cents // 3)
        money.append(Payment(at=at, amount_cents=first))
        money.append(Payment(at=at + timedelta(days=30), amount_cents=cents - first))
    if rng.random() < 0.08:
        money.append(Return(at=at + timedelta(days=5), amount_cents=cents // 2, margin_cents=cents // 6, reason="broken"))
    return order, money


def computed() -> None:
    """Compute everybody's worth, as the night does."""
    with db.transaction():
        run = nightly.want(by=SYSTEM)
    compute.compute(run.id)


def lives(made: list[int], *, inbox: int, by: Actor, seed: int = 11) -> None:
    """Everything else that can stand on a page, in the current transaction."""
    rng, session = random.Random(seed), db.session()
    people = [session.get_one(Contact, id_) for id_ in made]
    for order in session.scalars(select(Order).order_by(Order.id)):
        order.status = rng.choice(("open", "cancelled", "shipped")) if rng.random() < 0.2 else order.status
        order.currency = "CHF" if rng.random() < 0.05 else order.currency
        for _ in range(rng.randint(0, 2)):
            session.add(OrderLine(order_id=order.id, title="Kettle 2 l", quantity=rng.randint(1, 12), price_cents=rng.randint(1, 9000)))
        timeline.note(order.contact_id, "order", at=order.at, channel="shop", direction="in", order_id=order.id, title=order.number,
                      amount_cents=order.total_cents, currency=order.currency)  # fmt: skip
    for contact in rng.sample(people, 60):
        _asks(contact, rng, inbox)
    for contact in rng.sample(people, 60):
        _promised(contact, rng, by)
    for contact in rng.sample(people, 25):
        offers.add(contact, competitor="Pot & Co 24", what="Teapot, 1 l", price=rng.choice(("", "12,50", "1999")), currency="EUR",
                   at=clock.now() - timedelta(days=rng.uniform(0, 90)), by=by)  # fmt: skip
        calling.add(contact, why="Asked for 2 samples", user_id=by.user_id, due_at=clock.now() + timedelta(hours=rng.randint(1, 90)), by=by)
    for contact in rng.sample(people, 25):
        address, since = f"c{contact.id}@b24.example", clock.now() - timedelta(days=9)
        session.add(Identity(contact_id=contact.id, kind=IdentityKind.EMAIL, value=address, value_norm=address, failing_since=since,
                             failing_why="550 no"))  # fmt: skip
        contact.reach_from, contact.checked_at = "09:30", clock.now() - timedelta(days=rng.randint(0, 500))
        contact.acquired_at = clock.now() - timedelta(days=rng.randint(400, 1200))
    session.flush()
    known_twice = rng.sample(people, 12)
    for source, into in zip(known_twice[:6], known_twice[6:], strict=True):
        merging.merge(source, into, by=by)
    for contact in rng.sample([one for one in people if one not in known_twice], 5):
        consent.say(contact, "profiling", False, source="agent", by=by)


def _asks(contact: Contact, rng: random.Random, inbox: int) -> None:
    """One to four tickets: some open, some late, some opened again, some rated, and rated anew."""
    session, place = db.session(), db.session().get_one(Inbox, inbox)
    for _ in range(rng.randint(1, 4)):
        said = intake.Incoming(contact, "The lid of pot 7 is loose.", place.channel, subject="Lid of pot 7")
        ticket, _message = intake.receive(said, place, by=Actor("contact", contact.id))
        ticket.breached_at = clock.now() - timedelta(days=rng.randint(1, 200)) if rng.random() < 0.4 else None
        ticket.reopens_count = rng.choice((0, 0, 1, 2))
        if rng.random() < 0.5:
            _rates(ticket, contact, rng)
    session.flush()


def _rates(ticket: Ticket, contact: Contact, rng: random.Random) -> None:
    ticket.status, ticket.solved_at = Status.SOLVED, clock.now()
    contact.last_survey_at = None  # or the quiet time would hold the second survey back
    survey = surveys.send(ticket, contact)
    assert survey is not None
    for _ in range(rng.choice((1, 1, 2))):
        surveys.answer(survey, rng.randint(1, 5), comment=rng.choice(("", "2 days too late")))


def _promised(contact: Contact, rng: random.Random, by: Actor) -> None:
    now = clock.now()
    for _ in range(rng.randint(1, 3)):
        due = now + timedelta(days=rng.uniform(-60, 20))
        settled = rng.choice(("", "", "kept", "dropped"))
        timeline.note(
            contact.id, rng.choice(("call", "meeting", "visit", "letter")), at=due - timedelta(days=70), user_id=by.user_id,
            title="About order 12", text="Spoke for a while.", next_step="Send 3 samples", next_at=due, next_who_id=by.user_id,
            next_done_at=due + timedelta(days=rng.uniform(-1, 1)) if settled else None, next_outcome=settled, channel="phone",
            duration_s=rng.choice((None, 45, 700, 4000, 9000)),
        )  # fmt: skip
