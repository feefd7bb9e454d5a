"""The facts behind everybody's value, one customer after the other, in the order of their ids.

A handful of queries, each read in the same order and joined while they pass by: nothing is held for more than one customer, so that half a
million of them need no more memory than one. Rows of merged contacts count for who speaks for them; erased people, and who does not want
to be profiled, are left out.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import and_, case, func, select
from sqlalchemy.engine import Connection

from helpdesk.crm import consent
from helpdesk.crm.bought import NOT_BOUGHT
from helpdesk.crm.models import Contact, Interaction, Order, Rating
from helpdesk.crm.satisfaction import Question
from helpdesk.crm.satisfaction import Rating as Given
from helpdesk.crm.value import PaidOrder
from helpdesk.crm.worth_models import Payment, Return
from helpdesk.tickets.models import UNSOLVED, Ticket

CHUNK = 5000
LATELY = timedelta(days=90)


@dataclass(slots=True)
class Bought:
    """One purchase in minor units of the desk's currency, what came back taken off."""

    at: datetime
    amount: int
    margin: int


@dataclass(slots=True)
class Trouble:
    """Tickets of one customer at a moment: not solved, with a target missed in the last 90 days, reopenings."""

    open: int = 0
    breached: int = 0
    reopens: int = 0


@dataclass(slots=True)
class Person:
    """One customer's facts. `unconverted`: orders in a currency that has no rate, left out. `broken`: promises of ours that are past."""

    id: int
    bought: list[Bought] = field(default_factory=list)
    paid: list[PaidOrder] = field(default_factory=list)
    ratings: list[Given] = field(default_factory=list)
    contacts: int = 0
    handle_s: int = 0
    broken: int = 0
    trouble: Trouble = field(default_factory=Trouble)
    past: Trouble = field(default_factory=Trouble)
    unconverted: int = 0


_WHO = Contact.canonical_id.label("who")


def people(connection: Connection, *, as_of: datetime, past: datetime, rates: Mapping[str, float], reply_s: int) -> Iterator[Person]:
    """Everybody, with what was known at `as_of`; `Person.past` as of that earlier moment."""
    returned = {
        row.order_id: (int(row.amount), int(row.margin))
        for row in connection.execute(
            select(Return.order_id, func.sum(Return.amount_cents).label("amount"), func.sum(Return.margin_cents).label("margin"))
            .where(Return.at <= as_of)
            .group_by(Return.order_id)
        )
    }
    orders = _grouped(connection, _orders(as_of))
    payments = _grouped(connection, _payments(as_of))
    ratings = _grouped(connection, _ratings(as_of))
    service = _grouped(connection, _service(as_of))
    tickets = _grouped(connection, _tickets(as_of, past))
    everybody = select(_WHO).where(Contact.merged_into_id.is_(None), Contact.erased_at.is_(None), consent.permitted("profiling"))
    for (who,) in _streamed(connection, everybody.order_by(Contact.id)):
        person = Person(who)
        _purchases(person, orders.of(who), payments.of(who), returned, rates)
        person.ratings = [Given(Question(row.kind), row.score, row.at, row.ticket_id) for row in ratings.of(who)]
        for row in service.of(who):
            person.contacts = int(row.replies) + int(row.talks)
            person.handle_s, person.broken = int(row.replies) * reply_s + int(row.seconds), int(row.broken)
        for row in tickets.of(who):
            person.trouble = Trouble(int(row.open), int(row.breached), int(row.reopens))
            person.past = Trouble(int(row.past_open), int(row.past_breached))
        yield person


def _purchases(
    person: Person, orders: Sequence[Any], payments: Sequence[Any], returned: Mapping[int, tuple[int, int]], rates: Mapping[str, float]
) -> None:
    paid: dict[int, list[tuple[datetime, float]]] = {}
    for row in payments:
        paid.setdefault(row.order_id, []).append((row.at, row.amount_cents))
    for row in orders:
        rate = rates.get(row.currency)
        if rate is None:
            person.unconverted += 1
            continue
        back, lost = returned.get(row.id, (0, 0))
        if row.total_cents > back or not back:
            person.bought.append(Bought(row.at, round((row.total_cents - back) * rate), round((row.margin_cents - lost) * rate)))
        if row.id in paid:
            person.paid.append(PaidOrder(row.total_cents, row.at, tuple(paid[row.id])))


