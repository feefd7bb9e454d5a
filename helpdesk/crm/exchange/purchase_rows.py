"""One row of a list of purchases: its cells understood, and the rows of one order put together. Reads the database and changes nothing.

A row names an order and may hold one of its lines, a payment, a return, or all of them; rows of one order may stand anywhere in the file.
What the order itself is (customer, day, currency, total) is said by the first of its rows that says it.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

from flask_babel import gettext as _
from sqlalchemy import or_, select
from sqlalchemy.orm import aliased

from helpdesk import db, web
from helpdesk.crm import addresses, money, purchases
from helpdesk.crm.exchange import purchase_columns
from helpdesk.crm.models import Contact, Identity, Order
from helpdesk.errors import Invalid
from helpdesk.preferences import preferences

_MONEY = frozenset(("total", "margin", "price", "paid", "back"))
_MOMENTS = frozenset(("at", "paid_at", "back_at"))
_CUSTOMER = ("email", "phone", "external")
#: What belongs to the order and not to one of its rows.
WHOLE = ("number", "order_id", "at", "currency", "total", "margin", "status")
_STATES = {
    "paid": "paid completed complete done closed won оплачен оплачено оплачена завершен закрыт выполнен",
    "shipped": "shipped fulfilled delivered sent отгружен отправлен доставлен передан",
    "cancelled": "cancelled canceled void refunded отменен отменено отменена аннулирован",
    "open": "open new pending unpaid draft processing новый открыт ожидает черновик",
}
_STATE_OF = {word: state for state, words in _STATES.items() for word in words.split()}


@dataclass
class Read:
    """A row understood: values by what its columns mean, the customer's addresses, or the faults that stand in the way."""

    number: int
    values: dict[str, Any] = field(default_factory=dict)
    customer: list[addresses.Address] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)


@dataclass
class Bought:
    """An order as its rows say it: whom it belongs to, the order if we know it, and what stands in the way.

    `stranger`: the address of somebody we cannot tell; such an order waits in triage.
    """

    rows: list[Read]
    values: dict[str, Any] = field(default_factory=dict)
    contact_id: int | None = None
    customer: str = ""
    known: Order | None = None
    stranger: addresses.Address | None = None

    @property
    def faulty(self) -> bool:
        return any(row.faults for row in self.rows)


def key_of(cells: Sequence[str], mapping: Sequence[str]) -> str:
    """By what rows are one order: its id in another system, else its number; empty where there is neither."""
    held = dict(zip(mapping, cells, strict=False))
    return f"id {held['order_id']}" if held.get("order_id") else held.get("number", "").casefold()


def read(number: int, cells: Sequence[str], mapping: Sequence[str], *, system: str) -> Read:
    """Understand one row; `system` is where a plain id of a customer comes from."""
    row = Read(number)
    if len(cells) > len(mapping):
        row.faults.append(_("The row has more cells than there are columns."))
    for target, cell in zip(mapping, cells, strict=False):
        if not target or not cell:
            continue
        try:
            if target in _CUSTOMER:
                within = system if target == "external" and ":" not in cell else ""
                row.customer.append(addresses.normalise(target, cell[:400], region=preferences().phone_region or None, within=within))
            else:
                row.values[target] = _understood(target, cell)
        except Invalid as wrong:
            row.faults += [str(words) for words in (wrong.fields.values() or [wrong.detail])]
    if not key_of(cells, mapping):
        row.faults.append(_("The row names no order."))
    if "title" in row.values and "price" not in row.values:
        row.faults.append(_("The line has no price."))
    return row


def together(groups: Sequence[Sequence[Read]], mode: str) -> list[Bought]:
    """Orders of rows: what they say, whom they meet, whether they are known. A batch costs a constant number of queries."""
    found = [_folded(list(rows)) for rows in groups]
    known = _Known(found)
    for one in found:
        known.meet(one, mode)
    return found


# --- understanding a cell ------------------------------------------------------------------------------------------------


def _understood(target: str, cell: str) -> Any:
    if target in _MONEY:
        cents = money.cents(cell)
        if cents is None:
            raise Invalid(_("“%(raw)s” is no sum, such as 1250.50.", raw=cell[:60]))
        return cents
    if target in _MOMENTS:
        return moment(cell)
    if target in ("quantity", "customer_id"):
        whole = re.sub(r"[.,]0+$", "", cell)
        if not (whole.isdigit() and len(whole) < 10):
            raise Invalid(_("“%(raw)s” is not a number.", raw=cell[:60]))
        return int(whole)
    if target == "currency":
        return cell.upper()[:10]
    if target == "status":
        state = _STATE_OF.get(cell.casefold().replace("ё", "е").strip(". "))
        if state is None:
            raise Invalid(_("“%(raw)s” is not known as %(field)s.", raw=cell[:60], field=purchase_columns.TARGETS["status"]))
        return state
    longest = purchases.LONGEST.get(
        {"order_id": "external_id", "payment_id": "external_id", "return_id": "external_id"}.get(target, target)
    )
    if longest is not None and len(cell) > longest:
        raise Invalid(_("Please shorten this to %(n)s characters.", n=longest))
    return cell


