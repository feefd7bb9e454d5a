"""The wallboard: who may watch, its pages and pushes, links for televisions."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest

from helpdesk import clock, db, live
from helpdesk.agents import behind, figures, wallboard
from helpdesk.auth import ANONYMOUS, Role
from helpdesk.tickets.models import Ticket
from tests import people
from tests.desks import TestDesk
from tests.forms import Browser


@pytest.fixture(autouse=True)
def fresh() -> Iterator[None]:
    figures.forget()
    yield
    figures.forget()


def asks(desk: TestDesk, inbox: int | None = None, **values: object) -> Ticket:
    return people.writes(desk.people.carol, inbox=inbox or desk.people.mail, **values)  # type: ignore[arg-type]


def test_the_pages_link_to_the_tickets(desk: TestDesk, stopped: clock.Hand) -> None:
    ticket = asks(desk, subject="Where is it?")
    stopped.move(minutes=45)
    dana = desk.client(desk.people.dana)
    page = dana.get("/wallboard").text
    assert f'href="/inbox/{ticket.number}"' in page and 'href="/wallboard/tickets/breached"' in page and "Where is it?" in page
    for figure in behind.FIGURES:
        assert dana.get(f"/wallboard/tickets/{figure}?queue={desk.people.support}").status_code == 200
    assert "Where is it?" in dana.get("/wallboard/tickets/at-risk").text
    assert dana.get("/wallboard/tickets/nothing").status_code == 404
    assert dana.get("/wallboard?queue=999999").status_code == dana.get("/wallboard?queue=x").status_code == 404
    assert "Wilson" in dana.get("/wallboard/definitions").text


# --- who may ------------------------------------------------------------------------------------------------------------------


def test_supervisors_and_administrators_watch_and_nobody_else(desk: TestDesk) -> None:
    paths = ("/wallboard", "/wallboard/board", "/wallboard/tickets/waiting", "/wallboard/definitions", "/wallboard/screens")
    with db.transaction():
        people.person("Carla", Role.CUSTOMER, contact_id=desk.people.carol)
        carla = db.session().query(people.User).filter_by(name="Carla").one().id
    for path in paths:
        for lead in (desk.people.dana, desk.people.ada):
            assert desk.client(lead).get(path).status_code == 200
        assert desk.client(desk.people.alice).get(path).status_code == 404
        assert desk.client(carla).get(path).status_code in (403, 404)
        assert desk.client().get(path).status_code == 303
    with desk.app.app_context():
        for name in ("wall:all", f"wall:{desk.people.support}"):
            assert live.may_watch(people.principal(desk.people.dana), name)
            assert not live.may_watch(people.principal(desk.people.alice), name)
            assert not live.may_watch(people.principal(carla), name) and not live.may_watch(ANONYMOUS, name)
        assert not live.may_watch(people.principal(desk.people.dana), "wall:everything")


# --- pushes -------------------------------------------------------------------------------------------------------------------


def watching(desk: TestDesk, user: int | None, room: str, token: str = "") -> tuple[live.SocketIO, bool]:
    screen = live.socketio.test_client(desk.app, flask_test_client=desk.client(user))
    return screen, bool(screen.emit("watch", {"room": room, "token": token}, callback=True)["ok"])


def pushes(screen: live.SocketIO) -> list[dict[str, dict[str, str]]]:
    return [received["args"][0] for received in screen.get_received() if received["name"] == "wall"]


def test_an_open_board_hears_of_a_ticket_by_itself(desk: TestDesk) -> None:
    screen, ok = watching(desk, desk.people.dana, "wall:all")
    assert ok
    try:
        time.sleep(figures.FRESH_S + 0.3)
        pushes(screen)
        begun = time.monotonic()
        ticket = asks(desk, subject="Newest of all")
        heard = ""
        while f"#{ticket.number}" not in heard and time.monotonic() - begun < 30:
            time.sleep(0.05)
            heard += "".join(push["html"]["en"] for push in pushes(screen))
        assert f"#{ticket.number}" in heard
    finally:
        screen.disconnect()


def test_what_looks_the_same_is_not_pushed_again_and_each_language_has_its_own(
    desk: TestDesk, stopped: clock.Hand, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(wallboard, "watched", list)  # the process's own keeper stays out of this
    screen, _ok = watching(desk, desk.people.dana, f"wall:{desk.people.support}")
    room = [f"wall:{desk.people.support}"]
    keeper = wallboard.Keeper()
    try:
        keeper.round(desk.app, room)
        first = [push for push in pushes(screen) if push["room"] == room[0]]
        assert first and 'id="wall-tiles"' in first[-1]["html"]["en"] and 'id="wall-agents"' in first[-1]["html"]["ru"]
        keeper.round(desk.app, room)
        stopped.move(seconds=10)
        keeper.round(desk.app, room)
        assert pushes(screen) == []
        asks(desk)
        keeper.news()
        keeper._today.clear()
        keeper.round(desk.app, room)
        (second,) = pushes(screen)
        assert 'id="wall-tiles"' in second["html"]["en"] and 'id="wall-flow"' in second["html"]["en"]
        assert "wall-agents" not in second["html"]["en"]
        asks(desk, desk.people.billing_mail)
        keeper.round(desk.app, room)
        assert pushes(screen) == [], "another queue's ticket is no news here"
    finally:
        screen.disconnect()


def test_a_badge_that_only_ticks_is_no_news() -> None:
    one = '<sla-timer due="5" window="9"><span class="sla warn">9:59</span></sla-timer> <rel-time at="3">5 min</rel-time>'
    other = '<sla-timer due="5" window="9"><span class="sla bad">−0:01</span></sla-timer> <rel-time at="3">6 min</rel-time>'
    assert wallboard.settled(one) == wallboard.settled(other) != wallboard.settled(one.replace('due="5"', 'due="6"'))


# --- televisions ----------------------------------------------------------------------------------------------------------------


def link(queue_id: int | None = None) -> str:
    with db.read():
        return wallboard.tv_word(queue_id)


def test_a_televisions_link_shows_the_board_without_a_session_and_without_customers_words(desk: TestDesk, stopped: clock.Hand) -> None:
    ticket = asks(desk, subject="My secret diagnosis")
    stopped.move(minutes=45)
    answer = desk.client().get(f"/wallboard/tv/{link()}")
    assert answer.status_code == 200 and f"#{ticket.number}" in answer.text
    assert "My secret diagnosis" not in answer.text and "/inbox/" not in answer.text and "/wallboard/tickets" not in answer.text
    assert answer.headers["Cache-Control"] == "no-store"
    assert desk.client().get(f"/wallboard/tv/{link()}/board").status_code == 200
    assert "Billing" in desk.client().get(f"/wallboard/tv/{link(desk.people.billing)}").text


def test_the_link_opens_nothing_else(desk: TestDesk) -> None:
    word = link(desk.people.billing)
    with desk.app.app_context():
        assert live._may(ANONYMOUS, f"tv:{desk.people.billing}", word)
        assert (
            not live._may(ANONYMOUS, "tv:all", word)
            and not live._may(ANONYMOUS, "wall:all", word)
            and not live._may(ANONYMOUS, "tv:all", "")
        )
    assert desk.client().get(f"/wallboard/tv/{word[:-2]}xx").status_code == 410
    assert desk.client().get(f"/wallboard/tv/{word}x").status_code == 410


def test_revoked_links_end_at_once_on_page_and_socket(desk: TestDesk) -> None:
    word = link()
    screen, ok = watching(desk, None, "tv:all", word)
    assert ok
    try:
        assert Browser(desk, desk.people.alice).send("/wallboard/screens/revocation", page="/inbox").status_code == 404
        assert desk.client().get(f"/wallboard/tv/{word}").status_code == 200
        assert Browser(desk, desk.people.dana).send("/wallboard/screens/revocation", page="/inbox").status_code == 303
        assert desk.client().get(f"/wallboard/tv/{word}").status_code == 410
        live.recheck(desk.app)
        assert "evicted" in [received["name"] for received in screen.get_received()] and "tv:all" not in live.watching()
        assert desk.client().get(f"/wallboard/tv/{link()}").status_code == 200
    finally:
        screen.disconnect()


def test_a_link_ends_after_a_year(desk: TestDesk, stopped: clock.Hand) -> None:
    word = link()
    stopped.move(days=366)
    assert desk.client().get(f"/wallboard/tv/{word}").status_code == 410
