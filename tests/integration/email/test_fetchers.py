"""Fetchers that stay with an account: told of new mail at once, one process at a time, back after a break."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator

import pytest

from helpdesk import clock, db
from helpdesk.actor import SYSTEM
from helpdesk.channels.email.imap import accounts, connection, fetchers
from helpdesk.channels.email.imap.models import MailAccount
from tests.desks import TestDesk
from tests.imap import ImapServer
from tests.integration.email.conftest import arrivals, both_engines
from tests.integration.email.imap_accounts import MOST, account, kept, mails


@pytest.fixture
def staff(desk: TestDesk) -> Iterator[Callable[[], fetchers.Fetchers]]:
    started: list[fetchers.Fetchers] = []

    def start() -> fetchers.Fetchers:
        made = fetchers.Fetchers(MOST)
        started.append(made)
        made.start()
        return made

    yield start
    for made in started:
        made.stop(5)


def until(condition: Callable[[], bool], patience_s: float = 20) -> None:
    end = time.monotonic() + patience_s
    while not condition():
        assert time.monotonic() < end, "it did not happen in time"
        time.sleep(0.05)


def test_a_waiting_server_tells_of_new_mail_and_it_is_fetched_at_once(
    desk: TestDesk, server: ImapServer, staff: Callable[[], fetchers.Fetchers]
) -> None:
    account(desk, server, every_s=600)
    staff()
    until(lambda: "IDLE" in server.log)
    server.deliver(mails(1)[0])
    until(lambda: len(arrivals()) == 1, 8)
    assert server.connections == 1


def test_without_idle_the_account_is_looked_at_every_so_often_or_when_asked(
    desk: TestDesk, server: ImapServer, staff: Callable[[], fetchers.Fetchers]
) -> None:
    account_id = account(desk, server, every_s=600, idle=False)
    staff()
    until(lambda: kept(account_id).fetched_at is not None)
    server.deliver(mails(1)[0])
    with db.transaction() as session:
        accounts.try_soon(session.get_one(MailAccount, account_id))
    until(lambda: len(arrivals()) == 1, 8)
    assert "IDLE" not in server.log


@both_engines
def test_two_processes_never_fetch_the_same_account(desk: TestDesk, server: ImapServer, staff: Callable[[], fetchers.Fetchers]) -> None:
    account_id = account(desk, server)
    first = fetchers.claim("one", 10)
    assert first == [account_id] and fetchers.claim("two", 10) == [] and not fetchers.take("three", account_id)
    fetchers.release("one")
    staff(), staff()
    until(lambda: kept(account_id).fetched_at is not None)
    assert server.connections == 1


def test_a_dead_fetchers_lease_runs_out(desk: TestDesk, server: ImapServer, stopped: clock.Hand) -> None:
    account_id = account(desk, server)
    assert fetchers.claim("dead", 10) == [account_id]
    stopped.move(seconds=89)
    assert fetchers.claim("alive", 10) == []
    stopped.move(seconds=2)
    assert fetchers.claim("alive", 10) == [account_id]


def test_a_fetcher_that_is_cut_off_comes_back_and_says_what_was(
    desk: TestDesk, server: ImapServer, staff: Callable[[], fetchers.Fetchers], monkeypatch: pytest.MonkeyPatch
) -> None:
    account_id = account(desk, server)
    staff()
    until(lambda: "IDLE" in server.log)
    server.hang_up()
    until(lambda: kept(account_id).trouble.startswith(connection.BROKE_OFF))
    server.deliver(mails(1)[0])
    with db.transaction() as session:
        accounts.try_soon(session.get_one(MailAccount, account_id))
    until(lambda: len(arrivals()) == 1)
    until(lambda: kept(account_id).trouble == "")


def test_an_account_switched_off_is_let_go(desk: TestDesk, server: ImapServer, staff: Callable[[], fetchers.Fetchers]) -> None:
    account_id = account(desk, server, idle=False, every_s=600)
    staff()
    until(lambda: kept(account_id).fetched_at is not None)
    with db.transaction() as session:
        row = session.get_one(MailAccount, account_id)
        shape = accounts.Shape(host="127.0.0.1", port=server.port, tls="none", username="support", active=False)
        accounts.edit(row, shape, seen=row.version, by=SYSTEM)
    until(lambda: kept(account_id).held_by == "")
    server.deliver(mails(1)[0])
    time.sleep(fetchers.LOOK_S + 0.5)
    assert arrivals() == []
