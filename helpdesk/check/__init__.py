"""`helpdesk check`: is everything that is configured reachable and sane? One line for each thing, and for each fault what to do about it.

Nothing is changed and nothing is sent. Like `cli`, it sees every package: it looks at what the others use.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator
from dataclasses import asdict

import click

from helpdesk.check import machine, mail, servers
from helpdesk.check.finding import Finding
from helpdesk.config import Settings

LOOKS: tuple[Callable[[Settings], Iterator[Finding]], ...] = (
    machine.data_folder,
    machine.secret_keys,
    machine.base_url,
    servers.database,
    servers.redis,
    mail.outgoing_mail,
    mail.incoming_mail,
    mail.mailboxes,
    machine.search_index,
)


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
                says = f"could not be looked at: {type(wrong).__name__}: {wrong}"
                yield Finding(look.__name__.replace("_", " "), "fault", says, "This is a fault of the check itself: please report it.")
    finally:
        db.disconnect()
