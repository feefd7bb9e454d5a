"""`helpdesk demo`: a desk with a sample company in one command, on this machine, for looking around.

Everything is embedded and lies in one folder that carries a mark: only such a folder is ever deleted. What the environment says about real
servers (DATABASE_URL, REDIS_URL, SMTP_URL) is left aside, so that a demo never touches a desk in use and never mails anybody.
"""

from __future__ import annotations

import fcntl
import logging
import os
import shutil
import socket
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import click

from helpdesk.config import Settings, load
from helpdesk.demo.postbox import Postbox

MARK = "DEMO"
EMPTY, UNFINISHED, READY = "empty", "being made", "ready"
MAIL_PORT = 2525
#: What a demo does not take from the environment.
NOT_OURS = ("DATABASE_URL", "REDIS_URL", "SMTP_URL")


@click.command()
@click.option("--reset", is_flag=True, help="Delete the demo's data and start over.")
@click.option("--traffic", is_flag=True, help="Let invented customers write and invented agents answer all the time.")
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
@click.option("--tickets", default=300, hidden=True, type=click.IntRange(10, 5000), help="How many tickets to make.")
@click.option("--port", default=8080, show_default=True, type=click.IntRange(0, 65535), help="Port to listen on.")
def demo(reset: bool, traffic: bool, host: str, port: int, tickets: int) -> None:
    """Look around in a desk with a sample company.

    The first start makes people, articles and sixty days of tickets in HELPDESK_DATA (default: ./demo-data); later starts keep what you
    did. Ctrl-C stops it.
    """
    from helpdesk import server
    from helpdesk.cli import log_to_stderr

    begun = time.perf_counter()
    listener = server.listen(host, port)  # before anything is made or deleted
    bound = int(listener.getsockname()[1])
    folder = Path(os.environ.get("HELPDESK_DATA", "").strip() or "demo-data").expanduser().resolve()
    check_folder(folder)
    with only_one(folder):
        if reset:
            click.echo(clear(folder))
        elif unfinished(folder):
            click.echo("The last start was interrupted while it made the sample company: beginning again.")
            clear(folder)
        postbox = Postbox(folder / "sent")
        postbox.start()
        settings = demo_settings(os.environ, folder, host, bound, smtp_port=postbox.port)
        log_to_stderr(settings.log_level)
        logging.getLogger("kombu.connection").setLevel(logging.ERROR)  # the memory broker has no host name, and that is all right
        app = desk(settings)
        told = prepare(app, folder, tickets)

        def beside(parts: Any) -> None:
            parts.add("postbox", postbox.stop)
            if traffic:
                from helpdesk.demo.traffic import Traffic

                running = Traffic(app, settings)
                running.start()
                parts.add("traffic", running.stop)

        def ready() -> None:
            click.echo(f"{told} Up after {time.perf_counter() - begun:.1f} s.\n")
            click.echo(welcome(app, settings, traffic=traffic))

        server.serve_embedded(app, settings, listener, ready=ready, beside=beside)


def check_folder(folder: Path) -> None:
    """Refuse a folder that holds something else; mark an empty one as a demo's. Raises ClickException."""
    if folder.exists() and not folder.is_dir():
        raise click.ClickException(f"{folder} is not a folder. Say with HELPDESK_DATA where the demo may keep its data.")
    if folder.exists() and any(folder.iterdir()) and not (folder / MARK).is_file():
        raise click.ClickException(
            f"{folder} holds something that is not a demo. Nothing was touched. Say with HELPDESK_DATA where the demo may keep its data."
        )
    try:
        folder.mkdir(parents=True, exist_ok=True)
        if not (folder / MARK).exists():
            (folder / MARK).write_text(EMPTY + "\n")
    except OSError as wrong:
        raise click.ClickException(f"{folder} cannot be written: {wrong.strerror}. Choose another with HELPDESK_DATA.") from wrong


@contextmanager
def only_one(folder: Path) -> Iterator[None]:
    """Hold the folder for this process. Raises ClickException while another demo runs on it."""
    with (folder / "lock").open("w") as handle:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise click.ClickException(
                f"another demo is running on {folder}. Stop it first, or set HELPDESK_DATA to another folder."
            ) from None
        yield


def unfinished(folder: Path) -> bool:
    """Whether a start was interrupted while it filled the folder."""
    return (folder / MARK).read_text().strip() == UNFINISHED


def clear(folder: Path) -> str:
    """Delete everything of a demo except its mark and its lock; what was deleted, in words."""
    gone = [path for path in folder.iterdir() if path.name not in (MARK, "lock")]
    size = sum(file.stat().st_size for path in gone for file in ([path] if path.is_file() else path.rglob("*")) if file.is_file())
    (folder / MARK).write_text(UNFINISHED + "\n")
    for path in gone:
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        else:
            path.unlink()
    if not gone:
        return f"There was nothing to delete in {folder}."
    return f"Deleted the demo's data in {folder}: {', '.join(sorted(path.name for path in gone))} ({size / 1e6:.1f} MB)."


