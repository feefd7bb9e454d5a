"""How many agents the next hour needs: the inputs as they were recorded, the formula's answer, honest where nothing can be said."""

from __future__ import annotations

from datetime import timedelta

from helpdesk import clock, db
from helpdesk.actor import Actor
from helpdesk.agents import concurrency, staffing
from helpdesk.agents.leading import need
from helpdesk.agents.models import AgentProfile, Assignment, ItemState, Signature, WorkItem
from helpdesk.preferences import prefer
from helpdesk.tickets import lifecycle
from helpdesk.tickets.models import Queue, Status, Ticket
from tests import people
from tests.desks import TestDesk
from tests.forms import Browser


def recorded(
    desk: TestDesk,
    weeks_back: int,
    n: int,
    *,
    handled_s: float | None = 1200.0,
    channel: str = "ticket",
    waited_s: float = 0.0,
    apart_s: float = 60.0,
) -> None:
    """So many pieces of work that came in the coming hour's place so many weeks ago."""
    company = desk.people
    for number in range(n):
        ticket = people.writes(company.carol, inbox=company.mail)
        with db.transaction() as session:
            at = clock.now().replace(minute=0) + timedelta(hours=1, seconds=apart_s * number) - timedelta(weeks=weeks_back)
            signature = Signature(shape=f"{weeks_back} {number} {channel} {handled_s}", channel=channel, queue_id=company.support)
            session.add(signature)
            session.flush()
            item = WorkItem(
                ticket_id=ticket.id, channel=channel, queue_id=company.support, signature_id=signature.id, vkey=0, enqueued_at=at,
                state=ItemState.DONE,
            )  # fmt: skip
            session.add(item)
            session.flush()
            if handled_s is not None:
                begins = at + timedelta(seconds=waited_s)
                ends = begins + timedelta(seconds=handled_s)
                session.add(
                    Assignment(item_id=item.id, ticket_id=ticket.id, user_id=company.bob, started_at=begins, ended_at=ends, how="offer")
                )


def one_at_a_time(desk: TestDesk) -> None:
    """Everybody of Support has room for one ticket, and for one chat or call."""
    with db.transaction() as session:
        for user in (desk.people.alice, desk.people.bob):
            profile = session.get_one(AgentProfile, user)
            profile.capacity = profile.live_capacity = 1


def needed(desk: TestDesk, queue: int, share: float = 0.8, within_s: float = 300.0, channel: str = "ticket") -> need.Need:
    with desk.app.test_request_context(), db.read() as session:
        begins = clock.now().replace(minute=0, second=0, microsecond=0) + need.HOUR
        return need.need_of(session.get_one(Queue, queue), channel, begins, share, within_s)


def test_the_answer_is_the_formula_of_what_was_recorded(desk: TestDesk, stopped: clock.Hand) -> None:
    one_at_a_time(desk)
    recorded(desk, 1, 9)
    recorded(desk, 2, 3)
    found = needed(desk, desk.people.support)
    assert found.inputs.most == 1
    assert found.inputs.arrivals[:2] == (9, 3) and len(found.inputs.arrivals) == 2  # before that the desk was not there
    assert (found.inputs.aht_s, found.inputs.handled, found.inputs.patience_s) == (1200.0, 12, None)
    assert found.agents == staffing.agents_needed(6 / 3600, 1200.0, 0.8, 300.0)
    assert any(row.agents == found.agents and row.service_level >= 0.8 for row in found.rows)
    assert all(row.service_level < 0.8 for row in found.rows if row.agents < (found.agents or 0))


def test_with_customers_who_gave_up_the_formula_with_patience_is_used(desk: TestDesk, stopped: clock.Hand) -> None:
    one_at_a_time(desk)
    recorded(desk, 1, 12, channel="chat", waited_s=60.0, handled_s=600.0)
    recorded(desk, 2, 4, channel="chat", handled_s=None)
    found = needed(desk, desk.people.support, channel="chat")
    assert found.inputs.left == 4 and found.inputs.patience_s == 12 * 60 / 4
    assert found.agents == staffing.agents_needed(8 / 3600, 600.0, 0.8, 300.0, 180.0)


def test_agents_with_several_at_once_need_fewer_colleagues_but_no_more_gets_done_than_was_seen(desk: TestDesk, stopped: clock.Hand) -> None:
    recorded(desk, 1, 30, handled_s=600.0, apart_s=60.0)  # ten in hand at a time: each takes its ten minutes all the same
    company = desk.people
    with db.transaction() as session:
        for user, room in ((company.alice, 3), (company.bob, 5)):
            session.get_one(AgentProfile, user).capacity = room
    found = needed(desk, company.support)
    assert found.inputs.most == 4 and found.inputs.measured is not None
    assert found.agents == concurrency.agents_needed(30 / 3600, found.inputs.measured.pace, 0.8, 300.0)
    one_at_a_time(desk)
    alone = needed(desk, company.support)
    assert (found.agents or 0) < (alone.agents or 0)
    with db.transaction() as session:
        session.get_one(AgentProfile, company.bob).channel_caps = {"ticket": 1}
        session.get_one(AgentProfile, company.bob).capacity = 8
        session.get_one(AgentProfile, company.alice).weights, session.get_one(AgentProfile, company.alice).capacity = {"ticket": 4}, 12
    assert needed(desk, company.support).inputs.most == 2, "three by weight and one by limit"


