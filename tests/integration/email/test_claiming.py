"""A customer writes from another address: the known address is asked, and only a button there makes the two one."""

from __future__ import annotations

import re

import pytest

from helpdesk import clock, db
from helpdesk.actor import SYSTEM
from helpdesk.channels.email import senders, trusted
from helpdesk.channels.email.models import OutgoingKind
from helpdesk.crm import contacts
from helpdesk.crm.models import Identity
from helpdesk.tickets.models import Inbox, Ticket
from tests.desks import TestDesk
from tests.forms import Browser
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

HOME = "carol.jones@home.example"


def from_home(desk: TestDesk, door: MailDoor, ticket: Ticket, text: str = "It is me, from home.", **headers: str) -> None:
    address = reply_mark(desk, ticket)
    door.send(letter(text, sender=f"Carol <{HOME}>", to=address, **headers), sender=HOME, to=(address,))
    desk.work()


def asked() -> list[str]:
    """The links that the known address got."""
    rows = outbox(OutgoingKind.CLAIM)
    assert all(row.recipient == "carol@customer.example" for row in rows)
    return [re.search(r"/claims/[\w.~-]+", row.body_text)[0] for row in rows]  # type: ignore[index]


@both_engines
def test_the_known_address_is_asked_and_yes_joins_the_two(desk: TestDesk, door: MailDoor, sink: Sink) -> None:
    ticket = opened_by_mail(desk, door)
    from_home(desk, door, ticket)
    assert len(tickets()) == 2 and tickets()[-1].linked_to_id == ticket.id and len(messages(ticket)) == 1
    (link,) = asked()
    (mail,) = [raw for _, to, raw in sink.taken if b"another address" in raw and to == ["carol@customer.example"]]
    assert HOME.encode() not in mail and b"from home" not in mail, "nothing that the stranger wrote stands in the question"
    page = Browser(desk).open(link)
    assert HOME in page.text and "Yes, this address is mine" in page.text
    assert len(messages(ticket)) == 1, "looking changes nothing"
    assert "belongs to you now" in Browser(desk).send(f"{link}/confirmation", page=link).text
    with db.read() as session:
        joined = contacts.find_by_email(HOME)
        assert joined is not None and joined.id == desk.people.carol
        assert session.query(Identity).filter_by(value_norm=HOME).one().verified_at is not None
    from_home(desk, door, ticket, "Now it works.", subject="Again")
    assert arrivals()[-1].state == "threaded" and arrivals()[-1].ticket_id == ticket.id
    assert "belongs to you now" in Browser(desk).send(f"{link}/confirmation", page="/").text, "twice changes nothing"


def test_no_changes_nothing(desk: TestDesk, door: MailDoor) -> None:
    ticket = opened_by_mail(desk, door)
    from_home(desk, door, ticket)
    (link,) = asked()
    assert "Nothing was changed" in Browser(desk).send(f"{link}/refusal", page=link).text
    from_home(desk, door, ticket, "Again.", subject="Again")
    assert len(messages(ticket)) == 1 and len(tickets()) == 3


def test_a_link_that_was_altered_or_is_old_joins_nobody(desk: TestDesk, door: MailDoor, stopped: clock.Hand) -> None:
    ticket = opened_by_mail(desk, door)
    from_home(desk, door, ticket)
    (link,) = asked()
    browser = Browser(desk)
    assert browser.send(link[:-3] + "abc/confirmation", page="/").status_code == 410
    with db.read():
        found = contacts.find_by_email(HOME)
        assert found is not None and found.id != desk.people.carol


def test_an_address_of_somebody_known_is_never_given_away(desk: TestDesk, door: MailDoor) -> None:
    ticket = opened_by_mail(desk, door)
    address = reply_mark(desk, ticket)
    for number in range(4):
        door.send(letter(f"Mine {number}.", sender="oleg@klient.example"), sender="oleg@klient.example")
    desk.work()
    door.send(letter("About hers.", sender="oleg@klient.example", to=address), sender="oleg@klient.example", to=(address,))
    desk.work()
    assert tickets()[-1].linked_to_id == ticket.id and asked() == []


def test_the_question_is_asked_seldom(desk: TestDesk, door: MailDoor, stopped: clock.Hand) -> None:
    ticket = opened_by_mail(desk, door)
    for number in range(5):
        address = reply_mark(desk, ticket)
        stranger = f"stranger{number}@evil.example"
        door.send(letter(f"Number {number}", sender=stranger, to=address), sender=stranger, to=(address,))
        desk.work()
    assert len(asked()) == 1
    stopped.move(hours=2)
    from_home(desk, door, ticket)
    assert len(asked()) == 2


@pytest.mark.parametrize("how", ["by number", "by reference to her mail", "by a forged mark", "automatic", "forged sender"])
def test_who_knows_no_mark_of_ours_or_is_no_person_brings_no_question(desk: TestDesk, door: MailDoor, how: str) -> None:
    ticket = opened_by_mail(desk, door, letter(message_id="<first@customer.example>"))
    replies(desk, ticket)
    mark = reply_mark(desk, ticket)
    options: dict[str, str] = {
        "by number": {"subject": f"[#{ticket.number}]"},
        "by reference to her mail": {"In_Reply_To": "<first@customer.example>"},
        "by a forged mark": {"to": mark[:-14] + "aa" + mark[-12:]},
        "automatic": {"to": mark, "Auto_Submitted": "auto-generated"},
        "forged sender": {"to": mark, "Authentication_Results": "mx.home.example; dmarc=fail"},
    }[how]
    door.send(letter("It is me.", sender=HOME, **options), sender=HOME, to=(options.get("to", "support@example.com"),))
    desk.work()
    assert len(tickets()) == 2 and asked() == []


def test_what_is_known_of_a_sender_is_kept_with_the_message(desk: TestDesk, door: MailDoor) -> None:
    door.send(letter(DKIM_Signature="v=1; a=rsa-sha256; d=customer.example; s=mail; h=from; bh=x; b=y"))
    desk.work()
    assert messages()[-1].sender_checks == {"verdict": "unproven", "spf": "", "dkim": "fail", "dmarc": "", "by": senders.OURSELVES}
    door.send(letter("Without."))
    desk.work()
    assert messages()[-1].sender_checks == {}


@pytest.mark.parametrize(
    ("result", "words"),
    [
        ("dmarc=pass header.from=customer.example", "Sender confirmed"),
        ("dmarc=fail header.from=customer.example", "Sender may be forged"),
        ("spf=none", "Sender not confirmed"),
    ],
)
def test_the_agent_reads_who_vouches_for_a_sender(desk: TestDesk, door: MailDoor, result: str, words: str) -> None:
    with db.transaction() as session:
        trusted.trust(session.get_one(Inbox, desk.people.mail), "mx.example.com", by=SYSTEM)
    door.send(letter(Authentication_Results=f"mx.example.com; {result}"))
    desk.work()
    page = desk.client(desk.people.dana).get(f"/inbox/{tickets()[-1].number}").text
    assert words in page and "checked by mx.example.com" in page
    assert words in desk.client(desk.people.dana).get(f"/admin/mail/{arrivals()[-1].id}").text
