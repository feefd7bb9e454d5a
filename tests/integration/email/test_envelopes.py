"""Who handed a mail over: a stranger's right to the domain is looked up (SPF) where no server in front of us did, our own house's not."""

from __future__ import annotations

from datetime import timedelta

import pytest

from helpdesk import clock, config, db
from helpdesk.actor import SYSTEM
from helpdesk.channels.email import listener, privacy, trusted
from helpdesk.tickets.models import Inbox
from tests.desks import TestDesk
from tests.forms import Browser
from tests.integration.email.conftest import MailDoor, arrivals, both_engines, letter, messages, tickets
from tests.zone import Zone

STRANGER = "203.0.114.9"


@pytest.fixture
def from_outside(monkeypatch: pytest.MonkeyPatch) -> None:
    """Mail comes from a stranger's machine, although the test's own is on this one."""
    monkeypatch.setattr(listener, "outside", lambda _peer, _relays: STRANGER)


@both_engines
def test_a_stranger_that_the_domain_lets_speak_proves_the_sender_and_the_agent_sees_it(
    desk: TestDesk, door: MailDoor, dns: dict[str, bytes], from_outside: None
) -> None:
    dns["customer.example"] = b"v=spf1 ip4:203.0.114.0/24 -all"
    door.send(letter())
    assert (arrivals()[0].peer, arrivals()[0].helo) == (STRANGER, "mx.example")
    desk.work()
    assert messages()[0].sender_checks == {"verdict": "proven", "spf": "pass", "dkim": "none", "dmarc": "", "by": "desk"}
    thread = desk.client(desk.people.alice).get(f"/inbox/{tickets()[0].number}").text
    assert "Sender confirmed" in thread and "SPF pass, DKIM none; checked by the desk itself" in thread
    page = Browser(desk, desk.people.ada).open(f"/admin/mail/{arrivals()[0].id}").text
    assert STRANGER in page and "mx.example" in page


@pytest.mark.parametrize("record", [b"v=spf1 -all", b"", None])
def test_a_stranger_that_it_does_not_let_speak_proves_nothing_and_the_mail_is_taken_in(
    desk: TestDesk, door: MailDoor, dns: dict[str, bytes | None], from_outside: None, record: bytes | None
) -> None:
    dns["customer.example"] = record
    assert door.send(letter()).startswith("250")
    desk.work()
    checks = messages()[0].sender_checks
    assert checks["verdict"] == "unproven" and checks["spf"] == {b"v=spf1 -all": "fail", b"": "none", None: "temperror"}[record]
    assert "Sender not confirmed" in desk.client(desk.people.alice).get(f"/inbox/{tickets()[0].number}").text


def test_a_colleague_whose_envelope_is_anothers_is_not_believed(
    desk: TestDesk, door: MailDoor, dns: dict[str, bytes], from_outside: None
) -> None:
    dns["evil.example"] = b"v=spf1 +all"
    door.send(letter(sender="Alice <alice@example.com>"), sender="x@evil.example")
    desk.work()
    assert messages()[0].sender_checks["verdict"] == "unproven" and any("colleague" in said for said in messages()[0].warnings)


def test_mail_of_our_own_house_is_not_looked_up(desk: TestDesk, door: MailDoor, dns: dict[str, bytes]) -> None:
    dns["customer.example"] = b"v=spf1 -all"
    door.send(letter())
    desk.work()
    assert arrivals()[0].peer == "" and arrivals()[0].helo == "" and messages()[0].sender_checks == {}


def test_where_the_inbox_believes_its_own_mail_server_nobody_is_asked(
    desk: TestDesk, door: MailDoor, dns: Zone, from_outside: None
) -> None:
    with db.transaction() as session:
        trusted.trust(session.get_one(Inbox, desk.people.mail), "mx.example.com", by=SYSTEM)
    door.send(b"Authentication-Results: mx.example.com; dmarc=pass header.from=customer.example\r\n" + letter())
    desk.work()
    assert messages()[0].sender_checks["by"] == "mx.example.com" and messages()[0].sender_checks["spf"] == ""


def test_our_relays_on_the_internet_are_named_in_the_settings(desk: TestDesk) -> None:
    found = config.load({"HELPDESK_DATA": str(desk.settings.data), "SECRET_KEYS": "k" * 40, "MAIL_RELAYS": "203.0.114.9, 2001:db8::/32"})
    assert listener.outside(STRANGER, found.mail_relays) == "" and listener.outside("203.0.114.10", found.mail_relays) != ""
    with pytest.raises(config.SettingsError, match="MAIL_RELAYS"):
        config.load({"HELPDESK_DATA": str(desk.settings.data), "SECRET_KEYS": "k" * 40, "MAIL_RELAYS": "mx.example.com"})


def test_the_strangers_address_goes_with_the_original(desk: TestDesk, door: MailDoor, from_outside: None, stopped: clock.Hand) -> None:
    door.send(letter())
    desk.work()
    with db.transaction():
        privacy._drop(clock.now() - timedelta(days=1), 10)
    assert arrivals()[0].peer == STRANGER, "it is young"
    with db.transaction():
        privacy._drop(clock.now() + timedelta(seconds=1), 10)
    assert (arrivals()[0].peer, arrivals()[0].helo) == ("", "") and arrivals()[0].sender == "carol@customer.example"
