"""Mail that no person wrote leaves a mark and nothing else; our own automatic mail can be neither weapon nor loop."""

from __future__ import annotations

import pytest
from sqlalchemy import select

from helpdesk import clock, db
from helpdesk.actor import SYSTEM
from helpdesk.catalog import LinkAsked
from helpdesk.channels.email import intake, reports
from helpdesk.crm.models import Contact, Identity
from helpdesk.events import Event, record
from helpdesk.preferences import prefer
from helpdesk.tickets import linking, surveys
from helpdesk.tickets.models import Status
from tests import people
from tests.desks import TestDesk
from tests.integration.email.conftest import (
    MailDoor,
    Sink,
    arrivals,
    both_engines,
    letter,
    messages,
    opened_by_mail,
    outbox,
    replies,
    reply_mark,
    tickets,
)


def bounce(about: str = "", *, address: str = "carol@customer.example", status: str = "5.1.1", action: str = "failed") -> bytes:
    """A delivery report (RFC 3464), quoting the header of the mail it is about."""
    return f"""From: MAILER-DAEMON@mx.customer.example
To: support@example.com
Subject: Undelivered Mail Returned to Sender
Message-ID: <report-{abs(hash((about, address, action)))}@mx.customer.example>
MIME-Version: 1.0
Content-Type: multipart/report; report-type=delivery-status; boundary="b"

--b
Content-Type: text/plain

Your mail could not be delivered.

--b
Content-Type: message/delivery-status

Reporting-MTA: dns; mx.customer.example

Final-Recipient: rfc822; {address}
Action: {action}
Status: {status}
Diagnostic-Code: smtp; 550 {status} The mailbox is gone

--b
Content-Type: text/rfc822-headers

From: support@example.com
Message-ID: {about or "<unknown@elsewhere.example>"}

--b--
""".encode()


def vacation(to: str = "support@example.com", **headers: str) -> bytes:
    return letter("I am on holiday until Monday.", subject="Out of office", to=to, Auto_Submitted="auto-replied (vacation)", **headers)


# --- reports -------------------------------------------------------------------------------------------------------------


@both_engines
def test_a_delivery_report_about_our_mail_is_noted_on_address_contact_mail_and_reply(
    desk: TestDesk, door: MailDoor, sink: Sink, stopped: clock.Hand
) -> None:
    ticket = opened_by_mail(desk, door)
    replies(desk, ticket)
    stopped.move(seconds=16)
    desk.work()
    (sent,) = outbox("reply")
    door.send(bounce(sent.header_id), sender="")
    desk.work()
    assert [(a.state, a.why, a.ticket_id) for a in arrivals()][1] == ("noted", reports.FAILED, ticket.id)
    assert len(tickets()) == 1 and len(messages(ticket)) == 2
    message = messages(ticket)[-1]
    assert message.delivery == "failed" and "The mailbox is gone" in message.delivery_note
    with db.read() as session:
        identity = session.scalars(select(Identity).where(Identity.contact_id == desk.people.carol)).one()
        assert identity.failing_since is not None and "5.1.1" in identity.failing_why
        assert "The mailbox is gone" in session.get_one(Contact, desk.people.carol).bounce_note
        fact = session.scalars(select(Event).where(Event.kind == "delivery_failed")).one()
        assert (fact.contact_id, fact.ticket_id, fact.data["status"]) == (desk.people.carol, ticket.id, "5.1.1")
    assert not outbox("receipt")[1:]


def test_a_report_that_anybody_could_have_made_up_is_noted_but_changes_no_address(desk: TestDesk, door: MailDoor) -> None:
    door.send(bounce(), sender="")
    door.send(bounce("<hd.1.0123456789abcdef.aaaaaaaaaaaaaaaa@example.com>"), sender="")
    desk.work()
    assert {(a.state, a.why) for a in arrivals()} == {("noted", reports.NOT_OURS)} and not tickets()
    with db.read() as session:
        assert session.scalars(select(Identity.failing_since).where(Identity.contact_id == desk.people.carol)).one() is None
        assert "The mailbox is gone" in session.get_one(Contact, desk.people.carol).bounce_note


def test_a_report_of_a_delay_accuses_nobody(desk: TestDesk, door: MailDoor, sink: Sink, stopped: clock.Hand) -> None:
    ticket = opened_by_mail(desk, door)
    replies(desk, ticket)
    stopped.move(seconds=16)
    desk.work()
    door.send(bounce(outbox("reply")[0].header_id, action="delayed", status="4.4.1"), sender="")
    desk.work()
    assert arrivals()[-1].why == reports.LATE and messages(ticket)[-1].delivery == "sent"


