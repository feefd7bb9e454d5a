"""`helpdesk simulate CASE.json`: try another rule, another team or another load without any customer waiting for it."""

from __future__ import annotations

import json
import os
from typing import BinaryIO

import click

from helpdesk.agents.simulation import simulate
from helpdesk.agents.simulation_case import BadCase, Case, read_case


@click.command("simulate")
@click.argument("case", type=click.File("rb"), metavar="CASE.json")
@click.option(
    "--jobs",
    type=click.IntRange(min=1),
    default=lambda: os.cpu_count() or 1,
    show_default="one per processor",
    help="How many seeds run at once; the figures do not depend on it.",
)
def simulate_command(case: BinaryIO, jobs: int) -> None:
    """Simulate the routing of the arrivals in CASE.json ("-": standard input) with the product's own ranking.

    Prints the mean and the standard error over the seeds of every figure as JSON. Examples are in bench/routing.
    """
    try:
        read = read_case(case.read())
    except BadCase as wrong:
        raise click.BadParameter(f"\n{wrong}", param_hint="'CASE.json'") from None
    except OSError as wrong:
        raise click.BadParameter(str(wrong), param_hint="'CASE.json'") from None
    if _grows(read):
        click.echo(
            f"Note: {read.load:g} erlangs arrive, {read.capacity} can be served and nobody gives up; waits grow as long as the run lasts.",
            err=True,
        )
    click.echo(json.dumps(simulate(read, jobs), indent=2, ensure_ascii=False))


def _grows(case: Case) -> bool:
    return case.load >= case.capacity and all(each.patience_mean_s is None for each in case.classes)
