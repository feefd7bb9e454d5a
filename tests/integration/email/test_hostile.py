"""Mails that want what is not theirs: each with what becomes of it. The mails lie in tests/mail/hostile, named by their oddity.

Before each, Carol's ticket stands with a secret in its thread: Alice answered it, and her answer has left.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

import pytest

from helpdesk import db
from helpdesk.actor import SYSTEM
from helpdesk.channels.email import marks, trusted, warnings
from helpdesk.channels.email.models import Arrival
from helpdesk.crm.models import Contact
from helpdesk.preferences import prefer
from helpdesk.tickets.models import Attachment, Inbox, Message, MessageKind, Status, Ticket
from tests.desks import TestDesk
from tests.integration.email.conftest import (
    MailDoor,
    Sink,
    arrivals,
    letter,
    messages,
    opened_by_mail,
    outbox,
    replies,
    reply_mark,
    tickets,
)

FOLDER = Path(__file__).parents[2] / "mail" / "hostile"
SECRET = "The secret is 42."


@dataclass(frozen=True)
class Outcome:
    """What becomes of a mail. `on`: the ticket it lands on: carol's, its own, or none. `linked`: its own is linked to Carol's."""

    state: str
    on: str = "own"
    linked: bool = False
    says: tuple[str, ...] = ()
    kind: str = "inbound"
    envelope: str = "mallory@evil.example"
    answered: bool | None = None  # whether the sender gets a receipt; None: either


def own(*says: str, linked: bool = False, **more: object) -> Outcome:
    return Outcome("accepted", "own", linked, says, **more)  # type: ignore[arg-type]


def joins(*says: str, kind: str = "inbound", envelope: str = "carol@customer.example") -> Outcome:
    return Outcome("threaded", "carol's", False, says, kind, envelope)


STRANGER = own(warnings.STRANGER, linked=True)
CLAIMS_COLLEAGUE = own(warnings.STRANGER, warnings.COLLEAGUE_UNPROVEN, linked=True)

OUTCOMES: dict[str, Outcome] = {
    # somebody else's ticket
    "copied-stranger-answers-to-the-mark": STRANGER,
    "copied-stranger-answers-our-message-id": STRANGER,
    "stranger-answers-the-customers-message-id": STRANGER,
    "stranger-guesses-the-number": STRANGER,
    "stranger-signs-a-mark-themselves": own(warnings.FORGED_MARK),
    "stranger-makes-up-a-message-id-of-ours": own(warnings.FORGED_MARK),
    "mark-of-another-ticket-with-this-signature": own(warnings.FORGED_MARK),
    "mark-hidden-among-delivered-to": STRANGER,
    "mark-in-the-copy-line": STRANGER,
    "stranger-copies-the-customer": STRANGER,
    "customer-copies-a-stranger-on-an-answer": joins(warnings.OTHERS_COPIED),
    "customer-answers-to-all": joins(),
    # whose From
    "customers-address-in-the-name": own(warnings.STRANGER, warnings.OTHER_NAME, linked=True),
    "customers-address-forged-and-caught": own(warnings.FORGED_SENDER, warnings.NUMBER_ONLY, linked=True, answered=False),
    "customers-address-forged-with-her-message-id": own(warnings.FORGED_SENDER, warnings.NUMBER_ONLY, linked=True, answered=False),
    "two-froms-the-customers-second": own(warnings.SEVERAL_SENDERS, warnings.STRANGER, linked=True),
    "two-addresses-in-one-from": own(warnings.SEVERAL_SENDERS, warnings.STRANGER, linked=True),
    "sender-header-names-the-customer": STRANGER,
    "answers-wanted-at-the-customers": own(warnings.STRANGER, warnings.OTHER_REPLY_TO, linked=True),
    "customer-wants-answers-elsewhere": joins(warnings.OTHER_REPLY_TO),
    "zero-width-in-the-customers-address": joins(),
    "cyrillic-letter-in-the-customers-domain": own(warnings.STRANGER, warnings.LOOKALIKE, linked=True),
    "route-before-the-address": STRANGER,
    "comment-that-is-an-address": STRANGER,
    # colleagues, and those who say they are
    "colleague-proven-and-marked": joins(kind="reply", envelope="alice@example.com"),
    "colleague-proven-but-old": joins(warnings.COLLEAGUE_TOO_LATE, kind="note", envelope="alice@example.com"),
    "colleague-proven-without-a-mark": joins(warnings.COLLEAGUE_NOTED, kind="note", envelope="alice@example.com"),
    "colleague-of-another-queue": own(warnings.STRANGER, linked=True),
    "colleague-unproven": CLAIMS_COLLEAGUE,
    "colleague-proven-by-another-server": CLAIMS_COLLEAGUE,
    "colleague-proven-by-a-second-header": own(warnings.STRANGER, warnings.COLLEAGUE_UNPROVEN, warnings.FORGED_SENDER, linked=True),
    "pass-inside-a-comment": CLAIMS_COLLEAGUE,
    "pass-inside-a-quoted-word": CLAIMS_COLLEAGUE,
    "pass-for-another-domain": CLAIMS_COLLEAGUE,
    "signed-by-a-domain-below": CLAIMS_COLLEAGUE,
    "colleagues-name-from-outside": own(warnings.STRANGER, warnings.BEARS_OUR_NAME, linked=True),
    "our-own-address-as-sender": Outcome("quarantined", "none"),
    "marked-address-as-sender": Outcome("quarantined", "none"),
    "desks-name-from-outside": own(warnings.BEARS_OUR_NAME),
    "domain-one-letter-from-ours": own(warnings.LIKE_OURS),
    # words that want to be headers, names that want to be paths
    "header-lines-in-the-subject": own(),
    "header-lines-in-the-name": own(),
    "line-break-in-the-message-id": own(),
    "zero-width-file-name": own(),
    "file-name-that-climbs": own(),
    "script-in-the-body": own(),
    # robots
    "vacation-robot-by-the-rules": Outcome("threaded", "carol's", envelope="", answered=False),
    "vacation-robot-of-a-stranger": Outcome("noted", "none", envelope="", answered=False),
    "desk-that-answers-our-receipt": own(answered=False),
    "our-own-mail-comes-back": Outcome("refused", "none"),
    "our-own-mail-bounced-by-hand": Outcome("refused", "none"),
    "report-that-nobody-sent": Outcome("noted", "none", envelope="", answered=False),
    "list-that-sends-everything-back": joins(),
    "no-reply-robot": own(answered=False),
    # too much of everything
    "hundreds-of-recipients": own(warnings.MANY_PEOPLE),
    "numbers-of-many-tickets": own(warnings.STRANGER, linked=True),
    "number-larger-than-any": own(),
    "thousands-of-references": own(),
}  # fmt: skip


def test_every_mail_has_an_outcome_and_there_are_more_than_forty() -> None:
    assert {path.stem for path in FOLDER.glob("*.eml")} == set(OUTCOMES) and len(OUTCOMES) >= 40


@pytest.fixture
def ticket(desk: TestDesk, door: MailDoor, sink: Sink) -> Ticket:
    """Carol's ticket; Alice has answered, and the inbox believes mx.example.com."""
    with db.transaction() as session:
        trusted.trust(session.get_one(Inbox, desk.people.mail), "mx.example.com", by=SYSTEM)
        prefer(undo_s=0)
    made = opened_by_mail(desk, door, letter(message_id="<first@customer.example>"))
    replies(desk, made, SECRET)
    desk.work()
    return made


