"""Every page that customers can open, from the address map: without scripts, by keyboard alone and through axe, in both languages.

A new page without an entry in PAGES fails the first test; what is no page says why.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from helpdesk import db, links
from helpdesk.actor import Actor
from helpdesk.auth import Role, User, issue_link
from helpdesk.channels.email import claims, unsubscribing
from helpdesk.channels.portal import addresses
from helpdesk.crm.models import Contact
from helpdesk.kb import articles, categories
from helpdesk.signin.by_mail import VALID
from helpdesk.tickets import linking, surveys, thread
from helpdesk.tickets.models import Status, Survey, Ticket
from helpdesk.tickets.topics import editing
from helpdesk.tickets.topics.editing import FieldShape, TopicShape
from tests import axe, people, walking
from tests.running import RunningDesk, started

pytestmark = [pytest.mark.browser, pytest.mark.slow]

DOORS = {"portal", "kb", "signin", "claims", "mail_links"}
#: What is no page of its own, and why.
NO_PAGES = {
    "kb.picture": "a file", "kb.robots": "for programs", "kb.sitemap": "for programs", "kb.suggest": "a part of the search field",
    "mail_links.mailed_file": "a file", "portal.brand_css": "a stylesheet", "portal.brand_logo": "a picture",
    "portal.file_by_link": "a file", "portal.my_data": "a file", "portal.my_everything": "a file",
    "portal.my_place": "a part of the request", "portal.place_by_link": "a part of the request",
}  # fmt: skip
Path = Callable[["House"], str]
WIDE, SMALL = ("light", 1280), ("dark", 390)


class House:
    """A desk with something behind every address; `carla` signed in, everybody else by their links."""

    def __init__(self, desk: RunningDesk) -> None:
        self.desk, company = desk, desk.people
        ada, alice = Actor("user", company.ada), Actor("user", company.alice)
        with db.transaction() as session:
            carla = people.person("Carla", Role.CUSTOMER, email="carol@customer.example", contact_id=company.carol)
            invited = people.person("Ivan", Role.AGENT)
            shelf = categories.add(name_en="Returns", name_ru="Возвраты", by=ada)
            article = articles.create(by=ada, category_id=shelf.id)
            for language, title in (("en", "Return an item"), ("ru", "Вернуть товар")):
                articles.save_draft(article, language, title=title, body="## First\n\nSend it **back**.\n\n- box\n- bill", by=ada)
                articles.publish(article, language, by=ada)
            topic = editing.add_topic(TopicShape("Delivery", "Доставка", "", "", company.support), by=ada)
            editing.add_field(topic, FieldShape("Order number", "number", "Номер заказа"), by=ada)
            session.flush()
            self.carla, self.invited, self.topic = carla.id, invited.id, topic.key
        tickets = [people.writes(company.carol, inbox=company.mail) for _ in range(2)]
        stranger = people.writes(company.oleg, inbox=company.mail)
        with db.transaction() as session:
            open_, solved = (session.get_one(Ticket, one.id) for one in tickets)
            thread.reply(open_, "It is on its way.", by=alice, then=Status.PENDING)
            thread.reply(solved, "Done.", by=alice, then=Status.SOLVED)
            survey = surveys.send(solved, session.get_one(Contact, solved.requester_id))
            assert isinstance(survey, Survey)
            me, user = session.get_one(Contact, company.carol), session.get_one(User, self.carla)
            with desk.app.test_request_context():
                wish = addresses.ask(me, user, "carol@new.example")
            self.ticket, self.survey = open_.number, surveys.token(survey)
            self.link = linking.token(open_, open_.requester_id)
            self.wish = links.sign(addresses.PURPOSE, [wish.id, wish.value_norm])
            self.claim = links.sign(claims.PURPOSE, [company.oleg, company.carol, stranger.id])
            self.unsubscribe = links.sign(unsubscribing.PURPOSE, "carol@customer.example")
            self.secrets = {purpose: issue_link(user, purpose, valid=VALID[purpose]) for purpose in ("signin", "reset")}
            self.secrets["invite"] = issue_link(session.get_one(User, self.invited), "invite", valid=VALID["invite"])


#: Endpoint → (whether Carla is signed in, its address).
PAGES: dict[str, tuple[bool, Path]] = {
    "claims.one": (False, lambda house: f"/claims/{house.claim}"),
    "kb.article": (False, lambda house: "/kb/en/return-an-item"),
    "kb.find": (False, lambda house: "/kb/search?q=return"),
    "kb.index": (False, lambda house: "/kb"),
    "kb.topic": (False, lambda house: "/kb/topics/returns"),
    "mail_links.unsubscribe_page": (False, lambda house: f"/unsubscribe/{house.unsubscribe}"),
    "portal.confirm_page": (True, lambda house: f"/my/addresses/confirm/{house.wish}"),
    "portal.fresh_link_sent": (False, lambda house: "/links/sent"),
    "portal.home": (False, lambda house: "/"),
    "portal.lost_link": (False, lambda house: "/links"),
    "portal.my_data_page": (True, lambda house: "/my/data"),
    "portal.my_privacy": (True, lambda house: "/my/privacy"),
    "portal.my_profile": (True, lambda house: "/my/profile"),
    "portal.my_questions": (True, lambda house: "/my/questions"),
    "portal.my_request": (True, lambda house: f"/my/requests/{house.ticket}"),
    "portal.my_requests": (True, lambda house: "/my"),
    "portal.new_request": (False, lambda house: f"/requests/new?topic={house.topic}"),
    "portal.rate": (False, lambda house: f"/rate/{house.survey}"),
    "portal.sent": (False, lambda house: f"/t/{house.link}/sent"),
    "portal.ticket_by_link": (False, lambda house: f"/t/{house.link}"),
    "signin.forgotten": (False, lambda house: "/password/forgotten"),
    "signin.invitation": (False, lambda house: f"/invitation/{house.secrets['invite']}"),
    "signin.link": (False, lambda house: f"/sign-in/link/{house.secrets['signin']}"),
    "signin.link_wanted": (False, lambda house: "/sign-in/link"),
    "signin.new_password": (False, lambda house: f"/password/new/{house.secrets['reset']}"),
    "signin.profile": (True, lambda house: "/me"),
    "signin.sign_in_page": (False, lambda house: "/sign-in"),
}


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    desk = RunningDesk(tmp_path_factory.mktemp("pages"))
    desk.prepare()
    made = House(desk)
    with started(desk):
        yield made


@pytest.fixture
def opened(chromium: Any, house: House) -> Iterator[Callable[..., Iterator[tuple[str, Any, str]]]]:
    """Every page one after the other, in a browser of one kind: its endpoint, the tab it belongs in, and its address."""
    contexts: list[Any] = []
    faults: list[str] = []

    def each(language: str, **options: Any) -> Iterator[tuple[str, Any, str]]:
        by_person = {}
        for signed_in in (False, True):
            by_person[signed_in] = chromium.new_context(locale=language, **options)
            contexts.append(by_person[signed_in])
        by_person[True].add_cookies([house.desk.cookie(house.carla)])
        tabs = {signed_in: context.new_page() for signed_in, context in by_person.items()}
        for page in tabs.values():
            axe.listen(page, faults)
        for endpoint, (signed_in, path) in PAGES.items():
            yield endpoint, tabs[signed_in], house.desk.base + path(house)
        assert not faults, "\n".join(faults)

    yield each
    for context in contexts:
        context.close()


def test_every_address_of_customers_is_a_page_looked_at_here_or_says_why_not(house: House) -> None:
    rules = house.desk.app.url_map.iter_rules()
    known = {rule.endpoint for rule in rules if "GET" in (rule.methods or ()) and rule.endpoint.split(".")[0] in DOORS}
    assert known == PAGES.keys() | NO_PAGES.keys()


@pytest.mark.parametrize("language", ["ru-RU", pytest.param("en-US", marks=pytest.mark.soak)])
def test_each_page_can_be_read_and_its_forms_be_sent_without_scripts(opened: Any, language: str) -> None:
    faults = []
    for endpoint, page, address in opened(language, viewport={"width": 390, "height": 844}, color_scheme="dark", java_script_enabled=False):
        assert page.goto(address).status == 200, endpoint
        if not page.locator("main h1").first.is_visible():
            faults.append(f"{endpoint}: no heading is seen")
        for number, form in enumerate(page.locator("main form").all()):
            buttons = form.locator("button[type=submit], button:not([type]), input[type=submit]").all()
            inside = form.locator("xpath=ancestor::details[not(@open)]").count() or form.locator("xpath=ancestor::*[@popover]").count()
            if not inside and not any(button.is_visible() for button in buttons):
                faults.append(f"{endpoint}: nobody can send form {number}")
    assert not faults, "\n".join(faults)


@pytest.mark.parametrize("language", ["en", "ru"])
def test_each_page_is_walked_by_keyboard_and_pleases_axe(opened: Any, language: str) -> None:
    """In English with every rule and the keyboard, large and light, small and dark; in Russian for what its longer words need."""
    faults: list[str] = []
    for endpoint, page, address in opened("en-US" if language == "en" else "ru-RU"):
        if language == "en":
            found = walking.faults(page, address, WIDE, SMALL, keyboard=[WIDE, SMALL])
        else:
            found = walking.faults_of_words(page, address, language, SMALL)
        faults += [f"{endpoint}: {fault}" for fault in found]
    assert not faults, "\n".join(faults)
