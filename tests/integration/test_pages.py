"""Every page that can be reached by following links, as everybody, in both languages; and every template is drawn somewhere."""

from __future__ import annotations

import re
import shutil
from collections import Counter
from collections.abc import Callable, Iterator
from html import unescape
from pathlib import Path
from typing import Any

import pytest
from flask.testing import FlaskClient

from helpdesk import config, db, worker
from helpdesk.actor import Actor
from helpdesk.app import create_app
from helpdesk.auth import Role, User
from helpdesk.kb import articles
from helpdesk.preferences import prefer
from helpdesk.setup import first_records
from helpdesk.tickets import linking, surveys, thread
from helpdesk.tickets.models import Status, Survey, Ticket
from tests import people
from tests.desks import Template, TestDesk

TEMPLATES = Path(__file__).parents[2] / "templates"
LINK = re.compile(r'(?:href|hx-get|data-refresh)="(/[^"#]*)')
#: Answers of deeds, which a crawl that only looks does not see; each is drawn in the tests of its capability.
DRAWN_ELSEWHERE = re.compile(
    r"^(macros/|mail/|errors/_toast|signin/(changed|password|link|sent)|portal/(_suggestions|questions|sent|link_|rate_gone|claim\.|mailed_file_gone|unsubscribe|confirm_address|setup/)"
    r"|agents/(held|_assigned|_scheduled|_?dry_run[._])"
    r"|kb/(_diff|_helped|_preview|_suggest|topic\.|import\.|_import_progress)"
    r"|admin/(link|discard_job|mail_arrival\.|remove_mail_account|_reordering_state)"
    r"|tickets/answers\.|crm/(((edit_)?organization(_history|_people)?|import|segment|merge|reason)\.|_settle|_import_(progress|orders)|_changes|_orders)"
    r"|admin/customer_field)"
)
MOST_PAGES = 300
#: Lists with several filters link to every combination of them: so many addresses of one form are enough.
MOST_ALIKE = 8
NUMBER_OR_VALUE = re.compile(r"\d+|=[^&]*")


@pytest.fixture(scope="module")
def house(templates: Callable[[str, bool], Template], tmp_path_factory: pytest.TempPathFactory) -> Iterator[TestDesk]:
    """A desk in which something of everything has happened, in English only."""
    data = tmp_path_factory.mktemp("pages")
    shutil.copy(templates("sqlite", False).place, data / "helpdesk.db")
    settings = config.load({"HELPDESK_DATA": str(data), "SECRET_KEYS": "k" * 40, "BASE_URL": "http://localhost"})
    app = create_app(settings)
    with db.transaction() as session:
        made = people.company()
        first_records()
        prefer(survey_delay_s=0, undo_s=0)
        people.person("Carla", Role.CUSTOMER, contact_id=made.carol)
        for number in range(3):
            ada = Actor("user", made.ada)
            article = articles.create(by=ada)
            for language, title in (("en", f"How to return item {number}"), ("ru", f"Как вернуть товар {number}")):
                articles.save_draft(article, language, title=title, body="Send it **back** within two weeks.", by=ada)
                articles.publish(article, language, by=ada)
        session.flush()
    people.arrives(made.alice, made.eve)
    for _ in range(3):
        people.writes(made.carol, inbox=made.mail)
    people.writes(made.carol, inbox=made.billing_mail)
    desk = TestDesk(app, settings, made)
    desk.work()
    with db.transaction() as session:
        first = session.query(Ticket).filter_by(assignee_id=made.alice).first()
        thread.note(first, "Ask the warehouse.", by=Actor("user", made.alice))
        thread.reply(first, "It is on its way.", by=Actor("user", made.alice), then=Status.SOLVED)
    desk.work()
    with db.transaction() as session:
        surveys.answer(session.query(Survey).first(), 4, comment="Fine.")
    desk.work()
    yield desk
    worker.employ(None)
    db.disconnect()


@pytest.fixture(scope="module")
def drawn(house: TestDesk) -> set[str]:
    """The names of templates that were really loaded; fills while the module's tests run."""
    names: set[str] = set()
    loader: Any = house.app.jinja_env.loader
    original = loader.get_source

    def get_source(environment: Any, template: str) -> Any:
        names.add(template)
        return original(environment, template)

    loader.get_source = get_source
    house.app.jinja_env.cache.clear()  # type: ignore[union-attr]
    return names


