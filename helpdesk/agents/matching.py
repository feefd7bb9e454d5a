"""A match, from either side: the best agent for an item that waits, the best item for an agent who is free. In the caller's transaction.

Raise the agent's load under its guard (that locks the agent), claim the item by a guarded UPDATE, make the offer or the assignment; whoever
loses the race puts back what it had taken and looks again. The choice itself is `agents.ranking`: this module only asks
`agents.candidates` for the few rows it needs and writes down what was decided and why.
"""

from __future__ import annotations

from collections.abc import Sequence, Set
from dataclasses import dataclass
from typing import Any

from sqlalchemy import bindparam, delete, literal, update
from sqlalchemy.orm.attributes import set_committed_value

from helpdesk import db
from helpdesk.actor import SYSTEM
from helpdesk.agents import assignments, candidates, counting, interrupts, offers, ranking
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
        decision = ranking.best_agent(head, seen.states, interrupts.in_force())
        if decision.agent is None:
            if not lapsed and _lapse(head, seen.states):
                lapsed = True
                continue
            item.why = _why(decision, item.boost, lapsed)
            return False
        wanted = Wanted(item.id, item.ticket_id, item.channel, item.signature_id, item.boost, queue.acceptance, queue.offer_s)
        if _claim(wanted, decision, seen.turns[decision.agent], seen.weight(decision.agent, head), lapsed):
            return True
    return False


def forget_refusals(item_id: int) -> bool:
    """Let everybody be asked again about a waiting item, where all who could have it refused; whether that was so."""
    session = db.session()
    item = session.get(WorkItem, item_id, populate_existing=True)
    if item is None or item.state is not ItemState.WAITING:
        return False
    head = candidates.head_of(item, session.get_one(Queue, item.queue_id))
    return _lapse(head, candidates.for_item(head).states if head.excluded_agents else ())


@counting.timed("agent")
def serve(user_id: int, *, once: bool = False, forgotten: Set[int] = frozenset()) -> bool:
    """Find the best waiting item for an agent, again and again until there is none or no room; whether they got one.

    `once` stops after the first: where transactions run side by side, one that holds an item must not wait for another.
    What was read serves for the next piece, too: only where the piece just taken hid another of its kind is it read again. Of the items in
    `forgotten` the decision says that refusals were forgotten.
    """
    got = False
    for _round in range(ROUNDS):
        seen = candidates.agent(user_id)
        if seen is None:
            return got
        state, turn = seen.states[0], seen.turns[user_id]
        heads, rows = candidates.for_agent(state)
        while True:
            decision = ranking.best_item(state, heads, interrupts.in_force())
            if decision.item is None:
                return got
            row = rows[decision.item]
            weight = state.weights.get(row.channel, row.weight)
            wanted = Wanted(row.id, row.ticket_id, row.channel, row.signature_id, row.boost, row.acceptance, row.offer_s)
            if not _claim(wanted, decision, turn, weight, row.id in forgotten):
                break  # somebody was faster: look again
            got = True
            if once:
                return got
            state, turn = candidates.laden(state, row.channel, weight), turn + 1
            del heads[row.signature_id]
            if row.channel in candidates.open_channels(state):
                break  # what was behind it is to be seen now
    return got


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a claim has to know of an item and its queue. `signature_id` is what it was looked at as."""

    item_id: int
    ticket_id: int
    channel: str
    signature_id: int
    boost: dict[str, Any]
    acceptance: str
    offer_s: int


def _claim(wanted: Wanted, decision: ranking.Decision, turn: int, weight: int, lapsed: bool) -> bool:
    """Agent, then item, then offer or assignment; whoever loses the race puts back what it had taken."""
    user_id = decision.agent
    assert user_id is not None
    session = db.session()
    why = _why(decision, wanted.boost, lapsed)
    if not assignments.raise_load(user_id, weight, wanted.channel, turn=turn):
        return False
    state = ItemState.ASSIGNED if wanted.acceptance == "automatic" and wanted.channel == TICKET else ItemState.OFFERED
    values = {"item": wanted.item_id, "was": wanted.signature_id, "now": state, "whose": user_id, "because": why}
    if session.connection().execute(_CLAIMING, values).rowcount != 1:
        assignments.lower(user_id, weight, wanted.channel)
        return False
    item = session.identity_map.get(WorkItem.__mapper__.identity_key_from_primary_key((wanted.item_id,)))
    if item is not None:  # what a reaction has in hand shows what the database holds now
        for name, value in (("state", state), ("user_id", user_id), ("why", why)):
            set_committed_value(item, name, value)
    if state is ItemState.ASSIGNED:
        mine, ticket = session.get_one(WorkItem, wanted.item_id), session.get_one(Ticket, wanted.ticket_id)
        assignments.take_over(mine, ticket, user_id, how="automatic", by=SYSTEM, weight=weight)
    else:
        offers.hold_out(wanted.item_id, wanted.ticket_id, user_id, seconds=wanted.offer_s, weight=weight, why=why)
    return True


def _lapse(head: ranking.ItemHead, states: Sequence[ranking.AgentState]) -> bool:
    """Forget who refused, if nobody who could have the item is left; whether so."""
    if not head.excluded_agents or not ranking.exclusions_lapse(head, states):
        return False
    db.session().execute(delete(Exclusion).where(Exclusion.item_id == head.id))
    return True


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
