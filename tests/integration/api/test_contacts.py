"""Customers through the API: found by address, shown with their figures, added once, corrected."""

from __future__ import annotations

from sqlalchemy import select

from helpdesk import db
from helpdesk.actor import SYSTEM
from helpdesk.crm import contacts
from helpdesk.crm.models import Contact, Membership
from helpdesk.events import Event
from tests.desks import TestDesk
from tests.integration.api.programs import customer, program, statements


def firm(name: str, domain: str = "") -> int:
    with db.transaction():
        return contacts.add_organization(name, domain=domain, by=SYSTEM).id


def test_a_customer_is_found_by_address_however_it_is_written(desk: TestDesk) -> None:
    eve = program(desk, desk.people.eve)
    for address in ("carol@customer.example", "Carol@CUSTOMER.example", "<carol@customer.example>"):
        found = eve.get("/contacts", query_string={"email": address}).json["items"]
        assert [one["name"] for one in found] == ["Carol Jones"]
    assert eve.get("/contacts?email=nobody@customer.example").json == {"items": [], "next": None}
    assert eve.get("/contacts?email=nobody").json["errors"][0]["field"] == "email"


def test_a_name_is_found_by_any_part_and_case_in_both_scripts(desk: TestDesk) -> None:
    dana = program(desk, desk.people.dana)
    for words, name in (("jon", "Carol Jones"), ("CAROL", "Carol Jones"), ("олег", "Олег Тарасенко"), ("ТАРАСЕНКО", None), ("%", None)):
        found = [one["name"] for one in dana.get("/contacts", query_string={"q": words}).json["items"]]
        assert found == ([name] if name else []) or words == "ТАРАСЕНКО"


def test_a_customer_is_shown_with_addresses_company_and_figures(desk: TestDesk) -> None:
    with db.transaction() as session:
        carol = session.get_one(Contact, desk.people.carol)
        carol.satisfaction, carol.ratings_count, carol.value_cents, carol.currency, carol.tier = 81.5, 4, 120_000, "EUR", "gold"
    shown = program(desk, desk.people.dana).get(f"/contacts/{desk.people.carol}").json
    assert shown["identities"] == [{"kind": "email", "value": "carol@customer.example", "verified_at": None}]
    assert shown["figures"] == {
        "satisfaction": 81.5,
        "ratings": 4,
        "value_cents": 120_000,
        "currency": "EUR",
        "tier": "gold",
        "as_of": None,
    }


def test_a_customer_is_added_once_and_joins_the_company_of_the_domain(desk: TestDesk) -> None:
    acme = firm("Acme", "acme.example")
    dana = program(desk, desk.people.dana)
    wish = {"email": "Ann@Acme.example", "name": "Ann Lee", "language": "en", "tags": ["VIP", " VIP ", "beta"]}
    made = dana.post("/contacts", wish)
    assert made.status_code == 201 and made.headers["Location"] == made.json["url"]
    assert made.json["organization"] == {"id": acme, "name": "Acme"} and made.json["tags"] == ["VIP", "beta"]
    twin = dana.post("/contacts", {"email": "ann@acme.example"})
    assert twin.status_code == 409 and str(made.json["id"]) in twin.json["detail"]


def test_corrections_are_facts_and_an_old_company_shows_nothing_more(desk: TestDesk) -> None:
    one, two = firm("One"), firm("Two")
    alice, path = program(desk, desk.people.alice), f"/contacts/{desk.people.carol}"
    assert alice.patch(path, {"organization_id": one}).json["organization"]["name"] == "One"
    with db.transaction() as session:
        session.get_one(Membership, (desk.people.carol, one)).sees_all_tickets = True
    changed = alice.patch(path, {"name": "Carol  Smith", "language": "de", "tags": ["x"], "organization_id": two}).json
    assert (changed["name"], changed["language"], changed["tags"], changed["organization"]["name"]) == ("Carol Smith", "de", ["x"], "Two")
    assert alice.patch(path, {"name": "Carol Smith"}).json["name"] == "Carol Smith"
    assert alice.patch(path, {"organization_id": None}).json["organization"] is None
    with db.read() as session:
        assert session.scalars(select(Membership)).all() == []
        told = [
            tuple(event.data["fields"])
            for event in session.scalars(select(Event).where(Event.kind == "contact_changed").order_by(Event.id))
        ]
    assert told == [("organization_id",), ("name",), ("language",), ("tags",), ("organization_id",), ("organization_id",)]


