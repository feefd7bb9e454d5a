"""The front door: who gets in, who does not, and what a guesser can learn."""

from __future__ import annotations

import time
from typing import Any

import pytest
from sqlalchemy import func, select

from helpdesk import clock, db, passwords
from helpdesk.auth import SignInTry, User
from helpdesk.events import Event
from tests.desks import TestDesk
from tests.forms import Browser
from tests.people import PASSWORD


@pytest.fixture
def alice(desk: TestDesk) -> User:
    """Alice has chosen PASSWORD."""
    return has_password(desk, desk.people.alice)


def has_password(desk: TestDesk, user: int, password: str = PASSWORD) -> User:
    with desk.app.app_context():
        stored = passwords.kept(password)
    with db.transaction() as session:
        row = session.get_one(User, user)
        row.password = stored
    return row


def signs_in(browser: Browser, email: str = "alice@example.com", password: str = PASSWORD, **more: Any) -> Any:
    return browser.send("/sign-in", email=email, password=password, **more)


def is_in(browser: Browser) -> bool:
    return browser.open("/me").status_code == 200


def test_alice_signs_in_with_her_address_however_it_is_typed_and_lands_on_her_tickets(desk: TestDesk, alice: User) -> None:
    browser = Browser(desk)
    answer = signs_in(browser, " Alice@Example.com ")
    assert answer.status_code == 303 and answer.headers["Location"] == "/inbox"
    assert is_in(browser)
    with db.read() as session:
        assert session.get_one(User, alice.id).last_login_at is not None
        assert session.scalars(select(Event.user_id).where(Event.kind == "signed_in")).all() == [alice.id]
        assert session.scalar(select(func.count()).select_from(SignInTry)) == 0, "a try that succeeded counts against nobody"


def test_everybody_lands_where_their_work_is(desk: TestDesk) -> None:
    for user, place in ((desk.people.dana, "/wallboard"), (desk.people.ada, "/inbox")):
        row = has_password(desk, user)
        assert signs_in(Browser(desk), row.email).headers["Location"] == place


def test_the_page_asked_for_comes_after_signing_in_but_never_another_site(desk: TestDesk, alice: User) -> None:
    asked = Browser(desk).open("/me?tab=1&more=2")
    assert asked.status_code == 303 and asked.headers["Location"] == "/sign-in?next=/me%3Ftab%3D1%26more%3D2"
    assert signs_in(Browser(desk), next="/me?tab=1&more=2").headers["Location"] == "/me?tab=1&more=2"
    evil = ("https://evil.example/", "//evil.example", "/\\evil.example", "\\\\evil.example", "/\t/evil.example", "javascript:alert(1)",
            "http:evil.example", " //evil.example", "///evil.example")  # fmt: skip
    for address in evil:
        assert signs_in(Browser(desk), next=address).headers["Location"] == "/inbox", address


