"""Every address × everybody: who gets in, who does not. A route that stands in no list fails the build."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
from flask.testing import FlaskClient

from helpdesk import config, db, links, schema
from helpdesk.app import Desk, create_app
from helpdesk.auth import Role, User
from helpdesk.setup import first_records
from tests import people
from tests.desks import TestDesk

#: Pages for everybody; links carry their own secret, tested where they are made.
EVERYBODY = """
    portal.topic_fields portal.brand_css portal.brand_logo portal.dismiss portal.remove_person_by_link portal.end_links_by_link
    portal.home portal.new_request portal.send_request portal.suggestions portal.lost_link portal.send_fresh_link portal.fresh_link_sent
    portal.ticket_by_link portal.file_by_link portal.write_by_link portal.reopen_by_link portal.solve_by_link portal.sent
    portal.add_person_by_link portal.place_by_link portal.wish_by_link portal.take_back_wish_by_link
    portal.rate portal.answer_rating
    claims.one claims.confirm claims.refuse
    kb.index kb.article kb.judge kb.picture kb.find kb.suggest kb.topic kb.robots kb.sitemap
    signin.sign_in_page signin.sign_in signin.sign_out signin.forgotten signin.ask_for_reset signin.new_password signin.choose_new_password
    signin.invitation signin.accept_invitation signin.link_wanted signin.ask_for_link signin.link signin.use_link signin.choose_language
    signin.choose_theme static health.alive health.ready mail_links.mailed_file
    mail_links.unsubscribe_page mail_links.unsubscribe wallboard.tv wallboard.tv_board
""".split()
#: For people who signed in, whoever they are.
SIGNED_IN = "signin.profile signin.change_profile signin.change_own_password signin.end_other_sessions".split()
#: For customers with an account.
CUSTOMERS = """
    portal.my_requests portal.my_data portal.my_profile portal.change_my_profile portal.my_request portal.write_to_mine
    portal.reopen_mine portal.solve_mine portal.add_person_to_mine
    portal.my_data_page portal.remove_person_from_mine portal.end_links_of_mine
    portal.my_place portal.wish_for_mine portal.take_back_wish_for_mine
""".split()
CUSTOMERS.append("portal.my_questions")
CUSTOMERS += """
    portal.add_my_address portal.prefer_my_address portal.sign_in_with_mine portal.remove_my_address portal.forget_my_address
    portal.confirm_page portal.confirm_my_address
""".split()
CUSTOMERS += "portal.my_privacy portal.change_my_consents portal.my_everything portal.erase_me portal.keep_me".split()
#: For colleagues; what they may do to which ticket is the policy's, tested with the tickets.
STAFF = """
    agents.* sending.* answers.* deeds.* shift.* scheduled.* wishes.* undelivered.* habits.* tickets.* kb_manage.* crm.* tokens.*
""".split()
STAFF += ["care.calls", "care.settle_call", "care.give_call"]
#: For supervisors and administrators.
LEADS = "wallboard.* leading.* email.* admin.start".split()
#: Lists coming in and going out are theirs unless the desk's preferences say otherwise (tested with the customers).
LEADS += """
    crm.imports crm.upload_import crm.show_import crm.configure_import crm.stop_import crm.undo_import crm.import_faults
    crm.place_hold crm.lift_hold crm.customer_data crm.confirm_erasure crm.erase_customer
    agents.export_tickets crm.export_customers crm.export_organizations crm.export_purchases crm.seek_duplicates
    crm.hand_over_page crm.hand_over
