"""What may be given beside work in hand is the desk's own table: it counts at once, says what it would change, and refuses nonsense."""

from __future__ import annotations

import pytest

from helpdesk import clock, db
from helpdesk.actor import Actor
from helpdesk.agents import beside, interrupts, offers, ranking, sweeping
from helpdesk.agents.models import AgentProfile
from helpdesk.events import Event
from helpdesk.preferences import prefer
from tests import people
from tests.desks import TestDesk
from tests.forms import Browser
from tests.integration.agents.desk_work import offered, owner, stays, talks

sqlite = pytest.mark.parametrize("engine", ["sqlite"], indirect=True)


def on_a_call(desk: TestDesk) -> None:
    """Alice, the only one here, has a call in hand."""
    c = desk.people
    people.arrives(c.alice)
    talks(desk, c.oleg, "phone", "Call")
    with db.transaction():
        [offer] = offers.open_offers(c.alice)
        offers.accept(offer, by=Actor("user", c.alice))
    desk.work()


def set_to(desk: TestDesk, **rows: list[str]) -> None:
    given = {
        f"beside-{held}": beside for held, beside in {"phone": [], "chat": ["chat"], "ticket": ["ticket", "chat", "phone"], **rows}.items()
    }
    assert Browser(desk, desk.people.ada).save("/admin/interrupts", **given).status_code == 303


def test_what_is_allowed_beside_a_call_reaches_the_agent_at_once_and_nothing_else_does(desk: TestDesk, stopped: clock.Hand) -> None:
    c = desk.people
    on_a_call(desk)
    chat = talks(desk, c.carol, "chat", "Chat")
    mail = people.writes(c.carol, inbox=c.mail)
    desk.work()
    assert offered(c.alice) == [] and owner(mail) is None
    set_to(desk, phone=["chat"])
    desk.work()
    assert [offer.ticket_id for offer in offered(c.alice)] == [chat.id] and owner(mail) is None
    assert sweeping.sweep() == 0
    with db.read() as session:
        fact = session.query(Event).filter_by(kind="interrupts_changed").one()
    assert (fact.actor.id, fact.data["old"], fact.data["new"]) == (
        c.ada, "ticket:ticket,chat,phone chat:chat phone:", "ticket:ticket,chat,phone chat:chat phone:chat",
    )  # fmt: skip


def test_what_is_allowed_no_longer_is_not_given_any_more_and_what_was_given_stays(desk: TestDesk, stopped: clock.Hand) -> None:
    c = desk.people
    people.arrives(c.alice)
    first = talks(desk, c.oleg, "chat", "First")
    set_to(desk, chat=[])
    desk.work()
    talks(desk, c.carol, "chat", "Second")
    assert [offer.ticket_id for offer in offered(c.alice)] == [first.id]


def test_the_page_about_a_ticket_says_what_keeps_the_agent_from_it(desk: TestDesk, stopped: clock.Hand) -> None:
    c = desk.people
    on_a_call(desk)
    mail = people.writes(c.carol, inbox=c.mail)
    desk.work()
    assert "is on a call, and tickets are not given beside it" in Browser(desk, c.dana).open(f"/tickets/{mail.number}/why").text
    set_to(desk, phone=["ticket"])
    desk.work()
    assert owner(mail) == c.alice


def test_a_process_that_had_not_heard_of_it_is_made_good_a_moment_later(
    desk: TestDesk, stopped: clock.Hand, monkeypatch: pytest.MonkeyPatch
) -> None:
    c = desk.people
    on_a_call(desk)
    chat = talks(desk, c.carol, "chat", "Chat")
    set_to(desk, phone=["chat"])
    with monkeypatch.context() as believing:
        believing.setattr(interrupts, "in_force", lambda: ranking.INTERRUPTS)
        desk.work()
        assert offered(c.alice) == []
    stays(stopped, c.alice, minutes=0.05)
    desk.work()
    assert [offer.ticket_id for offer in offered(c.alice)] == [chat.id]


