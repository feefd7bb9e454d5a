"""Promises kept and not, and a leaver's customers handed over without loss; and who may."""

from __future__ import annotations

from datetime import timedelta

import pytest

from helpdesk import clock, db
from helpdesk.actor import Actor
from helpdesk.crm import contacts, handover, interactions, promises
from helpdesk.crm.base_models import FieldChange
from helpdesk.crm.models import Contact, Interaction, Organization
from helpdesk.events import Event
from tests.desks import TestDesk
from tests.forms import Browser
from tests.integration.crm.test_customers import said


def promise(desk: TestDesk, what: str, *, days: int = 2, user: int = 0, contact: int = 0) -> int:
    with db.transaction() as session:
        customer = session.get_one(Contact, contact or desk.people.carol)
        by = Actor("user", user or desk.people.alice)
        made = interactions.add(customer, "call", by=by, text="Talked", next_step=what, next_at=clock.now() + timedelta(days=days))
        return made.id


def test_promises_are_listed_done_dropped_and_counted(desk: TestDesk, stopped: clock.Hand) -> None:
    first, second, _third = promise(desk, "Send the offer"), promise(desk, "Ring back", days=1), promise(desk, "Visit", days=1)
    promise(desk, "Write a letter", user=desk.people.bob)
    alice = Browser(desk, desk.people.alice)
    mine = said(alice.open("/promises").text)
    assert mine.index("Ring back") < mine.index("Send the offer") and "Write a letter" not in mine
    assert "Write a letter" in alice.open("/promises?whose=all").text
    place = f"/customers/{desk.people.carol}/promises"
    assert alice.send(f"{place}/{first}", page="/promises", outcome="kept").status_code == 303
    stopped.move(days=1, hours=1)
    assert alice.send(f"{place}/{second}", page="/promises", outcome="kept").status_code == 303
    with db.read() as session:
        assert promises.record_of([desk.people.carol]) == promises.Record(in_time=1, late=1, dropped=0, broken=1, open=1)
        assert session.query(Event).filter_by(kind="promise_settled").count() == 2
    assert "Our word: 1 kept in time, 1 late, 1 past and not done, 0 dropped." in said(alice.open(f"/customers/{desk.people.carol}").text)
    assert "Send the offer" not in alice.open("/promises").text
    assert alice.send(f"{place}/{first}", page="/promises", outcome="dropped").status_code == 409
    assert alice.send(f"{place}/{first}", page="/promises", outcome="burnt").status_code == 422
    assert alice.send(f"/customers/{desk.people.oleg}/promises/{second}", page="/promises", outcome="kept").status_code == 404


def test_a_leavers_customers_are_seen_then_handed_over_with_their_promises(desk: TestDesk) -> None:
    with db.transaction() as session:
        for id_ in (desk.people.carol, desk.people.oleg):
            session.get_one(Contact, id_).owner_id = desk.people.bob
        contacts.add_organization("Harbour Books", by=Actor("system")).owner_id = desk.people.bob
    mine, his = promise(desk, "Mine"), promise(desk, "His", user=desk.people.bob)
    dana = Browser(desk, desk.people.dana)
    assert "Customers 2 Organizations 1 Open promises 1" in said(dana.open(f"/customers/handover?from={desk.people.bob}").text)
    done = dana.send("/customers/handover", page="/customers", **{"from": str(desk.people.bob), "to": str(desk.people.eve)})
    assert done.status_code == 303
    with db.read() as session:
        assert {session.get_one(Contact, id_).owner_id for id_ in (desk.people.carol, desk.people.oleg)} == {desk.people.eve}
        assert session.query(Organization).one().owner_id == desk.people.eve
        assert (
            session.get_one(Interaction, his).next_who_id == desk.people.eve
            and session.get_one(Interaction, his).user_id == desk.people.bob
        )
        assert session.get_one(Interaction, mine).next_who_id == desk.people.alice
        rows = session.query(FieldChange).filter_by(field="owner_id").all()
        assert {(row.contact_id or 0, row.old, row.new) for row in rows} == {
            (id_, desk.people.bob, desk.people.eve) for id_ in (desk.people.carol, desk.people.oleg, 0)
        }
        assert handover.estate(desk.people.bob) == handover.Estate(0, 0, 0)
        told = session.query(Event).filter_by(kind="customers_handed_over").one()
        assert told.data == {"to_id": desk.people.eve, "customers": 2, "organizations": 1, "promises": 1}
    assert "Owner Bob Eve" in said(dana.open(f"/customers/{desk.people.carol}/history").text).replace("Owner", "Owner", 1)


@pytest.mark.parametrize("to", ["bob", "nobody-there"])
def test_an_heir_who_cannot_be_one_is_refused(desk: TestDesk, to: str) -> None:
    with db.transaction() as session:
        session.get_one(Contact, desk.people.carol).owner_id = desk.people.bob
    heir = str(desk.people.bob) if to == "bob" else "99999"
    answer = Browser(desk, desk.people.dana).send("/customers/handover", page="/customers", **{"from": str(desk.people.bob), "to": heir})
    assert answer.status_code == 422
    with db.read() as session:
        assert session.get_one(Contact, desk.people.carol).owner_id == desk.people.bob


def test_agents_hand_nothing_over(desk: TestDesk) -> None:
    alice = Browser(desk, desk.people.alice)
    assert alice.open("/customers/handover").status_code == 404 and "Handover" not in alice.open("/customers").text
    sent = {"from": str(desk.people.bob), "to": str(desk.people.alice)}
    assert alice.send("/customers/handover", page="/customers", **sent).status_code == 404
