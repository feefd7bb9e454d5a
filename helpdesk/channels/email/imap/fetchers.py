"""Fetches for as long as the desk runs: one fetcher per account, in whichever process holds its lease.

A watch looks every few seconds for accounts that are due and whose lease is free, takes the lease by conditional UPDATE and starts a thread
for each. The thread stays connected (IDLE, or a round every so often), renews its lease, and ends when the lease or the account's settings
changed under it. A process that died leaves a lease that runs out. Two fetchers at once, which only a very late renewal could cause, would
double nothing: arrivals are known by their bytes.
"""

from __future__ import annotations

import logging
import os
import secrets
import socket
import threading
import time
from datetime import timedelta

from sqlalchemy import or_, select, update

from helpdesk import clock, db
from helpdesk.channels.email.imap import connection, fetching
from helpdesk.channels.email.imap.models import MailAccount
from helpdesk.channels.email.imap.trouble import AccountTrouble
from helpdesk.errors import HelpdeskError, Unavailable
from helpdesk.tickets.models import Inbox

log = logging.getLogger(__name__)

LEASE = timedelta(seconds=90)
LOOK_S = 2.0
#: The longest that IDLE waits before the lease is renewed and the folder looked at.
LONGEST_IDLE_S = 30.0
MOST_ACCOUNTS = 100

SECRETS_UNREADABLE = "The stored password cannot be read any more; enter it again."
DESK_AWAY = "The desk's disk or database did not take the mail; it stays on the server."
FAULT = "Fetching failed for a reason of our own; see the log."


class Fetchers:
    """All fetchers of this process."""

    def __init__(self, most_bytes: int) -> None:
        self._most_bytes = most_bytes
        self._name = f"{socket.gethostname()[:30]}:{os.getpid()}:{secrets.token_hex(4)}"
        self._stop = threading.Event()
        self._running: dict[int, threading.Thread] = {}
        self._links: dict[int, connection.Connection] = {}
        self._watch = threading.Thread(target=self._look, name="mail-fetchers", daemon=True)

    def start(self) -> None:
        self._watch.start()

    def stop(self, patience_s: float = 2.0) -> None:
        """Begin nothing more, let batches finish, give the leases back."""
        self._stop.set()
        until = time.monotonic() + patience_s
        for link in list(self._links.values()):
            link.wake()
        for thread in [self._watch, *self._running.values()]:
            thread.join(max(0.0, until - time.monotonic()))
        try:
            release(self._name)
        except (HelpdeskError, RuntimeError) as wrong:
            log.warning("the leases of mail accounts could not be given back: %s", wrong)

    def _look(self) -> None:
        while not self._stop.is_set():
            try:
                self._running = {key: thread for key, thread in self._running.items() if thread.is_alive()}
                for account_id in claim(self._name, MOST_ACCOUNTS - len(self._running)):
                    thread = threading.Thread(target=self._fetch, args=(account_id,), name=f"mail-fetch-{account_id}", daemon=True)
                    self._running[account_id] = thread
                    thread.start()
            except Unavailable:
                log.warning("mail accounts cannot be looked at: the database does not answer")
            except Exception:
                log.exception("looking for mail accounts")
            self._stop.wait(LOOK_S)

    def _fetch(self, account_id: int) -> None:
        """Stay with an account until it fails, changes, or the desk stops."""
        secrets_: tuple[str, ...] = ()
        try:
            plan = fetching.plan(account_id, self._most_bytes)
            secrets_ = plan.login.secrets
            link = connection.connect(plan.login, renewed=lambda login, token: fetching.keep_token(login, token, account_id))
            self._links[account_id] = link
            try:
                self._stay(plan, link)
            finally:
                self._links.pop(account_id, None)
                link.close()
        except AccountTrouble as wrong:
            self._failed(account_id, wrong.told(secrets_), secrets_wrong=fetching.is_about_secrets(wrong))
        except Unavailable:
            self._failed(account_id, DESK_AWAY if secrets_ else SECRETS_UNREADABLE)
        except HelpdeskError:
            log.info("mail account %s is gone", account_id)
        except Exception as wrong:
            log.exception("fetching mail account %s", account_id)
            self._failed(account_id, f"{FAULT}\n{type(wrong).__name__}")
        finally:
            try:
                release(self._name, account_id)
            except Exception:
                log.warning("the lease of mail account %s could not be given back", account_id)

    def _stay(self, plan: fetching.Plan, link: connection.Connection) -> None:
        while not self._stop.is_set():
            made = fetching.run(plan, link, go_on=lambda: not self._stop.is_set() and renew(self._name, plan))
            if self._stop.is_set() or not renew(self._name, plan):
                return
            fetching.succeeded(plan, made)
            if plan.idle and "IDLE" in link.capabilities:
                link.select(plan.folders[0])  # IDLE tells of one folder; the others are looked at when it is over
                link.wait(min(LONGEST_IDLE_S, plan.every_s))
                continue
            until = time.monotonic() + plan.every_s
            while time.monotonic() < until:
                if self._stop.wait(min(LOOK_S, max(0.0, until - time.monotonic()))):
                    return
                if asked_for(plan):
                    break
                if not renew(self._name, plan):
                    return

    def _failed(self, account_id: int, told: str, *, secrets_wrong: bool = False) -> None:
        if self._stop.is_set():
            return  # we broke it off ourselves
        log.warning("mail account %s cannot be fetched: %s", account_id, told.replace("\n", " · "))
        try:
            fetching.failed(account_id, told, secrets_wrong=secrets_wrong)
        except Unavailable:
            log.warning("mail account %s: not even that can be written down", account_id)


