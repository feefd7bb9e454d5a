"""The request form with a topic's own questions: with scripts, without them, by keyboard alone; in both languages nothing typed is lost."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from sqlalchemy import select

from helpdesk import db
from helpdesk.actor import Actor
from helpdesk.auth import Role
from helpdesk.channels.portal import notices
from helpdesk.channels.portal.notices import Shape
from helpdesk.tickets.models import Ticket
from helpdesk.tickets.topics import editing
from helpdesk.tickets.topics.editing import FieldShape, TopicShape
from tests import people
from tests.axe import violations
from tests.running import RunningDesk

pytestmark = pytest.mark.browser

LANGUAGES = ["en", pytest.param("ru", marks=pytest.mark.soak)]


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningDesk]:
    made = RunningDesk(tmp_path_factory.mktemp("form"))
    company = made.prepare()
    by = Actor("user", company.ada)
    with db.transaction():
        topic = editing.add_topic(TopicShape("Delivery", "Доставка", queue_id=company.support), by=by)
        editing.add_field(topic, FieldShape("Order number", "number", "Номер заказа", required=True), by=by)
        arrived = editing.add_field(topic, FieldShape("Has it arrived?", "yes_no", "Уже пришло?"), by=by)
        only = {"shown_if_id": arrived.id, "shown_if_values": ("yes",)}
        editing.add_field(topic, FieldShape("What is broken", "text", "Что сломано", required=True, **only), by=by)
        editing.add_topic(TopicShape("Invoices", "Счета", queue_id=company.billing), by=by)
        notices.add(Shape("Payments are slow.", "Платежи идут медленно.", level="limited"), by=by)
        people.person("Carla", Role.CUSTOMER, contact_id=company.carol)
    people.writes(company.carol, inbox=company.portal)
    try:
        made.start()
        yield made
    finally:
        made.stop()
        db.disconnect()


def visit(chromium: Any, language: str, *, scripts: bool = True, width: int = 1280) -> Any:
    return chromium.new_context(
        viewport={"width": width, "height": 800}, locale="ru-RU" if language == "ru" else "en-US", java_script_enabled=scripts
    )


def newest() -> Ticket:
    with db.read() as session:
        return session.scalars(select(Ticket).order_by(Ticket.id.desc())).first()  # type: ignore[return-value]


def fill(page: Any, **texts: str) -> None:
    for name, words in texts.items():
        page.fill(f"[name={name}]", words)


@pytest.mark.parametrize("language", LANGUAGES)
def test_questions_come_and_go_with_the_answers_and_a_page_that_was_left_comes_back_whole(
    desk: RunningDesk, chromium: Any, language: str
) -> None:
    context = visit(chromium, language)
    page = context.new_page()
    page.goto(f"{desk.base}/requests/new")
    fill(page, name="Tomoko", email="tomoko@new.example", subject="Broken lid", body="It came like this.")
    page.select_option("[name=topic]", "delivery")
    page.wait_for_selector("[name=c-1]")
    fill(page, **{"c-1": "17"})
    assert not page.is_visible("[name=c-3]")
    page.select_option("[name=c-2]", "yes")
    fill(page, **{"c-3": "the lid"})
    assert violations(page) == []
    page.select_option("[name=c-2]", "no")
    assert not page.is_visible("[name=c-3]")
    page.select_option("[name=c-2]", "yes")
    assert page.input_value("[name=c-3]") == "the lid"
    page.wait_for_timeout(600)
    page.goto(f"{desk.base}/kb")
    page.goto(f"{desk.base}/requests/new")
    page.wait_for_selector("[name=c-1]")
    page.wait_for_function("() => document.querySelector('[name=c-3]')?.value === 'the lid'")
    assert page.input_value("[name=c-1]") == "17" and page.is_visible("[name=c-3]") and page.input_value("[name=subject]") == "Broken lid"
    page.click("#request button.btn-primary")
    page.wait_for_url("**/sent")
    assert newest().custom == {"order-number": 17, "has-it-arrived": True, "what-is-broken": "the lid"}
    page.goto(f"{desk.base}/requests/new")
    page.wait_for_timeout(200)
    assert page.input_value("[name=topic]") == "" and page.input_value("[name=subject]") == ""
    context.close()


@pytest.mark.parametrize("language", LANGUAGES)
def test_without_scripts_the_same_form_takes_its_steps_on_the_server(desk: RunningDesk, chromium: Any, language: str) -> None:
    context = visit(chromium, language, scripts=False, width=390)
    page = context.new_page()
    page.goto(f"{desk.base}/requests/new")
    fill(page, name="Nina", email="nina@new.example", subject="Broken box", body="It came like this.")
    page.select_option("[name=topic]", "delivery")
    page.click("button[name=step]")
    fill(page, **{"c-1": "18"})
    page.select_option("[name=c-2]", "yes")
    page.click("#request button.btn-primary")
    assert page.is_visible("[name=c-3]") and page.input_value("[name=subject]") == "Broken box"
    fill(page, **{"c-3": "the box"})
    page.click("#request button.btn-primary")
    page.wait_for_url("**/sent")
    assert newest().custom["what-is-broken"] == "the box"
    assert not page.is_visible("button[hidden]")
    context.close()


def test_a_notice_is_put_away_in_place_and_takes_nothing_that_was_typed(desk: RunningDesk, chromium: Any) -> None:
    context = visit(chromium, "en")
    page = context.new_page()
    page.goto(f"{desk.base}/requests/new")
    fill(page, subject="Half a sen")
    page.click(".notice button")
    page.wait_for_selector(".notice", state="detached")
    assert page.input_value("[name=subject]") == "Half a sen"
    page.goto(desk.base)
    assert page.locator(".notice").count() == 0
    context.close()
