"""Notices on every page of the portal: when, for whom, in which words, and how they are put away."""

from __future__ import annotations

import re
from datetime import timedelta

from sqlalchemy import select

from helpdesk import clock, db
from helpdesk.actor import Actor
from helpdesk.channels.portal import notices
from helpdesk.channels.portal.models import Notice
from helpdesk.channels.portal.notices import Shape
from helpdesk.kb import articles
from tests.desks import TestDesk
from tests.forms import Browser
from tests.integration.portal.visitors import dangers, typed

PAGES = ("/", "/kb", "/requests/new", "/links", "/sign-in")


def tells(desk: TestDesk, text: str = "Payments are slow.", **more: object) -> Notice:
    with db.transaction():
        return notices.add(Shape(text, **more), by=Actor("user", desk.people.ada))  # type: ignore[arg-type]


def test_everybody_reads_it_on_every_page_in_their_language_while_it_lasts(desk: TestDesk, stopped: clock.Hand) -> None:
    now = clock.now()
    tells(desk, text_ru="Платежи идут медленно.", level="down", from_at=now + timedelta(hours=1), until_at=now + timedelta(hours=3))
    visitor = desk.client()
    assert "Payments" not in visitor.get("/").text
    stopped.move(hours=2)
    for path in PAGES:
        assert "Payments are slow." in visitor.get(path).text, path
        assert "Платежи идут медленно." in visitor.get(f"{path}?lang=ru").text, path
    assert "Disturbance:" in visitor.get("/").text
    stopped.move(hours=1)
    assert "Payments" not in visitor.get("/").text


def test_whoever_puts_it_away_is_spared_until_it_is_changed_and_others_are_not(desk: TestDesk) -> None:
    notice = tells(desk)
    visitor, other = Browser(desk), Browser(desk)
    assert visitor.send(f"/notices/{notice.id}/dismissal", next="/kb").location == "/kb"
    assert "Payments" not in visitor.open("/").text and "Payments" in other.open("/").text
    assert visitor.send(f"/notices/{notice.id}/dismissal", next="//evil.example").location == "/"
    with db.transaction() as session:
        notices.edit(session.get_one(Notice, notice.id), Shape("Payments have stopped."), seen=None, by=Actor("user", desk.people.ada))
    assert "Payments have stopped." in visitor.open("/").text


def test_what_must_be_read_cannot_be_put_away(desk: TestDesk) -> None:
    notice = tells(desk, may_be_dismissed=False)
    visitor = Browser(desk)
    assert f"/notices/{notice.id}/dismissal" not in visitor.open("/").text
    visitor.send(f"/notices/{notice.id}/dismissal")
    assert "Payments" in visitor.open("/").text
    assert visitor.send("/notices/999999/dismissal").status_code == 303


def test_the_worst_stands_first_and_words_are_only_words(desk: TestDesk) -> None:
    tells(desk, "News <script>alert(1)</script>")
    tells(desk, "All is down", level="down")
    page = desk.client().get("/").text
    assert page.index("All is down") < page.index("News &lt;script&gt;") and dangers(page) == []


def test_a_known_problem_leads_to_its_article_for_those_who_may_read_it(desk: TestDesk) -> None:
    by = Actor("user", desk.people.dana)
    with db.transaction():
        article = articles.create(by=by)
        articles.save_draft(article, "en", title="Slow payments", body="Wait a little.", by=by)
        articles.publish(article, "en", by=by)
    notice = tells(desk, article="http://localhost/kb/en/slow-payments?x=1")
    assert 'href="/kb/en/slow-payments">More about it' in desk.client().get("/").text
    with db.transaction() as session:
        session.get_one(type(article), article.id).audience = "agents"
    page = desk.client().get("/").text
    assert "Payments are slow." in page and "More about it" not in page
    assert notice.article_id == article.id


def test_ada_writes_changes_and_ends_a_notice_and_mistakes_keep_her_words(desk: TestDesk, stopped: clock.Hand) -> None:
    ada, page = Browser(desk, desk.people.ada), "/admin/portal/notices"
    assert "No notices" in ada.open(page).text
    base = {"text": "A pause on Sunday", "text_ru": "Перерыв в воскресенье", "level": "limited", "from_at": "2026-03-02T10:00"}
    for wrong, words in (
        ({"text": ""}, "from 1 to 600"),
        ({"until_at": "2026-03-02T09:00"}, "end before it begins"),
        ({"from_at": "tomorrow"}, "a day and a time"),
        ({"article": "/kb/en/nothing"}, "no such article"),
        ({"level": "panic"}, "one of the list"),
    ):
        refused = ada.send(page, **{**base, **wrong})
        assert refused.status_code == 422 and words in refused.text and typed(refused.text, "text_ru") == "Перерыв в воскресенье"
    assert ada.send(page, **base, may_be_dismissed="1").status_code == 303
    with db.read() as session:
        notice = session.scalars(select(Notice)).one()
    assert "Shown now" in ada.open(page).text
    assert ada.save(f"{page}/{notice.id}", text="A pause on Monday").status_code == 303
    version = re.findall(r'name="version" value="(\d+)"', ada.open(f"{page}/{notice.id}").text)[-1]
    assert ada.send(f"{page}/{notice.id}/ending", version="1").status_code == 409
    assert ada.send(f"{page}/{notice.id}/ending", version=version).status_code == 303
    assert "Over" in ada.open(page).text and "pause" not in desk.client().get("/").text


def test_only_administrators_write_notices(desk: TestDesk) -> None:
    for who in (desk.people.alice, desk.people.dana):
        assert Browser(desk, who).send("/admin/portal/notices", page="/inbox", text="x").status_code == 404
