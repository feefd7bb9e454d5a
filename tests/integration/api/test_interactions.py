"""Calls and visits through the API: with the customer, or waiting in triage while nobody can tell whose they were."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import select

from helpdesk import clock, db
from helpdesk.actor import Actor
from helpdesk.crm import identities
from helpdesk.crm.base_models import Unmatched
from helpdesk.crm.models import Contact, Interaction
from helpdesk.crm.privacy_models import ProfileAccess
from tests.desks import TestDesk
from tests.forms import Browser
from tests.integration.api.programs import customer, program

NUMBER = "+49 30 1234567"


def call(**more: Any) -> dict[str, Any]:
    return {"kind": "call", "text": "Asked about pears.", "address": {"kind": "phone", "value": NUMBER}, **more}


def phones(desk: TestDesk, *contacts: int) -> None:
    with db.transaction() as session:
        for one in contacts:
            by = Actor("user", desk.people.ada)
            identities.add(session.get_one(Contact, one), identities.read("phone", NUMBER), shared=len(contacts) > 1, by=by)


def test_a_call_by_one_persons_number_stands_in_their_timeline(desk: TestDesk) -> None:
    phones(desk, desk.people.carol)
    made = program(desk, desk.people.alice).post("/interactions", call(minutes=3))
    assert made.status_code == 201 and made.json["contact_id"] == desk.people.carol and not made.json["waits"]
    with db.read() as session:
        entry = session.scalars(select(Interaction).where(Interaction.kind == "call")).one()
        assert (entry.text, entry.direction, entry.duration_s) == ("Asked about pears.", "in", 180)
    assert program(desk, desk.people.alice).get(made.json["url"].partition("/api/v1")[2]).json == made.json


def test_a_call_by_an_unknown_number_waits_in_triage_and_the_same_one_waits_once(desk: TestDesk) -> None:
    alice = program(desk, desk.people.alice)
    first = alice.post("/interactions", call(external_id="cdr-7"))
    assert first.status_code == 201 and first.json["waits"] and first.json["contact_id"] is None
    assert alice.post("/interactions", call(external_id="cdr-7")).json == first.json
    browser = Browser(desk, desk.people.alice)
    assert "+49301234567" in browser.open("/customers/unknown").text
    browser.send(f"/customers/unknown/{first.json['id']}", page="/customers", do="choose", contact=str(desk.people.carol), remember="1")
    again = alice.post("/interactions", call(external_id="cdr-7")).json
    assert (again["contact_id"], again["waits"], again["external_id"]) == (desk.people.carol, False, "cdr-7")
    with db.read() as session:
        assert len(session.scalars(select(Interaction).where(Interaction.kind == "call")).all()) == 1


def test_a_call_by_a_number_of_several_waits_with_who_may_be_meant(desk: TestDesk) -> None:
    phones(desk, desk.people.carol, desk.people.oleg)
    assert program(desk, desk.people.alice).post("/interactions", call()).json["waits"]
    with db.read() as session:
        assert set(session.scalars(select(Unmatched)).one().candidates) == {desk.people.carol, desk.people.oleg}


@pytest.mark.parametrize(
    ("more", "field"),
    [
        ({"address": None}, "contact_id"),
        ({"contact_id": 1}, "contact_id"),
        ({"address": {"kind": "phone", "value": "12"}}, "address.value"),
        ({"address": {"kind": "pigeon", "value": "12"}}, "address.kind"),
        ({"kind": "order"}, "kind"),
        ({"address": None, "contact_id": 999_999}, "contact_id"),
        ({"text": " "}, "text"),
    ],
)
@pytest.mark.parametrize("engine", ["sqlite"], indirect=True)
def test_what_cannot_be_understood_is_named_and_nothing_is_written(desk: TestDesk, more: dict[str, Any], field: str) -> None:
    answer = program(desk, desk.people.alice).post("/interactions", call(**more))
    assert answer.status_code == 422 and {one["field"] for one in answer.json["errors"]} == {field}, answer.json
    with db.read() as session:
        assert not session.scalars(select(Unmatched)).all() and not session.scalars(select(Interaction)).all()


def test_who_may_only_read_or_is_a_customer_writes_nothing(desk: TestDesk) -> None:
    her = customer(desk.people.carol, "Carla")
    for who in (program(desk, desk.people.alice, "contacts:read"), program(desk, her, "contacts:read", "contacts:write")):
        assert who.post("/interactions", call()).status_code in (403, 404)
    with db.read() as session:
        assert not session.scalars(select(Unmatched)).all()


def test_what_a_program_reads_of_customers_is_written_down_once_a_page_in_one_statement(desk: TestDesk, stopped: clock.Hand) -> None:
    dana = program(desk, desk.people.dana)
    for _again in range(2):
        assert dana.get("/contacts").status_code == 200
    assert dana.get(f"/contacts/{desk.people.carol}").status_code == 200
    with db.read() as session:
        rows = session.execute(select(ProfileAccess.contact_id, ProfileAccess.user_id, ProfileAccess.via)).all()
    assert sorted(tuple(row) for row in rows) == sorted((one, desk.people.dana, "api") for one in (desk.people.carol, desk.people.oleg))
    stopped.move(minutes=11)
    dana.get(f"/contacts/{desk.people.carol}")
    her = program(desk, customer(desk.people.carol, "Carla"), "contacts:read")
    assert her.get(f"/contacts/{desk.people.carol}").status_code == 200  # looking at oneself is nobody's access
    with db.read() as session:
        assert len(session.scalars(select(ProfileAccess.id)).all()) == 3
