"""One's own profile, and how pages look."""

from __future__ import annotations

import pytest

from helpdesk import db
from helpdesk.auth import Role, User
from tests import people
from tests.desks import TestDesk
from tests.forms import Browser
from tests.integration.signin.test_links_by_mail import NEW
from tests.integration.signin.test_signing_in import has_password, is_in, signs_in
from tests.people import PASSWORD


def row(user: int) -> User:
    with db.read() as session:
        return session.get_one(User, user)


def customer(desk: TestDesk) -> int:
    """Carol with an account."""
    with db.transaction():
        return people.person("Carol", Role.CUSTOMER, email="carol@customer.example", contact_id=desk.people.carol).id


@pytest.mark.parametrize("who", ["alice", "dana", "ada", "carol"])
def test_everybody_changes_their_own_name_and_looks(desk: TestDesk, who: str) -> None:
    user = customer(desk) if who == "carol" else getattr(desk.people, who)
    browser = Browser(desk, user)
    answer = browser.save("/me", name="  Another   Name ", language="ru", theme="dark", time_zone="Europe/Moscow")
    assert answer.status_code == 303
    changed = row(user)
    assert (changed.name, changed.language, changed.theme, changed.time_zone) == ("Another Name", "ru", "dark", "Europe/Moscow")
    page = browser.open("/me").text
    assert '<html lang="ru" data-theme="dark">' in page


def test_nobody_reaches_a_profile_without_signing_in(desk: TestDesk) -> None:
    browser = Browser(desk)
    assert browser.open("/me").status_code == 303
    for path in ("/me", "/me/password", "/me/sessions"):
        assert browser.send(path, name="Eve", version="1").status_code == 401


REFUSED = [("name", " "), ("name", "x" * 121), ("language", "xx"), ("theme", "pink"), ("time_zone", "Mars/Olympus"), ("density", "")]


def test_what_cannot_be_is_refused_and_what_was_typed_stays(desk: TestDesk) -> None:
    for field, value in REFUSED:
        answer = Browser(desk, desk.people.alice).save("/me", **{"name": "Alicia", field: value})
        assert answer.status_code == 422, (field, value)
        assert row(desk.people.alice).name == "Alice"
        if field != "name":
            assert 'value="Alicia"' in answer.text


def test_a_profile_changed_meanwhile_is_not_overwritten_unseen(desk: TestDesk) -> None:
    browser = Browser(desk, desk.people.alice)
    assert browser.save("/me", name="First").status_code == 303
    stale = browser.save("/me", name="Second", version="1")
    assert stale.status_code == 409 and "Somebody saved a change" in stale.text and 'value="Second"' in stale.text
    assert row(desk.people.alice).name == "First"


def test_a_new_password_needs_the_current_one_and_signs_out_the_other_devices_only(desk: TestDesk) -> None:
    has_password(desk, desk.people.alice)
    here, elsewhere = Browser(desk), Browser(desk)
    signs_in(here)
    signs_in(elsewhere)
    wrong = here.send("/me/password", page="/me", current="not this one at all", password=NEW, again=NEW)
    assert wrong.status_code == 422 and "not your current password" in wrong.text and is_in(elsewhere)
    weak = here.send("/me/password", page="/me", current=PASSWORD, password="short", again="short")
    assert weak.status_code == 422
    assert here.send("/me/password", page="/me", current=PASSWORD, password=NEW, again=NEW).status_code == 303
    assert is_in(here) and not is_in(elsewhere)
    assert signs_in(Browser(desk), password=NEW).status_code == 303


def test_guessing_the_current_password_on_an_open_screen_is_stopped(desk: TestDesk) -> None:
    has_password(desk, desk.people.alice)
    browser = Browser(desk, desk.people.alice)
    answers = [browser.send("/me/password", page="/me", current="wrong wrong", password=NEW, again=NEW).status_code for _ in range(6)]
    assert answers == [422] * 5 + [429]


def test_signing_out_everywhere_else_keeps_this_browser(desk: TestDesk) -> None:
    has_password(desk, desk.people.alice)
    here, elsewhere = Browser(desk), Browser(desk)
    signs_in(here, remember="1")
    signs_in(elsewhere, remember="1")
    assert here.send("/me/sessions", page="/me").status_code == 303
    assert is_in(here) and not is_in(elsewhere)
    here.client.delete_cookie("desk")
    assert is_in(here), "this device is still remembered"


def test_language_and_theme_for_somebody_we_do_not_know(desk: TestDesk) -> None:
    browser = Browser(desk)
    answer = browser.client.post(
        "/language", data={"csrf_token": browser.token(), "lang": "ru"}, headers={"Referer": "http://localhost/sign-in?lang=en&next=/me"}
    )
    assert answer.status_code == 303 and answer.headers["Location"] == "/sign-in?next=/me"
    browser.send("/theme", theme="dark")
    assert '<html lang="ru" data-theme="dark">' in browser.open("/sign-in").text


def test_language_theme_and_density_follow_the_person_to_another_device(desk: TestDesk) -> None:
    browser = Browser(desk, desk.people.alice)
    for path, fields in (("/language", {"lang": "ru"}), ("/theme", {"theme": "light"}), ("/theme", {"density": "compact"})):
        assert browser.send(path, page="/me", **fields).status_code == 303
    alice = row(desk.people.alice)
    assert (alice.language, alice.theme, alice.density, alice.version) == ("ru", "light", "compact", 1)
    assert '<html lang="ru" data-theme="light">' in Browser(desk, desk.people.alice).open("/me").text


def test_a_language_or_theme_that_does_not_exist_is_refused(desk: TestDesk) -> None:
    browser = Browser(desk)
    cases: list[tuple[str, dict[str, str]]] = [("/language", {"lang": "xx"}), ("/language", {}), ("/theme", {"theme": "x"}), ("/theme", {})]
    for path, fields in cases:
        assert browser.send(path, **fields).status_code == 422, (path, fields)


def test_looks_need_a_form_and_lead_back_to_our_pages_only(desk: TestDesk) -> None:
    browser = Browser(desk)
    assert browser.open("/theme").status_code == 405
    assert browser.client.post("/theme", data={"theme": "dark"}).status_code == 400
    assert browser.send("/theme", theme="dark", next="//evil.example").headers["Location"] == "/"
    away = browser.client.post(
        "/theme", data={"csrf_token": browser.token(), "theme": "dark"}, headers={"Referer": "http://evil.example/page"}
    )
    assert away.headers["Location"] == "/"
