"""Failed work, the history, and what machines ask: is it alive, is it ready, how is it doing."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import UTC, date, datetime
from pathlib import Path

import pytest
from babel.dates import get_timezone
from flask_babel import force_locale
from sqlalchemy import func, select

from helpdesk import clock, db, events, parked
from helpdesk.actor import SYSTEM
from helpdesk.agents.admin import audit
from helpdesk.agents.admin.words import FACTS
from helpdesk.events import Delivery, Event
from tests import people
from tests.desks import TestDesk
from tests.forms import Browser


def owed(
    reaction: str = "routing.enqueue", key: str = "k", *, is_parked: bool = True, lane: str = "hot", error: str = "OSError: no"
) -> int:
    with db.transaction() as session:
        row = Delivery(reaction=reaction, key=key, lane=lane, due_at=clock.now(), attempts=12, error=error)
        row.parked_at = clock.now() if is_parked else None
        session.add(row)
        session.flush()
        return row.id


def delivery(delivery_id: int) -> Delivery:
    with db.read() as session:
        return session.get_one(Delivery, delivery_id)


@pytest.fixture
def ada(desk: TestDesk) -> Browser:
    desk.work()
    return Browser(desk, desk.people.ada)


def test_what_was_given_up_stands_there_with_its_error_and_is_tried_again(desk: TestDesk, ada: Browser) -> None:
    ticket = people.writes(desk.people.carol, inbox=desk.people.mail)
    with db.transaction() as session:
        row = session.scalars(select(Delivery).where(Delivery.reaction == "routing.enqueue")).one()
        row.parked_at, row.error, row.attempts = clock.now(), "ValueError: <b>odd</b>", 12
    page = ada.open("/admin/jobs").text
    assert "routing.enqueue" in page and "ValueError: &lt;b&gt;odd&lt;/b&gt;" in page and "<b>odd" not in page
    desk.work()
    assert ada.send(f"/admin/jobs/{row.id}/retry", page="/me").status_code == 303
    desk.work()
    assert delivery(row.id).done_at is not None
    with db.read() as session:
        assert session.scalar(select(func.count()).select_from(Event).where(Event.kind == "item_queued", Event.ticket_id == ticket.id)) == 1
        again = session.scalars(select(Event).where(Event.kind == "delivery_retried")).one()
        assert again.actor_id == desk.people.ada and again.data == {"delivery_id": row.id}


def test_retrying_meets_the_same_work_that_waits_already(desk: TestDesk, ada: Browser) -> None:
    old, waiting = owed(), owed(is_parked=False, error="")
    answer = ada.client.post(f"/admin/jobs/{old}/retry", data={"csrf_token": ada.token("/me")}, follow_redirects=True)
    assert "waiting already" in answer.text
    assert delivery(old).done_at is not None and delivery(waiting).done_at is None


def test_all_are_tried_again_even_twins(desk: TestDesk, ada: Browser) -> None:
    rows = [owed(key="twin"), owed(key="twin"), owed(key="other")]
    assert ada.send("/admin/jobs/retry", page="/me").status_code == 303
    found = [delivery(row) for row in rows]
    assert all(row.parked_at is None or row.done_at for row in found)
    assert sum(row.done_at is None for row in found) == 2, "of two with one key one waits"


def test_giving_up_asks_first_and_is_written_down(desk: TestDesk, ada: Browser) -> None:
    row = owed()
    asked = ada.open(f"/admin/jobs/{row}/discard")
    assert "cannot be undone" in asked.text and delivery(row).done_at is None
    assert ada.send(f"/admin/jobs/{row}/discard", page="/me").status_code == 303
    assert delivery(row).done_at is not None and "Everything works" in ada.open("/admin/jobs").text
    with db.read() as session:
        assert session.scalars(select(Event.kind).order_by(Event.id.desc()).limit(1)).one() == "delivery_discarded"


def test_work_that_is_not_given_up_cannot_be_discarded(desk: TestDesk, ada: Browser) -> None:
    row = owed(is_parked=False)
    ada.send(f"/admin/jobs/{row}/discard", page="/me")
    assert delivery(row).done_at is None


def test_lanes_are_counted_and_failing_work_shows_its_next_try(desk: TestDesk, ada: Browser) -> None:
    owed(), owed(key="2", lane="io"), owed(key="3", is_parked=False)
    with db.read():
        counts = {lane.lane: (lane.due, lane.failing, lane.parked) for lane in parked.lanes()}
    assert counts == {"hot": (1, 1, 1), "io": (0, 0, 1), "heavy": (0, 0, 0)}
    failing = ada.open("/admin/jobs?state=failing").text
    assert "Next try" in failing and "/discard" not in failing


def test_the_list_of_failed_work_pages(desk: TestDesk, ada: Browser) -> None:
    with db.transaction() as session:
        session.add_all(
            Delivery(reaction="x", key=str(n), lane="io", due_at=clock.now(), parked_at=clock.now(), error="e") for n in range(55)
        )
    first = ada.open("/admin/jobs").text
    following = re.search(r'rel="next" href="([^"]+)"', first)
    assert following and first.count("/retry") == 51
    assert ada.open(following[1].replace("&amp;", "&")).text.count("/retry") == 6


# --- who did what ----------------------------------------------------------------------------------------------------------


def test_the_history_says_who_did_what_when_and_about_whom(desk: TestDesk, ada: Browser, stopped: clock.Hand) -> None:
    c = desk.people
    people.arrives(c.alice)
    ticket = people.writes(c.carol, inbox=c.mail)
    desk.work()
    page = ada.open("/admin/events").text
    for words in ("Ticket opened", "Owner changed", "Presence changed", "Carol Jones", "Alice", f"#{ticket.number}", "the desk", "2 Mar"):
        assert words in page, words
    russian = ada.open("/admin/events?lang=ru").text
    assert "10:00:00" in russian


def test_the_history_is_filtered_by_kind_person_ticket_and_day(desk: TestDesk, ada: Browser, stopped: clock.Hand) -> None:
    c = desk.people
    first = people.writes(c.carol, inbox=c.mail)
    stopped.move(days=1)
    people.arrives(c.alice)
    second = people.writes(c.oleg, inbox=c.mail)
    desk.work()

    def rows(query: str) -> str:
        return ada.open("/admin/events?" + query).text.split("<table")[-1].split("</table>")[0]

    assert rows("kind=ticket_opened").count("<tr>") == 3 and "Presence" not in rows("kind=ticket_opened")
    assert f"#{second.number}" not in rows(f"ticket={first.number}") and f"#{first.number}" in rows(f"ticket=%23{first.number}")
    assert rows(f"who={c.alice}").count("<tr>") == 2
    assert f"#{first.number}" in rows("until=2026-03-02") and f"#{second.number}" not in rows("until=2026-03-02")
    assert "Nothing found" in ada.open("/admin/events?since=2027-01-01").text
    assert ada.open("/admin/events?who=x&ticket=y&since=z&kind=nothing").status_code == 200


def test_a_day_of_the_history_begins_at_the_readers_midnight(monkeypatch: pytest.MonkeyPatch) -> None:
    for zone, begins in (("Europe/Moscow", (1, 21)), ("UTC", (2, 0)), ("America/New_York", (2, 5))):
        monkeypatch.setattr("flask_babel.get_timezone", lambda zone=zone: get_timezone(zone))
        assert audit._midnight(date(2026, 3, 2)) == datetime(2026, 3, *begins, tzinfo=UTC)


def test_the_history_pages_without_losing_its_filter(desk: TestDesk, ada: Browser) -> None:
    with db.transaction():
        for _ in range(60):
            events.record(events.catalogue()["settings_changed"](SYSTEM, what="x"))
    first = ada.open("/admin/events?kind=settings_changed").text
    following = re.search(r'rel="next" href="([^"]+)"', first)
    assert following and "kind=settings_changed" in following[1]
    assert ada.open(following[1].replace("&amp;", "&")).text.count("what=x") == 10


def test_every_fact_of_the_catalogue_has_words(desk: TestDesk) -> None:
    missing = [kind for kind in events.catalogue() if kind not in FACTS]
    assert not missing, f"give these words in helpdesk/agents/admin/words.py: {missing}"
    with desk.app.test_request_context(), force_locale("en"):
        assert all(str(words).strip() for words in FACTS.values())


# --- health ----------------------------------------------------------------------------------------------------------------


def test_alive_asks_nothing_and_ready_asks_everything(desk: TestDesk, tmp_path: Path) -> None:
    client = desk.client()
    assert client.get("/healthz").json == {"status": "ok"}
    assert client.get("/readyz").json == {"status": "ok", "database": "ok", "disk": "ok"}
    assert not list(desk.settings.data.glob(".ready-*"))

    broken = replace(desk.settings, data=tmp_path / "gone", redis_url="redis://127.0.0.1:1/0")
    desk.app.config["HELPDESK"] = broken
    answer = client.get("/readyz")
    assert answer.status_code == 503 and answer.json == {"status": "failing", "database": "ok", "disk": "failing", "redis": "failing"}
    desk.app.config["HELPDESK"] = desk.settings
    db.connect("postgresql+psycopg://nobody@127.0.0.1:1/nothing")
    answer = client.get("/readyz")
    assert answer.status_code == 503 and answer.json == {"status": "failing", "database": "failing", "disk": "ok"}
    assert client.get("/healthz").status_code == 200


def test_metrics_count_requests_work_and_what_waits(desk: TestDesk, stopped: clock.Hand) -> None:
    people.writes(desk.people.carol, inbox=desk.people.mail)
    desk.work()
    owed()
    with db.transaction():
        events.record(events.catalogue()["work_stranded"](desk.people.alice, SYSTEM))
    client = desk.client()
    client.get("/healthz")
    text = client.get("/metrics").text
    for line in (
        'helpdesk_requests_total{endpoint="health.alive",method="GET",status="200"}',
        'helpdesk_request_seconds_count{endpoint="health.alive"}',
        'helpdesk_deliveries{lane="hot",state="parked"} 1.0',
        'helpdesk_waiting_items{queue="Support"} 1.0',
        'helpdesk_waiting_items{queue="Billing"} 0.0',
        "helpdesk_stranded_total 1.0",
        "helpdesk_sockets 0.0",
        "helpdesk_delivery_lag_seconds",
    ):
        assert line in text, line


def test_metrics_are_for_this_machine_or_the_bearer_of_the_token(desk: TestDesk) -> None:
    client = desk.client()
    away = {"environ_overrides": {"REMOTE_ADDR": "203.0.113.9"}}
    assert client.get("/metrics").status_code == 200
    assert client.get("/metrics", environ_overrides={"REMOTE_ADDR": "::1"}).status_code == 200
    assert client.get("/metrics", **away).status_code == 404  # type: ignore[arg-type]
    assert client.get("/metrics", headers={"X-Forwarded-For": "203.0.113.9"}).status_code == 404, "behind a proxy nobody told us about"
    desk.app.config["HELPDESK"] = replace(desk.settings, metrics_token="t" * 20)
    for shown, status in (("t" * 20, 200), ("t" * 19, 404), ("", 404), ("ü", 404)):
        assert client.get("/metrics", headers={"Authorization": f"Bearer {shown}".encode().decode("latin-1")}, **away).status_code == status  # type: ignore[arg-type]
    assert Browser(desk, desk.people.ada).client.get("/metrics", **away).status_code == 404  # type: ignore[arg-type]
