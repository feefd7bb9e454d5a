"""How was it: opening a link answers nothing, the button does, and the last answer counts."""

from __future__ import annotations

from sqlalchemy import func, select

from helpdesk import db
from helpdesk.crm.models import Contact, Rating
from helpdesk.tickets import surveys
from helpdesk.tickets.models import Survey, Ticket
from tests import people
from tests.desks import TestDesk
from tests.integration.portal.visitors import token


def asked(desk: TestDesk) -> str:
    ticket = people.writes(desk.people.carol, inbox=desk.people.portal)
    with db.transaction() as session:
        survey = surveys.send(session.get_one(Ticket, ticket.id), session.get_one(Contact, desk.people.carol))
        return surveys.token(survey)


def ratings() -> list[Rating]:
    with db.read() as session:
        return list(session.scalars(select(Rating).where(Rating.superseded_at.is_(None))))


def test_opening_the_link_answers_nothing_even_with_a_score_in_it(desk: TestDesk) -> None:
    word, scanner = asked(desk), desk.client()
    page = scanner.get(f"/rate/{word}?score=1").text
    assert 'value="1" required checked' in page
    scanner.get(f"/rate/{word}?thanks=1")
    assert scanner.head(f"/rate/{word}?score=5").status_code == 200
    assert ratings() == []
    with db.read() as session:
        assert session.scalars(select(Survey)).one().answered_at is None


def test_the_button_answers_with_a_comment_and_can_be_pressed_again(desk: TestDesk) -> None:
    word, carol = asked(desk), desk.client()
    sent = {"csrf_token": token(carol), "score": "5", "comment": "Quick & <i>kind</i>"}
    answer = carol.post(f"/rate/{word}", data=sent)
    page = carol.get(answer.location).text
    assert "Thank you!" in page and "Quick &amp; &lt;i&gt;kind&lt;/i&gt;" in page and 'value="5" required checked' in page
    carol.post(f"/rate/{word}", data={**sent, "score": "2", "comment": ""})
    assert [(rating.score, rating.contact_id) for rating in ratings()] == [(2, desk.people.carol)]
    with db.read() as session:
        assert session.scalar(select(func.count()).select_from(Rating)) == 2
        assert session.get_one(Contact, desk.people.carol).ratings_count == 1


def test_an_answer_without_a_choice_keeps_the_comment(desk: TestDesk) -> None:
    word, carol = asked(desk), desk.client()
    for score in ("", "6", "0", "five"):
        answer = carol.post(f"/rate/{word}", data={"csrf_token": token(carol), "score": score, "comment": "Hm."})
        assert answer.status_code == 422 and "Please choose one of the five." in answer.text and "Hm." in answer.text
    assert ratings() == []


def test_an_altered_link_rates_nothing(desk: TestDesk) -> None:
    word, eve = asked(desk), desk.client()
    assert eve.get(f"/rate/{word}x").status_code == 410
    assert eve.post(f"/rate/{word}x", data={"csrf_token": token(eve), "score": "1"}).status_code == 410
    assert ratings() == []


def test_a_rating_from_another_page_is_refused(desk: TestDesk) -> None:
    word = asked(desk)
    assert desk.client().post(f"/rate/{word}", data={"score": "1"}).status_code == 400
    assert ratings() == []
