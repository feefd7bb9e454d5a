"""What competitors offered a customer, and the filters of the timeline in which it stands."""

from __future__ import annotations

from datetime import timedelta

import pytest

from helpdesk import clock, db
from helpdesk.crm import timeline
from helpdesk.crm.base_models import CompetitorOffer
from helpdesk.crm.models import Interaction
from tests.desks import TestDesk
from tests.forms import Browser
from tests.integration.crm.test_customers import said


def offered(browser: Browser, contact_id: int, **fields: str) -> tuple[int, str]:
    values = {"competitor": "Rival Books", "what": "Annual plan", "price": "1 250,50", "currency": "eur", **fields}
    answer = browser.send(f"/customers/{contact_id}/offers", page="/customers", **values)
    return answer.status_code, said(answer.text)


def test_a_competitors_offer_stands_on_the_card_and_in_the_timeline_until_it_is_removed(desk: TestDesk) -> None:
    browser, carol = Browser(desk, desk.people.alice), desk.people.carol
    assert offered(browser, carol, note="With free delivery.")[0] == 303
    with db.read() as session:
        offer = session.query(CompetitorOffer).one()
        assert (offer.price_cents, offer.currency, offer.user_id) == (125_050, "EUR", desk.people.alice)
    page = said(browser.open(f"/customers/{carol}?kind=offer").text)
    assert "Competitor's offer: Rival Books: Annual plan" in page and "With free delivery." in page and "1,250.5 EUR" in page
    assert browser.send(f"/customers/{desk.people.oleg}/offers/{offer.id}/removal", page="/customers").status_code == 404
    assert browser.send(f"/customers/{carol}/offers/{offer.id}/removal", page="/customers").status_code == 303
    with db.read() as session:
        assert session.query(CompetitorOffer).count() == 0 and session.query(Interaction).filter_by(kind="offer").count() == 0


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"competitor": ""}, "Please fill this in."),
        ({"price": "-5"}, "Please give a price"),
        ({"price": "cheap"}, "Please give a price"),
        ({"currency": ""}, "A currency is three capital letters"),
        ({"offered_at": "2999-01-01"}, "This has not happened yet."),
    ],
)
def test_an_offer_that_cannot_be_is_explained_and_not_kept(desk: TestDesk, fields: dict[str, str], words: str) -> None:
    status, page = offered(Browser(desk, desk.people.alice), desk.people.carol, **fields)
    assert status == 422 and words in page
    with db.read() as session:
        assert session.query(CompetitorOffer).count() == 0


def test_the_timeline_is_narrowed_by_channel_colleague_and_days_together(desk: TestDesk) -> None:
    carol, now = desk.people.carol, clock.now()
    with db.transaction():
        timeline.note(carol, "call", channel="phone", user_id=desk.people.alice, title="About pears", at=now - timedelta(days=40))
        timeline.note(carol, "call", channel="phone", user_id=desk.people.bob, title="About plums", at=now - timedelta(days=3))
        timeline.note(carol, "visit", channel="visit", user_id=desk.people.bob, title="About figs", at=now - timedelta(days=3))
    browser = Browser(desk, desk.people.alice)

    def shows(query: str) -> set[str]:
        page = browser.open(f"/customers/{carol}?{query}").text
        return {fruit for fruit in ("pears", "plums", "figs") if f"About {fruit}" in page}

    day = (now - timedelta(days=10)).date().isoformat()
    assert shows("") == {"pears", "plums", "figs"}
    assert shows("channel=phone") == {"pears", "plums"}
    assert shows(f"who={desk.people.bob}") == {"plums", "figs"}
    assert shows(f"who={desk.people.bob}&channel=phone") == {"plums"}
    assert shows(f"since={day}") == {"plums", "figs"} and shows(f"until={day}") == {"pears"}
    assert shows(f"since={day}&kind=visit") == {"figs"}
    assert shows("since=yesterday&channel=pigeon&who=x&until=9999-12-31") == {"pears", "plums", "figs"}
    assert f"since={day}" in browser.open(f"/customers/{carol}?since={day}").text
