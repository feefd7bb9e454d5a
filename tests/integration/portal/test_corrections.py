"""What a ticket holds of its form is corrected by colleagues on a page and by programs, and every correction stays in the history."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import select

from helpdesk import db
from helpdesk.actor import Actor
from helpdesk.agents import tokens
from helpdesk.auth import Role, User
from helpdesk.tickets.models import Ticket
from helpdesk.tickets.topics.models import AnswerChange
from tests import people
from tests.desks import TestDesk
from tests.forms import Browser
from tests.integration.portal.test_topics import Delivery, tickets
from tests.integration.portal.visitors import form, typed


class Asked:
    """Carol's request about a delivery that arrived broken, and how it is corrected."""

    def __init__(self, desk: TestDesk) -> None:
        self.desk, self.form = desk, Delivery(desk)
        client = desk.client()
        sent = form(client, **self.form.values(number="17", arrived="yes", day="2026-03-01", part="lid"))
        assert client.post("/requests/new", data=sent).status_code == 303
        self.number = tickets()[0].number

    @property
    def ticket(self) -> Ticket:
        return next(one for one in tickets() if one.number == self.number)

    @property
    def url(self) -> str:
        return f"/tickets/{self.number}/answers"

    def corrects(self, user: int, *, version: int | None = None, **said: str) -> Any:
        given = {f"c-{getattr(self.form, name).id}": text for name, text in said.items()}
        browser = Browser(self.desk, user)
        return browser.send(self.url, version=version or self.ticket.version, **given)

    def patch(self, custom: dict[str, Any], *, role: str = "ada") -> Any:
        with db.transaction() as session:
            user = session.get_one(User, getattr(self.desk.people, role))
            _row, secret = tokens.issue(user, "robot", ["tickets:read", "tickets:write"], valid=None, by=Actor("user", user.id))
        return self.desk.client().patch(
            f"/api/v1/tickets/{self.number}", json={"custom": custom}, headers={"Authorization": f"Bearer {secret}"}
        )


@pytest.fixture
def asked(desk: TestDesk) -> Asked:
    return Asked(desk)


def history() -> list[tuple[Any, Any]]:
    with db.read() as session:
        return [(row.old, row.new) for row in session.scalars(select(AnswerChange).order_by(AnswerChange.id))]


def test_an_agent_corrects_the_form_and_everybody_reads_what_it_was(desk: TestDesk, asked: Asked) -> None:
    eve = Browser(desk, desk.people.eve)
    assert "Correct the form" in eve.open(f"/inbox/{asked.number}").text
    page = eve.open(asked.url).text
    assert typed(page, f"c-{asked.form.number.id}") == "17"
    assert asked.corrects(desk.people.eve, number="18", arrived="yes", day="1.3.2026", part="box").status_code == 303
    key = {name: getattr(asked.form, name).key for name in ("number", "arrived", "day", "part")}
    assert asked.ticket.custom == {key["number"]: 18, key["arrived"]: True, key["day"]: "2026-03-01", key["part"]: "box"}
    assert history() == [(17, 18), ("lid", "box")]
    thread = eve.open(f"/inbox/{asked.number}").text
    assert "Eve corrected the form" in thread and "Box" in thread
    page = eve.open(asked.url).text
    assert "Order number" in page and "Lid" in page and "Box" in page and "Eve" in page


def test_a_refusal_keeps_what_was_typed_and_changes_nothing(desk: TestDesk, asked: Asked) -> None:
    before = asked.ticket
    answer = asked.corrects(desk.people.eve, number="a dozen", arrived="yes", day="31.2.2026", part="lid")
    assert answer.status_code == 422 and typed(answer.text, f"c-{asked.form.number.id}") == "a dozen" and "a day that exists" in answer.text
    stale = asked.corrects(desk.people.eve, version=before.version + 7, number="18", arrived="yes", day="", part="lid")
    assert stale.status_code == 409 and typed(stale.text, f"c-{asked.form.number.id}") == "18"
    assert asked.ticket.custom == before.custom and history() == []


def test_what_a_condition_hides_goes_and_saving_the_same_changes_nothing(desk: TestDesk, asked: Asked) -> None:
    version = asked.ticket.version
    asked.corrects(desk.people.eve, number="17", arrived="yes", day="2026-03-01", part="lid")
    assert asked.ticket.version == version and history() == []
    asked.corrects(desk.people.eve, number="17", arrived="no", day="2026-03-01", part="lid")
    assert asked.ticket.custom == {asked.form.number.key: 17, asked.form.arrived.key: False}
    assert sorted(map(str, history())) == sorted(map(str, [(True, False), ("2026-03-01", None), ("lid", None)]))


def test_a_file_that_was_sent_stays_with_its_field(desk: TestDesk, asked: Asked) -> None:
    with db.transaction() as session:
        one = session.get_one(Ticket, asked.ticket.id)
        one.custom = {**one.custom, asked.form.photo.key: ["lid.jpg", "box.jpg"]}
    page = Browser(desk, desk.people.eve).open(asked.url).text
    assert "lid.jpg, box.jpg" in page and 'type="file"' not in page
    asked.corrects(desk.people.eve, number="18", arrived="yes", day="", part="")
    assert asked.ticket.custom[asked.form.photo.key] == ["lid.jpg", "box.jpg"]


def test_programs_correct_single_values_by_key(desk: TestDesk, asked: Asked) -> None:
    number, part, photo = (getattr(asked.form, name).key for name in ("number", "part", "photo"))
    answer = asked.patch({number: 99, part: None})
    assert answer.status_code == 200 and answer.get_json()["custom"][number] == 99 and part not in answer.get_json()["custom"]
    assert sorted(map(str, history())) == sorted(map(str, [(17, 99), ("lid", None)]))
    wrong = asked.patch({number: "many", "made_up": 1, photo: "x.png"})
    assert wrong.status_code == 422
    assert {f"custom.{number}", "custom.made_up", f"custom.{photo}"} <= {one["field"] for one in wrong.get_json()["errors"]}
    assert asked.ticket.custom[number] == 99


def test_neither_other_queues_nor_customers_nor_tickets_without_a_form(desk: TestDesk, asked: Asked) -> None:
    assert Browser(desk, desk.people.alice).open(asked.url).status_code == 404
    assert asked.corrects(desk.people.alice, number="1").status_code == 404
    with db.transaction():
        carla = people.person("Carla", Role.CUSTOMER, contact_id=asked.ticket.requester_id).id
    assert asked.corrects(carla, number="1").status_code == 404 and asked.patch({asked.form.number.key: 1}, role="alice").status_code == 404
    plain = people.writes(desk.people.carol, inbox=desk.people.billing_mail)
    eve = Browser(desk, desk.people.eve)
    assert eve.open(f"/tickets/{plain.number}/answers").status_code == 404
    assert f"/tickets/{plain.number}/answers" not in eve.open(f"/inbox/{plain.number}").text
    assert history() == []
