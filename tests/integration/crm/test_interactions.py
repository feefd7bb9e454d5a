"""Writing down what no channel brought in: a call, a meeting, a letter, a visit, and what was promised."""

from __future__ import annotations

from datetime import UTC, datetime
from html import unescape
from typing import Any

import pytest

from helpdesk import clock, db
from helpdesk.auth import User
from helpdesk.crm.models import Interaction
from helpdesk.events import Event
from tests.desks import TestDesk
from tests.forms import Browser


def writes_down(desk: TestDesk, user: int | None = None, **fields: Any) -> Any:
    browser = Browser(desk, user or desk.people.alice)
    sent = {"kind": "call", "direction": "in", "text": "Wants a bigger kettle.", **fields}
    return browser.send(f"/customers/{desk.people.carol}/interactions", page="/customers", **sent)


def entries() -> list[Interaction]:
    with db.read() as session:
        return list(session.query(Interaction).order_by(Interaction.id))


def test_a_call_is_written_down_with_its_next_step(desk: TestDesk, stopped: clock.Hand) -> None:
    answer = writes_down(
        desk, title="Kettle", decision="Send an offer", minutes="7", next_step="Offer for ten kettles", next_at="2026-03-05T14:30"
    )
    assert answer.status_code == 303
    (call,) = entries()
    assert (call.kind, call.direction, call.channel, call.user_id, call.at) == ("call", "in", "phone", desk.people.alice, clock.now())
    assert (call.title, call.text, call.decision, call.duration_s) == ("Kettle", "Wants a bigger kettle.", "Send an offer", 420)
    assert (call.next_step, call.next_at) == ("Offer for ten kettles", datetime(2026, 3, 5, 14, 30, tzinfo=UTC))
    with db.read() as session:
        told = session.query(Event).filter_by(kind="interaction_added").one()
        assert (told.contact_id, told.data["kind"], told.actor_id) == (desk.people.carol, "call", desk.people.alice)
    page = desk.client(desk.people.bob).get(f"/customers/{desk.people.carol}").text
    for words in ("Call: Kettle", "Wants a bigger kettle.", "Decided: Send an offer", "Offer for ten kettles", "Alice", "Promised"):
        assert words in page, words


@pytest.mark.parametrize("kind", ["call", "meeting", "letter", "visit"])
def test_each_kind_stands_in_the_timeline_under_its_name(desk: TestDesk, kind: str) -> None:
    assert writes_down(desk, kind=kind, title="About it").status_code == 303
    page = desk.client(desk.people.alice).get(f"/customers/{desk.people.carol}?kind={kind}").text
    assert f"{kind.capitalize()}: About it" in page


def test_times_are_the_writers_own(desk: TestDesk, stopped: clock.Hand) -> None:
    with db.transaction() as session:
        session.get_one(User, desk.people.alice).time_zone = "Asia/Novosibirsk"  # seven hours ahead
    assert writes_down(desk, at="2026-03-02T09:15", next_step="Ring back", next_at="2026-03-03").status_code == 303
    (call,) = entries()
    assert call.at == datetime(2026, 3, 2, 2, 15, tzinfo=UTC) and call.next_at == datetime(2026, 3, 3, 2, 0, tzinfo=UTC)


def test_a_form_sent_twice_is_one_entry(desk: TestDesk) -> None:
    for _ in range(2):
        assert writes_down(desk, key="abc").status_code == 303
    assert len(entries()) == 1
    assert writes_down(desk, key="another").status_code == 303 and len(entries()) == 2


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"kind": "order"}, "Choose what it was."),
        ({"kind": "rating"}, "Choose what it was."),
        ({"direction": "up"}, "Choose who came to whom."),
        ({"text": "  ", "title": ""}, "Write down what was said."),
        ({"text": "x" * 10_001}, "Please shorten this to 10000 characters."),
        ({"at": "2026-03-03T10:00"}, "This has not happened yet."),
        ({"at": "yesterday"}, "Please give a day"),
        ({"next_step": "Ring back"}, "Say when it is to be done."),
        ({"next_at": "2026-03-03"}, "Say what is to be done then."),
        ({"minutes": "-3"}, "Please give a number from 0 to 1440."),
        ({"minutes": "9999"}, "Please give a number from 0 to 1440."),
    ],
)
def test_a_wrong_entry_is_explained_keeps_its_words_and_is_not_written(
    desk: TestDesk, stopped: clock.Hand, fields: dict[str, str], words: str
) -> None:
    answer = writes_down(desk, **{"decision": "Keep these words", **fields})
    assert answer.status_code == 422 and words in unescape(answer.text) and "Keep these words" in answer.text
    assert entries() == []


def test_promises_are_shown_until_they_are_a_month_past(desk: TestDesk, stopped: clock.Hand) -> None:
    assert writes_down(desk, next_step="Ring back on Thursday", next_at="2026-03-05").status_code == 303
    page = f"/customers/{desk.people.carol}"
    assert "Promised" in desk.client(desk.people.bob).get(page).text
    stopped.move(days=10)
    assert ">past<" in desk.client(desk.people.bob).get(page).text
    stopped.move(days=30)
    assert "Promised" not in desk.client(desk.people.bob).get(page).text


def test_nobody_is_written_about_who_is_not_there(desk: TestDesk) -> None:
    browser = Browser(desk, desk.people.alice)
    sent = {"kind": "call", "direction": "in", "text": "Hello"}
    assert browser.send("/customers/999999/interactions", page="/customers", **sent).status_code == 404
    assert desk.client(desk.people.alice).post(f"/customers/{desk.people.carol}/interactions", data=sent).status_code == 400
    assert entries() == []