def crawl(client: FlaskClient, start: list[str]) -> tuple[dict[str, int], dict[str, str]]:
    """Follow links breadth first: the status of each address, and the text of each page."""
    waiting, codes, texts = list(start), {}, {}
    forms: Counter[str] = Counter()
    while waiting and len(codes) < MOST_PAGES:
        path = waiting.pop(0)
        plain = unescape(path)
        if plain in codes or plain.startswith(("/static/", "/metrics")):
            continue
        form = NUMBER_OR_VALUE.sub("", plain)
        forms[form] += 1
        if "&" in form and forms[form] > MOST_ALIKE:
            continue
        answer = client.get(plain)
        codes[plain] = answer.status_code
        if answer.mimetype == "text/html" and answer.status_code == 200:
            texts[plain] = answer.text
            waiting += [link for link in LINK.findall(answer.text) if not link.startswith("//")]
        elif answer.status_code in (301, 302, 303, 308):
            waiting.append(answer.headers["Location"].removeprefix("http://localhost"))
    return codes, texts


def starts(house: TestDesk, who: str) -> tuple[FlaskClient, list[str]]:
    with db.read() as session:
        carla = next(user.id for user in session.query(User) if user.name == "Carla")
        ticket = session.query(Ticket).order_by(Ticket.id).first()
        survey = session.query(Survey).first()
        assert ticket is not None and survey is not None
        links = [f"/t/{linking.token(ticket, ticket.requester_id)}", f"/rate/{surveys.token(survey)}"]
    return {
        "anonymous": (house.client(), ["/", "/kb/search?q=return+item", "/sitemap.xml", "/requests/new", "/sign-in", "/nowhere", *links]),
        "customer": (house.client(carla), ["/my", "/me"]),
        "alice": (house.client(house.people.alice), ["/inbox", "/offers", "/customers"]),
        "eve": (house.client(house.people.eve), ["/inbox", "/offers"]),
        "dana": (house.client(house.people.dana), ["/wallboard", "/admin", "/inbox?list=all"]),
        "ada": (house.client(house.people.ada), ["/admin", "/inbox?list=all", "/admin/mail", "/settings/tokens", "/api/v1/docs"]),
    }[who]


@pytest.mark.parametrize("language", ["en", "ru"])
@pytest.mark.parametrize("who", ["anonymous", "customer", "alice", "eve", "dana", "ada"])
def test_every_link_leads_somewhere_and_each_page_speaks_one_language(house: TestDesk, drawn: set[str], who: str, language: str) -> None:
    client, pages = starts(house, who)
    with client.session_transaction() as session:
        session["lang"] = language
    codes, texts = crawl(client, pages)
    broken = {path: code for path, code in codes.items() if code >= 400 and path != "/nowhere"}
    assert not broken
    if language == "en":
        for path, text in texts.items():
            if path.startswith(("/kb/ru", "/kb/manage", "/admin/mail/texts")):
                continue  # these show articles and mails, which are in both languages here
            words = re.sub(r"<script.*?</script>|<option[^>]*>[^<]*</option>|lang=\"ru\"[^>]*>[^<]*<", "", text, flags=re.S)
            words = re.sub(r"<[^>]+>", " ", words)
            strange = [
                word for word in re.findall(r"[А-Яа-яЁё]{2,}", words) if word not in ("Поддержка", "Счета", "Русский", "Олег", "Тарасенко")
            ]
            assert not strange, (path, strange[:5])


def test_every_template_was_drawn(house: TestDesk, drawn: set[str]) -> None:
    """Runs after the crawls of this module: what they did not reach must be drawn by a test of its own, listed above by name."""
    people.writes(house.people.carol, inbox=house.people.mail)
    house.work()
    known = {path.relative_to(TEMPLATES).as_posix() for path in TEMPLATES.rglob("*") if path.is_file()}
    missed = sorted(name for name in known - drawn if not DRAWN_ELSEWHERE.match(name))
    assert not missed
    for name in sorted(known):
        house.app.jinja_env.get_template(name)
