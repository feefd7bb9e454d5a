"""Contacts by somebody we could not tell: they wait with who may be meant, and are settled once; and who may."""

from __future__ import annotations

from html import unescape

import pytest

from helpdesk import db
from helpdesk.crm.base_models import Unmatched
from helpdesk.crm.models import Contact, Identity, Interaction
from helpdesk.events import Event
from helpdesk.preferences import prefer
from tests.desks import TestDesk
from tests.forms import Browser
from tests.integration.crm.test_customers import phones, said

PAGE, NUMBER = "/customers/unknown", "+44 20 7946 0018"


def calls(browser: Browser, number: str = NUMBER, **more: str) -> tuple[int, str]:
    fields = {"kind": "call", "address_kind": "phone", "address": number, "text": "Asked about pears.", **more}
    answer = browser.send(PAGE, page="/customers", **fields)
    return answer.status_code, answer.headers.get("Location", "") or unescape(answer.text)


def waiting() -> list[Unmatched]:
    with db.read() as session:
        return session.query(Unmatched).filter_by(settled_at=None).all()


def settle(browser: Browser, one: Unmatched, **fields: str) -> int:
    return browser.send(f"{PAGE}/{one.id}", page="/customers", **fields).status_code


def entries(contact_id: int) -> list[str]:
    with db.read() as session:
        return [row.text for row in session.query(Interaction).filter_by(contact_id=contact_id, kind="call")]


def test_a_call_from_one_persons_number_goes_to_them_at_once(desk: TestDesk) -> None:
    phones(desk.people.carol, NUMBER)
    assert calls(Browser(desk, desk.people.alice)) == (303, f"/customers/{desk.people.carol}")
    assert entries(desk.people.carol) == ["Asked about pears."] and waiting() == []


def test_a_call_from_a_number_of_several_waits_and_is_given_to_one_of_them_once(desk: TestDesk) -> None:
    carol, oleg, browser = desk.people.carol, desk.people.oleg, Browser(desk, desk.people.alice)
    with db.transaction() as session:
        for who in (carol, oleg):
            session.add(Identity(contact_id=who, kind="phone", value=NUMBER, value_norm="+442079460018", shared=True))
    assert calls(browser) == (303, PAGE)
    page = said(browser.open(PAGE).text)
    assert "It was Carol Jones" in page and "It was Олег Тарасенко" in page and "several people have this address" in page
    one = waiting()[0]
    assert settle(browser, one, do="choose", contact=str(carol), remember="1") == 303
    assert entries(carol) == ["Asked about pears."] and entries(oleg) == [] and waiting() == []
    assert settle(browser, one, do="choose", contact=str(oleg)) == 409 and entries(oleg) == []
    with db.read() as session:
        fact = session.query(Event).filter_by(kind="unmatched_settled").one()
        assert fact.data["outcome"] == "matched" and fact.contact_id == carol


def test_an_unknown_number_is_remembered_for_whoever_it_was(desk: TestDesk) -> None:
    browser, carol = Browser(desk, desk.people.alice), desk.people.carol
    calls(browser)
    assert "It was Carol Jones" in said(browser.open(f"{PAGE}?q=carol").text)
    assert settle(browser, waiting()[0], do="choose", contact=str(carol), remember="1") == 303
    assert calls(browser, text="Again.") == (303, f"/customers/{carol}")
    assert entries(carol) == ["Asked about pears.", "Again."]


def test_somebody_new_gets_the_entry_and_the_number(desk: TestDesk) -> None:
    browser = Browser(desk, desk.people.alice)
    calls(browser)
    one = waiting()[0]
    assert settle(browser, one, do="new", name=" ") == 422 and len(waiting()) == 1
    assert settle(browser, one, do="new", name="Henry Hale") == 303
    with db.read() as session:
        henry = session.query(Contact).filter_by(name="Henry Hale").one().id
        assert session.query(Identity).filter_by(contact_id=henry).one().value_norm == "+442079460018"
    assert entries(henry) == ["Asked about pears."]


def test_what_is_nobodys_is_dropped_with_a_reason(desk: TestDesk) -> None:
    browser = Browser(desk, desk.people.alice)
    calls(browser)
    one = waiting()[0]
    assert settle(browser, one, do="drop", reason="whim") == 422 and len(waiting()) == 1
    assert settle(browser, one, do="drop", reason="spam") == 303 and waiting() == []
    assert "Nobody unknown waits" in browser.open(PAGE).text
    assert settle(browser, one, do="new", name="Henry") == 409
    with db.read() as session:
        assert session.query(Contact).filter_by(name="Henry").count() == 0


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"address": "020 7946 0018"}, "has no country"),
        ({"text": " "}, "Write down what was said."),
        ({"kind": "dream"}, "Choose what it was."),
        ({"address_kind": "fax"}, "Choose one of these."),
    ],
)
def test_what_cannot_be_understood_is_explained_and_nothing_waits(desk: TestDesk, fields: dict[str, str], words: str) -> None:
    status, page = calls(
        Browser(desk, desk.people.alice), **{"number": NUMBER, **fields} if "address" not in fields else {"number": fields["address"]}
    )
    assert status == 422 and words in page and waiting() == []


def test_customers_of_another_team_are_neither_named_nor_chosen(desk: TestDesk) -> None:
    oleg, browser = desk.people.oleg, Browser(desk, desk.people.alice)
    phones(oleg, NUMBER)
    with db.transaction() as session:
        session.query(Identity).filter_by(contact_id=oleg, value_norm="+442079460018").one().shared = True
        session.get_one(Contact, oleg).owner_id = desk.people.eve
        prefer(customers_seen="team")
    calls(browser)
    assert "Тарасенко" not in browser.open(PAGE).text
    assert settle(browser, waiting()[0], do="choose", contact=str(oleg)) == 404 and len(waiting()) == 1
