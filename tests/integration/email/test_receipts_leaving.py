"""A receipt is handed over by the very delivery that writes it; whatever dies meanwhile, it leaves, and under one Message-ID."""

from __future__ import annotations

from sqlalchemy import func, select

from helpdesk import clock, db, events, worker
from helpdesk.channels.email import handover, receipts, sending
from helpdesk.channels.email.models import Outgoing, OutgoingState
from helpdesk.events import Delivery, Event, Outside
from tests.desks import TestDesk
from tests.integration.email.conftest import MailDoor, Sink, both_engines, letter, outbox, use_server


def begun(desk: TestDesk) -> Outside:
    """A worker took the receipt's delivery, noted that it leaves, and committed; then it is as good as dead."""
    with desk.app.app_context(), db.transaction() as session:
        stated = session.scalars(select(Event).where(Event.kind == "ticket_opened")).one()
        step = receipts.acknowledge(events.fact_of(stated))
    assert isinstance(step, Outside) and outbox()[0].state is OutgoingState.SENDING
    return step


def receive(desk: TestDesk, door: MailDoor) -> None:
    """A mail comes and is understood; nothing else is done about it yet."""
    door.send(letter())
    with desk.app.app_context():
        worker.work_off(lanes=("hot",))


def owed() -> int:
    """Deliveries that would send a mail."""
    with db.read() as session:
        return session.scalar(select(func.count()).select_from(Delivery).where(Delivery.reaction == "mail.send")) or 0


@both_engines
def test_a_receipt_leaves_without_a_delivery_of_its_own(desk: TestDesk, door: MailDoor, sink: Sink) -> None:
    door.send(letter())
    desk.work()
    (row,) = outbox("receipt")
    assert len(sink.taken) == 1 and (row.state, row.attempts) == ("sent", 1) and "queued as 42" in row.server_words
    assert row.sent_at is not None and owed() == 0
    desk.work()
    assert len(sink.taken) == 1


@both_engines
def test_a_worker_that_died_with_a_receipt_in_hand_is_followed_by_another(
    desk: TestDesk, door: MailDoor, sink: Sink, stopped: clock.Hand
) -> None:
    receive(desk, door)
    begun(desk)
    desk.work()
    assert not sink.taken and owed() == 1, "the first may still be at it"
    stopped.move(minutes=1)
    desk.work()
    assert len(sink.taken) == 1 and outbox()[0].state == "sent" and outbox()[0].attempts == 2


def test_a_worker_that_died_after_the_server_had_the_receipt_sends_it_once_more_under_the_same_message_id(
    desk: TestDesk, door: MailDoor, sink: Sink, stopped: clock.Hand
) -> None:
    receive(desk, door)
    begun(desk).call()
    desk.work()
    stopped.move(minutes=1)
    desk.work()
    assert [mail["Message-ID"] for mail in sink.mails()] == [outbox()[0].header_id] * 2


def test_one_that_comes_back_late_changes_nothing(desk: TestDesk, door: MailDoor, sink: Sink, stopped: clock.Hand) -> None:
    receive(desk, door)
    step = begun(desk)
    answer = step.call()
    desk.work()
    stopped.move(minutes=1)
    desk.work()
    before = outbox()[0]
    with desk.app.app_context(), db.transaction():
        step.then(answer)
    assert outbox()[0].server_words == before.server_words and outbox()[0].attempts == 2
    with db.read() as session:
        assert session.scalar(select(func.count()).select_from(Event).where(Event.kind == "mail_sent")) == 1


@both_engines
def test_a_receipt_that_the_server_puts_off_is_tried_again(desk: TestDesk, door: MailDoor, sink: Sink, stopped: clock.Hand) -> None:
    sink.say = lambda _envelope: "451 4.7.1 Greylisted"
    door.send(letter())
    desk.work()
    assert outbox()[0].state == "waiting" and "Greylisted" in outbox()[0].server_words and owed() == 1
    sink.say = lambda _envelope: None
    stopped.move(minutes=1)
    desk.work()
    assert [mail["Message-ID"] for mail in sink.mails()] == [outbox()[0].header_id] and outbox()[0].state == "sent"


def test_a_receipt_that_is_refused_says_so(desk: TestDesk, door: MailDoor, sink: Sink) -> None:
    sink.say_rcpt = lambda _address: "550 5.1.1 No such user"
    door.send(letter())
    desk.work()
    assert outbox()[0].state == "failed" and "No such user" in outbox()[0].server_words and owed() == 0


def test_without_a_mail_server_a_receipt_waits_visibly_and_leaves_once_there_is_one(
    desk: TestDesk, door: MailDoor, stopped: clock.Hand
) -> None:
    use_server(desk, "")
    door.send(letter())
    desk.work()
    assert (outbox()[0].state, outbox()[0].server_words, outbox()[0].attempts) == ("waiting", sending.NO_SERVER, 0)
    use_server(desk, "smtp://127.0.0.1:9")
    with desk.app.app_context(), db.transaction():
        assert sending.wake_held() == 1
    desk.work()
    assert outbox()[0].attempts == 1 and outbox()[0].state == "waiting"
    handover.forget()


def test_a_receipt_that_an_administrator_took_out_is_not_begun_again(
    desk: TestDesk, door: MailDoor, sink: Sink, stopped: clock.Hand
) -> None:
    receive(desk, door)
    begun(desk)
    with db.transaction() as session:
        session.get_one(Outgoing, outbox()[0].id).state = OutgoingState.WITHDRAWN
    desk.work()
    stopped.move(minutes=1)
    desk.work()
    assert not sink.taken and owed() == 0