@sqlite
def test_before_it_is_saved_the_screen_says_for_how_many_it_would_change_what(desk: TestDesk, stopped: clock.Hand) -> None:
    c = desk.people
    on_a_call(desk)
    people.arrives(c.bob)
    ada = Browser(desk, c.ada)
    page = ada.open("/admin/interrupts").text
    assert "While on a call" in page and "nothing else" in page and "1 agent who is here has work in hand." in page
    tried = ada.save("/admin/interrupts", **{"beside-phone": ["chat", "ticket"], "preview": "1"})
    assert tried.status_code == 200 and "tickets, chats" in tried.text and "1 of them could be given something more than now." in tried.text
    assert "0 of them something less." in tried.text
    with db.read() as session:
        assert interrupts.in_force() == ranking.INTERRUPTS and session.query(Event).filter_by(kind="interrupts_changed").count() == 0
        found = beside.preview(interrupts.checked({"phone": ["chat"], "ticket": []}))
    assert found == beside.Preview(1, (("ticket", 0, 0), ("chat", 0, 1), ("phone", 0, 0)), 1, 0)
    russian = ada.open("/admin/interrupts?lang=ru").text
    main = russian[russian.index("<main") : russian.index("</main>")]
    assert "While" not in main and "ничего" in main


@sqlite
def test_somebody_who_is_full_is_not_counted_as_free_for_more(desk: TestDesk, stopped: clock.Hand) -> None:
    with db.transaction() as session:
        session.get_one(AgentProfile, desk.people.alice).live_capacity = 1
    on_a_call(desk)
    with db.read():
        assert beside.preview(interrupts.checked({"phone": ["chat", "phone"]})).more == 0


@sqlite
def test_without_anybody_at_work_it_says_so(desk: TestDesk) -> None:
    assert "Nobody who is here has work in hand" in Browser(desk, desk.people.ada).open("/admin/interrupts").text


@sqlite
def test_a_channel_that_this_desk_does_not_have_is_refused_and_nothing_is_changed(desk: TestDesk) -> None:
    ada = Browser(desk, desk.people.ada)
    answer = ada.save("/admin/interrupts", **{"beside-phone": ["pigeon"]})
    assert answer.status_code == 422 and "names “pigeon”, which is no channel of this desk" in answer.text
    with db.read():
        assert interrupts.in_force() == ranking.INTERRUPTS


@sqlite
@pytest.mark.parametrize("stored", [{"phone": ["pigeon"]}, {"fax": []}, {"phone": "chat"}, {"phone": None}])
def test_nonsense_in_the_database_is_not_used_and_the_screen_says_so(desk: TestDesk, stored: dict[str, object]) -> None:
    with db.transaction():
        prefer(interrupts=stored)
    with db.read():
        assert interrupts.in_force() == ranking.INTERRUPTS
    ada = Browser(desk, desk.people.ada)
    assert "What is stored is not used" in ada.open("/admin/interrupts").text
    assert ada.save("/admin/interrupts").status_code == 303
    with db.read():
        assert not interrupts.fault() and interrupts.in_force() == ranking.INTERRUPTS


@sqlite
def test_a_row_that_is_not_stored_is_the_usual_one(desk: TestDesk) -> None:
    table = interrupts.checked({"phone": ["chat"]})
    assert table == {**ranking.INTERRUPTS, "phone": frozenset({"chat"})}


@sqlite
def test_saving_nothing_new_changes_nothing_and_an_older_sight_is_stale(desk: TestDesk) -> None:
    ada, other = Browser(desk, desk.people.ada), Browser(desk, desk.people.ada)
    assert ada.save("/admin/interrupts").status_code == 303
    assert "Nothing is changed." in ada.open("/admin/interrupts").text
    assert other.save("/admin/interrupts", **{"beside-phone": ["chat"]}).status_code == 303
    late = ada.save("/admin/interrupts", **{"beside-phone": ["ticket"], "version": "older"})
    assert late.status_code == 409 and "Somebody saved a change" in late.text
    with db.read() as session:
        assert interrupts.in_force()["phone"] == frozenset({"chat"})
        assert session.query(Event).filter_by(kind="interrupts_changed").count() == 1


@sqlite
def test_the_screen_is_for_administrators(desk: TestDesk) -> None:
    for user in (desk.people.alice, desk.people.dana):
        answer = Browser(desk, user).open("/admin/interrupts")
        assert answer.status_code in (403, 404)