def claim(name: str, most: int) -> list[int]:
    """Take the leases of accounts that are due and that nobody holds."""
    now = clock.now()
    free = or_(MailAccount.held_until.is_(None), MailAccount.held_until < now)
    due = or_(MailAccount.next_at.is_(None), MailAccount.next_at <= now)
    wanted = select(MailAccount.id).join(Inbox, Inbox.id == MailAccount.inbox_id).where(MailAccount.active, Inbox.active, free, due)
    with db.read() as session:  # mostly there is nothing: look without taking a writer's turn
        candidates = list(session.scalars(wanted.order_by(MailAccount.next_at, MailAccount.id).limit(max(0, most))))
    if not candidates:
        return []
    with db.transaction() as session:
        taken = session.execute(
            update(MailAccount)
            .where(MailAccount.id.in_(candidates), free)
            .values(held_by=name, held_until=now + LEASE)
            .returning(MailAccount.id),
            execution_options={"synchronize_session": False},
        )
        return sorted(row.id for row in taken)


def take(name: str, account_id: int) -> bool:
    """Take the lease of one account, due or not; false while somebody else holds it."""
    now = clock.now()
    free = or_(MailAccount.held_until.is_(None), MailAccount.held_until < now)
    with db.transaction() as session:
        taken = session.execute(
            update(MailAccount).where(MailAccount.id == account_id, free).values(held_by=name, held_until=now + LEASE),
            execution_options={"synchronize_session": False},
        )
        return bool(taken.rowcount)  # type: ignore[attr-defined]


def renew(name: str, plan: fetching.Plan) -> bool:
    """Keep the lease; false when it went to somebody else, or when the account was changed or switched off."""
    now = clock.now()
    with db.transaction() as session:
        kept = session.execute(
            update(MailAccount)
            .where(
                MailAccount.id == plan.account_id, MailAccount.held_by == name, MailAccount.version == plan.version, MailAccount.active,
                MailAccount.inbox_id.in_(select(Inbox.id).where(Inbox.active)),
            )
            .values(held_until=now + LEASE),
            execution_options={"synchronize_session": False},
        )  # fmt: skip
        return bool(kept.rowcount)  # type: ignore[attr-defined]


def asked_for(plan: fetching.Plan) -> bool:
    """Whether somebody wants a round now."""
    with db.read() as session:
        next_at = session.scalar(select(MailAccount.next_at).where(MailAccount.id == plan.account_id))
        return next_at is None or next_at <= clock.now()


def release(name: str, account_id: int | None = None) -> None:
    """Give back a lease, or all of this holder's."""
    mine = update(MailAccount).where(MailAccount.held_by == name)
    if account_id is not None:
        mine = mine.where(MailAccount.id == account_id)
    with db.transaction() as session:
        session.execute(mine.values(held_by="", held_until=None), execution_options={"synchronize_session": False})


def release_all() -> None:
    """At the start of an embedded desk, which is alone with its database: whoever held a lease is dead."""
    with db.transaction() as session:
        session.execute(
            update(MailAccount).where(MailAccount.held_by != "").values(held_by="", held_until=None),
            execution_options={"synchronize_session": False},
        )
