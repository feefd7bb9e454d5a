"""Everybody's value: the columns of the nightly computation against the formulas taken one customer at a time, and against plain sums."""

from __future__ import annotations

import math
import statistics
from datetime import timedelta

import pytest
from sqlalchemy import select

from helpdesk import clock, db
from helpdesk.actor import SYSTEM, Actor
from helpdesk.agents.worth import compute, nightly
from helpdesk.crm import btyd, consent, health, merging, queries, value, worth
from helpdesk.crm.models import Contact, Interaction, Order, Rating
from helpdesk.crm.satisfaction import Question, score, trend
from helpdesk.crm.satisfaction import Rating as Given
from helpdesk.crm.worth_models import CustomerValue, Payment, Return, ValueRun
from helpdesk.errors import Conflict
from helpdesk.preferences import prefer
from tests.desks import TestDesk
from tests.integration.worth import sample

RATES = {"EUR": 1.0, "USD": 0.9}


def found() -> tuple[ValueRun, dict[int, CustomerValue]]:
    """The newest computation and everybody's value by it."""
    with db.read() as session:
        run = session.scalars(select(ValueRun).order_by(ValueRun.id.desc())).first()
        assert run is not None
        return run, {row.contact_id: row for row in session.scalars(select(CustomerValue))}


def purchases(ids: list[int]) -> dict[int, list[value.Purchase]]:
    """What each bought, read plainly and in main units."""
    found: dict[int, list[value.Purchase]] = {contact: [] for contact in ids}
    with db.read() as session:
        back: dict[int, tuple[int, int]] = {}
        for one in session.scalars(select(Return)):
            amount, margin = back.get(one.order_id, (0, 0))
            back[one.order_id] = (amount + one.amount_cents, margin + one.margin_cents)
        for order in session.scalars(select(Order).order_by(Order.at, Order.id)):
            if order.status != "returned":
                amount, margin = back.get(order.id, (0, 0))
                rate = RATES[order.currency]
                found[order.contact_id].append(
                    value.Purchase(
                        order.at, round((order.total_cents - amount) * rate) / 100, round((order.margin_cents - margin) * rate) / 100
                    )
                )
    return found


def test_historic_value_is_margin_less_winning_and_service_for_every_customer(desk: TestDesk, valued: list[int]) -> None:
    run, rows = found()
    with db.read() as session:
        talks: dict[int, list[float]] = {}
        for entry in session.scalars(select(Interaction)):
            seconds = 240 if entry.kind == "message" else entry.duration_s
            talks.setdefault(entry.contact_id, []).append(seconds or 0)
    for contact, known in purchases(valued).items():
        plain = value.historic_value(
            [one.margin for one in known], as_of=run.as_of, acquisition_cost=5.0 if known else 0.0,
            handle_seconds=talks.get(contact, []), cost_per_minute=0.8,
        )  # fmt: skip
        row = rows[contact]
        assert row.historic_cents / 100 == pytest.approx(plain.value, abs=0.011)
        assert (row.purchases, row.contacts, row.handle_s) == (plain.n, plain.inputs["contacts"], plain.inputs["handle_seconds"])


def test_lifetime_value_is_the_formula_with_the_desks_own_retention(desk: TestDesk, valued: list[int]) -> None:
    run, rows = found()
    year = timedelta(days=365)
    all_bought = purchases(valued)
    start = {c for c, known in all_bought.items() if any(run.as_of - 2 * year < p.at <= run.as_of - year for p in known)}
    stayed = {c for c in start if any(p.at > run.as_of - year for p in all_bought[c])}
    assert run.model["retention"]["n"] == len(start) > 20
    assert run.model["retention"]["rate"] == pytest.approx(len(stayed) / len(start))
    for contact, known in all_bought.items():
        if not known:
            assert rows[contact].lifetime_cents is None
            continue
        margin = math.fsum(p.margin for p in known if p.at > run.as_of - year)
        plain = value.lifetime_value(margin, len(stayed) / len(start), 0.1, as_of=run.as_of, n=len(known), acquisition_cost=5.0)
        assert rows[contact].lifetime_cents == pytest.approx(plain.value * 100, abs=1)


