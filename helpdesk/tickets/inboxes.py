"""Inboxes: the doors with an address, the queue behind each, and how it signs what leaves. A mail server's password is kept encrypted."""

from __future__ import annotations

from dataclasses import dataclass

from flask_babel import lazy_gettext as _
from sqlalchemy import func, select

from helpdesk import db, placeholders, smtp, vault, versions
from helpdesk.actor import Actor
from helpdesk.catalog import SettingsChanged
from helpdesk.crm import addresses
from helpdesk.errors import Conflict, Invalid, Words
from helpdesk.events import record
from helpdesk.tickets.models import Channel, Inbox, Queue

LANGUAGES = ("", "en", "ru")
#: The dictionary of signatures, an agent's own and an inbox's; filled in by `agents.signatures`.
SIGNATURE_PLACEHOLDERS = ("agent.name", "agent.email", "inbox.name", "inbox.address", "company")
#: Megabytes of files that may go along with one mail; what is larger travels as a link.
MOST_FILES_MB = 25


@dataclass(frozen=True)
class Shape:
    """Everything an administrator says about an inbox. `smtp_url`: None keeps the one there is, empty takes it away."""

    name: str
    channel: Channel
    queue_id: int
    address: str = ""
    sender_name: str = ""
    signature: str = ""
    language: str = ""
    smtp_url: str | None = None
    quote_history: bool = False
    files_mb: int = 12


def add(shape: Shape, *, by: Actor) -> Inbox:
    """A new door. Raises Invalid."""
    inbox = Inbox(**_columns(shape, None))
    db.session().add(inbox)
    db.session().flush()
    record(SettingsChanged(by, what=f"inbox:{inbox.id}"))
    return inbox


def edit(inbox: Inbox, shape: Shape, *, seen: int | None, by: Actor) -> Inbox:
    """Change a door. Tickets that came through it stay where they are. Raises Stale, Invalid."""
    versions.change(inbox, seen, **_columns(shape, inbox))
    record(SettingsChanged(by, what=f"inbox:{inbox.id}"))
    return inbox


def deactivate(inbox: Inbox, *, seen: int | None, by: Actor) -> Inbox:
    """Close a door: nothing new comes in through it, its tickets go on. Raises Conflict for the last portal or API inbox, Stale."""
    if not inbox.active:
        return inbox
    if inbox.channel is not Channel.EMAIL and not _others(inbox):
        raise Conflict(_("This is the only inbox of its kind; requests from there would have nowhere to go."))
    versions.change(inbox, seen, active=False)
    record(SettingsChanged(by, what=f"inbox:{inbox.id}"))
    return inbox


def reactivate(inbox: Inbox, *, seen: int | None, by: Actor) -> Inbox:
    """Open a door again. Raises Invalid when its queue is switched off."""
    if inbox.active:
        return inbox
    if not db.session().get_one(Queue, inbox.queue_id).active:
        raise Invalid(fields={"queue_id": _("Please choose a queue that is switched on.")})
    versions.change(inbox, seen, active=True)
    record(SettingsChanged(by, what=f"inbox:{inbox.id}"))
    return inbox


def mail_server(inbox: Inbox | None, fallback_url: str) -> smtp.MailServer | None:
    """The server that an inbox's mail leaves through: its own, else the machine's (`Settings.smtp_url`); None when there is none.

    Raises Unavailable when the stored address was encrypted with a key this desk no longer has.
    """
    url = (vault.unseal(inbox.smtp_url) if inbox is not None else "") or fallback_url
    return smtp.read(url) if url else None


def can_send(fallback_url: str) -> bool:
    """Whether this desk has any server that takes its mail."""
    own = select(Inbox.id).where(Inbox.active, Inbox.smtp_url != "").limit(1)
    return bool(fallback_url) or db.session().scalar(own) is not None


def listed() -> list[tuple[Inbox, Queue]]:
    """Every inbox with its queue, the open ones first, by channel and name."""
    found = select(Inbox, Queue).join(Queue, Queue.id == Inbox.queue_id).order_by(~Inbox.active, Inbox.channel, Inbox.name, Inbox.id)
    return [(row.Inbox, row.Queue) for row in db.session().execute(found)]


def _others(inbox: Inbox) -> int:
    same = select(func.count()).select_from(Inbox).where(Inbox.active, Inbox.channel == inbox.channel, Inbox.id != inbox.id)
    return db.session().scalar(same) or 0


def _columns(shape: Shape, owner: Inbox | None) -> dict[str, object]:
    """The shape as columns. Raises Invalid with every fault at once."""
    session = db.session()
    faults: dict[str, Words] = {}
    name = " ".join(shape.name.split())[:120]
    if not name:
        faults["name"] = _("Please fill this in.")
    if owner is not None and owner.channel is not shape.channel:
        faults["channel"] = _("An inbox keeps its channel. Make a new one for the other.")
    queue = session.get(Queue, shape.queue_id)
    if queue is None or not queue.active:
        faults["queue_id"] = _("Please choose a queue that is switched on.")
    if shape.language not in LANGUAGES:
        faults["language"] = _("Please choose one of the list.")
    if len(shape.signature) > 5000:
        faults["signature"] = _("Please shorten this to %(n)s characters.", n=5000)
    elif (wrong := placeholders.fault(shape.signature, SIGNATURE_PLACEHOLDERS)) is not None:
        faults["signature"] = wrong
    if not 0 <= shape.files_mb <= MOST_FILES_MB:
        faults["files_mb"] = _("Please choose a number from 0 to %(n)s.", n=MOST_FILES_MB)
    address: str | None = None
    if shape.channel is Channel.EMAIL:
        try:
            address = _address(shape.address)
            taken = select(Inbox.name).where(Inbox.address == address, Inbox.id != (owner.id if owner else 0))
            if (other := session.scalar(taken)) is not None:
                faults["address"] = _("This is the address of “%(name)s” already.", name=other)
        except Invalid as wrong:
            faults["address"] = wrong.detail
    columns: dict[str, object] = {
        "name": name, "channel": shape.channel, "address": address, "queue_id": shape.queue_id, "language": shape.language,
        "sender_name": " ".join(shape.sender_name.split())[:120], "signature": shape.signature.replace("\r\n", "\n").strip(),
        "quote_history": shape.quote_history, "files_mb": shape.files_mb,
    }  # fmt: skip
    if shape.smtp_url is not None:
        try:
            if shape.smtp_url:
                smtp.read(shape.smtp_url)
            columns["smtp_url"] = vault.seal(shape.smtp_url)
        except ValueError:
            faults["smtp_url"] = _("This is not an address such as smtp://user:password@mail.example.com:587?tls=starttls")
    if faults:
        raise Invalid(fields=faults)
    return columns


def _address(typed: str) -> str:
    """An address of our own, or a catch-all: *@example.com, or * alone. Raises Invalid."""
    text = typed.strip().lower()
    if not text:
        raise Invalid(_("An e-mail inbox needs its address."))
    if text == "*":
        return text
    if text.startswith("*@"):
        return "*@" + addresses.email("x@" + text[2:]).value.partition("@")[2]
    return addresses.email(text).value
