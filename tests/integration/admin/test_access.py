"""Who may open and change what under /admin and beside it: every route of the map, for everybody. A route that is not listed fails here."""

from __future__ import annotations

from werkzeug.routing import Rule

from helpdesk import db
from helpdesk.auth import Role
from tests import people
from tests.desks import TestDesk
from tests.forms import Browser

#: Pages that supervisors may read; nothing else.
READ_BY_SUPERVISORS = {"start", "people", "person", "teams", "skills", "queues", "queue", "reordering_state"}
#: What an administrator's empty form is answered with, where it is not a redirect.
EMPTY = {
    "invite": 422, "change_person": 422, "change_role": 422, "deactivate": 409, "activate": 303, "send_link": 200, "add_team": 422,
    "change_team": 422, "add_skill": 422, "rename_skill": 422, "remove_skill": 409, "add_queue": 422, "change_queue": 422,
    "deactivate_queue": 422, "activate_queue": 303, "add_inbox": 422, "change_inbox": 422, "test_inbox": 200, "deactivate_inbox": 409,
    "activate_inbox": 303, "change_preferences": 422, "retry_all_jobs": 303, "retry_job": 404, "discard_job": 404, "remove_team": 303,
}  # fmt: skip
READ = {
    "start": 303, "people": 200, "new_person": 200, "person": 200, "deactivation": 200, "teams": 200, "team": 200, "team_removal": 200,
    "skills": 200, "skill": 200, "queues": 200, "new_queue": 200, "queue": 200, "queue_deactivation": 200, "inboxes": 200, "new_inbox": 200,
    "inbox": 200, "inbox_deactivation": 200, "preferences": 200, "jobs": 200, "job_discard": 404, "events": 200,
}  # fmt: skip
READ |= {"surveys": 200, "new_survey": 200, "survey": 404}
EMPTY |= {"add_survey": 422, "change_survey": 404}
READ |= {"dispositions": 200, "hours": 200, "new_hours": 200, "one_of_hours": 404, "customers": 200, "customer_field": 404}
EMPTY |= {"add_disposition": 422, "change_disposition": 404, "add_hours": 422, "change_hours": 404, "remove_hours": 404}
READ |= {"retention": 200, "reordering_state": 404, "interrupts": 200}
EMPTY |= {"change_retention": 422, "change_interrupts": 409}
EMPTY |= {"change_customers": 422, "add_customer_field": 422, "change_customer_field": 404}


def routes(desk: TestDesk, method: str) -> list[Rule]:
    return [rule for rule in desk.app.url_map.iter_rules() if rule.endpoint.startswith("admin.") and method in (rule.methods or ())]


def path_of(rule: Rule, desk: TestDesk) -> str:
    known = {"user_id": desk.people.alice, "team_id": 1, "skill_id": desk.people.russian, "queue_id": desk.people.support,
             "inbox_id": desk.people.mail, "delivery_id": 999}  # fmt: skip
    known |= {"survey_id": 999, "code_id": 999, "hours_id": 999, "field_id": 999, "walk_id": 999}
    path = rule.rule
    for name in rule.arguments:
        path = path.replace(f"<int:{name}>", str(known[name]))
    assert "<" not in path, f"{path} has an argument that this test does not know"
    return path


def everybody(desk: TestDesk) -> dict[str, int | None]:
    with db.transaction():
        customer = people.person("Carol", Role.CUSTOMER, email="carol@customer.example", contact_id=desk.people.carol).id
    return {"nobody": None, "customer": customer, "agent": desk.people.alice, "supervisor": desk.people.dana, "admin": desk.people.ada}


def test_every_page_opens_for_those_who_may_and_is_not_there_for_the_others(desk: TestDesk) -> None:
    browsers = {name: Browser(desk, user) for name, user in everybody(desk).items()}
    for rule in routes(desk, "GET"):
        name, path = rule.endpoint.removeprefix("admin."), path_of(rule, desk)
        expected = READ[name]
        assert browsers["admin"].open(path).status_code == expected, path
        assert browsers["supervisor"].open(path).status_code == (expected if name in READ_BY_SUPERVISORS else 404), path
        assert browsers["agent"].open(path).status_code == browsers["customer"].open(path).status_code == 404, path
        anonymous = browsers["nobody"].open(path)
        assert anonymous.status_code == 303 and anonymous.headers["Location"] == f"/sign-in?next={path}", path


def test_every_change_is_for_administrators_only(desk: TestDesk) -> None:
    browsers = {name: Browser(desk, user) for name, user in everybody(desk).items()}
    tokens = {name: browser.token("/kb") for name, browser in browsers.items()}
    for rule in routes(desk, "POST"):
        path = path_of(rule, desk)
        for name, expected in (("nobody", 401), ("customer", 404), ("agent", 404), ("supervisor", 404)):
            answer = browsers[name].client.post(path, data={"csrf_token": tokens[name], "version": "1", "name": "Changed"})
            assert answer.status_code == expected, (name, path)


def test_no_change_is_made_without_the_form_it_stands_in(desk: TestDesk) -> None:
    ada = Browser(desk, desk.people.ada)
    for rule in routes(desk, "POST"):
        answer = ada.client.post(path_of(rule, desk), data={"version": "1", "name": "Changed", "everywhere": "1"})
        assert answer.status_code == 400 and "too old" in answer.text, rule.rule


def test_an_empty_form_of_an_administrator_is_answered_in_words(desk: TestDesk) -> None:
    rules = {rule.endpoint.removeprefix("admin."): rule for rule in routes(desk, "POST")}
    ada = Browser(desk, desk.people.ada)
    for endpoint, expected in EMPTY.items():
        assert ada.send(path_of(rules[endpoint], desk), page="/me").status_code == expected, endpoint


def test_every_route_is_listed_here(desk: TestDesk) -> None:
    listed = {name for name in (*READ, *EMPTY)}
    mounted = {rule.endpoint.removeprefix("admin.") for method in ("GET", "POST") for rule in routes(desk, method)}
    assert mounted == listed
    assert not [rule for method in ("PUT", "PATCH", "DELETE") for rule in routes(desk, method)]


def test_a_supervisor_sees_forms_that_cannot_be_sent(desk: TestDesk) -> None:
    dana = Browser(desk, desk.people.dana)
    for path in (
        f"/admin/people/{desk.people.alice}",
        f"/admin/queues/{desk.people.support}",
        "/admin/people",
        "/admin/skills",
        "/admin/teams",
    ):
        page = dana.open(path).text.split("<main")[1]
        assert 'type="submit"' not in page or path == "/admin/people", path
        assert "/deactivation" not in page and "/new" not in page


def test_somebody_deactivated_or_demoted_meanwhile_is_out_at_once(desk: TestDesk) -> None:
    from helpdesk.auth import User

    ada = Browser(desk, desk.people.ada)
    assert ada.open("/admin/people").status_code == 200
    with db.transaction() as session:
        session.get_one(User, desk.people.ada).role = Role.AGENT
    assert ada.open("/admin/people").status_code == 404
    with db.transaction() as session:
        session.get_one(User, desk.people.ada).active = False
    assert ada.open("/admin/people").status_code == 303
