"""What one person bought, as their page shows it: the sums, and their newest orders with what was paid and what came back.

Reads the ledger that `crm.purchases` writes; the figures of worth are computed from the same orders.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from sqlalchemy import func, select

from helpdesk import db
from helpdesk.crm.models import Order, OrderLine
from helpdesk.crm.worth_models import Payment, Return

#: Orders that never became purchases, or came back whole.
NOT_BOUGHT = ("returned", "cancelled", "open")
#: How many orders a page names.
ORDERS = 8


@dataclass(frozen=True)
class Bought:
    """Everything bought, what came back taken off: per currency total and margin in minor units, how many orders, since when."""

    sums: list[tuple[str, int, int]]
    orders: int
    first: datetime | None
    last: datetime | None


@dataclass
class Known:
    """An order with its lines, what came in for it and what came back. Sums in its minor units."""

    order: Order
    lines: list[OrderLine] = field(default_factory=list)
    payments: list[Payment] = field(default_factory=list)
    returns: list[Return] = field(default_factory=list)

    @property
    def paid(self) -> int:
        return sum(one.amount_cents for one in self.payments)

    @property
    def due(self) -> int:
        """What is still to come in. A desk that writes down no payments owes its customers no reminder: then only an open order is due."""
        if self.order.status in ("returned", "cancelled") or not (self.payments or self.order.status == "open"):
            return 0
        return max(0, self.order.total_cents - sum(one.amount_cents for one in self.returns) - self.paid)


def of(contacts: Collection[int]) -> Bought:
    """For those who may see worth. Bought in all = Σ totals − Σ what came back, margin in all likewise; of orders that were bought."""
    kept = (Order.contact_id.in_(contacts), Order.status.not_in(NOT_BOUGHT))
    session = db.session()
    rows = session.execute(
        select(
            Order.currency, func.sum(Order.total_cents).label("total"), func.sum(Order.margin_cents).label("margin"),
            func.count().label("n"), func.min(Order.at).label("first"), func.max(Order.at).label("last"),
        ).where(*kept).group_by(Order.currency)
    ).all()  # fmt: skip
    came_back = select(Order.currency, func.sum(Return.amount_cents).label("amount"), func.sum(Return.margin_cents).label("margin"))
    came_back = came_back.join(Order, Order.id == Return.order_id).where(*kept).group_by(Order.currency)
    back = {row.currency: (int(row.amount), int(row.margin)) for row in session.execute(came_back)}
    sums = []
    for row in rows:
        amount, margin = back.get(row.currency, (0, 0))
        sums.append((row.currency, int(row.total) - amount, int(row.margin) - margin))
    return Bought(
        sorted(sums, key=lambda one: (-one[1], one[0])),
        sum(row.n for row in rows),
        min((row.first for row in rows), default=None),
        max((row.last for row in rows), default=None),
    )


def orders(contacts: Collection[int], *, limit: int = ORDERS) -> list[Known]:
    """The newest orders, in four queries however many there are."""
    newest = select(Order).where(Order.contact_id.in_(contacts)).order_by(Order.at.desc(), Order.id.desc()).limit(limit)
    found = {order.id: Known(order) for order in db.session().scalars(newest)}
    if found:
        _belonging(found, list(found))
    return list(found.values())


def _belonging(found: dict[int, Known], ids: Sequence[int]) -> None:
    session = db.session()
    for line in session.scalars(select(OrderLine).where(OrderLine.order_id.in_(ids)).order_by(OrderLine.id)):
        found[line.order_id].lines.append(line)
    for payment in session.scalars(select(Payment).where(Payment.order_id.in_(ids)).order_by(Payment.at, Payment.id)):
        found[payment.order_id].payments.append(payment)
    for one in session.scalars(select(Return).where(Return.order_id.in_(ids)).order_by(Return.at, Return.id)):
        found[one.order_id].returns.append(one)
