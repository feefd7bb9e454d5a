"""The merge screens: likely duplicates, the two side by side, the list of merges with undo, the history of fields; and who may."""

from __future__ import annotations

import pytest

from helpdesk import db
from helpdesk.actor import SYSTEM
from helpdesk.auth import Role, User
from helpdesk.crm import contacts
from helpdesk.crm.base_models import Duplicate, Merge
from helpdesk.crm.models import Contact
from tests import people
from tests.desks import TestDesk
from tests.forms import Browser
from tests.integration.crm.test_customers import company, said


def twin(desk: TestDesk) -> int:
    """Carol once more: at the same company, under the same name."""
    with db.transaction() as session:
        made = contacts.by_email("carol@home.example", name="Jones Carol", language="ru", by=SYSTEM)
        made.tags = ["loyal"]
        session.flush()
    company(desk, "Harbour Books", desk.people.carol, made.id)
    with db.transaction() as session:
        session.get_one(Contact, made.id).organization_id = session.get_one(Contact, desk.people.carol).organization_id
    desk.work()
    return made.id


def test_a_likely_duplicate_is_compared_merged_and_parted_with_buttons(desk: TestDesk) -> None:
    other = twin(desk)
    carol = desk.people.carol
    browser = Browser(desk, desk.people.alice)
    page = browser.open("/customers/duplicates").text
    assert "the same name" in page and f'href="/customers/{carol}/merge/{other}"' in page
    assert "Probably here twice" in browser.open(f"/customers/{carol}").text
    side = said(browser.open(f"/customers/{carol}/merge/{other}").text)
    for words in ("carol@customer.example", "carol@home.example", "English", "Russian", "loyal", "What will happen", "It can be undone"):
        assert words in side, words
    assert "sees the requests of both" not in side
    answer = browser.send(f"/customers/{carol}/merge/{other}", page="/customers", **{"take-name": "from", "take-tags": "both"})
    assert answer.status_code == 303
    with db.read() as session:
        kept = session.get_one(Contact, carol)
        assert (kept.name, kept.language, kept.tags) == ("Jones Carol", "en", ["loyal"])
        assert session.get_one(Contact, other).merged_into_id == carol
        merge_id = session.query(Merge).one().id
    assert "Nobody seems to be here twice" in browser.open("/customers/duplicates").text
    history = said(browser.open(f"/customers/{carol}/history").text)
    assert "1 customer was merged into this one." in history and "Carol Jones Jones Carol Alice" in history
    assert "Jones Carol" in browser.open("/customers/merges").text
    assert browser.send(f"/customers/merges/{merge_id}/undo", page="/customers/merges").headers["Location"] == f"/customers/{other}"
    with db.read() as session:
        assert session.get_one(Contact, carol).name == "Carol Jones" and session.get_one(Contact, other).merged_into_id is None
    assert "undone" in browser.open("/customers/merges").text
    assert browser.send(f"/customers/merges/{merge_id}/undo", page="/customers/merges").status_code == 409


def test_two_people_with_one_name_are_told_apart_for_good(desk: TestDesk) -> None:
    twin(desk)
    browser = Browser(desk, desk.people.alice)
    with db.read() as session:
        pair = session.query(Duplicate).one().id
    assert browser.send(f"/customers/duplicates/{pair}/different", page="/customers").status_code == 303
    assert "Nobody seems to be here twice" in browser.open("/customers/duplicates").text
    assert Browser(desk, desk.people.dana).send("/customers/duplicates/search", page="/customers").status_code == 303
    desk.work()
    assert "Nobody seems to be here twice" in browser.open("/customers/duplicates").text
    assert browser.send("/customers/duplicates/999/different", page="/customers").status_code == 404


def test_anybody_can_be_chosen_and_a_portal_account_is_warned_about(desk: TestDesk) -> None:
    with db.transaction():
        people.person("Olga", Role.CUSTOMER, contact_id=desk.people.oleg)
    browser = Browser(desk, desk.people.alice)
    page = browser.open(f"/customers/{desk.people.carol}/merge?q=oleg").text
    assert f'href="/customers/{desk.people.carol}/merge/{desk.people.oleg}"' in page
    assert "sees the requests of both" in browser.open(f"/customers/{desk.people.carol}/merge/{desk.people.oleg}").text
    refused = browser.send(f"/customers/{desk.people.carol}/merge/{desk.people.carol}", page="/customers")
    assert refused.status_code == 422 and "one and the same customer" in refused.text


def test_confirming_a_card_makes_it_fresh(desk: TestDesk) -> None:
    browser = Browser(desk, desk.people.alice)
    assert browser.send(f"/customers/{desk.people.carol}/confirmation", page="/customers").status_code == 303
    with db.read() as session:
        assert session.get_one(Contact, desk.people.carol).checked_at is not None
    assert "Confirmed" in browser.open(f"/customers/{desk.people.carol}/history").text


@pytest.mark.parametrize("who", ["carla", None])
def test_customers_and_strangers_merge_nobody(desk: TestDesk, who: str | None) -> None:
    with db.transaction() as session:
        people.person("Carla", Role.CUSTOMER, contact_id=desk.people.carol)
        carla = session.query(User).filter_by(name="Carla").one().id
    browser = Browser(desk, carla if who else None)
    refused = {303} if who is None else {403, 404}
    for path in (
        "/customers/duplicates",
        "/customers/merges",
        f"/customers/{desk.people.carol}/history",
        f"/customers/{desk.people.carol}/merge",
    ):
        assert browser.open(path).status_code in refused
    posted = browser.send(f"/customers/{desk.people.carol}/merge/{desk.people.oleg}", page="/")
    assert posted.status_code in refused | {401}
    with db.read() as session:
        assert session.query(Merge).count() == 0


def test_only_who_leads_compares_everybody_again(desk: TestDesk) -> None:
    assert Browser(desk, desk.people.alice).send("/customers/duplicates/search", page="/customers").status_code == 404
    assert "Compare everybody" not in desk.client(desk.people.alice).get("/customers/duplicates").text
    assert "Compare everybody" in desk.client(desk.people.dana).get("/customers/duplicates").text
