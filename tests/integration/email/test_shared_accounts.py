"""One mail account for several inboxes: each mail goes to the inbox whose address it bears, everything else to the account's main one."""

from __future__ import annotations

import re

import pytest

from helpdesk import db
from helpdesk.actor import SYSTEM
from helpdesk.channels.email import inboxes
from helpdesk.channels.email.imap import accounts, sorting
from helpdesk.channels.email.imap.models import Feeding, MailAccount
from helpdesk.errors import Invalid
from helpdesk.tickets.models import Channel, Inbox
from tests.desks import TestDesk
from tests.forms import Browser
from tests.imap import ImapServer
from tests.integration.email.conftest import arrivals, both_engines, letter, tickets
from tests.integration.email.imap_accounts import SECRET, account, fetch, kept

MAIN, OTHER, ALL = 1, 2, 3


def shared(desk: TestDesk, server: ImapServer, **changes: object) -> int:
    """An account that is fetched for the support inbox and the billing inbox."""
    return account(desk, server, also=frozenset({desk.people.billing_mail}), **changes)


def went_to(desk: TestDesk) -> list[str]:
    """Which inbox each ticket came to, in the order of arrival."""
    known = {desk.people.mail: "support", desk.people.billing_mail: "billing"}
    return [known[ticket.inbox_id] for ticket in tickets()]


# --- where a mail goes ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("head", "goes"),
    [
        ("To: billing@example.com", OTHER), ("To: support@example.com", MAIN), ("To: somebody@example.org", MAIN), ("", MAIN),
        ("To: Billing <BILLING@Example.com>", OTHER), ("To: billing+invoices@example.com", OTHER), ("to:\r\n billing@example.com", OTHER),
        ("To: x@y.org,\r\n\tBilling <billing@example.com>, z@y.org", OTHER), ("Cc: billing@example.com", OTHER),
        ("To: support@example.com\r\nCc: billing@example.com", MAIN), ("To: billing@example.com\r\nCc: support@example.com", OTHER),
        ("To: billing@example.com, support@example.com", OTHER), ("To: support@example.com, billing@example.com", MAIN),
        ("Delivered-To: billing@example.com\r\nTo: list@example.org", OTHER),
        ("Delivered-To: billing@example.com\r\nTo: support@example.com", OTHER),
        ("Delivered-To: support@example.com\r\nTo: billing@example.com", OTHER),
        ("X-Original-To: billing@example.com\r\nDelivered-To: support@example.com\r\nTo: undisclosed-recipients:;", OTHER),
        ("Envelope-To: billing@example.com\r\nTo: support@example.com", OTHER),
        ("Subject: billing@example.com", MAIN), ("X-To: billing@example.com", MAIN), ("Bcc: billing@example.com", MAIN),
        ("To: billing@example.com.evil.org", MAIN), ("To: notbilling@example.com", MAIN), ("To: billing@example.com@evil.org", MAIN),
        ("To: anybody@shop.example.com", ALL), ("To: anybody@shop.example.com, billing@example.com", OTHER),
        ("To: \"Billing\" <billing@example.com.>", OTHER), ("To: @, <>, billing@", MAIN),
        ("Subject: s\r\n\r\nTo: billing@example.com", MAIN), ("To: " + "x@y.org, " * 300 + "billing@example.com", MAIN),
    ],
)  # fmt: skip
def test_a_header_says_where_a_mail_goes(head: str, goes: int) -> None:
    doors = inboxes.Doors({"support@example.com": MAIN, "billing@example.com": OTHER}, {"shop.example.com": ALL}, {}, {})
    for line_end in ("\r\n", "\n"):
        raw = f"From: carol@customer.example\r\n{head}\r\nDate: x\r\n\r\nTo: billing@example.com\r\n".replace("\r\n", line_end)
        assert sorting.choose(doors, MAIN, raw.encode()) == goes


@pytest.mark.parametrize(
    "odd", [b"", b"\n\n", b"To", b"To: \xff\xfe@\x00", b"To: " + b"@" * 300_000, b"To:" * 200_000, b"To: a" + b"\n b@c" * 90_000]
)
def test_no_header_is_too_odd(odd: bytes) -> None:
    assert sorting.choose(inboxes.Doors({"support@example.com": MAIN}, {}, {}, {}), MAIN, odd) == MAIN


@both_engines
def test_one_account_feeds_two_inboxes(desk: TestDesk, server: ImapServer) -> None:
    server.deliver(letter("a", to="support@example.com"))
    server.deliver(letter("b", to="billing+march@example.com", sender="oleg@klient.example"))
    server.deliver(letter("c", to="friends@example.org", sender="dora@new.example"))
    account_id = shared(desk, server)
    assert fetch(account_id).new == 3
    desk.work()
    assert went_to(desk) == ["support", "billing", "support"]
    assert {arrival.box for arrival in arrivals()} == {"support@example.com"}, "they lie in one box: what is fetched twice is known again"
    server.inbox.renumber()
    assert fetch(account_id).new == 0


def test_the_address_of_an_inbox_that_the_account_does_not_feed_counts_for_nothing(desk: TestDesk, server: ImapServer) -> None:
    server.deliver(letter("b", to="billing@example.com"))
    fetch(account(desk, server))
    desk.work()
    assert went_to(desk) == ["support"]


def test_mail_for_an_inbox_that_is_switched_off_goes_to_the_main_one(desk: TestDesk, server: ImapServer) -> None:
    server.deliver(letter("b", to="billing@example.com"))
    account_id = shared(desk, server)
    with db.transaction() as session:
        session.get_one(Inbox, desk.people.billing_mail).active = False
    fetch(account_id)
    desk.work()
    assert went_to(desk) == ["support"]


