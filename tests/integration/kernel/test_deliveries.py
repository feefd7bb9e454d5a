"""Events and what is owed to them: claimed under a lease, done once, tried again, parked where somebody sees it."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import func, select

from helpdesk import catalog, clock, db, deliveries, events, worker
from helpdesk.actor import SYSTEM, Actor
from helpdesk.catalog import ArticleWithdrawn, SettingsChanged
from helpdesk.events import Delivery, Event, Outside, fact_of, reaction, record
from helpdesk.tickets import lifecycle, thread
from helpdesk.tickets.models import Priority, Queue, Status, Ticket
from tests import people
from tests.desks import TestDesk


@pytest.fixture
def answers() -> Iterator[list[Any]]:
    """What the test's own reactions were called with; they are gone afterwards."""
    before, by_fact = dict(events._reactions), {fact: list(known) for fact, known in events._by_fact.items()}
    called: list[Any] = []
    yield called
    events._reactions.clear()
    events._reactions.update(before)
    events._by_fact.clear()
    events._by_fact.update(by_fact)


def happen(what: str = "x") -> None:
    with db.transaction():
        record(SettingsChanged(SYSTEM, what))


def rows(name: str) -> list[Delivery]:
    with db.read() as session:
        return list(session.scalars(select(Delivery).where(Delivery.reaction == name).order_by(Delivery.id)))


def test_a_reaction_runs_once_after_the_commit(desk: TestDesk, answers: list[Any]) -> None:
    @reaction(SettingsChanged, name="test.hear")
    def hear(fact: SettingsChanged) -> None:
        answers.append(fact.what)

    happen("clock")
    assert answers == []
    desk.work()
    desk.work()
    assert answers == ["clock"] and rows("test.hear")[0].done_at is not None


def test_a_fact_that_was_rolled_back_is_owed_nothing(desk: TestDesk, answers: list[Any]) -> None:
    @reaction(SettingsChanged, name="test.hear")
    def hear(fact: SettingsChanged) -> None:
        answers.append(fact)

    with pytest.raises(ValueError), db.transaction():
        record(SettingsChanged(SYSTEM, "x"))
        raise ValueError
    desk.work()
    assert answers == [] and rows("test.hear") == []


def test_a_fact_stated_in_a_savepoint_that_was_rolled_back_is_owed_nothing(desk: TestDesk, answers: list[Any]) -> None:
    @reaction(SettingsChanged, name="test.hear")
    def hear(fact: SettingsChanged) -> None:
        answers.append(fact)

    with db.transaction() as session:
        with suppress(ZeroDivisionError), session.begin_nested():
            record(SettingsChanged(SYSTEM, "taken back"))
            session.flush()
            raise ZeroDivisionError
        record(SettingsChanged(SYSTEM, "kept"))
    desk.work()
    assert [fact.what for fact in answers] == ["kept"]
    with db.read() as session:
        assert not session.scalar(select(func.count()).select_from(Delivery).where(Delivery.event_id.not_in(select(Event.id))))


def test_a_failing_reaction_is_tried_with_growing_pauses_then_parked_and_can_be_retried(
    desk: TestDesk, answers: list[Any], stopped: clock.Hand
) -> None:
    broken = [True]

    @reaction(SettingsChanged, name="test.fail", attempts=3)
    def fail(fact: SettingsChanged) -> None:
        answers.append(fact)
        if broken[0]:
            raise OSError("the printer is on fire")

    happen()
    desk.work()
    first = rows("test.fail")[0]
    assert first.attempts == 1 and timedelta(seconds=1) < first.due_at - clock.now() < timedelta(seconds=3)
    stopped.move(seconds=10)
    desk.work()
    stopped.move(minutes=5)
    desk.work()
    parked = rows("test.fail")[0]
    assert parked.parked_at is not None and "printer is on fire" in parked.error and len(answers) == 3
    stopped.move(days=1)
    desk.work()
    assert len(answers) == 3
    broken[0] = False
    with db.transaction():
        worker.retry(parked.id)
    desk.work()
    assert len(answers) == 4 and rows("test.fail")[0].done_at is not None


