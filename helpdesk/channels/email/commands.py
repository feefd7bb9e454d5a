"""`helpdesk mail parse FILE`: what the desk understands of one mail, as JSON. For support, for bug reports, for trying odd mails."""

from __future__ import annotations

import json
from typing import BinaryIO

import click

from . import bounded
from .mail import as_json


@click.command("parse")
@click.argument("file", type=click.File("rb"))
def parse_file(file: BinaryIO) -> None:
    """Print what a mail says, as one JSON object ("-" reads standard input).

    Needs no database. Ends with 0 for anything that is at all a message, 1 when parsing went out of its bounds.
    """
    try:
        mail = bounded.parse(file.read())
    except bounded.ParseFailed as failure:
        raise click.ClickException(failure.reason) from failure
    finally:
        bounded.close()
    click.echo(json.dumps(as_json(mail), ensure_ascii=False, indent=2).encode())
