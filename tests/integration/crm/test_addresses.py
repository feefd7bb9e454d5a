"""The addresses on a customer's card: added, shared, verified, preferred, removed and put back; one that somebody else has; and who may."""

from __future__ import annotations

from html import unescape

import pytest

from helpdesk import db
from helpdesk.actor import Actor
from helpdesk.crm import contacts, identities, queries
from helpdesk.crm.base_models import FieldChange
from helpdesk.crm.models import Contact, Identity
from helpdesk.events import Event
from helpdesk.preferences import prefer
from tests.desks import TestDesk
from tests.forms import Browser
from tests.integration.crm.test_customers import said


def held(contact_id: int) -> list[tuple[str, str, bool]]:
    with db.read() as session:
        rows = session.query(Identity).filter_by(contact_id=contact_id).order_by(Identity.id)
        return [(row.kind.value, row.value_norm, row.shared) for row in rows]


def adds(browser: Browser, contact_id: int, kind: str, address: str, **more: str) -> str:
    answer = browser.send(f"/customers/{contact_id}/addresses", page="/customers", address_kind=kind, address=address, **more)
    assert answer.status_code in (303, 409, 422), answer.status_code
    return unescape(answer.text) if answer.status_code != 303 else ""


@pytest.mark.parametrize(
    ("kind", "typed", "more", "stored"),
    [
        ("email", "Carol <Carol.Jones@Work.Example>", {}, "carol.jones@work.example"),
        ("phone", "+44 20 7946 0018", {}, "+442079460018"),
        ("messenger", "@CarolJ", {"network": "Telegram"}, "telegram:carolj"),
        ("external", "00123", {"network": "1c"}, "1c:00123"),
    ],
)
def test_an_address_of_each_kind_is_added_in_its_one_way_of_writing(
    desk: TestDesk, kind: str, typed: str, more: dict[str, str], stored: str
) -> None:
    assert adds(Browser(desk, desk.people.alice), desk.people.carol, kind, typed, **more) == ""
    assert (kind, stored, False) in held(desk.people.carol)
    with db.read() as session:
        fact = session.query(Event).filter_by(kind="contact_changed", contact_id=desk.people.carol).one()
        assert fact.data["fields"] == ["identities"] and stored not in str(fact.data)


@pytest.mark.parametrize(
    ("kind", "typed", "words"),
    [
        ("phone", "020 7946 0018", "has no country"),
        ("email", "nobody", "is not an e-mail address"),
        ("messenger", "carol", "Say which messenger it is"),
        ("fax", "12345", "Choose one of these."),
        ("email", "carol@customer.example", "has this address already"),
        ("email", " ", "Please fill this in."),
    ],
)
def test_what_is_no_address_is_explained_and_nothing_is_added(desk: TestDesk, kind: str, typed: str, words: str) -> None:
    page = adds(Browser(desk, desk.people.alice), desk.people.carol, kind, typed)
    assert words in page and len(held(desk.people.carol)) == 1
    if typed.strip():
        assert f'value="{typed}"' in page


def test_an_address_of_somebody_else_is_offered_for_merging_or_shared_by_both(desk: TestDesk) -> None:
    browser, carol, oleg = Browser(desk, desk.people.alice), desk.people.carol, desk.people.oleg
    adds(browser, oleg, "phone", "+44 20 7946 0018")
    page = adds(browser, carol, "phone", "+44 (20) 7946-0018")
    assert "Another customer has +44 20 7946 0018" in page and f'href="/customers/{carol}/merge/{oleg}"' in page
    assert len(held(carol)) == 1
    assert adds(browser, carol, "phone", "+44 (20) 7946-0018", shared="1") == ""
    assert ("phone", "+442079460018", True) in held(carol) and ("phone", "+442079460018", True) in held(oleg)
    with db.read() as session:
        one = session.query(Identity).filter_by(contact_id=carol, shared=True).one().id
    refused = browser.send(f"/customers/{carol}/addresses/{one}", page="/customers", do="own")
    assert refused.status_code == 409 and ("phone", "+442079460018", True) in held(carol)


def test_the_preferred_address_is_written_to_first_until_it_fails(desk: TestDesk) -> None:
    browser, carol = Browser(desk, desk.people.alice), desk.people.carol
    adds(browser, carol, "email", "carol@new.example")
    with db.read() as session:
        new = session.query(Identity).filter_by(value_norm="carol@new.example").one().id
        assert contacts.email_of(carol) == "carol@customer.example"
    assert browser.send(f"/customers/{carol}/addresses/{new}", page="/customers", do="prefer").status_code == 303
    with db.read() as session:
        assert contacts.email_of(carol) == "carol@new.example"
        assert session.get_one(Contact, carol).preferred_channel == "email"
    assert "preferred" in said(browser.open(f"/customers/{carol}").text)
    with db.transaction() as session:
        session.get_one(Identity, new).failing_since = session.get_one(Contact, carol).created_at
    with db.read():
        assert contacts.email_of(carol) == "carol@customer.example"


