"""What moves on agents' open screens after a commit: rows, counts, the open thread, offers, news."""

from __future__ import annotations

from collections.abc import Iterable
from functools import cache, partial
from typing import Any

from helpdesk import catalog, db, live
from helpdesk.agents import lists, notifications, offers, wrap_up
from helpdesk.agents.models import Offer, WorkItem
from helpdesk.auth import Principal
from helpdesk.tickets import policy, queries
from helpdesk.tickets.models import Queue, Ticket

#: Facts after which a ticket's row, place or counts may differ.
MOVING = (
    catalog.TicketOpened,
    catalog.CustomerWrote,
    catalog.AgentReplied,
    catalog.ReplyWithdrawn,
    catalog.ReplyScheduled,
    catalog.ScheduledReplyCancelled,
    catalog.StatusChanged,
    catalog.PriorityChanged,
    catalog.TicketMoved,
    catalog.TicketAssigned,
    catalog.SubjectChanged,
    catalog.AnswersCorrected,
    catalog.TicketSolved,
    catalog.TicketReopened,
    catalog.TicketClosed,
)


# --- who may watch -----------------------------------------------------------------------------------------------------


@live.room("queue")
def may_watch_queue(who: Principal, key: str, _token: str) -> bool:
    return who.staff and key.isdigit() and (who.leads or int(key) in who.queues)


@live.room("agent")
def may_watch_agent(who: Principal, key: str, _token: str) -> bool:
    return who.staff and key == str(who.user_id)


@live.room("ticket")
def may_watch_ticket(who: Principal, key: str, _token: str) -> bool:
    ticket = db.session().get(Ticket, int(key)) if key.isdigit() else None
    return ticket is not None and who.staff and policy.may(who, "see", ticket)


# --- what is drawn -----------------------------------------------------------------------------------------------------


@live.shows(*MOVING)
def rows(facts: list[Any]) -> None:
    """The row, once per language, to the rooms where it stands or stood; then the counts that moved."""
    tickets = lists.looked_at(fact.ticket_id for fact in facts)
    touched_queues: set[int] = set()
    touched_agents: set[int] = set()
    for ticket in tickets:
        left_queues, left_agents = _left(facts, ticket)
        rooms = {f"queue:{queue}" for queue in {ticket.queue_id, *left_queues}}
        agents = {agent for agent in {ticket.assignee_id, *left_agents} if agent}
        rooms |= {f"agent:{agent}" for agent in agents}
        row = cache(partial(_row, ticket))
        for room in sorted(rooms):
            live.show(room, "row", row)
        live.push(f"ticket:{ticket.id}", "ticket", id=ticket.id)
        touched_queues |= {ticket.queue_id, *left_queues}
        touched_agents |= agents
    _counts(touched_queues, touched_agents)


@live.shows(catalog.NoteAdded, catalog.OfferDeclined, catalog.TicketRated, catalog.MailSent, catalog.MailFailed)
def threads(facts: list[Any]) -> None:
    """An open thread fetches itself again."""
    for ticket_id in {fact.ticket_id for fact in facts if fact.ticket_id}:
        live.push(f"ticket:{ticket_id}", "ticket", id=ticket_id)


@live.shows(
    catalog.OfferMade, catalog.OfferAccepted, catalog.OfferDeclined, catalog.OfferExpired, catalog.OfferWithdrawn,
    catalog.TicketAssigned, catalog.WrapUpBegan, catalog.WrapUpEnded,
)  # fmt: skip
def held_out(facts: list[Any]) -> None:
    """Each concerned agent's open offers, and what is to be wrapped up."""
    for user_id in sorted({fact.user_id for fact in facts if fact.user_id} | {fact.old for fact in facts if getattr(fact, "old", None)}):
        live.show(f"agent:{user_id}", "offer", partial(_offers, user_id))


@live.shows(catalog.TicketAssigned, catalog.CustomerWrote, catalog.NoteAdded, catalog.TicketRated)
def news(facts: list[Any]) -> None:
    """The number of unread notifications.

    They are written by deliveries of the same facts, so this may be one behind: the page's own fetch heals it.
    """
    owners = {ticket.assignee_id for ticket in lists.looked_at(fact.ticket_id for fact in facts)}
    for user_id in sorted(owner for owner in owners if owner):
        live.show(f"agent:{user_id}", "count", partial(_news, user_id))


@live.shows(catalog.CallTold)
def news_of_calls(facts: list[Any]) -> None:
    """The same for who was told of a call: the notice stands already, for it was written with the fact."""
    for user_id in sorted({fact.user_id for fact in facts}):
        live.show(f"agent:{user_id}", "count", partial(_news, user_id))


@live.shows(catalog.TicketAssigned)
def tell_assigned(facts: list[Any]) -> None:
    """A toast for whoever was given a ticket by somebody else."""
    for fact in facts:
        if fact.new is None or fact.by.user_id == fact.new:
            continue
        live.show(f"agent:{fact.new}", "toast", partial(_assigned, fact.ticket_id))


def _row(ticket: Ticket) -> dict[str, Any]:
    html = live.drawn("agents/_row.html", ticket=ticket, queue=db.session().get(Queue, ticket.queue_id))
    return {"id": ticket.id, "lists": lists.keys_of(ticket), "sort": lists.sort_key(ticket), "html": html}


def _offers(user_id: int) -> dict[str, Any]:
    return {"html": live.drawn("agents/_offers.html", cards=offer_cards(user_id), wraps=wrap_up.open_ones(user_id))}


def _assigned(ticket_id: int) -> dict[str, Any]:
    (ticket,) = lists.looked_at([ticket_id])
    return {"text": live.drawn("agents/_assigned.txt", ticket=ticket), "url": f"/inbox/{ticket.number}"}


def offer_cards(user_id: int) -> list[tuple[Offer, Ticket, WorkItem]]:
    """An agent's open offers with what the card shows."""
    session = db.session()
    return [(offer, queries.by_id(offer.ticket_id), session.get_one(WorkItem, offer.item_id)) for offer in offers.open_offers(user_id)]


def _counts(queue_ids: Iterable[int], agents: Iterable[int]) -> None:
    for queue_id in sorted(queue_ids):
        live.show(f"queue:{queue_id}", "count", partial(_waiting, queue_id))
    for user_id in sorted(agents):
        live.show(f"agent:{user_id}", "count", partial(_mine, user_id))


def _news(user_id: int) -> dict[str, Any]:
    return {"counts": {"news": str(notifications.unread_count(user_id) or "")}}


def _waiting(queue_id: int) -> dict[str, Any]:
    return {"counts": {f"queue:{queue_id}": lists.queue_count(queue_id)}}


def _mine(user_id: int) -> dict[str, Any]:
    return {"counts": {f"mine:{user_id}": lists.mine_count(user_id)}}


def _left(facts: list[Any], ticket: Ticket) -> tuple[set[int], set[int]]:
    """Where a ticket was before: its rows have to go there, too, to be taken away."""
    queues: set[int] = set()
    agents: set[int] = set()
    for fact in facts:
        if fact.ticket_id != ticket.id:
            continue
        if isinstance(fact, catalog.TicketMoved):
            queues.add(fact.old)
        if isinstance(fact, catalog.TicketAssigned) and fact.old:
            agents.add(fact.old)
    return queues, agents
