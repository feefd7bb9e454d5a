"""`helpdesk backup` and `helpdesk restore`. Exit codes: 0 done, 1 refused, failed or incomplete."""

from __future__ import annotations

import sys
import time
from pathlib import Path

import click

from helpdesk import __version__


class Progress:
    """Says where long work is: on a terminal in one line that is written over, elsewhere a line every ten seconds."""

    def __init__(self) -> None:
        self._terminal = sys.stderr.isatty()
        self._last = time.monotonic() if not self._terminal else 0.0

    def __call__(self, words: str) -> None:
        now = time.monotonic()
        if now - self._last < (0.2 if self._terminal else 10):
            return
        self._last = now
        click.echo(f"\r{words[:78]:78}" if self._terminal else words, err=True, nl=not self._terminal)

    def end(self) -> None:
        if self._terminal:
            click.echo(f"\r{'':78}\r", err=True, nl=False)


@click.command()
@click.argument("target", type=click.Path(path_type=Path))
@click.option("--force", is_flag=True, help="Replace TARGET if it exists.")
@click.option(
    "--with-secret", is_flag=True, help="Include the secret keys, so that links and stored passwords stay good on another machine."
)
def backup(target: Path, force: bool, with_secret: bool) -> None:
    """Write everything into TARGET (a .tar.gz, or a folder in which it gets a name with the date), while the desk runs.

    The database as it is at one moment, and every file it refers to. Restore it with `helpdesk restore`, on either database engine.
    """
    from helpdesk import clock, config, db, schema
    from helpdesk.backup import taking

    settings = config.load()
    if target.is_dir():
        target = target / f"helpdesk-{clock.now():%Y%m%d-%H%M%S}.tar.gz"
    if target.exists() and not force:
        raise click.ClickException(f"{target} exists. Nothing was written; --force replaces it.")
    if not target.parent.is_dir():
        raise click.ClickException(f"{target.parent} is not a folder.")
    engine = db.connect(settings.database_url, pool_size=2)
    progress, begun = Progress(), time.monotonic()
    try:
        if (settings.sqlite and not Path(str(engine.url.database)).exists()) or schema.current() is None:
            raise click.ClickException("this desk has not been set up yet: there is nothing to back up.")
        made = taking.take(engine, settings, target.resolve(), with_secret=with_secret, say=progress)
    except OSError as wrong:
        raise click.ClickException(f"{wrong.strerror or wrong}. No backup was written.") from wrong
    finally:
        progress.end()
        db.disconnect()
    seconds = max(time.monotonic() - begun, 0.001)
    size = target.stat().st_size
    click.echo(
        f"{target}: {made.rows} rows of {len(made.tables)} tables, {len(made.files)} files, {size / 1e6:.1f} MB in {seconds:.1f} s "
        f"({size / 1e6 / seconds:.1f} MB/s)"
    )
    if not with_secret:
        click.echo("The secret keys are not in it: keep SECRET_KEYS (or data/secret) safe yourself, or use --with-secret.")
    if made.missing:
        click.echo(f"{len(made.missing)} files that the rows refer to are missing on the disk; the manifest names them.", err=True)
        sys.exit(1)


@click.command()
@click.argument("source", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--force", is_flag=True, help="Replace the desk that is there; what can be put aside is.")
def restore(source: Path, force: bool) -> None:
    """Bring the desk of SOURCE back into an empty data folder and database.

    The archive is checked first; a cut-off or altered one changes nothing. Rows and files are compared again afterwards. Nothing is sent:
    mails and other work that waited are held until you release them with `helpdesk jobs --retry`.
    """
    from helpdesk import config
    from helpdesk.backup import restoring
    from helpdesk.backup.archive import Unusable

    settings = config.load()
    progress, begun = Progress(), time.monotonic()
    try:
        done = restoring.restore(settings, source, force=force, say=progress)
    except restoring.Refused as wrong:
        raise click.ClickException(f"{wrong} Nothing was changed.") from wrong
    except Unusable as wrong:
        raise click.ClickException(f"{source} is not restored: {wrong} Nothing was changed.") from wrong
    except OSError as wrong:
        raise click.ClickException(f"{wrong.strerror or wrong}. The restore was given up.") from wrong
    finally:
        progress.end()
    made = done.manifest
    click.echo(
        f"Restored: {made.rows} rows of {len(made.tables)} tables and {len(made.files)} files of {made.taken_at[:16]} UTC, "
        f"equal in number and hash, in {time.monotonic() - begun:.1f} s."
    )
    if made.version != __version__:
        click.echo(f"It was taken by version {made.version}; this is {__version__}.")
    if done.aside:
        click.echo(f"What was here before lies in {done.aside}; delete it when you no longer need it.")
    if done.held:
        click.echo(f"{done.held} things that waited are held, {done.mails} mails among them: release them with helpdesk jobs --retry 0.")
    if done.erased:
        click.echo(f"{done.erased} customers had been erased since the backup was taken, and were erased again.")
    if made.missing:
        click.echo(f"{len(made.missing)} files were missing already when the backup was taken.")
    for note in ("The secret keys came back with it.",) if done.secret else done.notes:
        click.echo(note)
    if not made.secret:
        click.echo(
            "The backup holds no secret keys: links given to customers work only with the SECRET_KEYS of the desk it was taken from."
        )
