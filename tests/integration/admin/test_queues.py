"""Queues, skills and teams: changed while work waits, and taken away without losing any."""

from __future__ import annotations

from sqlalchemy import func, select

from helpdesk import clock, db
from helpdesk.agents import queues as verbs
from helpdesk.agents.models import AgentSkill, Skill, Team, TeamMember
from helpdesk.tickets.models import Inbox, Queue, Ticket
from tests import people
from tests.desks import TestDesk
from tests.forms import Browser


def queue(queue_id: int) -> Queue:
    with db.read() as session:
        return session.get_one(Queue, queue_id)


def owner(ticket: Ticket) -> int | None:
    with db.read() as session:
        return session.get_one(Ticket, ticket.id).assignee_id


def test_a_new_queue_has_everything_that_was_said_about_it(desk: TestDesk) -> None:
    c = desk.people
    ada = Browser(desk, c.ada)
    answer = ada.save(
        "/admin/queues/new", to="/admin/queues", name="VIP", name_ru="Важные", acceptance="offer", offer_s="45", target_min="15",
        service_target="95", tier="0", weight="2", members=[str(c.alice), str(c.dana)], prefers_proficiency="1",
        **{f"skill-{c.russian}": "3"},
    )  # fmt: skip
    assert answer.status_code == 303
    with db.read() as session:
        made = session.scalars(select(Queue).where(Queue.name == "VIP")).one()
        assert verbs.shape_of(made) == verbs.Shape("VIP", "Важные", "offer", 45, 15, 0.95, 0, 2, True, {c.russian: 3}, [c.alice, c.dana])
        assert made.target_s == 900 and made.weights == {"ticket": 2}
    assert "Важные" in Browser(desk, c.ada).open("/admin/queues?lang=ru").text


def test_what_cannot_be_is_said_all_at_once_and_stays_typed(desk: TestDesk) -> None:
    ada = Browser(desk, desk.people.ada)
    answer = ada.save(
        f"/admin/queues/{desk.people.support}", name="Billing", offer_s="4", target_min="x", service_target="101", tier="10", weight="0",
        acceptance="magic", name_ru="Набрано",
    )  # fmt: skip
    assert answer.status_code == 422
    for words in (
        "This name is taken",
        "from 5 to 600",
        "from 1 to 43200",
        "from 1 to 100",
        "from 0 to 9",
        "from 1 to 10",
        "choose one of the list",
    ):
        assert words in answer.text, words
    assert 'value="Набрано"' in answer.text and queue(desk.people.support).name == "Support"


def test_a_queue_changed_meanwhile_is_not_overwritten_unseen(desk: TestDesk) -> None:
    ada, page = Browser(desk, desk.people.ada), f"/admin/queues/{desk.people.support}"
    assert ada.save(page, offer_s="40").status_code == 303
    assert ada.save(page, offer_s="50", version="1").status_code == 409
    assert queue(desk.people.support).offer_s == 40


def test_work_that_waits_follows_what_its_queue_asks_for_now(desk: TestDesk) -> None:
    c = desk.people
    page = f"/admin/queues/{c.support}"
    ada = Browser(desk, c.ada)
    ada.save(page, **{f"skill-{c.russian}": "5"})
    people.arrives(c.alice, c.bob)
    ticket = people.writes(c.carol, inbox=c.mail)
    desk.work()
    assert owner(ticket) is None, "nobody has Russian at level 5"
    assert "Nobody in this queue has Russian at level 5" in ada.open(page).text
    assert "Nobody in this queue has Russian at level 5" in ada.open("/admin/queues").text
    ada.save(page, **{f"skill-{c.russian}": "3"})
    desk.work()
    assert owner(ticket) == c.alice
    assert "Nobody in this queue" not in ada.open(page).text


def test_work_that_waits_is_taken_by_somebody_who_joins_the_queue(desk: TestDesk) -> None:
    c = desk.people
    people.arrives(c.eve)
    ticket = people.writes(c.carol, inbox=c.mail)
    desk.work()
    assert owner(ticket) is None
    Browser(desk, c.ada).save(f"/admin/queues/{c.support}", members=[str(c.alice), str(c.eve)])
    desk.work()
    assert owner(ticket) == c.eve


def test_why_nobody_can_serve_is_said_in_plain_words() -> None:
    skills = {1: "Russian", 2: "Billing"}
    cases = [
        ({}, [], "Nobody works in this queue"),
        ({}, [{}], ""),
        ({"1": 3}, [{1: 2}, {2: 5}], "Russian at level 3"),
        ({"1": 1, "2": 1}, [{1: 5}, {2: 5}], "all the skills"),
        ({"1": 1, "2": 1}, [{1: 5}, {1: 1, 2: 1}], ""),
    ]
    from flask import Flask
    from flask_babel import Babel

    app = Flask(__name__)
    Babel(app)
    with app.test_request_context():
        for requirements, members, words in cases:
            said = str(verbs.trouble(requirements, members, skills))
            assert (words in said) if words else said == ""


