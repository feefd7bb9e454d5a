"""The customer in line: place and expected wait by link and by account, honest when unknown, and "contact me instead"."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from sqlalchemy import select

from helpdesk import clock, db, live
from helpdesk.actor import Actor
from helpdesk.agents import assignments, offers, place, wishes
from helpdesk.agents.leading.models import ContactWish
from helpdesk.agents.models import Offer, Presence, WorkItem
from helpdesk.agents.place import Stage
from helpdesk.auth import ANONYMOUS, User
from helpdesk.errors import Conflict
from helpdesk.tickets import lifecycle, linking
from helpdesk.tickets.models import Priority, Ticket
from tests import people
from tests.desks import TestDesk
from tests.forms import Browser
from tests.integration.portal.visitors import link_to


@pytest.fixture(autouse=True)
def stopped_clock(stopped: clock.Hand) -> Iterator[None]:
    yield


def asks(desk: TestDesk, **values: object) -> Ticket:
    ticket = people.writes(desk.people.carol, inbox=desk.people.mail, **values)  # type: ignore[arg-type]
    desk.work()
    return ticket


def place_of(ticket: Ticket) -> place.Place:
    with db.read() as session:
        return place.place_of(session.get_one(Ticket, ticket.id))


def taken_up(desk: TestDesk, stopped: clock.Hand, times: int, every: int) -> None:
    """So many earlier requests, taken up one every so many minutes while they waited."""
    waiting = [asks(desk) for _ in range(times)]
    for ticket in waiting:
        stopped.move(minutes=every)
        with db.transaction() as session:
            bob = session.get_one(User, desk.people.bob)
            assignments.assign(session.get_one(Ticket, ticket.id), bob, how="manual", by=Actor("user", bob.id))
        desk.work()


def at_work(desk: TestDesk) -> None:
    """Bob is here, without room."""
    with db.transaction() as session:
        session.get_one(people.AgentProfile, desk.people.bob).capacity = 0
    people.arrives(desk.people.bob)


# --- the place -------------------------------------------------------------------------------------------------------------


def test_the_place_counts_those_who_come_first_and_moves_when_they_are_taken(desk: TestDesk, stopped: clock.Hand) -> None:
    first, second = asks(desk), asks(desk)
    stopped.move(seconds=1)
    mine = asks(desk)
    urgent = asks(desk, priority=Priority.URGENT)
    assert [place_of(ticket).ahead for ticket in (urgent, first, second, mine)] == [0, 1, 2, 3]
    with db.transaction() as session:
        lifecycle.solve(session.get_one(Ticket, urgent.id), by=Actor("user", desk.people.bob))
    desk.work()
    assert place_of(mine).ahead == 2 and place_of(mine).number == 3
    page = desk.client().get(link_to(mine, desk.people.carol)).text
    assert "2 requests come before yours." in page


def test_others_queues_do_not_count(desk: TestDesk) -> None:
    people.writes(desk.people.carol, inbox=desk.people.billing_mail)
    mine = asks(desk)
    assert place_of(mine).ahead == 0
    assert "You are next." in desk.client().get(link_to(mine, desk.people.carol)).text


def test_while_it_is_offered_and_once_it_is_taken_the_page_says_so(desk: TestDesk) -> None:
    people.arrives(desk.people.eve)
    ticket = people.writes(desk.people.carol, inbox=desk.people.billing_mail)
    desk.work()
    url = link_to(ticket, desk.people.carol)
    assert place_of(ticket).stage is Stage.OFFERED and "an agent is being asked right now" in desk.client().get(url).text
    with db.transaction() as session:
        offers.accept(session.scalars(select(Offer)).one(), by=Actor("user", desk.people.eve))
    page = desk.client().get(url).text
    assert place_of(ticket).stage is Stage.TAKEN and "You are next" not in page and "Contact me instead" not in page


# --- the expected wait -----------------------------------------------------------------------------------------------------


def test_the_wait_is_the_pace_times_the_place_and_says_what_it_rests_on(desk: TestDesk, stopped: clock.Hand) -> None:
    taken_up(desk, stopped, 5, every=4)
    at_work(desk)
    asks(desk)
    mine = asks(desk)
    assert place_of(mine).wait_s == 2 * 240 and place_of(mine).rests_on == 5
    page = desk.client().get(link_to(mine, desk.people.carol)).text
    assert "Expected wait: about 8 minutes." in page and "the last 5 requests that were taken up: about 4 minutes for each" in page
    russian = desk.client().get(link_to(mine, desk.people.carol) + "?lang=ru").text
    assert "примерно 8 минут" in russian and "Expected wait" not in russian


def test_from_too_few_the_wait_is_not_guessed(desk: TestDesk, stopped: clock.Hand) -> None:
    taken_up(desk, stopped, 2, every=4)
    at_work(desk)
    mine = asks(desk)
    assert place_of(mine).wait_s is None
    assert "We cannot say yet how long it will take" in desk.client().get(link_to(mine, desk.people.carol)).text


def test_when_nobody_is_there_no_wait_is_promised(desk: TestDesk, stopped: clock.Hand) -> None:
    taken_up(desk, stopped, 6, every=4)
    mine = asks(desk)
    assert not place_of(mine).anybody and place_of(mine).wait_s is None
    at_work(desk)
    assert place_of(mine).anybody
    with db.transaction() as session:
        session.get_one(Presence, desk.people.bob).expires_at = clock.now()
    stopped.move(seconds=1)
    assert "Nobody is here right now" in desk.client().get(link_to(mine, desk.people.carol)).text


def test_what_happened_long_ago_says_nothing_about_now(desk: TestDesk, stopped: clock.Hand) -> None:
    taken_up(desk, stopped, 6, every=4)
    stopped.move(hours=3)
    at_work(desk)
    assert place_of(asks(desk)).wait_s is None


# --- who sees it -----------------------------------------------------------------------------------------------------------


def test_the_part_that_moves_is_served_alone_to_whoever_may_read_the_page(desk: TestDesk) -> None:
    ticket = asks(desk)
    with db.transaction():
        carla = people.person("Carla", people.Role.CUSTOMER, contact_id=desk.people.carol)
        oleg = people.person("Oleg", people.Role.CUSTOMER, contact_id=desk.people.oleg)
    part = desk.client().get(link_to(ticket, desk.people.carol) + "/place")
    assert part.status_code == 200 and "You are next." in part.text and "<html" not in part.text
    assert "You are next." in desk.client(carla.id).get(f"/my/requests/{ticket.number}/place").text
    assert desk.client(oleg.id).get(f"/my/requests/{ticket.number}/place").status_code == 404
    assert desk.client().get("/t/rubbish/place").status_code == 410


def test_the_room_of_a_line_is_for_those_who_stand_in_it(desk: TestDesk) -> None:
    ticket = asks(desk)
    with db.transaction():
        word = linking.token(ticket, desk.people.carol)
        carla = people.person("Carla", people.Role.CUSTOMER, contact_id=desk.people.carol)
        oleg = people.person("Oleg", people.Role.CUSTOMER, contact_id=desk.people.oleg)
    from helpdesk.channels.portal.line import may_watch

    with db.read():
        assert may_watch(ANONYMOUS, str(desk.people.support), word) and not may_watch(ANONYMOUS, str(desk.people.billing), word)
        assert not may_watch(ANONYMOUS, str(desk.people.support), "") and not may_watch(ANONYMOUS, "rubbish", word)
    assert live.may_watch(people.principal(carla.id), f"line:{desk.people.support}")
    assert not live.may_watch(people.principal(oleg.id), f"line:{desk.people.support}")


# --- contact me instead ----------------------------------------------------------------------------------------------------


def test_a_wish_keeps_the_place_and_shows_to_the_agent_until_it_is_done(desk: TestDesk, stopped: clock.Hand) -> None:
    asks(desk)
    ticket = asks(desk)
    with db.read() as session:
        before = [(item.vkey, item.enqueued_at) for item in session.scalars(select(WorkItem).order_by(WorkItem.id))]
    url = link_to(ticket, desk.people.carol)
    carol = Browser(desk)
    assert carol.send(f"{url}/wish", page=url, kind="phone", reach="+49 30 901820").status_code == 303
    page = carol.open(url).text
    assert "We will call you at +49 30 901820. You keep your place." in page and "1 request comes before yours." in page
    with db.read() as session:
        assert before == [(item.vkey, item.enqueued_at) for item in session.scalars(select(WorkItem).order_by(WorkItem.id))]
    alice = Browser(desk, desk.people.alice)
    shown = alice.open(f"/inbox/{ticket.number}").text
    assert "The customer asks to be called:" in shown and 'href="tel:+4930901820"' in shown
    assert alice.send(f"/tickets/{ticket.number}/wish/settlement").status_code == 303
    assert "The customer asks to be called:" not in alice.open(f"/tickets/{ticket.number}/wish").text
    with db.read() as session:
        wish = session.get_one(ContactWish, ticket.id)
        assert wish.done_by_id == desk.people.alice and wish.done_at == clock.now()


@pytest.mark.parametrize(
    ("kind", "reach"), [("phone", "901820"), ("phone", "abc"), ("email", "carol"), ("email", ""), ("fax", "+49 30 901820")]
)
def test_what_cannot_be_reached_is_refused_and_what_was_typed_stays(desk: TestDesk, kind: str, reach: str) -> None:
    ticket = asks(desk)
    url = link_to(ticket, desk.people.carol)
    answer = Browser(desk).send(f"{url}/wish", page=url, kind=kind, reach=reach)
    assert answer.status_code == 422 and f'value="{reach}"' in answer.text and 'aria-invalid="true"' in answer.text
    with db.read() as session:
        assert session.scalars(select(ContactWish)).all() == []


def test_a_second_wish_replaces_the_first_and_it_can_be_taken_back(desk: TestDesk) -> None:
    ticket = asks(desk)
    url, carol = link_to(ticket, desk.people.carol), Browser(desk)
    carol.send(f"{url}/wish", page=url, kind="phone", reach="+4930901820")
    carol.send(f"{url}/wish", page=url, kind="email", reach="Carol.Other@Customer.example")
    with db.read():
        wish = wishes.open_wish(ticket.id)
        assert wish is not None and (wish.kind, wish.value) == ("email", "carol.other@customer.example")
    carol.send(f"{url}/wish/withdrawal", page=url)
    with db.read():
        assert wishes.open_wish(ticket.id) is None
    assert carol.send(f"{url}/wish/withdrawal", page=url).status_code == 303


def test_a_wish_is_for_those_who_take_part_and_only_while_there_is_something_to_wait_for(desk: TestDesk) -> None:
    ticket = asks(desk)
    with db.transaction():
        oleg = people.person("Oleg", people.Role.CUSTOMER, contact_id=desk.people.oleg)
    stranger = Browser(desk, oleg.id)
    assert stranger.send(f"/my/requests/{ticket.number}/wish", page="/my", kind="phone", reach="+4930901820").status_code == 404
    assert Browser(desk, desk.people.eve).open(f"/tickets/{ticket.number}/wish").status_code == 404
    with db.transaction() as session:
        lifecycle.solve(session.get_one(Ticket, ticket.id), by=Actor("user", desk.people.alice))
    with pytest.raises(Conflict), db.transaction() as session:
        wishes.ask(session.get_one(Ticket, ticket.id), desk.people.carol, "phone", "+4930901820", by=Actor("link", desk.people.carol))


def test_others_who_take_part_do_not_read_where_somebody_wants_to_be_reached(desk: TestDesk) -> None:
    from helpdesk.crm.models import Contact
    from helpdesk.tickets import intake

    ticket = asks(desk)
    with db.transaction() as session:
        intake.add_participant(session.get_one(Ticket, ticket.id), session.get_one(Contact, desk.people.oleg))
        wishes.ask(session.get_one(Ticket, ticket.id), desk.people.carol, "phone", "+4930901820", by=Actor("link", desk.people.carol))
    page = desk.client().get(link_to(ticket, desk.people.oleg)).text
    assert "901820" not in page and "asked us to reach them elsewhere" in page
