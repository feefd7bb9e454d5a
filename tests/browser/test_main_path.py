"""The whole path with three browsers open at once: a customer, an agent, a supervisor; real mail in between. Embedded, and scaled."""

from __future__ import annotations

import email
import re
import smtplib
import time
from collections.abc import Callable, Iterator
from email import policy
from email.message import EmailMessage
from typing import Any

import pytest
from sqlalchemy import select

from helpdesk import db
from helpdesk.crm.models import Contact
from helpdesk.tickets.models import Message, MessageKind, Ticket
from tests import people
from tests.running import RunningDesk

pytestmark = pytest.mark.browser


SCALED = pytest.param("scaled", marks=[pytest.mark.postgres, pytest.mark.redis])


@pytest.fixture(scope="module", params=["embedded", SCALED])
def desk(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningDesk]:
    """The same desk, embedded in one process or scaled over PostgreSQL, Redis, two web processes, a worker and beat."""
    options: dict[str, Any] = {}
    if request.param == "scaled":
        url = request.getfixturevalue("postgres_server").create()
        options = {"database_url": url, "redis_url": request.getfixturevalue("redis_server").url, "web": 2}
    made = RunningDesk(tmp_path_factory.mktemp(str(request.param)), **options)
    made.prepare()
    try:
        made.start()
        yield made
    finally:
        made.stop()
        db.disconnect()


def mail(desk: RunningDesk, wanted: Callable[[EmailMessage], bool], *, within: float = 25) -> EmailMessage:
    """The first mail in the sink that is wanted; waits for it."""
    until = time.monotonic() + within
    while time.monotonic() < until:
        for raw in list(desk.sink.mails):
            message = email.message_from_bytes(raw, policy=policy.default)
            if wanted(message):  # type: ignore[arg-type]
                return message  # type: ignore[return-value]
        time.sleep(0.1)
    raise AssertionError(
        f"the mail did not come; there were {[email.message_from_bytes(m)['Subject'] for m in desk.sink.mails]}\n{desk.log()}"
    )


def body(message: EmailMessage) -> str:
    part = message.get_body(("plain",))
    assert part is not None
    return str(part.get_content())


def test_a_request_travels_from_the_portal_to_satisfaction_before_three_open_screens(desk: RunningDesk, person: Callable[..., Any]) -> None:
    company = desk.people
    people.arrives(company.alice)
    alice = person("/inbox", company.alice)
    dana = person("/wallboard", company.dana)
    alice.wait_for_selector(".pane-list")
    alice.wait_for_timeout(1500)

    carol = person("/requests/new")
    carol.fill("[name=name]", "Carol Jones")
    carol.fill("[name=email]", "carol@customer.example")
    carol.fill("[name=subject]", "The parcel is late")
    carol.fill("[name=body]", "It should have come on Monday.")
    carol.click("form#request button[type=submit]:visible")
    carol.wait_for_selector("text=The parcel is late")

    # Alice's open screen shows it by itself: it is hers.
    alice.wait_for_selector("#list .sj:has-text('The parcel is late')", timeout=5000)
    alice.click("#list a:has-text('The parcel is late')")
    alice.wait_for_selector("#thread .msg:has-text('Monday')")
    assert alice.locator(".rail").count() == alice.locator(".pane-list").count() == 1  # the middle alone was exchanged
    alice.fill("#body", "It left this morning and comes tomorrow.")
    alice.click("button[name=then][value=solved]")
    alice.wait_for_selector("#thread .msg.me:has-text('comes tomorrow')")

    answer = mail(desk, lambda m: "carol@customer.example" in m["To"] and "comes tomorrow" in body(m))
    assert "The parcel is late" in answer["Subject"] and answer["Message-ID"]

    survey = mail(desk, lambda m: "carol@customer.example" in m["To"] and "/rate/" in body(m))
    link = re.search(r"http://\S+/rate/\S+", body(survey))
    assert link
    carol.goto(link[0])
    carol.check("[name=score][value='5']", force=True)
    carol.click("form button[type=submit]:has-text('Send')")
    carol.wait_for_selector("text=Thank you")

    with db.read() as session:
        contact = session.get_one(Contact, company.carol)
        assert round(contact.satisfaction or 0) == 100 and contact.ratings_count == 1
    alice.wait_for_selector("#thread :text('5 of 5')", timeout=8000)
    dana.wait_for_function("() => document.body.innerText.includes('100') || document.body.innerText.includes('5.0')", timeout=20000)


