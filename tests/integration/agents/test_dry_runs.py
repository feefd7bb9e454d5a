"""Dry runs on what a real desk recorded: asked for in the form, run as heavy work, read by those who lead; they change nothing."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import select

from helpdesk import clock, db, live
from helpdesk.actor import Actor
from helpdesk.agents import interrupts, offers, ranking
from helpdesk.agents.leading import recorded
from helpdesk.agents.leading.models import DryRun
from helpdesk.agents.models import AgentProfile, Presence, PresenceState, QueueMember
from helpdesk.preferences import prefer
from helpdesk.tickets import calendars, lifecycle, thread
from helpdesk.tickets.models import Queue, Status, Ticket
from tests import people
from tests.desks import TestDesk
from tests.forms import Browser


def a_week(desk: TestDesk, stopped: clock.Hand) -> None:
    """Bob, who can have one ticket at once, solves each an hour after he got it; four came together. Alice never came."""
    company = desk.people
    with db.transaction() as session:
        session.get_one(AgentProfile, company.bob).capacity = 1
    arrives(company.bob)
    tickets = [people.writes(company.carol, inbox=company.mail) for _ in range(4)]
    desk.work()
    for ticket in tickets:
        stopped.move(minutes=60)
        with db.transaction() as session:
            session.get_one(Presence, company.bob).expires_at = clock.now() + timedelta(days=1)
            lifecycle.solve(session.get_one(Ticket, ticket.id), by=Actor("user", company.bob))
        desk.work()


def arrives(user: int) -> None:
    people.arrives(user)
    with db.transaction() as session:
        session.get_one(Presence, user).expires_at = clock.now() + timedelta(days=1)


def tries(desk: TestDesk, queue: int, user: int | None = None, **fields: Any) -> tuple[Any, Browser]:
    """Fill in the form for this week as somebody who leads."""
    browser = Browser(desk, user or desk.people.dana)
    with db.read():
        monday = recorded.weeks("UTC")[0][0]
    return browser.save(f"/dry-runs/new?queue={queue}", to="/dry-runs", week=monday.isoformat(), **fields), browser


def the_run() -> DryRun:
    with db.read() as session:
        return session.scalars(select(DryRun)).one()


def test_what_was_recorded_is_read_as_it_was(desk: TestDesk, stopped: clock.Hand) -> None:
    a_week(desk, stopped)
    with db.read():
        _monday, begin, end = recorded.weeks("UTC")[0]
        week, notes = recorded.week(begin, end)
    assert [(work.waited_s, work.busy_s) for work in week.work] == [(3600.0 * n, 3600.0) for n in range(4)]
    assert (notes.work, notes.filled_in, notes.by_hand, notes.agents, notes.present_h) == (4, 0, 0, 1, 4.0)
    bob = next(agent for agent in week.agents if agent.id == desk.people.bob)
    assert bob.capacity == 1 and [state for _since, state in bob.states] == ["offline", "available"]


def test_time_in_which_work_rests_weighs_on_nobody(desk: TestDesk, stopped: clock.Hand) -> None:
    arrives(desk.people.bob)
    ticket = people.writes(desk.people.carol, inbox=desk.people.mail)
    desk.work()
    for minutes, status in ((10, Status.PENDING), (60, Status.OPEN), (5, Status.SOLVED)):
        stopped.move(minutes=minutes)
        with db.transaction() as session:
            lifecycle.set_status(session.get_one(Ticket, ticket.id), status, by=Actor("user", desk.people.bob))
        desk.work()
    with db.read():
        _monday, begin, end = recorded.weeks("UTC")[0]
        [work] = recorded.week(begin, end)[0].work
    assert work.busy_s == 15 * 60


def test_a_second_agent_would_have_halved_the_line_and_nothing_is_changed(desk: TestDesk, stopped: clock.Hand) -> None:
    company = desk.people
    a_week(desk, stopped)
    arrives(company.eve)  # she is here the whole time from now on; the replay gives her nothing that came before
    answer, browser = tries(desk, company.support, target_min="150")
    assert answer.status_code == 303
    assert "The week is being replayed" in browser.open(answer.headers["Location"]).text
    desk.work()
    run = the_run()
    assert run.state == "done" and run.progress == 100
    row = run.result["queues"][str(company.support)]
    assert row["recorded"]["mean_s"] == row["as_is"]["mean_s"] == row["changed"]["mean_s"] == 5400
    assert row["as_is"]["level"] == 0.5 and row["changed"]["level"] == 0.75
    page = browser.open(f"/dry-runs/{run.id}").text
    assert "with the change" in page and "75%" in page and "First answer within 2h" in page and "What this rests on" in page
    with db.read() as session:
        assert session.get_one(Queue, company.support).target_s == 3600
        assert session.scalars(select(QueueMember.user_id).where(QueueMember.queue_id == company.support)).all() == [
            company.alice,
            company.bob,
        ]


def test_members_skills_and_steps_are_tried(desk: TestDesk, stopped: clock.Hand) -> None:
    company = desk.people
    a_week(desk, stopped)
    skill = f"skill-{company.russian}"
    answer, browser = tries(
        desk, company.support, **{skill: "2", "level_agent": str(company.bob), "level_skill": str(company.russian), "level": "2"}
    )
    desk.work()
    run = the_run()
    assert run.result["queues"]["all"]["changed"]["taken"] == 4
    page = browser.open(answer.headers["Location"]).text
    assert "Step 1 asks for: Russian 2" in page and "Bob with Russian at level 2" in page
    russian = browser.open(answer.headers["Location"] + "?lang=ru").text
    main = russian[russian.index("<main") : russian.index("</main>")]
    assert "with the change" not in main and "с изменением" in main


def test_another_table_of_interruptions_is_tried(desk: TestDesk, stopped: clock.Hand) -> None:
    company = desk.people
    a_week(desk, stopped)
    answer, browser = tries(desk, company.support, **{"beside-phone": ["chat"], "beside-ticket": ["chat", "phone"]})
    assert answer.status_code == 303
    desk.work()
    assert the_run().state == "done" and the_run().change["interrupts"]["phone"] == ["chat"]
    page = browser.open(answer.headers["Location"]).text
    assert "While on a call: chats" in page and "While working on a ticket: chats, calls" in page
    with db.read():
        assert interrupts.in_force() == ranking.INTERRUPTS
    assert "is no channel of this desk" in tries(desk, company.support, **{"beside-phone": ["pigeon"]})[0].text


def test_the_week_is_replayed_by_the_table_that_counts_now(desk: TestDesk, stopped: clock.Hand) -> None:
    with db.transaction():
        prefer(interrupts={"phone": ["chat"]})
    with db.read():
        _monday, begin, end = recorded.weeks("UTC")[0]
        assert recorded.week(begin, end)[0].interrupts["phone"] == frozenset({"chat"})


def test_without_anybodys_presence_there_is_nothing_to_tell_and_it_says_so(desk: TestDesk, stopped: clock.Hand) -> None:
    people.writes(desk.people.carol, inbox=desk.people.mail)
    desk.work()
    stopped.move(minutes=1)
    answer, browser = tries(desk, desk.people.support, target_min="10")
    desk.work()
    assert the_run().error == "no_presence" and "nobody to give the work to" in browser.open(answer.headers["Location"]).text


def test_an_empty_week_says_so(desk: TestDesk, stopped: clock.Hand) -> None:
    answer, browser = tries(desk, desk.people.support, target_min="10")
    desk.work()
    assert "No work was recorded" in browser.open(answer.headers["Location"]).text
    assert the_run().error == "no_work"


@pytest.mark.parametrize(
    ("fields", "says"),
    [
        ({}, "Nothing is changed"),
        ({"target_min": "0"}, "number from 1"),
        ({"service_target": "101"}, "number from 1"),
        ({"boost_high": "-1"}, "number from 0"),
        ({"level_agent": "1"}, "Choose an agent, a skill"),
        ({"after-1": "5", "after-2": "5"}, "later than the one before"),
        ({"overflow_id": "999", "overflow_min": "5"}, "another queue"),
        ({"week": "2001-01-01"}, "one of the list"),
    ],
)
def test_what_cannot_be_tried_is_refused_with_the_form_kept(desk: TestDesk, stopped: clock.Hand, fields: dict[str, str], says: str) -> None:
    browser = Browser(desk, desk.people.dana)
    with db.read():
        monday = recorded.weeks("UTC")[0][0]
    values = {"week": monday.isoformat(), **fields}
    answer = browser.save(f"/dry-runs/new?queue={desk.people.support}", to="/dry-runs", **values)
    assert answer.status_code == 422 and says in answer.text
    with db.read() as session:
        assert session.scalars(select(DryRun)).all() == []


def test_dry_runs_are_for_those_who_lead(desk: TestDesk) -> None:
    company = desk.people
    for agent in (company.alice, company.eve):
        browser = Browser(desk, agent)
        assert [browser.open(path).status_code for path in ("/dry-runs", f"/dry-runs/new?queue={company.support}", "/dry-runs/1")] == [
            404
        ] * 3
        assert browser.send("/dry-runs", queue=str(company.support), target_min="5").status_code == 404
        assert not live.may_watch(people.principal(agent), "dryrun:1")
    dana = Browser(desk, company.dana)
    assert "Nothing has been tried yet" in dana.open("/dry-runs").text
    assert [dana.open(f"/dry-runs/new?queue={word}").status_code for word in ("999", "x", "")] == [404, 404, 303]
    assert dana.open("/dry-runs/999").status_code == 404


def test_a_run_that_was_done_is_not_run_again(desk: TestDesk, stopped: clock.Hand) -> None:
    from helpdesk.agents.leading.dry_runs import replay_week
    from helpdesk.catalog import DryRunAsked

    a_week(desk, stopped)
    tries(desk, desk.people.support, target_min="150")
    desk.work()
    done = the_run()
    with db.transaction():
        assert replay_week(DryRunAsked(done.id, done.queue_id, Actor("system"))) is None
    assert the_run().finished_at == done.finished_at


def test_presence_is_read_from_its_history_and_from_before_the_week(desk: TestDesk, stopped: clock.Hand) -> None:
    company = desk.people
    arrives(company.alice)  # the week before
    stopped.move(days=7, hours=-1)
    arrives(company.bob)
    stopped.move(hours=2)
    with db.transaction():
        people.presence.set_presence(company.bob, PresenceState.AWAY, by=Actor("user", company.bob))
    stopped.move(hours=1)
    with db.read():
        _monday, begin, end = recorded.weeks("UTC")[0]
        agents = {agent.id: agent for agent in recorded.week(begin, end)[0].agents}
    hour = 3600.0
    assert agents[company.bob].states == ((0.0, "offline"), (9 * hour, "available"), (11 * hour, "away"))
    assert agents[company.alice].states == ((0.0, "available"),)
    assert agents[company.eve].states == ((0.0, "offline"),)


def test_answers_to_offers_are_read_as_they_were(desk: TestDesk, stopped: clock.Hand) -> None:
    company = desk.people
    with db.transaction() as session:
        session.get_one(Queue, company.support).acceptance = "offer"
    arrives(company.alice)
    ticket = people.writes(company.carol, inbox=company.mail)
    desk.work()
    stopped.move(seconds=8)
    with db.transaction():
        offers.decline(offers.open_offers(company.alice)[0], reason="busy", by=Actor("user", company.alice))
    desk.work()
    stopped.move(seconds=31)  # nobody else was there, so she was asked again at once, and did not look
    desk.work()
    stopped.move(seconds=4)
    with db.transaction():
        offers.accept(offers.open_offers(company.alice)[0], by=Actor("user", company.alice))
    with db.transaction() as session:
        lifecycle.solve(session.get_one(Ticket, ticket.id), by=Actor("user", company.alice))
    desk.work()
    with db.read():
        _monday, begin, end = recorded.weeks("UTC")[0]
        week, notes = recorded.week(begin, end + timedelta(seconds=1))
    [work] = week.work
    wanted = [("declined", 8.0), ("expired", 30.0), ("accepted", 4.0)]
    assert [(how, after) for _who, how, after in work.answered] == wanted and work.customer == company.carol
    alice = next(agent for agent in week.agents if agent.id == company.alice)
    assert list(alice.answers["ticket"]) == wanted and (notes.answered, notes.declined, notes.expired) == (3, 1, 1)


def test_not_responding_and_finishing_up_are_the_replay_s_own_and_how_long_they_took_is_kept(desk: TestDesk, stopped: clock.Hand) -> None:
    company = desk.people
    arrives(company.alice)
    for state, seconds in ((PresenceState.NOT_RESPONDING, 50), (PresenceState.AVAILABLE, 600), (PresenceState.WRAP_UP, 60)):
        stopped.move(minutes=1)
        with db.transaction():
            people.presence.set_presence(company.alice, state, by=Actor("system"))
        stopped.move(seconds=seconds - 60)
    with db.transaction():
        people.presence.set_presence(company.alice, PresenceState.NOT_RESPONDING, by=Actor("system"))
    stopped.move(minutes=1)
    with db.transaction():
        people.presence.set_presence(company.alice, PresenceState.AWAY, by=Actor("user", company.alice))
    with db.read():
        _monday, begin, end = recorded.weeks("UTC")[0]
        alice = next(agent for agent in recorded.week(begin, end)[0].agents if agent.id == company.alice)
    assert alice.returns == (50.0,) and [state for _since, state in alice.states] == ["offline", "available", "away"]


def test_wrap_ups_hours_holds_and_who_served_whom_go_into_the_week(desk: TestDesk, stopped: clock.Hand) -> None:
    company = desk.people
    with db.transaction() as session:
        queue = session.get_one(Queue, company.support)
        queue.wrap_up, queue.wrap_up_s, queue.hold_s = "timed", 90, 120
        made = calendars.add(calendars.Shape("Office", "UTC", {0: [["09:00", "17:00"]]}), by=Actor("user", company.ada))
        queue.hours_id = made.id
    arrives(company.bob)
    ticket = people.writes(company.carol, inbox=company.mail)
    desk.work()
    stopped.move(minutes=5)
    with db.transaction() as session:
        thread.reply(session.get_one(Ticket, ticket.id), "Done.", by=Actor("user", company.bob), then=Status.SOLVED)
    desk.work()
    stopped.move(seconds=90)
    desk.work()
    with db.read():
        _monday, begin, end = recorded.weeks("UTC")[0]
        week, notes = recorded.week(begin, end)
    rules = week.queues[company.support]
    assert (week.work[0].wrap_s, notes.wraps) == (90.0, 1) and rules.wraps and rules.holds["ticket"] == 120
    assert rules.calendar is not None and not rules.calendar.is_open(begin) and week.served == {}
    stopped.move(days=7)
    people.writes(company.carol, inbox=company.mail)
    desk.work()
    with db.read():
        _monday, begin, end = recorded.weeks("UTC")[0]
        assert recorded.week(begin, end + timedelta(seconds=1))[0].served == {company.carol: company.bob}
