"""`helpdesk mail fetch`: one round through the mail accounts by hand, whatever their next turn."""

from __future__ import annotations

import secrets
import sys

import click
from sqlalchemy import select

from helpdesk import db
from helpdesk.channels.email.imap import accounts, fetchers, fetching
from helpdesk.channels.email.imap.models import MailAccount
from helpdesk.channels.email.imap.trouble import AccountTrouble
from helpdesk.errors import Unavailable
from helpdesk.tickets.models import Inbox


@click.command("fetch")
@click.option("--inbox", "address", default="", metavar="ADDRESS", help="Only the accounts that feed this inbox.")
def fetch(address: str) -> None:
    """Fetch every mail account once, now, and say what came. The running desk understands the mails.

    Exit code 1 when an account could not be fetched. One that the running desk holds at this moment is left to it.
    """
    from helpdesk.cli import desk

    app = desk()
    with app.app_context():
        with db.read() as session:
            wanted = select(MailAccount, Inbox.name).join(Inbox, Inbox.id == MailAccount.inbox_id).where(MailAccount.active, Inbox.active)
            if address:
                asked = session.scalar(select(Inbox.id).where(Inbox.address == address.strip().lower()))
                wanted = wanted.where(accounts.feeds(asked or 0))
            found = [(account.id, f"{account.username} at {account.host} → {name}") for account, name in session.execute(wanted)]
        if not found:
            raise click.ClickException("there is no mail account to fetch: add one on an inbox's page")
        name, wrong = f"by hand:{secrets.token_hex(8)}", 0
        most = app.config["HELPDESK"].max_mail_bytes
        for account_id, shown in found:
            if not fetchers.take(name, account_id):
                click.echo(f"{shown}: the running desk has it open and fetches it itself")
                continue
            try:
                made = fetching.once(account_id, most)
                click.echo(f"{shown}: {made.new} new, {made.known} known, {made.left} left on the server")
            except (AccountTrouble, Unavailable) as trouble:
                wrong += 1
                click.echo(f"{shown}: {trouble}", err=True)
            finally:
                fetchers.release(name, account_id)
    sys.exit(1 if wrong else 0)