def test_classes_and_tiers_are_those_of_the_formulas(desk: TestDesk, valued: list[int]) -> None:
    run, rows = found()
    known = purchases(valued)
    classes, standings = value.rfm(known, as_of=run.as_of), value.tiers(known, as_of=run.as_of)
    assert {contact: rows[contact].rfm for contact in valued} == {contact: str(classes.get(contact, "")) for contact in valued}
    assert {contact: rows[contact].tier for contact in valued} == {contact: standings[contact].tier.value for contact in valued}
    assert {"key", "regular", "occasional", "single"} <= {row.tier for row in rows.values()}
    with db.read() as session:
        told = {contact.id: contact for contact in session.scalars(select(Contact).where(Contact.id.in_(valued)))}
        assert all(told[contact].tier == (rows[contact].tier if rows[contact].tier != "none" else "") for contact in valued)
        assert all(told[contact].value_cents == rows[contact].historic_cents for contact in valued)
        key = next(contact for contact in told.values() if contact.tier == "key")
        assert queries.boost_tier(key) == "key"


def test_what_is_still_to_come_equals_the_models_taken_one_by_one(desk: TestDesk, valued: list[int]) -> None:
    run, rows = found()
    model = run.model
    buying = btyd.BgNbd(*(model["buying"][name] for name in ("r", "alpha", "a", "b")))
    spending = btyd.GammaGamma(*(model["spending"][name] for name in ("p", "q", "gamma")))
    compared = 0
    for contact, known in purchases(valued).items():
        seen = btyd.history([p.at.date() for p in known], as_of=run.as_of.date())
        if seen is None:
            continue
        row = rows[contact]
        assert (row.x, row.t_x, row.t_all) == (seen.x, pytest.approx(seen.t_x), pytest.approx(seen.T))
        assert row.p_alive == pytest.approx(buying.p_alive(seen), rel=1e-9)
        assert row.expected == pytest.approx(buying.expected(seen, 52.0), rel=1e-6)
        total, margin = math.fsum(p.amount for p in known), math.fsum(p.margin for p in known)
        plain = btyd.value_to_come(
            buying, spending, seen, spend=total / (seen.x + 1), as_of=run.as_of, discount=0.1, margin=min(1.0, max(0.0, margin / total))
        )
        assert plain.value is not None and row.to_come_cents == pytest.approx(plain.value * 100, abs=1)
        compared += 1
    assert compared > 100 and model["buying"]["n"] == compared


def test_how_a_customer_pays_is_told_from_the_payments(desk: TestDesk, valued: list[int]) -> None:
    run, rows = found()
    with db.read() as session:
        payments: dict[int, list[Payment]] = {}
        for payment in session.scalars(select(Payment).where(Payment.at <= run.as_of)):
            payments.setdefault(payment.order_id, []).append(payment)
        orders: dict[int, list[value.PaidOrder]] = {}
        for order in session.scalars(select(Order).where(Order.status != "returned")):
            made = tuple((one.at, float(one.amount_cents)) for one in payments.get(order.id, []))
            orders.setdefault(order.contact_id, []).append(value.PaidOrder(order.total_cents, order.at, made))
    for contact in valued:
        plain = value.paying(orders.get(contact, []), as_of=run.as_of)
        row = rows[contact]
        assert (row.habit, row.paid_orders, row.paid_at_once) == (
            plain.habit.value if plain.habit else "",
            plain.n,
            plain.inputs["at_once"],
        )
    assert {"at_once", "instalments", "mixed"} <= {row.habit for row in rows.values()}


