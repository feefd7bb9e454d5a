"""Topics of the request form: administrators shape them, customers fill them in without scripts, agents and programs read the values."""

from __future__ import annotations

import re
from html import unescape
from io import BytesIO
from typing import Any

import pytest
from sqlalchemy import select

from helpdesk import db
from helpdesk.actor import Actor
from helpdesk.agents import tokens
from helpdesk.auth import User
from helpdesk.tickets.models import Attachment, Message, Ticket
from helpdesk.tickets.topics import editing
from helpdesk.tickets.topics.editing import FieldShape, TopicShape
from helpdesk.tickets.topics.models import Topic, TopicField
from tests.desks import TestDesk
from tests.forms import Browser
from tests.integration.portal.visitors import form, hidden, link_of, typed

TOPICS = "/admin/portal/topics"


class Delivery:
    """A topic with a condition: whether it arrived; if so, when and what is broken, with a photograph; else nothing more."""

    def __init__(self, desk: TestDesk) -> None:
        by = Actor("user", desk.people.ada)
        with db.transaction():
            self.topic = editing.add_topic(
                TopicShape("Delivery", "Доставка", "Have the order at hand.", "Возьмите заказ.", desk.people.billing), by=by
            )
            self.number = editing.add_field(self.topic, FieldShape("Order number", "number", "Номер заказа", required=True), by=by)
            self.arrived = editing.add_field(self.topic, FieldShape("Has it arrived?", "yes_no", "Уже пришло?"), by=by)
            only = {"shown_if_id": self.arrived.id, "shown_if_values": ("yes",)}
            self.day = editing.add_field(self.topic, FieldShape("Which day", "date", "В какой день", required=True, **only), by=by)
            self.part = editing.add_field(
                self.topic, FieldShape("What is broken", "choice", options="Lid | Крышка\nBox | Коробка", **only), by=by
            )
            self.photo = editing.add_field(self.topic, FieldShape("Photograph", "file", **only), by=by)

    def values(self, *, seen: tuple[TopicField, ...] | None = None, **said: str) -> dict[str, Any]:
        """The form's fields; by default everything was shown that a script would show."""
        sent = {f"c-{getattr(self, name).id}": text for name, text in said.items()}
        shown = seen if seen is not None else (self.number, self.arrived, self.day, self.part, self.photo)
        return {"topic": self.topic.key, "seen": [str(row.id) for row in shown], **sent}


def tickets() -> list[Ticket]:
    with db.read() as session:
        return list(session.scalars(select(Ticket).order_by(Ticket.id)))


def test_what_was_filled_in_is_kept_typed_routed_and_shown_to_both_sides(desk: TestDesk) -> None:
    delivery, carol = Delivery(desk), desk.client()
    said = delivery.values(number="17", arrived="yes", day="2026-03-01", part="lid")
    link = link_of(carol.post("/requests/new", data=form(carol, **said)))
    (ticket,) = tickets()
    assert ticket.custom == {"order-number": 17, "has-it-arrived": True, "which-day": "2026-03-01", "what-is-broken": "lid"}
    assert (ticket.queue_id, ticket.topic_id) == (desk.people.billing, delivery.topic.id)
    page = carol.get(link).text
    assert "Order number: 17" in page and "What is broken: Lid" in page and "Which day: March 1, 2026" in page
    beside = desk.client(desk.people.eve).get(f"/inbox/{ticket.number}").text
    assert "<dt>Order number</dt><dd>17</dd>" in beside and "<h2>Delivery</h2>" in beside and "<dd>Yes</dd>" in beside
    with db.read() as session:
        assert session.scalars(select(Message.text)).one().startswith("It says 20 instead of 10.")


def test_without_scripts_the_topic_and_each_condition_are_a_step_that_keeps_every_word(desk: TestDesk) -> None:
    delivery, carol = Delivery(desk), desk.client()
    step = carol.post("/requests/new", data={**form(carol, topic="delivery"), "step": "fields"})
    assert step.status_code == 200 and "Have the order at hand." in step.text and typed(step.text, "subject") == "The invoice is wrong"
    first = {**form(carol), **delivery.values(seen=(delivery.number, delivery.arrived), number="17", arrived="yes")}
    asked = carol.post("/requests/new", data=first)
    assert asked.status_code == 422 and "One more step" in asked.text and "field-error" not in asked.text and tickets() == []
    day = re.search(rf'<div class="asked" data-field="c-{delivery.day.id}"[^>]*>', asked.text)
    assert day and "hidden" not in day[0] and typed(asked.text, f"c-{delivery.number.id}") == "17"
    missing = carol.post("/requests/new", data={**form(carol), **delivery.values(number="17", arrived="yes")})
    assert missing.status_code == 422 and missing.text.count("field-error") == 1 and tickets() == []
    done = carol.post("/requests/new", data={**form(carol), **delivery.values(number="17", arrived="yes", day="2026-03-01")})
    assert done.status_code == 303 and len(tickets()) == 1


