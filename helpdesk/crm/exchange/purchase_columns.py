"""What a column of a list of purchases means: orders, their lines, payments and returns, by the names that shops and accounts give them.

Names are compared as those of customers' lists are (`columns.plain`).
"""

from __future__ import annotations

from collections.abc import Sequence

from flask_babel import lazy_gettext as _

from helpdesk.crm.exchange.columns import plain
from helpdesk.errors import Words

#: In the order of the choice. A row may hold any of the parts: the order, one of its lines, a payment, a return.
TARGETS: dict[str, Words] = {
    "number": _("Order number"),
    "order_id": _("Order's id in another system"),
    "at": _("Order's date"),
    "currency": _("Currency"),
    "total": _("Order's total"),
    "margin": _("Order's margin"),
    "status": _("Order's state"),
    "email": _("Customer's e-mail"),
    "phone": _("Customer's phone"),
    "external": _("Customer's id in another system"),
    "customer_id": _("Customer's number here"),
    "title": _("Line: what"),
    "quantity": _("Line: how many"),
    "price": _("Line: price of one"),
    "paid": _("Payment: sum"),
    "paid_at": _("Payment: date"),
    "method": _("Payment: how"),
    "payment_id": _("Payment's id in another system"),
    "back": _("Return: sum"),
    "back_at": _("Return: date"),
    "reason": _("Return: reason"),
    "note": _("Return: note"),
    "return_id": _("Return's id in another system"),
}

_ALIASES = {
    "number": """number, order number, order no, order no., order, invoice, invoice number, document number, deal name, номер, номер заказа,
        заказ, № заказа, заказ №, номер счета, номер документа, сделка""",
    "order_id": "order id, id, external id, deal id, record id, record id - deal, id заказа, ид заказа, внешний код, код, id сделки",
    "at": "date, order date, created at, created, paid at date, close date, invoice date, дата, дата заказа, дата создания, создан",
    "currency": "currency, currency code, валюта, код валюты",
    "total": "total, order total, amount, sum, grand total, deal amount, opportunity, сумма, итого, сумма заказа, всего, бюджет",
    "margin": "margin, profit, gross profit, маржа, прибыль, наценка",
    "status": "status, state, order status, fulfillment status, deal stage, статус, состояние, статус заказа, этап",
    "email": """email, e-mail, customer email, buyer email, contact email, почта, электронная почта, email клиента, e-mail клиента,
        email покупателя, e-mail покупателя""",
    "phone": "phone, customer phone, billing phone, buyer phone, телефон, телефон клиента, телефон покупателя",
    "external": "client id, buyer id, customer code, contact id, код клиента, id клиента, код контрагента, id покупателя, id контакта",
    "customer_id": "customer id, номер клиента",
    "title": """product, item, title, line item, lineitem name, product name, item name, sku, goods, товар, наименование, позиция,
        номенклатура, название товара""",
    "quantity": "quantity, qty, lineitem quantity, pieces, count, количество, кол-во, кол во, шт",
    "price": "price, unit price, lineitem price, item price, price each, цена, цена за штуку, цена за единицу",
    "paid": "payment, payment amount, paid, paid amount, оплата, сумма оплаты, оплачено, платеж, сумма платежа",
    "paid_at": "payment date, paid at, paid on, date paid, дата оплаты, дата платежа, оплачен",
    "method": "payment method, paid by, способ оплаты, вид оплаты, метод оплаты",
    "payment_id": "payment id, transaction, transaction id, id платежа, номер платежа, транзакция",
    "back": "refund, refund amount, return, return amount, refunded amount, возврат, сумма возврата, возвращено",
    "back_at": "refund date, return date, refunded at, дата возврата",
    "reason": "reason, return reason, refund reason, причина, причина возврата",
    "note": "return note, refund note, note, comment, примечание, комментарий, примечание к возврату",
    "return_id": "refund id, return id, id возврата, номер возврата",
}
_BY_NAME = {plain(alias): target for target, names in _ALIASES.items() for alias in names.split(",")}


def suggest(header: Sequence[str]) -> list[str]:
    """A target for each column, "" for one to be left out; each comes once, for the first column that means it."""
    found: list[str] = []
    for name in header:
        target = _BY_NAME.get(plain(name), "")
        found.append("" if target in found else target)
    return found


def targets() -> list[tuple[str, Words]]:
    """Everything that a column can be mapped to."""
    return list(TARGETS.items())
