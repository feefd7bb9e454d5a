"""What a bad rating sets in motion: a call that is owed, a reason that is counted, a change whose effect is measured; and who sees it."""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy import select

from helpdesk import clock, db
from helpdesk.actor import SYSTEM, Actor
from helpdesk.crm import calling, contacts, corrections, feelings
from helpdesk.crm.care_models import CallBack, CorrectiveAction
from helpdesk.crm.models import Contact, Interaction, Rating, RatingKind
from helpdesk.crm.satisfaction import wilson
from helpdesk.crm.worth_models import CustomerValue
from helpdesk.errors import Conflict, Invalid
from helpdesk.tickets import surveys
from helpdesk.tickets.models import Survey, Ticket
from tests import people
from tests.desks import TestDesk
from tests.forms import Browser


def rated(desk: TestDesk, score: int, *, reason: str = "", contact: int = 0, agent: int | None = 0) -> int:
    """A customer rates a solved ticket; the survey's id."""
    ticket = people.writes(contact or desk.people.carol, inbox=desk.people.mail)
    with db.transaction() as session:
        row = session.get_one(Ticket, ticket.id)
        row.assignee_id = desk.people.alice if agent == 0 else agent
        who = session.get_one(Contact, contact or desk.people.carol)
        who.last_survey_at = None
        session.flush()
        survey = surveys.send(row, who)
        assert survey is not None
        surveys.answer(survey, score, reason=reason, comment="Hm.")
        return survey.id


def calls() -> list[CallBack]:
    with db.read() as session:
        return list(session.scalars(select(CallBack).order_by(CallBack.id)))


def test_a_bad_rating_owes_a_call_by_the_tickets_agent_and_a_good_one_does_not(desk: TestDesk, stopped: clock.Hand) -> None:
    rated(desk, 3)
    assert calls() == []
    rated(desk, 2, reason="slow")
    (call,) = calls()
    assert (call.contact_id, call.user_id, call.due_at) == (desk.people.carol, desk.people.alice, clock.now() + timedelta(hours=24))
    page = Browser(desk, desk.people.alice).open("/calls").text
    assert "Carol Jones" in page and "2 of 5" in page and "It took too long" in page
    assert "bad rating" in Browser(desk, desk.people.bob).open(f"/customers/{desk.people.carol}").text


@pytest.mark.parametrize(("kind", "bad", "good"), [("csat", 2, 3), ("nps", 6, 7), ("ces", 3, 4)])
def test_each_question_has_its_own_bad_answers(kind: str, bad: int, good: int) -> None:
    assert calling.is_bad(Rating(kind=RatingKind(kind), score=bad)) and not calling.is_bad(Rating(kind=RatingKind(kind), score=good))


def test_without_an_agent_the_owner_calls_and_without_both_whoever_takes_it(desk: TestDesk, stopped: clock.Hand) -> None:
    rated(desk, 1, agent=None)
    with db.transaction() as session:
        session.get_one(Contact, desk.people.oleg).owner_id = desk.people.bob
    rated(desk, 1, agent=None, contact=desk.people.oleg)
    assert [call.user_id for call in calls()] == [None, desk.people.bob]
    alice = Browser(desk, desk.people.alice)
    assert "Carol Jones" in alice.open("/calls").text and "Олег" not in alice.open("/calls").text
    alice.send(f"/calls/{calls()[0].id}/owner", user=str(desk.people.alice))
    assert calls()[0].user_id == desk.people.alice


def test_a_better_answer_drops_the_call_and_a_second_bad_one_makes_no_second_call(desk: TestDesk, stopped: clock.Hand) -> None:
    survey = rated(desk, 1)
    with db.transaction() as session:
        surveys.answer(session.get_one(Survey, survey), 2)
    (call,) = calls()
    with db.read() as session:
        assert call.done_at is None and session.get_one(Rating, call.rating_id).score == 2
    with db.transaction() as session:
        surveys.answer(session.get_one(Survey, survey), 5)
    assert [(call.outcome, call.done_at is not None) for call in calls()] == [("dropped", True)]