def test_what_is_not_asked_is_neither_missed_nor_kept(desk: TestDesk) -> None:
    delivery, carol = Delivery(desk), desk.client()
    said = delivery.values(seen=(delivery.number, delivery.arrived), number="17", arrived="no", day="rubbish")
    assert carol.post("/requests/new", data=form(carol, **said)).status_code == 303
    assert tickets()[0].custom == {"order-number": 17, "has-it-arrived": False}


def test_wrong_values_are_marked_all_at_once_and_stay_as_they_were_typed(desk: TestDesk) -> None:
    delivery, carol = Delivery(desk), desk.client()
    answer = carol.post(
        "/requests/new", data=form(carol, **delivery.values(number="a <b>dozen", arrived="yes", day="2026-02-30", part="wheel"))
    )
    assert answer.status_code == 422 and answer.text.count("field-error") == 3 and tickets() == []
    assert typed(answer.text, f"c-{delivery.number.id}") == "a <b>dozen" and typed(answer.text, f"c-{delivery.day.id}") == "2026-02-30"


def test_a_topics_file_comes_along_and_its_name_is_the_value(desk: TestDesk) -> None:
    delivery, carol = Delivery(desk), desk.client()
    said = delivery.values(number="1", arrived="yes", day="2026-03-01")
    said |= {f"c-{delivery.photo.id}": (BytesIO(b"\x89PNG\r\n\x1a\n0000"), "lid.png"), "files": [(BytesIO(b"x"), "bill.txt")]}
    assert carol.post("/requests/new", data=form(carol, **said)).status_code == 303
    with db.read() as session:
        assert sorted(session.scalars(select(Attachment.name))) == ["bill.txt", "lid.png"]
    assert tickets()[0].custom["photograph"] == ["lid.png"]


def test_the_form_sent_twice_reloaded_or_after_its_session_is_one_ticket_with_every_word(desk: TestDesk) -> None:
    delivery, carol = Delivery(desk), desk.client()
    sent = form(carol, **delivery.values(number="17", arrived="no"))
    carol.delete_cookie("desk", domain="localhost")
    refused = carol.post("/requests/new", data=sent)
    assert refused.status_code == 422 and typed(refused.text, f"c-{delivery.number.id}") == "17"
    again = {**sent, "csrf_token": hidden(refused.text, "csrf_token")}
    assert [carol.post("/requests/new", data=again).status_code for _ in range(3)] == [303] * 3 and len(tickets()) == 1
    carol.post("/requests/new", data={**again, f"c-{delivery.number.id}": "18"})
    assert [ticket.custom["order-number"] for ticket in tickets()] == [17, 18]


def test_choosing_another_topic_carries_what_was_typed_into_the_first(desk: TestDesk) -> None:
    delivery, carol = Delivery(desk), desk.client()
    with db.transaction():
        editing.add_topic(TopicShape("Invoices", queue_id=desk.people.support), by=Actor("user", desk.people.ada))
    sent = form(carol, **delivery.values(number="17 & more", arrived="no"))
    other = carol.post("/requests/new/fields", data={**sent, "topic": "invoices"}).text
    assert f'<input type="hidden" name="c-{delivery.number.id}" value="17 &amp; more">' in other
    assert 'data-field="' not in other
    back = carol.post("/requests/new/fields", data=sent).text
    assert typed(back, f"c-{delivery.number.id}") == "17 & more"


def test_russian_customers_read_russian_labels_and_a_missing_one_is_english(desk: TestDesk) -> None:
    Delivery(desk)
    page = desk.client().get("/requests/new?topic=delivery&lang=ru").text
    assert "Номер заказа" in page and "Возьмите заказ." in page and "Photograph" in page and ">Доставка</option>" in page