def test_a_mail_reaches_the_open_screen_and_the_answer_to_the_answer_too(desk: RunningDesk, person: Callable[..., Any]) -> None:
    company = desk.people
    people.arrives(company.alice)
    alice = person("/inbox", company.alice)
    alice.wait_for_timeout(1500)
    first = EmailMessage()
    first["From"], first["To"], first["Subject"] = "Oleg <oleg@klient.example>", "support@example.com", "Счёт за октябрь"
    first["Message-ID"] = f"<{time.time()}@klient.example>"
    first.set_content("Здравствуйте, в счёте неверный ИНН.")
    with smtplib.SMTP("127.0.0.1", desk.mail_port) as server:
        server.send_message(first)
    alice.wait_for_selector("#list .sj:has-text('Счёт за октябрь')", timeout=15000)
    alice.click("#list a:has-text('Счёт за октябрь')")
    alice.fill("#body", "Исправили, новый счёт во вложении.")
    alice.click("button[name=then][value='']")
    reply = mail(desk, lambda m: "oleg@klient.example" in m["To"] and "новый счёт" in body(m))

    second = EmailMessage()
    second["From"], second["To"], second["Subject"] = (
        "Oleg <oleg@klient.example>",
        reply["Reply-To"] or reply["From"],
        "Re: " + reply["Subject"],
    )
    second["In-Reply-To"] = second["References"] = reply["Message-ID"]
    second["Message-ID"] = f"<{time.time()}-2@klient.example>"
    second.set_content("Спасибо, вижу!")
    with smtplib.SMTP("127.0.0.1", desk.mail_port) as server:
        server.send_message(second)
    # The thread that is open fetches itself; what Alice is typing stays.
    alice.fill("#body", "Half a sentence")
    alice.wait_for_selector("#thread .msg:has-text('Спасибо, вижу!')", timeout=15000)
    assert alice.input_value("#body") == "Half a sentence"
    with db.read() as session:
        ticket = session.scalars(select(Ticket).where(Ticket.subject == "Счёт за октябрь")).one()
        kinds = session.scalars(select(Message.kind).where(Message.ticket_id == ticket.id).order_by(Message.id)).all()
    assert kinds == [MessageKind.INBOUND, MessageKind.REPLY, MessageKind.INBOUND]


def test_an_offer_appears_counts_down_and_is_accepted(desk: RunningDesk, person: Callable[..., Any]) -> None:
    company = desk.people
    people.arrives(company.eve)
    eve = person("/inbox", company.eve)
    eve.wait_for_timeout(1500)
    letter = EmailMessage()
    letter["From"], letter["To"], letter["Subject"] = "Carol <carol@customer.example>", "billing@example.com", "Refund, please"
    letter["Message-ID"] = f"<{time.time()}-o@customer.example>"
    letter.set_content("I paid twice.")
    with smtplib.SMTP("127.0.0.1", desk.mail_port) as server:
        server.send_message(letter)
    eve.wait_for_selector("#offers [data-offer]:has-text('Refund, please')", timeout=15000)
    eve.click("#offers button:has-text('Accept')")
    eve.wait_for_selector("#thread .msg:has-text('I paid twice.')", timeout=8000)


def test_what_an_agent_may_not_watch_never_reaches_their_screen(desk: RunningDesk, person: Callable[..., Any]) -> None:
    company = desk.people
    eve = person("/inbox?list=all", company.eve)
    eve.wait_for_timeout(1500)
    letter = EmailMessage()
    letter["From"], letter["To"], letter["Subject"] = "Carol <carol@customer.example>", "support@example.com", "Not for billing"
    letter["Message-ID"] = f"<{time.time()}-n@customer.example>"
    letter.set_content("A support matter.")
    with smtplib.SMTP("127.0.0.1", desk.mail_port) as server:
        server.send_message(letter)
    dana = person("/inbox?list=all", company.dana)
    dana.wait_for_selector("#list .sj:has-text('Not for billing')", timeout=15000)
    eve.wait_for_timeout(1000)
    assert not eve.query_selector("#list .sj:has-text('Not for billing')")


def test_after_the_server_was_killed_the_page_catches_up_by_itself(desk: RunningDesk, person: Callable[..., Any]) -> None:
    if desk.web > 1:
        return  # a scaled desk's server is restarted by its supervisor; the embedded one is the case that people meet
    company = desk.people
    dana = person("/inbox?list=all", company.dana)
    dana.wait_for_timeout(1500)
    desk.kill()
    people.writes(company.carol, inbox=company.portal, subject="Written while it was down")
    desk.start_processes()
    dana.wait_for_selector("#list .sj:has-text('Written while it was down')", timeout=20000)
