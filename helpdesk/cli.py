"""`helpdesk`: every command, with help, progress on long work, and exit codes: 0 done, 1 refused or failed, 2 called wrongly, 3
settings unusable.
"""

from __future__ import annotations

import dataclasses
import gc
import importlib
import json
import logging
import sys
from collections.abc import Callable
from functools import wraps
from typing import Any

import click

from helpdesk import __version__
from helpdesk.errors import HelpdeskError, SettingsError

#: Commands that live beside the capability they belong to: name → module:attribute. Loaded only when called.
ELSEWHERE = {
    "user": "helpdesk.user_commands:user",
    "import": "helpdesk.cli:imports",
    "mail": "helpdesk.channels.email.import_commands:mail",
    "kb": "helpdesk.kb_commands:kb",
    "simulate": "helpdesk.agents.simulate_command:simulate_command",
    "demo": "helpdesk.demo.command:demo",
    "backup": "helpdesk.backup:backup",
    "restore": "helpdesk.backup:restore",
    "check": "helpdesk.check:check",
}


class Commands(click.Group):
    """A group that also knows the commands kept elsewhere."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return sorted({*super().list_commands(ctx), *ELSEWHERE})

    def get_command(self, ctx: click.Context, name: str) -> click.Command | None:
        if name in ELSEWHERE:
            module, _, attribute = ELSEWHERE[name].partition(":")
            command: click.Command = getattr(importlib.import_module(module), attribute)
            return command
        return super().get_command(ctx, name)


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(__version__, prog_name="helpdesk")
def helpdesk() -> None:
    """A contact centre, support desk and CRM in one.

    Start with `helpdesk demo` to look around, or `helpdesk init` and `helpdesk serve` for a desk of your own.
    """


def with_desk(command: Callable[..., Any]) -> Callable[..., Any]:
    """Give a command the application as its first argument; settings faults and refusals become plain words."""

    @wraps(command)
    def inside(*args: Any, **kwargs: Any) -> Any:
        app = desk()
        with app.app_context():
            return command(app, *args, **kwargs)

    return inside


def desk(**options: Any) -> Any:
    """The application for a command, with the schema checked."""
    from helpdesk import config, schema
    from helpdesk.app import create_app

    app = create_app(config.load(), **options)
    at, wanted = schema.current(), schema.newest()
    if at is None:
        raise click.ClickException("this desk has not been set up yet: run `helpdesk init` first")
    if at != wanted:
        raise click.ClickException(f"the database is at step {at}, this version wants {wanted}: run `helpdesk init` to bring it there")
    return app


class Imports(click.Group):
    """`import contacts FILE`; anything else is a mailbox, as `import PATH` has always been."""

    def list_commands(self, _ctx: click.Context) -> list[str]:
        return ["contacts", "mail"]

    def get_command(self, _ctx: click.Context, name: str) -> click.Command | None:
        places = {
            "contacts": "helpdesk.crm.exchange.command:import_contacts",
            "orders": "helpdesk.crm.exchange.command:import_orders",
            "mail": "helpdesk.channels.email.import_commands:import_mail",
        }
        if name not in places:
            return None
        module, _, attribute = places[name].partition(":")
        command: click.Command = getattr(importlib.import_module(module), attribute)
        return command

    def resolve_command(self, ctx: click.Context, args: list[str]) -> tuple[str | None, click.Command | None, list[str]]:
        return super().resolve_command(ctx, args if args[0] in self.list_commands(ctx) else ["mail", *args])


@click.group("import", cls=Imports, context_settings={"ignore_unknown_options": True, "allow_interspersed_args": False})
def imports() -> None:
    """Take in customers (`import contacts FILE`), purchases (`import orders FILE`) or mail (`import PATH`)."""


@helpdesk.command()
def init() -> None:
    """Create the desk's database, or bring it to this version. Safe to run again."""
    from helpdesk import config, db, schema
    from helpdesk.setup import first_records

    settings = config.load()
    db.connect(settings.database_url)
    before = schema.current()
    schema.upgrade()
    with db.transaction():
        made = first_records()
    after = schema.current()
    click.echo(f"The desk in {settings.data} is ready." if before != after or made else f"The desk in {settings.data} was ready already.")
    click.echo("Next: helpdesk user create --role admin you@example.com, then helpdesk serve")


@helpdesk.command()
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
@click.option("--port", default=8080, show_default=True, type=click.IntRange(0, 65535), help="Port to listen on.")
@click.option(
    "--web", default=1, show_default=True, type=click.IntRange(1, 64), help="Web processes; more than one needs DATABASE_URL and REDIS_URL."
)
def serve(host: str, port: int, web: int) -> None:
    """Run the desk. Stop it with Ctrl-C or SIGTERM."""
    from helpdesk import config, server

    settings = config.load()
    log_to_stderr(settings.log_level)
    if settings.embedded:
        if web > 1:
            raise click.ClickException(
                "several web processes share Redis and PostgreSQL: set REDIS_URL and DATABASE_URL, or leave out --web"
            )
        listener = server.listen(host, port)
        app = desk(async_mode="gevent")
        bound = listener.getsockname()[1]
        server.serve_embedded(
            app, settings, listener, ready=lambda: click.echo(f"Helpdesk listens on http://{host}:{bound} · Ctrl-C stops it")
        )
    else:
        server.listen(host, port).close()
        server.count_together(settings)
        desk(async_mode="gevent")
        from helpdesk import db

        db.disconnect()
        click.echo(f"Helpdesk listens on http://{host}:{port} with {web} processes · Ctrl-C stops it")
        server.serve_scaled(settings, host, port, web)