def test_a_call_that_was_made_says_what_came_of_it_and_stands_in_the_timeline(desk: TestDesk, stopped: clock.Hand) -> None:
    rated(desk, 1)
    path, alice = f"/calls/{calls()[0].id}/outcome", Browser(desk, desk.people.alice)
    refused = alice.send(path, outcome="made_good", note="")
    assert refused.status_code == 422 and "Write down what was said." in refused.text
    assert alice.send(path, outcome="soon", note="x").status_code == 422
    assert alice.send(path, outcome="made_good", note="Sent a new one.").status_code == 303
    assert alice.send(path, outcome="reached", note="Again.").status_code == 409
    (call,) = calls()
    assert (call.outcome, call.done_by_id, call.note) == ("made_good", desk.people.alice, "Sent a new one.")
    with db.read() as session:
        entry = session.scalars(select(Interaction).where(Interaction.kind == "call")).one()
    assert (entry.text, entry.user_id, entry.contact_id) == ("Sent a new one.", desk.people.alice, desk.people.carol)
    assert "Sent a new one." in alice.open("/calls?whose=done").text


def test_somebody_not_reached_stays_owed_a_call_tomorrow(desk: TestDesk, stopped: clock.Hand) -> None:
    rated(desk, 1)
    Browser(desk, desk.people.alice).send(f"/calls/{calls()[0].id}/outcome", outcome="not_reached", note="")
    (call,) = calls()
    assert call.done_at is None and call.due_at == clock.now() + timedelta(days=1)


def test_an_agent_takes_calls_but_gives_none_away_and_customers_see_nothing(desk: TestDesk, stopped: clock.Hand) -> None:
    rated(desk, 1)
    call = calls()[0].id
    bob = Browser(desk, desk.people.bob)
    assert bob.send(f"/calls/{call}/owner", user=str(desk.people.eve)).status_code == 404
    assert bob.send(f"/calls/{call}/owner", user=str(desk.people.bob)).status_code == 303
    dana = Browser(desk, desk.people.dana)
    assert dana.send(f"/calls/{call}/owner", user=str(desk.people.eve)).status_code == 303
    assert dana.send(f"/calls/{call}/owner", user="999999").status_code == 422
    assert calls()[0].user_id == desk.people.eve
    assert bob.open("/satisfaction").status_code == bob.open("/satisfaction/reason?reason=slow").status_code == 404
    assert bob.open("/retention").status_code == bob.open("/retention/model").status_code == 404
    assert bob.send("/satisfaction/actions", title="x").status_code == 404


def test_a_colleague_owes_a_call_for_another_reason(desk: TestDesk, stopped: clock.Hand) -> None:
    alice, path = Browser(desk, desk.people.alice), f"/customers/{desk.people.carol}/calls"
    assert alice.send(path, why="", due_at="2026-03-03T10:00").status_code == 422
    refused = alice.send(path, why="The contract ends", due_at="2026-01-03T10:00")
    assert refused.status_code == 422 and "This moment is past." in refused.text and 'value="The contract ends"' in refused.text
    assert alice.send(path, why="The contract ends", due_at="2026-03-03T10:00").status_code == 303
    assert [(call.why, call.user_id) for call in calls()] == [("The contract ends", desk.people.alice)]
    assert "The contract ends" in alice.open(f"/customers/{desk.people.carol}").text


# --- reasons and what is done about them -----------------------------------------------------------------------------------


def test_reasons_are_ranked_by_bad_ratings_and_lead_to_the_tickets(desk: TestDesk, stopped: clock.Hand) -> None:
    for score, reason in ((1, "slow"), (2, "slow"), (1, "tone"), (5, "slow"), (1, "")):
        rated(desk, score, reason=reason)
    with db.read():
        named, bad = feelings.reasons(people_principal(desk))
    assert bad == 4 and [(one.reason, one.n, one.customers) for one in named] == [("slow", 2, 1), ("", 1, 1), ("tone", 1, 1)]
    assert named[0].share == 0.5
    dana = Browser(desk, desk.people.dana)
    page = dana.open("/satisfaction").text
    assert "It took too long" in page and "4 bad ratings" in page
    behind = dana.open("/satisfaction/reason?reason=slow").text
    assert behind.count("Carol Jones") == 2 and behind.count("/tickets/") >= 2 and "Hm." in behind
    assert "No bad rating names this reason." in dana.open("/satisfaction/reason?reason=nothing").text


def people_principal(desk: TestDesk):  # type: ignore[no-untyped-def]
    return people.principal(desk.people.dana)