def test_what_a_failing_reaction_wrote_does_not_stay(desk: TestDesk, answers: list[Any]) -> None:
    @reaction(SettingsChanged, name="test.half")
    def half(_fact: SettingsChanged) -> None:
        db.session().add(Queue(name="Half done"))
        db.session().flush()
        raise OSError

    happen()
    desk.work()
    with db.read() as session:
        assert session.scalar(select(func.count()).select_from(Queue).where(Queue.name == "Half done")) == 0


def test_a_dead_workers_claim_runs_out_and_another_does_the_work(desk: TestDesk, answers: list[Any], stopped: clock.Hand) -> None:
    @reaction(SettingsChanged, name="test.hear")
    def hear(fact: SettingsChanged) -> None:
        answers.append(fact)

    happen()
    [(delivery, claim)] = [pair for pair in deliveries.claim("hot", 10) if pair]
    desk.work()
    assert answers == []  # claimed by somebody who may still be alive
    stopped.move(minutes=2)
    desk.work()
    assert len(answers) == 1
    worker._run(delivery, claim)  # the sleeper wakes up: its claim's number is no longer the row's
    assert len(answers) == 1


def test_the_network_waits_outside_the_transaction_and_its_failure_is_told(desk: TestDesk, answers: list[Any]) -> None:
    @reaction(SettingsChanged, name="test.net", lane="io")
    def net(_fact: SettingsChanged) -> Outside:
        def call() -> str:
            answers.append(db.in_transaction())
            raise ConnectionError("no route")

        def then(result: Any) -> None:
            answers.append((db.in_transaction(), str(result)))

        return Outside(call, then)

    happen()
    desk.work()
    assert answers == [False, (True, "no route")] and rows("test.net")[0].done_at is not None


@pytest.mark.parametrize(("newcomer", "expected"), [("keep", 10), ("move", 25), ("advance", 10)])
def test_deliveries_of_one_key_collapse(desk: TestDesk, answers: list[Any], stopped: clock.Hand, newcomer: Any, expected: int) -> None:
    @reaction(SettingsChanged, name="test.one", key=lambda _fact: "same", delay=timedelta(minutes=10), newcomer=newcomer)
    def one(fact: SettingsChanged) -> None:
        answers.append(fact.what)

    begun = clock.now()
    happen("first")
    stopped.move(minutes=15) if newcomer == "move" else stopped.move(minutes=5)
    happen("second")
    [row] = rows("test.one")
    assert row.due_at == begun + timedelta(minutes=expected)


def test_a_worker_leaves_reactions_alone_that_it_does_not_know(desk: TestDesk, answers: list[Any]) -> None:
    with db.transaction():
        row = {"event_id": None, "reaction": "tomorrow.release", "key": "k", "lane": "hot", "due_at": clock.now()}
        events.put([{**row, "claim": 0, "attempts": 0, "error": ""}])
    desk.work()
    [row] = rows("tomorrow.release")
    assert row.done_at is None and row.attempts == 0


def test_history_schedules_nothing_and_keeps_the_time(desk: TestDesk, answers: list[Any], stopped: clock.Hand) -> None:
    @reaction(SettingsChanged, name="test.hear")
    def hear(fact: SettingsChanged) -> None:
        answers.append(fact)

    then = clock.now() - timedelta(days=40)
    with db.transaction(), events.history(then):
        record(SettingsChanged(SYSTEM, "long ago"))
    desk.work()
    with db.read() as session:
        assert session.scalars(select(Event).where(Event.kind == "settings_changed")).one().at == then
    assert answers == []


def test_what_was_done_long_ago_is_purged(desk: TestDesk, stopped: clock.Hand) -> None:
    people.writes(desk.people.carol, inbox=desk.people.mail)
    desk.work()
    stopped.move(days=2)
    assert deliveries.purge() > 0
    with db.read() as session:
        assert session.scalar(select(func.count()).select_from(Delivery).where(Delivery.done_at.is_not(None))) == 0


def test_every_fact_survives_being_stored(desk: TestDesk) -> None:
    by = Actor("user", desk.people.alice, on_behalf_of=desk.people.carol, via="page")
    for name, cls in events.catalogue().items():
        values: dict[str, Any] = {}
        for field in cls.__dataclass_fields__:
            kind = str(cls.__dataclass_fields__[field].type)
            values[field] = (
                by if field == "by" else True if "bool" in kind else ("a",) if "tuple" in kind else "word" if "str" in kind else 7
            )
        with db.transaction() as session, events.history():
            record(cls(**values))
            again = fact_of(session.scalars(select(Event).order_by(Event.id.desc()).limit(1)).one())
        for field, value in values.items():
            stored = getattr(again, field)
            assert (tuple(stored) if isinstance(stored, list) else stored) == value, (name, field)