def test_health_is_the_model_of_the_run_over_signals_anybody_can_check(desk: TestDesk, valued: list[int]) -> None:
    run, rows = found()
    kept = run.model["health"]
    weights = health.Weights(kept["intercept"], kept["weight"], kept["usual"], kept["n"])
    with db.read() as session:
        given: dict[int, list[Given]] = {}
        everybody = list(session.scalars(select(Rating)))
        mean = statistics.fmean(row.score100 for row in everybody)
        for rating in everybody:
            given.setdefault(rating.contact_id, []).append(Given(Question(rating.kind), rating.score, rating.at))
        told = {contact.id: contact for contact in session.scalars(select(Contact))}
    checked = 0
    for contact, known in purchases(valued).items():
        if not known:
            continue
        days = sorted({p.at.date() for p in known})
        gap = max(1.0, (days[-1] - days[0]).days / (len(days) - 1)) if len(days) > 1 else None
        moved = trend(given.get(contact, []), mean=mean, as_of=run.as_of).value
        signals = health.Signals(
            recency_ratio=(run.as_of - known[-1].at) / timedelta(days=gap) if gap else None,
            satisfaction_trend=moved, open_tickets=0, breached_tickets=0, reopens=0,
            tenure_years=(run.as_of - known[0].at) / timedelta(days=365),
        )  # fmt: skip
        assert rows[contact].health == pytest.approx(health.assess(signals, as_of=run.as_of, weights=weights).value, abs=1e-6)
        if contact in given:
            assert told[contact].satisfaction == pytest.approx(score(given[contact], mean=mean, as_of=run.as_of).value, abs=1e-6)
        checked += 1
    assert checked > 100


def test_health_learns_from_the_desks_own_leavers_and_says_how_good_it_was(desk: TestDesk, stopped: clock.Hand) -> None:
    with db.transaction():
        prefer(rates="USD 0.9")
        sample.customers(450, seed=3)
    sample.computed()
    run, _rows = found()
    kept = run.model["health"]
    assert kept["n"] >= compute.FEWEST_CASES and kept["test"]["n"] >= compute.FEWEST_CASES
    assert kept["test"]["auc"] > 0.5 and sum(one[0] for one in kept["test"]["bins"]) == kept["test"]["n"]


def test_who_buys_in_a_currency_without_a_rate_is_counted_not_guessed(desk: TestDesk, bought: list[int]) -> None:
    with db.transaction():
        prefer(rates="")
    sample.computed()
    run, rows = found()
    with db.read() as session:
        dollars = [order for order in session.scalars(select(Order)) if order.currency == "USD" and order.status != "returned"]
    assert run.model["unconverted"] == len(dollars) > 0
    assert sum(row.purchases for row in rows.values()) == run.orders


def test_merged_people_are_worth_one_sum_and_erased_ones_nothing(desk: TestDesk, valued: list[int]) -> None:
    _run, before = found()
    first, second, third = [contact for contact in valued if before[contact].purchases > 1][:3]
    with db.transaction() as session:
        session.get_one(Contact, second).merged_into_id = first
        session.get_one(Contact, third).erased_at = clock.now()
    _run, after = computed_later(desk)
    assert after[first].margin_cents == before[first].margin_cents + before[second].margin_cents
    assert second not in after and third not in after


def test_a_merge_adds_up_what_both_are_worth_at_once_and_parting_takes_it_apart(desk: TestDesk, valued: list[int]) -> None:
    _run, rows = found()
    first, second = [contact for contact in valued if rows[contact].purchases > 1][:2]
    by = Actor("user", desk.people.dana)
    with db.transaction() as session:
        made = merging.merge(session.get_one(Contact, second), session.get_one(Contact, first), by=by)
    whole = rows[first].historic_cents + rows[second].historic_cents + 500  # winning one person cost once
    with db.read() as session:
        assert session.get_one(Contact, first).value_cents == whole
        shown = worth.of([first, second])
        assert shown is not None and shown.parts == 2 and shown.historic.value == whole / 100
        assert shown.historic.n == rows[first].purchases + rows[second].purchases
    page = desk.client(desk.people.dana).get(f"/customers/{first}").text
    assert "Merged since the last night" in page
    with db.transaction() as session:
        merging.undo(session.merge(made), by=by)
    with db.read() as session:
        assert [session.get_one(Contact, one).value_cents for one in (first, second)] == [
            rows[one].historic_cents for one in (first, second)
        ]
    _run, after = computed_later(desk)
    assert after[first].historic_cents == rows[first].historic_cents


