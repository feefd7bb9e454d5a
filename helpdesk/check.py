"""`helpdesk check`: is everything that is configured reachable and sane? One line for each thing, and for each fault what to do about it.

Nothing is changed and nothing is sent. Like `cli`, it sees every package: it looks at what the others use.
"""

from __future__ import annotations

import json
import os
import shutil
import socket
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal
from urllib.parse import urlsplit

import click

from helpdesk.config import Settings

PATIENCE_S = 5.0
#: Free space below which somebody should act, and below which mail will soon be refused.
LITTLE_SPACE, NO_SPACE = 2 * 2**30, 200 * 2**20
#: Clocks that differ by so much make timers late; by so much more, links and tokens invalid.
SKEW_S, GREAT_SKEW_S = 2.0, 30.0
#: Due work older than this says that nobody is working.
LATE_S = 120.0

Verdict = Literal["ok", "warning", "fault"]


@dataclass(frozen=True)
class Finding:
    """What was found about one thing; `do` says what to do where it is not well."""

    name: str
    verdict: Verdict
    says: str
    do: str = ""


@click.command()
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def check(as_json: bool) -> None:
    """Say line by line whether everything configured is reachable and sane. Exit code 1 when something is not."""
    found = []
    for finding in findings():
        found.append(finding)
        if not as_json:
            click.echo(line(finding))
    if as_json:
        click.echo(json.dumps([asdict(finding) for finding in found], indent=1, ensure_ascii=False))
    faults = sum(finding.verdict == "fault" for finding in found)
    if not as_json:
        click.echo("Everything is well." if not faults else f"{faults} {'fault' if faults == 1 else 'faults'}.")
    if faults:
        sys.exit(1)


def line(finding: Finding) -> str:
    """A finding as a line for people, with what to do below it."""
    word = {"ok": "ok", "warning": "note", "fault": "FAULT"}[finding.verdict]
    return f"{word:6}{finding.name}: {finding.says}" + (f"\n      → {finding.do}" if finding.do else "")


def findings() -> Iterator[Finding]:
    """Look at everything, one after the other. A check that fails in a way nobody foresaw is a fault of its own."""
    from helpdesk import config, db, links
    from helpdesk.errors import SettingsError

    try:
        settings = config.load()
    except SettingsError as wrong:
        for fault in wrong.faults:
            yield Finding("settings", "fault", fault, "Correct it in the environment, then check again.")
        return
    yield Finding("settings", "ok", f"readable; {'one process' if settings.embedded else 'several processes'}, data in {settings.data}")
    links.use(settings.secret_keys)
    db.connect(settings.database_url, pool_size=2)
    try:
        for look in LOOKS:
            try:
                yield from look(settings)
            except Exception as wrong:
                yield Finding(
                    look.__name__.strip("_").replace("_", " "), "fault", f"could not be looked at: {type(wrong).__name__}: {wrong}"
                )
    finally:
        db.disconnect()


# --- this machine --------------------------------------------------------------------------------------------------------


def _data_folder(settings: Settings) -> Iterator[Finding]:
    probe = settings.data / f".check-{os.getpid()}"
    try:
        probe.write_bytes(b"x" * 8192)
    except OSError as wrong:
        yield Finding(
            "data folder", "fault", f"{settings.data} cannot be written: {wrong.strerror}", "Give the desk's user the right to write there."
        )
        return
    finally:
        probe.unlink(missing_ok=True)
    free = shutil.disk_usage(settings.data).free
    says = f"{settings.data} is writable, {free / 2**30:.1f} GB free"
    if free < NO_SPACE:
        yield Finding("data folder", "fault", says, "Make room now: without it, mail and uploads are refused.")
    elif free < LITTLE_SPACE:
        yield Finding("data folder", "warning", says, "Make room before it gets tight.")
    else:
        yield Finding("data folder", "ok", says)


def _secret_keys(settings: Settings) -> Iterator[Finding]:
    kept = settings.data / "secret"
    given = bool(os.environ.get("SECRET_KEYS", "").strip())
    if any(len(set(key)) < 10 for key in settings.secret_keys):
        yield Finding(
            "secret keys",
            "fault",
            "a key repeats few characters, so it can be guessed",
            "Make one: python3 -c 'import secrets; print(secrets.token_urlsafe(48))'",
        )
    elif not given and not settings.embedded:
        yield Finding(
            "secret keys", "fault", f"kept in {kept}, which other hosts do not have",
            "Set SECRET_KEYS to the same keys for every process, or links and sessions of one are refused by another.",
        )  # fmt: skip
    elif not given and kept.stat().st_mode & 0o077:
        yield Finding("secret keys", "fault", f"{kept} can be read by other users", f"chmod 600 {kept}")
    else:
        where = "from SECRET_KEYS" if given else f"kept in {kept}"
        yield Finding("secret keys", "ok", f"{len(settings.secret_keys)} {where}; the first signs, all verify")


