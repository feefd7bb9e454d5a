"""What customers buy, pay and give back, written down as it happens: the ledger from which their worth is computed.

Sums are in minor units of the order's own currency. A payment is money that came in; money given back is a return, with its reason. A
`quiet` verb records nothing: its caller tells of many at once (an import).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TypeVar

from flask_babel import lazy_gettext as _
from sqlalchemy import func, select

from helpdesk import clock, db
from helpdesk.actor import Actor
from helpdesk.catalog import OrderChanged
from helpdesk.crm import money, timeline
from helpdesk.crm.models import Contact, Order, OrderLine
from helpdesk.crm.worth_models import Payment, Return
from helpdesk.errors import Conflict, Invalid, Words
from helpdesk.events import record

#: States of an order that people write down; one that came back whole becomes "returned" by itself.
STATES = ("open", "paid", "shipped", "cancelled")
#: A hundred billion in minor units: more is a slip of the keyboard.
MOST_CENTS = 10**13
MOST_LINES, MOST_PIECES = 500, 10**6
LONGEST = {"number": 60, "title": 200, "reason": 60, "note": 5000, "method": 20, "external_id": 120}

T = TypeVar("T", Order, Payment, Return)


@dataclass(frozen=True)
class Line:
    """One position of an order; the price is that of one piece."""

    title: str
    quantity: int
    price_cents: int


def order(
    contact: Contact,
    *,
    number: str,
    currency: str,
    lines: Sequence[Line] = (),
    total_cents: int | None = None,
    margin_cents: int = 0,
    at: datetime | None = None,
    status: str = "paid",
    external_id: str | None = None,
    by: Actor,
    quiet: bool = False,
) -> Order:
    """Write down a purchase. Without a total it is the sum of the lines; a total may be lower (a discount), never higher than them.

    Raises Invalid with every fault at once, Conflict when `external_id` stands at another order: the same purchase is not counted twice.
    """
    now, sums = clock.now(), sum(line.quantity * line.price_cents for line in lines)
    total = sums if total_cents is None else total_cents
    faults: dict[str, Words] = {}
    _fits(faults, number=number, external_id=external_id or "")
    if not number.strip():
        faults["number"] = _("An order has a number.")
    if not money.is_code(currency):
        faults["currency"] = _("A currency is three capital letters, such as EUR.")
    if total_cents is None and not lines:
        faults["total_cents"] = _("Give the total, or the lines.")
    elif not 0 <= total <= MOST_CENTS or (lines and total > sums):
        faults["total_cents"] = _("A total is not negative, and not above the sum of the lines.")
    if not -MOST_CENTS <= margin_cents <= max(total, 0):
        faults["margin_cents"] = _("A margin is not above the total.")
    if len(lines) > MOST_LINES or any(not line.title.strip() or len(line.title) > LONGEST["title"] for line in lines):
        faults["lines"] = _("Each line says what it is; there are at most %(n)s.", n=MOST_LINES)
    elif any(not 0 < line.quantity <= MOST_PIECES or not 0 <= line.price_cents <= MOST_CENTS for line in lines):
        faults["lines"] = _("A line has at least one piece and no negative price.")
    if status not in STATES:
        faults["status"] = _("Choose one of these.")
    _not_to_come(faults, at, now)
    if faults:
        raise Invalid(fields=faults)
    _new(Order, external_id)
    made = Order(
        contact_id=contact.id, organization_id=contact.organization_id, number=number.strip(), at=at or now, total_cents=total,
        margin_cents=margin_cents, currency=currency, status=status, external_id=external_id,
    )  # fmt: skip
    session = db.session()
    session.add(made)
    session.flush()
    session.add_all(
        OrderLine(order_id=made.id, title=line.title.strip(), quantity=line.quantity, price_cents=line.price_cents) for line in lines
    )
    timeline.note(
        contact.id, "order", at=made.at, channel="shop", direction="in", organization_id=made.organization_id, order_id=made.id,
        title=made.number, text=", ".join(f"{line.quantity} × {line.title}" for line in lines)[:1000], amount_cents=total,
        currency=currency,
    )  # fmt: skip
    if not quiet:
        record(OrderChanged(contact.id, made.id, "order", by))
    return made


def pay(
    to: Order, amount_cents: int, *, at: datetime | None = None, method: str = "", external_id: str | None = None, by: Actor,
    quiet: bool = False,
) -> Payment:  # fmt: skip
    """Note money that came in for an order.

    Raises Invalid for nothing, less than nothing, or more than is due; Conflict when it was noted already.
    """
    faults: dict[str, Words] = {}
    _fits(faults, method=method, external_id=external_id or "")
    due = to.total_cents - paid(to)
    if amount_cents <= 0:
        faults["amount_cents"] = _("A payment is above zero: money given back is a return.")
    elif amount_cents > due:
        faults["amount_cents"] = _("More than is due for this order: %(due)s.", due=f"{due / 100:.2f} {to.currency}")
    _not_to_come(faults, at, clock.now())
    if faults:
        raise Invalid(fields=faults)
    _new(Payment, external_id)
    made = Payment(order_id=to.id, at=at or clock.now(), amount_cents=amount_cents, method=method.strip(), external_id=external_id)
    db.session().add(made)
    db.session().flush()
    if not quiet:
        record(OrderChanged(to.contact_id, to.id, "payment", by))
    return made


def take_back(
    of: Order, amount_cents: int, *, margin_cents: int | None = None, reason: str, note: str = "", at: datetime | None = None,
    external_id: str | None = None, by: Actor, quiet: bool = False,
) -> Return:  # fmt: skip
    """Note goods that came back, or money given back, with the reason. Without `margin_cents` the margin shrinks in proportion.

    Raises Invalid for less than nothing, more than is left of the order, or no reason; Conflict when noted already.
    """
    faults: dict[str, Words] = {}
    _fits(faults, reason=reason, note=note, external_id=external_id or "")
    left = of.total_cents - given_back(of)
    if not 0 < amount_cents <= left:
        faults["amount_cents"] = _("Give a sum above zero, and at most what is left of the order: %(left)s.",
                                   left=f"{left / 100:.2f} {of.currency}")  # fmt: skip
    if not reason.strip():
        faults["reason"] = _("Say why it came back.")
    _not_to_come(faults, at, clock.now())
    if faults:
        raise Invalid(fields=faults)
    _new(Return, external_id)
    lost = margin_cents if margin_cents is not None else round(of.margin_cents * amount_cents / of.total_cents)
    made = Return(
        order_id=of.id, at=at or clock.now(), amount_cents=amount_cents, margin_cents=lost, reason=reason.strip(), note=note.strip(),
        external_id=external_id,
    )  # fmt: skip
    db.session().add(made)
    db.session().flush()
    if amount_cents == left:
        of.status = "returned"
    if not quiet:
        record(OrderChanged(of.contact_id, of.id, "return", by))
    return made


def paid(one: Order) -> int:
    """What has come in for an order, in its minor units."""
    return int(db.session().scalar(select(func.coalesce(func.sum(Payment.amount_cents), 0)).where(Payment.order_id == one.id)) or 0)


def given_back(one: Order) -> int:
    """What of an order has come back, in its minor units."""
    return int(db.session().scalar(select(func.coalesce(func.sum(Return.amount_cents), 0)).where(Return.order_id == one.id)) or 0)


def _new(table: type[T], external_id: str | None) -> None:
    if external_id and db.session().scalar(select(table.id).where(table.external_id == external_id)) is not None:
        raise Conflict(_("This is written down already: %(id)s.", id=external_id))


def _fits(faults: dict[str, Words], **said: str) -> None:
    for field, words in said.items():
        if len(words) > LONGEST[field]:
            faults[field] = _("Please shorten this to %(n)s characters.", n=LONGEST[field])


def _not_to_come(faults: dict[str, Words], at: datetime | None, now: datetime) -> None:
    if at is not None and at > now + timedelta(minutes=5):
        faults["at"] = _("This has not happened yet.")