def filled(desk: TestDesk, ticket: Ticket, name: str) -> bytes:
    """The mail with the marks that its writer would know."""
    mark = reply_mark(desk, ticket)
    words = {
        "MARK": mark,
        "FORGED_MARK": re.sub(r"\.[a-z2-7]{16}@", f".{'a' * 16}@", mark),
        "SWAPPED_MARK": mark.replace(f"+r.{ticket.id}.", f"+r.{ticket.id + 1}."),
        "OUR_ID": outbox("reply")[0].header_id,
        "FORGED_ID": re.sub(r"\.[a-z2-7]{16}@", f".{'a' * 16}@", outbox("reply")[0].header_id),
        "NUMBER": str(ticket.number),
    }
    raw = (FOLDER / f"{name}.eml").read_bytes()
    for word, value in words.items():
        raw = raw.replace(b"{" + word.encode() + b"}", value.encode())
    assert b"{" not in raw.partition(b"\n\n")[0]
    return raw


@pytest.mark.parametrize("name", list(OUTCOMES))
def test_a_hostile_mail_gets_what_it_deserves(desk: TestDesk, door: MailDoor, sink: Sink, ticket: Ticket, name: str) -> None:
    if name == "colleague-proven-but-old":
        door.send(letter("One more thing: pay it back.", message_id="<second@customer.example>"), to=(reply_mark(desk, ticket),))
        desk.work()
    wanted, before = OUTCOMES[name], len(sink.taken)
    raw = filled(desk, ticket, name)
    recipient = reply_mark(desk, ticket) if b"To: " + reply_mark(desk, ticket).encode() in raw else "support@example.com"
    assert door.send(raw, sender=wanted.envelope, to=(recipient,)).startswith("250")
    desk.work()
    arrival = arrivals()[-1]
    assert arrival.state == wanted.state, arrival.why
    _lands_where_it_belongs(arrival, wanted, ticket)
    _says(arrival, wanted)
    _nothing_leaks(sink, before, wanted, ticket)