def _base_url(settings: Settings) -> Iterator[Finding]:
    host = urlsplit(settings.base_url).hostname or ""
    try:
        socket.getaddrinfo(host, None)
    except (OSError, UnicodeError):
        yield Finding(
            "base URL", "fault", f"{settings.base_url}: {host} has no address", "Correct BASE_URL: every link in every mail begins with it."
        )
        return
    local = host in ("localhost", "127.0.0.1", "::1")
    if local:
        yield Finding(
            "base URL", "warning", f"{settings.base_url} works on this machine only", "Set BASE_URL to the address that customers open."
        )
    elif not settings.secure:
        yield Finding(
            "base URL", "warning", f"{settings.base_url} is not encrypted", "Put a proxy with TLS in front and set BASE_URL=https://…."
        )
    elif not settings.trusted_proxies:
        yield Finding(
            "base URL", "warning", f"{settings.base_url}, but no proxy is trusted",
            "TLS ends at a proxy: set TRUSTED_PROXIES=1 (or how many there are), or every visitor seems to have the proxy's address.",
        )  # fmt: skip
    else:
        yield Finding("base URL", "ok", settings.base_url)


# --- database, broker ----------------------------------------------------------------------------------------------------


def _database(settings: Settings) -> Iterator[Finding]:
    from sqlalchemy.exc import SQLAlchemyError

    from helpdesk import db, schema

    shown = db.engine().url.render_as_string(hide_password=True)
    if settings.sqlite and not Path(str(db.engine().url.database)).exists():
        yield Finding("database", "fault", f"{shown} does not exist", "Run helpdesk init.")
        return
    begun = time.perf_counter()
    try:
        with db.engine().connect() as connection:
            answer = connection.exec_driver_sql("SELECT sqlite_version()" if settings.sqlite else "SHOW server_version").scalar()
    except SQLAlchemyError as wrong:
        words = str(getattr(wrong, "orig", wrong)).strip().splitlines()[0]
        yield Finding("database", "fault", f"{shown} cannot be reached: {words}", "Start it, or correct DATABASE_URL.")
        return
    took = (time.perf_counter() - begun) * 1000
    yield Finding("database", "ok", f"{'SQLite' if settings.sqlite else 'PostgreSQL'} {answer} at {shown} answers in {took:.0f} ms")
    at, wanted = schema.current(), schema.newest()
    if at != wanted:
        yield Finding(
            "schema",
            "fault",
            f"the database is at step {at or 'nothing'}, this version wants {wanted}",
            "Run helpdesk init; a backup before does no harm.",
        )
        return
    yield Finding("schema", "ok", f"at step {at}, the newest")
    if not settings.sqlite:
        yield from _clock()
    yield from _work()
    yield from _queues()


def _queues() -> Iterator[Finding]:
    """Whether everything that is open can be served by somebody at all, at its last step."""
    from helpdesk import db
    from helpdesk.agents import queues

    with db.read():
        troubled = [row for row in queues.listed() if row.queue.active and row.trouble]
    for row in troubled:
        yield Finding(
            f"queue {row.queue.name}",
            "fault" if row.waiting else "warning",
            f"{row.trouble}{f' {row.waiting} are unsolved there.' if row.waiting else ''}",
            "Settings, Queues: add people who have the skills, or ask for less.",
        )
    if not troubled:
        yield Finding("queues", "ok", "each can be served by somebody")


def _clock() -> Iterator[Finding]:
    """The moment in the middle between asking and hearing is when the other clock was read."""
    from helpdesk import clock, db

    with db.engine().connect() as connection:
        connection.exec_driver_sql("SELECT 1")
        before = clock.now()
        theirs = connection.exec_driver_sql("SELECT clock_timestamp()").scalar_one()
        after = clock.now()
    yield _skew("clock", "the database's", (theirs - (before + (after - before) / 2)).total_seconds())


def _skew(name: str, whose: str, seconds: float) -> Finding:
    says = f"{whose} differs from this machine's by {abs(seconds):.1f} s"
    if abs(seconds) < SKEW_S:
        return Finding(name, "ok", says)
    return Finding(name, "fault" if abs(seconds) > GREAT_SKEW_S else "warning", says, "Let both machines set their clocks by NTP.")


