"""Who sees which customers and what they are worth: each "may" with its "may not", on pages, in the API, in search, in exports."""

from __future__ import annotations

import pytest

from helpdesk import db
from helpdesk.actor import SYSTEM
from helpdesk.agents.models import Team, TeamMember
from helpdesk.crm import contacts, editing, fields, policy
from helpdesk.crm.base_models import FieldChange
from helpdesk.crm.models import Contact, Organization
from helpdesk.preferences import prefer, preferences
from tests import people
from tests.desks import TestDesk
from tests.forms import Browser
from tests.integration.api.programs import program
from tests.integration.crm.test_customers import buys, company, said


@pytest.fixture
def teams(desk: TestDesk) -> TestDesk:
    """Carol is Bob's customer (of Alice's team), Oleg is Eve's, who is in another team; Zoe is nobody's."""
    with db.transaction() as session:
        other = Team(name="Second line")
        session.add(other)
        session.flush()
        session.add(TeamMember(team_id=other.id, user_id=desk.people.eve))
        session.get_one(Contact, desk.people.carol).owner_id = desk.people.bob
        session.get_one(Contact, desk.people.oleg).owner_id = desk.people.eve
        contacts.by_email("zoe@new.example", name="Zoe Nobodys", by=SYSTEM)
        prefer(customers_seen="team")
    return desk


def test_an_agent_sees_their_teams_customers_and_nobodys_but_not_another_teams(teams: TestDesk) -> None:
    alice, eve, dana = (teams.client(id_) for id_ in (teams.people.alice, teams.people.eve, teams.people.dana))
    carol, oleg, zoe = "Carol Jones", "Олег Тарасенко", "Zoe Nobodys"
    for client, seen in ((alice, {carol, zoe}), (eve, {oleg, zoe}), (dana, {carol, oleg, zoe})):
        page = client.get("/customers").text
        assert {name for name in (carol, oleg, zoe) if name in page} == seen
    for path, code in (("", 200), ("/edit", 200), ("/history", 200), ("/merge", 200), (f"/merge/{teams.people.oleg}", 404)):
        assert alice.get(f"/customers/{teams.people.carol}{path}").status_code == code
        assert eve.get(f"/customers/{teams.people.carol}{path}").status_code == 404
    assert "Carol" not in eve.get("/find?q=Carol").text and "Carol" in alice.get("/find?q=Carol").text
    sent = {"kind": "call", "direction": "in", "text": "Hello"}
    assert (
        Browser(teams, teams.people.eve).send(f"/customers/{teams.people.carol}/interactions", page="/customers", **sent).status_code == 404
    )
    assert (
        Browser(teams, teams.people.alice).send(f"/customers/{teams.people.carol}/interactions", page="/customers", **sent).status_code
        == 303
    )
    with db.transaction():
        prefer(customers_seen="all")
    assert eve.get(f"/customers/{teams.people.carol}").status_code == 200


def test_the_condition_and_the_question_agree(teams: TestDesk) -> None:
    for user in (teams.people.alice, teams.people.eve, teams.people.dana, teams.people.ada):
        who = people.principal(user)
        with db.read() as session:
            everybody = list(session.query(Contact))
            seen = {row.id for row in session.query(Contact).filter(policy.visible(who))}
            assert seen == {row.id for row in everybody if policy.may(who, "see", row)}


def test_another_teams_colleague_of_a_company_is_not_named(teams: TestDesk) -> None:
    place = company(teams, "Harbour Books", teams.people.carol, teams.people.oleg)
    assert "Олег" not in teams.client(teams.people.alice).get(f"/organizations/{place}").text
    assert "Олег" not in teams.client(teams.people.alice).get(f"/customers/{teams.people.carol}").text
    assert "Олег" in teams.client(teams.people.dana).get(f"/organizations/{place}").text


def test_the_card_beside_a_ticket_is_shown_to_whoever_works_on_it_without_a_way_further(teams: TestDesk) -> None:
    ticket = people.writes(teams.people.oleg, inbox=teams.people.mail)
    card = teams.client(teams.people.alice).get(f"/inbox/{ticket.number}").text
    assert "oleg@klient.example" in card and f'href="/customers/{teams.people.oleg}"' not in card
    assert f'href="/customers/{teams.people.oleg}"' in teams.client(teams.people.dana).get(f"/inbox/{ticket.number}").text


def test_programs_see_with_their_owners_eyes(teams: TestDesk) -> None:
    with db.transaction() as session:
        session.get_one(Contact, teams.people.carol).value_cents = 120_000
    agent, lead = (program(teams, user, "contacts:read") for user in (teams.people.alice, teams.people.dana))
    assert agent.get(f"/contacts/{teams.people.oleg}").status_code == 404 and lead.get(f"/contacts/{teams.people.oleg}").status_code == 200
    assert {one["name"] for one in agent.get("/contacts").json["items"]} == {"Carol Jones", "Zoe Nobodys"}
    assert agent.get(f"/contacts/{teams.people.carol}").json["figures"]["value_cents"] is None
    assert lead.get(f"/contacts/{teams.people.carol}").json["figures"]["value_cents"] == 120_000