@both_engines
def test_a_holiday_reply_is_shown_on_the_ticket_but_reopens_nothing_and_gets_no_answer(
    desk: TestDesk, door: MailDoor, sink: Sink, stopped: clock.Hand
) -> None:
    ticket = opened_by_mail(desk, door)
    replies(desk, ticket, then=Status.SOLVED)
    stopped.move(minutes=1)
    desk.work()
    before = len(sink.taken)
    address = reply_mark(desk, ticket)
    door.send(vacation(to=address), to=(address,))
    desk.work()
    assert tickets()[0].status is Status.SOLVED and len(tickets()) == 1 and len(sink.taken) == before
    last = messages(ticket)[-1]
    assert last.automatic and "on holiday" in last.text and arrivals()[-1].state == "threaded"


@pytest.mark.parametrize(
    ("raw", "sender"),
    [
        (vacation(), "carol@customer.example"),
        (vacation(), ""),
        (letter("away", subject="Automatic reply: Invoice", X_Auto_Response_Suppress="All"), "carol@customer.example"),
        (letter("Я в отпуске до понедельника.", subject="Автоответ: Счёт"), ""),
        (bounce(), ""),
    ],
    ids=["vacation", "vacation with null sender", "automatic reply", "автоответ", "report"],
)
def test_automatic_mail_opens_no_ticket_and_is_never_answered(desk: TestDesk, door: MailDoor, sink: Sink, raw: bytes, sender: str) -> None:
    assert door.send(raw, sender=sender).startswith("250")
    desk.work()
    assert [a.state for a in arrivals()] == ["noted"] and not tickets() and not outbox()


def test_the_same_holiday_reply_on_two_ways_is_shown_once(desk: TestDesk, door: MailDoor) -> None:
    ticket = opened_by_mail(desk, door)
    address = reply_mark(desk, ticket)
    for way in (b"Received: from a\n", b"Received: from b\n"):
        door.send(way + vacation(to=address), to=(address,))
    desk.work()
    assert [a.state for a in arrivals()] == ["accepted", "threaded", "duplicate"]


# --- receipts ------------------------------------------------------------------------------------------------------------


def test_a_new_request_is_acknowledged_once_with_its_number_and_a_link(desk: TestDesk, door: MailDoor, sink: Sink) -> None:
    ticket = opened_by_mail(desk, door, letter("Secret words.", subject="Buy my pills", sender="Pill Shop <carol@customer.example>"))
    (mail,) = sink.mails()
    raw = sink.raw()[0]
    assert mail["Auto-Submitted"] == "auto-replied" and mail["To"] == "carol@customer.example"
    assert str(ticket.number) in mail["Subject"] and f"{desk.settings.base_url}/t/" in outbox()[0].body_text
    for words in (b"pills", b"Pill", b"Secret"):
        assert words not in raw
    word = outbox()[0].body_text.split("/t/")[1].split()[0]
    with db.read():
        assert linking.opened(word)[0].id == ticket.id


def test_a_russian_request_is_acknowledged_in_russian(desk: TestDesk, door: MailDoor, sink: Sink) -> None:
    opened_by_mail(desk, door, letter("Здравствуйте! Где мой заказ? Жду ответа.", subject="Где заказ", sender="oleg@klient.example"))
    assert outbox()[0].language == "ru"


def test_a_request_from_the_portal_is_acknowledged_too(desk: TestDesk, sink: Sink) -> None:
    people.writes(desk.people.carol, inbox=desk.people.portal)
    desk.work()
    assert len(sink.taken) == 1


@both_engines
def test_an_address_gets_one_receipt_an_hour_and_three_a_day(desk: TestDesk, door: MailDoor, sink: Sink, stopped: clock.Hand) -> None:
    received = []
    for hour in range(6):
        for number in range(2):
            door.send(letter(f"{hour} {number}"))
        desk.work()
        received.append(len(sink.taken))
        stopped.move(hours=1, seconds=1)
    assert received == [1, 2, 3, 3, 3, 3] and len(tickets()) == 12


def test_a_spoofed_victim_is_not_flooded_from_many_names(desk: TestDesk, door: MailDoor, sink: Sink, stopped: clock.Hand) -> None:
    for number in range(8):
        door.send(letter(f"{number}", sender=f"Name {number} <Victim@victims.example>"), sender=f"bot{number}@evil.example")
    desk.work()
    assert len(sink.taken) == 1


@pytest.mark.parametrize(
    "raw",
    [
        letter(sender="no-reply@shop.example"),
        letter(sender="noreply@shop.example"),
        letter(sender="bounces+x@lists.example"),
        letter(List_Id="<news.example>"),
        letter(Precedence="bulk"),
        letter(Auto_Submitted="auto-generated"),
        letter(Authentication_Results="mx; dmarc=fail"),
    ],
    ids=["no-reply", "noreply", "bounces", "list", "bulk", "generated", "forged"],
)
def test_robots_lists_and_forged_senders_may_open_a_ticket_but_get_no_receipt(
    desk: TestDesk, door: MailDoor, sink: Sink, raw: bytes
) -> None:
    door.send(raw)
    desk.work()
    assert len(tickets()) == 1 and not sink.taken


