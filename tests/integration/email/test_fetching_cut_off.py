"""A fetch that breaks off anywhere, on the server's side or ours: nothing is lost and nothing doubled."""

from __future__ import annotations

import pytest

from helpdesk import db
from helpdesk.channels.email.imap import connection, fetching
from helpdesk.channels.email.imap.models import MailFolder
from helpdesk.channels.email.imap.trouble import AccountTrouble
from tests.desks import TestDesk
from tests.imap import ImapServer
from tests.integration.email.conftest import arrivals, both_engines
from tests.integration.email.imap_accounts import account, fetch, mails, subjects


@both_engines
@pytest.mark.parametrize("afterwards", ["mark", "move", "delete"])
def test_a_connection_cut_anywhere_in_the_fetch_loses_nothing_and_doubles_nothing(
    desk: TestDesk, server: ImapServer, afterwards: str
) -> None:
    count = 25
    sent = mails(count)
    for raw in sent[:10]:
        server.deliver(raw)
    account_id = account(desk, server, afterwards=afterwards, move_to="Done")
    for cut in range(40):
        server.cut_after = 137 * (cut + 1) + cut * cut
        if cut == 5:
            for raw in sent[10:]:
                server.deliver(raw)
        try:
            fetch(account_id)
        except AccountTrouble as trouble:
            assert trouble.sentence == connection.BROKE_OFF
    server.cut_after = None
    fetch(account_id)
    desk.work()
    assert len(arrivals()) == count and subjects() == sorted(f"Request {number}" for number in range(1, count + 1))
    assert len(server.folders["Done"].mails) == (count if afterwards == "move" else 0)
    assert len(server.inbox.mails) == (count if afterwards == "mark" else 0)


@pytest.mark.parametrize("command", ["SELECT", "UID SEARCH", "UID FETCH", "UID STORE", "UID MOVE", "UID COPY", "UID EXPUNGE"])
def test_a_server_that_hangs_up_before_a_command_doubles_nothing(desk: TestDesk, server: ImapServer, command: str) -> None:
    server.capabilities = "IMAP4rev1 UIDPLUS MOVE" if command == "UID MOVE" else "IMAP4rev1 UIDPLUS"
    for raw in mails(3):
        server.deliver(raw)
    account_id = account(desk, server, afterwards="mark" if command == "UID STORE" else "move", move_to="Done")
    server.drop_before = command
    with pytest.raises(AccountTrouble):
        fetch(account_id)
    fetch(account_id)
    desk.work()
    assert subjects() == ["Request 1", "Request 2", "Request 3"] and len(arrivals()) == 3


def test_a_disk_that_is_away_leaves_the_mail_on_the_server(desk: TestDesk, server: ImapServer, monkeypatch: pytest.MonkeyPatch) -> None:
    from helpdesk.channels.email import arrivals as ledger
    from helpdesk.errors import Unavailable

    server.deliver(mails(1)[0])
    account_id = account(desk, server, afterwards="delete")

    def full(_raw: bytes) -> None:
        raise Unavailable("no room")

    with monkeypatch.context() as patched:
        patched.setattr(ledger, "keep", full)
        with pytest.raises(Unavailable):
            fetch(account_id)
    assert len(server.inbox.mails) == 1
    assert fetch(account_id).new == 1 and server.inbox.mails == []


@both_engines
def test_mails_numbered_anew_are_not_doubled_and_new_ones_are_found(desk: TestDesk, server: ImapServer) -> None:
    for raw in mails(3):
        server.deliver(raw)
    account_id = account(desk, server)
    fetch(account_id)
    server.deliver(mails(1, 4)[0], "INBOX", "\\Seen")
    del server.inbox.mails[0]
    server.inbox.renumber()
    made = fetch(account_id)
    assert (made.new, made.known) == (1, 2)
    desk.work()
    assert subjects() == [f"Request {number}" for number in (1, 2, 3, 4)]
    with db.read() as session:
        assert session.get_one(MailFolder, (account_id, "INBOX")).uidvalidity == server.inbox.uidvalidity


def test_a_mail_that_the_server_never_hands_over_does_not_hold_up_the_others(desk: TestDesk, server: ImapServer) -> None:
    for raw in mails(3):
        server.deliver(raw)
    server.unreadable = {2}
    account_id = account(desk, server, afterwards="delete")
    for _ in range(fetching.STUCK_TRIES - 1):
        with pytest.raises(AccountTrouble, match="hand over"):
            fetch(account_id)
    assert fetch(account_id).left == 1
    desk.work()
    assert subjects() == ["Request 1", "Request 3"] and [mail.uid for mail in server.inbox.mails] == [2]