@pytest.mark.parametrize(("whom", "sees"), [("admins", {"ada"}), ("leads", {"ada", "dana"}), ("all", {"ada", "dana", "alice"})])
def test_value_is_seen_by_those_the_desk_says(desk: TestDesk, whom: str, sees: set[str]) -> None:
    buys(desk.people.carol, 120_000)
    with db.transaction() as session:
        session.get_one(Contact, desk.people.carol).value_cents = 120_000
        prefer(value_seen_by=whom)
    for name in ("ada", "dana", "alice"):
        user = getattr(desk.people, name)
        assert ("Bought in all" in desk.client(user).get(f"/customers/{desk.people.carol}").text) is (name in sees), name
        who = people.principal(user)
        with db.read():
            assert policy.may_see_value(who) is (name in sees)


def test_the_administrator_says_who_sees_what_and_nobody_else_does(desk: TestDesk) -> None:
    ada = Browser(desk, desk.people.ada)
    said_ = {"value_seen_by": "all", "exported_by": "admins", "customers_seen": "team", "phone_region": "gb"}
    assert ada.send("/admin/customers", page="/admin/customers", **said_).status_code == 303
    with db.read():
        now = preferences()
        assert (now.value_seen_by, now.exported_by, now.customers_seen, now.phone_region) == ("all", "admins", "team", "GB")
    for wrong in ({"value_seen_by": "everybody"}, {"phone_region": "XX"}):
        assert ada.send("/admin/customers", page="/admin/customers", **{**said_, **wrong}).status_code == 422
    for user in (desk.people.dana, desk.people.alice):
        assert desk.client(user).get("/admin/customers").status_code == 404
        assert Browser(desk, user).send("/admin/customers", page="/customers", **said_).status_code == 404


def test_fields_of_the_desks_own_are_added_filled_in_checked_and_shown(desk: TestDesk) -> None:
    ada, alice = Browser(desk, desk.people.ada), Browser(desk, desk.people.alice)
    plan = {"label": "Plan", "kind": "choice", "options": "Basic\nPro"}
    for fields_ in ({"label": "Size", "kind": "number"}, plan, {"label": "Vegan", "kind": "yes_no"}):
        assert ada.send("/admin/customers/fields", page="/admin/customers", subject="contact", **fields_).status_code == 303
    refused = ada.send("/admin/customers/fields", page="/admin/customers", subject="contact", label="size", kind="choice", options="one")
    assert refused.status_code == 422 and "There is a field of this name." in refused.text and "at least two options" in refused.text
    with db.read():
        keys = {one.label: one.key for one in fields.defined("contact")}
    page = f"/customers/{desk.people.carol}/edit"
    wrong = alice.save(page, **{f"custom.{keys['Size']}": "many", f"custom.{keys['Plan']}": "Gold"})
    assert wrong.status_code == 422 and "is not a number" in wrong.text and "Basic, Pro" in wrong.text
    good = {f"custom.{keys['Size']}": "44,5", f"custom.{keys['Plan']}": "Pro", f"custom.{keys['Vegan']}": "no"}
    good |= {"terms": "Pays in advance", "reach_from": "09:00"}
    assert alice.save(page, **good).status_code == 303
    shown = said(alice.open(f"/customers/{desk.people.carol}").text)
    for words in ("Size 44.5", "Plan Pro", "Vegan no", "Agreed with them: Pays in advance", "Reach 09:00–24:00"):
        assert words in shown, words
    with db.read() as session:
        assert session.get_one(Contact, desk.people.carol).custom == {keys["Size"]: 44.5, keys["Plan"]: "Pro", keys["Vegan"]: False}
        assert {row.field for row in session.query(FieldChange)} >= {f"custom.{keys['Size']}", "terms", "reach_from"}
    ticket = people.writes(desk.people.carol, inbox=desk.people.mail)
    assert "Pays in advance" in alice.open(f"/inbox/{ticket.number}").text
    with db.read():
        field_id = fields.defined("contact")[0].id
    assert ada.save(f"/admin/customers/fields/{field_id}", label="Shoe size", active=None).status_code == 303
    assert "Size" not in said(alice.open(f"/customers/{desk.people.carol}").text), "hidden, its values kept"
    for path in ("/admin/customers/fields", f"/admin/customers/fields/{field_id}"):
        assert Browser(desk, desk.people.dana).send(path, page="/customers", label="X").status_code == 404


def test_a_wrong_owner_time_or_zone_is_refused(desk: TestDesk) -> None:
    alice = Browser(desk, desk.people.alice)
    wrong = [("owner_id", "99999"), ("reach_from", "25:00"), ("time_zone", "Mars/Olympus"), ("lifecycle", "king")]
    wrong.append(("preferred_channel", "pigeon"))
    for fields_ in ({name: value} for name, value in wrong):
        assert alice.save(f"/customers/{desk.people.carol}/edit", **fields_).status_code == 422, fields_
    assert alice.save(f"/customers/{desk.people.carol}/edit", owner_id=str(desk.people.bob), time_zone="Europe/Berlin").status_code == 303
    with db.read() as session:
        carol = session.get_one(Contact, desk.people.carol)
        assert (carol.owner_id, carol.time_zone) == (desk.people.bob, "Europe/Berlin")


def test_nothing_of_an_organization_is_lost_when_a_person_is_renamed(desk: TestDesk) -> None:
    place = company(desk, "Harbour Books", desk.people.carol)
    with db.transaction() as session:
        editing.rename(session.get_one(Contact, desk.people.carol), "Caroline", by=SYSTEM)
        assert (
            session.get_one(Organization, place).name == "Harbour Books"
            and session.get_one(Contact, desk.people.carol).name_key == "caroline"
        )
