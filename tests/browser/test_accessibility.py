"""Every page of the house for everybody: no axe violation, nothing wider than the screen, no script error; both themes, languages and
widths. The portal's pages and those about customers have tests of their own.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from helpdesk import db
from helpdesk.actor import Actor
from helpdesk.auth import Role
from helpdesk.crm.models import Contact
from helpdesk.kb import articles
from helpdesk.tickets import surveys, thread
from helpdesk.tickets.models import Status, Ticket
from tests import axe, people, walking
from tests.running import RunningDesk

pytestmark = [pytest.mark.browser, pytest.mark.slow]

WIDE, SMALL = ("light", 1440), ("dark", 390)


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningDesk]:
    made = RunningDesk(tmp_path_factory.mktemp("looks"))
    company = made.prepare()
    ada = Actor("user", company.ada)
    with db.transaction() as session:
        people.person("Carla", Role.CUSTOMER, contact_id=company.carol)
        for language, title in (("en", "How to return an item"), ("ru", "Как вернуть товар")):
            article = articles.create(by=ada)
            articles.save_draft(
                article, language, title=title, body="## First\n\nSend it **back** within two weeks.\n\n- box\n- bill", by=ada
            )
            articles.publish(article, language, by=ada)
        session.flush()
    people.arrives(company.alice, company.eve)
    tickets = [people.writes(company.carol, inbox=company.mail) for _ in range(3)]
    made.start()
    try:
        with db.transaction() as session:
            first = session.get_one(Ticket, tickets[0].id)
            thread.note(first, "Ask the warehouse.", by=Actor("user", company.alice))
            thread.reply(first, "It is on its way.", by=Actor("user", company.alice), then=Status.PENDING)
            second = session.get_one(Ticket, tickets[1].id)
            thread.reply(second, "Done.", by=Actor("user", company.alice), then=Status.SOLVED)
            surveys.answer(surveys.send(second, session.get_one(Contact, second.requester_id)), 4, comment="Fine.")
        yield made
    finally:
        made.stop()
        db.disconnect()


def pages(desk: RunningDesk) -> list[tuple[int | None, str]]:
    company = desk.people
    with db.read() as session:
        ticket = session.query(Ticket).order_by(Ticket.id).first()
        assert ticket is not None
    return [
        (None, "/nowhere"),
        (company.alice, "/inbox"),
        (company.alice, f"/inbox/{ticket.number}"),
        (company.alice, "/notifications"),
        (company.alice, "/me"),
        (company.alice, f"/tickets/{ticket.number}/why"),
        (company.dana, "/wallboard"),
        (company.dana, "/floor"),
        (company.dana, f"/floor?queue={company.support}"),
        (company.dana, "/dry-runs"),
        (company.dana, f"/dry-runs/new?queue={company.support}"),
        (company.dana, "/staffing"),
        (company.alice, "/me/work"),
        (company.dana, "/kb/manage"),
        (company.dana, "/kb/manage/1/en"),
        (company.dana, "/kb/manage/1/en?beside=1"),
        (company.dana, "/kb/manage/insights"),
        (company.dana, "/kb/manage/insights/articles"),
        (company.dana, "/kb/manage/templates"),
        (company.dana, "/kb/manage/words"),
        (company.ada, "/admin"),
        (company.ada, "/admin/people"),
        (company.ada, f"/admin/people/{company.alice}"),
        (company.ada, "/admin/people/new"),
        (company.ada, "/admin/queues"),
        (company.ada, f"/admin/queues/{company.support}"),
        (company.ada, "/admin/skills"),
        (company.ada, "/admin/inboxes"),
        (company.ada, "/admin/preferences"),
        (company.ada, "/admin/interrupts"),
        (company.ada, "/admin/portal/topics"),
        (company.ada, "/admin/portal/topics/new"),
        (company.ada, "/admin/portal/notices/new"),
        (company.ada, "/admin/portal/look"),
        (company.ada, "/admin/jobs"),
        (company.ada, "/admin/events"),
        (company.ada, "/admin/mail"),
        (company.ada, "/settings/tokens"),
        (company.ada, "/api/v1/docs"),
    ]


@pytest.mark.parametrize(("language", "thorough"), [("en", True), ("ru", False), pytest.param("ru", True, marks=pytest.mark.soak)])
def test_pages_are_for_everybody(desk: RunningDesk, chromium: Any, language: str, thorough: bool) -> None:
    """Wide and light, small and dark, thoroughly with axe; or only for what other words need."""
    faults: list[str] = []
    tabs: dict[int | None, Any] = {}
    for user, path in pages(desk):
        if user not in tabs:
            context = chromium.new_context(locale="ru-RU" if language == "ru" else "en-US")
            if user is not None:
                context.add_cookies([desk.cookie(user)])
            tabs[user] = context.new_page()
            axe.listen(tabs[user], faults)
        page = tabs[user]
        address, status = desk.base + path, 404 if path == "/nowhere" else 200
        if thorough:
            found = walking.faults(page, address, WIDE, SMALL, status=status)
        else:
            found = walking.faults_of_words(page, address, language, SMALL, status=status)
        faults += [f"{path}: {fault}" for fault in found]
    for page in tabs.values():
        page.context.close()
    assert not faults, "\n".join(sorted(set(faults)))

