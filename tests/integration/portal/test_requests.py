"""The request form, as a browser without scripts sends it."""

from __future__ import annotations

from io import BytesIO

from sqlalchemy import select

from helpdesk import db, files
from helpdesk.actor import Actor
from helpdesk.crm.models import Contact
from helpdesk.kb import articles
from helpdesk.tickets.models import Attachment, Channel, Inbox, Ticket
from tests.desks import TestDesk
from tests.integration.portal.visitors import REQUEST, account, asks, dangers, form, hidden, link_of, typed


def tickets() -> list[Ticket]:
    with db.read() as session:
        return list(session.scalars(select(Ticket).order_by(Ticket.id)))


def test_a_request_becomes_a_ticket_and_its_link_shows_it(desk: TestDesk) -> None:
    carol = desk.client()
    answer = asks(carol)
    confirmation = carol.get(answer.location).text
    assert "1001" in confirmation and "The invoice is wrong" in confirmation
    page = carol.get(link_of(answer)).text
    assert "It says 20 instead of 10." in page and "We will answer by" in page
    (ticket,) = tickets()
    assert ticket.channel is Channel.PORTAL and ticket.requester_id == desk.people.carol and ticket.queue_id == desk.people.support


def test_a_stranger_becomes_a_contact_with_their_language_and_zone(desk: TestDesk) -> None:
    answer = desk.client().post(
        "/requests/new",
        data=form(visitor := desk.client(), email="Нина@пример.рф", name="Нина", zone="Europe/Moscow"),
    )
    assert answer.status_code == 422  # another browser's form: the session is checked
    answer = asks(visitor, email="nina@new.example", name="Нина", zone="Europe/Moscow")
    assert answer.status_code == 303
    with db.read() as session:
        nina = session.scalars(select(Contact).where(Contact.name == "Нина")).one()
        assert nina.time_zone == "Europe/Moscow" and nina.language == "en"


def test_a_known_address_never_shows_the_name_behind_it(desk: TestDesk) -> None:
    eve = desk.client()
    page = eve.get(link_of(asks(eve, email="oleg@klient.example", name="Eve"))).text
    assert "Тарасенко" not in page


def test_every_mistake_is_said_at_once_and_nothing_typed_is_lost(desk: TestDesk) -> None:
    answer = asks(desk.client(), name="", email="nobody", subject="", body="Ten lines of trouble & <b>more</b>")
    assert answer.status_code == 422 and tickets() == []
    assert answer.text.count("field-error") == 3 and answer.text.count('aria-invalid="true"') == 3
    assert typed(answer.text, "body") == "Ten lines of trouble & <b>more</b>" and typed(answer.text, "email") == "nobody"


def test_the_same_form_sent_twice_makes_one_ticket(desk: TestDesk) -> None:
    carol = desk.client()
    sent = form(carol)
    first, second = carol.post("/requests/new", data=sent), carol.post("/requests/new", data=sent)
    assert first.status_code == second.status_code == 303 and len(tickets()) == 1
    assert carol.get(second.location).status_code == 200


def test_going_back_and_writing_something_else_makes_a_second_ticket(desk: TestDesk) -> None:
    carol = desk.client()
    sent = form(carol)
    carol.post("/requests/new", data=sent)
    carol.post("/requests/new", data={**sent, "subject": "And another thing"})
    assert [ticket.subject for ticket in tickets()] == ["The invoice is wrong", "And another thing"]


def test_a_form_of_an_ended_session_keeps_its_text_and_works_the_second_time(desk: TestDesk) -> None:
    carol = desk.client()
    sent = form(carol)
    carol.delete_cookie("desk", domain="localhost")
    refused = carol.post("/requests/new", data=sent)
    assert refused.status_code == 422 and typed(refused.text, "body").replace("\r\n", "\n") == REQUEST["body"]
    again = {**sent, "csrf_token": hidden(refused.text, "csrf_token")}
    assert carol.post("/requests/new", data=again).status_code == 303 and len(tickets()) == 1


def test_a_program_that_fills_in_everything_gets_no_ticket_but_a_person_gets_their_text_back(desk: TestDesk) -> None:
    answer = asks(desk.client(), website="https://spam.example")
    assert answer.status_code == 422 and tickets() == []
    assert typed(answer.text, "subject") == REQUEST["subject"] and typed(answer.text, "website") == ""


