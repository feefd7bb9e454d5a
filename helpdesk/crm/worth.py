"""What one customer is worth, as the night left it: each figure with its formula, what went in, how many facts it rests on, and its moment.

The figures are read from `customer_value` and rebuilt as the same `Figure`s that the formulas return, so that a screen explains them all in
one way. Money is in main units here, in the desk's currency.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any

from flask_babel import format_decimal
from sqlalchemy import delete, inspect, select, update

from helpdesk import db
from helpdesk.auth import Principal
from helpdesk.crm import beside, consent, policy, worth_words
from helpdesk.crm import contacts as people
from helpdesk.crm.figures import Figure
from helpdesk.crm.health import STARTING_WEIGHTS, Health, Signals, Weights, assess
from helpdesk.crm.models import Contact
from helpdesk.crm.value import DERIVED_TIERS
from helpdesk.crm.worth_models import CustomerValue, ValueRun


@dataclass(frozen=True)
class Worth:
    """Everything that is known of one customer's worth. Figures without a value say so with None, never with 0.

    parts: of how many contacts it was added up, because they were merged after the night.
    """

    row: CustomerValue
    parts: int
    historic: Figure
    lifetime: Figure
    to_come: Figure
    alive: Figure
    cost: Figure
    tier: Figure
    paying: Figure
    health: Health | None


def run() -> ValueRun | None:
    """The newest computation that ended well."""
    return db.session().scalar(select(ValueRun).where(ValueRun.state == "done").order_by(ValueRun.id.desc()).limit(1))


def newest() -> ValueRun | None:
    """The newest computation, however it ended."""
    return db.session().scalar(select(ValueRun).order_by(ValueRun.id.desc()).limit(1))


def weights(of: ValueRun) -> Weights:
    """The health model of a computation."""
    kept = of.model.get("health")
    return Weights(kept["intercept"], kept["weight"], kept["usual"], kept["n"]) if kept else STARTING_WEIGHTS


def of(contacts: Collection[int]) -> Worth | None:
    """The worth of one person; None before the first night. Who was merged since is what each of them was worth, added up."""
    found = select(CustomerValue).where(CustomerValue.contact_id.in_(contacts))
    rows = list(db.session().scalars(found.order_by(CustomerValue.purchases.desc(), CustomerValue.contact_id)))
    latest = run()
    if not rows or latest is None:
        return None
    return _worth(rows[0] if len(rows) == 1 else _together(rows, latest), latest, parts=len(rows))


def recount(contact: Contact) -> None:
    """On the contact stands what the night found of everybody who is this person now; the next night knows exactly."""
    ids = people.group(contact.id)
    if not consent.allows(contact, "profiling"):
        forget(ids)
    elif (found := of(ids)) is not None:
        contact.value_cents, contact.currency = found.row.historic_cents, found.row.currency


def forget(contacts: Collection[int]) -> None:
    """What was computed of somebody goes. Orders and payments are facts and stay."""
    session = db.session()
    session.execute(delete(CustomerValue).where(CustomerValue.contact_id.in_(contacts)))
    session.execute(update(Contact).where(Contact.id.in_(contacts)).values(value_cents=0))
    session.execute(update(Contact).where(Contact.id.in_(contacts), Contact.tier.in_(DERIVED_TIERS)).values(tier=""))


#: What can be added up without computing anew.
_SUMS = ("purchases", "total_cents", "margin_cents", "year_cents", "contacts", "handle_s", "service_cents", "historic_cents",
         "lifetime_cents", "to_come_cents", "window_purchases", "window_cents", "paid_orders", "paid_at_once")  # fmt: skip


def _together(rows: Sequence[CustomerValue], latest: ValueRun) -> CustomerValue:
    """One row of several; rhythm, tier and health are of whoever bought the most. The cost of winning one person is taken off once."""
    values = {column.key: getattr(rows[0], column.key) for column in inspect(CustomerValue).column_attrs}
    for name in _SUMS:
        known = [value for row in rows if (value := getattr(row, name)) is not None]
        values[name] = sum(known) if known else None
    again = max(0, sum(1 for row in rows if row.purchases) - 1) * latest.model["winning_cents"]
    values["historic_cents"] += again
    if values["lifetime_cents"] is not None:
        values["lifetime_cents"] += max(0, sum(1 for row in rows if row.lifetime_cents is not None) - 1) * latest.model["winning_cents"]
    return CustomerValue(**values)


def _worth(row: CustomerValue, latest: ValueRun, *, parts: int) -> Worth:
    model, as_of = latest.model, row.as_of
    retention, won = model["retention"], model["winning_cents"] / 100 if row.purchases else 0.0
    buying, spending = model.get("buying", {}), model.get("spending", {})
    signals = Signals(**row.signals) if row.signals else None

    def figure(value: float | None, formula: str, n: int, **inputs: float | str | None) -> Figure:
        return Figure(value=value, formula=formula, inputs=inputs, n=n, as_of=as_of)

    return Worth(
        row,
        parts,
        historic=figure(
            row.historic_cents / 100, "value.historic", row.purchases,
            margin=row.margin_cents / 100, acquisition_cost=won, service_cost=row.service_cents / 100,
        ),
        lifetime=figure(
            _main(row.lifetime_cents), "value.lifetime.after_renewal", retention["n"],
            m=row.year_cents / 100, r=retention["rate"], d=model["discount"], acquisition_cost=won,
        ),
        to_come=figure(
            _main(row.to_come_cents), "value.to_come", row.x + 1 if row.purchases else 0,
            x=row.x, t_x=row.t_x, T=row.t_all, expected_purchases=row.expected, spend_per_purchase=_main(row.spend_cents),
            customers=buying.get("n"), r=buying.get("r"), alpha=buying.get("alpha"), a=buying.get("a"), b=buying.get("b"),
            p=spending.get("p"), q=spending.get("q"), gamma=spending.get("gamma"), discount=model["discount"],
        ),
        alive=figure(row.p_alive, "value.p_alive", row.x + 1 if row.purchases else 0, x=row.x, t_x=row.t_x, T=row.t_all),
        cost=figure(
            row.service_cents / 100, "value.service", row.contacts,
            handle_seconds=row.handle_s, cost_per_minute=model["minute_cents"] / 100, reply_seconds=model["reply_s"],
        ),
        tier=figure(
            row.window_cents / 100, "value.tier", row.window_purchases,
            periods_bought=row.periods_bought, regular_from=model["rule"]["regular"], periods=model["rule"]["periods"],
            period_days=model["rule"]["period_days"], key_from=_main(model["key_from"]),
        ),
        paying=figure(
            row.paid_at_once / row.paid_orders if row.paid_orders else None, "value.paying", row.paid_orders,
            at_once=row.paid_at_once, paid_orders=row.paid_orders, median_days=row.median_days,
        ),
        health=assess(signals, as_of=as_of, weights=weights(latest)) if signals is not None and row.health is not None else None,
    )  # fmt: skip


@beside.part("crm/_worth.html")
def _on_the_page(who: Principal, contacts: Collection[int]) -> dict[str, Any]:
    """The part of a customer's page; empty for who may not see it, and on pages about several people."""
    ids = list(contacts)
    if not ids or not policy.may_see_value(who) or set(people.group(ids[0])) != set(ids):
        return {"shown": False}
    declined = not consent.allows(db.session().get_one(Contact, ids[0]), "profiling")
    return {"shown": True, "declined": declined, "worth": of(ids), "words": worth_words.names(), "restless": restless}


def restless(rule: str, value: float) -> str:
    """A rule that fired, in words with its figure."""
    words = str(worth_words.RESTLESS.get(rule, rule))
    return words % {"x": format_decimal(value, "0.#")} if "%(x)s" in words else words


def _main(cents: float | None) -> float | None:
    return None if cents is None else cents / 100
