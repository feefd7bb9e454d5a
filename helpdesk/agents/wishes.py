"""The customer would rather be written to, or called, than look at the page: the wish is kept, the place in line too, the agent sees it."""

from __future__ import annotations

from flask_babel import gettext as _
from sqlalchemy import select

from helpdesk import clock, db, live
from helpdesk.actor import Actor
from helpdesk.agents.leading.models import ContactWish
from helpdesk.auth import Principal
from helpdesk.catalog import ContactWished, WishSettled
from helpdesk.crm import addresses
from helpdesk.errors import Conflict, Invalid
from helpdesk.events import record
from helpdesk.tickets.models import UNSOLVED, Ticket

KINDS = ("email", "phone")


def ask(ticket: Ticket, contact_id: int, kind: str, value: str, *, by: Actor) -> ContactWish:
    """Note how somebody wants to be reached instead of waiting; a second wish replaces the first. Nothing else about the ticket changes.

    Raises Invalid for an address or number that cannot be used, Conflict when there is nothing left to wait for.
    """
    if ticket.status not in UNSOLVED:
        raise Conflict(_("This request is solved; there is nothing to wait for."))
    if kind not in KINDS:
        raise Invalid(fields={"kind": _("Please choose one of the list.")})
    if not value.strip():
        raise Invalid(fields={"reach": _("Please fill this in.")})
    try:
        usable = (addresses.email(value) if kind == "email" else addresses.phone(value)).value
    except addresses.UnusableAddress as wrong:
        raise Invalid(fields={"reach": wrong.detail}) from None
    if len(usable) > 320:
        raise Invalid(fields={"reach": _("Please shorten this to %(n)s characters.", n=320)})
    wish = of(ticket.id)
    if wish is None:
        wish = ContactWish(ticket_id=ticket.id, contact_id=contact_id, kind=kind, value=usable)
        db.session().add(wish)
    wish.contact_id, wish.kind, wish.value = contact_id, kind, usable
    wish.asked_at, wish.done_at, wish.done_by_id = clock.now(), None, None
    record(ContactWished(ticket.id, contact_id, kind, by))
    return wish


def take_back(ticket: Ticket, *, by: Actor) -> None:
    """The customer waits at the page after all. Without a wish nothing changes."""
    wish = of(ticket.id)
    if wish is not None:
        db.session().delete(wish)
        record(WishSettled(ticket.id, "taken_back", by))


def settle(ticket: Ticket, *, by: Actor) -> None:
    """An agent has written or called. Doing it twice changes nothing."""
    wish = open_wish(ticket.id)
    if wish is not None:
        wish.done_at, wish.done_by_id = clock.now(), by.user_id
        record(WishSettled(ticket.id, "done", by))


def of(ticket_id: int) -> ContactWish | None:
    return db.session().get(ContactWish, ticket_id)


def open_wish(ticket_id: int) -> ContactWish | None:
    """The wish that nobody has fulfilled yet."""
    return db.session().scalar(select(ContactWish).where(ContactWish.ticket_id == ticket_id, ContactWish.done_at.is_(None)))


@live.shows(ContactWished, WishSettled)
def shown(facts: list[ContactWished | WishSettled]) -> None:
    """The open conversation shows it."""
    for ticket_id in {fact.ticket_id for fact in facts}:
        live.push(f"wish:{ticket_id}", "changed")


@live.room("wish")
def may_watch(who: Principal, key: str, _token: str) -> bool:
    """`wish:<ticket id>`: who may watch the ticket's conversation."""
    return live.may_watch(who, f"ticket:{key}")