# --- the queries, each ordered by customer --------------------------------------------------------------------------------


def _orders(as_of: datetime) -> Any:
    return (
        select(_WHO, Order.id, Order.at, Order.total_cents, Order.margin_cents, Order.currency)
        .join(Contact, Contact.id == Order.contact_id)
        .where(Contact.erased_at.is_(None), Order.status.not_in(NOT_BOUGHT), Order.at <= as_of)
        .order_by(_WHO, Order.at, Order.id)
    )


def _payments(as_of: datetime) -> Any:
    return (
        select(_WHO, Payment.order_id, Payment.at, Payment.amount_cents)
        .join(Order, Order.id == Payment.order_id)
        .join(Contact, Contact.id == Order.contact_id)
        .where(Contact.erased_at.is_(None), Payment.at <= as_of, Order.at <= as_of)
        .order_by(_WHO, Payment.id)
    )


def _ratings(as_of: datetime) -> Any:
    return (
        select(_WHO, Rating.kind, Rating.score, Rating.at, Rating.ticket_id)
        .join(Contact, Contact.id == Rating.contact_id)
        .where(Contact.erased_at.is_(None), Rating.superseded_at.is_(None), Rating.at <= as_of)
        .order_by(_WHO, Rating.at, Rating.id)
    )


def _service(as_of: datetime) -> Any:
    answered = and_(Interaction.kind == "message", Interaction.direction == "out")
    talked = and_(Interaction.kind.in_(("call", "meeting", "visit")), Interaction.duration_s.is_not(None))
    broken = and_(Interaction.next_at < as_of, Interaction.next_done_at.is_(None))
    found: Any = (
        select(
            _WHO,
            func.sum(case((answered, 1), else_=0)).label("replies"),
            func.sum(case((talked, 1), else_=0)).label("talks"),
            func.sum(case((talked, Interaction.duration_s), else_=0)).label("seconds"),
            func.sum(case((broken, 1), else_=0)).label("broken"),
        )
        .join(Contact, Contact.id == Interaction.contact_id)
        .where(Contact.erased_at.is_(None), Interaction.at <= as_of)
        .group_by(_WHO)
        .order_by(_WHO)
    )
    return found


def _tickets(as_of: datetime, past: datetime) -> Any:
    then_open = and_(Ticket.opened_at <= past, (Ticket.solved_at.is_(None) & Ticket.status.in_(UNSOLVED)) | (Ticket.solved_at > past))
    found: Any = (
        select(
            _WHO,
            func.sum(case((Ticket.status.in_(UNSOLVED), 1), else_=0)).label("open"),
            func.sum(case((Ticket.breached_at > as_of - LATELY, 1), else_=0)).label("breached"),
            func.sum(case((Ticket.last_message_at > as_of - timedelta(days=365), Ticket.reopens_count), else_=0)).label("reopens"),
            func.sum(case((then_open, 1), else_=0)).label("past_open"),
            func.sum(case((and_(Ticket.breached_at > past - LATELY, Ticket.breached_at <= past), 1), else_=0)).label("past_breached"),
        )
        .join(Contact, Contact.id == Ticket.requester_id)
        .where(Contact.erased_at.is_(None), Ticket.merged_into_id.is_(None), Ticket.opened_at <= as_of)
        .group_by(_WHO)
        .order_by(_WHO)
    )
    return found


# --- streaming ---------------------------------------------------------------------------------------------------------------


def _streamed(connection: Connection, statement: Any) -> Iterator[Any]:
    """Rows in chunks of CHUNK; on PostgreSQL through a cursor on the server."""
    with connection.execute(statement, execution_options={"yield_per": CHUNK}) as rows:
        yield from rows


class _grouped:
    """An ordered stream, asked for one customer after the other in rising order."""

    def __init__(self, connection: Connection, statement: Any) -> None:
        self._rows = _streamed(connection, statement)
        self._next = next(self._rows, None)

    def of(self, who: int) -> list[Any]:
        """This customer's rows; those of who was passed over (whose speaker is gone) are dropped."""
        found = []
        while self._next is not None and self._next.who <= who:
            if self._next.who == who:
                found.append(self._next)
            self._next = next(self._rows, None)
        return found
