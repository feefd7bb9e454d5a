"""Those who lead and those who wait, with their screens open: work pulled and pushed before the agent's eyes, a place in line that moves,
an offer that calls by sound and title, or does not.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from sqlalchemy import select

from helpdesk import db
from helpdesk.actor import Actor
from helpdesk.agents.models import AgentProfile, WorkItem
from helpdesk.tickets import lifecycle, linking
from helpdesk.tickets.models import Ticket
from tests import people
from tests.running import RunningDesk

pytestmark = pytest.mark.browser

#: Counts the tones that the page would play: a headless browser has no loudspeaker.
LISTEN = """() => {
  window.tones = 0;
  const start = OscillatorNode.prototype.start;
  OscillatorNode.prototype.start = function (...given) { window.tones += 1; return start.apply(this, given); };
}"""


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningDesk]:
    made = RunningDesk(tmp_path_factory.mktemp("leading"))
    made.prepare()
    try:
        made.start()
        yield made
    finally:
        made.stop()
        db.disconnect()


def waits_until_queued(page: Any, ticket: Ticket) -> None:
    """The server's own worker has seen what this process wrote."""
    for _ in range(100):
        with db.read() as session:
            if session.scalar(select(WorkItem.id).where(WorkItem.ticket_id == ticket.id)) is not None:
                return
        page.wait_for_timeout(100)
    raise AssertionError("the work was never queued")


def test_work_is_pushed_and_pulled_while_the_agent_watches(desk: RunningDesk, person: Callable[..., Any]) -> None:
    company = desk.people
    ticket = people.writes(company.carol, inbox=company.mail, subject="Pushed by hand")
    alice = person("/inbox", company.alice)
    dana = person(f"/floor?queue={company.support}", company.dana)
    waits_until_queued(dana, ticket)
    dana.wait_for_selector("#floor .picks:has-text('Pushed by hand')", timeout=15000)
    dana.check("#floor .picks li:has-text('Pushed by hand') input")
    dana.select_option("#floor-to", str(company.alice))
    dana.click("button[formaction='/floor/assignments']")
    alice.wait_for_selector("#list .sj:has-text('Pushed by hand')", timeout=8000)

    dana.wait_for_selector("#floor tr:has-text('Alice') summary:has-text('tickets: 1')", timeout=8000)
    dana.click("#floor tr:has-text('Alice') summary")
    dana.check("#floor tr:has-text('Alice') .picks input")
    people.writes(company.carol, inbox=company.mail, subject="Comes meanwhile")
    dana.wait_for_selector("#floor .picks:has-text('Comes meanwhile')", timeout=15000)
    assert dana.is_checked("#floor tr:has-text('Alice') .picks input")  # the refreshed screen kept what was picked, and open
    dana.click("button[formaction='/floor/returns']")
    alice.wait_for_selector("#list .sj:has-text('Pushed by hand')", state="detached", timeout=8000)


def test_a_place_in_line_moves_before_the_customers_eyes(desk: RunningDesk, person: Callable[..., Any]) -> None:
    company = desk.people
    first = people.writes(company.carol, inbox=company.billing_mail, subject="Before")
    mine = people.writes(company.oleg, inbox=company.billing_mail, subject="Mine")
    with db.read():
        word = linking.token(mine, company.oleg)
    oleg = person(f"/t/{word}?lang=en")
    waits_until_queued(oleg, mine)
    oleg.wait_for_selector("#place:has-text('1 request comes before yours.')", timeout=25000)
    oleg.wait_for_timeout(6000)  # the room is joined, and the part has rested
    with db.transaction() as session:
        lifecycle.solve(session.get_one(Ticket, first.id), by=Actor("user", company.eve))
    oleg.wait_for_selector("#place:has-text('You are next.')", timeout=25000)


@pytest.mark.parametrize(("sound", "quiet", "tones", "titled"), [(True, False, 2, True), (False, False, 0, True), (True, True, 0, False)])
def test_an_offer_calls_as_its_agent_wishes(
    desk: RunningDesk, person: Callable[..., Any], sound: bool, quiet: bool, tones: int, titled: bool
) -> None:
    company = desk.people
    with db.transaction() as session:
        own = session.get_one(AgentProfile, company.eve)
        own.sound, own.do_not_disturb = sound, quiet
        for ticket in session.scalars(select(Ticket).where(Ticket.queue_id == company.billing)):
            lifecycle.solve(ticket, by=Actor("user", company.eve))
    eve = person("/inbox", company.eve)
    eve.evaluate(LISTEN)
    eve.mouse.click(700, 450)  # browsers play nothing before a click
    people.arrives(company.eve)
    eve.wait_for_timeout(1500)
    people.writes(company.carol, inbox=company.billing_mail, subject=f"Called {sound} {quiet}")
    eve.wait_for_selector(f"#offers [data-offer]:has-text('Called {sound} {quiet}')", timeout=15000)
    eve.wait_for_timeout(300)
    assert eve.evaluate("() => window.tones") == tones
    assert eve.title().startswith("●") is titled
    eve.keyboard.press("Shift+A")
    eve.wait_for_selector("#thread .msg", timeout=8000)
