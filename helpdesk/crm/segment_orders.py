"""What segments ask about purchases: how many, the last one, and what they come to in the desk's currency.

Each question is one pass over the orders that finds whose sums answer it, and not a look at the orders of every customer. What was bought
by somebody merged into another counts for who speaks. As on the customer's page, orders that came back whole or never became purchases
are left out, and what came back of the others is taken off.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any, Literal

from sqlalchemy import ColumnElement, Select, case, func, literal, select
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
    back = select(func.sum(Return.amount_cents)).where(Return.order_id == Order.id).correlate(Order).scalar_subquery()
    return _sum(op, func.sum((Order.total_cents - func.coalesce(back, 0)) * worth) / 100.0, wanted)


def unrated() -> list[str]:
    """Currencies of orders that have no rate into the desk's: what was bought in them cannot be compared, and is not counted."""
    known = money.of_desk(preferences())
    found = db.session().scalars(select(Order.currency).where(Order.status.not_in(NOT_BOUGHT)).distinct())
    return sorted(code for code in found if code not in known)


def _sum(op: str, what: ColumnElement[Any], wanted: float) -> ColumnElement[bool]:
    """Who bought nothing has 0: what nothing satisfies too is asked the other way round."""
    if op == "least":
        return Contact.id.in_(_theirs().having(what >= wanted)) if wanted > 0 else Contact.id.not_in(_theirs().having(what < wanted))
    return Contact.id.in_(_theirs().having(what <= wanted)) if wanted < 0 else Contact.id.not_in(_theirs().having(what > wanted))


def _theirs() -> Select[int]:
    """Whose orders these are: to be narrowed by what they come to."""
    owner = aliased(Contact)
    found = select(owner.canonical_id).select_from(Order).join(owner, owner.id == Order.contact_id)
    return found.where(Order.status.not_in(NOT_BOUGHT)).group_by(owner.canonical_id)