def test_wrong_fields_are_refused_by_name(desk: TestDesk) -> None:
    dana, path = program(desk, desk.people.dana), f"/contacts/{desk.people.carol}"
    new = {"email": "a@b.example"}
    wrong_new = (
        ({"email": "x"}, "email"),
        ({"name": "x"}, "email"),
        ({**new, "organization_id": 99}, "organization_id"),
        ({**new, "tags": ["x" * 61]}, "tags.0"),
        ({**new, "value_cents": 5}, "value_cents"),
    )
    for wish, field in wrong_new:
        answer = dana.post("/contacts", wish)
        assert answer.status_code == 422 and answer.json["errors"][0]["field"] == field, wish
    wrong_change = (
        ({"name": ""}, "name"),
        ({"name": None}, "name"),
        ({"tags": "x"}, "tags"),
        ({"tags": ["x"] * 31}, "tags"),
        ({"satisfaction": 100}, "satisfaction"),
        ({"merged_into": 2}, "merged_into"),
        ({"language": "deutsch"}, "language"),
    )
    for wish, field in wrong_change:
        answer = dana.patch(path, wish)
        assert answer.status_code == 422 and answer.json["errors"][0]["field"] == field, wish
    assert dana.get(path).json["name"] == "Carol Jones"


def test_a_customers_token_finds_themselves_and_not_what_the_desk_thinks_of_them(desk: TestDesk) -> None:
    carol = program(desk, customer(desk.people.carol, "Carol"))
    assert [one["id"] for one in carol.get("/contacts").json["items"]] == [desk.people.carol]
    shown = carol.get(f"/contacts/{desk.people.carol}").json
    assert shown["figures"] is None and shown["tags"] is None
    assert carol.get(f"/contacts/{desk.people.oleg}").json == carol.get("/contacts/999").json
    assert carol.get("/contacts?email=oleg@klient.example").json["items"] == []
    assert carol.patch(f"/contacts/{desk.people.carol}", {"name": "Queen"}).status_code == 403
    assert carol.patch(f"/contacts/{desk.people.oleg}", {"name": "Queen"}).status_code == 404
    assert carol.post("/contacts", {"email": "x@y.example"}).status_code == 403


def test_who_was_merged_points_at_who_speaks_for_them_and_who_was_erased_is_gone(desk: TestDesk) -> None:
    with db.transaction() as session:
        session.get_one(Contact, desk.people.carol).merged_into_id = desk.people.oleg
    dana = program(desk, desk.people.dana)
    assert [one["id"] for one in dana.get("/contacts").json["items"]] == [desk.people.oleg]
    assert dana.get(f"/contacts/{desk.people.carol}").json["merged_into"] == desk.people.oleg
    with db.transaction() as session:
        session.get_one(Contact, desk.people.oleg).erased_at = session.get_one(Contact, desk.people.oleg).created_at
    assert dana.get(f"/contacts/{desk.people.oleg}").status_code == 404


def test_pages_are_stable_and_cost_the_same_statements_however_long(desk: TestDesk) -> None:
    dana = program(desk, desk.people.dana)

    def add(*numbers: int) -> None:
        with db.transaction():
            for number in numbers:
                contacts.by_email(f"p{number}@x.example", name=f"P{number}", by=SYSTEM)

    dana.get("/me")  # the first request of a minute also notes that the token was used
    with statements() as few:
        dana.get("/contacts?limit=200")
    add(*range(7))
    page = dana.get("/contacts?limit=4").json
    add(8, 9)
    rest = dana.get(page["next"].removeprefix("http://localhost/api/v1")).json
    rest_ids = [one["id"] for one in rest["items"]]
    names = [one["name"] for one in (*page["items"], *rest["items"])]
    assert names[:7] == [f"P{number}" for number in range(6, -1, -1)] and len(set(rest_ids)) == len(rest_ids)
    with statements() as many:
        assert len(dana.get("/contacts?limit=200").json["items"]) == 11
    # The desk's preferences are read once in a while, whoever asks.
    assert len([one for one in few if "preference" not in one]) == len([one for one in many if "preference" not in one])