def test_a_mail_with_a_null_sender_gets_no_receipt_whatever_it_says(desk: TestDesk, door: MailDoor, sink: Sink) -> None:
    door.send(letter("I look like a person."), sender="")
    desk.work()
    assert not sink.taken


def test_an_administrator_can_switch_receipts_off(desk: TestDesk, door: MailDoor, sink: Sink) -> None:
    with db.transaction():
        prefer(acknowledge=False)
    opened_by_mail(desk, door)
    assert not sink.taken


# --- loops ---------------------------------------------------------------------------------------------------------------


@both_engines
def test_two_desks_answering_each_other_stop_after_three_mails(desk: TestDesk, door: MailDoor, sink: Sink, stopped: clock.Hand) -> None:
    """The other desk is a rude one: it answers everything with a new mail, marks nothing as automatic and refers to nothing."""
    sent = 0
    door.send(letter("Ticket 1 received.", sender="desk@other.example"), sender="desk@other.example")
    for round_ in range(200):
        desk.work()
        if len(sink.taken) == sent:
            break
        sent = len(sink.taken)
        door.send(letter(f"Ticket {round_ + 2} received.", sender="desk@other.example"), sender="desk@other.example")
        stopped.move(minutes=5)
    assert sent <= 3


def test_two_desks_that_keep_to_the_rules_stop_after_one(desk: TestDesk, door: MailDoor, sink: Sink, stopped: clock.Hand) -> None:
    door.send(letter("Please help.", sender="desk@other.example"), sender="desk@other.example")
    desk.work()
    first = sink.mails()[0]
    answer = letter(
        "We have received your mail.", sender="desk@other.example", Auto_Submitted="auto-replied", In_Reply_To=str(first["Message-ID"])
    )
    door.send(answer, sender="")
    stopped.move(hours=2)
    desk.work()
    assert len(sink.taken) == 1 and len(tickets()) == 1


def test_our_own_mail_that_comes_back_opens_nothing(desk: TestDesk, door: MailDoor, sink: Sink, stopped: clock.Hand) -> None:
    ticket = opened_by_mail(desk, door)
    replies(desk, ticket)
    stopped.move(minutes=1)
    desk.work()
    for raw in sink.raw():
        door.send(raw.replace(b"From: Support", b"From: Other"), sender="someone@forwarder.example")
    desk.work()
    assert [(a.state, a.why) for a in arrivals()[1:]] == [("refused", intake.CAME_BACK)] * 2 and len(tickets()) == 1


# --- links asked for -----------------------------------------------------------------------------------------------------


def test_a_fresh_link_goes_to_the_contact_s_own_address(desk: TestDesk, sink: Sink) -> None:
    with db.transaction():
        prefer(acknowledge=False)
    ticket = people.writes(desk.people.carol, inbox=desk.people.portal)
    with db.transaction():
        record(LinkAsked(ticket.id, desk.people.carol, SYSTEM))
    desk.work()
    assert [row.recipient for row in outbox("ticket_link")] == ["carol@customer.example"] and len(sink.taken) == 1


def test_an_erased_contact_is_written_to_no_more(desk: TestDesk, door: MailDoor, sink: Sink, stopped: clock.Hand) -> None:
    with db.transaction():
        prefer(acknowledge=False)
    ticket = opened_by_mail(desk, door)
    with db.transaction() as session:
        session.get_one(Contact, desk.people.carol).erased_at = clock.now()
    replies(desk, ticket, then=Status.SOLVED)
    stopped.move(hours=2)
    desk.work()
    assert not sink.taken and not outbox()
    assert surveys.PURPOSE


@both_engines
def test_a_sign_in_link_is_made_when_the_mail_leaves_and_stands_nowhere_in_the_database(
    desk: TestDesk, sink: Sink, stopped: clock.Hand
) -> None:
    from helpdesk import auth
    from helpdesk.catalog import LinkRequested

    with db.transaction():
        record(LinkRequested(desk.people.alice, "reset", SYSTEM))
        record(LinkRequested(None, "reset", SYSTEM))
    desk.work()
    (row,) = outbox()
    assert row.body_text == "" and row.state == "sent" and sink.taken[0][1] == ["alice@example.com"]
    text = sink.raw()[0].decode()
    secret = text.split("/password/new/")[1].split()[0]
    with db.read():
        assert auth.linked_user(secret, "reset").id == desk.people.alice