def test_marks_are_set_and_taken_away_with_a_line_in_the_history(desk: TestDesk) -> None:
    browser, carol = Browser(desk, desk.people.alice), desk.people.carol
    with db.read() as session:
        one = session.query(Identity).filter_by(contact_id=carol).one().id
    for do in ("verify", "share", "own", "doubt"):
        assert browser.send(f"/customers/{carol}/addresses/{one}", page="/customers", do=do).status_code == 303
    assert browser.send(f"/customers/{carol}/addresses/{one}", page="/customers", do="burn").status_code == 422
    with db.read() as session:
        assert session.query(FieldChange).filter_by(contact_id=carol, field="identities").count() == 4
        assert session.get_one(Identity, one).verified_at is None
    assert "carol@customer.example (verified, shared)" in said(browser.open(f"/customers/{carol}/history").text)


def test_a_removed_address_is_put_back_from_the_history_unless_somebody_has_it_now(desk: TestDesk) -> None:
    browser, carol = Browser(desk, desk.people.alice), desk.people.carol
    with db.read() as session:
        one = session.query(Identity).filter_by(contact_id=carol).one().id
    assert "data-confirm" in browser.open(f"/customers/{carol}").text
    assert browser.send(f"/customers/{carol}/addresses/{one}/removal", page="/customers").status_code == 303
    assert held(carol) == []
    with db.read() as session:
        change = session.query(FieldChange).filter_by(contact_id=carol, field="identities").one().id
    assert "Put back" in browser.open(f"/customers/{carol}/history").text
    undo = f"/customers/{carol}/history/{change}/undo"
    adds(browser, desk.people.oleg, "email", "carol@customer.example")
    assert browser.send(undo, page="/customers").status_code == 409 and held(carol) == []
    with db.read() as session:
        his = session.query(Identity).filter_by(contact_id=desk.people.oleg, value_norm="carol@customer.example").one().id
    browser.send(f"/customers/{desk.people.oleg}/addresses/{his}/removal", page="/customers")
    assert browser.send(undo, page="/customers").status_code == 303
    assert held(carol) == [("email", "carol@customer.example", False)]
    assert browser.send(undo, page="/customers").status_code == 409


def test_nobody_touches_addresses_through_another_customer_or_of_another_team(desk: TestDesk) -> None:
    carol, oleg = desk.people.carol, desk.people.oleg
    browser = Browser(desk, desk.people.alice)
    with db.read() as session:
        his = session.query(Identity).filter_by(contact_id=oleg).one().id
    assert browser.send(f"/customers/{carol}/addresses/{his}/removal", page="/customers").status_code == 404
    assert browser.send(f"/customers/{carol}/addresses/{his}", page="/customers", do="verify").status_code == 404
    assert browser.send(f"/customers/{carol}/history/99/undo", page="/customers").status_code == 404
    with db.transaction() as session:
        session.get_one(Contact, oleg).owner_id = desk.people.eve
        prefer(customers_seen="team")
    assert browser.send(f"/customers/{oleg}/addresses/{his}/removal", page="/customers").status_code == 404
    page = adds(browser, carol, "email", "oleg@klient.example")
    assert "It belongs to a customer of another team." in page and "Тарасенко" not in page
    assert held(oleg) == [("email", "oleg@klient.example", False)]


def test_one_person_with_twelve_addresses_is_reached_by_each_and_merged_with_nobody(desk: TestDesk) -> None:
    alice = Actor("user", desk.people.alice)
    mails = [f"carol.{number}@work{number}.example" for number in range(8)]
    phones = [f"+44 20 7946 00{number:02}" for number in range(3)]
    with db.transaction() as session:
        carol = session.get_one(Contact, desk.people.carol)
        for kind, typed in [*(("email", mail) for mail in mails), *(("phone", phone) for phone in phones)]:
            identities.add(carol, identities.read(kind, typed), by=alice)
        before = session.query(Contact).count()
    with db.transaction() as session:
        assert {contacts.by_email(mail, by=alice).id for mail in [*mails, "carol@customer.example"]} == {desk.people.carol}
        assert session.query(Contact).count() == before and session.query(Identity).filter_by(contact_id=desk.people.carol).count() == 12
    browser = Browser(desk, desk.people.alice)
    page = browser.open(f"/customers/{desk.people.carol}").text
    assert all(mail in page for mail in mails) and page.count('id="address-') == 12
    for sought in (mails[5], phones[2], "carol.7"):
        assert "Carol Jones" in browser.open("/customers", query_string={"q": sought}).text
    with db.read():
        assert queries.addresses([desk.people.carol])[desk.people.carol][0] == "carol@customer.example"
