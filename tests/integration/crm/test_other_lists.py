"""Every list about customers leaves as a file: what its page shows, narrowed as it is, and no more to anybody than they see there."""

from __future__ import annotations

import csv
import io
import re
from datetime import timedelta

import pytest

from helpdesk import clock, db
from helpdesk.actor import Actor
from helpdesk.auth import User
from helpdesk.crm import (
    calling,
    consent,
    contacts,
    corrections,
    duplicates,
    identities,
    interactions,
    memberships,
    merging,
    timeline,
    triage,
)
from helpdesk.crm.base_models import Import, Segment
from helpdesk.crm.exchange import listing
from helpdesk.crm.models import Contact, Identity, IdentityKind, Order, Rating, RatingKind
from helpdesk.crm.privacy_models import ProfileAccess
from helpdesk.crm.worth_models import CustomerValue
from helpdesk.preferences import prefer
from tests.desks import TestDesk
from tests.forms import Browser

#: Each list: what its page's menu sends along, a word of its rows, and who may have it when agents may export.
LISTS = {
    "calls": ({"whose": "all"}, "Asked for an offer", "staff"),
    "promises": ({"whose": "all"}, "Send the samples", "staff"),
    "timeline": ({"contact": "carol"}, "Talked about tea", "staff"),
    "organization-timeline": ({"organization": "harbour"}, "Talked about tea", "staff"),
    "people": ({"organization": "harbour"}, "Buyer", "staff"),
    "duplicates": ({}, "Anna Berg", "staff"),
    "merges": ({}, "Old Carol", "staff"),
    "unknown": ({}, "+442079460000", "staff"),
    "ratings": ({"reason": "slow"}, "Far too late", "leads"),
    "reasons": ({}, "slow,1", "leads"),
    "satisfaction": ({}, "2026-03", "leads"),
    "actions": ({}, "Answer sooner", "leads"),
    "restless": ({}, "waiting 3", "leads"),
    "promoters": ({}, "Oleg would", "leads"),
    "cohorts": ({}, "2026-02,1", "worth"),
    "leavers": ({}, "Reason,Customers", "worth"),
    "scorecard": ({}, "buyers,1", "worth"),
    "imports": ({}, "people.csv,contacts", "leads"),
    "segments": ({}, "Russian speakers", "staff"),
    "consents": ({"contact": "carol"}, "told us by phone", "staff"),
    "accesses": ({"contact": "carol"}, "Alice,viewed,page", "admin"),
}


@pytest.fixture
def filled(desk: TestDesk, stopped: clock.Hand) -> dict[str, str]:
    """Something in every list; ids by the words of LISTS."""
    dana, soon = Actor("user", desk.people.dana), clock.now() + timedelta(days=2)
    with db.transaction() as session:
        day = clock.now() - timedelta(days=20)
        session.add(Order(contact_id=desk.people.carol, number="S-1", at=day, total_cents=120_000, currency="EUR"))
        timeline.note(desk.people.carol, "order", title="S-1", amount_cents=120_000, currency="EUR")
        carol, oleg = session.get_one(Contact, desk.people.carol), session.get_one(Contact, desk.people.oleg)
        harbour = contacts.add_organization("Harbour Books", by=dana)
        session.flush()
        memberships.belong(carol, harbour, role="Buyer", by=dana)
        interactions.add(carol, "call", by=dana, text="Talked about tea", next_step="Send the samples", next_at=soon)
        calling.add(carol, why="Asked for an offer", user_id=desk.people.alice, due_at=soon, by=dana)
        triage.note(identities.read("phone", "+44 20 7946 0000"), kind="call", text="Who was it?", by=dana)
        old = contacts.add(name="Old Carol", by=dana)
        merging.merge(old, carol, by=dana)
        for address in ("anna.berg@gmail.com", "annaberg@gmail.com"):
            anna = contacts.add(name="Anna Berg", by=dana)
            session.add(Identity(contact_id=anna.id, kind=IdentityKind.EMAIL, value=address, value_norm=address))
        session.flush()
        duplicates.seek([anna.id])
        session.add(Rating(kind=RatingKind.CSAT, score=1, score100=0, reason="slow", comment="Far too late", contact_id=carol.id))
        session.add(Rating(kind=RatingKind.NPS, score=10, score100=100, comment="Oleg would", contact_id=oleg.id))
        session.add(CustomerValue(contact_id=carol.id, as_of=clock.now(), currency="EUR", health=12.0, restless={"waiting": 3}))
        consent.say(carol, "news", True, source="agent", by=dana, proof="told us by phone")
        session.add(ProfileAccess(contact_id=carol.id, user_id=desk.people.alice, what="viewed", at=clock.now()))
        session.add(Import(name="people.csv", file_key="", shape="csv", user_id=desk.people.dana))
        session.add(Segment(name="Russian speakers", conditions={"match": "all", "of": []}, shared=True))
        corrections.plan(reason="slow", title="Answer sooner", owner_id=desk.people.dana, due_at=soon, by=dana)
        return {"carol": str(carol.id), "harbour": str(harbour.id)}


