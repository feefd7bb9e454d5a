"""What scripts add to the customer's pages: suggestions while typing, words that stay, a page that moves. Each works without them too."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import pytest

from helpdesk import db
from helpdesk.actor import Actor
from helpdesk.kb import articles
from helpdesk.preferences import prefer
from helpdesk.tickets import linking, thread
from helpdesk.tickets.models import Ticket
from tests import people
from tests.axe import violations
from tests.running import RunningDesk

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningDesk]:
    made = RunningDesk(tmp_path_factory.mktemp("portal"))
    made.prepare()
    by = Actor("user", made.people.dana)
    with db.transaction():
        prefer(undo_s=2)
        for title in ("Water under the machine", "The machine does not heat", "Ways to pay"):
            article = articles.create(by=by)
            articles.save_draft(article, "en", title=title, body=f"{title}: what to do. <script>alert(1)</script>", by=by)
            articles.publish(article, "en", by=by)
    try:
        made.start()
        yield made
    finally:
        made.stop()
        db.disconnect()


@pytest.fixture
def page(chromium: Any, desk: RunningDesk) -> Iterator[Any]:
    context = chromium.new_context(viewport={"width": 1280, "height": 800}, locale="en-US", timezone_id="Asia/Tokyo")
    opened = context.new_page()
    yield opened
    context.close()


def test_the_search_field_suggests_and_arrow_keys_walk_there_and_back(desk: RunningDesk, page: Any) -> None:
    page.goto(desk.base)
    page.locator("#q").press_sequentially("water und", delay=20)
    page.wait_for_selector("#suggest a:has-text('Water under')")
    page.keyboard.press("ArrowDown")
    assert page.evaluate("document.activeElement.innerText") == "Water under the machine"
    assert violations(page) == []
    page.keyboard.press("ArrowUp")
    assert page.evaluate("document.activeElement.id") == "q"
    page.keyboard.press("Escape")
    assert page.locator("#suggest a").count() == 0


def test_the_request_form_suggests_keeps_words_and_forgets_them_once_they_have_arrived(desk: RunningDesk, page: Any) -> None:
    page.goto(f"{desk.base}/requests/new")
    page.fill("#f-name", "Tomoko")
    page.fill("#f-email", "tomoko@new.example")
    page.locator("#f-subject").press_sequentially("machine leaks", delay=20)
    page.wait_for_selector("#suggestions a:has-text('machine')")
    assert violations(page) == []
    page.fill("#f-body", "There is a puddle.")
    page.wait_for_timeout(600)
    page.goto(f"{desk.base}/kb")
    page.goto(f"{desk.base}/requests/new")
    assert page.input_value("#f-subject") == "machine leaks" and page.input_value("#f-body") == "There is a puddle."
    page.click("button:has-text('Send')")
    page.wait_for_url("**/sent")
    page.goto(f"{desk.base}/requests/new")
    assert page.input_value("#f-subject") == "" and page.input_value("#f-name") == ""


def test_an_answer_appears_on_the_open_page_once_it_is_final_and_takes_nothing_that_was_typed(desk: RunningDesk, page: Any) -> None:
    ticket = people.writes(desk.people.carol, inbox=desk.people.portal)
    with db.read():
        word = linking.token(ticket, desk.people.carol)
    page.goto(f"{desk.base}/t/{word}")
    page.wait_for_function("() => document.querySelector('#live-state')?.innerText.trim() === 'Live'")
    page.fill("#f-body", "half a sen")
    with db.transaction() as session:
        thread.reply(session.get_one(Ticket, ticket.id), "Tighten the tank.", by=Actor("user", desk.people.alice))
    page.wait_for_timeout(800)
    assert "Tighten" not in page.inner_text("#thread")
    page.wait_for_selector("#thread >> text=Tighten the tank.", timeout=10_000)
    assert page.input_value("#f-body") == "half a sen"
    assert violations(page) == []


def test_the_form_learns_the_readers_zone_and_the_promise_stands_on_their_clock(desk: RunningDesk, page: Any) -> None:
    page.goto(f"{desk.base}/requests/new")
    for name, words in (("name", "Kenji"), ("email", "kenji@new.example"), ("subject", "Hello"), ("body", "One question.")):
        page.fill(f"#f-{name}", words)
    page.click("button:has-text('Send')")
    page.click("text=Open the request")
    assert re.search(r"by .*\(Tokyo, UTC\+09:00\)", page.inner_text("#thread"))
