"""What segments ask about purchases: how many, the last one, and what they come to in the desk's currency.

Each question is one pass over the orders that finds whose sums answer it, and not a look at the orders of every customer. What was bought
by somebody merged into another counts for who speaks. As on the customer's page, orders that came back whole or never became purchases
are left out, and what came back of the others is taken off.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any, Literal

from sqlalchemy import ColumnElement, Select, and_, case, func, literal, select
from sqlalchemy.orm import aliased

from helpdesk import db
from helpdesk.crm import money
from helpdesk.crm.bought import NOT_BOUGHT
from helpdesk.crm.models import Contact, Order
from helpdesk.crm.worth_models import Return
from helpdesk.preferences import preferences

Op = Literal["least", "most", "within", "before"]


def number(op: str, wanted: Any) -> ColumnElement[bool]:
    """Who has at least, or at most, so many orders."""
    return _sum(op, func.count(), wanted)


def last(op: str, moment: datetime) -> ColumnElement[bool]:
    """Whose newest order was within, or before, a moment; who never ordered is neither."""
    newest = func.max(Order.at, type_=Order.at.type)
    return Contact.id.in_(_theirs().having(newest >= moment if op == "within" else newest < moment))


def bought(op: str, wanted: Any) -> ColumnElement[bool]:
    """Whose orders come to at least, or at most, so much, in main units of the desk's currency at its rates."""
    rates = money.of_desk(preferences())
    worth = case(*((Order.currency == code, literal(rate)) for code, rate in sorted(rates.items())), else_=literal(0.0))
    back = select(Return.order_id, func.sum(Return.amount_cents).label("cents")).group_by(Return.order_id).subquery()
    sold = func.sum((Order.total_cents - func.coalesce(back.c.cents, 0)) * worth) / 100.0
    return _sum(op, sold, wanted, _theirs().outerjoin(back, back.c.order_id == Order.id))


def unrated() -> list[str]:
    """Currencies of orders that have no rate into the desk's: what was bought in them cannot be compared, and is not counted."""
    known = money.of_desk(preferences())
    found = db.session().scalars(select(Order.currency).where(Order.status.not_in(NOT_BOUGHT)).distinct())
    return sorted(code for code in found if code not in known)


def _sum(op: str, what: ColumnElement[Any], wanted: float, theirs: Select[int] | None = None) -> ColumnElement[bool]:
    """Who bought nothing has 0: what nothing satisfies too is asked the other way round."""
    theirs = _theirs() if theirs is None else theirs
    if op == "least":
        return Contact.id.in_(theirs.having(what >= wanted)) if wanted > 0 else Contact.id.not_in(theirs.having(what < wanted))
    return Contact.id.in_(theirs.having(what <= wanted)) if wanted < 0 else Contact.id.not_in(theirs.having(what > wanted))


def _theirs() -> Select[int]:
    """Whose orders these are: to be narrowed by what they come to. Only those who were merged are looked up: they are few."""
    merged = aliased(Contact)
    whose = func.coalesce(merged.merged_into_id, Order.contact_id)
    found = select(whose).select_from(Order).outerjoin(merged, and_(merged.id == Order.contact_id, merged.merged_into_id.is_not(None)))
    return found.where(Order.status.not_in(NOT_BOUGHT)).group_by(whose)
