"""Whoever owns an article hears of its review date: once when it comes, once when it was a week ago, and of no date that is void."""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy import select

from helpdesk import clock, db
from helpdesk.actor import Actor
from helpdesk.agents.models import Notification
from helpdesk.auth import User
from helpdesk.kb import about
from helpdesk.kb.models import Article, Audience
from tests.desks import TestDesk
from tests.forms import Browser
from tests.integration.kb.shelf import withdraws, writes


@pytest.fixture
def article(desk: TestDesk, stopped: clock.Hand) -> Article:
    """Alice's, to be looked at in ten days."""
    made = writes(desk, "Return a parcel", owner_id=desk.people.alice)
    plans(desk, made, days=10)
    return made


def plans(desk: TestDesk, article: Article, *, days: int | None, every: int | None = None, owner: int | None = None) -> None:
    with db.transaction() as session:
        about.describe(
            session.get_one(Article, article.id),
            by=Actor("user", desk.people.dana),
            category_id=None,
            audience=Audience.PUBLIC,
            owner_id=owner or desk.people.alice,
            review_at=clock.now() + timedelta(days=days) if days is not None else None,
            review_days=every,
        )


def told(desk: TestDesk) -> list[tuple[int, str]]:
    """Who has heard of what so far."""
    desk.work()
    with db.read() as session:
        found = select(Notification).where(Notification.article_id.is_not(None)).order_by(Notification.id)
        return [(row.user_id, row.kind) for row in session.scalars(found)]


def test_the_owner_is_told_when_the_day_comes_and_once_more_a_week_later(desk: TestDesk, stopped: clock.Hand, article: Article) -> None:
    alice = desk.people.alice
    stopped.move(days=9)
    assert told(desk) == []
    stopped.move(days=1)
    assert told(desk) == [(alice, "review_due")]
    stopped.move(days=6)
    assert told(desk) == [(alice, "review_due")]
    stopped.move(days=1)
    assert told(desk) == [(alice, "review_due"), (alice, "review_overdue")]
    stopped.move(days=60)
    assert told(desk) == [(alice, "review_due"), (alice, "review_overdue")]


def test_a_date_that_was_moved_or_looked_at_is_void(desk: TestDesk, stopped: clock.Hand, article: Article) -> None:
    plans(desk, article, days=20, every=30)
    stopped.move(days=15)
    assert told(desk) == []
    with db.transaction() as session:
        about.look_again(session.get_one(Article, article.id), by=Actor("user", desk.people.alice))
    stopped.move(days=29)
    assert told(desk) == []
    stopped.move(days=1)
    assert told(desk) == [(desk.people.alice, "review_due")]


def test_nobody_is_told_of_a_withdrawn_article_nor_is_one_who_left(desk: TestDesk, stopped: clock.Hand, article: Article) -> None:
    other = writes(desk, "Pay", owner_id=desk.people.bob)
    plans(desk, other, days=10, owner=desk.people.bob)
    withdraws(desk, article)
    with db.transaction() as session:
        session.get_one(User, desk.people.bob).active = False
    stopped.move(days=30)
    assert told(desk) == []


def test_the_news_lead_to_the_article_and_are_read_by_opening_it(desk: TestDesk, stopped: clock.Hand, article: Article) -> None:
    stopped.move(days=10)
    told(desk)
    alice = Browser(desk, desk.people.alice)
    page = alice.open("/notifications").text
    assert "Return a parcel: it is time to look at it again" in page and "unread" in page
    answer = alice.open(f"/notifications/articles/{article.id}")
    assert answer.headers["Location"] == f"/kb/manage/{article.id}/en"
    assert "unread" not in alice.open("/notifications").text
    listed = alice.open("/kb/manage?state=review").text
    assert "Return a parcel" in listed and "Review due" in listed


def test_a_week_later_the_list_says_that_it_is_overdue(desk: TestDesk, stopped: clock.Hand, article: Article) -> None:
    alice = Browser(desk, desk.people.alice)
    stopped.move(days=12)
    assert "overdue" not in alice.open("/kb/manage?state=review").text
    stopped.move(days=6)
    assert "overdue" in alice.open("/kb/manage?state=review").text
