"""What moves on a customer's open ticket page. A reply shows once it can no longer be taken back, never before."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import select

from helpdesk import db, live
from helpdesk.auth import Principal
from helpdesk.catalog import AgentReplied, CustomerWrote, StatusChanged, TicketClosed, TicketReopened, TicketSolved
from helpdesk.errors import Gone
from helpdesk.events import Fact, reaction
from helpdesk.preferences import preferences
from helpdesk.tickets import linking, policy
from helpdesk.tickets.models import Ticket


@live.room("link")
def may_watch(who: Principal, key: str, token: str) -> bool:
    """Whoever may read the page `link:<ticket id>`: the holder of a link to this ticket, or a customer whose ticket it is."""
    if not key.isdecimal() or len(key) > 15:
        return False
    if token:
        try:
            return linking.opened(token)[0].id == int(key)
        except Gone:
            return False
    return db.session().scalar(select(Ticket.id).where(Ticket.id == int(key), policy.visible(who))) is not None


@live.shows(CustomerWrote, StatusChanged, TicketSolved, TicketReopened, TicketClosed)
def show(facts: Sequence[Fact]) -> None:
    """The page is fetched again by those who look at it; the push itself says nothing but which."""
    for ticket_id in {fact.ticket_id for fact in facts}:
        _push(ticket_id)


@reaction(AgentReplied, delay=lambda _fact: preferences().undo, name="portal.show_reply")
def show_reply(fact: AgentReplied) -> None:
    """The time to take the reply back is over: the customer sees it now."""
    ticket_id = fact.ticket_id
    db.after_commit(lambda: _push(ticket_id))


def _push(ticket_id: int) -> None:
    live.push(f"link:{ticket_id}", "ticket", id=ticket_id)
