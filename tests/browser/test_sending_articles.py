"""An agent sends an article with the keyboard alone; what was sent is noted with the reply."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from sqlalchemy import select

from helpdesk import db
from helpdesk.actor import Actor
from helpdesk.kb import articles
from helpdesk.kb.models import ArticleUse, Audience
from tests import people
from tests.axe import violations
from tests.running import RunningDesk

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningDesk]:
    made = RunningDesk(tmp_path_factory.mktemp("sending"))
    made.prepare()
    by = Actor("user", made.people.dana)
    with db.transaction():
        for title, audience in (
            ("Getting a refund", Audience.PUBLIC),
            ("Refund limits", Audience.AGENTS),
            ("Opening hours", Audience.PUBLIC),
        ):
            article = articles.create(by=by, audience=audience)
            articles.save_draft(article, "en", title=title, body=f"## {title}\n\n1. First\n2. Then", by=by)
            articles.publish(article, "en", by=by)
    try:
        made.start()
        yield made
    finally:
        made.stop()
        db.disconnect()


def test_an_article_is_found_sent_as_link_and_as_text_and_noted_by_keyboard_alone(desk: RunningDesk, person: Any) -> None:
    ticket = people.writes(desk.people.carol, "When do I get my refund?", inbox=desk.people.mail, subject="Refund")
    page = person(f"/inbox/{ticket.number}", desk.people.alice)
    page.focus("#body")
    page.keyboard.press("Control+Shift+F")
    page.wait_for_selector("#article-list button:has-text('Getting a refund')")
    assert page.evaluate("document.activeElement.name") == "q" and violations(page) == []
    page.keyboard.type("getting a ref", delay=15)
    page.wait_for_function("() => document.querySelectorAll('#article-list li').length > 0 && !document.querySelector('.htmx-request')")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")
    page.wait_for_function("() => document.activeElement.id === 'body'")
    assert page.input_value("#body") == f"{desk.base}/kb/en/getting-a-refund"
    page.keyboard.press("Control+Shift+F")
    page.locator("#articles input[type=search]").fill("limits")
    page.locator("#article-list button:has-text('Refund limits')").press("Enter")
    page.wait_for_function("() => document.querySelector('#body').value.includes('2. Then')")
    assert page.input_value("#body").endswith("Refund limits\n\nRefund limits\n\n1. First\n2. Then")
    page.focus("#body")
    page.keyboard.press("Control+Enter")
    page.wait_for_selector("#thread >> text=Refund limits")
    with db.read() as session:
        assert len(set(session.scalars(select(ArticleUse.article_id)))) == 2
