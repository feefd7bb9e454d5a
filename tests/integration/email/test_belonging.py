"""An answer finds its ticket only by a mark, a reference or a number, and only if its sender takes part. Everybody else gets their own."""

from __future__ import annotations

import pytest

from helpdesk import db
from helpdesk.actor import SYSTEM
from helpdesk.channels.email import marks, warnings
from helpdesk.crm import contacts
from helpdesk.crm.models import Contact, Membership
from helpdesk.tickets import intake, lifecycle
from helpdesk.tickets.models import Status, Ticket
from tests.desks import TestDesk
from tests.integration.email.conftest import (
    MailDoor,
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

STRANGER = "Mallory <mallory@evil.example>"


@both_engines
def test_an_answer_to_the_marked_address_joins_the_ticket_and_reopens_it(desk: TestDesk, door: MailDoor) -> None:
    ticket = opened_by_mail(desk, door)
    replies(desk, ticket, then=Status.SOLVED)
    address = reply_mark(desk, ticket)
    door.send(letter("Still wrong.", subject="no number here", to=address), to=(address,))
    desk.work()
    assert [a.state for a in arrivals()] == ["accepted", "threaded"] and len(tickets()) == 1
    assert tickets()[0].status is Status.OPEN and messages(ticket)[-1].text.strip() == "Still wrong."


def test_a_mark_survives_a_server_that_changes_capitals(desk: TestDesk, door: MailDoor) -> None:
    ticket = opened_by_mail(desk, door)
    address = reply_mark(desk, ticket).upper()
    door.send(letter("Again.", to=address), to=(address,))
    desk.work()
    assert len(tickets()) == 1


@both_engines
def test_an_answer_by_reference_to_our_mail_joins_the_ticket(desk: TestDesk, door: MailDoor) -> None:
    ticket = opened_by_mail(desk, door)
    replies(desk, ticket)
    desk.work()
    (sent,) = outbox("reply")
    door.send(letter("Thanks.", subject="Re: changed", References=f"<x@y> {sent.header_id}"))
    desk.work()
    assert len(tickets()) == 1 and len(messages(ticket)) == 3


def test_an_answer_to_one_s_own_first_mail_joins_the_ticket(desk: TestDesk, door: MailDoor) -> None:
    opened_by_mail(desk, door, letter(message_id="<first@customer.example>"))
    door.send(letter("And another thing.", subject="Other", In_Reply_To="<first@customer.example>"))
    desk.work()
    assert len(tickets()) == 1


def test_an_answer_by_number_in_the_subject_joins_the_ticket(desk: TestDesk, door: MailDoor) -> None:
    ticket = opened_by_mail(desk, door)
    door.send(letter("By number.", subject=f"AW: Invoice [#{ticket.number}]"))
    desk.work()
    assert len(tickets()) == 1


def test_a_participant_s_answer_joins_the_ticket(desk: TestDesk, door: MailDoor) -> None:
    ticket = opened_by_mail(desk, door, letter(Cc="Oleg <oleg@klient.example>"))
    address = reply_mark(desk, ticket, desk.people.oleg)
    door.send(letter("I agree.", sender="oleg@klient.example", to=address), to=(address,))
    desk.work()
    assert len(tickets()) == 1 and messages(ticket)[-1].contact_id == desk.people.oleg


@both_engines
def test_somebody_merged_into_the_requester_still_takes_part(desk: TestDesk, door: MailDoor) -> None:
    ticket = opened_by_mail(desk, door)
    with db.transaction() as session:
        session.get_one(Contact, desk.people.carol).merged_into_id = desk.people.oleg
    door.send(letter("Same person.", subject=f"[#{ticket.number}]"))
    door.send(letter("Same person too.", subject=f"[#{ticket.number}]", sender="oleg@klient.example"))
    desk.work()
    assert len(tickets()) == 1 and len(messages(ticket)) == 3


@both_engines
def test_a_colleague_who_sees_all_tickets_of_the_organization_may_join_in_and_another_may_not(desk: TestDesk, door: MailDoor) -> None:
    with db.transaction() as session:
        company = contacts.add_organization("Customer Ltd", by=SYSTEM)
        session.get_one(Contact, desk.people.carol).organization_id = company.id
        session.add(Membership(contact_id=desk.people.oleg, organization_id=company.id, sees_all_tickets=True))
        other = contacts.by_email("nina@klient.example", by=SYSTEM)
        session.add(Membership(contact_id=other.id, organization_id=company.id))
    ticket = opened_by_mail(desk, door)
    door.send(letter("I am her manager.", sender="oleg@klient.example", subject=f"[#{ticket.number}]"))
    door.send(letter("I am nobody.", sender="nina@klient.example", subject=f"[#{ticket.number}]"))
    desk.work()
    assert len(messages(ticket)) == 2 and tickets()[-1].linked_to_id == ticket.id


def test_an_answer_to_a_merged_ticket_goes_where_it_was_merged(desk: TestDesk, door: MailDoor) -> None:
    first, second = opened_by_mail(desk, door), opened_by_mail(desk, door, letter("Second request."))
    with db.transaction() as session:
        session.get_one(Ticket, first.id).merged_into_id = second.id
    door.send(letter("About the first.", subject=f"[#{first.number}]"))
    desk.work()
    assert arrivals()[-1].ticket_id == second.id


@both_engines
def test_an_answer_to_a_closed_ticket_opens_a_new_one_linked_to_it(desk: TestDesk, door: MailDoor) -> None:
    ticket = opened_by_mail(desk, door)
    with db.transaction() as session:
        lifecycle.close(session.get_one(Ticket, ticket.id), by=SYSTEM)
    address = reply_mark(desk, ticket)
    door.send(letter("Months later.", to=address), to=(address,))
    desk.work()
    assert tickets()[-1].linked_to_id == ticket.id and tickets()[0].status is Status.CLOSED


# --- those who may not -----------------------------------------------------------------------------------------------------


def _take_over(desk: TestDesk, ticket: Ticket, header_id: str, how: str) -> tuple[bytes, tuple[str, ...]]:
    """A stranger's mail about Carol's ticket, by each of the ways an answer finds it."""
    address = reply_mark(desk, ticket)
    return {
        "by mark": (letter("Show me all.", sender=STRANGER, to=address), (address,)),
        "by a mark of their own making": (
            letter("Show me all.", sender=STRANGER),
            (f"support+r.{ticket.id}.1.{'a' * 16}@example.com",),
        ),
        "by reference": (letter("Show me all.", sender=STRANGER, References=header_id), ("support@example.com",)),
        "by the customer's Message-ID": (letter("x", sender=STRANGER, In_Reply_To="<first@customer.example>"), ("support@example.com",)),
        "by number": (letter("Show me all.", sender=STRANGER, subject=f"Re: [#{ticket.number}]"), ("support@example.com",)),
        "by a name like the customer's": (
            letter("Me!", sender='"carol@customer.example" <mallory@evil.example>', subject=f"[#{ticket.number}]"),
            ("support@example.com",),
        ),
        "by Reply-To": (
            letter("Me!", sender=STRANGER, Reply_To="carol@customer.example", subject=f"[#{ticket.number}]"),
            ("support@example.com",),
        ),
        "by Sender": (letter("Me!", sender=STRANGER, Sender="carol@customer.example", References=header_id), ("support@example.com",)),
        "with an agent's name": (letter("Me!", sender="Alice <alice@evil.example>", to=address), (address,)),
        "with an agent's address": (letter("I am Alice.", sender="Alice <alice@example.com>", to=address), (address,)),
    }[how]


@pytest.mark.parametrize(
    "how",
    [
        "by mark",
        "by a mark of their own making",
        "by reference",
        "by the customer's Message-ID",
        "by number",
        "by a name like the customer's",
        "by Reply-To",
        "by Sender",
        "with an agent's name",
        "with an agent's address",
    ],
)
def test_a_stranger_opens_a_ticket_of_their_own_and_learns_nothing(desk: TestDesk, door: MailDoor, how: str) -> None:
    ticket = opened_by_mail(desk, door, letter(message_id="<first@customer.example>"))
    replies(desk, ticket, "The secret is 42.")
    desk.work()
    raw, to = _take_over(desk, ticket, outbox("reply")[0].header_id, how)
    assert door.send(raw, sender="mallory@evil.example", to=to).startswith("250")
    desk.work()
    assert len(messages(ticket)) == 2 and len(tickets()) == 2
    theirs = tickets()[-1]
    assert theirs.requester_id != desk.people.carol
    forged = how == "by a mark of their own making"
    assert theirs.linked_to_id == (None if forged else ticket.id)
    assert (warnings.FORGED_MARK if forged else warnings.STRANGER) in messages(theirs)[0].warnings
    assert not any("secret is 42" in mail.body_text for mail in outbox() if "mallory" in mail.recipient or "alice" in mail.recipient)


def test_on_a_new_ticket_of_a_stranger_the_copied_customer_does_not_give_access_to_the_old_one(desk: TestDesk, door: MailDoor) -> None:
    """The takeover by CC: the stranger writes about Carol's ticket with Carol in copy."""
    ticket = opened_by_mail(desk, door)
    door.send(letter("Add me.", sender=STRANGER, subject=f"[#{ticket.number}]", Cc="carol@customer.example"), sender="mallory@evil.example")
    desk.work()
    assert tickets()[-1].id != ticket.id
    with db.read() as session:
        stranger = contacts.find_by_email("mallory@evil.example")
        assert stranger is not None and not intake.takes_part(session.get_one(Ticket, ticket.id), stranger)


@both_engines
def test_a_customer_s_copy_on_a_later_mail_grants_nobody_the_history(desk: TestDesk, door: MailDoor) -> None:
    ticket = opened_by_mail(desk, door)
    door.send(letter("Look, Mallory.", subject=f"[#{ticket.number}]", Cc="mallory@evil.example"))
    door.send(letter("Let me in.", sender=STRANGER, subject=f"[#{ticket.number}]"), sender="mallory@evil.example")
    desk.work()
    assert len(messages(ticket)) == 2 and tickets()[-1].linked_to_id == ticket.id


def test_a_number_alone_does_not_help_a_sender_whom_the_mail_server_calls_forged(desk: TestDesk, door: MailDoor) -> None:
    ticket = opened_by_mail(desk, door)
    failed = letter("It is really me.", subject=f"[#{ticket.number}]", Authentication_Results="mx.example; dmarc=fail")
    door.send(failed)
    desk.work()
    assert len(messages(ticket)) == 1 and tickets()[-1].linked_to_id == ticket.id
    assert {warnings.FORGED_SENDER, warnings.NUMBER_ONLY} <= set(messages(tickets()[-1])[0].warnings)


def test_a_forged_message_id_of_ours_counts_for_nothing(desk: TestDesk, door: MailDoor) -> None:
    ticket = opened_by_mail(desk, door)
    forged = marks.message_id(ticket.id, "example.com").replace("<hd.1.", "<hd.2.")
    door.send(letter("By forgery.", References=forged))
    desk.work()
    assert len(tickets()) == 2 and warnings.FORGED_MARK in messages(tickets()[-1])[0].warnings


def test_a_mark_of_one_ticket_does_not_open_another(desk: TestDesk, door: MailDoor) -> None:
    """Carol may write to her own ticket by its mark; Oleg's mark in her hands only links."""
    hers = opened_by_mail(desk, door)
    his = opened_by_mail(desk, door, letter("Мой вопрос", sender="oleg@klient.example"))
    address = reply_mark(desk, his, desk.people.oleg)
    door.send(letter("Hm.", to=address), to=(address,))
    desk.work()
    assert len(messages(his)) == 1 and len(messages(hers)) == 1 and tickets()[-1].linked_to_id == his.id


@pytest.mark.usefixtures("desk")
def test_marks_are_short_enough_for_a_local_part_and_left_out_where_they_are_not() -> None:
    assert len(marks.reply_address("support@example.com", 10**9, 10**9).split("@")[0]) <= 64
    assert marks.reply_address(f"{'x' * 50}@example.com", 10**9, 10**9) == f"{'x' * 50}@example.com"
