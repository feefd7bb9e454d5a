"""Purchases from a list, written and taken back. What the rows mean and whose they are is planned by `purchase_rows`.

A new order is taken in whole or not at all: one faulty line would make its sum wrong. Of an order that we know, each row counts for
itself: payments and returns that are not written down yet are added, its state follows, its lines and total must be the same. A dry run
does it all and takes it back before the transaction ends.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import islice
from typing import Any

from flask_babel import gettext
from flask_babel import lazy_gettext as _
from sqlalchemy import delete, func, select

from helpdesk import db
from helpdesk.actor import Actor
from helpdesk.crm import contacts, money, purchases, timeline, triage
from helpdesk.crm.base_models import Import, ImportRow, Unmatched
from helpdesk.crm.exchange import purchase_columns
from helpdesk.crm.exchange.customers_in import SYSTEM_OF_IDS
from helpdesk.crm.exchange.purchase_rows import Bought, Read, key_of, read, together
from helpdesk.crm.exchange.work import BATCH, CREATE, REFUSED, UNCHANGED, UPDATE, Done, Row, Subject
from helpdesk.crm.models import Contact, Interaction, Order, OrderLine
from helpdesk.crm.worth_models import Payment, Return
from helpdesk.errors import Conflict, HelpdeskError, Invalid, Words
from helpdesk.preferences import preferences

Group = list[Row]


@dataclass(frozen=True)
class Planned:
    """An order of the preview: what its rows say, and what would become of it."""

    order: str
    customer: str
    said: list[str]
    outcome: str
    faults: list[str]


class PurchasesIn:
    """One list of purchases, order by order."""

    def __init__(self, run: Import, by: Actor, dry: bool) -> None:
        self._run, self._by, self._dry = run, by, dry

    def batches(self, rows: Iterator[Row], skip: int) -> Iterator[list[Group]]:
        """Orders in the order of their first rows; a row that names none stands for itself."""
        orders: dict[str, Group] = {}
        for number, cells in rows:
            orders.setdefault(key_of(cells, self._run.mapping) or f"row {number}", []).append((number, cells))
        waiting = iter(orders.values())
        while skip > 0 and (group := next(waiting, None)) is not None:
            skip -= len(group)
        while batch := list(islice(waiting, BATCH)):
            yield batch

    def plan(self, batch: list[Group]) -> list[Planned]:
        return [self._planned(one) for one in self._together(batch)]

    def take(self, batch: list[Group]) -> list[Done]:
        made = []
        for one in self._together(batch):
            rehearsal = db.session().begin_nested() if self._dry else None
            made += self._take(one)
            if rehearsal is not None:
                rehearsal.rollback()
        return made

    def _together(self, batch: list[Group]) -> list[Bought]:
        rows = [[read(number, cells, self._run.mapping, system=SYSTEM_OF_IDS) for number, cells in group] for group in batch]
        return together(rows, self._run.mode)

    def _planned(self, one: Bought) -> Planned:
        faults = [fault for row in one.rows for fault in row.faults]
        outcome = REFUSED if faults else CREATE if one.known is None else UPDATE if self._run.mode != "create" else UNCHANGED
        name = str(one.values.get("number") or one.values.get("order_id") or "—")
        return Planned(name, one.customer, [words for row in one.rows for words in _said(row)], outcome, faults)

    def _take(self, one: Bought) -> list[Done]:
        if one.known is not None and self._run.mode == "create":
            return [Done(row.number, REFUSED if row.faults else UNCHANGED, one.contact_id, faults=row.faults) for row in one.rows]
        if one.known is None:
            if not one.faulty:
                return self._tried(partial(self._new, one), one.rows)
            return [*self._unknown(one), *(_refused(row, one.rows) for row in one.rows[1:])]
        add = _Adding(one.known, self._by)
        return [done for row in one.rows for done in self._tried(partial(_one, add, row), [row])]

    def _tried(self, do: Callable[[], list[Done]], rows: Sequence[Read]) -> list[Done]:
        """Do it; what is refused leaves nothing behind."""
        if any(row.faults for row in rows):
            return [_refused(row, rows) for row in rows]
        try:
            with db.session().begin_nested():
                return do()
        except (Invalid, Conflict) as wrong:
            rows[0].faults += _words(wrong)
            return [_refused(row, rows) for row in rows]

    def _new(self, one: Bought) -> list[Done]:
        said, contact = one.values, db.session().get_one(Contact, one.contact_id)
        lines = [
            purchases.Line(row.values["title"], row.values.get("quantity", 1), row.values["price"])
            for row in one.rows
            if "title" in row.values
        ]
        made = purchases.order(
            contact, number=said.get("number") or said.get("order_id", ""), currency=said.get("currency") or preferences().currency,
            lines=lines, total_cents=said.get("total"), margin_cents=said.get("margin", 0), at=said.get("at"),
            status=said.get("status", "paid"), external_id=said.get("order_id"), by=self._by, quiet=True,
        )  # fmt: skip
        add = _Adding(made, self._by, new=True)
        done = [add.row(row) for row in one.rows]
        done[0].after["made"] = True
        for row in done:
            row.outcome = CREATE
        return done

    def _unknown(self, one: Bought) -> list[Done]:
        """An order of somebody we cannot tell waits until a colleague says whose address it is; then the list is taken in again."""
        first = _refused(one.rows[0], one.rows)
        if one.stranger is not None and not self._dry:
            key = f"order:{one.values.get('order_id') or one.values.get('number')}"
            words = "; ".join(words for row in one.rows for words in _said(row))
            text = gettext("Order %(title)s", title=one.values.get("number") or one.values.get("order_id", "")) + (
                f": {words}" if words else ""
            )
            waits = triage.wait(one.stranger, kind="order", text=text[:5000], at=one.values.get("at"), external_id=key[:120], by=self._by)
            first.after = {"unmatched": waits.id}
        return [first]


class _Adding:
    """What rows add to one order. What was written down before is met once for each time it stands there."""

    def __init__(self, order: Order, by: Actor, *, new: bool = False) -> None:
        self._order, self._by, self._new = order, by, new
        session = db.session()
        lines = () if new else session.scalars(select(OrderLine).where(OrderLine.order_id == order.id))
        payments = () if new else session.scalars(select(Payment).where(Payment.order_id == order.id))
        returns = () if new else session.scalars(select(Return).where(Return.order_id == order.id))
        self._lines = Counter((one.title, one.quantity, one.price_cents) for one in lines)
        self._paid = Counter(one.external_id or (one.at, one.amount_cents) for one in payments)
        self._back = Counter(one.external_id or (one.at, one.amount_cents, one.reason) for one in returns)

    def row(self, row: Read) -> Done:
        """Do one row. Raises Invalid, Conflict."""
        said, order = row.values, self._order
        done = Done(row.number, UNCHANGED, order.contact_id, after={"order": order.id})
        was = order.status
        if not self._new:
            self._same(row)
            if said.get("status", was) != was and was != "returned":
                order.status = said["status"]
        if "paid" in said and not _met(self._paid, said.get("payment_id") or (said.get("paid_at") or order.at, said["paid"])):
            made = purchases.pay(
                order, said["paid"], at=said.get("paid_at") or order.at, method=said.get("method", ""),
                external_id=said.get("payment_id"), by=self._by, quiet=True,
            )  # fmt: skip
            done.after["payment"] = made.id
        if "back" in said and not _met(
            self._back, said.get("return_id") or (said.get("back_at") or order.at, said["back"], said.get("reason"))
        ):
            back = purchases.take_back(
                order, said["back"], reason=said.get("reason", ""), note=said.get("note", ""), at=said.get("back_at") or order.at,
                external_id=said.get("return_id"), by=self._by, quiet=True,
            )  # fmt: skip
            done.after["return"] = back.id
        if order.status != was:
            done.before, done.after["status"] = {"status": was}, order.status
        if len(done.after) > 1:
            done.outcome = UPDATE
        return done

    def _same(self, row: Read) -> None:
        """An order that we know is not written anew: its lines and total are what they were. Raises Conflict."""
        said, order = row.values, self._order
        if said.get("total", order.total_cents) != order.total_cents or said.get("currency", order.currency) != order.currency:
            known = f"{order.total_cents / 100:.2f} {order.currency}"
            raise Conflict(_("We know this order with another total: %(total)s.", total=known))
        if "title" in said and not _met(self._lines, (said["title"], said.get("quantity", 1), said["price"])):
            raise Conflict(_("We know this order with other lines."))


def _one(add: _Adding, row: Read) -> list[Done]:
    return [add.row(row)]


def _met(known: Counter[Any], key: Any) -> bool:
    """Whether it was written down before; each one is met once."""
    if known[key] <= 0:
        return False
    known[key] -= 1
    return True


def _said(row: Read) -> list[str]:
    """What a row says of its order, for people."""
    said, currency = row.values, row.values.get("currency", "")
    found = []
    if "title" in said:
        found.append(f"{said.get('quantity', 1)} × {said['title']}")
    if "total" in said:
        found.append(f"{money.shown(said['total'])} {currency}".strip())
    if "paid" in said:
        found.append(gettext("paid %(sum)s", sum=money.shown(said["paid"])))
    if "back" in said:
        found.append(gettext("returned %(sum)s: %(reason)s", sum=money.shown(said["back"]), reason=said.get("reason", "—")))
    return found


def _refused(row: Read, rows: Sequence[Read]) -> Done:
    """Why a row stays out: for its own faults, or because its order cannot come in."""
    faulty = next((one.number for one in rows if one.faults), row.number)
    faults = row.faults or [gettext("Row %(n)s of the same order cannot be taken in.", n=faulty)]
    return Done(row.number, REFUSED, faults=list(dict.fromkeys(faults)))


def _words(wrong: HelpdeskError) -> list[str]:
    fields = wrong.fields.values() if isinstance(wrong, Invalid) else ()
    return [str(words) for words in (fields or [wrong.detail or wrong.title])]


def missing(mapping: Sequence[str], _match_on: str) -> dict[str, Words]:
    """A row that names no order could not be told from another one the next time."""
    return {} if {"number", "order_id"} & set(mapping) else {"mapping": _("One column must hold the order's number.")}


# --- taking a row back ---------------------------------------------------------------------------------------------------


def take_back(_run_id: int, row: ImportRow) -> bool:
    """Undo one row; False where somebody has written on the order since. Rows are undone backwards: an order goes with its first one."""
    session, held = db.session(), row.after
    order = session.get(Order, held.get("order", 0))
    if order is None:
        return True
    for table, name in ((Payment, "payment"), (Return, "return")):
        session.execute(delete(table).where(table.id == held.get(name, 0)))
    clean = True
    if "status" in held:
        clean = order.status == held["status"]
        order.status = row.before["status"] if clean else order.status
    session.flush()
    return clean and (not held.get("made") or _drop(order))


def _drop(order: Order) -> bool:
    """Delete an order that an import made, with its lines and its entry; False where something was added to it."""
    session = db.session()
    for table in (Payment, Return):
        if session.scalar(select(func.count()).where(table.order_id == order.id)):
            return False
    contact_id = order.contact_id
    session.execute(delete(Interaction).where(Interaction.order_id == order.id))
    session.execute(delete(OrderLine).where(OrderLine.order_id == order.id))
    session.delete(order)
    session.flush()
    contact = session.get_one(Contact, contact_id)
    for one in {contact, contacts.canonical(contact)}:
        timeline.recount(one)
    return True


def forget(run_id: int) -> None:
    """What waited in triage because of this list, and nobody has settled, goes with it."""
    session = db.session()
    rows = session.scalars(select(ImportRow.after).where(ImportRow.run_id == run_id, ImportRow.outcome == REFUSED))
    waiting = [after["unmatched"] for after in rows if after.get("unmatched")]
    session.execute(delete(Unmatched).where(Unmatched.id.in_(waiting), Unmatched.settled_at.is_(None)))


SUBJECT = Subject(
    words=_("Purchases"), suggest=purchase_columns.suggest, targets=purchase_columns.targets, several=frozenset(),
    matches={"order": _("Order")}, missing=missing, work=PurchasesIn, take_back=take_back, forget=forget,
)  # fmt: skip
