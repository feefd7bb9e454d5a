"""Which language a mail of ours is written in."""

from __future__ import annotations

from helpdesk import db, web
from helpdesk.crm.models import Contact
from helpdesk.tickets.models import Inbox, Ticket

WORDS_IN = ("en", "ru")


def of(ticket: Ticket | None, contact: Contact) -> str:
    """The request's, the person's, the inbox's, the desk's; only those that we have words in."""
    inbox = db.session().get(Inbox, ticket.inbox_id) if ticket is not None else None
    for wish in (ticket.language if ticket is not None else "", contact.language, inbox.language if inbox is not None else ""):
        if wish[:2] in WORDS_IN:
            return wish[:2]
    return web.settings().default_language