def _work() -> Iterator[Finding]:
    from sqlalchemy import func, select

    from helpdesk import clock, db
    from helpdesk.events import Delivery

    with db.read() as session:
        owed = select(func.min(Delivery.due_at)).where(Delivery.done_at.is_(None), Delivery.parked_at.is_(None))
        oldest = session.scalar(owed)
        parked = (
            session.scalar(select(func.count()).select_from(Delivery).where(Delivery.parked_at.is_not(None), Delivery.done_at.is_(None)))
            or 0
        )
    late = (clock.now() - oldest).total_seconds() if oldest else 0.0
    if late > LATE_S:
        yield Finding(
            "work",
            "fault",
            f"something has been due for {late / 60:.0f} minutes",
            "Is `helpdesk serve` running, and `helpdesk worker` beside it on a scaled desk?",
        )
    elif parked:
        yield Finding(
            "work", "warning", f"{parked} deliveries are parked", "helpdesk jobs shows why; helpdesk jobs --retry 0 tries them again."
        )
    else:
        yield Finding("work", "ok", "nothing is late, nothing is parked")


def _redis(settings: Settings) -> Iterator[Finding]:
    if settings.embedded:
        yield Finding("broker", "ok", "inside the server: no Redis is configured")
        return
    import redis

    shown = urlsplit(settings.redis_url)
    where = f"{shown.hostname or shown.path}:{shown.port or 6379}"
    try:
        with redis.Redis.from_url(settings.redis_url, socket_timeout=PATIENCE_S, socket_connect_timeout=PATIENCE_S) as link:
            begun = time.perf_counter()
            link.ping()
            took = (time.perf_counter() - begun) * 1000
            seconds, micros = link.time()
            skew = seconds + micros / 1e6 - time.time()
    except redis.RedisError as wrong:
        yield Finding(
            "redis",
            "fault",
            f"{where} cannot be reached: {wrong}",
            "Start it, or correct REDIS_URL. Meanwhile nothing is lost: work waits in the database.",
        )
        return
    yield Finding("redis", "ok", f"{where} answers in {took:.1f} ms")
    yield _skew("redis clock", "Redis's", skew)
    yield from _workers(settings)


def _workers(settings: Settings) -> Iterator[Finding]:
    from celery import Celery

    with Celery("helpdesk", broker=settings.redis_url, set_as_current=False) as celery:
        celery.conf.broker_transport_options = {"socket_timeout": PATIENCE_S}
        answered = celery.control.ping(timeout=1.5)
    names = sorted(name for answer in answered for name in answer)
    if names:
        yield Finding("workers", "ok", f"{len(names)} answer: {', '.join(names)}")
    else:
        yield Finding("workers", "fault", "no worker answers", "Start one beside the web processes: helpdesk worker --beat")


# --- mail ----------------------------------------------------------------------------------------------------------------


def _outgoing_mail(settings: Settings) -> Iterator[Finding]:
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
    from sqlalchemy import inspect, select
    from sqlalchemy.exc import SQLAlchemyError

    from helpdesk import db
    from helpdesk.tickets.models import Inbox

    if db.engine().dialect.name == "sqlite" and not Path(str(db.engine().url.database)).exists():
        return {}  # looking would make the file
    try:
        if not inspect(db.engine()).has_table("inbox"):
            return {}
    except SQLAlchemyError:
        return {}  # said already, by the database's own check
    with db.read() as session:
        rows = session.execute(select(Inbox.name, Inbox.smtp_url).where(Inbox.active, Inbox.smtp_url != "")).all()
    return {f"inbox {name}": kept for name, kept in rows}


def _incoming_mail(settings: Settings) -> Iterator[Finding]:
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


# --- search --------------------------------------------------------------------------------------------------------------


def _search_index(settings: Settings) -> Iterator[Finding]:
    from helpdesk.kb.index import Damaged, Index

    index = Index(settings.data / "kb-index")
    if index.stamp() == (0, 0):
        yield Finding("search index", "ok", "not built yet: the first search builds it")
        return
    try:
        state, files = index.load({})
    except Damaged as wrong:
        yield Finding(
            "search index", "warning", f"unusable: {wrong}", "The next search builds it anew by itself; helpdesk kb reindex does it now."
        )
        return
    size = sum(len(content) for _checksum, content in files.values())
    yield Finding("search index", "ok", f"opens, {size / 1e6:.1f} MB, at revision {state.revision} of the knowledge base")


LOOKS: tuple[Callable[[Settings], Iterator[Finding]], ...] = (
    _data_folder,
    _secret_keys,
    _base_url,
    _database,
    _redis,
    _outgoing_mail,
    _incoming_mail,
    _search_index,
)
