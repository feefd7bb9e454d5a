"""Surveys as the desk writes them: what is asked of whom and when, reminded once, never twice in the quiet time, kept with everything it
belongs to."""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy import func, select

from helpdesk import clock, db
from helpdesk.actor import SYSTEM, Actor
from helpdesk.auth import Role
from helpdesk.channels.email.models import Outgoing
from helpdesk.crm import asking
from helpdesk.crm.asking import Shape
from helpdesk.crm.care_models import SurveyDefinition
from helpdesk.crm.models import Contact, Identity, Rating
from helpdesk.errors import Invalid
from helpdesk.preferences import prefer
from helpdesk.tickets import lifecycle, surveys
from helpdesk.tickets.models import Survey, Ticket
from tests import people
from tests.desks import TestDesk
from tests.forms import Browser

NPS = Shape("Relationship", occasion="periodic", questions=[("nps", "", "")], every_days=90)


def written(shape: Shape) -> int:
    with db.transaction():
        return asking.add(shape, by=SYSTEM).id


def solved(desk: TestDesk, contact: int = 0, inbox: int = 0) -> Ticket:
    ticket = people.writes(contact or desk.people.carol, inbox=inbox or desk.people.mail)
    with db.transaction() as session:
        row = session.get_one(Ticket, ticket.id)
        row.assignee_id = desk.people.alice
        lifecycle.solve(row, by=Actor("user", desk.people.alice))
    return ticket


def sent() -> list[Survey]:
    with db.read() as session:
        return list(session.scalars(select(Survey).order_by(Survey.id)))


def mails() -> list[Outgoing]:
    with db.read() as session:
        return list(session.scalars(select(Outgoing).where(Outgoing.kind == "survey").order_by(Outgoing.id)))


def link(survey: Survey) -> str:
    return f"/rate/{surveys.token(survey)}"


def round_(desk: TestDesk) -> tuple[int, int]:
    with desk.app.app_context(), db.transaction():
        return surveys.round_of_questions()


def known_since_now(desk: TestDesk) -> None:
    """The customers were made by the real clock; the stopped one is behind it."""
    with db.transaction() as session:
        for contact_id in (desk.people.carol, desk.people.oleg):
            contact = session.get_one(Contact, contact_id)
            contact.created_at = contact.last_at = clock.now()


def test_a_queue_has_its_own_survey_after_its_own_delay_and_others_the_usual_one(desk: TestDesk, stopped: clock.Hand) -> None:
    own = written(
        Shape("Billing", queue_id=desk.people.billing, delay_min=5, questions=[("ces", "Was it easy?", "Было легко?"), ("csat", "", "")])
    )
    solved(desk, desk.people.oleg, desk.people.billing_mail)
    solved(desk)
    desk.work()
    stopped.move(minutes=6)
    desk.work()
    assert [(one.definition_id, one.kind) for one in sent()] == [(own, "ces")]
    stopped.move(minutes=55)
    desk.work()
    assert [(one.definition_id, one.kind) for one in sent()] == [(own, "ces"), (None, "csat")]
    first, second = mails()
    assert "Было легко?" in first.body_text and "score=7" in first.body_html and "How satisfied are you" in second.body_text


def test_each_question_becomes_a_rating_that_belongs_to_ticket_agent_queue_channel_and_contact(desk: TestDesk, stopped: clock.Hand) -> None:
    written(Shape("All", delay_min=0, questions=[("csat", "Well?", "Ну как?"), ("nps", "", ""), ("ces", "", "")]))
    ticket = solved(desk)
    desk.work()
    carol = Browser(desk)
    page = carol.open(link(sent()[0])).text
    assert "Well?" in page and "How likely are you to recommend us" in page and "1: Very hard" in page
    answer = carol.send(link(sent()[0]), score="2", **{"score-nps": "9", "reason": "slow", "comment": "Three days!"})
    assert answer.status_code == 303
    with db.read() as session:
        rows = {row.kind: row for row in session.scalars(select(Rating))}
    assert {kind: row.score for kind, row in rows.items()} == {"csat": 2, "nps": 9}  # ease was left out, and may be
    for row in rows.values():
        assert (row.ticket_id, row.user_id, row.queue_id, row.channel) == (ticket.id, desk.people.alice, desk.people.support, "email")
        assert (row.contact_id, row.reason) == (desk.people.carol, "slow")
    assert (rows["csat"].comment, rows["nps"].comment) == ("Three days!", "")


def test_answering_again_replaces_each_answer_and_a_question_left_out_stays(desk: TestDesk, stopped: clock.Hand) -> None:
    written(Shape("Two", delay_min=0, questions=[("nps", "", ""), ("csat", "", "")]))
    solved(desk)
    desk.work()
    carol, path = Browser(desk), link(sent()[0])
    carol.send(path, score="3", **{"score-csat": "4"})
    carol.send(path, score="10")
    with db.read() as session:
        valid = {row.kind: row.score for row in session.scalars(select(Rating).where(Rating.superseded_at.is_(None)))}
        assert valid == {"nps": 10, "csat": 4} and session.scalar(select(func.count()).select_from(Rating)) == 3