def demo_settings(environ: Mapping[str, str], folder: Path, host: str, port: int, *, smtp_port: int) -> Settings:
    """The demo's settings: embedded, in its folder, with a mail listener; what it sends goes to its own postbox. Raises SettingsError."""
    shown = "127.0.0.1" if host in ("0.0.0.0", "::", "") else f"[{host}]" if ":" in host else host
    env = {
        "BASE_URL": f"http://{shown}:{port}",
        "TIME_ZONE": "Europe/Moscow",
        "LOG_LEVEL": "WARNING",
        **{name: value for name, value in environ.items() if value.strip()},
        "HELPDESK_DATA": str(folder),
    }
    settings = load({name: value for name, value in env.items() if name not in NOT_OURS})
    wanted = settings.mail_listen or ("127.0.0.1", MAIL_PORT)
    return replace(settings, demo=True, mail_listen=free_address(*wanted), smtp_url=f"smtp://127.0.0.1:{smtp_port}?tls=none")


def free_address(host: str, port: int) -> tuple[str, int]:
    """The wanted address, or the same host with a port that is free when somebody has it."""
    for number in (port, 0):
        with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((host, number))
            except OSError:
                continue
            return host, int(probe.getsockname()[1])
    raise click.ClickException(f"no port is free on {host} for the mail listener. Say with MAIL_LISTEN where it may listen.")


def desk(settings: Settings) -> Any:
    """The application, with its schema made or brought to this version."""
    from helpdesk import schema
    from helpdesk.app import create_app

    app = create_app(settings, async_mode="gevent")
    if schema.current() != schema.newest():
        schema.upgrade()
    return app


def prepare(app: Any, folder: Path, tickets: int) -> str:
    """Make the sample company if it is not there yet; what was done, in words."""
    from helpdesk import db
    from helpdesk.actor import SYSTEM
    from helpdesk.agents.worth import nightly
    from helpdesk.demo import seed

    if (folder / MARK).read_text().strip() == READY:
        return f"The demo in {folder} is as you left it."
    click.echo("Making the sample company (once, some seconds) …")
    (folder / MARK).write_text(UNFINISHED + "\n")
    logging.getLogger("helpdesk.kb.engine").setLevel(logging.ERROR)  # that there is no index yet is no news here
    with app.app_context():
        made = seed.fill(lambda done: click.echo(f"  {done}"), tickets=tickets)
        with db.transaction():
            nightly.want(by=SYSTEM)  # not only at night: whoever looks around wants to see what customers are worth
    (folder / MARK).write_text(READY + "\n")
    return (
        f"Made in {made.seconds:.1f} s: {made.customers} customers, {made.articles} articles, {made.tickets} tickets with "
        f"{made.ratings} ratings, {made.orders} purchases, {made.calls} calls."
    )


def welcome(app: Any, settings: Settings, *, traffic: bool) -> str:
    """What to open, whom to be, what to try."""
    from helpdesk import db
    from helpdesk.demo.company import NAME, PASSWORD, to_sign_in_as

    with app.app_context(), db.read():
        people = to_sign_in_as()
    assert settings.mail_listen is not None
    mail_host, mail_port = settings.mail_listen
    moved = f" ({MAIL_PORT} was taken)" if "MAIL_LISTEN" not in os.environ and mail_port != MAIL_PORT else ""
    lines = [
        f"{NAME} is open:  {settings.base_url}",
        "",
        f"Sign in at {settings.base_url}/sign-in, everybody's password is {PASSWORD}",
        *(f"  {name:16} {role:11} {address}" for name, role, address in people),
        "",
        f"Mail is taken at {mail_host}:{mail_port}{moved} for support@, payments@ and delivery@samovar.example.",
        f"Mail that leaves goes nowhere: it lies in {settings.data / 'sent'}.",
        "",
        "What to try",
        "  1. Be Anna and make yourself available: waiting work is held out to you. Accept, answer, solve.",
        f"  2. In a private window, search for “descale” or «накипь» at {settings.base_url} and write a request:",
        "     it appears on Anna's open page.",
        f"  3. Write by mail:  printf 'Subject: Tea\\n\\nIs it hot?\\n' | curl smtp://{mail_host}:{mail_port} --mail-from you@post.example "
        "--mail-rcpt support@samovar.example -T -",
        "  4. Be Irina, the supervisor, and open the wallboard: what waits, how long, how satisfied customers are, now.",
        "  5. "
        + (
            "Watch: customers write and colleagues answer by themselves, except for whom you have signed in as."
            if traffic
            else "Start with --traffic: customers write and colleagues answer by themselves; with --reset everything begins anew."
        ),
        "",
        "Ctrl-C stops it.",
    ]
    ignored = [name for name in NOT_OURS if os.environ.get(name)]
    if ignored:
        lines.insert(0, f"({', '.join(ignored)} from the environment is left aside: a demo uses no servers.)")
    return "\n".join(lines)
