"""What people see of worth: on a customer's page with its grounds, on the retention screens with its counts; and who does not."""

from __future__ import annotations

import re
from datetime import date

import pytest
from sqlalchemy import select

from helpdesk import clock, db
from helpdesk.crm import staying
from helpdesk.crm.models import Contact, Order
from helpdesk.crm.retention import cohorts
from helpdesk.crm.worth_models import CustomerValue, ValueRun
from helpdesk.preferences import prefer
from tests.desks import TestDesk
from tests.forms import Browser


def words(html: str) -> str:
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", html))


def test_a_customers_page_explains_every_figure_to_those_who_may_see_it(desk: TestDesk, valued: list[int]) -> None:
    with db.read() as session:
        row = session.scalars(select(CustomerValue).where(CustomerValue.tier == "key", CustomerValue.habit != "")).first()
    assert row is not None
    page = words(Browser(desk, desk.people.dana).open(f"/customers/{row.contact_id}").text)
    for cents in (row.historic_cents, row.lifetime_cents, row.to_come_cents, row.service_cents):
        assert f"{cents / 100:,.2f} EUR" in page
    assert f"RFM {row.rfm}" in page and page.count("How was this computed?") >= 6 and f"n = {row.purchases}" in page
    assert "m·r ÷ (1 + d − r) − acquisition" in page and "2 Mar 2026" in page.replace("Mar 2, 2026", "2 Mar 2026")
    hidden = words(Browser(desk, desk.people.alice).open(f"/customers/{row.contact_id}").text)
    assert "How was this computed?" not in hidden and "RFM" not in hidden


def test_the_retention_screen_shows_cohorts_rate_reasons_and_scorecard_with_counts(desk: TestDesk, valued: list[int]) -> None:
    dana = Browser(desk, desk.people.dana)
    page = words(dana.open("/retention").text)
    with db.read() as session:
        model = session.scalars(select(ValueRun)).one().model
        rate = staying.rate(clock.now())
    assert rate.value == pytest.approx(model["retention"]["rate"]) and rate.n == model["retention"]["n"]
    assert f"{100 * rate.value:.1f} %" in page and "from 160" not in page
    assert "Cohorts by month of first purchase" in page and "Scorecard" in page and "Why customers left" in page


def test_cohorts_counted_by_the_database_are_those_of_the_formula(desk: TestDesk, valued: list[int]) -> None:
    today = clock.now().date()
    with db.read() as session:
        pairs = [(order.contact_id, order.at.date()) for order in session.scalars(select(Order)) if order.status != "returned"]
        counted = staying.of_months()
    plain = {one.month: one for one in cohorts(pairs, as_of=today)}
    assert counted
    for one in counted:
        wide = plain[one.month].active
        assert (one.size, one.active) == (plain[one.month].size, wide[: len(one.active)])
        assert one.month > date(2025, 1, 1)


def test_the_model_answers_without_scripts_and_in_part_to_them(desk: TestDesk, valued: list[int]) -> None:
    dana = Browser(desk, desk.people.dana)
    asked = "customers=1000&acquired=200&profit=100&cost=50&retention=80&discount=10&years=5&points=5"
    for path, headers in ((f"/retention?{asked}", {}), (f"/retention/model?{asked}", {"HX-Request": "true"})):
        page = words(dana.open(path, headers=headers).text)
        assert "341,171" in page and "385,421" in page and "+13.0 %" in page
    assert dana.open("/retention?customers=-5&retention=900&years=x&points=nan").status_code == 200


def test_a_desk_without_purchases_says_so_and_marks_the_example(desk: TestDesk, stopped: clock.Hand) -> None:
    page = words(Browser(desk, desk.people.dana).open("/retention").text)
    assert "Nothing has been computed yet" in page and "an example, not with your figures" in page and "No purchases yet" in page


def test_a_supervisor_has_it_computed_once_and_an_agent_cannot(desk: TestDesk, stopped: clock.Hand) -> None:
    assert Browser(desk, desk.people.alice).send("/retention/computation").status_code == 404
    dana = Browser(desk, desk.people.dana)
    assert dana.send("/retention/computation").status_code == dana.send("/retention/computation").status_code == 303
    with db.read() as session:
        assert len(session.scalars(select(ValueRun)).all()) == 1


def test_where_the_desk_wants_it_so_every_colleague_sees_worth(desk: TestDesk, valued: list[int]) -> None:
    with db.transaction():
        prefer(value_seen_by="all")
    alice = Browser(desk, desk.people.alice)
    assert alice.open("/retention").status_code == 200
    assert "How was this computed?" in alice.open(f"/customers/{valued[0]}").text


def test_small_regular_buyers_outrank_a_big_one_in_the_boost(desk: TestDesk, valued: list[int]) -> None:
    with db.read() as session:
        rows = list(session.scalars(select(CustomerValue)))
        big = max((row for row in rows if row.tier == "single"), key=lambda row: row.margin_cents)
        small = min((row for row in rows if row.tier in ("regular", "key")), key=lambda row: row.margin_cents)
        from helpdesk.agents.waiting import TIER_VALUE

        tiers = {
            contact.id: contact.tier
            for contact in session.scalars(select(Contact).where(Contact.id.in_([big.contact_id, small.contact_id])))
        }
    assert TIER_VALUE[tiers[small.contact_id]] > TIER_VALUE[tiers[big.contact_id]]
