"""What goes along with an answer: a signature, the quoted question, files or links to them; and with automatic mail a way to refuse it."""

from __future__ import annotations

import re
from email.message import EmailMessage

import pytest
from flask.testing import FlaskClient
from sqlalchemy import select

from helpdesk import clock, db, files
from helpdesk.actor import SYSTEM
from helpdesk.agents.models import AgentProfile
from helpdesk.channels.email import unsubscribing
from helpdesk.crm import contacts
from helpdesk.crm.models import Identity
from helpdesk.preferences import prefer
from helpdesk.tickets import intake
from helpdesk.tickets.intake import NewFile
from helpdesk.tickets.models import Inbox, Status, Ticket
from tests.desks import TestDesk
from tests.integration.email.conftest import MailDoor, Sink, both_engines, letter, opened_by_mail, outbox, replies, tickets


@pytest.fixture
def quiet(desk: TestDesk) -> None:
    with db.transaction():
        prefer(acknowledge=False)


def change(desk: TestDesk, **values: object) -> None:
    with db.transaction() as session:
        inbox = session.get_one(Inbox, desk.people.mail)
        for name, value in values.items():
            setattr(inbox, name, value)


def sign(desk: TestDesk, text: str) -> None:
    with db.transaction() as session:
        (session.get(AgentProfile, desk.people.alice) or AgentProfile(user_id=desk.people.alice)).signature = text


def sent(desk: TestDesk, sink: Sink, stopped: clock.Hand) -> EmailMessage:
    """The one mail that leaves."""
    stopped.move(seconds=16)
    desk.work()
    (mail,) = sink.mails()
    assert isinstance(mail, EmailMessage)
    return mail


def words(mail: EmailMessage, kind: str = "plain") -> str:
    part = mail.get_body((kind,))
    assert part is not None
    return str(part.get_content()).replace("\r\n", "\n")


# --- signatures ----------------------------------------------------------------------------------------------------------


def test_an_agent_s_own_signature_goes_before_the_inbox_s(
    desk: TestDesk, door: MailDoor, sink: Sink, stopped: clock.Hand, quiet: None
) -> None:
    change(desk, signature="The team", sender_name="Happy Help")
    sign(desk, "{{ agent.name }}, {{ inbox.name }}\n{{ company }} {{ nothing }}")
    replies(desk, opened_by_mail(desk, door))
    mail = sent(desk, sink, stopped)
    assert "\n-- \nAlice, Happy Help\nHelpdesk {{ nothing }}\n" in words(mail) and "The team" not in words(mail)


def test_an_agent_without_one_signs_with_the_inbox_s(desk: TestDesk, door: MailDoor, sink: Sink, stopped: clock.Hand, quiet: None) -> None:
    change(desk, signature="{{ agent.name }} of the team")
    replies(desk, opened_by_mail(desk, door))
    assert "\n-- \nAlice of the team\n" in words(sent(desk, sink, stopped))


def test_a_signature_cannot_run_code_or_markup(desk: TestDesk, door: MailDoor, sink: Sink, stopped: clock.Hand, quiet: None) -> None:
    sign(desk, "<b>A</b> {{ 7*7 }} {{ config.SECRET_KEY }}")
    replies(desk, opened_by_mail(desk, door))
    html = words(sent(desk, sink, stopped), "html")
    assert "&lt;b&gt;A&lt;/b&gt; {{ 7*7 }} {{ config.SECRET_KEY }}" in html


def test_the_composer_shows_the_signature_that_follows(desk: TestDesk, door: MailDoor, quiet: None) -> None:
    change(desk, signature="{{ agent.name }} of the team")
    ticket = opened_by_mail(desk, door)
    page = desk.client(desk.people.dana).get(f"/inbox/{ticket.number}").text
    assert "Your signature follows" in page and "Dana of the team" in page