def test_calls_are_one_at_a_time_unless_the_desk_says_otherwise(desk: TestDesk, stopped: clock.Hand) -> None:
    recorded(desk, 1, 5, channel="phone", handled_s=300.0)
    assert needed(desk, desk.people.support, channel="phone").inputs.most == 1
    with db.transaction():
        prefer(interrupts={"phone": ["phone"]})
    assert needed(desk, desk.people.support, channel="phone").inputs.most == 3


def test_time_in_which_a_ticket_rests_is_not_in_hand(desk: TestDesk, stopped: clock.Hand) -> None:
    company = desk.people
    people.arrives(company.bob)
    tickets = [people.writes(company.carol, inbox=company.mail) for _ in range(3)]
    desk.work()
    for ticket in tickets:
        for minutes, status in ((10, Status.PENDING), (60, Status.OPEN), (5, Status.SOLVED)):
            stopped.move(minutes=minutes)
            with db.transaction() as session:
                lifecycle.set_status(session.get_one(Ticket, ticket.id), status, by=Actor("user", company.bob))
            desk.work()
    seen = needed(desk, company.support).inputs
    assert seen.handled == 3 and seen.measured is not None
    assert seen.aht_s == (15 + (75 + 15) + (150 + 15)) * 60 / 3


def test_each_channel_of_a_queue_has_an_answer_of_its_own(desk: TestDesk, stopped: clock.Hand) -> None:
    recorded(desk, 1, 9)
    recorded(desk, 1, 6, channel="chat", handled_s=300.0)
    recorded(desk, 1, 4, channel="phone", handled_s=120.0)
    page = Browser(desk, desk.people.dana).open("/staffing").text
    assert [page.count(f"<h3>{words}: ") for words in ("Tickets", "Chats", "Calls")] == [1, 1, 1]
    assert "An agent has one piece of this work at a time." in page and "An agent has up to 6 pieces at once" in page
    assert "Assumed, because with no number in hand enough pieces were finished" in page and "Each in hand" in page


def test_what_was_measured_stands_on_the_page(desk: TestDesk, stopped: clock.Hand) -> None:
    recorded(desk, 1, 25, handled_s=100.0, apart_s=120.0)
    page = Browser(desk, desk.people.dana).open("/staffing").text
    assert "1 in hand: 1:40 (25 finished)." in page and "Assumed for the rest" in page and "Tezcan and Zhang" in page


def test_from_nothing_or_too_little_nothing_is_said(desk: TestDesk, stopped: clock.Hand) -> None:
    assert needed(desk, desk.people.billing).agents is None
    recorded(desk, 1, 2)
    assert needed(desk, desk.people.support).agents is None and needed(desk, desk.people.support).inputs.handled == 2


def test_the_page_says_answer_inputs_and_formula_and_takes_another_target(desk: TestDesk, stopped: clock.Hand) -> None:
    recorded(desk, 1, 9)
    dana = Browser(desk, desk.people.dana)
    page = dana.open("/staffing").text
    assert "Arrivals in this hour of this weekday" in page and "from 9 pieces of work" in page and "data-chart" in page
    assert "cannot be said yet" in page  # Billing
    stricter = dana.open("/staffing?share=0.95&within=1").text
    assert "95% are taken up within 1:00" in stricter
    for nonsense in ("share=x&within=-1", "share=9&within=999999999", "within=0"):
        assert dana.open(f"/staffing?{nonsense}").status_code == 200
    russian = dana.open("/staffing?lang=ru").text
    assert "Сколько нужно сотрудников?" in russian and "Handling time" not in russian


def test_the_page_is_for_those_who_lead(desk: TestDesk) -> None:
    assert (
        Browser(desk, desk.people.alice).open("/staffing").status_code
        == Browser(desk, desk.people.eve).open("/staffing").status_code
        == 404
    )


def test_metrics_count_offers_decisions_and_what_is_held_out(desk: TestDesk) -> None:
    people.arrives(desk.people.eve)
    people.writes(desk.people.carol, inbox=desk.people.billing_mail)
    desk.work()
    text = desk.client().get("/metrics").text
    for line in (
        'helpdesk_offers_total{outcome="made"}', 'helpdesk_decision_seconds_count{side="item"}', 'helpdesk_decision_seconds_bucket{le="0.0',
        'helpdesk_open_offers{queue="Billing"} 1.0', 'helpdesk_open_offers{queue="Support"} 0.0', "helpdesk_stranded_total 0.0",
    ):  # fmt: skip
        assert line in text, line
