"""Mail on the command line: import a mailbox, take one mail from a pipe, show what is understood of one."""

from __future__ import annotations

import sys
import time
from collections import Counter
from pathlib import Path

import click
from sqlalchemy import select

from helpdesk import db
from helpdesk.channels.email import arrivals, bounded, importer, inboxes, mailboxes
from helpdesk.channels.email.commands import parse_file
from helpdesk.channels.email.imap.commands import fetch
from helpdesk.errors import HelpdeskError
from helpdesk.tickets.models import Channel, Inbox

#: sysexits.h: what mail servers expect of a program they pipe mail into.
EX_DATAERR, EX_NOUSER, EX_TEMPFAIL = 65, 67, 75

WORDS = {
    "accepted": "ticket",
    "threaded": "message",
    "noted": "noted",
    "duplicate": "duplicate",
    "quarantined": "quarantine",
    "refused": "refused",
    "already": "already here",
    "failed": "FAILED",
    "empty": "empty",
}


@click.command("import")
@click.argument("paths", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("--inbox", "inbox_name", default="", metavar="ADDRESS", help="Inbox for all of it; otherwise whom each mail was sent to.")
@click.option(
    "--dry-run",
    is_flag=True,
    help="Decide each mail alone and keep nothing. Answers to other mails of the same import count as new tickets.",
)
@click.option("--closed", is_flag=True, help="Close the imported tickets afterwards: an archive, not work.")
@click.option("--quiet", is_flag=True, help="Only the summary.")
def import_mail(paths: tuple[Path, ...], inbox_name: str, dry_run: bool, closed: bool, quiet: bool) -> None:
    """Take in a maildir, an mbox, .eml or .box files, or folders of them.

    Silent: nothing is sent, nobody is nudged, dates stay what they were. Run it again after a stop: what is here already is left alone.
    Exit code 1 when a mail could not be read at all, 2 for a path or inbox that does not exist.
    """
    from helpdesk.cli import desk

    app = desk()
    places = _places(paths)
    with app.app_context():
        inbox_id = _inbox(inbox_name)
        counts: Counter[str] = Counter()
        progress = _Progress(len(places))
        try:
            for fate in importer.run(
                places, inbox_id=inbox_id, most_bytes=max(app.config["HELPDESK"].max_mail_bytes, bounded.MAX_MAIL), dry=dry_run
            ):
                counts[fate.what] += 1
                progress.step()
                if not quiet:
                    click.echo(_line(fate))
        except KeyboardInterrupt:
            click.echo("Stopped. Run the same command again to go on.", err=True)
            sys.exit(130)
        finally:
            progress.end()
            bounded.close()
        if closed and not dry_run:
            click.echo(f"{importer.close_imported()} tickets closed")
    told = ", ".join(f"{number} {WORDS.get(what, what)}" for what, number in counts.most_common()) or "nothing"
    click.echo(f"{'Would be: ' if dry_run else ''}{sum(counts.values())} mails: {told}")
    sys.exit(1 if counts["failed"] else 0)


@click.group()
def mail() -> None:
    """Mail: take one in from a pipe, show what is understood of one."""


@mail.command("receive")
@click.option("--recipient", envvar="RECIPIENT", default="", help="The address it was delivered to (default: $RECIPIENT).")
@click.option("--sender", envvar="SENDER", default=None, help="The envelope's sender (default: $SENDER).")
def receive(recipient: str, sender: str | None) -> None:
    """Take one mail from standard input, for a mail server's pipe. The running desk does the rest.

    Exit codes are sysexits.h's: 0 once it is safe, 75 try again later, 67 nobody here has the address, 65 too large.
    """
    from helpdesk.cli import desk

    try:
        app = desk()
        limit = app.config["HELPDESK"].max_mail_bytes
        raw = sys.stdin.buffer.read(limit + 1)
        if len(raw) > limit:
            click.echo("the mail is too large", err=True)
            sys.exit(EX_DATAERR)
        with db.read():
            found = inboxes.doors().find([recipient]) if recipient else None
        if recipient and found is None:
            click.echo(f"nobody here has the address {recipient}", err=True)
            sys.exit(EX_NOUSER)
        inbox_id, box = found or (None, "pipe")
        # Without an envelope nothing is known of the sender; an empty recipient list says so.
        arrival, new = arrivals.store(
            raw, box=box, inbox_id=inbox_id, sender=sender or "", recipients=[recipient] if recipient and sender is not None else []
        )
    except (HelpdeskError, click.ClickException, OSError) as wrong:
        click.echo(f"not taken in: {wrong}", err=True)
        sys.exit(EX_TEMPFAIL)
    click.echo(f"arrival {arrival.id}{'' if new else ' (was here already)'}")


mail.add_command(parse_file)
mail.add_command(fetch)


def _places(paths: tuple[Path, ...]) -> list[mailboxes.Place]:
    found: list[mailboxes.Place] = []
    for path in paths:
        try:
            found.extend(mailboxes.find(path))
        except FileNotFoundError:
            raise click.BadParameter(f"{path} does not exist") from None
        except (ValueError, OSError) as wrong:
            raise click.BadParameter(str(wrong)) from None
    return sorted(found, key=lambda place: place.at)


def _inbox(name: str) -> int | None:
    with db.read() as session:
        doors = inboxes.doors()
        if name:
            known = doors.find([name])
            if known is None:
                raise click.BadParameter(f"no inbox has the address {name}; there are: {', '.join(doors.exact) or 'none'}")
            return known[0]
        if session.scalar(select(Inbox.id).where(Inbox.channel == Channel.EMAIL, Inbox.active).limit(1)) is None:
            raise click.ClickException("there is no e-mail inbox yet: add one under Settings, Inboxes")
    return None


def _line(fate: importer.Fate) -> str:
    ticket = f" #{fate.ticket}" if fate.ticket else ""
    why = f"  ({fate.why.splitlines()[0]})" if fate.why else ""
    return f"{WORDS.get(fate.what, fate.what)}{ticket}  {fate.name}{why}"


class _Progress:
    """How far it is, on the terminal or every few seconds in a log."""

    def __init__(self, total: int) -> None:
        self._total, self._done, self._told = total, 0, time.monotonic()

    def step(self) -> None:
        self._done += 1
        if time.monotonic() - self._told > 2:
            self._told = time.monotonic()
            click.echo(f"{self._done} of {self._total} …", err=True)

    def end(self) -> None:
        if self._total > 100:
            click.echo(f"{self._done} of {self._total}", err=True)
