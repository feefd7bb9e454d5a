"""Mail fetched from IMAP accounts: which mails are taken, once each, and what becomes of them on the server."""

from __future__ import annotations

import pytest

from helpdesk.channels.email.imap import fetching
from tests.desks import TestDesk
from tests.imap import ImapServer, running
from tests.integration.email.conftest import both_engines, letter
from tests.integration.email.imap_accounts import MOST, account, fetch, kept, mails, subjects


@both_engines
def test_unread_mail_becomes_tickets_once_and_is_marked_as_read(desk: TestDesk, server: ImapServer) -> None:
    for raw in mails(3):
        server.deliver(raw)
    account_id = account(desk, server)
    assert fetch(account_id).new == 3
    desk.work()
    assert subjects() == ["Request 1", "Request 2", "Request 3"]
    assert all("\\Seen" in mail.flags for mail in server.inbox.mails)
    server.fetched.clear()
    assert fetch(account_id).new == 0 and server.fetched == [], "nothing is fetched twice"
    server.deliver(mails(1, 4)[0])
    assert fetch(account_id).new == 1
    assert kept(account_id).taken == 4 and kept(account_id).trouble == "" and kept(account_id).fetched_at is not None


def test_at_first_contact_what_people_have_read_is_left_alone_and_later_it_counts(desk: TestDesk, server: ImapServer) -> None:
    old, new, later = mails(3)
    server.deliver(old, "INBOX", "\\Seen")
    server.deliver(new)
    account_id = account(desk, server)
    assert fetch(account_id).new == 1
    server.deliver(later, "INBOX", "\\Seen")  # somebody was faster and read it
    assert fetch(account_id).new == 1
    desk.work()
    assert subjects() == ["Request 2", "Request 3"]


@pytest.mark.parametrize("capabilities", ["IMAP4rev1 MOVE UIDPLUS", "IMAP4rev1 UIDPLUS", "IMAP4rev1"])
def test_fetched_mail_is_moved_where_the_administrator_said(desk: TestDesk, server: ImapServer, capabilities: str) -> None:
    server.capabilities = capabilities
    for raw in mails(3):
        server.deliver(raw)
    account_id = account(desk, server, afterwards="move", move_to="Done")
    assert fetch(account_id).new == 3
    assert server.inbox.mails == [] and len(server.folders["Done"].mails) == 3


def test_deleting_fetched_mail_leaves_what_a_person_marked_for_deletion(desk: TestDesk, server: ImapServer) -> None:
    server.deliver(mails(1, 9)[0], "INBOX", "\\Seen", "\\Deleted")
    server.deliver(mails(1)[0])
    account_id = account(desk, server, afterwards="delete")
    assert fetch(account_id).new == 1
    assert [mail.uid for mail in server.inbox.mails] == [1]


def test_marking_as_read_expunges_nothing(desk: TestDesk, server: ImapServer) -> None:
    server.deliver(mails(1, 9)[0], "INBOX", "\\Seen", "\\Deleted")
    server.deliver(mails(1)[0])
    fetch(account(desk, server))
    assert len(server.inbox.mails) == 2 and "EXPUNGE" not in server.log


def test_several_folders_and_several_accounts_feed_one_inbox(desk: TestDesk, server: ImapServer) -> None:
    first, second, third = mails(3)
    server.deliver(first)
    server.deliver(second, "Done")
    with running(ImapServer()) as other:
        other.deliver(third)
        fetch(account(desk, server, folders="INBOX\nDone"))
        fetch(account(desk, other))
    desk.work()
    assert subjects() == ["Request 1", "Request 2", "Request 3"]


def test_a_mail_that_is_too_large_stays_on_the_server_and_is_counted(desk: TestDesk, server: ImapServer) -> None:
    server.deliver(letter("x" * (MOST + 1)))
    server.deliver(mails(1)[0])
    account_id = account(desk, server, afterwards="delete")
    made = fetch(account_id)
    assert (made.new, made.left) == (1, 1) and [mail.uid for mail in server.inbox.mails] == [1]
    assert fetch(account_id) == fetching.Round(), "it is counted once and holds nothing up"
    assert kept(account_id).left_behind == 1