def test_a_topic_that_was_switched_off_or_whose_queue_was_is_not_offered(desk: TestDesk) -> None:
    delivery, carol = Delivery(desk), desk.client()
    with db.transaction() as session:
        session.get_one(Topic, delivery.topic.id).active = False
    assert "Delivery" not in carol.get("/requests/new").text
    assert carol.post("/requests/new", data=form(carol, **delivery.values(number="1"))).status_code == 422


# --- administrators --------------------------------------------------------------------------------------------------


def test_ada_makes_a_topic_with_a_condition_and_the_form_asks_it(desk: TestDesk) -> None:
    ada = Browser(desk, desk.people.ada)
    assert "No topics yet" in ada.open(TOPICS).text
    made = ada.send(TOPICS, name="Delivery", name_ru="Доставка", queue_id=str(desk.people.billing))
    assert made.status_code == 303
    fields = f"{made.location}/fields"
    assert ada.send(fields, label="Arrived?", kind="yes_no").status_code == 303
    with db.read() as session:
        arrived = session.scalars(select(TopicField)).one()
    sent = {
        "label": "Day",
        "label_ru": "День",
        "kind": "date",
        "shown_if_id": str(arrived.id),
        f"if-{arrived.id}": ["yes"],
        "required": "1",
    }
    assert ada.send(fields, **sent).status_code == 303
    page = ada.open(made.location).text
    assert "only if “Arrived?” is Yes" in page and 'data-if-values="yes"' in page
    assert "День" in ada.open(f"{made.location}?preview=ru").text
    assert "Delivery" in desk.client().get("/requests/new").text


def test_mistakes_in_a_field_are_named_and_nothing_typed_is_lost(desk: TestDesk) -> None:
    delivery, ada = Delivery(desk), Browser(desk, desk.people.ada)
    fields = f"{TOPICS}/{delivery.topic.id}/fields"
    for sent, words in (
        ({"label": "", "kind": "text", "hint": "keep me"}, "Please write from 1 to 120"),
        ({"label": "X", "kind": "choice", "options": "One", "hint": "keep me"}, "from 2 to 50 choices"),
        ({"label": "X", "kind": "choice", "options": "One\nOne", "hint": "keep me"}, "stands here twice"),
        ({"label": "X", "kind": "riddle", "hint": "keep me"}, "choose one of the list"),
        ({"label": "X", "kind": "text", "shown_if_id": "999999", "hint": "keep me"}, "stands before this one"),
    ):
        answer = ada.send(fields, **sent)
        assert answer.status_code == 422 and words in answer.text and typed(answer.text, "hint") == "keep me"
    assert ada.send(TOPICS, name="X", queue_id="999999", help="keep me").status_code == 422


def test_order_is_changed_by_buttons_but_never_puts_a_field_before_the_one_that_decides(desk: TestDesk) -> None:
    delivery, ada = Delivery(desk), Browser(desk, desk.people.ada)
    assert ada.send(f"/admin/portal/fields/{delivery.arrived.id}/place", to="up").status_code == 303
    with db.read():
        assert [row.label for row in editing.all_fields(delivery.topic)][:2] == ["Has it arrived?", "Order number"]
    ada.send(f"/admin/portal/fields/{delivery.day.id}/place", to="up")
    refused = ada.send(f"/admin/portal/fields/{delivery.day.id}/place", to="up")
    assert refused.status_code == 409 and "after the one that decides" in refused.text


def test_removing_a_field_asks_first_keeps_the_values_and_is_refused_while_others_depend_on_it(desk: TestDesk) -> None:
    delivery, carol, ada = Delivery(desk), desk.client(), Browser(desk, desk.people.ada)
    carol.post("/requests/new", data=form(carol, **delivery.values(number="17", arrived="no")))
    deciding = f"/admin/portal/fields/{delivery.arrived.id}/removal"
    assert ada.save(deciding).status_code == 409
    page = f"/admin/portal/fields/{delivery.number.id}/removal"
    assert "1 request holds a value of it" in ada.open(page).text
    assert ada.save(page).status_code == 303 and ada.open(page).status_code == 404
    assert "Order number" not in carol.get("/requests/new?topic=delivery").text
    assert "<dt>Order number</dt><dd>17</dd>" in desk.client(desk.people.eve).get(f"/inbox/{tickets()[0].number}").text


