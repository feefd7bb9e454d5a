"""Which inbox a mail is for: by the addresses it was sent to, or a catch-all's.

An inbox's address is compared without capitals; anything after a plus belongs to it. `*@example.com` takes what nobody else of that domain
takes, `*` everything. Read by the listener, the importer and intake.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass

from sqlalchemy import select

from helpdesk import db
from helpdesk.channels.email import marks
from helpdesk.channels.email.models import InboxTrust
from helpdesk.tickets.models import Channel, Inbox

_MAIL = (Inbox.active, Inbox.channel == Channel.EMAIL, Inbox.address.is_not(None))


@dataclass(frozen=True)
class Doors:
    """Every active e-mail inbox by its address, as it was when read."""

    exact: dict[str, int]
    all_of: dict[str, int]  # domain → inbox; "" for any domain
    rows: dict[int, Inbox]
    believed: dict[int, str]  # inbox → whose judgement of senders it believes (`trusted`)

    def find(self, addresses: Iterable[str]) -> tuple[int, str] | None:
        """The inbox (its id, and the address it is called by here) of the first address that has one."""
        caught: tuple[int, str] | None = None
        for written in addresses:
            address = marks.plain(written)
            for name in (written.strip().lower(), address):
                if name in self.exact:
                    return self.exact[name], name
            domain = address.rpartition("@")[2]
            for rest in (domain, ""):
                if rest in self.all_of and caught is None:
                    caught = self.all_of[rest], address
        return caught

    def among(self, inbox_ids: Collection[int]) -> Doors:
        """Only these inboxes."""
        exact, all_of = ({name: one for name, one in those.items() if one in inbox_ids} for those in (self.exact, self.all_of))
        rows, believed = {one: self.rows[one] for one in self.rows if one in inbox_ids}, self.believed
        return Doors(exact, all_of, rows, believed)

    def ours(self, address: str) -> bool:
        """Whether this is an inbox's own address (a catch-all makes no address ours)."""
        return address.strip().lower() in self.exact or marks.plain(address) in self.exact


def doors() -> Doors:
    """Read them, inside a transaction."""
    exact: dict[str, int] = {}
    all_of: dict[str, int] = {}
    rows: dict[int, Inbox] = {}
    believed: dict[int, str] = {}
    for inbox, authserv_id in db.session().execute(_DOORS):
        rows[inbox.id], believed[inbox.id] = inbox, authserv_id or ""
    for inbox_id, inbox in rows.items():
        name = _ascii((inbox.address or "").strip().lower())
        if name.startswith("*"):
            all_of.setdefault(name.partition("@")[2], inbox_id)
        else:
            exact.setdefault(name, inbox_id)
    return Doors(exact, all_of, rows, believed)


#: Made once: every mail asks.
_DOORS = select(Inbox, InboxTrust.authserv_id).outerjoin(InboxTrust, InboxTrust.inbox_id == Inbox.id).where(*_MAIL).order_by(Inbox.id)


def owns(inbox: Inbox | None, address: str) -> bool:
    """Whether this is that very inbox's own address, and mail comes in there; says nothing of other inboxes."""
    return inbox is not None and inbox.active and inbox.channel is Channel.EMAIL and inbox.address == address and address[:1] != "*"


def from_address(inbox: Inbox | None, fallback: str) -> str:
    """The address that this inbox answers from: its own, else an e-mail inbox's of the same queue, else any's, else `fallback`."""
    if inbox is not None and inbox.address and not inbox.address.startswith("*"):
        return inbox.address
    others = db.session().scalars(select(Inbox).where(*_MAIL).order_by(Inbox.id))
    found = [other for other in others if not (other.address or "*").startswith("*")]
    near = [other for other in found if inbox is not None and other.queue_id == inbox.queue_id]
    chosen = (near or found)[:1]
    return (chosen[0].address or fallback) if chosen else fallback


def _ascii(address: str) -> str:
    """The domain as mail servers write it."""
    local, at, domain = address.rpartition("@")
    if domain.isascii():
        return address
    try:
        return f"{local}{at}{domain.encode('idna').decode('ascii')}"
    except UnicodeError:
        return address