def taken(browser: Browser, name: str, given: dict[str, str], filled: dict[str, str]) -> tuple[int, str]:
    answer = browser.send(f"/customers/lists/{name}", **{key: filled.get(value, value) for key, value in given.items()})
    return answer.status_code, answer.get_data().decode("utf-8-sig") if answer.status_code == 200 else ""


def test_every_list_is_taken_out_with_what_its_page_shows(desk: TestDesk, filled: dict[str, str]) -> None:
    assert LISTS.keys() == set(listing.names())
    dana, ada = Browser(desk, desk.people.dana), Browser(desk, desk.people.ada)
    for name, (given, word, who) in LISTS.items():
        status, text = taken(ada if who == "admin" else dana, name, given, filled)
        assert status == 200 and word in text, (name, status, text)
        rows = list(csv.reader(io.StringIO(text)))
        assert len({len(row) for row in rows}) == 1, (name, rows)


def test_agents_take_out_only_lists_whose_pages_they_see(desk: TestDesk, filled: dict[str, str]) -> None:
    alice = Browser(desk, desk.people.alice)
    assert {taken(alice, name, given, filled)[0] for name, (given, _word, _who) in LISTS.items()} == {404}, "who takes lists out leads"
    with db.transaction():
        prefer(exported_by="all")
    for name, (given, _word, who) in LISTS.items():
        assert taken(alice, name, given, filled)[0] == (200 if who == "staff" else 404), name
    assert taken(alice, "passwords", {}, filled)[0] == 404 and taken(alice, "timeline", {}, filled)[0] == 404


def test_another_teams_customers_stand_in_no_list_of_an_agents(desk: TestDesk, filled: dict[str, str]) -> None:
    with db.transaction() as session:
        session.get_one(Contact, desk.people.carol).owner_id = desk.people.eve
        prefer(exported_by="all", customers_seen="team")
    alice = Browser(desk, desk.people.alice)
    for name, (given, _word, who) in LISTS.items():
        if who == "staff":
            status, text = taken(alice, name, given, filled)
            assert "Carol" not in text and "Talked about tea" not in text, name
            assert status == (404 if name in ("timeline", "consents") else 200)


def test_who_looked_is_handed_to_administrators_alone(desk: TestDesk, filled: dict[str, str]) -> None:
    given = {"contact": "carol"}
    assert taken(Browser(desk, desk.people.dana), "accesses", given, filled)[0] == 404
    assert taken(Browser(desk, desk.people.ada), "accesses", given, filled)[0] == 200


def test_moments_are_those_of_the_readers_clock_and_the_column_says_whose(desk: TestDesk, filled: dict[str, str]) -> None:
    text = taken(Browser(desk, desk.people.dana), "timeline", {"contact": "carol"}, filled)[1]
    assert text.startswith("Date (UTC),") and "2026-03-02 10:00," in text
    with db.transaction() as session:
        session.get_one(User, desk.people.dana).time_zone = "Asia/Vladivostok"
    text = taken(Browser(desk, desk.people.dana), "timeline", {"contact": "carol"}, filled)[1]
    assert text.startswith("Date (Asia/Vladivostok),") and "2026-03-02 20:00," in text and "2026-03-02 10:00," not in text


def test_a_timeline_leaves_narrowed_as_it_is_shown(desk: TestDesk, filled: dict[str, str]) -> None:
    dana = Browser(desk, desk.people.dana)
    _status, text = taken(dana, "timeline", {"contact": "carol", "kind": "order"}, filled)
    assert "Talked about tea" not in text and "1200.0" in text


@pytest.mark.parametrize("engine", ["sqlite"], indirect=True)
def test_each_page_offers_its_list_to_who_may_have_it_and_to_nobody_else(desk: TestDesk, filled: dict[str, str]) -> None:
    pages = {
        "/calls": {"calls"}, "/promises": {"promises"}, "/customers/duplicates": {"duplicates"}, "/customers/merges": {"merges"},
        "/customers/unknown": {"unknown"}, f"/customers/{filled['carol']}": {"timeline"}, "/satisfaction/reason?reason=slow": {"ratings"},
        f"/organizations/{filled['harbour']}": {"people", "organization-timeline"}, "/retention": {"cohorts", "leavers", "scorecard"},
        "/satisfaction": {"reasons", "satisfaction", "actions", "restless", "promoters"}, "/customers/imports": {"imports"},
        "/segments": {"segments"}, f"/customers/{filled['carol']}/privacy": {"consents"},
    }  # fmt: skip
    dana, alice = Browser(desk, desk.people.dana), Browser(desk, desk.people.alice)
    for path, lists in pages.items():
        assert set(re.findall(r'action="/customers/lists/([a-z-]+)"', dana.open(path).text)) == lists, path
        assert "/customers/lists/" not in alice.open(path).text
    looked = Browser(desk, desk.people.ada).open(f"/customers/{filled['carol']}/privacy").text
    assert 'action="/customers/lists/accesses"' in looked and set().union(*pages.values()) == LISTS.keys() - {"accesses"}
    assert 'action="/customers/purchases/export"' in dana.open("/customers").text
