"""Closed hours: deadlines, pauses, clocks that stand still on the screen, calls that come too late, and the hours' own page."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from sqlalchemy import select

from helpdesk import clock, db
from helpdesk.actor import Actor
from helpdesk.agents import routing
from helpdesk.tickets import calendars, lifecycle, sla
from helpdesk.tickets.models import Queue, SlaClock, Status, Ticket
from tests import people
from tests.desks import TestDesk
from tests.forms import Browser
from tests.integration.agents.desk_work import arrange, item_of

OFFICE = calendars.Shape("Office", "Europe/Moscow", {day: [["09:00", "18:00"]] for day in range(5)}, {"2026-03-09": []})


def keeps_office_hours(desk: TestDesk) -> int:
    with db.transaction():
        hours = calendars.add(OFFICE, by=Actor("user", desk.people.ada))
    arrange(desk.people.support, hours_id=hours.id, target_s=2 * 3600)
    return hours.id


def clock_of(ticket: Ticket) -> SlaClock:
    with db.read() as session:
        return session.scalars(select(SlaClock).where(SlaClock.ticket_id == ticket.id).order_by(SlaClock.id.desc())).first()  # type: ignore[return-value]


def test_a_request_at_night_is_due_two_open_hours_later_and_shows_a_clock_that_stands_still(desk: TestDesk, stopped: clock.Hand) -> None:
    c = desk.people
    keeps_office_hours(desk)
    stopped.move(hours=6)  # Monday 16:00 UTC, 19:00 in Moscow
    ticket = people.writes(c.carol, inbox=c.mail)
    assert ticket.next_due_at == datetime(2026, 3, 3, 8, tzinfo=UTC), "Tuesday 11:00 in Moscow"
    desk.work()
    assert item_of(ticket).vkey == int(ticket.next_due_at.timestamp() * 1000)
    page = desk.client(c.dana).get(f"/inbox/{ticket.number}").text
    head, row = page.split('class="conv-h"')[1].split("</header>")[0], page.split(f'id="t{ticket.id}"')[1].split("</li>")[0]
    opens = int(datetime(2026, 3, 3, 6, tzinfo=UTC).timestamp())
    for place in (head, row):
        assert 'class="sla paused"' in place and f'data-closed="{int(clock.now().timestamp())} {opens} 7200"' in place


def test_a_row_says_when_its_clock_will_stand_still_and_one_that_is_always_open_says_nothing(desk: TestDesk, stopped: clock.Hand) -> None:
    c = desk.people
    elsewhere = people.writes(c.carol, inbox=c.billing_mail)
    keeps_office_hours(desk)
    in_time = people.writes(c.carol, inbox=c.mail)  # Monday 13:00 in Moscow, due at 15:00
    stopped.move(hours=4)
    over_night = people.writes(c.carol, inbox=c.mail)  # an hour before closing
    page = desk.client(c.dana).get("/inbox?list=all").text
    rows = {ticket.id: page.split(f'id="t{ticket.id}"')[1].split("</li>")[0] for ticket in (elsewhere, in_time, over_night)}
    closes, opens = (int(datetime(2026, 3, day, hour, tzinfo=UTC).timestamp()) for day, hour in ((2, 15), (3, 6)))
    assert f'data-closed="{closes} {opens} 3600"' in rows[over_night.id] and "paused" not in rows[over_night.id]
    assert "data-closed" not in rows[elsewhere.id] + rows[in_time.id]


def test_a_pause_over_the_night_takes_only_open_time_and_the_clock_can_be_counted_anew(desk: TestDesk, stopped: clock.Hand) -> None:
    c = desk.people
    keeps_office_hours(desk)
    stopped.move(hours=4)  # Monday 14:00 UTC, an hour before closing
    ticket = people.writes(c.carol, inbox=c.mail)
    assert ticket.next_due_at == datetime(2026, 3, 3, 7, tzinfo=UTC)
    stopped.move(minutes=30)
    with db.transaction() as session:
        lifecycle.set_status(session.get_one(Ticket, ticket.id), Status.PENDING, by=Actor("user", c.dana))
    stopped.move(hours=16)  # Tuesday 06:30 UTC, half an hour after opening
    with db.transaction() as session:
        lifecycle.set_status(session.get_one(Ticket, ticket.id), Status.OPEN, by=Actor("user", c.dana))
    after = clock_of(ticket)
    assert after.due_at == datetime(2026, 3, 3, 8, tzinfo=UTC), "an hour and a half was left"
    with db.read():
        assert sla.recounted(after) == after.due_at


def test_a_running_clock_keeps_the_hours_it_began_with_and_the_next_one_has_the_new(desk: TestDesk, stopped: clock.Hand) -> None:
    from dataclasses import replace

    c = desk.people
    hours_id = keeps_office_hours(desk)
    old = people.writes(c.carol, inbox=c.mail)
    with db.transaction() as session:
        hours = session.get_one(calendars.Hours, hours_id)
        calendars.edit(hours, replace(OFFICE, weekly={1: [["10:00", "12:00"]]}), seen=hours.version, by=Actor("user", c.ada))
    new = people.writes(c.carol, inbox=c.mail)
    assert old.next_due_at == clock.now() + timedelta(hours=2)
    assert new.next_due_at == datetime(2026, 3, 3, 9, tzinfo=UTC)
    assert clock_of(old).hours_version_id != clock_of(new).hours_version_id
    with db.read():
        assert sla.recounted(clock_of(old)) == old.next_due_at


def test_a_call_out_of_hours_becomes_a_ticket_with_the_time_at_which_somebody_calls_back(desk: TestDesk, stopped: clock.Hand) -> None:
    c = desk.people
    keeps_office_hours(desk)
    stopped.move(hours=6)
    ticket = people.writes(c.carol, inbox=c.portal)
    with db.transaction() as session:
        made = routing.wait_for(session.get_one(Ticket, ticket.id), "phone", by=Actor("contact", c.carol))
    assert made.opens_at == datetime(2026, 3, 3, 6, tzinfo=UTC) and made.item.channel == "ticket"
    stopped.move(hours=14)
    with db.transaction() as session:
        made = routing.wait_for(session.get_one(Ticket, ticket.id), "phone", by=Actor("contact", c.carol))
    assert made.opens_at is None and made.item.channel == "phone"


def test_opening_hours_are_written_previewed_refused_and_kept_while_used(desk: TestDesk, stopped: clock.Hand) -> None:
    c = desk.people
    ada = Browser(desk, c.ada)
    preview = ada.save(
        "/admin/hours/new", to="/admin/hours", preview="1", name="Nights", **{"day-0": "22:00-06:00", "special": "2026-03-04"}
    )
    assert preview.status_code == 200 and "22:00–24:00" in preview.text and "00:00–06:00" in preview.text
    bad = {"name": "", "zone": "Mars/Base", "special": "soon", "day-1": "9 to 5"}
    wrong = ada.save("/admin/hours/new", to="/admin/hours", **bad)
    for words in ("fill this in", "no such time zone", "Write shifts like", "one day per line"):
        assert words in wrong.text, words
    assert wrong.status_code == 422 and 'value="9 to 5"' in wrong.text
    assert ada.save("/admin/hours/new", to="/admin/hours", name="Office", zone="Europe/Moscow").status_code == 303
    with db.read() as session:
        hours = session.scalars(select(calendars.Hours)).one()
    assert ada.save(f"/admin/queues/{c.support}", hours_id=str(hours.id)).status_code == 303
    refused = ada.send(f"/admin/hours/{hours.id}/removal", page="/admin/hours")
    assert refused.status_code == 409 and "Support" in refused.text
    with db.read() as session:
        assert session.get_one(Queue, c.support).hours_id == hours.id
    assert ada.save(f"/admin/queues/{c.support}", hours_id="").status_code == 303
    assert ada.send(f"/admin/hours/{hours.id}/removal", page="/admin/hours").status_code == 303
    assert Browser(desk, c.dana).open("/admin/hours").status_code in (403, 404)
