"""A mail server hands a mail over; it is safe before it is answered for, and ends as a ticket, a message, or a visible entry."""

from __future__ import annotations

import hashlib
from concurrent.futures import ThreadPoolExecutor

import pytest
from sqlalchemy import select

from helpdesk import clock, db, files
from helpdesk.actor import Actor
from helpdesk.channels.email import arrivals as ledger
from helpdesk.channels.email import intake, understanding, warnings
from helpdesk.crm.models import Contact
from helpdesk.errors import Unavailable
from helpdesk.events import Delivery
from helpdesk.files import Store
from helpdesk.tickets.models import Attachment, Participant
from tests import people
from tests.desks import TestDesk
from tests.integration.email.conftest import MailDoor, arrivals, both_engines, letter, messages, tickets


@both_engines
def test_a_mail_becomes_a_ticket_in_the_inbox_it_was_sent_to(desk: TestDesk, door: MailDoor) -> None:
    assert door.send(letter("The invoice shows the wrong address.", subject="Invoice 2231")).startswith("250")
    desk.work()
    (arrival,) = arrivals()
    (ticket,) = tickets()
    (message,) = messages()
    assert arrival.state == "accepted" and arrival.ticket_id == ticket.id and arrival.message_id == message.id
    assert (ticket.subject, ticket.inbox_id, ticket.requester_id) == ("Invoice 2231", desk.people.mail, desk.people.carol)
    assert message.text.strip() == "The invoice shows the wrong address."


def test_a_mail_is_safe_before_it_is_answered_for_and_understood_only_later(desk: TestDesk, door: MailDoor) -> None:
    raw = letter("Please help.")
    assert door.send(raw).startswith("250")
    (arrival,) = arrivals()
    assert arrival.state == "stored" and not tickets()
    assert files.store().read(arrival.object_key).replace(b"\r\n", b"\n") == raw
    assert hashlib.sha256(files.store().read(arrival.object_key)).hexdigest() == arrival.sha256


@both_engines
def test_the_same_mail_fifty_times_at_once_is_one_ticket(desk: TestDesk, door: MailDoor) -> None:
    raw = letter("Only once, please.")
    with ThreadPoolExecutor(25) as pool:
        answers = list(pool.map(lambda _: door.send(raw), range(50)))
    desk.work()
    assert all(answer.startswith("250") for answer in answers)
    (arrival,) = arrivals()
    assert arrival.copies == 49 and len(tickets()) == 1 and len(messages()) == 1
    assert len(list(files.store().keys())) == 1


@both_engines
def test_the_same_mail_to_two_inboxes_on_two_ways_is_one_ticket(desk: TestDesk, door: MailDoor) -> None:
    raw = letter("Which of you does it?", to="support@example.com, billing@example.com")
    door.send(b"Received: from a\n" + raw, to=("support@example.com",))
    door.send(b"Received: from b\n" + raw, to=("billing@example.com",))
    desk.work()
    assert [a.state for a in arrivals()] == ["accepted", "duplicate"] and len(tickets()) == 1
    assert arrivals()[1].ticket_id == tickets()[0].id and arrivals()[1].why == intake.SAME_MAIL


@both_engines
def test_the_same_message_id_with_other_words_is_kept_and_flagged(desk: TestDesk, door: MailDoor) -> None:
    door.send(letter("The first.", message_id="<twice@customer.example>"))
    door.send(letter("Something else.", message_id="<twice@customer.example>"))
    desk.work()
    assert [(a.state, a.conflicting) for a in arrivals()] == [("accepted", False), ("accepted", True)]
    assert warnings.SAME_ID in messages()[1].warnings and warnings.SAME_ID not in messages()[0].warnings


@both_engines
def test_attachments_are_kept_under_random_names_with_the_sender_s_name_beside(desk: TestDesk, door: MailDoor) -> None:
    door.send(with_file(b"\x00\x01binary", "Счёт.pdf"))
    desk.work()
    with db.read() as session:
        (file,) = session.scalars(select(Attachment))
    assert file.name == "Счёт.pdf" and files.store().read(file.object_key) == b"\x00\x01binary"


@both_engines
def test_people_in_copy_take_part_in_a_new_ticket_but_not_our_inboxes_and_colleagues(desk: TestDesk, door: MailDoor) -> None:
    copied = "Oleg <oleg@klient.example>, Billing <billing@example.com>, alice@example.com, new@customer.example"
    door.send(letter("For all of us.", Cc=copied))
    desk.work()
    with db.read() as session:
        names = session.scalars(select(Contact.name).join(Participant, Participant.contact_id == Contact.id).order_by(Contact.id))
        assert list(names) == ["Олег Тарасенко", "new"]


def test_a_mail_to_very_many_people_does_not_make_them_participants(desk: TestDesk, door: MailDoor) -> None:
    door.send(letter("Look!", Cc=", ".join(f"p{n}@victims.example" for n in range(60))))
    desk.work()
    with db.read() as session:
        assert not session.scalars(select(Participant)).all()
    assert warnings.MANY_PEOPLE in messages()[0].warnings