def moment(cell: str) -> datetime:
    """A day, with a time or without, as lists write it: 2026-03-31, 31.03.2026 14:05, 2026-03-31T14:05:00Z. Without a zone, in the desk's.

    A day alone is its noon, so that it is the same day for everybody. Raises Invalid.
    """
    said = cell.strip()
    if found := re.fullmatch(r"(\d{1,2})[./](\d{1,2})[./](\d{4})(.*)", said):
        said = f"{found[3]}-{int(found[2]):02}-{int(found[1]):02}{found[4]}"
    try:
        at = datetime.fromisoformat(said.replace(" UTC", "+00:00"))
    except ValueError as wrong:
        raise Invalid(_("“%(raw)s” is not a day, such as 2026-03-31.", raw=cell[:60])) from wrong
    if not 1970 < at.year < 9000:
        raise Invalid(_("“%(raw)s” is not a day, such as 2026-03-31.", raw=cell[:60]))
    at = at.replace(hour=12) if len(said) <= 10 else at
    return (at if at.tzinfo else at.replace(tzinfo=ZoneInfo(web.settings().time_zone))).astimezone(UTC)


# --- rows of one order ---------------------------------------------------------------------------------------------------


def _folded(rows: list[Read]) -> Bought:
    made = Bought(rows)
    said_by: dict[str, int] = {}
    for row in rows:
        for name in (*WHOLE, "customer_id"):
            if name not in row.values:
                continue
            if name in made.values and made.values[name] != row.values[name]:
                words = purchase_columns.TARGETS[name]
                row.faults.append(_("“%(field)s” is another one than in row %(n)s of the same order.", field=words, n=said_by[name]))
            made.values.setdefault(name, row.values[name])
            said_by.setdefault(name, row.number)
    return made


class _Known:
    """Everything that a batch of orders can meet."""

    def __init__(self, batch: Sequence[Bought]) -> None:
        session = db.session()
        values = {one.value for bought in batch for row in bought.rows for one in row.customer}
        self.owners: dict[tuple[str, str], set[int]] = {}
        for kind, value, contact_id in session.execute(
            select(Identity.kind, Identity.value_norm, Contact.canonical_id)
            .join(Contact, Contact.id == Identity.contact_id)
            .where(Identity.value_norm.in_(values), Contact.erased_at.is_(None))
        ):
            self.owners.setdefault((str(kind), value), set()).add(contact_id)
        numbers = {bought.values["number"] for bought in batch if "number" in bought.values}
        ids = {bought.values["order_id"] for bought in batch if "order_id" in bought.values}
        rows = session.execute(
            select(Order, Contact.canonical_id)
            .join(Contact, Contact.id == Order.contact_id)
            .where(or_(Order.number.in_(numbers), Order.external_id.in_(ids)), Contact.erased_at.is_(None))
            .order_by(Order.id)
        ).all()
        self.by_id = {order.external_id: (order, whose) for order, whose in rows if order.external_id in ids}
        self.by_number: dict[str, list[tuple[Order, int]]] = {}
        for order, whose in rows:
            self.by_number.setdefault(order.number, []).append((order, whose))
        wanted = {one for bought in batch if (one := bought.values.get("customer_id"))}
        wanted |= {one for owners in self.owners.values() for one in owners} | {whose for _order, whose in rows}
        speaker = aliased(Contact)
        people = session.execute(
            select(Contact.id, speaker.id.label("speaker"), speaker.name)
            .join(speaker, speaker.id == Contact.canonical_id)
            .where(Contact.id.in_(wanted), Contact.erased_at.is_(None))
        )
        self.people = {row.id: (row.speaker, row.name) for row in people}

    def meet(self, one: Bought, mode: str) -> None:
        """Say whose the order is and whether we know it; what stands in the way becomes a fault of its first row."""
        first, met = one.rows[0], self._customers(one)
        one.contact_id = next(iter(met)) if len(met) == 1 else None
        order, whose = self._order(one)
        if order is not None and one.contact_id not in (None, whose):
            first.faults.append(_("This order belongs to another customer (#%(id)s).", id=whose))
        elif order is not None:
            one.known, one.contact_id, one.stranger = order, whose, None
        elif one.stranger is not None:
            first.faults.append(
                _("Several customers have this: %(address)s. The order waits under “Unknown”.", address=one.stranger.shown)
                if met
                else _("Nobody we know has this: %(address)s. The order waits under “Unknown”.", address=one.stranger.shown)
            )
        elif one.contact_id is None and not one.faulty:
            first.faults.append(_("The order names no customer, and we do not know it."))
        if one.known is None and mode == "update" and not one.faulty:
            first.faults.append(_("We do not know this order; only known orders are updated."))
        one.customer = self.people[one.contact_id][1] if one.contact_id in self.people else ""

    def _customers(self, one: Bought) -> set[int]:
        """Who the rows can mean; `stranger` is set where that is not one person."""
        if (number := one.values.get("customer_id")) is not None:
            if number not in self.people:
                one.rows[0].faults.append(_("There is no customer #%(id)s.", id=number))
                return set()
            return {self.people[number][0]}
        named = [address for row in one.rows for address in row.customer]
        met = {owner for address in named for owner in self.owners.get((address.kind, address.value), ())}
        if named and len(met) != 1:
            # Of several addresses one that is nobody else's decides; a front desk's phone does not.
            alone = [owners for address in named if len(owners := self.owners.get((address.kind, address.value), set())) == 1]
            if len(alone) and len(set.union(*alone)) == 1:
                return alone[0]
            one.stranger = named[0]
        return met

    def _order(self, one: Bought) -> tuple[Order, int] | tuple[None, None]:
        if (order_id := one.values.get("order_id")) is not None:
            return self.by_id.get(order_id, (None, None))
        found = self.by_number.get(one.values.get("number", ""), [])
        mine = [row for row in found if row[1] == one.contact_id] if one.contact_id is not None else found if one.stranger is None else []
        if len(mine) > 1:
            one.rows[0].faults.append(_("Several orders have this number; name the order's id in another system."))
        return mine[0] if len(mine) == 1 else (None, None)
