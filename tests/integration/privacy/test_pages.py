"""Privacy on the screens: what customers agree to and how they go, what those who lead may do, and everybody who may not."""

from __future__ import annotations

import json

import pytest
from sqlalchemy import select

from helpdesk import clock, db, passwords, retaining
from helpdesk.actor import SYSTEM, Actor
from helpdesk.auth import Role, User
from helpdesk.channels.email import unsubscribing
from helpdesk.crm import consent, erasure
from helpdesk.crm.models import Contact
from helpdesk.crm.privacy_models import Consent, ErasureWish, ProfileAccess
from helpdesk.kb.models import SearchLog
from helpdesk.preferences import prefer
from helpdesk.privacy import MARK
from helpdesk.tickets import lifecycle, surveys
from helpdesk.tickets.models import Message, Ticket
from tests import people
from tests.desks import TestDesk
from tests.forms import Browser


def account(desk: TestDesk, *, password: str = "") -> int:
    with desk.app.app_context():
        stored = passwords.kept(password) if password else None
    with db.transaction():
        return people.person("Carla", Role.CUSTOMER, email="carol@customer.example", contact_id=desk.people.carol, password=stored).id


def carol(desk: TestDesk) -> Contact:
    with db.read() as session:
        return session.get_one(Contact, desk.people.carol)


def test_a_customer_says_yes_and_no_and_the_ledger_keeps_both_with_the_words(desk: TestDesk, stopped: clock.Hand) -> None:
    browser = Browser(desk, account(desk))
    assert browser.open("/my/privacy").status_code == 200
    browser.send("/my/consents", page="/my/privacy", purpose=["news", "profiling"])
    stopped.move(minutes=1)
    browser.send("/my/consents", page="/my/privacy", purpose=["surveys", "profiling"])
    with db.read() as session:
        said = [
            (row.purpose, row.given, row.source, bool(row.words), row.version)
            for row in session.scalars(select(Consent).order_by(Consent.id))
        ]
    assert said == [
        ("surveys", False, "portal", True, "1"), ("news", True, "portal", True, "1"),
        ("surveys", True, "portal", True, "1"), ("news", False, "portal", True, "1"),
    ]  # fmt: skip
    assert carol(desk).survey_allowed


def test_no_survey_goes_to_who_withdrew_and_an_unsubscribe_is_a_word_too(desk: TestDesk, stopped: clock.Hand) -> None:
    with db.transaction() as session:
        her = session.get_one(Contact, desk.people.carol)
        assert surveys.may_ask(her) and not consent.allows(her, "news", "email")
        unsubscribing.refuse("carol@customer.example")
    with db.transaction() as session:
        her = session.get_one(Contact, desk.people.carol)
        assert not surveys.may_ask(her) and not consent.allows(her, "surveys", "email")
        assert {row.source for row in consent.ledger([her.id])} == {"unsubscribe"}
        unsubscribing.refuse("carol@customer.example", refused=False)
        assert surveys.may_ask(her)


def test_the_switch_in_the_profile_reaches_the_ledger(desk: TestDesk, stopped: clock.Hand) -> None:
    browser = Browser(desk, account(desk))
    browser.save("/my/profile", surveys=None)
    desk.work()
    with db.read() as session:
        row = session.scalars(select(Consent)).one()
    assert (row.purpose, row.given, row.source) == ("surveys", False, "profile")


def test_a_customer_erases_themselves_after_a_time_in_which_they_may_change_their_mind(desk: TestDesk, stopped: clock.Hand) -> None:
    browser = Browser(desk, account(desk, password=people.PASSWORD))
    wrong = browser.send("/my/erasure/wish", page="/my/privacy", password="not this one")
    assert wrong.status_code == 422 and "This is not your password." in wrong.text
    assert browser.send("/my/erasure/wish", page="/my/privacy", password=people.PASSWORD).status_code == 303
    browser.send("/my/erasure/wish/cancellation", page="/my/privacy")
    stopped.move(days=8)
    desk.work()
    assert carol(desk).erased_at is None, "she changed her mind"
    browser.send("/my/erasure/wish", page="/my/privacy", password=people.PASSWORD)
    stopped.move(days=6)
    desk.work()
    assert carol(desk).erased_at is None
    stopped.move(days=1, minutes=1)
    desk.work()
    assert carol(desk).erased_at is not None and carol(desk).name == MARK
    with db.read() as session:
        assert [row.state for row in session.scalars(select(ErasureWish).order_by(ErasureWish.id))] == ["cancelled", "done"]
    assert browser.open("/my").status_code == 303


