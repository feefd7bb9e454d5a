"""A match, from either side: the best agent for an item that waits, the best item for an agent who is free. In the caller's transaction.

Raise the agent's load under its guard (that locks the agent), claim the item by a guarded UPDATE, make the offer or the assignment; whoever
loses the race puts back what it had taken and looks again. The choice itself is `agents.ranking`: this module only asks
`agents.candidates` for the few rows it needs and writes down what was decided and why.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import bindparam, delete, literal, update
from sqlalchemy.orm.attributes import set_committed_value

from helpdesk import db
from helpdesk.actor import SYSTEM
from helpdesk.agents import assignments, candidates, counting, offers, ranking
from helpdesk.agents.models import TICKET, Exclusion, ItemState, WorkItem
from helpdesk.tickets.models import Queue, Ticket

ROUNDS = 20


@counting.timed("item")
def match_item(item_id: int) -> bool:
    """Find the best agent for a waiting item and hold it out to them; whether somebody got it. In its own transaction."""
    session = db.session()
    lapsed = False
    for again in range(ROUNDS):
        item = session.get(WorkItem, item_id, populate_existing=bool(again))
        if item is None or item.state is not ItemState.WAITING:
            return False
        queue = session.get_one(Queue, item.queue_id)
        if queue.acceptance == "pull":
            return False
        head = candidates.head_of(item, queue)
        seen = candidates.for_item(head)
        decision = ranking.best_agent(head, seen.states)
        if decision.agent is None:
            if head.excluded_agents and not lapsed and ranking.exclusions_lapse(head, seen.states):
                session.execute(delete(Exclusion).where(Exclusion.item_id == item.id))
                lapsed = True
                continue
            item.why = _why(decision, item.boost, lapsed)
            return False
        if _claim(item, queue, decision, seen.turns[decision.agent], seen.weight(decision.agent, head), lapsed):
            return True
    return False


@counting.timed("agent")
def serve(user_id: int) -> bool:
    """Find the best waiting item for an agent, again and again until there is none or no room; whether they got one."""
    session = db.session()
    got = False
    for _round in range(ROUNDS):
        seen = candidates.agent(user_id)
        if seen is None:
            return got
        state = seen.states[0]
        decision = ranking.best_item(state, candidates.for_agent(state))
        if decision.item is None:
            return got
        item = session.get_one(WorkItem, decision.item, populate_existing=True)
        if item.state is not ItemState.WAITING:
            continue
        queue = session.get_one(Queue, item.queue_id)
        weight = state.weights.get(item.channel, item.weight)
        if _claim(item, queue, decision, seen.turns[user_id], weight, False):
            got = True
    return got


def _claim(item: WorkItem, queue: Queue, decision: ranking.Decision, turn: int, weight: int, lapsed: bool) -> bool:
    """Agent, then item, then offer or assignment; whoever loses the race puts back what it had taken."""
    user_id = decision.agent
    assert user_id is not None
    why = _why(decision, item.boost, lapsed)
    if not assignments.raise_load(user_id, weight, item.channel, turn=turn):
        return False
    state = ItemState.ASSIGNED if queue.acceptance == "automatic" and item.channel == TICKET else ItemState.OFFERED
    values = {"item": item.id, "was": item.signature_id, "now": state, "whose": user_id, "because": why}
    if db.session().connection().execute(_CLAIMING, values).rowcount != 1:
        assignments.lower(user_id, weight, item.channel)
        return False
    for name, value in (("state", state), ("user_id", user_id), ("why", why)):
        set_committed_value(item, name, value)
    if state is ItemState.ASSIGNED:
        ticket = db.session().get_one(Ticket, item.ticket_id)
        assignments.take_over(item, ticket, user_id, how="automatic", by=SYSTEM, weight=weight)
    else:
        offers.make(item, user_id, queue, why, weight=weight)
    return True


def looked_at(item: WorkItem) -> tuple[ranking.ItemHead, list[ranking.AgentState]]:
    """An item and the people of its queue as the ranking sees them now: for screens that explain, never for the match itself.

    An item that is not stored (id 0, no signature) stands for the next one that its queue will get.
    """
    queue = db.session().get_one(Queue, item.queue_id)
    head = candidates.head_of(item, queue) if item.id else candidates.next_head(item, queue)
    return head, list(candidates.for_item(head).states)


def _why(decision: ranking.Decision, boost: dict[str, Any], lapsed: bool) -> dict[str, Any]:
    """What is kept of a decision: the ranking's reasons, what the key's boost was made of, and whether refusals were forgotten for it."""
    return decision.as_json() | {"boost": boost, "lapsed": lapsed}


#: An item is claimed only while it waits, and as what it was when it was looked at: a step or a queue further on it is another's to have.
_CLAIMING = (
    update(WorkItem)
    .where(
        WorkItem.id == bindparam("item", type_=WorkItem.id.type),
        WorkItem.state == literal("waiting", WorkItem.state.type),
        WorkItem.signature_id == bindparam("was", type_=WorkItem.signature_id.type),
    )
    .values(
        state=bindparam("now", type_=WorkItem.state.type),
        user_id=bindparam("whose", type_=WorkItem.user_id.type),
        why=bindparam("because", type_=WorkItem.why.type),
    )
)
