"""Purchases for programs: a shop writes down orders, payments and returns, and reads what stands here.

Who may not see what customers are worth is not shown margins. A customer's own token reads their own orders.
"""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime
from typing import Annotated

from flask_babel import lazy_gettext as _
from pydantic import Field
from sqlalchemy import and_, or_, select

from helpdesk import db, web
from helpdesk.auth import require
from helpdesk.channels.api import routes
from helpdesk.channels.api.routes import get, post
from helpdesk.channels.api.schemas import MOST, PLAIN, SAID, Key, Moment, Page, Paging, Shown, Wish
from helpdesk.crm import access, policy, purchases
from helpdesk.crm import contacts as people
from helpdesk.crm.models import Contact, Order, OrderLine
from helpdesk.crm.worth_models import Payment, Return
from helpdesk.errors import Invalid, NotFound

Cents = Annotated[int, Field(ge=-MOST, le=MOST, description="In minor units: 1250 is 12.50.")]
OtherId = Annotated[str, Field(min_length=1, max_length=120, description="Its id in another system; used once."), PLAIN, SAID]


class OrderFilters(Paging):
    """Which orders; several conditions narrow each other."""

    contact: Annotated[Key | None, Field(description="A customer's id.")] = None
    external_id: Annotated[str, Field(max_length=120, description="The id in another system."), PLAIN] = ""


class LineWish(Wish):
    """One position of an order; the price is that of one piece."""

    title: Annotated[str, Field(min_length=1, max_length=200), PLAIN, SAID]
    quantity: int = 1
    price_cents: Cents


class NewOrder(Wish):
    """A purchase. Without `total_cents` it is the sum of the lines."""

    contact_id: Key
    number: Annotated[str, Field(max_length=60), PLAIN, SAID]
    currency: Annotated[str, Field(max_length=3, description="ISO 4217, such as EUR."), PLAIN]
    lines: Annotated[list[LineWish], Field(max_length=500)] = []
    total_cents: Cents | None = None
    margin_cents: Cents = 0
    at: Moment | None = None
    status: Annotated[str, Field(max_length=12, description="open, paid, shipped or cancelled."), PLAIN] = "paid"
    external_id: OtherId | None = None


class NewPayment(Wish):
    """Money that came in. What was given back is a return."""

    amount_cents: Cents
    at: Moment | None = None
    method: Annotated[str, Field(max_length=20), PLAIN] = ""
    external_id: OtherId | None = None


class NewReturn(Wish):
    """Goods that came back, or money given back. Without `margin_cents` the margin shrinks in proportion."""

    amount_cents: Cents
    reason: Annotated[str, Field(max_length=60), PLAIN]
    margin_cents: Cents | None = None
    note: Annotated[str, Field(max_length=5000), PLAIN] = ""
    at: Moment | None = None
    external_id: OtherId | None = None


class LineShown(Shown):
    title: str
    quantity: int
    price_cents: int


class PaymentShown(Shown):
    id: int
    at: datetime
    amount_cents: int
    method: str
    external_id: str | None


class ReturnShown(Shown):
    id: int
    at: datetime
    amount_cents: int
    reason: str
    note: str
    external_id: str | None


class OrderShown(Shown):
    """A purchase. `margin_cents` is null for who may not see what customers are worth. `due_cents`: what is still to be paid."""

    id: int
    contact_id: int
    number: str
    at: datetime
    currency: str
    total_cents: int
    margin_cents: int | None
    due_cents: int
    status: str
    lines: list[LineShown]
    payments: list[PaymentShown]
    returns: list[ReturnShown]
    external_id: str | None
    url: str


class OrderPage(Page[OrderShown]):
    pass


@get("/orders", scope="contacts:read", asks=OrderFilters, gives=OrderPage)
def orders(asked: OrderFilters) -> Page[OrderShown]:
    """List purchases, newest first."""
    found = select(Order).join(Contact, Contact.id == Order.contact_id).where(policy.visible(web.principal()), Contact.erased_at.is_(None))
    if asked.contact is not None:
        found = found.where(Order.contact_id.in_(people.group(asked.contact)))
    if asked.external_id:
        found = found.where(Order.external_id == asked.external_id)
    if place := web.uncursor(asked.cursor, datetime, int):
        found = found.where(or_(Order.at < place[0], and_(Order.at == place[0], Order.id < place[1])))
    rows = list(db.session().scalars(found.order_by(Order.at.desc(), Order.id.desc()).limit(asked.limit + 1)))
    paged = web.paged(rows, asked.limit, lambda row: (row.at, row.id))
    access.noted({row.contact_id for row in paged.rows}, "viewed", via="api")
    return routes.page(OrderPage, paged, _shown(paged.rows), asked)


