"""Closed hours: deadlines, pauses, clocks that stand still on the screen, calls that come too late, and the hours' own page."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import select

from helpdesk import clock, db
from helpdesk.actor import Actor
from helpdesk.agents import waiting
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
        made = waiting.wait_for(session.get_one(Ticket, ticket.id), "phone", by=Actor("contact", c.carol))
    assert made.opens_at == datetime(2026, 3, 3, 6, tzinfo=UTC) and made.item.channel == "ticket"
    stopped.move(hours=14)
    with db.transaction() as session:
        made = waiting.wait_for(session.get_one(Ticket, ticket.id), "phone", by=Actor("contact", c.carol))
    assert made.opens_at is None and made.item.channel == "phone"


def monday(*ranges: tuple[str, str]) -> dict[str, str]:
    """Monday's fields of the week."""
    return {f"{what}-0-{n}": at for n, span in enumerate(ranges, start=1) for what, at in zip(("opens", "closes"), span, strict=True)}


def fields_of(text: str, day: int) -> list[tuple[str, str]]:
    """A day's ranges as the form shows them."""
    found = []
    while f'name="opens-{day}-{len(found) + 1}"' in text:
        n = len(found) + 1
        found.append(tuple(text.split(f'name="{what}-{day}-{n}" value="')[1].split('"')[0] for what in ("opens", "closes")))
    return found  # type: ignore[return-value]


def test_opening_hours_are_written_previewed_refused_and_kept_while_used(desk: TestDesk, stopped: clock.Hand) -> None:
    c = desk.people
    ada = Browser(desk, c.ada)
    nights = monday(("22:00", "06:00"))
    preview = ada.save("/admin/hours/new", to="/admin/hours", preview="1", name="Nights", special="2026-03-04", row=None, **nights)
    assert preview.status_code == 200 and "22:00–24:00" in preview.text and "00:00–06:00" in preview.text
    bad = {"name": "", "zone": "Mars/Base", "special": "soon", **monday(("09:00", ""))}
    wrong = ada.save("/admin/hours/new", to="/admin/hours", **bad)
    for words in ("fill this in", "no such time zone", "a beginning and an end", "one day per line"):
        assert words in wrong.text, words
    assert wrong.status_code == 422 and fields_of(wrong.text, 0) == [("09:00", "")]
    assert ada.save("/admin/hours/new", to="/admin/hours", name="Office", zone="Europe/Moscow").status_code == 303
    with db.read() as session:
        hours = session.scalars(select(calendars.Hours)).one()
        assert calendars.shape_of(hours).weekly == {day: [["09:00", "18:00"]] for day in range(5)}
    assert ada.save(f"/admin/queues/{c.support}", hours_id=str(hours.id)).status_code == 303
    refused = ada.send(f"/admin/hours/{hours.id}/removal", page="/admin/hours")
    assert refused.status_code == 409 and "Support" in refused.text
    with db.read() as session:
        assert session.get_one(Queue, c.support).hours_id == hours.id
    assert ada.save(f"/admin/queues/{c.support}", hours_id="").status_code == 303
    assert ada.send(f"/admin/hours/{hours.id}/removal", page="/admin/hours").status_code == 303
    assert Browser(desk, c.dana).open("/admin/hours").status_code in (403, 404)


@pytest.mark.parametrize("engine", ["sqlite"], indirect=True)
def test_ranges_are_added_dropped_and_copied_without_saving_anything_and_without_a_script(desk: TestDesk, stopped: clock.Hand) -> None:
    ada = Browser(desk, desk.people.ada)

    def press(row: str, **fields: str) -> str:
        answer = ada.save("/admin/hours/new", to="/admin/hours", name="Split", row=row, **fields)
        assert answer.status_code == 200, "a half-filled range is no fault yet"
        return answer.text

    added = press("add-0")
    assert fields_of(added, 0) == [("09:00", "18:00"), ("", "")] and added.count("autofocus") == 1
    assert 'name="opens-0-2" value="" ' in added.split("autofocus")[0].rsplit("<input", 1)[1] + " "
    split = monday(("09:00", "13:00"), ("14:00", "18:00"))
    assert fields_of(press("drop-0-1", **split), 0) == [("14:00", "18:00")]
    copied = press("copy-0", **split)
    assert all(fields_of(copied, day) == [("09:00", "13:00"), ("14:00", "18:00")] for day in range(5))
    assert fields_of(copied, 5) == [] and "09:00–13:00, 14:00–18:00" in copied
    most = monday(*((f"{hour:02}:00", f"{hour:02}:30") for hour in range(8, 14)))
    assert len(fields_of(press("add-0", **most), 0)) == calendars.MOST_SHIFTS
    for nonsense in ("add-9", "drop-0-9", "x", ""):
        assert fields_of(press(nonsense), 0) == [("09:00", "18:00")]
    with db.read() as session:
        assert session.scalars(select(calendars.Hours)).all() == []


@pytest.mark.parametrize("engine", ["sqlite"], indirect=True)
def test_a_week_of_split_ranges_is_saved_as_it_stands_and_an_empty_range_is_not_meant(desk: TestDesk) -> None:
    ada = Browser(desk, desk.people.ada)
    fields = monday(("9:00", "13:00"), ("", ""), ("14:00:00", "00:00"))
    assert ada.save("/admin/hours/new", to="/admin/hours", name="Split", **fields).status_code == 303
    with db.read() as session:
        hours = session.scalars(select(calendars.Hours)).one()
        assert calendars.shape_of(hours).weekly[0] == [["09:00", "13:00"], ["14:00", "00:00"]]
    page = ada.open(f"/admin/hours/{hours.id}").text
    assert fields_of(page, 0) == [("09:00", "13:00"), ("14:00", "00:00")] and fields_of(page, 6) == []
    unreadable = ada.save(f"/admin/hours/{hours.id}", **monday(("25:00", "26:00")))
    assert unreadable.status_code == 422 and "a beginning and an end" in unreadable.text
