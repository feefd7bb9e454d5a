"""Mail servers, out and in. Nothing is sent and nothing is fetched."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from functools import partial
from pathlib import Path

from helpdesk.check.finding import PATIENCE_S, Finding
from helpdesk.config import Settings


def outgoing_mail(settings: Settings) -> Iterator[Finding]:
    """Connect, encrypt and sign in to each server that mail leaves by; nothing is sent."""
    from helpdesk import smtp, vault
    from helpdesk.errors import Unavailable

    servers = {"SMTP_URL": settings.smtp_url} if settings.smtp_url else {}
    servers |= _inbox_servers()
    if not servers:
        yield Finding(
            "outgoing mail",
            "warning",
            "no mail server is set up: mails wait in the outbox",
            "Set SMTP_URL=smtp://user:password@host:587?tls=starttls.",
        )
    for whose, url in servers.items():
        try:
            server = smtp.read(url if url.startswith(("smtp://", "smtps://")) else vault.unseal(url))
            smtp.try_out(server)
        except Unavailable as wrong:
            yield Finding(
                "outgoing mail", "fault", f"{whose}: {wrong.detail}", "Enter the mail server's address again on the inbox's page."
            )
        except ValueError as wrong:
            yield Finding("outgoing mail", "fault", f"{whose}: {wrong}", "It should look like smtp://user:password@host:587?tls=starttls.")
        except smtp.MailServerTrouble as wrong:
            words = f"{wrong.words} ({wrong.server_words})" if wrong.server_words else str(wrong.words)
            yield Finding(
                "outgoing mail",
                "fault",
                f"{whose}, {server.shown}: {words}",
                "Correct it, or wait for the server: mails stay in the outbox meanwhile.",
            )
        else:
            yield Finding("outgoing mail", "ok", f"{whose}: {server.shown} takes us{' signed in' if server.user else ''}")


def _inbox_servers() -> dict[str, str]:
    """The inboxes' own mail servers, sealed as they are kept: name → address. Nothing while there is no such table."""
    from sqlalchemy import select

    from helpdesk import db
    from helpdesk.tickets.models import Inbox

    if not _has_table(Inbox.__tablename__):
        return {}
    with db.read() as session:
        rows = session.execute(select(Inbox.name, Inbox.smtp_url).where(Inbox.active, Inbox.smtp_url != "")).all()
    return {f"inbox {name}": kept for name, kept in rows}


def _has_table(name: str) -> bool:
    """Whether there is a database with this table; why there is none is the database's own look to say."""
    from sqlalchemy import inspect
    from sqlalchemy.exc import SQLAlchemyError

    from helpdesk import db

    if db.engine().dialect.name == "sqlite" and not Path(str(db.engine().url.database)).exists():
        return False  # looking would make the file
    try:
        return inspect(db.engine()).has_table(name)
    except SQLAlchemyError:
        return False


def incoming_mail(settings: Settings) -> Iterator[Finding]:
    """The listener's place is free, or our listener has it."""
    if settings.mail_listen is None:
        yield Finding("incoming mail", "ok", "no listener is set up (MAIL_LISTEN is empty)")
        return
    host, port = settings.mail_listen
    where = f"{host}:{port}"
    with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except PermissionError:
            yield Finding(
                "incoming mail",
                "fault",
                f"{where} may not be used by this user",
                "Take a port above 1023 and let the mail server forward to it.",
            )
            return
        except OSError as wrong:
            taken = wrong
        else:
            yield Finding("incoming mail", "ok", f"{where} is free: the listener takes it when the desk is started")
            return
    greeting = _greeting(host, port)
    if greeting.startswith("220 helpdesk"):
        yield Finding("incoming mail", "ok", f"our listener answers at {where}")
    else:
        yield Finding(
            "incoming mail",
            "fault",
            f"{where} cannot be had: {taken.strerror}" + (f"; it says {greeting[:60]!r}" if greeting else ""),
            "Stop what listens there, or set MAIL_LISTEN to another port.",
        )


def _greeting(host: str, port: int) -> str:
    try:
        with socket.create_connection((host, port), timeout=PATIENCE_S) as link:
            return link.recv(200).decode("utf-8", "replace").strip()
    except OSError:
        return ""


def mailboxes(settings: Settings) -> Iterator[Finding]:
    """Sign in to each account that mail is fetched from and look into its folders, changing nothing."""
    from sqlalchemy import select

    from helpdesk import db
    from helpdesk.channels.email.imap import connection, fetching
    from helpdesk.channels.email.imap.models import MailAccount
    from helpdesk.channels.email.imap.trouble import AccountTrouble
    from helpdesk.errors import Unavailable

    if not _has_table(MailAccount.__tablename__):
        return
    with db.read() as session:
        accounts = session.execute(select(MailAccount.id, MailAccount.host, MailAccount.username).where(MailAccount.active)).all()
    for account_id, host, user in accounts:
        whose = f"{user} at {host}"
        try:
            plan = fetching.plan(account_id, 0)
            counts = connection.try_out(
                plan.login, plan.folders, plan.afterwards, plan.move_to,
                renewed=partial(fetching.keep_token, account_id=account_id),
            )  # fmt: skip
        except AccountTrouble as wrong:
            told = wrong.told(plan.login.secrets)
            yield Finding("fetched mail", "fault", f"{whose}: {told}", "Correct it on its inbox's page, and try it there.")
        except Unavailable as wrong:
            yield Finding("fetched mail", "fault", f"{whose}: {wrong.detail}", "Enter its password again on the inbox's page.")
        else:
            held = ", ".join(f"{folder}: {count}" for folder, count in counts.items())
            yield Finding("fetched mail", "ok", f"{whose} lets us in ({held})")