def test_who_signs_in_by_mail_confirms_by_having_come_from_one_just_now(desk: TestDesk, stopped: clock.Hand) -> None:
    user = account(desk)
    browser = Browser(desk, user)
    assert browser.send("/my/erasure/wish", page="/my/privacy").status_code == 422
    with db.transaction() as session:
        session.get_one(User, user).last_login_at = clock.now()
    stopped.move(minutes=10)
    assert browser.send("/my/erasure/wish", page="/my/privacy").status_code == 303


def test_who_must_be_kept_meanwhile_is_left_for_a_colleague(desk: TestDesk, stopped: clock.Hand) -> None:
    with db.transaction() as session:
        her = session.get_one(Contact, desk.people.carol)
        erasure.ask(her, by=SYSTEM)
        erasure.hold(her, "Lawsuit", by=Actor("user", desk.people.ada))
    stopped.move(days=8)
    desk.work()
    assert carol(desk).erased_at is None
    with db.read() as session:
        assert session.scalars(select(ErasureWish.state)).one() == "refused"


def test_those_who_lead_erase_after_a_question_and_nobody_else_does(desk: TestDesk, stopped: clock.Hand) -> None:
    place = f"/customers/{desk.people.carol}"
    alice, dana = Browser(desk, desk.people.alice), Browser(desk, desk.people.dana)
    assert alice.open(f"{place}/privacy").status_code == 200
    for path in ("erasure", "data.json"):
        assert alice.open(f"{place}/{path}").status_code == 404
    for path, fields in (("erasure", {"sure": "1"}), ("holds", {"reason": "x"}), ("holds/1/lifting", {})):
        assert alice.send(f"{place}/{path}", page="/customers", **fields).status_code == 404, path
    assert Browser(desk, account(desk)).open(f"{place}/privacy").status_code == 404
    assert dana.open("/customers/999999/privacy").status_code == 404
    assert dana.send(f"{place}/erasure", page="/customers").status_code == 422, "without the tick nothing happens"
    assert carol(desk).erased_at is None
    assert dana.send(f"{place}/holds", page="/customers", reason="Audit").status_code == 303
    assert dana.send(f"{place}/erasure", page="/customers", sure="1").status_code == 409
    assert "Audit" in dana.open(f"{place}/erasure").text
    assert dana.send(f"{place}/holds/1/lifting", page="/customers").status_code == 303
    assert dana.send(f"{place}/erasure", page="/customers", sure="1").status_code == 303
    assert carol(desk).erased_at is not None
    assert dana.open(place).status_code == 404


def test_an_agent_writes_down_what_a_customer_said_with_how(desk: TestDesk, stopped: clock.Hand) -> None:
    place = f"/customers/{desk.people.carol}/consents"
    alice = Browser(desk, desk.people.alice)
    assert alice.send(place, page="/customers", purpose="news", given="yes").status_code == 422
    assert alice.send(place, page="/customers", purpose="everything", given="yes", proof="x").status_code == 422
    assert alice.send(place, page="/customers", purpose="news", given="yes", proof="By phone").status_code == 303
    with db.read() as session:
        her = session.get_one(Contact, desk.people.carol)
        assert consent.allows(her, "news", "email")
        row = session.scalars(select(Consent)).one()
        assert (row.user_id, row.proof) == (desk.people.alice, "By phone")


