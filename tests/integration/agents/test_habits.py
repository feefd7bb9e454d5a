"""How an agent likes to work: each choice on their own page takes effect, and nobody else's is touched."""

from __future__ import annotations

import re
from typing import Any

import pytest
from sqlalchemy import select

from helpdesk import clock, db
from helpdesk.actor import Actor
from helpdesk.agents import assignments, wishes
from helpdesk.agents.models import AgentProfile, Offer, OfferState
from helpdesk.auth import User
from helpdesk.tickets.models import Ticket
from tests import people
from tests.desks import TestDesk
from tests.forms import Browser


def profile(user: int) -> AgentProfile:
    with db.read() as session:
        return session.get_one(AgentProfile, user)


def body_tag(page: str) -> str:
    found = re.search(r"<body[^>]*>", page)
    assert found
    return found[0]


def owned(desk: TestDesk, user: int, n: int = 1) -> list[Ticket]:
    made = []
    for _ in range(n):
        ticket = people.writes(desk.people.carol, inbox=desk.people.mail)
        with db.transaction() as session:
            assignments.assign(session.get_one(Ticket, ticket.id), session.get_one(User, user), how="manual", by=Actor("user", user))
        made.append(ticket)
    return made


def sends(browser: Browser, ticket: Ticket, **headers: Any) -> Any:
    token = browser.token("/inbox")
    values = {"csrf_token": token, "kind": "reply", "body": "Here it is.", "then": "solved"}
    return browser.client.post(f"/tickets/{ticket.number}/messages", data=values, headers=headers)


def test_each_choice_is_kept_and_shows_on_every_page(desk: TestDesk) -> None:
    alice = Browser(desk, desk.people.alice)
    tag = body_tag(alice.open("/inbox").text)
    assert "data-mute" not in tag and "data-quiet" not in tag and "data-keys" not in tag
    answer = alice.save("/me/work", sound=None, do_not_disturb="1", shortcuts=None, after_send="list", signature="Alice\nSupport")
    assert answer.status_code == 303
    tag = body_tag(alice.open("/customers").text)
    assert "data-mute" in tag and "data-quiet" in tag and 'data-keys="off"' in tag
    kept = profile(desk.people.alice)
    assert (kept.signature, kept.after_send, kept.sound, kept.do_not_disturb, kept.shortcuts) == (
        "Alice\nSupport",
        "list",
        False,
        True,
        False,
    )
    assert profile(desk.people.bob).sound and "data-mute" not in body_tag(Browser(desk, desk.people.bob).open("/inbox").text)


@pytest.mark.parametrize("fields", [{"after_send": "moon"}, {"signature": "x" * 2001}])
def test_what_cannot_be_kept_is_refused_and_stays_in_the_form(desk: TestDesk, fields: dict[str, str]) -> None:
    answer = Browser(desk, desk.people.alice).save("/me/work", **{"signature": "Mine", **fields})
    assert answer.status_code == 422 and profile(desk.people.alice).signature == ""
    assert fields.get("signature", "Mine") in answer.text


def test_two_screens_do_not_overwrite_each_other(desk: TestDesk) -> None:
    alice = Browser(desk, desk.people.alice)
    old = re.search(r'name="seen" value="(\w+)"', alice.open("/me/work").text)
    assert old
    alice.save("/me/work", signature="First")
    answer = alice.save("/me/work", signature="Second", seen=old[1])
    assert answer.status_code == 409 and "Second" in answer.text and profile(desk.people.alice).signature == "First"


def test_customers_have_no_such_page(desk: TestDesk) -> None:
    with db.transaction():
        carla = people.person("Carla", people.Role.CUSTOMER, contact_id=desk.people.carol)
    assert desk.client(carla.id).get("/me/work").status_code == 404
    assert "data-mute" not in body_tag(desk.client(carla.id).get("/my").text)


# --- after sending ---------------------------------------------------------------------------------------------------------


def test_after_sending_one_stays_by_default(desk: TestDesk) -> None:
    [ticket, _other] = owned(desk, desk.people.alice, 2)
    answer = sends(Browser(desk, desk.people.alice), ticket)
    assert answer.headers["Location"].endswith(f"/inbox/{ticket.number}")


def test_after_sending_the_next_of_ones_own_opens_with_undo(desk: TestDesk, stopped: clock.Hand) -> None:
    alice = Browser(desk, desk.people.alice)
    alice.save("/me/work", after_send="next")
    [first] = owned(desk, desk.people.alice)
    stopped.move(minutes=1)
    [second, _third] = owned(desk, desk.people.alice, 2)
    answer = sends(alice, first, **{"HX-Request": "true"})
    assert answer.headers["HX-Push-Url"] == f"/inbox/{second.number}" and f"#{second.number}" in answer.text
    assert "/withdrawal" in answer.headers["HX-Trigger"]
    assert sends(alice, second).headers["Location"].endswith(f"/inbox/{_third.number}")
    last = sends(alice, _third)  # nothing of hers waits any more: the list
    assert last.headers["Location"].endswith("/inbox")


def test_after_sending_the_list_says_what_was_sent(desk: TestDesk) -> None:
    alice = Browser(desk, desk.people.alice)
    alice.save("/me/work", after_send="list")
    [ticket] = owned(desk, desk.people.alice)
    answer = sends(alice, ticket)
    assert answer.headers["Location"].endswith("/inbox") and f"#{ticket.number}: Sent." in alice.open("/inbox").text


# --- the offer card --------------------------------------------------------------------------------------------------------


def test_an_offer_has_keys_reasons_and_the_customers_wish(desk: TestDesk) -> None:
    company = desk.people
    people.arrives(company.eve)
    ticket = people.writes(company.carol, inbox=company.billing_mail)
    desk.work()
    with db.transaction() as session:
        wishes.ask(session.get_one(Ticket, ticket.id), company.carol, "phone", "+4930901820", by=Actor("link", company.carol))
    eve = Browser(desk, company.eve)
    card = eve.open("/offers").text
    assert 'data-key="Shift+KeyA"' in card and 'data-key="Shift+KeyD"' in card and "Asks to be called." in card
    assert "data-left-said" in card and 'data-left aria-hidden="true"' in card and "I am about to leave" in card
    with db.read() as session:
        offer = session.scalars(select(Offer)).one()
    eve.send(f"/offers/{offer.id}/refusal", reason="leaving")
    with db.read() as session:
        declined = session.get_one(Offer, offer.id)
    assert (declined.state, declined.reason) == (OfferState.DECLINED, "leaving")
