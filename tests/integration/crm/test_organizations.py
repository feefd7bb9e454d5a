"""Organizations kept by colleagues: corrected, with their people, parts and rights, their timeline and history; and who may."""

from __future__ import annotations

import re
from html import unescape

import pytest

from helpdesk import clock, db
from helpdesk.actor import SYSTEM
from helpdesk.crm import fields, timeline
from helpdesk.crm.models import Contact, Membership, Organization
from helpdesk.events import Event
from helpdesk.preferences import prefer
from tests.desks import TestDesk
from tests.forms import Browser
from tests.integration.crm.test_customers import company, said


def part(contact_id: int, organization_id: int) -> tuple[str, bool] | None:
    with db.read() as session:
        found = session.get(Membership, (contact_id, organization_id))
        return (found.role, found.sees_all_tickets) if found else None


def first_of(contact_id: int) -> int | None:
    with db.read() as session:
        return session.get_one(Contact, contact_id).organization_id


def test_a_company_is_corrected_with_its_own_fields_and_each_change_is_remembered(desk: TestDesk) -> None:
    organization_id = company(desk, "Harbour Books", desk.people.carol)
    with db.transaction():
        fields.add("organization", label="Contract", kind="text", by=SYSTEM)
        fields.add("organization", label="Audited", kind="yes_no", by=SYSTEM)
    browser, page = Browser(desk, desk.people.alice), f"/organizations/{organization_id}"
    saved = browser.save(
        f"{page}/edit", name="Harbour & Sons", kind="partner", domain="@Harbour.example", owner_id=str(desk.people.bob),
        tags="books, harbour, books", terms="Ten days to pay.", **{"custom.contract": "A-17", "custom.audited": "yes"},
    )  # fmt: skip
    assert saved.status_code == 303
    with db.read() as session:
        now = session.get_one(Organization, organization_id)
        assert (now.name, now.kind, now.domain, now.owner_id, now.tags, now.terms, now.custom) == (
            "Harbour & Sons", "partner", "harbour.example", desk.people.bob, ["books", "harbour"], "Ten days to pay.",
            {"contract": "A-17", "audited": True},
        )  # fmt: skip
        fact = session.query(Event).filter_by(kind="organization_changed").one()
        assert "A-17" not in str(fact.data)
    shown = said(browser.open(page).text)
    for words in ("Harbour & Sons", "Partner", "harbour.example", "Owner : Bob", "Ten days to pay.", "Contract A-17", "Audited yes"):
        assert words in shown.replace("Owner:", "Owner :"), words
    history = said(browser.open(f"{page}/history").text)
    assert "Contract — A-17 Alice" in history and "Name Harbour Books Harbour & Sons" in history and "Owner — Bob" in history


@pytest.mark.parametrize(
    ("typed", "words"),
    [
        ({"name": " "}, "Please fill this in."),
        ({"name": "other COMPANY"}, "There is an organization of this name."),
        ({"kind": "friend"}, "Choose one of these."),
        ({"domain": "gmail.com"}, "Everybody can have an address there"),
        ({"domain": "other.example"}, "Another organization has this mail domain."),
        ({"owner_id": "999"}, "Choose one of these."),
        ({"custom.turnover": "much"}, "is not a number"),
        ({"terms": "x" * 5001}, "Please shorten this"),
    ],
)
def test_a_wrong_correction_of_a_company_is_explained_and_changes_nothing(desk: TestDesk, typed: dict[str, str], words: str) -> None:
    organization_id = company(desk, "Harbour Books")
    company(desk, "Other Company", domain="other.example")
    with db.transaction():
        fields.add("organization", label="Turnover", kind="number", by=SYSTEM)
    answer = Browser(desk, desk.people.alice).save(f"/organizations/{organization_id}/edit", **{"tags": "new", **typed})
    assert answer.status_code == 422 and words in unescape(answer.text)
    with db.read() as session:
        assert session.get_one(Organization, organization_id).tags == []


def test_of_two_who_correct_a_company_at_once_the_second_is_told(desk: TestDesk) -> None:
    page = f"/organizations/{company(desk)}/edit"
    alice, bob = Browser(desk, desk.people.alice), Browser(desk, desk.people.bob)
    form = re.search(r'name="version" value="([^"]+)"', bob.open(page).text)
    assert form and alice.save(page, name="Of Alice").status_code == 303
    late = bob.send(page, page="/customers", version=form[1], name="Of Bob")
    assert late.status_code == 409 and "Of Bob" in late.text


