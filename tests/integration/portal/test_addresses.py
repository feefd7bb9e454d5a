"""Customers keep their own addresses: confirmed by a link to the new one, told to the old one, and nobody takes somebody else's."""

from __future__ import annotations

import re

import pytest
from sqlalchemy import select

from helpdesk import clock, db, passwords
from helpdesk.auth import Role, User
from helpdesk.channels.email.models import Outgoing, OutgoingKind
from helpdesk.channels.portal.models import AddressWish
from helpdesk.crm.base_models import FieldChange
from helpdesk.crm.models import Identity
from tests import people
from tests.desks import TestDesk
from tests.forms import Browser

PASSWORD = "a pot of green tea"


@pytest.fixture
def carla(desk: TestDesk, stopped: clock.Hand) -> Browser:
    """Carol, signed in to her account."""
    with desk.app.app_context():
        stored = passwords.kept(PASSWORD)
    with db.transaction():
        user = people.person("Carla", Role.CUSTOMER, email="carol@customer.example", contact_id=desk.people.carol, password=stored)
    return Browser(desk, user.id)


def mails(to: str = "") -> list[tuple[str, str]]:
    """(address, text) of what was sent about addresses."""
    with db.read() as session:
        found = select(Outgoing).where(Outgoing.kind == OutgoingKind.ADDRESS).order_by(Outgoing.id)
        return [(row.recipient, row.body_text) for row in session.scalars(found) if row.recipient == to or not to]


def link(to: str) -> str:
    found = re.search(r"http://localhost(/my/addresses/confirm/\S+)", mails(to)[-1][1])
    assert found
    return found[1]


def addresses(desk: TestDesk, contact: int = 0) -> dict[str, Identity]:
    with db.read() as session:
        found = select(Identity).where(Identity.contact_id == (contact or desk.people.carol))
        return {row.value_norm: row for row in session.scalars(found)}


def asks(carla: Browser, address: str) -> int:
    return carla.send("/my/addresses", kind="email", email=address).status_code


def test_a_new_address_is_theirs_once_its_link_was_followed_and_the_old_one_is_told(desk: TestDesk, carla: Browser) -> None:
    assert asks(carla, "Carol@New.example") == 303
    assert "waits for its link" in carla.open("/my/profile").text and "carol@new.example" not in addresses(desk)
    url = link("Carol@new.example")
    page = carla.open(url)
    assert "Is Carol@new.example your address?" in page.text and "carol@new.example" not in addresses(desk)
    assert carla.send(url).status_code == 303
    assert addresses(desk)["carol@new.example"].verified_at is not None
    assert "This address is yours here now: Carol@new.example." in mails("carol@customer.example")[-1][1]
    assert carla.send(url).status_code == 410
    with db.read() as session:
        kept = session.scalars(select(FieldChange).where(FieldChange.contact_id == desk.people.carol, FieldChange.field == "identities"))
        assert {(row.via, row.new["value"]) for row in kept if row.new} == {("portal", "Carol@new.example")}


def test_the_link_ends_with_its_day_and_when_it_is_forgotten(desk: TestDesk, carla: Browser, stopped: clock.Hand) -> None:
    asks(carla, "carol@new.example")
    first = link("carol@new.example")
    stopped.move(hours=25)
    assert carla.open(first).status_code == 410 and carla.send(first).status_code == 410
    assert "no longer works" in carla.open(first).text
    asks(carla, "carol@new.example")
    second = link("carol@new.example")
    with db.read() as session:
        wish = session.scalars(select(AddressWish)).one()
    assert carla.send(f"/my/addresses/waiting/{wish.id}/removal").status_code == 303
    assert carla.send(second).status_code == 410 and carla.send(f"/my/addresses/waiting/{wish.id}/removal").status_code == 404
    assert "carol@new.example" not in addresses(desk)


def test_an_address_of_somebody_else_stays_theirs_and_the_page_does_not_tell(desk: TestDesk, carla: Browser) -> None:
    told = carla.send("/my/addresses", kind="email", email="oleg@klient.example")
    assert told.status_code == 303 and "We sent a link to oleg@klient.example" in carla.open("/my/profile").text
    (mail,) = mails("oleg@klient.example")
    assert "/confirm/" not in mail[1] and "nothing was changed" in mail[1]
    asks(carla, "free@new.example")
    url = link("free@new.example")
    with db.transaction() as session:
        session.add(Identity(contact_id=desk.people.oleg, kind="email", value="free@new.example", value_norm="free@new.example"))
    late = carla.send(url)
    assert late.status_code == 409 and "write to us" in late.text
    assert set(addresses(desk)) == {"carol@customer.example"}


