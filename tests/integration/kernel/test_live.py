"""What moves on open screens: who may watch what, what is pushed after a commit, and who is put out when rights change."""

from __future__ import annotations

import os
import time
from typing import Any

import pytest

from helpdesk import db, drawing, live
from helpdesk.actor import Actor
from helpdesk.agents.models import QueueMember
from helpdesk.auth import User
from helpdesk.errors import NotFound
from helpdesk.tickets import lifecycle
from helpdesk.tickets.models import Ticket
from tests import people
from tests.desks import TestDesk


def screen(desk: TestDesk, user: int | None) -> Any:
    """An open page of somebody, as its socket."""
    return live.socketio.test_client(desk.app, flask_test_client=desk.client(user))


def watches(socket: Any, room: str) -> bool:
    return bool(socket.emit("watch", {"room": room}, callback=True)["ok"])


def heard(socket: Any, name: str, *, within: float = 3.0) -> list[dict[str, Any]]:
    """What arrived under a name; drawing happens beside the request, so this waits a moment for the first."""
    until, found = time.monotonic() + within, []
    while time.monotonic() < until and not found:
        found = [message["args"][0] for message in socket.get_received() if message["name"] == name]
        time.sleep(0.02)
    return found


def test_agents_watch_their_queues_themselves_and_what_they_may_see_and_nothing_else(desk: TestDesk) -> None:
    company = desk.people
    ticket = people.writes(company.carol, inbox=company.mail)
    alice = screen(desk, company.alice)
    assert watches(alice, f"queue:{company.support}") and watches(alice, f"agent:{company.alice}") and watches(alice, f"ticket:{ticket.id}")
    assert not watches(alice, f"queue:{company.billing}") and not watches(alice, f"agent:{company.bob}")
    eve = screen(desk, company.eve)
    assert not watches(eve, f"ticket:{ticket.id}") and not watches(eve, "ticket:999999")
    assert watches(screen(desk, company.dana), f"queue:{company.billing}")


@pytest.mark.parametrize("room", ["queue:1", "agent:1", "ticket:1", "wall:all", "nonsense", "", "queue:", "queue:1 OR 1", "ticket:-1"])
def test_strangers_watch_nothing_and_are_told_nothing(desk: TestDesk, room: str) -> None:
    people.writes(desk.people.carol, inbox=desk.people.mail)
    answer = screen(desk, None).emit("watch", {"room": room}, callback=True)
    assert answer == {"ok": False, "error": "not here"}


@pytest.mark.parametrize("message", [None, 5, [], "queue:1", {"room": None}, {"room": {"a": 1}}, {"room": "x" * 10_000}])
def test_a_strange_message_gets_the_same_refusal(desk: TestDesk, message: Any) -> None:
    assert screen(desk, desk.people.alice).emit("watch", message, callback=True)["ok"] is False


def test_a_new_ticket_is_pushed_ready_drawn_in_both_languages_with_its_lists(desk: TestDesk) -> None:
    company = desk.people
    alice, eve = screen(desk, company.alice), screen(desk, company.eve)
    watches(alice, f"queue:{company.support}")
    watches(eve, f"queue:{company.billing}")
    people.writes(company.carol, inbox=company.mail, subject="Where is it?")
    [row] = heard(alice, "row")
    assert set(row["html"]) == {"en", "ru"} and "Where is it?" in row["html"]["en"]
    assert row["lists"] == ["all", f"queue:{company.support}", "unassigned"] and row["room"] == f"queue:{company.support}"
    assert heard(eve, "row", within=0.3) == []


def test_each_push_to_a_room_carries_the_next_revision(desk: TestDesk) -> None:
    company = desk.people
    alice = screen(desk, company.alice)
    watches(alice, f"queue:{company.support}")
    revisions = []
    for _ in range(2):
        people.writes(company.carol, inbox=company.mail)
        revisions += [push["rev"] for push in heard(alice, "row")]
    assert len(revisions) == 2 and revisions[1] > revisions[0]


