"""People: invited, changed, given roles, deactivated with their work handed back, and let in again."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest
from sqlalchemy import func, select

from helpdesk import clock, db
from helpdesk.actor import SYSTEM, Actor
from helpdesk.agents import people as verbs
from helpdesk.agents.models import (
    AgentProfile,
    AgentSkill,
    ItemState,
    Offer,
    OfferState,
    Presence,
    PresenceState,
    QueueMember,
    TeamMember,
    WorkItem,
)
from helpdesk.auth import OneTimeLink, Role, User
from helpdesk.errors import Conflict
from helpdesk.events import Event
from helpdesk.tickets.models import Queue, Status, Ticket
from tests import people
from tests.desks import TestDesk
from tests.forms import Browser


@pytest.fixture
def ada(desk: TestDesk) -> Browser:
    return Browser(desk, desk.people.ada)


def sends_mail(desk: TestDesk) -> None:
    desk.app.config["HELPDESK"] = replace(desk.settings, smtp_url="smtp://127.0.0.1:1")


def row(user: int) -> User:
    with db.read() as session:
        return session.get_one(User, user)


def test_ada_invites_frank_with_everything_he_needs(desk: TestDesk, ada: Browser) -> None:
    sends_mail(desk)
    c = desk.people
    answer = ada.save(
        "/admin/people/new", to="/admin/people", name="Frank", email="Frank@Example.com", role="agent", queues=[str(c.support)],
        teams=["1"], capacity="4", **{f"skill-{c.russian}": "5"},
    )  # fmt: skip
    assert answer.status_code == 303
    with db.read() as session:
        frank = session.scalars(select(User).where(User.email == "frank@example.com")).one()
        assert (frank.name, frank.role, frank.password, frank.active) == ("Frank", Role.AGENT, None, True)
        assert session.scalars(select(QueueMember.queue_id).where(QueueMember.user_id == frank.id)).all() == [c.support]
        assert session.scalars(select(TeamMember.team_id).where(TeamMember.user_id == frank.id)).all() == [1]
        known = session.scalars(select(AgentSkill).where(AgentSkill.user_id == frank.id)).one()
        assert (known.skill_id, known.level) == (c.russian, 5)
        assert session.get_one(AgentProfile, frank.id).capacity == 4
        asked = session.scalars(select(Event).where(Event.kind == "link_requested")).one()
        assert (asked.user_id, asked.actor_id, asked.data) == (frank.id, c.ada, {"purpose": "invite"})


def test_without_a_mail_server_the_link_is_shown_once_to_pass_on(desk: TestDesk, ada: Browser) -> None:
    answer = ada.save("/admin/people/new", to="/admin/people", name="Frank", email="frank@example.com")
    assert answer.status_code == 200 and answer.headers["Cache-Control"] == "no-store"
    link = re.search(r"http://localhost(/invitation/[\w-]+)", answer.text)
    assert link
    assert Browser(desk).open(link[1]).status_code == 200
    with db.read() as session:
        frank = session.scalars(select(User).where(User.name == "Frank")).one()
        assert not session.scalar(select(func.count()).select_from(Event).where(Event.kind == "link_requested"))
    assert link[1] not in ada.open(f"/admin/people/{frank.id}").text
    again = ada.send(f"/admin/people/{frank.id}/link", page="/me")
    assert "/invitation/" in again.text and Browser(desk).open(link[1]).status_code == 410, "a newer link takes the older one's place"


REFUSED = [
    ("email", "ALICE@example.com", "Alice signs in with this address already"),
    ("email", "not an address", "is not an e-mail address"),
    ("name", "  ", "Please fill this in"),
    ("role", "customer", "choose one of the list"),
    ("role", "owner", "choose one of the list"),
    ("capacity", "101", "from 0 to 100"),
    ("capacity", "many", "from 0 to 100"),
    ("skill-1", "9", "from 1 to 5"),
]


def test_an_invitation_that_cannot_be_is_refused_and_nothing_typed_is_lost(desk: TestDesk, ada: Browser) -> None:
    for field, value, words in REFUSED:
        fields = {"name": "Frank", "email": "frank@example.com", "queues": [str(desk.people.support)], field: value}
        answer = ada.save("/admin/people/new", to="/admin/people", **fields)
        assert answer.status_code == 422 and words in answer.text, (field, value)
        assert f'name="queues" value="{desk.people.support}" checked' in answer.text
    with db.read() as session:
        assert session.scalar(select(func.count()).select_from(User)) == 5


def test_eve_moves_to_another_queue_and_gets_what_waits_there(desk: TestDesk, ada: Browser) -> None:
    c = desk.people
    people.arrives(c.eve)
    ticket = people.writes(c.carol, inbox=c.mail)
    desk.work()
    page = f"/admin/people/{c.eve}"
    assert ada.save(page, queues=[str(c.support), str(c.billing)]).status_code == 303
    desk.work()
    with db.read() as session:
        assert session.get_one(Ticket, ticket.id).assignee_id == c.eve
        kept = session.scalars(select(AgentSkill).where(AgentSkill.user_id == c.eve)).one()
        assert kept.skill_id == c.english and kept.level == 3, "what was not touched stays"


def test_a_person_changed_meanwhile_is_not_overwritten_unseen(desk: TestDesk, ada: Browser) -> None:
    page = f"/admin/people/{desk.people.alice}"
    assert ada.save(page, name="Alice Adams").status_code == 303
    stale = ada.save(page, name="Alicia", version="1")
    assert stale.status_code == 409 and "Somebody saved a change" in stale.text and 'value="Alicia"' in stale.text
    assert row(desk.people.alice).name == "Alice Adams"
    current = re.search(r'name="version" value="(\d+)"', stale.text)
    assert current and ada.save(page, name="Alicia", version=current[1]).status_code == 303, "having seen that, she may save again"


def test_a_refused_edit_changes_nothing_and_can_be_corrected(desk: TestDesk, ada: Browser) -> None:
    page = f"/admin/people/{desk.people.alice}"
    answer = ada.save(page, name="Alicia", email="bob@example.com")
    assert answer.status_code == 422 and row(desk.people.alice).name == "Alice"
    version = re.search(r'name="version" value="(\d+)"', answer.text)
    assert version and ada.save(page, name="Alicia", version=version[1]).status_code == 303


def test_roles_change_but_one_administrator_always_stays(desk: TestDesk, ada: Browser) -> None:
    c = desk.people
    alone = ada.save(f"/admin/people/{c.ada}", to=f"/admin/people/{c.ada}/role", role="agent")
    assert alone.status_code == 409 and "last administrator" in alone.text
    assert ada.save(f"/admin/people/{c.dana}", to=f"/admin/people/{c.dana}/role", role="admin").status_code == 303
    assert ada.save(f"/admin/people/{c.ada}", to=f"/admin/people/{c.ada}/role", role="agent").status_code == 303
    assert row(c.ada).role is Role.AGENT and ada.open("/admin/people").status_code == 404
    dana = Browser(desk, c.dana)
    assert dana.send(f"/admin/people/{c.dana}/role", page="/me", role="supervisor", version="2").status_code == 409


def test_a_deactivated_administrator_does_not_count_as_one_who_stays(desk: TestDesk) -> None:
    with db.transaction() as session:
        second = people.person("Zoe", Role.ADMIN)
        second.active = False
        session.flush()
        with pytest.raises(Conflict):
            verbs.deactivate(session.get_one(User, desk.people.ada), seen=None, by=SYSTEM)
        second.active = True
        session.flush()
        verbs.deactivate(session.get_one(User, desk.people.ada), seen=None, by=SYSTEM)
        with pytest.raises(Conflict):
            verbs.set_role(second, Role.AGENT, seen=None, by=SYSTEM)


def test_nobody_deactivates_themselves_by_mistake(desk: TestDesk, ada: Browser) -> None:
    with db.transaction():
        people.person("Zoe", Role.ADMIN)
    answer = ada.save(f"/admin/people/{desk.people.ada}/deactivation")
    assert answer.status_code == 409 and "cannot deactivate yourself" in answer.text and row(desk.people.ada).active


def test_a_customer_does_not_become_a_colleague_by_a_form(desk: TestDesk, ada: Browser) -> None:
    with db.transaction():
        carol = people.person("Carol", Role.CUSTOMER, email="carol@customer.example", contact_id=desk.people.carol).id
    answer = ada.send(f"/admin/people/{carol}/role", page="/me", role="admin", version="1")
    assert answer.status_code == 422 and row(carol).role is Role.CUSTOMER


def test_what_hangs_on_alice_is_said_before_and_waits_in_its_queue_after(desk: TestDesk, ada: Browser, stopped: clock.Hand) -> None:
    """Alice owns two tickets of Support and holds an offer of Billing; Bob and Eve get them."""
    c = desk.people
    with db.transaction() as session:
        session.add(QueueMember(queue_id=c.billing, user_id=c.alice))
    people.arrives(c.alice)
    owned = [people.writes(c.carol, inbox=c.mail) for _ in range(2)]
    solved = people.writes(c.carol, inbox=c.mail)
    desk.work()
    offered = people.writes(c.oleg, inbox=c.billing_mail)
    desk.work()
    with db.transaction() as session:
        from helpdesk.tickets import lifecycle

        lifecycle.solve(session.get_one(Ticket, solved.id), by=Actor("user", c.alice))
    desk.work()
    with db.transaction() as session:
        session.add(OneTimeLink(user_id=c.alice, purpose="reset", hashed="x", expires_at=clock.now()))
    before = ada.open(f"/admin/people/{c.alice}/deactivation").text
    assert "2 tickets go back to Support" in before and "1 offer is withdrawn" in before

    alice = Browser(desk, c.alice)
    assert alice.open("/me").status_code == 200
    done = ada.save(f"/admin/people/{c.alice}/deactivation")
    assert done.status_code == 303
    assert "2 tickets wait in their queues again. 1 offer was withdrawn." in ada.open(f"/admin/people/{c.alice}").text
    assert alice.open("/me").status_code == 303, "her session ended"
    with db.read() as session:
        assert [session.get_one(Ticket, ticket.id).assignee_id for ticket in owned] == [None, None]
        assert session.get_one(Ticket, solved.id).assignee_id == c.alice, "what she solved stays hers"
        assert (
            session.scalars(select(WorkItem.state).where(WorkItem.ticket_id.in_([t.id for t in (*owned, offered)]))).all()
            == [ItemState.WAITING] * 3
        )
        assert session.scalars(select(Offer.state)).all() == [OfferState.DECLINED]
        assert session.get_one(AgentProfile, c.alice).load == 0
        assert session.get_one(Presence, c.alice).state is PresenceState.OFFLINE
        assert session.scalar(select(func.count()).select_from(OneTimeLink)) == 0

    people.arrives(c.bob, c.eve)
    desk.work()
    with db.read() as session:
        assert [session.get_one(Ticket, ticket.id).assignee_id for ticket in owned] == [c.bob, c.bob]
        assert session.scalars(select(Offer.user_id).where(Offer.state == OfferState.OFFERED)).all() == [c.eve]


def test_what_reaches_alice_in_the_very_moment_is_handed_back_by_the_reaction(desk: TestDesk, ada: Browser, stopped: clock.Hand) -> None:
    c = desk.people
    ada.save(f"/admin/people/{c.alice}/deactivation")
    desk.work()
    late = people.writes(c.carol, inbox=c.mail)
    with db.transaction() as session:
        ticket = session.get_one(Ticket, late.id)
        ticket.assignee_id, ticket.status = c.alice, Status.OPEN
    stopped.move(seconds=20)
    desk.work()
    with db.read() as session:
        assert session.get_one(Ticket, late.id).assignee_id is None


def test_deactivated_people_cannot_be_mailed_and_come_back_as_they_were(desk: TestDesk, ada: Browser) -> None:
    sends_mail(desk)
    c = desk.people
    ada.save(f"/admin/people/{c.alice}/deactivation")
    assert ada.send(f"/admin/people/{c.alice}/link", page="/me").status_code == 409
    page = f"/admin/people/{c.alice}"
    assert ada.save(page, to=f"{page}/activation").status_code == 303
    with db.read() as session:
        assert session.get_one(User, c.alice).active
        assert session.scalars(select(QueueMember.queue_id).where(QueueMember.user_id == c.alice)).all() == [c.support]
        kinds = list(session.scalars(select(Event.kind).where(Event.user_id == c.alice, Event.kind.like("user_%")).order_by(Event.id)))
    assert kinds == ["user_deactivated", "user_reactivated"]
    assert ada.send(f"/admin/people/{c.alice}/link", page="/me").status_code == 303


def test_deactivating_twice_does_nothing_the_second_time(desk: TestDesk) -> None:
    for _ in range(2):
        with db.transaction() as session:
            verbs.deactivate(session.get_one(User, desk.people.alice), seen=None, by=SYSTEM)
    with db.read() as session:
        assert session.scalar(select(func.count()).select_from(Event).where(Event.kind == "user_deactivated")) == 1


def test_people_are_found_by_part_of_a_name_or_address_in_either_alphabet(desk: TestDesk, ada: Browser) -> None:
    with db.transaction():
        people.person("Ольга Орлова", Role.AGENT, email="olga@example.com")
        people.person("100%_sure", Role.AGENT, email="percent@example.com")
    for text, name in (
        ("ali", "Alice"),
        ("OLGA@", "Ольга Орлова"),
        ("ольга", "Ольга Орлова"),
        ("орлов", "Ольга Орлова"),
        ("0%_s", "100%_sure"),
    ):
        rows = ada.open(f"/admin/people?q={text.replace('%', '%25')}").text.split("<tbody>")[1].split("</tbody>")[0]
        assert name in rows and rows.count("<tr>") == 1, text
    assert "Nobody found" in ada.open("/admin/people?q=zzz").text


def test_the_list_pages_by_name_and_filters_by_role_and_state(desk: TestDesk, ada: Browser) -> None:
    with db.transaction() as session:
        for number in range(60):
            people.person(f"Person {number:02}", Role.AGENT)
        session.get_one(User, desk.people.bob).active = False
    first = ada.open("/admin/people").text
    following = re.search(r'rel="next" href="([^"]+)"', first)
    assert following and first.count('<th scope="row">') == 50
    second = ada.open(following[1].replace("&amp;", "&")).text
    assert second.count('<th scope="row">') == 14 and "Bob" not in first + second.split("</table>")[0]
    assert "Bob" in ada.open("/admin/people?state=deactivated").text
    only = ada.open("/admin/people?role=supervisor").text.split("<tbody>")[1]
    assert "Dana" in only and "Alice" not in only
    assert ada.open("/admin/people?after=nonsense").status_code == 422


def test_skills_and_queues_that_do_not_exist_are_left_out(desk: TestDesk) -> None:
    with db.transaction() as session:
        alice = session.get_one(User, desk.people.alice)
        verbs.edit(alice, name="Alice", email=alice.email, place=verbs.Place(teams=[99], queues=[99], skills={99: 1}), seen=None, by=SYSTEM)
        assert not verbs.place_of(alice).queues and not verbs.place_of(alice).skills
        assert session.get_one(Queue, desk.people.support).active