def test_who_does_not_want_to_be_profiled_is_left_out_and_loses_what_was_computed_at_once(desk: TestDesk, valued: list[int]) -> None:
    _run, rows = found()
    shy, vip = [contact for contact in valued if rows[contact].tier != "none"][:2]
    by = Actor("user", desk.people.dana)
    with db.transaction() as session:
        session.get_one(Contact, vip).tier = "vip"
        for one in (shy, vip):
            consent.say(session.get_one(Contact, one), "profiling", False, source="agent", by=by, proof="By phone")
    desk.work()
    with db.read() as session:
        assert worth.of([shy]) is None and session.get_one(Contact, shy).tier == "" and session.get_one(Contact, shy).value_cents == 0
        assert session.get_one(Contact, vip).tier == "vip", "what a person gave stays"
    page = desk.client(desk.people.dana).get(f"/customers/{shy}").text
    assert "do not want to be profiled" in page and "Still buys" not in page
    _run, after = computed_later(desk)
    assert shy not in after and vip not in after and len(after) == len(rows) - 2
    with db.transaction() as session:
        consent.say(session.get_one(Contact, shy), "profiling", True, source="portal", by=by)
    desk.work()
    with db.transaction() as session:
        run = nightly.want(by=SYSTEM)
        run.as_of = clock.now() + timedelta(minutes=2)
        session.flush()
    compute.compute(run.id)
    with db.read():
        assert worth.of([shy]) is not None and worth.of([vip]) is None


def computed_later(desk: TestDesk) -> tuple[ValueRun, dict[int, CustomerValue]]:
    with db.transaction() as session:
        run = nightly.want(by=SYSTEM)
        run.as_of = clock.now() + timedelta(minutes=1)
        session.flush()
    compute.compute(run.id)
    return found()


def test_a_tier_that_a_person_gave_stays(desk: TestDesk, bought: list[int]) -> None:
    with db.transaction() as session:
        session.get_one(Contact, bought[0]).tier = "vip"
    sample.computed()
    with db.read() as session:
        assert session.get_one(Contact, bought[0]).tier == "vip"


def test_a_desk_without_purchases_or_customers_of_them_computes_to_nothing_known(desk: TestDesk, stopped: clock.Hand) -> None:
    sample.computed()
    run, rows = found()
    assert run.state == "done" and run.model["retention"] == {"rate": None, "n": 0, "stayed": 0, "end": 0}
    assert all((row.lifetime_cents, row.to_come_cents, row.health, row.tier) == (None, None, None, "none") for row in rows.values())


def test_the_night_computes_once_in_a_process_of_its_own(desk: TestDesk, bought: list[int], stopped: clock.Hand) -> None:
    with desk.app.app_context(), db.transaction():
        assert nightly.want_by_night() is not None
    with pytest.raises(Conflict), db.transaction():
        nightly.want(by=SYSTEM)
    desk.work()
    with db.read() as session:
        run = session.scalars(select(ValueRun)).one()
        assert (run.state, run.error) == ("done", "") and run.customers == len(bought) + 2
    with desk.app.app_context(), db.transaction():
        assert nightly.want_by_night() is None
    stopped.move(days=1)
    with desk.app.app_context(), db.transaction():
        assert nightly.want_by_night() is not None


def test_a_computation_that_fails_says_so_and_the_old_figures_stay(
    desk: TestDesk, valued: list[int], stopped: clock.Hand, monkeypatch: pytest.MonkeyPatch
) -> None:
    _run, before = found()
    monkeypatch.setattr(compute, "_rfm", lambda *_: 1 / 0)
    with db.transaction():
        run = nightly.want(by=SYSTEM)
    with pytest.raises(ZeroDivisionError):
        compute.compute(run.id)
    with db.read() as session:
        assert session.get_one(ValueRun, run.id).state == "failed" and "ZeroDivision" in session.get_one(ValueRun, run.id).error
        assert {row.contact_id: row.historic_cents for row in session.scalars(select(CustomerValue))} == {
            contact: row.historic_cents for contact, row in before.items()
        }
