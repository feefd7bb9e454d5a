"""Links that come by mail: to sign in, to reset, to join. Opening spends nothing, using them once does."""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy import select

from helpdesk import auth, clock, db, live
from helpdesk.auth import OneTimeLink, User
from helpdesk.channels.email.models import Outgoing
from helpdesk.events import Event
from tests.desks import TestDesk
from tests.forms import Browser
from tests.integration.signin.test_signing_in import has_password, is_in, signs_in

NEW = "four ordinary words together"
PAGE = {"signin": "/sign-in/link/", "reset": "/password/new/", "invite": "/invitation/"}


def link(user: int, purpose: str, **valid: float) -> str:
    with db.transaction() as session:
        return PAGE[purpose] + auth.issue_link(session.get_one(User, user), purpose, valid=timedelta(**(valid or {"hours": 1})))


def use(browser: Browser, path: str, purpose: str, **fields: str) -> int:
    if purpose != "signin":
        fields = {"name": "Alice", "password": NEW, "again": NEW, **fields}
    return browser.send(path, **fields).status_code


@pytest.mark.parametrize("purpose", ["signin", "reset", "invite"])
def test_opening_a_link_spends_nothing_and_using_it_once_does(desk: TestDesk, purpose: str) -> None:
    path = link(desk.people.alice, purpose)
    for _scanner in range(3):
        opened = Browser(desk).open(path)
        assert opened.status_code == 200 and opened.headers["Cache-Control"] == "no-store"
        assert opened.headers["Referrer-Policy"] == "strict-origin-when-cross-origin"
    assert use(Browser(desk), path, purpose) in (200, 303)
    assert Browser(desk).open(path).status_code == 410
    assert use(Browser(desk), path, purpose) == 410


@pytest.mark.parametrize("purpose", ["signin", "reset", "invite"])
def test_a_link_is_good_for_nothing_else_and_not_for_long(desk: TestDesk, stopped: clock.Hand, purpose: str) -> None:
    path = link(desk.people.alice, purpose, minutes=10)
    secret = path.rsplit("/", 1)[1]
    for other in PAGE:
        if other != purpose:
            assert Browser(desk).open(PAGE[other] + secret).status_code == 410
    stopped.move(minutes=11)
    assert Browser(desk).open(path).status_code == 410
    assert use(Browser(desk), path, purpose) == 410


@pytest.mark.parametrize("purpose", ["signin", "reset", "invite"])
def test_a_made_up_link_is_refused(desk: TestDesk, purpose: str) -> None:
    link(desk.people.alice, purpose)
    for secret in ("%20", "%00", "null", "None", "undefined", "0", "x" * 2000, "..%2f..%2fadmin", "%D0%B0"):
        assert Browser(desk).open(PAGE[purpose] + secret).status_code in (404, 410), secret
        assert use(Browser(desk), PAGE[purpose] + secret, purpose) in (404, 410), secret


def test_the_empty_secret_is_no_secret(desk: TestDesk) -> None:
    for secret in ("", " ", "\t", "\x00"):
        with db.read(), pytest.raises(auth.Gone):
            auth.linked_user(secret, "reset")


def test_only_the_hash_of_a_link_is_kept(desk: TestDesk) -> None:
    secret = link(desk.people.alice, "reset").rsplit("/", 1)[1]
    with db.read() as session:
        row = session.scalars(select(OneTimeLink)).one()
    assert secret not in repr(vars(row)) and row.hashed == auth.hashed(secret)


def test_a_newer_link_takes_the_place_of_an_older_one(desk: TestDesk) -> None:
    old, new = link(desk.people.alice, "reset"), link(desk.people.alice, "reset")
    assert Browser(desk).open(old).status_code == 410 and Browser(desk).open(new).status_code == 200


def test_a_sign_in_link_signs_in_by_its_button(desk: TestDesk) -> None:
    browser = Browser(desk)
    path = link(desk.people.alice, "signin")
    assert "Sign in as Alice" in browser.open(path).text and not is_in(browser)
    assert browser.send(path).headers["Location"] == "/inbox" and is_in(browser)


def test_a_reset_ends_every_session_and_the_old_password_and_signs_nobody_in(desk: TestDesk) -> None:
    alice = has_password(desk, desk.people.alice)
    elsewhere = Browser(desk)
    signs_in(elsewhere)
    spare = link(alice.id, "signin")
    browser = Browser(desk)
    answer = browser.send(link(alice.id, "reset"), password=NEW, again=NEW)
    assert answer.status_code == 200 and "signed out everywhere" in answer.text
    assert not is_in(elsewhere) and not is_in(browser)
    assert Browser(desk).open(spare).status_code == 410, "links given out before are spent as well"
    assert signs_in(Browser(desk)).status_code == 422
    assert signs_in(Browser(desk), password=NEW).status_code == 303


def test_an_open_screen_loses_its_rooms_when_the_password_is_reset(desk: TestDesk) -> None:
    from helpdesk.agents.queries import principal_of
    from helpdesk.app import _socket_again

    has_password(desk, desk.people.alice)
    with db.read() as session:
        alice = session.get_one(User, desk.people.alice)
        watcher = live.Watcher(principal_of(alice), alice.fs_uniquifier)
        assert _socket_again(watcher) is not None
    Browser(desk).send(link(desk.people.alice, "reset"), password=NEW, again=NEW)
    with db.read() as session:
        assert _socket_again(watcher) is None
        assert session.scalar(select(Event.kind).order_by(Event.id.desc()).limit(1)) in live.Watchman.RIGHTS