def test_an_inbox_s_signature_with_an_unknown_placeholder_is_refused_by_name(desk: TestDesk) -> None:
    ada = desk.client(desk.people.ada)
    html = ada.get(f"/admin/inboxes/{desk.people.mail}").text
    fields = {
        "csrf_token": token_of(html),
        "name": "Support",
        "address": "support@example.com",
        "queue_id": desk.people.support,
        "version": 1,
    }
    answer = ada.post(f"/admin/inboxes/{desk.people.mail}", data={**fields, "signature": "{{ agent.salary }}"})
    assert answer.status_code == 422 and "There is no placeholder {{ agent.salary }}" in answer.text
    assert (
        ada.post(f"/admin/inboxes/{desk.people.mail}", data={**fields, "signature": "{{ agent.name }}", "files_mb": "5"}).status_code == 303
    )
    with db.read() as session:
        kept = session.get_one(Inbox, desk.people.mail)
        assert (kept.signature, kept.files_mb, kept.quote_history) == ("{{ agent.name }}", 5, False)


# --- quoted history ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("wanted", [True, False])
def test_the_question_is_quoted_only_where_the_inbox_wants_it(
    desk: TestDesk, door: MailDoor, sink: Sink, stopped: clock.Hand, quiet: None, wanted: bool
) -> None:
    change(desk, quote_history=wanted)
    replies(desk, opened_by_mail(desk, door, letter("First line.\nSecond <b>line</b>.")))
    mail = sent(desk, sink, stopped)
    assert ("Carol Jones wrote:\n> First line.\n> Second <b>line</b>." in words(mail)) is wanted
    assert ("<blockquote><p>First line.<br>Second &lt;b&gt;line&lt;/b&gt;." in words(mail, "html")) is wanted


def test_whoever_joined_later_gets_no_earlier_message_quoted(
    desk: TestDesk, door: MailDoor, sink: Sink, stopped: clock.Hand, quiet: None
) -> None:
    change(desk, quote_history=True)
    ticket = opened_by_mail(desk, door, letter("My salary is 1000."))
    stopped.move(minutes=1)
    with db.transaction() as session:
        oleg = contacts.by_email("oleg@other.example", by=SYSTEM)
        intake.add_participant(session.get_one(Ticket, ticket.id), oleg)
    replies(desk, ticket)
    stopped.move(seconds=16)
    desk.work()
    bodies = {row.recipient: row.body_text for row in outbox("reply")}
    assert "salary" in bodies["carol@customer.example"] and "salary" not in bodies["oleg@other.example"]


# --- files ---------------------------------------------------------------------------------------------------------------


def answered_with_files(desk: TestDesk, door: MailDoor, *sizes: int) -> Ticket:
    ticket = opened_by_mail(desk, door)
    along = tuple(NewFile(f"{size}.bin", "application/octet-stream", files.store().put(b"x" * size)) for size in sizes)
    replies(desk, ticket, files=along)
    return ticket


@both_engines
def test_files_beyond_the_inbox_s_limit_travel_as_links_that_give_them_out(
    desk: TestDesk, door: MailDoor, sink: Sink, stopped: clock.Hand, quiet: None
) -> None:
    change(desk, files_mb=1)
    answered_with_files(desk, door, 1000, 2**20)
    mail = sent(desk, sink, stopped)
    assert [part.get_filename() for part in mail.iter_attachments()] == ["1000.bin"]
    (link,) = re.findall(r"- 1048576\.bin: (\S+)", words(mail))
    path = link.removeprefix(desk.settings.base_url)
    answer = desk.client().get(path)
    assert answer.status_code == 200 and len(answer.data) == 2**20
    assert answer.headers["Content-Disposition"].startswith("attachment") and answer.headers["X-Content-Type-Options"] == "nosniff"
    assert link in words(mail, "html")


def test_a_file_s_link_ends_after_thirty_days_and_when_the_ticket_s_links_are_taken_back(
    desk: TestDesk, door: MailDoor, sink: Sink, stopped: clock.Hand, quiet: None
) -> None:
    change(desk, files_mb=0)
    ticket = answered_with_files(desk, door, 10)
    path = re.findall(r"(/mailed-files/\S+)", words(sent(desk, sink, stopped)))[0]
    stranger = desk.client()
    assert stranger.get(path).status_code == 200
    assert stranger.get(path[:-2] + "xx").status_code == 410
    with db.transaction() as session:
        session.get_one(Ticket, ticket.id).link_epoch += 1
    assert stranger.get(path).status_code == 410