def test_a_wrong_password_an_unknown_address_and_a_deactivated_person_get_the_same_answer_from_the_same_work(
    desk: TestDesk, alice: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    gone = has_password(desk, desk.people.bob)
    with db.transaction() as session:
        session.get_one(User, gone.id).active = False
    compared: list[str] = []
    real = passwords.verify_password

    def verify_password(password: str, stored: str) -> bool:
        compared.append(stored)
        return bool(real(password, stored))

    monkeypatch.setattr(passwords, "verify_password", verify_password)
    answers = []
    cases = [
        ("alice@example.com", "wrong wrong wrong"),
        ("nobody@example.com", PASSWORD),
        ("bob@example.com", PASSWORD),
        ("eve@example.com", PASSWORD),
    ]
    for email, password in cases:
        answer = signs_in(Browser(desk), email, password)
        assert answer.status_code == 422
        answers.append(answer.text.split("<main")[1].replace(email, "…"))
    strip = [text.split('name="csrf_token"')[0] for text in answers]
    assert len(set(strip)) == 1
    assert len(compared) == len(cases), "each case compares one password"
    assert all(stored.startswith("$argon2id$") for stored in compared)


@pytest.mark.slow
@pytest.mark.parametrize("engine", ["sqlite"], indirect=True)
def test_unknown_accounts_take_about_as_long(desk: TestDesk, alice: User) -> None:
    def took(email: str) -> float:
        browser = Browser(desk)
        token = browser.token()
        begun = time.perf_counter()
        browser.client.post("/sign-in", data={"csrf_token": token, "email": email, "password": "wrong wrong wrong"})
        return time.perf_counter() - begun

    took("warm@example.com")
    known = min(took("alice@example.com") for _ in range(4))
    unknown = min(took(f"nobody{n}@example.com") for n in range(4))
    assert 0.4 < unknown / known < 2.5


def test_five_wrong_tries_close_the_account_for_a_quarter_of_an_hour_even_for_the_right_password(
    desk: TestDesk, alice: User, stopped: clock.Hand
) -> None:
    for _ in range(5):
        assert signs_in(Browser(desk), password="wrong wrong wrong").status_code == 422
    closed = signs_in(Browser(desk))
    assert closed.status_code == 429 and closed.headers["Retry-After"] == "900"
    assert signs_in(Browser(desk), "eve@example.com").status_code == 422, "others are not locked out"
    stopped.move(minutes=16)
    assert signs_in(Browser(desk)).status_code == 303


def test_four_wrong_tries_are_forgotten_by_a_right_one(desk: TestDesk, alice: User) -> None:
    for _round in range(2):
        for _ in range(4):
            signs_in(Browser(desk), password="wrong wrong wrong")
        assert signs_in(Browser(desk)).status_code == 303


def test_one_address_that_tries_many_accounts_is_stopped(desk: TestDesk, alice: User) -> None:
    with db.transaction() as session:
        from helpdesk.auth import hashed

        session.add_all(SignInTry(who=hashed("127.0.0.1"), at=clock.now()) for _ in range(50))
    assert signs_in(Browser(desk)).status_code == 429


def test_unknown_accounts_run_out_of_tries_as_well(desk: TestDesk) -> None:
    answers = [signs_in(Browser(desk), "nobody@example.com").status_code for _ in range(6)]
    assert answers == [422] * 5 + [429]


def test_what_is_no_address_is_refused_like_a_wrong_one(desk: TestDesk, alice: User) -> None:
    for email in ["", " ", "alice", "@", "alice@example.com\x00", "x" * 400 + "@example.com", "a b@example.com"]:
        assert signs_in(Browser(desk), email).status_code == 422, email


def test_somebody_who_never_chose_a_password_cannot_sign_in_with_an_empty_one(desk: TestDesk) -> None:
    for password in ("", " ", "None", "null"):
        assert signs_in(Browser(desk), "eve@example.com", password).status_code == 422


def test_a_form_without_its_token_is_refused(desk: TestDesk, alice: User) -> None:
    browser = Browser(desk)
    answer = browser.client.post("/sign-in", data={"email": "alice@example.com", "password": PASSWORD})
    assert answer.status_code == 400 and "too old" in answer.text and not is_in(browser)


def test_signing_out_ends_the_session_and_needs_a_form(desk: TestDesk, alice: User) -> None:
    browser = Browser(desk)
    signs_in(browser)
    assert browser.open("/sign-out").status_code == 405 and is_in(browser)
    assert browser.send("/sign-out", page="/me").status_code == 303
    assert not is_in(browser)


def test_a_remembered_device_comes_back_and_forgets_on_signing_out(desk: TestDesk, alice: User) -> None:
    browser = Browser(desk)
    signs_in(browser, remember="1")
    browser.client.delete_cookie("desk")
    assert is_in(browser), "the device is remembered"
    browser.send("/sign-out", page="/me")
    assert not is_in(browser)
    other = Browser(desk)
    signs_in(other)
    other.client.delete_cookie("desk")
    assert not is_in(other), "nobody asked to be remembered"


def test_nothing_of_an_earlier_session_survives_but_how_pages_look(desk: TestDesk, alice: User) -> None:
    browser = Browser(desk)
    browser.send("/language", lang="ru")
    with browser.client.session_transaction() as session:
        session["planted"] = "by somebody before"
    signs_in(browser)
    with browser.client.session_transaction() as session:
        assert "planted" not in session and session["lang"] == "ru"