def test_a_queue_with_work_goes_only_when_it_is_said_where_the_work_goes(desk: TestDesk, stopped: clock.Hand) -> None:
    c = desk.people
    waiting = people.writes(c.carol, inbox=c.mail)
    desk.work()
    ada, page = Browser(desk, c.ada), f"/admin/queues/{c.support}/deactivation"
    shown = ada.open(page).text
    assert "1 unsolved ticket has to go" in shown and "Portal, Support mail" in shown
    for nowhere in ("", str(c.support), "999", "x"):
        assert ada.send(page, page="/me", version="1", to=nowhere).status_code == 422, nowhere
    assert queue(c.support).active
    assert ada.send(page, page="/me", version="1", to=str(c.billing)).status_code == 303
    people.arrives(c.eve)
    desk.work()
    with db.read() as session:
        assert session.get_one(Ticket, waiting.id).queue_id == c.billing
        assert set(session.scalars(select(Inbox.queue_id))) == {c.billing}
        assert not session.get_one(Queue, c.support).active
    assert "Off" in ada.open("/admin/queues").text
    assert ada.send(f"/admin/queues/{c.support}/activation", page="/me", version="2").status_code == 303
    assert queue(c.support).active


def test_the_last_queue_stays(desk: TestDesk) -> None:
    c = desk.people
    ada = Browser(desk, c.ada)
    assert ada.send(f"/admin/queues/{c.support}/deactivation", page="/me", version="1", to=str(c.billing)).status_code == 303
    last = ada.send(f"/admin/queues/{c.billing}/deactivation", page="/me", version="1", to="")
    assert last.status_code == 409 and "only queue" in last.text


# --- skills and teams --------------------------------------------------------------------------------------------------


def test_a_skill_in_use_says_where_and_goes_only_when_told_to_go_everywhere(desk: TestDesk) -> None:
    c = desk.people
    ada = Browser(desk, c.ada)
    ada.save(f"/admin/queues/{c.support}", **{f"skill-{c.russian}": "2"})
    with db.transaction() as session:
        session.get_one(Queue, c.billing).steps = [{"requirements": {str(c.russian): 1, str(c.english): 1}, "until_age_s": 60}]
    page = f"/admin/skills/{c.russian}"
    refused = ada.send(f"{page}/removal", page="/me")
    assert refused.status_code == 409
    assert "1 person has it" in refused.text and "Billing, Support" in refused.text and "Alice" in refused.text
    assert ada.send(f"{page}/removal", page="/me", everywhere="1").status_code == 303
    with db.read() as session:
        assert session.get(Skill, c.russian) is None
        assert session.scalar(select(func.count()).select_from(AgentSkill).where(AgentSkill.skill_id == c.russian)) == 0
        assert session.get_one(Queue, c.support).requirements == {}
        assert session.get_one(Queue, c.billing).steps[0]["requirements"] == {str(c.english): 1}
    desk.work()


def test_a_skill_nobody_uses_goes_at_once(desk: TestDesk) -> None:
    ada = Browser(desk, desk.people.ada)
    assert ada.send("/admin/skills", page="/me", name="  French  ").status_code == 303
    with db.read() as session:
        french = session.scalars(select(Skill).where(Skill.name == "French")).one()
    assert ada.send("/admin/skills", page="/me", name="French").status_code == 422
    assert ada.save(f"/admin/skills/{french.id}", name="Français").status_code == 303
    assert ada.save(f"/admin/skills/{french.id}", name="Frans", version="1").status_code == 409
    assert ada.send(f"/admin/skills/{french.id}/removal", page="/me").status_code == 303


def test_a_team_is_made_filled_and_dissolved_and_its_people_stay(desk: TestDesk) -> None:
    c = desk.people
    ada = Browser(desk, c.ada)
    assert ada.send("/admin/teams", page="/me", name="Night shift").status_code == 303
    with db.read() as session:
        team = session.scalars(select(Team).where(Team.name == "Night shift")).one()
    page = f"/admin/teams/{team.id}"
    assert ada.save(page, members=[str(c.eve), str(c.bob), "999"]).status_code == 303
    assert ada.save(page, name="Nights", version="1").status_code == 409
    with db.transaction() as session:
        assert set(session.scalars(select(TeamMember.user_id).where(TeamMember.team_id == team.id))) == {c.eve, c.bob}
    ticket = people.writes(c.carol, inbox=c.mail)
    with db.transaction() as session:
        session.get_one(Ticket, ticket.id).team_id = team.id
    assert "2 people stay" in ada.open(f"{page}/removal").text and "1 ticket loses" in ada.open(f"{page}/removal").text
    assert ada.send(f"{page}/removal", page="/me").status_code == 303
    with db.read() as session:
        assert session.get(Team, team.id) is None and session.get_one(Ticket, ticket.id).team_id is None
    assert ada.open(page).status_code == 404