def test_a_topic_with_requests_is_switched_off_not_removed(desk: TestDesk) -> None:
    delivery, carol, ada = Delivery(desk), desk.client(), Browser(desk, desk.people.ada)
    page = f"{TOPICS}/{delivery.topic.id}"
    carol.post("/requests/new", data=form(carol, **delivery.values(number="17", arrived="no")))
    version = hidden(ada.open(page).text, "version")
    assert ada.send(f"{page}/removal", version=version).status_code == 409
    assert ada.send(f"{page}/state", version=version, on="0").status_code == 303
    assert "Delivery" not in carol.get("/requests/new").text
    with db.transaction():
        spare = editing.add_topic(TopicShape("Spare", queue_id=desk.people.support), by=Actor("user", desk.people.ada))
        editing.add_field(spare, FieldShape("Something"), by=Actor("user", desk.people.ada))
    assert ada.save(f"{TOPICS}/{spare.id}/removal").status_code == 303 and "Spare" not in ada.open(TOPICS).text


def test_kinds_and_options_that_requests_hold_or_others_need_do_not_change_under_them(desk: TestDesk) -> None:
    delivery, carol, ada = Delivery(desk), desk.client(), Browser(desk, desk.people.ada)
    carol.post("/requests/new", data=form(carol, **delivery.values(number="17", arrived="yes", day="2026-03-01", part="lid")))
    number = f"/admin/portal/fields/{delivery.number.id}"
    assert ada.save(number, kind="date").status_code == 409
    assert ada.save(number, label="Number of the order").status_code == 303
    part = f"/admin/portal/fields/{delivery.part.id}"
    assert ada.save(part, options="Box | Коробка\nThe lid | Крышка").status_code == 303
    with db.read() as session:
        assert [one["value"] for one in session.get_one(TopicField, delivery.part.id).options] == ["box", "the-lid"]
    assert "What is broken" in unescape(desk.client(desk.people.eve).get(f"/inbox/{tickets()[0].number}").text)


def test_two_administrators_saving_at_once_do_not_overwrite_each_other(desk: TestDesk) -> None:
    delivery, ada = Delivery(desk), Browser(desk, desk.people.ada)
    page = f"{TOPICS}/{delivery.topic.id}"
    stale = hidden(ada.open(page).text, "version")
    assert ada.save(page, name="Deliveries").status_code == 303
    refused = ada.send(page, version=stale, name="Shipping", queue_id=str(desk.people.billing))
    assert refused.status_code == 409 and typed(refused.text, "name") == "Shipping"


@pytest.mark.parametrize("who", ["alice", "dana"])
def test_only_administrators_shape_the_form(desk: TestDesk, who: str) -> None:
    assert Browser(desk, getattr(desk.people, who)).open(TOPICS).status_code == 404


# --- programs --------------------------------------------------------------------------------------------------------


def test_programs_read_the_topics_and_send_values_that_take_the_same_checks(desk: TestDesk) -> None:
    Delivery(desk)
    with db.transaction() as session:
        ada = session.get_one(User, desk.people.ada)
        _row, secret = tokens.issue(ada, "test", ["tickets:read", "tickets:write"], valid=None, by=Actor("user", ada.id))
    api, head = desk.client(), {"Authorization": f"Bearer {secret}"}
    (topic,) = api.get("/api/v1/topics", headers=head).json["items"]
    assert topic["key"] == "delivery" and [one["key"] for one in topic["fields"]][:2] == ["order-number", "has-it-arrived"]
    assert topic["fields"][2]["shown_if"] == "has-it-arrived"
    new = {"requester": {"email": "carol@customer.example"}, "subject": "Late", "body": "Where is it?", "topic": "delivery"}
    for custom, names in (
        ({}, ["custom.order-number"]),
        ({"order-number": "many", "colour": "red"}, ["custom.colour", "custom.order-number"]),
        ({"order-number": 5, "which-day": "2026-03-01"}, ["custom.which-day"]),
    ):
        refused = api.post("/api/v1/tickets", json={**new, "custom": custom}, headers=head)
        assert refused.status_code == 422 and sorted(one["field"] for one in refused.json["errors"]) == names
    assert api.post("/api/v1/tickets", json={**new, "topic": "nothing"}, headers=head).status_code == 422
    made = api.post("/api/v1/tickets", json={**new, "custom": {"order-number": 5, "has-it-arrived": False}}, headers=head)
    assert made.status_code == 201 and made.json["topic"] == "delivery"
    shown = api.get(f"/api/v1/tickets/{made.json['number']}", headers=head).json
    assert shown["custom"] == {"order-number": 5, "has-it-arrived": False} and shown["queue"]["name"] == "Billing"
