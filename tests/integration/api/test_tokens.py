"""Who a program is, and what it may: tokens, scopes, rates, and the page on which people make them."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import timedelta

import pytest
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from helpdesk import clock, db
from helpdesk.actor import Actor
from helpdesk.agents import tokens
from helpdesk.auth import ApiToken, Role, User
from helpdesk.channels.api import views
from helpdesk.channels.api.routes import ROUTES, Route
from helpdesk.errors import Invalid
from helpdesk.events import Event
from tests import people
from tests.desks import TestDesk
from tests.integration.api.programs import BASE, Program, program

assert views.RESOURCES  # importing them declares their routes
SCOPED = [route for route in ROUTES if route.scope]


def ask(client: FlaskClient, header: str | None) -> tuple[int, str]:
    answer = client.get(f"{BASE}/me", headers={"Authorization": header} if header is not None else {})
    return answer.status_code, answer.get_json().get("code", "")


def issued(desk: TestDesk, user: int, valid: timedelta | None = None) -> str:
    with db.transaction() as session:
        return tokens.issue(session.get_one(User, user), "Till", ["tickets:read"], valid=valid, by=Actor("user", user))[1]


def test_a_token_says_whose_it_is_and_what_it_may(desk: TestDesk) -> None:
    found = program(desk, desk.people.alice, "tickets:read").get("/me").json
    assert found == {"user": {"id": desk.people.alice, "name": "Alice"}, "role": "agent", "contact_id": None, "scopes": ["tickets:read"]}


def test_without_a_known_token_the_answer_is_401_and_says_how_to_send_one(desk: TestDesk) -> None:
    program(desk, desk.people.alice)
    bad = (None, "", "Bearer", "Bearer ", "Bearer  ", "Bearer hd_", "Basic YTpi", "Bearer hd_12345678_wrong", "Bearer " + "x" * 5000)
    for header in bad:
        assert ask(desk.client(), header) == (401, "bad_token"), header
    answer = desk.client().get(f"{BASE}/me")
    assert answer.headers["WWW-Authenticate"].startswith("Bearer") and answer.mimetype == "application/problem+json"


def test_a_session_of_the_browser_opens_nothing_here(desk: TestDesk) -> None:
    assert ask(desk.client(desk.people.dana), None) == (401, "bad_token")


def test_the_secret_itself_is_stored_nowhere(desk: TestDesk) -> None:
    secret = issued(desk, desk.people.alice)
    with db.read() as session:
        token = session.query(ApiToken).one()
        assert secret not in (token.hashed, token.prefix) and token.prefix in secret and len(token.hashed) == 64


def test_a_revoked_token_and_one_past_its_day_are_refused_alike(desk: TestDesk, stopped: clock.Hand) -> None:
    secret = issued(desk, desk.people.alice, timedelta(days=30))
    assert ask(desk.client(), f"Bearer {secret}")[0] == 200
    stopped.move(days=30, seconds=1)
    expired = desk.client().get(f"{BASE}/me", headers={"Authorization": f"Bearer {secret}"})
    secret = issued(desk, desk.people.alice)
    with db.transaction() as session:
        token = session.query(ApiToken).filter_by(expires_at=None).one()
        tokens.revoke(token, by=Actor("user", desk.people.alice))
    revoked = desk.client().get(f"{BASE}/me", headers={"Authorization": f"Bearer {secret}"})
    assert expired.status_code == revoked.status_code == 401 and expired.json == revoked.json


def test_a_token_ends_with_its_owners_account_and_follows_their_role_at_once(desk: TestDesk) -> None:
    dana = program(desk, desk.people.dana)
    ticket = people.writes(desk.people.carol, inbox=desk.people.billing_mail)
    assert dana.get(f"/tickets/{ticket.number}").status_code == 200
    with db.transaction() as session:
        session.get_one(User, desk.people.dana).role = Role.AGENT
    assert dana.get(f"/tickets/{ticket.number}").status_code == 404
    with db.transaction() as session:
        session.get_one(User, desk.people.dana).active = False
    assert dana.get(f"/tickets/{ticket.number}").status_code == 401


def test_last_used_is_noted_once_a_minute(desk: TestDesk, stopped: clock.Hand) -> None:
    alice = program(desk, desk.people.alice)
    first = clock.now()
    for _ in range(3):
        alice.get("/me")
        stopped.move(seconds=20)
    with db.read() as session:
        assert session.get_one(ApiToken, alice.token_id).last_used_at == first
    alice.get("/me")
    with db.read() as session:
        assert session.get_one(ApiToken, alice.token_id).last_used_at == first + timedelta(seconds=60)


def test_each_route_wants_its_scope_and_no_other(desk: TestDesk) -> None:
    with_it = {scope: program(desk, desk.people.dana, scope) for scope in tokens.SCOPES}
    without = {scope: program(desk, desk.people.dana, *(other for other in tokens.SCOPES if other != scope)) for scope in tokens.SCOPES}
    for route in SCOPED:
        refused, accepted = send(without[str(route.scope)], route), send(with_it[str(route.scope)], route)
        assert refused.status_code == 403 and route.scope in refused.json["detail"], route.path
        assert accepted.status_code in (200, 404, 422), route.path
    assert {route.scope for route in SCOPED} == set(tokens.SCOPES)


def send(asker: Program, route: Route) -> TestResponse:
    """A request that would do nothing even with the right scope."""
    path = re.sub(r"\{\w+\}", "4711", route.path)
    if route.method == "GET":
        return asker.get(path)
    return asker.post(path, {"no": 1}) if route.method == "POST" else asker.patch(path, {"no": 1})


def test_a_token_may_ask_as_often_as_the_setting_says_and_another_is_not_held_up(desk: TestDesk) -> None:
    desk.app.config["HELPDESK"] = replace(desk.settings, api_per_minute=3)
    alice, bob = program(desk, desk.people.alice), program(desk, desk.people.bob)
    answers = [alice.get("/me") for _ in range(4)]
    assert [answer.status_code for answer in answers] == [200, 200, 200, 429]
    assert 1 <= int(answers[-1].headers["Retry-After"]) <= 60 and answers[-1].json["code"] == "too_many"
    assert bob.get("/me").status_code == 200


# --- the page -----------------------------------------------------------------------------------------------------------


def csrf(client: FlaskClient) -> str:
    found = re.search(r'name="csrf-token" content="([^"]+)"', client.get("/settings/tokens").text)
    assert found
    return found[1]


def test_alice_makes_a_token_sees_its_secret_once_uses_it_and_revokes_it(desk: TestDesk) -> None:
    alice = desk.client(desk.people.alice)
    form = {"csrf_token": csrf(alice), "name": "Order import", "scopes": ["tickets:read", "tickets:write"], "valid": "90"}
    made = alice.post("/settings/tokens", data=form)
    secret = re.search(r'id="secret">(hd_[^<]+)<', made.text)
    assert secret and made.headers["Cache-Control"] == "no-store"
    listed = alice.get("/settings/tokens").text
    assert "Order import" in listed and secret[1] not in listed and secret[1][:11] in listed
    assert ask(desk.client(), f"Bearer {secret[1]}")[0] == 200
    with db.read() as session:
        token = session.query(ApiToken).one()
    assert alice.post(f"/settings/tokens/{token.id}/revocation", data={"csrf_token": form["csrf_token"]}).status_code == 303
    assert ask(desk.client(), f"Bearer {secret[1]}")[0] == 401
    with db.read() as session:
        assert [event.kind for event in session.query(Event).where(Event.kind.like("token%")).order_by(Event.id)] == [
            "token_issued",
            "token_revoked",
        ]


def test_the_form_says_what_is_missing_and_makes_nothing(desk: TestDesk) -> None:
    alice = desk.client(desk.people.alice)
    answer = alice.post("/settings/tokens", data={"csrf_token": csrf(alice), "name": " ", "valid": "90"})
    assert answer.status_code == 422 and "Say what it is for" in answer.text and "Choose what it may do" in answer.text
    forged = {"csrf_token": csrf(alice), "name": "x", "scopes": ["tickets:read", "everything"], "valid": "90"}
    assert alice.post("/settings/tokens", data=forged).status_code == 422
    assert alice.post("/settings/tokens", data={"name": "x", "scopes": "tickets:read", "valid": "90"}).status_code == 400
    with db.read() as session:
        assert session.query(ApiToken).count() == 0


def test_bob_neither_sees_nor_revokes_alices_token_and_customers_have_no_such_page(desk: TestDesk) -> None:
    alice = program(desk, desk.people.alice)
    bob = desk.client(desk.people.bob)
    assert "Program" not in bob.get("/settings/tokens").text
    assert bob.post(f"/settings/tokens/{alice.token_id}/revocation", data={"csrf_token": csrf(bob)}).status_code == 404
    assert alice.get("/me").status_code == 200
    with db.transaction():
        carol = people.person("Carol", Role.CUSTOMER, contact_id=desk.people.carol).id
    assert desk.client(carol).get("/settings/tokens").status_code == 404
    assert desk.client().get("/settings/tokens").status_code == 303


def test_nobody_hoards_tokens(desk: TestDesk) -> None:
    with db.transaction() as session:
        alice = session.get_one(User, desk.people.alice)
        for _ in range(tokens.MOST_LIVE):
            tokens.issue(alice, "x", ["tickets:read"], valid=None, by=Actor("user", alice.id))
        with pytest.raises(Invalid):
            tokens.issue(alice, "x", ["tickets:read"], valid=None, by=Actor("user", alice.id))