def test_looking_at_a_profile_is_written_down_once_and_read_by_administrators_and_the_customer(desk: TestDesk, stopped: clock.Hand) -> None:
    place = f"/customers/{desk.people.carol}"
    alice, dana, ada = (Browser(desk, one) for one in (desk.people.alice, desk.people.dana, desk.people.ada))
    for _ in range(2):
        alice.open(place)
    assert dana.open(f"{place}/data.json").status_code == 200
    with db.read() as session:
        rows = [(row.user_id, row.what) for row in session.scalars(select(ProfileAccess).order_by(ProfileAccess.id))]
    assert rows == [(desk.people.alice, "viewed"), (desk.people.dana, "exported")]
    assert "looked at the profile" in ada.open(f"{place}/privacy").text
    assert "looked at the profile" not in dana.open(f"{place}/privacy").text
    data = json.loads(Browser(desk, account(desk)).open("/my/everything.json").text)
    assert [row["what"] for row in data["records"]["profile_access"]] == ["viewed", "exported"]
    assert data["person"]["name"] == "Carol Jones"


def test_the_card_beside_a_thread_is_a_look_too_and_costs_the_reading_nothing(desk: TestDesk, stopped: clock.Hand) -> None:
    ticket = people.writes(desk.people.carol, "Where is it?", inbox=desk.people.mail)
    alice = Browser(desk, desk.people.alice)
    for _ in range(2):
        assert alice.open(f"/inbox/{ticket.number}").status_code == 200
    with db.read() as session:
        rows = [(row.contact_id, row.user_id, row.via) for row in session.scalars(select(ProfileAccess))]
    assert rows == [(desk.people.carol, desk.people.alice, "card")]
    assert "beside a thread" in Browser(desk, desk.people.ada).open(f"/customers/{desk.people.carol}/privacy").text


@pytest.mark.parametrize("held", [False, True])
def test_old_data_goes_by_night_but_not_of_who_must_be_kept(desk: TestDesk, stopped: clock.Hand, held: bool) -> None:
    ticket = people.writes(desk.people.carol, "An old story.", inbox=desk.people.mail)
    with db.transaction() as session:
        lifecycle.close(session.get_one(Ticket, ticket.id), by=SYSTEM)
        session.add(SearchLog(key="k" * 10, query="old", at=clock.now()))
        if held:
            erasure.hold(session.get_one(Contact, desk.people.carol), "Lawsuit", by=SYSTEM)
        prefer(retention={"closed_tickets": 30, "search_log": 30})
    stopped.move(days=31)
    ada = Browser(desk, desk.people.ada)
    page = ada.open("/admin/retention")
    assert page.status_code == 200
    with desk.app.app_context(), db.read():
        assert {one.rule.name: one.would_go for one in retaining.preview() if one.would_go} == (
            {"search_log": 1} if held else {"search_log": 1, "closed_tickets": 1}
        )
    assert retaining.run() == {}, "not by day"
    stopped.move(hours=16)
    with desk.app.app_context():
        assert retaining.run() == ({"search_log": 1} if held else {"search_log": 1, "closed_tickets": 1})
        assert retaining.run() == {}
    with db.read() as session:
        assert session.scalars(select(Message.text).where(Message.ticket_id == ticket.id)).one() == ("An old story." if held else MARK)


def test_other_days_are_looked_at_before_they_are_saved(desk: TestDesk, stopped: clock.Hand) -> None:
    ada = Browser(desk, desk.people.ada)
    ada.save("/admin/retention", closed_tickets="90", do="preview")
    with db.read():
        assert all(one.days == one.rule.days for one in retaining.preview())
    assert ada.save("/admin/retention", closed_tickets="90", erasure_wait_days="3", do="save").status_code == 303
    with db.read():
        assert next(one for one in retaining.preview() if one.rule.name == "closed_tickets").days == 90
        assert erasure.wait().days == 3
    assert ada.save("/admin/retention", closed_tickets="-1", do="save").status_code == 422
    assert Browser(desk, desk.people.dana).open("/admin/retention").status_code == 404
