"""`helpdesk user …`: the first administrator and locked-out people, on a desk of their own."""

from __future__ import annotations

import re

import pytest
from click.testing import CliRunner, Result
from sqlalchemy import select

from helpdesk import cli, db, passwords
from helpdesk.auth import OneTimeLink, Role, User
from tests.desks import TestDesk
from tests.forms import Browser

GOOD = "four ordinary words together"


@pytest.fixture
def run(desk: TestDesk, monkeypatch: pytest.MonkeyPatch):  # type: ignore[no-untyped-def]
    """Commands on this desk."""
    monkeypatch.setattr(cli, "desk", lambda **_options: desk.app)

    def call(*words: str, typed: str = "") -> Result:
        return CliRunner().invoke(cli.helpdesk, ["user", *words], input=typed)

    return call


def user(email: str) -> User:
    with db.read() as session:
        return session.scalars(select(User).where(User.email == email)).one()


def test_the_first_administrator_types_a_password_twice(desk: TestDesk, run) -> None:  # type: ignore[no-untyped-def]
    done = run("create", "Boss@Example.com", "--role", "admin", "--name", "The Boss", typed=f"{GOOD}\n{GOOD}\n")
    assert done.exit_code == 0, done.output
    assert GOOD not in done.output
    boss = user("boss@example.com")
    assert (boss.name, boss.role) == ("The Boss", Role.ADMIN)
    with desk.app.app_context():
        assert passwords.right(GOOD, boss.password)


def test_there_is_no_weak_and_no_default_password(desk: TestDesk, run) -> None:  # type: ignore[no-untyped-def]
    for typed in ["short\n", "boss@example.com\n", "\n", ""]:
        done = run("create", "boss@example.com", "--role", "admin", "--password-stdin", typed=typed)
        assert done.exit_code == 1 and "Error" in done.output, typed
    with db.read() as session:
        assert session.scalar(select(User).where(User.email == "boss@example.com")) is None


def test_an_address_that_is_taken_or_none_is_refused(desk: TestDesk, run) -> None:  # type: ignore[no-untyped-def]
    for email in ("alice@example.com", "nonsense"):
        done = run("create", email, "--link")
        assert done.exit_code == 1 and "email" in done.output


def test_a_printed_link_lets_the_person_choose(desk: TestDesk, run) -> None:  # type: ignore[no-untyped-def]
    done = run("create", "frank@example.com", "--link")
    link = re.search(r"http://localhost(/invitation/\S+)", done.output)
    assert link and user("frank@example.com").password is None
    assert Browser(desk).send(link[1], name="Frank", password=GOOD, again=GOOD).status_code == 303
    reset = re.search(r"http://localhost(/password/new/\S+)", run("reset-password", "frank@example.com", "--link").output)
    assert reset and Browser(desk).open(reset[1]).status_code == 200


def test_a_reset_ends_sessions_and_links(desk: TestDesk, run) -> None:  # type: ignore[no-untyped-def]
    alice = Browser(desk, desk.people.alice)
    run("reset-password", "alice@example.com", "--link")
    assert alice.open("/me").status_code == 200
    assert run("reset-password", "alice@example.com", "--password-stdin", typed=GOOD + "\n").exit_code == 0
    assert alice.open("/me").status_code == 303
    with db.read() as session:
        assert not session.scalars(select(OneTimeLink)).all()


def test_roles_listing_and_deactivation(desk: TestDesk, run) -> None:  # type: ignore[no-untyped-def]
    last = run("role", "ada@example.com", "agent")
    assert last.exit_code == 1 and "last administrator" in last.output
    assert run("role", "dana@example.com", "admin").exit_code == 0 and user("dana@example.com").role is Role.ADMIN
    asked = run("deactivate", "alice@example.com", typed="n\n")
    assert asked.exit_code == 1 and user("alice@example.com").active
    assert run("deactivate", "alice@example.com", "--yes").exit_code == 0 and not user("alice@example.com").active
    assert "alice@example.com" not in run("list").output
    assert re.search(r"agent +deactivated +alice@example.com", run("list", "--all").output)
    assert run("deactivate", "nobody@example.com", "--yes").exit_code == 1
    assert run("role", "alice@example.com", "owner").exit_code == 2
