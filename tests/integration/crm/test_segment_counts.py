"""What a segment holds: counted on its page while that is quick, kept for the list with its time; sums of several currencies."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Any

import pytest

from helpdesk import clock, db
from helpdesk.actor import SYSTEM, Actor
from helpdesk.crm import contacts, merging, segment_counts, segments
from helpdesk.crm.base_models import Segment
from helpdesk.crm.models import Contact, Order
from helpdesk.crm.worth_models import Return
from helpdesk.preferences import prefer
from tests import people
from tests.desks import TestDesk
from tests.forms import Browser

RUSSIAN = {"field": "language", "op": "is", "value": "ru"}


def kept(name: str = "Russian speakers", question: dict[str, Any] = RUSSIAN) -> int:
    with db.transaction() as session:
        made = Segment(name=name, conditions={"match": "all", "of": [question]}, shared=True)
        session.add(made)
        session.flush()
        return made.id


def one_more(name: str = "Anna New") -> None:
    with db.transaction():
        contacts.by_email(f"{name.split()[0].lower()}@new.example", name=name, language="ru", by=SYSTEM)


def numbers(page: str) -> list[str]:
    """The numbers of the list of segments, in order."""
    return re.findall(r'<td class="num"[^>]*>([^<]*)</td>', page)


def says(page: str) -> str:
    found = re.search(r"<strong>([^<]*)</strong>( <span class=\"muted\">counted[^<]*</span>)?", page)
    return found[0] if found else ""


def test_the_list_shows_the_number_that_was_counted_and_the_round_counts_anew(desk: TestDesk, stopped: clock.Hand) -> None:
    kept()
    dana = Browser(desk, desk.people.dana)
    assert numbers(dana.open("/segments").text) == ["1"]
    one_more()
    assert numbers(dana.open("/segments").text) == ["1"], "opening the list counts nothing that has a number"
    assert segment_counts.refresh() == 0 and numbers(dana.open("/segments").text) == ["1"]
    stopped.move(minutes=11)
    assert segment_counts.refresh() == 1 and numbers(dana.open("/segments").text) == ["2"]


def test_its_own_page_counts_now_and_leaves_the_number_to_the_list(desk: TestDesk, stopped: clock.Hand) -> None:
    place = f"/segments/{kept()}"
    dana = Browser(desk, desk.people.dana)
    assert says(dana.open(place).text) == "<strong>1 customer</strong>"
    one_more()
    assert says(dana.open(place).text) == "<strong>2 customers</strong>" and numbers(dana.open("/segments").text) == ["2"]


def test_what_takes_long_to_count_is_shown_as_it_was_counted_with_the_time(
    desk: TestDesk, stopped: clock.Hand, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(segment_counts, "QUICK_MS", -1)
    place = f"/segments/{kept()}"
    dana = Browser(desk, desk.people.dana)
    assert says(dana.open(place).text) == "<strong>1 customer</strong>", "the first time there is nothing kept"
    one_more()
    shown = says(dana.open(place).text)
    assert shown.startswith("<strong>1 customer</strong>") and "counted" in shown
    stopped.move(minutes=11)
    segment_counts.refresh()
    assert says(dana.open(place).text).startswith("<strong>2 customers</strong>")


def test_a_question_that_was_changed_forgets_its_number(desk: TestDesk, stopped: clock.Hand) -> None:
    number = kept()
    dana = Browser(desk, desk.people.dana)
    dana.open(f"/segments/{number}")
    one_more()
    with db.transaction() as session:
        row = session.get_one(Segment, number)
        tree = {"match": "all", "of": [{**RUSSIAN, "op": "is_not"}]}
        segments.save(row, name=row.name, tree=tree, shared=True, seen=None, who=people.principal(desk.people.dana), by=SYSTEM)
        assert row.counted is None and row.counted_at is None
    assert numbers(dana.open("/segments").text) == ["1"]


def test_who_sees_only_their_teams_customers_is_never_told_the_desks_number(desk: TestDesk, stopped: clock.Hand) -> None:
    place = f"/segments/{kept()}"
    Browser(desk, desk.people.dana).open(place)
    one_more()
    with db.transaction() as session:
        prefer(customers_seen="team")
        session.query(Contact).filter(Contact.name == "Anna New").update({"owner_id": desk.people.ada})
    alice = Browser(desk, desk.people.alice)
    listed = alice.open("/segments").text
    assert numbers(listed) == ["—"] and "your teams’ customers" in listed
    assert says(alice.open(place).text) == "<strong>1 customer</strong>", "of those she may see"
    assert "your teams’ customers" not in Browser(desk, desk.people.dana).open("/segments").text


def test_a_question_about_worth_shows_no_number_to_who_may_not_ask_it(desk: TestDesk, stopped: clock.Hand) -> None:
    kept("Rich", {"field": "value", "op": "least", "value": "0"})
    assert numbers(Browser(desk, desk.people.dana).open("/segments").text) == ["2"]
    assert numbers(Browser(desk, desk.people.alice).open("/segments").text) == ["—"]


# --- sums of several currencies ------------------------------------------------------------------------------------------


def buys(contact_id: int, cents: int, currency: str, *, back: int = 0) -> None:
    with db.transaction() as session:
        order = Order(contact_id=contact_id, number="S", at=clock.now(), total_cents=cents, currency=currency)
        session.add(order)
        session.flush()
        if back:
            session.add(Return(order_id=order.id, at=clock.now(), amount_cents=back, margin_cents=0))


def who_bought(desk: TestDesk, op: str, value: str) -> set[str]:
    tree = {"field": "bought", "op": op, "value": value}
    who = people.principal(desk.people.dana)
    with db.read() as session:
        names = {one.name.split()[0] for one in session.query(Contact).filter(segments.condition(who, tree))}
        assert segments.count(who, tree) == len(names)
    return names


def test_sums_of_several_currencies_are_compared_in_the_desks_own(desk: TestDesk, stopped: clock.Hand) -> None:
    carol, oleg = desk.people.carol, desk.people.oleg
    with db.transaction():
        prefer(currency="EUR", rates="RUB 0.01")
    buys(carol, 100_00, "EUR")
    buys(oleg, 5_000_00, "RUB")
    assert who_bought(desk, "least", "100") == {"Carol"} and who_bought(desk, "least", "50") == {"Carol", "Олег"}
    assert who_bought(desk, "least", "51") == {"Carol"} and who_bought(desk, "most", "50") == {"Олег"}
    assert who_bought(desk, "least", "0") == {"Carol", "Олег"} and who_bought(desk, "most", "-1") == set()
    with db.transaction():
        prefer(rates="RUB 0.1")
    assert who_bought(desk, "least", "500") == {"Олег"}


def test_what_came_back_is_taken_off_as_on_the_customers_page(desk: TestDesk, stopped: clock.Hand) -> None:
    buys(desk.people.carol, 100_00, "EUR", back=40_00)
    assert who_bought(desk, "least", "60") == {"Carol"} and who_bought(desk, "least", "61") == set()


def test_a_currency_without_a_rate_is_not_counted_and_that_is_said(desk: TestDesk, stopped: clock.Hand) -> None:
    buys(desk.people.carol, 100_00, "USD")
    buys(desk.people.carol, 7_00, "EUR")
    assert who_bought(desk, "least", "7") == {"Carol"} and who_bought(desk, "least", "8") == set()
    dana = Browser(desk, desk.people.dana)
    question = {"match-0": "all", "field-0-0": "bought", "op-0-0": "least", "value-0-0": "7"}
    built = dana.send("/segments/build", page="/segments", **question)
    said = "What was bought in USD is not counted"
    assert said in built.text and said in dana.open(f"/segments/{kept('Buyers', {'field': 'bought', 'op': 'least', 'value': '7'})}").text
    assert said not in dana.open(f"/segments/{kept()}").text
    with db.transaction():
        prefer(rates="USD 0.9")
    assert said not in dana.send("/segments/build", page="/segments", **question).text and who_bought(desk, "least", "97") == {"Carol"}


def test_what_a_merged_one_bought_counts_for_who_speaks_until_they_are_parted(desk: TestDesk, stopped: clock.Hand) -> None:
    buys(desk.people.carol, 60_00, "EUR")
    buys(desk.people.oleg, 60_00, "EUR")
    stopped.move(seconds=timedelta(days=1).total_seconds())
    by = Actor("user", desk.people.dana)
    with db.transaction() as session:
        done = merging.merge(session.get_one(Contact, desk.people.carol), session.get_one(Contact, desk.people.oleg), by=by)
    with db.read():
        who, tree = people.principal(desk.people.dana), {"field": "bought", "op": "least", "value": "120"}
        assert segments.count(who, tree) == 1
    with db.transaction() as session:
        merging.undo(session.merge(done), by=by)
    with db.read():
        assert segments.count(who, tree) == 0