def test_people_join_a_company_get_a_part_and_leave_it(desk: TestDesk) -> None:
    first, second, carol = company(desk, "Harbour Books", desk.people.carol), company(desk, "Pier Ltd"), desk.people.carol
    browser = Browser(desk, desk.people.alice)
    found = said(browser.open(f"/organizations/{second}/people?q=carol").text)
    assert "Carol Jones carol@customer.example · Harbour Books" in found
    to = f"/organizations/{second}/people"
    assert browser.send(to, page="/customers", contact=str(carol), role="Adviser").status_code == 303
    assert part(carol, second) == ("Adviser", False) and first_of(carol) == first
    assert browser.send(to, page="/customers", contact=str(carol)).status_code == 409
    assert "belongs to it" in browser.open(f"{to}?q=carol").text
    assert "Carol Jones" in browser.open(f"/organizations/{second}").text
    assert browser.send(f"{to}/{carol}", page="/customers", role="Head adviser").status_code == 303
    assert part(carol, second) == ("Head adviser", False)
    gone = browser.send(f"/organizations/{first}/people/{carol}/removal", page="/customers")
    assert gone.status_code == 303 and part(carol, first) is None and first_of(carol) == second
    assert browser.send(f"{to}/{carol}/removal", page="/customers").status_code == 303
    assert first_of(carol) is None and part(carol, second) is None
    assert browser.send(f"{to}/{carol}/removal", page="/customers").status_code == 409
    history = said(browser.open(f"/customers/{carol}/history").text)
    assert "Pier Ltd: Adviser Pier Ltd: Head adviser" in history
    assert browser.send(to, page="/customers", contact=str(carol)).status_code == 303
    assert first_of(carol) == second


def test_only_those_who_lead_let_somebody_see_all_tickets_of_a_company(desk: TestDesk) -> None:
    organization_id, carol = company(desk, "Harbour Books", desk.people.carol), desk.people.carol
    to = f"/organizations/{organization_id}/people/{carol}"
    refused = Browser(desk, desk.people.alice).send(to, page="/customers", role="Director", sees_all="1")
    assert refused.status_code == 403 and part(carol, organization_id) == ("Director", False)
    assert Browser(desk, desk.people.dana).send(to, page="/customers", role="Director", sees_all="1").status_code == 303
    assert part(carol, organization_id) == ("Director", True)
    assert Browser(desk, desk.people.alice).send(to, page="/customers", role="Boss").status_code == 303
    assert part(carol, organization_id) == ("Boss", True)
    assert "sees_all" not in Browser(desk, desk.people.alice).open(f"/organizations/{organization_id}").text


def test_what_happened_with_anybody_of_a_company_stands_in_its_timeline_of_those_one_may_see(desk: TestDesk) -> None:
    carol, oleg = desk.people.carol, desk.people.oleg
    organization_id = company(desk, "Harbour Books", carol, oleg)
    with db.transaction() as session:
        timeline.note(carol, "call", title="About pears", organization_id=organization_id, at=clock.now())
        timeline.note(oleg, "visit", title="About plums", organization_id=organization_id, at=clock.now())
        timeline.note(oleg, "visit", title="About figs", at=clock.now())
        session.get_one(Contact, oleg).owner_id = desk.people.eve
    browser, page = Browser(desk, desk.people.alice), f"/organizations/{organization_id}"
    shown = browser.open(page).text
    assert "About pears" in shown and "About plums" in shown and "About figs" not in shown
    assert "About pears" not in browser.open(f"{page}?kind=visit").text
    with db.transaction() as session:
        timeline.note(carol, "letter", title="About nuts", organization_id=organization_id, at=clock.now(), channel="letter",
                      user_id=desk.people.bob)  # fmt: skip
    shown = browser.open(page).text
    assert "Channel, colleague, days" in shown and f'<option value="{desk.people.bob}"' in shown and '<option value="letter"' in shown
    for asked in (f"who={desk.people.bob}", "channel=letter", f"channel=letter&who={desk.people.bob}&since=2020-01-01"):
        narrowed = browser.open(f"{page}?{asked}").text
        assert "About nuts" in narrowed and "About pears" not in narrowed
    assert "About nuts" not in browser.open(f"{page}?channel=letter&until=2020-01-01").text
    with db.transaction():
        prefer(customers_seen="team")
    shown = browser.open(page).text
    assert "About pears" in shown and "About plums" not in shown
    assert browser.send(f"{page}/people/{oleg}/removal", page="/customers").status_code == 404
    assert browser.send(f"{page}/people", page="/customers", contact=str(oleg)).status_code == 404
    assert Browser(desk, desk.people.dana).open("/organizations/999/edit").status_code == 404