def test_an_invited_person_says_their_name_chooses_a_password_and_is_in(desk: TestDesk) -> None:
    browser = Browser(desk)
    path = link(desk.people.eve, "invite")
    assert "eve@example.com" in browser.open(path).text
    assert browser.send(path, name="Eve Adams", password=NEW, again=NEW).status_code == 303
    assert is_in(browser)
    with db.read() as session:
        assert session.get_one(User, desk.people.eve).name == "Eve Adams"
    assert signs_in(Browser(desk), "eve@example.com", NEW).status_code == 303


WEAK = [
    ("short", "short", "at least 10 characters"),
    ("alice@example.com", "alice@example.com", "e-mail address is the first thing"),
    ("Password2024!", "Password2024!", "tried first everywhere"),
    ("1234567890", "1234567890", "tried first everywhere"),
    ("qwertyuiop", "qwertyuiop", "tried first everywhere"),
    ("aaaaaaaaaaaa", "aaaaaaaaaaaa", "tried first everywhere"),
    ("x" * 201, "x" * 201, "at most 200 characters"),
    (NEW, NEW + "!", "not the same password"),
]


def test_a_weak_or_mistyped_password_is_refused_in_words_and_the_link_stays_good(desk: TestDesk) -> None:
    path = link(desk.people.alice, "reset")
    for password, again, words in WEAK:
        answer = Browser(desk).send(path, password=password, again=again)
        assert answer.status_code == 422 and words in answer.text, words
        assert password not in answer.text or password == "alice@example.com"
    assert Browser(desk).send(path, password=NEW, again=NEW).status_code == 200


def test_the_password_in_russian_words_will_do(desk: TestDesk) -> None:
    path = link(desk.people.alice, "reset")
    assert Browser(desk).send(path, password="три медведя в лесу", again="три медведя в лесу").status_code == 200
    assert signs_in(Browser(desk), password="три медведя в лесу").status_code == 303


def test_a_deactivated_person_has_no_use_for_a_link(desk: TestDesk) -> None:
    path = link(desk.people.alice, "signin")
    with db.transaction() as session:
        session.get_one(User, desk.people.alice).active = False
    assert Browser(desk).open(path).status_code == 410 and use(Browser(desk), path, "signin") == 410


@pytest.mark.parametrize("path", ["/password/forgotten", "/sign-in/link"])
def test_asking_for_a_link_says_and_records_the_same_whoever_asks(desk: TestDesk, path: str) -> None:
    answers = [Browser(desk).send(path, email=email) for email in ("alice@example.com", "nobody@example.com")]
    assert {answer.status_code for answer in answers} == {200}
    texts = [answer.text.split("<main")[1].split("csrf")[0] for answer in answers]
    assert texts[0].replace("alice@", "…@") == texts[1].replace("nobody@", "…@")
    with db.read() as session:
        asked = session.scalars(select(Event).where(Event.kind == "link_requested").order_by(Event.id)).all()
    assert [(row.user_id, row.actor_kind) for row in asked] == [(desk.people.alice, "link"), (None, "link")]
    assert all("@" not in str(row.data) for row in asked), "addresses and secrets stay out of the history"


def test_the_mail_goes_to_the_account_only_and_its_outbox_row_holds_no_secret(desk: TestDesk) -> None:
    for email in ("alice@example.com", "nobody@example.com"):
        Browser(desk).send("/password/forgotten", email=email)
    desk.work()
    with db.read() as session:
        rows = session.scalars(select(Outgoing)).all()
    assert [row.recipient for row in rows] == ["alice@example.com"]
    assert "/password/new/" not in rows[0].body_text + rows[0].body_html


def test_asking_again_and_again_is_stopped_without_locking_the_door(desk: TestDesk) -> None:
    has_password(desk, desk.people.alice)
    answers = [Browser(desk).send("/sign-in/link", email="alice@example.com").status_code for _ in range(6)]
    assert answers == [200] * 5 + [429]
    assert signs_in(Browser(desk)).status_code == 303


def test_links_in_mails_lead_to_the_configured_address_whatever_host_was_asked(desk: TestDesk) -> None:
    from helpdesk.signin.by_mail import link_for

    with desk.app.test_request_context("/", headers={"Host": "evil.example"}), db.transaction() as session:
        assert link_for(session.get_one(User, desk.people.alice), "reset").startswith("http://localhost/password/new/")
    with desk.app.app_context(), db.transaction() as session:
        assert link_for(session.get_one(User, desk.people.alice), "reset").startswith("http://localhost/password/new/")


def test_two_who_use_one_link_at_once_are_one(desk: TestDesk) -> None:
    secret = link(desk.people.alice, "signin").rsplit("/", 1)[1]
    with db.transaction():
        assert auth.linked_user(secret, "signin").id == desk.people.alice
        assert auth.spend_link(secret, "signin").id == desk.people.alice
        with pytest.raises(auth.Gone):
            auth.spend_link(secret, "signin")