def test_what_was_rolled_back_is_never_shown(desk: TestDesk) -> None:
    company = desk.people
    ticket = people.writes(company.carol, inbox=company.mail)
    alice = screen(desk, company.alice)
    watches(alice, f"ticket:{ticket.id}")
    heard(alice, "ticket", within=1.0)  # what the ticket's own arrival still draws
    with pytest.raises(NotFound), db.transaction() as session:
        lifecycle.solve(session.get_one(Ticket, ticket.id), by=Actor("user", company.alice))
        raise NotFound
    assert heard(alice, "ticket", within=0.3) == []


def test_a_person_who_lost_a_queue_is_put_out_of_its_room(desk: TestDesk) -> None:
    company = desk.people
    alice = screen(desk, company.alice)
    watches(alice, f"queue:{company.support}")
    with db.transaction() as session:
        session.delete(session.get_one(QueueMember, (company.support, company.alice)))
    live.recheck(desk.app)
    assert heard(alice, "evicted") == [{"room": f"queue:{company.support}"}]
    people.writes(company.carol, inbox=company.mail)
    assert heard(alice, "row", within=0.3) == []


def test_a_person_who_may_no_longer_sign_in_is_disconnected(desk: TestDesk) -> None:
    company = desk.people
    alice, bob = screen(desk, company.alice), screen(desk, company.bob)
    with db.transaction() as session:
        session.get_one(User, company.alice).active = False
    live.recheck(desk.app)
    assert not alice.is_connected() and bob.is_connected()


def test_a_heartbeat_keeps_an_agent_reachable_and_answers_with_the_time(desk: TestDesk) -> None:
    company = desk.people
    people.arrives(company.alice)
    answer = screen(desk, company.alice).emit("alive", {"ticket": None, "typing": False}, callback=True)
    assert answer["ok"] and abs(answer["now"] - time.time()) < 5


def test_a_forked_process_counts_its_pushes_under_a_name_of_its_own() -> None:
    """gunicorn forks: under one name two counts look like gaps, and the smaller one like old news."""
    reads, writes = os.pipe()
    child = os.fork()
    if child == 0:
        os.write(writes, live._source.encode())
        os._exit(0)
    os.waitpid(child, 0)
    name = os.read(reads, 100).decode()
    os.close(reads), os.close(writes)
    assert name and name != live._source


@pytest.mark.parametrize("engine", ["sqlite"], indirect=True)
def test_what_nobody_watches_is_not_drawn_but_who_comes_back_learns_that_something_was_missed(desk: TestDesk) -> None:
    company, drawn = desk.people, []
    room = f"queue:{company.support}"

    def draw() -> dict[str, Any]:
        drawn.append(room)
        return {"html": "a row"}

    alice = screen(desk, company.alice)
    assert watches(alice, room)
    live.show(room, "row", draw)
    (first,) = heard(alice, "row")
    alice.emit("unwatch", {"room": room}, callback=True)
    live.show(room, "row", draw)
    assert drawn == [room]
    assert watches(alice, room)
    live.show(room, "row", draw)
    (third,) = heard(alice, "row")
    assert third["rev"] == first["rev"] + 2 and third["html"] == "a row"


@pytest.mark.parametrize("engine", ["sqlite"], indirect=True)
def test_beside_other_processes_everything_is_drawn_because_somebody_may_watch_there(
    desk: TestDesk, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert not live.watched("queue:1")
    monkeypatch.setattr(live, "_alone", False)
    assert live.watched("queue:1")


def test_drawing_rests_once_its_share_of_the_time_and_what_it_saved_are_used_up() -> None:
    allowance = drawing.Allowance(share=0.25, saved=0.2, longest=0.4)
    assert allowance.spend(10.0, 10.1) == 0  # taken from what was saved
    assert allowance.spend(10.1, 10.3) == pytest.approx(0.2)  # 0.05 s too much, earned again in 0.2 s
    assert allowance.spend(10.5, 11.0) == 0.4  # however long a round took, the next begins in time
    assert allowance.spend(99.0, 99.1) == 0  # a quiet while saves again