def test_a_ticket_equals_the_fold_of_its_events(desk: TestDesk, stopped: clock.Hand) -> None:
    company = desk.people
    people.arrives(company.alice)
    ticket = people.writes(company.carol, inbox=company.mail)
    desk.work()
    alice = Actor("user", company.alice)
    for step in (
        lambda t: lifecycle.set_priority(t, Priority.HIGH, by=alice),
        lambda t: thread.reply(t, "One moment.", by=alice, then=Status.PENDING),
        lambda t: lifecycle.set_status(t, Status.ON_HOLD, by=alice),
        lambda t: lifecycle.solve(t, by=alice),
        lambda t: lifecycle.reopen(t, by=alice),
        lambda t: lifecycle.move(t, db.session().get_one(Queue, company.billing), by=alice),
    ):
        stopped.move(minutes=3)
        with db.transaction() as session:
            step(session.get_one(Ticket, ticket.id))
        desk.work()
    people.answers(ticket, company.carol)
    desk.work()
    with db.read() as session:
        told = [fact_of(row) for row in session.scalars(select(Event).where(Event.ticket_id == ticket.id).order_by(Event.id))]
        now = session.get_one(Ticket, ticket.id)
    state: dict[str, Any] = {}
    for fact in told:
        match fact:
            case catalog.TicketOpened():
                state = {"status": fact.status, "priority": fact.priority, "queue": fact.queue_id, "assignee": None}
            case catalog.StatusChanged():
                assert state["status"] == fact.old
                state["status"] = fact.new
            case catalog.PriorityChanged():
                state["priority"] = fact.new
            case catalog.TicketMoved():
                state["queue"] = fact.new
            case catalog.TicketAssigned():
                assert state["assignee"] == fact.old
                state["assignee"] = fact.new
                if fact.new is not None and state["status"] == "new":
                    state["status"] = "open"
            case catalog.TicketSolved():
                state["status"] = "solved"
            case catalog.TicketReopened():
                state["status"] = "open"
            case catalog.CustomerWrote():
                if state["status"] in ("pending", "on_hold"):
                    state["status"] = "open"
    assert state == {"status": now.status, "priority": now.priority, "queue": now.queue_id, "assignee": now.assignee_id}


def test_no_event_holds_text_or_addresses(desk: TestDesk) -> None:
    people.arrives(desk.people.alice)
    people.writes(desk.people.carol, "Secret words", inbox=desk.people.mail, subject="Secret subject")
    desk.work()
    with db.read() as session:
        for row in session.scalars(select(Event)):
            assert "Secret" not in str(row.data) and "@" not in str(row.data)


def test_a_queue_of_claims_is_done_by_several_workers_once_each(desk: TestDesk, answers: list[Any]) -> None:
    import threading

    @reaction(ArticleWithdrawn, name="test.count")
    def count(fact: ArticleWithdrawn) -> None:
        answers.append(fact.article_id)

    for number in range(60):
        with db.transaction():
            record(ArticleWithdrawn(number, SYSTEM))
    threads = [threading.Thread(target=lambda: worker.drain("hot", limit=7)) for _ in range(4)]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    desk.work()
    assert sorted(answers) == list(range(60))


@pytest.mark.parametrize(("told_after_the_look", "rounds"), [(False, 1), (True, 2)])
def test_a_nudge_costs_another_round_only_if_nobody_has_looked_since(told_after_the_look: bool, rounds: int) -> None:
    looked: list[int] = []

    def drain(looks: Callable[[], object]) -> None:
        looked.append(len(looked))
        if len(looked) == 1 and not told_after_the_look:
            lane.nudge()
        looks()
        if len(looked) == 1 and told_after_the_look:
            lane.nudge()

    lane = worker.Lane("hot", drain)
    lane.nudge()
    for one in threading.enumerate():
        if one.name == "drain-hot":
            one.join(5)
    assert len(looked) == rounds