def test_too_many_requests_wait_with_their_text_kept(desk: TestDesk) -> None:
    carol = desk.client()
    for number in range(10):
        assert asks(carol, subject=f"Number {number}").status_code == 303
    answer = asks(carol, subject="One more")
    assert answer.status_code == 429 and "Retry-After" in answer.headers and typed(answer.text, "subject") == "One more"
    assert len(tickets()) == 10


def test_the_chosen_topic_is_the_queue_it_waits_in_and_an_invented_one_is_refused(desk: TestDesk) -> None:
    assert asks(desk.client(), topic=str(desk.people.billing)).status_code == 303
    assert tickets()[0].queue_id == desk.people.billing
    assert asks(desk.client(), topic="99999").status_code == 422


def test_a_hostile_subject_is_shown_as_the_text_it_is(desk: TestDesk) -> None:
    carol = desk.client()
    page = carol.get(link_of(asks(carol, subject="<script>alert(1)</script>\r\nBcc: all@example.com"))).text
    assert dangers(page) == [] and "&lt;script&gt;alert(1)&lt;/script&gt; Bcc: all@example.com" in page


def test_files_arrive_with_the_request_and_are_downloads(desk: TestDesk) -> None:
    carol = desk.client()
    names = [(BytesIO(b"<script>1</script>"), "..\\evil\u202egnp.html"), (BytesIO(b"\x89PNG\r\n\x1a\n0000"), "photo.png")]
    link = link_of(asks(carol, files=names))
    with db.read() as session:
        page, photo = session.scalars(select(Attachment).order_by(Attachment.id))
    assert page.name == "evilgnp.html" and files.store().read(page.object_key) == b"<script>1</script>"
    answer = carol.get(f"{link}/files/{page.id}?inline=1")
    assert answer.headers["Content-Disposition"].startswith("attachment") and answer.mimetype == "application/octet-stream"
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    shown = carol.get(f"{link}/files/{photo.id}?inline=1")
    assert shown.mimetype == "image/png" and not shown.headers["Content-Disposition"].startswith("attachment")


def test_wrong_files_are_named_the_text_is_kept_and_nothing_stays_on_the_disk(desk: TestDesk) -> None:
    carol = desk.client()
    too_large = BytesIO(b"0" * (desk.settings.max_upload_bytes + 1))
    for sent, words in (
        ([(too_large, "film.mp4")], "film.mp4 is too large"),
        ([(BytesIO(b"fine"), "good.txt"), (BytesIO(b""), "nothing.txt")], "nothing.txt is empty"),
        ([(BytesIO(b"x"), f"{number}.txt") for number in range(11)], "at most 10 files"),
    ):
        answer = asks(carol, files=sent)
        assert answer.status_code == 422 and words in answer.text and typed(answer.text, "subject") == REQUEST["subject"]
    assert tickets() == [] and list(files.store().keys()) == []


def test_a_signed_in_customer_writes_as_themselves(desk: TestDesk) -> None:
    carol = desk.client(account(desk.people.carol))
    page = carol.get("/requests/new").text
    assert 'name="email"' not in page
    sent = {"csrf_token": hidden(page, "csrf_token"), "form_key": "k", "subject": "Mine", "body": "Words", "email": "oleg@klient.example"}
    assert carol.post("/requests/new", data=sent).status_code == 303
    assert tickets()[0].requester_id == desk.people.carol


def test_suggestions_come_from_subject_and_text_after_three_letters(desk: TestDesk) -> None:
    with db.transaction():
        by = Actor("user", desk.people.dana)
        article = articles.create(by=by)
        articles.save_draft(article, "en", title="Correct a wrong invoice", body="Open the invoice and press Correct.", by=by)
        articles.publish(article, "en", by=by)
    carol = desk.client()
    csrf = hidden(carol.get("/requests/new").text, "csrf_token")
    asked = {"csrf_token": csrf, "subject": "wrong", "body": "my invoice shows another sum"}
    found = carol.post("/requests/suggestions", data=asked).text
    assert "/kb/en/correct-a-wrong-invoice?s=" in found and "<mark>" in found
    assert carol.post("/requests/suggestions", data={**asked, "subject": "wr", "body": ""}).text.strip() == ""


def test_a_desk_without_a_portal_inbox_says_so_and_keeps_the_text(desk: TestDesk) -> None:
    with db.transaction() as session:
        session.get_one(Inbox, desk.people.portal).active = False
    answer = asks(desk.client(), files=[(BytesIO(b"x"), "x.txt")])
    assert answer.status_code == 503 and "write us an e-mail" in answer.text and typed(answer.text, "subject") == REQUEST["subject"]
    assert tickets() == [] and list(files.store().keys()) == []