@post("/orders", scope="contacts:write", takes=NewOrder, gives=OrderShown, conflicts=True)
def add_order(sent: NewOrder) -> OrderShown:
    """Write down a purchase; 409 if its `external_id` stands here already."""
    who = web.principal()
    require(policy.may_add(who))
    contact = db.session().scalar(select(Contact).where(Contact.id == sent.contact_id, policy.visible(who), Contact.erased_at.is_(None)))
    if contact is None:
        raise Invalid(fields={"contact_id": _("There is no such customer.")})
    made = purchases.order(
        people.canonical(contact), number=sent.number, currency=sent.currency, margin_cents=sent.margin_cents, at=sent.at,
        lines=[purchases.Line(line.title, line.quantity, line.price_cents) for line in sent.lines], total_cents=sent.total_cents,
        status=sent.status, external_id=sent.external_id, by=web.current_actor(),
    )  # fmt: skip
    return _shown([made])[0]


@get("/orders/{id}", scope="contacts:read", gives=OrderShown)
def order(id: int) -> OrderShown:
    """Look at a purchase with its lines, payments and returns."""
    one = _find(id)
    access.noted([one.contact_id], "viewed", via="api")
    return _shown([one])[0]


@post("/orders/{id}/payments", scope="contacts:write", takes=NewPayment, gives=OrderShown, conflicts=True)
def add_payment(id: int, sent: NewPayment) -> OrderShown:
    """Note money that came in for a purchase; answers with the purchase as it is now."""
    one = _writable(id)
    purchases.pay(one, sent.amount_cents, at=sent.at, method=sent.method, external_id=sent.external_id, by=web.current_actor())
    return _shown([one])[0]


@post("/orders/{id}/returns", scope="contacts:write", takes=NewReturn, gives=OrderShown, conflicts=True)
def add_return(id: int, sent: NewReturn) -> OrderShown:
    """Note what came back of a purchase, and why; answers with the purchase as it is now."""
    one = _writable(id)
    purchases.take_back(
        one, sent.amount_cents, margin_cents=sent.margin_cents, reason=sent.reason, note=sent.note, at=sent.at,
        external_id=sent.external_id, by=web.current_actor(),
    )  # fmt: skip
    return _shown([one])[0]


# --- below ------------------------------------------------------------------------------------------------------------


def _find(id: int) -> Order:
    """The order, if `who` may see whose it is; NotFound otherwise."""
    found = select(Order).join(Contact, Contact.id == Order.contact_id)
    one = db.session().scalar(found.where(Order.id == id, policy.visible(web.principal()), Contact.erased_at.is_(None)))
    if one is None:
        raise NotFound
    return one


def _writable(id: int) -> Order:
    one = _find(id)
    require(policy.may(web.principal(), "edit", db.session().get_one(Contact, one.contact_id)))
    db.session().refresh(one, with_for_update=True)  # two payments at once must not pay more than is due
    return one


def _shown(rows: Collection[Order]) -> list[OrderShown]:
    session, ids = db.session(), [row.id for row in rows]
    lines: dict[int, list[OrderLine]] = {}
    payments: dict[int, list[Payment]] = {}
    returns: dict[int, list[Return]] = {}
    for line in session.scalars(select(OrderLine).where(OrderLine.order_id.in_(ids)).order_by(OrderLine.id)):
        lines.setdefault(line.order_id, []).append(line)
    for payment in session.scalars(select(Payment).where(Payment.order_id.in_(ids)).order_by(Payment.at, Payment.id)):
        payments.setdefault(payment.order_id, []).append(payment)
    for back in session.scalars(select(Return).where(Return.order_id.in_(ids)).order_by(Return.at, Return.id)):
        returns.setdefault(back.order_id, []).append(back)
    margins = policy.may_see_value(web.principal())
    return [
        OrderShown(
            id=row.id, contact_id=row.contact_id, number=row.number, at=row.at, currency=row.currency, total_cents=row.total_cents,
            margin_cents=row.margin_cents if margins else None, status=row.status, external_id=row.external_id,
            due_cents=max(0, row.total_cents - sum(one.amount_cents for one in payments.get(row.id, []))),
            lines=[LineShown(title=one.title, quantity=one.quantity, price_cents=one.price_cents) for one in lines.get(row.id, [])],
            payments=[PaymentShown(id=one.id, at=one.at, amount_cents=one.amount_cents, method=one.method, external_id=one.external_id)
                      for one in payments.get(row.id, [])],
            returns=[ReturnShown(id=one.id, at=one.at, amount_cents=one.amount_cents, reason=one.reason, note=one.note,
                                 external_id=one.external_id) for one in returns.get(row.id, [])],
            url=routes.address(order, id=row.id),
        )
        for row in rows
    ]  # fmt: skip