def _lands_where_it_belongs(arrival: Arrival, wanted: Outcome, ticket: Ticket) -> None:
    if wanted.on == "none":
        assert arrival.message_id is None and len(tickets()) == 1 and len(messages(ticket)) == 2
        return
    said = messages()[-1]
    assert arrival.message_id == said.id and said.kind == wanted.kind
    if wanted.on == "carol's":
        assert said.ticket_id == ticket.id and len(tickets()) == 1
    else:
        assert said.ticket_id != ticket.id and len(messages(ticket)) == 2
        assert tickets()[-1].linked_to_id == (ticket.id if wanted.linked else None)


def _says(arrival: Arrival, wanted: Outcome) -> None:
    if arrival.message_id is None:
        return
    with db.read() as session:
        said = session.get_one(Message, arrival.message_id)
        assert set(wanted.says) <= set(said.warnings), said.warnings
        for text in (said.text, said.html, session.get_one(Ticket, said.ticket_id).subject):
            assert "<script" not in text and "onerror" not in text and "javascript:" not in text and "\r" not in text
        for file in session.query(Attachment).filter_by(message_id=said.id):
            assert not re.search("[\u200b-\u200f\u202a-\u202e/\\\\\x00-\x1f]", file.name), file.name
        for person in session.query(Contact):
            assert not set(person.name) & set("\r\n")


def _nothing_leaks(sink: Sink, before: int, wanted: Outcome, ticket: Ticket) -> None:
    """What left because of the mail: nothing of Carol's to others, no header that somebody wrote into a mail of theirs."""
    for sender, recipients, raw in sink.taken[before:]:
        head = raw.partition(b"\r\n\r\n")[0].lower()
        assert b"bcc:" not in head and b"x-evil" not in head and b"all@evil" not in head
        if set(recipients) != {"carol@customer.example"}:
            assert (
                SECRET.encode() not in raw
                and marks.reply_address("support@example.com", ticket.id, ticket.requester_id).encode() not in raw
            )
        assert sender
    answered = [row for row in outbox("receipt") if row.ticket_id != ticket.id]
    if wanted.answered is not None:
        assert bool(answered) is wanted.answered
    assert not {"carol@customer.example"} & {row.recipient for row in answered}


# --- conversations of robots -----------------------------------------------------------------------------------------------


def test_two_desks_that_answer_each_other_stop_after_three(desk: TestDesk, door: MailDoor, sink: Sink) -> None:
    """The other desk answers every mail as a person would: no Auto-Submitted, a new Message-ID, no references."""
    said = 0
    for number in range(12):
        text, subject = f"We have your request. Its number is {number}.", f"Ticket {number}"
        theirs = letter(text, subject=subject, sender="help@otherdesk.example", message_id=f"<{number}@otherdesk.example>")
        door.send(theirs, sender="help@otherdesk.example")
        desk.work()
        if len(sink.taken) == said:
            break
        said = len(sink.taken)
    assert 0 < said <= 3


def test_a_robot_that_answers_every_mail_of_ours_never_opens_or_reopens_a_ticket(desk: TestDesk, door: MailDoor, sink: Sink) -> None:
    ticket = opened_by_mail(desk, door)
    replies(desk, ticket, then=Status.SOLVED)
    for number in range(5):
        robot = letter("I am away.", subject="Out of office", Auto_Submitted="auto-replied", message_id=f"<away-{number}@customer.example>")
        door.send(robot, sender="", to=(reply_mark(desk, ticket),))
        desk.work()
    assert len(tickets()) == 1 and tickets()[0].status is Status.SOLVED
    assert len(outbox("receipt")) == 1 and [m.kind for m in messages(ticket)].count(MessageKind.REPLY) == 1