def test_a_number_off_the_scale_and_a_reason_nobody_offers_are_not_kept(desk: TestDesk, stopped: clock.Hand) -> None:
    written(Shape("Ease", delay_min=0, questions=[("ces", "", "")], reasons=[("Wrong parts", "Не те детали")]))
    solved(desk)
    desk.work()
    carol, path = Browser(desk), link(sent()[0])
    for score in ("0", "8", "", "x"):
        refused = carol.send(path, score=score, comment="Hm.")
        assert refused.status_code == 422 and "Please choose a number." in refused.text and "Hm." in refused.text
    carol.send(path, score="1", reason="slow")
    carol.send(path, score="1", reason="wrong-parts")
    with db.read() as session:
        assert list(session.scalars(select(Rating.reason).order_by(Rating.id))) == ["", "wrong-parts"]


def test_nobody_is_asked_twice_in_the_quiet_time_whichever_survey_it_is(desk: TestDesk, stopped: clock.Hand) -> None:
    with db.transaction():
        prefer(survey_delay_s=0, survey_quiet_days=14)
    solved(desk)
    solved(desk)
    desk.work()
    assert len(sent()) == 1
    known_since_now(desk)
    written(NPS)
    stopped.move(days=31)
    with db.transaction() as session:
        session.get_one(Contact, desk.people.carol).last_survey_at = clock.now() - timedelta(days=13)
    assert round_(desk) == (0, 1)  # Oleg alone
    stopped.move(days=1)
    assert round_(desk) == (0, 1)  # Carol's quiet time is over
    assert round_(desk) == (0, 0)


def test_two_tickets_solved_together_ask_once_even_when_both_looked_before_either_wrote(desk: TestDesk, stopped: clock.Hand) -> None:
    first, second = solved(desk), solved(desk)
    with db.transaction() as session:
        contact = session.get_one(Contact, desk.people.carol)
        assert surveys.may_ask(contact)
        assert surveys.send(session.get_one(Ticket, first.id), contact) is not None
        contact.last_survey_at = None  # as the other process still sees it
        session.expunge(contact)
        assert surveys.send(session.get_one(Ticket, second.id), session.get_one(Contact, desk.people.carol)) is None


def test_the_relationship_survey_asks_by_day_again_after_its_time_and_belongs_to_no_ticket(desk: TestDesk, stopped: clock.Hand) -> None:
    written(NPS)
    known_since_now(desk)
    assert round_(desk) == (0, 0)  # known for too short a time
    stopped.move(days=31)
    stopped.move(hours=12)
    assert round_(desk) == (0, 0)  # at ten in the evening
    stopped.move(hours=12)
    assert round_(desk) == (0, 2)
    desk.work()
    assert {mail.recipient for mail in mails()} == {"carol@customer.example", "oleg@klient.example"} and len(mails()) == 2
    survey = next(one for one in sent() if one.contact_id == desk.people.carol)
    carol = Browser(desk)
    assert "0: Not at all" in carol.open(link(survey)).text
    carol.send(link(survey), score="6", comment="So far.")
    with db.read() as session:
        rating = session.scalars(select(Rating)).one()
        assert (rating.kind, rating.score, rating.ticket_id) == ("nps", 6, None)
    carol.send(link(survey), score="9")
    with db.read() as session:
        assert list(session.scalars(select(Rating.score).where(Rating.superseded_at.is_(None)))) == [9]
    stopped.move(days=89)
    assert round_(desk) == (0, 0)
    stopped.move(days=2)
    assert round_(desk) == (0, 2)


@pytest.mark.parametrize("why", ["said no", "erased", "address fails", "gone for long"])
def test_who_may_not_or_cannot_be_asked_is_not(desk: TestDesk, stopped: clock.Hand, why: str) -> None:
    written(NPS)
    known_since_now(desk)
    stopped.move(days=400 if why == "gone for long" else 31)
    with db.transaction() as session:
        for contact in (session.get_one(Contact, desk.people.carol), session.get_one(Contact, desk.people.oleg)):
            if why == "said no":
                contact.survey_allowed = False
            elif why == "erased":
                contact.erased_at = clock.now()
        if why == "address fails":
            for identity in session.scalars(select(Identity)):
                identity.failing_since = clock.now()
    assert round_(desk) == (0, 0)


def test_who_did_not_answer_is_reminded_once_and_who_answered_or_came_back_is_not(desk: TestDesk, stopped: clock.Hand) -> None:
    written(Shape("Reminding", delay_min=0, remind_days=3, questions=[("csat", "", "")]))
    solved(desk)
    answered = solved(desk, desk.people.oleg)
    desk.work()
    with db.transaction() as session:
        surveys.answer(session.scalars(select(Survey).where(Survey.ticket_id == answered.id)).one(), 5)
    stopped.move(days=2)
    assert round_(desk) == (0, 0)
    stopped.move(days=1)
    assert round_(desk) == (1, 0)
    assert round_(desk) == (0, 0)
    desk.work()
    asked, reminder = [mail for mail in mails() if mail.recipient.startswith("carol")]
    assert "only time that we ask again" in reminder.body_text and "only time" not in asked.body_text