def test_only_who_asked_can_confirm_so_a_stranger_who_clicks_joins_nothing(desk: TestDesk, carla: Browser) -> None:
    with db.transaction():
        oleg = people.person("Olga", Role.CUSTOMER, contact_id=desk.people.oleg).id
    asks(carla, "stranger@new.example")
    url = link("stranger@new.example")
    stranger = Browser(desk, oleg)
    assert stranger.open(url).status_code == 404 and stranger.send(url, page="/my").status_code == 404
    assert "/sign-in" in Browser(desk).open(url).headers.get("Location", "/sign-in")
    assert carla.open(url[:-3] + "xyz").status_code == 410
    assert Browser(desk, desk.people.alice).open(url).status_code == 404
    assert "stranger@new.example" not in addresses(desk) | addresses(desk, desk.people.oleg)


def test_signing_in_with_another_address_needs_the_password_and_a_confirmed_address(desk: TestDesk, carla: Browser) -> None:
    asks(carla, "carol@new.example")
    carla.send(link("carol@new.example"))
    new, old = (addresses(desk)[name].id for name in ("carol@new.example", "carol@customer.example"))
    wrong = carla.send(f"/my/addresses/{new}/sign-in", password="guess")
    assert wrong.status_code == 422 and "not your password" in wrong.text
    assert carla.send(f"/my/addresses/{new}/sign-in", password=PASSWORD).status_code == 303
    with db.read() as session:
        assert session.scalars(select(User.email).where(User.contact_id == desk.people.carol)).one() == "carol@new.example"
    assert "you sign in with another address" in mails("carol@customer.example")[-1][1]
    assert carla.send(f"/my/addresses/{old}/sign-in", password=PASSWORD).status_code == 409
    assert carla.send(f"/my/addresses/{new}/removal").status_code == 409
    assert carla.send(f"/my/addresses/{old}/removal").status_code == 303 and set(addresses(desk)) == {"carol@new.example"}
    assert "not yours here any more" in mails("carol@new.example")[-1][1]


def test_an_account_without_a_password_needs_a_fresh_mailed_link(desk: TestDesk, carla: Browser, stopped: clock.Hand) -> None:
    asks(carla, "carol@new.example")
    carla.send(link("carol@new.example"))
    new = addresses(desk)["carol@new.example"].id
    with db.transaction() as session:
        user = session.scalars(select(User).where(User.contact_id == desk.people.carol)).one()
        user.password, user.last_login_at = None, clock.now()
    stopped.move(minutes=20)
    assert carla.send(f"/my/addresses/{new}/sign-in").status_code == 422
    with db.transaction() as session:
        session.get_one(User, user.id).last_login_at = clock.now()
    assert carla.send(f"/my/addresses/{new}/sign-in").status_code == 303


def test_a_phone_number_is_added_preferred_and_removed(desk: TestDesk, carla: Browser) -> None:
    assert carla.send("/my/addresses", kind="phone", phone="+44 20 7946 0018").status_code == 303
    phone = addresses(desk)["+442079460018"]
    assert phone.verified_at is None and "+44 20 7946 0018" in mails("carol@customer.example")[-1][1]
    assert carla.send(f"/my/addresses/{phone.id}").status_code == 303 and addresses(desk)["+442079460018"].preferred
    assert carla.send(f"/my/addresses/{phone.id}/sign-in", password=PASSWORD).status_code == 409
    assert carla.send(f"/my/addresses/{phone.id}/removal").status_code == 303 and "+442079460018" not in addresses(desk)


@pytest.mark.parametrize("engine", ["sqlite"], indirect=True)
@pytest.mark.parametrize(
    ("kind", "typed", "words"),
    [
        ("email", "not an address", "is not an e-mail address"),
        ("email", "carol@customer.example", "This is your address already"),
        ("email", "", "This field is needed"),
        ("phone", "+44 12", "too short"),
        ("phone", "oleg's", "phone number"),
    ],
)
def test_what_is_no_address_is_said_and_stays_in_the_field(desk: TestDesk, carla: Browser, kind: str, typed: str, words: str) -> None:
    answer = carla.send("/my/addresses", kind=kind, **{kind: typed})
    assert answer.status_code == 422 and mails() == []
    if words != "This field is needed":
        assert words in answer.text


def test_nobody_touches_the_addresses_of_others(desk: TestDesk, carla: Browser) -> None:
    theirs = next(iter(addresses(desk, desk.people.oleg).values())).id
    for deed in ("", "/removal", "/sign-in"):
        assert carla.send(f"/my/addresses/{theirs}{deed}", password=PASSWORD).status_code == 404
    for number in range(6):
        status = asks(carla, f"many{number}@new.example")
    assert status == 422 and len(mails()) == 5
    assert set(addresses(desk, desk.people.oleg)) == {"oleg@klient.example"}
