"""Inboxes and preferences: doors with an address, a mail server whose password nobody reads again, and how the desk works."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import fields

import pytest
from sqlalchemy import select

from helpdesk import db, links, vault
from helpdesk.agents.admin.preferences import ELSEWHERE
from helpdesk.errors import Unavailable
from helpdesk.events import Event
from helpdesk.preferences import Preferences, preferences
from helpdesk.tickets import inboxes as verbs
from helpdesk.tickets.models import Channel, Inbox
from tests.desks import TestDesk
from tests.forms import Browser

SECRET = "hunter2-canary-secret"


def inbox(inbox_id: int) -> Inbox:
    with db.read() as session:
        return session.get_one(Inbox, inbox_id)


def test_a_new_mail_inbox_takes_an_address_a_queue_and_a_signature(desk: TestDesk) -> None:
    ada = Browser(desk, desk.people.ada)
    answer = ada.save(
        "/admin/inboxes/new", to="/admin/inboxes", name="Sales", address=" Sales@Example.COM ", queue_id=str(desk.people.billing),
        sender_name="Sales\r\nBcc: all@example.com", signature="Yours\r\nSales", language="ru",
    )  # fmt: skip
    assert answer.status_code == 303
    with db.read() as session:
        made = session.scalars(select(Inbox).where(Inbox.name == "Sales")).one()
    assert (made.channel, made.address, made.queue_id, made.language) == (Channel.EMAIL, "sales@example.com", desk.people.billing, "ru")
    assert made.sender_name == "Sales Bcc: all@example.com", "no line break reaches a header"
    assert made.signature == "Yours\nSales"


REFUSED = [
    ("address", "Billing@example.com", "address of “Billing mail” already"),
    ("address", "", "needs its address"),
    ("address", "not an address", "is not an e-mail address"),
    ("name", " ", "fill this in"),
    ("queue_id", "999", "queue that is switched on"),
    ("smtp_url", "http://mail.example.com", "This is not an address such as"),
    ("smtp_url", "smtp://user:pass word@mail.example.com", "This is not an address such as"),
    ("smtp_url", "smtp://mail.example.com?tls=maybe", "This is not an address such as"),
    ("smtp_url", "smtp://u:p@mail.example.com/" + "x" * 300, "This is not an address such as"),
    ("signature", "x" * 5001, "shorten this to 5000"),
]


def test_what_cannot_be_is_refused(desk: TestDesk) -> None:
    for field, value, words in REFUSED:
        answer = Browser(desk, desk.people.ada).save(f"/admin/inboxes/{desk.people.mail}", **{field: value})
        assert answer.status_code == 422 and words in answer.text, (field, value)
    assert inbox(desk.people.mail).version == 1


def test_a_catch_all_is_an_address_too(desk: TestDesk) -> None:
    for address in ("*", "*@example.com"):
        assert Browser(desk, desk.people.ada).save(f"/admin/inboxes/{desk.people.mail}", address=address).status_code == 303
        assert inbox(desk.people.mail).address == address


def test_an_inbox_changed_meanwhile_is_not_overwritten_unseen(desk: TestDesk) -> None:
    ada, page = Browser(desk, desk.people.ada), f"/admin/inboxes/{desk.people.mail}"
    assert ada.save(page, name="Mail").status_code == 303
    assert ada.save(page, name="Post", version="1").status_code == 409 and inbox(desk.people.mail).name == "Mail"


def test_the_mail_servers_password_is_kept_encrypted_and_never_shown_again(desk: TestDesk, caplog: pytest.LogCaptureFixture) -> None:
    ada, page = Browser(desk, desk.people.ada), f"/admin/inboxes/{desk.people.mail}"
    assert ada.save(page, smtp_url=f"smtp://ada:{SECRET}@mail.example.com:587?tls=starttls").status_code == 303
    stored = inbox(desk.people.mail).smtp_url
    assert SECRET not in stored and SECRET in vault.unseal(stored)
    shown = ada.open(page).text
    assert SECRET not in shown and "smtp://ada:•••@mail.example.com:587" in shown
    ada.save(page, name="Renamed")
    assert inbox(desk.people.mail).smtp_url == stored, "an empty field changes nothing"
    with db.read() as session:
        assert SECRET not in "".join(str(row.data) for row in session.scalars(select(Event)))
    refused = ada.save(page, name="", smtp_url=f"smtp://ada:{SECRET}@other.example.com")
    assert refused.status_code == 422 and SECRET not in refused.text and SECRET not in caplog.text
    ada.save(page, smtp_remove="1")
    assert inbox(desk.people.mail).smtp_url == ""


def test_a_rotated_key_still_opens_and_a_lost_one_says_so(desk: TestDesk) -> None:
    ada, page = Browser(desk, desk.people.ada), f"/admin/inboxes/{desk.people.mail}"
    ada.save(page, smtp_url=f"smtp://ada:{SECRET}@mail.example.com")
    stored = inbox(desk.people.mail).smtp_url
    links.use(("n" * 40, "k" * 40))
    assert SECRET in vault.unseal(stored)
    links.use(("n" * 40,))
    with pytest.raises(Unavailable):
        vault.unseal(stored)
    assert "enter it again" in ada.open(page).text
    links.use(("k" * 40,))


@contextmanager
def server(*lines: bytes) -> Iterator[int]:
    """A server that says these lines, one after each line it hears, and then hangs up."""
    if not lines:
        yield 0
        return
    listener = socket.create_server(("127.0.0.1", 0))

    def talk() -> None:
        try:
            link, _ = listener.accept()
        except OSError:
            return
        with link:
            link.settimeout(5)
            for number, line in enumerate(lines):
                if number:
                    link.recv(1000)
                link.sendall(line)
            link.recv(1000)

    thread = threading.Thread(target=talk, daemon=True)
    thread.start()
    yield listener.getsockname()[1]
    listener.close()
    thread.join(5)


HELLO = b"250-here\r\n250 AUTH PLAIN\r\n"


ANSWERS = [
    ((b"220 hi\r\n", HELLO, b"250 ok\r\n", b"221 bye\r\n"), "smtp://127.0.0.1:{port}", "answers and lets us in"),
    (
        (b"220 hi\r\n", HELLO, b"235 yes\r\n", b"250 ok\r\n", b"221 bye\r\n"),
        "smtp://a:b@127.0.0.1:{port}?tls=none",
        "answers and lets us in",
    ),
    ((b"220 hi\r\n", HELLO, b"535 5.7.8 no such user\r\n"), "smtp://a:b@127.0.0.1:{port}?tls=none", "535 5.7.8 no such user"),
    ((b"220 hi\r\n", HELLO), "smtp://a:b@127.0.0.1:{port}", "password would travel in the clear"),
    ((b"220 hi\r\n", HELLO), "smtp://127.0.0.1:{port}?tls=starttls", "offers no encryption (STARTTLS)"),
    ((b"554 go away\r\n",), "smtp://127.0.0.1:{port}", "554 go away"),
    ((b"HTTP/1.1 400 Bad Request\r\n\r\n",), "smtp://127.0.0.1:{port}", "refuses to talk to us"),
    ((b"220 hi\r\n",), "smtps://127.0.0.1:{port}", "does not speak TLS"),
    ((), "smtp://127.0.0.1:1", "Nothing listens on port 1"),
    ((), "smtp://no-such-host.invalid", "There is no server called no-such-host.invalid"),
]


def test_the_test_button_says_exactly_what_failed(desk: TestDesk) -> None:
    ada = Browser(desk, desk.people.ada)
    for lines, url, words in ANSWERS:
        with server(*lines) as port:
            with db.transaction() as session:
                session.get_one(Inbox, desk.people.mail).smtp_url = vault.seal(url.format(port=port))
            answer = ada.send(f"/admin/inboxes/{desk.people.mail}/test", page="/me")
        assert answer.status_code == 200 and words in answer.text, words


def test_without_any_mail_server_the_test_says_that(desk: TestDesk) -> None:
    ada = Browser(desk, desk.people.ada)
    assert "no mail server to test" in ada.send(f"/admin/inboxes/{desk.people.mail}/test", page="/me").text
    assert "No inbox has a mail server" in ada.open("/admin/inboxes").text


def test_a_door_closes_and_opens_but_the_only_portal_stays(desk: TestDesk) -> None:
    ada, c = Browser(desk, desk.people.ada), desk.people
    page = f"/admin/inboxes/{c.mail}"
    assert ada.save(f"{page}/deactivation").status_code == 303 and not inbox(c.mail).active
    assert ada.save(page, to=f"{page}/activation").status_code == 303 and inbox(c.mail).active
    only = ada.save(f"/admin/inboxes/{c.portal}/deactivation")
    assert only.status_code == 409 and "only inbox of its kind" in only.text


def test_the_portals_inbox_keeps_its_channel_and_needs_no_address(desk: TestDesk) -> None:
    ada, page = Browser(desk, desk.people.ada), f"/admin/inboxes/{desk.people.portal}"
    assert ada.save(page, name="Website", channel="email", address="x@example.com", smtp_url="smtp://x").status_code == 303
    portal = inbox(desk.people.portal)
    assert (portal.name, portal.channel, portal.address, portal.smtp_url) == ("Website", Channel.PORTAL, None, "")


def test_mail_leaves_through_the_inboxes_own_server_or_the_machines(desk: TestDesk) -> None:
    with db.transaction() as session:
        mail = session.get_one(Inbox, desk.people.mail)
        assert verbs.mail_server(mail, "") is None and not verbs.can_send("") and verbs.can_send("smtp://127.0.0.1")
        machine = verbs.mail_server(mail, "smtps://me:p%40ss@machine.example")
        assert machine is not None and (machine.host, machine.port, machine.password, machine.tls) == (
            "machine.example",
            465,
            "p@ss",
            "implicit",
        )
        mail.smtp_url = vault.seal("smtp://own.example:2525")
        session.flush()
        own = verbs.mail_server(mail, "smtp://machine.example")
        assert own is not None and (own.host, own.port) == ("own.example", 2525) and verbs.can_send("")


# --- preferences ---------------------------------------------------------------------------------------------------------


def now() -> Preferences:
    with db.read():
        return preferences()


def test_preferences_are_read_and_written_in_the_units_of_the_screen(desk: TestDesk) -> None:
    ada = Browser(desk, desk.people.ada)
    assert 'name="survey_delay_s" type="number" value="60"' in ada.open("/admin/preferences").text
    answer = ada.save(
        "/admin/preferences",
        company="Рога и копыта",
        undo_s="20",
        survey_delay_s="30",
        csat_target="85",
        acknowledge=None,
        languages=["ru"],
    )
    assert answer.status_code == 303
    changed = now()
    assert (changed.company, changed.undo_s, changed.survey_delay_s, changed.csat_target) == ("Рога и копыта", 20, 1800, 0.85)
    assert (changed.acknowledge, changed.languages) == (False, ("ru",)) and changed.link_valid_days == Preferences().link_valid_days
    assert "Рога и копыта" in Browser(desk).open("/sign-in").text
    with db.read() as session:
        assert [row.data["what"] for row in session.scalars(select(Event).where(Event.kind == "settings_changed"))] == ["preferences"]


def test_preferences_out_of_range_are_refused_together(desk: TestDesk) -> None:
    answer = Browser(desk, desk.people.ada).save(
        "/admin/preferences", company=" ", undo_s="61", csat_target="0", survey_delay_s="-1", languages=None
    )
    assert answer.status_code == 422
    for words in ("from 1 to 80 characters", "from 0 to 60", "from 1 to 100", "from 0 to 10080", "at least one language"):
        assert words in answer.text, words
    assert now() == Preferences()


def test_preferences_changed_meanwhile_are_not_overwritten_unseen(desk: TestDesk) -> None:
    ada = Browser(desk, desk.people.ada)
    seen = ada.open("/admin/preferences").text.split('name="version" value="')[1].split('"')[0]
    assert ada.save("/admin/preferences", undo_s="20").status_code == 303
    assert ada.save("/admin/preferences", undo_s="30", version=seen).status_code == 409 and now().undo_s == 20


def test_every_preference_has_its_place_on_the_screen(desk: TestDesk) -> None:
    page = Browser(desk, desk.people.ada).open("/admin/preferences").text
    missing = [field.name for field in fields(Preferences) if f'name="{field.name}"' not in page and field.name not in ELSEWHERE]
    assert not missing, f"give these words in helpdesk/agents/admin/preferences.py: {missing}"
