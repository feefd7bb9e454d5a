"""`helpdesk user …`: the first administrator, and help for those who have locked themselves out.

Part of the command line, like `cli`: it sees every package. Passwords are typed in, read from standard input or chosen by the person
through a printed single-use link; none is ever made up or shown.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta

import click
from sqlalchemy import select

from helpdesk import auth, db, passwords
from helpdesk.actor import SYSTEM, Actor
from helpdesk.app import Desk
from helpdesk.auth import STAFF, Role, User
from helpdesk.cli import with_desk
from helpdesk.errors import HelpdeskError, Invalid

BY: Actor = SYSTEM.through("command")
#: A link that is printed is opened soon, by somebody who was told to expect it.
LINK_VALID = timedelta(days=2)

_stdin = click.option("--password-stdin", is_flag=True, help="Read the password from standard input, one line.")
_link = click.option("--link", is_flag=True, help="Print a single-use link instead, through which the person chooses a password.")


@click.group()
def user() -> None:
    """People who sign in: create, list, reset a password, give a role, deactivate."""


@user.command()
@click.argument("email")
@click.option("--name", default="", help="How they are called (default: the part before the @).")
@click.option("--role", type=click.Choice([str(role) for role in STAFF]), default=str(Role.AGENT), show_default=True)
@click.option(
    "--language", type=click.Choice(["en", "ru"]), default=None, help="Language of their pages (default: what the browser asks for)."
)
@_stdin
@_link
@with_desk
def create(app: Desk, email: str, name: str, role: str, language: str | None, password_stdin: bool, link: bool) -> None:
    """Let EMAIL sign in. Asks for a password, unless --link or --password-stdin."""
    from helpdesk.agents import people

    name = name or email.split("@")[0]
    stored = None if link else _new_password(email, name, from_stdin=password_stdin)
    with _said(), db.transaction():
        made = people.invite(email, name, Role(role), people.Place(), language=language or "", mail=False, by=BY)
        made.password = stored
        secret = auth.issue_link(made, "invite", valid=LINK_VALID) if link else ""
    click.echo(f"{made.name} <{made.email}> can sign in as {role}." if not link else f"{made.name} <{made.email}> is invited as {role}.")
    if secret:
        _print_link(app, f"/invitation/{secret}")


@user.command("list")
@click.option("--all", "everybody", is_flag=True, help="Deactivated people and customers with an account too.")
@with_desk
def list_users(_app: Desk, everybody: bool) -> None:
    """Who can sign in."""
    wanted = select(User).order_by(User.role, User.name)
    if not everybody:
        wanted = wanted.where(User.active, User.role.in_(STAFF))
    with db.read() as session:
        for one in session.scalars(wanted):
            state = "deactivated" if not one.active else "invited" if one.password is None else "active"
            click.echo(f"{one.role:<11} {state:<12} {one.email:<40} {one.name}")


@user.command("reset-password")
@click.argument("email")
@_stdin
@_link
@with_desk
def reset_password(app: Desk, email: str, password_stdin: bool, link: bool) -> None:
    """Give EMAIL a new password: typed in here, or chosen by them through a printed link. Their sessions end."""
    from helpdesk.signin.by_mail import change_password

    with _said(), db.read():
        found = _find(email)
    if link:
        with _said(), db.transaction():
            secret = auth.issue_link(_find(email), "reset", valid=LINK_VALID)
        _print_link(app, f"/password/new/{secret}")
        return
    stored = _new_password(found.email, found.name, from_stdin=password_stdin)
    with _said(), db.transaction():
        change_password(_find(email), stored, by=BY)
    click.echo(f"The password of {found.email} is changed. All their sessions have ended.")


@user.command()
@click.argument("email")
@click.argument("role", type=click.Choice([str(role) for role in STAFF]))
@with_desk
def role(_app: Desk, email: str, role: str) -> None:
    """Make EMAIL agent, supervisor or admin."""
    from helpdesk.agents import people

    with _said(), db.transaction():
        people.set_role(_find(email), Role(role), seen=None, by=BY)
    click.echo(f"{email} is {role} now.")


@user.command()
@click.argument("email")
@click.option("--yes", is_flag=True, help="Do not ask.")
@with_desk
def deactivate(_app: Desk, email: str, yes: bool) -> None:
    """End EMAIL's access. Says first what becomes of their work."""
    from helpdesk.agents import people

    with _said(), db.read():
        found = _find(email)
        held = people.held_by(found)
    if held.total or held.offers:
        click.echo(f"{held.total} unsolved tickets go back to their queues, {held.offers} offers are withdrawn.")
    if not yes:
        click.confirm(f"Deactivate {found.name} <{found.email}>?", abort=True)
    with _said(), db.transaction():
        people.deactivate(_find(email), seen=None, by=BY)
    click.echo(f"{found.email} can no longer sign in.")


def _find(email: str) -> User:
    from helpdesk.signin.entry import account_name, known

    found = known(account_name(email))
    if found is None:
        raise click.ClickException(f"nobody signs in as {email}")
    return found


def _new_password(email: str, name: str, *, from_stdin: bool) -> str:
    """The hash of a password that is good enough. Never an argument: those can be read by every process of the machine."""
    if from_stdin:
        password = sys.stdin.readline().rstrip("\r\n")
    else:
        password = click.prompt("Password", hide_input=True, confirmation_prompt=True)
    if wrong := passwords.weakness(password, email=email, name=name):
        raise click.ClickException(str(wrong))
    return passwords.kept(password)


def _print_link(app: Desk, path: str) -> None:
    click.echo("Give them this link by a way that only they read. It works once, for two days:")
    click.echo(app.config["HELPDESK"].base_url + path)


@contextmanager
def _said() -> Iterator[None]:
    """Refusals of the desk as a command's plain words, and exit code 1."""
    try:
        yield
    except HelpdeskError as wrong:
        if isinstance(wrong, Invalid) and wrong.fields:
            raise click.ClickException("; ".join(f"{name}: {words}" for name, words in wrong.fields.items())) from None
        raise click.ClickException(str(wrong.detail) or str(wrong.title)) from None