def test_the_effect_of_a_change_is_satisfaction_before_and_after_with_its_interval(desk: TestDesk, stopped: clock.Hand) -> None:
    with db.transaction() as session:
        action = corrections.plan(
            reason="slow", title="Two more people", owner_id=desk.people.dana, due_at=clock.now(), by=Actor("user", desk.people.dana)
        )
        assert corrections.effect(action) is None
        ratings(session, desk, [1, 2, 5, 2] * 5, "slow")
    stopped.move(days=30)
    with db.transaction() as session:
        corrections.put_in_force(session.get_one(CorrectiveAction, action.id), seen=None, by=SYSTEM)
        with pytest.raises(Conflict):
            corrections.put_in_force(session.get_one(CorrectiveAction, action.id), seen=None, by=SYSTEM)
    stopped.move(days=20)
    with db.transaction() as session:
        ratings(session, desk, [5, 4, 5, 2] * 5, "")
    stopped.move(days=15)
    with db.read() as session:
        effect = corrections.effect(session.get_one(CorrectiveAction, action.id))
    assert effect is not None
    before, after = effect.satisfied
    assert (before.share, before.n, after.share, after.n) == (0.25, 20, 0.75, 20)
    assert (after.low, after.high) == wilson(15, 20) and effect.clear
    assert (effect.naming[0].share, effect.naming[1].share) == (1.0, 0.0)
    page = Browser(desk, desk.people.dana).open("/satisfaction").text
    assert "Two more people" in page and "clear" in page


def ratings(session, desk: TestDesk, scores: list[int], reason: str) -> None:  # type: ignore[no-untyped-def]
    session.add_all(
        Rating(kind=RatingKind.CSAT, score=score, score100=25 * (score - 1), reason=reason, contact_id=desk.people.carol)
        for score in scores
    )


def test_a_change_is_planned_on_the_page_and_refused_without_its_parts(desk: TestDesk, stopped: clock.Hand) -> None:
    dana = Browser(desk, desk.people.dana)
    refused = dana.send("/satisfaction/actions", reason="slow", title="", owner=str(desk.people.dana), due_at="2026-03-20")
    assert refused.status_code == 422
    assert (
        dana.send("/satisfaction/actions", reason="slow", title="More people", owner=str(desk.people.carol + 900), due_at="").status_code
        == 422
    )
    assert (
        dana.send("/satisfaction/actions", reason="slow", title="More people", owner=str(desk.people.dana), due_at="2026-03-20").status_code
        == 303
    )
    with db.read() as session:
        action = session.scalars(select(CorrectiveAction)).one()
    assert dana.send(f"/satisfaction/actions/{action.id}", version="7", do="in_force").status_code == 409
    assert dana.send(f"/satisfaction/actions/{action.id}", version="1", do="in_force").status_code == 303
    assert dana.send(f"/satisfaction/actions/{action.id}", version="2", do="drop").status_code == 303
    with db.read() as session, pytest.raises(Invalid):
        corrections.plan(reason="", title="x", owner_id=None, due_at=None, by=SYSTEM)


def test_restless_customers_are_found_behind_any_number_of_less_healthy_ones(desk: TestDesk) -> None:
    by = Actor("user", desk.people.dana)
    with db.transaction() as session:
        made = [contacts.add(name=f"Customer {number}", by=by).id for number in range(25)]
        for number, contact_id in enumerate(made):
            fired = {"late": 2.0} if number >= 22 else {}
            session.add(CustomerValue(contact_id=contact_id, as_of=clock.now(), currency="EUR", health=10.0 + number, restless=fired))
    with db.read():
        who = people.principal(desk.people.dana)
        found = [[contact.id for contact, _row in feelings.restless(who, limit=limit)] for limit in (2, None)]
    assert found == [made[22:24], made[22:]]


def test_promoters_and_restless_customers_are_named_with_their_reasons(desk: TestDesk, stopped: clock.Hand) -> None:
    with db.transaction() as session:
        session.add(Rating(kind=RatingKind.NPS, score=10, score100=100, contact_id=desk.people.carol, comment="Love it."))
        session.add(Rating(kind=RatingKind.NPS, score=8, score100=80, contact_id=desk.people.oleg))
        session.add(
            CustomerValue(
                contact_id=desk.people.oleg, as_of=clock.now(), currency="EUR", health=31.0, restless={"late": 3.4, "promises": 1}
            )
        )
    page = Browser(desk, desk.people.dana).open("/satisfaction").text
    assert "Love it." in page and "3.4 times the usual gap" in page and "promises of ours that are past: 1" in page


def test_a_customers_page_shows_the_score_month_by_month(desk: TestDesk, stopped: clock.Hand) -> None:
    with db.transaction() as session:
        for days, score in ((200, 2), (100, 4), (3, 5)):
            session.add(
                Rating(
                    kind=RatingKind.CSAT,
                    score=score,
                    score100=25 * (score - 1),
                    contact_id=desk.people.carol,
                    at=clock.now() - timedelta(days=days),
                )
            )
    page = Browser(desk, desk.people.alice).open(f"/customers/{desk.people.carol}").text
    assert 'class="spark ' in page and "Satisfaction over the last months" in page