def test_an_inbox_that_was_renamed_is_found_by_its_new_address(desk: TestDesk, server: ImapServer) -> None:
    account_id = shared(desk, server)
    with db.transaction() as session:
        session.get_one(Inbox, desk.people.billing_mail).address = "money@example.com"
    server.deliver(letter("b", to="money@example.com"))
    fetch(account_id)
    desk.work()
    assert went_to(desk) == ["billing"]


def test_an_answer_comes_back_to_its_ticket_by_whichever_inbox(desk: TestDesk, server: ImapServer) -> None:
    account_id = shared(desk, server)
    server.deliver(letter("a", to="billing@example.com", message_id="<1@customer.example>"))
    fetch(account_id)
    desk.work()
    server.deliver(letter("b", to="support@example.com", subject="Re: Invoice", In_Reply_To="<1@customer.example>"))
    fetch(account_id)
    desk.work()
    assert went_to(desk) == ["billing"] and arrivals()[1].state == "threaded"


# --- who may feed whom ---------------------------------------------------------------------------------------------------


def test_only_other_email_inboxes_that_are_switched_on_can_be_fed(desk: TestDesk, server: ImapServer) -> None:
    with db.transaction() as session:
        off = Inbox(name="Old", channel=Channel.EMAIL, address="old@example.com", queue_id=desk.people.support, active=False)
        session.add(off)
    for wrong in (desk.people.portal, desk.people.mail, off.id, 999_999):
        with pytest.raises(Invalid) as refused:
            account(desk, server, also=frozenset({desk.people.billing_mail, wrong}))
        assert set(refused.value.fields) == {"also"}
    with db.read() as session:
        assert session.query(MailAccount).count() == 0


def test_one_that_it_feeds_stays_when_it_is_switched_off_and_goes_when_the_box_is_cleared(desk: TestDesk, server: ImapServer) -> None:
    account_id = shared(desk, server)
    with db.transaction() as session:
        session.get_one(Inbox, desk.people.billing_mail).active = False
    for also in ({desk.people.billing_mail}, set()):
        with db.transaction() as session:
            row = session.get_one(MailAccount, account_id)
            shape = accounts.Shape(host="127.0.0.1", port=server.port, tls="none", username="support", also=frozenset(also))
            accounts.edit(row, shape, seen=row.version, by=SYSTEM)
            assert accounts.also_fed(account_id) == also


# --- screens -------------------------------------------------------------------------------------------------------------


def test_an_administrator_shares_an_account_and_both_inboxes_show_it(desk: TestDesk, server: ImapServer) -> None:
    place = f"/admin/inboxes/{desk.people.mail}/accounts"
    ada = Browser(desk, desk.people.ada)
    form = {"host": "127.0.0.1", "port": str(server.port), "tls": "none", "username": "support", "password": SECRET}
    assert "Billing mail &lt;billing@example.com&gt;" in ada.open(f"{place}/new").text
    path = str(ada.save(f"{place}/new", to=place, **form, also=str(desk.people.billing_mail)).headers["Location"])
    with db.read() as session:
        assert [row.inbox_id for row in session.query(Feeding)] == [desk.people.billing_mail]
    assert re.search(rf'name="also" value="{desk.people.billing_mail}" checked', ada.open(path).text)
    other = ada.open(f"/admin/inboxes/{desk.people.billing_mail}").text
    assert f'href="{path}"' in other and "shared with Support mail" in other
    assert "shared with" not in ada.open(f"/admin/inboxes/{desk.people.mail}").text
    assert ada.save(path, also=None).status_code == 303
    assert "No account is fetched into this inbox" in ada.open(f"/admin/inboxes/{desk.people.billing_mail}").text


def test_a_shared_account_is_changed_and_removed_under_its_main_inbox_alone(desk: TestDesk, server: ImapServer) -> None:
    account_id = shared(desk, server)
    ada = Browser(desk, desk.people.ada)
    elsewhere = f"/admin/inboxes/{desk.people.billing_mail}/accounts/{account_id}"
    page = f"/admin/inboxes/{desk.people.billing_mail}"
    assert ada.open(elsewhere).status_code == 404 and ada.send(f"{elsewhere}/removal", page=page).status_code == 404
    place = f"/admin/inboxes/{desk.people.mail}/accounts/{account_id}"
    assert ada.send(f"{place}/removal", page=f"{place}/removal").status_code == 303
    with db.read() as session:
        assert session.query(MailAccount).count() == 0 and session.query(Feeding).count() == 0


def test_a_choice_that_is_none_is_refused_and_nothing_typed_is_lost(desk: TestDesk, server: ImapServer) -> None:
    account_id = shared(desk, server)
    path = f"/admin/inboxes/{desk.people.mail}/accounts/{account_id}"
    answer = Browser(desk, desk.people.ada).save(path, also=str(desk.people.portal), scope="kept words")
    assert answer.status_code == 422 and "Please choose one of the list." in answer.text and "kept words" in answer.text


def test_testing_an_account_leaves_its_form_as_it_is(desk: TestDesk, server: ImapServer) -> None:
    account_id = shared(desk, server)
    path = f"/admin/inboxes/{desk.people.mail}/accounts/{account_id}"
    page = Browser(desk, desk.people.ada).send(f"{path}/test", page=path).text
    for box in ("idle", "active", "also"):
        assert re.search(rf'name="{box}" value="\d+" checked', page), box
    assert kept(account_id).active
