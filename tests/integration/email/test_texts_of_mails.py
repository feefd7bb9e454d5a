"""The words of automatic mails: an administrator's own, per language; placeholders from a dictionary, never a template language."""

from __future__ import annotations

import re
from datetime import timedelta

import pytest
from flask.testing import FlaskClient

from helpdesk import clock, db
from helpdesk.actor import SYSTEM, Actor
from helpdesk.channels.email import texts
from helpdesk.channels.email.models import TextKind
from helpdesk.crm import asking
from helpdesk.crm.asking import Shape
from helpdesk.crm.models import Contact
from helpdesk.tickets import lifecycle, surveys
from helpdesk.tickets.models import Status, Ticket
from tests import people
from tests.desks import TestDesk
from tests.integration.email.conftest import MailDoor, Sink, both_engines, letter, opened_by_mail, outbox, replies

PATH = "/admin/mail/texts/receipt/en"


@pytest.fixture
def ada(desk: TestDesk) -> FlaskClient:
    return desk.client(desk.people.ada)


def send(client: FlaskClient, path: str, **fields: str):  # type: ignore[no-untyped-def]
    token = re.search(r'name="csrf-token" content="([^"]+)"', client.get("/me").text)
    assert token is not None
    return client.post(path, data={"csrf_token": token[1], **fields})


def write(kind: TextKind, language: str, subject: str, body: str) -> None:
    with db.transaction():
        texts.save(kind, language, texts.Draft(subject, body), by=SYSTEM)


@both_engines
def test_a_receipt_says_what_the_administrator_wrote_in_its_language_only(desk: TestDesk, door: MailDoor, sink: Sink) -> None:
    write(TextKind.RECEIPT, "en", "Got it, {{ ticket.number }}", "Hi <b>,\n\nlook: {{ link }}\n\n{{ company }}")
    ticket = opened_by_mail(desk, door)
    opened_by_mail(desk, door, letter("Где мой заказ?", subject="Заказ", sender="oleg@klient.example"))
    english, russian = outbox("receipt")
    assert english.subject == f"Got it, {ticket.number}" and english.body_text.startswith("Hi <b>,\n\nlook: http")
    assert "Hi &lt;b&gt;," in english.body_html and '<a href="http' in english.body_html
    assert "Мы получили" in russian.subject


def test_a_survey_keeps_the_answers_to_click(desk: TestDesk, door: MailDoor, sink: Sink, stopped: clock.Hand) -> None:
    write(TextKind.SURVEY, "en", "Well?", "{{ question }} {{ link }}")
    replies(desk, opened_by_mail(desk, door), then=Status.SOLVED)
    stopped.move(hours=2)
    desk.work()
    (row,) = outbox("survey")
    assert row.subject == "Well?" and "?score=5" in row.body_html and "/rate/" in row.body_text


def test_each_survey_says_what_was_written_for_it_also_when_it_asks_again_or_about_us_as_a_whole(
    desk: TestDesk, stopped: clock.Hand
) -> None:
    for kind in texts.SURVEYS:
        write(kind, "en", f"{kind}?", "{{ question }} {{ link }} {{ company }}")
    with db.transaction() as session:
        asking.add(Shape("After", delay_min=0, remind_days=3, questions=[("csat", "", "")]), by=SYSTEM)
        asking.add(Shape("Whole", occasion="periodic", remind_days=3, questions=[("nps", "", "")], every_days=90), by=SYSTEM)
        carol = session.get_one(Contact, desk.people.carol)
        carol.created_at = carol.last_at = clock.now() - timedelta(days=31)
    ask_round(desk)
    stopped.move(days=3)
    ask_round(desk)
    stopped.move(days=60)
    ticket = people.writes(desk.people.carol, inbox=desk.people.mail)
    with db.transaction() as session:
        lifecycle.solve(session.get_one(Ticket, ticket.id), by=Actor("user", desk.people.alice))
    desk.work()
    stopped.move(days=3)
    ask_round(desk)
    mails = [row for row in outbox("survey") if row.recipient == "carol@customer.example"]
    assert [row.subject for row in mails] == ["relation?", "relation_again?", "survey?", "survey_again?"]
    assert "How likely" in mails[1].body_text and "?score=10" in mails[1].body_html and "/rate/" in mails[3].body_text
    assert all("ask again" not in row.body_text for row in mails)


def ask_round(desk: TestDesk) -> None:
    with desk.app.app_context(), db.transaction():
        surveys.round_of_questions()
    desk.work()


@pytest.mark.parametrize(("kind", "language"), [(kind, language) for kind in TextKind for language in texts.LANGUAGES])
def test_the_desk_s_own_words_are_a_sound_text_to_begin_from(desk: TestDesk, kind: TextKind, language: str) -> None:
    with desk.app.test_request_context(), db.read():
        draft = texts.default(kind, language)
        assert texts.checked(kind, draft) == draft and ("Здравствуйте" in draft.body) is (language == "ru")


def test_the_screen_shows_saves_previews_and_resets(ada: FlaskClient) -> None:
    assert "The desk&#39;s" in ada.get("/admin/mail/texts").text or "The desk's" in ada.get("/admin/mail/texts").text
    assert "We have received your request [#{{ ticket.number }}]" in ada.get(PATH).text
    shown = send(ada, PATH, subject="S {{ ticket.number }}", body="<script>alert(1)</script> {{ link }}", preview="1").text
    assert "S 1001" in shown and "<script>alert" not in shown
    assert "We have received your request" in ada.get(PATH).text, "a preview keeps nothing"
    assert send(ada, PATH, subject="S {{ ticket.number }}", body="Mine").status_code == 303
    assert "Mine" in ada.get(PATH).text and "Your own" in ada.get("/admin/mail/texts").text
    assert send(ada, PATH + "/reset").status_code == 303
    assert "We have received your request" in ada.get(PATH).text


@pytest.mark.parametrize(
    ("subject", "body", "words"),
    [
        ("{{ ticket.number }}", "{{ customer.name }}", "There is no placeholder {{ customer.name }}"),
        ("{{ ticket.number }}", "{{ 7*7 }}", "There is no placeholder {{ 7*7 }}"),
        ("{{ ticket.number }}", "{% for x in y %}", "A placeholder is not complete"),
        ("Hello", "No number", "Without {{ ticket.number }} this mail would be of no use"),
        ("", "x", "Please fill this in."),
    ],
)
def test_what_is_wrong_with_a_text_is_said_and_nothing_is_kept(ada: FlaskClient, subject: str, body: str, words: str) -> None:
    answer = send(ada, PATH, subject=subject, body=body)
    assert answer.status_code == 422 and words in answer.text.replace("&#39;", "'")
    assert "We have received your request" in ada.get(PATH).text


def test_supervisors_may_not_and_what_is_no_such_text_is_not_found(desk: TestDesk, ada: FlaskClient) -> None:
    dana = desk.client(desk.people.dana)
    assert (
        dana.get("/admin/mail/texts").status_code
        == dana.get(PATH).status_code
        == send(dana, PATH, subject="x", body="y").status_code
        == 404
    )
    for path in (
        "/admin/mail/texts/reply/en",
        "/admin/mail/texts/claim/en",
        "/admin/mail/texts/receipt/de",
        "/admin/mail/texts/sign_in/en",
    ):
        assert ada.get(path).status_code == 404
