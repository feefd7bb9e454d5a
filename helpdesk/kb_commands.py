"""`helpdesk kb load | import | export | reindex`: the knowledge base's articles in and out, and its index anew.

Part of the command line, like `cli`; `kb rank` and `kb tune`, which need no desk, stand in `kb.commands`.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from pathlib import Path

import click

from helpdesk import db
from helpdesk.actor import SYSTEM
from helpdesk.app import Desk
from helpdesk.cli import with_desk
from helpdesk.errors import Invalid
from helpdesk.kb import commands, exchange, search
from helpdesk.kb.commands import kb
from helpdesk.kb.exchange import Taken, Unreadable, Written

BY = SYSTEM.through("command")
#: Articles a transaction takes: nobody else waits long for the database.
BATCH = 20

_folder = click.argument("folder", type=click.Path(exists=True, file_okay=False, path_type=Path))


@kb.command("load")
@_folder
@with_desk
def load_command(app: Desk, folder: Path) -> None:
    """Publish the articles of FOLDER/docs.jsonl. Loading again changes only what differs."""
    _take(exchange.from_lines(folder / "docs.jsonl"))


@kb.command("import")
@click.argument("source", type=click.Path(exists=True, path_type=Path))
@with_desk
def import_command(app: Desk, source: Path) -> None:
    """Publish the articles of SOURCE: a folder of Markdown files (language/topic/name.md) or a CSV file with questions and answers."""
    _take(exchange.from_markdown(source) if source.is_dir() else exchange.from_table(source))


@kb.command("export")
@click.argument("folder", type=click.Path(file_okay=False, path_type=Path))
@with_desk
def export_command(app: Desk, folder: Path) -> None:
    """Write every published article into FOLDER as Markdown, for `kb import`."""
    if folder.exists() and any(folder.iterdir()):
        raise click.ClickException(f"{folder} is not empty: an export goes into a folder of its own")
    with db.transaction():
        count = exchange.to_markdown(folder)
    click.echo(f"{count} files written to {folder}.")


@kb.command("reindex")
@with_desk
def reindex_command(app: Desk) -> None:
    """Build this machine's search index anew from the articles."""
    commands.reindex(search.engine())


def _take(found: Iterator[Written]) -> None:
    """Everything is read before anything is written: an unreadable file changes nothing."""
    taken = Taken()
    try:
        everything = list(found)
        rows = iter(everything)
        with click.progressbar(length=len(everything), label="Articles") as bar:
            while batch := list(islice(rows, BATCH)):
                with db.transaction():
                    exchange.take_in(batch, taken, by=BY)
                bar.update(len(batch))
    except Unreadable as wrong:
        raise click.ClickException(f"{wrong}. Nothing was taken in.") from wrong
    except Invalid as wrong:
        raise click.ClickException("; ".join(map(str, wrong.fields.values())) or str(wrong.detail)) from wrong
    click.echo(f"{taken.new} new, {taken.changed} changed, {taken.same} as they were.")