def test_a_reopened_ticket_brings_no_reminder(desk: TestDesk, stopped: clock.Hand) -> None:
    written(Shape("Reminding", delay_min=0, remind_days=1, questions=[("csat", "", "")]))
    ticket = solved(desk)
    desk.work()
    people.answers(ticket, desk.people.carol)
    stopped.move(days=2)
    assert round_(desk) == (0, 0)


def test_the_link_of_an_erased_person_opens_nothing(desk: TestDesk, stopped: clock.Hand) -> None:
    written(Shape("Any", delay_min=0, questions=[("csat", "", "")]))
    solved(desk)
    desk.work()
    with db.transaction() as session:
        session.get_one(Contact, desk.people.carol).erased_at = clock.now()
    assert Browser(desk).open(link(sent()[0])).status_code == 410


def test_a_customer_who_signs_in_finds_what_we_asked(desk: TestDesk, stopped: clock.Hand) -> None:
    with db.transaction():
        carla = people.person("Carla", Role.CUSTOMER, contact_id=desk.people.carol).id
        olga = people.person("Olga", Role.CUSTOMER, contact_id=desk.people.oleg).id
    written(Shape("Any", delay_min=0, questions=[("csat", "All well?", "")]))
    solved(desk)
    desk.work()
    mine = Browser(desk, carla)
    assert "1 question for you" in mine.open("/my").text
    page = mine.open("/my/questions").text
    assert "All well?" in page and link(sent()[0]) in page
    assert "Nothing to answer" in Browser(desk, olga).open("/my/questions").text
    assert Browser(desk, desk.people.alice).open("/my/questions").status_code == 404
    mine.send(link(sent()[0]), score="5")
    assert "Nothing to answer" in mine.open("/my/questions").text


# --- written by administrators -------------------------------------------------------------------------------------------


def test_an_administrator_writes_a_survey_with_words_and_reasons_in_both_languages(desk: TestDesk) -> None:
    ada = Browser(desk, desk.people.ada)
    assert "Only the usual survey" in ada.open("/admin/surveys").text
    saved = ada.save(
        "/admin/surveys/new", to="/admin/surveys", name="After billing", queue=str(desk.people.billing), ask=["csat", "nps"], leading="nps",
        **{"nps-en": "Would you tell a friend?", "nps-ru": "Посоветуете?", "reasons": "Wrong sum | Не та сумма\nToo late"},
    )  # fmt: skip
    assert saved.status_code == 303
    with db.read() as session:
        made = session.scalars(select(SurveyDefinition)).one()
    assert [row["kind"] for row in made.questions] == ["nps", "csat"] and made.queue_id == desk.people.billing
    assert made.reasons == [
        {"key": "wrong-sum", "en": "Wrong sum", "ru": "Не та сумма"},
        {"key": "too-late", "en": "Too late", "ru": "Too late"},
    ]
    page = f"/admin/surveys/{made.id}"
    assert ada.save(page, active=None).status_code == 303
    stale = ada.send(page, page=page, name="Mine", version=str(made.version))
    assert stale.status_code in (409, 422)
    with db.read() as session:
        assert asking.for_queue(desk.people.billing) is None and not session.scalars(select(SurveyDefinition)).one().active


@pytest.mark.parametrize(
    ("shape", "field"),
    [
        (Shape("", questions=[("csat", "", "")]), "name"),
        (Shape("x"), "questions"),
        (Shape("x", questions=[("csat", "", ""), ("csat", "", "")]), "questions"),
        (Shape("x", questions=[("mood", "", "")]), "questions"),
        (Shape("x", questions=[("csat", "w" * 201, "")]), "questions"),
        (Shape("x", questions=[("csat", "", "")], occasion="often"), "occasion"),
        (Shape("x", questions=[("csat", "", "")], every_days=1), "every_days"),
        (Shape("x", questions=[("csat", "", "")], remind_days=31), "remind_days"),
        (Shape("x", questions=[("csat", "", "")], delay_min=-1), "delay_min"),
        (Shape("x", questions=[("csat", "", "")], reasons=[("Slow", ""), ("slow", "")]), "reasons"),
        (Shape("x", questions=[("csat", "", "")], reasons=[("", "Медленно")]), "reasons"),
    ],
)
def test_a_survey_that_makes_no_sense_is_refused_by_its_field(desk: TestDesk, shape: Shape, field: str) -> None:
    with pytest.raises(Invalid) as refused, db.transaction():
        asking.add(shape, by=SYSTEM)
    assert set(refused.value.fields) == {field}
