"""`helpdesk kb load | import | export | reindex | tune`: the knowledge base's articles in and out, its index anew, its search fitted.

Part of the command line, like `cli`; `kb rank`, which needs no desk, stands in `kb.commands`.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

import click

from helpdesk import db
from helpdesk.actor import SYSTEM
from helpdesk.app import Desk
from helpdesk.cli import with_desk
from helpdesk.errors import Invalid
from helpdesk.kb import commands, measuring, search, teaching
from helpdesk.kb.commands import Fitted, kb
from helpdesk.kb.exchange import reading, taking, writing
from helpdesk.kb.exchange.reading import Entry, Unreadable
from helpdesk.kb.exchange.runs import BATCH
from helpdesk.kb.ranking import Weights

BY = SYSTEM.through("command")

_folder = click.argument("folder", type=click.Path(exists=True, file_okay=False, path_type=Path))


@kb.command("load")
@_folder
@with_desk
def load_command(app: Desk, folder: Path) -> None:
    """Publish the articles of FOLDER/docs.jsonl. Loading again changes only what differs."""
    _take(reading.from_lines(folder / "docs.jsonl"))


@kb.command("import")
@click.argument("source", type=click.Path(exists=True, path_type=Path))
@with_desk
def import_command(app: Desk, source: Path) -> None:
    """Publish the articles of SOURCE: a folder or zip of Markdown files (language/topic/name.md), or a CSV of questions and answers."""
    if source.is_dir():
        _take(reading.from_folder(source))
    else:
        _take(reading.from_zip(source) if source.suffix.lower() == ".zip" else reading.from_table(source))


@kb.command("export")
@click.argument("folder", type=click.Path(file_okay=False, path_type=Path))
@with_desk
def export_command(app: Desk, folder: Path) -> None:
    """Write every published article into FOLDER as Markdown, for `kb import`."""
    if folder.exists() and any(folder.iterdir()):
        raise click.ClickException(f"{folder} is not empty: an export goes into a folder of its own")
    count = writing.to_folder(folder)
    click.echo(f"{count} files written to {folder}.")


@kb.command("reindex")
@with_desk
def reindex_command(app: Desk) -> None:
    """Build this machine's search index anew from the articles."""
    commands.reindex(search.engine())


@kb.command("tune")
@click.argument("folder", required=False, type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option("--dry-run", is_flag=True, help="Measure and report; change nothing.")
@click.option("--store", is_flag=True, help="With FOLDER: put what was found in force for this desk.")
def tune_command(folder: Path | None, dry_run: bool, store: bool) -> None:
    """Fit the search's weights and print a report.

    Without FOLDER to this desk's articles and the questions that readers confirmed as answered; the result is put in force. With FOLDER to
    the tuning half of its questions (docs.jsonl, queries.jsonl, qrels.jsonl), outside the desk's database unless --store is given.
    """
    if folder is None:
        _tune_desk(keep=not dry_run)
    elif store and not dry_run:
        _tune_folder_for_desk(folder)
    else:
        click.echo(json.dumps(_fitted_to(folder).report, ensure_ascii=False))


@kb.command("forget-tuning")
@with_desk
def forget_tuning_command(app: Desk) -> None:
    """Put the default weights back in force."""
    with db.transaction():
        teaching.forget_weights(by=BY)
    click.echo("The default weights are in force.")


def _fitted_to(folder: Path) -> Fitted:
    queries = commands.tuning_half(folder)
    if not queries:
        raise click.ClickException(f"{folder}: no answered question to tune on")
    return commands.fitted(commands.load(folder), queries, commands.answers_of(folder), Weights())


@with_desk
def _tune_folder_for_desk(app: Desk, folder: Path) -> None:
    _put_in_force(_fitted_to(folder), keep=True)


@with_desk
def _tune_desk(app: Desk, keep: bool) -> None:
    with db.read():
        material = measuring.from_log()
        before = teaching.lessons().weights
    if len(material.queries) < measuring.LEAST:
        raise click.ClickException(
            f"{len(material.queries)} confirmed questions are too few to tune on; {measuring.LEAST} are needed. Nothing was changed."
        )
    _put_in_force(commands.fitted(material.documents, material.queries, material.answers, before), keep=keep)


def _put_in_force(fitted: Fitted, *, keep: bool) -> None:
    if keep:
        with db.transaction():
            teaching.keep_weights(fitted.weights, report={name: fitted.report[name] for name in ("ndcg10", "questions", "changed")}, by=BY)
    click.echo(json.dumps({**fitted.report, "in_force": keep}, ensure_ascii=False))


def _take(found: Iterator[Entry]) -> None:
    """Everything is read before anything is written: an unreadable file changes nothing."""
    counts: Counter[str] = Counter()
    try:
        everything = list(reading.or_raise(found))
        rows = iter(everything)
        with click.progressbar(length=len(everything), label="Articles") as bar:
            while batch := list(islice(rows, BATCH)):
                with db.transaction():
                    planned, _done = taking.take_in(batch, by=BY)
                counts.update(one.outcome for one in planned)
                bar.update(len(batch))
    except Unreadable as wrong:
        raise click.ClickException(f"{wrong}. Nothing was taken in.") from wrong
    except Invalid as wrong:
        raise click.ClickException("; ".join(map(str, wrong.fields.values())) or str(wrong.detail)) from wrong
    click.echo(f"{counts['new']} new, {counts['changed']} changed, {counts['same']} as they were.")