""".split()
LEADS += "kb_manage.imports kb_manage.upload_articles kb_manage.show_article_import kb_manage.go_on_with_import".split()
LEADS += "care.satisfaction care.reason care.plan_action care.settle_action worth.retention worth.model worth.compute_now".split()
#: For administrators; supervisors may look at some of it.
ADMINS = "mail_texts.* mail_accounts.* portal_setup.* admin.*".split()
#: Programs with a token; sessions do not count here.
PROGRAMS = "api.*".split()
#: Not for people at all: loopback or a token of its own.
MACHINES = "health.metrics".split()

AUDIENCES = [
    ("everybody", EVERYBODY), ("signed in", SIGNED_IN), ("customers", CUSTOMERS), ("staff", STAFF), ("leads", LEADS),
    ("admins", ADMINS), ("programs", PROGRAMS), ("machines", MACHINES),
]  # fmt: skip

REFUSALS = {401, 403, 404}


def audience(endpoint: str) -> str | None:
    for name, known in AUDIENCES:
        if endpoint in known:
            return name
    for name, known in AUDIENCES:
        if f"{endpoint.split('.')[0]}.*" in known:
            return name
    return None


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TestDesk]:
    """One desk for the whole matrix: nothing here succeeds in changing it."""
    data = tmp_path_factory.mktemp("house")
    settings = config.load({"HELPDESK_DATA": str(data), "SECRET_KEYS": "k" * 40, "BASE_URL": "http://localhost"})
    db.connect(settings.database_url)
    schema.upgrade()
    app = create_app(settings)
    with db.transaction():
        made = people.company()
        first_records()
        people.person("Carla", Role.CUSTOMER, contact_id=made.carol)
    yield TestDesk(app, settings, made)
    db.disconnect()


def routes(app: Desk) -> list[tuple[str, str, str]]:
    found = []
    for rule in app.url_map.iter_rules():
        for method in sorted((rule.methods or set()) - {"HEAD", "OPTIONS"}):
            found.append((method, rule.rule, rule.endpoint))
    return sorted(found)


def address(rule: str) -> str:
    """The rule with ids that exist nowhere: a refusal must not depend on the thing being there."""
    filled = re.sub(r"<int(\([^)]*\))?:[^>]+>", "999999", rule)
    filled = re.sub(r"<any\([^)]*\):[^>]+>", "en", filled)
    return re.sub(r"<[^>]+>", "nothing", filled)


def test_every_route_stands_in_a_list(house: TestDesk) -> None:
    unknown = sorted({endpoint for _, _, endpoint in routes(house.app) if audience(endpoint) is None})
    assert not unknown, f"say in this file who may open {unknown}"


def test_everybody_is_refused_what_is_not_theirs(house: TestDesk) -> None:
    """The whole matrix in one go: wrong door, any method, with a valid form token."""
    with db.read() as session:
        carla = next(user.id for user in session.query(User) if user.name == "Carla")
    persons = {"anonymous": None, "customer": carla, "agent": house.people.alice, "supervisor": house.people.dana}
    shut: dict[str, set[str]] = {
        "anonymous": {"signed in", "customers", "staff", "leads", "admins", "programs"},
        "customer": {"staff", "leads", "admins", "programs"},
        "agent": {"customers", "leads", "admins", "programs"},
        "supervisor": {"customers", "programs"},
    }
    entered = []
    for who, user in persons.items():
        client = house.client(user)
        token = form_token(client)
        for method, rule, endpoint in routes(house.app):
            if audience(endpoint) not in shut[who]:
                continue
            answer = client.open(address(rule), method=method, data={"csrf_token": token} if method != "GET" else None)
            sent_away = answer.status_code == 303 and "/sign-in" in answer.headers["Location"]
            if endpoint in ("api.docs_page", "api.docs_document") or sent_away or answer.status_code in REFUSALS:
                continue
            entered.append((who, method, rule, answer.status_code))
    assert not entered


def test_supervisors_change_nothing_on_the_administrators_screens(house: TestDesk) -> None:
    client = house.client(house.people.dana)
    token = form_token(client)
    entered = [
        (rule, code)
        for method, rule, endpoint in routes(house.app)
        if audience(endpoint) == "admins" and method == "POST"
        if (code := client.post(address(rule), data={"csrf_token": token}).status_code) not in REFUSALS
    ]
    assert not entered


@pytest.mark.parametrize("who", ["alice", "dana", "ada"])
def test_the_right_people_do_get_in(house: TestDesk, who: str) -> None:
    """A matrix that refuses everybody everything would pass the test above."""
    client = house.client(getattr(house.people, who))
    open_ = {"alice": {"staff"}, "dana": {"staff", "leads"}, "ada": {"staff", "leads", "admins"}}[who]
    refused = []
    for method, rule, endpoint in routes(house.app):
        if method == "GET" and "<" not in rule and audience(endpoint) in open_:
            answer = client.get(rule)
            if answer.status_code not in (200, 204, 303):
                refused.append((rule, answer.status_code))
    assert not refused


def test_without_its_token_no_form_does_anything(house: TestDesk) -> None:
    client = house.client(house.people.ada)
    let_in = [
        (method, rule, code)
        for method, rule, endpoint in routes(house.app)
        if method != "GET" and audience(endpoint) != "programs"
        if (code := client.open(address(rule), method=method).status_code)
        not in (400, 404, 410, 422)  # 422: the form again, with what was typed and a fresh token
    ]
    assert not let_in


def test_no_page_lets_scripts_or_styles_in_from_elsewhere(house: TestDesk) -> None:
    for path in ("/", "/sign-in", "/requests/new", "/kb"):
        policy = house.client().get(path).headers["Content-Security-Policy"]
        assert "unsafe" not in policy and "default-src 'none'" in policy and "script-src 'self'" in policy


def test_a_link_for_one_purpose_opens_no_other_door(house: TestDesk) -> None:
    word = links.sign("survey", 1)
    assert house.client().get(f"/t/{word}").status_code in (404, 410)


def form_token(client: FlaskClient) -> str:
    found = re.search(r'name="csrf-token" content="([^"]+)"', client.get("/").text)
    assert found
    return found[1]