@helpdesk.command()
@click.option("--concurrency", default=2, show_default=True, type=click.IntRange(1, 64), help="Processes that work.")
@click.option("--beat/--no-beat", default=False, help="Also run beat here; exactly one process of a desk should.")
def worker(concurrency: int, beat: bool) -> None:
    """Run a worker beside `serve` (scaled desks): sends mail, parses, sweeps."""
    from helpdesk import config, server

    settings = config.load()
    log_to_stderr(settings.log_level)
    if settings.embedded:
        raise click.ClickException("an embedded desk works inside `helpdesk serve`; a worker of its own needs REDIS_URL")
    server.run_worker(desk(), settings, concurrency=concurrency, beat=beat)


@helpdesk.command()
def beat() -> None:
    """Run the clock beside workers (scaled desks): exactly one per desk."""
    from helpdesk import config, server

    settings = config.load()
    log_to_stderr(settings.log_level)
    if settings.embedded:
        raise click.ClickException("an embedded desk has its clock inside `helpdesk serve`; a beat of its own needs REDIS_URL")
    server.run_beat(desk(), settings)


@helpdesk.command()
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def events(as_json: bool) -> None:
    """Print every domain event with the reactions that answer it."""
    from helpdesk import events as kernel

    kernel.load_reactions()
    told: list[dict[str, Any]] = [
        {
            "name": name,
            "says": _first_line(fact),
            "fields": [field.name for field in dataclasses.fields(fact)],
            "reactions": [{"name": one.name, "lane": one.lane, "says": _first_line(one.run)} for one in kernel.reactions_to(fact)],
        }
        for name, fact in kernel.catalogue().items()
    ]
    if as_json:
        click.echo(json.dumps(told, indent=1, ensure_ascii=False))
        return
    for one in told:
        click.echo(f"{one['name']}({', '.join(one['fields'])})\n    {one['says']}")
        for reaction in one["reactions"]:
            click.echo(f"    → [{reaction['lane']}] {reaction['name']}: {reaction['says']}")


def _first_line(thing: Any) -> str:
    """What a class or function says of itself."""
    return (thing.__doc__ or "").strip().split("\n")[0]


@helpdesk.command()
@click.option("--retry", "again", type=int, metavar="ID", help="Try one parked delivery again; 0 tries all.")
@click.option("--run", is_flag=True, help="Run everything that is due now, here.")
@with_desk
def jobs(_app: Any, again: int | None, run: bool) -> None:
    """Show deliveries that wait, run or are parked; retry parked ones. Exit code 1 while any is parked."""
    from sqlalchemy import func, select

    from helpdesk import db
    from helpdesk import worker as kernel
    from helpdesk.events import Delivery

    if again is not None:
        with db.transaction() as session:
            parked_ids = [again] if again else list(session.scalars(select(Delivery.id).where(Delivery.parked_at.is_not(None))))
            for delivery_id in parked_ids:
                kernel.retry(delivery_id)
        click.echo(f"{len(parked_ids)} to be tried again")
    if run:
        click.echo(f"{kernel.work_off()} run")
    with db.read() as session:
        waiting = session.execute(
            select(Delivery.lane, func.count(), func.min(Delivery.due_at))
            .where(Delivery.done_at.is_(None), Delivery.parked_at.is_(None))
            .group_by(Delivery.lane)
        ).all()
        parked = list(session.scalars(select(Delivery).where(Delivery.parked_at.is_not(None)).order_by(Delivery.id).limit(50)))
    for lane, number, first in waiting:
        click.echo(f"{lane:6} {number} waiting, the first due {first:%Y-%m-%d %H:%M:%S} UTC")
    if not waiting:
        click.echo("nothing waits")
    for row in parked:
        click.echo(f"parked {row.id}: {row.reaction} after {row.attempts} tries: {row.error}")
    if parked:
        sys.exit(1)


def log_to_stderr(level: str) -> None:
    """Log lines for people and machines: time, level, logger, words."""
    logging.basicConfig(level=level, format="%(asctime)s %(levelname)s %(name)s: %(message)s", stream=sys.stderr)
    for noisy in ("celery", "kombu", "mail.log", "amqp"):
        logging.getLogger(noisy).setLevel(max(logging.WARNING, logging.getLevelName(level)))


#: Start-up makes half a million objects that stay, and a transaction many that go without a cycle: the collector's usual 700 new
#: objects between two looks cost a sixth of a start and a twentieth of the work.
LOOKS = (100_000, 20, 20)


def main() -> None:
    """The console script. Waiting is made cooperative before anything else is imported, for the commands that serve."""
    gc.set_threshold(*LOOKS)
    if len(sys.argv) > 1 and sys.argv[1] in ("serve", "demo") and not {"-h", "--help"} & set(sys.argv):
        from helpdesk import server

        server.patch()
    try:
        helpdesk.main(standalone_mode=True)
    except SettingsError as wrong:
        click.echo("These settings cannot be used:", err=True)
        for fault in wrong.faults:
            click.echo(f"  {fault}", err=True)
        sys.exit(3)
    except HelpdeskError as wrong:
        click.echo(f"Error: {wrong.title}. {wrong.detail}".rstrip(), err=True)
        sys.exit(1)
    except Exception as wrong:
        if type(wrong).__name__ == "PortTaken":
            click.echo(f"Error: {wrong}", err=True)
            sys.exit(1)
        raise


if __name__ == "__main__":
    main()
