"""Work that waits follows changed boosts and steps at once, in batches, and the screen says how much of it."""

from __future__ import annotations

import pytest

from helpdesk import clock, db, live
from helpdesk.agents import reordering, sweeping
from helpdesk.agents.models import Reordering
from helpdesk.events import Event
from helpdesk.tickets.models import Priority, Ticket
from tests import people
from tests.desks import TestDesk
from tests.forms import Browser
from tests.integration.agents.desk_work import arrange, item_of, owner, stays


def waiting_tickets(desk: TestDesk, n: int, **values: object) -> list[Ticket]:
    """Tickets that nobody is there to take."""
    made = [people.writes(desk.people.carol, inbox=desk.people.mail, subject=f"No. {number}", **values) for number in range(n)]  # type: ignore[arg-type]
    desk.work()
    return made


def walk() -> Reordering:
    with db.read() as session:
        return session.query(Reordering).one()


def test_a_changed_boost_re_keys_what_waits_at_once_and_says_how_many(desk: TestDesk, stopped: clock.Hand) -> None:
    [plain] = waiting_tickets(desk, 1)
    [urgent] = waiting_tickets(desk, 1, priority=Priority.URGENT)
    before = {ticket.id: item_of(ticket).vkey for ticket in (plain, urgent)}
    ada = Browser(desk, desk.people.ada)
    assert ada.save("/admin/preferences", boost_urgent_s="10").status_code == 303
    assert "2 pieces of work that wait follow at once" in ada.open("/admin/preferences").text
    desk.work()
    assert item_of(plain).vkey == before[plain.id]
    assert item_of(urgent).vkey == before[urgent.id] + 20 * 60 * 1000 and item_of(urgent).boost["total_s"] == 600.0
    assert ada.save("/admin/preferences", undo_s="20").status_code == 303
    assert "Saved." in (page := ada.open("/admin/preferences").text) and "follow at once" not in page


def test_work_placed_by_another_process_that_had_not_heard_of_it_is_re_keyed_a_moment_later(desk: TestDesk, stopped: clock.Hand) -> None:
    ada = Browser(desk, desk.people.ada)
    ada.save("/admin/preferences", boost_urgent_s="10")
    desk.work()
    [urgent] = waiting_tickets(desk, 1, priority=Priority.URGENT)
    right = item_of(urgent).vkey
    with db.transaction() as session:  # as it stands where the preferences of before are still believed
        item = session.get_one(type(item_of(urgent)), item_of(urgent).id)
        item.boost, item.vkey = {"total_s": 1800.0, "priority_s": 1800.0, "value_s": 0.0}, right - 20 * 60 * 1000
    stopped.move(seconds=3)
    desk.work()
    assert item_of(urgent).vkey == right


def test_much_work_is_walked_through_in_batches_with_progress(desk: TestDesk, stopped: clock.Hand, monkeypatch: pytest.MonkeyPatch) -> None:
    tickets = waiting_tickets(desk, 5, priority=Priority.URGENT)
    monkeypatch.setattr(reordering, "BATCH", 2)
    seen: list[tuple[int, int]] = []
    tell = reordering._tell
    monkeypatch.setattr(reordering, "_tell", lambda id: (seen.append((walk().done, walk().total)), tell(id)))
    ada = Browser(desk, desk.people.ada)
    ada.save("/admin/preferences", boost_urgent_s="0", boost_high_s="0")
    desk.work()
    assert [done for done, _total in seen] == [2, 4, 5, 5] and {total for _done, total in seen} == {5}
    assert {item_of(ticket).boost["total_s"] for ticket in tickets} == {0.0} and walk().finished_at is not None
    page = f"/admin/reorderings/{walk().id}"
    assert "5 pieces of work that wait follow" in ada.open(page).text and 'id="reordering"' not in ada.open("/admin/preferences").text
    with db.transaction() as session:
        session.get_one(Reordering, walk().id).finished_at = None
    assert "5 of 5" in ada.open(page).text and "5 of 5" in ada.open("/admin/preferences").text
    assert Browser(desk, desk.people.dana).open(page).status_code == 200 and Browser(desk, desk.people.alice).open(page).status_code == 404
    assert live.may_watch(people.principal(desk.people.dana), "reordering:1")
    assert not live.may_watch(people.principal(desk.people.alice), "reordering:1")


def test_a_walk_that_was_cut_off_begins_again_and_leaves_one_row(
    desk: TestDesk, stopped: clock.Hand, monkeypatch: pytest.MonkeyPatch
) -> None:
    tickets = waiting_tickets(desk, 3)
    monkeypatch.setattr(reordering, "BATCH", 1)
    real, broken = reordering._batch, [True]

    def batch(queue_id: int | None, after: int) -> object:
        if after and broken:
            broken.clear()
            raise OSError("the database went away")
        return real(queue_id, after)

    monkeypatch.setattr(reordering, "_batch", batch)
    arrange(desk.people.support, tier=3)
    desk.work()
    assert not broken and walk().finished_at is None
    stopped.move(minutes=5)
    desk.work()
    assert walk().finished_at is not None and walk().done == 3
    assert {item_of(ticket).tier for ticket in tickets} == {3}


def test_steps_added_while_work_waits_admit_more_agents_by_a_timer_not_by_the_sweep(desk: TestDesk, stopped: clock.Hand) -> None:
    c = desk.people
    people.arrives(c.bob)
    arrange(c.support, requirements={str(c.russian): 3})
    desk.work()
    first = waiting_tickets(desk, 1)
    stays(stopped, c.bob, minutes=3)
    second = waiting_tickets(desk, 1)
    ada = Browser(desk, c.ada)
    assert ada.save(f"/admin/queues/{c.support}", **{"after-1": "5", f"step1-{c.russian}": ""}).status_code == 303
    assert "2 pieces of work that wait follow at once" in ada.open(f"/admin/queues/{c.support}").text
    desk.work()
    assert {item_of(ticket).step for ticket in (*first, *second)} == {1}
    stays(stopped, c.bob, minutes=2)
    desk.work()
    assert owner(first[0]) == c.bob and owner(second[0]) is None
    stays(stopped, c.bob, minutes=3)
    desk.work()
    assert owner(second[0]) == c.bob and sweeping.sweep() == 0
    stays(stopped, c.bob, minutes=60)
    desk.work()
    with db.read() as session:
        assert session.query(Event).filter_by(kind="steps_coming").count() == 2, "with nothing left to widen the timer ends"


def test_queues_where_nothing_waits_say_nothing_more_than_saved(desk: TestDesk) -> None:
    ada = Browser(desk, desk.people.ada)
    assert ada.save(f"/admin/queues/{desk.people.billing}", target_min="50").status_code == 303
    page = ada.open(f"/admin/queues/{desk.people.billing}").text
    assert "Saved." in page and "follow" not in page.split("Saved.")[1][:40]
    desk.work()
    with db.read() as session:
        assert session.query(Reordering).count() == 0