# --- refusing automatic mail ---------------------------------------------------------------------------------------------


def token_of(html: str) -> str:
    found = re.search(r'name="csrf-token" content="([^"]+)"', html)
    assert found is not None
    return found[1]


def one_click(client: FlaskClient, mail: EmailMessage) -> int:
    """What a mail program does: a POST without a form's token."""
    assert mail["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
    path = "/unsubscribe/" + str(mail["List-Unsubscribe"]).strip("<>").rpartition("/unsubscribe/")[2]
    return client.post(path, data={"List-Unsubscribe": "One-Click"}).status_code


@both_engines
def test_one_click_in_a_receipt_ends_receipts_and_surveys_and_nothing_else(
    desk: TestDesk, door: MailDoor, sink: Sink, stopped: clock.Hand
) -> None:
    opened_by_mail(desk, door)
    (receipt,) = sink.mails()
    assert isinstance(receipt, EmailMessage)
    assert receipt["Precedence"] == "bulk" and receipt["Auto-Submitted"] == "auto-replied"
    assert one_click(desk.client(), receipt) == 303
    stopped.move(hours=2)
    ticket = opened_by_mail(desk, door, letter("Another thing.", subject="Other"))
    replies(desk, ticket, then=Status.SOLVED)
    stopped.move(hours=2)
    desk.work()
    stopped.move(minutes=1)
    desk.work()
    assert [row.kind for row in outbox() if row.state == "sent"] == ["receipt", "reply"]
    answer = sink.mails()[-1]
    assert answer["List-Unsubscribe"] is None and answer["Precedence"] is None and answer["Auto-Submitted"] is None


def test_a_mail_that_waits_when_its_reader_refuses_does_not_leave(desk: TestDesk, door: MailDoor, sink: Sink, stopped: clock.Hand) -> None:
    sink.say = lambda _envelope: "451 later"
    opened_by_mail(desk, door)
    with db.transaction():
        unsubscribing.refuse("Carol@customer.example")
    sink.say = lambda _envelope: None
    stopped.move(minutes=5)
    desk.work()
    (row,) = outbox()
    assert row.state == "withdrawn" and row.server_words == unsubscribing.REFUSED and not sink.taken


def test_looking_at_the_page_changes_nothing_and_its_buttons_refuse_and_allow(desk: TestDesk, door: MailDoor, sink: Sink) -> None:
    opened_by_mail(desk, door)
    path = "/unsubscribe/" + str(sink.mails()[0]["List-Unsubscribe"]).strip("<>").rpartition("/")[2]
    client = desk.client()
    assert "No more automatic mail" in client.get(path).text and not refused()
    client.post(path, data={})
    assert "gets no automatic mail from us any more" in client.get(path).text and refused()
    client.post(path, data={"again": "1"})
    assert not refused()
    assert client.get("/unsubscribe/forged").status_code == client.post("/unsubscribe/forged").status_code == 410


def refused() -> bool:
    with db.read() as session:
        return session.scalar(select(Identity.refuses_since).where(Identity.value_norm == "carol@customer.example")) is not None


def test_every_new_ticket_s_answer_has_bounded_references(
    desk: TestDesk, door: MailDoor, sink: Sink, stopped: clock.Hand, quiet: None
) -> None:
    opened_by_mail(desk, door, letter(message_id="<0@customer.example>"))
    number = tickets()[0].number
    for count in range(1, 30):
        door.send(letter(f"More {count}", subject=f"[#{number}]", message_id=f"<{count}@customer.example>"))
    desk.work()
    replies(desk, tickets()[0])
    ids = sent(desk, sink, stopped)["References"].split()
    assert len(ids) == 12 and ids[0] == "<0@customer.example>" and ids[-1] == "<29@customer.example>"
