"""Mail accounts in the tests: one at a small IMAP server, its rounds, and the mails that lie there."""

from __future__ import annotations

import pytest

from helpdesk import db
from helpdesk.actor import SYSTEM
from helpdesk.channels.email.imap import accounts, fetching
from helpdesk.channels.email.imap.models import MailAccount
from helpdesk.channels.email.imap.trouble import AccountTrouble
from helpdesk.tickets.models import Inbox
from tests.desks import TestDesk
from tests.imap import ImapServer
from tests.integration.email.conftest import letter, tickets

MOST = 1 << 20
SECRET = "app pass word"


def account(desk: TestDesk, server: ImapServer, **changes: object) -> int:
    """An account at this server, fetched into the support inbox; its id."""
    shape = {"host": "127.0.0.1", "port": server.port, "tls": "none", "username": "support", "password": SECRET, **changes}
    with db.transaction() as session:
        return accounts.add(session.get_one(Inbox, desk.people.mail), accounts.Shape(**shape), by=SYSTEM).id  # type: ignore[arg-type]


def fetch(account_id: int) -> fetching.Round:
    return fetching.once(account_id, MOST)


def kept(account_id: int) -> MailAccount:
    with db.read() as session:
        return session.get_one(MailAccount, account_id)


def mails(count: int, first: int = 1) -> list[bytes]:
    return [
        letter(f"This is request {number}.", subject=f"Request {number}", message_id=f"<{number}@x>")
        for number in range(first, first + count)
    ]


def subjects() -> list[str]:
    return sorted(ticket.subject for ticket in tickets())


def trouble(account_id: int) -> AccountTrouble:
    with pytest.raises(AccountTrouble) as caught:
        fetch(account_id)
    return caught.value
