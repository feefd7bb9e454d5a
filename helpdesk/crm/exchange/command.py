"""`helpdesk import contacts FILE` and `helpdesk import orders FILE`: lists taken in on the command line, with progress."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click
from sqlalchemy import select

from helpdesk import db
from helpdesk.actor import Actor
from helpdesk.crm.base_models import Import, ImportRow
from helpdesk.crm.exchange import customers_in, importing
from helpdesk.errors import HelpdeskError, Invalid

BY = Actor("system", via="command")


_LIST: tuple[Callable[[Any], Any], ...] = (
    click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path)),
    click.option(
        "--mode", type=click.Choice(importing.MODES), default="both", show_default=True, help="Add new ones, update known ones, or both."
    ),
    click.option("--map", "given", multiple=True, metavar="COLUMN=FIELD", help="What a column means, where its name does not say it."),
    click.option("--dry-run", is_flag=True, help="Count and name the faults; write nothing."),
    click.option("--quiet", is_flag=True, help="Only the summary."),
)


def _of_a_list(command: Any) -> Any:
    """What every command takes that takes in a list."""
    for option in reversed(_LIST):
        command = option(command)
    return command


@click.command("contacts")
@_of_a_list
@click.option(
    "--match", "match_on", type=click.Choice(list(customers_in.MATCHES)), default=None, help="How known customers are recognised."
)
def import_contacts(file: Path, mode: str, match_on: str | None, given: tuple[str, ...], dry_run: bool, quiet: bool) -> None:
    """Take in customers from CSV, Excel or vCard. Run it again after a stop: what is in already stays as it is.

    Exit code 1 when rows were refused or the file could not be read to its end, 2 for a column or field that does not exist.
    """
    _take_in("contacts", file, mode, match_on, given, dry_run, quiet)


@click.command("orders")
@_of_a_list
def import_orders(file: Path, mode: str, given: tuple[str, ...], dry_run: bool, quiet: bool) -> None:
    """Take in purchases from CSV or Excel: orders, their lines, payments and returns. Run it again: what is in already stays as it is.

    Exit code 1 when rows were refused or the file could not be read to its end, 2 for a column or field that does not exist.
    """
    _take_in("orders", file, mode, None, given, dry_run, quiet)


def _take_in(subject: str, file: Path, mode: str, match_on: str | None, given: tuple[str, ...], dry_run: bool, quiet: bool) -> None:
    from helpdesk.cli import desk

    with desk().app_context():
        run_id = _prepared(subject, file, mode, match_on, given, dry_run)
        while not importing.run_for(run_id, by=BY, seconds=2.0):
            if not quiet:
                with db.read() as session:
                    click.echo(f"{session.get_one(Import, run_id).rows_done} rows", err=True)
        with db.read() as session:
            run = session.get_one(Import, run_id)
            refused = select(ImportRow).where(ImportRow.run_id == run_id, ImportRow.outcome == "refused").order_by(ImportRow.number)
            for row in () if quiet else session.scalars(refused):
                click.echo(f"row {row.number}: {'; '.join(row.reasons)}", err=True)
    if run.error:
        click.echo(f"Error: {run.error}", err=True)
    told = f"{run.created} new, {run.updated} changed, {run.unchanged} as before, {run.refused} refused"
    click.echo(f"Would be: {told}" if dry_run else f"{told}. Import {run_id} can be undone on the page Imports.")
    sys.exit(1 if run.refused or run.error else 0)


def _prepared(subject: str, file: Path, mode: str, match_on: str | None, given: tuple[str, ...], dry: bool) -> int:
    """The import, ready to run here: nothing is left to a worker."""
    try:
        with db.transaction(), file.open("rb") as content:
            run = importing.accept(file.name, content, limit=2**32, by=BY, subject=subject)
            header, mapping = importing.header_of(run), list(run.mapping)
            for pair in given:
                column, _equals, field = pair.partition("=")
                if column not in header:
                    raise click.BadParameter(f"there is no column {column}; there are: {', '.join(header)}")
                mapping[header.index(column)] = field
            importing.configure(run, mapping=mapping, mode=mode, match_on=match_on or run.match_on)
            run.state = "checking" if dry else "running"
            return run.id
    except Invalid as wrong:
        raise click.BadParameter("; ".join(str(words) for words in wrong.fields.values()) or str(wrong.detail)) from wrong
    except HelpdeskError as wrong:
        raise click.ClickException(str(wrong.detail or wrong.title)) from wrong