def test_a_full_disk_puts_the_mail_off_and_leaves_nothing_half_done(
    desk: TestDesk, door: MailDoor, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_args: object, **_options: object) -> None:
        raise Unavailable("the disk is full; nothing was saved")

    with monkeypatch.context() as patch:
        patch.setattr(Store, "put", full)
        assert door.send(letter()).startswith("451 4.3.0")
    assert not arrivals()
    assert door.send(letter()).startswith("250")
    desk.work()
    assert len(tickets()) == 1


@both_engines
def test_a_disk_that_fills_up_while_attachments_are_kept_delays_the_mail_and_loses_nothing(
    desk: TestDesk, door: MailDoor, monkeypatch: pytest.MonkeyPatch, stopped: clock.Hand
) -> None:
    door.send(with_file(b"x" * 100, "a.txt"))

    def full(*_args: object, **_options: object) -> None:
        raise Unavailable("the disk is full; nothing was saved")

    with monkeypatch.context() as patch:
        patch.setattr(Store, "put", full)
        desk.work()
    assert [a.state for a in arrivals()] == ["stored"] and not tickets()
    stopped.move(minutes=1)
    desk.work()
    assert [a.state for a in arrivals()] == ["accepted"] and len(list(files.store().keys())) == 2


@both_engines
def test_a_lost_database_puts_the_mail_off_and_leaves_no_litter(desk: TestDesk, door: MailDoor, monkeypatch: pytest.MonkeyPatch) -> None:
    door.send(letter("before"))

    def away(*_args: object, **_options: object) -> None:
        raise Unavailable("the database does not answer")

    with monkeypatch.context() as patch:
        patch.setattr(ledger, "enter", away)
        assert door.send(letter("during")).startswith("451")
    assert len(list(files.store().keys())) == 1
    assert door.send(letter("during")).startswith("250")


def test_mail_that_cannot_be_understood_is_put_aside_and_tried_again_on_request(
    desk: TestDesk, door: MailDoor, monkeypatch: pytest.MonkeyPatch
) -> None:
    from helpdesk.channels.email import bounded

    def fails(_raw: bytes) -> None:
        raise bounded.ParseFailed("parsing took more than 10 s of processor time")

    with monkeypatch.context() as patch:
        patch.setattr(bounded, "parse", fails)
        door.send(letter())
        desk.work()
    (arrival,) = arrivals()
    assert arrival.state == "quarantined" and "10 s of processor time" in arrival.why and not tickets()
    with db.transaction() as session:
        ledger.again(session.get_one(ledger.Arrival, arrival.id), by=Actor("user", desk.people.ada))
    desk.work()
    assert [a.state for a in arrivals()] == ["accepted"] and len(tickets()) == 1


def test_a_mail_without_a_sender_is_put_aside(desk: TestDesk, door: MailDoor) -> None:
    door.send(b"Subject: who am I\r\n\r\nhello\r\n", sender="")
    desk.work()
    assert arrivals()[0].state in ("quarantined", "noted") and not tickets()


def test_a_mail_from_one_of_our_own_addresses_is_put_aside(desk: TestDesk, door: MailDoor) -> None:
    door.send(letter(sender="Support <support@example.com>"), sender="support@example.com")
    desk.work()
    assert [(a.state, a.why) for a in arrivals()] == [("quarantined", intake.FROM_OURSELVES)]


@both_engines
def test_understanding_twice_makes_one_ticket(desk: TestDesk, door: MailDoor) -> None:
    door.send(letter())
    (arrival,) = arrivals()
    first, second = understanding.understand(arrival), understanding.understand(arrival)
    for understood in (first, second):
        with db.transaction():
            intake.accept(arrival.id, understood)
    desk.work()
    assert len(tickets()) == 1 and len(messages()) == 1


def test_a_large_mail_waits_in_a_lane_where_nobody_waits_behind_it(desk: TestDesk, door: MailDoor) -> None:
    door.send(letter("<p>word</p>" * 5000))
    door.send(letter("small"))
    with db.read() as session:
        lanes = list(session.scalars(select(Delivery.lane).where(Delivery.reaction.like("mail.understand%")).order_by(Delivery.id)))
    assert lanes == ["io", "hot"]
    desk.work()
    assert len(tickets()) == 2


def test_an_agent_s_own_screen_gets_the_ticket_of_a_mail(desk: TestDesk, door: MailDoor) -> None:
    people.arrives(desk.people.alice)
    door.send(letter())
    desk.work()
    assert tickets()[0].assignee_id == desk.people.alice


def with_file(content: bytes, name: str) -> bytes:
    from email.message import EmailMessage

    mail = EmailMessage()
    mail["From"], mail["To"], mail["Subject"], mail["Message-ID"] = (
        "carol@customer.example",
        "support@example.com",
        "File",
        "<file@c.example>",
    )
    mail.set_content("See the file.")
    mail.add_attachment(content, maintype="application", subtype="pdf", filename=name)
    return mail.as_bytes()
