"""Purchases through the API: written down once, paid and returned within what is due, read by who may see whose they are."""

from __future__ import annotations

from typing import Any

import pytest

from helpdesk import db
from helpdesk.crm.models import Contact
from tests.desks import TestDesk
from tests.integration.api.programs import Program, customer, program

LINES = [{"title": "Kettle", "quantity": 2, "price_cents": 3000}, {"title": "Cup", "price_cents": 500}]


def wish(desk: TestDesk, **more: Any) -> dict[str, Any]:
    return {"contact_id": desk.people.carol, "number": "A-1", "currency": "EUR", "lines": LINES, "margin_cents": 2000, **more}


def ordered(desk: TestDesk, who: Program, **more: Any) -> dict[str, Any]:
    made = who.post("/orders", wish(desk, **more))
    assert made.status_code == 201, made.json
    return made.json


def faults(answer: Any) -> set[str]:
    assert answer.status_code == 422, answer.json
    return {one["field"] for one in answer.json["errors"]}


def test_an_order_is_the_sum_of_its_lines_and_stands_in_the_timeline(desk: TestDesk) -> None:
    dana = program(desk, desk.people.dana)
    made = ordered(desk, dana, external_id="shop-1")
    assert (made["total_cents"], made["due_cents"], made["margin_cents"]) == (6500, 6500, 2000)
    assert dana.get(f"/orders/{made['id']}").json == made == dana.get("/orders?external_id=shop-1").json["items"][0]
    page = desk.client(desk.people.alice).get(f"/customers/{desk.people.carol}").text
    assert "A-1" in page and "2 × Kettle" in page


def test_the_same_order_twice_is_refused_and_counted_once(desk: TestDesk) -> None:
    dana = program(desk, desk.people.dana)
    ordered(desk, dana, external_id="shop-1")
    assert dana.post("/orders", wish(desk, external_id="shop-1")).status_code == 409
    assert len(dana.get(f"/orders?contact={desk.people.carol}").json["items"]) == 1


@pytest.mark.parametrize(
    ("more", "field"),
    [
        ({"total_cents": -1}, "total_cents"),
        ({"total_cents": 6501}, "total_cents"),
        ({"lines": []}, "total_cents"),
        ({"currency": "euro"}, "currency"),
        ({"currency": "eur"}, "currency"),
        ({"margin_cents": 6501}, "margin_cents"),
        ({"lines": [{"title": "x", "quantity": 0, "price_cents": 5}]}, "lines"),
        ({"lines": [{"title": "x", "quantity": 1, "price_cents": -5}], "total_cents": 0}, "lines"),
        ({"status": "lost"}, "status"),
        ({"at": "2126-01-01T00:00:00Z"}, "at"),
        ({"at": "2026-01-01"}, "at"),
        ({"contact_id": 999999}, "contact_id"),
        ({"number": " "}, "number"),
    ],
)
def test_an_order_that_cannot_be_is_refused_by_its_field(desk: TestDesk, more: dict[str, Any], field: str) -> None:
    dana = program(desk, desk.people.dana)
    assert field in faults(dana.post("/orders", wish(desk, **more)))
    assert dana.get("/orders").json["items"] == []


def test_payments_add_up_to_what_is_due_and_never_more_or_less_than_nothing(desk: TestDesk) -> None:
    dana = program(desk, desk.people.dana)
    path = f"/orders/{ordered(desk, dana)['id']}/payments"
    for amount in (-100, 0, 6501):
        assert faults(dana.post(path, {"amount_cents": amount})) == {"amount_cents"}
    assert dana.post(path, {"amount_cents": 4000, "method": "card", "external_id": "p1"}).json["due_cents"] == 2500
    assert dana.post(path, {"amount_cents": 100, "external_id": "p1"}).status_code == 409
    assert faults(dana.post(path, {"amount_cents": 2501})) == {"amount_cents"}
    assert dana.post(path, {"amount_cents": 2500}).json["due_cents"] == 0


def test_a_return_says_why_and_takes_back_no_more_than_was_bought(desk: TestDesk) -> None:
    dana = program(desk, desk.people.dana)
    path = f"/orders/{ordered(desk, dana)['id']}/returns"
    assert faults(dana.post(path, {"amount_cents": 100, "reason": " "})) == {"reason"}
    assert faults(dana.post(path, {"amount_cents": -1, "reason": "broken"})) == {"amount_cents"}
    half = dana.post(path, {"amount_cents": 3250, "reason": "broken"}).json
    assert half["status"] == "paid" and half["returns"][0]["reason"] == "broken"
    assert faults(dana.post(path, {"amount_cents": 3251, "reason": "broken"})) == {"amount_cents"}
    assert dana.post(path, {"amount_cents": 3250, "reason": "late"}).json["status"] == "returned"


def test_who_may_not_see_worth_sees_no_margin_and_a_customer_sees_their_own_orders_only(desk: TestDesk) -> None:
    dana, alice = program(desk, desk.people.dana), program(desk, desk.people.alice)
    mine = ordered(desk, dana)
    assert alice.get(f"/orders/{mine['id']}").json["margin_cents"] is None
    carla = program(desk, customer(desk.people.carol, "Carla"))
    assert carla.get("/orders").json["items"][0]["margin_cents"] is None
    assert carla.post("/orders", wish(desk)).status_code == 403
    assert carla.post(f"/orders/{mine['id']}/payments", {"amount_cents": 1}).status_code == 403
    olga = program(desk, customer(desk.people.oleg, "Olga"))
    assert olga.get("/orders").json["items"] == [] and olga.get(f"/orders/{mine['id']}").status_code == 404
    reader = program(desk, desk.people.dana, "contacts:read")
    assert reader.post("/orders", wish(desk)).status_code == 403
    assert program(desk, desk.people.dana, "tickets:read").get("/orders").status_code == 403


def test_an_order_of_somebody_merged_or_erased_follows_them(desk: TestDesk) -> None:
    dana = program(desk, desk.people.dana)
    with db.transaction() as session:
        session.get_one(Contact, desk.people.carol).merged_into_id = desk.people.oleg
    made = ordered(desk, dana)
    assert made["contact_id"] == desk.people.oleg
    with db.transaction() as session:
        session.get_one(Contact, desk.people.oleg).erased_at = session.get_one(Contact, desk.people.oleg).created_at
    assert dana.get(f"/orders/{made['id']}").status_code == 404
    assert faults(dana.post("/orders", wish(desk, contact_id=desk.people.oleg, external_id="z"))) == {"contact_id"}
