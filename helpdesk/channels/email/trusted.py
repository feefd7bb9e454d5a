"""Whose judgement of senders an inbox believes: its own mail server, by the name that it writes into Authentication-Results."""

from __future__ import annotations

from flask_babel import lazy_gettext as _

from helpdesk import db
from helpdesk.actor import Actor
from helpdesk.catalog import SettingsChanged
from helpdesk.channels.email.models import InboxTrust
from helpdesk.errors import Invalid
from helpdesk.events import record
from helpdesk.tickets.models import Inbox


def authserv_id(inbox_id: int | None) -> str:
    """The server's name, in small letters; empty when nobody is believed."""
    kept = db.session().get(InboxTrust, inbox_id) if inbox_id is not None else None
    return kept.authserv_id if kept is not None else ""


def trust(inbox: Inbox, name: str, *, by: Actor) -> None:
    """Believe what this server says of senders; an empty name believes nobody. Raises Invalid."""
    name = name.strip().lower()
    if len(name) > 255 or any(sign.isspace() or sign in ';()<>"' for sign in name):
        raise Invalid(fields={"authserv_id": _("This is not a server's name such as mx.example.com.")})
    kept = db.session().get(InboxTrust, inbox.id)
    if kept is None:
        kept = InboxTrust(inbox_id=inbox.id)
        db.session().add(kept)
    kept.authserv_id = name
    record(SettingsChanged(by, what=f"inbox:{inbox.id}"))
